package wire

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/timbridge/timbridge/tim"
)

// inbox hands reports to the owner's handler, one at a time and in order, and
// never makes the connection wait for it: how many can lie here is bounded by
// how many the server sends without an acknowledgement.
type inbox struct {
	mu      sync.Mutex
	changed *sync.Cond
	handler tim.Handler
	items   []item
	first   int // index of the oldest in items
	calling bool
	closed  bool
}

// item is one report on its way to the handler: from the server, or local.
type item struct {
	ticket  *ticket
	number  uint64
	account tim.UserID
	raw     []byte
	local   tim.Event
}

func newInbox() *inbox {
	b := &inbox{}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// listen sets the handler; it returns false when there is one.
func (b *inbox) listen(h tim.Handler) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.handler != nil {
		return false
	}
	b.handler = h
	b.changed.Broadcast()
	return true
}

// put adds a report. Without a handler a local one is not kept, as nobody
// asked for it; the server's wait for a handler.
func (b *inbox) put(i item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || i.local != nil && b.handler == nil {
		return
	}
	if len(b.items) == cap(b.items) && b.first > len(b.items)/2 {
		n := copy(b.items, b.items[b.first:])
		clear(b.items[n:])
		b.items, b.first = b.items[:n], 0
	}
	b.items = append(b.items, i)
	b.changed.Broadcast()
}

// clear drops what has not been handed over.
func (b *inbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items, b.first = nil, 0
}

// quiet waits until the handler is not being called, and returns false when
// done is closed before.
func (b *inbox) quiet(done <-chan struct{}) bool {
	idle := make(chan struct{})
	given := false
	go func() {
		defer close(idle)
		b.mu.Lock()
		defer b.mu.Unlock()
		for b.calling && !given {
			b.changed.Wait()
		}
	}()
	select {
	case <-idle:
		return true
	case <-done:
		b.mu.Lock()
		given = true
		b.changed.Broadcast()
		b.mu.Unlock()
		<-idle
		return false
	}
}

// close ends run, after the handler call under way.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Broadcast()
}

// run calls the handler until the inbox is closed.
func (b *inbox) run() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for !b.closed && (b.handler == nil || b.first == len(b.items)) {
			b.changed.Wait()
		}
		if b.closed {
			return
		}
		i := b.items[b.first]
		b.items[b.first] = item{}
		if b.first++; b.first == len(b.items) {
			b.items, b.first = b.items[:0], 0
		}
		handler := b.handler
		b.calling = true
		b.mu.Unlock()
		handler(i.report())
		b.mu.Lock()
		b.calling = false
		b.changed.Broadcast()
	}
}

func (i item) report() tim.Report {
	r := tim.Report{Number: i.number, Account: i.account, Event: i.local, Ack: func() {}}
	if i.local == nil {
		r.Event = decodeEvent(i.raw)
		r.Ack = i.ticket.ack
	}
	return r
}

// decodeEvent never fails: what cannot be read goes on as it is, rather than
// coming again and again.
func decodeEvent(raw []byte) tim.Event {
	event, err := tim.UnmarshalEvent(raw)
	if err == nil {
		return event
	}
	text, _ := json.Marshal(map[string]string{ // strings always marshal
		"timbridge_wire_error": fmt.Sprintf("report cannot be decoded: %v", err),
		"raw":                  string(raw),
	})
	return tim.Unrecognized{Raw: text}
}
