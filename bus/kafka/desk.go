package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/timbridge/timbridge/bus"
)

// desk keeps the stamps of events published one by one.
type desk struct {
	mu    sync.Mutex
	enc   eventEncoder
	buf   batchBuffer
	parts map[bus.Target]*deskPart
}

// deskPart is a partition that events were published to.
type deskPart struct {
	id   topicID
	next stamp
	// doubt is the digest of an event that may be stored under next, and at the
	// time of its first attempt.
	doubt string
	at    time.Time
}

// Publish stores one event. It repeats what gets no answer until ctx ends, under
// a stamp that has the broker store it once; an event published again after
// Publish has returned is stored again, unless that ended in doubt.
func (b *Bus) Publish(ctx context.Context, stream bus.Stream, e *event.Event) (bus.Position, error) {
	if b.ctx.Err() != nil {
		return bus.Position{}, bus.ErrClosed
	}
	if err := e.Validate(); err != nil {
		return bus.Position{}, fmt.Errorf("publish: %w: %w", bus.ErrNotCloudEvent, err)
	}
	r, err := b.topicOf(stream, e.Type())
	if err != nil {
		return bus.Position{}, fmt.Errorf("publish: %w", err)
	}
	b.desk.mu.Lock()
	defer b.desk.mu.Unlock()
	b.desk.enc.structured = b.cfg.Structured
	msg, err := b.desk.enc.encode(e)
	if err != nil {
		return bus.Position{}, fmt.Errorf("publish: %w", err)
	}
	rec := record{key: msg.key, value: msg.value, headers: msg.headers}
	o := rec.original(r.Name)
	var p bus.Position
	err = b.whileUnreachable(ctx, func() (err error) {
		p, err = b.publish(ctx, r.Name, &msg, bus.Digest(&o))
		return err
	})
	if err != nil {
		if refused := refusal(bus.Target(r.Name), err); refused != nil {
			err = refused
		}
		return bus.Position{}, fmt.Errorf("publish event %q: %w", e.ID(), err)
	}
	return p, nil
}

func (b *Bus) publish(ctx context.Context, name string, msg *message, digest string) (bus.Position, error) {
	t, err := b.topic(ctx, name)
	if err != nil {
		return bus.Position{}, err
	}
	partition := t.partitionOf(msg.key)
	target := targetOf(name, partition)
	if b.desk.parts == nil {
		b.desk.parts = map[bus.Target]*deskPart{}
	}
	d := b.desk.parts[target]
	if d == nil {
		d = &deskPart{}
		b.desk.parts[target] = d
	}
	if d.doubt != digest {
		if d.doubt != "" || d.id != t.id {
			d.next.set = false
		}
		d.doubt, d.at = "", time.Now()
	}
	if !d.next.set {
		if d.next, err = b.initProducer(ctx); err != nil {
			return bus.Position{}, err
		}
	}
	d.id, d.doubt = t.id, digest
	b.desk.buf.reset(d.at)
	b.desk.buf.add(msg)
	if err := b.desk.buf.finish(d.next, b.codec); err != nil {
		return bus.Position{}, err
	}
	it := &parcel{topic: name, partition: partition, batch: b.desk.buf.batch(), done: make(chan struct{})}
	b.produce(ctx, it)
	base, at, err := it.base, it.at, it.err
	switch codeOf(err) {
	case 0:
		if err != nil {
			return bus.Position{}, err
		}
	case kafkago.OutOfOrderSequenceNumber, kafkago.InvalidProducerEpoch, kafkago.UnknownProducerId:
		// The partition lost its tail, and what it knew of this producer.
		d.next.set = false
		return bus.Position{}, fmt.Errorf("%w: %v", errMoved, err)
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge:
		d.doubt = ""
		size, limit := b.desk.buf.size(), t.maxMessage
		return bus.Position{}, &bus.RefusedError{Size: int64(size), Limit: int64(limit),
			Reason: fmt.Sprintf("it is %d bytes with its headers, topic %s takes %d (max.message.bytes)", size, name, limit)}
	default:
		return bus.Position{}, err
	}
	if at.IsZero() {
		at = time.UnixMilli(d.at.UnixMilli()).UTC()
	}
	d.doubt = ""
	d.next.sequence++ // 2^31 events by one person's tool are not expected
	return bus.Position{Target: target, Offset: uint64(base) + 1, Time: at, Digest: digest}, nil
}

// Follow reads a stream; events that are routed to topics of their own are read
// along with the others. Partitions added since are for the next who follows.
func (b *Bus) Follow(ctx context.Context, stream bus.Stream, from bus.Start) (bus.Follower, error) {
	f := &follower{b: b, out: newPrefetched(), closed: make(chan struct{})}
	for i := range b.routes {
		r := &b.routes[i]
		if r.stream != stream {
			continue
		}
		if err := b.whileUnreachable(ctx, func() error { return f.add(ctx, r, from) }); err != nil {
			if refused := refusal(bus.Target(r.Name), err); refused != nil {
				err = refused
			}
			return nil, fmt.Errorf("follow %s: %w", stream, err)
		}
	}
	if len(f.sources) == 0 {
		return nil, fmt.Errorf("follow: no stream is called %q", stream)
	}
	for _, s := range f.sources {
		if err := b.start(s.r); err != nil {
			_ = f.Close() // what has begun
			return nil, err
		}
	}
	return f, nil
}

// follower is a [bus.Follower].
type follower struct {
	b       *Bus
	out     *prefetched
	sources []source
	once    sync.Once
	closed  chan struct{}
}

// source is one partition that is followed.
type source struct {
	r    *reader
	goal int64 // where it ended when following began
}

// add begins to follow a topic, from places that are known before any message
// comes, so that what is published from now on is not missed.
func (f *follower) add(ctx context.Context, r *route, from bus.Start) error {
	if err := f.b.learn(ctx, r.Name); err != nil {
		return err
	}
	t, err := f.b.topic(ctx, r.Name)
	if err != nil {
		return err
	}
	var sources []source
	for p := range t.partitions {
		s := source{r: &reader{b: f.b, topic: r.Name, partition: p, id: t.id, out: f.out}}
		first, err := f.b.offset(ctx, t, p, kafkago.FirstOffset, false)
		if err != nil {
			return err
		}
		if s.goal, err = f.b.offset(ctx, t, p, kafkago.LastOffset, true); err != nil {
			return err
		}
		switch {
		case from.Beginning:
			s.r.next = first
		case !from.Time.IsZero():
			if s.r.next, err = s.r.before(ctx, t, from.Time, s.goal); err != nil {
				return err
			}
		default:
			s.r.next = s.goal
		}
		for s.goal > max(s.r.next, first) { // markers of transactions are nothing to wait for
			last, ok, err := f.b.at(ctx, t, p, s.goal-1)
			if err != nil {
				return err
			}
			if !ok || !last.control {
				break
			}
			s.goal--
		}
		s.r.passed.Store(s.r.next)
		sources = append(sources, s)
	}
	f.sources = append(f.sources, sources...)
	return nil
}

// Next waits for the next message.
func (f *follower) Next(ctx context.Context) (bus.Received, error) {
	for {
		select {
		case it := <-f.out.items:
			f.out.took(&it)
			if it.reset != nil {
				continue // of interest to those who must not miss anything
			}
			return f.b.received(&it, false), nil
		case <-ctx.Done():
			return bus.Received{}, context.Cause(ctx)
		case <-f.closed:
			return bus.Received{}, bus.ErrClosed
		case <-f.b.ctx.Done():
			return bus.Received{}, bus.ErrClosed
		}
	}
}

// CaughtUp says that what was there when following began has been returned.
func (f *follower) CaughtUp() bool {
	for i := range f.sources {
		// In this order: what is passed was put on the channel before.
		if f.sources[i].r.passed.Load() < f.sources[i].goal || f.sources[i].r.waiting.Load() > 0 {
			return false
		}
	}
	return true
}

// Close ends following and waits for it.
func (f *follower) Close() error {
	f.once.Do(func() {
		close(f.closed)
		for _, s := range f.sources {
			if s.r.cancel != nil {
				s.r.cancel()
			}
		}
		for _, s := range f.sources {
			if s.r.cancel != nil {
				s.r.close()
			}
		}
	})
	return nil
}
