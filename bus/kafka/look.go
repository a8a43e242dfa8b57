package kafka

import (
	"context"
	"fmt"

	"github.com/timbridge/timbridge/bus"
)

// lookStep is how many records are read at first when our last one is looked
// for from the end backwards.
const lookStep = 1000

// lastOwn is the journal position of our last message on a partition, read from
// its end backwards; 0 when there is none. Ours lie in the order of the
// journal, so nothing before it is higher.
func (b *Bus) lastOwn(ctx context.Context, t *topic, partition int, first, end int64, journal string) (uint64, error) {
	for hi, step := end, int64(lookStep); hi > first; step *= 2 {
		lo := max(first, hi-step)
		var own uint64
		if err := b.scan(ctx, t, partition, lo, hi, func(r record) bool {
			if j, n, ok := owner(&r); ok && j == journal {
				own = n
			}
			return true
		}); err != nil {
			return 0, err
		}
		if own != 0 {
			return own, nil
		}
		hi = lo
	}
	return 0, nil
}

// look finds how many messages of a part are stored already.
//
// A round of ours lies behind the planned end, in order. As long as nobody else
// wrote there, the partition's end alone tells how much of it was stored, even
// if the topic has removed it since. Where others write too, what was removed
// cannot be told apart: then what is not found is sent, under a stamp that the
// broker remembers whether it still holds the records or not.
func (b *Bus) look(ctx context.Context, t *target, part *bus.Part, journal string) (done int, err error) {
	t.trusted = false
	if err := b.learn(ctx, t.topic); err != nil {
		return 0, err
	}
	top, err := b.topic(ctx, t.topic)
	if err != nil {
		return 0, err
	}
	first, end, err := b.extent(ctx, top, t.partition)
	if err != nil {
		return 0, err
	}
	n, planned := len(part.Sequences), int64(part.End)
	if top.incarnation() == part.Incarnation && end >= planned {
		var highest uint64
		foreign, lost := b.cfg.Shard.Count > 1, false
		err := b.scan(ctx, top, t.partition, max(planned-1, first), end, func(r record) bool {
			j, sequence, ok := owner(&r)
			own := ok && j == journal
			if r.offset < planned {
				lost = !isEnd(&r, part, journal)
				return !lost
			}
			if !own || sequence < part.Sequences[0] {
				foreign = true
			} else {
				highest = max(highest, sequence)
			}
			return highest < part.Sequences[n-1]
		})
		if err != nil {
			return 0, err
		}
		if !lost {
			done = part.Through(highest)
			if !foreign {
				done = max(done, int(min(int64(n), end-planned)))
			}
			return done, nil
		}
	}
	// The partition is not the one that was planned for, or it lost its tail:
	// the planned end means nothing there.
	highest, err := b.lastOwn(ctx, top, t.partition, first, end, journal)
	if err != nil {
		return 0, err
	}
	return part.Through(highest), nil
}

// isEnd says that the record at a part's planned end is still the one that the
// partition ended with then: else the tail was lost, and has grown again past
// its end. Where the plan does not know its time, it was ours.
func isEnd(r *record, part *bus.Part, journal string) bool {
	if r.offset != int64(part.End)-1 {
		return false
	}
	if !part.EndTime.IsZero() {
		return r.time.Equal(part.EndTime)
	}
	j, sequence, ok := owner(r)
	return ok && j == journal && sequence < part.Sequences[0]
}

// Verify looks for the last message of each part. What a topic has removed
// since counts as stored; a topic made anew, or a partition that ends before
// what it had acknowledged, is a loss.
func (b *Bus) Verify(ctx context.Context, journal string, parts []bus.Part) ([]bus.Loss, error) {
	var losses []bus.Loss
	for i := range parts {
		part := &parts[i]
		if len(part.Sequences) == 0 {
			continue
		}
		var loss *bus.Loss
		err := b.whileUnreachable(ctx, func() (err error) {
			loss, err = b.verify(ctx, journal, part)
			return err
		})
		if err != nil {
			if refused := refusal(part.Target, err); refused != nil {
				err = refused
			}
			return nil, fmt.Errorf("verify %s: %w", part.Target, err)
		}
		if loss != nil {
			losses = append(losses, *loss)
			if t := b.targets[part.Target]; t != nil {
				t.doubt()
			}
		}
	}
	return losses, nil
}

func (b *Bus) verify(ctx context.Context, journal string, part *bus.Part) (*bus.Loss, error) {
	name, partition, err := splitTarget(part.Target)
	if err != nil {
		return nil, err
	}
	b.conn.need(name)
	if err := b.learn(ctx, name); err != nil {
		return nil, err
	}
	top, err := b.topic(ctx, name)
	if err != nil {
		return nil, err
	}
	if partition >= len(top.partitions) {
		return &bus.Loss{Target: part.Target, Gone: true}, nil // made anew with fewer
	}
	first, end, err := b.extent(ctx, top, partition)
	if err != nil {
		return nil, err
	}
	n, planned := int64(len(part.Sequences)), int64(part.End)
	final := part.Sequences[n-1]
	same := top.incarnation() == part.Incarnation
	if same && end >= planned+n {
		// Where nobody else writes, the last message lies at a place known.
		r, ok, err := b.at(ctx, top, partition, planned+n-1)
		if err != nil {
			return nil, err
		}
		if ok {
			if j, sequence, ours := owner(&r); ours && j == journal && sequence >= final {
				return nil, nil
			}
		}
		found, seen := false, int64(0)
		if err := b.scan(ctx, top, partition, max(planned, first), end, func(r record) bool {
			seen++
			j, sequence, ours := owner(&r)
			found = ours && j == journal && sequence >= final
			return !found
		}); err != nil {
			return nil, err
		}
		if found || first > planned {
			return nil, nil // or removed by the topic itself
		}
	}
	own, err := b.lastOwn(ctx, top, partition, first, end, journal)
	if err != nil {
		return nil, err
	}
	if own >= final {
		return nil, nil
	}
	if own == 0 && same && part.End > 0 {
		// Nothing of ours is there. Where what the part came after is, or was
		// removed in its turn, so was everything before the part.
		holds, err := b.endHolds(ctx, top, partition, first, end, part, journal)
		if err != nil {
			return nil, err
		}
		if holds {
			own = part.Sequences[0] - 1
		}
	}
	return &bus.Loss{Target: part.Target, After: own}, nil
}

// endHolds says that a partition still has, or has removed itself, what a part
// came after.
func (b *Bus) endHolds(ctx context.Context, t *topic, partition int, first, end int64, part *bus.Part, journal string) (bool, error) {
	planned := int64(part.End)
	if end < planned {
		return false, nil
	}
	if planned-1 < first {
		return true, nil
	}
	r, ok, err := b.at(ctx, t, partition, planned-1)
	return err == nil && ok && isEnd(&r, part, journal), err
}
