package main

import (
	"context"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

type groupCmd struct {
	Create   groupCreateCmd   `cmd:"" help:"Create a group."`
	Modify   groupModifyCmd   `cmd:"" help:"Change what a group is called, says, and lets in."`
	Transfer groupTransferCmd `cmd:"" help:"Make a member the owner of a group."`
	Dismiss  groupDismissCmd  `cmd:"" help:"Dismiss a group."`
	Invite   groupInviteCmd   `cmd:"" help:"Put users into a group."`
	Remove   groupRemoveCmd   `cmd:"" help:"Remove users from a group."`
	Member   groupMemberCmd   `cmd:"" help:"Change a member: role, mute, name card."`
	Join     groupJoinCmd     `cmd:"" help:"Ask to join a group."`
	Quit     groupQuitCmd     `cmd:"" help:"Leave a group."`
	Answer   groupAnswerCmd   `cmd:"" help:"Answer a request to join a group, or an invitation."`
}

type groupCreateCmd struct {
	Name          string   `required:"" placeholder:"NAME" help:"The group's name."`
	Type          string   `default:"public" enum:"private,work,public,chatroom,meeting,avchatroom,bchatroom,community" placeholder:"TYPE" help:"private (or work), public, chatroom (or meeting), avchatroom, bchatroom or community. Default: public."`
	Member        []string `sep:"none" placeholder:"USER" help:"First member besides the owner; may be given several times."`
	Admin         []string `sep:"none" placeholder:"USER" help:"First member who is an administrator; may be given several times."`
	Notification  string   `placeholder:"TEXT" help:"What members see first."`
	Introduction  string   `placeholder:"TEXT" help:"What the group is about."`
	Face          string   `placeholder:"URL" help:"The group's picture."`
	AddOption     string   `enum:"forbid,auth,any," default:"" placeholder:"HOW" help:"How users join by their own request: forbid, auth or any. Default: that of the type."`
	ApproveOption string   `enum:"forbid,auth,any," default:"" placeholder:"HOW" help:"How users join whom a member invites: forbid, auth or any. Default: that of the type."`
	MaxMembers    uint32   `placeholder:"N" help:"How many may be in it. Default: the service's."`
	publishing
}

// Help is an example.
func (groupCreateCmd) Help() string {
	return "Examples:\n  timbridge group create --name team --type public --member bob --wait\n  timbridge group create --name show --type avchatroom --wait"
}

// Run publishes.
func (c groupCreateCmd) Run(ctx context.Context, e *env) error {
	data := mapping.CreateGroupData{
		GroupType: c.Type, Name: c.Name, Notification: c.Notification, Introduction: c.Introduction, FaceURL: c.Face,
		AddOption: c.AddOption, ApproveOption: c.ApproveOption, MaxMembers: c.MaxMembers,
	}
	for _, m := range c.Member {
		data.Members = append(data.Members, mapping.GroupMemberData{UserID: tim.UserID(m)})
	}
	for _, m := range c.Admin {
		data.Members = append(data.Members, mapping.GroupMemberData{UserID: tim.UserID(m), Role: "admin"})
	}
	return c.publish(ctx, e, data)
}

type groupModifyCmd struct {
	Group         string  `arg:"" help:"The group's id, as group create printed it."`
	Name          *string `placeholder:"NAME" help:"The group's new name."`
	Notification  *string `placeholder:"TEXT" help:"What members see first."`
	Introduction  *string `placeholder:"TEXT" help:"What the group is about."`
	Face          *string `placeholder:"URL" help:"The group's picture."`
	AddOption     string  `enum:"forbid,auth,any," default:"" placeholder:"HOW" help:"How users join by their own request: forbid, auth or any."`
	ApproveOption string  `enum:"forbid,auth,any," default:"" placeholder:"HOW" help:"How users join whom a member invites: forbid, auth or any."`
	MaxMembers    *uint32 `placeholder:"N" help:"How many may be in it."`
	MuteAll       *bool   `negatable:"" help:"Let nobody but the owner and administrators write; --no-mute-all lets everybody again."`
	publishing
}

// Help is an example.
func (groupModifyCmd) Help() string {
	return "What is not given stays as it is.\n\nExamples:\n  timbridge group modify tb-n7up… --name \"The team\" --wait\n  timbridge group modify tb-n7up… --mute-all --wait"
}

// Run publishes.
func (c groupModifyCmd) Run(ctx context.Context, e *env) error {
	data := mapping.ModifyGroupData{
		GroupID: tim.GroupID(c.Group), Name: c.Name, Notification: c.Notification, Introduction: c.Introduction, FaceURL: c.Face,
		AddOption: c.AddOption, ApproveOption: c.ApproveOption, MaxMembers: c.MaxMembers, MuteAll: c.MuteAll,
	}
	if c.Name == nil && c.Notification == nil && c.Introduction == nil && c.Face == nil && c.AddOption == "" && c.ApproveOption == "" && c.MaxMembers == nil && c.MuteAll == nil {
		return badInput("timbridge group modify tb-n7up… --name \"The team\"", "change what? give --name, or another")
	}
	return c.publish(ctx, e, data)
}

type groupTransferCmd struct {
	Group string `arg:"" help:"The group's id, as group create printed it."`
	To    string `required:"" placeholder:"USER" help:"Member who is to be the owner."`
	publishing
}

// Help is an example.
func (groupTransferCmd) Help() string {
	return "Example:\n  timbridge group transfer tb-n7up… --to bob --wait"
}

// Run publishes.
func (c groupTransferCmd) Run(ctx context.Context, e *env) error {
	return c.publish(ctx, e, mapping.TransferGroupData{GroupID: tim.GroupID(c.Group), UserID: tim.UserID(c.To)})
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
