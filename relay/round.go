package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// round is the next public entries, ready to be planned.
type round struct {
	messages []bus.Message
	bytes    int // of their bodies
	// through is the last journal position looked at.
	through uint64
	err     error
}

// busyRound is the size from which on a round says that there is traffic, so
// that waiting a moment makes the next one larger. Below it nothing is waited for.
const busyRound = 8

// growEvery is how often a round that waits for the one before it looks for more.
const growEvery = 2 * time.Millisecond

// readRounds reads and decodes the next round while one is being sent. Until
// that is taken it grows: the cost of a round lies in its syncs, not in its size.
func (r *Relay) readRounds(ctx context.Context, from uint64, out chan<- round) {
	defer close(out)
	reader := r.journal.Read(max(from, r.journal.First()))
	defer reader.Close()
	grow := time.NewTicker(growEvery)
	defer grow.Stop()
	var earliest time.Time // of the next round
	for {
		var next round
		for len(next.messages) == 0 && next.err == nil {
			if !r.extend(ctx, reader, &next) {
				return
			}
		}
		for taken := false; !taken; {
			room := next.err == nil && len(next.messages) < r.cfg.RoundMessages && next.bytes < r.cfg.RoundBytes
			offer := out
			if room && time.Now().Before(earliest) {
				offer = nil
			}
			select {
			case offer <- next:
				taken = true
			case <-grow.C:
				if room && r.journal.Last() >= reader.Position() && !r.extend(ctx, reader, &next) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
		if next.err != nil {
			return
		}
		if earliest = time.Now(); len(next.messages) >= busyRound {
			earliest = earliest.Add(r.cfg.Linger)
		}
	}
}

// extend reads more entries into a round; false when ctx has ended.
func (r *Relay) extend(ctx context.Context, reader *journal.Reader, next *round) bool {
	entries, err := reader.Next(ctx, r.cfg.RoundMessages-len(next.messages), r.cfg.RoundBytes-next.bytes)
	if ctx.Err() != nil {
		return false
	}
	if next.err = err; err == nil {
		next.err = r.take(next, entries)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(next.messages) > 0 {
		r.emitted = next.through
	} else if next.err == nil {
		r.idle = next.through
		r.publishLocked()
	}
	return true
}

func (r *Relay) take(next *round, entries []journal.Entry) error {
	for _, e := range entries {
		next.through = e.Position
		if !e.Kind.Public() {
			continue
		}
		m, err := r.message(e)
		if err != nil {
			return err
		}
		next.messages = append(next.messages, m)
		next.bytes += len(e.Body)
	}
	return nil
}

func (r *Relay) message(e journal.Entry) (bus.Message, error) {
	ev, err := mapping.Decode(e.Body)
	if err != nil {
		return bus.Message{}, fmt.Errorf("entry %d (%s): %w", e.Position, e.Kind, err)
	}
	mapping.Stamp(ev, r.id, e.Position, e.Time)
	m := bus.Message{Sequence: e.Position, Event: ev, Stream: bus.Events}
	switch e.Kind {
	case journal.KindOutcome:
		m.Stream = bus.Outcomes
	case journal.KindDeadLetter:
		m.Stream = bus.DeadLetters
	}
	return m, nil
}

// readPlan reads the messages of a plan that an earlier process wrote.
func (r *Relay) readPlan(ctx context.Context, p planBody) ([]bus.Message, error) {
	messages := []bus.Message{}
	if len(p.Parts) == 0 {
		return messages, nil
	}
	first, last := p.Parts[0].Runs[0][0], uint64(0)
	for _, part := range p.Parts {
		first, last = min(first, part.Runs[0][0]), max(last, part.last())
	}
	reader := r.journal.Read(first)
	defer reader.Close()
	for at := first; at <= last; {
		entries, err := reader.Next(ctx, r.cfg.RoundMessages, r.cfg.RoundBytes)
		if err != nil {
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil, err
			}
			return nil, fatal("read the last plan's messages: %w", err)
		}
		for _, e := range entries {
			if at = e.Position + 1; e.Position > last {
				break
			}
			wanted := false
			for _, part := range p.Parts {
				wanted = wanted || part.has(e.Position)
			}
			if !wanted {
				continue
			}
			m, err := r.message(e)
			if err != nil {
				return nil, fatal("read the last plan's messages: %w", err)
			}
			messages = append(messages, m)
		}
	}
	return messages, nil
}

func (b partBody) has(sequence uint64) bool {
	for _, r := range b.Runs {
		if sequence >= r[0] && sequence < r[0]+r[1] {
			return true
		}
	}
	return false
}
