package relay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.uber.org/goleak"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is one journal, one bus, and the relays that live one after another.
type house struct {
	t       *testing.T
	dir     string
	journal *journal.Journal
	bus     *modelBus
	relay   *relay.Relay
	stop    func()
	public  map[bus.Target][]uint64
	count   int
}

func newHouse(t *testing.T, seed uint64) *house {
	h := &house{t: t, dir: t.TempDir(), bus: newModelBus(seed), public: map[bus.Target][]uint64{}}
	h.open()
	t.Cleanup(func() {
		h.kill()
		if err := h.journal.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) open() {
	j, err := journal.Open(h.dir, journal.Options{SegmentBytes: 64 << 10})
	if err != nil {
		h.t.Fatal(err)
	}
	h.journal = j
}

// start makes a relay from the journal alone, or from a snapshot of the one
// before and what the journal holds after it.
func (h *house) start(from *relay.Relay) {
	h.t.Helper()
	h.bus.process()
	r := relay.New(relay.Config{RoundMessages: 7, BackoffMin: time.Microsecond, BackoffMax: 50 * time.Microsecond},
		relay.Deps{Journal: h.journal, Publisher: h.bus})
	after := uint64(0)
	if from != nil {
		position, body, err := from.Save()
		if err != nil {
			h.t.Fatal(err)
		}
		if err := r.Load(position, body); err != nil {
			h.t.Fatal(err)
		}
		after = position
	}
	if h.journal.Last() > after {
		if err := h.journal.Scan(after+1, r.Apply); err != nil {
			h.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	h.relay = r
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run: %v", err)
		}
	}
}

func (h *house) kill() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// post appends a few entries of all kinds in one batch.
func (h *house) post(n int, rng *rand.Rand) {
	h.t.Helper()
	var entries []journal.Entry
	kinds := []journal.Kind{journal.KindFact, journal.KindFact, journal.KindFact, journal.KindOutcome, journal.KindDeadLetter, journal.KindAccepted}
	for range n {
		kind := kinds[rng.IntN(len(kinds))]
		h.count++
		body := []byte("internal")
		if kind.Public() {
			body = h.event()
		}
		entries = append(entries, journal.Entry{Kind: kind, Body: body})
	}
	first, err := h.journal.Append(h.t.Context(), entries)
	if err != nil {
		h.t.Fatal(err)
	}
	for i, e := range entries {
		if !e.Kind.Public() {
			continue
		}
		m := bus.Message{Sequence: first + uint64(i), Stream: bus.Events}
		switch e.Kind {
		case journal.KindOutcome:
			m.Stream = bus.Outcomes
		case journal.KindDeadLetter:
			m.Stream = bus.DeadLetters
		}
		t := h.bus.targetOf(m)
		h.public[t] = append(h.public[t], m.Sequence)
	}
}

func (h *house) event() []byte {
	e := event.New()
	e.SetID(fmt.Sprintf("e%d", h.count))
	e.SetSource("tim://1400000000")
	e.SetType("io.timbridge.message.posted.v1")
	e.SetSubject("group/g")
	e.SetTime(time.Unix(1700000000, 0).UTC())
	if err := e.SetData("application/json", map[string]any{"n": h.count}); err != nil {
		h.t.Fatal(err)
	}
	b, err := mapping.Encode(&e)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// settle waits until everything is published, and compares.
func (h *house) settle() {
	h.t.Helper()
	h.bus.setTrouble(0)
	want := uint64(0)
	for _, s := range h.public {
		if len(s) > 0 {
			want = max(want, s[len(s)-1])
		}
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	for {
		moved := h.relay.Moved()
		if h.relay.Published() >= want && len(h.bus.reconnect) == 0 && h.same() {
			return
		}
		select {
		case <-moved:
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			h.t.Fatalf("not settled: published %d of %d, %+v", h.relay.Published(), want, h.relay.Stats())
		}
	}
}

func (h *house) same() bool {
	for t, want := range h.public {
		got := h.bus.sequences(t)
		if len(got) < len(want) {
			return false
		}
		for i, w := range want {
			if got[i].sequence != w {
				h.t.Fatalf("target %s holds %v at %d, want %d", t, got[i], i, w)
			}
		}
		if len(got) > len(want) {
			h.t.Fatalf("target %s holds %d messages, want %d: %v", t, len(got), len(want), got[len(want):])
		}
	}
	return true
}

func TestEachOnceInOrder(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 2))
			h := newHouse(t, seed)
			h.bus.trouble = 0.15
			h.start(nil)
			for range 40 {
				switch rng.IntN(10) {
				case 0: // the process dies and comes back from the journal alone
					h.kill()
					h.start(nil)
				case 1: // the process stops and comes back from a snapshot
					h.kill()
					h.start(h.relay)
				default:
					h.post(1+rng.IntN(12), rng)
				}
			}
			h.settle()
		})
	}
}

func TestLostTailIsSentAgain(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 3))
			h := newHouse(t, seed)
			h.start(nil)
			targets := []bus.Target{"events/0", "events/1", "events/2", "outcomes", "deadletters"}
			for range 12 {
				h.post(1+rng.IntN(30), rng)
				if rng.IntN(2) == 0 {
					h.settle()
				}
				h.kill() // a relay that is down while the bus loses its tail
				target := targets[rng.IntN(len(targets))]
				if rng.IntN(4) == 0 {
					h.bus.makeAnew(target)
				} else {
					h.bus.loseTail(target, 1+rng.IntN(20))
				}
				h.bus.setTrouble(0.1)
				h.start(nil)
				if rng.IntN(3) == 0 {
					h.kill()
					h.start(h.relay)
				}
			}
			h.settle()
			if h.relay.Stats().Lag > uint64(h.journal.Last()) {
				t.Error("lag beyond the journal")
			}
		})
	}
}

// Partitions come and go while targets lose their tails: what is sent again goes
// to the target that lost it, and where that is no more, to one other.
func TestPartitionsChangeWhileTargetsLose(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			rng, elsewhere := rand.New(rand.NewPCG(seed, 6)), false
			h := newHouse(t, seed)
			h.start(nil)
			for range 12 {
				h.post(1+rng.IntN(30), rng)
				if rng.IntN(2) == 0 {
					h.each(elsewhere)
				}
				before := map[bus.Target][]stored{}
				lost := map[bus.Target]bool{}
				h.kill()
				if rng.IntN(8) == 0 {
					elsewhere = true
					h.bus.spread(1 + rng.Uint64N(3))
				} else {
					for n := range h.bus.events {
						// What was sent elsewhere lies out of the journal's order.
						if target := bus.Target(fmt.Sprintf("events/%d", n)); !elsewhere && rng.IntN(2) == 0 {
							before[target] = h.bus.sequences(target)
							h.bus.loseTail(target, 1+rng.IntN(20))
							lost[target] = true
						}
					}
					h.bus.spread(h.bus.events + rng.Uint64N(4))
				}
				h.bus.setTrouble(0.1)
				h.start(nil)
				if rng.IntN(3) == 0 {
					h.kill()
					h.start(h.relay)
				}
				if rng.IntN(2) == 0 {
					h.each(elsewhere)
					for target := range lost {
						got := h.bus.sequences(target)
						for i, s := range before[target] {
							if got[i] != s {
								t.Fatalf("%s holds %v at %d, where %v was", target, got[i], i, s)
							}
						}
					}
				}
			}
			h.each(elsewhere)
		})
	}
}

// each waits until everything is published, and sees that each message is on one
// target, once, and, where none were sent elsewhere, that those of each target rise.
func (h *house) each(elsewhere bool) {
	h.t.Helper()
	h.bus.setTrouble(0)
	var want []uint64
	for _, s := range h.public {
		want = append(want, s...)
	}
	slices.Sort(want)
	var got []uint64
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		got = nil
		h.bus.mu.Lock()
		for target, mt := range h.bus.targets {
			for i, s := range mt.stored {
				if i > 0 && !elsewhere && s.sequence <= mt.stored[i-1].sequence {
					h.t.Fatalf("%s holds %d after %d", target, s.sequence, mt.stored[i-1].sequence)
				}
				got = append(got, s.sequence)
			}
		}
		h.bus.mu.Unlock()
		if slices.Sort(got); slices.Equal(got, want) && len(h.bus.reconnect) == 0 && h.relay.Published() >= want[len(want)-1] {
			return
		}
		if len(got) > len(want) || time.Now().After(deadline) {
			h.t.Fatalf("%d messages on the bus, not %d: %v", len(got), len(want), h.relay.Stats())
		}
	}
}

func TestRefusedMessageIsReplacedInItsPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	h := newHouse(t, 1)
	for i := uint64(1); i < 40; i += 5 {
		h.bus.tooLarge[i] = true
	}
	h.bus.trouble = 0.1
	h.start(nil)
	for range 10 {
		h.post(5, rng)
		h.kill()
		h.start(nil)
	}
	h.settle()
	for target, want := range h.public {
		for i, s := range h.bus.sequences(target) {
			replaced := len(s.id) > 8 && s.id[len(s.id)-8:] == "/refused"
			if replaced != h.bus.tooLarge[want[i]] {
				t.Errorf("target %s, position %d: id %q", target, s.sequence, s.id)
			}
		}
	}
}

func TestStateIsTheSameFromJournalAndSnapshot(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 5))
	h := newHouse(t, 9)
	h.start(nil)
	for range 20 {
		h.post(9, rng)
	}
	h.settle()
	h.kill()
	_, live, err := h.relay.Save()
	if err != nil {
		t.Fatal(err)
	}
	replayed := relay.New(relay.Config{}, relay.Deps{Journal: h.journal, Publisher: h.bus})
	if err := h.journal.Scan(1, replayed.Apply); err != nil {
		t.Fatal(err)
	}
	_, again, err := replayed.Save()
	if err != nil {
		t.Fatal(err)
	}
	if string(live) != string(again) {
		t.Errorf("live   %s\nreplay %s", live, again)
	}
}

// noJournal is a journal of which only the end is asked.
type noJournal struct{ relay.Journal }

func (noJournal) Last() uint64 { return 1 }

func FuzzPlanBody(f *testing.F) {
	f.Add([]byte(`{"through":9,"parts":[{"target":"events","runs":[[1,3],[7,2]],"end":4}]}`))
	f.Add([]byte(`{"parts":[{"target":"x","runs":[[18446744073709551615,2]]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := relay.New(relay.Config{}, relay.Deps{Journal: noJournal{}})
		// Whatever a plan entry holds, it is applied or refused, never a crash.
		if err := r.Apply(journal.Entry{Position: 1, Kind: journal.KindPlan, Body: body}); err == nil {
			if _, saved, err := r.Save(); err != nil {
				t.Errorf("applied but cannot be saved: %v", err)
			} else if err := r.Load(1, saved); err != nil {
				t.Errorf("saved but cannot be loaded: %v", err)
			}
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(`{"position":7,"done":{"events":{"position":3,"part":{"target":"events","runs":[[1,3]],"end":4}}},"current":{"through":9}}`))
	f.Add([]byte(`{"done":{"events":{"part":{"target":"events"}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := relay.New(relay.Config{}, relay.Deps{Journal: noJournal{}})
		if r.Load(1, body) != nil {
			return
		}
		// What was loaded can be asked for everything, and saved the same.
		_, _ = r.Needed(), r.Stats()
		_, saved, err := r.Save()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Load(1, saved); err != nil {
			t.Errorf("saved but cannot be loaded: %v", err)
		}
		if _, again, err := r.Save(); err != nil || string(again) != string(saved) {
			t.Errorf("saved as %s, then as %s (%v)", saved, again, err)
		}
	})
}
