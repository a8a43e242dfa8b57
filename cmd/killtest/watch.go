package main

import (
	"context"
	"sync"
	"time"
)

// How much before it was killed, and after it was ready again, the bridge may
// not have been told something, or not have recorded it.
const (
	awayBefore = 2 * time.Second
	awayAfter  = 5 * time.Second
)

// watch notes when the bridge may have missed what was told only once.
type watch struct {
	mu    sync.Mutex
	spans []span
	open  bool
}

// begin begins a span, with a kill or when the bridge is seen not to be ready.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		w.spans = append(w.spans, span{from: time.Now().Add(-awayBefore)})
		w.open = true
	}
}

// end ends it.
func (w *watch) end(after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		w.spans[len(w.spans)-1].to = time.Now().Add(after)
		w.open = false
	}
}

// run looks whether the bridge is ready, until ctx ends.
func (w *watch) run(ctx context.Context, h *house) {
	for ctx.Err() == nil {
		began := time.Now()
		ready, _ := h.ready(ctx)
		switch {
		case ctx.Err() != nil:
		case !ready:
			w.begin()
		case began.After(w.since()):
			w.end(awayAfter)
		}
		wait(ctx, 100*time.Millisecond)
	}
	w.end(awayAfter)
}

// since is when the span that is open began.
func (w *watch) since() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		return time.Time{}
	}
	return w.spans[len(w.spans)-1].from.Add(awayBefore)
}
