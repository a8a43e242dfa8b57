package journal_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

var kib = strings.Repeat("k", 1000)

// untilFull appends entries of a kilobyte until the journal refuses.
func untilFull(t *testing.T, j *journal.Journal, do func(context.Context, []journal.Entry) (uint64, error)) (n int) {
	t.Helper()
	for ; ; n++ {
		_, err := do(context.Background(), facts(kib))
		if errors.Is(err, journal.ErrFull) {
			return n
		}
		must(t, err)
		if n > 10_000 {
			t.Fatal("it is never full")
		}
	}
}

// TestFullDisk fills the volume to its last block, by the journal itself and by
// others, and frees it again.
func TestFullDisk(t *testing.T) {
	tests := []struct {
		name     string
		allocate bool
		others   bool // another program takes every block that is left
		reserved int  // entries of a kilobyte that must still fit
	}{
		{"allocated", true, false, 15},
		{"allocated, others take the rest", true, true, 15},
		{"not allocated", false, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := journaltest.NewFS()
			f.Capacity(200 << 10)
			f.Without(false, !tt.allocate)
			opts := small(f)
			opts.SegmentBytes, opts.Reserve = 32<<10, 16<<10
			if !tt.allocate {
				opts.HighWater = 40 << 10 // the only reserve there is
				tt.reserved = 30
			}
			j := open(t, opts)
			if n := untilFull(t, j, j.Append); n < 100 {
				t.Fatalf("full after %d entries", n)
			}
			if tt.others {
				free, _ := f.Free(dir)
				f.Others(free)
			}
			if s := j.Stats(); !s.Full || tt.allocate && s.Reserve < 14<<10 {
				t.Errorf("stats %+v", s)
			}
			written := j.Last()
			if n := untilFull(t, j, j.AppendReserved); n < tt.reserved {
				t.Errorf("the reserve held %d entries", n)
			}
			if err := second(j.Append(context.Background(), facts("x"))); !errors.Is(err, journal.ErrFull) {
				t.Errorf("an ordinary append on a full disk: %v", err)
			}
			full := j.Last()
			must(t, j.Close())
			j = open(t, opts) // it opens on the full disk
			if j.Last() != full || full <= written {
				t.Errorf("%d entries of %d", j.Last(), full)
			}
			f.Others(0)
			must(t, second(j.DeleteBefore(j.Last())))
			must(t, j.Writable(context.Background()))
			if n := untilFull(t, j, j.Append); n < 60 {
				t.Errorf("%d entries after freeing space", n)
			}
			must(t, j.Close())
			if r, err := journal.Inspect(dir, f); err != nil || !r.OK() {
				t.Errorf("inspect: %+v, %v", r.Damage, err)
			}
		})
	}
}

func TestHighWater(t *testing.T) {
	f := journaltest.NewFS()
	f.Capacity(1 << 20)
	opts := small(f)
	opts.HighWater = 512 << 10
	j := open(t, opts)
	appendFacts(t, j, "a")
	f.Others(500 << 10)
	if err := second(j.Append(context.Background(), facts(kib, kib, kib, kib, kib, kib, kib, kib, kib, kib))); !errors.Is(err, journal.ErrFull) {
		t.Fatalf("below the mark: %v", err)
	}
	must(t, second(j.AppendReserved(context.Background(), facts("outcome"))))
	f.Others(460 << 10) // a little above the mark, not enough to go on
	if err := second(j.Append(context.Background(), facts("b"))); !errors.Is(err, journal.ErrFull) || !j.Stats().Full {
		t.Errorf("just above the mark: %v", err)
	}
	f.Others(300 << 10)
	if j.Stats().Free < 600<<10 {
		t.Errorf("free: %d", j.Stats().Free)
	}
	must(t, second(j.Append(context.Background(), facts("b"))))
	if j.Stats().Full {
		t.Error("still full")
	}
}

func TestMaxDiskBytes(t *testing.T) {
	f := journaltest.NewFS()
	opts := small(f)
	opts.MaxDiskBytes = 64 << 10
	opts.Reserve = 8 << 10
	j := open(t, opts)
	untilFull(t, j, j.Append)
	if s := j.Stats(); s.Bytes < 50<<10 || s.Bytes > 56<<10 || !s.Full {
		t.Errorf("stats %+v", s)
	}
	if n := untilFull(t, j, j.AppendReserved); n < 6 || n > 8 {
		t.Errorf("the reserve held %d entries", n)
	}
	// Only a newer snapshot lets segments go, so it is not held back.
	must(t, j.SaveSnapshot(context.Background(), journal.Snapshot{Position: j.Last(), Sections: []journal.Section{{Name: "a", Body: []byte(kib)}}}))
	must(t, second(j.DeleteBefore(j.Last())))
	appendFacts(t, j, kib)
}

func TestWritable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := journaltest.NewFS()
		f.Capacity(100 << 10)
		opts := small(f)
		j, err := journal.Open(dir, opts)
		must(t, err)
		defer j.Close()
		must(t, j.Writable(context.Background()))
		untilFull(t, j, j.Append)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := j.Writable(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it is full: %v", err)
		}
		ended := make(chan error)
		go func() { ended <- j.Writable(context.Background()) }()
		synctest.Wait()
		f.Capacity(200 << 10)
		begin := time.Now()
		must(t, <-ended)
		if d := time.Since(begin); d > time.Second {
			t.Errorf("noticed after %v", d)
		}
		appendFacts(t, j, kib)
	})
}

// TestTornByFullDisk has writes fail in part for lack of space, which free space
// did not foretell: a quota, say.
func TestTornByFullDisk(t *testing.T) {
	f := journaltest.NewFS()
	f.Without(false, true)
	j := open(t, small(f))
	w := newWorld()
	full := true
	f.Fault(func(op journaltest.Op) error {
		if op.Kind == journaltest.OpWrite && op.Len > 500 && full {
			return syscall.ENOSPC
		}
		return nil
	})
	for i := range 20 {
		must(t, w.append(j, false, 30+i))
		if err := w.append(j, i%2 == 0, 900, 900); !errors.Is(err, journal.ErrFull) {
			t.Fatalf("append: %v", err)
		}
		if i%5 == 4 {
			full = false
			must(t, w.append(j, false, 700, 10))
			full = true
		}
		for _, s := range journaltest.States(uint64(i), 2) {
			if err := w.reopen(f.Crash(s), small(f)); err != nil {
				t.Fatalf("round %d, %v on disk: %v", i, s, err)
			}
		}
	}
	if _, err := w.check(j); err != nil {
		t.Error(err)
	}
}

// TestRotationWithoutSpace has no space for the next segment: the log goes on in
// the one it is in.
func TestRotationWithoutSpace(t *testing.T) {
	for _, step := range []struct {
		name string
		kind journaltest.Kind
		end  string
	}{
		{"create", journaltest.OpCreate, ".tmp"}, {"allocate", journaltest.OpAllocate, ".tmp"},
		{"header", journaltest.OpWrite, ".tmp"}, {"rename", journaltest.OpRename, ".seg"},
		{"footer", journaltest.OpWrite, ".seg"},
	} {
		t.Run(step.name, func(t *testing.T) {
			f := journaltest.NewFS()
			j := open(t, small(f))
			w := newWorld()
			space := false
			f.Fault(func(op journaltest.Op) error {
				if space || op.Kind != step.kind || !strings.HasSuffix(op.Name, step.end) {
					return nil
				}
				if step.name == "footer" && (op.Len < 88 || op.Len > 400) {
					return nil // a commit
				}
				return syscall.ENOSPC
			})
			for i := range 20 {
				must(t, w.append(j, false, 800))
				for _, s := range journaltest.States(uint64(i), 1) {
					if err := w.reopen(f.Crash(s), small(f)); err != nil {
						t.Fatalf("entry %d, %v on disk: %v", i, s, err)
					}
				}
			}
			if n := len(j.Segments()); n != 1 {
				t.Errorf("%d segments", n)
			}
			space = true
			for range 20 {
				must(t, w.append(j, false, 800))
			}
			if n := len(j.Segments()); n < 3 {
				t.Errorf("%d segments when there is space again", n)
			}
			if _, err := w.check(j); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTooManyOpenFiles cannot create the next segment for another reason.
func TestTooManyOpenFiles(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	f.Fault(func(op journaltest.Op) error {
		if op.Kind == journaltest.OpCreate {
			return syscall.EMFILE
		}
		return nil
	})
	for range 20 {
		appendFacts(t, j, kib)
	}
	f.Fault(nil)
	appendFacts(t, j, kib)
	if n := len(j.Segments()); n != 2 {
		t.Errorf("%d segments", n)
	}
}
