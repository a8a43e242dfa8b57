//go:build linux

package nats

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/timbridge/timbridge/bus"
)

// TestEmbeddedFullDisk fills the disk that the embedded server writes to, and
// makes room again: nothing is lost, nothing is doubled, and nobody restarts
// anything by hand.
func TestEmbeddedFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("needs a small file system of its own: mount tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	cfg := testConfig(t, "")
	cfg.URL, cfg.Token = "", ""
	cfg.RequestTimeout = time.Second
	cfg.Embedded = &EmbeddedConfig{Dir: filepath.Join(dir, "nats"), Port: -1, Token: testToken, MaxBytes: 1 << 30, ReviveFree: 4 << 20}
	b := mustOpen(t, cfg)
	p := newJournal(t)
	store := func(n int) {
		t.Helper()
		msgs := p.messages(n, bus.Events, 512)
		plan, err := b.Plan(t.Context(), msgs)
		if err != nil {
			t.Fatal(err)
		}
		p.send(t, b, plan, msgs)
	}
	store(200)

	// All but a little is taken by another.
	ballast := filepath.Join(dir, "ballast")
	free, err := freeBytes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ballast, make([]byte, free-(1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	var pending bus.Plan
	var msgs []bus.Message
	deadline := time.Now().Add(60 * time.Second)
	for look := false; ; {
		if !look {
			msgs = p.messages(400, bus.Events, 512)
			if pending, err = b.Plan(t.Context(), msgs); err != nil {
				t.Fatalf("plan on a disk that fills: %v", err)
			}
		}
		if err := b.Send(t.Context(), pending, msgs, look); err != nil {
			t.Logf("full after %d messages: %v", len(p.all), err)
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the disk never filled")
		}
	}
	for b.Check(t.Context()) == nil {
		if time.Now().After(deadline) {
			t.Fatal("check says all is well on a full disk")
		}
		_ = b.Send(t.Context(), pending, msgs, true) // it stays full
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("check: %v", b.Check(t.Context()))

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := b.Check(ctx)
		cancel()
		if err == nil {
			break
		}
		if time.Since(freed) > 30*time.Second {
			t.Fatalf("still not well: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("well again after %s", time.Since(freed).Round(time.Millisecond))
	select {
	case <-b.Reconnected():
	case <-time.After(10 * time.Second):
		t.Error("nobody said that the connection is back")
	}
	if losses, err := b.Verify(t.Context(), p.id, pending.Parts[:0]); err != nil || len(losses) > 0 {
		t.Errorf("verify: %v, %v", losses, err)
	}
	p.send(t, b, pending, msgs)
	store(50)
	p.checkOnce(t, b)
	if errors.Is(b.Check(t.Context()), context.Canceled) {
		t.Error("check was cancelled")
	}
}
