package relay

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/bus"
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
	if cur != nil && stored {
		for _, p := range cur.Parts {
			last[p.Target] = p
		}
	}
	var parts []bus.Part
	for _, p := range last {
		parts = append(parts, p.part())
	}
	slices.SortFunc(parts, func(a, b bus.Part) int { return cmp.Compare(a.Target, b.Target) })
	if len(parts) > 0 {
		losses, err := r.pub.Verify(ctx, r.journal.ID(), parts)
		if err != nil {
			return fmt.Errorf("verify what was published: %w", err)
		}
		if losses = r.news(losses); len(losses) > 0 {
			if err := r.owe(ctx, *cur, losses); err != nil {
				return err
			}
		}
	}
	r.verified = true
	return nil
}

// news leaves out losses that a refill already accounts for: while one is
// under way, the target's last part of old is still missing.
func (r *Relay) news(losses []bus.Loss) []bus.Loss {
	owed := r.owed()
	return slices.DeleteFunc(losses, func(l bus.Loss) bool {
		return slices.ContainsFunc(owed, func(f refill) bool { return f.Target == l.Target && f.After <= l.After })
	})
}

// owe journals that targets lost their tail.
func (r *Relay) owe(ctx context.Context, cur planBody, losses []bus.Loss) error {
	next := planBody{Through: cur.Through, Refill: slices.Clone(cur.Refill), Refused: cur.Refused}
	if !r.isStored() {
		// The current plan is amended: what the lost targets get of it comes
		// after what they lost, so it is owed as well.
		next.Amends = true
		next.Carried = cur.Carried
		for _, p := range cur.Parts {
			if !slices.ContainsFunc(losses, func(l bus.Loss) bool { return l.Target == p.Target }) {
				next.Parts = append(next.Parts, p)
			}
		}
	}
	for _, l := range losses {
		r.log.Error("a target of the bus lost what it had stored; it is sent again from the journal",
			"target", l.Target, "after_position", l.After)
		next.Refill = slices.DeleteFunc(next.Refill, func(f refill) bool { return f.Target == l.Target })
		next.Refill = append(next.Refill, refill{Target: l.Target, After: l.After, Until: cur.Through})
	}
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

// refill pays the first target that is owed something its next messages.
func (r *Relay) refill(ctx context.Context, owed []refill) error {
	first := owed[0]
	from := max(first.After+1, r.journal.First())
	if from > first.After+1 {
		r.log.Error("the journal no longer holds all that a target lost",
			"target", first.Target, "missing_from", first.After+1, "missing_through", from-1)
	}
	rest := slices.Clone(owed)
	body := planBody{Through: r.current().Through}
	var messages []bus.Message
	for len(body.Parts) == 0 && from <= first.Until {
		next, err := r.readRound(ctx, from, first.Until)
		if err != nil {
			return fatal("read the journal: %w", err)
		}
		rest[0].After, from = next.through, next.through+1
		if len(next.messages) == 0 {
			continue
		}
		plan, err := r.pub.Plan(ctx, next.messages)
		if err != nil {
			return fmt.Errorf("plan a refill: %w", err)
		}
		for _, p := range plan.Parts {
			if p.Target == first.Target {
				body.Parts = []partBody{partOf(p)}
			}
		}
		messages = next.messages
	}
	if from > first.Until {
		rest = rest[1:]
	}
	body.Refill = rest
	messages = slices.DeleteFunc(messages, func(m bus.Message) bool {
		return len(body.Parts) == 0 || !body.Parts[0].has(m.Sequence)
	})
	r.mu.Lock()
	r.stats.Refilled += uint64(len(messages))
	r.mu.Unlock()
	return r.write(ctx, body, messages)
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
