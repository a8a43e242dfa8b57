package nats

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"

	"github.com/timbridge/timbridge/bus"
)

func embeddedConfig(t testing.TB) Config {
	t.Helper()
	cfg := testConfig(t, "")
	cfg.URL, cfg.Token = "", ""
	cfg.Embedded = &EmbeddedConfig{Dir: t.TempDir(), Port: -1, Token: testToken}
	return cfg
}

// TestEmbedded: the bridge's own server takes others in, with the token only,
// and keeps everything across a restart.
func TestEmbedded(t *testing.T) {
	cfg := embeddedConfig(t)
	start := time.Now()
	b := mustOpen(t, cfg)
	t.Logf("open after %s", time.Since(start).Round(time.Millisecond))
	if !strings.HasPrefix(b.URL(), "nats://127.0.0.1:") {
		t.Errorf("URL %s", b.URL())
	}
	if _, err := nats.Connect(b.URL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without the token: %v", err)
	}
	other := testConfig(t, strings.TrimPrefix(b.URL(), "nats://"))
	tools := mustOpen(t, other)
	if _, err := tools.Publish(t.Context(), bus.Commands, testEvent("io.timbridge.command.message.send.v1", "", "bot")); err != nil {
		t.Fatal(err)
	}
	if d := b.Durability(t.Context()); d.Sync != SyncAlways {
		t.Errorf("durability %+v", d)
	}
	j := newJournal(t)
	j.round(t, b, j.messages(100, bus.Events, 100))
	_ = tools.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, cfg)
	j.checkOnce(t, again)
	if got := dump(t, again, bus.Commands); len(got) != 1 {
		t.Errorf("%d commands", len(got))
	}
}

func TestEmbeddedPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := embeddedConfig(t)
	cfg.Embedded.Port = l.Addr().(*net.TCPAddr).Port
	_, err = Open(t.Context(), cfg)
	var port *PortError
	if !errors.As(err, &port) || port.Addr != l.Addr().String() {
		t.Errorf("a taken port gives %v", err)
	}
	// And when it is taken between the look and the server's own listening.
	e := &embedded{cfg: *cfg.Embedded, log: cfg.Logger, port: cfg.Embedded.Port}
	e.cfg.Host, e.cfg.MaxPayload = "127.0.0.1", 1<<20
	if err := e.start(); !errors.As(err, &port) {
		t.Errorf("a port taken late gives %v", err)
	}
}

// TestEmbeddedRevived: a JetStream that switched itself off is switched on.
func TestEmbeddedRevived(t *testing.T) {
	b := mustOpen(t, embeddedConfig(t))
	j := newJournal(t)
	j.round(t, b, j.messages(10, bus.Events, 100))
	srv, _ := b.embedded.present()
	if err := srv.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); err == nil {
		t.Error("check says all is well while JetStream is off")
	}
	select {
	case <-b.Reconnected():
	case <-time.After(15 * time.Second):
		t.Fatal("it was not switched on")
	}
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	j.round(t, b, j.messages(10, bus.Events, 100))
	j.checkOnce(t, b)
}

// What the server says whenever it was killed before is no warning.
func TestRebuildingIsNoWarning(t *testing.T) {
	var out strings.Builder
	l := &fatalLog{log: hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Info})}
	l.Warnf("Filestore [%s] Stream state outdated, last block has additional entries, will rebuild", "tim-events")
	l.Warnf("Filestore [%s] Recovering stream state from index errored: %v", "tim-events", errors.New("prior state file"))
	if out.Len() > 0 {
		t.Errorf("logged: %s", &out)
	}
	if l.Warnf("Filestore [%s] Stream state checksum did not match", "tim-events"); !strings.Contains(out.String(), "checksum") {
		t.Error("another warning is not logged")
	}
}
