package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/timbridge/timbridge/bus"
)

// Commands reads all partitions of the commands topic, each on after its
// position.
func (b *Bus) Commands(ctx context.Context, after []bus.Position) (bus.CommandReader, error) {
	c := &commandReader{b: b, after: map[bus.Target]bus.Position{}, out: newPrefetched(), done: make(chan struct{})}
	for _, p := range after {
		c.after[p.Target] = p
	}
	var t *topic
	if err := b.whileUnreachable(ctx, func() (err error) {
		t, err = b.topic(ctx, b.cfg.Commands.Name)
		return err
	}); err != nil {
		if refused := refusal(bus.Target(b.cfg.Commands.Name), err); refused != nil {
			err = refused
		}
		return nil, fmt.Errorf("read commands: %w", err)
	}
	var life context.Context
	life, c.cancel = context.WithCancel(b.ctx)
	if err := c.grow(len(t.partitions)); err != nil {
		_ = c.Close() // what has begun
		return nil, err
	}
	c.wg.Go(func() { c.watch(life) })
	return c, nil
}

// commandReader is a [bus.CommandReader].
type commandReader struct {
	b      *Bus
	after  map[bus.Target]bus.Position
	out    *prefetched
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	done   chan struct{}

	mu      sync.Mutex
	readers []*reader // by partition
	resets  []bus.Reset
}

// grow reads as many partitions as there are.
func (c *commandReader) grow(partitions int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := len(c.readers); n < partitions; n++ {
		// Lengths of keys and headers come on top of what they are counted by.
		r := &reader{topic: c.b.cfg.Commands.Name, partition: n, out: c.out, limit: 2*c.b.cfg.MaxCommandBytes + keptOfLong}
		r.pos = c.after[r.target()]
		r.next = int64(r.pos.Offset)
		if err := c.b.start(r); err != nil {
			return err
		}
		c.readers = append(c.readers, r)
	}
	return nil
}

// watch takes up partitions that are added later.
func (c *commandReader) watch(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if t := c.b.known(c.b.cfg.Commands.Name); t != nil {
				if err := c.grow(len(t.partitions)); err != nil {
					return // closed
				}
			}
		}
	}
}

// Next waits for commands, or for a reset to tell of.
func (c *commandReader) Next(ctx context.Context, limit int) ([]bus.Received, error) {
	limit = max(limit, 1)
	var got []bus.Received
	for {
		var it item
		if len(got) == 0 {
			select {
			case <-c.done:
				return nil, bus.ErrClosed
			default:
			}
			select {
			case it = <-c.out.items:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-c.done:
				return nil, bus.ErrClosed
			case <-c.b.ctx.Done():
				return nil, bus.ErrClosed
			}
		} else {
			select {
			case it = <-c.out.items:
			default:
				return got, nil
			}
		}
		c.out.took(&it)
		if it.reset != nil {
			c.mu.Lock()
			c.resets = append(c.resets, *it.reset)
			c.mu.Unlock()
			// What was read before a reset is returned before what comes after it.
			return got, nil
		}
		if got = append(got, c.b.received(&it, true)); len(got) == limit {
			return got, nil
		}
	}
}

// received makes a message of the contract of a record.
func (b *Bus) received(it *item, command bool) bus.Received {
	r := bus.Received{
		Position: bus.Position{Target: it.r.target(), Offset: uint64(it.offset) + 1, Time: it.time, Digest: it.digest},
		Original: bus.EncodeOriginal(it.orig),
	}
	if w := it.whole; w != nil {
		r.Cut = &bus.Cut{Size: w.size, SHA256: w.digest}
	}
	taken := maxRecord
	if command {
		taken = b.cfg.MaxCommandBytes
	}
	switch size := it.size(); {
	case errors.Is(it.bad, bus.ErrLimit):
		r.Err = fmt.Errorf("what is stored up to here cannot be read: %w", it.bad)
	case it.bad != nil:
		r.Err = fmt.Errorf("%w: what is stored up to here cannot be read: %w", bus.ErrNotCloudEvent, it.bad)
	case it.whole != nil:
		r.Err = fmt.Errorf("%w: %d bytes with its key and headers, %d are taken", bus.ErrLimit, it.whole.size, taken)
	case command && size > taken:
		r.Err = fmt.Errorf("%w: %d bytes with its key and headers, %d are taken", bus.ErrLimit, size, taken)
	default:
		if r.Event, r.Err = decode(it.headers, it.value); r.Err != nil {
			r.Event = nil
		}
	}
	return r
}

// Resets returns what reading could not do as asked, once.
func (c *commandReader) Resets() []bus.Reset {
	c.mu.Lock()
	defer c.mu.Unlock()
	resets := c.resets
	c.resets = nil
	return resets
}

// Close ends reading and waits for it.
func (c *commandReader) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.cancel()
		c.wg.Wait()
		c.mu.Lock()
		open := c.readers
		c.mu.Unlock()
		for _, r := range open {
			r.cancel()
		}
		for _, r := range open {
			r.close()
		}
	})
	return nil
}

// markNote lies beside a committed offset.
type markNote struct {
	// Topic is the id of the topic that the offset belongs to.
	Topic  string    `json:"topic"`
	Time   time.Time `json:"time,omitzero"`
	Digest string    `json:"digest,omitempty"`
}

// group is the consumer group that this shard's mark is committed to.
func (b *Bus) group() string { return b.cfg.Group + "-" + strconv.Itoa(b.cfg.Shard.Index) }

// Mark returns the mark of this shard: the offsets committed to its group. One
// that was committed to another topic of the same name says nothing about this one.
func (b *Bus) Mark(ctx context.Context) (mark []bus.Position, err error) {
	err = b.whileUnreachable(ctx, func() error {
		mark, err = b.readMark(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	return mark, nil
}

func (b *Bus) readMark(ctx context.Context) ([]bus.Position, error) {
	name := b.cfg.Commands.Name
	if err := b.learn(ctx, name); err != nil {
		return nil, err
	}
	t, err := b.topic(ctx, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	res, err := b.conn.client().OffsetFetch(ctx, &kafkago.OffsetFetchRequest{
		Addr: b.conn.addr, GroupID: b.group(), Topics: map[string][]int{name: t.numbers},
	})
	if err == nil {
		err = res.Error
	}
	if codeOf(err) == kafkago.GroupIdNotFound {
		return nil, nil // nothing was ever committed
	}
	if err != nil {
		return nil, b.groupError("Read", answer(ctx, err))
	}
	var mark []bus.Position
	for _, p := range res.Topics[name] {
		if p.Error != nil {
			return nil, b.groupError("Read", p.Error)
		}
		var note markNote
		if p.CommittedOffset < 0 || json.Unmarshal([]byte(p.Metadata), &note) != nil || note.Topic != t.incarnation() {
			continue
		}
		mark = append(mark, bus.Position{Target: targetOf(name, p.Partition), Offset: uint64(p.CommittedOffset), Time: note.Time, Digest: note.Digest})
	}
	return mark, nil
}

// SetMark commits the mark of this shard.
func (b *Bus) SetMark(ctx context.Context, mark []bus.Position) error {
	b.markMu.Lock()
	defer b.markMu.Unlock()
	err := b.whileUnreachable(ctx, func() error { return b.commit(ctx, mark) })
	if err != nil {
		return fmt.Errorf("set mark: %w", err)
	}
	b.lastMark = mark
	return nil
}

func (b *Bus) commit(ctx context.Context, mark []bus.Position) error {
	name := b.cfg.Commands.Name
	t, err := b.topic(ctx, name)
	if err != nil {
		return err
	}
	var commits []kafkago.OffsetCommit
	for _, p := range mark {
		topic, partition, err := splitTarget(p.Target)
		if err != nil || topic != name || partition >= len(t.partitions) {
			continue // of another configuration
		}
		note, err := json.Marshal(markNote{Topic: t.incarnation(), Time: p.Time, Digest: p.Digest})
		if err != nil {
			return err
		}
		commits = append(commits, kafkago.OffsetCommit{Partition: partition, Offset: int64(p.Offset), Metadata: string(note)})
	}
	if len(commits) == 0 {
		return nil
	}
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	res, err := b.conn.client().OffsetCommit(ctx, &kafkago.OffsetCommitRequest{
		Addr: b.conn.addr, GroupID: b.group(), GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{name: commits},
	})
	if err != nil {
		return b.groupError("Read", answer(ctx, err))
	}
	for _, p := range res.Topics[name] {
		if p.Error != nil {
			return b.groupError("Read", p.Error)
		}
	}
	return nil
}

func (b *Bus) groupError(operation string, err error) error {
	switch codeOf(err) {
	case kafkago.GroupAuthorizationFailed:
		return &AccessError{Operation: operation, Resource: fmt.Sprintf("group %q", b.group()), Err: err}
	case kafkago.UnknownMemberId, kafkago.IllegalGeneration:
		return fmt.Errorf("group %q has members of its own; nobody may consume under this name: %w", b.group(), err)
	}
	return err
}

// keepMark commits the last mark again.
func (b *Bus) keepMark() {
	b.markMu.Lock()
	defer b.markMu.Unlock()
	if len(b.lastMark) == 0 {
		return
	}
	if err := b.commit(b.ctx, b.lastMark); err != nil && b.ctx.Err() == nil {
		b.log.Warn("the mark could not be committed again", "group", b.group(), "error", err)
	}
}
