package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/timbridge/timbridge/bus"
)

// looks are what one look at the bus after the other finds; the last ends it.
type looks struct {
	found []error
	end   context.CancelFunc
}

func (l *looks) Check(context.Context) error {
	if len(l.found) == 0 {
		l.end()
		return nil
	}
	err := l.found[0]
	l.found = l.found[1:]
	return err
}

func TestTheBusIsWatched(t *testing.T) {
	gone, target := errors.New("the connection was lost"), &bus.TargetError{Target: "tim-events", Err: errors.New("missing")}
	refused := fmt.Errorf("check: %w", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})
	for _, c := range []struct {
		name  string
		found []error
		told  []bool
	}{
		{"always there", []error{nil, nil, nil}, nil},
		{"away and back", []error{nil, gone, gone, gone, nil, nil}, []bool{true, false}},
		{"twice", []error{nil, gone, gone, nil, gone, gone}, []bool{true, false, true}},
		{"late once", []error{nil, gone, nil, gone, nil}, nil},
		{"a stream is not as configured", []error{target, target, gone, gone, target}, []bool{true, false}},
		{"may not look", []error{gone, gone, gone}, nil},
		{"away before the first look", []error{refused, refused, nil}, []bool{true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var told []bool
			watchBus(ctx, &looks{found: c.found, end: cancel}, time.Nanosecond, func(away bool) { told = append(told, away) })
			if !slices.Equal(told, c.told) {
				t.Errorf("told %v, not %v", told, c.told)
			}
		})
	}
}
