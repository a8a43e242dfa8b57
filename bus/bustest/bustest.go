// Package bustest is the bus contract as a test suite, which every bus passes.
//
// A bus gives a [Harness]: how to start a broker with empty streams, how to
// open a bus on it as a process of its own would, and hooks that do to the
// broker what happens to brokers: it is restarted, killed, loses its tail, is
// purged, made anew; a connection is cut, an acknowledgement lost, a request
// held up. A hook that is nil is a thing that cannot be done with that broker,
// and what needs it is skipped, saying so.
package bustest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/bus"
)

// patience is how long a test waits for what must come.
const patience = 45 * time.Second

// Harness is a bus under test.
type Harness struct {
	// Start starts a broker for one test, with a [t.Cleanup] that ends it, and
	// with empty streams.
	Start func(t *testing.T) *Broker
	// AttributePrefix begins the header of an attribute in binary mode: "ce-"
	// on NATS, "ce_" on Kafka.
	AttributePrefix string
	// PublishOnce says that an event published again is stored once.
	PublishOnce bool
	// FencedForever says that a late request of a dead process is refused even
	// after the broker has forgotten the ids it saw.
	FencedForever bool
	// LargerThanMax is the size of an event's data that the broker will never
	// take; 0 where there is none.
	LargerThanMax int
	// Parallel says that brokers do not disturb each other, so that tests may
	// run side by side.
	Parallel bool
	// MaxCommandBytes is what the harness sets as the largest command taken.
	MaxCommandBytes int
}

// Options are what a bus is opened with.
type Options struct {
	// Shard and Shards: which of how many instances it is. Zero is one alone.
	Shard, Shards int
	// Structured writes events as structured JSON.
	Structured bool
	// Gate is the way to the broker; nil is the direct one.
	Gate *Gate
}

// RawMessage is a message that somebody else stores, with whatever in it.
type RawMessage struct {
	Headers []bus.Header
	Value   []byte
}

// Broker is one broker with empty streams.
type Broker struct {
	// Open opens a bus on the broker. The suite closes it.
	Open func(ctx context.Context, o Options) (bus.Bus, error)
	// Gate makes a way to the broker that the suite can hold up and cut.
	Gate func(t *testing.T) *Gate

	// Stop ends the broker in order, Kill as kill -9 does; Run runs it again on
	// what it has on disk and waits until it answers.
	Stop, Kill, Run func(t *testing.T)
	// LoseTail takes the broker back to where it was before fill, as a power
	// failure does to one that acknowledges before it syncs. It runs afterwards.
	LoseTail func(t *testing.T, fill func())
	// Purge removes all messages of a stream; AgeOut has them removed by age;
	// Recreate deletes the stream and makes it anew, empty.
	Purge, AgeOut, Recreate func(t *testing.T, stream bus.Stream)
	// Forget makes the broker forget the ids and producers it remembers.
	Forget func(t *testing.T)
	// Refuse makes a stream refuse every message until undo is called.
	Refuse func(t *testing.T, stream bus.Stream) (undo func())
	// Remove deletes a stream; Recreate brings it back.
	Remove func(t *testing.T, stream bus.Stream)
	// Raw stores a message as another client would.
	Raw func(t *testing.T, stream bus.Stream, m RawMessage)
	// Signal is a stored message that looks like the broker's own signals to a
	// client, where there is such a thing.
	Signal *RawMessage
}

// needs names hooks a test cannot do without.
type needs uint16

const (
	needGate needs = 1 << iota
	needRestart
	needKill
	needLoseTail
	needPurge
	needAgeOut
	needRecreate
	needForget
	needRefuse
	needRemove
	needRaw
	needSignal
	needPublishOnce
	needFencedForever
	needLarge
)

func (n needs) missing(h *Harness, b *Broker) string {
	var out []string
	for _, c := range []struct {
		need needs
		have bool
		what string
	}{
		{needGate, b.Gate != nil, "a gate"},
		{needRestart, b.Stop != nil && b.Run != nil, "to restart the broker"},
		{needKill, b.Kill != nil && b.Run != nil, "to kill the broker"},
		{needLoseTail, b.LoseTail != nil, "to make the broker lose its tail"},
		{needPurge, b.Purge != nil, "to purge a stream"},
		{needAgeOut, b.AgeOut != nil, "to age a stream out"},
		{needRecreate, b.Recreate != nil, "to make a stream anew"},
		{needForget, b.Forget != nil, "to make the broker forget ids"},
		{needRefuse, b.Refuse != nil, "to make a stream refuse"},
		{needRemove, b.Remove != nil && b.Recreate != nil, "to remove a stream"},
		{needRaw, b.Raw != nil, "to store raw messages"},
		{needSignal, b.Signal != nil && b.Raw != nil, "a message that looks like a signal"},
		{needPublishOnce, h.PublishOnce, "a broker that tells repeats"},
		{needFencedForever, h.FencedForever, "a broker that fences without memory"},
		{needLarge, h.LargerThanMax > 0, "a limit on messages"},
	} {
		if n&c.need != 0 && !c.have {
			out = append(out, c.what)
		}
	}
	return strings.Join(out, ", ")
}

// test is one case of the suite.
type test struct {
	name  string
	needs needs
	run   func(s *suite)
}

// suite is what a case has at hand.
type suite struct {
	*testing.T
	h      *Harness
	broker *Broker
	ctx    context.Context
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, c := range slices.Concat(publishCases, lossCases, liveCases, faultCases, commandCases, markCases, backlogCases, poisonCases, deskCases) {
		t.Run(c.name, func(t *testing.T) {
			if h.Parallel {
				t.Parallel()
			}
			broker := h.Start(t)
			if what := c.needs.missing(&h, broker); what != "" {
				t.Skipf("this broker's harness has no way: %s", what)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
			defer cancel()
			c.run(&suite{T: t, h: &h, broker: broker, ctx: ctx})
		})
	}
}

// open opens a bus that is closed when the test ends.
func (s *suite) open(o Options) bus.Bus {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	b, err := s.broker.Open(ctx, o)
	if err != nil {
		s.Fatalf("open: %v", err)
	}
	s.Cleanup(func() {
		if err := b.Close(); err != nil {
			s.Errorf("close: %v", err)
		}
	})
	return b
}

// wait gives a context for something that must come.
func (s *suite) wait() context.Context {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	s.Cleanup(cancel)
	return ctx
}

// eventually waits until ok says true.
func (s *suite) eventually(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			s.Fatalf("it never came that %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// restart ends the broker in order and runs it again.
func (s *suite) restart() {
	s.broker.Stop(s.T)
	s.broker.Run(s.T)
}
