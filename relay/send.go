package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// begin plans the pending round, which stays so until its plan is journaled.
// Sending is left to the loop: it verifies first, should the connection have
// been made anew meanwhile.
func (r *Relay) begin(ctx context.Context) error {
	next := r.pending
	plan, err := r.plan(ctx, "plan a round", next.messages)
	if err != nil {
		return err
	}
	body := planBody{Through: next.through, Carried: r.carried()}
	for _, p := range plan.Parts {
		body.Parts = append(body.Parts, partOf(p))
	}
	if err := r.write(ctx, body, next.messages); err != nil {
		return err
	}
	r.pending = nil
	return nil
}

// plan has the bus plan messages.
func (r *Relay) plan(ctx context.Context, doing string, messages []bus.Message) (plan bus.Plan, err error) {
	err = r.patiently(ctx, doing, func() (err error) {
		plan, err = r.pub.Plan(ctx, messages)
		return err
	})
	return plan, err
}

// write journals a plan and makes it the current one.
func (r *Relay) write(ctx context.Context, body planBody, messages []bus.Message) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fatal("encode a plan: %w", err)
	}
	r.mu.Lock()
	r.writing = true
	r.mu.Unlock()
	for {
		first, err := r.journal.AppendReserved(ctx, []journal.Entry{{Kind: journal.KindPlan, Body: b}})
		if err == nil {
			r.mu.Lock()
			r.state.apply(first, body)
			r.writing, r.stored = false, false
			r.mu.Unlock()
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, journal.ErrFull) {
			return fatal("journal a plan: %w", err)
		}
		// Even the reserve is used up: only freed space helps, and nothing
		// can be sent without its plan.
		r.wait(ctx, fmt.Errorf("journal a plan: %w", err))
	}
	r.look, r.messages = false, messages
	r.publish()
	r.step("planned")
	return nil
}

// send makes one attempt at the current plan.
func (r *Relay) send(ctx context.Context) error {
	cur := r.current()
	if r.messages == nil {
		messages, err := r.readPlan(ctx, *cur)
		if err != nil {
			return err
		}
		r.messages = messages
	}
	if len(cur.Parts) > 0 {
		var plan bus.Plan
		for _, p := range cur.Parts {
			plan.Parts = append(plan.Parts, p.part())
		}
		messages, err := replaceRefused(r.messages, cur.Refused)
		if err != nil {
			return fatal("%w", err)
		}
		look := r.look
		r.look = true
		if err := r.patiently(ctx, "send a round", func() error { return r.pub.Send(ctx, plan, messages, look) }); err != nil {
			var refused *bus.RefusedError
			if errors.As(err, &refused) {
				return r.refuse(ctx, *cur, refused)
			}
			return err
		}
	}
	r.count()
	r.messages = nil
	r.publish()
	r.step("sent")
	return nil
}

// refuse amends the current plan: bridge.event_refused goes out in the place
// of the message that the bus will never take.
func (r *Relay) refuse(ctx context.Context, cur planBody, refused *bus.RefusedError) error {
	if slices.ContainsFunc(cur.Refused, func(f refusal) bool { return f.Sequence == refused.Sequence }) {
		// The notice itself is refused; only the bus's configuration can mend that.
		return fmt.Errorf("send a round: the notice of a refused message is refused too: %w", refused)
	}
	r.log.Error("the bus refuses a message for itself; bridge.event_refused takes its place",
		"position", refused.Sequence, "reason", refused.Reason)
	next := cur
	next.Amends = true
	next.Refused = append(slices.Clone(cur.Refused), refusal{
		Sequence: refused.Sequence, Reason: refused.Reason, Size: refused.Size, Limit: refused.Limit,
	})
	if err := r.write(ctx, next, r.messages); err != nil {
		return err
	}
	r.look = true // the plan's other messages may be stored
	r.mu.Lock()
	r.stats.Refused++
	r.mu.Unlock()
	return nil
}

func replaceRefused(messages []bus.Message, refused []refusal) ([]bus.Message, error) {
	if len(refused) == 0 {
		return messages, nil
	}
	out := slices.Clone(messages)
	for i, m := range out {
		at := slices.IndexFunc(refused, func(f refusal) bool { return f.Sequence == m.Sequence })
		if at < 0 {
			continue
		}
		f := refused[at]
		e, err := mapping.EventRefused(m.Event, f.Reason, f.Size, f.Limit)
		if err != nil {
			return nil, fmt.Errorf("make bridge.event_refused for position %d: %w", m.Sequence, err)
		}
		out[i].Event = e
	}
	return out, nil
}
