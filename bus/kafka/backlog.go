package kafka

import (
	"context"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/timbridge/timbridge/bus"
)

// Unread counts the commands after positions, as [bus.Bus] says. A broker
// that is away, or a partition that has just moved, is waited for until ctx ends.
func (b *Bus) Unread(ctx context.Context, after []bus.Position) (n uint64, err error) {
	err = b.whileUnreachable(ctx, func() error {
		n, err = b.unread(ctx, after)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count the unread commands: %w", err)
	}
	return n, nil
}

func (b *Bus) unread(ctx context.Context, after []bus.Position) (uint64, error) {
	name := b.cfg.Commands.Name
	t, err := b.topic(ctx, name)
	if err != nil {
		return 0, err
	}
	ends, err := b.offsets(ctx, t, kafkago.LastOffset)
	if err != nil {
		return 0, err
	}
	// What was removed before anything was read is not unread.
	firsts, err := b.offsets(ctx, t, kafkago.FirstOffset)
	if err != nil {
		return 0, err
	}
	read := make(map[int]int64, len(after))
	for _, p := range after {
		if topic, partition, err := splitTarget(p.Target); err == nil && topic == name {
			read[partition] = int64(p.Offset)
		}
	}
	var unread uint64
	for partition, end := range ends {
		unread += uint64(max(0, end-max(read[partition], firsts[partition])))
	}
	return unread, nil
}

// offsets asks for the first or the last offsets of a topic's partitions.
func (b *Bus) offsets(ctx context.Context, t *topic, at int64) (map[int]int64, error) {
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	asked := make([]kafkago.OffsetRequest, len(t.numbers))
	for i, n := range t.numbers {
		asked[i] = kafkago.OffsetRequest{Partition: n, Timestamp: at}
	}
	res, err := b.conn.client().ListOffsets(ctx, &kafkago.ListOffsetsRequest{
		Addr: b.conn.addr, Topics: map[string][]kafkago.OffsetRequest{t.name: asked},
	})
	if err != nil {
		return nil, fmt.Errorf("ask for offsets of %s: %w", t.name, b.truth(ctx, t.name, answer(ctx, err)))
	}
	out := make(map[int]int64, len(t.numbers))
	for _, p := range res.Topics[t.name] {
		if p.Error != nil {
			return nil, fmt.Errorf("ask for offsets of %s: %w", targetOf(t.name, p.Partition), b.truth(ctx, t.name, p.Error))
		}
		if out[p.Partition] = p.LastOffset; at == kafkago.FirstOffset {
			out[p.Partition] = p.FirstOffset
		}
	}
	return out, nil
}
