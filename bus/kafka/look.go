package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/bus"
)

// lookStep is how many records are read at first when our last one is looked
// for from the end backwards.
const lookStep = 1000

// remains finds what a partition has of ours, read from its end backwards, as
// far down as it matters.
func (b *Bus) remains(ctx context.Context, t *topic, partition int, first, end int64, left *bus.Remains, journal string) error {
	type own struct {
		offset   int64
		sequence uint64
	}
	for hi, step := end, int64(lookStep); hi > first; step *= 2 {
		lo := max(first, hi-step)
		var found []own
		if err := b.scan(ctx, t, partition, lo, hi, func(r record) bool {
			if j, n, ok := owner(&r); ok && j == journal {
				found = append(found, own{r.offset, n})
			}
			return true
		}); err != nil {
			return err
		}
		for _, o := range slices.Backward(found) {
			if !left.Back(o.sequence, uint64(o.offset)) {
				return nil
			}
		}
		hi = lo
	}
	return nil
}

// look finds how many messages of a part are stored already, and the offset
// below which no other of it can be stored.
//
// A round of ours lies behind the planned end, in order. As long as nobody else
// wrote there, the partition's end alone tells how much of it was stored, even
// if the topic has removed it since. Where others write too, what was removed
// cannot be told apart: then what is not found is sent, under a stamp that the
// broker remembers whether it still holds the records or not.
func (b *Bus) look(ctx context.Context, t *target, part *bus.Part, journal string) (done int, floor int64, err error) {
	t.trusted = false
	if err := b.learn(ctx, t.topic); err != nil {
		return 0, 0, err
	}
	epoch := b.epoch()
	top, err := b.topic(ctx, t.topic)
	if err != nil {
		return 0, 0, err
	}
	first, end, err := b.extent(ctx, top, t.partition)
	if err != nil {
		return 0, 0, err
	}
	n, planned := len(part.Sequences), int64(part.End)
	if top.incarnation() == part.Incarnation && end >= planned {
		var highest uint64
		var at int64
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
			} else if sequence > highest {
				highest, at = sequence, r.offset
			}
			return highest < part.Sequences[n-1]
		})
		if err != nil {
			return 0, 0, err
		}
		if !lost {
			t.epoch, t.id, t.known = epoch, top.id, false
			if highest != 0 {
				t.remember(top.id, at, journal, highest)
			}
			done = part.Through(highest)
			if !foreign {
				done = max(done, int(min(int64(n), end-planned)))
			}
			return done, planned, nil
		}
	}
	// The partition is not the one that was planned for, or it lost its tail:
	// what it had before may be gone, unless that was looked for since.
	whole, err := b.intact(ctx, t, top, end)
	if err != nil {
		return 0, 0, err
	}
	if !whole {
		return 0, 0, bus.ErrVerify
	}
	t.epoch = epoch
	left := &bus.Remains{Part: part, Incarnation: part.Incarnation} // the planned end means nothing there
	if err := b.remains(ctx, top, t.partition, first, end, left, journal); err != nil {
		return 0, 0, err
	}
	return part.Through(left.After()), 0, nil
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
		var found []bus.Loss
		err := b.whileUnreachable(ctx, func() (err error) {
			found, err = b.verify(ctx, journal, part)
			return err
		})
		if err != nil {
			if refused := refusal(part.Target, err); refused != nil {
				err = refused
			}
			return nil, fmt.Errorf("verify %s: %w", part.Target, err)
		}
		if losses = append(losses, found...); len(found) > 0 {
			if t := b.targets[part.Target]; t != nil {
				t.doubt()
			}
		}
	}
	return losses, nil
}

// verify looks for the last message of one part, and remembers what is there:
// with that, and what was said of the rest, publishing goes on.
func (b *Bus) verify(ctx context.Context, journal string, part *bus.Part) ([]bus.Loss, error) {
	t, err := b.target(part.Target)
	if err != nil {
		return nil, err
	}
	t.trusted = false
	b.conn.need(t.topic)
	if err := b.learn(ctx, t.topic); err != nil {
		return nil, err
	}
	top, err := b.topic(ctx, t.topic)
	if err != nil {
		return nil, err
	}
	if t.partition >= len(top.partitions) {
		return []bus.Loss{{Target: part.Target, Gone: true}}, nil // made anew with fewer
	}
	first, end, err := b.extent(ctx, top, t.partition)
	if err != nil {
		return nil, err
	}
	n, planned := int64(len(part.Sequences)), int64(part.End)
	final := part.Sequences[n-1]
	same := top.incarnation() == part.Incarnation
	if same && end >= planned+n {
		// Where nobody else writes, the last message lies at a place known.
		r, ok, err := b.at(ctx, top, t.partition, planned+n-1)
		if err != nil {
			return nil, err
		}
		is := func(r *record) bool {
			j, sequence, ours := owner(r)
			return ours && j == journal && sequence == final
		}
		found := ok && is(&r)
		if !found {
			if err := b.scan(ctx, top, t.partition, max(planned, first), end, func(next record) bool {
				r, found = next, is(&next)
				return !found
			}); err != nil {
				return nil, err
			}
		}
		if found {
			t.remember(top.id, r.offset, journal, final)
			return nil, nil
		}
		if first > planned {
			t.remember(top.id, first-1, journal, final)
			return nil, nil // removed by the topic itself
		}
	}
	left := &bus.Remains{Part: part, Incarnation: top.incarnation()}
	if err := b.remains(ctx, top, t.partition, first, end, left, journal); err != nil {
		return nil, err
	}
	floor := uint64(0)
	if left.After() == 0 && same && part.End > 0 {
		// Nothing of ours is there. Where what the part came after is, or was
		// removed in its turn, so was everything before the part.
		holds, err := b.endHolds(ctx, top, t.partition, first, end, part, journal)
		if err != nil {
			return nil, err
		}
		if holds {
			floor = part.Sequences[0] - 1
		}
	}
	if last := left.Last(); last != nil {
		t.remember(top.id, int64(last.End), journal, last.Sequences[0])
	} else {
		t.remember(top.id, -1, journal, 0)
	}
	return left.Losses(floor), nil
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
