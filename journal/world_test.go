package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

const dir = "/data/journal"

// never is a mark that does not come, where operations are counted.
const never = time.Hour

// small are options with which a few entries fill a segment.
func small(fsys journal.FS) journal.Options {
	return journal.Options{
		FS: fsys, SegmentBytes: 6 << 10, HighWater: -1, Reserve: 4 << 10,
	}.WithMarkAfter(never)
}

// world remembers what a journal has promised, through crashes, and checks that
// it holds. An append is known by its number, which its bodies carry.
type world struct {
	mu      sync.Mutex
	calls   int
	acked   map[int]call
	refused map[int]bool // answered with an error that says that nothing was appended

	first     uint64 // lowest position not deleted by a deletion that returned
	mayDelete uint64 // a deletion below this may have been under way

	snapshot *journal.Snapshot // the newest that was saved
	mayHave  *journal.Snapshot // being saved
}

type call struct {
	first uint64
	sizes []int
}

func newWorld() *world {
	return &world{acked: map[int]call{}, refused: map[int]bool{}, first: 1, mayDelete: 1}
}

// clone copies a world, so that several futures can be tried.
func (w *world) clone() *world {
	c := &world{
		calls: w.calls, acked: map[int]call{}, refused: map[int]bool{},
		first: w.first, mayDelete: w.mayDelete, snapshot: w.snapshot, mayHave: w.mayHave,
	}
	for k, v := range w.acked {
		c.acked[k] = v
	}
	for k := range w.refused {
		c.refused[k] = true
	}
	return c
}

// body makes the i-th of n bodies of an append: whatever is left out of it, or
// put in the wrong place, is noticed.
func body(number, i, n, size int) []byte {
	b := fmt.Appendf(make([]byte, 0, size+32), "%d:%d/%d:%d:", number, i, n, size)
	head := len(b)
	x := uint64(number)<<40 ^ uint64(i)<<20 ^ uint64(size) ^ 0x9e3779b97f4a7c15
	for len(b) < size {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b[:max(size, head)]
}

func parseBody(b []byte) (number, i, n, size int, err error) {
	parts := strings.SplitN(string(b), ":", 4)
	if len(parts) < 4 {
		return 0, 0, 0, 0, fmt.Errorf("a body that nobody wrote: %.40q", b)
	}
	_, err = fmt.Sscanf(parts[1], "%d/%d", &i, &n)
	number, err1 := strconv.Atoi(parts[0])
	size, err2 := strconv.Atoi(parts[2])
	return number, i, n, size, errors.Join(err, err1, err2)
}

// append makes one append of bodies of these sizes.
func (w *world) append(j *journal.Journal, reserved bool, sizes ...int) error {
	w.mu.Lock()
	w.calls++
	number := w.calls
	w.mu.Unlock()
	entries := make([]journal.Entry, len(sizes))
	for i, size := range sizes {
		entries[i] = journal.Entry{Kind: journal.Kind(1 + (number+i)%6), Body: body(number, i, len(sizes), size)}
	}
	do := j.Append
	if reserved {
		do = j.AppendReserved
	}
	first, err := do(context.Background(), entries)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.acked[number] = call{first, sizes}
		if entries[0].Position != first || entries[len(sizes)-1].Position != first+uint64(len(sizes))-1 || entries[0].Time.IsZero() {
			return fmt.Errorf("append set position %d, time %v and returned %d", entries[0].Position, entries[0].Time, first)
		}
	case !errors.Is(err, journal.ErrFailed):
		w.refused[number] = true
	}
	return err
}

func (w *world) delete(j *journal.Journal, before uint64) error {
	w.mayDelete = max(w.mayDelete, before)
	_, err := j.DeleteBefore(before)
	if err == nil {
		w.first = j.First()
	}
	return err
}

func (w *world) save(j *journal.Journal, size int) error {
	w.mayHave = &journal.Snapshot{Position: j.Last(), Sections: []journal.Section{
		{Name: "ledger", Position: j.Last(), Body: body(int(j.Last()), 0, 1, size)},
		{Name: "seen", Position: j.Last() / 2, Body: body(int(j.Last()), 1, 2, size/2)},
		{Name: "empty", Position: 0},
	}}
	err := j.SaveSnapshot(context.Background(), *w.mayHave)
	if err == nil {
		w.snapshot, w.mayHave = w.mayHave, nil
	}
	return err
}

// check reads everything in j and compares it with what was promised.
func (w *world) check(j *journal.Journal) ([]journal.Entry, error) {
	var all []journal.Entry
	err := j.Scan(0, func(e journal.Entry) error {
		e.Body = bytes.Clone(e.Body)
		all = append(all, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	if first := j.First(); first < w.first || first > w.mayDelete {
		return nil, fmt.Errorf("the first position is %d, it must be %d to %d", first, w.first, w.mayDelete)
	}
	next := j.First()
	at := map[uint64]journal.Entry{}
	count := map[int]int{}
	for _, e := range all {
		if e.Position != next {
			return nil, fmt.Errorf("position %d comes after %d", e.Position, next-1)
		}
		next++
		at[e.Position] = e
		number, i, n, size, err := parseBody(e.Body)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(e.Body, body(number, i, n, size)) {
			return nil, fmt.Errorf("position %d has other bytes than were written", e.Position)
		}
		if e.Kind != journal.Kind(1+(number+i)%6) {
			return nil, fmt.Errorf("position %d has kind %v", e.Position, e.Kind)
		}
		if w.refused[number] {
			return nil, fmt.Errorf("position %d is of append %d, which was refused", e.Position, number)
		}
		if i != count[number] && e.Position-uint64(i) >= j.First() {
			return nil, fmt.Errorf("position %d is entry %d of append %d, of which %d have come", e.Position, i, number, count[number])
		}
		count[number] = i + 1
		if i+1 == n {
			count[number] = 0
		}
	}
	for number, c := range count {
		if c != 0 {
			return nil, fmt.Errorf("append %d is there only in part", number)
		}
	}
	if last := j.Last(); last != next-1 {
		return nil, fmt.Errorf("Last is %d, the last entry read %d", last, next-1)
	}
	for number, c := range w.acked {
		for i, size := range c.sizes {
			p := c.first + uint64(i)
			if p < j.First() {
				continue
			}
			e, ok := at[p]
			if !ok || !bytes.Equal(e.Body, body(number, i, len(c.sizes), size)) {
				return nil, fmt.Errorf("position %d, entry %d of append %d, was acknowledged and is not there", p, i, number)
			}
		}
	}
	return all, w.checkSnapshots(j)
}

func (w *world) checkSnapshots(j *journal.Journal) error {
	got, errs := j.Snapshots()
	if len(errs) > 0 {
		return fmt.Errorf("snapshots: %w", errors.Join(errs...))
	}
	if w.snapshot == nil && w.mayHave == nil {
		if len(got) > 0 {
			return errors.New("a snapshot that nobody saved")
		}
		return nil
	}
	if len(got) == 0 {
		if w.snapshot == nil {
			return nil
		}
		return errors.New("the snapshot is gone")
	}
	if w.snapshot != nil && sameSnapshot(got[0], *w.snapshot) {
		return nil
	}
	if w.mayHave != nil && sameSnapshot(got[0], *w.mayHave) {
		got = got[1:]
		if w.snapshot == nil {
			return nil
		}
	}
	if len(got) == 0 || !sameSnapshot(got[0], *w.snapshot) {
		return errors.New("the newest snapshot is not the one saved last")
	}
	return nil
}

func sameSnapshot(a, b journal.Snapshot) bool {
	if a.Position != b.Position || len(a.Sections) != len(b.Sections) {
		return false
	}
	for i := range a.Sections {
		x, y := a.Sections[i], b.Sections[i]
		if x.Name != y.Name || x.Position != y.Position || !bytes.Equal(x.Body, y.Body) {
			return false
		}
	}
	return true
}

// reopen opens the journal on a disk as a crash left it, checks it, and appends
// to it; what is found must also survive the next power cut.
func (w *world) reopen(fsys *journaltest.FS, opts journal.Options) error {
	opts.FS = fsys
	r, err := journal.Inspect(dir, fsys)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return fmt.Errorf("inspect: %w", err)
	}
	if !r.OK() && err == nil {
		return fmt.Errorf("inspect finds damage after a crash: %+v", r.Damage)
	}
	j, err := journal.Open(dir, opts)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	all, err := w.check(j)
	if err != nil {
		return errors.Join(err, j.Close())
	}
	if r.Entries != uint64(len(all)) && r.Dir != "" {
		return errors.Join(fmt.Errorf("inspect counts %d entries, there are %d", r.Entries, len(all)), j.Close())
	}
	cut := fsys.Crash(journaltest.States(0, 0)[0])
	again := w.clone()
	again.see(all)
	opts.FS = cut
	j2, err := journal.Open(dir, opts)
	if err != nil {
		return errors.Join(fmt.Errorf("open after a second power cut: %w", err), j.Close())
	}
	if _, err := again.check(j2); err != nil {
		return errors.Join(fmt.Errorf("after a second power cut: %w", err), j2.Close(), j.Close())
	}
	if err := j2.Close(); err != nil {
		return err
	}
	last := j.Last()
	w = w.clone()
	fsys.Capacity(-1)
	if err := w.append(j, true, 10, 700); err != nil {
		return errors.Join(fmt.Errorf("append after the crash: %w", err), j.Close())
	}
	if j.Last() != last+2 {
		return errors.Join(fmt.Errorf("two entries after %d ended at %d", last, j.Last()), j.Close())
	}
	if _, err := w.check(j); err != nil {
		return errors.Join(fmt.Errorf("after an append: %w", err), j.Close())
	}
	return j.Close()
}

// see takes what has been read for promised.
func (w *world) see(all []journal.Entry) {
	for _, e := range all {
		number, i, n, size, _ := parseBody(e.Body)
		c, ok := w.acked[number]
		if ok && len(c.sizes) == n {
			continue
		}
		if !ok {
			c.first = e.Position - uint64(i)
			c.sizes = make([]int, 0, n)
		}
		for len(c.sizes) < i {
			c.sizes = append(c.sizes, -1)
		}
		c.sizes = append(c.sizes, size)
		w.acked[number] = c
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
