package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/journal"
)

// Projection is something built from the journal's entries alone. Replaying
// the entries after the saved position on the loaded state gives the current
// state; applying an entry twice changes nothing. The saved position is that
// of the journal's end wherever nothing before it is missing from the state,
// also when the entries there are none of the projection's: what lies below it
// may be deleted.
type Projection interface {
	Name() string
	Apply(journal.Entry) error
	Save() (position uint64, body []byte, err error)
	Load(position uint64, body []byte) error
}

// StateLostError says that the journal no longer holds what the state was
// built from, and no snapshot that can be read replaces it.
type StateLostError struct {
	First  uint64 // the first position still there
	Causes []error
}

func (e *StateLostError) Error() string {
	return fmt.Sprintf("the journal begins at position %d and none of its snapshots can be read (%v): the state before it is lost; "+
		"run \"timbridge journal repair\", which goes on with what is there and says what is in doubt", e.First, errors.Join(e.Causes...))
}

// keeper builds the projections at the start, writes snapshots of them, and
// deletes segments that nothing needs any more.
type keeper struct {
	journal     *journal.Journal
	projections []Projection
	log         hclog.Logger
	now         func() time.Time

	// interval and entries say when a snapshot is due, retention how long
	// entries stay.
	interval  time.Duration
	entries   uint64
	retention time.Duration
	// needed are the lowest positions that others may still read; published is
	// the one through which everything public is on the bus.
	needed    []func() uint64
	published func() uint64

	asked chan struct{} // a snapshot is wanted at once
	clear atomic.Bool   // the repairs are told: a snapshot may replace them

	// Of restore, and then of run's goroutine.
	saved         uint64 // the journal's end at the last snapshot
	newest, older uint64 // what the two kept snapshots cover, 0 for none
	// released is when a segment, by its last position, was known to be published.
	released map[uint64]time.Time

	mu   sync.Mutex // guards done
	done keeperStats
}

func newKeeper(j *journal.Journal, projections []Projection, log hclog.Logger) *keeper {
	return &keeper{
		journal: j, projections: projections, log: log, now: time.Now,
		asked: make(chan struct{}, 1), released: map[uint64]time.Time{},
	}
}

// repairsTold has the journal's repairs forgotten as soon as a snapshot holds
// what was made of them: without it, a journal that has lost its beginning
// could not be opened.
func (k *keeper) repairsTold() {
	k.clear.Store(true)
	select {
	case k.asked <- struct{}{}:
	default:
	}
}

// keeperStats count what the keeper did since the start.
type keeperStats struct{ snapshots, deleted uint64 }

func (k *keeper) stats() keeperStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.done
}

func (k *keeper) count(snapshots, deleted int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.done.snapshots += uint64(snapshots)
	k.done.deleted += uint64(deleted)
}

// restore brings every projection to the end of the journal.
func (k *keeper) restore() error {
	snapshots, damaged := k.journal.Snapshots()
	for _, err := range damaged {
		k.log.Error("a snapshot cannot be read; an older one and the journal take its place", "error", err)
	}
	causes := damaged
	for i, s := range snapshots {
		from, err := k.load(s)
		if err != nil {
			causes = append(causes, err)
			k.log.Error("a snapshot cannot be used; an older one and the journal take its place", "position", s.Position, "error", err)
			continue
		}
		// Only of two that can be used the older one is a reason to delete what
		// it covers.
		if i == 0 {
			k.newest = s.Position
			if len(snapshots) > 1 {
				k.older = snapshots[1].Position
			}
		}
		k.loadReleased(s)
		return k.replay(from)
	}
	first := k.journal.First()
	if first > 1 && k.journal.Last() > 0 && !k.repaired(first) {
		return &StateLostError{First: first, Causes: causes}
	}
	return k.replay(func(string) uint64 { return 0 })
}

// repaired says whether a repair has taken note of everything below first.
func (k *keeper) repaired(first uint64) bool {
	for _, s := range k.journal.Repairs() {
		if s.First <= 1 && s.Last+1 >= first {
			return true
		}
	}
	return false
}

// load gives the projections a snapshot's sections; the result tells from
// which position each is to be replayed.
func (k *keeper) load(s journal.Snapshot) (func(name string) uint64, error) {
	positions := map[string]uint64{}
	for _, p := range k.projections {
		section, ok := s.Section(p.Name())
		if !ok {
			if k.journal.First() > 1 {
				return nil, fmt.Errorf("snapshot at %d: no section %q", s.Position, p.Name())
			}
			continue
		}
		if section.Position+1 < k.journal.First() {
			return nil, fmt.Errorf("snapshot at %d: the journal no longer holds what follows section %q at %d", s.Position, p.Name(), section.Position)
		}
		if err := p.Load(section.Position, section.Body); err != nil {
			return nil, fmt.Errorf("snapshot at %d: %w", s.Position, err)
		}
		positions[p.Name()] = section.Position
	}
	return func(name string) uint64 { return positions[name] }, nil
}

func (k *keeper) replay(from func(name string) uint64) error {
	floor := k.journal.Last()
	after := make([]uint64, len(k.projections))
	for i, p := range k.projections {
		after[i] = from(p.Name())
		floor = min(floor, after[i])
	}
	start, count := time.Now(), 0
	// Where a repair has given up the beginning, from what is left.
	err := k.journal.Scan(max(floor+1, k.journal.First()), func(e journal.Entry) error {
		count++
		for i, p := range k.projections {
			if e.Position > after[i] {
				if err := p.Apply(e); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay the journal from position %d: %w", floor+1, err)
	}
	k.saved = floor
	if count > 0 {
		k.log.Debug("state built from the journal", "entries", count, "took", time.Since(start).Round(time.Millisecond))
	}
	return nil
}

// run writes snapshots and deletes segments until ctx ends, and writes a last
// snapshot then. Nothing that goes wrong ends it: the journal itself is whole.
func (k *keeper) run(ctx context.Context) error {
	tick := time.NewTicker(max(k.interval/10, 100*time.Millisecond))
	defer tick.Stop()
	last := k.now()
	for {
		asked := false
		select {
		case <-ctx.Done():
			// The process ends in order: the next start has nothing to replay.
			final, cancel := context.WithTimeout(context.WithoutCancel(ctx), snapshotLimit)
			defer cancel()
			if err := k.snapshot(final); err != nil {
				k.log.Warn("the last snapshot cannot be written; the next start reads more of the journal", "error", err)
			}
			return nil
		case <-k.asked:
			asked = true
		case <-tick.C:
		}
		grown := k.journal.Last() - k.saved
		if asked || grown > 0 && (k.now().Sub(last) >= k.interval || grown >= k.entries) {
			last = k.now()
			if err := k.snapshot(ctx); err != nil && ctx.Err() == nil {
				k.log.Error("the snapshot cannot be written; it is tried again", "error", err)
			}
		}
		if err := k.prune(); err != nil {
			k.log.Error("old segments cannot be deleted; it is tried again", "error", err)
		}
	}
}

// snapshot saves all projections, if anything came since the last time.
func (k *keeper) snapshot(ctx context.Context) error {
	clear := k.clear.Load()
	if k.journal.Last() != k.saved {
		if err := k.save(ctx); err != nil {
			return err
		}
	}
	if clear {
		if err := k.journal.ClearRepairs(); err != nil {
			return err
		}
		k.clear.Store(false)
	}
	return nil
}

func (k *keeper) save(ctx context.Context) error {
	at := k.journal.Last()
	s := journal.Snapshot{Position: at}
	for _, p := range k.projections {
		position, body, err := p.Save()
		if err != nil {
			return fmt.Errorf("save projection %s: %w", p.Name(), err)
		}
		s.Sections = append(s.Sections, journal.Section{Name: p.Name(), Position: position, Body: body})
		s.Position = min(s.Position, position)
	}
	released, err := json.Marshal(k.released)
	if err != nil {
		return err
	}
	s.Sections = append(s.Sections, journal.Section{Name: releasedSection, Position: at, Body: released})
	if err := k.journal.SaveSnapshot(ctx, s); err != nil {
		return err
	}
	k.saved, k.older, k.newest = at, k.newest, s.Position
	k.count(1, 0)
	return nil
}

// releasedSection is the keeper's own part of a snapshot: since when segments
// are published, which a restart must not begin to count anew.
const releasedSection = "bridge.released"

func (k *keeper) loadReleased(s journal.Snapshot) {
	section, ok := s.Section(releasedSection)
	if !ok {
		return
	}
	if err := json.Unmarshal(section.Body, &k.released); err != nil {
		k.log.Warn("since when segments are published is not known any more; they stay longer", "error", err)
		k.released = map[uint64]time.Time{}
	}
}

// settle is how long a published entry stays at least.
const settle = 24 * time.Hour

// prune deletes the segments that are past retention and that nothing needs.
func (k *keeper) prune() error {
	limit := k.older + 1
	for _, needed := range k.needed {
		limit = min(limit, needed())
	}
	published, now := k.published(), k.now()
	if published == 0 {
		return nil // the relay has not looked yet
	}
	keep := min(k.retention, settle)
	before, released := uint64(0), map[uint64]time.Time{}
	for deleting, segments := true, k.journal.Segments(); len(segments) > 0 && segments[0].Sealed; segments = segments[1:] {
		s := segments[0]
		if s.Last > published {
			break // or not any more: the bus has lost its tail
		}
		at, ok := k.released[s.Last]
		if !ok {
			at = now
		}
		released[s.Last] = at
		deleting = deleting && s.Last < limit && now.Sub(s.LastTime) >= k.retention && now.Sub(at) >= keep
		if deleting {
			before = s.Last + 1
		}
	}
	k.released = released
	if before == 0 {
		return nil
	}
	n, err := k.journal.DeleteBefore(before)
	k.count(0, n)
	if n > 0 {
		k.log.Info("old segments deleted", "segments", n, "before_position", before)
	}
	return err
}
