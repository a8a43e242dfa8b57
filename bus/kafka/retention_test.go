package kafka

import (
	"strings"
	"testing"
	"time"
)

func TestRetention(t *testing.T) {
	cfg := testConfig(t, newFake(t).addr())
	cfg.Events.Retention, cfg.Outcomes.Retention, cfg.DeadLetters.Retention = -1, 48*time.Hour, 90*time.Minute
	cfg.DeadLetters.RetentionBytes = 1 << 20
	b := mustOpen(t, cfg)
	said, err := b.Retention(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"tim.events for ever", "tim.commands 7d", "tim.outcomes 2d", "tim.deadletters 1h30m0s, or 1048576 bytes of a partition"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q does not say %q", said, part)
		}
	}
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if _, err := kept(map[string]string{}); err == nil {
		t.Error("what is not told is no error")
	}
}
