package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// groupBytes bounds what several appends put into one commit together: a
	// commit is all or nothing, and a reader reads it as a whole.
	groupBytes = 4 << 20
	// markAfter is how long the log is idle before its end is marked as synced.
	// From then on damage in the last commit is known to be damage.
	markAfter = time.Second
	// writableEvery is how often Writable asks.
	writableEvery = 100 * time.Millisecond
)

// request is one append on its way through the writer.
type request struct {
	entries  []Entry
	size     int64 // of table and bodies
	reserved bool
	probe    bool // asks whether there is space, appends nothing
	first    uint64
	err      error
	done     chan struct{}
}

// queue holds the appends that the writer has not taken yet.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	closed  bool
	wake    chan struct{} // holds a token while the writer has something to look at
}

func (q *queue) init() { q.wake = make(chan struct{}, 1) }

func (q *queue) push(r *request) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, r)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// withdraw takes a request back, unless the writer has it.
func (q *queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w == r {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take returns the next group of requests, in their order, in dst.
func (q *queue) take(dst []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	var size int64
	n := 0
	for n < len(q.waiting) && (n == 0 || size+q.waiting[n].size <= groupBytes) {
		size += q.waiting[n].size
		n++
	}
	dst = append(dst, q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return dst
}

// close refuses what comes from now on.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
}

// Append writes entries and returns once they are durable, all of them or none,
// with the position of the first; the others follow without gaps. It sets
// Position and Time in entries, which must not be touched meanwhile.
//
// An error means that nothing was appended (ErrFull, ErrTooLarge, ErrClosed, or
// ctx ended before writing began), with one exception: after ErrFailed the next
// Open may find the entries or not.
func (j *Journal) Append(ctx context.Context, entries []Entry) (first uint64, err error) {
	return j.append(ctx, entries, false)
}

// AppendReserved is Append for what must be written even on a full disk, such as
// the outcome of what has been started: it may use the reserve.
func (j *Journal) AppendReserved(ctx context.Context, entries []Entry) (first uint64, err error) {
	return j.append(ctx, entries, true)
}

func (j *Journal) append(ctx context.Context, entries []Entry, reserved bool) (uint64, error) {
	if len(entries) == 0 {
		return 0, errors.New("journal: there is nothing to append")
	}
	r := &request{entries: entries, reserved: reserved}
	for i := range entries {
		e := &entries[i]
		if !e.Kind.known() {
			return 0, fmt.Errorf("journal: an entry of %v cannot be appended", e.Kind)
		}
		if len(e.Body) > j.opts.MaxEntryBytes {
			return 0, fmt.Errorf("%w: an entry of %d bytes, allowed are %d", ErrTooLarge, len(e.Body), j.opts.MaxEntryBytes)
		}
		r.size += entryRecordSize + int64(len(e.Body))
	}
	if commitHeaderSize+r.size > MaxBatchBytes {
		return 0, fmt.Errorf("%w: a batch of %d bytes, allowed are %d", ErrTooLarge, commitHeaderSize+r.size, MaxBatchBytes)
	}
	if err := j.submit(ctx, r); err != nil {
		return 0, err
	}
	return r.first, nil
}

// submit hands a request to the writer and waits for what comes of it.
func (j *Journal) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	if !j.queue.push(r) {
		if err := j.Err(); err != nil {
			return err
		}
		return ErrClosed
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if j.queue.withdraw(r) {
			return ctx.Err()
		}
		// It is being written, which is soon over; giving up now would leave
		// the caller without an answer.
		<-r.done
	}
	return r.err
}

// write is the one goroutine that writes to the log.
func (j *Journal) write() {
	defer close(j.done)
	var group []*request
	idle := time.NewTimer(j.opts.markAfter)
	idle.Stop()
	defer idle.Stop()
	for {
		group = j.queue.take(group[:0])
		if len(group) > 0 {
			idle.Stop()
			j.commitGroup(group)
			clear(group)
			continue
		}
		if !j.writing.mark && j.Err() == nil {
			idle.Reset(j.opts.markAfter)
		}
		select {
		case <-j.queue.wake:
		case <-idle.C:
			j.mark()
		case <-j.closing:
			// Nothing is pushed any more; what was pushed before is finished.
			for {
				group = j.queue.take(group[:0])
				if len(group) == 0 {
					j.mark()
					return
				}
				j.commitGroup(group)
			}
		}
	}
}

// commitGroup makes one commit of a group and answers each request in it.
func (j *Journal) commitGroup(group []*request) {
	if err := j.Err(); err != nil {
		answer(group, err)
		return
	}
	var need int64 = commitHeaderSize
	ordinary := false
	for _, r := range group {
		need += r.size
		ordinary = ordinary || !r.reserved
	}
	err := j.makeRoom(need)
	j.full.Store(errors.Is(err, ErrFull))
	if err != nil {
		if !errors.Is(err, ErrFull) {
			answer(group, err)
			return
		}
		group = j.refuse(group, err)
	}
	err = j.commit(group)
	if errors.Is(err, ErrFull) && ordinary {
		// What may use the reserve gets another chance without the others.
		j.full.Store(true)
		group = j.refuse(group, err)
		err = j.commit(group)
	}
	answer(group, err)
}

// refuse answers the ordinary requests and returns the others.
func (j *Journal) refuse(group []*request, err error) []*request {
	rest := make([]*request, 0, len(group))
	for _, r := range group {
		if r.reserved {
			rest = append(rest, r)
			continue
		}
		r.err = err
		close(r.done)
	}
	return rest
}

func answer(group []*request, err error) {
	for _, r := range group {
		r.err = err
		close(r.done)
	}
}

// commit writes the entries of a group, syncs them and lets readers see them.
// It returns ErrFull, and then nothing has changed, or ErrFailed.
func (j *Journal) commit(group []*request) error {
	entries := make([][]Entry, 0, len(group))
	var size int64 = commitHeaderSize
	for _, r := range group {
		if !r.probe {
			entries = append(entries, r.entries)
			size += r.size
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := j.withinBudget(size); err != nil {
		return err
	}
	now := j.opts.Now().UTC()
	next := j.writing.next
	for _, r := range group {
		if r.probe {
			continue
		}
		r.first = next
		for i := range r.entries {
			r.entries[i].Position = next
			r.entries[i].Time = now
			next++
		}
	}
	return j.put(int(size), entries)
}

// mark writes an empty commit: it says that everything before it is on disk.
func (j *Journal) mark() {
	s := j.writing
	if s.mark || s.commits == 0 || j.Err() != nil || j.withinBudget(commitHeaderSize) != nil {
		return
	}
	// On a full disk it can wait; on a failed one the journal says so itself.
	_ = j.put(commitHeaderSize, nil)
}

// put writes one commit of that size at the end of the active segment.
func (j *Journal) put(size int, entries [][]Entry) error {
	s := j.writing
	j.mu.Lock()
	buf := j.tail.room(size)
	j.mu.Unlock()
	h := commitHeader{nonce: s.header.nonce, offset: s.end, first: s.next, synced: s.end, prev: s.chain}
	buf = appendCommit(buf, &h, entries...)
	if _, err := j.active.WriteAt(buf, s.end); err != nil {
		if !noSpace(err) {
			return j.fail("write", err)
		}
		// Part of it may be in the file. It is cut off so that it cannot be
		// taken for a commit behind a later, shorter one.
		if err := j.active.Truncate(s.end); err != nil {
			return j.fail("cut off a half-written commit", err)
		}
		j.setAllocated(s.end)
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	begin := time.Now()
	if err := j.active.Sync(); err != nil {
		return j.fail("sync", err)
	}
	took := time.Since(begin)
	j.hook("synced")

	c := commit{h, buf}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.scanned.add(&c)
	s.size = s.end
	j.bytes += int64(len(buf))
	j.tail.add(c)
	j.stats.SyncTime += took
	if h.count == 0 {
		return nil
	}
	j.stats.Entries += uint64(h.count)
	j.stats.Commits++
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
	return nil
}
