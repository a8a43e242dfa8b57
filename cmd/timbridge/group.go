package main

import (
	"context"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

type groupCmd struct {
	Create  groupCreateCmd  `cmd:"" help:"Create a group."`
	Invite  groupInviteCmd  `cmd:"" help:"Put users into a group."`
	Remove  groupRemoveCmd  `cmd:"" help:"Remove users from a group."`
	Dismiss groupDismissCmd `cmd:"" help:"Dismiss a group."`
}

type groupCreateCmd struct {
	Name         string   `required:"" placeholder:"NAME" help:"The group's name."`
	Type         string   `default:"public" enum:"public,private" placeholder:"TYPE" help:"public or private. Default: public."`
	Member       []string `sep:"none" placeholder:"USER" help:"First member besides the owner; may be given several times."`
	Notification string   `placeholder:"TEXT" help:"What members see first."`
	Introduction string   `placeholder:"TEXT" help:"What the group is about."`
	publishing
}

// Help is an example.
func (groupCreateCmd) Help() string {
	return "Example:\n  timbridge group create --name team --type public --member bob --wait"
}

// Run publishes.
func (c groupCreateCmd) Run(ctx context.Context, e *env) error {
	data := mapping.CreateGroupData{GroupType: c.Type, Name: c.Name, Notification: c.Notification, Introduction: c.Introduction}
	for _, m := range c.Member {
		data.Members = append(data.Members, mapping.GroupMemberData{UserID: tim.UserID(m)})
	}
	return c.publish(ctx, e, data)
}

type groupInviteCmd struct {
	Group  string   `arg:"" help:"The group's id, as group create printed it."`
	Member []string `required:"" sep:"none" placeholder:"USER" help:"User to put in; may be given several times."`
	publishing
}

// Help is an example.
func (groupInviteCmd) Help() string {
	return "Example:\n  timbridge group invite tb-n7up… --member carol --wait"
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

type groupDismissCmd struct {
	Group string `arg:"" help:"The group's id, as group create printed it."`
	publishing
}

// Help is an example.
func (groupDismissCmd) Help() string { return "Example:\n  timbridge group dismiss tb-n7up… --wait" }

// Run publishes.
func (c groupDismissCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.DismissData{GroupID: tim.GroupID(c.Group)})
}

func users(names []string) []tim.UserID {
	out := make([]tim.UserID, len(names))
	for i, n := range names {
		out[i] = tim.UserID(n)
	}
	return out
}
