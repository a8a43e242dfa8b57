package tim

import "encoding/json"

// CreateGroupParam says what group to create. Mirrors CreateGroupParam.
type CreateGroupParam struct {
	// GroupName is required; at most 30 bytes.
	GroupName string `json:"create_group_param_group_name"`
	// GroupID names the group: printable ASCII, at most 48 bytes, not
	// beginning with "@TGS#" (of a Community: beginning with "@TGS#_").
	// Empty: the service chooses.
	GroupID        GroupID   `json:"create_group_param_group_id,omitempty"`
	GroupType      GroupType `json:"create_group_param_group_type"`
	IsSupportTopic bool      `json:"create_group_param_is_support_topic,omitempty"` // a Community with topics
	// Members are put in besides the caller, at most 100; only Identifier,
	// MemberRole and CustomInfo are looked at.
	Members      []GroupMemberInfo `json:"create_group_param_group_member_array,omitempty"`
	Notification string            `json:"create_group_param_notification,omitempty"` // at most 300 bytes
	Introduction string            `json:"create_group_param_introduction,omitempty"` // at most 240 bytes
	FaceURL      string            `json:"create_group_param_face_url,omitempty"`     // at most 100 bytes
	// AddOption says how users join by their own request, ApproveOption how
	// by invitation; nil is the default of the group's type.
	AddOption      *GroupAddOption         `json:"create_group_param_add_option,omitempty"`
	ApproveOption  *GroupAddOption         `json:"create_group_param_approve_option,omitempty"`
	MaxMemberCount uint32                  `json:"create_group_param_max_member_num,omitempty"` // 0: the service's default
	CustomInfo     []GroupInfoCustomString `json:"create_group_param_custom_info,omitempty"`    // at most 10
	// EnablePermissionGroup and DefaultPermissions, a set of bits, are of
	// Communities with topics.
	EnablePermissionGroup bool   `json:"create_group_param_enable_permission_group,omitempty"`
	DefaultPermissions    uint64 `json:"create_group_param_default_permissions,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// CreateGroupResult names the group created. Mirrors CreateGroupResult.
type CreateGroupResult struct {
	GroupID GroupID `json:"create_group_result_groupid"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupInfoCustomString is one custom field of a group. Mirrors GroupInfoCustomString.
type GroupInfoCustomString struct {
	Key   string `json:"group_info_custom_string_info_key"`   // at most 16 bytes of letters, digits and _
	Value string `json:"group_info_custom_string_info_value"` // at most 512 bytes

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupMemberInfo is a member of a group, or one to be. Mirrors GroupMemberInfo.
type GroupMemberInfo struct {
	Identifier UserID  `json:"group_member_info_identifier"`
	GroupID    GroupID `json:"group_member_info_group_id,omitempty"`
	JoinTime   uint64  `json:"group_member_info_join_time,omitempty"` // seconds since 1970
	// MemberRole of a member to be is RoleMember (also when zero) or RoleAdmin.
	MemberRole GroupMemberRole `json:"group_member_info_member_role,omitempty"`
	// MsgFlag is how the member is told of messages.
	MsgFlag ReceiveMessageOpt `json:"group_member_info_msg_flag,omitempty"`
	// MsgSeq is the sequence up to which the member has read.
	MsgSeq uint64 `json:"group_member_info_msg_seq,omitempty"`
	// ShutupTime is when the member is no longer muted, in seconds since 1970;
	// 0 is not muted.
	ShutupTime uint64 `json:"group_member_info_shutup_time,omitempty"`
	NameCard   string `json:"group_member_info_name_card,omitempty"` // what the member is called in the group; at most 50 bytes
	NickName   string `json:"group_member_info_nick_name,omitempty"` // of the member's profile
	// FriendRemark is what the account that asks calls the member.
	FriendRemark string                        `json:"group_member_info_friend_remark,omitempty"`
	FaceURL      string                        `json:"group_member_info_face_url,omitempty"`    // of the member's profile
	CustomInfo   []GroupMemberInfoCustomString `json:"group_member_info_custom_info,omitempty"` // at most 5
	// IsOnline and OnlineDevices, named as in [UserStatus], are of groups that
	// were set up to say so.
	IsOnline      string   `json:"group_member_info_is_online,omitempty"`
	OnlineDevices []string `json:"group_member_info_online_devices,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupMemberInfoCustomString is one custom field of a member. Mirrors GroupMemberInfoCustomString.
type GroupMemberInfoCustomString struct {
	Key   string `json:"group_member_info_custom_string_info_key"`   // at most 16 bytes of letters, digits and _
	Value string `json:"group_member_info_custom_string_info_value"` // at most 64 bytes

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupInviteMemberParam says whom to put into a group. Mirrors GroupInviteMemberParam.
type GroupInviteMemberParam struct {
	GroupID     GroupID  `json:"group_invite_member_param_group_id"`
	Identifiers []UserID `json:"group_invite_member_param_identifier_array"`    // at most 100
	UserData    string   `json:"group_invite_member_param_user_data,omitempty"` // goes to those who are told; at most 1000 bytes

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupInviteMemberResult is what came of inviting one user. Mirrors GroupInviteMemberResult.
type GroupInviteMemberResult struct {
	Identifier UserID                  `json:"group_invite_member_result_identifier"`
	Result     HandleGroupMemberResult `json:"group_invite_member_result_result"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupDeleteMemberParam says whom to remove from a group. Mirrors GroupDeleteMemberParam.
type GroupDeleteMemberParam struct {
	GroupID     GroupID  `json:"group_delete_member_param_group_id"`
	Identifiers []UserID `json:"group_delete_member_param_identifier_array"`    // at most 100
	UserData    string   `json:"group_delete_member_param_user_data,omitempty"` // the reason; at most 1000 bytes
	Duration    uint32   `json:"group_delete_member_param_duration,omitempty"`  // seconds they may not come back, where the type has it

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// GroupDeleteMemberResult is what came of removing one user. Mirrors GroupDeleteMemberResult.
type GroupDeleteMemberResult struct {
	Identifier UserID                  `json:"group_delete_member_result_identifier"`
	Result     HandleGroupMemberResult `json:"group_delete_member_result_result"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
