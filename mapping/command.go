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
	// one (group.create).
	Conversation tim.Conversation
	// Time is the sender's time of it, Expiry the end of its use; zero when not given.
	Time, Expiry time.Time
	// CorrelationID and TraceParent are handed through to what comes of it.
	CorrelationID, TraceParent string
	// Content is a hash of type, account, subject and data: another command
	// with the same source and id and another content is an id used twice.
	Content [32]byte

	Send         *Send
	Revoke       *Revoke
	CreateGroup  *CreateGroup
	Invite       *Invite
	RemoveMember *RemoveMember
	Dismiss      *Dismiss
}

// Send is message.send: [tim.Client].Send.
type Send struct {
	Conversation tim.Conversation
	// Message has elements and options; conversation, sender, random and all
	// that the service gives are left to the driver and the caller.
	Message tim.Message
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
