package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/timbridge/timbridge/tim"
)

// conn is the server's end of one connection: a session's, until another takes
// its place.
type conn struct {
	session *session
	link    *link
	welcome welcome
	// maxAnswer is how long an answer in pieces may be.
	maxAnswer int

	mu sync.Mutex
	// out are the answers that wait to be written, and owed is how many
	// requests of this connection have no written answer. It is bounded, so
	// that a client which asks and does not read cannot fill the memory.
	out  []*reply
	owed int
}

// gather implements endpoint: answers first, since somebody waits for them.
func (c *conn) gather(dst []byte, limit int) []byte {
	c.mu.Lock()
	for fits, more := true, false; len(c.out) > 0 && !more; {
		first := c.out[0]
		if dst, fits, more = first.gather(dst, limit, pieceBytes(c.link.limit)); !fits {
			break
		}
		c.out[0] = nil
		if c.out = c.out[1:]; more {
			c.out = append(c.out, first) // the others come in between
		} else {
			c.owed--
		}
	}
	c.mu.Unlock()

	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return dst
	}
	return s.window.gather(dst, limit)
}

// take implements endpoint.
func (c *conn) take(f frame) error {
	s := c.session
	s.mu.Lock()
	current := s.conn == c
	s.mu.Unlock()
	if !current {
		return errEnded
	}
	switch f.kind {
	case kindRequest:
		return c.request(f)
	case kindAck:
		s.acknowledge(f.upto, f.also)
	case kindCancel:
		s.mu.Lock()
		if cancel := s.running[f.id]; cancel != nil {
			cancel()
		}
		s.mu.Unlock()
	case kindBye:
		go s.end(websocket.StatusNormalClosure, "bye")
	case kindHello:
		return fmt.Errorf("%w: a second hello", errFrame)
	}
	return nil // a kind of frame that a later version may have is passed over
}

// request starts a request.
func (c *conn) request(f frame) error {
	c.mu.Lock()
	c.owed++
	owed := c.owed
	c.mu.Unlock()
	if owed > c.welcome.MaxInFlight {
		return fmt.Errorf("%w: more than %d requests in flight", errFrame, c.welcome.MaxInFlight)
	}

	s, o := c.session, c.session.h.opts
	timeout := o.RequestTimeout
	if f.timeoutMS > 0 && f.timeoutMS < uint64(timeout.Milliseconds()) {
		timeout = time.Duration(f.timeoutMS) * time.Millisecond
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, used := s.running[f.id]; {
	case s.over:
		return errEnded
	case used:
		return fmt.Errorf("%w: request id %d is in use", errFrame, f.id)
	case len(s.running) >= o.MaxInFlight || len(s.running) > 0 && s.heldBytes+len(f.body) > o.MaxInFlightBytes:
		// An honest client comes here when requests of its last connection
		// are still under way, or by the size of its requests.
		busy := notDone(f.op, tim.CodeSDKNetReqCountLimit, ErrInFlight)
		c.answer(f.id, f.op, nil, busy)
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	s.running[f.id] = cancel
	s.heldBytes += len(f.body)
	if f.op == opLogout {
		s.leaving++
		s.room.Broadcast()
	}
	s.work.Go(func() {
		body, err := perform(ctx, s.client, f.op, f.body)
		torn := s.settle(f, err)
		c.answer(f.id, f.op, body, err)
		cancel()
		if torn {
			go s.end(websocket.StatusInternalError, "a report was lost in a failed logout")
		}
	})
	return nil
}

// settle does what the end of a request means for the session. It returns true
// when a report is missing from the stream of an account that may still be
// signed in: only a new session can mend that.
func (s *session) settle(f frame, err error) (torn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, f.id)
	s.heldBytes -= len(f.body)
	switch f.op {
	case opLogin:
		if err == nil {
			var b loginBody
			_ = json.Unmarshal(f.body, &b) // perform has decoded it
			s.account = b.UserID
		}
	case opLogout:
		s.leaving--
		if err == nil {
			s.account = ""
			// Nothing follows a Logout's return: what has not been
			// acknowledged comes again after the next sign-in, or is lost with
			// a service that does not keep it.
			s.window.clear()
			s.turnedAway = false
			s.room.Broadcast()
		} else {
			torn = s.turnedAway && s.leaving == 0
		}
	}
	return torn
}

// answer queues the answer of a request.
func (c *conn) answer(id uint64, op string, body []byte, err error) {
	var failure []byte
	if err != nil {
		failure = encodeFailure(toWire(op, err))
	}
	long := len(body)+len(failure)+replyOverhead > c.link.limit
	r := &reply{id: id, rest: body, bytes: len(body)}
	switch {
	case !long:
		r.frame = appendReply(make([]byte, 0, len(body)+len(failure)+replyOverhead), id, body, failure)
	case err != nil || len(body) > c.maxAnswer:
		failed := notDone(op, tim.CodeSDKNetPkgSizeLimit, ErrTooLarge)
		failed.Desc = fmt.Sprintf("the answer has %d bytes, the client takes %d", len(body)+len(failure), max(c.link.limit, c.maxAnswer))
		failed.Effect = tim.EffectDone
		if e, ok := tim.AsError(err); ok {
			failed.Code, failed.Effect = e.Code, e.Effect
		} else if err != nil {
			failed.Effect = tim.EffectUnknown
		}
		r.frame = appendReply(nil, id, nil, encodeFailure(toWire(op, failed)))
	}
	c.mu.Lock()
	c.out = append(c.out, r)
	c.mu.Unlock()
	c.link.notify()
}

// replyOverhead is more than what appendReply adds to body or failure.
const replyOverhead = 64

func encodeFailure(w *wireError) []byte {
	b, err := json.Marshal(w)
	if err != nil { // there is nothing in it that could fail
		return []byte(`{"code":7012,"effect":"unknown"}`)
	}
	return b
}
