package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// killAll kills the victims as often as asked, at random moments.
func (h *house) killAll(ctx context.Context, rng *rand.Rand) error {
	for i := range h.kills {
		// Sometimes at once, while it is still starting; mostly under way.
		pause := time.Duration(rng.ExpFloat64() * float64(700*time.Millisecond))
		wait(ctx, min(pause, 3*time.Second))
		if err := h.alive(); err != nil {
			return err
		}
		victims := h.pick(rng)
		for _, p := range victims {
			if err := p.kill(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, p := range victims {
			wait(ctx, time.Duration(rng.IntN(300))*time.Millisecond)
			if err := p.start(); err != nil {
				return err
			}
			// A Kafka takes seconds to come up, in which there is nothing to kill
			// but its start.
			if p == h.broker && rng.IntN(8) > 0 {
				if err := h.awaitBroker(ctx); err != nil {
					return err
				}
				wait(ctx, min(time.Duration(rng.ExpFloat64()*float64(2*time.Second)), 6*time.Second)) // of load
			}
		}
		if h.delivery == "push" && h.kills >= manyKills && i == h.kills/2 {
			if err := h.peace(ctx, longPeace); err != nil {
				return err
			}
		}
		if (i+1)%10 == 0 {
			fmt.Printf("killed %d times\n", i+1)
		}
	}
	if h.loseVolume {
		if err := h.loseOne(ctx, rng); err != nil {
			return err
		}
	}
	return nil
}

// With a service that forgets what it pushed, what happens within the bounds of
// a gap may be missing, and these begin some time before each kill: two minutes
// at most, some 70 s under load. So that there is something left to be judged,
// there are stretches without kills.
const (
	longPeace = 100 * time.Second // in the middle of many kills
	manyKills = 20
	lastPeace = 15 * time.Second // after which no gap comes
)

// peace is a while under load, in which all comes back by itself.
func (h *house) peace(ctx context.Context, length time.Duration) error {
	if err := errors.Join(h.awaitBroker(ctx), h.awaitReady(ctx, 30*time.Second)); err != nil || h.delivery == "ack" {
		return err
	}
	wait(ctx, length)
	return h.alive()
}

// pick picks at least one of the victims, in any order.
func (h *house) pick(rng *rand.Rand) []*process {
	n := 1 + rng.IntN(len(h.victims))
	var list []*process
	for _, i := range rng.Perm(len(h.victims))[:n] {
		p := h.process(h.victims[i])
		if p == h.bridges[0] && h.shards > 1 {
			p = h.bridges[rng.IntN(h.shards)]
		}
		list = append(list, p)
	}
	return list
}

// alive says when somebody ended by himself, which nobody ever may.
func (h *house) alive() error {
	for _, p := range append(h.others(), h.sender) {
		select {
		case <-p.exited():
			return fmt.Errorf("%s ended by itself: %w", p.name, errors.Join(p.failure(), errors.New("see its log")))
		default:
		}
	}
	return nil
}

// stepPatience is how long a step may take to be come to.
const stepPatience = 60 * time.Second

// killAtSteps has the bridge end itself at each named step.
func (h *house) killAtSteps(ctx context.Context, rng *rand.Rand) error {
	for _, step := range h.steps {
		for range h.each {
			nth := 1 + rng.IntN(60)
			if step == "snapshot" || step == "segment_deleted" {
				nth = 1 // rare ones
			}
			if err := h.killAtStep(ctx, step, nth); err != nil {
				return fmt.Errorf("step %q: %w", step, err)
			}
		}
		fmt.Printf("killed at %s: %d\n", step, h.each)
	}
	return nil
}

func (h *house) killAtStep(ctx context.Context, step string, nth int) error {
	if err := h.bridges[0].kill(); err != nil {
		return err
	}
	if err := h.bridges[0].start(fmt.Sprintf("TIMBRIDGE_KILL_AT=%s:%d", step, nth)); err != nil {
		return err
	}
	select {
	case <-h.bridges[0].exited():
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(stepPatience):
		return fmt.Errorf("the bridge did not come to it for the %d. time within %s", nth, stepPatience)
	}
	if !h.bridges[0].killed() {
		return fmt.Errorf("the bridge ended by itself on the way to it: %w", h.bridges[0].failure())
	}
	if err := h.bridges[0].start(); err != nil {
		return err
	}
	if err := h.awaitReady(ctx, 30*time.Second); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	return nil
}
