package main

import (
	"context"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

type messageCmd struct {
	Revoke  messageRevokeCmd  `cmd:"" help:"Recall a message."`
	Modify  messageModifyCmd  `cmd:"" help:"Put another text into a message."`
	Read    messageReadCmd    `cmd:"" help:"Mark a conversation as read."`
	Receipt messageReceiptCmd `cmd:"" help:"Say of messages that asked for it that they were read."`
}

type messageRevokeCmd struct {
	Message string `arg:"" help:"The message's id, as send --wait printed it and message.posted has it."`
	publishing
}

// Help is an example.
func (messageRevokeCmd) Help() string {
	return "Example:\n  timbridge message revoke c2c/bob/bridge/1/3476462162/1795411654 --wait"
}

// Run publishes.
func (c messageRevokeCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.RevokeData{MessageID: c.Message})
}

type messageModifyCmd struct {
	Message string `arg:"" help:"The message's id, as send --wait printed it and message.posted has it."`
	Text    string `required:"" placeholder:"TEXT" help:"What is to stand in it."`
	publishing
}

// Help is an example.
func (messageModifyCmd) Help() string {
	return "Example:\n  timbridge message modify group/tb-n7up…/2 --text \"hello, team\" --wait"
}

// Run publishes.
func (c messageModifyCmd) Run(ctx context.Context, e *env) error {
	if err := checkEncoding("--text", c.Text); err != nil {
		return err
	}
	return c.publish(ctx, e, mapping.ModifyData{MessageID: c.Message, Elements: []mapping.Element{mapping.TextElement(c.Text)}})
}

type messageReadCmd struct {
	To    string `xor:"what" placeholder:"USER" help:"The talk with this user, all of it. This, --group or --up-to is needed."`
	Group string `xor:"what" placeholder:"GROUP" help:"This group, all of it."`
	UpTo  string `xor:"what" placeholder:"MESSAGE" help:"Up to and with the message of this id."`
	publishing
}

// Help is an example.
func (messageReadCmd) Help() string {
	return "Examples:\n  timbridge message read --to bob --wait\n  timbridge message read --up-to group/tb-n7up…/2 --wait"
}

// Run publishes.
func (c messageReadCmd) Run(ctx context.Context, e *env) error {
	data := mapping.MarkReadData{MessageID: c.UpTo}
	switch {
	case c.To == "" && c.Group == "" && c.UpTo == "":
		return badInput("timbridge message read --to bob", "read what? give --to, --group or --up-to")
	case c.To != "":
		conv := mapping.C2CConversation(tim.UserID(c.To))
		data.Conversation = &conv
	case c.Group != "":
		conv := mapping.GroupConversation(tim.GroupID(c.Group))
		data.Conversation = &conv
	}
	return c.publish(ctx, e, data)
}

type messageReceiptCmd struct {
	Message []string `arg:"" help:"Ids of messages of one conversation."`
	publishing
}

// Help is an example.
func (messageReceiptCmd) Help() string {
	return "Example:\n  timbridge message receipt group/tb-n7up…/2 group/tb-n7up…/3 --wait"
}

// Run publishes.
func (c messageReceiptCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.ReadReceiptData{MessageIDs: c.Message})
}
