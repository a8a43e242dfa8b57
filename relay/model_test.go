package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

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
	// known is how each target was when this process last sent to it or
	// verified it.
	known map[bus.Target]known
	// silent is the probability that nobody says that a connection was made
	// anew when a target lost something.
	silent float64
	// dies is closed when something was stored behind a hole, after which
	// nothing more is answered.
	dies chan struct{}
	dead bool
}

type modelTarget struct {
	stored      []stored
	removed     uint64 // taken away from the front by the target itself
	incarnation int
	damage      int // how often it lost something
}

type known struct {
	damage, incarnation int
	end                 uint64
}

func (t *modelTarget) known() known { return known{t.damage, t.incarnation, t.end()} }

type stored struct {
	sequence uint64
	id       string
}

var errModel = errors.New("the model bus fails here")

func newModelBus(seed uint64) *modelBus {
	return &modelBus{
		rng: rand.New(rand.NewPCG(seed, 1)), targets: map[bus.Target]*modelTarget{},
		reconnect: make(chan struct{}, 1), tooLarge: map[uint64]bool{}, events: 3,
		known: map[bus.Target]known{},
	}
}

func (b *modelBus) fails() bool { return b.dead || b.rng.Float64() < b.trouble }

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
			is, ok := b.known[t]
			if mt := b.target(t); !ok {
				is = mt.known()
			} else if is.damage != mt.damage && b.dies == nil && b.rng.IntN(2) == 0 { // it may not have asked
				return bus.Plan{}, fmt.Errorf("plan: %s: %w", t, bus.ErrVerify)
			}
			b.known[t] = is
			plan.Parts = append(plan.Parts, bus.Part{
				Target: t, End: is.end, EndTime: time.Unix(int64(is.damage), 0), Incarnation: fmt.Sprint(is.incarnation),
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
		planned := p.EndTime.Equal(time.Unix(int64(t.damage), 0))
		is, ok := b.known[p.Target]
		doubt := !planned && (!ok || is.damage != t.damage)
		if look {
			b.looks++
			for i, s := range t.stored {
				if t.removed+uint64(i) >= p.End || !planned {
					there[s.sequence] = true
				}
			}
		}
		if doubt && (look || b.dies == nil && b.rng.IntN(2) == 0) {
			return fmt.Errorf("send: %s: %w", p.Target, bus.ErrVerify)
		}
		for _, s := range p.Sequences {
			if doubt && b.dies == nil && b.rng.IntN(8) == 0 {
				break
			}
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
		if doubt && b.dies != nil && !b.dead {
			b.dead = true
			close(b.dies)
		}
		if doubt { // it shows by where they were stored
			return fmt.Errorf("send: %s: %w", p.Target, bus.ErrVerify)
		}
		b.known[p.Target] = t.known()
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
		out = append(out, b.verify(&p)...)
	}
	return out, nil
}

// verify looks for the last message of a part at its place, and for what is
// left where it is not there.
func (b *modelBus) verify(p *bus.Part) []bus.Loss {
	t, final := b.target(p.Target), p.Sequences[len(p.Sequences)-1]
	b.known[p.Target] = t.known()
	same := p.Incarnation == fmt.Sprint(t.incarnation)
	at := func(i int) *bus.Part {
		return &bus.Part{Target: p.Target, Sequences: []uint64{t.stored[i].sequence}, End: t.removed + uint64(i),
			EndTime: time.Unix(int64(t.damage), 0), Incarnation: fmt.Sprint(t.incarnation)}
	}
	if place := p.End + uint64(len(p.Sequences)) - 1; same && place < t.end() && t.stored[place-t.removed].sequence == final {
		return nil
	}
	loss, beyond := bus.Loss{Target: p.Target, Anew: !same}, 0
	for i, s := range t.stored {
		if same && s.sequence <= final {
			loss.After, beyond = s.sequence, i+1
		}
	}
	if loss.After == final {
		return nil
	}
	if len(t.stored) > 0 {
		loss.Last = at(len(t.stored) - 1)
	}
	if beyond == len(t.stored) {
		return []bus.Loss{loss}
	}
	rest := loss
	loss.Until, rest.After = t.stored[beyond].sequence-1, t.stored[len(t.stored)-1].sequence
	if loss.Until == loss.After {
		return []bus.Loss{rest}
	}
	return []bus.Loss{loss, rest}
}

// Check finds nothing wrong: what is, only Plan, Send and Verify say.
func (b *modelBus) Check(context.Context) error { return nil }

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
	mt.damage++
	b.signal()
}

// makeAnew deletes a target and creates it again, empty.
func (b *modelBus) makeAnew(t bus.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.renew(t)
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
				b.renew(t)
			}
		}
		b.signal()
	}
	b.events = events
}

func (b *modelBus) renew(t bus.Target) {
	was := b.target(t)
	b.targets[t] = &modelTarget{incarnation: was.incarnation + 1, damage: was.damage + 1}
}

// process begins another process's connection, which knows nothing yet.
func (b *modelBus) process() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.known)
	b.dies, b.dead = nil, false
}

// dieBehindHole has this process end once it has stored something behind a
// hole, which the channel says.
func (b *modelBus) dieBehindHole() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dies = make(chan struct{})
	return b.dies
}

// signal says that the connection was made anew, unless it is not noticed.
func (b *modelBus) signal() {
	if b.rng.Float64() < b.silent {
		return
	}
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
