package wire

import (
	"fmt"
	"slices"
	"sync"
)

// receipts is what a client knows of one session's reports: which have
// arrived, and which of those have been acknowledged. Tickets that are not
// acknowledged yet form a list in the order of their numbers; everything else
// up to received is settled.
type receipts struct {
	max    int
	notify func() // an acknowledgement waits to be written; must not block

	mu       sync.Mutex
	received uint64
	head     *ticket
	tail     *ticket
	open     int
	changed  bool   // what was acknowledged has not been written
	told     []span // acknowledged out of turn and not written, rising where they were made in turn
}

// ticket is one report that waits for its Ack.
type ticket struct {
	receipts   *receipts
	n          uint64
	settled    bool
	prev, next *ticket
}

// arrived takes note of a report; nil means that it had arrived before.
func (r *receipts) arrived(n uint64) (*ticket, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n <= r.received {
		return nil, nil
	}
	if r.open >= r.max {
		return nil, fmt.Errorf("%w: more than %d reports are not acknowledged", errFrame, r.max)
	}
	r.received = n
	t := &ticket{receipts: r, n: n, prev: r.tail}
	if t.prev != nil {
		t.prev.next = t
	} else {
		r.head = t
	}
	r.tail = t
	r.open++
	return t, nil
}

// ack acknowledges the report. It is the Ack of a [tim.Report].
func (t *ticket) ack() {
	r := t.receipts
	r.mu.Lock()
	if t.settled {
		r.mu.Unlock()
		return
	}
	r.settle(t)
	if r.head != nil && r.head.n < t.n {
		if last := len(r.told) - 1; last >= 0 && r.told[last].last == t.n-1 {
			r.told[last].last = t.n
		} else {
			r.told = append(r.told, span{t.n, t.n})
		}
	}
	first := !r.changed
	r.changed = true
	r.mu.Unlock()
	if first {
		r.notify()
	}
}

func (r *receipts) settle(t *ticket) {
	t.settled = true
	r.open--
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		r.head = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		r.tail = t.prev
	}
	t.prev, t.next = nil, nil
}

// forget settles everything without a word: the session has dropped it too.
func (r *receipts) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.head != nil {
		r.settle(r.head)
	}
	r.told = nil
}

// again has everything said once more, since what was written may not have
// arrived.
func (r *receipts) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = true
	r.told = nil
	for t := r.head; t != nil; t = t.next {
		last := r.received
		if t.next != nil {
			last = t.next.n - 1
		}
		if t.n < last {
			r.told = append(r.told, span{t.n + 1, last})
		}
	}
}

// gather appends an ack frame where something has to be said.
func (r *receipts) gather(dst []byte, limit int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.changed {
		return dst
	}
	upto := r.received
	if r.head != nil {
		upto = r.head.n - 1
	}
	r.told = slices.DeleteFunc(r.told, func(s span) bool { return s.last <= upto })
	// Two numbers of 20 digits and their punctuation for each span.
	count := min(len(r.told), maxSpans, max(1, (limit-len(dst)-64)/44))
	dst = appendAck(dst, upto, r.told[:count])
	r.told = append(r.told[:0], r.told[count:]...)
	r.changed = len(r.told) > 0
	return dst
}

// last is the number of the last report that has arrived.
func (r *receipts) last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received
}
