package journal

import (
	"errors"
	"fmt"
	"path/filepath"
)

// errLater is in the error of a step that has not begun and can be tried again.
var errLater = errors.New("journal: try again later")

// rotate begins the next segment and seals the active one. In this order:
//
//  1. the next segment, complete with its header, is synced, gets its name, and
//     the directory is synced;
//  2. the footer of the old one is written and synced;
//  3. only then is anything appended to the new one.
//
// So a segment that has a successor with entries in it is sealed, and a sealed
// segment has a successor: whatever else is found is damage. A crash between 1
// and 2 leaves an unsealed segment followed by an empty one, which recover knows.
//
// ErrFull (no space) and errLater mean that nothing has changed.
func (j *Journal) rotate() error {
	old := j.writing
	next, f, allocated, err := j.createSegment(j.id, old.next, old.chain)
	if err != nil {
		return err
	}
	size, err := j.seal(j.active, old)
	if err != nil {
		_ = f.Close()
		if !noSpace(err) {
			return j.fail("seal a segment", err)
		}
		// The blocks were allocated beforehand unless the file system cannot.
		// Back to where it was: first the successor must be gone for good.
		if err := j.fs.Remove(filepath.Join(j.dir, next.name)); err != nil {
			return j.fail("take back a segment", err)
		}
		if err := j.fs.SyncDir(j.dir); err != nil {
			return j.fail("sync the directory", err)
		}
		if err := j.active.Truncate(old.end); err != nil {
			return j.fail("cut off half a footer", err)
		}
		j.setAllocated(old.end)
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if err := j.active.Close(); err != nil {
		_ = f.Close()
		return j.fail("close a segment", err)
	}
	j.active, j.writing = f, next
	j.rotateAt = 0
	j.mu.Lock()
	old.sealed = true
	j.bytes += size - old.size + next.size
	old.size = size
	old.index = nil // it is in the file
	j.segments = append(j.segments[:len(j.segments):len(j.segments)], next)
	j.allocated = allocated
	j.mu.Unlock()
	j.hook("rotated")
	return nil
}

// createSegment makes an empty segment, durable and under its name.
func (j *Journal) createSegment(id uuid, first uint64, prev uint32) (s *segment, f File, allocated int64, err error) {
	h := segmentHeader{id: id, first: first, nonce: newNonce(), created: j.opts.Now().UnixNano(), prev: prev}
	name := segmentName(first)
	path := filepath.Join(j.dir, name)
	fail := func(what string, err error) (*segment, File, int64, error) {
		if f != nil {
			_ = f.Close()
		}
		_ = j.fs.Remove(path + tempSuffix)
		if noSpace(err) {
			return nil, nil, 0, fmt.Errorf("%w: %s: %w", ErrFull, what, err)
		}
		return nil, nil, 0, j.fail(what, err)
	}
	if f, err = j.fs.Create(path + tempSuffix); err != nil {
		if noSpace(err) {
			return fail("begin a segment", err)
		}
		// Too many open files, say: nothing has happened yet.
		return nil, nil, 0, fmt.Errorf("%w: %w", errLater, err)
	}
	if !j.unallocated {
		want := segmentHeaderSize + j.opts.Reserve
		allocated, err = allocateUpTo(f, want, max(want, j.opts.SegmentBytes+j.opts.Reserve))
		if err != nil {
			if noSpace(err) {
				return fail("keep the reserve", err)
			}
			allocated = 0 // allocate finds out that it cannot be done
		}
	}
	if _, err = f.WriteAt(h.encode(), 0); err != nil {
		return fail("write a segment's header", err)
	}
	if err = f.Sync(); err != nil {
		// Not the log itself, which goes on elsewhere. But what the disk answers
		// here it will answer there.
		_ = f.Close()
		return nil, nil, 0, j.fail("sync a segment's header", err)
	}
	// Closed for the renaming, which not every system does with an open file.
	err = f.Close()
	f = nil
	if err != nil {
		return fail("close a segment", err)
	}
	if err = j.fs.Rename(path+tempSuffix, path); err != nil {
		return fail("name a segment", err)
	}
	if err = j.fs.SyncDir(j.dir); err != nil {
		return nil, nil, 0, j.fail("sync the directory", err)
	}
	if f, err = j.fs.OpenWrite(path); err != nil {
		return nil, nil, 0, j.fail("open a segment", err)
	}
	return &segment{name: name, header: h, size: segmentHeaderSize, scanned: newScanned(h)}, f, allocated, nil
}

// seal writes the footer of a segment, gives back what is allocated behind it,
// and syncs. It returns the length of the file.
func (j *Journal) seal(f File, s *segment) (size int64, err error) {
	t := trailer{
		nonce: s.header.nonce, end: s.end, next: s.next, entries: s.entries, commits: s.commits,
		firstTime: s.firstTime, lastTime: s.lastTime, chain: s.chain,
	}
	footer := t.footer(s.index)
	if _, err := f.WriteAt(footer, s.end); err != nil {
		return 0, err
	}
	size = s.end + int64(len(footer))
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, j.fail("sync a sealed segment", err)
	}
	return size, nil
}
