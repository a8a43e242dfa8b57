package ingress

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

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
		r := newRig(t, svc, Config{ChangeWindow: -1})
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
