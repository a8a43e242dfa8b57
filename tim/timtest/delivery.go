package timtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/timbridge/timbridge/tim"
)

var deliveryCases = []testCase{
	{"what arrived offline is told at the next sign-in, in order", 0, toldAtSignIn},
	{"what arrived before the first sign-in is told", 0, toldAtFirstSignIn},
	{"reports come one at a time, in order, with rising numbers", 0, oneAtATime},
	{"a handler that blocks holds the stream up", 0, blockingHandler},
	{"what was not acknowledged is told again", needAck, toldAgain},
	{"what was acknowledged is not told again", needAck, notToldAgain},
	{"what was handed over is not told again", needPush, pushedOnce},
	{"a report may be acknowledged often, late and from anywhere", 0, acknowledgedAnyhow},
	{"a lost connection is told, and made again", needDisconnect, reconnects},
	{"what happens while the connection is lost is told afterwards", needDisconnect, toldAfterReconnect},
}

func toldAtSignIn(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	alice.logout()
	want := []string{"one", "two", "three"}
	for _, text := range want {
		bob.say(tim.C2C(alice.user), text)
	}
	alice.login()
	alice.text(tim.C2C(bob.user), "three")
	if got := alice.texts(tim.C2C(bob.user)); !slices.Equal(got, want) {
		s.Errorf("told %q", got)
	}
}

func toldAtFirstSignIn(s *scene) {
	bob := s.signIn("bob")
	bob.say(tim.C2C(s.user("alice")), "welcome")
	s.signIn("alice").text(tim.C2C(bob.user), "welcome")
}

func oneAtATime(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint("text ", i))
		bob.say(tim.C2C(alice.user), want[i])
	}
	alice.text(tim.C2C(bob.user), want[len(want)-1])
	if got := alice.texts(tim.C2C(bob.user)); !slices.Equal(got, want) {
		s.Errorf("told %q", got)
	}
	var last uint64
	for _, it := range alice.items {
		if n := it.report.Number; n != 0 && n < last {
			s.Errorf("report %d comes after %d", n, last)
		} else {
			last = n
		}
	}
}

func blockingHandler(s *scene) {
	gate := make(chan struct{})
	alice, bob := s.signIn("alice", gated(gate)), s.signIn("bob")
	want := []string{"one", "two", "three"}
	for _, text := range want {
		bob.say(tim.C2C(alice.user), text)
	}
	if got := alice.texts(tim.C2C(bob.user)); len(got) != 0 {
		s.Errorf("told %q past a handler that has not returned", got)
	}
	alice.say(tim.C2C(bob.user), "calls go on meanwhile")
	bob.text(tim.C2C(alice.user), "calls go on meanwhile")
	close(gate)
	alice.text(tim.C2C(bob.user), "three")
	if got := alice.texts(tim.C2C(bob.user)); !slices.Equal(got, want) {
		s.Errorf("told %q", got)
	}
}

func toldAgain(s *scene) {
	bob := s.signIn("bob")
	first := s.signIn("alice", unacknowledged())
	bob.say(tim.C2C(first.user), "keep this")
	before := first.wait("keep this", func(it *item) bool { return it.msg != nil && textOf(*it.msg) == "keep this" })
	first.close()

	second := s.signIn("alice")
	after := second.wait("keep this, again", func(it *item) bool { return it.msg != nil && textOf(*it.msg) == "keep this" })
	if before.report.Number != after.report.Number {
		s.Errorf("the report was number %d and is now %d", before.report.Number, after.report.Number)
	}
	if before.msg.MsgID != after.msg.MsgID || before.msg.Seq != after.msg.Seq || before.msg.Rand != after.msg.Rand {
		s.Errorf("the message was %+v and is now %+v", before.msg, after.msg)
	}
}

func notToldAgain(s *scene) {
	bob := s.signIn("bob")
	first := s.signIn("alice")
	bob.say(tim.C2C(first.user), "got it")
	first.text(tim.C2C(bob.user), "got it")
	first.fence()
	first.logout() // takes the acknowledgements with it
	first.close()

	second := s.signIn("alice")
	second.fence()
	if n := second.count(func(m tim.Message) bool { return textOf(m) == "got it" }); n != 0 {
		s.Errorf("told again %d times", n)
	}
}

func pushedOnce(s *scene) {
	bob := s.signIn("bob")
	first := s.signIn("alice", unacknowledged())
	bob.say(tim.C2C(first.user), "only once")
	first.text(tim.C2C(bob.user), "only once")
	first.fence()
	first.close()

	second := s.signIn("alice")
	second.fence()
	if n := second.count(func(m tim.Message) bool { return textOf(m) == "only once" }); n != 0 {
		s.Errorf("told again %d times", n)
	}
}

func acknowledgedAnyhow(s *scene) {
	alice, bob := s.signIn("alice", unacknowledged()), s.signIn("bob")
	bob.say(tim.C2C(alice.user), "x")
	it := alice.wait("x", func(it *item) bool { return it.msg != nil && textOf(*it.msg) == "x" })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(it.report.Ack)
	}
	wg.Wait()
	alice.fence()
	alice.logout()
	it.report.Ack()
	alice.close()
	it.report.Ack()
}

func reconnects(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	s.h.Disconnect(alice.user)
	event(alice, "that the connection is lost", func(e tim.ConnectionChanged) bool { return e.Status != tim.NetworkConnected })
	event(alice, "that the connection is made again", func(e tim.ConnectionChanged) bool { return e.Status == tim.NetworkConnected })
	alice.say(tim.C2C(bob.user), "here again")
	bob.text(tim.C2C(alice.user), "here again")
	alice.fence()
}

func toldAfterReconnect(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	s.h.Disconnect(alice.user)
	for _, text := range []string{"one", "two", "three"} {
		bob.say(tim.C2C(alice.user), text)
	}
	for _, text := range []string{"one", "two", "three"} {
		alice.text(tim.C2C(bob.user), text) // perhaps more than once
	}
}
