package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// Report is what Inspect found.
type Report struct {
	Dir         string
	ID          string // the journal's UUID; empty when nothing has kept it
	First, Last uint64
	Entries     uint64 // that can be read
	Bytes       int64
	Locked      bool // a process has it open; the end may have moved meanwhile
	Segments    []SegmentReport
	Snapshots   []SnapshotReport
	Damage      []*CorruptError // in order of position; empty when the log is well
	// Unsynced is the length of what the next Open will cut: bytes at the end
	// that a crash left and nobody was promised.
	Unsynced  int64
	Leftovers []string  // temporary files that the next Open removes
	KeptAside []string  // damaged files that repairs have kept
	Repairs   []Stretch // lost in earlier repairs and not yet acknowledged
}

// OK reports whether the journal opens and every entry and snapshot can be read.
func (r Report) OK() bool {
	for _, s := range r.Snapshots {
		if s.Err != nil {
			return false
		}
	}
	return len(r.Damage) == 0
}

// SegmentReport describes one segment as Inspect found it.
type SegmentReport struct {
	Segment
	FirstTime time.Time
	Entries   uint64 // that can be read
	Commits   uint64
	Gaps      []Stretch // positions without entries, left by earlier repairs
	OK        bool
}

// SnapshotReport describes one snapshot as Inspect found it.
type SnapshotReport struct {
	Name     string
	Position uint64
	Time     time.Time
	Bytes    int64
	Sections []string
	Err      error // a *CorruptError when it is damaged
}

// ReadID returns the UUID of the journal in a directory, as the file of that
// name has it, without reading anything else. fsys nil is the operating
// system's. Without such a file the error is [ErrNotFound].
func ReadID(dir string, fsys FS) (string, error) {
	if fsys == nil {
		fsys = OS{}
	}
	id, ok := readID(fsys, dir)
	if !ok {
		return "", fmt.Errorf("%w: %s", ErrNotFound, dir)
	}
	return id.String(), nil
}

// Inspect reads everything in a journal's directory and changes nothing. It may
// be used while the journal is open. fsys nil is the operating system's.
func Inspect(dir string, fsys FS) (Report, error) {
	if fsys == nil {
		fsys = OS{}
	}
	for try := 0; ; try++ {
		before, err := readLayout(fsys, dir)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !before.exists() {
			return Report{}, fmt.Errorf("%w: %s", ErrNotFound, dir)
		}
		if err != nil {
			return Report{}, err
		}
		r, err := inspect(dir, fsys, before)
		after, listErr := readLayout(fsys, dir)
		if listErr != nil {
			return Report{}, listErr
		}
		// While it is open, segments come and go, and one that was seen before it
		// was sealed can be followed by one seen with entries in it. What is
		// really damaged is so again.
		if try < 10 && !slices.Equal(before.segments, after.segments) {
			continue
		}
		if try < 3 && r.Locked && len(r.Damage) > 0 {
			continue
		}
		return r, err
	}
}

func inspect(dir string, fsys FS, l layout) (Report, error) {
	r := Report{Dir: dir, Leftovers: l.temps, KeptAside: l.damaged}
	lock, err := fsys.Lock(filepath.Join(dir, lockName))
	switch {
	case errors.Is(err, ErrLocked):
		r.Locked = true
	case err == nil:
		// Only to know; held for longer, it would keep the bridge from starting.
		if err := lock.Close(); err != nil {
			return r, fmt.Errorf("journal: unlock: %w", err)
		}
	}
	h := health{dir: dir, fs: fsys, layout: l}
	if err := h.examine(); err != nil {
		return r, err
	}
	if h.idKnown {
		r.ID = h.id.String()
	}
	r.Damage = h.damage
	for _, x := range h.across {
		r.Segments = append(r.Segments, x.report())
		r.Bytes += x.size
	}
	for _, x := range h.segments {
		r.Segments = append(r.Segments, x.report())
		r.Entries += x.got.entries
		r.Bytes += x.size
		r.Unsynced = x.unsynced
	}
	slices.SortFunc(r.Segments, func(a, b SegmentReport) int { return cmp.Compare(a.First, b.First) })
	if n := len(h.segments); n > 0 {
		r.First, r.Last = h.segments[0].name.first, h.segments[n-1].expect-1
	}
	for _, f := range l.snapshots {
		r.Snapshots = append(r.Snapshots, inspectSnapshot(fsys, dir, f, h.id))
	}
	r.Repairs, err = readRepairs(fsys, dir)
	var damage *CorruptError
	if errors.As(err, &damage) {
		r.Damage = append(r.Damage, damage)
	} else if err != nil {
		return r, err
	}
	return r, nil
}

func (x *examined) report() SegmentReport {
	return SegmentReport{
		Segment: Segment{
			Name: x.name.name, First: x.name.first, Last: x.expect - 1, Bytes: x.size,
			Sealed: x.sealed, LastTime: unixTime(x.got.lastTime),
		},
		FirstTime: unixTime(x.got.firstTime),
		Entries:   x.got.entries,
		Commits:   x.got.commits,
		Gaps:      x.gaps,
		OK:        len(x.damage) == 0,
	}
}

func inspectSnapshot(fsys FS, dir string, f snapshotFile, id uuid) SnapshotReport {
	r := SnapshotReport{Name: f.name, Position: f.position}
	if file, err := fsys.Open(filepath.Join(dir, f.name)); err == nil {
		r.Bytes, _ = file.Size()
		_ = file.Close()
	}
	s, _, err := readSnapshot(fsys, filepath.Join(dir, f.name), id)
	if err == nil && s.Position != f.position {
		err = errPlace
	}
	if err != nil {
		r.Err = snapshotError(dir, f, err)
		return r
	}
	r.Time = s.Time
	for _, c := range s.Sections {
		r.Sections = append(r.Sections, c.Name)
	}
	return r
}

// health is everything that can be found out about a journal that is not open.
type health struct {
	dir    string
	fs     FS
	layout layout

	id       uuid
	idKnown  bool
	wrongID  bool // the file of that name has another one
	segments []*examined
	across   []*examined // they lie across others
	damage   []*CorruptError
}

// examined is one segment with what salvage found in it.
type examined struct {
	salvage
	name    segmentFile
	size    int64
	trailer trailer // if sealed
	foreign bool    // it is whole, but another journal's or another segment
	missing uint64  // the position that should have come before its first; 0 if it did

	before *CorruptError // what is missing before it
	index  *CorruptError // of its index
}

// examine reads all segments, each with its neighbours in mind.
func (h *health) examine() error {
	h.findID()
	n := len(h.layout.segments)
	for i, sf := range h.layout.segments {
		var next uint64
		if i+1 < n {
			next = h.layout.segments[i+1].first
		}
		x, err := h.segment(sf, next)
		if err != nil {
			return err
		}
		across := false
		if n := len(h.segments); n > 0 {
			across = h.compare(h.segments[n-1], x, next == 0)
		}
		if across {
			h.across = append(h.across, x)
			h.damage = append(h.damage, x.damage...)
			continue
		}
		h.segments = append(h.segments, x)
	}
	for _, x := range h.segments {
		if x.before != nil {
			h.damage = append(h.damage, x.before)
		}
		if x.index != nil {
			x.damage = append(x.damage, x.index)
		}
		h.damage = append(h.damage, x.damage...)
	}
	h.atEnd()
	return nil
}

// findID finds the journal's UUID: the one most segments have, or else what the
// file of that name says, or a snapshot.
func (h *health) findID() {
	named, ok := readID(h.fs, h.dir)
	votes := make(map[uuid]int)
	best := 0
	for _, sf := range h.layout.segments {
		header, err := headerOf(h.fs, filepath.Join(h.dir, sf.name))
		if err != nil {
			continue
		}
		votes[header.id]++
		if n := votes[header.id]; n > best || n == best && ok && header.id == named {
			h.id, h.idKnown, best = header.id, true, n
		}
	}
	if ok && h.idKnown && named != h.id {
		h.wrongID = true
		h.damage = append(h.damage, &CorruptError{
			Dir: h.dir, Segment: idName, Reason: fmt.Sprintf("it names the journal %v, the segments %v", named, h.id),
		})
	}
	if !h.idKnown {
		h.id, h.idKnown = named, ok
	}
	if h.idKnown {
		return
	}
	for _, sf := range h.layout.snapshots {
		if _, id, err := readSnapshot(h.fs, filepath.Join(h.dir, sf.name), uuid{}); err == nil {
			h.id, h.idKnown = id, true
			return
		}
	}
}

func headerOf(fsys FS, path string) (segmentHeader, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return segmentHeader{}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return segmentHeader{}, err
	}
	return readHeader(patientFile{f}, size)
}

// segment examines one segment; next is the first position of the one after it,
// 0 if it is the last.
func (h *health) segment(sf segmentFile, next uint64) (*examined, error) {
	f, err := h.fs.Open(filepath.Join(h.dir, sf.name))
	if err != nil {
		return nil, fmt.Errorf("journal: open a segment: %w", err)
	}
	defer f.Close()
	x := &examined{name: sf}
	if x.size, err = f.Size(); err != nil {
		return nil, fmt.Errorf("journal: %s: %w", sf.name, err)
	}
	x.salvage = salvage{dir: h.dir, name: sf.name, file: patientFile{f}, complete: next != 0, until: next, limit: x.size}
	header, err := readHeader(x.file, x.size)
	var version *versionError
	if errors.As(err, &version) {
		return nil, fmt.Errorf("journal: %s: %w", sf.name, err)
	}
	if err == nil && header.id != h.id {
		err, x.foreign = errors.New("it belongs to another journal"), true
	} else if err == nil && header.first != sf.first {
		err, x.foreign = errors.New("it is another segment's: "+segmentName(header.first)), true
	}
	headerErr := err
	x.header, x.intact = header, err == nil
	t, err := readSealed(x.file, x.size)
	if errors.As(err, &version) {
		return nil, fmt.Errorf("journal: %s: its footer: %w", sf.name, err)
	}
	if x.foreign {
		x.limit = segmentHeaderSize // nothing in it counts
	} else if err == nil && (!x.intact || t.nonce == header.nonce) && t.next >= sf.first {
		x.trailer, x.sealed = t, true
		x.limit, x.until, x.complete = t.end, t.next, true
	}
	if !x.intact {
		x.header = segmentHeader{first: sf.first}
		if x.sealed {
			x.header.nonce = x.trailer.nonce
		} else if nonce, ok := guessNonce(x.file, x.limit); ok {
			x.header.nonce = nonce
		}
	}
	if err := x.run(nil); err != nil {
		return nil, fmt.Errorf("journal: %s: %w", sf.name, err)
	}
	if !x.intact {
		x.damage = slices.Insert(x.damage, 0, &CorruptError{
			Dir: h.dir, Segment: sf.name, End: min(segmentHeaderSize, x.size), Reason: "its header: " + headerErr.Error(),
		})
	}
	if x.sealed && !indexIntact(x.file, &x.trailer) {
		x.index = &CorruptError{
			Dir: h.dir, Segment: sf.name, Offset: x.trailer.end, End: x.size, Reason: "its index: " + errChecksum.Error(),
		}
	}
	return x, nil
}

// readSealed reads the trailer at the end of a file, whatever segment's it is.
func readSealed(f File, size int64) (trailer, error) {
	if size < segmentHeaderSize+trailerSize {
		return trailer{}, errShort
	}
	b := make([]byte, trailerSize)
	if _, err := readFull(f, b, size-trailerSize); err != nil {
		return trailer{}, err
	}
	return decodeTrailer(b, size)
}

func indexIntact(f File, t *trailer) bool {
	b := make([]byte, int(t.index)*indexEntrySize)
	if _, err := readFull(f, b, t.end); err != nil || checksum(b) != t.indexCRC {
		return false
	}
	_, err := decodeIndex(b, t.end)
	return err == nil
}

// compare looks at how b follows a; last is whether it is the last one. It
// returns true if b lies across a.
func (h *health) compare(a, b *examined, last bool) (across bool) {
	first := b.name.first
	switch {
	case a.sealed && a.trailer.next > first:
		b.damage = []*CorruptError{{
			Dir: h.dir, Segment: b.name.name, Reason: "its positions are those of the segment before it",
		}}
		return true
	case a.sealed && a.trailer.next < first:
		b.missing = a.trailer.next
		b.before = &CorruptError{
			Dir: h.dir, Segment: segmentName(a.trailer.next), First: a.trailer.next, Last: first - 1,
			From: unixTime(a.got.lastTime), To: unixTime(b.got.firstTime), Reason: errMissing.Error(),
		}
	case a.sealed && b.intact && a.trailer.chain != b.header.prev:
		b.damage = append(b.damage, &CorruptError{
			Dir: h.dir, Segment: b.name.name, End: segmentHeaderSize, Reason: "it does not continue the segment before it",
		})
	}
	// A crash while b was being made leaves it empty, and the footer of a
	// missing or in part.
	rotating := last && b.got.commits == 0 && !b.sealed && len(a.damage) == 0
	if a.sealed {
		if rotating && b.intact {
			a.index = nil // Open writes it again
		}
		return false
	}
	if rotating {
		if !b.intact && !b.foreign && b.size <= segmentHeaderSize {
			b.damage = nil // Open takes it away
			return false
		}
		if b.intact && a.got.chain == b.header.prev {
			return false // Open seals a
		}
	}
	a.damage = append(a.damage, &CorruptError{Dir: h.dir, Segment: a.name.name, Offset: a.size, Reason: errNoFooter.Error()})
	return false
}

// atEnd looks at what the last segment and the snapshots say of the log's end.
func (h *health) atEnd() {
	next := uint64(1)
	name := segmentName(1)
	var from int64
	if n := len(h.segments); n > 0 {
		last := h.segments[n-1]
		next, name, from = last.expect, last.name.name, last.got.lastTime
		if last.sealed {
			name = segmentName(next)
			h.damage = append(h.damage, &CorruptError{
				Dir: h.dir, Segment: name, First: next, From: unixTime(from), Reason: errMissing.Error(),
			})
			return
		}
	} else {
		h.damage = append(h.damage, &CorruptError{Dir: h.dir, Segment: name, First: next, Reason: "all segments are missing"})
		return
	}
	for _, s := range h.layout.snapshots {
		if s.position >= next {
			h.damage = append(h.damage, &CorruptError{
				Dir: h.dir, Segment: name, First: next, Last: s.position, From: unixTime(from),
				Reason: fmt.Sprintf("the log ends at position %d, but %s goes to %d", next-1, s.name, s.position),
			})
		}
	}
}
