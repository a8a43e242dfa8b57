package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// unknownElem is the number of a kind of element that nobody here knows.
const unknownElem = 99

// piece is an element as this program thinks of it, for both directions.
type piece struct {
	kind   string // as events have it
	text   string // what it says, or what it is called
	number int64  // whatever counts in it
	file   []byte // of a picture, recording, file or film
	still  []byte // a film's first picture
}

// The pictures all have the same size, in pixels.
const (
	pictureWidth  = 12
	pictureHeight = 8
)

// thinkOf thinks of a message that begins with its mark: half of the time that
// is all; else there is more of it, now and then a file.
func thinkOf(rng *rand.Rand, mark string, mixed bool) []piece {
	list := []piece{{kind: "text", text: mark}}
	if !mixed {
		return list
	}
	if rng.IntN(8) == 0 {
		list[0].kind = "custom"
	}
	if rng.IntN(2) == 0 {
		return list
	}
	for range 1 + rng.IntN(3) {
		list = append(list, thinkOfMore(rng, mark, list))
	}
	if rng.IntN(12) == 0 {
		list = append(list, thinkOfFile(rng, mark))
	}
	return list
}

// thinkOfMore thinks of what may come after the others of a message, which has
// one custom element at most.
func thinkOfMore(rng *rand.Rand, mark string, others []piece) piece {
	kinds := []string{"text", "face", "location", "merger", "custom"}
	if slices.ContainsFunc(others, func(p piece) bool { return p.kind == "custom" }) {
		kinds = kinds[:len(kinds)-1]
	}
	return piece{kind: kinds[rng.IntN(len(kinds))], text: fmt.Sprintf("more of %s <%d>", mark, rng.IntN(1000)), number: 1 + rng.Int64N(100)}
}

func thinkOfFile(rng *rand.Rand, mark string) piece {
	p := piece{number: 1 + rng.Int64N(60), text: strings.ReplaceAll(mark, " ", "-") + ".dat"}
	switch rng.IntN(4) {
	case 0:
		p.kind, p.file = "image", picture(rng)
	case 1:
		p.kind, p.file = "sound", noise(rng)
	case 2:
		p.kind, p.file = "file", noise(rng)
	default:
		p.kind, p.file, p.still = "video", noise(rng), picture(rng)
	}
	return p
}

func noise(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(3000))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func picture(rng *rand.Rand) []byte {
	img := image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	for x := range pictureWidth {
		for y := range pictureHeight {
			img.Set(x, y, color.RGBA{R: byte(rng.Uint32()), G: byte(rng.Uint32()), B: byte(rng.Uint32()), A: 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // into memory, of a picture that is one
	}
	return out.Bytes()
}

// elem is the piece as a person sends it, with its files put into dir.
func (p piece) elem(dir string) (tim.Elem, error) {
	keep := func(b []byte, name string) (string, error) {
		path := filepath.Join(dir, name)
		return path, os.WriteFile(path, b, 0o600)
	}
	var err error
	switch p.kind {
	case "custom":
		return tim.CustomElem{Data: p.text, Desc: "desc"}, nil
	case "face":
		return tim.FaceElem{Index: p.number, Buf: p.text}, nil
	case "location":
		return tim.LocationElem{Desc: p.text, Longitude: float64(p.number), Latitude: -float64(p.number) / 4}, nil
	case "merger":
		return tim.MergerElem{
			Title: p.text, Abstracts: []string{"one line"}, CompatibleText: "passed on",
			Messages: []tim.Message{{Sender: people[0], Elems: []tim.Elem{tim.TextElem{Content: "within " + p.text}}}},
		}, nil
	case "unknown":
		return tim.UnknownElem{Type: unknownElem, Raw: json.RawMessage(fmt.Sprintf(`{"elem_type":%d,"killtest":%q}`, unknownElem, p.text))}, nil
	case "image":
		e := tim.ImageElem{}
		e.OrigPath, err = keep(p.file, p.text)
		return e, err
	case "sound":
		e := tim.SoundElem{FileTime: p.number}
		e.FilePath, err = keep(p.file, p.text)
		return e, err
	case "file":
		e := tim.FileElem{FileName: p.text}
		e.FilePath, err = keep(p.file, p.text)
		return e, err
	case "video":
		e := tim.VideoElem{VideoType: "mp4", ImageType: "png", VideoDuration: uint64(p.number)}
		if e.VideoPath, err = keep(p.file, p.text); err == nil {
			e.ImagePath, err = keep(p.still, p.text+".png")
		}
		return e, err
	}
	return tim.TextElem{Content: p.text}, nil
}

// data is the piece as a command has it. Its files lie in the command, or at a
// URL where host is not nil.
func (p piece) data(host *fileHost) map[string]any {
	d := map[string]any{"type": p.kind}
	file := func(into map[string]any, b []byte) {
		if host != nil {
			into["url"] = host.put(b)
		} else {
			into["data"] = base64.StdEncoding.EncodeToString(b)
		}
	}
	switch p.kind {
	case "text":
		d["text"] = p.text
	case "custom":
		d["data"], d["desc"] = p.text, "desc"
	case "face":
		d["index"], d["data"] = p.number, p.text
	case "location":
		d["desc"], d["longitude"], d["latitude"] = p.text, float64(p.number), -float64(p.number)/4
	case "merger":
		d["title"], d["abstracts"], d["compatible_text"] = p.text, []string{"one line"}, "passed on"
		d["messages"] = []any{map[string]any{
			"sender": people[0], "elements": []any{map[string]string{"type": "text", "text": "within " + p.text}},
		}}
	case "image":
		file(d, p.file)
	case "sound":
		d["duration"] = p.number
		file(d, p.file)
	case "file":
		d["name"] = p.text
		file(d, p.file)
	case "video":
		still := map[string]any{"format": "png"}
		d["duration"], d["format"], d["snapshot"] = p.number, "mp4", still
		file(d, p.file)
		file(still, p.still)
	}
	return d
}

// said is the piece in the words in which elements are compared.
func (p piece) said() string {
	switch p.kind {
	case "custom":
		return saidCustom(p.text, "desc")
	case "face":
		return saidFace(p.number, p.text)
	case "location":
		return saidLocation(p.text, float64(p.number), -float64(p.number)/4)
	case "merger":
		return saidMerger(p.text, []string{"one line"}, "passed on", []string{saidText("within " + p.text)})
	case "unknown":
		return saidUnknown(unknownElem, p.text)
	case "image":
		return saidImage(len(p.file), pictureWidth, pictureHeight)
	case "sound":
		return saidSound(len(p.file), p.number)
	case "file":
		return saidFile(len(p.file), p.text)
	case "video":
		return saidVideo(len(p.file), p.number, len(p.still))
	}
	return saidText(p.text)
}

func saidOf(list []piece) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.said())
	}
	return out
}

// sumsOf are the sums of the files in a message, in its order.
func sumsOf(list []piece) []string {
	var out []string
	for _, p := range list {
		if p.file != nil {
			out = append(out, sumOf(p.file))
		}
		if p.still != nil {
			out = append(out, sumOf(p.still))
		}
	}
	return out
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
