package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// readChunk is how much of a segment is read at once.
const readChunk = 512 << 10

// walker reads the commits of a segment in order and checks each of them.
type walker struct {
	file  File
	nonce uint64
	off   int64  // where the next commit begins
	end   int64  // where the commits end, as far as is known
	next  uint64 // position the next commit must have; 0 while not known
	prev  uint32 // checksum of the commit before
	// chained is whether prev is known: not when reading begins in the middle.
	chained bool
	// reuse lets the next commit overwrite the memory of the one before. Without
	// it every chunk is memory of its own, which entries keep in use.
	reuse bool

	buf   []byte // the bytes from bufAt on
	bufAt int64
}

// errReading is in the error of a walker that could not read, as opposed to one
// that read what does not belong there.
var errReading = errors.New("it cannot be read")

// fill returns n bytes at off. They must lie before end.
func (w *walker) fill(n int64) ([]byte, error) {
	have := w.bufAt + int64(len(w.buf)) - w.off
	if w.off < w.bufAt || have < 0 {
		w.buf, w.bufAt, have = w.buf[:0], w.off, 0
	}
	if have >= n {
		b := w.buf[w.off-w.bufAt:]
		return b[:n:n], nil
	}
	want := min(max(n, readChunk), w.end-w.off)
	rest := w.buf[w.off-w.bufAt:]
	var b []byte
	if w.reuse && int64(cap(w.buf)) >= want {
		b = w.buf[:want]
	} else {
		b = make([]byte, want)
	}
	copy(b, rest)
	if _, err := readFull(w.file, b[len(rest):], w.off+int64(len(rest))); err != nil {
		w.buf, w.bufAt = w.buf[:0], w.off
		return nil, err
	}
	w.buf, w.bufAt = b, w.off
	return b[:n:n], nil
}

// readFull reads all of b; running into the end of the file is errShort.
func readFull(f File, b []byte, off int64) (int, error) {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, errShort
	}
	return n, fmt.Errorf("%w: %w", errReading, err)
}

// commit returns the next commit, io.EOF at the end, or what is wrong with it;
// then the walker has not moved.
func (w *walker) commit() (commit, error) {
	if w.off >= w.end {
		return commit{}, io.EOF
	}
	if w.end-w.off < commitHeaderSize {
		return commit{}, errShort
	}
	b, err := w.fill(commitHeaderSize)
	if err != nil {
		return commit{}, err
	}
	h, err := decodeCommitHeader(b, w.nonce, w.off)
	if err != nil {
		return commit{}, err
	}
	if h.size() > w.end-w.off {
		return commit{}, errShort
	}
	if b, err = w.fill(h.size()); err != nil {
		return commit{}, err
	}
	c, err := h.decode(b)
	if err != nil {
		return commit{}, err
	}
	if w.chained && h.prev != w.prev {
		return commit{}, errPlace
	}
	if w.next != 0 && h.first != w.next && (h.flags&flagGap == 0 || h.first < w.next) {
		return commit{}, errPlace
	}
	w.off += h.size()
	w.next = h.next()
	w.prev, w.chained = h.crc, true
	return c, nil
}

// move continues at another place, about which nothing is known.
func (w *walker) move(off int64) { w.off, w.next, w.chained = off, 0, false }

// scanned is what is known of a segment after walking it, and of the active
// one while it grows.
type scanned struct {
	end       int64  // of the commits
	next      uint64 // position after the last
	chain     uint32 // checksum of the last commit, or the header's prev
	synced    int64  // the highest offset that a commit says was on disk
	entries   uint64
	commits   uint64
	firstTime int64
	lastTime  int64
	mark      bool // the last commit is empty: it only says that all before is synced
	index     index
}

func newScanned(h segmentHeader) scanned {
	return scanned{end: segmentHeaderSize, next: h.first, chain: h.prev, synced: segmentHeaderSize}
}

// add takes in a commit that follows.
func (s *scanned) add(c *commit) {
	s.end = c.offset + c.size()
	s.next = c.next()
	s.chain = c.crc
	s.synced = max(s.synced, c.synced)
	s.commits++
	s.entries += uint64(c.count)
	s.mark = c.count == 0
	if c.count > 0 {
		first, last := c.times()
		if s.firstTime == 0 {
			s.firstTime = first
		}
		s.lastTime = last
		s.index.add(&c.commitHeader)
	}
}

// scanSegment walks a segment until the first thing that is not a commit in its
// place. bad says what that was, nil at the end of the file; err is for a file
// that could not be read.
func scanSegment(f File, h segmentHeader, size int64) (s scanned, bad, err error) {
	s = newScanned(h)
	w := walker{file: f, nonce: h.nonce, off: s.end, end: size, next: s.next, prev: s.chain, chained: true, reuse: true}
	for {
		c, err := w.commit()
		switch {
		case err == nil:
			s.add(&c)
		case err == io.EOF:
			return s, nil, nil
		case errors.Is(err, errReading):
			return s, nil, err
		default:
			return s, err, nil
		}
	}
}

// findHeaders calls fn for each commit header with that nonce that begins in
// [from, end) and is intact, whatever its table and bodies are, until fn
// returns false.
func findHeaders(f File, nonce uint64, from, end int64, fn func(h commitHeader) bool) error {
	buf := make([]byte, min(readChunk, max(0, end-from)))
	for from+commitHeaderSize <= end {
		b := buf[:min(readChunk, end-from)]
		if _, err := readFull(f, b, from); err != nil {
			return err
		}
		for i := 0; i+commitHeaderSize <= len(b); i++ {
			if b[i] != commitMagic[0] || string(b[i:i+4]) != commitMagic {
				continue
			}
			if h, err := decodeCommitHeader(b[i:], nonce, from+int64(i)); err == nil && !fn(h) {
				return nil
			}
		}
		from += int64(len(b)) - (commitHeaderSize - 1)
	}
	return nil
}

// syncedBeyond returns the highest offset that any commit from an offset on
// says had been on disk before it.
func syncedBeyond(f File, nonce uint64, from, end int64) (synced int64, err error) {
	err = findHeaders(f, nonce, from, end, func(h commitHeader) bool {
		synced = max(synced, h.synced)
		return true
	})
	return synced, err
}

// guessNonce finds the nonce of a segment whose header is unreadable: the one
// that most commits agree on.
func guessNonce(f File, size int64) (nonce uint64, ok bool) {
	votes := make(map[uint64]int)
	buf := make([]byte, min(readChunk, size))
	for from := int64(0); from+commitHeaderSize <= size; from += readChunk - (commitHeaderSize - 1) {
		b := buf[:min(readChunk, size-from)]
		if _, err := readFull(f, b, from); err != nil {
			break
		}
		for i := 0; i+commitHeaderSize <= len(b); i++ {
			if b[i] != commitMagic[0] || string(b[i:i+4]) != commitMagic {
				continue
			}
			n := binary.LittleEndian.Uint64(b[i+8:])
			if _, err := decodeCommitHeader(b[i:], n, from+int64(i)); err == nil {
				votes[n]++
			}
		}
	}
	best := 0
	for _, n := range sortedKeys(votes) {
		if votes[n] > best {
			nonce, best = n, votes[n]
		}
	}
	return nonce, best > 0
}

func sortedKeys(m map[uint64]int) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
