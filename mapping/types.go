package mapping

import (
	"strings"
)

// TypePrefix begins the type of every event, command and outcome.
const TypePrefix = "io.timbridge."

// The types of the facts.
const (
	TypeMessagePosted   = "io.timbridge.message.posted.v1"
	TypeMessageRevoked  = "io.timbridge.message.revoked.v1"
	TypeMessageModified = "io.timbridge.message.modified.v1"
	TypeMessageRead     = "io.timbridge.message.read.v1"

	TypeGroupCreated       = "io.timbridge.group.created.v1"
	TypeGroupMemberJoined  = "io.timbridge.group.member_joined.v1"
	TypeGroupMemberLeft    = "io.timbridge.group.member_left.v1"
	TypeGroupMemberKicked  = "io.timbridge.group.member_kicked.v1"
	TypeGroupMemberChanged = "io.timbridge.group.member_changed.v1"
	TypeGroupInfoChanged   = "io.timbridge.group.info_changed.v1"
	TypeGroupDismissed     = "io.timbridge.group.dismissed.v1"

	TypeGroupJoinRequested  = "io.timbridge.group.join_requested.v1"
	TypeGroupRequestHandled = "io.timbridge.group.request_handled.v1"
	TypeGroupInvited        = "io.timbridge.group.invited.v1"
	TypeGroupCustomNotified = "io.timbridge.group.custom_notified.v1"

	TypeUserStatusChanged  = "io.timbridge.user.status_changed.v1"
	TypeUserProfileChanged = "io.timbridge.user.profile_changed.v1"

	TypeAccountSignedIn          = "io.timbridge.account.signed_in.v1"
	TypeAccountSignedOut         = "io.timbridge.account.signed_out.v1"
	TypeAccountKickedOffline     = "io.timbridge.account.kicked_offline.v1"
	TypeAccountUserSigExpired    = "io.timbridge.account.usersig_expired.v1"
	TypeAccountConnectionChanged = "io.timbridge.account.connection_changed.v1"
	TypeAccountGapDetected       = "io.timbridge.account.gap_detected.v1"

	TypeUnrecognized = "io.timbridge.im.unrecognized.v1"

	TypeEventRefused   = "io.timbridge.bridge.event_refused.v1"
	TypeJournalDamaged = "io.timbridge.bridge.journal_damaged.v1"
	TypeCommandsLost   = "io.timbridge.bridge.commands_lost.v1"
)

// The types of the commands.
const (
	TypeCommandSend         = "io.timbridge.command.message.send.v1"
	TypeCommandRevoke       = "io.timbridge.command.message.revoke.v1"
	TypeCommandCreateGroup  = "io.timbridge.command.group.create.v1"
	TypeCommandInvite       = "io.timbridge.command.group.invite.v1"
	TypeCommandRemoveMember = "io.timbridge.command.group.remove_member.v1"
	TypeCommandDismiss      = "io.timbridge.command.group.dismiss.v1"

	TypeCommandModify          = "io.timbridge.command.message.modify.v1"
	TypeCommandMarkRead        = "io.timbridge.command.message.mark_read.v1"
	TypeCommandSendReadReceipt = "io.timbridge.command.message.send_read_receipt.v1"

	TypeCommandModifyGroup   = "io.timbridge.command.group.modify.v1"
	TypeCommandTransferGroup = "io.timbridge.command.group.transfer.v1"
	TypeCommandModifyMember  = "io.timbridge.command.group.modify_member.v1"
	TypeCommandJoin          = "io.timbridge.command.group.join.v1"
	TypeCommandQuit          = "io.timbridge.command.group.quit.v1"
	TypeCommandHandleRequest = "io.timbridge.command.group.handle_request.v1"

	TypeCommandModifyProfile = "io.timbridge.command.profile.modify.v1"
	TypeCommandSetStatus     = "io.timbridge.command.status.set.v1"
)

// The types of what comes of a command.
const (
	TypeSucceeded    = "io.timbridge.command.succeeded.v1"
	TypeFailed       = "io.timbridge.command.failed.v1"
	TypeRejected     = "io.timbridge.command.rejected.v1"
	TypeExpired      = "io.timbridge.command.expired.v1"
	TypeDeadLettered = "io.timbridge.command.dead_lettered.v1"
)

// The names of the extension attributes.
const (
	ExtTimbridge     = "timbridge"
	ExtSequence      = "sequence"
	ExtRecordedTime  = "recordedtime"
	ExtPartitionKey  = "partitionkey"
	ExtAccount       = "timaccount"
	ExtExpiryTime    = "expirytime"
	ExtCausationID   = "causationid"
	ExtCorrelationID = "correlationid"
	ExtTraceParent   = "traceparent"
)

// ShortName is a type without its prefix and version: "message.posted" for
// [TypeMessagePosted]. What does not look like one of ours comes back as it is.
func ShortName(eventType string) string {
	name, ok := strings.CutPrefix(eventType, TypePrefix)
	if !ok {
		return eventType
	}
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && isVersion(name[dot+1:]) {
		name = name[:dot]
	}
	return name
}

// FullName is the current type that a short name stands for: the reverse of [ShortName].
// A name that already has the prefix comes back as it is.
func FullName(name string) string {
	if strings.HasPrefix(name, TypePrefix) {
		return name
	}
	return TypePrefix + name + ".v1"
}

func isVersion(s string) bool {
	if len(s) < 2 || s[0] != 'v' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
