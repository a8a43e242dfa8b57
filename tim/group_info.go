package tim

import "encoding/json"

// GroupDetailInfo is a group as a whole. Times are seconds since 1970.
// Mirrors GroupDetailInfo.
type GroupDetailInfo struct {
	GroupID        GroupID   `json:"group_detail_info_group_id"`
	GroupType      GroupType `json:"group_detail_info_group_type"`
	IsSupportTopic bool      `json:"group_detail_info_is_support_topic,omitempty"` // a Community with topics
	GroupName      string    `json:"group_detail_info_group_name,omitempty"`
	Notification   string    `json:"group_detail_info_notification,omitempty"`
	Introduction   string    `json:"group_detail_info_introduction,omitempty"`
	FaceURL        string    `json:"group_detail_info_face_url,omitempty"`
	CreateTime     uint64    `json:"group_detail_info_create_time,omitempty"`
	// InfoSeq rises with every change of the group's properties; LastInfoTime
	// is when the last one was.
	InfoSeq      uint64 `json:"group_detail_info_info_seq,omitempty"`
	LastInfoTime uint64 `json:"group_detail_info_last_info_time,omitempty"`
	// NextMsgSeq is the sequence that the next stored message will have.
	NextMsgSeq   uint64 `json:"group_detail_info_next_msg_seq,omitempty"`
	LastMsgTime  uint64 `json:"group_detail_info_last_msg_time,omitempty"`
	MemberNum    uint64 `json:"group_detail_info_member_num,omitempty"`
	MaxMemberNum uint64 `json:"group_detail_info_max_member_num,omitempty"` // 0: no limit
	// AddOption says how users join by their own request, ApproveOption how
	// by invitation. The zero value is a value: GroupAddForbid.
	AddOption     GroupAddOption `json:"group_detail_info_add_option"`
	ApproveOption GroupAddOption `json:"group_detail_info_approve_option"`
	Visible       uint64         `json:"group_detail_info_visible,omitempty"`    // 1: others may see the members
	Searchable    uint64         `json:"group_detail_info_searchable,omitempty"` // 1: others may find the group
	// IsShutupAll mutes all but the owner and the administrators.
	IsShutupAll bool `json:"group_detail_info_is_shutup_all,omitempty"`
	// OwnerIdentifier is empty of a group without an owner.
	OwnerIdentifier UserID                  `json:"group_detail_info_owner_identifier,omitempty"`
	CustomInfo      []GroupInfoCustomString `json:"group_detail_info_custom_info,omitempty"`
	// EnablePermissionGroup and DefaultPermissions, a set of bits, are of
	// Communities with topics.
	EnablePermissionGroup bool   `json:"group_detail_info_enable_permission_group,omitempty"`
	DefaultPermissions    uint64 `json:"group_detail_info_default_permissions,omitempty"`
	OnlineMemberNum       uint64 `json:"group_detail_info_online_member_num,omitempty"` // of an AVChatRoom

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupBaseInfo is a group in the list of those an account is in.
// Mirrors GroupBaseInfo.
type GroupBaseInfo struct {
	GroupID   GroupID   `json:"group_base_info_group_id"`
	GroupName string    `json:"group_base_info_group_name,omitempty"`
	GroupType GroupType `json:"group_base_info_group_type"`
	FaceURL   string    `json:"group_base_info_face_url,omitempty"`
	InfoSeq   uint64    `json:"group_base_info_info_seq,omitempty"` // as in GroupDetailInfo
	// LatestSeq is the sequence of the newest stored message, ReadedSeq of the
	// newest that the account has read.
	LatestSeq   uint64            `json:"group_base_info_latest_seq,omitempty"`
	ReadedSeq   uint64            `json:"group_base_info_readed_seq,omitempty"`
	MsgFlag     ReceiveMessageOpt `json:"group_base_info_msg_flag,omitempty"`
	IsShutupAll bool              `json:"group_base_info_is_shutup_all,omitempty"`
	SelfInfo    *GroupSelfInfo    `json:"group_base_info_self_info,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupSelfInfo is what an account is in a group.
// Mirrors GroupSelfInfo.
type GroupSelfInfo struct {
	JoinTime  uint64            `json:"group_self_info_join_time,omitempty"` // seconds since 1970
	Role      GroupMemberRole   `json:"group_self_info_role,omitempty"`
	UnReadNum uint64            `json:"group_self_info_unread_num,omitempty"` // messages
	MsgFlag   ReceiveMessageOpt `json:"group_self_info_msg_flag,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GetGroupInfoResult is one group of several that were asked for.
// Mirrors GetGroupInfoResult.
type GetGroupInfoResult struct {
	// Code is 0 where the group could be looked at, and Info is set.
	Code Code             `json:"get_groups_info_result_code"`
	Desc string           `json:"get_groups_info_result_desc,omitempty"`
	Info *GroupDetailInfo `json:"get_groups_info_result_info,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupModifyInfoParam says what to change of a group: what ModifyFlag names,
// to the value its field has, which may be zero. Other fields count for
// nothing; the JSON always has those that ModifyFlag names.
// Mirrors GroupModifyInfoParam.
type GroupModifyInfoParam struct {
	GroupID GroupID `json:"group_modify_info_param_group_id"`
	// ModifyFlag is one property, or several added up; ModifyGroupOwner only alone.
	ModifyFlag     GroupModifyInfoFlag     `json:"group_modify_info_param_modify_flag"`
	GroupName      string                  `json:"group_modify_info_param_group_name,omitempty"`     // at most 30 bytes
	Notification   string                  `json:"group_modify_info_param_notification,omitempty"`   // at most 300 bytes
	Introduction   string                  `json:"group_modify_info_param_introduction,omitempty"`   // at most 240 bytes
	FaceURL        string                  `json:"group_modify_info_param_face_url,omitempty"`       // at most 100 bytes
	AddOption      GroupAddOption          `json:"group_modify_info_param_add_option,omitempty"`     // by one's own request
	ApproveOption  GroupAddOption          `json:"group_modify_info_param_approve_option,omitempty"` // by invitation
	MaxMemberCount uint64                  `json:"group_modify_info_param_max_member_num,omitempty"`
	Visible        uint64                  `json:"group_modify_info_param_visible,omitempty"`       // 0 or 1
	Searchable     uint64                  `json:"group_modify_info_param_searchable,omitempty"`    // 0 or 1
	IsShutupAll    bool                    `json:"group_modify_info_param_is_shutup_all,omitempty"` // mutes, or no longer mutes, all ordinary members
	Owner          UserID                  `json:"group_modify_info_param_owner,omitempty"`         // a member
	CustomInfo     []GroupInfoCustomString `json:"group_modify_info_param_custom_info,omitempty"`   // the fields to set; "" deletes one
	// EnablePermissionGroup and DefaultPermissions, a set of bits, are of
	// Communities with topics.
	EnablePermissionGroup bool   `json:"group_modify_info_param_enable_permission_group,omitempty"`
	DefaultPermissions    uint64 `json:"group_modify_info_param_default_permissions,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// named are the fields that ModifyFlag names, as bits of zeros.
func (p *GroupModifyInfoParam) named() uint64 {
	return fieldsNamed(p, uint64(p.ModifyFlag), []namedField{
		{uint64(ModifyGroupName), "group_modify_info_param_group_name"},
		{uint64(ModifyGroupNotification), "group_modify_info_param_notification"},
		{uint64(ModifyGroupIntroduction), "group_modify_info_param_introduction"},
		{uint64(ModifyGroupFaceURL), "group_modify_info_param_face_url"},
		{uint64(ModifyGroupAddOption), "group_modify_info_param_add_option"},
		{uint64(ModifyGroupApproveOption), "group_modify_info_param_approve_option"},
		{uint64(ModifyGroupMaxMemberNum), "group_modify_info_param_max_member_num"},
		{uint64(ModifyGroupVisible), "group_modify_info_param_visible"},
		{uint64(ModifyGroupSearchable), "group_modify_info_param_searchable"},
		{uint64(ModifyGroupShutupAll), "group_modify_info_param_is_shutup_all"},
		{uint64(ModifyGroupOwner), "group_modify_info_param_owner"},
		{uint64(ModifyGroupCustom), "group_modify_info_param_custom_info"},
		{uint64(ModifyGroupEnablePermissionGroup), "group_modify_info_param_enable_permission_group"},
		{uint64(ModifyGroupDefaultPermissions), "group_modify_info_param_default_permissions"},
	})
}
