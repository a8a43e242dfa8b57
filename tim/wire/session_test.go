package wire

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// TestServerRestarts loses the session again and again: the client signs in by
// itself, what was not acknowledged comes again with its number, and in order.
func TestServerRestarts(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	ctx := within(t, time.Minute)
	c := r.open()
	var got collector
	_ = c.Listen(got.handle)
	if err := c.Login(ctx, "alice", "sig"); err != nil {
		t.Fatal(err)
	}
	const rounds, each = 5, 40
	number := uint64(100)
	for round := range rounds {
		for range each {
			r.far.mu.Lock()
			one := &farReport{event: received(fmt.Sprint(number)), number: number}
			number++
			r.far.store["alice"] = append(r.far.store["alice"], one)
			for _, fc := range r.far.clients {
				if fc.user == "alice" {
					fc.hand("alice", one)
				}
			}
			r.far.mu.Unlock()
		}
		seen := func(n uint64) bool {
			return slices.ContainsFunc(got.all(), func(r tim.Report) bool { return r.Number == n })
		}
		eventually(t, "the round's reports", func() bool { return seen(number - 1) })
		for i, one := range got.all() {
			if i%2 == 0 {
				one.Ack() // of sessions that are gone as well: without effect, and harmless
			}
		}
		before := len(got.connections())
		r.down()
		eventually(t, "told that it is gone", func() bool { return len(got.connections()) > before })
		if _, err := c.Send(ctx, tim.C2C("bob"), textMessage("x")); err == nil {
			t.Error("sent without a server")
		} else {
			wantEffect(t, err)
		}
		r.up()
		eventually(t, "signed in again", func() bool {
			states := got.connections()
			return states[len(states)-1].Status == tim.NetworkConnected && r.far.signedIn() == 1
		})
		if _, err := c.Send(ctx, tim.C2C("bob"), textMessage(fmt.Sprint("after ", round))); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
	eventually(t, "all acknowledged in the end", func() bool {
		for _, one := range got.all() {
			one.Ack()
		}
		return r.far.unacked("alice") == 0
	})
	// Every report has one number for good, and those seen for the first time
	// came in order.
	var last uint64 = 99
	again := 0
	for _, one := range got.all() {
		m, ok := one.Event.(tim.MessagesReceived)
		if !ok {
			continue
		}
		if text := m.Messages[0].Elems[0].(tim.TextElem).Content; text != fmt.Sprint(one.Number) {
			t.Errorf("report %d has number %d", one.Number, one.Number)
		}
		switch {
		case one.Number == last+1:
			last++
		case one.Number > last:
			t.Errorf("report %d came after %d", one.Number, last)
		default:
			again++
		}
	}
	if last != number-1 || again == 0 {
		t.Errorf("last %d of %d, %d came again", last, number-1, again)
	}
}

// TestNumbersGoOnAcrossRestarts: where the driver does not number, a later
// server's numbers are above those of an earlier one.
func TestNumbersGoOnAcrossRestarts(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	c := r.open()
	var got collector
	_ = c.Listen(got.handle)
	if err := c.Login(within(t, 10*time.Second), "alice", ""); err != nil {
		t.Fatal(err)
	}
	first := r.far.tell("alice", received("a"))
	eventually(t, "a", func() bool { return len(got.messages()) == 1 })
	got.all()[0].Ack()
	eventually(t, "acknowledged", first.acked.Load)
	r.down()
	r.up()
	eventually(t, "signed in again", func() bool { return r.far.signedIn() == 1 })
	r.far.tell("alice", received("b"))
	eventually(t, "b", func() bool { return len(got.messages()) == 2 })
	all := got.all()
	if a, b := all[0].Number, all[len(all)-1].Number; a == 0 || b <= a || b > 1<<53 {
		t.Errorf("numbers %d and %d", a, b)
	}
}

// TestSignInRefusedAfterRestart: the owner learns why it is not signed in.
func TestSignInRefusedAfterRestart(t *testing.T) {
	tests := []struct {
		name  string
		code  tim.Code
		event tim.Event
	}{
		{"kicked", tim.CodeLoginKickedOffByOther, tim.KickedOffline{}},
		{"expired at the service", tim.CodeSvrAccountUserSigExpired, tim.UserSigExpired{}},
		{"expired locally", tim.CodeUserSigExpired, tim.UserSigExpired{}},
		{"bad", 70003, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, HandlerOptions{})
			c := r.open()
			ctx := within(t, 20*time.Second)
			var got collector
			_ = c.Listen(got.handle)
			if err := c.Login(ctx, "alice", "sig"); err != nil {
				t.Fatal(err)
			}
			attempts := 0
			r.down()
			r.far.setRefuse(func(op string) error {
				if op != opLogin {
					return nil
				}
				attempts++
				if attempts == 1 {
					return &tim.Error{Op: "login", Code: tim.CodeSDKNetConnTimeout} // to be tried again
				}
				return &tim.Error{Op: "login", Code: test.code, Effect: tim.EffectNotDone}
			})
			r.up()
			eventually(t, "told of the refusal", func() bool {
				all := got.all()
				if len(all) == 0 {
					return false
				}
				last := all[len(all)-1]
				if test.event != nil {
					return last.Event == test.event && last.Account == "alice"
				}
				s, ok := last.Event.(tim.ConnectionChanged)
				return ok && s.Code == test.code
			})
			states := got.connections()
			if s := states[len(states)-1]; s.Status != tim.NetworkConnectFailed || s.Code != test.code {
				t.Errorf("told %+v", s)
			}
			_, err := c.Send(ctx, tim.C2C("bob"), textMessage("x"))
			if tim.CodeOf(err) != tim.CodeSDKNotLoggedIn {
				t.Errorf("Send: %v", err)
			}
			// A cut does not look as if the account were back.
			before := len(got.connections())
			r.proxy.cut()
			eventually(t, "connected again", func() bool {
				states := got.connections()
				return len(states) >= before+2 && states[len(states)-1].Status == tim.NetworkConnectFailed &&
					states[len(states)-1].Code == test.code
			})
			if attempts != 2 {
				t.Errorf("%d attempts", attempts)
			}
			r.far.setRefuse(nil)
			if test.event == (tim.UserSigExpired{}) {
				err = c.RenewUserSig(ctx, "new")
			} else {
				err = c.Login(ctx, "alice", "new")
			}
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "told that it is back", func() bool {
				states := got.connections()
				return states[len(states)-1].Status == tim.NetworkConnected
			})
			if _, err := c.Send(ctx, tim.C2C("bob"), textMessage("x")); err != nil {
				t.Errorf("Send: %v", err)
			}
		})
	}
}

// TestKickedIsNotUndone: an account that was kicked is not signed in by itself
// when the session is lost, even before the handler was told.
func TestKickedIsNotUndone(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	c := r.open()
	var got collector
	block := make(chan struct{})
	got.onEach = func(tim.Report) { <-block }
	_ = c.Listen(got.handle)
	if err := c.Login(within(t, 10*time.Second), "alice", ""); err != nil {
		t.Fatal(err)
	}
	r.far.tell("alice", received("blocks the handler"))
	r.far.tell("alice", tim.KickedOffline{})
	inner := c.(*client)
	eventually(t, "the kick has arrived", func() bool { return inner.receipts.last() == 2 })
	r.down()
	r.up()
	eventually(t, "a new session", func() bool { return r.handler.Stats().Sessions == 1 })
	close(block)
	eventually(t, "told", func() bool {
		s := got.connections()
		return len(s) > 0 && s[len(s)-1].Code == tim.CodeLoginKickedOffByOther
	})
	if n := r.far.signedIn(); n != 0 || len(r.far.logins) != 1 {
		t.Errorf("%d signed in after %v", n, r.far.logins)
	}
}

// TestLogout: nothing follows its return, though the stream was held up.
func TestLogout(t *testing.T) {
	tests := []struct {
		name   string
		listen bool
		refuse bool
	}{{"handler is slow", true, false}, {"no handler", false, false}, {"refused once", false, true}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, HandlerOptions{MaxUnacknowledged: 8})
			c := r.open()
			ctx := within(t, 20*time.Second)
			var got collector
			got.onEach = func(tim.Report) { time.Sleep(time.Millisecond) }
			if test.listen {
				_ = c.Listen(got.handle)
			}
			if err := c.Login(ctx, "alice", ""); err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				r.far.tell("alice", received(strconv.Itoa(i)))
			}
			eventually(t, "the window is full", func() bool { return r.handler.Stats().Unacknowledged == 8 })
			if test.refuse {
				r.far.setRefuse(func(op string) error {
					if op == opLogout {
						return &tim.Error{Op: "logout", Code: 6012, Effect: tim.EffectNotDone}
					}
					return nil
				})
				if err := c.Logout(ctx); tim.CodeOf(err) != 6012 {
					t.Errorf("Logout: %v", err)
				}
				// A report was turned away, so that only a new session has the
				// whole stream.
				eventually(t, "a new session, signed in", func() bool {
					return r.far.signedIn() == 1 && len(r.far.logins) == 2
				})
				r.far.setRefuse(nil)
				got.onEach = func(r tim.Report) { r.Ack() }
				_ = c.Listen(got.handle)
				eventually(t, "all of it", func() bool { return r.far.unacked("alice") == 0 })
				return
			}
			if err := c.Logout(ctx); err != nil {
				t.Fatal(err)
			}
			if !test.listen {
				_ = c.Listen(got.handle)
			}
			n := len(got.all())
			time.Sleep(20 * time.Millisecond)
			if after := len(got.all()); after != n {
				t.Errorf("%d reports after Logout", after-n)
			}
			got.mu.Lock()
			got.reports, got.onEach = nil, func(r tim.Report) { r.Ack() }
			got.mu.Unlock()
			if err := c.Login(ctx, "alice", ""); err != nil {
				t.Fatal(err)
			}
			eventually(t, "what was not acknowledged comes again", func() bool { return r.far.unacked("alice") == 0 })
			checkOrder(t, got.messages(), 100)
		})
	}
}

func TestSessionEndsAfterGrace(t *testing.T) {
	for _, grace := range []time.Duration{-1, 50 * time.Millisecond} {
		t.Run(grace.String(), func(t *testing.T) {
			r := newRig(t, HandlerOptions{Grace: grace})
			c := r.open()
			if err := c.Login(within(t, 10*time.Second), "alice", ""); err != nil {
				t.Fatal(err)
			}
			r.proxy.set(func(p *proxy) { p.refuse = true })
			r.proxy.cut()
			eventually(t, "the session is over", func() bool { return r.handler.Stats().Sessions == 0 })
			if r.far.signedIn() != 0 {
				t.Error("still signed in at the service")
			}
			r.proxy.set(func(p *proxy) { p.refuse = false })
			eventually(t, "signed in again", func() bool { return r.far.signedIn() == 1 })
		})
	}
}

func TestExclusive(t *testing.T) {
	r := newRig(t, HandlerOptions{Exclusive: true})
	first := r.open()
	ctx := within(t, 20*time.Second)
	var told collector
	_ = first.Listen(told.handle)
	if err := first.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	second := r.open()
	if err := second.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first hears that its place is taken", func() bool {
		s := told.connections()
		return len(s) > 0 && s[len(s)-1].Code == tim.CodeSDKNetConnRefuse
	})
	if _, err := second.Send(ctx, tim.C2C("bob"), textMessage("x")); err != nil {
		t.Error(err)
	}
	if n := r.handler.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions", n)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the first comes back", func() bool {
		s := told.connections()
		return s[len(s)-1].Status == tim.NetworkConnected
	})
}

func TestOldestIdleSessionMakesRoom(t *testing.T) {
	r := newRig(t, HandlerOptions{MaxConnections: 2})
	for i := range 6 { // each is lost without a word, as with a process that dies
		raw := dialRaw(t, r, Version)
		raw.hello(t)
		_ = raw.ws.CloseNow()
		eventually(t, "the connection is gone", func() bool { return r.handler.Stats().Connections == 0 })
		if n := r.handler.Stats().Sessions; n != min(i+1, 2) {
			t.Errorf("%d sessions after %d", n, i+1)
		}
	}
}
