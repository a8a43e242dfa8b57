package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

func TestCatchUpReadsWhatWasMissed(t *testing.T) {
	for _, ack := range []bool{true, false} {
		t.Run(fmt.Sprintf("ack=%v", ack), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(ack)
				svc.group(team, alice, bridge)
				svc.group("quiet", bob, bridge)
				r := newRig(t, svc, Config{})
				svc.send(alice, tim.C2C(bridge), "before")
				svc.send(bob, tim.Group("quiet"), "q0")
				time.Sleep(2 * time.Minute)
				if err := r.in.Announce(context.Background(), bridge); err != nil {
					t.Fatal(err)
				}
				if at := r.in.LastConnected(bridge); !at.IsZero() {
					t.Errorf("connected at %v before the first sign-in", at)
				}
				r.signIn(bridge)
				r.settle()
				if at := r.in.LastConnected(bridge); at.Unix() != svc.start.Unix() {
					t.Errorf("connected at %v, want the time of the last message, %v", at, svc.start)
				}
				r.wantSaid() // a first sign-in reads nothing back
				svc.send(alice, tim.C2C(bridge), "a0")
				svc.send(alice, tim.Group(team), "g0")
				r.deliverAll(bridge)
				r.wantSaid("a0", "g0")
				r.stop()
				svc.cut(bridge)
				time.Sleep(time.Hour)
				var want []string
				for i := 1; i < 251; i++ {
					svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i))
					want = append(want, fmt.Sprint("a", i))
				}
				svc.send(bob, tim.C2C(bridge), "b0")
				svc.send(bob, tim.Group("quiet"), "q1")
				for i := 1; i < 51; i++ {
					svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
				}
				r.start()
				svc.signIn(bridge, r.in.Handler(bridge))
				for range 20 { // live reports come before the catch-up begins
					svc.deliver(bridge, 0, false)
				}
				r.settle()
				r.wantSaid("a0", "g0")
				if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
					t.Fatal(err)
				}
				r.deliverAll(bridge)
				got := said(t, r.j.all())[2:]
				if a := only(got, "a"); !slices.Equal(a, want) {
					t.Errorf("from alice: %v", a)
				}
				if g := only(got, "g"); len(g) != 50 || g[0] != "g1" || g[49] != "g50" {
					t.Errorf("of the group: %v", g)
				}
				if b := only(got, "b"); !slices.Equal(b, []string{"b0"}) {
					t.Errorf("from bob: %v", b)
				}
				if q := only(got, "q"); !slices.Equal(q, []string{"q1"}) {
					t.Errorf("of the quiet group: %v", q)
				}
				r.checkAcked()
				r.checkReplay()
				if s := r.in.Stats(); s.Gaps != 0 || s.Accounts[bridge].CatchingUp {
					t.Errorf("stats: %+v", s)
				}
				r.stop()
			})
		})
	}
}

func only(said []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s[:1] != prefix })
}

func TestCatchUpHoldsMoreThanFitsInMemory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{MaxHeld: 5})
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "a0")
		svc.send(alice, tim.Group(team), "g0")
		r.deliverAll(bridge)
		r.stop()
		svc.cut(bridge)
		time.Sleep(time.Hour)
		for i := 1; i < 5000; i++ {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i))
		}
		r.start()
		defer r.stop()
		svc.signIn(bridge, r.in.Handler(bridge))
		svc.slow(10 * time.Millisecond)
		done := make(chan error, 1)
		go func() {
			done <- r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{})
		}()
		for i := 1; i < 1000; i++ {
			svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
			svc.deliver(bridge, len(svc.accounts[bridge].waiting)-1, false)
			svc.deliver(bridge, 0, false)
			time.Sleep(time.Millisecond)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r.deliverAll(bridge)
		got := said(t, r.j.all())
		if a := only(got, "a"); len(a) != 5000 || !slices.IsSortedFunc(a, byNumber) {
			t.Errorf("%d from alice: %v…", len(a), a[:10])
		}
		if g := only(got, "g"); len(g) != 1000 || !slices.IsSortedFunc(g, byNumber) {
			t.Errorf("%d of the group: %v…", len(g), g[:10])
		}
		r.checkAcked()
		r.checkReplay()
	})
}

func byNumber(a, b string) int {
	var x, y int
	fmt.Sscan(a[1:], &x)
	fmt.Sscan(b[1:], &y)
	return x - y
}

func TestCatchUpOfMoreThanMemoryIsKeptFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "a0 ")
		svc.send(alice, tim.Group(team), "g0 ")
		r.deliverAll(bridge)
		r.stop()
		svc.cut(bridge)
		time.Sleep(time.Hour)
		long := strings.Repeat("x", 4000)
		const n = 2 * keepBytes / 4000
		for i := 1; i < n; i++ {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i, " ", long))
			svc.send(alice, tim.Group(team), fmt.Sprint("g", i, " ", long))
		}
		r.start()
		defer r.stop()
		// Meanwhile the talk goes on: what is read once more is not where it was.
		svc.slow(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var talk sync.WaitGroup
		more := 0
		talk.Go(func() {
			for ctx.Err() == nil {
				svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", n+more, " "))
				svc.send(alice, tim.Group(team), fmt.Sprint("g", n+more, " "))
				more++
				svc.deliver(bridge, 0, false)
				svc.deliver(bridge, 0, false)
				pause(ctx, 300*time.Millisecond)
			}
		})
		r.signIn(bridge)
		cancel()
		talk.Wait()
		r.deliverAll(bridge)
		r.settle()
		got := said(t, r.j.all())
		for _, of := range []string{"a", "g"} {
			if x := only(got, of); len(x) != n+more || !slices.IsSortedFunc(x, byNumber) {
				t.Errorf("%d of %s, want %d", len(x), of, n+more)
			}
		}
		if gaps := facts(t, r.j.all(), mapping.TypeAccountGapDetected); len(gaps) > 0 {
			t.Errorf("told: %s", gaps)
		}
		if pages := 2 * (n/100 + 1); svc.calls() < pages+pages/4 {
			t.Errorf("%d calls for %d pages: all of it was kept", svc.calls(), pages)
		}
		r.checkReplay()
	})
}

func TestCatchUpInterruptedAnywhere(t *testing.T) {
	for calls := 1; calls < 12; calls++ {
		t.Run(fmt.Sprint(calls), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{Readers: 1})
				r.signIn(bridge)
				svc.send(alice, tim.C2C(bridge), "a0")
				svc.send(alice, tim.Group(team), "g0")
				r.deliverAll(bridge)
				r.stop()
				svc.cut(bridge)
				time.Sleep(time.Hour)
				for i := 1; i < 350; i++ {
					svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i))
					svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
				}
				// The process ends after so many calls; live messages have come by then.
				r.start()
				svc.signIn(bridge, r.in.Handler(bridge))
				for range calls {
					svc.failNext(nil)
				}
				svc.failNext(errors.New("the process ends here"))
				err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{})
				svc.send(alice, tim.C2C(bridge), "a350")
				svc.send(alice, tim.Group(team), "g350")
				r.deliverAll(bridge)
				r.stop()
				svc.cut(bridge)
				svc.failWith()

				time.Sleep(time.Hour)
				r.start()
				defer r.stop()
				r.signIn(bridge)
				got := said(t, r.j.all())
				for _, of := range []string{"a", "g"} {
					if x := only(got, of); len(x) != 351 || !slices.IsSortedFunc(x, byNumber) {
						t.Errorf("after %v: %d of %s: %v", err, len(x), of, x)
					}
				}
				r.checkReplay()
			})
		})
	}
}

func TestCatchUpAcrossRetentionTellsTheGap(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "a0")
		svc.send(alice, tim.Group(team), "g0")
		r.deliverAll(bridge)
		r.stop()
		svc.cut(bridge)
		time.Sleep(24 * time.Hour)
		for i := 1; i < 10; i++ {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i))
			svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
			svc.send(bob, tim.C2C(bridge), fmt.Sprint("b", i))
		}
		svc.keep = 4
		r.start()
		defer r.stop()
		r.signIn(bridge)
		got := said(t, r.j.all())
		if a := only(got, "a"); !slices.Equal(a, []string{"a0", "a6", "a7", "a8", "a9"}) {
			t.Errorf("%v", a)
		}
		if g := only(got, "g"); !slices.Equal(g, []string{"g0", "g6", "g7", "g8", "g9"}) {
			t.Errorf("%v", g)
		}
		// Of bob nothing is known, so that nobody can say whether it began with b6.
		if gaps := facts(t, r.j.all(), mapping.TypeAccountGapDetected); len(gaps) != 2 {
			t.Errorf("gaps: %v", gaps)
		}
		r.checkReplay()
		r.restart()
		r.signIn(bridge)
		if gaps := facts(t, r.j.all(), mapping.TypeAccountGapDetected); len(gaps) != 2 {
			t.Errorf("told again: %v", gaps)
		}
	})
}

func TestClientWithoutHistoryTellsThatTimeHasPassed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{})
		plain := struct{ tim.Client }{}
		svc.signIn(bridge, r.in.Handler(bridge))
		if err := r.in.CatchUp(context.Background(), bridge, plain, time.Time{}); err != nil {
			t.Fatal(err)
		}
		svc.send(alice, tim.C2C(bridge), "a0")
		r.deliverAll(bridge)
		if gaps := facts(t, r.j.all(), mapping.TypeAccountGapDetected); len(gaps) != 0 {
			t.Errorf("gaps at the first sign-in: %v", gaps)
		}
		r.restart()
		defer r.stop()
		svc.signIn(bridge, r.in.Handler(bridge))
		svc.send(alice, tim.C2C(bridge), "a1")
		r.deliverAll(bridge)
		r.wantSaid("a0")
		if err := r.in.CatchUp(context.Background(), bridge, plain, time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.settle()
		r.wantSaid("a0", "a1")
		if gaps := facts(t, r.j.all(), mapping.TypeAccountGapDetected); len(gaps) != 1 {
			t.Errorf("gaps: %v", gaps)
		}
	})
}

func TestConnectionLossHoldsUntilCatchUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "a0")
		r.deliverAll(bridge)
		svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
		svc.cut(bridge)
		svc.send(alice, tim.C2C(bridge), "a1")
		svc.cut(bridge) // pushed into the void
		svc.signIn(bridge, svc.accounts[bridge].handler)
		svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkConnected})
		svc.send(alice, tim.C2C(bridge), "a2")
		r.deliverAll(bridge)
		r.wantSaid("a0")
		if !r.in.Stats().Accounts[bridge].CatchingUp {
			t.Error("the account is not catching up")
		}
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.settle()
		r.wantSaid("a0", "a1", "a2")
		if got := facts(t, r.j.all(), mapping.TypeAccountConnectionChanged); len(got) != 2 {
			t.Errorf("connection facts: %v", got)
		}
		r.checkReplay()
	})
}

func TestCatchUpIsInterruptedByALostConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "a0")
		svc.slow(time.Second)
		done := make(chan error, 1)
		go func() { done <- r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}) }()
		time.Sleep(500 * time.Millisecond)
		svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
		if err := <-done; !errors.Is(err, ErrInterrupted) {
			t.Errorf("CatchUp: %v, want ErrInterrupted", err)
		}
		r.wantSaid()
	})
}

func TestCatchUpInPlaceOfAnotherAcknowledgesAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{MaxHeld: 2})
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "a0")
		r.deliverAll(bridge)
		r.restart()
		defer r.stop()
		svc.slow(time.Second)
		svc.signIn(bridge, r.in.Handler(bridge))
		first := make(chan error, 1)
		go func() {
			first <- r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{})
		}()
		for i := 1; i < 20; i++ {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i))
			svc.deliver(bridge, 0, false)
		}
		time.Sleep(1500 * time.Millisecond)
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := <-first; !errors.Is(err, ErrInterrupted) {
			t.Errorf("the first one: %v", err)
		}
		r.settle()
		if got := said(t, r.j.all()); len(got) != 20 || !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("%v", got)
		}
		r.checkAcked()
	})
}

func TestNothingComesAgainAfterAQuietTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		r.signIn(second)
		svc.group(team, alice, bridge)
		svc.send(alice, tim.C2C(bridge), "a0")
		svc.send(alice, tim.C2C(second), "b0")
		svc.send(alice, tim.Group(team), "g0")
		r.deliverAll(bridge)
		r.deliverAll(second)
		for range 12 { // the second account goes on, the first has nothing to say
			time.Sleep(24 * time.Hour)
			svc.send(alice, tim.C2C(second), "b")
			r.deliverAll(second)
		}
		r.restart()
		svc.send(alice, tim.C2C(bridge), "a1")
		r.signIn(bridge)
		r.signIn(second)
		got := said(t, r.j.all())
		if a := only(got, "a"); !slices.Equal(a, []string{"a0", "a1"}) {
			t.Errorf("%v", got)
		}
		if got := r.in.Stats(); got.Horizon.IsZero() {
			t.Errorf("nothing was forgotten: %+v", got)
		}
		time.Sleep(20 * 24 * time.Hour)
		r.restart()
		defer r.stop()
		r.signIn(bridge)
		r.signIn(second)
		if again := said(t, r.j.all()); len(again) != len(got) {
			t.Errorf("%d messages, want %d", len(again), len(got))
		}
		r.checkReplay()
	})
}

func TestMessagesAreHeldFromTheNextSignInOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "0")
		r.deliverAll(bridge)
		// Signed out and in again by the bridge itself: nobody reports that.
		svc.cut(bridge)
		svc.send(alice, tim.C2C(bridge), "1")
		svc.cut(bridge)
		if err := r.in.Announce(context.Background(), bridge); err != nil {
			t.Fatal(err)
		}
		svc.signIn(bridge, svc.accounts[bridge].handler)
		svc.send(alice, tim.C2C(bridge), "2")
		r.deliverAll(bridge)
		r.wantSaid("0")
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.wantSaid("0", "1", "2")
	})
}

func TestBackfill(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{Backfill: 90 * time.Minute})
		defer r.stop()
		for i := range 5 {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i))
			svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
			time.Sleep(time.Hour)
		}
		svc.failWith(errors.New("the first try fails"))
		svc.signIn(bridge, r.in.Handler(bridge))
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err == nil {
			t.Error("no error")
		}
		r.signIn(bridge)
		got := said(t, r.j.all())
		slices.Sort(got)
		if !slices.Equal(got, []string{"a4", "g4"}) {
			t.Errorf("%v", got)
		}
	})
}

func TestDamagedJournalIsReadBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{ChangeWindow: -1})
		r.signIn(bridge)
		var from, to time.Time
		for i := range 300 {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i))
			svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
			r.deliverAll(bridge)
			time.Sleep(time.Minute)
			switch i {
			case 100:
				from = time.Now()
			case 150:
				to = time.Now()
			}
		}
		r.stop()
		svc.cut(bridge)
		// The entries in between are lost.
		lost := func(e journal.Entry) bool { return e.Time.After(from) && e.Time.Before(to) }
		r.j.entries = slices.DeleteFunc(r.j.entries, lost)
		kept := len(said(t, r.j.all()))
		for i := range r.j.entries {
			r.j.entries[i].Position = uint64(i) + 1 // positions are the fake's own
		}
		r.start()
		damaged, err := mapping.JournalDamaged(testApp, "8c6fbb4e", mapping.Damage{First: 200, Last: 300, From: from, To: to}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // recording it twice is harmless
			if err := r.in.RecordFact(context.Background(), damaged); err != nil {
				t.Fatal(err)
			}
		}
		r.signIn(bridge)
		got := said(t, r.j.all())
		if len(got) != 600 {
			t.Errorf("%d messages, %d before reading back, want 600", len(got), kept)
		}
		slices.Sort(got)
		if again := slices.Compact(got); len(again) != len(got) {
			t.Errorf("some of them twice")
		}
		calls := svc.calls()
		r.checkReplay()
		r.restart()
		defer r.stop()
		r.signIn(bridge)
		if svc.calls() != calls+1 {
			t.Errorf("%d calls the next time, want 1: the list", svc.calls()-calls)
		}
		r.wantSaidCount(600)
	})
}

func (r *rig) wantSaidCount(n int) {
	r.t.Helper()
	if got := len(said(r.t, r.j.all())); got != n {
		r.t.Errorf("%d messages, want %d", got, n)
	}
}

func TestTwoAccountsOfOneConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge, second)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		svc.account(second)
		for i := range 5 {
			svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
			svc.send(second, tim.C2C(bridge), fmt.Sprint("c", i))
		}
		r.deliverAll(bridge)
		r.stop()
		svc.cut(bridge)
		time.Sleep(time.Hour)
		for i := 5; i < 10; i++ {
			svc.send(alice, tim.Group(team), fmt.Sprint("g", i))
			svc.send(second, tim.C2C(bridge), fmt.Sprint("c", i))
		}
		svc.cut(second)
		// The other account signs in first, for the first time: its conversations
		// with accounts of the bridge have a past all the same.
		r.start()
		defer r.stop()
		svc.signIn(second, r.in.Handler(second))
		svc.send(alice, tim.Group(team), "g10")
		svc.send(bridge, tim.C2C(second), "c10")
		if err := r.in.CatchUp(context.Background(), second, svc.client(second), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.deliverAll(second)
		r.signIn(bridge)
		r.deliverAll(bridge)
		time.Sleep(time.Minute)
		got := said(t, r.j.all())
		for _, of := range []string{"g", "c"} {
			if x := only(got, of); len(x) != 11 || !slices.IsSortedFunc(x, byNumber) {
				t.Errorf("%v", x)
			}
		}
		r.checkReplay()
	})
}
