package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"golang.org/x/sync/errgroup"

	"github.com/timbridge/timbridge/bus"
)

const (
	// restamps is how often one Send may take a new producer id for a target.
	restamps = 3
	// defaultMaxMessage is Kafka's own default of max.message.bytes.
	defaultMaxMessage = 1048588
)

// sending is one part of a plan on its way.
type sending struct {
	t    *target
	part *bus.Part
	msgs []*bus.Message
	look bool
	// limit is the largest batch, in bytes, and shrunk what it came down to
	// after the broker took none as large.
	limit, shrunk int
	filled        int           // messages of the first batch, while that is as it was written
	rest          eventEncoder  // for what is only measured
	left          *atomic.Int64 // messages of the whole round that are not known to be stored
}

// Send stores the messages of a plan, its partitions side by side, with one
// batch at a time on its way to each.
func (b *Bus) Send(ctx context.Context, plan bus.Plan, msgs []bus.Message, look bool) error {
	if b.ctx.Err() != nil {
		return bus.ErrClosed
	}
	ctx, cancel := b.bound(ctx)
	defer cancel()
	parts := make([]*sending, 0, len(plan.Parts))
	for i := range plan.Parts {
		s, err := b.prepareSend(ctx, &plan.Parts[i], msgs)
		if err != nil {
			return err
		}
		if len(s.msgs) > 0 {
			parts = append(parts, s)
		}
	}
	var checks errgroup.Group
	for _, s := range parts {
		checks.Go(func() error { return b.begin(s) })
	}
	if err := checks.Wait(); err != nil {
		return err
	}
	left := new(atomic.Int64)
	for _, s := range parts {
		s.left = left
		left.Add(int64(len(s.msgs)))
	}
	errs := make([]error, len(parts))
	stamps, post := &stamps{b: b}, &post{b: b}
	for _, s := range parts {
		// What was planned is looked at where something has moved since.
		if s.look = look || s.t.epoch != b.epoch(); !s.look {
			post.writing++ // all of these write their first batch now
		}
	}
	var g errgroup.Group
	for i, s := range parts {
		g.Go(func() error {
			errs[i] = b.sendPart(ctx, s, stamps, post)
			return nil
		})
	}
	_ = g.Wait() // each part's error is its own
	for i, s := range parts {
		if errs[i] == nil {
			continue
		}
		s.t.doubt()
		if refused := refusal(s.part.Target, errs[i]); refused != nil {
			errs[i] = refused
		}
		errs[i] = fmt.Errorf("send to %s: %w", s.t.name, errs[i])
	}
	if b.ctx.Err() != nil {
		return bus.ErrClosed
	}
	return errors.Join(errs...)
}

// prepareSend finds a part's messages.
func (b *Bus) prepareSend(ctx context.Context, part *bus.Part, msgs []bus.Message) (*sending, error) {
	s := &sending{part: part}
	var err error
	if s.msgs, err = part.Select(msgs); err != nil {
		return nil, fmt.Errorf("send to %s: %w", part.Target, err)
	}
	if len(s.msgs) == 0 {
		return s, nil
	}
	if s.t, err = b.target(part.Target); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	top, err := b.topic(ctx, s.t.topic)
	if err != nil {
		if refused := refusal(part.Target, err); refused != nil {
			err = refused
		}
		return nil, fmt.Errorf("send to %s: %w", part.Target, err)
	}
	s.t.enc.structured, s.rest.structured = b.cfg.Structured, b.cfg.Structured
	if s.limit = top.maxMessage; s.limit == 0 {
		s.limit = defaultMaxMessage
	}
	return s, nil
}

// begin writes a part's first batch, and returns a [*bus.RefusedError] for the
// first message of the part that is larger than the topic takes: before anything
// of the round is sent.
func (b *Bus) begin(s *sending) (err error) {
	if s.filled, err = s.fill(b, 0); err != nil {
		return err
	}
	for _, m := range s.msgs[s.filled:] {
		if n, ok := sizeBound(m.Event); ok && !b.cfg.Structured && n <= s.limit {
			continue
		}
		msg, err := s.rest.encode(m.Event)
		if err != nil {
			return &bus.RefusedError{Sequence: m.Sequence, Reason: err.Error()}
		}
		if err := b.checkSize(s, m, &msg); err != nil {
			return err
		}
	}
	return nil
}

// checkSize returns a [*bus.RefusedError] for a message that is larger than the
// topic takes.
func (b *Bus) checkSize(s *sending, m *bus.Message, msg *message) error {
	size := aloneSize(msg)
	if size > s.limit && b.codec != compress.None {
		var alone batchBuffer
		alone.reset(time.Now())
		alone.add(msg)
		if err := alone.finish(stamp{}, b.codec); err != nil {
			return err
		}
		size = alone.size()
	}
	if size > s.limit {
		return tooLarge(m, s.t.topic, size, s.limit)
	}
	return nil
}

func tooLarge(m *bus.Message, topic string, size, limit int) error {
	return &bus.RefusedError{Sequence: m.Sequence, Size: int64(size), Limit: int64(limit),
		Reason: fmt.Sprintf("it is %d bytes with its headers, topic %s takes %d (max.message.bytes)", size, topic, limit)}
}

// sizeBound is a size that a record of an event does not exceed, without
// writing it. It is not known of an event with attributes other than text.
func sizeBound(e *event.Event) (int, bool) {
	c, ok := e.Context.(*event.EventContextV1)
	if !ok || c.DataSchema != nil {
		return 0, false
	}
	const header = 32 // name, lengths
	n := batchHeader + 10*header + len(c.ID) + 3*len(c.Source.URL.Path) + len(c.Type) + 256 + 2*len(e.Data())
	if len(c.Source.URL.RawQuery) > 0 || c.Source.URL.User != nil || len(c.Source.URL.Host)+len(c.Source.URL.Opaque)+len(c.Source.URL.Fragment) > 128 {
		return 0, false
	}
	for _, s := range []*string{c.Subject, c.DataContentType} {
		if s != nil {
			n += 2 * len(*s) // the subject may be the key too
		}
	}
	for name, v := range c.Extensions {
		s, ok := v.(string)
		if !ok {
			return 0, false
		}
		n += header + len(name) + 2*len(s)
	}
	return n, true
}

// identify makes sure that a message carries what it is found again by.
func (enc *eventEncoder) identify(m *bus.Message) error {
	journal, sequence := "", ""
	if enc.structured {
		journal, sequence = extension(m.Event, "timbridge"), extension(m.Event, "sequence")
	} else {
		for i := range enc.attributes {
			switch a := &enc.attributes[i]; a.Name {
			case "timbridge":
				journal = a.Value
			case "sequence":
				sequence = a.Value
			}
		}
	}
	if n, err := strconv.ParseUint(sequence, 10, 64); err != nil || n != m.Sequence || journal == "" {
		return fmt.Errorf("message %d does not carry its timbridge and sequence attributes", m.Sequence)
	}
	return nil
}

// sendPart stores what is missing of a part.
func (b *Bus) sendPart(ctx context.Context, s *sending, stamps *stamps, post *post) error {
	journal := extension(s.msgs[0].Event, "timbridge") // all have it: see begin
	planned := stamp{producer: s.part.ProducerID, epoch: s.part.Epoch, sequence: s.part.BaseSequence, set: true}
	st, from := planned, 0 // st is the stamp of message number from
	done, end, renewed := 0, int64(0), 0
	floor := int64(s.part.End) // where the partition ends at least
	again := func() error {
		found, lowest, err := b.look(ctx, s.t, s.part, journal)
		if err != nil {
			return err
		}
		floor = lowest
		if found < done { // what this very call has stored is gone again
			return bus.ErrVerify
		}
		if found > done {
			s.left.Add(int64(done - found))
			done, end = found, 0
		}
		return nil
	}
	if s.look {
		if err := again(); err != nil {
			return err
		}
		if i := &s.t.instead; i.planned == planned && done >= i.from {
			st, from = i.now, i.from
		}
	}
	for first := !s.look; done < len(s.msgs); first = false {
		if !first {
			post.write()
		}
		now := st
		now.sequence += int32(done - from)
		count, err := s.filled, error(nil)
		if s.filled = 0; count == 0 || done > 0 {
			count, err = s.fill(b, done)
		}
		if err == nil {
			err = s.t.buf.finish(now, b.codec)
		}
		if err != nil {
			post.leave(ctx)
			return err
		}
		p := parcel{topic: s.t.topic, partition: s.t.partition, batch: s.t.buf.batch()}
		post.send(ctx, &p)
		base, err := p.base, p.err
		switch codeOf(err) {
		case 0:
			if err != nil {
				return err
			}
			if base < floor || base > floor && s.t.epoch != b.epoch() {
				// What was there is gone, or may be, while others wrote: the
				// batch is stored behind it.
				return bus.ErrVerify
			}
			done, end = done+count, base+int64(count)
			floor = end
			if s.left.Add(-int64(count)) > 0 {
				b.cfg.Step("half_sent")
			}
		case kafkago.OutOfOrderSequenceNumber, kafkago.DuplicateSequenceNumber, kafkago.InvalidProducerEpoch, kafkago.UnknownProducerId:
			// The partition is not where the stamp says: more of the round is
			// stored than we knew, or the partition lost its tail, or it has
			// taken another stamp of this producer since. Whatever request
			// still carries this stamp is refused as this one was.
			before := done
			if lookErr := again(); lookErr != nil {
				return lookErr
			}
			if done > before {
				continue
			}
			if renewed++; renewed > restamps {
				return err
			}
			if st, err = stamps.renew(ctx, s.t); err != nil {
				return err
			}
			from = done
			s.t.instead.planned, s.t.instead.now, s.t.instead.from = planned, st, from
		case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge:
			if count > 1 {
				s.shrunk = max(s.t.buf.size()/2, 1)
				continue
			}
			return b.explainSize(ctx, s, s.msgs[done], err)
		default:
			return err
		}
	}
	switch {
	case end == 0: // all found by looking: who stored it, and where, is not known
		s.t.doubt()
	default:
		s.t.remember(s.t.id, end-1, journal, s.part.Sequences[len(s.part.Sequences)-1])
		s.t.trusted = true
		s.t.next = st
		s.t.next.sequence += int32(len(s.msgs) - from)
		// A plan of an earlier process is under its producer id, not ours.
		s.t.next.set = st.producer == s.t.used.producer && s.t.used.set
	}
	return nil
}

// fill writes the next batch: bounded in messages and bytes, never empty. The
// same messages make the same batches each time, unless settings change.
func (s *sending) fill(b *Bus, from int) (count int, err error) {
	limit := min(s.limit, b.cfg.BatchBytes)
	if s.shrunk > 0 {
		limit = min(limit, s.shrunk)
	}
	s.t.buf.reset(time.Now())
	for count = 0; from+count < len(s.msgs) && count < b.cfg.BatchMessages; count++ {
		m := s.msgs[from+count]
		msg, err := s.t.enc.encode(m.Event)
		if err != nil {
			return 0, &bus.RefusedError{Sequence: m.Sequence, Reason: err.Error()}
		}
		if err := s.t.enc.identify(m); err != nil {
			return 0, err
		}
		if err := b.checkSize(s, m, &msg); err != nil {
			return 0, err
		}
		if n := recordSize(&msg, count); count > 0 && s.t.buf.size()+n+varintSize(int64(n)) > limit {
			break
		}
		s.t.buf.add(&msg)
	}
	return count, nil
}

// explainSize turns the refusal of a single message into the limit behind it.
func (b *Bus) explainSize(ctx context.Context, s *sending, m *bus.Message, err error) error {
	if _, describeErr := b.describe(ctx, []string{s.t.topic}); describeErr != nil {
		return fmt.Errorf("%w (%w)", err, describeErr)
	}
	limit := s.limit
	if top := b.known(s.t.topic); top != nil && top.maxMessage > 0 {
		limit = top.maxMessage
	}
	size := s.t.buf.size()
	return tooLarge(m, s.t.topic, size, min(limit, size-1))
}

// stamps hands new producer ids to the parts of one round, one at a time.
type stamps struct {
	b  *Bus
	mu sync.Mutex
}

// renew gives the first stamp of a producer that was not used on a target.
func (s *stamps) renew(ctx context.Context, t *target) (stamp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.newStamp(ctx, t)
}
