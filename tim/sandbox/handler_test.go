package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// request makes a request and gives the status and the body.
func request(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx(t), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

func TestHealth(t *testing.T) {
	w := open(t, options())
	h, err := w.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	server := httptest.NewServer(h)
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if status, body := request(t, "GET", server.URL+"/healthz", "", ""); status != 200 || !strings.Contains(body, `"ok"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := request(t, "POST", server.URL+"/control/kick", "", `{"account":"alice"}`); status != 401 {
		t.Errorf("control, which is switched off, gives %d", status)
	}
	w.Close()
	if status, body := request(t, "GET", server.URL+"/healthz", "", ""); status != 503 || !strings.Contains(body, "closed") {
		t.Errorf("%d %s", status, body)
	}
	if _, err := w.Handler(sandbox.HandlerOptions{}); err == nil {
		t.Error("a handler without a token is made")
	}
}

func TestControl(t *testing.T) {
	w := open(t, options())
	h, err := w.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: "wire"}, ControlToken: "control"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	driver := wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http"), Token: "wire"})
	alice, bob := w.clientOf(driver, "alice"), w.clientOf(driver, "bob")
	defer alice.Close()
	defer bob.Close()
	alice.login()
	bob.login()

	for _, tt := range []struct {
		method, path, token, body string
		status                    int
		has                       string
	}{
		{"GET", "stats", "", "", 401, "token"},
		{"GET", "stats", "wire", "", 401, "token"},
		{"GET", "stats", "control", "", 200, `"sessions":2`},
		{"GET", "nothing", "control", "", 404, "no such"},
		{"GET", "kick", "control", "", 404, "no such"},
		{"POST", "faults", "control", `{"do":"explode"}`, 400, "explode"},
		{"POST", "faults", "control", `{"do":"delay","delay":"soon"}`, 400, "soon"},
		{"POST", "faults", "control", `{"do":"delay","delay":"1s","dalay":1}`, 400, "dalay"},
		{"POST", "faults", "control", `{"do":"error","code":20005,"effect":"maybe"}`, 400, "maybe"},
		{"POST", "faults", "control", `{"do":"drop_after"} {}`, 400, "follows"},
		{"POST", "faults", "control", strings.Repeat(" ", 70<<10) + `{"do":"drop_after"}`, 400, "large"},
		{"POST", "faults", "control", `{"call":"send","do":"drop_after","account":"alice"}`, 200, "{}"},
		{"POST", "faults", "control", `[{"call":"send","account":"bob","do":"error","code":20005,"effect":"not_done"},{"call":"send","account":"bob","do":"delay","delay":"1ms","count":-1}]`, 200, "{}"},
		{"GET", "faults", "control", "", 200, `{"call":"send","account":"bob","do":"error","count":1,"code":20005,"effect":"not_done"}`},
		{"POST", "kick", "control", `{}`, 400, "account"},
		{"POST", "kick", "control", `{"account":"ünïcode"}`, 409, "70107"},
		{"POST", "notify", "control", `{"group":"none","content":"x"}`, 409, "10010"},
		{"POST", "notify", "control", `{"grop":"none"}`, 400, "grop"},
		{"POST", "snapshot", "control", "", 200, "{}"},
	} {
		status, body := request(t, tt.method, server.URL+"/control/"+tt.path, tt.token, tt.body)
		if status != tt.status || !strings.Contains(body, tt.has) || !json.Valid([]byte(body)) {
			t.Errorf("%s %s %.80s: %d %s", tt.method, tt.path, tt.body, status, body)
		}
	}
	control := func(path, body string) {
		t.Helper()
		if status, reply := request(t, "POST", server.URL+"/control/"+path, "control", body); status != 200 {
			t.Fatalf("%s: %d %s", path, status, reply)
		}
	}
	_, err = alice.Send(ctx(t), tim.C2C("bob"), text("lost answer"))
	if e, _ := tim.AsError(err); e == nil || e.Effect != tim.EffectUnknown {
		t.Errorf("a lost answer is %v", err)
	}
	bob.message("lost answer")
	_, err = bob.Send(ctx(t), tim.C2C("alice"), text("x"))
	wantCode(t, "bob sends", err, tim.CodeSvrMsgInternalError1)
	if status, _ := request(t, "DELETE", server.URL+"/control/faults", "control", ""); status != 200 {
		t.Errorf("clearing gives %d", status)
	}
	control("disconnect", `{"account":"alice"}`)
	if e := waitFor[tim.ConnectionChanged](alice); e.Status == tim.NetworkConnected {
		t.Errorf("alice is told %+v", e)
	}
	alice.wait("connected", func(r tim.Report) bool {
		e, ok := r.Event.(tim.ConnectionChanged)
		return ok && e.Status == tim.NetworkConnected
	})
	control("reconnect", `{"account":"alice"}`)
	control("expire", `{"account":"alice"}`)
	waitFor[tim.UserSigExpired](alice)
	control("kick", `{"account":"bob"}`)
	waitFor[tim.KickedOffline](bob)
}
