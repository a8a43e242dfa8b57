package main

import (
	"context"

	"github.com/timbridge/timbridge/mapping"
)

type profileCmd struct {
	Nick      *string `placeholder:"NAME" help:"What others are to see as the account's name."`
	Face      *string `placeholder:"URL" help:"The account's picture."`
	Signature *string `placeholder:"TEXT" help:"What the account says of itself."`
	Gender    string  `enum:"unknown,male,female," default:"" placeholder:"GENDER" help:"unknown, male or female."`
	Location  *string `placeholder:"TEXT" help:"Where it is."`
	publishing
}

// Help is an example.
func (profileCmd) Help() string {
	return "What is not given stays as it is.\n\nExample:\n  timbridge profile --nick \"The bridge\" --signature \"ask me anything\" --wait"
}

// Run publishes.
func (c profileCmd) Run(ctx context.Context, e *env) error {
	if c.Nick == nil && c.Face == nil && c.Signature == nil && c.Gender == "" && c.Location == nil {
		return badInput("timbridge profile --nick \"The bridge\"", "change what? give --nick, or another")
	}
	return c.publish(ctx, e, mapping.ModifyProfileData{NickName: c.Nick, FaceURL: c.Face, Signature: c.Signature, Gender: c.Gender, Location: c.Location})
}

type statusCmd struct {
	Text string `arg:"" help:"The words others see beside whether the account is online; \"\" takes them back."`
	publishing
}

// Help is an example.
func (statusCmd) Help() string { return "Example:\n  timbridge status \"back at nine\" --wait" }

// Run publishes.
func (c statusCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.SetStatusData{Custom: c.Text})
}
