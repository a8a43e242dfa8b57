package tim

import (
	"context"
	"time"
)

// Client is the door of one account to the IM service, as TIMInit opened it.
// A driver gives it; every driver passes the suite in tim/timtest.
//
// All methods may be called at once from several goroutines. A method that
// talks to the service returns a [*Error] whose Effect says whether the thing
// was done; when ctx ends before the answer came, the Effect is [EffectUnknown]
// unless the request is known never to have left.
type Client interface {
	// Listen sets the one handler for everything the service reports. It must
	// be set before Login, which is how messages that arrived offline are not
	// missed; a second call returns an error with code ERR_SDK_INVALID_OPERATION.
	// Mirrors TIMAddRecvNewMsgCallback, TIMSetKickedOfflineCallback,
	// TIMSetUserSigExpiredCallback and their siblings.
	Listen(Handler) error

	// Login signs the account in. Another account can be signed in only after
	// Logout. The code is 6208 when the account was kicked while it was
	// offline (the login after that succeeds and kicks the other device),
	// 70001 or 6206 when the UserSig has expired. Mirrors TIMLogin.
	Login(ctx context.Context, user UserID, userSig string) error

	// RenewUserSig hands in a new UserSig for the account that is signed in.
	// (TIMLogin with the same account does this in the SDK.)
	RenewUserSig(ctx context.Context, userSig string) error

	// Logout signs the account out; no report follows its return. Reports
	// acknowledged before it was called are not delivered again. Mirrors TIMLogout.
	Logout(ctx context.Context) error

	// Send posts a message and returns it as the service stored it: with its
	// message id, sequence, server time and random. A Rand that the caller has
	// set is used by drivers that implement [Resender]; others choose it
	// themselves. Mirrors TIMMsgSendMessage.
	Send(ctx context.Context, conv Conversation, msg Message) (Message, error)

	// Revoke recalls a message. Mirrors TIMMsgRevoke.
	Revoke(ctx context.Context, conv Conversation, msg MsgLocator) error

	// CreateGroup creates a group; the caller becomes its owner. Mirrors TIMGroupCreate.
	CreateGroup(ctx context.Context, param CreateGroupParam) (CreateGroupResult, error)

	// InviteMembers puts users into a group and says for each what came of it.
	// Mirrors TIMGroupInviteMember.
	InviteMembers(ctx context.Context, param GroupInviteMemberParam) ([]GroupInviteMemberResult, error)

	// DeleteMembers removes users from a group and says for each what came of
	// it. Mirrors TIMGroupDeleteMember.
	DeleteMembers(ctx context.Context, param GroupDeleteMemberParam) ([]GroupDeleteMemberResult, error)

	// DeleteGroup dismisses a group. Mirrors TIMGroupDelete.
	DeleteGroup(ctx context.Context, group GroupID) error

	// Close ends the client, signed in or not, and waits for its goroutines;
	// no report follows its return. Mirrors TIMUninit.
	Close() error
}

// Driver opens clients at one IM service.
type Driver interface {
	// Open makes a client for the application that the driver was made for.
	// It does not sign in. Mirrors TIMInit.
	Open(ctx context.Context, config Config) (Client, error)
}

// Resender is a [Client] that carries the caller's Message.Rand to the
// service, where a second send with the same random inside the window is
// answered with the first one's result instead of being posted again.
type Resender interface {
	// ResendWindow is how long the service remembers a random for
	// conversations of that type, counted from the first send.
	ResendWindow(ConvType) time.Duration
}

// Redeliverer is a [Client] that knows whether the service keeps a report until
// it is acknowledged. Of a client that is none it does not.
type Redeliverer interface {
	// Redelivers says that a report is delivered again, after a loss of the
	// connection too, until its Ack was called. Otherwise the service forgets it
	// as soon as it was handed over.
	Redelivers() bool
}

// History is a [Client] that can read what was said before.
type History interface {
	// Conversations lists the account's conversations with their last
	// message, newest first. Mirrors TIMConvGetConvList.
	Conversations(ctx context.Context) ([]ConvInfo, error)

	// Messages reads a conversation backwards: newest first, strictly older
	// than query.Before. Fewer than query.Count messages mean that the
	// beginning, or the end of what the service keeps, was reached.
	// Mirrors TIMMsgGetMsgList.
	Messages(ctx context.Context, conv Conversation, query HistoryQuery) ([]Message, error)
}

// HistoryQuery says which part of a conversation's history to read.
type HistoryQuery struct {
	// Before is the message to read on from, nil for the newest
	// (msg_getmsglist_param_last_msg). For groups only its Seq is looked at,
	// for one-to-one talks its ServerTime, Seq and Rand.
	Before *Message
	// Count is the number of messages wanted; 0 means 20, and the service may
	// return at most 100 (msg_getmsglist_param_count).
	Count int
}

// Handler takes the reports of one account. The driver calls it for one
// report at a time, in the service's order, and waits for its return before
// the next: a handler that blocks holds the stream up.
type Handler func(Report)

// Report is one thing the service told an account.
type Report struct {
	// Number is the report's own number where the driver has one (tim/wire
	// numbers each account's reports), else 0. A report that is delivered
	// again keeps its number.
	Number uint64
	// Account is the account it was told to.
	Account UserID
	// Event is what happened.
	Event Event
	// Ack tells the service that the report is safe with us. It may be called
	// from any goroutine, any number of times, at any time after the handler
	// was called; it never blocks on the network. It is never nil; where the
	// service does not wait for an acknowledgement it does nothing.
	Ack func()
}

// Event is what a [Report] tells: one of the types of this package that have
// a Callback, or [Unrecognized]. A new kind may come with a later version; a
// consumer handles what it does not know as it handles [Unrecognized].
type Event interface {
	// Callback is the name of the SDK's callback that brings it.
	Callback() string
}
