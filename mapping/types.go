package mapping

import (
	"strings"
)

// TypePrefix begins the type of every event, command and outcome.
const TypePrefix = "io.timbridge."

// The types of the facts.
const (
	TypeMessagePosted  = "io.timbridge.message.posted.v1"
	TypeMessageRevoked = "io.timbridge.message.revoked.v1"

	TypeGroupCreated       = "io.timbridge.group.created.v1"
	TypeGroupMemberJoined  = "io.timbridge.group.member_joined.v1"
	TypeGroupMemberLeft    = "io.timbridge.group.member_left.v1"
	TypeGroupMemberKicked  = "io.timbridge.group.member_kicked.v1"
	TypeGroupMemberChanged = "io.timbridge.group.member_changed.v1"
	TypeGroupInfoChanged   = "io.timbridge.group.info_changed.v1"
	TypeGroupDismissed     = "io.timbridge.group.dismissed.v1"

	TypeAccountSignedIn          = "io.timbridge.account.signed_in.v1"
	TypeAccountSignedOut         = "io.timbridge.account.signed_out.v1"
	TypeAccountKickedOffline     = "io.timbridge.account.kicked_offline.v1"
	TypeAccountUserSigExpired    = "io.timbridge.account.usersig_expired.v1"
	TypeAccountConnectionChanged = "io.timbridge.account.connection_changed.v1"
	TypeAccountGapDetected       = "io.timbridge.account.gap_detected.v1"

	TypeUnrecognized = "io.timbridge.im.unrecognized.v1"

	TypeEventRefused   = "io.timbridge.bridge.event_refused.v1"
	TypeJournalDamaged = "io.timbridge.bridge.journal_damaged.v1"
)

// The types of the commands.
const (
	TypeCommandSend         = "io.timbridge.command.message.send.v1"
	TypeCommandRevoke       = "io.timbridge.command.message.revoke.v1"
	TypeCommandCreateGroup  = "io.timbridge.command.group.create.v1"
	TypeCommandInvite       = "io.timbridge.command.group.invite.v1"
	TypeCommandRemoveMember = "io.timbridge.command.group.remove_member.v1"
	TypeCommandDismiss      = "io.timbridge.command.group.dismiss.v1"
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
