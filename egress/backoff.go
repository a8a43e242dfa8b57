package egress

import (
	"math/rand/v2"
	"time"
)

// backoff gives the waits between attempts: each about twice the one before,
// up to max, half of it by lot so that lanes do not march in step.
type backoff struct {
	min, max time.Duration
	tries    int
}

// next is the next wait, no shorter than what the service asked for.
func (b *backoff) next(asked time.Duration) time.Duration {
	d := b.max
	if b.tries < 32 && b.min<<b.tries < b.max && b.min<<b.tries > 0 {
		d = b.min << b.tries
	}
	b.tries++
	d = d/2 + rand.N(d/2+1)
	if asked > d {
		d = asked + rand.N(asked/10+1)
	}
	return d
}
