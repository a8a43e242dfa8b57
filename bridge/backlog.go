package bridge

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/timbridge/timbridge/bus"
)

// backlogEvery is how often the bus is asked how many commands are unread.
const backlogEvery = 5 * time.Second

// backlog keeps how far the reading of commands is behind.
type backlog struct {
	every  time.Duration
	source interface {
		Unread(ctx context.Context, after []bus.Position) (uint64, error)
	}
	read func() []bus.Position // where reading stands

	unread atomic.Int64 // -1 when it is not known
}

func (b *backlog) run(ctx context.Context) error {
	for ctx.Err() == nil {
		c, cancel := context.WithTimeout(ctx, b.every)
		n, err := b.source.Unread(c, b.read())
		cancel()
		if err != nil {
			b.unread.Store(-1) // that the bus is away is for readiness to say
		} else {
			b.unread.Store(int64(n))
		}
		pause(ctx, b.every)
	}
	return nil
}
