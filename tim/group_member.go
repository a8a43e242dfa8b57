package tim

import "encoding/json"

// GroupModifyMemberInfoParam says what to change of a member: what ModifyFlag names.
// Mirrors GroupModifyMemberInfoParam.
type GroupModifyMemberInfoParam struct {
	GroupID    GroupID                       `json:"group_modify_member_info_group_id"`
	Identifier UserID                        `json:"group_modify_member_info_identifier"`
	ModifyFlag GroupMemberModifyInfoFlag     `json:"group_modify_member_info_modify_flag"`
	MsgFlag    ReceiveMessageOpt             `json:"group_modify_member_info_msg_flag,omitempty"`
	MemberRole GroupMemberRole               `json:"group_modify_member_info_member_role,omitempty"`
	ShutupTime uint64                        `json:"group_modify_member_info_shutup_time,omitempty"`
	NameCard   string                        `json:"group_modify_member_info_name_card,omitempty"`
	CustomInfo []GroupMemberInfoCustomString `json:"group_modify_member_info_custom_info,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupGetMemberInfoListParam says which members to list: the named ones, or a page of all.
// Mirrors GroupGetMemberInfoListParam.
type GroupGetMemberInfoListParam struct {
	GroupID     GroupID                   `json:"group_get_members_info_list_param_group_id"`
	Identifiers []UserID                  `json:"group_get_members_info_list_param_identifier_array,omitempty"`
	Option      *GroupMemberGetInfoOption `json:"group_get_members_info_list_param_option,omitempty"`
	NextSeq     uint64                    `json:"group_get_members_info_list_param_next_seq,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupGetMemberInfoListResult is a page of members.
// Mirrors GroupGetMemberInfoListResult.
type GroupGetMemberInfoListResult struct {
	NextSeq uint64            `json:"group_get_member_info_list_result_next_seq,omitempty"`
	Infos   []GroupMemberInfo `json:"group_get_member_info_list_result_info_array,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupMemberGetInfoOption says which members and which of their properties to list.
// Mirrors GroupMemberGetInfoOption.
type GroupMemberGetInfoOption struct {
	RoleFlag    GroupMemberRoleFlag `json:"group_member_get_info_option_role_flag,omitempty"`
	InfoFlag    GroupMemberInfoFlag `json:"group_member_get_info_option_info_flag,omitempty"`
	CustomArray []string            `json:"group_member_get_info_option_custom_array,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
