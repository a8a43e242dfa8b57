package tim

import "encoding/json"

// MessageReceipt says how far a message, or a one-to-one talk, was read.
// Mirrors MessageReceipt.
type MessageReceipt struct {
	ConvID      string    `json:"msg_receipt_conv_id,omitempty"`
	ConvType    ConvType  `json:"msg_receipt_conv_type,omitempty"`
	MsgID       MessageID `json:"msg_receipt_msg_id,omitempty"`
	TimeStamp   uint64    `json:"msg_receipt_time_stamp,omitempty"`
	IsPeerRead  bool      `json:"msg_receipt_is_peer_read,omitempty"`
	ReadCount   uint64    `json:"msg_receipt_read_count,omitempty"`
	UnreadCount uint64    `json:"msg_receipt_unread_count,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
