package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/timbridge/timbridge/bus"
)

const (
	scanBytes = 4 << 20
	// peekBytes is enough for the one batch that a broker gives at least.
	peekBytes = 64 << 10
	// stalls is how often a scan that gets nothing asks again.
	stalls = 5
)

// balancer puts keys where Java's clients put them.
var balancer = kafkago.Murmur2Balancer{Consistent: true}

func (t *topic) partitionOf(key []byte) int {
	return balancer.Balance(kafkago.Message{Key: key}, t.numbers...)
}

// fetch reads from a partition once. What shows that the partition moved has
// been looked into when it returns.
func (b *Bus) fetch(ctx context.Context, t *topic, partition int, offset int64, wait time.Duration, maxBytes int, committed bool) (fetched, error) {
	if partition >= len(t.partitions) {
		return fetched{}, b.whereNow(ctx, t, kafkago.UnknownTopicOrPartition)
	}
	p := t.partitions[partition]
	if p.leader < 0 {
		return fetched{}, b.whereNow(ctx, t, errNoLeader)
	}
	body, err := b.conn.raw(ctx, &fetchRequest{
		client: b.cfg.ClientID, topic: t.id, partition: int32(partition), leader: p.leader, epoch: p.epoch,
		offset: offset, wait: int32(wait.Milliseconds()), maxBytes: int32(maxBytes), committed: committed,
	})
	if err != nil {
		if codeOf(err) == kafkago.BrokerNotAvailable || errors.Is(err, errNoLeader) {
			err = b.whereNow(ctx, t, err)
		}
		return fetched{}, fmt.Errorf("read %s: %w", targetOf(t.name, partition), err)
	}
	f, err := decodeFetch(body)
	if err == nil {
		err = codeError(f.code)
	}
	switch codeOf(err) {
	case 0, kafkago.OffsetOutOfRange:
	case kafkago.TopicAuthorizationFailed:
		err = &AccessError{Operation: "Read", Resource: fmt.Sprintf("topic %q", t.name), Err: err}
	default:
		err = b.whereNow(ctx, t, err)
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", targetOf(t.name, partition), err)
	}
	return f, nil
}

// whereNow asks where a topic is, after an error that says not here.
func (b *Bus) whereNow(ctx context.Context, t *topic, err error) error {
	if learnErr := b.learn(ctx, t.name); learnErr != nil {
		return learnErr
	}
	return fmt.Errorf("%w: %w", errMoved, err)
}

// offset asks for the first or the last offset of a partition, or that of a
// time; -1 when no record is that young.
func (b *Bus) offset(ctx context.Context, t *topic, partition int, at int64, committed bool) (int64, error) {
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	req := &kafkago.ListOffsetsRequest{
		Addr:   b.conn.addr,
		Topics: map[string][]kafkago.OffsetRequest{t.name: {{Partition: partition, Timestamp: at}}},
	}
	if committed {
		req.IsolationLevel = kafkago.ReadCommitted
	}
	res, err := b.conn.client().ListOffsets(ctx, req)
	if err != nil {
		return 0, fmt.Errorf("ask for offsets of %s: %w", targetOf(t.name, partition), b.truth(ctx, t.name, answer(ctx, err)))
	}
	if ps := res.Topics[t.name]; len(ps) == 1 {
		p := ps[0]
		if err := p.Error; err != nil {
			return 0, fmt.Errorf("ask for offsets of %s: %w", targetOf(t.name, partition), b.truth(ctx, t.name, err))
		}
		switch at {
		case kafkago.FirstOffset:
			return p.FirstOffset, nil
		case kafkago.LastOffset:
			return p.LastOffset, nil
		}
		for offset := range p.Offsets {
			return offset, nil
		}
		return -1, nil
	}
	return 0, fmt.Errorf("ask for offsets of %s: %w", targetOf(t.name, partition), errMalformed)
}

// truth finds what is behind an error of kafka-go that hides it: of a topic that
// its cache does not have it says no more than that.
func (b *Bus) truth(ctx context.Context, name string, err error) error {
	var (
		hidden protocol.Error
		gone   = codeOf(err)
	)
	if !errors.As(err, &hidden) && gone != kafkago.UnknownTopicOrPartition && gone != kafkago.NotLeaderForPartition && gone != kafkago.BrokerNotAvailable && !errors.Is(err, errNoLeader) {
		return err
	}
	b.conn.need(name)
	if learnErr := b.learn(ctx, name); learnErr != nil {
		return learnErr
	}
	return fmt.Errorf("%w: %v", errMoved, err) // its text alone: the topic is there
}

// extent gives the first offset of a partition and the one after its last.
func (b *Bus) extent(ctx context.Context, t *topic, partition int) (first, end int64, err error) {
	if end, err = b.offset(ctx, t, partition, kafkago.LastOffset, false); err != nil {
		return 0, 0, err
	}
	first, err = b.offset(ctx, t, partition, kafkago.FirstOffset, false)
	return min(first, end), end, err
}

// scan calls fn with the records of a partition in [from, to), markers of
// transactions among them, until fn returns false.
func (b *Bus) scan(ctx context.Context, t *topic, partition int, from, to int64, fn func(record) bool) error {
	more, idle := true, 0
	for from < to && more {
		f, err := b.fetch(ctx, t, partition, from, 0, scanBytes, false)
		if err != nil {
			return err
		}
		next, err := f.each(from, false, func(r record) bool {
			more = r.offset < to && fn(r)
			return more
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", targetOf(t.name, partition), err)
		}
		if next == from && more {
			if idle++; idle > stalls {
				return fmt.Errorf("read %s: %w: nothing at %d of %d", targetOf(t.name, partition), errMoved, from, to)
			}
			if !b.pause(ctx, backoff(idle)) {
				return context.Cause(ctx)
			}
		}
		from = next
	}
	return nil
}

// at reads the record at an offset, or the one that comes after it where there
// is none; ok is false when there is none at all, or it was removed.
func (b *Bus) at(ctx context.Context, t *topic, partition int, offset int64) (r record, ok bool, err error) {
	return b.atMost(ctx, t, partition, offset, 0)
}

// atMost is at with the size of the largest record that is held whole.
func (b *Bus) atMost(ctx context.Context, t *topic, partition int, offset int64, limit int) (r record, ok bool, err error) {
	f, err := b.fetch(ctx, t, partition, offset, 0, peekBytes, false)
	if codeOf(err) == kafkago.OffsetOutOfRange {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, err
	}
	f.limit = limit
	_, err = f.each(offset, false, func(found record) bool {
		r, ok = found, true
		return false
	})
	return r, ok, err
}

// owner reads whose a stored record is and which.
func owner(r *record) (journal string, sequence uint64, ok bool) {
	text, media := "", ""
	for i := range r.headers {
		switch h := &r.headers[i]; h.Name {
		case attributePrefix + "timbridge":
			journal = string(h.Value)
		case attributePrefix + "sequence":
			text = string(h.Value)
		case contentType:
			media = string(h.Value)
		}
	}
	if journal == "" && strings.HasPrefix(media, "application/cloudevents") {
		e, err := bus.StructuredEvent(r.value)
		if err != nil {
			return "", 0, false
		}
		journal, text = extension(e, "timbridge"), extension(e, "sequence")
	}
	sequence, err := strconv.ParseUint(text, 10, 64)
	return journal, sequence, err == nil && journal != "" && !r.control
}

// pause waits, and reports whether neither ctx nor Close ended it.
func (b *Bus) pause(ctx context.Context, d time.Duration) bool {
	ctx, cancel := b.bound(ctx)
	defer cancel()
	return sleep(ctx, d)
}

// bound gives a context that Close ends too.
func (b *Bus) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.ctx, func() { cancel(bus.ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }
}
