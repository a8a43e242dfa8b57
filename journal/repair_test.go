package journal_test

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

// asideOf returns the names of the files of which a repair has kept a copy.
func asideOf(f *journaltest.FS) (all []string) {
	for _, name := range f.Files(dir) {
		if base, _, ok := strings.Cut(name, ".damaged-"); ok {
			all = append(all, base)
		}
	}
	return slices.Compact(all)
}

// TestRepairCrash turns the machine off at every operation of a repair.
// However often, the next repair comes to the same end.
func TestRepairCrash(t *testing.T) {
	tests := map[string]func(f *journaltest.FS, segs []string){
		"a hole, a header, a footer and a body": func(f *journaltest.FS, segs []string) {
			f.Delete(segs[2])
			for i, at := range map[int]int{0: 3000, 1: 10, 3: 700} {
				b, _ := f.ReadFile(segs[i])
				b[at] ^= 1
				f.WriteFile(segs[i], b)
			}
			b, _ := f.ReadFile(segs[1])
			f.WriteFile(segs[1], b[:len(b)-9])
		},
		"the end is gone": func(f *journaltest.FS, segs []string) { f.Delete(segs[len(segs)-1]) },
		"everything is gone": func(f *journaltest.FS, segs []string) {
			for _, s := range segs {
				f.Delete(s)
			}
		},
		"only an index": func(f *journaltest.FS, segs []string) {
			b, _ := f.ReadFile(segs[0])
			b[len(b)-90] ^= 1
			f.WriteFile(segs[0], b)
		},
		"a snapshot": func(f *journaltest.FS, _ []string) {
			for _, name := range f.Files(dir) {
				if strings.HasPrefix(name, "snapshot-") {
					b, _ := f.ReadFile(path.Join(dir, name))
					b[100] ^= 1
					f.WriteFile(path.Join(dir, name), b)
				}
			}
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image, w, last := built(t, true)
			var segs []string
			for _, n := range image.Files(dir) {
				if strings.HasSuffix(n, ".seg") {
					segs = append(segs, path.Join(dir, n))
				}
			}
			damage(image, segs)
			whole := image.Clone()
			if _, err := repaired(whole, w, last); err != nil {
				t.Fatal(err)
			}
			want, err := read(whole)
			must(t, err)
			kept := asideOf(whole)
			for _, links := range []bool{true, false} {
				for at := 0; ; at = stride(at) {
					f := image.Clone()
					f.Without(!links, false)
					f.CrashAt(at)
					_, err := journal.Repair(dir, f)
					if err == nil && !f.Crashed() {
						break
					}
					for i, s := range journaltest.States(uint64(at), 4) {
						g := f.Crash(s)
						if i == 0 {
							g = f.Clone() // killed, not cut off
						}
						if _, err := journal.Repair(dir, g); err != nil {
							t.Fatalf("crash at operation %d, %v on disk: %v", at, s, err)
						}
						j, err := journal.Open(dir, small(g))
						if err != nil {
							t.Fatalf("crash at operation %d, %v on disk: %v", at, s, err)
						}
						repairs := j.Repairs()
						must(t, j.Close())
						if got := asideOf(g); !slices.Equal(got, kept) {
							t.Fatalf("crash at operation %d, %v on disk: kept aside are %v, not %v", at, s, got, kept)
						}
						got, err := read(g)
						must(t, err)
						if len(got) != len(want)-1 { // one was appended there
							t.Fatalf("crash at operation %d, %v on disk: %d entries instead of %d", at, s, len(got), len(want)-1)
						}
						missing, err := verify(w, got, last)
						must(t, err)
						for _, p := range missing {
							if !slices.ContainsFunc(repairs, func(s journal.Stretch) bool { return s.First <= p && p <= s.Last }) {
								t.Fatalf("crash at operation %d, %v on disk: position %d is lost and not told", at, s, p)
							}
						}
					}
				}
			}
		})
	}
}

// TestRepairBeforeEmptySegment damages a segment whose successor has just been
// made and is empty: two things that recovery looks at together.
func TestRepairBeforeEmptySegment(t *testing.T) {
	f := journaltest.NewFS()
	opts := small(f)
	var image *journaltest.FS
	opts.Hook = func(point string) {
		if point == "rotated" && image == nil {
			image = f.Clone()
		}
	}
	j, err := journal.Open(dir, opts)
	must(t, err)
	w := newWorld()
	for image == nil {
		must(t, w.append(j, false, 600, 500))
	}
	delete(w.acked, w.calls) // it came after the image
	must(t, j.Close())
	name := path.Join(dir, "00000000000000000001.seg")
	data, err := image.ReadFile(name)
	must(t, err)
	last := uint64(0)
	for _, c := range w.acked {
		last = max(last, c.first+uint64(len(c.sizes))-1)
	}
	for at := 0; at < len(data); at += 5 {
		g := image.Clone()
		bad := bytes.Clone(data)
		bad[at] ^= 0x10
		g.WriteFile(name, bad)
		if lost, err := flipped(g, w, last, name); err != nil || lost > 0 {
			t.Fatalf("byte %d of %d: %d lost, %v", at, len(data), lost, err)
		}
	}
}

// betweenSegments returns a journal as a crash leaves it after the next segment
// was made and before the old one was sealed.
func betweenSegments(t *testing.T) (f *journaltest.FS, w *world, last uint64) {
	t.Helper()
	f = journaltest.NewFS()
	j, err := journal.Open(dir, small(f))
	must(t, err)
	w = newWorld()
	f.Fault(func(op journaltest.Op) error {
		if op.Kind == journaltest.OpWrite && strings.HasSuffix(op.Name, "1.seg") && op.Len > 87 && op.Len < 500 {
			return journaltest.ErrCrashed // the footer
		}
		return nil
	})
	for err == nil {
		last = j.Last()
		err = w.append(j, false, 600, 500)
	}
	_ = j.Close()
	f = f.Crash(journaltest.States(0, 0)[0])
	if n := len(f.Files(dir)); n != 3 {
		t.Fatalf("files %v", f.Files(dir))
	}
	return f, w, last
}

// TestUnfinishedSuccessor has a last segment with half a header. It goes, but
// only if the one before it reaches to where it began.
func TestUnfinishedSuccessor(t *testing.T) {
	f, w, last := betweenSegments(t)
	second := path.Join(dir, f.Files(dir)[1])
	first := path.Join(dir, f.Files(dir)[0])
	for _, size := range []int{0, 10, 63, 64} {
		g := f.Clone()
		b, err := g.ReadFile(second)
		must(t, err)
		if b = b[:size]; size == 64 {
			b[20] ^= 1
		}
		g.WriteFile(second, b)
		if r, err := journal.Inspect(dir, g); err != nil || !r.OK() {
			t.Errorf("%d bytes of it: inspect: %+v, %v", size, r.Damage, err)
		}
		if err := w.reopen(g.Clone(), small(g)); err != nil {
			t.Errorf("%d bytes of it: %v", size, err)
		}
		a, err := g.ReadFile(first)
		must(t, err)
		a[len(a)-1] ^= 1
		g.WriteFile(first, a)
		if _, err := read(g.Clone()); !errors.Is(err, journal.ErrCorrupt) {
			t.Errorf("%d bytes of it, and the end of the one before: %v", size, err)
		}
		if lost, err := repaired(g, w, last); err != nil || lost != 1 {
			t.Errorf("%d bytes of it, and the end of the one before: %d lost, %v", size, lost, err)
		}
	}
}

// TestOtherHistory puts a segment into a journal that is its own in all but the
// history: from a backup, say, after which things went another way.
func TestOtherHistory(t *testing.T) {
	f := journaltest.NewFS()
	j, err := journal.Open(dir, small(f))
	must(t, err)
	w := newWorld()
	must(t, w.append(j, false, 2000, 2000))
	g := f.Clone()
	for range 6 {
		must(t, w.append(j, false, 2500))
	}
	must(t, j.Close())
	other, err := journal.Open(dir, small(g))
	must(t, err)
	for range 6 {
		must(t, newWorld().append(other, false, 2500))
	}
	must(t, other.Close())
	names := f.Files(dir)
	if !slices.Equal(names, g.Files(dir)) || len(names) < 5 {
		t.Fatalf("%v, %v", names, g.Files(dir))
	}
	b, err := g.ReadFile(path.Join(dir, names[1]))
	must(t, err)
	f.WriteFile(path.Join(dir, names[1]), b)
	if _, err := read(f.Clone()); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("not noticed: %v", err)
	}
	if r, err := journal.Inspect(dir, f); err != nil || r.OK() {
		t.Errorf("inspect: %v, %v", r.Damage, err)
	}
}

// Where nothing says how far the log went, a stretch ends far beyond what is known.
func TestStretchKnown(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, last uint64
		known       uint64
		exact       bool
	}{
		{"between entries", 8, 12, 12, true},
		{"one", 8, 8, 8, true},
		{"to a snapshot", 8, 81 + 1<<32, 81, false},
		{"to nowhere", 8, 7 + 1<<32, 7, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			known, exact := journal.Stretch{First: c.first, Last: c.last}.Known()
			if known != c.known || exact != c.exact {
				t.Errorf("got %d, %v", known, exact)
			}
		})
	}
}
