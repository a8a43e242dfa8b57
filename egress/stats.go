package egress

import (
	"maps"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
)

// Stats are counters since the start, and where things stand.
type Stats struct {
	// Read counts commands read off the bus, whosever they are. Each is then
	// counted once more: as accepted, rejected (by code; expired ones too),
	// repeated (known already, dropped), or foreign (another shard's).
	Read, Accepted, Repeated, Foreign uint64
	Rejected                          map[mapping.RejectCode]uint64
	// Succeeded, Expired and Failed (by code) count accepted commands by outcome.
	Succeeded, Expired uint64
	Failed             map[mapping.RejectCode]uint64
	// Attempts counts calls by verb, Retries those that were not a command's
	// first. Doubts counts commands that were in doubt, Settled those of them
	// that were found done.
	Attempts                 map[string]uint64
	Retries, Doubts, Settled uint64
	// MediaFetches counts how often the files of a message were to be had.
	MediaFetches uint64
	// DeadLetters counts what was dead-lettered.
	DeadLetters uint64
	// Resets counts the times that reading could not go on where it stood, Lost
	// the messages that the bus removed unread, where it is known.
	Resets, Lost uint64

	// Open and OpenBytes are the unfinished commands, Lanes the lanes at work.
	Open, Lanes int
	OpenBytes   int64
	// OldestAccepted is when the oldest unfinished command was accepted; zero without one.
	OldestAccepted time.Time
	// Ledger is the number of commands remembered; Horizon how far back, by the
	// bus's time, all are. LedgerDropped counts those that were forgotten before
	// their time, for want of room.
	Ledger        int
	Horizon       time.Duration
	LedgerDropped uint64
	// Mark is what was last stored on the bus.
	Mark []bus.Position
	// Trouble is why commands are not taken now, empty while they are, and
	// TroubleSince the time it began.
	Trouble      string
	TroubleSince time.Time
}

func newStats() Stats {
	return Stats{
		Rejected: map[mapping.RejectCode]uint64{},
		Failed:   map[mapping.RejectCode]uint64{},
		Attempts: map[string]uint64{},
	}
}

// Stats gives the counters and figures of this moment.
func (e *Egress) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Rejected, s.Failed, s.Attempts = maps.Clone(s.Rejected), maps.Clone(s.Failed), maps.Clone(s.Attempts)
	s.Open, s.OpenBytes, s.Lanes = len(e.state.open), e.state.openBytes, len(e.lanes)
	for _, o := range e.state.open {
		if s.OldestAccepted.IsZero() || o.at.Before(s.OldestAccepted) {
			s.OldestAccepted = o.at
		}
	}
	s.Ledger, s.Horizon, s.LedgerDropped = e.state.ledger.count, e.state.ledger.horizonLeft(), e.state.ledger.crowded
	return s
}

// count changes the counters.
func (e *Egress) count(f func(*Stats)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.stats)
}
