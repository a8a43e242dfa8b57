package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// noticeWithin is how long /ready may say that all is well when it is not:
	// its proofs may be 10 s old, and the last of them take a moment to fail.
	noticeWithin = 15 * time.Second
	// backWithin is how long it may say that something is wrong when it is not.
	backWithin = 10 * time.Second
)

// endure takes the bus or the IM service away for a while.
func (h *house) endure(ctx context.Context) error {
	p, reason := h.broker, "bus"
	if h.outage == "im" {
		p, reason = h.sandbox, "account "+string(bridgeUser)
	}
	wait(ctx, 5*time.Second) // of load
	began := time.Now()
	away, back := p.freeze, p.thaw
	if h.how == "kill" {
		away, back = p.kill, func() error {
			if err := p.start(); err != nil || p != h.broker {
				return err
			}
			return h.awaitBroker(ctx)
		}
	}
	if err := away(); err != nil {
		return err
	}
	noticed, err := h.awaitTrouble(ctx, reason)
	if err != nil {
		return err
	}
	rest := time.Until(began.Add(h.lasts))
	if h.crash {
		if err := h.stayTroubled(ctx, reason, rest/2); err != nil {
			return err
		}
		if err := errors.Join(h.bridges[0].kill(), h.bridges[0].start()); err != nil {
			return err
		}
		if _, err := h.awaitTrouble(ctx, reason); err != nil {
			return err
		}
		rest = time.Until(began.Add(h.lasts))
	}
	if err := h.stayTroubled(ctx, reason, rest); err != nil {
		return err
	}
	if err := back(); err != nil {
		return err
	}
	took, err := h.awaitBack(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("the %s was away for %s: told after %s, ready again after %s\n",
		h.outage, time.Since(began).Round(time.Second), noticed.Round(time.Millisecond), took.Round(time.Millisecond))
	wait(ctx, 5*time.Second) // of load
	return h.alive()
}

// awaitTrouble waits until /ready says no, for a reason that has the word in
// it, and says how long that took.
func (h *house) awaitTrouble(ctx context.Context, word string) (time.Duration, error) {
	began := time.Now()
	why := ""
	for time.Since(began) < noticeWithin {
		var ok bool
		if ok, why = h.ready(ctx); !ok && strings.Contains(reasons(why), word) {
			return time.Since(began), nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		wait(ctx, 20*time.Millisecond)
	}
	return 0, fmt.Errorf("%s after it began, /ready does not say that the %s is the trouble: %s", noticeWithin, word, why)
}

// stayTroubled makes sure that /ready goes on to say so.
func (h *house) stayTroubled(ctx context.Context, word string, lasts time.Duration) error {
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		if ok, why := h.ready(ctx); ok || !strings.Contains(reasons(why), word) {
			return fmt.Errorf("/ready does not say any more that the %s is the trouble, %s before it is over: %s", word, time.Until(end), why)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait(ctx, 100*time.Millisecond)
	}
	return nil
}

// reasons are the reasons in an answer of /ready, or the answer itself where
// it is none.
func reasons(answer string) string {
	var health struct {
		Reasons []string `json:"reasons"`
	}
	if err := json.Unmarshal([]byte(answer), &health); err != nil {
		return answer
	}
	return strings.Join(health.Reasons, "; ")
}

// awaitBack waits until /ready says yes, and says how long that took.
func (h *house) awaitBack(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := h.awaitReady(ctx, backWithin); err != nil {
		return 0, fmt.Errorf("after the trouble is over: %w", err)
	}
	return time.Since(began), nil
}
