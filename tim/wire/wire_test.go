package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/timbridge/timbridge/tim"
)

func TestRoundTripOfEveryMethod(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	r.far.kind = "both"
	c := r.open()
	ctx := within(t, 10*time.Second)
	var got collector
	if err := c.Listen(got.handle); err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(got.handle); tim.CodeOf(err) != tim.CodeSDKInvalidOperation {
		t.Errorf("second Listen: %v", err)
	}
	if err := c.Login(ctx, "alice", "sig"); err != nil {
		t.Fatal(err)
	}
	msg := textMessage("hi \"there\"\n\u2028 é")
	msg.Rand, msg.CloudCustomStr = 4294967295, "x"
	sent, err := c.Send(ctx, tim.C2C("bob"), msg)
	if err != nil || sent.Seq != 1 || sent.MsgID != "m1" || sent.Rand != msg.Rand || sent.Sender != "alice" ||
		sent.ConvID != "bob" || sent.ConvType != tim.ConvC2C || !reflect.DeepEqual(sent.Elems[0], msg.Elems[0]) {
		t.Errorf("Send: %+v, %v", sent, err)
	}
	if err := c.Revoke(ctx, tim.C2C("bob"), sent.Locator()); err != nil {
		t.Errorf("Revoke: %v", err)
	}
	if g, err := c.CreateGroup(ctx, tim.CreateGroupParam{GroupID: "g1", GroupName: "n"}); err != nil || g.GroupID != "g1" {
		t.Errorf("CreateGroup: %+v, %v", g, err)
	}
	if m, err := c.InviteMembers(ctx, tim.GroupInviteMemberParam{GroupID: "g1"}); err != nil || len(m) != 1 || m[0].Identifier != "bob" {
		t.Errorf("InviteMembers: %+v, %v", m, err)
	}
	if m, err := c.DeleteMembers(ctx, tim.GroupDeleteMemberParam{GroupID: "g1"}); err != nil || len(m) != 1 || m[0].Result != 1 {
		t.Errorf("DeleteMembers: %+v, %v", m, err)
	}
	if err := c.DeleteGroup(ctx, "g1"); err != nil {
		t.Errorf("DeleteGroup: %v", err)
	}
	if err := c.RenewUserSig(ctx, "sig2"); err != nil {
		t.Errorf("RenewUserSig: %v", err)
	}
	if w := c.(tim.Resender).ResendWindow(tim.ConvGroup); w != 5*time.Minute {
		t.Errorf("ResendWindow: %v", w)
	}
	h := c.(tim.History)
	if list, err := h.Conversations(ctx); err != nil || len(list) != 1 || list[0].ConvID != "bob" {
		t.Errorf("Conversations: %+v, %v", list, err)
	}
	old, err := h.Messages(ctx, tim.Group("g1"), tim.HistoryQuery{Before: &sent, Count: 3})
	if err != nil || len(old) != 3 || old[0].Seq != 0 || old[0].ConvID != "g1" {
		t.Errorf("Messages: %+v, %v", old, err)
	}
	if r.far.clients[0].config.SDKAppID != 1400000000 {
		t.Errorf("config: %+v", r.far.clients[0].config)
	}
	if err := c.Logout(ctx); err != nil {
		t.Errorf("Logout: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := c.Send(ctx, tim.C2C("bob"), msg); !errors.Is(err, ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	eventually(t, "the server's client is closed", func() bool { return r.handler.Stats().Sessions == 0 })
}

func TestOptionalInterfacesAreTheServers(t *testing.T) {
	tests := []struct {
		kind             string
		resends, history bool
	}{{"", false, false}, {"resender", true, false}, {"history", false, true}, {"both", true, true}}
	for _, test := range tests {
		t.Run("kind "+test.kind, func(t *testing.T) {
			r := newRig(t, HandlerOptions{})
			r.far.kind = test.kind
			c := r.open()
			if _, ok := c.(tim.Resender); ok != test.resends {
				t.Errorf("Resender: %v", ok)
			}
			if _, ok := c.(tim.History); ok != test.history {
				t.Errorf("History: %v", ok)
			}
		})
	}
}

func TestErrorsCrossWhole(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want tim.Error
		is   error
	}{
		{name: "all fields", err: &tim.Error{
			Op: "send", Code: 10017, Desc: "muted: \"x\"", Effect: tim.EffectNotDone,
			RetryAfter: 1500 * time.Millisecond, Err: errors.New("below"),
		}, want: tim.Error{
			Op: "send", Code: 10017, Desc: "muted: \"x\"", Effect: tim.EffectNotDone,
			RetryAfter: 1500 * time.Millisecond,
		}},
		{name: "done", err: &tim.Error{Op: "x", Code: 5, Effect: tim.EffectDone}, want: tim.Error{Op: "x", Code: 5, Effect: tim.EffectDone}},
		{name: "wrapped", err: fmt.Errorf("driver: %w", &tim.Error{Op: "x", Code: 6}), want: tim.Error{Op: "x", Code: 6}},
		{name: "not a tim error", err: errors.New("boom"), want: tim.Error{Op: "send", Code: tim.CodeSDKInternalError}},
		{name: "deadline", err: &tim.Error{Op: "send", Err: fmt.Errorf("wait: %w", context.DeadlineExceeded)}, want: tim.Error{Op: "send"}, is: context.DeadlineExceeded},
	}
	r := newRig(t, HandlerOptions{})
	c := r.open()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r.far.setRefuse(func(string) error { return test.err })
			_, err := c.Send(within(t, 10*time.Second), tim.C2C("bob"), textMessage("x"))
			e, ok := tim.AsError(err)
			if !ok {
				t.Fatalf("not a tim.Error: %v", err)
			}
			got := *e
			got.Err = nil
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if full, ok := test.err.(*tim.Error); ok && err.Error() != full.Error() {
				t.Errorf("text %q, want %q", err, full)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
}

func TestOpenRefused(t *testing.T) {
	r := newRig(t, HandlerOptions{MaxConnections: 1})
	ctx := within(t, 20*time.Second)
	t.Run("wrong token", func(t *testing.T) {
		_, err := r.driver(func(o *Options) { o.Token = "guess" }).Open(ctx, tim.Config{})
		wantOpenError(t, err, ErrUnauthorized, tim.CodeSDKNetAuthInvalid)
	})
	t.Run("no token", func(t *testing.T) {
		_, err := r.driver(func(o *Options) { o.Token = "" }).Open(ctx, tim.Config{})
		wantOpenError(t, err, ErrUnauthorized, tim.CodeSDKNetAuthInvalid)
	})
	t.Run("no server", func(t *testing.T) {
		_, err := r.driver(func(o *Options) { o.URL = "ws://127.0.0.1:1/" }).Open(ctx, tim.Config{})
		wantOpenError(t, err, ErrConnection, tim.CodeSDKNetConnRefuse)
	})
	t.Run("not a URL", func(t *testing.T) {
		_, err := r.driver(func(o *Options) { o.URL = "::" }).Open(ctx, tim.Config{})
		wantOpenError(t, err, ErrConnection, tim.CodeSDKNetDisconnect)
	})
	t.Run("driver", func(t *testing.T) {
		r.far.openErr = &tim.Error{Op: "open", Code: tim.CodeSDKNotInitialized, Effect: tim.EffectNotDone}
		_, err := r.driver().Open(ctx, tim.Config{})
		if tim.CodeOf(err) != tim.CodeSDKNotInitialized {
			t.Errorf("got %v", err)
		}
		r.far.openErr = nil
	})
	t.Run("full", func(t *testing.T) {
		eventually(t, "earlier connections are gone", func() bool { return r.handler.Stats().Connections == 0 })
		_ = r.open()
		_, err := r.driver().Open(ctx, tim.Config{})
		wantOpenError(t, err, ErrBusy, tim.CodeSDKNetConnRefuse)
	})
	t.Run("frozen server", func(t *testing.T) {
		defer r.proxy.freeze()()
		_, err := r.driver(func(o *Options) { o.DialTimeout = 50 * time.Millisecond }).Open(ctx, tim.Config{})
		wantOpenError(t, err, context.DeadlineExceeded, tim.CodeSDKNetConnTimeout)
	})
}

func wantOpenError(t *testing.T, err, is error, code tim.Code) {
	t.Helper()
	e, ok := tim.AsError(err)
	if !ok || !errors.Is(err, is) || e.Code != code || e.Effect != tim.EffectNotDone || e.Op != "open" {
		t.Errorf("got %#v (%v), want %v with %v", e, err, is, code)
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	r := newRig(t, HandlerOptions{MaxInFlight: 8})
	c := r.open()
	ctx := within(t, 30*time.Second)
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 20 {
				text := fmt.Sprintf("%d/%d", i, j)
				got, err := c.Send(ctx, tim.C2C("bob"), textMessage(text))
				if err != nil || got.Elems[0].(tim.TextElem).Content != text {
					t.Errorf("%s: %+v, %v", text, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestContextEndsWhileWaiting(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	c := r.open(func(o *Options) { o.MaxInFlight = 1 })
	ctx := within(t, 10*time.Second)
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	r.far.holdSend = make(chan struct{})
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	_, err := c.Send(short, tim.C2C("bob"), textMessage("a"))
	if e, ok := tim.AsError(err); !ok || e.Effect != tim.EffectUnknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline after it was sent: %#v", err)
	}
	// The far side was cancelled with it, so that its place is free again.
	again, cancelAgain := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		_, err := c.Send(again, tim.C2C("bob"), textMessage("b"))
		done <- err
	}()
	eventually(t, "the second is sent", func() bool { return r.far.effects("b") == 1 })
	// A third finds no place and never leaves.
	waiting, cancelWaiting := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancelWaiting()
	_, err = c.Send(waiting, tim.C2C("bob"), textMessage("c"))
	if e, ok := tim.AsError(err); !ok || e.Effect != tim.EffectNotDone || e.Code != tim.CodeSDKNetWaitSendTimeout {
		t.Errorf("deadline before it was sent: %#v", err)
	}
	cancelAgain()
	if e, ok := tim.AsError(<-done); !ok || e.Effect != tim.EffectUnknown || e.Code != tim.CodeUserCanceled {
		t.Errorf("cancelled after it was sent: %#v", e)
	}
	if r.far.effects("c") != 0 {
		t.Error("the third was sent")
	}
	ended, cancelEnded := context.WithCancel(ctx)
	cancelEnded()
	_, err = c.Send(ended, tim.C2C("bob"), textMessage("d"))
	if e, ok := tim.AsError(err); !ok || e.Effect != tim.EffectNotDone {
		t.Errorf("ended before: %#v", err)
	}
}

func TestSizesAreBounded(t *testing.T) {
	r := newRig(t, HandlerOptions{MaxMessageBytes: 16 << 10})
	r.far.kind = "both"
	c := r.open(func(o *Options) { o.MaxMessageBytes, o.MaxAnswerBytes = 8<<10, 8<<10 })
	ctx := within(t, 10*time.Second)
	var got collector
	_ = c.Listen(got.handle)
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	t.Run("request", func(t *testing.T) {
		text := strings.Repeat("x", 17<<10)
		_, err := c.Send(ctx, tim.C2C("bob"), textMessage(text))
		if e, ok := tim.AsError(err); !ok || !errors.Is(err, ErrTooLarge) || e.Effect != tim.EffectNotDone || e.Code != tim.CodeSDKNetPkgSizeLimit {
			t.Errorf("got %#v", err)
		}
		if r.far.effects(text) != 0 {
			t.Error("it was sent")
		}
	})
	t.Run("answer", func(t *testing.T) {
		text := strings.Repeat("y", 12<<10)
		_, err := c.Send(ctx, tim.C2C("bob"), textMessage(text))
		if e, ok := tim.AsError(err); !ok || !errors.Is(err, ErrTooLarge) || e.Effect != tim.EffectDone {
			t.Errorf("got %#v", err)
		}
		if r.far.effects(text) != 1 {
			t.Error("it was not sent")
		}
	})
	t.Run("several messages in one report", func(t *testing.T) {
		var many []tim.Message
		var want []string
		for i := range 10 {
			want = append(want, fmt.Sprint(i, strings.Repeat("z", 3<<10)))
			many = append(many, textMessage(want[i]))
		}
		report := r.far.tell("alice", tim.MessagesReceived{Messages: many})
		eventually(t, "all messages", func() bool { return len(got.messages()) == len(want) })
		if diff := cmp.Diff(want, got.messages()); diff != "" {
			t.Error(diff)
		}
		all := got.all()
		for i, part := range all {
			if report.acked.Load() {
				t.Errorf("acknowledged after %d of %d parts", i, len(all))
			}
			part.Ack()
			part.Ack()
		}
		eventually(t, "the report is acknowledged", report.acked.Load)
	})
	t.Run("one message in a report", func(t *testing.T) {
		before := len(got.all())
		big := textMessage(strings.Repeat("z", 9<<10))
		big.ConvID, big.ConvType, big.Seq = "g1", tim.ConvGroup, 77
		report := r.far.tell("alice", tim.MessagesReceived{Messages: []tim.Message{big}})
		eventually(t, "the report", func() bool { return len(got.all()) > before })
		last := got.all()[before]
		u, ok := last.Event.(tim.Unrecognized)
		if !ok || u.Name != "TIMRecvNewMsgCallback" || !strings.Contains(string(u.Raw), `"message_locator_seq":77`) {
			t.Errorf("got %#v", last.Event)
		}
		last.Ack()
		eventually(t, "the report is acknowledged", report.acked.Load)
	})
}

// TestOverTLS also shows that the token does not follow a redirect.
func TestOverTLS(t *testing.T) {
	far := newFar()
	h := NewHandler(far, HandlerOptions{Token: testToken})
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is to fail
	server.StartTLS()
	defer server.Close()
	defer func() { _ = h.Close() }()
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig
	ctx := within(t, 10*time.Second)
	url := "wss" + strings.TrimPrefix(server.URL, "https")
	c, err := NewDriver(Options{URL: url, Token: testToken, TLS: roots}).Open(ctx, tim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	if _, err := NewDriver(Options{URL: url, Token: testToken}).Open(ctx, tim.Config{}); !errors.Is(err, ErrConnection) {
		t.Errorf("unknown authority: %v", err)
	}
	redirect := httptest.NewServer(http.RedirectHandler(server.URL, http.StatusFound))
	defer redirect.Close()
	if _, err := NewDriver(Options{URL: redirect.URL, Token: testToken, TLS: roots}).Open(ctx, tim.Config{}); err == nil {
		t.Error("followed a redirect")
	}
}

func TestHandlerRefuses(t *testing.T) {
	h := NewHandler(newFar(), HandlerOptions{Token: testToken})
	none := NewHandler(newFar(), HandlerOptions{})
	tests := []struct {
		name, authorization string
		handler             *Handler
		want                int
	}{
		{"no token", "", h, http.StatusUnauthorized},
		{"wrong token", "Bearer x", h, http.StatusUnauthorized},
		{"other scheme", "Basic " + testToken, h, http.StatusUnauthorized},
		{"no token is set", "Bearer ", none, http.StatusUnauthorized},
		{"no upgrade", "Bearer " + testToken, h, http.StatusUpgradeRequired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", test.authorization)
			test.handler.ServeHTTP(w, r)
			if w.Code != test.want || strings.Contains(w.Body.String(), testToken) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
	_ = h.Close()
	_ = none.Close()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+testToken)
	h.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("after Close: %d", w.Code)
	}
}
