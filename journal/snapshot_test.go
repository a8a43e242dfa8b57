package journal_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

func snapshot(position uint64, body string) journal.Snapshot {
	return journal.Snapshot{Position: position, Sections: []journal.Section{
		{Name: "ledger", Position: position, Body: []byte(body)}, {Name: "seen", Body: nil},
	}}
}

func snapshotFiles(f *journaltest.FS) (all []string) {
	for _, name := range f.Files(dir) {
		if strings.HasPrefix(name, "snapshot-") {
			all = append(all, name)
		}
	}
	return all
}

func damageFile(t *testing.T, f *journaltest.FS, name string) {
	t.Helper()
	b, err := f.ReadFile(path.Join(dir, name))
	must(t, err)
	b[len(b)-1] ^= 4
	f.WriteFile(path.Join(dir, name), b)
}

func TestSnapshots(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	if got, errs := j.Snapshots(); len(got)+len(errs) != 0 {
		t.Errorf("at first: %v, %v", got, errs)
	}
	appendFacts(t, j, "a", "b", "c", "d")
	for i, s := range []journal.Snapshot{snapshot(1, "one"), snapshot(2, "two"), snapshot(2, "two again"), snapshot(4, "four")} {
		must(t, j.SaveSnapshot(context.Background(), s))
		if n := len(snapshotFiles(f)); n != min(i+1, 2) {
			t.Errorf("%d files after %d snapshots", n, i+1)
		}
	}
	for range 2 {
		got, errs := j.Snapshots()
		if len(errs) > 0 || len(got) != 2 || got[0].Position != 4 || got[1].Position != 2 || got[0].Time.IsZero() {
			t.Fatalf("snapshots %+v, %v", got, errs)
		}
		ledger, ok := got[1].Section("ledger")
		if _, other := got[1].Section("nothing"); !ok || other || string(ledger.Body) != "two again" || ledger.Position != 2 {
			t.Errorf("section %+v", ledger)
		}
		must(t, j.Close())
		j = open(t, small(f))
	}
	if s := j.Stats(); s.Snapshots != 2 || s.SnapshotBytes < 200 {
		t.Errorf("stats %+v", s)
	}

	// The newest is damaged: it is told, the older one is returned, and it is
	// not the older one that goes when the next is saved.
	names := snapshotFiles(f)
	damageFile(t, f, names[1])
	got, errs := j.Snapshots()
	var damage *journal.CorruptError
	if len(got) != 1 || got[0].Position != 2 || len(errs) != 1 || !errors.As(errs[0], &damage) || damage.Segment != names[1] {
		t.Errorf("snapshots %+v, %v", got, errs)
	}
	must(t, j.SaveSnapshot(context.Background(), snapshot(4, "four again")))
	got, errs = j.Snapshots()
	if len(errs) != 0 || len(got) != 2 || got[1].Position != 2 {
		t.Errorf("afterwards: %+v, %v", got, errs)
	}
}

func TestSnapshotRefused(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	appendFacts(t, j, "a", "b")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		s    journal.Snapshot
	}{
		{"ahead of the log", context.Background(), snapshot(3, "")},
		{"a section ahead of the log", context.Background(), journal.Snapshot{Sections: []journal.Section{{Name: "a", Position: 3}}}},
		{"a section without a name", context.Background(), journal.Snapshot{Sections: []journal.Section{{}}}},
		{"a long name", context.Background(), journal.Snapshot{Sections: []journal.Section{{Name: strings.Repeat("n", 256)}}}},
		{"a name twice", context.Background(), journal.Snapshot{Sections: []journal.Section{{Name: "a"}, {Name: "a"}}}},
		{"an ended context", ended, snapshot(1, "")},
	}
	for _, tt := range tests {
		if err := j.SaveSnapshot(tt.ctx, tt.s); err == nil {
			t.Errorf("%s was saved", tt.name)
		}
	}
	if n := len(snapshotFiles(f)); n != 0 {
		t.Errorf("%d files", n)
	}
}

// TestSnapshotFails lets each step of saving fail: the snapshot before stays,
// and nothing of the new one does.
func TestSnapshotFails(t *testing.T) {
	for _, tt := range []struct {
		kind journaltest.Kind
		err  error
		want error
	}{
		{journaltest.OpCreate, syscall.ENOSPC, journal.ErrFull}, {journaltest.OpWrite, syscall.ENOSPC, journal.ErrFull},
		{journaltest.OpSync, syscall.EIO, syscall.EIO}, {journaltest.OpRename, syscall.EIO, syscall.EIO},
		{journaltest.OpSyncDir, syscall.EIO, journal.ErrFailed},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			f := journaltest.NewFS()
			j := open(t, small(f))
			appendFacts(t, j, "a", "b")
			must(t, j.SaveSnapshot(context.Background(), snapshot(1, "one")))
			f.Fault(func(op journaltest.Op) error {
				if op.Kind == tt.kind {
					return fmt.Errorf("%s: %w", op.Name, tt.err)
				}
				return nil
			})
			if err := j.SaveSnapshot(context.Background(), snapshot(2, "two")); !errors.Is(err, tt.want) {
				t.Errorf("saving: %v", err)
			}
			f.Fault(nil)
			if tt.kind != journaltest.OpSyncDir {
				appendFacts(t, j, "c") // the log is not concerned
				for _, name := range f.Files(dir) {
					if strings.HasSuffix(name, ".tmp") {
						t.Errorf("%s is left", name)
					}
				}
			}
			got, errs := j.Snapshots()
			if len(errs) > 0 || len(got) == 0 || got[len(got)-1].Position != 1 {
				t.Errorf("snapshots %+v, %v", got, errs)
			}
		})
	}
}

// TestRepairTellsOfForgotten damages the only snapshot of a journal whose first
// segments are deleted: what it was built from cannot be read again.
func TestRepairTellsOfForgotten(t *testing.T) {
	f := journaltest.NewFS()
	j := open(t, small(f))
	for range 10 {
		appendFacts(t, j, kib, kib)
	}
	must(t, j.SaveSnapshot(context.Background(), snapshot(j.Last(), "all of it")))
	must(t, second(j.DeleteBefore(j.Last())))
	first := j.First()
	must(t, j.Close())
	if r, err := journal.Repair(dir, f); err != nil || len(r.Damaged) != 0 {
		t.Errorf("repairing what is well: %+v, %v", r, err)
	}
	damageFile(t, f, snapshotFiles(f)[0])
	r, err := journal.Inspect(dir, f)
	if err != nil || r.OK() || len(r.Damage) != 0 || r.Snapshots[0].Err == nil {
		t.Errorf("inspect: %+v, %v", r, err)
	}
	must(t, second(journal.Repair(dir, f)))
	j = open(t, small(f))
	lost := j.Repairs()
	if len(lost) != 1 || lost[0].First != 1 || lost[0].Last != first-1 {
		t.Errorf("repairs %+v", lost)
	}
}
