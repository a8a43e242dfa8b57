package journal_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

func TestReaderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		r := h.Read(1)
		var got []journal.Entry
		var wg sync.WaitGroup
		wg.Go(func() {
			var err error
			got, err = r.Next(context.Background(), 0, 0)
			if err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { appendFacts(t, h.Journal, "a", "b") })
		<-h.at
		synctest.Wait()
		if got != nil {
			t.Error("the reader saw what was not yet acknowledged")
		}
		h.permit <- struct{}{}
		wg.Wait()
		if !slices.Equal(bodies(got), []string{"1:a", "2:b"}) || r.Position() != 3 {
			t.Errorf("read %v, then at %d", bodies(got), r.Position())
		}

		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := r.Next(ctx, 0, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at the end: %v", err)
		}
		go func() {
			for range 2 { // the append, and in the end the mark
				<-h.at
				h.permit <- struct{}{}
			}
		}()
		appendFacts(t, h.Journal, "c")
		if got, err := r.Next(context.Background(), 0, 0); err != nil || !slices.Equal(bodies(got), []string{"3:c"}) {
			t.Errorf("after a timeout: %v, %v", bodies(got), err)
		}

		ends := make(chan error, 2)
		other := h.Read(9)
		go func() { _, err := r.Next(context.Background(), 0, 0); ends <- err }()
		go func() { _, err := other.Next(context.Background(), 0, 0); ends <- err }()
		synctest.Wait()
		must(t, r.Close())
		if err := <-ends; !errors.Is(err, journal.ErrClosed) {
			t.Errorf("after the reader's Close: %v", err)
		}
		must(t, h.Close())
		if err := <-ends; !errors.Is(err, journal.ErrClosed) {
			t.Errorf("after the journal's Close: %v", err)
		}
		must(t, other.Close())
	})
}

func TestReaderLimits(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	appendFacts(t, j, "aaaa", "bb", "cccccccc", "d")
	appendFacts(t, j, "ee", strings.Repeat("f", 5000), "g")
	tests := []struct {
		from       uint64
		max, bytes int
		want       int
	}{
		{0, 0, 0, 7}, {1, 1, 0, 1}, {1, 5, 0, 5}, {2, 100, 0, 6}, {1, 0, 6, 2}, {1, 0, 5, 1}, {1, 0, 1, 1},
		{3, 0, 9, 2}, {6, 0, 10, 1}, {5, 0, 10, 1}, {7, 0, 0, 1}, {4, 2, 1 << 20, 2},
	}
	for range 2 {
		for _, tt := range tests {
			r := j.Read(tt.from)
			got, err := r.Next(context.Background(), tt.max, tt.bytes)
			if err != nil || len(got) != tt.want || got[0].Position != max(1, tt.from) || r.Position() != got[0].Position+uint64(tt.want) {
				t.Errorf("Next(%d, %d) from %d: %d entries, %v", tt.max, tt.bytes, tt.from, len(got), err)
			}
			must(t, r.Close())
		}
		must(t, j.Close())
		j = open(t, small(f)) // now from the files
	}
}

// TestReadFromAnywhere reads from every position with every step, over several
// segments, while the end is in memory and when it is not.
func TestReadFromAnywhere(t *testing.T) {
	f := journaltest.NewFS()
	opts := small(f)
	opts.SegmentBytes = 200 << 10
	j := open(t, opts)
	for i := range 60 {
		must(t, second(j.Append(context.Background(), []journal.Entry{
			{Kind: journal.KindFact, Body: body(i, 0, 2, 5000+i*300)}, {Kind: journal.KindPlan, Body: body(i, 1, 2, 100)},
		})))
	}
	if n := len(j.Segments()); n < 3 {
		t.Fatalf("%d segments", n)
	}
	for range 2 {
		for from := uint64(1); from <= j.Last(); from += 5 {
			for _, limit := range []int{1, 7, 1000} {
				next := from
				r := j.Read(from)
				for next <= min(j.Last(), from+30) {
					entries, err := r.Next(context.Background(), limit, 0)
					must(t, err)
					for _, e := range entries {
						number, i, n, size, err := parseBody(e.Body)
						if err != nil || e.Position != next || uint64(number*2+i+1) != next || !bytes.Equal(e.Body, body(number, i, n, size)) {
							t.Fatalf("from %d: position %d is %d/%d, want %d (%v)", from, e.Position, number, i, next, err)
						}
						next++
					}
				}
				must(t, r.Close())
			}
		}
		must(t, j.Close())
		j = open(t, opts)
	}
}

func TestScan(t *testing.T) {
	j := open(t, small(journaltest.NewFS()))
	must(t, j.Scan(0, func(journal.Entry) error { return errors.New("an entry in an empty journal") }))
	appendFacts(t, j, "a", "b", "c")
	var got []string
	must(t, j.Scan(2, func(e journal.Entry) error {
		got = append(got, string(e.Body))
		if len(got) == 1 {
			appendFacts(t, j, "too late")
		}
		return nil
	}))
	if !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("scanned %q", got)
	}
	stop := errors.New("enough")
	if err := j.Scan(1, func(journal.Entry) error { return stop }); err != stop {
		t.Errorf("scan ended with %v", err)
	}
	must(t, j.Scan(99, func(journal.Entry) error { return stop }))
}
