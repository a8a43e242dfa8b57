package journal

import "time"

// WithMarkAfter sets how long the log is idle before its end is marked.
func (o Options) WithMarkAfter(d time.Duration) Options {
	o.markAfter = d
	return o
}
