package ingress

import "sync"

// queue is what waits for the appender: reports, bounded, and what is never
// held up by them: sends that were carried out, and calls from the goroutines
// that read history.
type queue struct {
	maxReports, maxBytes int

	mu      sync.Mutex
	reports []*report
	bytes   int
	posts   []*post
	calls   []func(*appender)
	closed  bool
	space   chan struct{} // closed when reports were taken; nil while nobody waits

	wake chan struct{} // has a token when something was put in
}

func newQueue(maxReports, maxBytes int) *queue {
	return &queue{maxReports: maxReports, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// pushReport waits for room. It returns false when the queue was closed, or
// when stop was, before there was any.
func (q *queue) pushReport(r *report, stop <-chan struct{}) bool {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return false
		}
		if len(q.reports) == 0 || len(q.reports) < q.maxReports && q.bytes+r.bytes <= q.maxBytes {
			q.reports = append(q.reports, r)
			q.bytes += r.bytes
			first := len(q.reports) == 1
			q.mu.Unlock()
			if first {
				q.signal()
			}
			return true
		}
		if q.space == nil {
			q.space = make(chan struct{})
		}
		space := q.space
		q.mu.Unlock()
		select {
		case <-space:
		case <-stop:
			return false
		}
	}
}

// pushPost and pushCall never wait; they return false when the queue is closed.
func (q *queue) pushPost(p *post) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.posts = append(q.posts, p)
	q.signal()
	return true
}

func (q *queue) pushCall(f func(*appender)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.calls = append(q.calls, f)
	q.signal()
	return true
}

func (q *queue) takePosts() []*post {
	q.mu.Lock()
	defer q.mu.Unlock()
	posts := q.posts
	q.posts = nil
	return posts
}

func (q *queue) takeCalls() []func(*appender) {
	q.mu.Lock()
	defer q.mu.Unlock()
	calls := q.calls
	q.calls = nil
	return calls
}

// takeReports takes reports until they hold maxMessages messages or maxBytes
// bytes, and appends them to into. all says that nothing is left, and that no
// handler was waiting for room.
func (q *queue) takeReports(into []*report, maxMessages, maxBytes int) (reports []*report, all bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, messages, bytes := 0, 0, 0
	for n < len(q.reports) && (n == 0 || messages < maxMessages && bytes < maxBytes) {
		messages += len(q.reports[n].units)
		bytes += q.reports[n].bytes
		n++
	}
	if n == 0 {
		return into, q.space == nil
	}
	into = append(into, q.reports[:n]...)
	rest := copy(q.reports, q.reports[n:])
	clear(q.reports[rest:])
	q.reports = q.reports[:rest]
	q.bytes -= bytes
	all = rest == 0 && q.space == nil
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
	return into, all
}

// close refuses everything from now on, and drops what was waiting.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.posts, q.calls, q.reports = nil, nil, nil
	q.bytes = 0
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
}

func (q *queue) size() (reports, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.reports), q.bytes
}
