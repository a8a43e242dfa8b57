package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
)

// script is a follower of what a test says.
type script struct {
	there  []bus.Received // when following began
	silent int            // how often it says nothing before it has caught up
	later  chan bus.Received
	closed bool
}

func (s *script) CaughtUp() bool { return len(s.there) == 0 && s.silent == 0 }

func (s *script) Next(ctx context.Context) (bus.Received, error) {
	if len(s.there) > 0 {
		r := s.there[0]
		s.there = s.there[1:]
		return r, nil
	}
	if s.silent > 0 {
		s.silent--
	}
	select {
	case r := <-s.later:
		return r, nil
	case <-ctx.Done():
		return bus.Received{}, context.Cause(ctx)
	}
}

func (s *script) Close() error { s.closed = true; return nil }

// told is a message of a second and a journal's position.
func told(second int, sequence string) bus.Received {
	r := bus.Received{Position: bus.Position{Time: time.Unix(int64(second), 0)}}
	if sequence == "" {
		r.Err = bus.ErrNotCloudEvent
		return r
	}
	e := event.New()
	e.SetID(sequence)
	e.SetExtension(mapping.ExtTimbridge, "j")
	e.SetExtension(mapping.ExtSequence, sequence)
	r.Event = &e
	return r
}

func nextIDs(t *testing.T, o *ordered, n int) string {
	t.Helper()
	var out []string
	for range n {
		r, err := o.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name := "none"
		if r.Event != nil {
			name = r.Event.ID()
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// TestOrdered: what is there comes in the order of time and journal whatever
// partition it lies in, and what comes later when it comes.
func TestOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{
			there: []bus.Received{told(2, "03"), told(2, "05"), told(9, "09"), told(1, "01"), told(1, "02"), told(2, "04"), told(3, "")},
			// A partition ends with what is no message.
			silent: 3, later: make(chan bus.Received, 3),
		}
		o := &ordered{Follower: s}
		if got, want := nextIDs(t, o, 6), "01 02 03 04 05 none"; got != want {
			t.Errorf("%s, not %s", got, want)
		}
		if o.CaughtUp() {
			t.Error("caught up, and one is held back")
		}
		if got := nextIDs(t, o, 1); got != "09" || !o.CaughtUp() {
			t.Errorf("%s, caught up: %t", got, o.CaughtUp())
		}
		for _, sequence := range []string{"12", "11"} {
			s.later <- told(20, sequence)
		}
		if got := nextIDs(t, o, 2); got != "12 11" {
			t.Errorf("%s: what comes is given as it comes", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := o.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing comes: %v", err)
		}
		if err := o.Close(); err != nil || !s.closed {
			t.Errorf("close: %v, %t", err, s.closed)
		}
	})
}

// TestOrderedWaits: who waits for less long than the history takes goes on where
// it was.
func TestOrderedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{there: []bus.Received{told(2, "02"), told(1, "01")}, silent: 100, later: make(chan bus.Received)}
		o := &ordered{Follower: s}
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			r, err := o.Next(ctx)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			if err != nil || r.Event.ID() != "01" {
				t.Fatalf("%v, %v", r.Event, err)
			}
			break
		}
		if got := nextIDs(t, o, 1); got != "02" {
			t.Errorf("%s", got)
		}
	})
}

// TestOrderedAtOnce: no more than so many are held back.
func TestOrderedAtOnce(t *testing.T) {
	s := &script{later: make(chan bus.Received)}
	for i := range maxHeld + 1 {
		s.there = append(s.there, told(maxHeld-i, "1"))
	}
	o := &ordered{Follower: s}
	r, err := o.Next(t.Context())
	if err != nil || r.Time.Unix() != 1 || len(s.there) != 1 {
		t.Errorf("%v, %v, %d are left", r.Time, err, len(s.there))
	}
}

func TestPlaceText(t *testing.T) {
	var got []string
	for _, p := range []bus.Position{{Target: "tim.commands/3", Offset: 5}, {Target: "tim-commands", Offset: 5}, {Target: "tim.commands/3"}, {Target: "a/b", Offset: 1}} {
		got = append(got, placeText(string(p.Target), p.Offset))
	}
	if want := []string{"tim.commands, partition 3, offset 4", "tim-commands/5", "tim.commands/3/0", "a/b/1"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}
