package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/relay"
)

// complete waits until each target has all of its messages, once, in whatever
// order: what goes out before a loss is noticed lies before what is sent again.
func (h *house) complete() {
	h.t.Helper()
	h.bus.setTrouble(0)
	last := uint64(0)
	for _, want := range h.public {
		last = max(last, want[len(want)-1])
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		missing := ""
		for t, want := range h.public {
			var got []uint64
			for _, s := range h.bus.sequences(t) {
				got = append(got, s.sequence)
			}
			slices.Sort(got)
			if len(slices.Compact(slices.Clone(got))) < len(got) {
				h.t.Fatalf("%s has messages twice: %v", t, got)
			}
			if !slices.Equal(got, want) {
				missing = fmt.Sprintf("%s has %v, not %v", t, got, want)
			}
		}
		if missing == "" && h.relay.Published() >= last && len(h.bus.reconnect) == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s; %+v", missing, h.relay.Stats())
		}
	}
}

// Targets lose their tails, and are made anew, under a relay that publishes,
// and nobody or somebody later says so.
func TestTargetsLoseWhileRoundsFlow(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 7))
			h := newHouse(t, seed)
			h.bus.silent = []float64{0.5, 1}[seed%2]
			h.start(nil)
			targets := []bus.Target{"events/0", "events/1", "events/2", "outcomes", "deadletters"}
			for range 3 {
				// A target that was struck may not be in the journal's order
				// any more, which its tail can be lost of but once.
				whole := slices.Clone(targets)
				strike := func(t bus.Target) {
					whole = slices.DeleteFunc(whole, func(w bus.Target) bool { return w == t })
				}
				for range 8 {
					h.post(1+rng.IntN(20), rng)
					if rng.IntN(3) == 0 {
						time.Sleep(time.Duration(rng.IntN(400)) * time.Microsecond) // anywhere in a round
					}
					switch rng.IntN(8) {
					case 0:
						target := targets[rng.IntN(len(targets))]
						h.bus.makeAnew(target)
						strike(target)
					case 1:
						if len(whole) > 0 {
							target := whole[rng.IntN(len(whole))]
							h.bus.loseTail(target, 1+rng.IntN(20))
							strike(target)
						}
					case 2: // a process that dies between
						h.kill()
						h.start(nil)
					case 3:
						h.kill()
						h.start(h.relay)
					case 4:
						h.bus.setTrouble(0.1)
					}
				}
				// What nobody notices is found when the target is published to.
				for range 4 {
					h.post(10, rng)
				}
				h.kill()
				h.start(nil)
				h.complete()
				for _, target := range targets {
					h.bus.makeAnew(target)
				}
				h.kill()
				h.start(nil)
				h.complete()
			}
		})
	}
}

// A target lost its tail, a round went out behind the hole before anybody knew,
// and the process died: the next one finds the hole.
func TestHoleBehindARoundIsFilled(t *testing.T) {
	for _, anew := range []bool{false, true} {
		t.Run(fmt.Sprintf("made anew %v", anew), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 8))
			h := newHouse(t, 1)
			h.bus.silent = 1
			h.start(nil)
			h.post(60, rng)
			h.complete()
			if anew {
				h.bus.makeAnew("events/1")
			} else {
				h.bus.loseTail("events/1", 5)
			}
			dies := h.bus.dieBehindHole()
			for range 6 {
				h.post(10, rng)
			}
			select {
			case <-dies:
			case <-time.After(30 * time.Second):
				t.Fatal("nothing was stored behind the hole")
			}
			h.kill()
			h.start(nil)
			h.complete()
		})
	}
}

// slowBus is a bus that waits, as a real one does for brokers that are away.
type slowBus struct {
	*modelBus
	away    atomic.Bool
	healthy bool
}

func (b *slowBus) wait(ctx context.Context) error {
	for b.away.Load() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func (b *slowBus) Plan(ctx context.Context, msgs []bus.Message) (bus.Plan, error) {
	if err := b.wait(ctx); err != nil {
		return bus.Plan{}, err
	}
	return b.modelBus.Plan(ctx, msgs)
}

func (b *slowBus) Verify(ctx context.Context, journal string, parts []bus.Part) ([]bus.Loss, error) {
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	return b.modelBus.Verify(ctx, journal, parts)
}

func (b *slowBus) Check(context.Context) error {
	if b.healthy || !b.away.Load() {
		return nil
	}
	return errors.New("no broker answers")
}

// A bus that waits within a call stops publishing as much as one that fails.
func TestBusThatWaitsIsTrouble(t *testing.T) {
	for _, verifying := range []bool{false, true} {
		for _, healthy := range []bool{false, true} {
			t.Run(fmt.Sprintf("verifying %v, healthy %v", verifying, healthy), func(t *testing.T) {
				h := newHouse(t, 1)
				rng := rand.New(rand.NewPCG(1, 9))
				b := &slowBus{modelBus: h.bus, healthy: healthy}
				r := relay.New(relay.Config{Slow: 20 * time.Millisecond, BackoffMin: time.Millisecond}, relay.Deps{Journal: h.journal, Publisher: b})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- r.Run(ctx) }()
				defer func() {
					cancel()
					if err := <-done; err != nil {
						t.Error(err)
					}
				}()
				until := func(what string, ok func(relay.Stats) bool) {
					t.Helper()
					for deadline := time.Now().Add(30 * time.Second); !ok(r.Stats()); time.Sleep(time.Millisecond) {
						if time.Now().After(deadline) {
							t.Fatalf("not %s: %+v", what, r.Stats())
						}
					}
				}
				h.post(20, rng)
				until("published", func(s relay.Stats) bool { return s.Lag == 0 && s.Since.IsZero() })
				began := time.Now()
				b.away.Store(true)
				if verifying {
					h.bus.reconnect <- struct{}{}
				} else {
					h.post(20, rng)
				}
				why := "no broker answers"
				if healthy {
					why = "not finished"
				}
				until("in trouble", func(s relay.Stats) bool {
					return !s.Since.IsZero() && !s.Since.Before(began) && strings.Contains(s.Trouble, why)
				})
				b.away.Store(false)
				until("out of trouble", func(s relay.Stats) bool { return s.Lag == 0 && s.Trouble == "" && s.Since.IsZero() })
			})
		}
	}
}
