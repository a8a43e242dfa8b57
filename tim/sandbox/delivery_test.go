package sandbox_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func TestMessageReachesReceiverAndOtherPlatforms(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.signIn("bob")
	phone := w.signIn("alice", on(tim.PlatformIOS))
	sent := alice.say(tim.C2C("bob"), "hi")
	if sent.Seq == 0 || sent.Rand == 0 || sent.ServerTime == 0 || sent.MsgID == "" || sent.UniqueID == 0 || sent.Status != tim.MsgSendSucc {
		t.Errorf("the answer lacks something: %+v", sent)
	}
	for _, d := range []*device{bob, phone} {
		got := d.message("hi")
		if got.MsgID != sent.MsgID || got.Seq != sent.Seq || got.Rand != sent.Rand || got.ServerTime != sent.ServerTime || got.UniqueID != sent.UniqueID {
			t.Errorf("%s sees %+v, sent was %+v", d.user, got, sent)
		}
		if got.IsFromSelf != (d == phone) || got.Conversation() != map[*device]tim.Conversation{bob: tim.C2C("alice"), phone: tim.C2C("bob")}[d] {
			t.Errorf("%s sees it in %v, from self %v", d.user, got.Conversation(), got.IsFromSelf)
		}
	}
	bob.say(tim.C2C("alice"), "end")
	alice.message("end")
	if got := alice.texts(); !slices.Equal(got, []string{"end"}) {
		t.Errorf("the sending session was told %q", got)
	}
}

func TestOfflineMessagesComeAtTheNextLogin(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := open(t, options(delivery(mode)))
			alice := w.signIn("alice")
			alice.say(tim.C2C("bob"), "one")
			w.reopen()
			alice = w.signIn("alice")
			alice.say(tim.C2C("bob"), "two")
			bob := w.signIn("bob")
			bob.message("two")
			if got := bob.texts(); !slices.Equal(got, []string{"one", "two"}) {
				t.Errorf("bob was told %q", got)
			}
			bob.logout()
			alice.say(tim.C2C("bob"), "three")
			bob.login()
			bob.message("three")
			if got := bob.texts(); !slices.Equal(got, []string{"one", "two", "three"}) {
				t.Errorf("bob was told %q", got)
			}
		})
	}
}

func TestUnacknowledgedComesAgainWithItsNumber(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.client("bob")
	bob.keep = true
	bob.login()
	alice.say(tim.C2C("bob"), "one")
	alice.say(tim.C2C("bob"), "two")
	bob.message("two")
	first := bob.reports()
	first[0].Ack()
	first[0].Ack()
	bob.logout()
	w.reopen()
	again := w.signIn("bob")
	again.message("two")
	got := again.reports()
	if len(got) != 1 || got[0].Number != first[1].Number || textOf(got[0]) != "two" {
		t.Errorf("told again: %s, want number %d", describe(got), first[1].Number)
	}
	first[1].Ack() // of a sandbox that is gone: does nothing
}

func TestPushForgetsWhatWasHandedOver(t *testing.T) {
	w := open(t, options(push))
	alice, bob := w.signIn("alice"), w.client("bob")
	bob.keep = true
	bob.login()
	alice.say(tim.C2C("bob"), "one")
	bob.message("one")
	bob.logout()
	again := w.signIn("bob")
	alice.say(tim.C2C("bob"), "two")
	again.message("two")
	if got := again.texts(); !slices.Equal(got, []string{"two"}) {
		t.Errorf("bob was told %q again", got)
	}
}

func TestEachPlatformAcknowledgesForItself(t *testing.T) {
	w := open(t, options())
	alice := w.signIn("alice")
	desk, phone := w.signIn("bob"), w.client("bob", on(tim.PlatformIOS))
	phone.keep = true
	phone.login()
	alice.say(tim.C2C("bob"), "hi")
	desk.message("hi")
	number := phone.wait("hi", func(r tim.Report) bool { return textOf(r) == "hi" }).Number
	desk.logout()
	phone.logout()
	desk.login()
	phone.login()
	alice.say(tim.C2C("bob"), "end")
	desk.message("end")
	phone.message("end")
	if got := desk.texts(); !slices.Equal(got, []string{"hi", "end"}) {
		t.Errorf("the desk was told %q", got)
	}
	if got := phone.texts(); !slices.Equal(got, []string{"hi", "hi", "end"}) {
		t.Errorf("the phone was told %q", got)
	}
	if again := phone.reports()[1].Number; again != number {
		t.Errorf("the report was number %d and is now %d", number, again)
	}
}

func TestOrderUnderConcurrency(t *testing.T) {
	w := open(t, options())
	owner := w.signIn("owner")
	users := []tim.UserID{"a", "b", "c", "d", "e", "f"}
	group := owner.create(tim.CreateGroupParam{GroupType: tim.GroupPublic, Members: members(users...)})
	devices := []*device{owner}
	for _, u := range users {
		devices = append(devices, w.signIn(u))
	}
	const each = 60
	var wg sync.WaitGroup
	for i, d := range devices {
		wg.Go(func() {
			for n := range each {
				if _, err := d.Send(ctx(t), tim.Group(group), text(fmt.Sprintf("%d/%d", i, n))); err != nil {
					t.Error(err)
					return
				}
				if _, err := d.Send(ctx(t), tim.C2C("sink"), text(fmt.Sprintf("%d/%d", i, n))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	owner.say(tim.Group(group), "end")
	for _, d := range devices[1:] {
		d.message("end")
		next, own := uint64(1), 0
		for _, r := range d.reports() {
			m := messageOf(r)
			if m.ConvType != tim.ConvGroup {
				continue
			}
			// Its own messages are not reported to the session that sent them.
			for ; next < m.Seq; next++ {
				own++
			}
			if m.Seq != next {
				t.Fatalf("%s was told seq %d where %d is due", d.user, m.Seq, next)
			}
			next++
		}
		if own != each {
			t.Errorf("%s misses %d of the group's messages, %d are its own", d.user, own, each)
		}
	}
	sink := w.signIn("sink")
	owner.say(tim.C2C("sink"), "end")
	sink.message("end")
	last := map[tim.UserID]uint64{}
	for _, r := range sink.reports() {
		m := messageOf(r)
		if m.Seq <= last[m.Sender] {
			t.Fatalf("seq %d of %s comes after %d", m.Seq, m.Sender, last[m.Sender])
		}
		last[m.Sender] = m.Seq
	}
}

func TestOnlineOnlyMessages(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.client("bob")
	bob.keep = true
	bob.login()
	m := text("now or never")
	m.IsOnlineMsg = true
	sent := alice.post(tim.C2C("bob"), m)
	if sent.Seq != 0 || !sent.IsOnlineMsg {
		t.Errorf("it was stored: %+v", sent)
	}
	bob.message("now or never")
	bob.logout()
	alice.post(tim.C2C("bob"), m)
	alice.say(tim.C2C("bob"), "stored")
	w.reopen()
	bob = w.signIn("bob")
	bob.message("stored")
	if got := bob.texts(); !slices.Equal(got, []string{"stored"}) {
		t.Errorf("bob was told %q", got)
	}
	if got := bob.history(tim.C2C("alice")); len(got) != 1 {
		t.Errorf("history has %d messages", len(got))
	}
}

func TestSelfTalk(t *testing.T) {
	w := open(t, options())
	desk, phone := w.signIn("alice"), w.signIn("alice", on(tim.PlatformIOS))
	desk.say(tim.C2C("alice"), "note to self")
	if m := phone.message("note to self"); !m.IsFromSelf || m.Conversation() != tim.C2C("alice") {
		t.Errorf("the phone sees %+v", m)
	}
	if got := desk.history(tim.C2C("alice")); len(got) != 1 {
		t.Errorf("history has %d messages", len(got))
	}
}

// TestHandlersThatWait: however many handlers do not return, the others are
// called, and so are these in their order once they do.
func TestHandlersThatWait(t *testing.T) {
	const waiting = 40
	w := open(t, options())
	alice := w.signIn("alice")
	hold := make(chan struct{})
	told := make(chan string, waiting)
	for i := range waiting {
		user := tim.UserID(fmt.Sprint("waits", i))
		c, err := w.Open(ctx(t), tim.Config{SDKAppID: appID})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n := 0
		_ = c.Listen(func(r tim.Report) {
			if n++; n == 1 {
				<-hold
			} else {
				told <- textOf(r)
			}
			r.Ack()
		})
		if err := c.Login(ctx(t), user, w.sig(user)); err != nil {
			t.Fatal(err)
		}
		alice.say(tim.C2C(user), "first")
		alice.say(tim.C2C(user), "second")
	}
	bob := w.signIn("bob")
	alice.say(tim.C2C("bob"), "hi")
	bob.message("hi")
	close(hold)
	for range waiting {
		if got := <-told; got != "second" {
			t.Errorf("told %q", got)
		}
	}
}
