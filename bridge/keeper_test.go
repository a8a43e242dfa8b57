package bridge

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/journal"
)

// plain is a projection that counts facts.
type plain struct {
	position, facts uint64
	fail            error
}

func (p *plain) Name() string { return "plain" }
func (p *plain) Apply(e journal.Entry) error {
	if e.Position > p.position {
		p.position = e.Position
		p.facts++
	}
	return p.fail
}
func (p *plain) Save() (uint64, []byte, error) {
	return p.position, fmt.Append(nil, p.facts), p.fail
}
func (p *plain) Load(position uint64, body []byte) error {
	p.position = position
	_, err := fmt.Sscan(string(body), &p.facts)
	return err
}

// keeping is a keeper over a journal of small segments, with a clock to move.
type keeping struct {
	*keeper
	p         *plain
	t         *testing.T
	dir       string
	clock     time.Time
	needs     uint64
	publishes uint64
}

func newKeeping(t *testing.T, dir string, clock time.Time) *keeping {
	t.Helper()
	c := &keeping{p: &plain{}, t: t, dir: dir, clock: clock, needs: 1 << 60, publishes: 1 << 60}
	j, err := journal.Open(dir, journal.Options{
		SegmentBytes: 4 << 10, HighWater: -1, Reserve: -1, Now: func() time.Time { return c.clock },
	})
	must(t, err)
	c.keeper = newKeeper(j, []Projection{c.p}, hclog.NewNullLogger())
	c.retention, c.interval, c.entries = 72*time.Hour, time.Minute, 1000
	c.now = func() time.Time { return c.clock }
	c.needed = []func() uint64{func() uint64 { return c.needs }}
	c.published = func() uint64 { return min(c.publishes, j.Last()) }
	must(t, c.restore())
	return c
}

// write appends and applies, a little more than two segments' worth.
func (c *keeping) write() {
	c.t.Helper()
	for range 10 {
		first, err := c.journal.Append(c.t.Context(), []journal.Entry{{Kind: journal.KindFact, Body: make([]byte, 1000)}})
		must(c.t, err)
		must(c.t, c.p.Apply(journal.Entry{Position: first}))
	}
}

func (c *keeping) saved2() {
	c.t.Helper()
	for range 2 {
		c.write()
		must(c.t, c.snapshot(c.t.Context()))
	}
}

func (c *keeping) pruned() uint64 {
	c.t.Helper()
	must(c.t, c.prune())
	return c.journal.First() - 1
}

// TestPrune goes through the reasons to keep a segment.
func TestPrune(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		do   func(k *keeping)
		// deleted says whether anything is, in the end.
		deleted bool
	}{
		{"past everything", func(k *keeping) {
			k.saved2()
			k.pruned()
			k.clock = k.clock.Add(4 * day)
		}, true},
		{"within retention", func(k *keeping) {
			k.saved2()
			k.pruned()
			k.clock = k.clock.Add(2 * day)
		}, false},
		{"published only just now", func(k *keeping) {
			k.saved2()
			k.publishes = 0
			k.pruned()
			k.clock = k.clock.Add(10 * day)
			k.publishes = 1 << 60
			k.pruned()
			k.clock = k.clock.Add(23 * time.Hour)
		}, false},
		{"published a day ago", func(k *keeping) {
			k.saved2()
			k.publishes = 0
			k.pruned()
			k.clock = k.clock.Add(10 * day)
			k.publishes = 1 << 60
			k.pruned()
			k.clock = k.clock.Add(25 * time.Hour)
		}, true},
		{"not published", func(k *keeping) {
			k.saved2()
			k.publishes = 1
			k.pruned()
			k.clock = k.clock.Add(10 * day)
		}, false},
		{"lost by the bus after it was published", func(k *keeping) {
			k.saved2()
			k.pruned()
			k.clock = k.clock.Add(10 * day)
			k.publishes = 1
			k.pruned()
			k.publishes = 1 << 60
		}, false},
		{"needed", func(k *keeping) {
			k.saved2()
			k.needs = 1
			k.pruned()
			k.clock = k.clock.Add(10 * day)
		}, false},
		{"one snapshot", func(k *keeping) {
			k.write()
			must(k.t, k.snapshot(k.t.Context()))
			k.write()
			k.pruned()
			k.clock = k.clock.Add(10 * day)
		}, false},
		{"no snapshot", func(k *keeping) {
			k.write()
			k.write()
			k.pruned()
			k.clock = k.clock.Add(10 * day)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKeeping(t, t.TempDir(), start)
			defer func() { must(t, k.journal.Close()) }()
			c.do(k)
			if got := k.pruned() > 0; got != c.deleted {
				t.Errorf("deleted: %t, segments %+v", got, k.journal.Segments())
			}
		})
	}
}

// TestPruneAfterRestarts: that segments are published is not forgotten by a
// restart, and of one usable snapshot nothing is deleted.
func TestPruneAfterRestarts(t *testing.T) {
	dir, clock := t.TempDir(), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	k := newKeeping(t, dir, clock)
	k.saved2()
	k.pruned()
	for range 8 { // restarted every 12 hours
		k.write()
		must(t, k.snapshot(t.Context()))
		must(t, k.journal.Close())
		clock = clock.Add(12 * time.Hour)
		k = newKeeping(t, dir, clock)
		k.publishes = 0 // the relay has not looked yet
		k.pruned()
		k.publishes = 1 << 60
		k.pruned()
	}
	if k.journal.First() == 1 {
		t.Error("a bridge that is restarted often deletes nothing")
	}
	first := k.journal.First()
	must(t, k.journal.Close())

	list, err := filepath.Glob(filepath.Join(dir, "snapshot-*"))
	must(t, err)
	slices.Sort(list)
	spoil(t, list[1], -1)
	k = newKeeping(t, dir, clock.Add(100*24*time.Hour))
	if got := k.pruned(); got >= first {
		t.Errorf("with one usable snapshot everything below %d was deleted", got)
	}
	if k.p.facts != k.journal.Last() {
		t.Errorf("%d facts of %d", k.p.facts, k.journal.Last())
	}
	must(t, k.journal.Close())
}

// TestKeeperGoesOn: what goes wrong with a snapshot ends nothing.
func TestKeeperGoesOn(t *testing.T) {
	k := newKeeping(t, t.TempDir(), time.Now())
	defer func() { must(t, k.journal.Close()) }()
	k.write()
	k.p.fail = errors.New("not now")
	if err := k.snapshot(t.Context()); !errors.Is(err, k.p.fail) {
		t.Errorf("%v", err)
	}
	k.p.fail = nil
	must(t, k.snapshot(t.Context()))
	if s, damaged := k.journal.Snapshots(); len(s) != 1 || len(damaged) != 0 {
		t.Errorf("%d snapshots, %v", len(s), damaged)
	}
}
