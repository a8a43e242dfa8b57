package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sort"
	"sync"
)

// What Next takes when its limits are 0.
const (
	defaultReadEntries = 1000
	defaultReadBytes   = 1 << 20
)

// Reader reads entries in order. It belongs to one goroutine at a time; Close
// may be called from another.
type Reader struct {
	j        *Journal
	position uint64 // the next one
	anywhere bool   // nothing was read yet, and the first there is was asked for
	closing  chan struct{}
	once     sync.Once

	mu   sync.Mutex // held while reading, so that Close closes no file in use
	file File       // the segment being read; nil while reading from memory
	seg  uint64     // its first position
	walk walker
	left commit // read, and not returned to its end
}

// Read returns a reader of the entries from a position on; 0 means the first
// there is. It does no work before Next.
func (j *Journal) Read(from uint64) *Reader {
	return &Reader{j: j, position: from, anywhere: from == 0, closing: make(chan struct{})}
}

// Next returns the next entries, at least one, at most max and no more than
// maxBytes of bodies (unless the first alone is larger); 0 means a thousand and
// a megabyte. At the end it waits for the next append, and sees it only once it
// is durable. It returns ctx's error, a [*DeletedError], a [*CorruptError],
// ErrFailed or ErrClosed; after ctx's error the reader can go on.
func (r *Reader) Next(ctx context.Context, max, maxBytes int) ([]Entry, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := r.read(max, maxBytes)
		if err != nil || len(entries) > 0 {
			return entries, err
		}
		// Look again once there is something to wait for, so that nothing is
		// missed in between.
		changed := r.j.wait()
		entries, err = r.read(max, maxBytes)
		if err != nil || len(entries) > 0 {
			return entries, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.closing:
			return nil, ErrClosed
		case <-r.j.closing:
			return nil, ErrClosed
		case <-r.j.failed:
			return nil, r.j.Err()
		}
	}
}

// Position returns the lowest position Next will return. It must not be called
// while Next runs.
func (r *Reader) Position() uint64 { return max(r.position, 1) }

// Close ends the reader; a Next that waits returns ErrClosed.
func (r *Reader) Close() error {
	r.once.Do(func() { close(r.closing) })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leave()
}

// leave closes the segment that is being read.
func (r *Reader) leave() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file, r.walk, r.left = nil, walker{}, commit{}
	return err
}

// Scan calls fn for the entries from a position on (0: the first there is) up
// to the last one at the time of the call, and ends early with fn's error.
func (j *Journal) Scan(from uint64, fn func(Entry) error) error {
	last := j.Last()
	r := j.Read(from)
	defer r.Close()
	for r.Position() <= last {
		entries, err := r.read(0, 0)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil // only a gap is left
		}
		for _, e := range entries {
			if e.Position > last {
				return nil
			}
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// read returns the next entries, none at the end.
func (r *Reader) read(maxEntries, maxBytes int) ([]Entry, error) {
	if maxEntries <= 0 {
		maxEntries = defaultReadEntries
	}
	if maxBytes <= 0 {
		maxBytes = defaultReadBytes
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closing:
		return nil, ErrClosed
	case <-r.j.closing:
		return nil, ErrClosed
	default:
	}
	b := batch{maxEntries: maxEntries, maxBytes: maxBytes}
	for !b.full {
		more, err := r.step(&b)
		if err != nil {
			if len(b.entries) > 0 {
				break // what was read is good; the error comes again
			}
			return nil, err
		}
		if !more {
			break
		}
	}
	r.anywhere = r.anywhere && len(b.entries) == 0
	return b.entries, nil
}

// batch collects entries up to its limits.
type batch struct {
	entries              []Entry
	maxEntries, maxBytes int
	bytes                int
	full                 bool
}

// take adds the entries of c from a position on and returns the position after
// the last one taken.
func (b *batch) take(c *commit, position uint64) uint64 {
	skip := 0
	if position > c.first {
		skip = int(position - c.first)
	} else {
		position = c.first
	}
	if b.entries == nil {
		b.entries = make([]Entry, 0, min(b.maxEntries, int(c.count)-skip))
	}
	c.entries(skip, false, func(e Entry, _ bool) bool {
		if len(b.entries) == b.maxEntries || len(b.entries) > 0 && b.bytes+len(e.Body) > b.maxBytes {
			b.full = true
			return false
		}
		b.entries = append(b.entries, e)
		b.bytes += len(e.Body)
		position++
		return true
	})
	b.full = b.full || len(b.entries) == b.maxEntries
	return position
}

// step takes entries from memory, from the commit that is being read, or from
// the file. It returns false at the end.
func (r *Reader) step(b *batch) (more bool, err error) {
	j := r.j
	j.mu.RLock()
	first := j.segments[0].header.first
	if r.anywhere && r.position < first {
		r.position = first
	}
	if r.position < first {
		j.mu.RUnlock()
		_ = r.leave()
		return false, &DeletedError{First: first}
	}
	if r.position >= j.current().next {
		j.mu.RUnlock()
		return false, nil
	}
	if r.left.count > 0 && r.left.first <= r.position && r.position < r.left.next() {
		j.mu.RUnlock()
		r.position = b.take(&r.left, r.position)
		return true, nil
	}
	if recent := j.tail.from(r.position, b.maxEntries-len(b.entries)); recent != nil {
		j.mu.RUnlock()
		_ = r.leave()
		for i := range recent {
			if !b.full {
				r.left = recent[i]
				r.position = b.take(&recent[i], r.position)
			}
		}
		return true, nil
	}
	i := sort.Search(len(j.segments), func(i int) bool { return j.segments[i].next > r.position })
	s := j.segments[i]
	x, end, sealed, next := s.index, s.end, s.sealed, s.next
	j.mu.RUnlock()

	if r.file == nil || r.seg != s.header.first || r.walk.next > r.position {
		if err := r.enter(s, x, end, sealed); err != nil {
			return false, err
		}
		if r.file == nil {
			return true, nil // it has been deleted meanwhile
		}
	}
	r.walk.end = end
	c, err := r.walk.commit()
	switch {
	case err == io.EOF && r.walk.next != next:
		return false, &CorruptError{
			Dir: j.dir, Segment: s.name, Offset: r.walk.off, First: r.position, Last: next - 1, Reason: "it ends too early",
		}
	case err == io.EOF:
		// The rest are positions without entries, left by a repair.
		r.position = next
		return true, nil
	case errors.Is(err, errReading):
		return false, fmt.Errorf("journal: %s: %w", s.name, err)
	case err != nil:
		return false, &CorruptError{
			Dir: j.dir, Segment: s.name, Offset: r.walk.off, First: r.position, Reason: "a commit: " + err.Error(),
		}
	}
	if c.next() <= r.position {
		return true, nil // before the one asked for
	}
	if c.count == 0 {
		r.position = c.first // a repair left a gap
		return true, nil
	}
	r.left = c
	r.position = b.take(&c, r.position)
	return true, nil
}

// enter opens a segment at the commit that has the reader's position, or a
// little before it. x is its index if it is the active one.
func (r *Reader) enter(s *segment, x index, end int64, sealed bool) error {
	if err := r.leave(); err != nil {
		return fmt.Errorf("journal: close a segment: %w", err)
	}
	f, err := r.j.fs.Open(filepath.Join(r.j.dir, s.name))
	if errors.Is(err, fs.ErrNotExist) {
		// Removed a moment ago, and taken off the list in the next.
		r.j.removing.Lock()
		gone := r.j.First() > s.header.first
		r.j.removing.Unlock()
		if gone {
			return nil
		}
		return &CorruptError{Dir: r.j.dir, Segment: s.name, First: r.position, Reason: "the segment is missing"}
	}
	if err != nil {
		return fmt.Errorf("journal: open a segment: %w", err)
	}
	r.file, r.seg = f, s.header.first
	r.walk = walker{file: f, nonce: s.header.nonce, end: end}
	off := int64(segmentHeaderSize)
	if r.position > s.header.first {
		if sealed {
			x = readIndex(f, end)
		}
		off = x.seek(r.position)
	}
	r.walk.off = off
	if off == segmentHeaderSize {
		r.walk.next, r.walk.prev, r.walk.chained = s.header.first, s.header.prev, true
	}
	return nil
}

// readIndex returns the index of a sealed segment whose commits end at end. One
// that is damaged is as good as none: it only means reading more.
func readIndex(f File, end int64) index {
	size, err := f.Size()
	if err != nil || size < end+trailerSize {
		return nil
	}
	b := make([]byte, size-end)
	if _, err := readFull(f, b, end); err != nil {
		return nil
	}
	t, err := decodeTrailer(b[len(b)-trailerSize:], size)
	if err != nil || t.end != end {
		return nil
	}
	b = b[:len(b)-trailerSize]
	if checksum(b) != t.indexCRC {
		return nil
	}
	x, err := decodeIndex(b, end)
	if err != nil {
		return nil
	}
	return x
}
