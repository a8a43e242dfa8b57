package bridge

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/tim"
)

// TestAccountFromStartToEnd goes through the states of a day without trouble.
func TestAccountFromStartToEnd(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	alice := s.person("alice", tim.PlatformOther)
	b, err := openBridge(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.accounts.list[0].Status().State; got != AccountStarting {
		t.Errorf("before Run it is %s", got)
	}
	states := watchStates(t, b)
	r := run(t, b)
	r.awaitReady()
	say(t, alice, "one", "two")
	d := desk(t, cfg)
	awaitTexts(t, d, "one", "two")
	r.awaitState(AccountConnected)
	r.stop()
	got := slices.Compact(states())
	want := []AccountState{AccountStarting, AccountConnecting, AccountCatchingUp, AccountConnected, AccountSignedOut}
	if !slices.Equal(dropRepeats(got), want) {
		t.Errorf("states %v, want %v", got, want)
	}

	r = launch(t, cfg)
	r.awaitReady()
	d = desk(t, cfg)
	in := awaitEvents(t, d, "account.signed_in", 2)
	if len(in) == 2 {
		var first, second struct{ First bool }
		if err := errors.Join(json.Unmarshal(in[0].Data(), &first), json.Unmarshal(in[1].Data(), &second)); err != nil {
			t.Fatal(err)
		}
		if !first.First || second.First {
			t.Errorf("the first sign-in says first=%t, the second first=%t", first.First, second.First)
		}
	}
	awaitEvents(t, d, "account.signed_out", 1)
}

// dropRepeats leaves each state out that was there before: catching up is
// begun again when the driver tells that it is connected.
func dropRepeats(list []AccountState) []AccountState {
	var out []AccountState
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// TestServiceAwayAtStart: the bridge starts without the IM service, and is
// ready soon after it came.
func TestServiceAwayAtStart(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	s.stop()
	r := launch(t, cfg)
	if got := r.awaitState(AccountDisconnected); got.Error == "" {
		t.Error("disconnected without saying why")
	}
	r.awaitNotReady("account bridge is disconnected")
	if a := r.accounts.Account(testUser); a.State != egress.StateWaiting || a.Client != nil {
		t.Errorf("egress sees %+v", a)
	}
	s.start()
	r.awaitReady()
}

// TestServiceRestarted: what is said while the bridge is not connected is read
// back, in order.
func TestServiceRestarted(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	say(t, s.person("alice", tim.PlatformOther), "before the first sign-in")
	r := launch(t, cfg)
	r.awaitReady()
	say(t, s.person("alice", tim.PlatformOther), "one")
	r.awaitState(AccountConnected)
	s.stop()
	r.awaitState(AccountDisconnected)
	r.awaitNotReady("account bridge is disconnected")
	s.start()
	say(t, s.person("alice", tim.PlatformOther), "two", "three")
	r.awaitReady()
	say(t, s.person("alice", tim.PlatformOther), "four")
	awaitTexts(t, desk(t, cfg), "before the first sign-in", "one", "two", "three", "four")
}

// TestConnectionLost: the session goes on after the connection broke.
func TestConnectionLost(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	alice := s.person("alice", tim.PlatformOther)
	r := launch(t, cfg)
	r.awaitState(AccountConnected)
	say(t, alice, "one")
	states := watchStates(t, r.Bridge)
	s.Faults().Disconnect(testUser, 300*time.Millisecond)
	say(t, alice, "two", "three")
	r.awaitState(AccountDisconnected)
	r.awaitState(AccountConnected)
	say(t, alice, "four")
	awaitTexts(t, desk(t, cfg), "one", "two", "three", "four")
	if got := states(); !slices.Contains(got, AccountCatchingUp) {
		t.Errorf("it did not catch up: %v", got)
	}
}

// TestKicked: an account that signs in elsewhere is left alone for a while,
// then signed in again, which kicks the other one.
func TestKicked(t *testing.T) {
	for name, kick := range map[string]func(*service){
		"by the service":    func(s *service) { must(s.t, s.Faults().Kick(testUser)) },
		"by another device": func(s *service) { s.person(testUser, tim.PlatformOther) },
		"while disconnected": func(s *service) {
			s.Faults().Disconnect(testUser, time.Minute)
			s.person(testUser, tim.PlatformOther)
			s.Faults().Reconnect(testUser)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newConfig(t)
			s := newService(t, cfg)
			alice := s.person("alice", tim.PlatformOther)
			r := launch(t, cfg)
			r.awaitState(AccountConnected)
			say(t, alice, "one")
			kick(s)
			kicked := r.awaitState(AccountKickedOffline)
			if a := r.accounts.Account(testUser); a.State == egress.StateConnected {
				t.Errorf("egress sees %+v", a)
			}
			say(t, alice, "two")
			back := r.awaitState(AccountConnected)
			if waited, least := back.Since.Sub(kicked.Since), shortWaits().kickedMin; waited < least {
				t.Errorf("it came back after %s, before %s", waited, least)
			}
			say(t, alice, "three")
			d := desk(t, cfg)
			awaitTexts(t, d, "one", "two", "three")
			awaitEvents(t, d, "account.kicked_offline", 1)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestKickedWhileAway: the service tells at sign-in that another device took
// the account over while the bridge was away (6208); the bridge takes it back.
func TestKickedWhileAway(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	r := launch(t, cfg)
	r.awaitReady()
	s.stop() // so that the bridge goes without signing out
	r.awaitState(AccountDisconnected)
	r.stop()
	s.start()
	s.person(testUser, tim.PlatformOther)
	r = launch(t, cfg)
	r.awaitState(AccountConnected)
	awaitEvents(t, desk(t, cfg), "account.kicked_offline", 1)
}

// TestUserSigExpired: a UserSig that we sign is replaced when it has expired.
func TestUserSigExpired(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	alice := s.person("alice", tim.PlatformOther)
	r := launch(t, cfg)
	r.awaitState(AccountConnected)
	time.Sleep(1100 * time.Millisecond) // a UserSig's time has whole seconds
	must(t, s.Faults().ExpireUserSig(testUser))
	d := desk(t, cfg)
	awaitEvents(t, d, "account.usersig_expired", 1)
	r.awaitState(AccountConnected)
	say(t, alice, "after")
	awaitTexts(t, d, "after")
}

// TestCredentialsFromFile: a UserSig is read again from its file, at the start
// and when it has expired, until there is one that is good.
func TestCredentialsFromFile(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	file := filepath.Join(t.TempDir(), "sig")
	write := func(ttl, ago time.Duration) {
		t.Helper()
		must(t, os.WriteFile(file, []byte(tim.SignUserSig(cfg.App.SDKAppID, testKey, testUser, ttl, time.Now().Add(-ago))), 0o600))
	}
	write(time.Minute, time.Hour)
	parsed, err := config.Parse("test.hcl", []byte("app \"x\" {\n  account \"bridge\" {\n    usersig = file(\""+file+"\")\n  }\n}\n"))
	must(t, err)
	cfg.App.Accounts = parsed.App.Accounts

	r := launch(t, cfg)
	got := r.awaitState(AccountBadCredentials)
	if got.Error == "" {
		t.Error("bad credentials without saying why")
	}
	r.awaitNotReady("account bridge is bad_credentials")
	if a := r.accounts.Account(testUser); a.State != egress.StateUnavailable {
		t.Errorf("egress sees %+v", a)
	}
	must(t, os.Remove(file))
	eventually(t, "the missing file is told", func() (bool, string) {
		s := r.accounts.list[0].Status()
		return s.State == AccountBadCredentials && strings.HasPrefix(s.Error, "the UserSig cannot be read"), s.Error
	})
	write(time.Hour, 0)
	r.awaitState(AccountConnected)

	time.Sleep(1100 * time.Millisecond)
	must(t, s.Faults().ExpireUserSig(testUser))
	r.awaitState(AccountBadCredentials)
	write(time.Hour, 0)
	r.awaitState(AccountConnected)
	r.awaitReady()
}

// TestWrongToken: a sandbox that does not take the token is bad credentials too.
func TestWrongToken(t *testing.T) {
	cfg := newConfig(t)
	newService(t, cfg)
	cfg.App.Driver.Token = config.NewSecret("another token, as long as the other")
	launch(t, cfg).awaitState(AccountBadCredentials)
}

// TestTroublesInARow: an account's messages reach the bus once each, in order,
// whatever happens to it meanwhile.
func TestTroublesInARow(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	r := launch(t, cfg)
	r.awaitState(AccountConnected)
	var want []string
	next := func() {
		t.Helper()
		text := "message " + time.Now().Format(time.RFC3339Nano)
		say(t, s.person("alice", tim.PlatformOther), text)
		want = append(want, text)
	}
	troubles := []func(){
		func() { s.Faults().Disconnect(testUser, 50*time.Millisecond) },
		func() { must(t, s.Faults().Kick(testUser)) },
		func() { s.stop(); s.start() },
		func() { s.Faults().Disconnect(testUser, 0); must(t, s.Faults().Kick(testUser)) },
		func() { s.stop(); s.start(); s.Faults().Disconnect(testUser, 20*time.Millisecond) },
	}
	for range 2 {
		for _, trouble := range troubles {
			next()
			trouble()
			next()
			r.awaitState(AccountConnected)
			next()
		}
	}
	d := desk(t, cfg)
	awaitTexts(t, d, want...)
	if gaps := ofType(stored(t, d, bus.Events), "account.gap_detected"); len(gaps) > 0 {
		t.Errorf("gaps were told: %v", gaps)
	}
}
