package timtest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

var mediaCases = []testCase{
	{"a file from a path arrives as it was", 0, fileArrives},
	{"an image comes in three sizes", 0, imageInThreeSizes},
	{"a small image is its own thumbnail", 0, smallImage},
	{"a sound and a video with its snapshot", 0, soundAndVideo},
	{"files, text and others in one message keep their order", 0, mixedElements},
	{"an upload's progress is told", 0, uploadProgress},
	{"a file that is no image is refused as one", 0, notAnImage},
	{"no such file, an empty one and a folder are refused", 0, badFiles},
	{"a file of a received message can be passed on", 0, forwardedFile},
	{"a file handed over before is used by its id", 0, uploadedBefore},
	{"an upload must have the size that was said", 0, uploadSize},
	{"a path is nobody else's business", 0, pathStays},
	{"messages passed on as one", 0, merger},
}

// able is the client as one that can do something; the test is skipped where
// the driver cannot.
func able[I any](d *device) I {
	d.s.Helper()
	can, ok := d.client.(I)
	if !ok {
		d.s.Skipf("this driver's client is no %T", (*I)(nil))
	}
	return can
}

// write makes a file of the test's own.
func (s *scene) write(name string, content []byte) string {
	s.Helper()
	path := filepath.Join(s.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// download gets what a URL of an element leads to.
func (s *scene) download(url string) []byte {
	s.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	transport.RegisterProtocol("file", http.NewFileTransport(http.Dir("/"))) // a service in this process
	request, err := http.NewRequestWithContext(s.ctx(), http.MethodGet, url, nil)
	if err != nil {
		s.Fatalf("the URL %q: %v", url, err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		s.Fatalf("download: %v", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.Fatalf("download of %q: status %d, %v", url, response.StatusCode, err)
	}
	return content
}

// noise is content that cannot be guessed.
func noise(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	_, _ = src.Read(b) // it never fails
	return b
}

// picture makes an image of that size, as JPEG or PNG.
func (s *scene) picture(width, height int, format string) []byte {
	s.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.NRGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, m)
	if format == "jpeg" {
		b.Reset()
		err = jpeg.Encode(&b, m, nil)
	}
	if err != nil {
		s.Fatal(err)
	}
	return b.Bytes()
}

// deliver sends elements to bob and gives them as the sender and bob see them.
func deliver(s *scene, alice, bob *device, elems ...tim.Elem) (sent, got tim.Message) {
	s.Helper()
	able[tim.Uploader](alice)
	sent = alice.send(tim.C2C(bob.user), tim.Message{Elems: elems})
	got = bob.message("the message with files", func(m tim.Message) bool { return m.MsgID == sent.MsgID })
	if diff := differ(sent.Elems, got.Elems); diff != "" {
		s.Errorf("the receiver sees %s", diff)
	}
	return sent, got
}

func fileArrives(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	content := noise(300_000)
	path := s.write("报告 1.bin", content)
	_, got := deliver(s, alice, bob, tim.FileElem{FilePath: path})
	e, ok := only[tim.FileElem](got)
	if !ok || e.FileID == "" || e.FileName != "报告 1.bin" || e.FileSize != int64(len(content)) || e.FilePath != "" {
		s.Fatalf("the receiver sees %+v", got.Elems)
	}
	if !bytes.Equal(s.download(e.URL), content) {
		s.Error("what is downloaded is not what was sent")
	}
	_, named := deliver(s, alice, bob, tim.FileElem{FilePath: path, FileName: "another.name"})
	if e, _ := only[tim.FileElem](named); e.FileName != "another.name" {
		s.Errorf("the file sent with a name is called %q", e.FileName)
	}
}

func imageInThreeSizes(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	for _, format := range []string{"jpeg", "png"} {
		content := s.picture(1600, 800, format)
		_, got := deliver(s, alice, bob, tim.ImageElem{OrigPath: s.write("a."+format, content), Level: tim.ImageOriginal})
		e, ok := only[tim.ImageElem](got)
		if !ok || e.OrigPicWidth != 1600 || e.OrigPicHeight != 800 || e.OrigPicSize != int64(len(content)) || e.OrigPath != "" {
			s.Fatalf("the receiver sees %+v", got.Elems)
		}
		if !bytes.Equal(s.download(e.OrigURL), content) {
			s.Error("the original is another")
		}
		for _, one := range []struct {
			name, url, id       string
			width, height, size int64
			wantW, wantH        int64
		}{
			{"large", e.LargeURL, e.LargeID, e.LargePicWidth, e.LargePicHeight, e.LargePicSize, 1440, 720},
			{"thumbnail", e.ThumbURL, e.ThumbID, e.ThumbPicWidth, e.ThumbPicHeight, e.ThumbPicSize, 396, 198},
		} {
			small := s.download(one.url)
			config, _, err := image.DecodeConfig(bytes.NewReader(small))
			if err != nil || int64(config.Width) != one.width || int64(config.Height) != one.height || int64(len(small)) != one.size {
				s.Errorf("the %s is said to be %dx%d of %d bytes; it is %+v of %d, %v", one.name, one.width, one.height, one.size, config, len(small), err)
			}
			if one.width != one.wantW || one.height != one.wantH || one.id == "" || one.id == e.OrigID {
				s.Errorf("the %s of a %s is %dx%d, want %dx%d", one.name, format, one.width, one.height, one.wantW, one.wantH)
			}
		}
	}
}

func smallImage(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	content := s.picture(40, 30, "png")
	_, got := deliver(s, alice, bob, tim.ImageElem{OrigPath: s.write("a.png", content)})
	e, _ := only[tim.ImageElem](got)
	if e.ThumbPicWidth != 40 || e.LargePicHeight != 30 || !bytes.Equal(s.download(e.ThumbURL), content) || !bytes.Equal(s.download(e.LargeURL), content) {
		s.Errorf("the receiver sees %+v", e)
	}
}

func soundAndVideo(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	sound, film, snapshot := noise(5000), noise(90_000), s.picture(320, 240, "jpeg")
	_, got := deliver(s, alice, bob,
		tim.SoundElem{FilePath: s.write("a.m4a", sound), FileTime: 7},
		tim.VideoElem{
			VideoPath: s.write("a.mp4", film), VideoType: "mp4", VideoDuration: 12,
			ImagePath: s.write("a.jpg", snapshot), ImageType: "jpg",
		},
	)
	if len(got.Elems) != 2 {
		s.Fatalf("the receiver sees %+v", got.Elems)
	}
	a, _ := got.Elems[0].(tim.SoundElem)
	v, _ := got.Elems[1].(tim.VideoElem)
	if a.FileSize != 5000 || a.FileTime != 7 || !bytes.Equal(s.download(a.URL), sound) {
		s.Errorf("the sound is %+v", a)
	}
	if v.VideoSize != 90_000 || v.VideoDuration != 12 || v.VideoType != "mp4" || v.ImageWidth != 320 || v.ImageHeight != 240 ||
		v.ImageSize != uint64(len(snapshot)) || v.VideoPath != "" || v.ImagePath != "" {
		s.Errorf("the video is %+v", v)
	}
	if !bytes.Equal(s.download(v.VideoURL), film) || !bytes.Equal(s.download(v.ImageURL), snapshot) {
		s.Error("the video or its snapshot is another")
	}
}

func mixedElements(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	_, got := deliver(s, alice, bob,
		tim.TextElem{Content: "look:"},
		tim.ImageElem{OrigPath: s.write("a.png", s.picture(10, 10, "png"))},
		tim.FaceElem{Index: 3, Buf: "x"},
		tim.LocationElem{Desc: "here", Longitude: 120.5, Latitude: -30.25},
		tim.FileElem{FilePath: s.write("b.txt", []byte("b"))},
		tim.CustomElem{Data: "d"},
		tim.SoundElem{FilePath: s.write("c.m4a", []byte("c")), FileTime: 1},
	)
	var types []tim.ElemType
	for _, e := range got.Elems {
		types = append(types, e.ElemType())
	}
	want := []tim.ElemType{tim.ElemText, tim.ElemImage, tim.ElemFace, tim.ElemLocation, tim.ElemFile, tim.ElemCustom, tim.ElemSound}
	if fmt.Sprint(types) != fmt.Sprint(want) {
		s.Errorf("the elements are %v, want %v", types, want)
	}
}

func uploadProgress(s *scene) {
	alice := s.signIn("alice")
	able[tim.Uploader](alice)
	const size = 1 << 20
	path := s.write("big.bin", noise(size))
	alice.send(tim.C2C(s.user("bob")), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "here"}, tim.FileElem{FilePath: path}}})
	last := uint32(0)
	for last < size {
		p := event(alice, "the progress of the upload", always[tim.UploadProgress])
		if p.Index != 1 || p.Total != size || p.Done <= last || p.Done > size || len(p.Message.Elems) != 2 {
			s.Fatalf("after %d the progress is %d of %d, of element %d", last, p.Done, p.Total, p.Index)
		}
		last = p.Done
	}
}

func notAnImage(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Uploader](alice)
	for name, content := range map[string][]byte{
		"text": []byte("no image"), "cut off": s.picture(400, 300, "png")[:100],
	} {
		_, err := alice.client.Send(s.ctx(), tim.C2C(bob.user), tim.Message{Elems: []tim.Elem{tim.ImageElem{OrigPath: s.write("a.png", content)}}})
		s.refused(name, err, tim.CodeImageUploadFailedNotImage)
	}
	bob.fence()
	if n := bob.count(func(m tim.Message) bool { return m.Sender == alice.user }); n != 0 {
		s.Errorf("the receiver was told %d messages", n)
	}
}

func badFiles(s *scene) {
	alice := s.signIn("alice")
	up := able[tim.Uploader](alice)
	for _, one := range []struct {
		name, path string
		code       tim.Code
	}{
		{"a file that is not there", filepath.Join(s.TempDir(), "none"), tim.CodeSDKCommFileNotFound},
		{"an empty file", s.write("empty", nil), tim.CodeSDKCommFileSizeEmpty},
		{"a folder", s.TempDir(), tim.CodeSDKCommFileOpenFailed},
	} {
		_, err := alice.client.Send(s.ctx(), tim.C2C(s.user("bob")), tim.Message{Elems: []tim.Elem{tim.FileElem{FilePath: one.path}}})
		s.refused(one.name, err, one.code)
	}
	_, err := alice.client.Send(s.ctx(), tim.C2C(s.user("bob")), tim.Message{Elems: []tim.Elem{tim.FileElem{FileID: "none"}}})
	s.refused("an id that names no file", err, tim.CodeSDKCommFileNotFound)
	_, err = up.Upload(s.ctx(), "x", 0, strings.NewReader(""))
	s.refused("an upload of nothing", err, tim.CodeSDKCommFileSizeEmpty)
	_, err = up.Upload(s.ctx(), "x", tim.MaxFileBytes+1, strings.NewReader("x"))
	s.refused("an upload that is too large", err, tim.CodeSDKCommFileTooLarge)
}

func forwardedFile(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	_, got := deliver(s, alice, bob, tim.FileElem{FilePath: s.write("a.txt", []byte("passed on"))},
		tim.ImageElem{OrigPath: s.write("a.png", s.picture(300, 300, "png"))})
	sent := bob.send(tim.C2C(carol.user), tim.Message{Elems: got.Elems, IsForwardMessage: true})
	passed := carol.message("what is passed on", func(m tim.Message) bool { return m.MsgID == sent.MsgID })
	if diff := differ(got.Elems, passed.Elems); diff != "" || !passed.IsForwardMessage {
		s.Errorf("it is passed on as %s", diff)
	}
	if e, _ := passed.Elems[0].(tim.FileElem); string(s.download(e.URL)) != "passed on" {
		s.Error("the file is another")
	}
}

func uploadedBefore(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	up := able[tim.Uploader](alice)
	got, err := up.Upload(s.ctx(), "../dir/notes.txt", 5, strings.NewReader("hello"))
	if err != nil {
		s.Fatalf("upload: %v", err)
	}
	if got.ID == "" || got.Size != 5 || string(s.download(got.URL)) != "hello" {
		s.Errorf("the upload is %+v", got)
	}
	_, msg := deliver(s, alice, bob, tim.FileElem{FileID: got.ID})
	if e, _ := only[tim.FileElem](msg); e.FileName != "notes.txt" || e.FileSize != 5 || string(s.download(e.URL)) != "hello" {
		s.Errorf("the receiver sees %+v", msg.Elems)
	}
}

func uploadSize(s *scene) {
	alice := s.signIn("alice")
	up := able[tim.Uploader](alice)
	_, err := up.Upload(s.ctx(), "short", 10, strings.NewReader("short"))
	s.refused("a file shorter than was said", err, tim.CodeFileTransUploadFailed)
	alice.logout()
	_, err = up.Upload(s.ctx(), "x", 1, strings.NewReader("x"))
	s.refused("an upload by nobody", err, tim.CodeSDKNotLoggedIn)
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	alice.login()
	_, err = up.Upload(ctx, "x", 1, strings.NewReader("x"))
	// Whoever stops waiting first says why: the client, or the service.
	if e, ok := tim.AsError(err); !ok || e.Code != tim.CodeRequestTimeOut && e.Code != tim.CodeUserCanceled || e.Effect != tim.EffectNotDone {
		s.Errorf("an upload that nobody waits for: %v", err)
	}
}

func pathStays(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	path := s.write("secret-folder-name.txt", []byte("x"))
	_, got := deliver(s, alice, bob, tim.FileElem{FilePath: path, FileName: "x.txt"})
	if e, _ := only[tim.FileElem](got); strings.Contains(fmt.Sprintf("%+v", e), filepath.Dir(path)) {
		s.Errorf("the receiver sees the sender's path: %+v", e)
	}
}

func merger(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	first := alice.say(tim.C2C(bob.user), "first")
	second := alice.say(tim.C2C(bob.user), "second")
	sent := alice.send(tim.C2C(bob.user), tim.Message{Elems: []tim.Elem{tim.MergerElem{
		Title: "our talk", Abstracts: []string{"alice: first", "alice: second"}, CompatibleText: "please upgrade",
		Messages: []tim.Message{first, second},
	}}})
	got := bob.message("the merger", func(m tim.Message) bool { return m.MsgID == sent.MsgID })
	e, ok := only[tim.MergerElem](got)
	if !ok || e.Title != "our talk" || len(e.Abstracts) != 2 || len(e.Messages) != 2 ||
		textOf(e.Messages[0]) != "first" || e.Messages[1].MsgID != second.MsgID {
		s.Errorf("the receiver sees %+v", got.Elems)
	}
}
