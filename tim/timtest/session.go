package timtest

import (
	"context"
	"errors"
	"time"

	"github.com/timbridge/timbridge/tim"
)

var sessionCases = []testCase{
	{"calls before signing in are refused", 0, beforeSignIn},
	{"calls after closing are refused", 0, afterClose},
	{"the handler is set once", 0, listenOnce},
	{"another account signs in only after signing out", 0, anotherAccount},
	{"signing in again hands in a new UserSig", 0, signInAgain},
	{"a UserSig that is no good is refused with its code", 0, badUserSigs},
	{"a UserSig that runs out is told and renewed", needExpire, userSigRunsOut},
	{"a UserSig runs out by the clock", needAdvance, userSigRunsOutByTheClock},
	{"a UserSig is renewed only by who is signed in", 0, renewSignedOut},
	{"a device that is signed in is told that another kicked it", 0, kickedOnline},
	{"a device that was kicked while offline hears it at its next sign-in", 0, kickedOffline},
	{"the service kicks", needKick, kickedByService},
	{"two platforms are signed in at once", 0, twoPlatforms},
	{"a context that has ended ends the call", 0, endedContext},
}

func beforeSignIn(s *scene) {
	alice := s.open("alice")
	calls := everyCall(s, alice)
	for name, call := range calls {
		s.refused(name, call(), tim.CodeSDKNotLoggedIn)
	}
}

func afterClose(s *scene) {
	alice := s.signIn("alice")
	alice.close()
	for name, call := range everyCall(s, alice) {
		s.refused(name, call(), tim.CodeSDKNotInitialized)
	}
	s.refused("sign in", alice.client.Login(s.ctx(), alice.user, s.sig(alice.user)), tim.CodeSDKNotInitialized)
	alice.close() // closing again is no error
}

// everyCall is each call that needs an account, without effect if it is refused.
func everyCall(s *scene, d *device) map[string]func() error {
	ctx := s.ctx()
	calls := map[string]func() error{
		"send":         func() error { _, err := d.client.Send(ctx, tim.C2C(s.user("x")), textMessage("x")); return err },
		"revoke":       func() error { return d.client.Revoke(ctx, tim.C2C(s.user("x")), tim.MsgLocator{Seq: 1}) },
		"create group": func() error { _, err := d.client.CreateGroup(ctx, tim.CreateGroupParam{GroupName: "x"}); return err },
		"invite": func() error {
			_, err := d.client.InviteMembers(ctx, tim.GroupInviteMemberParam{GroupID: "x", Identifiers: []tim.UserID{"x"}})
			return err
		},
		"remove": func() error {
			_, err := d.client.DeleteMembers(ctx, tim.GroupDeleteMemberParam{GroupID: "x", Identifiers: []tim.UserID{"x"}})
			return err
		},
		"dismiss": func() error { return d.client.DeleteGroup(ctx, "x") },
	}
	if h, ok := d.client.(tim.History); ok {
		calls["conversations"] = func() error { _, err := h.Conversations(ctx); return err }
		calls["messages"] = func() error { _, err := h.Messages(ctx, tim.C2C(s.user("x")), tim.HistoryQuery{}); return err }
	}
	return calls
}

func listenOnce(s *scene) {
	alice := s.open("alice") // has a handler
	s.refused("a second handler", alice.client.Listen(func(tim.Report) { s.Error("the second handler is called") }), tim.CodeSDKInvalidOperation)
	alice.login()
	alice.fence()
}

func anotherAccount(s *scene) {
	alice, bob := s.signIn("alice"), s.user("bob")
	s.refused("another account", alice.client.Login(s.ctx(), bob, s.sig(bob)), tim.CodeSDKInvalidOperation)
	if m := alice.say(tim.C2C(s.user("x")), "still here"); m.Sender != alice.user {
		s.Errorf("the message is from %q", m.Sender)
	}
	alice.logout()
	for name, call := range everyCall(s, alice) {
		s.refused(name+" after signing out", call(), tim.CodeSDKNotLoggedIn)
	}
	alice.user = bob
	alice.login()
	if m := alice.say(tim.C2C(s.user("x")), "now bob"); m.Sender != bob {
		s.Errorf("the message is from %q", m.Sender)
	}
}

func signInAgain(s *scene) {
	alice := s.signIn("alice")
	alice.login()
	alice.fence()
}

func badUserSigs(s *scene) {
	alice, key := s.user("alice"), "not the key of this application"
	now := time.Now()
	good := s.sig(alice)
	tests := []struct {
		name, sig string
		code      tim.Code
	}{
		{"none", "", tim.CodeSvrAccountUserSigEmpty},
		{"no UserSig at all", "let me in", tim.CodeSvrAccountUserSigCheckFailed},
		{"cut short", good[:len(good)/2], tim.CodeSvrAccountUserSigCheckFailed},
		{"expired", s.h.UserSig(alice, -time.Hour), tim.CodeSvrAccountUserSigExpired},
		{"another user's", s.sig(s.user("bob")), tim.CodeSvrAccountUserSigMismatchID},
		{"another application's", tim.SignUserSig(s.h.SDKAppID+1, key, alice, 24*time.Hour, now), tim.CodeSvrAccountUserSigMismatchSDKAppID},
		{"another key's", tim.SignUserSig(s.h.SDKAppID, key, alice, 24*time.Hour, now), tim.CodeSvrAccountUserSigMismatchPublicKey},
	}
	d := s.open("alice")
	for _, tt := range tests {
		s.refused(tt.name, d.client.Login(s.ctx(), alice, tt.sig), tt.code)
	}
	d.login() // nothing of it stays
	for _, tt := range tests {
		s.refused(tt.name+" as the new one", d.client.RenewUserSig(s.ctx(), tt.sig), tt.code)
	}
	d.fence()
}

func userSigRunsOut(s *scene) {
	alice := s.signIn("alice")
	s.h.ExpireUserSig(alice.user)
	outOfUserSig(s, alice)
}

func userSigRunsOutByTheClock(s *scene) {
	alice := s.open("alice")
	if err := alice.client.Login(s.ctx(), alice.user, s.h.UserSig(alice.user, 5*time.Minute)); err != nil {
		s.Fatal(err)
	}
	alice.fence()
	s.h.Advance(6 * time.Minute)
	outOfUserSig(s, alice)
}

func outOfUserSig(s *scene, alice *device) {
	event(alice, "that its UserSig has expired", always[tim.UserSigExpired])
	_, err := alice.client.Send(s.ctx(), tim.C2C(s.user("x")), textMessage("x"))
	s.refused("send with an expired UserSig", err, tim.CodeSvrAccountUserSigExpired)
	bob := s.signIn("bob")
	bob.say(tim.C2C(alice.user), "while it was expired")
	s.refused("an expired one as the new one", alice.client.RenewUserSig(s.ctx(), s.h.UserSig(alice.user, -time.Hour)), tim.CodeSvrAccountUserSigExpired)
	if err := alice.client.RenewUserSig(s.ctx(), s.sig(alice.user)); err != nil {
		s.Fatalf("renew: %v", err)
	}
	alice.text(tim.C2C(bob.user), "while it was expired")
	alice.say(tim.C2C(bob.user), "back again")
	bob.text(tim.C2C(alice.user), "back again")
}

func renewSignedOut(s *scene) {
	alice := s.open("alice")
	s.refused("renew", alice.client.RenewUserSig(s.ctx(), s.sig(alice.user)), tim.CodeSDKNotLoggedIn)
}

func kickedOnline(s *scene) {
	first := s.signIn("alice", named("one"))
	second := s.signIn("alice", named("two"))
	event(first, "that it was kicked", always[tim.KickedOffline])
	for name, call := range everyCall(s, first) {
		s.refused(name+" after being kicked", call(), tim.CodeSDKNotLoggedIn)
	}
	second.fence()
	first.login() // and kicks the other in its turn
	event(second, "that it was kicked", always[tim.KickedOffline])
	first.fence()
}

func kickedOffline(s *scene) {
	lost := s.signIn("alice", named("one"))
	lost.close() // gone without signing out
	other := s.signIn("alice", named("two"))
	back := s.open("alice", named("one"))
	err := back.client.Login(s.ctx(), back.user, s.sig(back.user))
	s.refused("the sign-in after being kicked offline", err, tim.CodeLoginKickedOffByOther)
	other.fence() // is still signed in
	back.login()
	event(other, "that it was kicked", always[tim.KickedOffline])
	back.fence()
}

func kickedByService(s *scene) {
	alice := s.signIn("alice")
	s.h.Kick(alice.user)
	event(alice, "that it was kicked", always[tim.KickedOffline])
	for name, call := range everyCall(s, alice) {
		s.refused(name+" after being kicked", call(), tim.CodeSDKNotLoggedIn)
	}
	// UserSigs made before the kick may be void, and the clock has seconds.
	deadline := time.Now().Add(s.h.Patience)
	for {
		err := alice.client.Login(s.ctx(), alice.user, s.sig(alice.user))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			s.Fatalf("does not get in again: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	alice.fence()
}

func twoPlatforms(s *scene) {
	desk := s.signIn("alice")
	phone := s.signIn("alice", on(tim.PlatformIOS), named("two"))
	bob := s.signIn("bob")
	bob.say(tim.C2C(desk.user), "hello both")
	desk.text(tim.C2C(bob.user), "hello both")
	phone.text(tim.C2C(bob.user), "hello both")

	sent := desk.say(tim.C2C(bob.user), "from the desk")
	m := phone.text(tim.C2C(bob.user), "from the desk")
	if !m.IsFromSelf || m.Sender != desk.user || m.MsgID != sent.MsgID || m.Rand != sent.Rand || m.Seq != sent.Seq {
		s.Errorf("the phone sees %+v, sent was %+v", m, sent)
	}
	desk.fence()
	if n := desk.count(func(m tim.Message) bool { return textOf(m) == "from the desk" }); n != 0 {
		s.Errorf("the sending device was told its own message %d times", n)
	}
}

func endedContext(s *scene) {
	alice := s.signIn("alice")
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, err := alice.client.Send(ctx, tim.C2C(s.user("x")), textMessage("x"))
	e, ok := tim.AsError(err)
	if !ok || !errors.Is(err, context.Canceled) || e.Effect == tim.EffectDone {
		s.Errorf("the error is %v", err)
	}
	alice.fence()
}
