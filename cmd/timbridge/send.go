package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

type sendCmd struct {
	To    string   `xor:"whom" placeholder:"USER" help:"User to send to."`
	Group string   `xor:"whom" placeholder:"GROUP" help:"Group to send to."`
	Text  string   `placeholder:"TEXT" help:"The text; --text - reads it from standard input."`
	Data  string   `placeholder:"TEXT" help:"Data of a custom element, besides or instead of the text: --data '{\"order\":17}'."`
	Image []string `sep:"none" placeholder:"FILE" help:"Picture to send: a file of up to 64 KiB, which goes into the command, or the URL of one on a host that the policy allows. May be given several times."`
	File  []string `sep:"none" placeholder:"FILE" help:"File to send, as with --image."`
	publishing
}

// Help is an example.
func (sendCmd) Help() string {
	return "Examples:\n  timbridge send --to bob --text hi --wait\n  timbridge send --to bob --text \"the report\" --file report.pdf --wait\n  date | timbridge send --group tb-n7up… --text - --wait --json"
}

// Run publishes.
func (c sendCmd) Run(ctx context.Context, e *env) error {
	data := mapping.SendData{}
	switch {
	case c.To != "":
		data.Conversation = mapping.C2CConversation(tim.UserID(c.To))
	case c.Group != "":
		data.Conversation = mapping.GroupConversation(tim.GroupID(c.Group))
	default:
		return badInput("timbridge send --to bob --text hi", "to whom? give --to or --group")
	}
	text, from := c.Text, "--text"
	if text == "-" {
		b, err := read(ctx, e.in)
		if err != nil {
			return err
		}
		text, from = strings.TrimRight(string(b), "\r\n"), "standard input"
	}
	if err := errors.Join(checkEncoding(from, text), checkEncoding("--data", c.Data)); err != nil {
		return err
	}
	if text != "" {
		data.Elements = append(data.Elements, mapping.TextElement(text))
	}
	if c.Data != "" {
		data.Elements = append(data.Elements, mapping.Element{Type: "custom", Data: c.Data})
	}
	for _, media := range []struct {
		kind  string
		names []string
	}{{"image", c.Image}, {"file", c.File}} {
		for _, name := range media.names {
			element, err := mediaElement(ctx, media.kind, name)
			if err != nil {
				return err
			}
			data.Elements = append(data.Elements, element)
		}
	}
	if len(data.Elements) == 0 {
		return badInput("timbridge send --to bob --text hi", "send what? give --text, --data, --image or --file")
	}
	return c.publish(ctx, e, data)
}

// mediaElement is an element with a file in it, or with the URL of one.
func mediaElement(ctx context.Context, kind, name string) (mapping.Element, error) {
	if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") {
		address, _, _ := strings.Cut(name, "?")
		return mapping.Element{Type: kind, URL: name, Name: path.Base(address)}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return mapping.Element{}, badInput("name a file that can be read", "%w", err)
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return mapping.Element{}, err
	case info.IsDir():
		return mapping.Element{}, badInput("name a file that can be read", "%s is a folder", name)
	case info.Size() > mapping.MaxMediaData:
		return mapping.Element{}, badInput("put it on a web server that policy.media_hosts names, and give its URL",
			"%s has %d bytes; a command carries files of up to %d", name, info.Size(), mapping.MaxMediaData)
	}
	b, err := read(ctx, f)
	switch {
	case err != nil:
		return mapping.Element{}, fmt.Errorf("read %s: %w", name, err)
	case len(b) == 0:
		return mapping.Element{}, badInput("", "%s is empty", name)
	case kind == "image" && !isImage(b[:min(len(b), 512)]):
		return mapping.Element{}, badInput("send it with --file", "%s is no PNG, JPEG or GIF picture", name)
	}
	return mapping.Element{Type: kind, Data: base64.StdEncoding.EncodeToString(b), Name: filepath.Base(name)}, nil
}
