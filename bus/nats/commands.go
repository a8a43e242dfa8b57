package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

// Commands reads the commands stream on after a position.
func (b *Bus) Commands(_ context.Context, after []bus.Position) (bus.CommandReader, error) {
	r := &reader{stream: b.cfg.Commands.Name, out: make(chan item, prefetch)}
	for _, p := range after {
		if string(p.Target) == r.stream {
			r.pos, r.known = p, p.Offset > 0
		}
	}
	if err := b.start(r); err != nil {
		return nil, err
	}
	return &commandReader{b: b, r: r}, nil
}

// commandReader is a [bus.CommandReader].
type commandReader struct {
	b      *Bus
	r      *reader
	mu     sync.Mutex
	resets []bus.Reset
}

// Next waits for commands, or for a reset to tell of.
func (c *commandReader) Next(ctx context.Context, limit int) ([]bus.Received, error) {
	limit = max(limit, 1)
	var got []bus.Received
	for {
		var it item
		if len(got) == 0 {
			select {
			case it = <-c.r.out:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-c.r.done:
				return nil, bus.ErrClosed
			}
		} else {
			select {
			case it = <-c.r.out:
			default:
				return got, nil
			}
		}
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

// received makes a message of the contract of one from a stream.
func (b *Bus) received(it *item, command bool) bus.Received {
	r := bus.Received{
		Position: bus.Position{Target: bus.Target(b.cfg.Commands.Name), Offset: it.sequence, Time: it.time, Digest: it.digest},
		Original: bus.EncodeOriginal(it.orig),
	}
	if size := headerSize(it.header) + len(it.data); command && size > b.cfg.MaxCommandBytes {
		r.Err = fmt.Errorf("%w: %d bytes with its headers, %d are taken", bus.ErrLimit, size, b.cfg.MaxCommandBytes)
		return r
	}
	if r.Event, r.Err = decode(it.header, it.data); r.Err == nil && command {
		r.Err = b.checkPlace(it.subject, r.Event)
	}
	if r.Err != nil {
		r.Event = nil
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
	c.r.close()
	return nil
}

// mark is what a shard keeps in the bucket.
type mark struct {
	// Incarnation is the stream's that the positions belong to.
	Incarnation string         `json:"incarnation"`
	Positions   []bus.Position `json:"positions"`
}

const markPrefix = "commands."

// ensureMarks opens the bucket of marks, and makes it where there is none.
func (b *Bus) ensureMarks(ctx context.Context) error {
	kv, err := b.js.KeyValue(ctx, b.cfg.MarkBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if b.cfg.Manage == bus.ManageCheck {
			return &ConfigError{Stream: "KV_" + b.cfg.MarkBucket, Missing: true}
		}
		kv, err = b.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket:      b.cfg.MarkBucket,
			Description: "timbridge: the commands that each shard has finished",
			Storage:     jetstream.FileStorage,
			Replicas:    b.cfg.Replicas,
		})
	}
	if err != nil {
		return fmt.Errorf("bucket of marks %q: %w", b.cfg.MarkBucket, err)
	}
	if b.marks == nil {
		b.marks = kv // the handle stays good for a bucket made anew
	}
	return nil
}

// Mark returns the mark of this shard. One that was set in another life of the
// commands stream says nothing about this one.
func (b *Bus) Mark(ctx context.Context) ([]bus.Position, error) {
	info, err := b.info(ctx, b.cfg.Commands.Name)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	m, err := b.markOf(ctx, b.cfg.Shard.Index)
	if err != nil || m.Incarnation != incarnation(info) {
		return nil, err
	}
	return m.Positions, nil
}

func (b *Bus) markOf(ctx context.Context, shard int) (mark, error) {
	var m mark
	entry, err := b.marks.Get(ctx, markPrefix+strconv.Itoa(shard))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("read the mark of shard %d: %w", shard, err)
	}
	if err := json.Unmarshal(entry.Value(), &m); err != nil {
		return m, fmt.Errorf("read the mark of shard %d: %w", shard, err)
	}
	return m, nil
}

// SetMark stores the mark of this shard, and purges what every shard has
// finished when the commands stream runs short of space.
func (b *Bus) SetMark(ctx context.Context, positions []bus.Position) error {
	info, err := b.info(ctx, b.cfg.Commands.Name)
	if err != nil {
		return fmt.Errorf("set mark: %w", err)
	}
	value, err := json.Marshal(mark{Incarnation: incarnation(info), Positions: positions})
	if err != nil {
		return fmt.Errorf("set mark: %w", err)
	}
	if _, err := b.marks.Put(ctx, markPrefix+strconv.Itoa(b.cfg.Shard.Index), value); err != nil {
		return fmt.Errorf("set mark: %w", err)
	}
	if b.short(info) {
		if err := b.purgeFinished(ctx, info); err != nil {
			// The mark is set; making room is tried again with the next one.
			b.log.Warn("cannot purge finished commands", "error", err)
		}
	}
	return nil
}

// short says that the commands stream has less than a quarter of its room left.
func (b *Bus) short(info *jetstream.StreamInfo) bool {
	const part, whole = 3, 4
	c, s := info.Config, info.State
	if b.embedded != nil {
		// Not any more on a full disk: a server that cannot write what a purge
		// writes gets stuck for ever, holding the stream.
		free, err := freeBytes(b.embedded.cfg.Dir)
		if err == nil && free < b.embedded.cfg.ReviveFree || b.embedded.health() != nil {
			return false
		}
	}
	if c.MaxBytes > 0 && s.Bytes > uint64(c.MaxBytes)/whole*part {
		return true
	}
	if c.MaxMsgs > 0 && s.Msgs > uint64(c.MaxMsgs)*part/whole {
		return true
	}
	if b.embedded != nil {
		if free, err := freeBytes(b.embedded.cfg.Dir); err == nil && free < 2*b.embedded.cfg.ReviveFree {
			return true
		}
	}
	return false
}

// purgeFinished removes the commands below the marks of all shards. The one at
// the lowest mark stays: it is what a reader recognises its place by.
func (b *Bus) purgeFinished(ctx context.Context, info *jetstream.StreamInfo) error {
	b.purgeMu.Lock()
	defer b.purgeMu.Unlock()
	if time.Since(b.lastPurge) < time.Second {
		return nil
	}
	lowest := uint64(0)
	for shard := range b.cfg.Shard.Count {
		m, err := b.markOf(ctx, shard)
		if err != nil {
			return err
		}
		var offset uint64
		for _, p := range m.Positions {
			if string(p.Target) == b.cfg.Commands.Name && m.Incarnation == incarnation(info) {
				offset = p.Offset
			}
		}
		if offset == 0 {
			return nil // a shard that has finished nothing yet
		}
		if lowest == 0 || offset < lowest {
			lowest = offset
		}
	}
	if lowest > info.State.LastSeq || lowest <= info.State.FirstSeq {
		return nil
	}
	s, err := b.js.Stream(ctx, b.cfg.Commands.Name)
	if err != nil {
		return err
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(lowest)); err != nil {
		return err
	}
	b.lastPurge = time.Now()
	b.log.Info("purged finished commands to make room", "below", lowest, "messages", lowest-info.State.FirstSeq)
	return nil
}
