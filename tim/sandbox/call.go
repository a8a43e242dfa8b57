package sandbox

// Call is a kind of call that a [Fault] meets. CallReport is not a call but the
// handing out of a report to a session.
type Call string

// The kinds of calls; "" stands for every one of them except CallReport.
const (
	CallLogin         Call = "login"
	CallRenewUserSig  Call = "renew_usersig"
	CallLogout        Call = "logout"
	CallSend          Call = "send"
	CallRevoke        Call = "revoke"
	CallCreateGroup   Call = "create_group"
	CallInviteMembers Call = "invite_members"
	CallDeleteMembers Call = "delete_members"
	CallDeleteGroup   Call = "delete_group"
	CallConversations Call = "conversations"
	CallMessages      Call = "messages"
	CallReport        Call = "report"

	CallJoinGroup     Call = "join_group"
	CallQuitGroup     Call = "quit_group"
	CallJoinedGroups  Call = "joined_groups"
	CallGroupsInfo    Call = "groups_info"
	CallModifyGroup   Call = "modify_group"
	CallMembers       Call = "members"
	CallModifyMember  Call = "modify_member"
	CallRequests      Call = "requests"
	CallHandleRequest Call = "handle_request"

	CallModifyMessage      Call = "modify_message"
	CallDeleteMessages     Call = "delete_messages"
	CallClearHistory       Call = "clear_history"
	CallDeleteConversation Call = "delete_conversation"
	CallMarkRead           Call = "mark_read"
	CallSendReadReceipts   Call = "send_read_receipts"
	CallReadReceipts       Call = "read_receipts"
	CallBatchSend          Call = "batch_send"
	CallProfiles           Call = "profiles"
	CallModifyProfile      Call = "modify_profile"
	CallStatuses           Call = "statuses"
	CallSetStatus          Call = "set_status"
	CallSubscribeStatus    Call = "subscribe_status"
	CallUnsubscribeStatus  Call = "unsubscribe_status"
	CallUpload             Call = "upload"
)
