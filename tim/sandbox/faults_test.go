package sandbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

func (w *world) fault(f ...sandbox.Fault) {
	w.t.Helper()
	if err := w.Faults().Add(f...); err != nil {
		w.t.Fatal(err)
	}
}

func TestLostRequestAndLostAnswer(t *testing.T) {
	w := open(t, options())
	alice := w.signIn("alice")
	for i, do := range []sandbox.Trouble{sandbox.DropBefore, sandbox.DropAfter} {
		w.fault(sandbox.Fault{Call: sandbox.CallSend, Account: "alice", Do: do})
		m := text(string(do))
		m.Rand = uint64(i) + 1
		_, err := alice.Send(ctx(t), tim.C2C("bob"), m)
		e, _ := tim.AsError(err)
		if e == nil || e.Effect != tim.EffectUnknown || e.Code != tim.CodeRequestTimeOut || !errors.Is(err, sandbox.ErrFault) {
			t.Errorf("%s: %v", do, err)
		}
		if n := len(alice.history(tim.C2C("bob"))); n != 3*i {
			t.Errorf("%s: history has %d messages", do, n)
		}
		if sent := alice.post(tim.C2C("bob"), m); sent.Seq != uint64(2*i)+1 {
			t.Errorf("%s: sent again it is seq %d", do, sent.Seq)
		}
		alice.say(tim.C2C("bob"), "end")
	}
	if n := w.Faults().Met(sandbox.CallSend); n != 2 {
		t.Errorf("%d sends met a fault", n)
	}
}

func TestFaultsOfCalls(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.signIn("bob")
	w.fault(
		sandbox.Fault{Call: sandbox.CallSend, Account: "alice", Do: sandbox.Fail, Code: tim.CodeSvrMsgInternalError1, Count: 2},
		sandbox.Fault{Call: sandbox.CallSend, Account: "alice", Do: sandbox.Fail, Code: tim.CodeSvrMsgInternalError1, Effect: tim.EffectNotDone},
		sandbox.Fault{Account: "alice", Do: sandbox.RateLimit, Delay: 3 * time.Second},
	)
	if n := len(w.Faults().Pending()); n != 3 {
		t.Errorf("%d faults are to come", n)
	}
	bob.say(tim.C2C("alice"), "not for bob")
	for range 2 {
		_, err := alice.Send(ctx(t), tim.C2C("bob"), text("x"))
		if e, _ := tim.AsError(err); e == nil || e.Code != tim.CodeSvrMsgInternalError1 || e.Effect != tim.EffectUnknown {
			t.Errorf("the error is %v", err)
		}
	}
	_, err := alice.Send(ctx(t), tim.C2C("bob"), text("x"))
	wantCode(t, "the third", err, tim.CodeSvrMsgInternalError1)
	_, err = alice.Client.(tim.History).Conversations(ctx(t))
	wantCode(t, "any call", err, tim.CodeSDKCommAPICallFrequencyLimit)
	if e, _ := tim.AsError(err); e.RetryAfter != 3*time.Second {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	alice.say(tim.C2C("bob"), "goes")

	w.fault(sandbox.Fault{Call: sandbox.CallSend, Do: sandbox.Delay, Delay: time.Hour, Count: -1})
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = alice.Send(short, tim.C2C("bob"), text("x"))
	wantCode(t, "delayed", err, tim.CodeRequestTimeOut)
	w.Faults().Clear()
	w.fault(sandbox.Fault{Call: sandbox.CallSend, Do: sandbox.Delay, Delay: time.Millisecond})
	alice.say(tim.C2C("bob"), "late")

	w.fault(sandbox.Fault{Call: sandbox.CallLogin, Account: "carol", Do: sandbox.Fail, Code: tim.CodeSvrAccountUserSigExpired})
	carol := w.client("carol")
	wantCode(t, "carol", carol.Login(ctx(t), "carol", w.sig("carol")), tim.CodeSvrAccountUserSigExpired)
	carol.login()
}

func TestFaultsAreChecked(t *testing.T) {
	w := open(t, options())
	for _, f := range []sandbox.Fault{
		{},
		{Do: "explode"},
		{Call: "sing", Do: sandbox.Delay, Delay: 1},
		{Do: sandbox.Delay},
		{Do: sandbox.Fail},
		{Do: sandbox.Duplicate},
		{Call: sandbox.CallReport, Do: sandbox.DropAfter},
	} {
		if err := w.Faults().Add(f); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
}

func TestFaultsOfReports(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := open(t, options(delivery(mode)))
			alice, bob := w.signIn("alice"), w.signIn("bob")
			tell := func(do sandbox.Trouble, delay time.Duration, texts ...string) {
				w.fault(sandbox.Fault{Call: sandbox.CallReport, Account: "bob", Do: do, Delay: delay})
				for _, s := range texts {
					alice.say(tim.C2C("bob"), s)
				}
				bob.message(texts[len(texts)-1])
			}
			tell(sandbox.Duplicate, 0, "twice", "one")
			tell(sandbox.Delay, 5*time.Millisecond, "late", "two")
			tell(sandbox.Reorder, 0, "alone") // nothing comes to go before it
			tell(sandbox.Drop, 0, "dropped", "three")
			w.fault(sandbox.Fault{Call: sandbox.CallReport, Account: "bob", Do: sandbox.Reorder})
			alice.say(tim.C2C("bob"), "second")
			alice.say(tim.C2C("bob"), "first")
			bob.message("second")
			want := []string{"twice", "twice", "one", "late", "two", "alone", "three", "first", "second"}
			if got := bob.texts(); !slices.Equal(got, want) {
				t.Errorf("bob was told %q, want %q", got, want)
			}
			if r := bob.reports(); r[0].Number != r[1].Number {
				t.Errorf("the two are numbers %d and %d", r[0].Number, r[1].Number)
			}
			bob.logout()
			bob.login()
			alice.say(tim.C2C("bob"), "end")
			bob.message("end")
			if mode == sandbox.DeliveryAck {
				want = append(want, "dropped")
			}
			if got := bob.texts(); !slices.Equal(got, append(want, "end")) {
				t.Errorf("after another login bob was told %q", got)
			}
		})
	}
}
