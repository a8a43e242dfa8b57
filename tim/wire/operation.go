package wire

import (
	"context"

	"github.com/timbridge/timbridge/tim"
)

// operation is a method of an optional interface I as the wire carries it: its
// name in a req frame, with a P as the body and an R as the body of the answer.
// Both ends are made of it.
type operation[I, P, R any] struct {
	name string
	call func(I, context.Context, P) (R, error)
}

// none is the body where there is none.
type none struct{}

// ask makes the request.
func (o operation[I, P, R]) ask(ctx context.Context, c *client, param P) (R, error) {
	var body []byte
	var result R
	if _, empty := any(param).(none); !empty {
		var err error
		if body, err = marshal(param); err != nil {
			return result, badMessage(o.name, err)
		}
	}
	if _, empty := any(result).(none); empty {
		_, err := c.call(ctx, o.name, body, nil)
		return result, err
	}
	return ask[R](ctx, c, o.name, body)
}

// tell makes a request whose answer has no body.
func tell[I, P any](ctx context.Context, c *client, o operation[I, P, none], param P) error {
	_, err := o.ask(ctx, c, param)
	return err
}

// perform implements performer.
func (o operation[I, P, R]) perform(ctx context.Context, client tim.Client, body []byte) ([]byte, error) {
	able, ok := client.(I)
	if !ok {
		return nil, notDone(o.name, tim.CodeSDKInterfaceNotSupport, ErrUnsupported)
	}
	var param P
	if _, empty := any(param).(none); !empty {
		if err := decode(o.name, body, &param); err != nil {
			return nil, err
		}
	}
	result, err := o.call(able, ctx, param)
	if _, empty := any(result).(none); empty {
		return nil, err
	}
	return encode(o.name, result, err)
}

// performer carries a request out on the driver's client and gives the body of
// the answer.
type performer interface {
	perform(ctx context.Context, client tim.Client, body []byte) ([]byte, error)
}

// quiet makes a method without a result one with an empty one.
func quiet[I, P any](f func(I, context.Context, P) error) func(I, context.Context, P) (none, error) {
	return func(i I, ctx context.Context, p P) (none, error) { return none{}, f(i, ctx, p) }
}

// plain makes a method without a parameter one with an empty one.
func plain[I, R any](f func(I, context.Context) (R, error)) func(I, context.Context, none) (R, error) {
	return func(i I, ctx context.Context, _ none) (R, error) { return f(i, ctx) }
}

// The bodies of requests that are no object of the SDK's.
type (
	messagesBody struct {
		tim.Conversation
		Before *tim.Message `json:"before,omitempty"`
		Count  int          `json:"count,omitempty"`
	}
	deleteMessagesBody struct {
		tim.Conversation
		Locators []tim.MsgLocator `json:"locators"`
	}
	markReadBody struct {
		tim.Conversation
		UpTo *tim.Message `json:"up_to,omitempty"`
	}
	joinGroupBody struct {
		GroupID tim.GroupID `json:"group_id"`
		Hello   string      `json:"hello,omitempty"`
	}
	groupBody struct {
		GroupID tim.GroupID `json:"group_id"`
	}
	setStatusBody struct {
		Custom string `json:"custom"`
	}
)

// operations are those of the optional interfaces.
type operations struct {
	conversations operation[tim.History, none, []tim.ConvInfo]
	messages      operation[tim.History, messagesBody, []tim.Message]

	modifyMessage operation[tim.Modifier, tim.Message, tim.Message]

	deleteMessages     operation[tim.Eraser, deleteMessagesBody, none]
	clearHistory       operation[tim.Eraser, tim.Conversation, none]
	deleteConversation operation[tim.Eraser, tim.Conversation, none]

	markRead         operation[tim.Reader, markReadBody, none]
	sendReadReceipts operation[tim.Reader, []tim.Message, none]
	readReceipts     operation[tim.Reader, []tim.Message, []tim.MessageReceipt]

	batchSend operation[tim.BatchSender, tim.MsgBatchSendParam, []tim.MsgBatchSendResult]

	joinGroup     operation[tim.Groups, joinGroupBody, none]
	quitGroup     operation[tim.Groups, groupBody, none]
	joinedGroups  operation[tim.Groups, none, []tim.GroupBaseInfo]
	groupsInfo    operation[tim.Groups, []tim.GroupID, []tim.GetGroupInfoResult]
	modifyGroup   operation[tim.Groups, tim.GroupModifyInfoParam, none]
	members       operation[tim.Groups, tim.GroupGetMemberInfoListParam, tim.GroupGetMemberInfoListResult]
	modifyMember  operation[tim.Groups, tim.GroupModifyMemberInfoParam, none]
	requests      operation[tim.Groups, tim.GroupPendencyOption, tim.GroupPendencyResult]
	handleRequest operation[tim.Groups, tim.GroupHandlePendencyParam, none]

	profiles      operation[tim.Profiles, []tim.UserID, []tim.UserProfile]
	modifyProfile operation[tim.Profiles, tim.UserProfileItem, none]

	statuses          operation[tim.Presence, []tim.UserID, []tim.UserStatus]
	setStatus         operation[tim.Presence, setStatusBody, none]
	subscribeStatus   operation[tim.Presence, []tim.UserID, none]
	unsubscribeStatus operation[tim.Presence, []tim.UserID, none]

	// byName has them all, for the server.
	byName map[string]performer
}

// ops are the operations of the optional interfaces. They do not change.
var ops = newOperations()

func newOperations() *operations {
	o := &operations{byName: map[string]performer{}}
	o.history()
	o.talk()
	o.groups()
	o.people()
	return o
}

// define sets an operation and lists it by its name.
func define[I, P, R any](o *operations, into *operation[I, P, R], name string, call func(I, context.Context, P) (R, error)) {
	*into = operation[I, P, R]{name: name, call: call}
	o.byName[name] = *into
}

func (o *operations) history() {
	define(o, &o.conversations, "conversations", plain(tim.History.Conversations))
	define(o, &o.messages, "messages", func(h tim.History, ctx context.Context, b messagesBody) ([]tim.Message, error) {
		return h.Messages(ctx, b.Conversation, tim.HistoryQuery{Before: b.Before, Count: b.Count})
	})
}

func (o *operations) talk() {
	define(o, &o.modifyMessage, "modify_message", tim.Modifier.ModifyMessage)
	define(o, &o.deleteMessages, "delete_messages", quiet(func(e tim.Eraser, ctx context.Context, b deleteMessagesBody) error {
		return e.DeleteMessages(ctx, b.Conversation, b.Locators)
	}))
	define(o, &o.clearHistory, "clear_history", quiet(tim.Eraser.ClearHistory))
	define(o, &o.deleteConversation, "delete_conversation", quiet(tim.Eraser.DeleteConversation))
	define(o, &o.markRead, "mark_read", quiet(func(r tim.Reader, ctx context.Context, b markReadBody) error {
		return r.MarkRead(ctx, b.Conversation, b.UpTo)
	}))
	define(o, &o.sendReadReceipts, "send_read_receipts", quiet(tim.Reader.SendReadReceipts))
	define(o, &o.readReceipts, "read_receipts", tim.Reader.ReadReceipts)
	define(o, &o.batchSend, "batch_send", tim.BatchSender.BatchSend)
}

func (o *operations) groups() {
	define(o, &o.joinGroup, "join_group", quiet(func(g tim.Groups, ctx context.Context, b joinGroupBody) error {
		return g.JoinGroup(ctx, b.GroupID, b.Hello)
	}))
	define(o, &o.quitGroup, "quit_group", quiet(func(g tim.Groups, ctx context.Context, b groupBody) error {
		return g.QuitGroup(ctx, b.GroupID)
	}))
	define(o, &o.joinedGroups, "joined_groups", plain(tim.Groups.JoinedGroups))
	define(o, &o.groupsInfo, "groups_info", tim.Groups.GroupsInfo)
	define(o, &o.modifyGroup, "modify_group", quiet(tim.Groups.ModifyGroup))
	define(o, &o.members, "members", tim.Groups.Members)
	define(o, &o.modifyMember, "modify_member", quiet(tim.Groups.ModifyMember))
	define(o, &o.requests, "requests", tim.Groups.Requests)
	define(o, &o.handleRequest, "handle_request", quiet(tim.Groups.HandleRequest))
}

func (o *operations) people() {
	define(o, &o.profiles, "profiles", tim.Profiles.Profiles)
	define(o, &o.modifyProfile, "modify_profile", quiet(tim.Profiles.ModifyProfile))
	define(o, &o.statuses, "statuses", tim.Presence.Statuses)
	define(o, &o.setStatus, "set_status", quiet(func(p tim.Presence, ctx context.Context, b setStatusBody) error {
		return p.SetStatus(ctx, b.Custom)
	}))
	define(o, &o.subscribeStatus, "subscribe_status", quiet(tim.Presence.SubscribeStatus))
	define(o, &o.unsubscribeStatus, "unsubscribe_status", quiet(tim.Presence.UnsubscribeStatus))
}
