package main

import (
	"context"
	"strings"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

type sendCmd struct {
	To    string `xor:"whom" placeholder:"USER" help:"User to send to."`
	Group string `xor:"whom" placeholder:"GROUP" help:"Group to send to."`
	Text  string `placeholder:"TEXT" help:"The text; --text - reads it from standard input."`
	Data  string `placeholder:"TEXT" help:"Data of a custom element, besides or instead of the text: --data '{\"order\":17}'."`
	publishing
}

// Help is an example.
func (sendCmd) Help() string {
	return "Examples:\n  timbridge send --to bob --text hi --wait\n  date | timbridge send --group team --text - --wait --json"
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
	text := c.Text
	if text == "-" {
		b, err := read(ctx, e.in)
		if err != nil {
			return err
		}
		text = strings.TrimRight(string(b), "\r\n")
	}
	if text != "" {
		data.Elements = append(data.Elements, mapping.TextElement(text))
	}
	if c.Data != "" {
		data.Elements = append(data.Elements, mapping.Element{Type: "custom", Data: c.Data})
	}
	if len(data.Elements) == 0 {
		return badInput("timbridge send --to bob --text hi", "send what? give --text or --data")
	}
	return c.publish(ctx, e, data)
}
