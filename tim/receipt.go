package tim

import "encoding/json"

// MessageReceipt says how far a message, or a one-to-one talk, was read. With
// a MsgID it is about that message, and in a group has counts; without one the
// peer ConvID has read everything up to TimeStamp. Mirrors MessageReceipt.
type MessageReceipt struct {
	// ConvID is the other user's id, or the group's.
	ConvID   string    `json:"msg_receipt_conv_id,omitempty"`
	ConvType ConvType  `json:"msg_receipt_conv_type,omitempty"`
	MsgID    MessageID `json:"msg_receipt_msg_id,omitempty"`
	// TimeStamp is up to when the peer has read, in seconds since 1970.
	TimeStamp uint64 `json:"msg_receipt_time_stamp,omitempty"`
	// IsPeerRead says that the peer has read the message, or the talk.
	IsPeerRead bool `json:"msg_receipt_is_peer_read"`
	// ReadCount and UnreadCount are how many members of the group have read
	// the message, and have not.
	ReadCount   uint64 `json:"msg_receipt_read_count"`
	UnreadCount uint64 `json:"msg_receipt_unread_count"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// Conversation is the conversation that the receipt is about.
func (r MessageReceipt) Conversation() Conversation {
	return Conversation{Type: r.ConvType, ID: r.ConvID}
}
