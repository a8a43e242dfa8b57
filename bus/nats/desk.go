package nats

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

// Publish stores one event. The message's id comes of the event's source, id
// and content, so that a repeat within the duplicate window is stored once, and
// gives the position of the first; another event with the id of the first is
// stored too, for its reader to see that an id was used twice.
func (b *Bus) Publish(ctx context.Context, stream bus.Stream, e *event.Event) (bus.Position, error) {
	if b.ctx.Err() != nil {
		return bus.Position{}, bus.ErrClosed
	}
	if err := e.Validate(); err != nil {
		return bus.Position{}, fmt.Errorf("publish: %w: %w", bus.ErrNotCloudEvent, err)
	}
	r, place, err := b.place(stream, e)
	if err != nil {
		return bus.Position{}, fmt.Errorf("publish: %w", err)
	}
	enc := encoder{structured: b.cfg.Structured}
	h, data, err := enc.encode(e)
	if err != nil {
		return bus.Position{}, fmt.Errorf("publish: %w", err)
	}
	sum := sha256.Sum256(slices.Concat([]byte(strings.Join([]string{e.Source(), e.ID(), e.Type(), e.Subject(), account(e), ""}, "\x00")), e.Data()))
	enc.set(jetstream.MsgIDHeader, "ce-"+hex.EncodeToString(sum[:16]))
	enc.set(jetstream.ExpectedStreamHeader, r.Name)
	p, err := b.publish(ctx, r, &nats.Msg{Subject: place, Header: h, Data: data})
	if err != nil {
		if refused := refusal(r.Name, err); refused != nil {
			err = refused
		}
		return bus.Position{}, fmt.Errorf("publish event %q: %w", e.ID(), err)
	}
	return p, nil
}

func (b *Bus) publish(ctx context.Context, r *route, msg *nats.Msg) (bus.Position, error) {
	if limit := b.conn.nc.MaxPayload(); int64(headerSize(msg.Header)+len(msg.Data)) > limit {
		size := int64(headerSize(msg.Header) + len(msg.Data))
		return bus.Position{}, &bus.RefusedError{Size: size, Limit: limit,
			Reason: fmt.Sprintf("it is %d bytes with its headers, the server takes %d", size, limit)}
	}
	askCtx, done, err := b.conn.ask(ctx, r.Subject+".", b.cfg.RequestTimeout)
	if err != nil {
		return bus.Position{}, err
	}
	a, err := b.awaitAck(askCtx, msg)
	done()
	if err != nil {
		return bus.Position{}, err
	}
	p := bus.Position{Target: bus.Target(r.Name), Offset: a.Sequence}
	// Its time and digest are what the stream says; a message that is gone
	// already was stored all the same.
	if m, err := b.get(ctx, r.Name, getRequest{Seq: a.Sequence}); err == nil {
		o := original(m.subject, m.header, m.data)
		p.Time, p.Digest = m.time, bus.Digest(&o)
	}
	return p, nil
}

// Follow reads a stream; events that are routed to streams of their own are
// read along with the others.
func (b *Bus) Follow(ctx context.Context, stream bus.Stream, from bus.Start) (bus.Follower, error) {
	f := &follower{b: b, out: make(chan item, prefetch), closed: make(chan struct{})}
	for i := range b.routes {
		r := &b.routes[i]
		if r.stream != stream {
			continue
		}
		if err := f.add(ctx, r, from); err != nil {
			_ = f.Close()
			if refused := refusal(r.Name, err); refused != nil {
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
			_ = f.Close()
			return nil, err
		}
	}
	return f, nil
}

// follower is a [bus.Follower].
type follower struct {
	b       *Bus
	out     chan item
	sources []*source
	behind  atomic.Int32 // sources that have not caught up
	once    sync.Once
	closed  chan struct{}
}

// source is one stream that is followed.
type source struct {
	r      *reader
	goal   uint64 // the last message there when following began
	caught bool
}

// add begins to follow a stream, from a place that is known before any message
// comes, so that what is published from now on is not missed.
func (f *follower) add(ctx context.Context, r *route, from bus.Start) error {
	info, err := f.b.info(ctx, r.Name)
	if err != nil {
		return err
	}
	s := &source{r: &reader{b: f.b, stream: r.Name, out: f.out, source: len(f.sources)}}
	switch {
	case from.Beginning:
	case !from.Time.IsZero():
		if s.r.pos.Offset, err = s.r.before(ctx, info, from.Time); err != nil {
			return err
		}
		s.r.startTime = from.Time
	default:
		s.r.pos.Offset = info.State.LastSeq
	}
	final, err := f.b.get(ctx, r.Name, getRequest{Last: ">"})
	switch {
	case errors.Is(err, errNoMessage):
	case err != nil:
		return err
	case final.sequence > s.r.pos.Offset:
		s.goal = final.sequence
	}
	if s.goal == 0 {
		s.caught = true
	} else {
		f.behind.Add(1)
	}
	f.sources = append(f.sources, s)
	return nil
}

// Next waits for the next message.
func (f *follower) Next(ctx context.Context) (bus.Received, error) {
	for {
		select {
		case it := <-f.out:
			if it.reset != nil {
				continue // of interest to those who must not miss anything
			}
			s := f.sources[it.source]
			if !s.caught && (it.sequence >= s.goal || it.pending == 0) {
				s.caught = true
				f.behind.Add(-1)
			}
			r := f.b.received(&it, false)
			r.Target = bus.Target(s.r.stream)
			return r, nil
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
func (f *follower) CaughtUp() bool { return f.behind.Load() == 0 }

// Close ends following and waits for it.
func (f *follower) Close() error {
	f.once.Do(func() {
		close(f.closed)
		for _, s := range f.sources {
			if s.r.cancel != nil {
				s.r.close()
			}
		}
	})
	return nil
}
