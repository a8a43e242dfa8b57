package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// batch is what goes to disk together: everything that was written since the
// batch before it was taken up.
type batch struct {
	entries  []journal.Entry
	last     uint64     // position of the last entry
	sessions []*session // have something to deliver once it is on disk
	done     chan struct{}
	err      error // set before done is closed
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// wait returns when the batch is on disk.
func (b *batch) wait(ctx context.Context, op string) error {
	select {
	case <-b.done:
	default:
		select {
		case <-b.done:
		case <-ctx.Done():
			return unanswered(op, ctx)
		}
	}
	if b.err != nil {
		return broken(op, tim.EffectUnknown, b.err)
	}
	return nil
}

const (
	// ackPause is how long acknowledgements wait for company on their way to
	// the journal: losing one only means that its report comes again.
	ackPause = 50 * time.Millisecond
	// appendBytes is about how much goes to the journal in one piece.
	appendBytes = 8 << 20
)

// write applies a record and queues its entry. The caller holds the lock, and
// answers only when the batch is on disk.
func (s *Sandbox) write(r record) (*message, *batch) {
	s.position++
	m := s.st.apply(s.position, r)
	b := s.pending
	b.entries = append(b.entries, journal.Entry{Kind: journal.KindAccepted, Body: encodeRecord(r)})
	for _, session := range s.st.touched {
		session.touched = false
	}
	b.sessions = append(b.sessions, s.st.touched...)
	clear(s.st.touched)
	s.st.touched = s.st.touched[:0]
	if len(b.entries) == 1 {
		s.wakeCommitter()
	}
	return m, b
}

func (s *Sandbox) wakeCommitter() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// settled is the batch after which everything that was applied so far is on disk.
func (s *Sandbox) settled() *batch {
	if len(s.pending.entries) > 0 {
		return s.pending
	}
	return s.inFlight
}

// commitLoop writes batch after batch until the sandbox closes.
func (s *Sandbox) commitLoop() {
	for {
		select {
		case <-s.wake:
			s.commit()
		case <-s.stop:
			s.mu.Lock()
			s.ackTime = time.Time{}
			s.mu.Unlock()
			s.commit()
			return
		}
	}
}

// commit puts everything that waits on disk.
func (s *Sandbox) commit() {
	s.mu.Lock()
	s.writeAcks()
	b := s.pending
	if len(b.entries) == 0 {
		s.mu.Unlock()
		return
	}
	first := s.position - uint64(len(b.entries)) + 1
	b.last = s.position
	s.pending, s.inFlight = newBatch(), b
	failed := s.failed
	s.mu.Unlock()

	bytes, err := int64(0), failed
	if err == nil {
		bytes, err = s.store(first, b.entries)
	}

	s.mu.Lock()
	if err != nil {
		if s.failed == nil {
			s.failed = err
			s.log.Error("nothing can be stored any more, the process has to end", "error", err)
			close(s.failure)
		}
	} else {
		s.durable = b.last
		s.sinceSnapshot += bytes
	}
	snapshot := s.opts.Limits.SnapshotBytes > 0 && s.sinceSnapshot >= max(s.opts.Limits.SnapshotBytes, s.snapshotBytes)
	s.mu.Unlock()
	b.err, b.entries = err, nil
	close(b.done)
	s.delivery.notify(b.sessions...)
	if snapshot {
		select {
		case s.wakeSnapshot <- struct{}{}:
		default:
		}
	}
}

// store appends entries whose first is to be at position first. While the disk
// is full it waits: what was applied cannot be taken back.
func (s *Sandbox) store(first uint64, entries []journal.Entry) (bytes int64, err error) {
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && (n == 0 || size+len(entries[n].Body) <= appendBytes) {
			size += len(entries[n].Body)
			n++
		}
		position, err := s.appendWaiting(entries[:n])
		if err != nil {
			return bytes, err
		}
		if position != first {
			return bytes, fmt.Errorf("sandbox: the journal put an entry at %d, it belongs at %d", position, first)
		}
		first += uint64(n)
		bytes += int64(size)
		entries = entries[n:]
	}
	return bytes, nil
}

func (s *Sandbox) appendWaiting(entries []journal.Entry) (uint64, error) {
	ctx := context.Background()
	position, err := s.journal.Append(ctx, entries)
	for errors.Is(err, journal.ErrFull) {
		s.setFull(true)
		if position, err = s.journal.AppendReserved(ctx, entries); !errors.Is(err, journal.ErrFull) {
			break
		}
		pause := time.NewTimer(100 * time.Millisecond)
		select {
		case <-pause.C:
		case <-s.stop:
			pause.Stop()
			return 0, fmt.Errorf("sandbox: closed on a full disk: %w", err)
		}
		position, err = s.journal.Append(ctx, entries)
	}
	return position, err
}

// setFull notes whether new work is refused because the disk is full.
func (s *Sandbox) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full == full {
		return
	}
	s.full = full
	if full {
		s.log.Error("the disk is full: nothing new is accepted until there is space")
	} else {
		s.log.Info("there is space on the disk again")
	}
}

// usable says whether a call may change anything now.
func (s *Sandbox) usable(op string) error {
	switch {
	case s.closed:
		return &tim.Error{Op: op, Code: tim.CodeSDKNotInitialized, Effect: tim.EffectNotDone, Err: ErrClosed}
	case s.failed != nil:
		return broken(op, tim.EffectNotDone, s.failed)
	case s.full:
		return broken(op, tim.EffectNotDone, journal.ErrFull)
	}
	return nil
}

// ackKey is whose acknowledgements are gathered.
type ackKey struct {
	account  *account
	platform tim.Platform
}

// acknowledge forgets a report, now here and a little later on disk.
func (s *Sandbox) acknowledge(a *account, p tim.Platform, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !a.ack(p, number) || s.closed {
		return
	}
	if len(s.acks) == 0 {
		s.ackTime = time.Now()
	}
	key := ackKey{a, p}
	s.acks[key] = append(s.acks[key], number)
}

// writeAcks queues the acknowledgements that have waited long enough. The
// caller holds the lock.
func (s *Sandbox) writeAcks() {
	if len(s.acks) == 0 || time.Since(s.ackTime) < ackPause {
		return
	}
	for key, numbers := range s.acks {
		s.write(&ackRecord{user: key.account.id, platform: key.platform, runs: runsOf(numbers)})
	}
	clear(s.acks)
}

// runsOf makes runs of numbers, which it sorts.
func runsOf(numbers []uint64) []run {
	slices.Sort(numbers)
	var runs []run
	for _, n := range numbers {
		if k := len(runs) - 1; k >= 0 && n <= runs[k].last+1 {
			runs[k].last = n
		} else {
			runs = append(runs, run{n, n})
		}
	}
	return runs
}
