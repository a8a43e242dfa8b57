package tim

import "encoding/json"

// GroupTipsElem tells the members of a group what happened in it. It comes as
// a stored message of the group, with a sequence. Mirrors GroupTipsElem.
type GroupTipsElem struct {
	TipType                GroupTipType                   `json:"group_tips_elem_tip_type"`
	JoinType               GroupJoinType                  `json:"group_tips_elem_join_type,omitempty"`
	OpUser                 UserID                         `json:"group_tips_elem_op_user,omitempty"`
	GroupID                GroupID                        `json:"group_tips_elem_group_id,omitempty"`
	GroupName              string                         `json:"group_tips_elem_group_name,omitempty"`
	Time                   uint64                         `json:"group_tips_elem_time,omitempty"` // seconds since 1970
	Users                  []UserID                       `json:"group_tips_elem_user_array,omitempty"`
	GroupChangeInfo        []GroupTipGroupChangeInfo      `json:"group_tips_elem_group_change_info_array,omitempty"`
	MemberChangeInfo       []GroupTipMemberChangeInfo     `json:"group_tips_elem_member_change_info_array,omitempty"`
	OpUserInfo             *UserProfile                   `json:"group_tips_elem_op_user_info,omitempty"`
	OpGroupMemberInfo      *GroupMemberInfo               `json:"group_tips_elem_op_group_memberinfo,omitempty"`
	ChangedUserInfo        []UserProfile                  `json:"group_tips_elem_changed_user_info_array,omitempty"`
	ChangedGroupMemberInfo []GroupMemberInfo              `json:"group_tips_elem_changed_group_memberinfo_array,omitempty"`
	MemberNum              uint64                         `json:"group_tips_elem_member_num,omitempty"`
	Platform               string                         `json:"group_tips_elem_platform,omitempty"`
	MemberMarkInfo         []GroupTipMemberMarkChangeInfo `json:"group_tips_elem_member_mark_info_array,omitempty"`
	PinnedMessageList      json.RawMessage                `json:"group_tips_elem_pinned_message_list,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupTipGroupChangeInfo is one changed property of a group. Mirrors GroupTipGroupChangeInfo.
type GroupTipGroupChangeInfo struct {
	Flag        GroupTipGroupChangeFlag `json:"group_tips_group_change_info_flag"`
	Value       string                  `json:"group_tips_group_change_info_value,omitempty"`
	Key         string                  `json:"group_tips_group_change_info_key,omitempty"`
	BoolValue   bool                    `json:"group_tips_group_change_info_bool_value,omitempty"`
	IntValue    int64                   `json:"group_tips_group_change_info_int_value,omitempty"`
	Uint64Value uint64                  `json:"group_tips_group_change_info_uint64_value,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupTipMemberChangeInfo is a changed property of a member. Mirrors GroupTipMemberChangeInfo.
type GroupTipMemberChangeInfo struct {
	Identifier UserID `json:"group_tips_member_change_info_identifier"`
	ShutupTime uint64 `json:"group_tips_member_change_info_shutupTime,omitempty"` // seconds from the tip's time; 0: no longer muted

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupTipMemberMarkChangeInfo is a changed mark of members. Mirrors GroupTipMemberMarkChangeInfo.
type GroupTipMemberMarkChangeInfo struct {
	EnableMark bool     `json:"group_tips_member_mark_change_info_enableMark"`
	MarkType   uint64   `json:"group_tips_member_mark_change_info_markType"`
	Users      []UserID `json:"group_tips_member_mark_change_info_userIDList,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupReportElem tells one user what concerns them in a group. It comes as a
// message of its own from [SystemUser], of conversation type ConvSystem with
// an empty conversation id. Mirrors GroupReportElem.
type GroupReportElem struct {
	ReportType                GroupReportType   `json:"group_report_elem_report_type"`
	GroupID                   GroupID           `json:"group_report_elem_group_id,omitempty"`
	GroupName                 string            `json:"group_report_elem_group_name,omitempty"`
	OpUser                    UserID            `json:"group_report_elem_op_user,omitempty"`
	Msg                       string            `json:"group_report_elem_msg,omitempty"`
	UserData                  string            `json:"group_report_elem_user_data,omitempty"`
	OpUserInfo                *UserProfile      `json:"group_report_elem_op_user_info,omitempty"`
	OpGroupMemberInfo         *GroupMemberInfo  `json:"group_report_elem_op_group_memberinfo,omitempty"`
	Platform                  string            `json:"group_report_elem_platform,omitempty"`
	ShutUpTime                uint64            `json:"group_report_elem_shut_up_time,omitempty"` // seconds from the report's time
	GroupMessageReceiveOption ReceiveMessageOpt `json:"group_report_elem_group_message_receive_option,omitempty"`

	// Extra is as in [TextElem].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// ElemType is ElemGroupTips.
func (GroupTipsElem) ElemType() ElemType { return ElemGroupTips }

// ElemType is ElemGroupReport.
func (GroupReportElem) ElemType() ElemType { return ElemGroupReport }
