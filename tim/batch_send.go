package tim

import "encoding/json"

// MsgBatchSendParam says to whom one message goes, each in a talk of their own.
// Mirrors MsgBatchSendParam.
type MsgBatchSendParam struct {
	Identifiers []UserID `json:"msg_batch_send_param_identifier_array"` // at most 500
	Msg         Message  `json:"msg_batch_send_param_msg"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// MsgBatchSendResult is what came of it for one of them.
// Mirrors MsgBatchSendResult.
type MsgBatchSendResult struct {
	Identifier UserID `json:"msg_batch_send_result_identifier"`
	// Code is 0 where the message was sent, and Msg is as it was stored.
	Code Code     `json:"msg_batch_send_result_code"`
	Desc string   `json:"msg_batch_send_result_desc,omitempty"`
	Msg  *Message `json:"msg_batch_send_result_msg,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
