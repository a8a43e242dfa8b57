package bustest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/timbridge/timbridge/bus"
)

// Targets are damaged while rounds flow, and nobody but Plan and Send says so.
var liveCases = []test{
	{"live/a stream made anew while rounds flow", needRecreate, func(s *suite) { damagedLive(s, 1, s.recreate) }},
	{"live/a stream made anew while rounds of two flow", needRecreate, func(s *suite) { damagedLive(s, 2, s.recreate) }},
	{"live/a stream made anew between two rounds", needRecreate, func(s *suite) { damagedBetween(s, s.recreate) }},
	{"live/the tail lost while rounds flow", needLoseTail, func(s *suite) { damagedLive(s, 1, s.loseTail) }},
	{"live/the tail lost while rounds of two flow", needLoseTail, func(s *suite) { damagedLive(s, 2, s.loseTail) }},
	{"live/the tail lost between two rounds", needLoseTail, func(s *suite) { damagedBetween(s, s.loseTail) }},
}

func (s *suite) recreate(fill func()) {
	fill()
	s.broker.Recreate(s.T, bus.Events)
}

func (s *suite) loseTail(fill func()) { s.broker.LoseTail(s.T, fill) }

// courier publishes as the relay does, which decides by what the bus says of
// its targets alone.
type courier struct {
	*publisher
	at     targets // where each message was planned last
	rounds atomic.Int64
}

func (s *suite) courier(o Options) *courier {
	return &courier{publisher: s.publisher(s.open(o)), at: targets{}}
}

// deliver has messages stored, and what turns out to be lost meanwhile.
func (c *courier) deliver(msgs []bus.Message) {
	c.s.Helper()
	for ctx := c.s.wait(); ; {
		plan, err := c.b.Plan(ctx, msgs)
		if err == nil {
			c.carry(journaled(c.s, plan), msgs)
			c.rounds.Add(1)
			return
		}
		if errors.Is(err, bus.ErrVerify) {
			c.owe(c.lost(bus.Plan{}))
			continue
		}
		if ctx.Err() != nil {
			c.s.Fatalf("plan: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// carry sends a plan.
func (c *courier) carry(plan bus.Plan, msgs []bus.Message) {
	c.s.Helper()
	c.at.add(plan)
	var owed []bus.Message
	for ctx, look := c.s.wait(), false; ; look = true {
		err := c.b.Send(ctx, plan, msgs, look)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			c.s.Fatalf("send: %v", err)
		}
		if errors.Is(err, bus.ErrVerify) {
			// What a target that lost messages gets of the plan is owed to it.
			for _, l := range c.lost(plan) {
				plan.Parts = slices.DeleteFunc(plan.Parts, func(p bus.Part) bool { return p.Target == l.Target })
				owed = append(owed, c.missing(l)...)
			}
			continue
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, part := range plan.Parts {
		c.done[part.Target] = part
	}
	c.redeliver(owed)
}

// redeliver delivers what was lost.
func (c *courier) redeliver(owed []bus.Message) {
	c.s.Helper()
	slices.SortFunc(owed, func(a, b bus.Message) int { return cmp.Compare(a.Sequence, b.Sequence) })
	if owed = slices.CompactFunc(owed, func(a, b bus.Message) bool { return a.Sequence == b.Sequence }); len(owed) > 0 {
		c.deliver(owed)
	}
}

func (c *courier) owe(losses []bus.Loss) {
	c.s.Helper()
	var owed []bus.Message
	for _, l := range losses {
		owed = append(owed, c.missing(l)...)
	}
	c.redeliver(owed)
}

// missing are the messages that a loss names.
func (c *courier) missing(l bus.Loss) []bus.Message {
	var out []bus.Message
	for _, m := range c.all {
		if c.at.of(m) == l.Target && m.Sequence > l.After && (l.Until == 0 || m.Sequence <= l.Until) {
			m.Target = l.Target
			out = append(out, m)
		}
	}
	return out
}

// lost verifies what was sent before a plan.
func (c *courier) lost(plan bus.Plan) []bus.Loss {
	c.s.Helper()
	parts := maps.Clone(c.done)
	for _, part := range plan.Parts {
		if _, ok := parts[part.Target]; !ok {
			parts[part.Target] = part
		}
	}
	for ctx := c.s.wait(); ; {
		losses, err := c.b.Verify(ctx, c.journal, slices.Collect(maps.Values(parts)))
		if err == nil {
			losses = slices.DeleteFunc(losses, func(l bus.Loss) bool { _, sent := c.done[l.Target]; return !sent })
			for _, l := range losses {
				if delete(c.done, l.Target); l.Last != nil {
					defer func() { c.done[l.Target] = *l.Last }()
				}
			}
			return losses
		}
		if ctx.Err() != nil {
			c.s.Fatalf("verify: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// finish publishes to every target, and sees that everything is there once.
func (c *courier) finish() {
	c.s.Helper()
	for range 3 {
		c.deliver(c.messages(30, bus.Events, bus.Outcomes))
	}
	c.check(c.all, false)
}

// damagedBetween: nothing is under way when a target is damaged, and the next
// round is the first to touch it.
func damagedBetween(s *suite, damage func(fill func())) {
	c := s.courier(Options{})
	for range 4 {
		c.deliver(c.messages(30, bus.Events, bus.Outcomes))
	}
	damage(func() {
		for range 4 {
			c.deliver(c.messages(30, bus.Events, bus.Outcomes))
		}
	})
	c.finish()
}

// damagedLive: one or several bridges publish all the time.
func damagedLive(s *suite, writers int, damage func(fill func())) {
	var couriers []*courier
	for i := range writers {
		couriers = append(couriers, s.courier(Options{Shard: i, Shards: writers}))
	}
	more := func() {
		for _, c := range couriers {
			n := c.rounds.Load() + 8
			s.eventually("rounds flow", func() bool { return c.rounds.Load() >= n })
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range couriers {
		wg.Go(func() { // Fatal in here ends its goroutine only, and fails the test
			for {
				select {
				case <-stop:
					return
				default:
				}
				c.deliver(c.messages(10, bus.Events, bus.Outcomes))
				time.Sleep(5 * time.Millisecond) // so that there is no more to look at than needed
			}
		})
	}
	more()
	damage(more)
	more()
	close(stop)
	wg.Wait()
	for _, c := range couriers {
		c.finish()
	}
}
