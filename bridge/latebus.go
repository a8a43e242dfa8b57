package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/timbridge/timbridge/bus"
)

// lateBus stands for a bus that is still being connected to, so that chat is
// journaled from the first second on whether the bus is there or not. Its
// methods wait for the bus, or until their context ends.
type lateBus struct {
	where       string                // its address, for people
	reason      atomic.Pointer[error] // why it is waited for, where that is known
	open        chan struct{}         // closed when bus is set
	bus         bus.Bus
	reconnected chan struct{}
	forward     sync.WaitGroup
	closed      chan struct{}
}

var errBusAway = errors.New("has not been reached yet")

func newLateBus(where string) *lateBus {
	return &lateBus{where: where, open: make(chan struct{}), reconnected: make(chan struct{}, 1), closed: make(chan struct{})}
}

// set hands in the bus; once.
func (l *lateBus) set(b bus.Bus) {
	l.bus = b
	close(l.open)
	l.forward.Go(func() {
		for {
			select {
			case <-l.closed:
				return
			case <-b.Reconnected():
				select {
				case l.reconnected <- struct{}{}:
				default: // one unread signal says it all
				}
			}
		}
	})
}

func (l *lateBus) wait(ctx context.Context) error {
	select {
	case <-l.open:
		return nil
	default:
	}
	select {
	case <-l.open:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", l.away(), ctx.Err())
	}
}

// close closes the bus, if it was ever there.
func (l *lateBus) close() error {
	close(l.closed)
	l.forward.Wait()
	select {
	case <-l.open:
		return l.bus.Close()
	default:
		return nil
	}
}

func (l *lateBus) Reconnected() <-chan struct{} { return l.reconnected }

func (l *lateBus) Plan(ctx context.Context, msgs []bus.Message) (bus.Plan, error) {
	if err := l.wait(ctx); err != nil {
		return bus.Plan{}, err
	}
	return l.bus.Plan(ctx, msgs)
}

func (l *lateBus) Send(ctx context.Context, plan bus.Plan, msgs []bus.Message, look bool) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	return l.bus.Send(ctx, plan, msgs, look)
}

func (l *lateBus) Verify(ctx context.Context, journal string, parts []bus.Part) ([]bus.Loss, error) {
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	return l.bus.Verify(ctx, journal, parts)
}

func (l *lateBus) Commands(ctx context.Context, after []bus.Position) (bus.CommandReader, error) {
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	return l.bus.Commands(ctx, after)
}

func (l *lateBus) Mark(ctx context.Context) ([]bus.Position, error) {
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	return l.bus.Mark(ctx)
}

func (l *lateBus) SetMark(ctx context.Context, mark []bus.Position) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	return l.bus.SetMark(ctx, mark)
}

// Unread counts unread commands, as [bus.Bus] says.
func (l *lateBus) Unread(ctx context.Context, after []bus.Position) (uint64, error) {
	if err := l.wait(ctx); err != nil {
		return 0, err
	}
	return l.bus.Unread(ctx, after)
}

// Check does not wait: a bus that is not there yet is not ready.
func (l *lateBus) Check(ctx context.Context) error {
	select {
	case <-l.open:
		return l.bus.Check(ctx)
	default:
		return l.away()
	}
}

// waiting says why the bus is not there yet, where somebody has to mend something.
func (l *lateBus) waiting(err error) {
	if err == nil {
		l.reason.Store(nil)
		return
	}
	l.reason.Store(&err)
}

func (l *lateBus) away() error {
	if reason := l.reason.Load(); reason != nil {
		return fmt.Errorf("%s %w: %w", l.where, errBusAway, *reason)
	}
	return fmt.Errorf("%s %w", l.where, errBusAway)
}
