package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// recover reads what is in the directory and makes it a journal that can be
// appended to. The steps are those of README.md, "Recovery".
func (j *Journal) recover() error {
	j.unallocated = j.opts.Reserve == 0
	l, err := readLayout(j.fs, j.dir)
	if err != nil {
		return err
	}
	// Step 1. A name that was not yet synced when the process was killed is
	// there now but may not be after a power cut; from here on it must be.
	if err := j.fs.SyncDir(j.dir); err != nil {
		return fmt.Errorf("journal: sync the directory: %w", err)
	}
	for _, name := range l.temps {
		if err := j.fs.Remove(filepath.Join(j.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("journal: remove a leftover: %w", err)
		}
	}
	if len(l.segments) == 0 {
		if l.exists() {
			return j.corrupt(segmentName(1), 0, 0, 0, errors.New("all segments are missing"))
		}
		return j.create()
	}
	if err := j.openSegments(l.segments); err != nil {
		return err
	}
	if err := j.openSnapshots(l.snapshots); err != nil {
		return err
	}
	if j.repairs, err = readRepairs(j.fs, j.dir); err != nil {
		return err
	}
	id, ok := readID(j.fs, j.dir)
	if ok && id != j.id {
		return j.corrupt(idName, 0, 0, 0, fmt.Errorf("it names the journal %v, the segments %v", id, j.id))
	}
	if !ok {
		if err := writeFile(j.fs, j.dir, idName, encodeID(j.id)); err != nil {
			return fmt.Errorf("journal: write the id: %w", err)
		}
	}
	if !j.allocate(j.active, j.current().end) {
		j.full.Store(true) // found out again by the first append
	}
	return nil
}

// create makes a journal in an empty directory.
func (j *Journal) create() error {
	j.id = newUUID()
	s, f, allocated, err := j.createSegment(j.id, 1, 0)
	if err != nil {
		return err
	}
	j.segments, j.bytes = []*segment{s}, s.size
	j.active, j.allocated = f, allocated
	// After the segment: an id without a segment means that segments were lost.
	if err := writeFile(j.fs, j.dir, idName, encodeID(j.id)); err != nil {
		return fmt.Errorf("journal: write the id: %w", err)
	}
	return nil
}

// corrupt makes the error for damage in a file of this journal.
func (j *Journal) corrupt(name string, offset int64, first, last uint64, reason error) *CorruptError {
	return &CorruptError{Dir: j.dir, Segment: name, Offset: offset, First: first, Last: last, Reason: reason.Error()}
}

// openSegments reads headers and footers of all segments and the commits of the
// last one, and checks that they fit together (steps 2 to 6).
func (j *Journal) openSegments(files []segmentFile) error {
	var unfinished *segmentFile
	for i, sf := range files {
		last := i == len(files)-1
		s, err := j.openSegment(sf)
		if i > 0 && last && !j.current().sealed && s == nil {
			// Step 3. It has just been created and has nothing but a part of its
			// header: nothing was appended to it, or the one before would be sealed.
			if short, e := j.onlyHeader(sf); e != nil {
				return e
			} else if short {
				unfinished = &files[i]
				break
			}
		}
		if err != nil {
			return err
		}
		if i == 0 {
			j.id = s.header.id
		} else if err := j.follows(j.current(), s); err != nil {
			return err
		}
		if !s.sealed && i < len(files)-2 {
			return j.corrupt(s.name, s.size, s.header.first, files[i+1].first-1, errNoFooter)
		}
		j.segments = append(j.segments, s)
		j.bytes += s.size
	}
	last := j.current()
	if last.sealed {
		return j.corrupt(segmentName(last.next), 0, last.next, 0, errMissing)
	}
	if unfinished != nil {
		if err := j.openActive(last, unfinished.first); err != nil {
			return err
		}
		return j.removeSegment(unfinished.name)
	}
	if err := j.openActive(last, 0); err != nil {
		return err
	}
	if len(j.segments) == 1 {
		return nil
	}
	before := j.segments[len(j.segments)-2]
	if last.commits == 0 {
		return j.finishRotation(before, last)
	}
	if !before.sealed {
		return j.corrupt(before.name, before.size, before.header.first, last.header.first-1, errNoFooter)
	}
	return nil
}

var (
	errNoFooter = errors.New("its footer is missing or damaged")
	errMissing  = errors.New("the segment is missing")
)

// onlyHeader reports whether a segment has no room for a commit.
func (j *Journal) onlyHeader(sf segmentFile) (bool, error) {
	f, err := j.fs.Open(filepath.Join(j.dir, sf.name))
	if err != nil {
		return false, fmt.Errorf("journal: open a segment: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return false, fmt.Errorf("journal: %s: %w", sf.name, err)
	}
	return size <= segmentHeaderSize, nil
}

// removeSegment removes a segment that has nothing in it, durably.
func (j *Journal) removeSegment(name string) error {
	if err := j.fs.Remove(filepath.Join(j.dir, name)); err != nil {
		return fmt.Errorf("journal: remove an unfinished segment: %w", err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return fmt.Errorf("journal: sync the directory: %w", err)
	}
	return nil
}

// openSegment reads a segment's header and, if it has one, its footer.
func (j *Journal) openSegment(sf segmentFile) (*segment, error) {
	f, err := j.fs.Open(filepath.Join(j.dir, sf.name))
	if err != nil {
		return nil, fmt.Errorf("journal: open a segment: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", sf.name, err)
	}
	h, err := readHeader(f, size)
	if err == nil && h.first != sf.first {
		err = errPlace
	}
	if err != nil {
		return nil, j.openError(sf, 0, fmt.Errorf("its header: %w", err))
	}
	s := &segment{name: sf.name, header: h, size: size, scanned: newScanned(h)}
	t, err := readTrailer(f, h, size)
	if err != nil {
		if isVersionOrReading(err) {
			return nil, j.openError(sf, size-trailerSize, fmt.Errorf("its footer: %w", err))
		}
		return s, nil
	}
	s.sealedBy(t)
	return s, nil
}

// sealedBy takes over what a trailer says of its segment.
func (s *segment) sealedBy(t trailer) {
	s.sealed = true
	s.end, s.next, s.entries, s.commits = t.end, t.next, t.entries, t.commits
	s.firstTime, s.lastTime, s.chain, s.synced = t.firstTime, t.lastTime, t.chain, t.end
}

func isVersionOrReading(err error) bool {
	var version *versionError
	return errors.As(err, &version) || errors.Is(err, errReading)
}

// openError tells what cannot be read, or is newer, from what is damaged.
func (j *Journal) openError(sf segmentFile, offset int64, err error) error {
	if isVersionOrReading(err) {
		return fmt.Errorf("journal: %s: %w", sf.name, err)
	}
	return j.corrupt(sf.name, offset, sf.first, 0, err)
}

func readHeader(f File, size int64) (segmentHeader, error) {
	b := make([]byte, min(size, segmentHeaderSize))
	if _, err := readFull(f, b, 0); err != nil {
		return segmentHeader{}, err
	}
	return decodeSegmentHeader(b)
}

// readTrailer reads the end of a segment; the error is not errReading when the
// segment is not sealed.
func readTrailer(f File, h segmentHeader, size int64) (t trailer, err error) {
	if size < segmentHeaderSize+trailerSize {
		return t, errShort
	}
	b := make([]byte, trailerSize)
	if _, err := readFull(f, b, size-trailerSize); err != nil {
		return t, err
	}
	t, err = decodeTrailer(b, size)
	if err == nil && t.nonce != h.nonce || err == nil && t.next < h.first {
		err = errPlace
	}
	return t, err
}

// follows checks that two neighbours belong together. An unsealed one is
// checked by finishRotation.
func (j *Journal) follows(a, b *segment) error {
	if b.header.id != j.id {
		return j.corrupt(b.name, 0, b.header.first, 0, fmt.Errorf("it belongs to the journal %v, the others to %v", b.header.id, j.id))
	}
	if !a.sealed {
		return nil
	}
	if a.next < b.header.first {
		return j.corrupt(segmentName(a.next), 0, a.next, b.header.first-1, errMissing)
	}
	if a.next != b.header.first || a.chain != b.header.prev {
		return j.corrupt(b.name, 0, b.header.first, 0, errors.New("it does not continue the segment before it"))
	}
	return nil
}

// openActive reads the last segment and cuts what was never synced (steps 4 and
// 5). until is 0, or the position to which all of it was synced.
func (j *Journal) openActive(s *segment, until uint64) error {
	f, err := j.fs.OpenWrite(filepath.Join(j.dir, s.name))
	if err != nil {
		return fmt.Errorf("journal: open a segment: %w", err)
	}
	j.active = f
	sc, bad, err := scanSegment(f, s.header, s.size)
	if err != nil {
		return fmt.Errorf("journal: %s: %w", s.name, err)
	}
	if until != 0 && sc.next != until {
		if bad == nil {
			bad = errShort
		}
		return j.describeDamage(f, s, sc, bad, until)
	}
	if bad != nil {
		synced, err := syncedBeyond(f, s.header.nonce, sc.end, s.size)
		if err != nil {
			return fmt.Errorf("journal: %s: %w", s.name, err)
		}
		if synced > sc.end {
			return j.describeDamage(f, s, sc, bad, 0)
		}
	}
	// What no commit says was synced is written again: after a failed fsync the
	// file may read well although the disk does not have it, and a later fsync
	// would not write it. Overwriting bytes with the same bytes harms nothing.
	if err := rewrite(f, sc.synced, sc.end); err != nil {
		return fmt.Errorf("journal: %s: write the end again: %w", s.name, err)
	}
	if s.size > sc.end {
		if err := f.Truncate(sc.end); err != nil {
			return fmt.Errorf("journal: %s: cut what was never synced: %w", s.name, err)
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("journal: %s: sync: %w", s.name, err)
	}
	j.bytes += sc.end - s.size
	s.size, s.scanned = sc.end, sc
	return nil
}

// describeDamage finds out as much as can be said about the damage at sc.end.
// until is the first position of the next segment, 0 for the last one.
func (j *Journal) describeDamage(f File, s *segment, sc scanned, bad error, until uint64) error {
	found := salvage{
		dir: j.dir, name: s.name, file: f, header: s.header, intact: true, limit: s.size,
		complete: until != 0, until: until, sealed: s.sealed,
	}
	if s.sealed {
		found.limit = s.end
	}
	if err := found.run(nil); err != nil {
		return fmt.Errorf("journal: %s: %w", s.name, err)
	}
	if len(found.damage) == 0 {
		return j.corrupt(s.name, sc.end, sc.next, 0, bad)
	}
	return found.damage[0]
}

// rewrite writes the bytes from one offset to another again.
func rewrite(f File, from, to int64) error {
	buf := make([]byte, min(readChunk, max(0, to-from)))
	for from < to {
		b := buf[:min(int64(len(buf)), to-from)]
		if _, err := readFull(f, b, from); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return nil
}

// finishRotation seals the segment before an empty last one (step 6), again if
// need be: the crash may have come before all of its footer was written, or
// before it was synced.
func (j *Journal) finishRotation(a, b *segment) error {
	f, err := j.fs.OpenWrite(filepath.Join(j.dir, a.name))
	if err != nil {
		return fmt.Errorf("journal: open a segment: %w", err)
	}
	defer f.Close()
	limit := a.size
	if a.sealed {
		limit = a.end
	}
	sc, bad, err := scanSegment(f, a.header, limit)
	if err != nil {
		return fmt.Errorf("journal: %s: %w", a.name, err)
	}
	if a.sealed {
		sc.chain = a.chain // not the last commit's if a repair wrote the segment
	}
	if sc.next != b.header.first || sc.chain != b.header.prev {
		// All of it was synced before its successor was made.
		if bad == nil {
			bad = errShort
		}
		return j.describeDamage(f, a, sc, bad, b.header.first)
	}
	a.scanned = sc
	size, err := j.seal(f, a)
	if noSpace(err) {
		return j.takeBack(a, b)
	}
	if err != nil {
		return fmt.Errorf("journal: %s: seal: %w", a.name, err)
	}
	j.bytes += size - a.size
	a.size, a.sealed, a.index = size, true, nil
	return nil
}

// takeBack goes back to before a rotation for which there is no space.
func (j *Journal) takeBack(a, b *segment) error {
	if err := j.active.Close(); err != nil {
		return fmt.Errorf("journal: %s: %w", b.name, err)
	}
	j.active = nil
	if err := j.removeSegment(b.name); err != nil {
		return err
	}
	j.segments = j.segments[:len(j.segments)-1]
	j.bytes -= b.size
	return j.openActive(a, b.header.first)
}

// openSnapshots takes in the snapshots' names and compares them with the log:
// none is ahead of it unless its end is lost (step 7).
func (j *Journal) openSnapshots(files []snapshotFile) error {
	for i := range files {
		f, err := j.fs.Open(filepath.Join(j.dir, files[i].name))
		if err != nil {
			return fmt.Errorf("journal: open a snapshot: %w", err)
		}
		files[i].size, err = f.Size()
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("journal: %s: %w", files[i].name, err)
		}
		last := j.current()
		if p := files[i].position; p >= last.next {
			return j.corrupt(last.name, last.end, last.next, p,
				fmt.Errorf("the log ends at position %d, but %s goes to %d", last.next-1, files[i].name, p))
		}
	}
	j.snaps = files
	return nil
}

// The file with the journal's id is one line, the UUID and its checksum: what
// repairs go by when no segment has kept it.

func encodeID(id uuid) []byte {
	s := id.String()
	return fmt.Appendf(nil, "%s %08x\n", s, checksum([]byte(s)))
}

// readID returns false if there is no such file or it is damaged.
func readID(fsys FS, dir string) (uuid, bool) {
	b, err := readFile(fsys, filepath.Join(dir, idName))
	if err != nil || len(b) < 36 {
		return uuid{}, false
	}
	id, ok := parseUUID(string(b[:36]))
	return id, ok && string(b) == string(encodeID(id))
}
