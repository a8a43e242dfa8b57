package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/tim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files")

const testUser tim.UserID = "bridge"

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// freeAddress is an address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newConfig is the default configuration in a folder and on ports of its own:
// sandbox and bus inside, and the journal small.
func newConfig(t testing.TB) *config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = t.TempDir()
	cfg.App.Driver.Listen = freeAddress(t)
	cfg.App.Driver.RateLimits = false
	cfg.App.Driver.Heartbeat = config.Duration(500 * time.Millisecond)
	cfg.Bus.NATS.Listen = freeAddress(t)
	cfg.HTTP.Listen = "127.0.0.1:0"
	cfg.Journal.HighWater, cfg.Journal.Reserve = 1<<20, 1<<20
	cfg.Egress.Rates = config.Rates{}
	cfg.Egress.RetryMin, cfg.Egress.RetryMax = config.Duration(10*time.Millisecond), config.Duration(200*time.Millisecond)
	return cfg
}

// running is a bridge that runs.
type running struct {
	*Bridge
	t      testing.TB
	cancel context.CancelFunc
	done   chan error
}

// launch opens a bridge and runs it, with short waits of its accounts.
func launch(t testing.TB, cfg *config.Config, opts ...Options) *running {
	t.Helper()
	b, err := openBridge(t, cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, b)
}

func openBridge(t testing.TB, cfg *config.Config, opts ...Options) (*Bridge, error) {
	t.Helper()
	o := Options{Logger: testLogger(t)}
	if len(opts) > 0 {
		o = opts[0]
	}
	b, err := Open(t.Context(), cfg, o)
	if err != nil {
		return nil, err
	}
	for _, a := range b.accounts.list {
		a.waits = shortWaits()
	}
	return b, nil
}

func shortWaits() waits {
	return waits{
		reconnectMin: 10 * time.Millisecond, reconnectMax: 100 * time.Millisecond,
		refusedMin: 20 * time.Millisecond, refusedMax: 100 * time.Millisecond,
		kickedMin: 300 * time.Millisecond, kickedMax: time.Second,
		lost: time.Second, login: 5 * time.Second, logout: time.Second,
	}
}

func run(t testing.TB, b *Bridge) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Bridge: b, t: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- b.Run(ctx) }()
	t.Cleanup(func() { r.stop() })
	return r
}

// stop drains the bridge, once.
func (r *running) stop() {
	r.t.Helper()
	if r.cancel == nil {
		return
	}
	if r.Info().BusEmbedded {
		// A server that is ended while it makes a stream leaves goroutines.
		select {
		case <-r.bus.open:
		case <-time.After(patience):
			r.t.Error("the bus did not open")
		}
	}
	r.cancel()
	r.cancel = nil
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("the bridge ended with: %v", err)
		}
	case <-time.After(patience):
		r.t.Fatal("the bridge does not end")
	}
}

// eventually waits until what is asked for is so; what says why it is not.
func eventually(t testing.TB, what string, ok func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		is, why := ok()
		if is {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %s", what, patience, why)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (r *running) awaitReady() {
	r.t.Helper()
	eventually(r.t, "ready", func() (bool, string) {
		h := r.Health()
		return h.Ready, strings.Join(h.Reasons, "; ")
	})
}

// awaitNotReady waits for a reason that has the word in it.
func (r *running) awaitNotReady(word string) {
	r.t.Helper()
	eventually(r.t, "not ready for "+word, func() (bool, string) {
		h := r.Health()
		return !h.Ready && strings.Contains(strings.Join(h.Reasons, "; "), word), fmt.Sprint(h.Ready, h.Reasons)
	})
}

func (r *running) awaitState(want AccountState) AccountStatus {
	r.t.Helper()
	var s AccountStatus
	eventually(r.t, "account "+string(want), func() (bool, string) {
		s = r.accounts.list[0].Status()
		return s.State == want, fmt.Sprint(s)
	})
	return s
}

// watchStates collects every state that the account comes into from now on.
func watchStates(t testing.TB, b *Bridge) (states func() []AccountState) {
	a := b.accounts.list[0]
	var mu sync.Mutex
	list := []AccountState{a.Status().State}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			changed := a.forEgress().Changed
			mu.Lock()
			if s := a.Status().State; list[len(list)-1] != s {
				list = append(list, s)
			}
			mu.Unlock()
			select {
			case <-changed:
			case <-stop:
				return
			}
		}
	})
	var once sync.Once
	end := func() { once.Do(func() { close(stop); wg.Wait() }) }
	t.Cleanup(end)
	return func() []AccountState {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

// awaitPublished waits until all that is journaled is on the bus.
func (r *running) awaitPublished() {
	r.t.Helper()
	eventually(r.t, "published", func() (bool, string) {
		s := r.relay.Stats()
		return s.Lag == 0, fmt.Sprintf("lag %d, %s", s.Lag, s.Trouble)
	})
}

// get asks one of the bridge's own pages.
func (r *running) get(path string) (status int, body string) {
	r.t.Helper()
	return get(r.t, r.Info().HTTP+path)
}

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return res.StatusCode, string(b)
}

// desk is a person's connection to the bus.
func desk(t testing.TB, cfg *config.Config) bus.Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := OpenBus(ctx, cfg, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// stored reads what a stream holds now.
func stored(t testing.TB, b bus.Bus, stream bus.Stream) []*event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f, err := b.Follow(ctx, stream, bus.Start{Beginning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []*event.Event
	for {
		if f.CaughtUp() {
			return out
		}
		next, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		m, err := f.Next(next)
		stop()
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil: // an empty stream
			return out
		case err != nil:
			t.Fatal(err)
		case m.Err != nil:
			t.Fatal(m.Err)
		}
		out = append(out, m.Event)
	}
}

// ofType are the events of a type, given without its prefix and version.
func ofType(events []*event.Event, typ string) []*event.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e *event.Event) bool {
		return e.Type() != "io.timbridge."+typ+".v1"
	})
}

// texts are the texts of the message.posted among events, in order.
func texts(t testing.TB, events []*event.Event) []string {
	t.Helper()
	var out []string
	for _, e := range ofType(events, "message.posted") {
		var data struct {
			Elements []struct{ Text string }
		}
		if err := json.Unmarshal(e.Data(), &data); err != nil {
			t.Fatal(err)
		}
		for _, el := range data.Elements {
			out = append(out, el.Text)
		}
	}
	return out
}

// awaitTexts waits until exactly these texts were posted, in this order.
func awaitTexts(t testing.TB, b bus.Bus, want ...string) {
	t.Helper()
	eventually(t, "the messages", func() (bool, string) {
		got := texts(t, stored(t, b, bus.Events))
		return slices.Equal(got, want), fmt.Sprint(got)
	})
}

// awaitEvents waits until there are that many events of a type.
func awaitEvents(t testing.TB, b bus.Bus, typ string, n int) []*event.Event {
	t.Helper()
	var found []*event.Event
	eventually(t, fmt.Sprintf("%d %s", n, typ), func() (bool, string) {
		found = ofType(stored(t, b, bus.Events), typ)
		return len(found) == n, fmt.Sprint(len(found))
	})
	return found
}

// publish puts a send command on the bus.
func publish(t testing.TB, b bus.Bus, id, to, text string) {
	t.Helper()
	e := event.New()
	e.SetID(id)
	e.SetSource("test")
	e.SetType("io.timbridge.command.message.send.v1")
	e.SetExtension("timaccount", string(testUser))
	err := e.SetData("application/json", map[string]any{
		"conversation": map[string]string{"type": "c2c", "user_id": to},
		"elements":     []map[string]string{{"type": "text", "text": text}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(t.Context(), bus.Commands, &e); err != nil {
		t.Fatal(err)
	}
}

// testLogger logs to the test, as long as it runs.
func testLogger(t testing.TB) hclog.Logger {
	if !testing.Verbose() {
		return hclog.NewNullLogger()
	}
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: w, IndependentLevels: true})
}

type testWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *testWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(string(bytes.TrimRight(b, "\n")))
	}
	return len(b), nil
}

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as it was; -update writes it anew:\n%s", path, got)
	}
}
