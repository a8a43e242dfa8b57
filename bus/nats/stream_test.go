package nats

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

func TestConfigRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		says string
	}{
		"nowhere":            {Config{}, "no URL"},
		"twice":              {Config{URL: "x", Embedded: &EmbeddedConfig{Dir: "d"}}, "both"},
		"no directory":       {Config{Embedded: &EmbeddedConfig{}}, "directory"},
		"two credentials":    {Config{URL: "x", Token: "a", User: "b"}, "more than one"},
		"manage":             {Config{URL: "x", Manage: "perhaps"}, "manage"},
		"shard":              {Config{URL: "x", Shard: bus.Shard{Index: 2, Count: 2}}, "shard"},
		"window":             {Config{URL: "x", DuplicateWindow: time.Millisecond}, "window"},
		"window over age":    {Config{URL: "x", Events: StreamConfig{MaxAge: time.Minute}}, "window"},
		"batch":              {Config{URL: "x", BatchMessages: 1001}, "batch"},
		"stream name":        {Config{URL: "x", Events: StreamConfig{Name: "a.b"}}, "stream name"},
		"subject":            {Config{URL: "x", Events: StreamConfig{Subject: "a.*"}}, "subject"},
		"one name twice":     {Config{URL: "x", Events: StreamConfig{Name: "same"}, Outcomes: StreamConfig{Name: "same"}}, "twice"},
		"overlapping":        {Config{URL: "x", Events: StreamConfig{Subject: "tim"}}, "overlap"},
		"a route's pattern":  {Config{URL: "x", Routes: []Route{{Types: "[", StreamConfig: StreamConfig{Name: "r", Subject: "r"}}}}, "pattern"},
		"a route's stream":   {Config{URL: "x", Routes: []Route{{Types: "*", StreamConfig: StreamConfig{Subject: "r"}}}}, "stream name"},
		"everything at once": {Config{Manage: "x", BatchMessages: -1}, "batch"},
	} {
		if _, err := Open(t.Context(), c.cfg); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStreams: what is made is as configured, what is different is said, what
// is to be changed is changed.
func TestStreams(t *testing.T) {
	srv := startServer(t, &server.Options{})
	cfg := Config{
		URL:             srv.ClientURL(),
		Events:          StreamConfig{Name: "ev", Subject: "acme.ev", MaxAge: time.Hour, MaxBytes: 1 << 20, MaxMessages: 1000, MaxMessageBytes: 4096},
		Routes:          []Route{{Types: "message.*", StreamConfig: StreamConfig{Name: "talk", Subject: "acme.talk"}}},
		DuplicateWindow: time.Minute,
	}
	check := cfg
	check.Manage = bus.ManageCheck
	_, err := open(t, check)
	var ce *ConfigError
	if !errors.As(err, &ce) || !ce.Missing {
		t.Fatalf("missing streams give %v", err)
	}
	for _, name := range []string{"ev", "talk", "tim-commands", "tim-outcomes", "tim-deadletters"} {
		if !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("%q is missing in %v", name, err)
		}
	}
	b, err := open(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, check); err != nil {
		t.Errorf("what was made is not as configured: %v", err)
	}
	info, err := b.info(t.Context(), "ev")
	if err != nil {
		t.Fatal(err)
	}
	if c := info.Config; c.MaxAge != time.Hour || c.MaxBytes != 1<<20 || c.MaxMsgs != 1000 || c.MaxMsgSize != 4096 || c.Duplicates != time.Minute ||
		c.Discard != jetstream.DiscardOld || !slices.Equal(c.Subjects, []string{"acme.ev.>"}) || !c.AllowAtomicPublish || !c.AllowDirect {
		t.Errorf("made as %+v", c)
	}
	if info, err = b.info(t.Context(), "tim-commands"); err != nil || info.Config.Discard != jetstream.DiscardNew {
		t.Errorf("commands: %+v, %v", info, err)
	}

	different := cfg
	different.Events.MaxAge, different.Events.MaxBytes = 2*time.Hour, 0
	different.Events.Subject = "other.ev"
	_, err = open(t, different)
	if !errors.As(err, &ce) || ce.Stream != "ev" {
		t.Fatalf("different streams give %v", err)
	}
	for _, d := range []Difference{
		{"subjects", "[acme.ev.>]", "[other.ev.>]"},
		{"max_bytes", "1048576", "unlimited"},
		{"max_age", "1h0m0s", "2h0m0s"},
	} {
		if !slices.Contains(ce.Differences, d) {
			t.Errorf("%+v is not among %+v", d, ce.Differences)
		}
	}
	if len(ce.Differences) != 3 {
		t.Errorf("differences %+v", ce.Differences)
	}
	different.Manage = bus.ManageUpdate
	if _, err := open(t, different); err != nil {
		t.Errorf("update: %v", err)
	}
	// The bridge that runs with the former configuration notices.
	var target *bus.TargetError
	if err := b.Check(t.Context()); !errors.As(err, &target) || !errors.As(err, &ce) || target.Target != "ev" {
		t.Errorf("check of a changed stream: %v", err)
	}
}

// TestStreamsOfOthers: every setting that breaks what we promise is noticed.
func TestStreamsOfOthers(t *testing.T) {
	for setting, edit := range map[string]func(*jetstream.StreamConfig){
		"retention":            func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"storage":              func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"allow_atomic":         func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false },
		"allow_direct":         func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"no_ack":               func(c *jetstream.StreamConfig) { c.NoAck = true },
		"max_msgs_per_subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
		"discard":              func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew },
		"duplicate_window":     func(c *jetstream.StreamConfig) { c.Duplicates = time.Second },
		"subject_transform": func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: ">", Destination: "x.>"}
		},
		"persist_mode": func(c *jetstream.StreamConfig) {
			c.PersistMode, c.AllowAtomicPublish = jetstream.AsyncPersistMode, false
		},
	} {
		t.Run(setting, func(t *testing.T) {
			cfg, err := Config{URL: "x"}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			rs := routes(&cfg)
			have := wanted(&cfg, &rs[0])
			edit(&have)
			srv := startServer(t, &server.Options{})
			if _, err := admin(t, strings.TrimPrefix(srv.ClientURL(), "nats://")).CreateStream(t.Context(), have); err != nil {
				t.Fatal(err)
			}
			_, err = open(t, Config{URL: srv.ClientURL()})
			var ce *ConfigError
			if !errors.As(err, &ce) || !slices.ContainsFunc(ce.Differences, func(d Difference) bool { return d.Setting == setting }) {
				t.Errorf("noticed as %v", err)
			}
		})
	}
}

// TestJetStreamOff: that JetStream does not answer is what Open says when its time is over.
func TestJetStreamOff(t *testing.T) {
	opts := &server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(5 * time.Second) {
		t.Fatal("not ready")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Open(ctx, Config{URL: srv.ClientURL()}); err == nil || !strings.Contains(err.Error(), "JetStream") {
		t.Errorf("error %v", err)
	}
}

// TestStreamsMadeAgain: a server that comes back empty gets its streams again.
func TestStreamsMadeAgain(t *testing.T) {
	p := newProcess(t)
	b := mustOpen(t, testConfig(t, p.addr()))
	j := newJournal(t)
	plan := j.round(t, b, j.messages(5, bus.Events, 10))
	p.kill(t)
	p.dir += "-other"
	p.run(t)
	select {
	case <-b.Reconnected():
	case <-time.After(20 * time.Second):
		t.Fatal("not reconnected")
	}
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	losses, err := b.Verify(t.Context(), j.id, plan.Parts)
	if err != nil || len(losses) != 1 || losses[0].After != 0 {
		t.Errorf("losses %+v, %v", losses, err)
	}
}
