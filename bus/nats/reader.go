package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

const (
	// prefetch is how many messages are asked for ahead of their reader.
	prefetch = 128
	// heartbeat is how often an idle consumer says that it is there.
	heartbeat = 5 * time.Second
	// idleConsumer is how long the server keeps a consumer that nobody asks.
	idleConsumer = time.Minute
	// resetMargin is how much before a position's time reading starts again: a
	// server's clock may have been set back since. What is read twice for it is
	// known to its reader.
	resetMargin = time.Minute
	// barren is how many sessions without a message are enough to step over
	// what a consumer cannot deliver.
	barren = 2
)

// reader reads one stream from a position of its own. It trusts no consumer
// across a lost connection: whenever it begins a session it makes sure that the
// message at its position is still that message, since a server may come back
// without its tail and hand the same sequences to others.
type reader struct {
	b      *Bus
	stream string
	source int // goes on every item

	// pos is where reading goes on after. known says that its message was read,
	// or is claimed to have been, by this reader's user: a gap after it is
	// then messages removed unread.
	pos   bus.Position
	known bool
	// startTime is where reading begins when nothing was read yet.
	startTime time.Time

	out    chan item
	cancel context.CancelFunc
	done   chan struct{}
}

// item is a message, or something to say about reading.
type item struct {
	stored
	digest  string
	orig    bus.Original
	pending uint64 // messages behind it on the stream
	reset   *bus.Reset
	source  int
}

// readers are the readers open on a bus.
type readers struct {
	mu     sync.Mutex
	open   map[*reader]struct{}
	closed bool
}

func (rs *readers) add(r *reader) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return bus.ErrClosed
	}
	if rs.open == nil {
		rs.open = map[*reader]struct{}{}
	}
	rs.open[r] = struct{}{}
	return nil
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
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(b.ctx)
	if err := b.readers.add(r); err != nil {
		r.cancel()
		return err
	}
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

// run reads session after session until ctx ends.
func (r *reader) run(ctx context.Context) {
	empty, failed := 0, 0
	for ctx.Err() == nil {
		before := r.pos.Offset
		err := r.session(ctx, empty >= barren)
		if ctx.Err() != nil {
			return
		}
		if r.pos.Offset != before {
			empty, failed = 0, 0
		}
		if err != nil {
			// Said once, then in silence until it is over.
			if failed == 0 && !errors.Is(err, errDisconnected) {
				r.b.log.Warn("reading is interrupted and goes on", "stream", r.stream, "error", err)
			}
			failed++
			if r.pos.Offset == before {
				empty++
			}
		}
		sleep(ctx, backoff(min(failed, 4)))
	}
}

// session reads until something is wrong with the connection, the consumer or
// the order of what comes. With step it first reads one message without a
// consumer: a stored message may look like a consumer's own signal.
func (r *reader) session(ctx context.Context, step bool) error {
	ctx, cancel, err := r.b.conn.join(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := r.settle(ctx); err != nil {
		return err
	}
	if step {
		m, err := r.b.get(ctx, r.stream, getRequest{Seq: r.pos.Offset + 1, Next: ">"})
		if err == nil {
			err = r.emit(ctx, m, 1)
		}
		if err != nil && !errors.Is(err, errNoMessage) {
			return err
		}
	}
	name := r.stream
	consumer, err := r.b.js.CreateConsumer(ctx, name, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.pos.Offset + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: idleConsumer,
	})
	if err != nil {
		return fmt.Errorf("make a consumer: %w", err)
	}
	defer func() {
		if ctx.Err() != nil {
			return // the server lets it go when it has been idle
		}
		_ = r.b.js.DeleteConsumer(ctx, name, consumer.CachedInfo().Name) // likewise
	}()
	msgs, err := consumer.Messages(jetstream.PullMaxMessages(prefetch), jetstream.PullHeartbeat(heartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer msgs.Stop()
	for next := uint64(1); ; next++ {
		msg, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if meta.Sequence.Consumer != next || meta.Sequence.Stream <= r.pos.Offset {
			return fmt.Errorf("message %d came as %d of its consumer, not %d", meta.Sequence.Stream, meta.Sequence.Consumer, next)
		}
		if err := r.emit(ctx, stored{
			subject:  msg.Subject(),
			sequence: meta.Sequence.Stream,
			header:   msg.Headers(),
			data:     msg.Data(),
			time:     meta.Timestamp.UTC(),
		}, meta.NumPending); err != nil {
			return err
		}
	}
}

// emit hands a message on, and moves the position to it.
func (r *reader) emit(ctx context.Context, m stored, pending uint64) error {
	if gap := m.sequence - r.pos.Offset - 1; gap > 0 && r.known {
		if err := r.put(ctx, item{reset: &bus.Reset{
			Target: bus.Target(r.stream), Asked: r.pos, From: m.sequence - 1, Lost: gap,
			Reason: fmt.Sprintf("the stream removed %d messages before they were read", gap),
		}}); err != nil {
			return err
		}
	}
	it := item{stored: m, orig: original(m.subject, m.header, m.data), pending: pending}
	it.digest = bus.Digest(&it.orig)
	if err := r.put(ctx, it); err != nil {
		return err
	}
	r.pos = bus.Position{Target: bus.Target(r.stream), Offset: m.sequence, Time: m.time, Digest: it.digest}
	r.known = true
	return nil
}

func (r *reader) put(ctx context.Context, it item) error {
	it.source = r.source
	select {
	case r.out <- it:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settle makes sure that the position is a place to go on after.
func (r *reader) settle(ctx context.Context) error {
	info, err := r.b.info(ctx, r.stream)
	if err != nil {
		return err
	}
	if r.pos.Offset == 0 {
		if !r.startTime.IsZero() {
			r.pos.Offset, err = r.before(ctx, info, r.startTime)
		}
		return err
	}
	reason := ""
	if r.pos.Offset > info.State.LastSeq {
		reason = fmt.Sprintf("the stream ends at %d: it has lost its tail, or was made anew", info.State.LastSeq)
	} else if r.pos.Digest != "" {
		m, err := r.b.get(ctx, r.stream, getRequest{Seq: r.pos.Offset})
		switch {
		case errors.Is(err, errNoMessage):
			// The stream has removed it. That is no reason to doubt its place.
			return nil
		case err != nil:
			return err
		}
		if o := original(m.subject, m.header, m.data); bus.Digest(&o) != r.pos.Digest {
			reason = "another message is there: the stream has lost its tail and grown again, or was made anew"
		}
	}
	if reason == "" {
		return nil
	}
	asked, from := r.pos, uint64(0)
	to := time.Time{}
	if !asked.Time.IsZero() {
		to = asked.Time.Add(-resetMargin)
		if from, err = r.before(ctx, info, to); err != nil {
			return err
		}
	}
	r.b.log.Warn("reading starts again", "stream", r.stream, "offset", asked.Offset, "from", from, "reason", reason)
	if err := r.put(ctx, item{reset: &bus.Reset{Target: bus.Target(r.stream), Asked: asked, From: from, To: to, Reason: reason}}); err != nil {
		return err
	}
	r.pos = bus.Position{Target: bus.Target(r.stream), Offset: from}
	r.known = false
	// Should nothing come before the next session, it looks for its place again
	// by the time, not by an offset that may be lost in turn.
	r.startTime = to
	return nil
}

// before is the sequence before the first message stored at a time or after it.
func (r *reader) before(ctx context.Context, info *jetstream.StreamInfo, t time.Time) (uint64, error) {
	m, err := r.b.get(ctx, r.stream, getRequest{Start: &t, Next: ">"})
	if errors.Is(err, errNoMessage) {
		return info.State.LastSeq, nil
	}
	if err != nil {
		return 0, err
	}
	return m.sequence - 1, nil
}
