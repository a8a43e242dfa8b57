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

// CreateGroupData is the data of group.create.
type CreateGroupData struct {
	// GroupType is "private" or "public".
	GroupType    string            `json:"group_type"`
	Name         string            `json:"name"`
	Members      []GroupMemberData `json:"members,omitempty"`
	Notification string            `json:"notification,omitempty"`
	Introduction string            `json:"introduction,omitempty"`
	FaceURL      string            `json:"face_url,omitempty"`
	// AddOption is "forbid", "auth" or "any": how users join by their own
	// request; empty is the default of the group's type.
	AddOption  string `json:"add_option,omitempty"`
	MaxMembers uint32 `json:"max_members,omitempty"`
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
