package egress

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/timbridge/timbridge/tim"
)

// Rates limit how often an account calls the service, each second; 0 is no
// limit. What was not used of a second can be used at once in the next.
type Rates struct {
	// Account is all calls of one account together.
	Account float64
	// Send, Revoke and Group are its messages sent, its messages revoked, and
	// what it does with groups.
	Send, Revoke, Group float64
}

// limiter holds the calls of every account to the rates.
type limiter struct {
	rates Rates
	mu    sync.Mutex
	by    map[limited]*rate.Limiter
}

type limited struct {
	account tim.UserID
	call    string // "" for all calls
}

func newLimiter(r Rates) *limiter { return &limiter{rates: r, by: map[limited]*rate.Limiter{}} }

// reserve takes a call's turn and says how long it has to wait for it.
func (l *limiter) reserve(account tim.UserID, verb string) time.Duration {
	call, perSecond := "other", 0.0
	switch {
	case strings.HasPrefix(verb, "group."):
		call, perSecond = "group", l.rates.Group
	case verb == "message.send":
		call, perSecond = "send", l.rates.Send
	case verb == "message.revoke":
		call, perSecond = "revoke", l.rates.Revoke
	}
	return max(l.take(limited{account, ""}, l.rates.Account), l.take(limited{account, call}, perSecond))
}

func (l *limiter) take(who limited, perSecond float64) time.Duration {
	if perSecond <= 0 {
		return 0
	}
	l.mu.Lock()
	r := l.by[who]
	if r == nil {
		r = rate.NewLimiter(rate.Limit(perSecond), int(max(1, math.Ceil(perSecond))))
		l.by[who] = r
	}
	l.mu.Unlock()
	return r.Reserve().Delay()
}

// sleep waits, or returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
