package tim

import "encoding/json"

// GroupDetailInfo is a group as a whole.
// Mirrors GroupDetailInfo.
type GroupDetailInfo struct {
	GroupID               GroupID                 `json:"group_detail_info_group_id"`
	GroupType             GroupType               `json:"group_detail_info_group_type,omitempty"`
	IsSupportTopic        bool                    `json:"group_detail_info_is_support_topic,omitempty"`
	GroupName             string                  `json:"group_detail_info_group_name,omitempty"`
	Notification          string                  `json:"group_detail_info_notification,omitempty"`
	Introduction          string                  `json:"group_detail_info_introduction,omitempty"`
	FaceURL               string                  `json:"group_detail_info_face_url,omitempty"`
	CreateTime            uint64                  `json:"group_detail_info_create_time,omitempty"`
	InfoSeq               uint64                  `json:"group_detail_info_info_seq,omitempty"`
	LastInfoTime          uint64                  `json:"group_detail_info_last_info_time,omitempty"`
	NextMsgSeq            uint64                  `json:"group_detail_info_next_msg_seq,omitempty"`
	LastMsgTime           uint64                  `json:"group_detail_info_last_msg_time,omitempty"`
	MemberNum             uint64                  `json:"group_detail_info_member_num,omitempty"`
	MaxMemberNum          uint64                  `json:"group_detail_info_max_member_num,omitempty"`
	AddOption             GroupAddOption          `json:"group_detail_info_add_option,omitempty"`
	ApproveOption         GroupAddOption          `json:"group_detail_info_approve_option,omitempty"`
	Visible               uint64                  `json:"group_detail_info_visible,omitempty"`
	Searchable            uint64                  `json:"group_detail_info_searchable,omitempty"`
	IsShutupAll           bool                    `json:"group_detail_info_is_shutup_all,omitempty"`
	OwnerIdentifier       UserID                  `json:"group_detail_info_owner_identifier,omitempty"`
	CustomInfo            []GroupInfoCustomString `json:"group_detail_info_custom_info,omitempty"`
	EnablePermissionGroup bool                    `json:"group_detail_info_enable_permission_group,omitempty"`
	DefaultPermissions    uint64                  `json:"group_detail_info_default_permissions,omitempty"`
	OnlineMemberNum       uint64                  `json:"group_detail_info_online_member_num,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupBaseInfo is a group in the list of those an account is in.
// Mirrors GroupBaseInfo.
type GroupBaseInfo struct {
	GroupID     GroupID           `json:"group_base_info_group_id"`
	GroupName   string            `json:"group_base_info_group_name,omitempty"`
	GroupType   GroupType         `json:"group_base_info_group_type,omitempty"`
	FaceURL     string            `json:"group_base_info_face_url,omitempty"`
	InfoSeq     uint64            `json:"group_base_info_info_seq,omitempty"`
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
	JoinTime  uint64            `json:"group_self_info_join_time,omitempty"`
	Role      GroupMemberRole   `json:"group_self_info_role,omitempty"`
	UnReadNum uint64            `json:"group_self_info_unread_num,omitempty"`
	MsgFlag   ReceiveMessageOpt `json:"group_self_info_msg_flag,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GetGroupInfoResult is one group of several that were asked for.
// Mirrors GetGroupInfoResult.
type GetGroupInfoResult struct {
	Code Code             `json:"get_groups_info_result_code"`
	Desc string           `json:"get_groups_info_result_desc,omitempty"`
	Info *GroupDetailInfo `json:"get_groups_info_result_info,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupModifyInfoParam says what to change of a group: what ModifyFlag names.
// Mirrors GroupModifyInfoParam.
type GroupModifyInfoParam struct {
	GroupID               GroupID                 `json:"group_modify_info_param_group_id"`
	ModifyFlag            GroupModifyInfoFlag     `json:"group_modify_info_param_modify_flag"`
	GroupName             string                  `json:"group_modify_info_param_group_name,omitempty"`
	Notification          string                  `json:"group_modify_info_param_notification,omitempty"`
	Introduction          string                  `json:"group_modify_info_param_introduction,omitempty"`
	FaceURL               string                  `json:"group_modify_info_param_face_url,omitempty"`
	AddOption             GroupAddOption          `json:"group_modify_info_param_add_option,omitempty"`
	ApproveOption         GroupAddOption          `json:"group_modify_info_param_approve_option,omitempty"`
	MaxMemberCount        uint64                  `json:"group_modify_info_param_max_member_num,omitempty"`
	Visible               uint64                  `json:"group_modify_info_param_visible,omitempty"`
	Searchable            uint64                  `json:"group_modify_info_param_searchable,omitempty"`
	IsShutupAll           bool                    `json:"group_modify_info_param_is_shutup_all,omitempty"`
	Owner                 UserID                  `json:"group_modify_info_param_owner,omitempty"`
	CustomInfo            []GroupInfoCustomString `json:"group_modify_info_param_custom_info,omitempty"`
	EnablePermissionGroup bool                    `json:"group_modify_info_param_enable_permission_group,omitempty"`
	DefaultPermissions    uint64                  `json:"group_modify_info_param_default_permissions,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
