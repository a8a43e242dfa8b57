package journal

import (
	"strconv"
	"time"
)

// Kind says what an entry is. The journal stores it, readers filter by it;
// neither looks into the body.
type Kind uint8

// The kinds of entries. Facts, outcomes and dead letters are public: their body
// is a CloudEvent that is published to the bus. The others are internal: their
// body belongs to whoever wrote it.
const (
	KindFact       Kind = 1 // something that happened in chat, or to the bridge
	KindOutcome    Kind = 2 // what came of a command
	KindDeadLetter Kind = 3 // a command that was given up, with its original bytes
	KindAccepted   Kind = 4 // a command that will be carried out
	KindStarted    Kind = 5 // an attempt at a command, written before the call
	KindPlan       Kind = 6 // what will be published where, written before sending
	KindProgress   Kind = 7 // how far a part of the bridge has come, such as an account's catch-up
)

// Public reports whether entries of this kind are published to the bus.
func (k Kind) Public() bool { return k >= KindFact && k <= KindDeadLetter }

// known reports whether Append takes this kind. Reading takes every kind, so
// that an older program can pass over what a newer one wrote.
func (k Kind) known() bool { return k >= KindFact && k <= KindProgress }

// String returns the kind's name in lower case, "kind(9)" for one it does not know.
func (k Kind) String() string {
	switch k {
	case KindFact:
		return "fact"
	case KindOutcome:
		return "outcome"
	case KindDeadLetter:
		return "dead_letter"
	case KindAccepted:
		return "accepted"
	case KindStarted:
		return "started"
	case KindPlan:
		return "plan"
	case KindProgress:
		return "progress"
	default:
		return "kind(" + strconv.Itoa(int(k)) + ")"
	}
}

// Entry is one record of the journal.
type Entry struct {
	// Position is the entry's place: the first is 1, each later one is higher by
	// one. A repair can leave gaps; a position is never used for two entries
	// that anyone has seen. Set by Append.
	Position uint64
	// Kind must be one of the constants when appending.
	Kind Kind
	// Time is when the entry was journaled, by Options.Now, in UTC with
	// nanoseconds. It is a reading of a clock and may step back. Set by Append.
	Time time.Time
	// Body is opaque, at most Options.MaxEntryBytes long, and may be empty.
	// Append copies it. A body that was read shares memory with its neighbours:
	// it must not be changed, and bytes.Clone keeps a small one without keeping
	// the buffer it lies in.
	Body []byte
}
