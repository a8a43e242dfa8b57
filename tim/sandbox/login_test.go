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

func TestOpenChecksItsOptions(t *testing.T) {
	for name, change := range map[string]func(*sandbox.Options){
		"no sdkappid":      func(o *sandbox.Options) { o.SDKAppID = 0 },
		"no key":           func(o *sandbox.Options) { o.Key = "" },
		"unknown delivery": func(o *sandbox.Options) { o.Delivery = "pull" },
		"bad account":      func(o *sandbox.Options) { o.Accounts = []tim.UserID{"ünïcode"} },
		"bad admin":        func(o *sandbox.Options) { o.Admins = []tim.UserID{""} },
	} {
		if s, err := sandbox.Open(t.TempDir(), options(change)); err == nil {
			s.Close()
			t.Errorf("%s: is taken", name)
		}
	}
	dir := t.TempDir()
	w := openIn(t, dir, options())
	if s, err := sandbox.Open(dir, options()); err == nil {
		s.Close()
		t.Error("the directory is opened twice")
	}
	_, err := w.Open(ctx(t), tim.Config{SDKAppID: appID + 1})
	wantCode(t, "another application", err, tim.CodeSvrAccountSDKAppIDNotFound)
	_, err = w.Open(ctx(t), tim.Config{SDKAppID: appID, DeviceInfo: &tim.DeviceInfo{Platform: 99}})
	wantCode(t, "an unknown platform", err, tim.CodeInvalidParameters)
}

func TestClosedAccounts(t *testing.T) {
	w := open(t, options(func(o *sandbox.Options) {
		o.Accounts = []tim.UserID{"alice", "bob"}
		o.Admins = []tim.UserID{"root"}
	}))
	alice := w.signIn("alice")
	w.signIn("root")
	carol := w.client("carol")
	wantCode(t, "carol signs in", carol.Login(ctx(t), "carol", w.sig("carol")), tim.CodeSvrAccountNotFound)
	_, err := alice.Send(ctx(t), tim.C2C("carol"), text("x"))
	wantCode(t, "alice writes to carol", err, tim.CodeSvrMsgInvalidID)
	_, err = alice.CreateGroup(ctx(t), tim.CreateGroupParam{GroupName: "x", Members: members("bob", "carol")})
	wantCode(t, "alice makes a group with carol", err, tim.CodeSvrGroupAccountNotFound)
	id := alice.create(tim.CreateGroupParam{GroupType: tim.GroupPrivate})
	got, err := alice.InviteMembers(ctx(t), tim.GroupInviteMemberParam{GroupID: id, Identifiers: []tim.UserID{"carol", "bob"}})
	want := []tim.GroupInviteMemberResult{{Identifier: "carol", Result: tim.MemberFailed}, {Identifier: "bob", Result: tim.MemberDone}}
	if err != nil || len(got) != 2 || got[0].Result != want[0].Result || got[1].Result != want[1].Result {
		t.Errorf("inviting gives %+v, %v", got, err)
	}
	if err := w.Faults().Kick("carol"); err == nil {
		t.Error("carol can be kicked")
	}
}

// TestKickedWhileOffline is about devices that were not in touch when another
// one took their place, also over a restart.
func TestKickedWhileOffline(t *testing.T) {
	w := open(t, options())
	lost := w.signIn("alice", named("one"))
	lost.Close()
	w.reopen()
	w.signIn("alice", named("two"))
	w.signIn("alice", on(tim.PlatformIOS), named("one")) // another platform is nobody's rival
	w.reopen()
	back := w.client("alice", named("one"))
	wantCode(t, "the first login", back.Login(ctx(t), "alice", w.sig("alice")), tim.CodeLoginKickedOffByOther)
	back.login()
	two := w.client("alice", named("two")) // has been offline since the restart
	wantCode(t, "the second device", two.Login(ctx(t), "alice", w.sig("alice")), tim.CodeLoginKickedOffByOther)
	two.login()
	waitFor[tim.KickedOffline](back)
}

func TestKickedWhileOfflineIsSymmetric(t *testing.T) {
	w := open(t, options())
	w.signIn("alice", named("one")).Close()
	w.signIn("alice", named("two")).Close()
	one := w.client("alice", named("one"))
	wantCode(t, "one", one.Login(ctx(t), "alice", w.sig("alice")), tim.CodeLoginKickedOffByOther)
	one.login()
	two := w.client("alice", named("two"))
	wantCode(t, "two", two.Login(ctx(t), "alice", w.sig("alice")), tim.CodeLoginKickedOffByOther)
	two.login()
	waitFor[tim.KickedOffline](one)
	two.logout()
	w.signIn("alice", named("three")).logout()
	two.login() // it had signed out: nobody has kicked it
}

func TestTheSameDeviceIsNotItsOwnRival(t *testing.T) {
	w := open(t, options())
	w.signIn("alice", named("one")).Close()
	w.signIn("alice", named("one")).Close()
	w.reopen()
	w.signIn("alice", named("one"))
	w.signIn("alice") // without an id; kicks it while it is in touch
	w.signIn("alice", named("one"))
}

func TestKickedWhileDisconnected(t *testing.T) {
	w := open(t, options())
	one := w.signIn("alice")
	if n := w.Faults().Disconnect("alice", 0); n != 1 {
		t.Fatalf("%d connections were cut", n)
	}
	if e := waitFor[tim.ConnectionChanged](one); e.Status != tim.NetworkDisconnected {
		t.Errorf("the status is %v", e.Status)
	}
	_, err := one.Send(ctx(t), tim.C2C("bob"), text("x"))
	wantCode(t, "send while disconnected", err, tim.CodeSDKNetDisconnect)
	two := w.signIn("alice")
	wantCode(t, "the next login", one.Login(ctx(t), "alice", w.sig("alice")), tim.CodeLoginKickedOffByOther)
	one.login()
	waitFor[tim.KickedOffline](two)

	w.Faults().Disconnect("alice", 0)
	three := w.signIn("alice")
	w.Faults().Reconnect("alice")
	waitFor[tim.KickedOffline](one)
	bob := w.signIn("bob")
	bob.say(tim.C2C("alice"), "hi")
	three.message("hi")
}

func TestDisconnectKeepsReports(t *testing.T) {
	for _, mode := range modes {
		w := open(t, options(delivery(mode)))
		alice, bob := w.signIn("alice"), w.signIn("bob")
		w.Faults().Disconnect("alice", 50*time.Millisecond)
		bob.say(tim.C2C("alice"), "meanwhile")
		alice.message("meanwhile")
		var kinds []string
		for _, r := range alice.reports() {
			kinds = append(kinds, r.Event.Callback())
		}
		want := []string{tim.ConnectionChanged{}.Callback(), tim.ConnectionChanged{}.Callback(), tim.MessagesReceived{}.Callback()}
		if !slices.Equal(kinds, want) {
			t.Errorf("%s: alice was told %q", mode, kinds)
		}
	}
}

func TestKickByAdministrator(t *testing.T) {
	w := open(t, options())
	alice := w.signIn("alice", named("one"))
	phone := w.signIn("alice", on(tim.PlatformIOS))
	if err := w.Faults().Kick("alice"); err != nil {
		t.Fatal(err)
	}
	waitFor[tim.KickedOffline](alice)
	waitFor[tim.KickedOffline](phone)
	alice.login()
	alice.logout()
	if err := w.Faults().Kick("alice"); err != nil { // nobody is signed in
		t.Fatal(err)
	}
	w.reopen()
	alice = w.client("alice")
	wantCode(t, "the next login", alice.Login(ctx(t), "alice", w.sig("alice")), tim.CodeLoginKickedOffByOther)
	alice.login()
}

func TestUserSigEnds(t *testing.T) {
	c := newClock()
	w := open(t, options(c.option))
	alice, bob := w.signIn("alice"), w.signIn("bob")
	old := w.sig("alice")
	c.move(time.Second)
	if err := w.Faults().ExpireUserSig("alice"); err != nil {
		t.Fatal(err)
	}
	waitFor[tim.UserSigExpired](alice)
	bob.say(tim.C2C("alice"), "hi")
	wantCode(t, "the old UserSig", alice.RenewUserSig(ctx(t), old), tim.CodeSvrAccountUserSigExpired)
	if got := alice.texts(); len(got) != 0 {
		t.Errorf("alice was told %q without a UserSig", got)
	}
	if err := alice.RenewUserSig(ctx(t), w.sig("alice")); err != nil {
		t.Fatal(err)
	}
	alice.message("hi")
	w.reopen()
	wantCode(t, "the old UserSig after a restart", w.client("alice").Login(ctx(t), "alice", old), tim.CodeSvrAccountUserSigExpired)
}

func TestLogoutIsTheEndOfReports(t *testing.T) {
	w := open(t, options())
	bob := w.signIn("bob")
	alice := w.signIn("alice")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			if _, err := bob.Send(context.Background(), tim.C2C("alice"), text("x")); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	alice.message("x")
	alice.logout()
	n := len(alice.reports())
	<-done
	if m := len(alice.reports()); m != n {
		t.Errorf("%d reports came after Logout", m-n)
	}
	wantCode(t, "logout again", alice.Logout(ctx(t)), tim.CodeSDKNotLoggedIn)
}

func TestLogoutDoesNotWaitForever(t *testing.T) {
	w := open(t, options())
	alice := w.client("alice")
	gate, entered := make(chan struct{}), make(chan struct{})
	c, err := w.Open(ctx(t), tim.Config{SDKAppID: appID})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(func(tim.Report) { close(entered); <-gate }); err != nil {
		t.Fatal(err)
	}
	if err := c.Login(ctx(t), "bob", w.sig("bob")); err != nil {
		t.Fatal(err)
	}
	alice.login()
	alice.say(tim.C2C("bob"), "x")
	<-entered
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := c.Logout(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("logout of a handler that hangs: %v", err)
	}
	close(gate)
	c.Close()
}

func TestClosedSandboxRefuses(t *testing.T) {
	w := open(t, options())
	alice := w.signIn("alice")
	w.Close()
	if err := w.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	_, err := alice.Send(ctx(t), tim.C2C("bob"), text("x"))
	wantCode(t, "send", err, tim.CodeSDKNotInitialized)
	if _, err := w.Open(ctx(t), tim.Config{SDKAppID: appID}); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("open: %v", err)
	}
	if !errors.Is(w.Err(), sandbox.ErrClosed) {
		t.Errorf("Err is %v", w.Err())
	}
}

// TestLoginInTheHandler signs in again from within the report of having been kicked.
func TestLoginInTheHandler(t *testing.T) {
	w := open(t, options())
	c, err := w.Open(ctx(t), tim.Config{SDKAppID: appID})
	if err != nil {
		t.Fatal(err)
	}
	back, told := make(chan error, 1), make(chan string, 1)
	busy := false
	err = c.Listen(func(r tim.Report) {
		if busy {
			t.Error("the handler is called while it runs")
		}
		busy = true
		if _, ok := r.Event.(tim.KickedOffline); ok {
			back <- c.Login(ctx(t), "alice", w.sig("alice"))
			time.Sleep(20 * time.Millisecond)
		} else if s := textOf(r); s != "" {
			told <- s
		}
		busy = false
		r.Ack()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(ctx(t), "alice", w.sig("alice")); err != nil {
		t.Fatal(err)
	}
	other := w.signIn("alice")
	if err := <-back; err != nil {
		t.Fatalf("signing in again: %v", err)
	}
	waitFor[tim.KickedOffline](other)
	w.signIn("bob").say(tim.C2C("alice"), "hi")
	if s := <-told; s != "hi" {
		t.Errorf("told %q", s)
	}
}
