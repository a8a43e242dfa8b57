package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/mapping"
)

// maxHeld bounds what is held back to be put in order.
const maxHeld = 10_000

// heldWait is how long one message is waited for before it is asked again whether
// there are more: partitions may end with what is no message.
const heldWait = 200 * time.Millisecond

// follow follows a stream from its start in an order that people can read. What
// lies in several partitions comes from a bus in the order of each; what was
// there when following began is put in that of the bus's time and the journal,
// up to maxHeld messages at once.
func follow(ctx context.Context, cfg *config.Config, b bus.Bus, stream bus.Stream, from bus.Start) (bus.Follower, error) {
	f, err := b.Follow(ctx, stream, from)
	if err != nil {
		return nil, err
	}
	if cfg.Bus.Kind == "kafka" || len(cfg.Bus.NATS.Routes) > 0 {
		return &ordered{Follower: f}, nil
	}
	return f, nil
}

// ordered is a [bus.Follower] that puts what was there in order. One goroutine uses it.
type ordered struct {
	bus.Follower
	held []bus.Received // in order, where sorted
	// sorted says that held is to be given out before more is read.
	sorted bool
}

// Next gives the next message.
func (o *ordered) Next(ctx context.Context) (bus.Received, error) {
	for !o.sorted && !o.Follower.CaughtUp() && len(o.held) < maxHeld {
		wait, cancel := context.WithTimeout(ctx, heldWait)
		r, err := o.Follower.Next(wait)
		cancel()
		switch {
		case err == nil:
			o.held = append(o.held, r)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return bus.Received{}, err
		}
	}
	if len(o.held) == 0 {
		o.sorted = false
		return o.Follower.Next(ctx)
	}
	if !o.sorted {
		slices.SortStableFunc(o.held, before)
		o.sorted = true
	}
	r := o.held[0]
	o.held[0] = bus.Received{} // not kept longer than needed
	if o.held = o.held[1:]; len(o.held) == 0 {
		o.held, o.sorted = nil, false
	}
	return r, nil
}

// CaughtUp says that everything which was there has been given out.
func (o *ordered) CaughtUp() bool { return len(o.held) == 0 && o.Follower.CaughtUp() }

// before orders by the bus's time, and messages of one time by their journal.
func before(a, b bus.Received) int {
	if c := a.Time.Compare(b.Time); c != 0 || a.Event == nil || b.Event == nil {
		return c
	}
	x, y := a.Event.Extensions(), b.Event.Extensions()
	return cmp.Or(
		cmp.Compare(fmt.Sprint(x[mapping.ExtTimbridge]), fmt.Sprint(y[mapping.ExtTimbridge])),
		cmp.Compare(fmt.Sprint(x[mapping.ExtSequence]), fmt.Sprint(y[mapping.ExtSequence])),
	)
}

// placeText is where a message lies, as people look for it with the tools of its
// bus. On Kafka a position is the offset after the message.
func placeText(target string, offset uint64) string {
	if i := strings.LastIndexByte(target, '/'); i >= 0 && offset > 0 {
		if _, err := strconv.ParseUint(target[i+1:], 10, 31); err == nil {
			return fmt.Sprintf("%s, partition %s, offset %d", target[:i], target[i+1:], offset-1)
		}
	}
	return fmt.Sprintf("%s/%d", target, offset)
}
