package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/timbridge/timbridge/bus"
)

const (
	scanMessages = 1000
	scanBytes    = 4 << 20
)

// owner reads whose a stored message is and which: from its id, which every one
// of ours has in either mode, else from its attributes.
func owner(h nats.Header) (journal string, sequence uint64, ok bool) {
	if id := h.Get(jetstream.MsgIDHeader); id != "" {
		if i := strings.LastIndexByte(id, '/'); i > 0 {
			if n, err := strconv.ParseUint(id[i+1:], 10, 64); err == nil {
				return id[:i], n, true
			}
		}
	}
	journal = h.Get(attributePrefix + "timbridge")
	n, err := strconv.ParseUint(h.Get(attributePrefix+"sequence"), 10, 64)
	return journal, n, err == nil && journal != ""
}

// scan calls fn with the messages of a stream from a sequence on, until fn
// returns false or there is no more, and returns the last sequence it saw. It
// reads many at once; whether that was all is asked of the stream's leader,
// because a direct get may be answered by a replica that is behind, and an
// answer that was cut short looks like a whole one.
func (b *Bus) scan(ctx context.Context, stream string, from uint64, fn func(stored) bool) (last uint64, err error) {
	from = max(from, 1)
	last = from - 1
	for {
		n, err := b.scanBatch(ctx, stream, last+1, func(m stored) bool {
			if m.sequence <= last {
				return true
			}
			last = m.sequence
			return fn(m)
		})
		if err != nil || n < 0 {
			return last, err
		}
		if n >= scanMessages {
			continue
		}
		m, err := b.get(ctx, stream, getRequest{Seq: last + 1, Next: ">"})
		if errors.Is(err, errNoMessage) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		last = m.sequence
		if !fn(m) {
			return last, nil
		}
	}
}

// scanBatch reads up to scanMessages, and returns how many it got; -1 when fn
// ended it.
func (b *Bus) scanBatch(ctx context.Context, stream string, from uint64, fn func(stored) bool) (n int, err error) {
	ctx, done, err := b.conn.ask(ctx, jetstream.DefaultAPIPrefix+"DIRECT.GET."+stream, b.cfg.RequestTimeout)
	if err != nil {
		return 0, err
	}
	defer done()
	msgs, err := jetstreamext.GetBatch(ctx, b.js, stream, scanMessages,
		jetstreamext.GetBatchSeq(from), jetstreamext.GetBatchMaxBytes(scanBytes))
	if err != nil {
		return 0, fmt.Errorf("read stream %q: %w", stream, err)
	}
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return n, nil
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return n, fmt.Errorf("read stream %q: %w", stream, err)
		}
		n++
		if !fn(stored{subject: m.Subject, sequence: m.Sequence, header: m.Header, data: m.Data, time: m.Time}) {
			return -1, nil
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return n, fmt.Errorf("read stream %q: %w", stream, cause)
	}
	return n, nil
}

// remains finds what a stream has of ours, read from its end backwards, as far
// down as it matters.
func (b *Bus) remains(ctx context.Context, info *jetstream.StreamInfo, left *bus.Remains, journal string) error {
	type own struct{ at, sequence uint64 }
	first, hi := info.State.FirstSeq, info.State.LastSeq
	for step := uint64(scanMessages); info.State.Msgs > 0 && hi >= first; step *= 2 {
		lo := first
		if hi-first >= step {
			lo = hi - step + 1
		}
		var found []own
		if _, err := b.scan(ctx, info.Config.Name, lo, func(m stored) bool {
			if m.sequence > hi {
				return false
			}
			if j, n, ok := owner(m.header); ok && j == journal {
				found = append(found, own{m.sequence, n})
			}
			return m.sequence < hi
		}); err != nil {
			return err
		}
		for _, o := range slices.Backward(found) {
			if !left.Back(o.sequence, o.at-1) {
				return nil
			}
		}
		if lo == first {
			return nil
		}
		hi = lo - 1
	}
	return nil
}

// look finds how many messages of a part are stored already, the last sequence
// of the stream at that time, and the one below which no other of the part can
// be stored.
//
// A round of ours lies behind the planned end, in order. As long as nobody else
// wrote there, the stream's end alone tells how much of it was stored, even if
// the stream has removed it since. Where others write too, what was removed
// cannot be told apart: then what is not found is sent, under ids that the
// stream remembers for its duplicate window whether it still holds the message
// or not.
func (b *Bus) look(ctx context.Context, t *target, part *bus.Part, journal string) (done int, last, floor uint64, err error) {
	epoch := b.conn.present()
	info, err := b.info(ctx, t.name)
	if err != nil {
		return 0, 0, 0, err
	}
	t.learn(info, epoch)
	t.trusted = false
	n := uint64(len(part.Sequences))
	if incarnation(info) == part.Incarnation && info.State.LastSeq >= part.End {
		var highest, at uint64
		foreign, lost := b.cfg.Shard.Count > 1, false
		last, err = b.scan(ctx, t.name, part.End, func(m stored) bool {
			j, sequence, ok := owner(m.header)
			own := ok && j == journal
			if m.sequence == part.End {
				lost = !isEnd(m, part, journal)
				return !lost
			}
			switch {
			case !own || sequence < part.Sequences[0]:
				foreign = true
			case sequence > highest:
				highest, at = sequence, m.sequence
			}
			return highest < part.Sequences[n-1]
		})
		if err != nil {
			return 0, 0, 0, err
		}
		if !lost {
			if t.seen = (seen{}); highest != 0 {
				t.remember(part.Incarnation, at, journal, highest)
			}
			last = max(last, info.State.LastSeq)
			done = part.Through(highest)
			if !foreign {
				done = max(done, int(min(n, last-part.End)))
			}
			return done, last, part.End, nil
		}
	}
	// The target is not the one that was planned for, or it lost its tail: what
	// it had before may be gone, unless that was looked for since.
	whole, err := b.intact(ctx, t, info)
	if err != nil {
		return 0, 0, 0, err
	}
	if !whole {
		return 0, 0, 0, bus.ErrVerify
	}
	left := &bus.Remains{Part: part, Incarnation: part.Incarnation} // the planned end means nothing there
	if err := b.remains(ctx, info, left, journal); err != nil {
		return 0, 0, 0, err
	}
	return part.Through(left.After()), info.State.LastSeq, 0, nil
}

// isEnd says that the message at a part's planned end is still the one that
// the target ended with then: else the tail was lost, and has grown again past
// its end. Where the plan does not know its time, it was ours.
func isEnd(m stored, part *bus.Part, journal string) bool {
	if !part.EndTime.IsZero() {
		return m.time.Equal(part.EndTime)
	}
	j, sequence, ok := owner(m.header)
	return ok && j == journal && sequence < part.Sequences[0]
}

// endHolds says that a stream still has, or has removed itself, what a part
// came after.
func (b *Bus) endHolds(ctx context.Context, info *jetstream.StreamInfo, part *bus.Part, journal string) (bool, error) {
	if info.State.LastSeq < part.End {
		return false, nil
	}
	m, err := b.get(ctx, info.Config.Name, getRequest{Seq: part.End})
	if errors.Is(err, errNoMessage) {
		return true, nil
	}
	return err == nil && isEnd(m, part, journal), err
}

// Verify looks for the last message of each part. What a stream has removed
// since counts as stored; a stream made anew, or one that ends before what it
// had acknowledged, is a loss.
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
			if refused := refusal(string(part.Target), err); refused != nil {
				err = refused
			}
			return nil, fmt.Errorf("verify %s: %w", part.Target, err)
		}
		losses = append(losses, found...)
	}
	return losses, nil
}

// verify looks for the last message of one part, and remembers what is there:
// with that, and what was said of the rest, publishing goes on.
func (b *Bus) verify(ctx context.Context, journal string, part *bus.Part) ([]bus.Loss, error) {
	name := string(part.Target)
	t, err := b.target(ctx, name, "")
	if err != nil {
		return nil, err
	}
	t.trusted = false
	info, err := b.info(ctx, name)
	if err != nil {
		return nil, err
	}
	n, now := uint64(len(part.Sequences)), incarnation(info)
	final := part.Sequences[n-1]
	same := now == part.Incarnation
	if same && info.State.LastSeq >= part.End+n {
		// Where nobody else writes, the last message lies at a place known.
		m, err := b.get(ctx, name, getRequest{Seq: part.End + n})
		if err != nil && !errors.Is(err, errNoMessage) {
			return nil, err
		}
		is := func(m stored) bool {
			j, sequence, ok := owner(m.header)
			return ok && j == journal && sequence == final
		}
		if err == nil && is(m) {
			t.remember(now, m.sequence, journal, final)
			return nil, nil
		}
		found, seen := false, uint64(0)
		last, err := b.scan(ctx, name, part.End+1, func(m stored) bool {
			seen++
			found = is(m)
			return !found
		})
		if err != nil {
			return nil, err
		}
		if found {
			t.remember(now, last, journal, final)
			return nil, nil
		}
		if removed := max(last, info.State.LastSeq) - part.End - seen; removed > 0 {
			t.note(info)
			return nil, nil
		}
	}
	left := &bus.Remains{Part: part, Incarnation: now}
	if err := b.remains(ctx, info, left, journal); err != nil {
		return nil, err
	}
	floor := uint64(0)
	if left.After() == 0 && same && part.End > 0 {
		// Nothing of ours is there. Where what the part came after is, or was
		// removed in its turn, so was everything before the part.
		holds, err := b.endHolds(ctx, info, part, journal)
		if err != nil {
			return nil, err
		}
		if holds {
			floor = part.Sequences[0] - 1
		}
	}
	if last := left.Last(); last != nil {
		t.remember(now, last.End+1, journal, last.Sequences[0])
	} else {
		t.remember(now, 0, journal, 0)
	}
	return left.Losses(floor), nil
}
