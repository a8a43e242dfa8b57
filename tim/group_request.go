package tim

import "encoding/json"

// GroupPendency is a request to join a group, or an invitation, that somebody
// has to decide on. Key and Authentication are the service's, and go back with
// the decision as they came. Mirrors GroupPendency; two keys are spelled "form"
// by the SDK.
type GroupPendency struct {
	GroupID GroupID `json:"group_pendency_group_id"`
	// FromIdentifier is who asks to join, or who invites.
	FromIdentifier UserID `json:"group_pendency_form_identifier,omitempty"`
	FromNickName   string `json:"group_pendency_from_nick_name,omitempty"`
	FromFaceURL    string `json:"group_pendency_from_face_url,omitempty"`
	// ToIdentifier is who is invited. Of a request to join it does not count:
	// services leave it empty, or name who asks, or who decides.
	ToIdentifier UserID              `json:"group_pendency_to_identifier,omitempty"`
	AddTime      uint64              `json:"group_pendency_add_time,omitempty"` // seconds since 1970
	PendencyType GroupPendencyType   `json:"group_pendency_pendency_type"`
	Handled      GroupPendencyHandle `json:"group_pendency_handled"`
	// HandleResult says what was decided, once Handled is not PendencyNotHandle.
	HandleResult        GroupPendencyHandleResult `json:"group_pendency_handle_result"`
	ApplyInviteMsg      string                    `json:"group_pendency_apply_invite_msg,omitempty"` // what came with the request
	FromUserDefinedData string                    `json:"group_pendency_form_user_defined_data,omitempty"`
	ApprovalMsg         string                    `json:"group_pendency_approval_msg,omitempty"` // what came with the decision
	ToUserDefinedData   string                    `json:"group_pendency_to_user_defined_data,omitempty"`
	Key                 string                    `json:"group_pendency_key,omitempty"`
	Authentication      string                    `json:"group_pendency_authentication,omitempty"`
	// SelfIdentifier is the account that the list belongs to.
	SelfIdentifier UserID `json:"group_pendency_self_identifier,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupPendencyOption says which part of the requests to list.
// Mirrors GroupPendencyOption.
type GroupPendencyOption struct {
	// StartTime is 0 for the newest, else NextStartTime of the page before.
	StartTime uint64 `json:"group_pendency_option_start_time"`
	// MaxLimited is how many are wanted, at most 100; 0 leaves it to the
	// service, which may also return fewer.
	MaxLimited uint64 `json:"group_pendency_option_max_limited,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupPendencyResult is a page of requests, newest first.
// Mirrors GroupPendencyResult.
type GroupPendencyResult struct {
	// NextStartTime asks for the next page; 0 means that this is the last.
	NextStartTime uint64 `json:"group_pendency_result_next_start_time"`
	// ReadTimeSeq is up to when the account has read its requests, in seconds
	// since 1970; UnReadNum is how many are newer.
	ReadTimeSeq uint64          `json:"group_pendency_result_read_time_seq,omitempty"`
	UnReadNum   uint64          `json:"group_pendency_result_unread_num,omitempty"`
	Pendencies  []GroupPendency `json:"group_pendency_result_pendency_array"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupHandlePendencyParam is a decision on a request.
// Mirrors GroupHandlePendencyParam.
type GroupHandlePendencyParam struct {
	IsAccept  bool   `json:"group_handle_pendency_param_is_accept"` // false refuses
	HandleMsg string `json:"group_handle_pendency_param_handle_msg,omitempty"`
	// Pendency is the request as [Groups].Requests listed it.
	Pendency GroupPendency `json:"group_handle_pendency_param_pendency"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
