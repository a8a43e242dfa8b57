package relay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// errSlow is the trouble with a bus that says of itself that all is well.
var errSlow = errors.New("the bus has not finished it yet")

// surely is how many times as long as slow a bus that says that all is well may
// take before that is trouble.
const surely = 10

// patiently calls the bus, which may wait as long as it cannot be reached: that
// publishing stands still is noted when it has taken long, with what the bus
// says of itself.
func (r *Relay) patiently(ctx context.Context, doing string, do func() error) error {
	began := time.Now()
	watching, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	slow := time.AfterFunc(r.cfg.Slow, func() {
		defer close(watched)
		r.watch(watching, doing, began)
	})
	err := do()
	cancel()
	if !slow.Stop() {
		<-watched
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// watch asks a bus that takes long how it is, until ctx ends.
func (r *Relay) watch(ctx context.Context, doing string, began time.Time) {
	r.mu.Lock()
	if r.stats.Since.IsZero() {
		r.stats.Since = began
	}
	r.mu.Unlock()
	again := time.NewTicker(r.cfg.Slow)
	defer again.Stop()
	for {
		err := r.pub.Check(ctx)
		if err == nil && time.Since(began) > surely*r.cfg.Slow {
			err = errSlow
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.suspect(fmt.Errorf("%s: %w", doing, err))
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// trouble notes why publishing stands still, and since when, unless it did so
// before. It reports whether the reason is a new one.
func (r *Relay) trouble(err error, since time.Time) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stats.Since.IsZero() {
		r.stats.Since = since
	}
	text := err.Error()
	changed = r.stats.Trouble != text
	r.stats.Trouble, r.suspected = text, false
	return changed
}

// suspect notes why publishing seems to stand still, where no attempt has
// failed, which would say it better.
func (r *Relay) suspect(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stats.Trouble == "" || r.suspected {
		r.stats.Trouble, r.suspected = err.Error(), true
	}
}

// wait tells the trouble, once when it changes and every half minute, and
// waits before the next attempt; a reconnect ends the wait.
func (r *Relay) wait(ctx context.Context, err error) {
	r.failures++
	r.mu.Lock()
	r.stats.Retries++
	r.mu.Unlock()
	changed := r.trouble(err, time.Now())
	if changed && (r.logged.IsZero() || time.Since(r.logged) > time.Second) || time.Since(r.logged) > 30*time.Second {
		r.logged = time.Now()
		r.log.Warn("publishing waits for the bus", "error", err, "attempt", r.failures)
	}
	d := min(float64(r.cfg.BackoffMax), float64(r.cfg.BackoffMin)*math.Pow(2, float64(min(r.failures-1, 20))))
	t := time.NewTimer(time.Duration(d * (0.5 + rand.Float64()/2)))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-r.pub.Reconnected():
		r.verified = false
	}
}

// recovered forgets the trouble, when something has been done.
func (r *Relay) recovered() {
	r.mu.Lock()
	since := r.stats.Since
	r.stats.Trouble, r.stats.Since = "", time.Time{}
	r.mu.Unlock()
	if r.failures > 0 {
		r.log.Info("publishing goes on", "stood_still", time.Since(since).Round(time.Millisecond))
	}
	r.failures, r.logged = 0, time.Time{}
}
