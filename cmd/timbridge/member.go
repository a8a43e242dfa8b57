package main

import (
	"context"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

type groupInviteCmd struct {
	Group  string   `arg:"" help:"The group's id, as group create printed it."`
	Member []string `required:"" sep:"none" placeholder:"USER" help:"User to put in; may be given several times."`
	publishing
}

// Help is an example.
func (groupInviteCmd) Help() string {
	return "Who may invite into a group is its approve option. Into a public group, by default, nobody may: create or modify it with --approve-option any.\n\nExample:\n  timbridge group invite tb-n7up… --member carol --wait"
}

// Run publishes.
func (c groupInviteCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.InviteData{GroupID: tim.GroupID(c.Group), UserIDs: users(c.Member)})
}

type groupRemoveCmd struct {
	Group  string   `arg:"" help:"The group's id, as group create printed it."`
	Member []string `required:"" sep:"none" placeholder:"USER" help:"User to remove; may be given several times."`
	Reason string   `placeholder:"TEXT" help:"Why, for those removed."`
	publishing
}

// Help is an example.
func (groupRemoveCmd) Help() string {
	return "Example:\n  timbridge group remove tb-n7up… --member carol --wait"
}

// Run publishes.
func (c groupRemoveCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.RemoveMemberData{GroupID: tim.GroupID(c.Group), UserIDs: users(c.Member), Reason: c.Reason})
}

type groupMemberCmd struct {
	Group    string         `arg:"" help:"The group's id, as group create printed it."`
	User     string         `arg:"" help:"The member."`
	Role     string         `enum:"member,admin," default:"" placeholder:"ROLE" help:"member or admin."`
	Mute     *time.Duration `placeholder:"DURATION" help:"How long the member may not write: --mute 10m; --mute 0s lets the member again."`
	NameCard *string        `placeholder:"NAME" help:"What the member is called in the group."`
	publishing
}

// Help is an example.
func (groupMemberCmd) Help() string {
	return "What is not given stays as it is.\n\nExamples:\n  timbridge group member tb-n7up… bob --role admin --wait\n  timbridge group member tb-n7up… carol --mute 10m --wait"
}

// Run publishes.
func (c groupMemberCmd) Run(ctx context.Context, e *env) error {
	data := mapping.ModifyMemberData{GroupID: tim.GroupID(c.Group), UserID: tim.UserID(c.User), Role: c.Role, NameCard: c.NameCard}
	if c.Mute != nil {
		seconds := c.Mute.Round(time.Second) / time.Second
		if *c.Mute < 0 || *c.Mute > 0 && seconds == 0 || seconds > 1<<32-1 {
			return badInput("write whole seconds: --mute 10m", "--mute is %s", *c.Mute)
		}
		n := uint32(seconds)
		data.MutedSeconds = &n
	}
	if c.Role == "" && c.Mute == nil && c.NameCard == nil {
		return badInput("timbridge group member tb-n7up… bob --role admin", "change what? give --role, --mute or --name-card")
	}
	return c.publish(ctx, e, data)
}

type groupJoinCmd struct {
	Group string `arg:"" help:"The group's id."`
	Text  string `placeholder:"TEXT" help:"What its owner reads with the request."`
	publishing
}

// Help is an example.
func (groupJoinCmd) Help() string {
	return "Example:\n  timbridge group join @TGS#2J4SZEAEL --text \"the bot, please\" --wait"
}

// Run publishes.
func (c groupJoinCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.JoinData{GroupID: tim.GroupID(c.Group), Message: c.Text})
}

type groupQuitCmd struct {
	Group string `arg:"" help:"The group's id."`
	publishing
}

// Help is an example.
func (groupQuitCmd) Help() string { return "Example:\n  timbridge group quit @TGS#2J4SZEAEL --wait" }

// Run publishes.
func (c groupQuitCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.QuitData{GroupID: tim.GroupID(c.Group)})
}

type groupAnswerCmd struct {
	Group   string `arg:"" help:"The group's id."`
	User    string `arg:"" help:"Who asks: the operator of the group.join_requested or group.invited event."`
	Accept  bool   `xor:"answer" help:"Say yes. This or --refuse is needed."`
	Refuse  bool   `xor:"answer" help:"Say no."`
	Request string `enum:"join,invite,invite_by_member" default:"join" placeholder:"KIND" help:"What is asked, as the event says: join, invite or invite_by_member. Default: join."`
	Invitee string `placeholder:"USER" help:"Who is invited, where one member has invited several."`
	Text    string `placeholder:"TEXT" help:"What the one who asked reads."`
	publishing
}

// Help is an example.
func (groupAnswerCmd) Help() string {
	return "Example:\n  timbridge group answer tb-n7up… carol --accept --wait"
}

// Run publishes.
func (c groupAnswerCmd) Run(ctx context.Context, e *env) error {
	if !c.Accept && !c.Refuse {
		return badInput("timbridge group answer "+c.Group+" "+c.User+" --accept", "yes or no? give --accept or --refuse")
	}
	return c.publish(ctx, e, mapping.HandleRequestData{
		GroupID: tim.GroupID(c.Group), UserID: tim.UserID(c.User), Request: c.Request, InviteeID: tim.UserID(c.Invitee), Accept: c.Accept, Message: c.Text,
	})
}

func users(names []string) []tim.UserID {
	out := make([]tim.UserID, len(names))
	for i, n := range names {
		out[i] = tim.UserID(n)
	}
	return out
}
