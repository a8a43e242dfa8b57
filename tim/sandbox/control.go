package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// control is the HTTP endpoint that makes faults: JSON in, JSON out.
//
//	GET    /control/stats                                what the sandbox holds
//	GET    /control/faults                               faults still to come
//	POST   /control/faults                               one Fault, or a list
//	DELETE /control/faults                               no more faults
//	POST   /control/kick         {"account"}             Faults.Kick
//	POST   /control/expire       {"account"}             Faults.ExpireUserSig
//	POST   /control/disconnect   {"account", "after"}    Faults.Disconnect
//	POST   /control/reconnect    {"account"}             Faults.Reconnect
//	POST   /control/tell         {"account", "callback", "args"}  Faults.Tell
//	POST   /control/notify       {"group", "content", "users"}  Sandbox.NotifyGroup
//	POST   /control/snapshot                             Sandbox.Snapshot
//
// Times are written as "1.5s"; an effect is "unknown", "not_done" or "done".
type control struct {
	s     *Sandbox
	token string
}

// maxControlBytes bounds a request's body.
const maxControlBytes = 64 << 10

func newControl(s *Sandbox, token string) *control { return &control{s, token} }

func (c *control) routes(mux *http.ServeMux) {
	handle := func(pattern string, f func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, f) })
	}
	handle("GET /control/stats", func(*http.Request) (any, error) { return c.s.Stats(), nil })
	handle("GET /control/faults", func(*http.Request) (any, error) {
		return c.s.faults.Pending(), nil
	})
	handle("POST /control/faults", c.addFaults)
	handle("DELETE /control/faults", func(*http.Request) (any, error) { c.s.faults.Clear(); return done{}, nil })
	handle("POST /control/kick", c.account(func(a accountJSON) (any, error) { return done{}, c.s.faults.Kick(a.Account) }))
	handle("POST /control/expire", c.account(func(a accountJSON) (any, error) { return done{}, c.s.faults.ExpireUserSig(a.Account) }))
	handle("POST /control/disconnect", c.account(func(a accountJSON) (any, error) {
		return done{Cut: c.s.faults.Disconnect(a.Account, time.Duration(a.After))}, nil
	}))
	handle("POST /control/reconnect", c.account(func(a accountJSON) (any, error) { c.s.faults.Reconnect(a.Account); return done{}, nil }))
	handle("POST /control/tell", c.tell)
	handle("POST /control/notify", c.notify)
	handle("POST /control/snapshot", func(r *http.Request) (any, error) { return done{}, c.s.Snapshot(r.Context()) })
	handle("/control/", func(*http.Request) (any, error) { return nil, errNoSuchControl })
}

// done is the answer where there is nothing to say.
type done struct {
	Cut  int `json:"cut,omitempty"`
	Told int `json:"told,omitempty"`
}

// accountJSON is the body of what is done to an account.
type accountJSON struct {
	Account tim.UserID `json:"account"`
	After   duration   `json:"after"`
}

var (
	errNoSuchControl = errors.New("there is no such control")
	errBody          = errors.New("the body is not understood")
)

func (c *control) serve(w http.ResponseWriter, r *http.Request, f func(*http.Request) (any, error)) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) != 1 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="timbridge control"`)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "the token is missing or wrong"}, c.s.log)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxControlBytes)
	reply, err := f(r)
	if err == nil {
		writeJSON(w, http.StatusOK, reply, c.s.log)
		return
	}
	status, body := http.StatusInternalServerError, map[string]any{"error": err.Error()}
	switch e, ok := tim.AsError(err); {
	case errors.Is(err, errNoSuchControl):
		status = http.StatusNotFound
	case errors.Is(err, errBody):
		status = http.StatusBadRequest
	case ok:
		status, body["code"] = http.StatusConflict, e.Code
	}
	writeJSON(w, status, body, c.s.log)
}

func (c *control) addFaults(r *http.Request) (any, error) {
	faults, err := parseFaults(r.Body)
	if err != nil {
		return nil, err
	}
	if err := c.s.faults.Add(faults...); err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	return done{}, nil
}

func (c *control) tell(r *http.Request) (any, error) {
	var t struct {
		Account  tim.UserID      `json:"account"`
		Callback string          `json:"callback"`
		Args     json.RawMessage `json:"args"`
	}
	if err := decodeStrictly(r.Body, &t); err != nil {
		return nil, err
	}
	told, err := c.s.faults.Tell(t.Account, t.Callback, t.Args)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	return done{Told: told}, nil
}

func (c *control) notify(r *http.Request) (any, error) {
	var n struct {
		Group   tim.GroupID  `json:"group"`
		Content string       `json:"content"`
		Users   []tim.UserID `json:"users"`
	}
	if err := decodeStrictly(r.Body, &n); err != nil {
		return nil, err
	}
	return done{}, c.s.NotifyGroup(r.Context(), n.Group, n.Content, n.Users...)
}

func (c *control) account(f func(accountJSON) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var a accountJSON
		if err := decodeStrictly(r.Body, &a); err != nil {
			return nil, err
		}
		if a.Account == "" {
			return nil, fmt.Errorf("%w: account is missing", errBody)
		}
		return f(a)
	}
}

// decodeStrictly reads one JSON value with known members only.
func decodeStrictly(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the value", errBody)
	}
	return nil
}

// parseFaults reads one fault or a list.
func parseFaults(r io.Reader) ([]Fault, error) {
	var raw json.RawMessage
	if err := decodeStrictly(r, &raw); err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		var list []Fault
		err := decodeStrictly(strings.NewReader(string(raw)), &list)
		return list, err
	}
	var one Fault
	err := decodeStrictly(strings.NewReader(string(raw)), &one)
	return []Fault{one}, err
}

// faultFields are the members of a fault in JSON.
type faultFields struct {
	Call    Call       `json:"call,omitempty"`
	Account tim.UserID `json:"account,omitempty"`
	Do      Trouble    `json:"do"`
	Count   int        `json:"count,omitempty"`
	Code    tim.Code   `json:"code,omitempty"`
	Effect  string     `json:"effect,omitempty"`
	Delay   duration   `json:"delay,omitempty"`
}

// MarshalJSON writes the fault as people do: {"call":"send","do":"delay","delay":"1.5s"}.
func (f Fault) MarshalJSON() ([]byte, error) {
	v := faultFields{Call: f.Call, Account: f.Account, Do: f.Do, Count: f.Count, Code: f.Code, Delay: duration(f.Delay)}
	if f.Effect != tim.EffectUnknown {
		v.Effect = f.Effect.String()
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads it, and refuses members that it does not know.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var v faultFields
	if err := decodeStrictly(strings.NewReader(string(b)), &v); err != nil {
		return err
	}
	*f = Fault{Call: v.Call, Account: v.Account, Do: v.Do, Count: v.Count, Code: v.Code, Delay: time.Duration(v.Delay)}
	switch v.Effect {
	case "", tim.EffectUnknown.String():
	case tim.EffectNotDone.String():
		f.Effect = tim.EffectNotDone
	case tim.EffectDone.String():
		f.Effect = tim.EffectDone
	default:
		return fmt.Errorf("effect %q is not known", v.Effect)
	}
	return nil
}

// duration is written as "1.5s".
type duration time.Duration

// MarshalJSON writes "1.5s".
func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads "1.5s".
func (d *duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time is written like \"1.5s\": %w", err)
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a time like \"1.5s\"", s)
	}
	*d = duration(v)
	return nil
}
