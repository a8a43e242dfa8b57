package wire

import (
	"context"

	"github.com/timbridge/timbridge/tim"
)

// Conversations implements [tim.History].
func (h history) Conversations(ctx context.Context) ([]tim.ConvInfo, error) {
	return ops.conversations.ask(ctx, h.c, none{})
}

// Messages implements [tim.History].
func (h history) Messages(ctx context.Context, conv tim.Conversation, query tim.HistoryQuery) ([]tim.Message, error) {
	return ops.messages.ask(ctx, h.c, messagesBody{Conversation: conv, Before: query.Before, Count: query.Count})
}

// ModifyMessage implements [tim.Modifier].
func (t talk) ModifyMessage(ctx context.Context, msg tim.Message) (tim.Message, error) {
	msg, err := t.c.uploaded(ctx, msg)
	if err != nil {
		return tim.Message{}, err
	}
	return ops.modifyMessage.ask(ctx, t.c, msg)
}

// DeleteMessages implements [tim.Eraser].
func (t talk) DeleteMessages(ctx context.Context, conv tim.Conversation, msgs []tim.MsgLocator) error {
	return tell(ctx, t.c, ops.deleteMessages, deleteMessagesBody{Conversation: conv, Locators: msgs})
}

// ClearHistory implements [tim.Eraser].
func (t talk) ClearHistory(ctx context.Context, conv tim.Conversation) error {
	return tell(ctx, t.c, ops.clearHistory, conv)
}

// DeleteConversation implements [tim.Eraser].
func (t talk) DeleteConversation(ctx context.Context, conv tim.Conversation) error {
	return tell(ctx, t.c, ops.deleteConversation, conv)
}

// MarkRead implements [tim.Reader].
func (t talk) MarkRead(ctx context.Context, conv tim.Conversation, upTo *tim.Message) error {
	return tell(ctx, t.c, ops.markRead, markReadBody{Conversation: conv, UpTo: upTo})
}

// SendReadReceipts implements [tim.Reader].
func (t talk) SendReadReceipts(ctx context.Context, msgs []tim.Message) error {
	return tell(ctx, t.c, ops.sendReadReceipts, msgs)
}

// ReadReceipts implements [tim.Reader].
func (t talk) ReadReceipts(ctx context.Context, msgs []tim.Message) ([]tim.MessageReceipt, error) {
	return ops.readReceipts.ask(ctx, t.c, msgs)
}

// BatchSend implements [tim.BatchSender].
func (t talk) BatchSend(ctx context.Context, param tim.MsgBatchSendParam) ([]tim.MsgBatchSendResult, error) {
	msg, err := t.c.uploaded(ctx, param.Msg)
	if err != nil {
		return nil, err
	}
	param.Msg = msg
	return ops.batchSend.ask(ctx, t.c, param)
}

// JoinGroup implements [tim.Groups].
func (t talk) JoinGroup(ctx context.Context, group tim.GroupID, hello string) error {
	return tell(ctx, t.c, ops.joinGroup, joinGroupBody{GroupID: group, Hello: hello})
}

// QuitGroup implements [tim.Groups].
func (t talk) QuitGroup(ctx context.Context, group tim.GroupID) error {
	return tell(ctx, t.c, ops.quitGroup, groupBody{GroupID: group})
}

// JoinedGroups implements [tim.Groups].
func (t talk) JoinedGroups(ctx context.Context) ([]tim.GroupBaseInfo, error) {
	return ops.joinedGroups.ask(ctx, t.c, none{})
}

// GroupsInfo implements [tim.Groups].
func (t talk) GroupsInfo(ctx context.Context, groups []tim.GroupID) ([]tim.GetGroupInfoResult, error) {
	return ops.groupsInfo.ask(ctx, t.c, groups)
}

// ModifyGroup implements [tim.Groups].
func (t talk) ModifyGroup(ctx context.Context, param tim.GroupModifyInfoParam) error {
	return tell(ctx, t.c, ops.modifyGroup, param)
}

// Members implements [tim.Groups].
func (t talk) Members(ctx context.Context, param tim.GroupGetMemberInfoListParam) (tim.GroupGetMemberInfoListResult, error) {
	return ops.members.ask(ctx, t.c, param)
}

// ModifyMember implements [tim.Groups].
func (t talk) ModifyMember(ctx context.Context, param tim.GroupModifyMemberInfoParam) error {
	return tell(ctx, t.c, ops.modifyMember, param)
}

// Requests implements [tim.Groups].
func (t talk) Requests(ctx context.Context, option tim.GroupPendencyOption) (tim.GroupPendencyResult, error) {
	return ops.requests.ask(ctx, t.c, option)
}

// HandleRequest implements [tim.Groups].
func (t talk) HandleRequest(ctx context.Context, param tim.GroupHandlePendencyParam) error {
	return tell(ctx, t.c, ops.handleRequest, param)
}

// Profiles implements [tim.Profiles].
func (t talk) Profiles(ctx context.Context, users []tim.UserID) ([]tim.UserProfile, error) {
	return ops.profiles.ask(ctx, t.c, users)
}

// ModifyProfile implements [tim.Profiles].
func (t talk) ModifyProfile(ctx context.Context, item tim.UserProfileItem) error {
	return tell(ctx, t.c, ops.modifyProfile, item)
}

// Statuses implements [tim.Presence].
func (t talk) Statuses(ctx context.Context, users []tim.UserID) ([]tim.UserStatus, error) {
	return ops.statuses.ask(ctx, t.c, users)
}
