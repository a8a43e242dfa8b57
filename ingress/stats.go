package ingress

import (
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Stats are figures for metrics, states and readiness. Counters rise from New on.
type Stats struct {
	// Reports by callback: what the drivers handed in.
	Reports map[string]uint64
	// Recorded are the facts journaled, Repeats the messages and other facts
	// dropped because they had been seen, Late those published although newer
	// ones of their conversation were published before.
	Recorded, Repeats, Late uint64
	// Gaps are the account.gap_detected facts.
	Gaps uint64
	// Read are the messages read from history.
	Read uint64
	// Queued and QueuedBytes are the reports that wait for the appender.
	Queued, QueuedBytes int
	// Waiting are messages of groups that wait for an earlier sequence.
	Waiting int
	// Full says that the journal takes no ordinary appends; Since is when it began.
	Full      bool
	FullSince time.Time
	// Seen is the number of messages remembered one by one, Groups of groups
	// remembered by sequence. Horizon is the time of the newest message that
	// had to be forgotten: a repeat of one older than that is not known as one.
	// It is zero when nothing was forgotten.
	Seen, Groups int
	Horizon      time.Time
	// Accounts by user.
	Accounts map[tim.UserID]AccountStats
}

// AccountStats is the state of one account.
type AccountStats struct {
	// CatchingUp is true from New, or the loss of the connection, until a
	// CatchUp has ended well.
	CatchingUp bool
	// Conversations are those that are still to be read from history, Held the
	// messages that wait for that.
	Conversations, Held int
	// Through is the service's time up to which everything told to the account
	// is journaled.
	Through time.Time
}
