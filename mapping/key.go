package mapping

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/tim"
)

// KeyKind says how a repeat of a fact is told from something new.
type KeyKind uint8

// The kinds of keys.
const (
	// KeyNone: there is nothing to recognise it by, it is always recorded.
	KeyNone KeyKind = iota
	// KeyGroupSeq: a message of a group, known by its sequence, which counts
	// from 1 without gaps.
	KeyGroupSeq
	// KeyHash: everything else that has an identity, known by a hash of it.
	KeyHash
	// KeyWithFirst: it belongs to the first fact that came out of the same
	// message, and is recorded when that one is.
	KeyWithFirst
)

// Key is the identity of a fact. It is a value and can be a map's key.
type Key struct {
	Kind KeyKind
	// Group and Seq are set for [KeyGroupSeq].
	Group tim.GroupID
	Seq   uint64
	// Hash is set for [KeyHash]: 128 bits of the SHA-256 of the event id.
	Hash [16]byte
	// Time is when the IM service says it happened, in seconds since 1970; 0
	// when it does not say, and then the time it was recorded stands for it.
	// A hash is forgotten by it.
	Time int64
}

func hashKey(id string, at time.Time) Key {
	sum := sha256.Sum256([]byte(id))
	k := Key{Kind: KeyHash}
	copy(k.Hash[:], sum[:])
	if !at.IsZero() {
		k.Time = at.Unix()
	}
	return k
}

// KeyOf is the key of the first fact that [FromMessage] makes of a message,
// without making it: what has been recorded need not be mapped again. A message
// that comes as revoked ([tim.MsgRevoked]) is mapped all the same, since its
// revocation is a fact with a key of its own.
func KeyOf(account tim.UserID, m tim.Message) Key {
	if m.ConvType == tim.ConvGroup && m.ConvID != "" && m.Seq != 0 {
		return Key{Kind: KeyGroupSeq, Group: tim.GroupID(m.ConvID), Seq: m.Seq, Time: unixSeconds(m.ServerTime)}
	}
	if id := MessageID(account, m); id != "" {
		return hashKey(id, unixTime(m.ServerTime))
	}
	if m.ConvType == tim.ConvSystem && len(m.Elems) > 0 {
		if r, ok := m.Elems[0].(tim.GroupReportElem); ok && r.GroupID != "" {
			return hashKey(reportID(account, m, r, 0), unixTime(m.ServerTime))
		}
	}
	return hashKey(strangeMessageID(account, m), unixTime(m.ServerTime))
}

// KeyOfEvent is the key of the fact that an event tells, so that what has been
// seen can be rebuilt from a journal. For everything but facts, and for a fact
// whose key is [KeyWithFirst], it is of kind [KeyNone].
func KeyOfEvent(e *event.Event) Key {
	switch e.Type() {
	case TypeMessagePosted:
		if group, seq, ok := parseGroupMessageID(e.ID()); ok {
			k := Key{Kind: KeyGroupSeq, Group: group, Seq: seq}
			if t := e.Time(); !t.IsZero() {
				k.Time = t.Unix()
			}
			return k
		}
	case TypeMessageRevoked, TypeMessageModified, TypeMessageRead, TypeAccountGapDetected, TypeJournalDamaged:
	case TypeGroupCreated, TypeGroupMemberJoined, TypeGroupMemberLeft, TypeGroupMemberKicked,
		TypeGroupMemberChanged, TypeGroupInfoChanged, TypeGroupDismissed,
		TypeGroupJoinRequested, TypeGroupRequestHandled, TypeGroupInvited, TypeGroupCustomNotified,
		TypeUserStatusChanged, TypeUserProfileChanged, TypeUnrecognized:
		if strings.Contains(e.ID(), tipInfix) {
			return Key{}
		}
		if !strings.Contains(e.ID(), "/") {
			return Key{} // an id that was made for it
		}
	default:
		return Key{}
	}
	return hashKey(e.ID(), e.Time())
}
