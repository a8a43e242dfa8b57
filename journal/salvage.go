package journal

import (
	"errors"
	"io"
)

// salvage reads every entry of a segment that can be read, and describes what
// cannot. It is what Inspect and Repair look through.
type salvage struct {
	dir, name string
	file      File
	header    segmentHeader
	intact    bool  // the header is
	limit     int64 // where commits end: at the footer, or with the file
	// complete says that all of it was synced: the segment has a successor.
	// Otherwise its commits tell how far it was, and the rest is cut.
	complete bool
	// until is the position after its last one where that is known, else 0.
	until uint64
	// sealed is whether limit is where the footer begins. Without it, half a
	// footer may follow the last commit.
	sealed bool

	got      scanned
	damage   []*CorruptError
	gaps     []Stretch // left by earlier repairs
	unsynced int64     // bytes at the end that recovery cuts
	expect   uint64    // the next position; in the end, the first of the next segment

	pending  *CorruptError // damage after which nothing has been read yet
	seen     uint64        // positions below it are known to have been given
	searched bool
	emit     func(piece) error
}

// piece is a run of entries without a gap in it, as one commit had them; none
// for a commit that only says how far positions are.
type piece struct {
	first   uint64
	entries []Entry
}

// run walks the segment and calls emit, if it is not nil, for every piece. The
// entries are valid until emit returns.
func (s *salvage) run(emit func(piece) error) error {
	s.emit = emit
	s.got = newScanned(s.header)
	s.expect = s.header.first
	w := walker{
		file: s.file, nonce: s.header.nonce, off: segmentHeaderSize, end: s.limit,
		next: s.header.first, prev: s.header.prev, chained: s.intact, reuse: true,
	}
	synced := s.got.synced
	if s.complete {
		synced = s.limit
	}
	for {
		at := w.off
		c, bad := w.commit()
		if bad == io.EOF {
			break
		}
		if bad == nil {
			if err := s.whole(&c); err != nil {
				return err
			}
			synced = max(synced, c.synced)
			continue
		}
		if s.complete && !s.sealed && s.expect == s.until && s.pending == nil {
			break
		}
		if !s.complete && !s.searched {
			beyond, err := syncedBeyond(s.file, s.header.nonce, at, s.limit)
			if err != nil {
				return err
			}
			s.searched, synced = true, max(synced, beyond)
		}
		if at >= synced {
			s.unsynced = s.limit - at
			s.see(at, 0)
			break
		}
		next, err := s.skip(at, synced, bad)
		if err != nil {
			return err
		}
		w.move(next)
	}
	s.finish(w.off)
	return nil
}

// whole takes in an intact commit.
func (s *salvage) whole(c *commit) error {
	if c.first < s.expect {
		// Only after damage: a commit that repeats positions is of another time.
		s.damaged(c.offset, c.offset+c.size(), errPlace)
		return nil
	}
	var to int64
	if c.count > 0 {
		to, _ = c.times()
	}
	s.arrive(c.offset, c.first, c.flags&flagGap != 0, to)
	s.got.add(c)
	s.expect = c.next()
	if s.emit == nil {
		return nil
	}
	p := piece{first: c.first, entries: make([]Entry, 0, c.count)}
	c.entries(0, false, func(e Entry, _ bool) bool {
		p.entries = append(p.entries, e)
		return true
	})
	return s.emit(p)
}

// arrive says that position first, of time to, can be read at an offset, and
// notes what is missing before it.
func (s *salvage) arrive(offset int64, first uint64, gap bool, to int64) {
	if first > s.expect && s.pending == nil {
		if gap {
			s.gaps = append(s.gaps, Stretch{
				First: s.expect, Last: first - 1, Segment: s.name,
				From: unixTime(s.got.lastTime), To: unixTime(to), Reason: "lost in an earlier repair",
			})
			return
		}
		s.damaged(offset, offset, errPlace)
	}
	s.settle(first, to)
}

// settle ends the damage that is being described: next, of time to, is the next
// position that can be read.
func (s *salvage) settle(next uint64, to int64) {
	if s.pending == nil {
		return
	}
	if next > s.expect {
		s.pending.First, s.pending.Last = s.expect, next-1
		s.pending.To = unixTime(to)
	}
	s.damage = append(s.damage, s.pending)
	s.pending = nil
}

// damaged notes damaged bytes.
func (s *salvage) damaged(from, to int64, reason error) {
	if s.pending != nil {
		s.pending.End = to
		return
	}
	s.pending = &CorruptError{
		Dir: s.dir, Segment: s.name, Offset: from, End: to,
		From: unixTime(s.got.lastTime), Reason: "a commit: " + reason.Error(),
	}
}

// see notes the positions that the header of a commit at an offset tells of:
// those before it, and its own if they lie below synced.
func (s *salvage) see(at, synced int64) (h commitHeader, ok bool) {
	b := make([]byte, commitHeaderSize)
	if s.limit-at < commitHeaderSize {
		return h, false
	}
	if _, err := readFull(s.file, b, at); err != nil {
		return h, false
	}
	h, err := decodeCommitHeader(b, s.header.nonce, at)
	if err != nil {
		return h, false
	}
	s.seen = max(s.seen, h.first)
	if at+h.size() <= synced {
		s.seen = max(s.seen, h.next())
	}
	return h, true
}

// skip gets past something at an offset, below what was synced, that is not the
// commit that belongs there. It returns where to go on.
func (s *salvage) skip(at, synced int64, bad error) (next int64, err error) {
	h, ok := s.see(at, synced)
	if ok && at+h.size() <= synced && h.first >= s.expect {
		data := make([]byte, h.size())
		if _, err := readFull(s.file, data, at); err == nil {
			c := commit{h, data}
			if h.checkTable(c.tableBytes()) == nil {
				return at + h.size(), s.bodies(&c, bad)
			}
		}
	}
	next = synced
	err = findHeaders(s.file, s.header.nonce, at+1, s.limit, func(h commitHeader) bool {
		if h.first < s.expect {
			return true
		}
		next = min(next, h.offset)
		return false
	})
	s.damaged(at, next, bad)
	return next, err
}

// bodies takes from a commit whose header and table are intact the entries
// whose bodies are.
func (s *salvage) bodies(c *commit, bad error) error {
	var run piece
	flush := func() error {
		p := run
		run = piece{}
		if len(p.entries) == 0 || s.emit == nil {
			return nil
		}
		return s.emit(p)
	}
	var failed error
	off := c.offset + commitHeaderSize + int64(c.count)*entryRecordSize
	lost := false
	first := true
	c.entries(0, true, func(e Entry, ok bool) bool {
		at := off
		off += int64(len(e.Body))
		if !ok {
			lost = true
			s.damaged(at, off, errChecksum)
			failed = flush()
			return failed == nil
		}
		ns := e.Time.UnixNano()
		s.arrive(c.offset, e.Position, first && c.flags&flagGap != 0, ns)
		first = false
		if s.got.firstTime == 0 {
			s.got.firstTime = ns
		}
		s.got.lastTime = ns
		s.got.entries++
		s.expect = e.Position + 1
		if len(run.entries) == 0 {
			run.first = e.Position
		}
		run.entries = append(run.entries, e)
		return true
	})
	if failed != nil {
		return failed
	}
	s.got.commits++
	if !lost {
		// Intact, but not what follows the commit before it.
		s.damaged(c.offset, c.offset+commitHeaderSize, bad)
		s.settle(s.expect, 0)
	}
	return flush()
}

// finish settles what is open at the end.
func (s *salvage) finish(end int64) {
	until := max(s.expect, s.seen)
	if s.until > 0 {
		until = s.until
		if s.pending == nil && s.expect < until {
			s.damaged(end, s.limit, errors.New("it ends too early"))
		}
	}
	if s.pending == nil && until > s.expect {
		s.damaged(end, end, errShort)
	}
	s.settle(until, 0)
	s.expect = until
}

// patientFile reads what can be read: blocks that the disk refuses are zeros,
// which no checksum matches.
type patientFile struct{ File }

func (f patientFile) ReadAt(b []byte, off int64) (int, error) {
	const block = 4 << 10
	n, err := f.File.ReadAt(b, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	for n = 0; n < len(b); {
		to := min(len(b), n+block-int((off+int64(n))%block))
		m, err := f.File.ReadAt(b[n:to], off+int64(n))
		if errors.Is(err, io.EOF) {
			return n + m, err
		}
		if err != nil {
			clear(b[n:to])
		}
		n = to
	}
	return n, nil
}
