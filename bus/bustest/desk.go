package bustest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/bus"
)

var deskCases = []test{
	{"desk/published again is stored once", needPublishOnce, publishedAgain},
	{"desk/another event with the same id is stored too", needPublishOnce, sameIDOtherContent},
	{"desk/positions rise", 0, positionsRise},
	{"desk/what is no event is refused", 0, publishNoEvent},
	{"desk/the event of an original", 0, eventOfOriginal},
	{"desk/follow an empty stream", 0, followEmpty},
	{"desk/follow from the beginning", 0, followBeginning},
	{"desk/follow from now", 0, followNow},
	{"desk/follow from a time", 0, followTime},
	{"desk/follow through a restart", needRestart, followThroughRestart},
	{"desk/follow and close", 0, followAndClose},
}

func publishedAgain(s *suite) {
	b := s.open(Options{})
	first := s.publish(b, bus.Commands, command("bot", 1))
	again := s.publish(s.open(Options{}), bus.Commands, command("bot", 1))
	if first.Target != again.Target || first.Offset != again.Offset {
		s.Errorf("published at %s %d, and again at %s %d", first.Target, first.Offset, again.Target, again.Offset)
	}
	s.publish(b, bus.Commands, command("bot", 2))
	got, _ := s.take(s.commands(b), 2)
	s.expect(got, "bot", 1, 3)
}

// sameIDOtherContent: an id used twice is for the reader to see.
func sameIDOtherContent(s *suite) {
	b := s.open(Options{})
	other := command("bot", 2)
	other.SetID(command("bot", 1).ID())
	s.publish(b, bus.Commands, command("bot", 1))
	s.publish(b, bus.Commands, other)
	got, _ := s.take(s.commands(b), 2)
	if string(got[0].Event.Data()) == string(got[1].Event.Data()) {
		s.Errorf("both are %s", got[0].Event.Data())
	}
}

func positionsRise(s *suite) {
	b := s.open(Options{})
	at := map[bus.Target]uint64{}
	for n := range 5 {
		p := s.publish(b, bus.Commands, command("bot", n))
		if was, ok := at[p.Target]; ok && p.Offset <= was {
			s.Errorf("%s: %d after %d", p.Target, p.Offset, was)
		}
		at[p.Target] = p.Offset
		if p.Digest == "" || time.Since(p.Time).Abs() > time.Hour {
			s.Errorf("position %+v", p)
		}
	}
}

func publishNoEvent(s *suite) {
	b := s.open(Options{})
	e := command("bot", 1)
	e.SetID("")
	if _, err := b.Publish(s.wait(), bus.Commands, e); !errors.Is(err, bus.ErrNotCloudEvent) {
		s.Errorf("an event without an id: %v", err)
	}
	if _, err := b.Publish(s.wait(), "nowhere", command("bot", 1)); err == nil {
		s.Error("published to a stream that is none")
	}
	if _, err := b.Follow(s.wait(), "nowhere", bus.Start{}); err == nil {
		s.Error("follows a stream that is none")
	}
}

// eventOfOriginal: what was kept of a message can be read as its event again.
func eventOfOriginal(s *suite) {
	for _, structured := range []bool{false, true} {
		b := s.open(Options{Structured: structured})
		e := command("bot", 1)
		e.SetID(fmt.Sprintf("structured-%v", structured))
		e.SetExtension("causationid", "汉 %")
		f := s.follow(b, bus.Commands, bus.Start{})
		s.publish(b, bus.Commands, e)
		o, err := bus.DecodeOriginal(s.nexts(f, 1)[0].Original)
		if err != nil {
			s.Fatal(err)
		}
		got, err := b.Event(o)
		if err != nil {
			s.Fatal(err)
		}
		if d := difference(e, got); d != "" {
			s.Errorf("the event is not as it was: %s", d)
		}
	}
	if _, err := s.open(Options{}).Event(bus.Original{Value: []byte("hello")}); !errors.Is(err, bus.ErrNotCloudEvent) {
		s.Errorf("the event of a message that is none: %v", err)
	}
}

func (s *suite) follow(b bus.Bus, stream bus.Stream, from bus.Start) bus.Follower {
	s.Helper()
	f, err := b.Follow(s.wait(), stream, from)
	if err != nil {
		s.Fatalf("follow: %v", err)
	}
	s.Cleanup(func() { _ = f.Close() }) // twice is allowed
	return f
}

// nexts reads n messages of a follower.
func (s *suite) nexts(f bus.Follower, n int) (got []bus.Received) {
	s.Helper()
	for ctx := s.wait(); len(got) < n; {
		r, err := f.Next(ctx)
		if err != nil {
			s.Fatalf("follow: after %d of %d: %v", len(got), n, err)
		}
		got = append(got, r)
	}
	return got
}

func followEmpty(s *suite) {
	b := s.open(Options{})
	for _, from := range []bus.Start{{Beginning: true}, {Time: time.Now().Add(-time.Hour)}, {}} {
		f := s.follow(b, bus.Commands, from)
		if !f.CaughtUp() {
			s.Errorf("an empty stream from %+v is not caught up", from)
		}
	}
	f := s.follow(b, bus.Commands, bus.Start{Beginning: true})
	s.command(b, "bot", 0, 2)
	s.expect(s.nexts(f, 2), "bot", 0, 2)
}

func followBeginning(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 5)
	f := s.follow(b, bus.Commands, bus.Start{Beginning: true})
	var got []bus.Received
	for !f.CaughtUp() {
		got = append(got, s.nexts(f, 1)...)
	}
	s.expect(got, "bot", 0, 5)
	s.command(b, "bot", 5, 7)
	s.expect(s.nexts(f, 2), "bot", 5, 7)
	if !f.CaughtUp() {
		s.Error("caught up no more")
	}
}

func followNow(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 5)
	f := s.follow(b, bus.Commands, bus.Start{})
	if !f.CaughtUp() {
		s.Error("from now on is not caught up")
	}
	s.command(b, "bot", 5, 8)
	s.expect(s.nexts(f, 3), "bot", 5, 8)
}

func followTime(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 4)
	time.Sleep(20 * time.Millisecond)
	p := s.publish(b, bus.Commands, command("bot", 4))
	s.command(b, "bot", 5, 7)
	f := s.follow(b, bus.Commands, bus.Start{Time: p.Time})
	s.expect(s.nexts(f, 3), "bot", 4, 7)
	if !f.CaughtUp() {
		s.Error("not caught up")
	}
	future := s.follow(b, bus.Commands, bus.Start{Time: time.Now().Add(time.Hour)})
	if !future.CaughtUp() {
		s.Error("from a time to come is not caught up")
	}
}

func followThroughRestart(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 3)
	f := s.follow(b, bus.Commands, bus.Start{})
	s.restart()
	s.command(b, "bot", 3, 6)
	got := s.nexts(f, 3)
	s.restart()
	s.command(b, "bot", 6, 9)
	s.expect(append(got, s.nexts(f, 3)...), "bot", 3, 9)
}

func followAndClose(s *suite) {
	b := s.open(Options{})
	f := s.follow(b, bus.Commands, bus.Start{Beginning: true})
	ended := make(chan error, 1)
	go func() {
		_, err := f.Next(context.Background())
		ended <- err
	}()
	if err := f.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
	select {
	case err := <-ended:
		if err == nil {
			s.Error("next of what was closed gives no error")
		}
	case <-time.After(5 * time.Second):
		s.Fatal("close did not end next")
	}
}
