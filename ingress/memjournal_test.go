package ingress

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/timbridge/timbridge/journal"
)

// memJournal is a journal in memory: what is in entries is on disk.
type memJournal struct {
	delay time.Duration // what an append takes

	mu      sync.Mutex
	entries []journal.Entry
	full    bool
	fullIn  int // ordinary appends until it is full; 0: it does not become so by itself
	reserve int // appends that the reserve still takes while it is full; negative: any number
	failed  error
	changed chan struct{}
}

func newMemJournal() *memJournal { return &memJournal{reserve: -1, changed: make(chan struct{})} }

func (j *memJournal) Append(ctx context.Context, entries []journal.Entry) (uint64, error) {
	return j.append(ctx, entries, false)
}

func (j *memJournal) AppendReserved(ctx context.Context, entries []journal.Entry) (uint64, error) {
	return j.append(ctx, entries, true)
}

func (j *memJournal) append(ctx context.Context, entries []journal.Entry, reserved bool) (uint64, error) {
	if j.delay > 0 {
		time.Sleep(j.delay)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.failed != nil:
		return 0, j.failed
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case j.full && !reserved, j.full && j.reserve == 0:
		return 0, journal.ErrFull
	case j.full:
		j.reserve--
	}
	if j.fullIn > 0 && !reserved {
		j.fullIn--
		j.full = j.fullIn == 0
	}
	first := uint64(len(j.entries)) + 1
	for i := range entries {
		entries[i].Position = first + uint64(i)
		entries[i].Time = time.Now().UTC()
		e := entries[i]
		e.Body = bytes.Clone(e.Body)
		j.entries = append(j.entries, e)
	}
	return first, nil
}

func (j *memJournal) Writable(ctx context.Context) error {
	for {
		j.mu.Lock()
		full, changed := j.full, j.changed
		j.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (j *memJournal) setFull(full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = full
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *memJournal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.entries))
}

func (j *memJournal) all() []journal.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]journal.Entry(nil), j.entries...)
}
