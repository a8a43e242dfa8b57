package journal

import (
	"errors"
	"fmt"
)

// allocateAhead is how much more than the reserve is allocated at once, so that
// it is not done for every commit.
const allocateAhead = 8 << 20

func (j *Journal) snapshotBytes() (n int64) {
	for _, f := range j.snaps {
		n += f.size
	}
	return n
}

// roomLocked reports whether need bytes may be appended by an ordinary append,
// as far as figures tell. free is negative when it is not known. j.mu is held.
func (j *Journal) roomLocked(need, free int64) bool {
	o := &j.opts
	if o.MaxDiskBytes > 0 && j.bytes+j.snapshotBytes()+need > o.MaxDiskBytes-o.Reserve {
		return false
	}
	if free < 0 {
		return true
	}
	missing := need
	if !j.unallocated {
		missing = max(0, j.wanted(j.current().end+need)-j.allocated)
	}
	mark := o.HighWater
	if j.full.Load() {
		mark += mark / 8 // once full, a little more must be free, or it would flap
	}
	return free-missing >= mark
}

// wanted is the length to which the active segment must have its blocks before
// an ordinary append that takes it to end: the reserve, and the footer that
// seals it, must still fit behind.
func (j *Journal) wanted(end int64) int64 {
	footer := (end/indexEvery+2)*indexEntrySize + trailerSize
	return end + j.opts.Reserve + footer
}

// withinBudget holds every append, reserved or not, to MaxDiskBytes.
func (j *Journal) withinBudget(need int64) error {
	if j.opts.MaxDiskBytes <= 0 {
		return nil
	}
	j.mu.RLock()
	used := j.bytes + j.snapshotBytes()
	j.mu.RUnlock()
	if used+need > j.opts.MaxDiskBytes {
		return fmt.Errorf("%w: %d MiB are in use, allowed are %d MiB", ErrFull, used>>20, j.opts.MaxDiskBytes>>20)
	}
	return nil
}

// makeRoom prepares an ordinary append of need bytes: it begins the next
// segment if this one is long enough, and keeps the reserve allocated. It
// returns ErrFull if the append must wait, ErrFailed if that is over for ever.
func (j *Journal) makeRoom(need int64) error {
	free, err := j.fs.Free(j.dir)
	if err != nil {
		free = -1
	}
	j.mu.RLock()
	room := j.roomLocked(need, free)
	j.mu.RUnlock()
	if !room {
		return fmt.Errorf("%w: %d MiB are free, at %d MiB the high-water mark is reached", ErrFull, max(free, 0)>>20, j.opts.HighWater>>20)
	}
	s := j.writing
	if s.entries > 0 && s.end+need > j.opts.SegmentBytes && s.end >= j.rotateAt {
		err := j.rotate()
		if errors.Is(err, ErrFull) || errors.Is(err, errLater) {
			// The segment grows on instead, and this is tried again later.
			j.rotateAt = s.end + j.opts.SegmentBytes/16
		} else if err != nil {
			return err
		}
	}
	if !j.allocate(j.active, j.writing.end+need) {
		return fmt.Errorf("%w: the reserve cannot be kept", ErrFull)
	}
	return nil
}

// allocate makes sure that the active segment has its blocks up to end and for
// the reserve behind that, if the file system can do that.
func (j *Journal) allocate(f File, end int64) bool {
	want := j.wanted(end)
	if j.unallocated || want <= j.allocated {
		return true
	}
	got, err := allocateUpTo(f, want, max(want, j.opts.SegmentBytes+j.opts.Reserve))
	if err == nil {
		j.setAllocated(got)
		return true
	}
	if noSpace(err) {
		return false
	}
	// Whatever it is, the space is not kept; free space is still watched.
	j.mu.Lock()
	j.unallocated = true
	j.mu.Unlock()
	return true
}

// allocateUpTo allocates the first want bytes of f, and some more up to most if
// they can be had.
func allocateUpTo(f File, want, most int64) (int64, error) {
	ahead := min(want+allocateAhead, most)
	err := f.Allocate(ahead)
	if err != nil && noSpace(err) && want < ahead {
		ahead = want
		err = f.Allocate(ahead)
	}
	return ahead, err
}

func (j *Journal) setAllocated(n int64) {
	j.mu.Lock()
	j.allocated = n
	j.mu.Unlock()
}
