package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

func open(t testing.TB, opts journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func facts(bodies ...string) []journal.Entry {
	entries := make([]journal.Entry, len(bodies))
	for i, b := range bodies {
		entries[i] = journal.Entry{Kind: journal.KindFact, Body: []byte(b)}
	}
	return entries
}

func appendFacts(t testing.TB, j *journal.Journal, bodies ...string) uint64 {
	t.Helper()
	first, err := j.Append(context.Background(), facts(bodies...))
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func bodies(entries []journal.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, fmt.Sprintf("%d:%s", e.Position, e.Body))
	}
	return all
}

func TestAppendAndRead(t *testing.T) {
	f := journaltest.NewFS()
	at := time.Date(2026, 5, 17, 9, 30, 0, 123456789, time.FixedZone("", 3600))
	opts := small(f)
	opts.Now = func() time.Time { return at }
	j := open(t, opts)
	if j.First() != 1 || j.Last() != 0 {
		t.Errorf("an empty journal has positions %d to %d", j.First(), j.Last())
	}
	entries := []journal.Entry{
		{Kind: journal.KindFact, Body: []byte("a")},
		{Kind: journal.KindPlan},
		{Kind: journal.KindDeadLetter, Body: bytes.Repeat([]byte("x"), 3000)},
	}
	first, err := j.Append(context.Background(), entries)
	must(t, err)
	if first != 1 || entries[2].Position != 3 || !entries[2].Time.Equal(at) {
		t.Errorf("first %d, set %d and %v", first, entries[2].Position, entries[2].Time)
	}
	entries[0].Body[0] = 'b' // the journal has its own copy
	id := j.ID()
	for range 2 { // from memory, then from the file
		r := j.Read(0)
		got, err := r.Next(context.Background(), 0, 0)
		must(t, err)
		if len(got) != 3 || string(got[0].Body) != "a" || len(got[1].Body) != 0 || len(got[2].Body) != 3000 ||
			got[1].Kind != journal.KindPlan || !got[1].Time.Equal(at) || got[1].Time.Location() != time.UTC {
			t.Errorf("read %+v", got)
		}
		must(t, r.Close())
		must(t, j.Close())
		j = open(t, opts)
	}
	if j.ID() != id || len(id) != 36 || id[14] != '4' {
		t.Errorf("the id %s became %s", id, j.ID())
	}
	must(t, j.Close())
	must(t, j.Close())
	if got, err := journal.ReadID(dir, f); err != nil || got != id {
		t.Errorf("the id as it is read alone: %s, %v", got, err)
	}
	if _, err := journal.ReadID(t.TempDir(), nil); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("the id of no journal: %v", err)
	}
}

func TestKind(t *testing.T) {
	want := map[journal.Kind]string{
		journal.KindFact: "fact true", journal.KindOutcome: "outcome true", journal.KindDeadLetter: "dead_letter true",
		journal.KindAccepted: "accepted false", journal.KindStarted: "started false", journal.KindPlan: "plan false",
		journal.KindProgress: "progress false",
		0:                    "kind(0) false", 9: "kind(9) false",
	}
	for k, s := range want {
		if got := fmt.Sprint(k, k.Public()); got != s {
			t.Errorf("kind %d is %q, want %q", uint8(k), got, s)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	opts := small(journaltest.NewFS())
	opts.MaxEntryBytes = 1 << 20
	j := open(t, opts)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	big := make([]journal.Entry, 70)
	for i := range big {
		big[i] = journal.Entry{Kind: journal.KindFact, Body: make([]byte, 1<<20)}
	}
	tests := []struct {
		name    string
		ctx     context.Context
		entries []journal.Entry
		want    error
	}{
		{"nothing", context.Background(), nil, nil},
		{"no kind", context.Background(), []journal.Entry{{Body: []byte("x")}}, nil},
		{"an unknown kind", context.Background(), []journal.Entry{{Kind: 99}}, nil},
		{"an entry that is too large", context.Background(), []journal.Entry{{Kind: 1, Body: make([]byte, 1<<20+1)}}, journal.ErrTooLarge},
		{"a batch that is too large", context.Background(), big, journal.ErrTooLarge},
		{"an ended context", ended, facts("x"), context.Canceled},
	}
	for _, tt := range tests {
		_, err := j.Append(tt.ctx, tt.entries)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if j.Last() != 0 {
		t.Errorf("something was appended: %d", j.Last())
	}
	must(t, j.Close())
	for name, err := range map[string]error{
		"append": second(j.Append(context.Background(), facts("x"))), "writable": j.Writable(context.Background()),
		"snapshot": j.SaveSnapshot(context.Background(), journal.Snapshot{}), "clear": j.ClearRepairs(),
		"next": second(j.Read(1).Next(context.Background(), 0, 0)), "delete": second(j.DeleteBefore(3)),
	} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// held is a journal whose writer stops after each sync until it is let go on.
type held struct {
	*journal.Journal
	at     chan struct{} // has a token when the writer stands
	permit chan struct{}
}

func hold(t *testing.T) *held {
	h := &held{at: make(chan struct{}), permit: make(chan struct{})}
	opts := small(journaltest.NewFS())
	opts.SegmentBytes = 1 << 20
	opts.Hook = func(point string) {
		if point == "synced" {
			h.at <- struct{}{}
			<-h.permit
		}
	}
	h.Journal = open(t, opts)
	return h
}

func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		var wg sync.WaitGroup
		firsts := make([]uint64, 51)
		for i := range firsts {
			wg.Go(func() { firsts[i] = appendFacts(t, h.Journal, fmt.Sprint(i), "and") })
			if i == 0 {
				<-h.at // the others come while this one is being written
			}
		}
		synctest.Wait()
		if h.Last() != 0 {
			t.Error("what is not yet acknowledged is visible")
		}
		h.permit <- struct{}{}
		<-h.at
		h.permit <- struct{}{}
		wg.Wait()
		if s := h.Stats(); s.Commits != 2 || s.Entries != 102 {
			t.Errorf("%d entries in %d commits", s.Entries, s.Commits)
		}
		slices.Sort(firsts)
		for i, first := range firsts {
			if first != uint64(2*i+1) {
				t.Errorf("the %dth append is at %d", i, first)
			}
		}
		go func() { <-h.at; h.permit <- struct{}{} }() // the mark
		must(t, h.Close())
	})
}

func TestAppendWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		ctx, cancel := context.WithCancel(context.Background())
		var writing, queued error
		var wg sync.WaitGroup
		wg.Go(func() { _, writing = h.Append(ctx, facts("writing")) })
		<-h.at
		wg.Go(func() { _, queued = h.Append(ctx, facts("queued")) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		h.permit <- struct{}{}
		wg.Wait()
		if writing != nil || !errors.Is(queued, context.Canceled) {
			t.Errorf("the one that was being written: %v, the one that waited: %v", writing, queued)
		}
		if h.Last() != 1 {
			t.Errorf("there are %d entries", h.Last())
		}
		go func() { <-h.at; h.permit <- struct{}{} }()
		must(t, h.Close())
	})
}

func TestDelete(t *testing.T) {
	f := journaltest.NewFS()
	var points []string
	opts := small(f)
	opts.Hook = func(p string) { points = append(points, p) }
	j := open(t, opts)
	for range 10 {
		appendFacts(t, j, strings.Repeat("x", 2500))
	}
	segs := j.Segments()
	if len(segs) != 5 || segs[0].First != 1 || !segs[0].Sealed || segs[4].Sealed || segs[4].Last != 10 || segs[1].LastTime.IsZero() {
		t.Fatalf("segments %+v", segs)
	}
	reader := j.Read(1)
	must(t, second(reader.Next(context.Background(), 1, 0)))
	before := j.Stats()
	points = nil
	for _, tt := range []struct {
		before  uint64
		deleted int
		first   uint64
	}{{1, 0, 1}, {2, 0, 1}, {3, 1, 3}, {8, 2, 7}, {100, 1, 9}} {
		n, err := j.DeleteBefore(tt.before)
		if err != nil || n != tt.deleted || j.First() != tt.first {
			t.Errorf("DeleteBefore(%d): %d, %v, first is %d", tt.before, n, err, j.First())
		}
	}
	if got := fmt.Sprint(points); got != "[segment_deleted segment_deleted segment_deleted]" {
		t.Errorf("hooks %v", got)
	}
	if s := j.Stats(); s.Bytes >= before.Bytes || s.Segments != 1 || s.First != 9 || s.Last != 10 {
		t.Errorf("stats %+v", s)
	}
	for _, r := range []*journal.Reader{reader, j.Read(1), j.Read(8)} {
		_, err := r.Next(context.Background(), 0, 0)
		var deleted *journal.DeletedError
		if !errors.As(err, &deleted) || deleted.First != 9 || !errors.Is(err, journal.ErrDeleted) {
			t.Errorf("reading what is deleted: %v", err)
		}
		must(t, r.Close())
	}
	if err := j.Scan(3, nil); !errors.Is(err, journal.ErrDeleted) {
		t.Errorf("scanning what is deleted: %v", err)
	}
	n := 0
	must(t, j.Scan(0, func(journal.Entry) error { n++; return nil }))
	if n != 2 {
		t.Errorf("%d entries are left", n)
	}
	must(t, j.Close())
	if j = open(t, opts); j.First() != 9 || j.Last() != 10 {
		t.Errorf("reopened: %d to %d", j.First(), j.Last())
	}
}

func TestFailedFsync(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	appendFacts(t, j, "kept")
	reader := j.Read(2)
	ends := make(chan error)
	go func() { _, err := reader.Next(context.Background(), 0, 0); ends <- err }()
	eio := errors.New("input/output error")
	f.Fault(func(op journaltest.Op) error {
		if op.Kind == journaltest.OpSync {
			return eio
		}
		return nil
	})
	if _, err := j.Append(context.Background(), facts("lost")); !errors.Is(err, journal.ErrFailed) || !errors.Is(err, eio) {
		t.Errorf("the append that met it: %v", err)
	}
	f.Fault(nil) // it would work again, but must not be trusted
	<-j.Failed()
	for name, err := range map[string]error{
		"append": second(j.Append(context.Background(), facts("x"))), "reserved": second(j.AppendReserved(context.Background(), facts("x"))),
		"writable": j.Writable(context.Background()), "snapshot": j.SaveSnapshot(context.Background(), journal.Snapshot{}),
		"delete": second(j.DeleteBefore(1)), "waiting reader": <-ends, "Err": j.Err(), "close": j.Close(),
	} {
		if !errors.Is(err, journal.ErrFailed) {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
	must(t, reader.Close())
	j = open(t, small(f))
	if j.Last() < 1 {
		t.Error("what was acknowledged is gone")
	}
}

func TestReadingGoesOnAfterFailure(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	appendFacts(t, j, "a", "b")
	f.Fault(func(op journaltest.Op) error {
		if op.Kind == journaltest.OpWrite {
			return errors.New("input/output error")
		}
		return nil
	})
	if _, err := j.Append(context.Background(), facts("c")); !errors.Is(err, journal.ErrFailed) {
		t.Fatal(err)
	}
	n := 0
	must(t, j.Scan(0, func(journal.Entry) error { n++; return nil }))
	if n != 2 {
		t.Errorf("read %d entries", n)
	}
}

func TestLock(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	if _, err := journal.Open(dir, small(f)); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a second Open: %v", err)
	}
	if _, err := journal.Repair(dir, f); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("Repair while open: %v", err)
	}
	appendFacts(t, j, "a")
	if r, err := journal.Inspect(dir, f); err != nil || !r.Locked || !r.OK() || r.Entries != 1 {
		t.Errorf("Inspect while open: %+v, %v", r, err)
	}
	must(t, j.Close())
	open(t, small(f))
}

func TestNotFound(t *testing.T) {
	f := journaltest.NewFS()
	must(t, f.MkdirAll("/empty"))
	for _, d := range []string{"/empty", "/nowhere"} {
		if _, err := journal.Inspect(d, f); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("Inspect(%s): %v", d, err)
		}
		if _, err := journal.Repair(d, f); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("Repair(%s): %v", d, err)
		}
	}
	if names := f.Files("/empty"); len(names) > 0 {
		t.Errorf("they left %v", names)
	}
}

// TestMark lets the log be idle, which marks its end as synced: from then on a
// damaged last commit is not taken for one that was never synced.
func TestMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := journaltest.NewFS()
		j := open(t, small(f).WithMarkAfter(time.Second))
		appendFacts(t, j, "first")
		appendFacts(t, j, "last")
		flip := func() *journaltest.FS {
			g := f.Crash(journaltest.States(0, 0)[0])
			name := dir + "/00000000000000000001.seg"
			b, err := g.ReadFile(name)
			must(t, err)
			i := bytes.Index(b, []byte("last"))
			b[i] ^= 1
			g.WriteFile(name, b)
			return g
		}
		if got, err := read(flip()); err != nil || len(got) != 1 {
			t.Errorf("before the mark: %d entries, %v", len(got), err)
		}
		time.Sleep(2 * time.Second) // of the bubble's clock
		synctest.Wait()
		if _, err := read(flip()); !errors.Is(err, journal.ErrCorrupt) {
			t.Errorf("after the mark: %v", err)
		}
		ops := f.Ops()
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.Ops() != ops {
			t.Errorf("an idle journal did %d things in an hour", f.Ops()-ops)
		}
		must(t, j.Close())
	})
}

func TestVersion(t *testing.T) {
	for _, where := range []string{"header", "footer"} {
		f := journaltest.NewFS()
		j := open(t, small(f))
		for range 6 {
			appendFacts(t, j, strings.Repeat("x", 2500))
		}
		must(t, j.Close())
		name := dir + "/00000000000000000001.seg"
		b, err := f.ReadFile(name)
		must(t, err)
		if where == "header" {
			journal.SetVersion(b[:64], 2)
		} else {
			journal.SetVersion(b[len(b)-88:], 2)
		}
		f.WriteFile(name, b)
		for what, err := range map[string]error{
			"Open":    second(journal.Open(dir, small(f))),
			"Inspect": second(journal.Inspect(dir, f)),
			"Repair":  second(journal.Repair(dir, f)),
		} {
			if err == nil || errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), "version 2") {
				t.Errorf("%s of a newer %s: %v", what, where, err)
			}
		}
	}
}
