package wire

import (
	"encoding/json"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// window is what a session keeps of its reports until they are acknowledged:
// in the order of their numbers, with a mark up to where the connection there
// is has been given them. It is not for concurrent use.
type window struct {
	maxReports, maxBytes int

	entries map[uint64]*entry
	head    *entry // the oldest
	tail    *entry
	next    *entry // the first one not given to the connection
	last    uint64 // the highest number there was
	bytes   int
}

// entry is one report that waits for its acknowledgement.
type entry struct {
	n       uint64 // counts the session's reports
	number  uint64 // the report's own
	account string
	out     bool // the report signs the account out
	event   []byte
	ack     func()

	prev, next *entry
}

func newWindow(maxReports, maxBytes int) *window {
	return &window{maxReports: maxReports, maxBytes: maxBytes, entries: make(map[uint64]*entry)}
}

// full reports whether reports have to wait. One report fits always, so that
// one larger than maxBytes cannot stop the stream for good.
func (w *window) full() bool {
	return len(w.entries) >= w.maxReports || w.bytes >= w.maxBytes
}

// push adds a report and gives it its n.
func (w *window) push(e *entry) {
	w.last++
	e.n = w.last
	w.entries[e.n] = e
	w.bytes += len(e.event)
	if e.prev = w.tail; e.prev != nil {
		e.prev.next = e
	} else {
		w.head = e
	}
	w.tail = e
	if w.next == nil {
		w.next = e
	}
}

// rewind puts the mark after the report n: a new connection is given what follows.
func (w *window) rewind(n uint64) {
	w.next = w.head
	for w.next != nil && w.next.n <= n {
		w.next = w.next.next
	}
}

// gather appends reports from the mark on while they fit into limit bytes, and
// moves the mark.
func (w *window) gather(dst []byte, limit int) []byte {
	for e := w.next; e != nil; e = e.next {
		if len(dst) > 0 && len(dst)+e.frameBytes() > limit {
			break
		}
		dst = appendReport(dst, e.n, e.number, e.account, e.out, e.event)
		w.next = e.next
	}
	return dst
}

// frameBytes is at least the length of the entry's frame.
func (e *entry) frameBytes() int { return reportOverhead + 6*len(e.account) + len(e.event) }

// acknowledge takes out what an ack frame names, and returns the acknowledgements
// to pass on, in order.
func (w *window) acknowledge(upto uint64, also []span) []func() {
	var acks []func()
	for w.head != nil && w.head.n <= upto {
		acks = append(acks, w.head.ack)
		w.remove(w.head)
	}
	for _, s := range also {
		if s.last-s.first < uint64(len(w.entries)) {
			for n := s.first; ; n++ {
				if e, ok := w.entries[n]; ok {
					acks = append(acks, e.ack)
					w.remove(e)
				}
				if n == s.last {
					break
				}
			}
			continue
		}
		for e := w.head; e != nil && e.n <= s.last; e = e.next {
			if e.n >= s.first {
				acks = append(acks, e.ack)
				w.remove(e)
			}
		}
	}
	return acks
}

func (w *window) remove(e *entry) {
	delete(w.entries, e.n)
	w.bytes -= len(e.event)
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		w.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		w.tail = e.prev
	}
	if w.next == e {
		w.next = e.next
	}
}

// clear drops everything; numbers go on.
func (w *window) clear() {
	clear(w.entries)
	w.head, w.tail, w.next, w.bytes = nil, nil, nil, 0
}

// split divides an event that is longer than limit bytes on the wire. New
// messages go in halves; a single report that is still too long becomes one
// that says so, since holding it back would hold back all that follow.
func split(event tim.Event, limit int) ([][]byte, error) {
	body, err := marshalEvent(event)
	if err != nil {
		return nil, err
	}
	if len(body) <= limit {
		return [][]byte{body}, nil
	}
	received, ok := event.(tim.MessagesReceived)
	if n := len(received.Messages); ok && n > 1 {
		first, err := split(tim.MessagesReceived{Messages: received.Messages[:n/2]}, limit)
		if err != nil {
			return nil, err
		}
		second, err := split(tim.MessagesReceived{Messages: received.Messages[n/2:]}, limit)
		if err != nil {
			return nil, err
		}
		return slices.Concat(first, second), nil
	}
	body, err = marshalEvent(tooLarge(event, len(body), limit))
	return [][]byte{body}, err
}

// tooLarge stands for an event that the wire cannot carry. Of a message it
// says which, so that it can be looked for in history.
func tooLarge(event tim.Event, bytes, limit int) tim.Event {
	var what struct {
		Error   string          `json:"timbridge_wire_error"`
		Bytes   int             `json:"bytes"`
		Limit   int             `json:"limit"`
		Locator *tim.MsgLocator `json:"locator,omitempty"`
	}
	what.Error, what.Bytes, what.Limit = "report too large", bytes, limit
	if received, ok := event.(tim.MessagesReceived); ok && len(received.Messages) == 1 {
		locator := received.Messages[0].Locator()
		what.Locator = &locator
	}
	raw, err := json.Marshal(what)
	if err != nil {
		raw = []byte(`{"timbridge_wire_error":"report too large"}`)
	}
	return tim.Unrecognized{Name: event.Callback(), Raw: raw}
}

func marshalEvent(event tim.Event) ([]byte, error) {
	b, err := tim.MarshalEvent(event)
	if err != nil {
		return nil, err
	}
	return oneLine(b)
}
