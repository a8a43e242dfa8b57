package egress

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

func TestSendIsPostedAndItsOutcomeRecordedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		synctest.Wait()
		got := r.want("1", mapping.TypeSucceeded, "")
		if got.Attempts != 1 || got.Result.Sequence != 1 || got.Result.MsgID != "m1" || got.Result.Random == 0 {
			t.Errorf("result %+v after %d attempts", got.Result, got.Attempts)
		}
		if got.Subject != "c2c/bob/bot" || got.CorrelationID != "corr-1" {
			t.Errorf("subject %q, correlation %q", got.Subject, got.CorrelationID)
		}
		facts := r.facts()
		if len(facts) != 1 || facts[0].Type() != mapping.TypeMessagePosted || facts[0].Extensions()[mapping.ExtCausationID] != "1" {
			t.Fatalf("facts %v", facts)
		}
		if facts[0].ID() != got.Result.MessageID {
			t.Errorf("the outcome names message %q, its event is %q", got.Result.MessageID, facts[0].ID())
		}
		if c := r.egress.CauseOf("bot", tim.C2C("bob"), got.Result.Random, ""); c == nil || c.ID != "1" {
			t.Errorf("cause after the outcome: %v", c)
		}
		if s := r.egress.Stats(); s.Read != 1 || s.Accepted != 1 || s.Succeeded != 1 || s.Open != 0 || s.Lanes != 0 || s.Attempts["message.send"] != 1 {
			t.Errorf("stats %+v", s)
		}
		if r.egress.Oldest() != 1<<64-1 {
			t.Errorf("oldest %d with nothing unfinished", r.egress.Oldest())
		}
	})
}

func TestEntriesOfACommandInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		synctest.Wait()
		var kinds []journal.Kind
		if err := r.journal.Scan(0, func(e journal.Entry) error { kinds = append(kinds, e.Kind); return nil }); err != nil {
			t.Fatal(err)
		}
		want := []journal.Kind{
			journal.KindAccepted, // birth
			journal.KindAccepted, journal.KindStarted, journal.KindFact, journal.KindStarted, journal.KindOutcome,
		}
		if len(kinds) != len(want) {
			t.Fatalf("kinds %v, want %v", kinds, want)
		}
		for i := range want {
			if kinds[i] != want[i] {
				t.Fatalf("kinds %v, want %v", kinds, want)
			}
		}
	})
}

func TestCauseIsKnownDuringTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.im.script = func(call) answer { return answer{delay: time.Second} }
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "hi"))
		synctest.Wait()
		random := r.im.called("send")[0].rand
		for what, conv := range map[string]tim.Conversation{"own": tim.C2C("bob"), "the peer's": tim.C2C("bot")} {
			if c := r.egress.CauseOf("bot", conv, random, ""); c == nil || c.ID != "1" || c.CorrelationID != "corr-1" {
				t.Errorf("in %s eyes: %+v", what, c)
			}
		}
		for what, c := range map[string]*mapping.Cause{
			"another sender":       r.egress.CauseOf("bob", tim.C2C("bob"), random, ""),
			"another conversation": r.egress.CauseOf("bot", tim.C2C("carol"), random, ""),
			"another random":       r.egress.CauseOf("bot", tim.C2C("bob"), random+1, ""),
			"no random":            r.egress.CauseOf("bot", tim.C2C("bob"), 0, ""),
		} {
			if c != nil {
				t.Errorf("%s: %+v", what, c)
			}
		}
		if !r.egress.Sending("bot", tim.C2C("bob")) || r.egress.Sending("bot", tim.C2C("carol")) || r.egress.Sending("bob", tim.C2C("bob")) {
			t.Error("it does not know where it is sending")
		}
		time.Sleep(2 * time.Second)
		r.want("1", mapping.TypeSucceeded, "")
		if r.egress.Sending("bot", tim.C2C("bob")) {
			t.Error("it is sending still")
		}
	})
}
