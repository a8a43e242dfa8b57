package tim

import "encoding/json"

// GroupModifyMemberInfoParam says what to change of a member: what ModifyFlag
// names, to the value its field has, which may be zero. Other fields count for
// nothing; the JSON always has those that ModifyFlag names.
// Mirrors GroupModifyMemberInfoParam.
type GroupModifyMemberInfoParam struct {
	GroupID    GroupID `json:"group_modify_member_info_group_id"`
	Identifier UserID  `json:"group_modify_member_info_identifier"`
	// ModifyFlag is one property, or several added up.
	ModifyFlag GroupMemberModifyInfoFlag `json:"group_modify_member_info_modify_flag"`
	// MsgFlag says how the account itself is told of the group's messages.
	MsgFlag ReceiveMessageOpt `json:"group_modify_member_info_msg_flag,omitempty"`
	// MemberRole is RoleMember or RoleAdmin; an owner is made by [Groups].ModifyGroup.
	MemberRole GroupMemberRole `json:"group_modify_member_info_member_role,omitempty"`
	// ShutupTime is for how long from now the member is muted, in seconds; 0
	// ends it, 4294967295 is for good.
	ShutupTime uint64                        `json:"group_modify_member_info_shutup_time,omitempty"`
	NameCard   string                        `json:"group_modify_member_info_name_card,omitempty"`   // at most 50 bytes
	CustomInfo []GroupMemberInfoCustomString `json:"group_modify_member_info_custom_info,omitempty"` // the fields to set

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// named are the fields that ModifyFlag names, as bits of zeros.
func (p *GroupModifyMemberInfoParam) named() uint64 {
	return fieldsNamed(p, uint64(p.ModifyFlag), []namedField{
		{uint64(ModifyMemberMsgFlag), "group_modify_member_info_msg_flag"},
		{uint64(ModifyMemberMemberRole), "group_modify_member_info_member_role"},
		{uint64(ModifyMemberShutupTime), "group_modify_member_info_shutup_time"},
		{uint64(ModifyMemberNameCard), "group_modify_member_info_name_card"},
		{uint64(ModifyMemberCustom), "group_modify_member_info_custom_info"},
	})
}

// GroupGetMemberInfoListParam says which members to list: the named ones, or a page of all.
// Mirrors GroupGetMemberInfoListParam.
type GroupGetMemberInfoListParam struct {
	GroupID GroupID `json:"group_get_members_info_list_param_group_id"`
	// Identifiers are the members to look at; empty means all, page by page.
	Identifiers []UserID `json:"group_get_members_info_list_param_identifier_array,omitempty"`
	// Option nil lists members of all roles with all that is known of them.
	Option *GroupMemberGetInfoOption `json:"group_get_members_info_list_param_option,omitempty"`
	// NextSeq is 0 for the first page, else that of the page before.
	NextSeq uint64 `json:"group_get_members_info_list_param_next_seq,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupGetMemberInfoListResult is a page of members.
// Mirrors GroupGetMemberInfoListResult.
type GroupGetMemberInfoListResult struct {
	// NextSeq asks for the next page; 0 means that this is the last.
	NextSeq uint64            `json:"group_get_member_info_list_result_next_seq"`
	Infos   []GroupMemberInfo `json:"group_get_member_info_list_result_info_array"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupMemberGetInfoOption says which members and which of their properties to list.
// Mirrors GroupMemberGetInfoOption.
type GroupMemberGetInfoOption struct {
	// RoleFlag is one role, or several added up; RoleFlagAll (0) is all of them.
	RoleFlag GroupMemberRoleFlag `json:"group_member_get_info_option_role_flag,omitempty"`
	// InfoFlag is the properties wanted, added up; MemberInfoNone (0) is all of them.
	InfoFlag GroupMemberInfoFlag `json:"group_member_get_info_option_info_flag,omitempty"`
	// CustomArray is the keys of the custom fields wanted.
	CustomArray []string `json:"group_member_get_info_option_custom_array,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
