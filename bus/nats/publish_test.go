package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

// TestBatches: how a part is cut does not show in what is stored.
func TestBatches(t *testing.T) {
	for name, c := range map[string]struct {
		opts  server.Options
		cfg   Config
		sizes []int
	}{
		"whole":                         {sizes: []int{1, 2, 999, 1000, 1001}},
		"bounded in messages":           {cfg: Config{BatchMessages: 7}, sizes: []int{1, 7, 8, 50}},
		"bounded in bytes":              {cfg: Config{BatchBytes: 1000}, sizes: []int{1, 20, 3}},
		"a server that takes less":      {opts: server.Options{JetStreamLimits: server.JSLimitOpts{MaxBatchSize: 60}}, sizes: []int{500, 100, 1}},
		"a server that takes one batch": {opts: server.Options{JetStreamLimits: server.JSLimitOpts{MaxBatchInflightPerStream: 1}}, sizes: []int{30, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.SyncAlways = true
			cfg := c.cfg
			cfg.URL = startServer(t, &c.opts).ClientURL()
			b := mustOpen(t, cfg)
			j := newJournal(t)
			for _, n := range c.sizes {
				j.round(t, b, j.messages(n, bus.Events, 300))
			}
			j.checkOnce(t, b)
		})
	}
}

// TestFullStream: what has room is stored in order, the rest waits.
func TestFullStream(t *testing.T) {
	srv := startServer(t, &server.Options{})
	b := mustOpen(t, Config{URL: srv.ClientURL()})
	j := newJournal(t)
	j.round(t, b, j.messages(20, bus.Events, 10))
	limit := func(n int64) {
		s, err := b.js.Stream(t.Context(), "tim-events")
		if err != nil {
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		c.Discard, c.MaxMsgs = jetstream.DiscardNew, n
		if _, err := b.js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	limit(90)
	msgs := j.messages(100, bus.Events, 10)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	for look := range 3 {
		err := b.Send(t.Context(), plan, msgs, look > 0)
		var target *bus.TargetError
		if !errors.As(err, &target) || !strings.Contains(err.Error(), "full") {
			t.Fatalf("a full stream gives %v", err)
		}
		info, err := b.info(t.Context(), "tim-events")
		if err != nil || info.State.Msgs != 90 {
			t.Fatalf("%d messages on a stream that has room for 90 (%v)", info.State.Msgs, err)
		}
	}
	limit(-1)
	j.send(t, b, plan, msgs)
	j.checkOnce(t, b)
}

// TestRefused names what is too large for whatever limit.
func TestRefused(t *testing.T) {
	srv := startServer(t, &server.Options{MaxPayload: 200_000})
	b := mustOpen(t, Config{URL: srv.ClientURL(), Events: StreamConfig{MaxMessageBytes: 5000}, DeadLetters: StreamConfig{MaxBytes: 20_000}})
	for name, c := range map[string]struct {
		stream bus.Stream
		size   int
		header int
		limit  int64
	}{
		"the stream's message":  {bus.Events, 6000, 0, 5000},
		"the stream as a whole": {bus.DeadLetters, 30_000, 0, 20_000},
		"the server's payload":  {bus.Outcomes, 300_000, 0, 200_000},
		"its headers":           {bus.Outcomes, 10, 70_000, maxHeader},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJournal(t)
			msgs := j.messages(3, c.stream, 10)
			if c.size > 10 {
				large := newJournal(t)
				large.id, large.next = j.id, msgs[1].Sequence-1
				msgs[1] = large.messages(1, c.stream, c.size)[0]
			}
			msgs[1].Event.SetExtension("causationid", strings.Repeat("x", c.header))
			plan, err := b.Plan(t.Context(), msgs)
			if err != nil {
				t.Fatal(err)
			}
			err = b.Send(t.Context(), plan, msgs, false)
			var refused *bus.RefusedError
			if !errors.As(err, &refused) || refused.Sequence != msgs[1].Sequence || refused.Limit != c.limit || refused.Size <= c.limit {
				t.Fatalf("refused as %+v (%v)", refused, err)
			}
			if got := dump(t, b, c.stream); len(got) != 0 {
				t.Errorf("%d messages of the round are stored", len(got))
			}
		})
	}
	// A limit that was lowered since the stream was asked.
	j := newJournal(t)
	j.round(t, b, j.messages(3, bus.Events, 10))
	s, err := b.js.Stream(t.Context(), "tim-events")
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.MaxMsgSize = 1500
	if _, err := b.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 4} {
		msgs := j.messages(n, bus.Events, 2000)
		plan, err := b.Plan(t.Context(), msgs)
		if err != nil {
			t.Fatal(err)
		}
		err = b.Send(t.Context(), plan, msgs, false)
		if refused := (*bus.RefusedError)(nil); !errors.As(err, &refused) || refused.Sequence != msgs[0].Sequence {
			t.Errorf("%d messages over a lowered limit: %v", n, err)
		}
	}
}

// TestNotStamped: a message without its stamps is a mistake of ours, and is not
// sent.
func TestNotStamped(t *testing.T) {
	b := mustOpen(t, Config{URL: startServer(t, &server.Options{}).ClientURL()})
	msgs := []bus.Message{{Stream: bus.Events, Sequence: 7, Event: testEvent("t", "", "")}}
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), plan, msgs, false); err == nil || !strings.Contains(err.Error(), "timbridge and sequence") {
		t.Errorf("send: %v", err)
	}
}

// requests counts what a bus asks of the server's API.
func requests(t testing.TB, srv *server.Server) *atomic.Int64 {
	t.Helper()
	js := admin(t, strings.TrimPrefix(srv.ClientURL(), "nats://"))
	var n atomic.Int64
	nc := js.Conn()
	if _, err := nc.Subscribe("$JS.API.>", func(*nats.Msg) { n.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return &n
}

// TestPlanIsCheap: a round of a lone writer asks the server nothing but to
// store; where others write, each plan asks once.
func TestPlanIsCheap(t *testing.T) {
	srv := startServer(t, &server.Options{})
	b, other := mustOpen(t, Config{URL: srv.ClientURL()}), mustOpen(t, Config{URL: srv.ClientURL()})
	j, k := newJournal(t), newJournal(t)
	j.round(t, b, j.messages(3, bus.Events, 10))
	n := requests(t, srv)
	for range 20 {
		j.round(t, b, j.messages(3, bus.Events, 10))
	}
	if got := n.Load(); got != 0 {
		t.Errorf("%d requests for 20 rounds of a lone writer", got)
	}
	for range 40 {
		j.round(t, b, j.messages(2, bus.Events, 10))
		k.round(t, other, k.messages(2, bus.Events, 10))
	}
	n.Store(0)
	for range 20 {
		j.round(t, b, j.messages(2, bus.Events, 10))
		k.round(t, other, k.messages(2, bus.Events, 10))
	}
	t.Logf("%d requests for 40 rounds of two writers", n.Load())
	if got := n.Load(); got > 60 {
		t.Errorf("%d requests for 40 rounds of two writers", got)
	}
}

// TestPlanOutlivesRoutes: a plan goes where it says, though the configuration
// has changed since.
func TestPlanOutlivesRoutes(t *testing.T) {
	srv := startServer(t, &server.Options{})
	routed := Config{URL: srv.ClientURL(), Routes: []Route{{Types: "message.*", StreamConfig: StreamConfig{Name: "talk", Subject: "acme.talk"}}}}
	b := mustOpen(t, routed)
	j := newJournal(t)
	msgs := j.messages(5, bus.Events, 10)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	next := mustOpen(t, Config{URL: srv.ClientURL()})
	j.send(t, next, plan, msgs)
	if got := dump(t, next, bus.Events); len(got) != 0 {
		t.Errorf("%d messages went by the new routes", len(got))
	}
	j.checkOnce(t, b) // which follows the routed stream too
	if losses, err := next.Verify(t.Context(), j.id, plan.Parts); err != nil || len(losses) != 0 {
		t.Errorf("verify: %+v, %v", losses, err)
	}
}

// TestLookIsEfficient: a look over many messages of others takes few requests.
func TestLookIsEfficient(t *testing.T) {
	srv := startServer(t, &server.Options{})
	b, other := mustOpen(t, Config{URL: srv.ClientURL()}), mustOpen(t, Config{URL: srv.ClientURL()})
	j, k := newJournal(t), newJournal(t)
	j.round(t, b, j.messages(10, bus.Events, 10))
	msgs := j.messages(10, bus.Events, 10)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		k.round(t, other, k.messages(1000, bus.Events, 10))
	}
	n := requests(t, srv)
	start := time.Now()
	if err := b.Send(t.Context(), plan, msgs, true); err != nil {
		t.Fatal(err)
	}
	t.Logf("looked over 10,000 messages in %s with %d requests", time.Since(start).Round(time.Millisecond), n.Load())
	if n.Load() > 30 {
		t.Errorf("%d requests", n.Load())
	}
}

// TestMessageIDs: the id is the journal and the sequence as the event has it.
func TestMessageIDs(t *testing.T) {
	b := mustOpen(t, Config{URL: startServer(t, &server.Options{}).ClientURL(), Structured: true})
	j := newJournal(t)
	j.round(t, b, j.messages(2, bus.Events, 10))
	for i := range 2 {
		m, err := b.get(t.Context(), "tim-events", getRequest{Seq: uint64(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		if id, want := m.header.Get(jetstream.MsgIDHeader), fmt.Sprintf("%s/%020d", j.id, i+1); id != want {
			t.Errorf("id %q, not %q", id, want)
		}
		if id, n, ok := owner(m.header); !ok || id != j.id || n != uint64(i+1) {
			t.Errorf("owner %q %d %v", id, n, ok)
		}
	}
}

func TestSendEndsWithContext(t *testing.T) {
	p := newProcess(t)
	b := mustOpen(t, testConfig(t, p.addr()))
	j := newJournal(t)
	msgs := j.messages(2, bus.Events, 10)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	p.kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := b.Send(ctx, plan, msgs, true); err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("send to a server that is gone: %v after %s", err, time.Since(start))
	}
	if _, err := b.Verify(ctx, j.id, plan.Parts); err == nil {
		t.Error("verify without a server")
	}
}
