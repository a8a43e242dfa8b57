package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/timbridge/timbridge/bus"
)

var commandCases = []test{
	{"commands/read in order", 0, readInOrder},
	{"commands/those from before are read too", 0, readOld},
	{"commands/the original comes back", 0, originalComesBack},
	{"commands/many accounts", 0, manyAccounts},
	{"commands/two readers each get all", 0, twoReaders},
	{"commands/resumed at a position", 0, resumed},
	{"commands/resumed at every position", 0, resumedEverywhere},
	{"commands/resumed after a restart of the broker", needRestart, resumedAfterRestart},
	{"commands/resumed where the message was removed", needPurge, resumedAtRemoved},
	{"commands/removed unread", needPurge, removedUnread},
	{"commands/removed unread while nobody read", needPurge, removedUnreadAway},
	{"commands/the tail lost under a position", needLoseTail, func(s *suite) { commandTailLost(s, 0) }},
	{"commands/the tail lost under a position, grown again", needLoseTail, func(s *suite) { commandTailLost(s, 12) }},
	{"commands/the tail lost under a reader", needLoseTail, tailLostUnderReader},
	{"commands/made anew under a position", needRecreate, commandsMadeAnew},
	{"commands/made anew under a reader", needRecreate, madeAnewUnderReader},
	{"commands/a slow reader misses nothing", 0, slowReader},
	{"commands/connections cut all the time", needGate, readThroughCuts},
	{"commands/the broker killed again and again", needKill, readThroughKills},
	{"commands/others read on when one closes", 0, othersReadOn},
	{"commands/next ends with its context, and with close", 0, nextEnds},
}

func readInOrder(s *suite) {
	b := s.open(Options{})
	r := s.commands(b)
	s.command(b, "bot", 0, 10)
	got, resets := s.take(r, 10)
	s.expect(got, "bot", 0, 10)
	s.command(b, "bot", 10, 13)
	more, _ := s.take(r, 3)
	s.expect(more, "bot", 10, 13)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
	s.quiet(r)
	for _, m := range got {
		if m.Digest == "" || m.Target == "" || m.Time.IsZero() || time.Since(m.Time) > time.Hour {
			s.Errorf("position %+v", m.Position)
		}
	}
}

func readOld(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 5)
	got, _ := s.take(s.commands(s.open(Options{})), 5)
	s.expect(got, "bot", 0, 5)
}

func originalComesBack(s *suite) {
	b := s.open(Options{})
	e := command("bot", 1)
	p := s.publish(b, bus.Commands, e)
	got, _ := s.take(s.commands(b), 1)
	if d := difference(e, got[0].Event); d != "" {
		s.Errorf("the command is not as it was: %s", d)
	}
	if got[0].Target != p.Target || got[0].Offset != p.Offset || got[0].Digest != p.Digest || !got[0].Time.Equal(p.Time) {
		s.Errorf("published at %+v, read at %+v", p, got[0].Position)
	}
	o, err := bus.DecodeOriginal(got[0].Original)
	if err != nil {
		s.Fatalf("original: %v", err)
	}
	if string(o.Value) != string(e.Data()) {
		s.Errorf("original value %q, not %q", o.Value, e.Data())
	}
	if id, _ := o.Get(s.h.AttributePrefix + "id"); id != e.ID() {
		s.Errorf("original header %sid is %q", s.h.AttributePrefix, id)
	}
	if bus.Digest(&o) != got[0].Digest {
		s.Error("the original's digest is not the position's")
	}
}

func manyAccounts(s *suite) {
	b := s.open(Options{})
	r := s.commands(b)
	const accounts, each = 5, 20
	for n := range each {
		for a := range accounts {
			s.command(b, fmt.Sprintf("acc%d", a), n, n+1)
		}
	}
	got, _ := s.take(r, accounts*each)
	for a := range accounts {
		account := fmt.Sprintf("acc%d", a)
		s.expect(slices.DeleteFunc(slices.Clone(got), func(r bus.Received) bool {
			return r.Event == nil || r.Event.Extensions()["timaccount"] != account
		}), account, 0, each)
	}
}

func twoReaders(s *suite) {
	b := s.open(Options{})
	one, two := s.commands(b), s.commands(s.open(Options{}))
	s.command(b, "bot", 0, 30)
	for _, r := range []bus.CommandReader{one, two} {
		got, _ := s.take(r, 30)
		s.expect(got, "bot", 0, 30)
	}
}

func resumed(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 10)
	r := s.commands(b)
	got, _ := s.take(r, 4)
	_ = r.Close()
	next := s.commands(s.open(Options{}), last(got)...)
	more, resets := s.take(next, 6)
	s.expect(more, "bot", 4, 10)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
	s.command(b, "bot", 10, 12)
	more, _ = s.take(next, 2)
	s.expect(more, "bot", 10, 12)
}

func resumedEverywhere(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 6)
	all, _ := s.take(s.commands(b), 6)
	for n := range all {
		r := s.commands(b, last(all[:n+1])...)
		s.command(b, "bot", 6+n, 7+n)
		got, resets := s.take(r, 6)
		s.expect(got, "bot", n+1, n+7)
		if len(resets) != 0 {
			s.Errorf("after %d: resets %+v", n, resets)
		}
		_ = r.Close()
	}
}

func resumedAfterRestart(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 10)
	r := s.commands(b)
	got, _ := s.take(r, 5)
	_ = r.Close()
	s.restart()
	next := s.commands(b, last(got)...)
	more, resets := s.take(next, 5)
	s.expect(more, "bot", 5, 10)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
}

// resumedAtRemoved: the message at the position is gone, and everything before
// it; that is no loss.
func resumedAtRemoved(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 5)
	got, _ := s.take(s.commands(b), 5)
	s.broker.Purge(s.T, bus.Commands)
	s.command(b, "bot", 5, 8)
	more, resets := s.take(s.commands(b, last(got)...), 3)
	s.expect(more, "bot", 5, 8)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
}

// lostOf sums what resets say was removed unread.
func lostOf(resets []bus.Reset) (n uint64) {
	for _, r := range resets {
		n += r.Lost
	}
	return n
}

func removedUnread(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 5)
	r := s.commands(b)
	got, _ := s.take(r, 3)
	_ = r.Close()
	s.broker.Purge(s.T, bus.Commands)
	s.command(b, "bot", 5, 8)
	next := s.commands(b, last(got)...)
	more, resets := s.take(next, 3)
	s.expect(more, "bot", 5, 8)
	if lostOf(resets) != 2 {
		s.Errorf("2 commands were removed unread, resets say %+v", resets)
	}
}

func removedUnreadAway(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 3)
	r := s.commands(b)
	got, _ := s.take(r, 3)
	_ = r.Close()
	s.command(b, "bot", 3, 9)
	s.broker.Purge(s.T, bus.Commands)
	s.command(b, "bot", 9, 10)
	next := s.commands(b, last(got)...)
	more, resets := s.take(next, 1)
	s.expect(more, "bot", 9, 10)
	if lostOf(resets) != 6 {
		s.Errorf("6 commands were removed unread, resets say %+v", resets)
	}
	s.command(b, "bot", 10, 11)
	_, resets = s.take(next, 1)
	if len(resets) != 0 {
		s.Errorf("resets %+v said again", resets)
	}
}

// commandTailLost: the position lies where the stream no longer reaches, or
// where another message is now. Reading starts again at its time: what is new
// is read, and what is read again is what was read before.
func commandTailLost(s *suite, grown int) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 4)
	var got []bus.Received
	s.broker.LoseTail(s.T, func() {
		s.command(b, "bot", 4, 12)
		r := s.commands(b)
		got, _ = s.take(r, 12)
		_ = r.Close()
	})
	s.command(b, "new", 0, 1+grown)
	next := s.commands(b, last(got)...)
	s.newOnes(next, 1+grown, true)
}

// newOnes reads until all commands of account "new" have come, once each and in
// order, whatever is read again between them.
func (s *suite) newOnes(r bus.CommandReader, n int, reset bool) {
	s.Helper()
	seen := 0
	var resets []bus.Reset
	for ctx := s.wait(); seen < n; {
		got, err := r.Next(ctx, 10)
		if err != nil {
			s.Fatalf("next: %d of %d new commands came (resets %+v): %v", seen, n, resets, err)
		}
		resets = append(resets, r.Resets()...)
		for _, m := range got {
			if m.Event == nil {
				s.Fatalf("not a command at %d: %v", m.Offset, m.Err)
			}
			if m.Event.Extensions()["timaccount"] != "new" {
				continue
			}
			if want := fmt.Sprintf("new-%d", seen); m.Event.ID() != want {
				s.Fatalf("read %s, not %s", m.Event.ID(), want)
			}
			seen++
		}
	}
	if reset && len(resets) == 0 {
		s.Error("reading started again without a word")
	}
	for _, r := range resets {
		if r.Reason == "" || r.Target == "" {
			s.Errorf("reset %+v", r)
		}
	}
}

func tailLostUnderReader(s *suite) {
	b := s.open(Options{})
	r := s.commands(s.open(Options{}))
	s.command(b, "bot", 0, 4)
	s.take(r, 4)
	s.broker.LoseTail(s.T, func() {
		s.command(b, "bot", 4, 12)
		s.take(r, 8)
	})
	s.command(b, "new", 0, 3)
	s.newOnes(r, 3, true)
}

func commandsMadeAnew(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 5)
	got, _ := s.take(s.commands(b), 5)
	s.broker.Recreate(s.T, bus.Commands)
	s.command(b, "new", 0, 7)
	s.newOnes(s.commands(b, last(got)...), 7, true)
}

func madeAnewUnderReader(s *suite) {
	b := s.open(Options{})
	r := s.commands(b)
	s.command(b, "bot", 0, 5)
	s.take(r, 5)
	s.broker.Recreate(s.T, bus.Commands)
	s.command(b, "new", 0, 3)
	s.newOnes(r, 3, true)
}

// slowReader: what waits for its reader is neither lost nor kept all in memory.
func slowReader(s *suite) {
	b := s.open(Options{})
	r := s.commands(b)
	const n = 1500
	var wg sync.WaitGroup
	wg.Go(func() { s.command(b, "bot", 0, n) })
	var got []bus.Received
	for len(got) < n {
		more, _ := s.take(r, min(100, n-len(got)))
		got = append(got, more...)
		if len(got) == 300 {
			time.Sleep(500 * time.Millisecond) // while they are published
		}
	}
	wg.Wait()
	s.expect(got, "bot", 0, n)
}

func readThroughCuts(s *suite) {
	gate := s.broker.Gate(s.T)
	direct := s.open(Options{})
	r := s.commands(s.open(Options{Gate: gate}))
	const n = 400
	var wg sync.WaitGroup
	wg.Go(func() { s.command(direct, "bot", 0, n) })
	stop, stopped := context.WithCancel(s.ctx)
	wg.Go(func() {
		for {
			select {
			case <-time.After(150 * time.Millisecond):
				gate.Cut()
			case <-stop.Done():
				return
			}
		}
	})
	got, resets := s.take(r, n)
	stopped()
	wg.Wait()
	s.expect(got, "bot", 0, n)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
	s.quiet(r)
}

func readThroughKills(s *suite) {
	b := s.open(Options{})
	r := s.commands(s.open(Options{}))
	const n = 120
	for i := range 3 {
		s.command(b, "bot", i*n/3, (i+1)*n/3)
		s.broker.Kill(s.T)
		s.broker.Run(s.T)
	}
	got, resets := s.take(r, n)
	s.expect(got, "bot", 0, n)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
	s.quiet(r)
}

func othersReadOn(s *suite) {
	b := s.open(Options{})
	one, two := s.commands(b), s.commands(b)
	s.command(b, "bot", 0, 3)
	s.take(one, 3)
	s.take(two, 3)
	if err := one.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
	s.command(b, "bot", 3, 6)
	got, _ := s.take(two, 3)
	s.expect(got, "bot", 3, 6)
}

func nextEnds(s *suite) {
	b := s.open(Options{})
	r := s.commands(b)
	ctx, cancel := context.WithTimeout(s.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := r.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("next without commands: %v, not ctx's error", err)
	}
	s.command(b, "bot", 0, 1)
	got, _ := s.take(r, 1)
	s.expect(got, "bot", 0, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := r.Next(s.ctx, 1)
		ended <- err
	}()
	if err := r.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
	select {
	case err := <-ended:
		if err == nil {
			s.Error("next of a closed reader gives no error")
		}
	case <-time.After(5 * time.Second):
		s.Fatal("close did not end next")
	}
	if _, err := r.Next(s.ctx, 1); err == nil {
		s.Error("next of a closed reader gives no error")
	}
}
