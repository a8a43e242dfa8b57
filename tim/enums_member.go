package tim

import (
	"fmt"
	"math/bits"
	"strings"
)

// The enumerations of groups' members and requests, and of presence, with the
// SDK's values.

// UserStatusType says whether a user is online.
// Mirrors TIMUserStatusType.
type UserStatusType uint32

// The values of UserStatusType.
const (
	UserStatusUnknown   UserStatusType = 0 // kTIMUserStatusType_Unkown
	UserStatusOnline    UserStatusType = 1 // kTIMUserStatusType_Online
	UserStatusOffline   UserStatusType = 2 // kTIMUserStatusType_Offline
	UserStatusSignedOut UserStatusType = 3 // kTIMUserStatusType_UnLogined
)

// String gives the value as a word.
func (v UserStatusType) String() string {
	return word(int64(v), 0, "UserStatusType", "unknown online offline signed_out")
}

// GroupModifyInfoFlag names the properties of a group that are to be changed.
// Mirrors TIMGroupModifyInfoFlag.
type GroupModifyInfoFlag uint32

// The values of GroupModifyInfoFlag.
const (
	ModifyGroupNone                  GroupModifyInfoFlag = 0          // kTIMGroupModifyInfoFlag_None
	ModifyGroupName                  GroupModifyInfoFlag = 1          // kTIMGroupModifyInfoFlag_Name
	ModifyGroupNotification          GroupModifyInfoFlag = 2          // kTIMGroupModifyInfoFlag_Notification
	ModifyGroupIntroduction          GroupModifyInfoFlag = 4          // kTIMGroupModifyInfoFlag_Introduction
	ModifyGroupFaceURL               GroupModifyInfoFlag = 8          // kTIMGroupModifyInfoFlag_FaceUrl
	ModifyGroupAddOption             GroupModifyInfoFlag = 16         // kTIMGroupModifyInfoFlag_AddOption
	ModifyGroupMaxMemberNum          GroupModifyInfoFlag = 32         // kTIMGroupModifyInfoFlag_MaxMemberNum
	ModifyGroupVisible               GroupModifyInfoFlag = 64         // kTIMGroupModifyInfoFlag_Visible
	ModifyGroupSearchable            GroupModifyInfoFlag = 128        // kTIMGroupModifyInfoFlag_Searchable
	ModifyGroupShutupAll             GroupModifyInfoFlag = 256        // kTIMGroupModifyInfoFlag_ShutupAll
	ModifyGroupCustom                GroupModifyInfoFlag = 512        // kTIMGroupModifyInfoFlag_Custom
	ModifyGroupCustomString          GroupModifyInfoFlag = 2048       // kTIMGroupTopicModifyInfoFlag_CustomString
	ModifyGroupApproveOption         GroupModifyInfoFlag = 4096       // kTIMGroupModifyInfoFlag_ApproveOption
	ModifyGroupEnablePermissionGroup GroupModifyInfoFlag = 8192       // kTIMGroupModifyInfoFlag_EnablePermissionGroup
	ModifyGroupDefaultPermissions    GroupModifyInfoFlag = 16384      // kTIMGroupModifyInfoFlag_DefaultPermissions
	ModifyGroupOwner                 GroupModifyInfoFlag = 2147483648 // kTIMGroupModifyInfoFlag_Owner
)

// String gives the values that are added up, as words with a bar between.
func (v GroupModifyInfoFlag) String() string {
	return flags(uint64(v), "GroupModifyInfoFlag", "none", "name notification introduction face_url add_option max_member_num visible searchable shutup_all custom - custom_string approve_option enable_permission_group default_permissions - - - - - - - - - - - - - - - - owner")
}

// GroupMemberRoleFlag names roles.
// Mirrors TIMGroupMemberRoleFlag.
type GroupMemberRoleFlag uint64

// The values of GroupMemberRoleFlag.
const (
	RoleFlagAll    GroupMemberRoleFlag = 0 // kTIMGroupMemberRoleFlag_All
	RoleFlagOwner  GroupMemberRoleFlag = 1 // kTIMGroupMemberRoleFlag_Owner
	RoleFlagAdmin  GroupMemberRoleFlag = 2 // kTIMGroupMemberRoleFlag_Admin
	RoleFlagMember GroupMemberRoleFlag = 4 // kTIMGroupMemberRoleFlag_Member
)

// String gives the values that are added up, as words with a bar between.
func (v GroupMemberRoleFlag) String() string {
	return flags(uint64(v), "GroupMemberRoleFlag", "all", "owner admin member")
}

// GroupMemberInfoFlag names properties of a member.
// Mirrors TIMGroupMemberInfoFlag.
type GroupMemberInfoFlag uint64

// The values of GroupMemberInfoFlag.
const (
	MemberInfoNone        GroupMemberInfoFlag = 0  // kTIMGroupMemberInfoFlag_None
	MemberInfoJoinTime    GroupMemberInfoFlag = 1  // kTIMGroupMemberInfoFlag_JoinTime
	MemberInfoMsgFlag     GroupMemberInfoFlag = 2  // kTIMGroupMemberInfoFlag_MsgFlag
	MemberInfoMsgSeq      GroupMemberInfoFlag = 4  // kTIMGroupMemberInfoFlag_MsgSeq
	MemberInfoMemberRole  GroupMemberInfoFlag = 8  // kTIMGroupMemberInfoFlag_MemberRole
	MemberInfoShutupUntil GroupMemberInfoFlag = 16 // kTIMGroupMemberInfoFlag_ShutupUntill
	MemberInfoNameCard    GroupMemberInfoFlag = 32 // kTIMGroupMemberInfoFlag_NameCard
)

// String gives the values that are added up, as words with a bar between.
func (v GroupMemberInfoFlag) String() string {
	return flags(uint64(v), "GroupMemberInfoFlag", "none", "join_time msg_flag msg_seq member_role shutup_until name_card")
}

// GroupMemberModifyInfoFlag names the properties of a member that are to be changed.
// Mirrors TIMGroupMemberModifyInfoFlag.
type GroupMemberModifyInfoFlag uint32

// The values of GroupMemberModifyInfoFlag.
const (
	ModifyMemberNone       GroupMemberModifyInfoFlag = 0  // kTIMGroupMemberModifyFlag_None
	ModifyMemberMsgFlag    GroupMemberModifyInfoFlag = 1  // kTIMGroupMemberModifyFlag_MsgFlag
	ModifyMemberMemberRole GroupMemberModifyInfoFlag = 2  // kTIMGroupMemberModifyFlag_MemberRole
	ModifyMemberShutupTime GroupMemberModifyInfoFlag = 4  // kTIMGroupMemberModifyFlag_ShutupTime
	ModifyMemberNameCard   GroupMemberModifyInfoFlag = 8  // kTIMGroupMemberModifyFlag_NameCard
	ModifyMemberCustom     GroupMemberModifyInfoFlag = 16 // kTIMGroupMemberModifyFlag_Custom
)

// String gives the values that are added up, as words with a bar between.
func (v GroupMemberModifyInfoFlag) String() string {
	return flags(uint64(v), "GroupMemberModifyInfoFlag", "none", "msg_flag member_role shutup_time name_card custom")
}

// GroupPendencyType says who has to decide on what.
// Mirrors TIMGroupPendencyType.
type GroupPendencyType uint32

// The values of GroupPendencyType.
const (
	PendencyJoinNeedApprovedByAdmin     GroupPendencyType = 0 // kTIMGroupPendency_GroupJoinNeedApprovedByAdmin
	PendencyInviteNeedApprovedByInvitee GroupPendencyType = 1 // kTIMGroupPendency_GroupInviteNeedApprovedByInvitee
	PendencyInviteNeedApprovedByAdmin   GroupPendencyType = 2 // kTIMGroupPendency_GroupInviteNeedApprovedByAdmin
)

// String gives the value as a word.
func (v GroupPendencyType) String() string {
	return word(int64(v), 0, "GroupPendencyType", "join_need_approved_by_admin invite_need_approved_by_invitee invite_need_approved_by_admin")
}

// GroupPendencyHandle says who has decided.
// Mirrors TIMGroupPendencyHandle.
type GroupPendencyHandle uint32

// The values of GroupPendencyHandle.
const (
	PendencyNotHandle      GroupPendencyHandle = 0 // kTIMGroupPendency_NotHandle
	PendencyOtherHandle    GroupPendencyHandle = 1 // kTIMGroupPendency_OtherHandle
	PendencyOperatorHandle GroupPendencyHandle = 2 // kTIMGroupPendency_OperatorHandle
)

// String gives the value as a word.
func (v GroupPendencyHandle) String() string {
	return word(int64(v), 0, "GroupPendencyHandle", "not_handled other_handled operator_handled")
}

// GroupPendencyHandleResult is the decision.
// Mirrors TIMGroupPendencyHandleResult.
type GroupPendencyHandleResult uint32

// The values of GroupPendencyHandleResult.
const (
	PendencyRefuse GroupPendencyHandleResult = 0 // kTIMGroupPendency_Refuse
	PendencyAccept GroupPendencyHandleResult = 1 // kTIMGroupPendency_Accept
)

// String gives the value as a word.
func (v GroupPendencyHandleResult) String() string {
	return word(int64(v), 0, "GroupPendencyHandleResult", "refused accepted")
}

// flags writes the words of the bits that are set, from a list whose first word
// is bit 0 and in which "-" stands for a bit without a name.
func flags(v uint64, kind, none, words string) string {
	if v == 0 {
		return none
	}
	names := strings.Fields(words)
	var said []string
	for ; v != 0; v &= v - 1 {
		if i := bits.TrailingZeros64(v); i < len(names) && names[i] != "-" {
			said = append(said, names[i])
		} else {
			said = append(said, fmt.Sprintf("%s(%#x)", kind, uint64(1)<<i))
		}
	}
	return strings.Join(said, "|")
}
