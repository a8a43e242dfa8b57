package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

// TestModel does random things with a journal and compares it with a list.
// Among them: closing and opening it, killing the process, cutting the power
// after a step or in the middle of one.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{w: newWorld(), f: journaltest.NewFS()}
		if rapid.Bool().Draw(t, "without allocation") {
			m.f.Without(false, true)
		}
		m.size = rapid.Int64Range(300, 20<<10).Draw(t, "segment bytes")
		m.open(t)
		t.Repeat(map[string]func(*rapid.T){
			"":         m.check,
			"append":   m.append,
			"delete":   m.delete,
			"snapshot": m.snapshot,
			"read":     m.read,
			"reopen":   m.reopen,
			"kill":     m.kill,
			"crash":    m.crash,
			"inspect":  m.inspect,
		})
		m.close(t)
	})
}

type model struct {
	w    *world
	f    *journaltest.FS
	j    *journal.Journal
	size int64
}

func (m *model) options() journal.Options {
	o := small(m.f)
	o.SegmentBytes = m.size
	return o
}

func (m *model) open(t *rapid.T) {
	j, err := journal.Open(dir, m.options())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	m.j = j
}

func (m *model) close(t *rapid.T) {
	if err := m.j.Close(); err != nil && !m.f.Crashed() {
		t.Fatalf("close: %v", err)
	}
}

// settle takes what a crash left as what is true from now on.
func (m *model) settle(t *rapid.T) {
	m.open(t)
	all, err := m.w.check(m.j)
	if err != nil {
		t.Fatal(err)
	}
	m.w.see(all)
	m.w.first, m.w.mayDelete = m.j.First(), m.j.First()
	if m.w.mayHave != nil {
		if got, _ := m.j.Snapshots(); len(got) > 0 && sameSnapshot(got[0], *m.w.mayHave) {
			m.w.snapshot = m.w.mayHave
		}
		m.w.mayHave = nil
	}
}

func (m *model) check(t *rapid.T) {
	if _, err := m.w.check(m.j); err != nil {
		t.Fatal(err)
	}
}

func (m *model) step(t *rapid.T) error {
	switch rapid.IntRange(0, 9).Draw(t, "step") {
	case 0:
		return m.w.delete(m.j, rapid.Uint64Range(0, m.j.Last()+2).Draw(t, "before"))
	case 1:
		return m.w.save(m.j, rapid.IntRange(0, 3000).Draw(t, "size"))
	default:
		sizes := rapid.SliceOfN(rapid.IntRange(0, 2000), 1, 6).Draw(t, "sizes")
		return m.w.append(m.j, rapid.Bool().Draw(t, "reserved"), sizes...)
	}
}

func (m *model) append(t *rapid.T) {
	sizes := rapid.SliceOfN(rapid.IntRange(0, 2000), 1, 6).Draw(t, "sizes")
	if err := m.w.append(m.j, false, sizes...); err != nil {
		t.Fatal(err)
	}
}

func (m *model) delete(t *rapid.T) {
	if err := m.w.delete(m.j, rapid.Uint64Range(0, m.j.Last()+2).Draw(t, "before")); err != nil {
		t.Fatal(err)
	}
	m.w.mayDelete = m.w.first
}

func (m *model) snapshot(t *rapid.T) {
	if err := m.w.save(m.j, rapid.IntRange(0, 3000).Draw(t, "size")); err != nil {
		t.Fatal(err)
	}
}

func (m *model) read(t *rapid.T) {
	if m.j.Last() < m.j.First() {
		t.Skip("nothing to read")
	}
	from := rapid.Uint64Range(m.j.First(), m.j.Last()).Draw(t, "from")
	r := m.j.Read(from)
	defer r.Close()
	for next := from; next <= m.j.Last(); {
		entries, err := r.Next(context.Background(), rapid.IntRange(0, 9).Draw(t, "max"), rapid.IntRange(0, 9000).Draw(t, "bytes"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			number, i, n, size, err := parseBody(e.Body)
			if e.Position != next || err != nil || !slices.Equal(e.Body, body(number, i, n, size)) {
				t.Fatalf("position %d instead of %d: %v", e.Position, next, err)
			}
			next++
		}
	}
}

func (m *model) reopen(t *rapid.T) {
	m.close(t)
	m.open(t)
}

func (m *model) kill(t *rapid.T) {
	m.f.CrashAt(m.f.Ops() + rapid.IntRange(0, 12).Draw(t, "operations"))
	for !m.f.Crashed() {
		_ = m.step(t)
	}
	m.close(t)
	m.f.Kill()
	m.settle(t)
}

func (m *model) crash(t *rapid.T) {
	m.f.CrashAt(m.f.Ops() + rapid.IntRange(0, 12).Draw(t, "operations"))
	for !m.f.Crashed() {
		_ = m.step(t)
	}
	m.close(t)
	s := rapid.SampledFrom(journaltest.States(rapid.Uint64().Draw(t, "seed"), 4)).Draw(t, "state")
	m.f = m.f.Crash(s)
	m.settle(t)
}

func (m *model) inspect(t *rapid.T) {
	r, err := journal.Inspect(dir, m.f)
	if err != nil || !r.OK() || !r.Locked || r.First != m.j.First() || r.Last != m.j.Last() {
		t.Fatalf("inspect: %+v, %v", r, err)
	}
}

// TestDamageModel damages random bytes of random files. The journal must say so
// or read right, and a repair must keep what is not hit.
func TestDamageModel(t *testing.T) {
	image, w, last := built(t, true)
	names := image.Files(dir)
	rapid.Check(t, func(t *rapid.T) {
		f := image.Clone()
		for range rapid.IntRange(1, 5).Draw(t, "places") {
			name := dir + "/" + rapid.SampledFrom(names).Draw(t, "file")
			b, err := f.ReadFile(name)
			if err != nil {
				continue // gone already
			}
			switch rapid.IntRange(0, 5).Draw(t, "how") {
			case 0:
				f.Delete(name)
			case 1:
				f.WriteFile(name, b[:rapid.IntRange(0, len(b)).Draw(t, "length")])
			case 2:
				f.WriteFile(name, append(b, rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "more")...))
			case 3:
				from := rapid.IntRange(0, len(b)).Draw(t, "from")
				clear(b[from:rapid.IntRange(from, min(len(b), from+4096)).Draw(t, "to")])
				f.WriteFile(name, b)
			default:
				if len(b) > 0 {
					b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
					f.WriteFile(name, b)
				}
			}
		}
		if err := damagedAnyhow(f, w, last); err != nil {
			t.Fatal(err)
		}
	})
}

// damagedAnyhow checks what holds after any damage, however wide.
func damagedAnyhow(f *journaltest.FS, w *world, last uint64) error {
	before, err := journal.Inspect(dir, f)
	if errors.Is(err, journal.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	entries, err := read(f.Clone())
	if err != nil && !errors.Is(err, journal.ErrCorrupt) {
		return err
	}
	if err == nil && len(before.Damage) == 0 && uint64(len(entries)) != before.Entries {
		return fmt.Errorf("read %d entries, inspect %d", len(entries), before.Entries)
	}
	if err != nil && len(before.Damage) == 0 {
		return fmt.Errorf("%w, but inspect finds nothing", err)
	}
	if _, err := verify(w, entries, last); err != nil {
		return err
	}
	r, err := journal.Repair(dir, f)
	if err != nil {
		if before.ID == "" {
			return nil // nothing is left to go by
		}
		return fmt.Errorf("repair: %w", err)
	}
	entries, err = read(f)
	if err != nil {
		return fmt.Errorf("after repair: %w", err)
	}
	if uint64(len(entries)) != r.Entries || r.Entries < before.Entries {
		return fmt.Errorf("%d entries, the repair said %d, inspect before it %d", len(entries), r.Entries, before.Entries)
	}
	_, err = verify(w, entries, last)
	return err
}
