package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

// TestConcurrent has everything happen at once: appends of both sorts, readers
// at the end and from the beginning, snapshots, deletions, figures.
func TestConcurrent(t *testing.T) {
	f := journaltest.NewFS()
	opts := small(f)
	opts.SegmentBytes = 64 << 10
	j := open(t, opts)
	w := newWorld()
	const writers, each = 8, 60
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var work, rest sync.WaitGroup
	for i := range writers {
		work.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range each {
				if err := w.append(j, i%2 == 0, r.IntN(900), r.IntN(900)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 4 {
		work.Go(func() {
			r := j.Read(1)
			defer r.Close()
			next := uint64(1)
			for next <= writers*each*2 {
				entries, err := r.Next(ctx, 1+i*100, 0)
				if deleted := new(journal.DeletedError); errors.As(err, &deleted) {
					must(t, r.Close())
					r = j.Read(0)
					entries, err = r.Next(ctx, 1, 0)
					if err == nil {
						next = entries[0].Position
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range entries {
					number, i, n, size, err := parseBody(e.Body)
					if err != nil || e.Position != next || string(e.Body) != string(body(number, i, n, size)) {
						t.Errorf("position %d instead of %d: %v", e.Position, next, err)
						return
					}
					next++
				}
			}
		})
	}
	stop := make(chan struct{})
	rest.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := j.SaveSnapshot(ctx, snapshot(j.Last(), fmt.Sprint(n))); err != nil {
				t.Error(err)
			}
			if last := j.Last(); last > 300 && n%10 == 0 {
				if _, err := j.DeleteBefore(last - 300); err != nil {
					t.Error(err)
				}
			}
			_ = j.Stats()
			_ = j.Segments()
			if got, errs := j.Snapshots(); len(errs) > 0 || len(got) == 0 {
				t.Error(errs)
			}
			if r, err := journal.Inspect(dir, f); err != nil || !r.OK() {
				t.Errorf("inspect: %+v, %v", r.Damage, err)
			}
		}
	})
	work.Wait()
	close(stop)
	rest.Wait()
	w.mayDelete = j.First()
	w.mayHave = nil
	got, _ := j.Snapshots()
	w.snapshot = &got[0]
	if _, err := w.check(j); err != nil {
		t.Error(err)
	}
}

// TestCrashConcurrently turns the machine off while many append at once: what
// shares a commit is there together or not at all, and nobody's half.
func TestCrashConcurrently(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		f := journaltest.NewFS()
		opts := small(f)
		opts.SegmentBytes = 24 << 10
		j := open(t, opts)
		w := newWorld()
		r := rand.New(rand.NewPCG(uint64(round), 7))
		f.CrashAt(10 + r.IntN(90))
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				for {
					sizes := make([]int, 1+r.IntN(4))
					for i := range sizes {
						sizes[i] = r.IntN(1500)
					}
					if err := w.append(j, r.IntN(2) == 0, sizes...); err != nil {
						if !errors.Is(err, journaltest.ErrCrashed) {
							t.Errorf("append: %v", err)
						}
						return
					}
				}
			})
		}
		wg.Wait()
		_ = j.Close()
		for _, s := range journaltest.States(uint64(round), 4) {
			if err := w.reopen(f.Crash(s), opts); err != nil {
				t.Fatalf("round %d, %v on disk: %v", round, s, err)
			}
		}
	}
}
