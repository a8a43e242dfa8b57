package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/timbridge/timbridge/bus"
)

const (
	// longPoll is how long a broker holds a request for records when there are none.
	longPoll = 500 * time.Millisecond
	// readBytes bounds what one request brings, but for a batch that is larger.
	readBytes = 1 << 20
	// resetMargin is how much before a position's time reading starts again: a
	// broker's clock may have been set back since. What is read twice for it is
	// known to its reader.
	resetMargin = time.Minute
	// quietFailures is how many sessions in a row may fail before it is said.
	quietFailures = 3
	// damaged is how often a batch may come damaged before it is taken for stored so.
	damaged = 5
)

// reader reads one partition from a position of its own. Whenever it begins a
// session (at first, after a lost connection, when the leader has changed) it
// makes sure that the message at its position is still that message. Within one,
// the leader's epoch and the topic's id on every request see to it.
type reader struct {
	b         *Bus
	topic     string
	partition int

	pos  bus.Position // of the last message read; Offset 0 is none
	next int64        // the offset to read at, past what is no message
	id   topicID      // that pos belongs to, where it is known
	// begun says that next is where the partition began, or what was read of it
	// since, though no message came yet.
	begun bool
	// startTime is where reading begins when nothing was read yet.
	startTime time.Time

	// limit is the largest record that is held whole; 0 is [maxRecord].
	limit   int
	damages int // how often the batch at next came damaged

	out     *prefetched
	passed  atomic.Int64 // everything below it was read, or is no message
	waiting atomic.Int64 // items on out
	fetches atomic.Bool  // it knows its place, and has read from there
	trouble atomic.Pointer[trouble]
	told    bool // the log knows of trouble
	cancel  context.CancelFunc
	done    chan struct{}
}

// trouble is why a partition cannot be read, for longer than a moment.
type trouble struct{ err error }

// item is a message, or something to say about reading.
type item struct {
	record
	digest string
	orig   bus.Original
	reset  *bus.Reset
	r      *reader
}

// readers are the readers open on a bus.
type readers struct {
	mu     sync.Mutex
	open   map[*reader]struct{}
	closed bool
}

func (rs *readers) remove(r *reader) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.open, r)
}

func (rs *readers) close() {
	rs.mu.Lock()
	rs.closed = true
	var open []*reader
	for r := range rs.open {
		open = append(open, r)
	}
	rs.mu.Unlock()
	for _, r := range open {
		r.close()
	}
}

// start runs a reader that puts what it reads on out.
func (b *Bus) start(r *reader) error {
	r.b, r.done = b, make(chan struct{})
	b.readers.mu.Lock()
	defer b.readers.mu.Unlock()
	if b.readers.closed {
		return bus.ErrClosed
	}
	if b.readers.open == nil {
		b.readers.open = map[*reader]struct{}{}
	}
	b.readers.open[r] = struct{}{}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(b.ctx)
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
	return nil
}

func (r *reader) close() {
	r.cancel()
	<-r.done
	r.b.readers.remove(r)
}

func (r *reader) target() bus.Target { return targetOf(r.topic, r.partition) }

// run reads session after session until ctx ends.
func (r *reader) run(ctx context.Context) {
	for failed := 0; ctx.Err() == nil; {
		answered, err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if answered {
			failed = 0
		}
		failed++
		if r.fails(failed, err); failed == 1 {
			continue // what ended a session is mostly mended by the next
		}
		sleep(ctx, backoff(min(failed, 4)))
	}
}

// fails notes that sessions in a row have failed.
func (r *reader) fails(times int, err error) {
	var access *AccessError
	if times < quietFailures && !errors.As(err, &access) {
		return
	}
	r.trouble.Store(&trouble{err})
	if !r.told && !r.b.away.Load() {
		// Said once, then in silence until it is over; that no broker
		// answers is not for each partition to say.
		r.told = true
		r.b.log.Warn("reading is interrupted, and tried again", "target", r.target(), "error", err)
	}
}

// works notes that the partition can be read.
func (r *reader) works() {
	if r.trouble.Swap(nil) != nil && r.told {
		r.b.log.Info("reading goes on", "target", r.target())
	}
	r.told = false
}

// unread is why partitions cannot be read, one of them named; nil when all can.
func (rs *readers) unread() error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var first *bus.TargetError
	n := 0
	for r := range rs.open {
		t := r.trouble.Load()
		if t == nil {
			continue
		}
		if n++; first == nil || r.target() < first.Target {
			first = &bus.TargetError{Target: r.target(), Err: t.err}
		}
	}
	switch {
	case n == 0:
		return nil
	case n > 1:
		first.Err = fmt.Errorf("%d partitions cannot be read, this one because: %w", n, first.Err)
	default:
		first.Err = fmt.Errorf("cannot be read: %w", first.Err)
	}
	return first
}

// session reads until something is wrong with the connection or the partition,
// and says whether it could read at all.
func (r *reader) session(ctx context.Context) (answered bool, err error) {
	if err := r.b.learn(ctx, r.topic); err != nil {
		return false, err
	}
	t, err := r.b.topic(ctx, r.topic)
	if err != nil {
		return false, err
	}
	epoch := r.b.conn.generation()
	if err := r.settle(ctx, t); err != nil {
		return false, err
	}
	for {
		if r.b.conn.generation() != epoch {
			return answered, errMoved // a broker may have come back as another
		}
		f, err := r.b.fetch(ctx, t, r.partition, r.next, longPoll, readBytes, true)
		if err != nil {
			return answered, err
		}
		answered = true
		r.fetches.Store(true)
		if err := r.take(ctx, &f); err != nil {
			return answered, err
		}
		r.works()
	}
}

// take hands on what was fetched.
func (r *reader) take(ctx context.Context, f *fetched) error {
	f.limit, f.turn = r.limit, func() (func(), error) { return r.out.turn(ctx) }
	var putErr error
	next, err := f.each(r.next, true, func(rec record) bool {
		putErr = r.emit(ctx, rec)
		return putErr == nil
	})
	if putErr != nil {
		return putErr
	}
	r.advance(next)
	var d *damageError
	switch {
	case err == nil:
		r.damages = 0
		return nil
	case !errors.As(err, &d):
		return fmt.Errorf("read %s: %w", r.target(), err)
	}
	if r.damages++; r.damages < damaged {
		return fmt.Errorf("read %s: %w", r.target(), err)
	}
	// It is stored so, and what comes behind it is not to wait for ever.
	return r.emit(ctx, d.rest(r.pos.Time))
}

func (r *reader) advance(next int64) {
	r.next = next
	r.passed.Store(next)
}

// emit hands a message on, and moves the position to it.
func (r *reader) emit(ctx context.Context, rec record) error {
	if rec.bad != nil {
		r.b.log.Error("what is stored cannot be read, and is passed over", "target", r.target(), "from", r.next, "to", rec.offset, "error", rec.bad)
	}
	if rec.sendersTime && r.topic == r.b.cfg.Commands.Name && !r.b.sendersTime.Swap(true) {
		r.b.log.Warn("there are commands whose age their senders say: they were stored while their topic had "+configTimestamp+"=CreateTime", "target", r.target(), "offset", rec.offset)
	}
	it := item{digest: rec.digest(r.topic), record: rec.own(), r: r}
	it.orig = it.original(r.topic)
	r.waiting.Add(1)
	r.passed.Store(rec.offset + 1) // it waits from here on, until it is taken
	if err := r.out.put(ctx, it); err != nil {
		return err
	}
	r.pos = bus.Position{Target: r.target(), Offset: uint64(rec.offset) + 1, Time: rec.time, Digest: it.digest}
	r.next = rec.offset + 1
	return nil
}

// reset says that reading did not go on as asked.
func (r *reader) reset(ctx context.Context, reset bus.Reset) error {
	r.waiting.Add(1)
	return r.out.put(ctx, item{reset: &reset, r: r})
}

// settle makes sure that the position is a place to go on after.
func (r *reader) settle(ctx context.Context, t *topic) error {
	first, end, err := r.b.extent(ctx, t, r.partition)
	if err != nil {
		return err
	}
	if r.pos.Offset == 0 {
		switch {
		case !r.startTime.IsZero():
			if r.next, err = r.before(ctx, t, r.startTime, end); err != nil {
				return err
			}
		case r.id != (topicID{}) && r.id != t.id, r.next > end:
			r.next, r.begun = 0, false
		}
		if r.begun && r.next < first {
			// Nothing was there to be read when it was looked at first, and what
			// came since is gone.
			if err := r.lost(ctx, r.next, first); err != nil {
				return err
			}
		}
		r.id, r.begun = t.id, r.startTime.IsZero()
		r.advance(max(r.next, first))
		return nil
	}
	reason, anew := "", r.id != (topicID{}) && r.id != t.id
	last := int64(r.pos.Offset) - 1
	switch {
	case anew:
		reason = "the topic was made anew"
	case last >= end:
		reason = fmt.Sprintf("the partition ends at %d: it has lost its tail, or its topic was made anew", end)
	case r.pos.Digest != "" && last >= first:
		rec, ok, err := r.b.atMost(ctx, t, r.partition, last, r.limit)
		var d *damageError
		if errors.As(err, &d) {
			rec, ok, err = d.rest(r.pos.Time), true, nil
		}
		if err != nil {
			return err
		}
		if !ok || rec.offset != last || rec.digest(r.topic) != r.pos.Digest {
			reason = "another message is there: the partition has lost its tail and grown again, or its topic was made anew"
		}
	}
	if reason == "" {
		r.id = t.id
		next := max(r.next, last+1)
		if next < first {
			if err := r.lost(ctx, next, first); err != nil {
				return err
			}
			// Said once: the position is now after them.
			r.pos = bus.Position{Target: r.target(), Offset: uint64(first)}
			next = first
		}
		r.advance(next)
		return nil
	}
	asked, from, to := r.pos, first, time.Time{}
	if !anew && !asked.Time.IsZero() {
		to = asked.Time.Add(-resetMargin)
		if from, err = r.before(ctx, t, to, end); err != nil {
			return err
		}
	}
	from = max(from, first)
	r.b.log.Warn("reading starts again", "target", r.target(), "offset", asked.Offset, "from", from, "reason", reason)
	if err := r.reset(ctx, bus.Reset{Target: r.target(), Asked: asked, From: uint64(from), To: to, Reason: reason}); err != nil {
		return err
	}
	// Should nothing come before the next session, it looks for its place again
	// by the time, not by an offset that may be lost in turn.
	r.pos, r.id, r.startTime = bus.Position{Target: r.target()}, t.id, to
	r.advance(from)
	return nil
}

// lost says that the topic removed what was not read yet.
func (r *reader) lost(ctx context.Context, next, first int64) error {
	r.b.log.Error("messages were removed before they were read", "target", r.target(), "from", next, "to", first-1)
	return r.reset(ctx, bus.Reset{
		Target: r.target(), Asked: r.pos, From: uint64(first), Lost: uint64(first - next),
		Reason: fmt.Sprintf("the topic removed %d messages before they were read, offsets %d to %d", first-next, next, first-1),
	})
}

// before is the offset of the first message stored at a time or after it.
func (r *reader) before(ctx context.Context, t *topic, at time.Time, end int64) (int64, error) {
	offset, err := r.b.offset(ctx, t, r.partition, at.UnixMilli(), false)
	if err == nil && offset < 0 {
		offset = end
	}
	return offset, err
}
