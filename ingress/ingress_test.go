package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

const (
	bridge = tim.UserID("bridge")
	second = tim.UserID("second")
	alice  = tim.UserID("alice")
	bob    = tim.UserID("bob")
	team   = tim.GroupID("team")
)

func TestReportIsAcknowledgedOnceOnDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newService(true), Config{})
		defer r.stop()
		r.signIn(bridge)
		r.j.delay = time.Second
		r.svc.send(alice, tim.C2C(bridge), "one")
		r.svc.deliver(bridge, 0, true) // and its repeat at once
		time.Sleep(500 * time.Millisecond)
		if r.svc.kept() == nil {
			t.Error("a report was acknowledged before it was on disk")
		}
		time.Sleep(5 * time.Second)
		r.checkAcked()
		r.wantSaid("one")
		r.checkReplay()
		if s := r.in.Stats(); s.Repeats != 1 || s.Reports["TIMRecvNewMsgCallback"] != 2 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestGroupGapIsFilledByWhatIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		for i := range 5 {
			svc.send(alice, tim.Group(team), fmt.Sprint(i))
		}
		svc.deliver(bridge, 0, false)
		svc.deliver(bridge, 3, false) // "4"
		svc.deliver(bridge, 1, false) // "2"
		time.Sleep(900 * time.Millisecond)
		r.wantSaid("0")
		if got := r.in.Stats().Waiting; got != 2 {
			t.Errorf("%d messages wait, want 2", got)
		}
		svc.deliver(bridge, 0, false) // "1"
		r.settle()
		r.wantSaid("0", "1", "2")
		svc.deliver(bridge, 0, false) // "3"
		r.settle()
		r.wantSaid("0", "1", "2", "3", "4")
		r.checkReplay()
		if calls := svc.calls(); calls != 1 {
			t.Errorf("history was asked %d times, want 1: the list", calls)
		}
	})
}

func TestGroupGapIsReadFromHistory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		for i := range 300 {
			svc.send(alice, tim.Group(team), fmt.Sprint(i))
		}
		svc.send(alice, tim.C2C(bridge), "hi")
		svc.deliver(bridge, 0, false)
		svc.deliver(bridge, 298, false)
		svc.deliver(bridge, 298, false) // other conversations go on
		r.settle()
		r.wantSaid("0", "hi")
		time.Sleep(1100 * time.Millisecond)
		r.settle()
		var want []string
		for i := range 300 {
			want = append(want, fmt.Sprint(i))
		}
		want = slices.Insert(want, 1, "hi")
		r.wantSaid(want...)
		if s := r.in.Stats(); s.Gaps != 0 || s.Late != 0 {
			t.Errorf("stats: %+v", s)
		}
		r.checkReplay()
	})
}

func TestGroupGapThatCannotBeReadIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		for i := range 8 {
			svc.send(alice, tim.Group(team), fmt.Sprint(i))
		}
		conv := svc.convs["group/team"]
		conv.deleted[2], conv.deleted[3], conv.deleted[5] = true, true, true
		svc.deliver(bridge, 0, false)
		svc.deliver(bridge, 6, false) // "7"
		time.Sleep(1100 * time.Millisecond)
		r.settle()
		r.wantSaid("0", "3", "5", "6", "7")
		gaps := facts(t, r.j.all(), mapping.TypeAccountGapDetected)
		if len(gaps) != 2 {
			t.Errorf("gaps: %v", gaps)
		}
		// What comes after all is told as late, once.
		r.deliverAll(bridge)
		r.wantSaid("0", "3", "5", "6", "7", "!1", "!2", "!4")
		r.checkAcked()
		r.checkReplay()
		// And no catch-up looks for it again.
		r.restart()
		r.signIn(bridge)
		r.wantSaid("0", "3", "5", "6", "7", "!1", "!2", "!4")
	})
}

func TestGapIsNotToldWhileTheServiceAsksToWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{GapGiveUp: time.Minute})
		defer r.stop()
		r.signIn(bridge)
		for i := range 3 {
			svc.send(alice, tim.Group(team), fmt.Sprint(i))
		}
		limit := tim.NewError("messages", tim.CodeSDKCommAPICallFrequencyLimit, "")
		limit.RetryAfter = 10 * time.Second
		svc.failWith(limit, limit)
		svc.deliver(bridge, 0, false)
		svc.deliver(bridge, 1, false)
		time.Sleep(15 * time.Second)
		r.wantSaid("0")
		time.Sleep(10 * time.Second)
		r.wantSaid("0", "1", "2")
	})
}

func TestGapIsToldWhenReadingItIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{GapGiveUp: 5 * time.Second})
		defer r.stop()
		r.signIn(bridge)
		for i := range 3 {
			svc.send(alice, tim.Group(team), fmt.Sprint(i))
		}
		for range 100 {
			svc.failNext(tim.NewError("messages", tim.CodeRequestTimeOut, ""))
		}
		svc.deliver(bridge, 0, false)
		svc.deliver(bridge, 1, false)
		time.Sleep(10 * time.Second)
		r.wantSaid("0", "2")
		if got := len(facts(t, r.j.all(), mapping.TypeAccountGapDetected)); got != 1 {
			t.Errorf("%d gaps told, want 1", got)
		}
	})
}

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
		r.signIn(bridge)
		got := said(t, r.j.all())
		for _, of := range []string{"a", "g"} {
			if x := only(got, of); len(x) != n || !slices.IsSortedFunc(x, byNumber) {
				t.Errorf("%d of %s, want %d", len(x), of, n)
			}
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

func outcome(id string) []journal.Entry {
	return []journal.Entry{{Kind: journal.KindOutcome, Body: []byte(id)}}
}

// postedFacts are the facts of a message that an account of the bridge sent.
func postedFacts(t testing.TB, user tim.UserID, m tim.Message) []mapping.Fact {
	t.Helper()
	f, err := mapping.FromMessage(mapping.Observation{App: testApp, Account: user, Cause: &mapping.Cause{ID: "cmd"}}, m)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPostIsOneAppend(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		m := svc.send(bridge, tim.C2C(alice), "hello")
		out := outcome("1")
		recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), out)
		if err != nil || !recorded {
			t.Fatalf("Post: %v, %v", recorded, err)
		}
		all := r.j.all()
		at := slices.IndexFunc(all, func(e journal.Entry) bool { return e.Kind == journal.KindOutcome })
		if all[at].Position != out[0].Position || !all[at].Time.Equal(out[0].Time) {
			t.Errorf("outcome %+v, handed back %+v", all[at], out[0])
		}
		if all[at-1].Kind != journal.KindFact {
			t.Errorf("before it: %+v", all[at-1])
		}
		// Told again, by whomever: only the outcome.
		recorded, err = r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome("2"))
		if err != nil || recorded {
			t.Errorf("Post of a known message: %v, %v", recorded, err)
		}
		if _, err := r.in.Post(context.Background(), nil, outcome("3")); err != nil {
			t.Error(err)
		}
		r.wantSaid("hello")
		r.checkReplay()
	})
}

func TestPostFillsAndWaitsForItsPlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		svc.send(alice, tim.Group(team), "0")
		mine := svc.send(bridge, tim.Group(team), "1")
		svc.send(alice, tim.Group(team), "2")
		svc.send(alice, tim.Group(team), "3")
		later := svc.send(bridge, tim.Group(team), "4")
		svc.deliver(bridge, 0, false)
		svc.deliver(bridge, 0, false) // "2" waits for "1"
		r.settle()
		r.wantSaid("0")
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, mine), outcome("1")); err != nil || !recorded {
			t.Fatalf("Post: %v, %v", recorded, err)
		}
		r.wantSaid("0", "1", "2")
		began := time.Now()
		go func() {
			time.Sleep(300 * time.Millisecond)
			svc.deliver(bridge, 0, false) // "3"
		}()
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, later), outcome("4")); err != nil || !recorded {
			t.Fatalf("Post: %v, %v", recorded, err)
		}
		if d := time.Since(began); d != 300*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		r.wantSaid("0", "1", "2", "3", "4")
		r.checkReplay()
	})
}

func TestPostDoesNotStartAGroupTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		svc.group(team, alice, bridge)
		svc.send(alice, tim.Group(team), "0")
		svc.send(alice, tim.Group(team), "1")
		mine := svc.send(bridge, tim.Group(team), "2")
		// The reports are still under way, and will be lost.
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, mine), outcome("2")); err != nil || !recorded {
			t.Fatalf("Post: %v, %v", recorded, err)
		}
		r.wantSaid("0", "1", "2")
		r.checkReplay()

		// Where there is no history it starts there.
		svc.group("other", alice, bridge)
		svc.send(alice, tim.Group("other"), "lost")
		mine = svc.send(bridge, tim.Group("other"), "3")
		svc.failWith(tim.NewError("messages", tim.CodeSvrGroupNotFound, ""))
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, mine), outcome("3")); err != nil || !recorded {
			t.Fatalf("Post: %v, %v", recorded, err)
		}
		r.wantSaid("0", "1", "2", "3")
	})
}

func TestPostDoesNotWaitForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{})
		defer r.stop()
		svc.signIn(bridge, r.in.Handler(bridge)) // and no catch-up: everything is held
		m := svc.send(bridge, tim.C2C(alice), "hello")
		began := time.Now()
		recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome("1"))
		if err != nil || recorded {
			t.Fatalf("Post: %v, %v", recorded, err)
		}
		if d := time.Since(began); d != DefaultPostWait {
			t.Errorf("it took %v", d)
		}
		r.wantSaid()
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.settle()
		r.wantSaid("hello")
	})
}

func TestFullJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{Queue: 2})
		defer r.stop()
		r.signIn(bridge)
		r.j.setFull(true)
		for i := range 10 {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint(i))
		}
		done := make(chan struct{})
		go func() {
			r.deliverAll(bridge)
			close(done)
		}()
		time.Sleep(time.Second)
		if s := r.in.Stats(); !s.Full || s.FullSince.IsZero() || s.Queued == 0 {
			t.Errorf("stats: %+v", s)
		}
		// What was carried out is recorded nevertheless.
		other := svc.send(bridge, tim.C2C(bob), "other")
		same := svc.send(bridge, tim.C2C(alice), "same")
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, other), outcome("1")); err != nil || !recorded {
			t.Errorf("Post: %v, %v", recorded, err)
		}
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, same), outcome("2")); err != nil || recorded {
			t.Errorf("Post behind what waits: %v, %v", recorded, err)
		}
		r.wantSaid("other")
		r.j.mu.Lock()
		r.j.reserve = 0
		r.j.mu.Unlock()
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		if _, err := r.in.Post(short, nil, outcome("3")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Post without a reserve: %v", err)
		}
		cancel()
		r.j.setFull(false)
		<-done
		synctest.Wait()
		want := []string{"other"}
		for i := range 10 {
			want = append(want, fmt.Sprint(i))
		}
		got := said(t, r.j.all())
		if i := slices.Index(got, "same"); i < 0 {
			t.Errorf("the message that waited is missing: %v", got)
		} else {
			got = slices.Delete(got, i, i+1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if s := r.in.Stats(); s.Full {
			t.Error("still full")
		}
		outcomes := 0
		for _, e := range r.j.all() {
			if e.Kind == journal.KindOutcome {
				outcomes++
			}
		}
		if outcomes != 3 {
			t.Errorf("%d outcomes, want 3", outcomes)
		}
		r.checkAcked()
		r.checkReplay()
	})
}

func outcomes(entries []journal.Entry) (ids []string) {
	for _, e := range entries {
		if e.Kind == journal.KindOutcome {
			ids = append(ids, string(e.Body))
		}
	}
	return ids
}

func TestJournalThatIsFullInTheMiddleOfABatch(t *testing.T) {
	for _, name := range []string{"in the part on disk", "in the rest"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(true)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{})
				defer r.stop()
				r.signIn(bridge)
				svc.send(alice, tim.Group(team), "1")
				r.deliverAll(bridge)
				at := 1500
				if name == "in the part on disk" {
					at = 500
				}
				var want []string
				var msgs []tim.Message
				var mine, other tim.Message
				for i := 2; i <= 2500; i++ {
					if i == at {
						mine = svc.send(bridge, tim.Group(team), fmt.Sprint(i))
					} else {
						msgs = append(msgs, svc.send(alice, tim.Group(team), fmt.Sprint(i)))
					}
					want = append(want, fmt.Sprint(i))
				}
				other = svc.send(bridge, tim.C2C(bob), "other")
				// All of it is one batch, as the appender is busy when it comes.
				r.j.delay = time.Second
				go svc.tell(bridge, tim.Unrecognized{Name: "x", Raw: []byte("1")})
				synctest.Wait()
				var acked atomic.Bool
				handler := svc.accounts[bridge].handler
				go handler(tim.Report{Account: bridge, Event: tim.MessagesReceived{Messages: msgs}, Ack: func() { acked.Store(true) }})
				r.j.mu.Lock()
				r.j.fullIn = 2 // the one under way, and the first part of the batch
				r.j.mu.Unlock()
				began := time.Now()
				done := make(chan error, 2)
				for i, m := range []tim.Message{mine, other} {
					go func() {
						_, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome(fmt.Sprint(i)))
						done <- err
					}()
				}
				for range 2 {
					if err := <-done; err != nil {
						t.Fatal(err)
					}
				}
				if d := time.Since(began); d > DefaultPostWait {
					t.Errorf("the outcomes took %v", d)
				}
				if got := outcomes(r.j.all()); len(got) != 2 {
					t.Errorf("outcomes %v", got)
				}
				if acked.Load() {
					t.Error("acknowledged while it waits")
				}
				r.j.setFull(false)
				time.Sleep(time.Minute)
				got := said(t, r.j.all())
				if i := slices.Index(got, "other"); i < 0 || !slices.Equal(slices.Delete(got, i, i+1)[1:], want) {
					t.Errorf("%d messages: %v", len(got), got)
				}
				if got := outcomes(r.j.all()); len(got) != 2 {
					t.Errorf("outcomes %v", got)
				}
				if !acked.Load() {
					t.Error("not acknowledged")
				}
				r.checkReplay()
			})
		})
	}
}

func TestGapWaitsForTheAccountToComeBack(t *testing.T) {
	for _, name := range []string{"before it is read", "while it is read"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{GapGiveUp: 10 * time.Second})
				defer r.stop()
				r.signIn(bridge)
				for i := range 3 {
					svc.send(alice, tim.Group(team), fmt.Sprint(i))
				}
				svc.deliver(bridge, 0, false)
				svc.deliver(bridge, 1, false)
				if name == "while it is read" {
					svc.slow(time.Minute)
					time.Sleep(2 * time.Second)
				}
				svc.cut(bridge)
				svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
				time.Sleep(time.Hour)
				r.wantSaid("0")
				svc.slow(0)
				svc.signIn(bridge, svc.accounts[bridge].handler)
				svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkConnected})
				if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
					t.Fatal(err)
				}
				r.settle()
				r.wantSaid("0", "1", "2")
				if s := r.in.Stats(); s.Gaps != 0 || s.Waiting != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
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

func TestRevocations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		var msgs []tim.Message
		for i := range 4 {
			msgs = append(msgs, svc.send(alice, tim.Group(team), fmt.Sprint(i)))
		}
		svc.deliver(bridge, 0, false)
		svc.deliver(bridge, 1, false) // "2" waits for "1", and so does its revocation
		for range 2 {
			svc.tell(bridge, tim.MessagesRevoked{Locators: []tim.MsgLocator{msgs[2].Locator()}})
		}
		r.settle()
		if got := facts(t, r.j.all(), mapping.TypeMessageRevoked); len(got) != 0 {
			t.Errorf("revoked before it was posted: %v", got)
		}
		r.deliverAll(bridge)
		svc.tell(bridge, tim.MessagesRevoked{Locators: []tim.MsgLocator{msgs[0].Locator()}})
		r.settle()
		r.wantSaid("0", "1", "2", "3")
		if got := facts(t, r.j.all(), mapping.TypeMessageRevoked); !slices.Equal(got, []string{"group/team/3/revoked", "group/team/1/revoked"}) {
			t.Errorf("revoked: %v", got)
		}
		// What was revoked while nobody was told comes out of history as such.
		svc.cut(bridge)
		svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
		gone := svc.send(alice, tim.C2C(bridge), "gone")
		svc.convs["c2c/alice/bridge"].msgs[0].Status = tim.MsgRevoked
		svc.cut(bridge)
		svc.signIn(bridge, svc.accounts[bridge].handler)
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.settle()
		id := mapping.MessageID(alice, gone) + "/revoked"
		if got := facts(t, r.j.all(), mapping.TypeMessageRevoked); len(got) != 3 || got[2] != id {
			t.Errorf("revoked: %v, want %s", got, id)
		}
		r.checkReplay()
	})
}

func TestReportsWithoutAConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{})
		defer r.stop()
		// They flow before any catch-up, each once where it can be known again.
		svc.signIn(bridge, r.in.Handler(bridge))
		handler := svc.accounts[bridge].handler
		acks := 0
		for range 2 {
			for i, e := range []tim.Event{
				tim.Unrecognized{Name: "TIMSomethingNew", Raw: []byte(`{"a":1}`)}, tim.KickedOffline{}, tim.UserSigExpired{},
			} {
				handler(tim.Report{Number: uint64(i + 1), Account: bridge, Event: e, Ack: func() { acks++ }})
			}
		}
		handler(tim.Report{Account: bridge, Event: tim.Unrecognized{Name: "TIMSomethingNew", Raw: []byte("not JSON")}, Ack: func() { acks++ }})
		handler(tim.Report{Account: bridge, Event: tim.MessagesReceived{}, Ack: func() { acks++ }})
		handler(tim.Report{Account: bridge, Event: strangeEvent{}, Ack: func() { acks++ }})
		r.settle()
		if acks != 9 {
			t.Errorf("%d acknowledgements, want 9", acks)
		}
		for typ, want := range map[string]int{
			mapping.TypeUnrecognized: 3, mapping.TypeAccountKickedOffline: 1, mapping.TypeAccountUserSigExpired: 1,
		} {
			if got := facts(t, r.j.all(), typ); len(got) != want {
				t.Errorf("%s: %v, want %d", typ, got, want)
			}
		}
		if s := r.in.Stats(); s.Repeats != 3 {
			t.Errorf("%+v", s)
		}
		r.checkReplay()
	})
}

type strangeEvent struct{}

func (strangeEvent) Callback() string { return "TIMStrangeCallback" }

func TestSendsDoNotHideWhatIsNotToldYet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		svc.send(alice, tim.C2C(bridge), "0")
		r.deliverAll(bridge)
		svc.send(bob, tim.C2C(bridge), "1") // whom nobody knows yet, and the service is slow
		time.Sleep(time.Minute)
		if _, err := r.in.Post(context.Background(), postedFacts(t, bridge, svc.send(bridge, tim.C2C(alice), "2")), outcome("2")); err != nil {
			t.Fatal(err)
		}
		r.stop() // and the report is lost
		svc.cut(bridge)
		r.start()
		defer r.stop()
		r.signIn(bridge)
		r.wantSaid("0", "2", "1")
	})
}

func TestOneWhoOnlySendsIsNotReadAllOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		for i := range 1000 {
			m := svc.send(bridge, tim.C2C(tim.UserID(fmt.Sprint("user", i%50))), "x")
			if _, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		r.restart()
		defer r.stop()
		calls := svc.calls()
		r.signIn(bridge)
		if got := svc.calls() - calls; got > 20 {
			t.Errorf("%d calls for history, of 50 conversations", got)
		}
		r.wantSaidCount(1000)
		r.checkReplay()
	})
}

func TestSendsSayNothingWhileReportsWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{Queue: 1})
		r.signIn(bridge)
		r.j.delay = 10 * time.Second
		// Nobody knows these people yet, and the disk does not keep up with them.
		for i := range 100 {
			svc.send(tim.UserID(fmt.Sprint("stranger", i)), tim.C2C(bridge), fmt.Sprint(i))
		}
		go func() {
			for svc.deliver(bridge, 0, false) {
			}
		}()
		for i := range 30 {
			m := svc.send(bridge, tim.C2C(alice), "mine")
			if _, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		r.stop()
		if n := len(said(t, r.j.all())); n > 100 {
			t.Fatalf("%d messages are journaled: the disk keeps up", n)
		}
		svc.cut(bridge)
		synctest.Wait()
		r.j.delay = 0
		r.start()
		defer r.stop()
		r.signIn(bridge)
		r.wantSaidCount(130)
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

func TestFailedJournalEndsRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		r.j.mu.Lock()
		r.j.failed = journal.ErrFailed
		r.j.mu.Unlock()
		svc.send(alice, tim.C2C(bridge), "0")
		svc.deliver(bridge, 0, false)
		if err := <-r.ran; !errors.Is(err, journal.ErrFailed) {
			t.Errorf("Run: %v", err)
		}
		if svc.kept() == nil {
			t.Error("acknowledged")
		}
		svc.send(alice, tim.C2C(bridge), "1")
		svc.deliver(bridge, 0, false) // returns
		if _, err := r.in.Post(context.Background(), nil, outcome("1")); !errors.Is(err, ErrClosed) {
			t.Errorf("Post: %v", err)
		}
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); !errors.Is(err, ErrClosed) {
			t.Errorf("CatchUp: %v", err)
		}
		if err := r.in.RecordFact(context.Background(), postedFacts(t, bridge, svc.send(alice, tim.C2C(bridge), "2"))...); !errors.Is(err, ErrClosed) {
			t.Errorf("RecordFact: %v", err)
		}
		r.cancel()
	})
}

func TestDamagedJournalIsReadBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
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

func TestGroupMadeAgainStartsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		for i := range 3 {
			svc.send(alice, tim.Group(team), fmt.Sprint("old", i))
			time.Sleep(time.Second)
		}
		r.deliverAll(bridge)
		svc.tell(bridge, tim.MessagesReceived{Messages: []tim.Message{{
			ConvType: tim.ConvSystem, Sender: tim.SystemUser, Seq: 9, Rand: 9, ServerTime: uint64(time.Now().Unix()),
			Elems: []tim.Elem{tim.GroupReportElem{GroupID: team, ReportType: tim.GroupReportDelete}},
		}}})
		time.Sleep(5 * time.Second)
		svc.group(team, alice, bridge)
		for i := range 3 {
			svc.send(alice, tim.Group(team), fmt.Sprint("new", i))
		}
		r.deliverAll(bridge)
		r.wantSaid("old0", "old1", "old2", "new0", "new1", "new2")
		r.checkReplay()
	})
}
