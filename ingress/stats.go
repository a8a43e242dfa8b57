package ingress

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Stats are figures for metrics, states and readiness. Counters count from New on.
type Stats struct {
	// Reports is what the drivers handed in, by the SDK's callback.
	Reports map[string]uint64
	// Recorded counts the facts journaled; Repeats the messages, and other
	// things, that were recorded already; Late the messages recorded after
	// newer ones of their conversation, or so old that it cannot be told
	// whether they were recorded before.
	Recorded, Repeats, Late uint64
	// Gaps counts the account.gap_detected facts that tell of messages. (Each
	// absence from a service that forgets what it reported has one of what else
	// may be missing.)
	Gaps uint64
	// Read counts the messages read from history, those that were recorded
	// already among them.
	Read uint64
	// Unmappable counts reports that could not be recorded in any form.
	Unmappable uint64
	// Queued and QueuedBytes are the reports that wait for the appender.
	Queued, QueuedBytes int
	// Waiting are messages of groups that wait for an earlier sequence.
	Waiting int
	// Full says that the journal takes no reports, and FullSince since when.
	Full      bool
	FullSince time.Time
	// Seen is how many messages are remembered one by one, Groups how many
	// groups by their sequence. Horizon is when the newest of those that had to
	// be forgotten was said, zero while none was: whether something said by
	// then was recorded cannot be told.
	Seen, Groups int
	Horizon      time.Time
	// Accounts has the accounts with a handler, or of which something is known.
	Accounts map[tim.UserID]AccountStats
}

// AccountStats is the state of one account.
type AccountStats struct {
	// CatchingUp is true from the start, and from each loss of the connection,
	// until a CatchUp has ended well: messages are held.
	CatchingUp bool
	// Conversations of which messages are held, or that are to be read; Held
	// is the number of these messages.
	Conversations, Held int
	// CatchUpSince is when the catch-up under way began, zero without one;
	// CatchUpTotal are the conversations that it has to read, CatchUpRead those
	// of them that it has read.
	CatchUpSince              time.Time
	CatchUpTotal, CatchUpRead int
	// Through is as [Ingress.LastConnected].
	Through time.Time
}

type counters struct {
	recorded, repeats, late, gaps, read, unmappable atomic.Uint64
	waiting                                         atomic.Int64

	mu      sync.Mutex
	reports map[string]uint64
}

func (c *counters) count(callback string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reports == nil {
		c.reports = make(map[string]uint64)
	}
	c.reports[callback]++
}

// Stats returns the figures of this moment.
func (in *Ingress) Stats() Stats {
	s := Stats{
		Recorded:   in.counters.recorded.Load(),
		Repeats:    in.counters.repeats.Load(),
		Late:       in.counters.late.Load(),
		Gaps:       in.counters.gaps.Load(),
		Read:       in.counters.read.Load(),
		Unmappable: in.counters.unmappable.Load(),
		Waiting:    int(in.counters.waiting.Load()),
		Accounts:   make(map[tim.UserID]AccountStats),
	}
	in.counters.mu.Lock()
	s.Reports = maps.Clone(in.counters.reports)
	in.counters.mu.Unlock()
	s.Queued, s.QueuedBytes = in.queue.size()

	in.mu.RLock()
	defer in.mu.RUnlock()
	s.Full, s.FullSince = !in.fullSince.IsZero(), in.fullSince
	s.Seen, s.Groups, s.Horizon = in.seen.hashes.count, len(in.seen.groups), timeOf(in.seen.forgotten)
	for user, a := range in.accounts {
		of := AccountStats{
			CatchingUp:    !a.stats.live.Load(),
			Conversations: int(a.stats.conversations.Load()),
			Held:          int(a.stats.held.Load()),
		}
		if began := a.stats.began.Load(); began != 0 {
			of.CatchUpSince = time.Unix(0, began)
			of.CatchUpTotal, of.CatchUpRead = int(a.stats.toRead.Load()), int(a.stats.read.Load())
		}
		s.Accounts[user] = of
	}
	for user, known := range in.seen.accounts {
		a, handled := s.Accounts[user]
		if !handled {
			a.CatchingUp = true
		}
		a.Through = known.lastConnected()
		s.Accounts[user] = a
	}
	return s
}
