package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// What an element says, in words that are the same wherever the element was
// found: in a message that was sent, in history, on the bus.

func saidText(text string) string                { return fmt.Sprintf("text %q", text) }
func saidCustom(data, desc string) string        { return fmt.Sprintf("custom %q %q", data, desc) }
func saidFace(index int64, data string) string   { return fmt.Sprintf("face %d %q", index, data) }
func saidLocation(d string, x, y float64) string { return fmt.Sprintf("location %q %g %g", d, x, y) }
func saidImage(size, width, height int) string {
	return fmt.Sprintf("image %d %dx%d", size, width, height)
}
func saidSound(size int, seconds int64) string { return fmt.Sprintf("sound %d %ds", size, seconds) }
func saidFile(size int, name string) string    { return fmt.Sprintf("file %d %q", size, name) }
func saidVideo(n int, seconds int64, s int) string {
	return fmt.Sprintf("video %d %ds %d", n, seconds, s)
}

func saidUnknown(number int32, text string) string { return fmt.Sprintf("unknown %d %q", number, text) }

// unknownText is what an element of a kind that nobody knows says.
func unknownText(raw json.RawMessage) string {
	var said struct {
		Text string `json:"killtest"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return err.Error()
	}
	return said.Text
}

func saidMerger(title string, abstracts []string, compatible string, within []string) string {
	return fmt.Sprintf("merger %q %q %q %q", title, abstracts, compatible, within)
}

// saidTips tells a group tip: what, who did it, whom it concerns, and what is
// different now.
func saidTips(tip string, by tim.UserID, users []tim.UserID, values []string) string {
	users = slices.Clone(users)
	slices.Sort(users)
	return fmt.Sprintf("tips %s by %s of %s: %s", tip, by, slices.Compact(users), strings.Join(values, ", "))
}

// element is an element on the bus, as a stranger reads it.
type element struct {
	Type      string    `json:"type"`
	Text      string    `json:"text"`
	Data      string    `json:"data"`
	Desc      string    `json:"desc"`
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Size      int       `json:"size"`
	Duration  int64     `json:"duration"`
	Width     int       `json:"width"`
	Height    int       `json:"height"`
	Large     *rendered `json:"large"`
	Thumb     *rendered `json:"thumb"`
	Snapshot  *rendered `json:"snapshot"`
	Index     int64     `json:"index"`
	Longitude float64   `json:"longitude"`
	Latitude  float64   `json:"latitude"`

	ElemType int32           `json:"elem_type"`
	Raw      json.RawMessage `json:"raw"`

	Title          string   `json:"title"`
	Abstracts      []string `json:"abstracts"`
	CompatibleText string   `json:"compatible_text"`
	Messages       []struct {
		Elements []element `json:"elements"`
	} `json:"messages"`

	Tip      string       `json:"tip"`
	Operator tim.UserID   `json:"operator"`
	UserIDs  []tim.UserID `json:"user_ids"`
	Members  []member     `json:"members"`
	Changes  []change     `json:"changes"`
}

// rendered is a picture beside another one or a film.
type rendered struct {
	URL  string `json:"url"`
	Size int    `json:"size"`
}

type member struct {
	UserID       tim.UserID `json:"user_id"`
	Role         string     `json:"role"`
	MutedSeconds *uint64    `json:"muted_seconds"`
}

type change struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

func (e element) said() string {
	switch e.Type {
	case "text":
		return saidText(e.Text)
	case "custom":
		return saidCustom(e.Data, e.Desc)
	case "face":
		return saidFace(e.Index, e.Data)
	case "location":
		return saidLocation(e.Desc, e.Longitude, e.Latitude)
	case "unknown":
		return saidUnknown(e.ElemType, unknownText(e.Raw))
	case "image":
		return saidImage(e.Size, e.Width, e.Height)
	case "sound":
		return saidSound(e.Size, e.Duration)
	case "file":
		return saidFile(e.Size, e.Name)
	case "video":
		still := 0
		if e.Snapshot != nil {
			still = e.Snapshot.Size
		}
		return saidVideo(e.Size, e.Duration, still)
	case "merger":
		var within []string
		for _, m := range e.Messages {
			within = append(within, saidOnBus(m.Elements)...)
		}
		return saidMerger(e.Title, e.Abstracts, e.CompatibleText, within)
	case "group_tips":
		users, values := slices.Clone(e.UserIDs), []string(nil)
		for _, m := range e.Members {
			users = append(users, m.UserID)
			if m.MutedSeconds != nil {
				values = append(values, fmt.Sprint(*m.MutedSeconds))
			}
		}
		for _, c := range e.Changes {
			values = append(values, c.Field+"="+c.Value)
		}
		return saidTips(e.Tip, e.Operator, users, values)
	}
	return e.Type
}

func saidOnBus(list []element) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.said())
	}
	return out
}

// saidInChat is what a message of the service says.
func saidInChat(list []tim.Elem) []string {
	var out []string
	for _, elem := range list {
		switch e := elem.(type) {
		case tim.TextElem:
			out = append(out, saidText(e.Content))
		case tim.CustomElem:
			out = append(out, saidCustom(e.Data, e.Desc))
		case tim.FaceElem:
			out = append(out, saidFace(e.Index, e.Buf))
		case tim.LocationElem:
			out = append(out, saidLocation(e.Desc, e.Longitude, e.Latitude))
		case tim.UnknownElem:
			out = append(out, saidUnknown(int32(e.Type), unknownText(e.Raw)))
		case tim.ImageElem:
			out = append(out, saidImage(int(e.OrigPicSize), int(e.OrigPicWidth), int(e.OrigPicHeight)))
		case tim.SoundElem:
			out = append(out, saidSound(int(e.FileSize), e.FileTime))
		case tim.FileElem:
			out = append(out, saidFile(int(e.FileSize), e.FileName))
		case tim.VideoElem:
			out = append(out, saidVideo(int(e.VideoSize), int64(e.VideoDuration), int(e.ImageSize)))
		case tim.MergerElem:
			var within []string
			for _, m := range e.Messages {
				within = append(within, saidInChat(m.Elems)...)
			}
			out = append(out, saidMerger(e.Title, e.Abstracts, e.CompatibleText, within))
		case tim.GroupTipsElem:
			var values []string
			for _, c := range e.MemberChangeInfo {
				values = append(values, fmt.Sprint(c.ShutupTime))
			}
			for _, c := range e.GroupChangeInfo {
				values = append(values, c.Flag.String()+"="+c.Value)
			}
			out = append(out, saidTips(e.TipType.String(), e.OpUser, e.Users, values))
		default:
			out = append(out, fmt.Sprintf("%T", elem))
		}
	}
	return out
}

// markOf is the mark in the words of a message: what its first element says,
// up to what a modification has added.
func markOf(first element) string {
	mark := first.Text
	if first.Type == "custom" {
		mark = first.Data
	}
	mark, _, _ = strings.Cut(mark, modifiedMark)
	return mark
}

func markInChat(elems []tim.Elem) string {
	if len(elems) == 0 {
		return ""
	}
	mark := ""
	switch e := elems[0].(type) {
	case tim.TextElem:
		mark = e.Content
	case tim.CustomElem:
		mark = e.Data
	}
	mark, _, _ = strings.Cut(mark, modifiedMark)
	return mark
}

// modifiedMark stands between a message's mark and what it says instead.
const modifiedMark = " | "
