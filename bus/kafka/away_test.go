package kafka

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// lines is a log that tests read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func (l *lines) await(t *testing.T, text string, n int) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); l.count(text) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not said %d times: %s\n%s", n, text, &l.b)
		}
	}
}

// TestAway: that no broker answers is said each time, and that one is back too,
// whether anybody asks for something or not.
func TestAway(t *testing.T) {
	f := newFake(t)
	cfg := testConfig(t, f.addr())
	log := &lines{}
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info})
	b := mustOpen(t, cfg)
	for n := range 2 {
		f.kill(t)
		log.await(t, "Kafka is away", n+1)
		var dial *net.OpError
		if err := b.Check(t.Context()); !errors.As(err, &dial) {
			t.Errorf("Check says %v, which does not tell that nobody is there", err)
		}
		f.run(t)
		log.await(t, "Kafka is back", n+1)
	}
}
