//go:build unix

package kafka

import (
	"testing"
	"time"
)

// A broker that is frozen takes requests and answers none; when it thaws, it
// carries out all of them.
func TestApacheFrozen(t *testing.T) {
	p := newApache(t, nil)
	cfg := testConfig(t, p.addr())
	cfg.RequestTimeout = 2 * time.Second
	b := mustOpen(t, cfg)
	for from := uint64(1); from <= 20; from += 10 {
		msgs := ours(from, 10)
		plan, err := b.Plan(t.Context(), msgs)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Freeze(); err != nil {
			t.Fatal(err)
		}
		thaw := time.AfterFunc(8*time.Second, func() {
			if err := p.Thaw(); err != nil {
				t.Error(err)
			}
		})
		failed := 0
		for look := false; ; look = true {
			if err = b.Send(t.Context(), plan, msgs, look); err == nil {
				break
			}
			if failed++; failed > 100 {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		thaw.Stop()
		if failed == 0 {
			t.Error("a frozen broker acknowledged")
		}
	}
	onceEach(t, b, 20)
}
