package journal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrLocked is returned by Open and Repair while another process, or
	// another Journal of this one, has the directory open.
	ErrLocked = errors.New("journal: directory is in use by another process")
	// ErrNotFound is returned by Inspect and Repair for a directory without a journal.
	ErrNotFound = errors.New("journal: no journal here")
	// ErrFull is returned by Append at the high-water mark and by AppendReserved
	// when the reserve is used up too. Nothing was appended. It passes by itself
	// once there is space: [Journal.Writable] waits for that.
	ErrFull = errors.New("journal: disk is full")
	// ErrFailed is returned for ever after a write to the log could not be made
	// durable. What the append that met it wrote may or may not be found by the
	// next Open; the process has to end, because what the operating system says
	// about those bytes can no longer be believed.
	ErrFailed = errors.New("journal: failed, the process must end")
	// ErrClosed is returned by everything after Close.
	ErrClosed = errors.New("journal: closed")
	// ErrTooLarge is returned by Append for an entry over Options.MaxEntryBytes
	// or a batch over MaxBatchBytes. Nothing was appended.
	ErrTooLarge = errors.New("journal: entry or batch is too large")
	// ErrDeleted matches every [*DeletedError].
	ErrDeleted = errors.New("journal: position is deleted")
	// ErrCorrupt matches every [*CorruptError].
	ErrCorrupt = errors.New("journal: damaged")
)

// DeletedError is returned when reading from a position below what is left.
// It matches ErrDeleted.
type DeletedError struct {
	First uint64 // the lowest position that can still be read
}

// Error says which position reading can start from.
func (e *DeletedError) Error() string {
	return "journal: position is deleted; the first one left is " + strconv.FormatUint(e.First, 10)
}

// Is matches ErrDeleted.
func (e *DeletedError) Is(target error) bool { return target == ErrDeleted }

// CorruptError says that bytes which had been synced are damaged or gone: not
// what a crash leaves behind, but a failing disk, a file removed by hand, a bug.
// It matches ErrCorrupt. Nothing is repaired unasked; [Repair] goes on with
// every entry that can still be read.
type CorruptError struct {
	Dir     string
	Segment string // file name in Dir
	Offset  int64  // where the damage begins in it; 0 when all of it is missing
	End     int64  // the byte after it, as far as is known; 0 when it is not
	// First and Last bound the positions that are concerned; Last is 0 when
	// the damage reaches the end of what is known.
	First, Last uint64
	// From and To are the times of the entries around it; zero when not known.
	From, To time.Time
	Reason   string
}

// Error names the place, the positions and what to do.
func (e *CorruptError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "journal: damaged: %s", e.Segment)
	if e.Offset != 0 || e.End != 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	if e.First != 0 && e.Last != 0 {
		fmt.Fprintf(&b, ", positions %d to %d", e.First, e.Last)
	} else if e.First != 0 {
		fmt.Fprintf(&b, ", positions from %d on", e.First)
	}
	fmt.Fprintf(&b, "; keep a copy of %s, then repair it", e.Dir)
	return b.String()
}

// Is matches ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
