package mapping

import (
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/timbridge/timbridge/tim"
)

// CommandData is the data of a command: one of the …Data types of this file.
type CommandData interface{ commandType() string }

// SendData is the data of message.send.
type SendData struct {
	Conversation ConversationData `json:"conversation"`
	Elements     []Element        `json:"elements"`
	// CloudCustomData travels with the message and is shown to nobody.
	CloudCustomData string `json:"cloud_custom_data,omitempty"`
	// Priority is "high", "normal", "low" or "lowest"; empty is the service's default.
	Priority string `json:"priority,omitempty"`
	// AtUserIDs are mentioned in a group.
	AtUserIDs []tim.UserID `json:"at_user_ids,omitempty"`
	// OnlineOnly reaches those who are online now and is stored nowhere.
	OnlineOnly      bool `json:"online_only,omitempty"`
	NeedReadReceipt bool `json:"need_read_receipt,omitempty"`
	// TargetUserIDs are the only members of the group who get the message;
	// empty: all of them.
	TargetUserIDs []tim.UserID `json:"target_user_ids,omitempty"`
	// ExcludedFromUnread leaves it out of the count of unread messages,
	// ExcludedFromLastMessage leaves the list of conversations as it is.
	ExcludedFromUnread      bool         `json:"excluded_from_unread,omitempty"`
	ExcludedFromLastMessage bool         `json:"excluded_from_last_message,omitempty"`
	OfflinePush             *OfflinePush `json:"offline_push,omitempty"`
}

// RevokeData is the data of message.revoke: the message by its id, or by its
// conversation and numbers.
type RevokeData struct {
	MessageID    string            `json:"message_id,omitempty"`
	Conversation *ConversationData `json:"conversation,omitempty"`
	Sequence     uint64            `json:"sequence,omitempty"`
	Random       uint64            `json:"random,omitempty"`
	ServerTime   uint64            `json:"server_time,omitempty"`
}

// ModifyData is the data of message.modify: the message as in [RevokeData], and
// what is to stand in it.
type ModifyData struct {
	MessageID    string            `json:"message_id,omitempty"`
	Conversation *ConversationData `json:"conversation,omitempty"`
	Sequence     uint64            `json:"sequence,omitempty"`
	Random       uint64            `json:"random,omitempty"`
	ServerTime   uint64            `json:"server_time,omitempty"`
	Elements     []Element         `json:"elements"`
	// CloudCustomData takes the place of what there was; empty takes it away.
	CloudCustomData string `json:"cloud_custom_data,omitempty"`
}

// MarkReadData is the data of message.mark_read: up to and with a message, or
// all of a conversation.
type MarkReadData struct {
	MessageID    string            `json:"message_id,omitempty"`
	Conversation *ConversationData `json:"conversation,omitempty"`
}

// ReadReceiptData is the data of message.send_read_receipt.
type ReadReceiptData struct {
	// MessageIDs are the ids of message.posted events, of one conversation.
	MessageIDs []string `json:"message_ids"`
}

// CreateGroupData is the data of group.create.
type CreateGroupData struct {
	// GroupType is "private" (or "work"), "public", "chatroom" (or "meeting"),
	// "avchatroom", "bchatroom" or "community".
	GroupType    string            `json:"group_type"`
	Name         string            `json:"name"`
	Members      []GroupMemberData `json:"members,omitempty"`
	Notification string            `json:"notification,omitempty"`
	Introduction string            `json:"introduction,omitempty"`
	FaceURL      string            `json:"face_url,omitempty"`
	// AddOption is "forbid", "auth" or "any": how users join by their own
	// request; empty is the default of the group's type.
	AddOption string `json:"add_option,omitempty"`
	// ApproveOption says the same of users whom a member invites.
	ApproveOption string `json:"approve_option,omitempty"`
	MaxMembers    uint32 `json:"max_members,omitempty"`
	// SupportTopics makes a community one with topics.
	SupportTopics bool          `json:"support_topics,omitempty"`
	Custom        []CustomField `json:"custom,omitempty"`
}

// ModifyGroupData is the data of group.modify; what is nil stays as it is.
type ModifyGroupData struct {
	GroupID      tim.GroupID `json:"group_id"`
	Name         *string     `json:"name,omitempty"`
	Notification *string     `json:"notification,omitempty"`
	Introduction *string     `json:"introduction,omitempty"`
	FaceURL      *string     `json:"face_url,omitempty"`
	// AddOption and ApproveOption are as in [CreateGroupData]; empty leaves them.
	AddOption     string  `json:"add_option,omitempty"`
	ApproveOption string  `json:"approve_option,omitempty"`
	MaxMembers    *uint32 `json:"max_members,omitempty"`
	// MuteAll says whether nobody but owner and administrators may write.
	MuteAll *bool `json:"mute_all,omitempty"`
	// Visible and Searchable say whether those outside can see and find it.
	Visible    *bool         `json:"visible,omitempty"`
	Searchable *bool         `json:"searchable,omitempty"`
	Custom     []CustomField `json:"custom,omitempty"`
}

// TransferGroupData is the data of group.transfer.
type TransferGroupData struct {
	GroupID tim.GroupID `json:"group_id"`
	// UserID is the new owner, a member.
	UserID tim.UserID `json:"user_id"`
}

// ModifyMemberData is the data of group.modify_member; what is nil stays as it is.
type ModifyMemberData struct {
	GroupID tim.GroupID `json:"group_id"`
	UserID  tim.UserID  `json:"user_id"`
	// Role is "member" or "admin"; empty leaves it.
	Role string `json:"role,omitempty"`
	// MutedSeconds is for how long the member may not write, 0 lets it again.
	MutedSeconds *uint32 `json:"muted_seconds,omitempty"`
	NameCard     *string `json:"name_card,omitempty"`
	// ReceiveOption is how the account itself is told of the group's messages:
	// "all", "none", "no_notify" or "no_notify_except_at"; empty leaves it.
	ReceiveOption string        `json:"receive_option,omitempty"`
	Custom        []CustomField `json:"custom,omitempty"`
}

// JoinData is the data of group.join.
type JoinData struct {
	GroupID tim.GroupID `json:"group_id"`
	// Message is what the group's owner reads with the request.
	Message string `json:"message,omitempty"`
}

// QuitData is the data of group.quit.
type QuitData struct {
	GroupID tim.GroupID `json:"group_id"`
}

// HandleRequestData is the data of group.handle_request.
type HandleRequestData struct {
	GroupID tim.GroupID `json:"group_id"`
	// UserID is who asks: of a group.join_requested or group.invited event,
	// its operator.
	UserID tim.UserID `json:"user_id"`
	// Request is the event's: "join" (also when empty), "invite" or "invite_by_member".
	Request string `json:"request,omitempty"`
	// InviteeID is who is invited, where one member has invited several.
	InviteeID tim.UserID `json:"invitee_id,omitempty"`
	Accept    bool       `json:"accept"`
	// Message is what the one who asked reads.
	Message string `json:"message,omitempty"`
}

// ModifyProfileData is the data of profile.modify; what is nil stays as it is.
type ModifyProfileData struct {
	NickName *string `json:"nick_name,omitempty"`
	// Gender is "unknown", "male" or "female"; empty leaves it.
	Gender    string  `json:"gender,omitempty"`
	FaceURL   *string `json:"face_url,omitempty"`
	Signature *string `json:"signature,omitempty"`
	// AddPermission is "allow_any", "need_confirm" or "deny_any"; empty leaves it.
	AddPermission string  `json:"add_permission,omitempty"`
	Location      *string `json:"location,omitempty"`
	Language      *uint64 `json:"language,omitempty"`
	// Birthday is a date as a number: 19990131.
	Birthday *uint64       `json:"birthday,omitempty"`
	Level    *uint64       `json:"level,omitempty"`
	Role     *uint64       `json:"role,omitempty"`
	Custom   []CustomField `json:"custom,omitempty"`
}

// SetStatusData is the data of status.set.
type SetStatusData struct {
	// Custom is the account's own words, empty to take them back.
	Custom string `json:"custom"`
}

// GroupMemberData is a first member of a group.
type GroupMemberData struct {
	UserID tim.UserID `json:"user_id"`
	// Role is "member" (also when empty) or "admin".
	Role string `json:"role,omitempty"`
}

// InviteData is the data of group.invite.
type InviteData struct {
	GroupID  tim.GroupID  `json:"group_id"`
	UserIDs  []tim.UserID `json:"user_ids"`
	UserData string       `json:"user_data,omitempty"`
}

// RemoveMemberData is the data of group.remove_member.
type RemoveMemberData struct {
	GroupID tim.GroupID  `json:"group_id"`
	UserIDs []tim.UserID `json:"user_ids"`
	Reason  string       `json:"reason,omitempty"`
	// Seconds is for how long they may not come back, where the group's type
	// has that.
	Seconds uint32 `json:"seconds,omitempty"`
}

// DismissData is the data of group.dismiss.
type DismissData struct {
	GroupID tim.GroupID `json:"group_id"`
}

func (SendData) commandType() string         { return TypeCommandSend }
func (RevokeData) commandType() string       { return TypeCommandRevoke }
func (CreateGroupData) commandType() string  { return TypeCommandCreateGroup }
func (InviteData) commandType() string       { return TypeCommandInvite }
func (RemoveMemberData) commandType() string { return TypeCommandRemoveMember }
func (DismissData) commandType() string      { return TypeCommandDismiss }

func (ModifyData) commandType() string      { return TypeCommandModify }
func (MarkReadData) commandType() string    { return TypeCommandMarkRead }
func (ReadReceiptData) commandType() string { return TypeCommandSendReadReceipt }

func (ModifyGroupData) commandType() string   { return TypeCommandModifyGroup }
func (TransferGroupData) commandType() string { return TypeCommandTransferGroup }
func (ModifyMemberData) commandType() string  { return TypeCommandModifyMember }
func (JoinData) commandType() string          { return TypeCommandJoin }
func (QuitData) commandType() string          { return TypeCommandQuit }
func (HandleRequestData) commandType() string { return TypeCommandHandleRequest }

func (ModifyProfileData) commandType() string { return TypeCommandModifyProfile }
func (SetStatusData) commandType() string     { return TypeCommandSetStatus }

// C2CConversation is the talk with a user, in a command's data.
func C2CConversation(user tim.UserID) ConversationData {
	return ConversationData{Type: conversationC2C, UserID: user}
}

// GroupConversation is a group, in a command's data.
func GroupConversation(group tim.GroupID) ConversationData {
	return ConversationData{Type: conversationGroup, GroupID: group}
}

// NewCommand builds a command to publish. source names the sender (a URI, such
// as "cli" or "https://shop.example/orders"), and with id the command. account
// is the account that is to act; empty where the bridge has only one.
func NewCommand(source, id string, account tim.UserID, data CommandData, at time.Time) (*event.Event, error) {
	ref := types.ParseURIRef(source)
	if ref == nil || source == "" {
		return nil, fmt.Errorf("command %s: source %q is not a URI", id, source)
	}
	body, err := marshal(data)
	if err != nil {
		return nil, fmt.Errorf("command %s: %w", id, err)
	}
	s := &shell{contentType: contentTypeJSON, schema: schemaURI(data.commandType())}
	s.time.Time = at.UTC()
	s.context = event.EventContextV1{
		ID: id, Source: *ref, Type: data.commandType(), Time: &s.time,
		DataContentType: &s.contentType, DataSchema: &s.schema, Extensions: make(map[string]any, 4),
	}
	if account != "" {
		s.context.Extensions[ExtAccount] = string(account)
		s.subject = AccountSubject(account)
		s.context.Subject = &s.subject
		s.context.Extensions[ExtPartitionKey] = s.subject
	}
	s.event = event.Event{Context: &s.context, DataEncoded: body}
	return &s.event, nil
}
