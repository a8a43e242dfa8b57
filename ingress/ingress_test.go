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
