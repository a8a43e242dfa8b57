package ingress

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

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
