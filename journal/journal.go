package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Journal is an open journal. All methods may be called at once from several
// goroutines.
type Journal struct {
	dir  string
	fs   FS
	opts Options
	id   uuid
	lock io.Closer

	queue   queue
	once    sync.Once
	closed  error         // what Close returned
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the writer has ended
	failed  chan struct{}
	cause   atomic.Pointer[error] // set before failed is closed
	full    atomic.Bool           // the last ordinary append was refused

	// mu guards what follows. Only the writer changes the active segment and
	// what is allocated for it, so it reads those without the lock.
	mu       sync.RWMutex
	segments []*segment // oldest first; the last is active, the others sealed
	bytes    int64      // length of all segments
	tail     tail
	changed  chan struct{} // closed when an append is durable; nil while nobody waits
	repairs  []Stretch
	snaps    []snapshotFile // oldest first
	stats    Stats          // only the counters
	// allocated is how many bytes of the active segment have their blocks,
	// written or not; unallocated, that the file system cannot do that.
	allocated   int64
	unallocated bool

	removing sync.Mutex // held while segments are deleted
	saving   sync.Mutex // held while snapshots change

	// The writer's own.
	active   File
	writing  *segment // the active one
	rotateAt int64    // length below which beginning the next segment is not tried again
}

// segment is one file of the log.
type segment struct {
	name   string
	header segmentHeader
	sealed bool
	size   int64 // of the file; the same as end while it is active
	scanned
}

func (s *segment) describe() Segment {
	return Segment{
		Name: s.name, First: s.header.first, Last: s.next - 1,
		Bytes: s.size, Sealed: s.sealed, LastTime: unixTime(s.lastTime),
	}
}

// Open opens the journal in dir, and makes one if there is none. It recovers
// from any crash by itself; it returns ErrLocked while another process has it
// open, and a [*CorruptError] for damage that is not a crash's.
func Open(dir string, opts Options) (*Journal, error) {
	opts = opts.withDefaults()
	if err := opts.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("journal: make the directory: %w", err)
	}
	lock, err := takeLock(opts.FS, dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		dir:     dir,
		fs:      opts.FS,
		opts:    opts,
		lock:    lock,
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		failed:  make(chan struct{}),
	}
	j.queue.init()
	j.tail.size = int(min(tailBytes, opts.SegmentBytes))
	if err := j.recover(); err != nil {
		if j.active != nil {
			_ = j.active.Close()
		}
		_ = lock.Close()
		return nil, err
	}
	j.writing = j.current()
	go j.write()
	return j, nil
}

func takeLock(fsys FS, dir string) (io.Closer, error) {
	lock, err := fsys.Lock(filepath.Join(dir, lockName))
	if err != nil {
		if errors.Is(err, ErrLocked) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
		}
		return nil, fmt.Errorf("journal: lock the directory: %w", err)
	}
	return lock, nil
}

// Close finishes the appends that have been handed in, then frees the
// directory. It returns why the journal failed, if it did. Readers end with
// ErrClosed; each must still be closed by its owner.
func (j *Journal) Close() error {
	j.once.Do(func() { j.closed = j.close() })
	return j.closed
}

func (j *Journal) close() error {
	j.queue.close()
	close(j.closing)
	<-j.done
	// A snapshot or a deletion that has begun ends before the lock is gone.
	j.saving.Lock()
	defer j.saving.Unlock()
	j.removing.Lock()
	defer j.removing.Unlock()
	err := j.Err()
	if e := j.active.Close(); err == nil && e != nil {
		err = fmt.Errorf("journal: close: %w", e)
	}
	if e := j.lock.Close(); err == nil && e != nil {
		err = fmt.Errorf("journal: unlock: %w", e)
	}
	return err
}

func (j *Journal) isClosed() bool {
	select {
	case <-j.closing:
		return true
	default:
		return false
	}
}

// fail ends all writing for ever and returns the error that says so.
func (j *Journal) fail(what string, cause error) error {
	err := fmt.Errorf("%w: %s: %w", ErrFailed, what, cause)
	if j.cause.CompareAndSwap(nil, &err) {
		close(j.failed)
	}
	return j.Err()
}

// Failed is closed when the journal has failed; Err then says why.
func (j *Journal) Failed() <-chan struct{} { return j.failed }

// Err returns nil, or why the journal failed; it matches ErrFailed.
func (j *Journal) Err() error {
	if p := j.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// usable returns why nothing can be written any more, or nil.
func (j *Journal) usable() error {
	if err := j.Err(); err != nil {
		return err
	}
	if j.isClosed() {
		return ErrClosed
	}
	return nil
}

func (j *Journal) hook(point string) {
	if j.opts.Hook != nil {
		j.opts.Hook(point)
	}
}

// ID returns the journal's UUID, made when it was created.
func (j *Journal) ID() string { return j.id.String() }

// First returns the lowest position that can be read; Last+1 while there is none.
func (j *Journal) First() uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.segments[0].header.first
}

// Last returns the position of the newest durable entry (or lost one, after a
// repair); First-1 while there is none.
func (j *Journal) Last() uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.current().next - 1
}

// current returns the active segment. j.mu is held, or nobody else is there yet:
// the list also changes at its front, under the hands of whoever deletes.
func (j *Journal) current() *segment { return j.segments[len(j.segments)-1] }

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
func (j *Journal) Stats() Stats {
	free, err := j.fs.Free(j.dir)
	if err != nil {
		free = -1
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	s := j.stats
	s.First = j.segments[0].header.first
	s.Last = j.current().next - 1
	s.Bytes = j.bytes
	s.Segments = len(j.segments)
	s.Snapshots = len(j.snaps)
	s.SnapshotBytes = j.snapshotBytes()
	s.Free = free
	s.Reserve = max(0, j.allocated-j.current().end)
	s.Full = j.full.Load() || !j.roomLocked(1, free)
	return s
}

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
func (j *Journal) Segments() []Segment {
	j.mu.RLock()
	defer j.mu.RUnlock()
	all := make([]Segment, len(j.segments))
	for i, s := range j.segments {
		all[i] = s.describe()
	}
	return all
}

// DeleteBefore deletes the sealed segments that lie wholly below position,
// oldest first, and returns how many. Whether they are still needed is the
// caller's to know.
func (j *Journal) DeleteBefore(position uint64) (deleted int, err error) {
	j.removing.Lock()
	defer j.removing.Unlock()
	for {
		if err := j.usable(); err != nil {
			return deleted, err
		}
		j.mu.RLock()
		s := j.segments[0]
		sealed, next := s.sealed, s.next
		j.mu.RUnlock()
		if !sealed || next > position {
			return deleted, nil
		}
		if err := j.fs.Remove(filepath.Join(j.dir, s.name)); err != nil {
			return deleted, fmt.Errorf("journal: delete a segment: %w", err)
		}
		// One at a time: two names removed but not synced can come back in any
		// combination, and the older without the newer would be a hole.
		if err := j.fs.SyncDir(j.dir); err != nil {
			return deleted, j.fail("sync the directory", err)
		}
		j.mu.Lock()
		j.segments = j.segments[1:]
		j.bytes -= s.size
		j.mu.Unlock()
		deleted++
		if deleted == 1 {
			j.hook("segment_deleted")
		}
	}
}

// newUUID makes a random (version 4) UUID.
func newUUID() (u uuid) {
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

func newNonce() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// wait returns a channel that is closed when something has been appended.
func (j *Journal) wait() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return j.changed
}

// Writable waits until ordinary appends are possible, or returns ctx's error,
// ErrFailed or ErrClosed.
func (j *Journal) Writable(ctx context.Context) error {
	// Only the writer knows for sure, since it has to allocate; so it is asked.
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-j.failed:
			return j.Err()
		case <-j.closing:
			return ErrClosed
		}
		r := &request{probe: true}
		err := j.submit(ctx, r)
		if !errors.Is(err, ErrFull) {
			return err
		}
		timer.Reset(writableEvery)
	}
}
