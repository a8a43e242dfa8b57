package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

// built makes a journal of several segments, and what was promised of it.
// closed is whether it was closed, or its process killed.
func built(t testing.TB, closed bool) (*journaltest.FS, *world, uint64) {
	t.Helper()
	f := journaltest.NewFS()
	j, err := journal.Open(dir, small(f))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	for i := range 22 {
		sizes := [][]int{{100, 20}, {0, 30, 900}, {2500}, {1, 1, 1, 1, 1}, {700, 700}}[i%5]
		if err := w.append(j, false, sizes...); err != nil {
			t.Fatal(err)
		}
		if i%6 == 5 {
			if err := w.save(j, 600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(j.Segments()); n < 5 {
		t.Fatalf("only %d segments", n)
	}
	last := j.Last()
	if !closed {
		f = f.Clone()
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Clone(), w, last
}

// read opens and reads everything.
func read(f *journaltest.FS) (entries []journal.Entry, err error) {
	j, err := journal.Open(dir, small(f))
	if err != nil {
		return nil, err
	}
	defer j.Close()
	err = j.Scan(0, func(e journal.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// verify checks that what was read is what was written, at its positions, and
// returns the positions that are not there.
func verify(w *world, entries []journal.Entry, last uint64) (missing []uint64, err error) {
	at := map[uint64]journal.Entry{}
	for i, e := range entries {
		if i > 0 && e.Position <= entries[i-1].Position {
			return nil, fmt.Errorf("position %d after %d", e.Position, entries[i-1].Position)
		}
		at[e.Position] = e
	}
	for number, c := range w.acked {
		for i, size := range c.sizes {
			p := c.first + uint64(i)
			e, ok := at[p]
			if !ok {
				missing = append(missing, p)
				continue
			}
			if !bytes.Equal(e.Body, body(number, i, len(c.sizes), size)) || e.Kind != journal.Kind(1+(number+i)%6) || e.Time.IsZero() {
				return nil, fmt.Errorf("position %d is not what was written there", p)
			}
			delete(at, p)
		}
	}
	if len(at) > 0 {
		return nil, fmt.Errorf("%d entries that nobody wrote", len(at))
	}
	slices.Sort(missing)
	return missing, nil
}

// repaired repairs a damaged journal and checks everything that repair promises.
// It returns how many entries were lost.
func repaired(f *journaltest.FS, w *world, last uint64) (lost int, err error) {
	before, err := journal.Inspect(dir, f)
	if err != nil {
		return 0, fmt.Errorf("inspect: %w", err)
	}
	r, err := journal.Repair(dir, f)
	if err != nil {
		return 0, fmt.Errorf("repair: %w", err)
	}
	after, err := journal.Inspect(dir, f)
	if err != nil {
		return 0, fmt.Errorf("inspect after repair: %w", err)
	}
	if !after.OK() {
		return 0, fmt.Errorf("damaged after repair: %v", after.Damage)
	}
	if before.Entries != r.Entries || after.Entries != r.Entries {
		return 0, fmt.Errorf("entries: inspect %d, repair %d, inspect %d", before.Entries, r.Entries, after.Entries)
	}
	if before.ID != "" && after.ID != before.ID {
		return 0, fmt.Errorf("the id %s became %s", before.ID, after.ID)
	}
	j, err := journal.Open(dir, small(f))
	if err != nil {
		return 0, fmt.Errorf("open after repair: %w", err)
	}
	defer j.Close()
	var entries []journal.Entry
	if err := j.Scan(0, func(e journal.Entry) error {
		e.Body = bytes.Clone(e.Body)
		entries = append(entries, e)
		return nil
	}); err != nil {
		return 0, fmt.Errorf("scan after repair: %w", err)
	}
	missing, err := verify(w, entries, last)
	if err != nil {
		return 0, fmt.Errorf("after repair: %w", err)
	}
	for _, p := range missing {
		if !slices.ContainsFunc(j.Repairs(), func(s journal.Stretch) bool { return s.First <= p && p <= s.Last }) {
			return 0, fmt.Errorf("position %d is lost but not among the repairs %+v", p, j.Repairs())
		}
	}
	for _, s := range j.Repairs() {
		if !slices.ContainsFunc(r.Damaged, func(d journal.Stretch) bool { return d.First == s.First && d.Last == s.Last }) {
			return 0, fmt.Errorf("stretch %+v is not in the report", s)
		}
		if s.KeptAs != "" && !slices.Contains(f.Files(dir), s.KeptAs) {
			return 0, fmt.Errorf("%s was not kept", s.KeptAs)
		}
		for _, e := range entries {
			if s.First <= e.Position && e.Position <= s.Last {
				return 0, fmt.Errorf("position %d is told to be lost", e.Position)
			}
		}
	}
	if j.Last() < last {
		return 0, fmt.Errorf("positions to %d were given, after the repair the last one is %d", last, j.Last())
	}
	w = w.clone()
	if err := w.append(j, false, 40); err != nil {
		return 0, fmt.Errorf("append after repair: %w", err)
	}
	stretches := j.Repairs()
	if err := j.Close(); err != nil {
		return 0, err
	}

	// It stays so, and the repairs are told until they are cleared.
	if again, err := journal.Repair(dir, f); err != nil || len(again.Damaged)+len(again.KeptAs) != 0 {
		return 0, fmt.Errorf("a second repair: %+v, %w", again, err)
	}
	j, err = journal.Open(dir, small(f))
	if err != nil {
		return 0, err
	}
	if len(j.Repairs()) != len(stretches) {
		err = fmt.Errorf("repairs %v became %v", stretches, j.Repairs())
	}
	err = errors.Join(err, j.ClearRepairs(), j.ClearRepairs(), j.Close())
	if err != nil {
		return 0, err
	}
	j, err = journal.Open(dir, small(f))
	if err != nil {
		return 0, err
	}
	if len(j.Repairs()) != 0 {
		err = errors.New("the repairs are told again")
	}
	return len(missing), errors.Join(err, j.Close())
}

// TestBitFlips flips bits all over every file of a journal. Nothing wrong may
// ever be read; only what nothing says was synced may be cut; and repair must
// get all of it back but what the flip hit.
func TestBitFlips(t *testing.T) {
	for _, closed := range []bool{true, false} {
		t.Run(map[bool]string{true: "closed", false: "killed"}[closed], func(t *testing.T) {
			t.Parallel()
			image, w, last := built(t, closed)
			step := 13
			if *exhaustive {
				step = 1
			} else if raced || testing.Short() {
				step = 150
			}
			r := rand.New(rand.NewPCG(1, 2))
			for _, name := range image.Files(dir) {
				data, err := image.ReadFile(path.Join(dir, name))
				must(t, err)
				cut := 0
				for at := r.IntN(step); at < len(data); at += 1 + r.IntN(2*step-1) {
					f := image.Clone()
					bad := bytes.Clone(data)
					bad[at] ^= 1 << r.IntN(8)
					f.WriteFile(path.Join(dir, name), bad)
					lost, err := flipped(f, w, last, name)
					if err != nil {
						t.Fatalf("a bit flipped in byte %d of %d of %s: %v", at, len(data), name, err)
					}
					cut += lost
				}
				if cut > 0 && closed {
					t.Errorf("%d times entries of %s were cut although its end was marked", cut, name)
				}
			}
		})
	}
}

// flipped checks a journal with a flipped bit; cut is 1 if entries were cut.
func flipped(f *journaltest.FS, w *world, last uint64, name string) (cut int, err error) {
	g := f.Clone()
	entries, err := read(g)
	if err == nil {
		missing, err := verify(w, entries, last)
		if err != nil {
			return 0, err
		}
		r, err := journal.Inspect(dir, f)
		if err != nil {
			return 0, err
		}
		if len(r.Damage) > 0 && !strings.Contains(r.Damage[0].Reason, "index") {
			return 0, fmt.Errorf("it opens and reads, but inspect says %v", r.Damage[0])
		}
		if len(missing) > 0 {
			// Cut as never synced: only the last commit can be.
			if missing[len(missing)-1] != last || len(missing) > 5 {
				return 0, fmt.Errorf("positions %d are missing without a word", missing)
			}
			return 1, nil
		}
	} else if !errors.Is(err, journal.ErrCorrupt) {
		return 0, fmt.Errorf("not a CorruptError: %w", err)
	} else if r, err2 := journal.Inspect(dir, f); err2 != nil || len(r.Damage) == 0 {
		return 0, fmt.Errorf("%w, but inspect finds %v, %v", err, r.Damage, err2)
	}
	lost, err := repaired(f, w, last)
	if err != nil {
		return 0, err
	}
	if !strings.HasSuffix(name, ".seg") && lost > 0 || lost > 5 {
		return 0, fmt.Errorf("%d entries lost", lost)
	}
	return 0, nil
}

// TestDamage damages a journal in the ways of failing disks and busy hands.
func TestDamage(t *testing.T) {
	segments := func(f *journaltest.FS) (all []string) {
		for _, name := range f.Files(dir) {
			if strings.HasSuffix(name, ".seg") {
				all = append(all, path.Join(dir, name))
			}
		}
		return all
	}
	change := func(f *journaltest.FS, name string, fn func(b []byte) []byte) {
		b, err := f.ReadFile(name)
		if err != nil {
			panic(err)
		}
		f.WriteFile(name, fn(b))
	}
	zero := func(from, to int) func(b []byte) []byte {
		return func(b []byte) []byte {
			clear(b[min(from, len(b)):min(to, len(b))])
			return b
		}
	}
	tests := []struct {
		name   string
		damage func(f *journaltest.FS)
		lost   int // entries at most
		snaps  bool
	}{
		{"the first sectors of a sealed segment", func(f *journaltest.FS) { change(f, segments(f)[1], zero(0, 512)) }, 8, false},
		{"a sector in the middle", func(f *journaltest.FS) { change(f, segments(f)[0], zero(1024, 1536)) }, 8, false},
		{"a page across commits", func(f *journaltest.FS) { change(f, segments(f)[1], zero(512, 4608)) }, 12, false},
		{"all commits of a sealed segment", func(f *journaltest.FS) {
			change(f, segments(f)[1], func(b []byte) []byte { clear(b[64 : len(b)-88]); return b })
		}, 20, false},
		{"all of a sealed segment", func(f *journaltest.FS) { change(f, segments(f)[1], zero(0, 1<<20)) }, 20, false},
		{"a sealed segment cut short", func(f *journaltest.FS) {
			change(f, segments(f)[1], func(b []byte) []byte { return b[:len(b)/2] })
		}, 20, false},
		{"a sealed segment empty", func(f *journaltest.FS) {
			change(f, segments(f)[1], func([]byte) []byte { return nil })
		}, 20, false},
		{"garbage after a sealed segment", func(f *journaltest.FS) {
			change(f, segments(f)[1], func(b []byte) []byte { return append(b, make([]byte, 700)...) })
		}, 0, false},
		{"a segment in the middle is gone", func(f *journaltest.FS) { f.Delete(segments(f)[1]) }, 20, false},
		{"two segments in the middle are gone", func(f *journaltest.FS) {
			all := segments(f)
			f.Delete(all[1])
			f.Delete(all[2])
		}, 30, false},
		{"the last segment is gone", func(f *journaltest.FS) {
			all := segments(f)
			f.Delete(all[len(all)-1])
		}, 20, false},
		{"the last segment is empty", func(f *journaltest.FS) {
			all := segments(f)
			change(f, all[len(all)-1], func([]byte) []byte { return nil })
		}, 20, false},
		{"the last segment's header", func(f *journaltest.FS) {
			all := segments(f)
			change(f, all[len(all)-1], zero(0, 64))
		}, 0, false},
		{"the last segment's first page", func(f *journaltest.FS) {
			all := segments(f)
			change(f, all[len(all)-1], zero(0, 1024))
		}, 10, false},
		{"the last segment's beginning, all but its last mark", func(f *journaltest.FS) {
			all := segments(f)
			change(f, all[len(all)-1], func(b []byte) []byte { clear(b[64 : len(b)-60]); return b })
		}, 20, false},
		{"headers of two neighbours", func(f *journaltest.FS) {
			change(f, segments(f)[1], zero(0, 64))
			change(f, segments(f)[2], zero(0, 64))
		}, 0, false},
		{"footers of two neighbours", func(f *journaltest.FS) {
			for _, name := range segments(f)[:2] {
				change(f, name, func(b []byte) []byte { return b[:len(b)-100] })
			}
		}, 0, false},
		{"all segments are gone", func(f *journaltest.FS) {
			for _, name := range segments(f) {
				f.Delete(name)
			}
		}, 100, true},
		{"all segments and the id are gone", func(f *journaltest.FS) {
			for _, name := range segments(f) {
				f.Delete(name)
			}
			f.Delete(path.Join(dir, "journal.id"))
		}, 100, true},
		{"a segment of another journal", func(f *journaltest.FS) {
			other, _, _ := built(t, true)
			b, _ := other.ReadFile(segments(other)[1])
			f.WriteFile(segments(f)[1], b)
		}, 20, false},
		{"a segment under another's name", func(f *journaltest.FS) {
			b, _ := f.ReadFile(segments(f)[0])
			f.WriteFile(segments(f)[1], b)
		}, 20, false},
		{"two segments swapped", func(f *journaltest.FS) {
			a, _ := f.ReadFile(segments(f)[0])
			b, _ := f.ReadFile(segments(f)[1])
			f.WriteFile(segments(f)[0], b)
			f.WriteFile(segments(f)[1], a)
		}, 40, false},
		{"the record of repairs is unreadable", func(f *journaltest.FS) {
			f.WriteFile(path.Join(dir, "repairs"), []byte("nonsense"))
		}, 0, false},
		{"the id of another journal", func(f *journaltest.FS) {
			other, _, _ := built(t, true)
			b, _ := other.ReadFile(path.Join(dir, "journal.id"))
			f.WriteFile(path.Join(dir, "journal.id"), b)
		}, 0, false},
		{"the last segment from a sector on", func(f *journaltest.FS) {
			all := segments(f)
			change(f, all[len(all)-1], func(b []byte) []byte { return b[:512] })
		}, 20, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, w, last := built(t, true)
			j, err := journal.Open(dir, small(f))
			must(t, err)
			must(t, w.save(j, 100)) // which says how far the log went
			must(t, j.Close())
			tt.damage(f)
			_, err = read(f.Clone())
			if !errors.Is(err, journal.ErrCorrupt) {
				t.Fatalf("not noticed: %v", err)
			}
			var damage *journal.CorruptError
			if errors.As(err, &damage); damage.Segment == "" || damage.Dir != dir || damage.Reason == "" {
				t.Errorf("an error that does not say enough: %#v", damage)
			}
			for _, links := range []bool{true, false} {
				g := f.Clone()
				g.Without(!links, false)
				lost, err := repaired(g, w, last)
				if err != nil {
					t.Fatal(err)
				}
				if lost > tt.lost {
					t.Errorf("%d entries lost, %d would have been expected", lost, tt.lost)
				}
			}
		})
	}
}
