package tim

import "context"

// What a [Client] can do besides, where its driver can: each is found by type
// assertion. Like the methods of [Client] they may be called at once from
// several goroutines and return a [*Error].

// Modifier is a [Client] that can change what was said.
type Modifier interface {
	// ModifyMessage replaces the elements and the cloud custom string of a
	// message that was sent, which msg names by its conversation and its
	// sequence or message id, and returns it as it is now stored. Everybody
	// is told by [MessagesModified]. A msg that was read from the service (it
	// has its ServerTime), or that has a Version, is changed only while its
	// Version is the latest; the code is 8006 otherwise. To say what is said
	// already is no change. Mirrors TIMMsgModifyMessage.
	ModifyMessage(ctx context.Context, msg Message) (Message, error)
}

// Eraser is a [Client] that can take messages out of its account's own history;
// others still have them.
type Eraser interface {
	// DeleteMessages takes messages out of a conversation, at most 50 at a
	// time. Mirrors TIMMsgListDelete.
	DeleteMessages(ctx context.Context, conv Conversation, msgs []MsgLocator) error

	// ClearHistory empties a conversation, which stays in the list.
	// Mirrors TIMMsgClearHistoryMessage.
	ClearHistory(ctx context.Context, conv Conversation) error

	// DeleteConversation empties a conversation and takes it off the list.
	// Mirrors TIMConvDelete.
	DeleteConversation(ctx context.Context, conv Conversation) error
}

// Reader is a [Client] that can say how far its account has read, and be told
// how far others have.
type Reader interface {
	// MarkRead marks a conversation as read up to and with a message, nil for
	// all of it. In a one-to-one talk the peer is told by [MessagesRead].
	// Mirrors TIMMsgReportReaded.
	MarkRead(ctx context.Context, conv Conversation, upTo *Message) error

	// SendReadReceipts says of messages of groups and one-to-one talks that
	// were sent with NeedReadReceipt that the account has read them, at most
	// 30 at a time. Their senders are told by [MessagesRead].
	// Mirrors TIMMsgSendMessageReadReceipts.
	SendReadReceipts(ctx context.Context, msgs []Message) error

	// ReadReceipts asks how many have read messages that the account sent, at
	// most 30 at a time. Mirrors TIMMsgGetMessageReadReceipts.
	ReadReceipts(ctx context.Context, msgs []Message) ([]MessageReceipt, error)
}

// BatchSender is a [Client] that can send one message to several users.
type BatchSender interface {
	// BatchSend sends a message to each of several users in a talk of their
	// own, and says for each what came of it. Mirrors TIMMsgBatchSend.
	BatchSend(ctx context.Context, param MsgBatchSendParam) ([]MsgBatchSendResult, error)
}

// Groups is a [Client] that can look at groups, change them, and come and go.
type Groups interface {
	// JoinGroup asks to join a group, with a hello of at most 1000 bytes.
	// Where the group's owner or an administrator has to agree, it returns nil
	// once the request was made. Mirrors TIMGroupJoin.
	JoinGroup(ctx context.Context, group GroupID, hello string) error

	// QuitGroup leaves a group. Mirrors TIMGroupQuit.
	QuitGroup(ctx context.Context, group GroupID) error

	// JoinedGroups lists the groups that the account is in, but those that
	// keep no history (AVChatRoom and BChatRoom).
	// Mirrors TIMGroupGetJoinedGroupList.
	JoinedGroups(ctx context.Context) ([]GroupBaseInfo, error)

	// GroupsInfo looks at groups, at most 50 at a time; each has a result of
	// its own. Mirrors TIMGroupGetGroupInfoList.
	GroupsInfo(ctx context.Context, groups []GroupID) ([]GetGroupInfoResult, error)

	// ModifyGroup changes what param.ModifyFlag names: a group's properties,
	// whether all are muted, or, alone, its owner. Mirrors TIMGroupModifyGroupInfo.
	ModifyGroup(ctx context.Context, param GroupModifyInfoParam) error

	// Members lists members, at most 500 of those that are named, else page by
	// page. Mirrors TIMGroupGetMemberInfoList.
	Members(ctx context.Context, param GroupGetMemberInfoListParam) (GroupGetMemberInfoListResult, error)

	// ModifyMember changes what param.ModifyFlag names: a member's role, for how
	// long the member is muted, the name card, how the account is told of
	// messages. Mirrors TIMGroupModifyMemberInfo.
	ModifyMember(ctx context.Context, param GroupModifyMemberInfoParam) error

	// Requests lists the requests that the account has to decide on, or has
	// decided. Mirrors TIMGroupGetPendencyList.
	Requests(ctx context.Context, option GroupPendencyOption) (GroupPendencyResult, error)

	// HandleRequest decides on a request. Mirrors TIMGroupHandlePendency.
	HandleRequest(ctx context.Context, param GroupHandlePendencyParam) error
}

// Profiles is a [Client] that can read and write what users say of themselves.
type Profiles interface {
	// Profiles reads the profiles of users, at most 100 at a time.
	// Mirrors TIMProfileGetUserProfileList.
	Profiles(ctx context.Context, users []UserID) ([]UserProfile, error)

	// ModifyProfile changes the account's own profile. Those who share a
	// conversation with it are told by [ProfilesChanged].
	// Mirrors TIMProfileModifySelfUserProfile.
	ModifyProfile(ctx context.Context, item UserProfileItem) error
}

// Presence is a [Client] that can be told who is online.
type Presence interface {
	// Statuses asks for users' statuses, at most 500 at a time.
	// Mirrors TIMGetUserStatus.
	Statuses(ctx context.Context, users []UserID) ([]UserStatus, error)

	// SetStatus sets the account's own words, at most 100 bytes, "" to take
	// them back.
	// Mirrors TIMSetSelfStatus.
	SetStatus(ctx context.Context, custom string) error

	// SubscribeStatus has the account told of users' statuses by
	// [StatusesChanged], at most 100 at a time. Mirrors TIMSubscribeUserStatus.
	SubscribeStatus(ctx context.Context, users []UserID) error

	// UnsubscribeStatus ends that; of all users when users is empty.
	// Mirrors TIMUnsubscribeUserStatus.
	UnsubscribeStatus(ctx context.Context, users []UserID) error
}
