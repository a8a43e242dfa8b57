package relay

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
)

// verify asks every target for the last part it is known to have been given,
// and writes down what is owed to those that lost it.
func (r *Relay) verify(ctx context.Context) error {
	r.mu.Lock()
	last := map[bus.Target]partBody{}
	for t, d := range r.state.done {
		last[t] = d.Part
	}
	cur, stored := r.state.current, r.stored
	r.mu.Unlock()
	unsent := map[bus.Target]bool{} // targets that are asked only whether they are there
	if cur != nil {
		for _, p := range cur.Parts {
			if _, ok := last[p.Target]; !stored && ok {
				continue
			}
			last[p.Target], unsent[p.Target] = p, !stored
		}
	}
	var parts []bus.Part
	for _, p := range last {
		parts = append(parts, p.part())
	}
	slices.SortFunc(parts, func(a, b bus.Part) int { return cmp.Compare(a.Target, b.Target) })
	if len(parts) > 0 {
		var losses []bus.Loss
		err := r.patiently(ctx, "verify what was published", func() (err error) {
			losses, err = r.pub.Verify(ctx, r.journal.ID(), parts)
			return err
		})
		if err != nil {
			return err
		}
		// What is not sent yet is planned again where the plan's target is no more.
		losses = slices.DeleteFunc(losses, func(l bus.Loss) bool { return unsent[l.Target] && !l.Gone && !l.Anew })
		if losses = r.news(losses); len(losses) > 0 {
			if err := r.owe(ctx, *cur, losses); err != nil {
				return err
			}
		}
	}
	r.verified = true
	return nil
}

// news leaves out targets of which refills already account for all that is lost.
func (r *Relay) news(losses []bus.Loss) []bus.Loss {
	cur, news := r.current(), map[bus.Target]bool{}
	for _, l := range losses {
		if l.Gone || !owes(cur.Refill, refillOf(l, cur.Through)) {
			news[l.Target] = true
		}
	}
	return slices.DeleteFunc(losses, func(l bus.Loss) bool { return !news[l.Target] })
}

// refillOf is what is owed for a loss.
func refillOf(l bus.Loss, through uint64) refill {
	if l.Until == 0 {
		l.Until = through
	}
	return refill{Target: l.Target, After: l.After, Until: l.Until}
}

// owes says that a refill is part of another one.
func owes(all []refill, f refill) bool {
	return slices.ContainsFunc(all, func(o refill) bool {
		return o.Target == f.Target && o.After <= f.After && o.Until >= f.Until
	})
}

// owe journals that targets lost messages.
func (r *Relay) owe(ctx context.Context, cur planBody, losses []bus.Loss) error {
	next := planBody{Through: cur.Through, Refused: cur.Refused}
	lost := map[bus.Target]uint64{} // the last of what they have before a gap
	for _, l := range losses {
		r.log.Error("a target of the bus lost what it had stored; it is sent again from the journal",
			"target", l.Target, "after_position", l.After, "until_position", l.Until)
		if f := refillOf(l, cur.Through); f.After < f.Until {
			next.Refill = append(next.Refill, f)
		}
		known := has(lost, l.Target)
		if lost[l.Target] = max(lost[l.Target], l.After); known {
			continue // the second of two gaps
		}
		// From now on what the target has at its end stands for all that it has.
		next.Gone = append(next.Gone, l.Target)
		if l.Last != nil && !l.Gone {
			next.Carried = append(next.Carried, partOf(*l.Last))
		}
	}
	owed := slices.Clone(cur.Refill)
	if !r.isStored() {
		// The current plan is amended: what the lost targets get of it comes
		// after what they lost, so it is owed as well.
		next.Amends = true
		for _, p := range cur.Carried {
			if !has(lost, p.Target) {
				next.Carried = append(next.Carried, p)
			}
		}
		for _, p := range cur.Parts {
			switch {
			case !has(lost, p.Target):
				next.Parts = append(next.Parts, p)
			case p.last() < lost[p.Target]:
				// It goes behind messages that were there when it was found to
				// be lost, and of which some are lost now in their turn.
				for _, run := range p.Runs {
					owed = append(owed, refill{Target: p.Target, After: run[0] - 1, Until: run[0] + run[1] - 1})
				}
			}
		}
	}
	for _, f := range owed {
		if !owes(next.Refill, f) {
			next.Refill = append(next.Refill, f)
		}
	}
	r.places = nil
	look, messages := r.look, r.messages
	if err := r.write(ctx, next, messages); err != nil {
		return err
	}
	if next.Amends {
		r.look = look
		return nil
	}
	r.mu.Lock()
	r.stored = true // it has no parts
	r.mu.Unlock()
	r.publish()
	return nil
}

func has(lost map[bus.Target]uint64, t bus.Target) bool {
	_, ok := lost[t]
	return ok
}

// refill pays all that is owed its next messages, in the order of the journal,
// each to the target that had it.
func (r *Relay) refill(ctx context.Context, owed []refill) error {
	if r.places == nil {
		p, err := r.readPlaces(ctx, owed)
		if err != nil {
			return err
		}
		r.places = p
	}
	from, until := uint64(math.MaxUint64), uint64(0)
	for _, f := range owed {
		if first := r.journal.First(); f.After+1 < first {
			r.log.Error("the journal no longer holds all that a target lost",
				"target", f.Target, "missing_from", f.After+1, "missing_through", first-1)
		}
		from, until = min(from, max(f.After+1, r.journal.First())), max(until, f.Until)
	}
	next, err := r.readOwed(ctx, owed, from, until)
	if err != nil {
		return err
	}
	body := planBody{Through: r.current().Through}
	if len(next.messages) > 0 {
		plan, err := r.plan(ctx, "plan a refill", next.messages)
		if err != nil {
			return err
		}
		for _, p := range plan.Parts {
			body.Parts = append(body.Parts, partOf(p))
		}
	}
	for _, f := range owed {
		if f.After = max(f.After, next.through); f.After < f.Until {
			body.Refill = append(body.Refill, f)
		}
	}
	r.mu.Lock()
	r.stats.Refilled += uint64(len(next.messages))
	r.mu.Unlock()
	return r.write(ctx, body, next.messages)
}

// readOwed reads a round of what is owed in [from, until], all of which is in
// the journal.
func (r *Relay) readOwed(ctx context.Context, owed []refill, from, until uint64) (round, error) {
	next := round{messages: []bus.Message{}, through: from - 1}
	reader := r.journal.Read(from)
	defer reader.Close()
	for next.through < until && len(next.messages) < r.cfg.RoundMessages && next.bytes < r.cfg.RoundBytes {
		entries, err := reader.Next(ctx, r.cfg.RoundMessages-len(next.messages), r.cfg.RoundBytes-next.bytes)
		if err != nil {
			return next, journalError(ctx, err)
		}
		for _, e := range entries {
			if e.Position > until {
				next.through = until
				break
			}
			next.through = e.Position
			i := slices.IndexFunc(owed, func(f refill) bool {
				return f.After < e.Position && e.Position <= f.Until && r.places.at(e.Position) == f.Target
			})
			if i < 0 {
				continue
			}
			m, err := r.message(e)
			if err != nil {
				return next, fatal("read the journal: %w", err)
			}
			m.Target = owed[i].Target
			next.messages = append(next.messages, m)
			next.bytes += len(e.Body)
		}
	}
	return next, nil
}

// journalError is an error of reading the journal, which ends the relay unless
// that was ending already.
func journalError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fatal("read the journal: %w", err)
}

// places says which target each message of a stretch of the journal was planned
// for: not what the bus would choose for it by now, since partitions may have
// been added, or routes changed.
type places struct {
	from    uint64
	targets []bus.Target
	index   []uint16 // of a target and 1, by position less from; 0 is none of them
}

// readPlaces reads from the plans where the messages that may be owed are. The
// last plan that names a message says so: a target that was no more had its
// messages sent elsewhere.
func (r *Relay) readPlaces(ctx context.Context, owed []refill) (*places, error) {
	p := &places{from: math.MaxUint64}
	until := uint64(0)
	for _, f := range owed {
		p.targets = append(p.targets, f.Target)
		p.from, until = min(p.from, f.After+1), max(until, f.Until)
	}
	p.from = max(p.from, r.journal.First())
	if until < p.from {
		return p, nil
	}
	p.index = make([]uint16, until-p.from+1)
	r.mu.Lock()
	last := r.state.position // of the last plan
	r.mu.Unlock()
	reader := r.journal.Read(p.from)
	defer reader.Close()
	for at := uint64(0); at < last; {
		entries, err := reader.Next(ctx, r.cfg.RoundMessages, r.cfg.RoundBytes)
		if err != nil {
			return nil, journalError(ctx, err)
		}
		for _, e := range entries {
			if at = e.Position; e.Kind != journal.KindPlan || at > last {
				continue
			}
			plan, err := decodePlan(e.Body)
			if err != nil {
				return nil, fatal("plan at position %d: %w", at, err)
			}
			for _, part := range plan.Parts {
				p.note(part)
			}
		}
	}
	return p, nil
}

func (p *places) note(part partBody) {
	target := uint16(slices.Index(p.targets, part.Target) + 1)
	for _, run := range part.Runs {
		end := min(run[0]+run[1], p.from+uint64(len(p.index)))
		for s := max(run[0], p.from); s < end; s++ {
			p.index[s-p.from] = target
		}
	}
}

// at is the target of a message; "" where it is none that is owed anything.
func (p *places) at(sequence uint64) bus.Target {
	if i := sequence - p.from; sequence >= p.from && i < uint64(len(p.index)) && p.index[i] > 0 {
		return p.targets[p.index[i]-1]
	}
	return ""
}

// carried restates last parts whose plan entry lies far behind.
func (r *Relay) carried() []partBody {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []partBody
	for t, d := range r.state.done {
		if d.Position+carryAfter > r.state.position {
			continue
		}
		if r.state.current != nil && slices.ContainsFunc(r.state.current.Parts, func(p partBody) bool { return p.Target == t }) {
			continue
		}
		out = append(out, d.Part)
	}
	return out
}
