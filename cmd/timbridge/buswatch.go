package main

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/timbridge/timbridge/bus"
)

// watchPause is how long after one look at the bus comes the next, and
// watchWait bounds each.
const (
	watchPause = 2 * time.Second
	watchWait  = 10 * time.Second
)

// checked is a bus that can be asked whether it is there.
type checked interface {
	Check(ctx context.Context) error
}

// watchBus has tell told, until ctx ends, when the bus cannot be reached any
// more, and when it can again: who follows a stream hears nothing in both. One
// look that fails is no news, since a bus under load may be late with an answer;
// nor are refusals, which a user has who may not look at everything: what fails
// from the first look on counts where no answer came or nobody was there to ask.
func watchBus(ctx context.Context, b checked, pause time.Duration, tell func(away bool)) {
	const news = 2 // looks in a row
	var reached, away bool
	for failed := 0; ; {
		limited, cancel := context.WithTimeout(ctx, watchWait)
		err := b.Check(limited)
		late := limited.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return
		}
		var (
			target *bus.TargetError
			dial   *net.OpError
		)
		switch {
		case err == nil || errors.As(err, &target):
			failed, reached = 0, true
		case reached || late || errors.As(err, &dial):
			failed++
		}
		if is := failed >= news; is != away && (is || failed == 0) {
			away = is
			tell(away)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
