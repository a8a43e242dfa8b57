package sandbox

import "time"

// bucket is a rate limit: so many a second, in bursts of a second's worth.
type bucket struct {
	level float64
	last  int64
}

// take takes one, or says how long to wait for it. A rate of 0 is no limit.
func (b *bucket) take(rate int, now int64) (wait time.Duration, ok bool) {
	if rate <= 0 {
		return 0, true
	}
	full := float64(rate)
	if b.last == 0 {
		b.level = full
	} else if now > b.last {
		b.level = min(full, b.level+full*float64(now-b.last)/float64(time.Second))
	}
	b.last = max(b.last, now)
	if b.level >= 1 {
		b.level--
		return 0, true
	}
	return time.Duration((1 - b.level) / full * float64(time.Second)), false
}
