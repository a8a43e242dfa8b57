package tim

import "encoding/json"

// Conversation is a talk with one user or in one group. It can be compared
// and used as a map key.
type Conversation struct {
	// Type is ConvC2C or ConvGroup; ConvSystem for what the service itself tells.
	Type ConvType `json:"conv_type"`
	// ID is the other user's id, or the group's.
	ID string `json:"conv_id"`
}

// C2C is the one-to-one conversation with a user.
func C2C(user UserID) Conversation { return Conversation{Type: ConvC2C, ID: string(user)} }

// Group is the conversation in a group.
func Group(group GroupID) Conversation { return Conversation{Type: ConvGroup, ID: string(group)} }

// String is the type and the id: "c2c/bob", "group/@TGS#1".
func (c Conversation) String() string { return c.Type.String() + "/" + c.ID }

// ConvInfo is a conversation as an account's list has it. Mirrors ConvInfo.
type ConvInfo struct {
	ConvID   string   `json:"conv_id"`
	ConvType ConvType `json:"conv_type"`
	Owner    string   `json:"conv_owner,omitempty"` // of a group
	// ShowName is what the other user, or the group, is called; FaceURL is the
	// picture of it.
	ShowName  string `json:"conv_show_name,omitempty"`
	FaceURL   string `json:"conv_face_url,omitempty"`
	UnreadNum uint64 `json:"conv_unread_num,omitempty"` // messages
	// ActiveTime is when something last happened, in seconds since 1970.
	ActiveTime   uint64   `json:"conv_active_time,omitempty"`
	IsHasLastMsg bool     `json:"conv_is_has_lastmsg,omitempty"` // LastMsg is set
	LastMsg      *Message `json:"conv_last_msg,omitempty"`
	IsHasDraft   bool     `json:"conv_is_has_draft,omitempty"` // Draft is set
	Draft        *Draft   `json:"conv_draft,omitempty"`
	// RecvOpt is how the account is told of the conversation's messages.
	RecvOpt ReceiveMessageOpt `json:"conv_recv_opt,omitempty"`
	// GroupType counts for groups alone, where absent means GroupPublic.
	GroupType   GroupType     `json:"conv_group_type,omitempty"`
	GroupAtInfo []GroupAtInfo `json:"conv_group_at_info_array,omitempty"` // unread mentions of the account
	// IsPinned and what follows are how a person has arranged the list.
	IsPinned           bool       `json:"conv_is_pinned,omitempty"`
	Marks              []ConvMark `json:"conv_mark_array,omitempty"`
	CustomData         string     `json:"conv_custom_data,omitempty"`
	ConversationGroups []string   `json:"conv_conversation_group_array,omitempty"`
	// C2CReadTimestamp is up to when the account has read a one-to-one talk,
	// in seconds since 1970; GroupReadSequence is up to which message of a group.
	C2CReadTimestamp  uint64 `json:"conv_c2c_read_timestamp,omitempty"`
	GroupReadSequence uint64 `json:"conv_group_read_sequence,omitempty"`

	// Extra holds the keys this package does not know, and known keys whose
	// value is of another type than documented.
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// Conversation is the conversation that the info is about.
func (c ConvInfo) Conversation() Conversation {
	return Conversation{Type: c.ConvType, ID: c.ConvID}
}

// Draft is an unsent message of a conversation. Mirrors Draft.
type Draft struct {
	Msg        *Message `json:"draft_msg,omitempty"`
	UserDefine string   `json:"draft_user_define,omitempty"`
	EditTime   uint64   `json:"draft_edit_time,omitempty"` // seconds since 1970

	// Extra is as in [ConvInfo].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupAtInfo is a mention in a group conversation. Mirrors GroupAtInfo.
type GroupAtInfo struct {
	Seq    uint64      `json:"conv_group_at_info_seq,omitempty"` // of the message
	AtType GroupAtType `json:"conv_group_at_info_at_type,omitempty"`

	// Extra is as in [ConvInfo].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
