package tim

// The enumerations of groups, with the SDK's values. Each String is a
// lower-case word for people; a value that is not known prints as its number.

// GroupReportType says what a group report tells.
// Mirrors TIMGroupReportType.
type GroupReportType uint32

// The values of GroupReportType.
const (
	GroupReportNone                   GroupReportType = 0  // kTIMGroupReport_None
	GroupReportAddRequest             GroupReportType = 1  // kTIMGroupReport_AddRequest
	GroupReportAddAccept              GroupReportType = 2  // kTIMGroupReport_AddAccept
	GroupReportAddRefuse              GroupReportType = 3  // kTIMGroupReport_AddRefuse
	GroupReportBeKicked               GroupReportType = 4  // kTIMGroupReport_BeKicked
	GroupReportDelete                 GroupReportType = 5  // kTIMGroupReport_Delete
	GroupReportCreate                 GroupReportType = 6  // kTIMGroupReport_Create
	GroupReportInvite                 GroupReportType = 7  // kTIMGroupReport_Invite
	GroupReportQuit                   GroupReportType = 8  // kTIMGroupReport_Quit
	GroupReportGrantAdmin             GroupReportType = 9  // kTIMGroupReport_GrantAdmin
	GroupReportCancelAdmin            GroupReportType = 10 // kTIMGroupReport_CancelAdmin
	GroupReportGroupRecycle           GroupReportType = 11 // kTIMGroupReport_GroupRecycle
	GroupReportInviteReqToInvitee     GroupReportType = 12 // kTIMGroupReport_InviteReqToInvitee
	GroupReportInviteAccept           GroupReportType = 13 // kTIMGroupReport_InviteAccept
	GroupReportInviteRefuse           GroupReportType = 14 // kTIMGroupReport_InviteRefuse
	GroupReportReadReport             GroupReportType = 15 // kTIMGroupReport_ReadReport
	GroupReportUserDefine             GroupReportType = 16 // kTIMGroupReport_UserDefine
	GroupReportShutUpMember           GroupReportType = 17 // kTIMGroupReport_ShutUpMember
	GroupReportTopicCreate            GroupReportType = 18 // kTIMGroupReport_TopicCreate
	GroupReportTopicDelete            GroupReportType = 19 // kTIMGroupReport_TopicDelete
	GroupReportGroupMessageRead       GroupReportType = 20 // kTIMGroupReport_GroupMessageRead
	GroupReportGroupMessageRecvOption GroupReportType = 21 // kTIMGroupReport_GroupMessageRecvOption
	GroupReportBannedFromGroup        GroupReportType = 22 // kTIMGroupReport_BannedFromGroup
	GroupReportUnbannedFromGroup      GroupReportType = 23 // kTIMGroupReport_UnbannedFromGroup
	GroupReportInviteReqToAdmin       GroupReportType = 24 // kTIMGroupReport_InviteReqToAdmin
)

// String gives the value as a word.
func (v GroupReportType) String() string {
	return word(int64(v), 0, "GroupReportType", "none add_request add_accept add_refuse be_kicked delete create invite quit grant_admin cancel_admin group_recycle invite_req_to_invitee invite_accept invite_refuse read_report user_define shut_up_member topic_create topic_delete group_message_read group_message_recv_option banned_from_group unbanned_from_group invite_req_to_admin")
}

// GroupAtType says who was mentioned.
// Mirrors TIMGroupAtType.
type GroupAtType uint32

// The values of GroupAtType.
const (
	GroupAtMe       GroupAtType = 1 // kTIMGroup_At_Me
	GroupAtAll      GroupAtType = 2 // kTIMGroup_At_All
	GroupAtAllAndMe GroupAtType = 3 // kTIMGroup_At_All_At_ME
)

// String gives the value as a word.
func (v GroupAtType) String() string {
	return word(int64(v), 1, "GroupAtType", "me all all_and_me")
}

// GroupTipGroupChangeFlag says which property of a group changed.
// Mirrors TIMGroupTipGroupChangeFlag.
type GroupTipGroupChangeFlag uint32

// The values of GroupTipGroupChangeFlag.
const (
	GroupChangeUnknown               GroupTipGroupChangeFlag = 0  // kTIMGroupTipChangeFlag_Unknown
	GroupChangeName                  GroupTipGroupChangeFlag = 1  // kTIMGroupTipChangeFlag_Name
	GroupChangeIntroduction          GroupTipGroupChangeFlag = 2  // kTIMGroupTipChangeFlag_Introduction
	GroupChangeNotification          GroupTipGroupChangeFlag = 3  // kTIMGroupTipChangeFlag_Notification
	GroupChangeFaceURL               GroupTipGroupChangeFlag = 4  // kTIMGroupTipChangeFlag_FaceUrl
	GroupChangeOwner                 GroupTipGroupChangeFlag = 5  // kTIMGroupTipChangeFlag_Owner
	GroupChangeCustom                GroupTipGroupChangeFlag = 6  // kTIMGroupTipChangeFlag_Custom
	GroupChangeAttribute             GroupTipGroupChangeFlag = 7  // kTIMGroupTipChangeFlag_Attribute
	GroupChangeShutupAll             GroupTipGroupChangeFlag = 8  // kTIMGroupTipChangeFlag_ShutupAll
	GroupChangeTopicCustomData       GroupTipGroupChangeFlag = 9  // kTIMGroupTipChangeFlag_TopicCustomData
	GroupChangeMessageReceiveOpt     GroupTipGroupChangeFlag = 10 // kTIMGroupTipChangeFlag_MessageReceiveOpt
	GroupChangeGroupAddOpt           GroupTipGroupChangeFlag = 11 // kTIMGroupTipChangeFlag_GroupAddOpt
	GroupChangeGroupApproveOpt       GroupTipGroupChangeFlag = 12 // kTIMGroupTipChangeFlag_GroupApproveOpt
	GroupChangeEnablePermissionGroup GroupTipGroupChangeFlag = 13 // kTIMGroupTipChangeFlag_EnablePermissionGroup
	GroupChangeDefaultPermissions    GroupTipGroupChangeFlag = 14 // kTIMGroupTipChangeFlag_DefaultPermissions
)

// String gives the value as a word.
func (v GroupTipGroupChangeFlag) String() string {
	return word(int64(v), 0, "GroupTipGroupChangeFlag", "unknown name introduction notification face_url owner custom attribute shutup_all topic_custom_data message_receive_opt group_add_opt group_approve_opt enable_permission_group default_permissions")
}

// GroupTipType says what a group tip tells.
// Mirrors TIMGroupTipType.
type GroupTipType uint32

// The values of GroupTipType.
const (
	GroupTipNone                 GroupTipType = 0  // kTIMGroupTip_None
	GroupTipInvite               GroupTipType = 1  // kTIMGroupTip_Invite
	GroupTipQuit                 GroupTipType = 2  // kTIMGroupTip_Quit
	GroupTipKick                 GroupTipType = 3  // kTIMGroupTip_Kick
	GroupTipSetAdmin             GroupTipType = 4  // kTIMGroupTip_SetAdmin
	GroupTipCancelAdmin          GroupTipType = 5  // kTIMGroupTip_CancelAdmin
	GroupTipGroupInfoChange      GroupTipType = 6  // kTIMGroupTip_GroupInfoChange
	GroupTipMemberInfoChange     GroupTipType = 7  // kTIMGroupTip_MemberInfoChange
	GroupTipMemberMarkChange     GroupTipType = 8  // kTIMGroupTip_MemberMarkChange
	GroupTipTopicInfoChange      GroupTipType = 9  // kTIMGroupTip_TopicInfoChange
	GroupTipPinnedMessageAdded   GroupTipType = 10 // KTIMGroupTip_PinnedMessageAdded
	GroupTipPinnedMessageDeleted GroupTipType = 11 // KTIMGroupTip_PinnedMessageDeleted
)

// String gives the value as a word.
func (v GroupTipType) String() string {
	return word(int64(v), 0, "GroupTipType", "none invite quit kick set_admin cancel_admin group_info_change member_info_change member_mark_change topic_info_change pinned_message_added pinned_message_deleted")
}

// GroupType is the kind of a group, with its own rules. (Private is called Work, and ChatRoom Meeting, in newer documents.)
// Mirrors TIMGroupType.
type GroupType uint32

// The values of GroupType.
const (
	GroupPublic     GroupType = 0 // kTIMGroup_Public
	GroupPrivate    GroupType = 1 // kTIMGroup_Private
	GroupChatRoom   GroupType = 2 // kTIMGroup_ChatRoom
	GroupBChatRoom  GroupType = 3 // kTIMGroup_BChatRoom
	GroupAVChatRoom GroupType = 4 // kTIMGroup_AVChatRoom
	GroupCommunity  GroupType = 5 // kTIMGroup_Community
)

// String gives the value as a word.
func (v GroupType) String() string {
	return word(int64(v), 0, "GroupType", "public private chatroom bchatroom avchatroom community")
}

// GroupAddOption says how users come into a group by their own request.
// Mirrors TIMGroupAddOption.
type GroupAddOption uint32

// The values of GroupAddOption.
const (
	GroupAddForbid  GroupAddOption = 0 // kTIMGroupAddOpt_Forbid
	GroupAddAuth    GroupAddOption = 1 // kTIMGroupAddOpt_Auth
	GroupAddAny     GroupAddOption = 2 // kTIMGroupAddOpt_Any
	GroupAddUnknown GroupAddOption = 3 // kTIMGroupAddOpt_Unknown
)

// String gives the value as a word.
func (v GroupAddOption) String() string {
	return word(int64(v), 0, "GroupAddOption", "forbid auth any unknown")
}

// GroupMemberRole is what a member may do in a group. Decoding also takes the values of TIMGroupMemberRoleFlag (1, 2, 4), which the SDK's quick start uses in this place.
// Mirrors TIMGroupMemberRole.
type GroupMemberRole uint32

// The values of GroupMemberRole.
const (
	RoleNone   GroupMemberRole = 0   // kTIMMemberRole_None
	RoleMember GroupMemberRole = 200 // kTIMMemberRole_Normal
	RoleAdmin  GroupMemberRole = 300 // kTIMMemberRole_Admin
	RoleOwner  GroupMemberRole = 400 // kTIMMemberRole_Owner
)

// String gives the value as a word.
func (v GroupMemberRole) String() string {
	switch v {
	case RoleNone:
		return "none"
	case RoleMember:
		return "member"
	case RoleAdmin:
		return "admin"
	case RoleOwner:
		return "owner"
	}
	return word(int64(v), 0, "GroupMemberRole", "")
}

// HandleGroupMemberResult is what came of inviting or removing one user.
// Mirrors HandleGroupMemberResult.
type HandleGroupMemberResult uint32

// The values of HandleGroupMemberResult.
const (
	MemberFailed   HandleGroupMemberResult = 0 // kTIMGroupMember_HandledErr
	MemberDone     HandleGroupMemberResult = 1 // kTIMGroupMember_HandledSuc
	MemberIncluded HandleGroupMemberResult = 2 // kTIMGroupMember_Included
	MemberInvited  HandleGroupMemberResult = 3 // kTIMGroupMember_Invited
)

// String gives the value as a word.
func (v HandleGroupMemberResult) String() string {
	return word(int64(v), 0, "HandleGroupMemberResult", "failed done included invited")
}

// GroupJoinType says how a member came into a group.
// Mirrors TIMGroupJoinType.
type GroupJoinType uint32

// The values of GroupJoinType.
const (
	GroupJoinNone   GroupJoinType = 0 // kTIMGroupJoin_None
	GroupJoinApply  GroupJoinType = 1 // kTIMGroupJoin_Apply
	GroupJoinInvite GroupJoinType = 2 // kTIMGroupJoin_Invite
)

// String gives the value as a word.
func (v GroupJoinType) String() string {
	return word(int64(v), 0, "GroupJoinType", "none apply invite")
}
