package mapping

import (
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Command is a command that was read, checked against its schema, and turned
// into what the SDK takes. Exactly one of the pointers at its end is set.
type Command struct {
	// Source and ID name the command; together they are its identity.
	Source, ID string
	// Type is its whole type, Subject the subject its sender gave it.
	Type, Subject string
	// Account is the account that is to act.
	Account tim.UserID
	// Conversation is the conversation it acts in, zero for a command without
	// one (group.create, profile.modify, status.set).
	Conversation tim.Conversation
	// Time is the sender's time of it, Expiry the end of its use; zero when not given.
	Time, Expiry time.Time
	// CorrelationID and TraceParent are handed through to what comes of it.
	CorrelationID, TraceParent string
	// Content is a hash of type, account, subject and data: another command
	// with the same source and id and another content is an id used twice.
	Content [32]byte

	Send            *Send
	Revoke          *Revoke
	Modify          *Modify
	MarkRead        *MarkRead
	SendReadReceipt *SendReadReceipt
	CreateGroup     *CreateGroup
	ModifyGroup     *ModifyGroup
	TransferGroup   *TransferGroup
	Invite          *Invite
	RemoveMember    *RemoveMember
	ModifyMember    *ModifyMember
	Join            *Join
	Quit            *Quit
	HandleRequest   *HandleRequest
	Dismiss         *Dismiss
	ModifyProfile   *ModifyProfile
	SetStatus       *SetStatus
}

// Send is message.send: [tim.Client].Send.
type Send struct {
	Conversation tim.Conversation
	// Message has elements and options; conversation, sender, random and all
	// that the service gives are left to the driver and the caller.
	Message tim.Message
	// Media are the files that its elements need before it can be sent, in the
	// order of the elements. Until [Media.SetFile] the elements have no paths.
	Media []Media
}

// Revoke is message.revoke: [tim.Client].Revoke.
type Revoke struct {
	Conversation tim.Conversation
	Message      tim.MsgLocator
	// MessageID is the id of the message's message.posted event.
	MessageID string
}

// CreateGroup is group.create: [tim.Client].CreateGroup. The group's id is
// made from the command's source and id, see [GroupIDFor].
type CreateGroup struct{ Param tim.CreateGroupParam }

// Invite is group.invite: [tim.Client].InviteMembers.
type Invite struct{ Param tim.GroupInviteMemberParam }

// RemoveMember is group.remove_member: [tim.Client].DeleteMembers.
type RemoveMember struct{ Param tim.GroupDeleteMemberParam }

// Dismiss is group.dismiss: [tim.Client].DeleteGroup.
type Dismiss struct{ Group tim.GroupID }

// Modify is message.modify: [tim.Modifier].ModifyMessage.
type Modify struct {
	Conversation tim.Conversation
	// Message names the message by its conversation, sequence, random and
	// server time, and has what is to stand in it: elements and cloud custom string.
	Message tim.Message
	// MessageID is the id of the message's message.posted event.
	MessageID string
}

// MarkRead is message.mark_read: [tim.Reader].MarkRead.
type MarkRead struct {
	Conversation tim.Conversation
	// UpTo is the last message read, named as in [Modify]; nil for all of the conversation.
	UpTo *tim.Message
	// MessageID is the id of its message.posted event, empty for all.
	MessageID string
}

// SendReadReceipt is message.send_read_receipt: [tim.Reader].SendReadReceipts.
type SendReadReceipt struct {
	// Conversation is that of all the messages.
	Conversation tim.Conversation
	// Messages are named as in [Modify].
	Messages []tim.Message
	// MessageIDs are the ids of their message.posted events.
	MessageIDs []string
}

// ModifyGroup is group.modify: [tim.Groups].ModifyGroup.
type ModifyGroup struct{ Param tim.GroupModifyInfoParam }

// TransferGroup is group.transfer: [tim.Groups].ModifyGroup of the owner alone.
type TransferGroup struct{ Param tim.GroupModifyInfoParam }

// ModifyMember is group.modify_member: [tim.Groups].ModifyMember.
type ModifyMember struct {
	Param tim.GroupModifyMemberInfoParam
}

// Join is group.join: [tim.Groups].JoinGroup.
type Join struct {
	Group tim.GroupID
	// Hello is what the group's owner reads with the request.
	Hello string
}

// Quit is group.quit: [tim.Groups].QuitGroup.
type Quit struct{ Group tim.GroupID }

// HandleRequest is group.handle_request: [tim.Groups].HandleRequest. The
// pendency names group, type and the users; what else the service gave it (key,
// authentication) is found in [tim.Groups].Requests, by [HandleRequest.Matches].
type HandleRequest struct {
	Param tim.GroupHandlePendencyParam
}

// Matches says whether p is the request that the command decides on.
func (h *HandleRequest) Matches(p tim.GroupPendency) bool {
	want := h.Param.Pendency
	return p.GroupID == want.GroupID && p.PendencyType == want.PendencyType &&
		p.FromIdentifier == want.FromIdentifier && (want.ToIdentifier == "" || p.ToIdentifier == want.ToIdentifier)
}

// ModifyProfile is profile.modify: [tim.Profiles].ModifyProfile.
type ModifyProfile struct{ Item tim.UserProfileItem }

// SetStatus is status.set: [tim.Presence].SetStatus.
type SetStatus struct{ Custom string }

// Verb is the command's type in short: "message.send", "group.create".
func (c Command) Verb() string { return Verb(c.Type) }

// Cause is what the messages and outcomes of the command are marked with.
func (c Command) Cause() *Cause {
	return &Cause{ID: c.ID, CorrelationID: c.CorrelationID, TraceParent: c.TraceParent}
}

// Ref names the command in its outcome.
func (c Command) Ref() CommandRef {
	return CommandRef{Source: c.Source, ID: c.ID, Type: c.Type, Account: c.Account, Subject: c.Subject}
}

// OutcomeSubject is the subject of the command's outcome: its conversation's,
// or where it has none its account's.
func (c Command) OutcomeSubject() string { return Subject(c.Conversation, c.Account) }
