package journal

import (
	"context"
	"errors"
	"time"
)

// Journal is an open journal. All methods may be called at once from several
// goroutines.
type Journal struct{}

var errUnwritten = errors.New("journal: not written yet")

// Open opens the journal in dir, and makes one if there is none. It recovers
// from any crash by itself; it returns ErrLocked while another process has it
// open, and a [*CorruptError] for damage that is not a crash's.
func Open(dir string, opts Options) (*Journal, error) { return nil, errUnwritten }

// Close waits for the appends that have begun, then frees the directory.
func (j *Journal) Close() error { return nil }

// ID returns the journal's UUID, made when it was created.
func (j *Journal) ID() string { return "" }

// Append writes entries and returns once they are durable, all of them or none,
// with the position of the first; the others follow without gaps. It sets
// Position and Time in entries, which must not be touched meanwhile.
//
// An error means that nothing was appended (ErrFull, ErrTooLarge, ErrClosed, or
// ctx ended before writing began), with one exception: after ErrFailed the next
// Open may find the entries or not.
func (j *Journal) Append(ctx context.Context, entries []Entry) (first uint64, err error) {
	return 0, errUnwritten
}

// AppendReserved is Append for what must be written even on a full disk, such as
// the outcome of what has been started: it may use the reserve.
func (j *Journal) AppendReserved(ctx context.Context, entries []Entry) (first uint64, err error) {
	return 0, errUnwritten
}

// Writable waits until ordinary appends are possible, or returns ctx's error,
// ErrFailed or ErrClosed.
func (j *Journal) Writable(ctx context.Context) error { return errUnwritten }

// First returns the lowest position that can be read; Last+1 while there is none.
func (j *Journal) First() uint64 { return 0 }

// Last returns the position of the newest durable entry (or lost one, after a
// repair); First-1 while there is none.
func (j *Journal) Last() uint64 { return 0 }

// Failed is closed when the journal has failed; Err then says why.
func (j *Journal) Failed() <-chan struct{} { return nil }

// Err returns nil, or why the journal failed; it matches ErrFailed.
func (j *Journal) Err() error { return nil }

// Stats are figures for metrics and readiness.
type Stats struct {
	First, Last   uint64 // as the methods of that name
	Bytes         int64  // length of all segments
	SnapshotBytes int64  // length of all snapshots
	Segments      int
	Snapshots     int
	Free          int64         // bytes free on the volume; -1 when it cannot be told
	Reserve       int64         // bytes allocated for AppendReserved; 0 where that cannot be done
	Full          bool          // ordinary appends are refused, as of now
	Entries       uint64        // appended since Open
	Commits       uint64        // groups of appends, each one fdatasync, since Open
	SyncTime      time.Duration // spent in those fdatasyncs
}

// Stats returns the figures of this moment.
func (j *Journal) Stats() Stats { return Stats{} }

// Segment describes one file of the log.
type Segment struct {
	Name string // file name in the directory
	// First and Last bound its positions; Last is First-1 while it has none.
	First, Last uint64
	Bytes       int64
	Sealed      bool      // complete: nothing will be appended to it
	LastTime    time.Time // the newest entry's; zero while it has none
}

// Segments returns the segments, oldest first.
func (j *Journal) Segments() []Segment { return nil }

// DeleteBefore deletes the sealed segments that lie wholly below position,
// oldest first, and returns how many. Whether they are still needed is the
// caller's to know.
func (j *Journal) DeleteBefore(position uint64) (deleted int, err error) { return 0, errUnwritten }

// Repairs returns the stretches that [Repair] has given up, until ClearRepairs.
// The owner appends what it makes of them (with an id made from First and Last,
// so that doing it twice is harmless) and then calls ClearRepairs.
func (j *Journal) Repairs() []Stretch { return nil }

// ClearRepairs forgets, durably, what Repairs returned.
func (j *Journal) ClearRepairs() error { return errUnwritten }
