package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/timbridge/timbridge/bus"
)

// target is what the publisher knows of a partition. It is remembered from
// round to round, as long as nothing moved.
type target struct {
	name      bus.Target
	topic     string
	partition int

	epoch   uint64 // of the bus, when it was learnt
	id      topicID
	end     int64
	endTime time.Time
	// known says that the partition had its id and end when it was last sent to
	// or verified. What lay before the end is our message final of a journal,
	// where endTime is zero.
	known   bool
	journal string
	final   uint64
	// trusted says that end comes from our own last batch.
	trusted bool

	// next is the stamp of the next round; not set after anything that leaves
	// in doubt what the partition has of it.
	next stamp
	// used is the producer id that was last used here, which must not begin
	// again at its first sequence.
	used stamp
	// instead is the stamp that took the place of a plan's when the broker had
	// refused that: later attempts of the same plan go on under it.
	instead struct {
		planned, now stamp
		from         int // the first message under it
	}

	// What batches for it are written with, kept from round to round.
	enc eventEncoder
	buf batchBuffer
}

func (b *Bus) target(name bus.Target) (*target, error) {
	if t := b.targets[name]; t != nil {
		return t, nil
	}
	topic, partition, err := splitTarget(name)
	if err != nil {
		return nil, err
	}
	t := &target{name: name, topic: topic, partition: partition}
	b.targets[name] = t
	return t, nil
}

// doubt forgets what is not certain any more.
func (t *target) doubt() { t.trusted, t.next.set = false, false }

// Plan gives each message its partition by its key, and notes where the
// partitions end and how their batches are stamped. It asks the cluster only
// for what it does not know.
func (b *Bus) Plan(ctx context.Context, msgs []bus.Message) (bus.Plan, error) {
	var plan bus.Plan
	topics := map[string]*planned{} // as they are now, for the whole round
	var key []byte
	for i := range msgs {
		m := &msgs[i]
		r, err := b.topicOf(m.Stream, m.Event.Type())
		if err != nil {
			return bus.Plan{}, fmt.Errorf("plan: %w", err)
		}
		top := topics[r.Name]
		if top == nil {
			top = &planned{}
			err := b.whileUnreachable(ctx, func() (err error) {
				top.topic, err = b.topic(ctx, r.Name)
				return err
			})
			if err != nil {
				return bus.Plan{}, planError(bus.Target(r.Name), err)
			}
			top.parts = make([]int, len(top.numbers))
			topics[r.Name] = top
		}
		key = append(key[:0], keyOf(m.Event)...)
		n := top.partitionOf(key)
		if name, was, err := splitTarget(m.Target); err == nil && name == r.Name && was < len(top.parts) {
			n = was // the partition count may have changed since
		}
		p := top.parts[n] - 1
		if p < 0 {
			p = len(plan.Parts)
			top.parts[n] = p + 1
			plan.Parts = append(plan.Parts, bus.Part{Target: targetOf(r.Name, n)})
		}
		plan.Parts[p].Sequences = append(plan.Parts[p].Sequences, m.Sequence)
	}
	for i := range plan.Parts {
		part := &plan.Parts[i]
		if err := b.whileUnreachable(ctx, func() error { return b.planPart(ctx, part) }); err != nil {
			return bus.Plan{}, planError(part.Target, err)
		}
	}
	return plan, nil
}

// planned is a topic of a round, with the part of each partition, from 1; 0 is none.
type planned struct {
	*topic
	parts []int
}

func planError(target bus.Target, err error) error {
	if refused := refusal(target, err); refused != nil {
		err = refused
	}
	return fmt.Errorf("plan: %w", err)
}

func (b *Bus) planPart(ctx context.Context, part *bus.Part) error {
	if b.ctx.Err() != nil {
		return bus.ErrClosed
	}
	t, err := b.target(part.Target)
	if err != nil {
		return err
	}
	top, err := b.topic(ctx, t.topic)
	if err != nil {
		return err
	}
	if epoch := b.epoch(); !t.trusted || t.epoch != epoch || t.id != top.id {
		t.trusted = false
		if err := b.learnEnd(ctx, t, top); err != nil {
			return err
		}
		t.epoch = epoch
	}
	if !t.next.set || t.next.sequence > math.MaxInt32-int32(len(part.Sequences)) {
		if t.next, err = b.newStamp(ctx, t); err != nil {
			return err
		}
	}
	part.End, part.EndTime, part.Incarnation = uint64(t.end), t.endTime, top.incarnation()
	part.ProducerID, part.Epoch, part.BaseSequence = t.next.producer, t.next.epoch, t.next.sequence
	return nil
}

// learnEnd asks where a partition ends, and when its last record was stored.
// That is read by the topic's id, so that the end is not another topic's. What
// the partition had must be there still.
func (b *Bus) learnEnd(ctx context.Context, t *target, top *topic) error {
	end, err := b.offset(ctx, top, t.partition, kafkago.LastOffset, false)
	if err != nil {
		return err
	}
	r, ok, err := b.at(ctx, top, t.partition, max(end-1, 0))
	if err != nil {
		return err
	}
	if t.known {
		whole := t.id == top.id && end == t.end && t.endedWith(&r, ok)
		if !whole {
			whole, err = b.intact(ctx, t, top, end)
		}
		if err != nil {
			return err
		}
		if !whole {
			return bus.ErrVerify
		}
	}
	t.id, t.end, t.endTime, t.known = top.id, end, time.Time{}, true
	t.journal, t.final = "", 0
	if ok && r.offset == end-1 {
		t.endTime = r.time
	}
	return nil
}

// intact says that a partition still has, or has removed itself, what it ended
// with when it was last sent to or verified.
func (b *Bus) intact(ctx context.Context, t *target, top *topic, end int64) (bool, error) {
	if !t.known || t.id != top.id || end < t.end {
		return false, nil
	}
	if t.end == 0 {
		return true, nil
	}
	r, ok, err := b.at(ctx, top, t.partition, t.end-1)
	return err == nil && t.endedWith(&r, ok), err
}

// endedWith says that a record, read where the partition ended, is the one that
// it ended with; none is one that the topic removed.
func (t *target) endedWith(r *record, ok bool) bool {
	switch {
	case !ok || r.offset >= t.end:
		return true
	case !t.endTime.IsZero():
		return r.time.Equal(t.endTime)
	case t.journal == "":
		return true // it was removed when it was learnt
	}
	journal, sequence, ours := owner(r)
	return ours && journal == t.journal && sequence == t.final
}

// remember notes that our message is at an offset, and was before any other that
// is not certain.
func (t *target) remember(id topicID, offset int64, journal string, sequence uint64) {
	t.known, t.id, t.end, t.endTime, t.journal, t.final = true, id, offset+1, time.Time{}, journal, sequence
}

// newStamp gives the first stamp of a producer that was not used on a target.
func (b *Bus) newStamp(ctx context.Context, t *target) (stamp, error) {
	if !b.producer.set || t.used == b.producer {
		s, err := b.initProducer(ctx)
		if err != nil {
			return stamp{}, err
		}
		b.producer = s
	}
	t.used = b.producer
	return b.producer, nil
}

// initProducer asks for a producer id that nobody has.
func (b *Bus) initProducer(ctx context.Context) (stamp, error) {
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	res, err := b.conn.client().InitProducerID(ctx, &kafkago.InitProducerIDRequest{Addr: b.conn.addr, ProducerID: -1, ProducerEpoch: -1})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return stamp{}, fmt.Errorf("ask for a producer id: %w", answer(ctx, err))
	}
	return stamp{producer: int64(res.Producer.ProducerID), epoch: int16(res.Producer.ProducerEpoch), set: true}, nil
}

// whileUnreachable repeats what failed for want of a connection or an answer
// until ctx ends.
func (b *Bus) whileUnreachable(ctx context.Context, do func() error) error {
	for attempt := 0; ; attempt++ {
		err := do()
		if b.ctx.Err() != nil {
			return bus.ErrClosed
		}
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && (!passing(err) || errors.Is(err, bus.ErrVerify)) {
			return err
		}
		if ctx.Err() != nil || !b.pause(ctx, backoff(attempt)) {
			if b.ctx.Err() != nil {
				return bus.ErrClosed
			}
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}
