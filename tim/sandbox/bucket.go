package sandbox

import "time"

// bucket is a rate limit: so many a second, in bursts of a second's worth.
type bucket struct {
	level float64
	last  int64
}

// take takes one, or says how long to wait for it. A rate of 0 is no limit.
func (b *bucket) take(rate int, now int64) (wait time.Duration, ok bool) {
	return b.takeLeaving(rate, now, 0)
}

// takeLeaving is the same for one that leaves so many to others.
func (b *bucket) takeLeaving(rate int, now int64, others float64) (wait time.Duration, ok bool) {
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
	need := min(1+others, full)
	if b.level >= need {
		b.level--
		return 0, true
	}
	return time.Duration((need - b.level) / full * float64(time.Second)), false
}
