package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/timbridge/timbridge/tim"
)

// raw is a client that writes what it is told to.
type raw struct {
	ws  *websocket.Conn
	ctx context.Context
}

func dialRaw(t *testing.T, r *rig, version int) *raw {
	t.Helper()
	ctx := within(t, 20*time.Second)
	ws, _, err := websocket.Dial(ctx, "ws://"+r.addr, &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + testToken}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &raw{ws, ctx}
}

func (r *raw) write(t *testing.T, message string) {
	t.Helper()
	if err := r.ws.Write(r.ctx, websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

func (r *raw) hello(t *testing.T) welcome {
	t.Helper()
	r.write(t, `{"t":"hello","version":1,"sdkappid":1,"max_message":65536,"heartbeat_ms":60000,"later":{"x":[1]}}`)
	_, message, err := r.ws.Read(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	w, err := parseWelcome(message)
	if err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	return w
}

func TestBadHello(t *testing.T) {
	r := newRig(t, HandlerOptions{HelloTimeout: 100 * time.Millisecond})
	tests := []struct{ name, message, code string }{
		{"other version", `{"t":"hello","version":2,"max_message":65536,"heartbeat_ms":5000}`, refusedVersion},
		{"no version", `{"t":"hello"}`, refusedVersion},
		{"not JSON", `hello`, refusedHello},
		{"two frames", `{"t":"hello","version":1}` + "\n" + `{"t":"ping"}`, refusedHello},
		{"not a hello", `{"t":"ping","version":1}`, refusedHello},
		{"wrong type", `{"t":"hello","version":1,"max_message":"x"}`, refusedHello},
		{"tiny limit", `{"t":"hello","version":1,"max_message":10,"heartbeat_ms":5000}`, refusedHello},
		{"no heartbeat", `{"t":"hello","version":1,"max_message":65536}`, refusedHello},
		{"slow heartbeat", `{"t":"hello","version":1,"max_message":65536,"heartbeat_ms":9000000}`, refusedHello},
		{"bad config", `{"t":"hello","version":1,"max_message":65536,"heartbeat_ms":5000,"config":[]}`, refusedOpen},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := dialRaw(t, r, Version)
			c.write(t, test.message)
			_, message, err := c.ws.Read(c.ctx)
			if err != nil {
				t.Fatal(err)
			}
			var no refused
			if err := json.Unmarshal(message, &no); err != nil || no.T != kindRefused || no.Code != test.code || no.Version != Version {
				t.Errorf("got %s", message)
			}
			if _, _, err := c.ws.Read(c.ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("then %v", err)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		c := dialRaw(t, r, Version)
		if _, _, err := c.ws.Read(c.ctx); err == nil || c.ctx.Err() != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("too long", func(t *testing.T) {
		c := dialRaw(t, r, Version)
		_ = c.ws.Write(c.ctx, websocket.MessageText, make([]byte, 5<<20))
		var err error
		for err == nil { // a refusal may come before the end
			_, _, err = c.ws.Read(c.ctx)
		}
		if c.ctx.Err() != nil {
			t.Errorf("got %v", err)
		}
	})
	if s := r.handler.Stats(); s.Sessions != 0 {
		t.Errorf("%+v", s)
	}
}

func TestGarbageFrames(t *testing.T) {
	r := newRig(t, HandlerOptions{MaxInFlight: 4, MaxMessageBytes: 64 << 10})
	r.far.holdSend = make(chan struct{})
	tests := []struct {
		name, message string
		status        websocket.StatusCode // 0: it goes on
	}{
		{"not JSON", "\x00\x01\x02", websocket.StatusProtocolError},
		{"half", `{"t":"ack","upto":`, websocket.StatusProtocolError},
		{"array", `[1,2]`, websocket.StatusProtocolError},
		{"no kind", `{"id":1}`, websocket.StatusProtocolError},
		{"kind is a number", `{"t":1}`, websocket.StatusProtocolError},
		{"negative id", `{"t":"cancel","id":-1}`, websocket.StatusProtocolError},
		{"huge id", `{"t":"cancel","id":18446744073709551616}`, websocket.StatusProtocolError},
		{"bad spans", `{"t":"ack","upto":1,"also":[[2,1]]}`, websocket.StatusProtocolError},
		{"second hello", `{"t":"hello","version":1}`, websocket.StatusProtocolError},
		{"good then bad", `{"t":"ping"}` + "\n" + `{`, websocket.StatusProtocolError},
		{"used id", `{"t":"req","id":1,"op":"login","body":{"user_id":"a"}}` + "\n" +
			`{"t":"req","id":2,"op":"send","body":{"message":{"message_elem_array":[]}}}` + "\n" +
			`{"t":"req","id":2,"op":"send","body":{"message":{"message_elem_array":[]}}}`, websocket.StatusProtocolError},
		{"more than in flight", strings.Join([]string{
			`{"t":"req","id":1,"op":"login"}`, `{"t":"req","id":2,"op":"login"}`, `{"t":"req","id":3,"op":"login"}`,
			`{"t":"req","id":4,"op":"login"}`, `{"t":"req","id":5,"op":"login"}`, `{"t":"req","id":6,"op":"login"}`,
			`{"t":"req","id":7,"op":"login"}`, `{"t":"req","id":8,"op":"login"}`, `{"t":"req","id":9,"op":"login"}`,
		}, "\n"), websocket.StatusProtocolError},
		{"oversized", `{"t":"ping","x":"` + strings.Repeat("x", 70<<10) + `"}`, websocket.StatusMessageTooBig},
		{"unknown kind", `{"t":"later","x":{"y":["}"]}}`, 0},
		{"unknown members", `{"t":"ping","x":{"y":["}\""]}, "z" : null }`, 0},
		{"empty lines", "\n\n" + `{"t":"ping"}` + "\n\n", 0},
		{"acknowledges what is not there", `{"t":"ack","upto":99,"also":[[100,18446744073709551615]]}`, 0},
		{"cancels what is not there", `{"t":"cancel","id":7}`, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := dialRaw(t, r, Version)
			c.hello(t)
			c.write(t, test.message)
			if test.status == 0 {
				c.write(t, `{"t":"req","id":1000,"op":"logout"}`)
			}
			for {
				_, message, err := c.ws.Read(c.ctx)
				if err == nil {
					if test.status == 0 {
						if string(message) != `{"t":"res","id":1000}`+"\n" {
							t.Errorf("got %s", message)
						}
						c.write(t, `{"t":"bye"}`)
						test.status = websocket.StatusNormalClosure
					}
					continue
				}
				if websocket.CloseStatus(err) != test.status {
					t.Errorf("got %v", err)
				}
				return
			}
		})
	}
}

func TestBadRequestsAreAnswered(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	c := dialRaw(t, r, Version)
	c.hello(t)
	for i, test := range []struct{ op, body string }{
		{"send", `{"conv_type":1,"conv_id":"b"}`},
		{"send", `{"conv_type":300,"conv_id":"b","message":{}}`},
		{"send", `{"conv_type":1,"conv_id":7,"message":{}}`},
		{"send", `{"conv_type":1,"conv_id":"b","message":[}}`},
		{"send", `7`},
		{"login", `{`},
		{"revoke", `{"conv_type":1,"conv_id":"b"}`},
		{"create_group", `[]`},
		{"fly", `{}`},
		{"conversations", `{}`},
	} {
		frame := fmt.Sprintf(`{"t":"req","id":%d,"op":%q,"body":%s}`, i+1, test.op, test.body)
		if test.body == `{` {
			continue // is no frame at all
		}
		c.write(t, frame)
		_, message, err := c.ws.Read(c.ctx)
		if err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		f, err := parseFrame(message[:len(message)-1])
		if err != nil || f.kind != kindReply || f.id != uint64(i+1) {
			t.Fatalf("%s: %s: %v", frame, message, err)
		}
		e, ok := tim.AsError(decodeFailure(test.op, f.failure))
		if !ok || e.Effect != tim.EffectNotDone ||
			e.Code != tim.CodeInvalidParameters && e.Code != tim.CodeSDKInterfaceNotSupport {
			t.Errorf("%s: %v", frame, e)
		}
	}
}

// TestClientThatDoesNotRead is disconnected when a write to it does not end.
func TestClientThatDoesNotRead(t *testing.T) {
	r := newRig(t, HandlerOptions{Heartbeat: 50 * time.Millisecond})
	c := dialRaw(t, r, Version)
	c.write(t, `{"t":"hello","version":1,"sdkappid":1,"max_message":1048576,"heartbeat_ms":50}`)
	if _, _, err := c.ws.Read(c.ctx); err != nil {
		t.Fatal(err)
	}
	c.write(t, `{"t":"req","id":1,"op":"login","body":{"user_id":"alice","user_sig":""}}`)
	go func() {
		for c.ws.Write(c.ctx, websocket.MessageText, []byte(`{"t":"ping"}`)) == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	eventually(t, "signed in", func() bool { return r.far.signedIn() == 1 })
	text := strings.Repeat("x", 512<<10)
	for range 60 {
		r.far.tell("alice", received(text))
	}
	eventually(t, "disconnected", func() bool { return r.handler.Stats().Connections == 0 })
	_ = c.ws.CloseNow()
}

// TestGarbageFromTheServer: the client breaks off and tries again.
func TestGarbageFromTheServer(t *testing.T) {
	greeting := `{"t":"welcome","version":1,"session":"abcdef","max_message":65536,"max_in_flight":4,"max_unacked":2,"heartbeat_ms":5000}`
	tests := []struct{ name, message string }{
		{"not JSON", "x"},
		{"report without an event", `{"t":"report","n":1}`},
		{"more than may be", `{"t":"report","n":1,"event":{}}` + "\n" + `{"t":"report","n":2,"event":{}}` + "\n" + `{"t":"report","n":3,"event":{}}`},
		{"oversized", `{"t":"ping","x":"` + strings.Repeat("x", 10<<10) + `"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			calls := make(chan struct{}, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer func() { _ = ws.CloseNow() }()
				calls <- struct{}{}
				_, _, _ = ws.Read(r.Context())
				_ = ws.Write(r.Context(), websocket.MessageText, []byte(greeting))
				_ = ws.Write(r.Context(), websocket.MessageText, []byte(test.message))
				for err == nil {
					_, _, err = ws.Read(r.Context())
				}
			}))
			defer server.Close()
			d := NewDriver(Options{URL: server.URL, MaxMessageBytes: 8 << 10, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
			c, err := d.Open(within(t, 10*time.Second), tim.Config{})
			if err != nil {
				t.Fatal(err)
			}
			<-calls
			<-calls // it came again
			_ = c.Close()
		})
	}
}

func TestBadWelcome(t *testing.T) {
	tests := []struct {
		name, message string
		is            error
	}{
		{"other version", `{"t":"welcome","version":9,"session":"s","max_message":65536,"max_in_flight":4,"max_unacked":2,"heartbeat_ms":5000}`, ErrVersion},
		{"refused for its version", `{"t":"refused","code":"version","desc":"this server speaks 9","version":9}`, ErrVersion},
		{"no session", `{"t":"welcome","version":1,"max_message":65536,"max_in_flight":4,"max_unacked":2,"heartbeat_ms":5000}`, errFrame},
		{"no limits", `{"t":"welcome","version":1,"session":"s"}`, errFrame},
		{"something else", `{"t":"ping"}`, errFrame},
		{"garbage", `<html>`, errFrame},
		{"busy", `{"t":"refused","code":"too_many_sessions","desc":"full","version":1}`, ErrBusy},
		{"unheard of", `{"t":"refused","code":"later","desc":"?","version":1}`, ErrConnection},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer func() { _ = ws.CloseNow() }()
				_, _, _ = ws.Read(r.Context())
				_ = ws.Write(r.Context(), websocket.MessageText, []byte(test.message))
				_, _, _ = ws.Read(r.Context())
			}))
			defer server.Close()
			_, err := NewDriver(Options{URL: server.URL}).Open(within(t, 10*time.Second), tim.Config{})
			e, ok := tim.AsError(err)
			if !ok || !errors.Is(err, test.is) || e.Effect != tim.EffectNotDone {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("not a WebSocket", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		_, err := NewDriver(Options{URL: server.URL}).Open(within(t, 10*time.Second), tim.Config{})
		if !errors.Is(err, ErrConnection) || !strings.Contains(err.Error(), "404") {
			t.Errorf("got %v", err)
		}
	})
}
