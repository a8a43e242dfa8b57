package tim

import "encoding/json"

// GroupPendency is a request to join a group, or an invitation, that somebody has to decide on.
// Mirrors GroupPendency.
type GroupPendency struct {
	GroupID             GroupID                   `json:"group_pendency_group_id"`
	FromIdentifier      UserID                    `json:"group_pendency_form_identifier,omitempty"`
	FromNickName        string                    `json:"group_pendency_from_nick_name,omitempty"`
	FromFaceURL         string                    `json:"group_pendency_from_face_url,omitempty"`
	ToIdentifier        UserID                    `json:"group_pendency_to_identifier,omitempty"`
	AddTime             uint64                    `json:"group_pendency_add_time,omitempty"`
	PendencyType        GroupPendencyType         `json:"group_pendency_pendency_type,omitempty"`
	Handled             GroupPendencyHandle       `json:"group_pendency_handled,omitempty"`
	HandleResult        GroupPendencyHandleResult `json:"group_pendency_handle_result,omitempty"`
	ApplyInviteMsg      string                    `json:"group_pendency_apply_invite_msg,omitempty"`
	FromUserDefinedData string                    `json:"group_pendency_form_user_defined_data,omitempty"`
	ApprovalMsg         string                    `json:"group_pendency_approval_msg,omitempty"`
	ToUserDefinedData   string                    `json:"group_pendency_to_user_defined_data,omitempty"`
	Key                 string                    `json:"group_pendency_key,omitempty"`
	Authentication      string                    `json:"group_pendency_authentication,omitempty"`
	SelfIdentifier      UserID                    `json:"group_pendency_self_identifier,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupPendencyOption says which part of the requests to list.
// Mirrors GroupPendencyOption.
type GroupPendencyOption struct {
	StartTime  uint64 `json:"group_pendency_option_start_time,omitempty"`
	MaxLimited uint64 `json:"group_pendency_option_max_limited,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupPendencyResult is a page of requests, newest first.
// Mirrors GroupPendencyResult.
type GroupPendencyResult struct {
	NextStartTime uint64          `json:"group_pendency_result_next_start_time,omitempty"`
	ReadTimeSeq   uint64          `json:"group_pendency_result_read_time_seq,omitempty"`
	UnReadNum     uint64          `json:"group_pendency_result_unread_num,omitempty"`
	Pendencies    []GroupPendency `json:"group_pendency_result_pendency_array,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupHandlePendencyParam is a decision on a request.
// Mirrors GroupHandlePendencyParam.
type GroupHandlePendencyParam struct {
	IsAccept  bool          `json:"group_handle_pendency_param_is_accept,omitempty"`
	HandleMsg string        `json:"group_handle_pendency_param_handle_msg,omitempty"`
	Pendency  GroupPendency `json:"group_handle_pendency_param_pendency"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
