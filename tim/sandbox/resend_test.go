package sandbox_test

import (
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

func TestResendWindows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		group  bool
		window time.Duration
	}{{"one to one", false, sandbox.C2CResendWindow}, {"group", true, sandbox.GroupResendWindow}} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			w := open(t, options(c.option))
			alice, bob := w.signIn("alice"), w.signIn("bob")
			conv := tim.C2C("bob")
			if tt.group {
				conv = tim.Group(alice.create(tim.CreateGroupParam{Members: members("bob")}))
			}
			if got := alice.Client.(tim.Resender).ResendWindow(conv.Type); got != tt.window {
				t.Errorf("the window is said to be %v", got)
			}
			m := text("once")
			m.Rand = 99
			first := alice.post(conv, m)
			c.move(tt.window - time.Second)
			again := alice.post(conv, m)
			if again.Seq != first.Seq || again.ServerTime != first.ServerTime || again.MsgID != first.MsgID || textIn(again) != "once" {
				t.Errorf("in the window it is %+v, was %+v", again, first)
			}
			c.move(2 * time.Second)
			late := alice.post(conv, m)
			if late.Seq != first.Seq+1 {
				t.Errorf("after the window it is seq %d, was %d", late.Seq, first.Seq)
			}
			if again := alice.post(conv, m); again.Seq != late.Seq {
				t.Errorf("the window of the later one: seq %d, was %d", again.Seq, late.Seq)
			}
			alice.say(conv, "end")
			bob.message("end")
			n := 0
			for _, s := range bob.texts() {
				if s == "once" {
					n++
				}
			}
			if n != 2 {
				t.Errorf("bob was told %d times", n)
			}
		})
	}
}

func TestResendIsTheSenders(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.signIn("bob")
	m := text("x")
	m.Rand = 7
	a := alice.post(tim.C2C("bob"), m)
	b := bob.post(tim.C2C("alice"), m)
	c := alice.post(tim.C2C("carol"), m)
	if a.Seq != 1 || b.Seq != 2 || c.Seq != 1 {
		t.Errorf("the seqs are %d, %d, %d", a.Seq, b.Seq, c.Seq)
	}
	// The sender's other device is the same sender.
	phone := w.signIn("alice", on(tim.PlatformIOS))
	if again := phone.post(tim.C2C("bob"), m); again.Seq != a.Seq {
		t.Errorf("from the phone it is seq %d, was %d", again.Seq, a.Seq)
	}
}

func TestResendAtOnce(t *testing.T) {
	w := open(t, options())
	alice := w.signIn("alice")
	m := text("x")
	m.Rand = 7
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if got, err := alice.Send(ctx(t), tim.C2C("bob"), m); err != nil || got.Seq != 1 {
				t.Errorf("seq %d, %v", got.Seq, err)
			}
		})
	}
	wg.Wait()
	if got := alice.history(tim.C2C("bob")); len(got) != 1 {
		t.Errorf("history has %d messages", len(got))
	}
}

func TestResendOutlivesHistory(t *testing.T) {
	c := newClock()
	o := options(c.option, func(o *sandbox.Options) { o.Limits.HistoryMessages = 1 })
	w := open(t, o)
	alice := w.signIn("alice")
	m := text("x")
	m.Rand = 7
	first := alice.post(tim.C2C("bob"), m)
	for range 3 {
		alice.say(tim.C2C("bob"), "more")
	}
	snapshot(w)
	w.reopen()
	alice = w.signIn("alice")
	if again := alice.post(tim.C2C("bob"), m); again.Seq != first.Seq || again.MsgID != first.MsgID || again.ServerTime != first.ServerTime {
		t.Errorf("it is %+v, was %+v", again, first)
	}
	if got := alice.history(tim.C2C("bob")); len(got) != 1 || got[0].Seq != 4 {
		t.Errorf("history is %+v", got)
	}
}

// What history has let go of comes back whole: a file with its address.
func TestResendOfAFileOutlivesHistory(t *testing.T) {
	w := open(t, options(func(o *sandbox.Options) { o.Limits.HistoryMessages = 1 }))
	alice := w.signIn("alice")
	m := tim.Message{Rand: 7, Elems: []tim.Elem{tim.SoundElem{FilePath: write(t, "a.wav", []byte("tone"))}}}
	first := alice.post(tim.C2C("bob"), m)
	for range 3 {
		alice.say(tim.C2C("bob"), "more")
	}
	again := alice.post(tim.C2C("bob"), m)
	if a, b := first.Elems[0].(tim.SoundElem), again.Elems[0].(tim.SoundElem); a.URL == "" || b.URL != a.URL || b.FileID != a.FileID {
		t.Errorf("it is %+v, was %+v", b, a)
	}
}
