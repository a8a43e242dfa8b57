package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/timbridge/timbridge/bus"
)

// modelBus keeps targets in memory and fails on request, at the places where
// a real bus can: before storing, after storing (the answer is lost), between
// two targets, and by losing what it had stored. It holds to the contract of
// bus.Publisher and to nothing else.
type modelBus struct {
	mu        sync.Mutex
	rng       *rand.Rand
	trouble   float64 // probability of a fault at each opportunity
	targets   map[bus.Target]*modelTarget
	reconnect chan struct{}
	tooLarge  map[uint64]bool
	looks     int
	events    uint64 // partitions of the events topic
}

type modelTarget struct {
	stored      []stored
	removed     uint64 // taken away from the front by the target itself
	incarnation int
}

type stored struct {
	sequence uint64
	id       string
}

var errModel = errors.New("the model bus fails here")

func newModelBus(seed uint64) *modelBus {
	return &modelBus{
		rng: rand.New(rand.NewPCG(seed, 1)), targets: map[bus.Target]*modelTarget{},
		reconnect: make(chan struct{}, 1), tooLarge: map[uint64]bool{}, events: 3,
	}
}

func (b *modelBus) fails() bool { return b.rng.Float64() < b.trouble }

func (b *modelBus) targetOf(m bus.Message) bus.Target {
	if m.Stream != bus.Events {
		return bus.Target(m.Stream)
	}
	if m.Target != "" && !b.gone(m.Target) {
		return m.Target
	}
	return bus.Target(fmt.Sprintf("events/%d", m.Sequence%b.events))
}

// gone says that the events topic has no such partition any more.
func (b *modelBus) gone(t bus.Target) bool {
	var n uint64
	_, err := fmt.Sscanf(string(t), "events/%d", &n)
	return err == nil && n >= b.events
}

func (b *modelBus) target(t bus.Target) *modelTarget {
	if b.targets[t] == nil {
		b.targets[t] = &modelTarget{}
	}
	return b.targets[t]
}

func (t *modelTarget) end() uint64 { return t.removed + uint64(len(t.stored)) }

func (b *modelBus) Plan(_ context.Context, msgs []bus.Message) (bus.Plan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails() {
		return bus.Plan{}, errModel
	}
	var plan bus.Plan
	at := map[bus.Target]int{}
	for _, m := range msgs {
		t := b.targetOf(m)
		i, ok := at[t]
		if !ok {
			i = len(plan.Parts)
			at[t] = i
			plan.Parts = append(plan.Parts, bus.Part{
				Target: t, End: b.target(t).end(), Incarnation: fmt.Sprint(b.target(t).incarnation),
			})
		}
		plan.Parts[i].Sequences = append(plan.Parts[i].Sequences, m.Sequence)
	}
	return plan, nil
}

func (b *modelBus) Send(_ context.Context, plan bus.Plan, msgs []bus.Message, look bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	byseq := map[uint64]bus.Message{}
	for _, m := range msgs {
		byseq[m.Sequence] = m
		if b.tooLarge[m.Sequence] && m.Event.Type() != "io.timbridge.bridge.event_refused.v1" {
			return fmt.Errorf("send: %w", &bus.RefusedError{Sequence: m.Sequence, Reason: "too large", Size: 9, Limit: 8})
		}
	}
	for _, p := range plan.Parts {
		if b.fails() || b.gone(p.Target) {
			return errModel
		}
		t := b.target(p.Target)
		there := map[uint64]bool{}
		if look {
			b.looks++
			for i, s := range t.stored {
				if t.removed+uint64(i) >= p.End {
					there[s.sequence] = true
				}
			}
		}
		for _, s := range p.Sequences {
			m, ok := byseq[s]
			if !ok {
				return fmt.Errorf("message %d of the plan was not handed over", s)
			}
			if there[s] {
				continue
			}
			t.stored = append(t.stored, stored{sequence: s, id: m.Event.ID()})
			if b.fails() {
				return errModel
			}
		}
	}
	if b.fails() {
		return errModel
	}
	return nil
}

func (b *modelBus) Verify(_ context.Context, _ string, parts []bus.Part) ([]bus.Loss, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails() {
		return nil, errModel
	}
	var out []bus.Loss
	for _, p := range parts {
		if b.gone(p.Target) {
			out = append(out, bus.Loss{Target: p.Target, Gone: true})
			continue
		}
		t := b.target(p.Target)
		if p.Incarnation == fmt.Sprint(t.incarnation) && t.end() >= p.End+uint64(len(p.Sequences)) {
			continue
		}
		// A target made anew may hold what was on its way to the old one.
		loss := bus.Loss{Target: p.Target}
		for _, s := range t.stored {
			loss.After = max(loss.After, s.sequence)
		}
		if loss.After < p.Sequences[len(p.Sequences)-1] {
			out = append(out, loss)
		}
	}
	return out, nil
}

func (b *modelBus) Reconnected() <-chan struct{} { return b.reconnect }

func (b *modelBus) setTrouble(p float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = p
}

// loseTail takes the last n messages of a target away, as a server does that
// acknowledged before it synced, and was killed: the connection is gone too.
func (b *modelBus) loseTail(t bus.Target, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	mt := b.target(t)
	mt.stored = mt.stored[:max(0, len(mt.stored)-n)]
	b.signal()
}

// makeAnew deletes a target and creates it again, empty.
func (b *modelBus) makeAnew(t bus.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.targets[t] = &modelTarget{incarnation: b.target(t).incarnation + 1}
	b.signal()
}

// spread changes how many partitions the events topic has. Fewer are to be had
// only of a topic made anew.
func (b *modelBus) spread(events uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if events < b.events {
		for t := range b.targets {
			if strings.HasPrefix(string(t), "events/") {
				b.targets[t] = &modelTarget{incarnation: b.targets[t].incarnation + 1}
			}
		}
		b.signal()
	}
	b.events = events
}

func (b *modelBus) signal() {
	select {
	case b.reconnect <- struct{}{}:
	default:
	}
}

func (b *modelBus) sequences(t bus.Target) []stored {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]stored(nil), b.target(t).stored...)
}
