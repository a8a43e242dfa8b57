package bridge

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/relay"
)

// stillBus is a bus of which only a few things are asked.
type stillBus struct {
	bus.Bus
	reconnected chan struct{}
	checked     func(ctx context.Context) error
	closed      bool
}

func (b *stillBus) Reconnected() <-chan struct{}    { return b.reconnected }
func (b *stillBus) Check(ctx context.Context) error { return b.checked(ctx) }
func (b *stillBus) Mark(context.Context) ([]bus.Position, error) {
	return []bus.Position{{Offset: 7}}, nil
}
func (b *stillBus) SetMark(context.Context, []bus.Position) error         { return nil }
func (b *stillBus) Plan(context.Context, []bus.Message) (bus.Plan, error) { return bus.Plan{}, nil }
func (b *stillBus) Send(context.Context, bus.Plan, []bus.Message, bool) error {
	return nil
}
func (b *stillBus) Verify(context.Context, string, []bus.Part) ([]bus.Loss, error) { return nil, nil }
func (b *stillBus) Commands(context.Context, []bus.Position) (bus.CommandReader, error) {
	return nil, nil
}
func (b *stillBus) Close() error { b.closed = true; return nil }

// TestLateBus: what is asked of a bus waits until there is one, and no longer
// than whoever asks.
func TestLateBus(t *testing.T) {
	calls := map[string]func(context.Context, *lateBus) error{
		"plan":     func(ctx context.Context, l *lateBus) error { _, err := l.Plan(ctx, nil); return err },
		"send":     func(ctx context.Context, l *lateBus) error { return l.Send(ctx, bus.Plan{}, nil, false) },
		"verify":   func(ctx context.Context, l *lateBus) error { _, err := l.Verify(ctx, "", nil); return err },
		"commands": func(ctx context.Context, l *lateBus) error { _, err := l.Commands(ctx, nil); return err },
		"mark":     func(ctx context.Context, l *lateBus) error { _, err := l.Mark(ctx); return err },
		"set mark": func(ctx context.Context, l *lateBus) error { return l.SetMark(ctx, nil) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLateBus("nats://127.0.0.1:4222")
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := call(ctx, l); !errors.Is(err, errBusAway) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("without a bus: %v", err)
				}
				done := make(chan error)
				go func() { done <- call(t.Context(), l) }()
				synctest.Wait()
				l.set(&stillBus{reconnected: make(chan struct{})})
				if err := <-done; err != nil {
					t.Errorf("with a bus: %v", err)
				}
				if err := call(t.Context(), l); err != nil {
					t.Errorf("with a bus from the start: %v", err)
				}
				must(t, l.close())
			})
		})
	}
}

func TestLateBusCheckAndClose(t *testing.T) {
	l := newLateBus("nats://127.0.0.1:4222")
	if err := l.Check(t.Context()); !errors.Is(err, errBusAway) {
		t.Errorf("a bus that is not there: %v", err)
	}
	must(t, l.close())

	l = newLateBus("nats://127.0.0.1:4222")
	b := &stillBus{reconnected: make(chan struct{}), checked: func(context.Context) error { return nil }}
	l.set(b)
	must(t, l.Check(t.Context()))
	b.reconnected <- struct{}{}
	b.reconnected <- struct{}{} // of which nobody has heard the one before
	<-l.Reconnected()
	must(t, l.close())
	if !b.closed {
		t.Error("the bus is not closed")
	}
}

// TestLateBusIsTrouble: a bus that was never reached keeps publishing standing
// still, for a reason that is told.
func TestLateBusIsTrouble(t *testing.T) {
	j, err := journal.Open(t.TempDir(), journal.Options{})
	must(t, err)
	defer func() { must(t, j.Close()) }()
	e := event.New()
	e.SetID("m-1")
	e.SetSource("tim://1400000000")
	e.SetType("io.timbridge.message.posted.v1")
	e.SetSubject("group/g")
	body, err := mapping.Encode(&e)
	must(t, err)
	_, err = j.Append(t.Context(), []journal.Entry{{Kind: journal.KindFact, Body: body}})
	must(t, err)

	r := relay.New(relay.Config{Slow: 20 * time.Millisecond}, relay.Deps{Journal: j, Publisher: newLateBus("nats://127.0.0.1:4222")})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- r.Run(ctx) }()
	for s := r.Stats(); !strings.Contains(s.Trouble, errBusAway.Error()) || s.Since.Before(began); s = r.Stats() {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it is no trouble: %+v", s)
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	must(t, <-done)
}

// TestProbe: a proof is as old as the last good answer, an error as the last
// bad one; a bus that is back is noticed at once.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		const well, gone, silent = 0, 1, 2
		var mood atomic.Int32
		p := &probe{every: 2500 * time.Millisecond, check: func(ctx context.Context) error {
			switch mood.Load() {
			case gone:
				return away
			case silent:
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.run(ctx) }()
		synctest.Wait()
		proof, err := p.last()
		if err != nil || !proof.Equal(time.Now()) {
			t.Errorf("at the start: %v, %v", proof, err)
		}
		mood.Store(gone)
		time.Sleep(2600 * time.Millisecond)
		if before, err := p.last(); !errors.Is(err, away) || !before.Equal(proof) {
			t.Errorf("while it is away: %v, %v", before, err)
		}
		mood.Store(well)
		time.Sleep(200 * time.Millisecond)
		if back, err := p.last(); err != nil || time.Since(back) > 200*time.Millisecond {
			t.Errorf("when it is back: %v, %v", back, err)
		}
		mood.Store(silent)
		time.Sleep(5100 * time.Millisecond)
		if _, err := p.last(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it says nothing: %v", err)
		}
		cancel()
		must(t, <-done)
	})
}
