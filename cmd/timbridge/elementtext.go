package main

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// elementText is an element in a line for people: text as it is, of a file its
// name and its link, of anything else what it is.
func elementText(el tim.Elem, call func(tim.UserID) string) string {
	switch el := el.(type) {
	case tim.TextElem:
		return el.Content
	case tim.CustomElem:
		return bracketed("custom", el.Desc) + spaced(el.Data)
	case tim.ImageElem:
		return bracketed("image", fileName(el.OrigPath), dimensions(el.OrigPicWidth, el.OrigPicHeight), weight(el.OrigPicSize)) +
			spaced(cmp.Or(el.OrigURL, el.LargeURL, el.ThumbURL))
	case tim.SoundElem:
		return bracketed("sound", fileName(el.FilePath), duration(el.FileTime), weight(el.FileSize)) + spaced(el.URL)
	case tim.FileElem:
		return bracketed("file", cmp.Or(el.FileName, fileName(el.FilePath)), weight(el.FileSize)) + spaced(el.URL)
	case tim.VideoElem:
		return bracketed("video", fileName(el.VideoPath), duration(el.VideoDuration), weight(el.VideoSize)) + spaced(el.VideoURL)
	case tim.FaceElem:
		return bracketed("face", fmt.Sprint(el.Index), el.Buf)
	case tim.LocationElem:
		return bracketed("location", el.Desc, fmt.Sprintf("%.5f, %.5f", el.Latitude, el.Longitude))
	case tim.MergerElem:
		return bracketed("forwarded", el.Title) + spaced(cmp.Or(strings.Join(el.Abstracts, " / "), el.CompatibleText))
	case tim.GroupTipsElem:
		return tipText(el, call)
	case tim.GroupReportElem:
		return reportText(el, call)
	case tim.UnknownElem:
		return fmt.Sprintf("[an element of type %d]", el.Type)
	}
	return "[" + el.ElemType().String() + "]"
}

// bracketed is a word with what there is to tell of it: "[file report.pdf, 12 KiB]".
func bracketed(word string, about ...string) string {
	var parts []string
	for _, text := range about {
		if text = strings.TrimSpace(text); text != "" {
			parts = append(parts, text)
		}
	}
	return "[" + strings.TrimSpace(word+" "+strings.Join(parts, ", ")) + "]"
}

func spaced(text string) string {
	if text == "" {
		return ""
	}
	return " " + text
}

// fileName is the last part of a path, of whatever system it is.
func fileName(of string) string {
	if of == "" {
		return ""
	}
	return path.Base(strings.ReplaceAll(of, `\`, "/"))
}

func dimensions(width, height int64) string {
	if width <= 0 || height <= 0 {
		return ""
	}
	return fmt.Sprintf("%d×%d", width, height)
}

func duration[T int64 | uint64](seconds T) string {
	if seconds <= 0 || uint64(seconds) > uint64(maxSeconds) {
		return ""
	}
	return (time.Duration(seconds) * time.Second).String()
}

// maxSeconds is the longest time that a duration holds.
const maxSeconds = int64(1<<63-1) / int64(time.Second)

// weight is how large a file is; empty where that is not known.
func weight[T int64 | uint64](bytes T) string {
	if int64(bytes) <= 0 {
		return ""
	}
	return size(int64(bytes))
}

// listed are names as a sentence has them.
func listed(users []tim.UserID, call func(tim.UserID) string) string {
	const most = 10
	var parts []string
	for i, u := range users {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(users)-most))
			break
		}
		parts = append(parts, call(u))
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}
