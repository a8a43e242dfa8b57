package wire

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// call is one request and what becomes of it.
type call struct {
	id    uint64
	op    string
	body  []byte
	frame []byte
	// settled, which may be nil, is called with the outcome by the
	// connection's reader, before any report that came after it.
	settled func(*clientConn, error)
	pieces  []byte // of the answer; the connection's reader's
	release func() // gives the place among the requests in flight back
	done    chan answer
}

// answer is what a call ends with.
type answer struct {
	body []byte
	err  error
}

// clientConn is the client's end of one connection.
type clientConn struct {
	link     *link
	inbox    *inbox
	receipts *receipts
	signOut  func() // a report signs the account out

	maxAnswer int // in pieces

	mu      sync.Mutex
	queue   []*call          // not given to the writer yet
	pending map[uint64]*call // given to the writer: may be on its way
	cancels []uint64
	bye     bool
	broken  error // the connection is over
}

// gather implements endpoint: acknowledgements first, so that what was
// acknowledged before a request was made is known before it is carried out.
func (c *clientConn) gather(dst []byte, limit int) []byte {
	dst = c.receipts.gather(dst, limit)
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.cancels) > 0 && len(dst)+64 <= limit {
		dst = appendCancel(dst, c.cancels[0])
		c.cancels = c.cancels[1:]
	}
	for len(c.queue) > 0 {
		next := c.queue[0]
		if len(dst) > 0 && len(dst)+len(next.frame) > limit {
			return dst
		}
		dst = append(dst, next.frame...)
		next.frame = nil
		c.pending[next.id] = next
		c.queue[0] = nil
		c.queue = c.queue[1:]
	}
	if c.bye && len(dst)+64 <= limit {
		c.bye = false
		dst = appendBye(dst)
	}
	return dst
}

// take implements endpoint.
func (c *clientConn) take(f frame) error {
	switch f.kind {
	case kindReport:
		return c.report(f)
	case kindPart:
		return c.part(f)
	case kindReply:
		return c.reply(f)
	}
	return nil // a kind of frame that a later version may have is passed over
}

func (c *clientConn) report(f frame) error {
	if len(f.event) == 0 {
		return fmt.Errorf("%w: a report without an event", errFrame)
	}
	t, err := c.receipts.arrived(f.n)
	if err != nil || t == nil {
		return err
	}
	if f.out {
		c.signOut()
	}
	c.inbox.put(item{ticket: t, number: f.number, account: tim.UserID(f.account), raw: f.event})
	return nil
}

func (c *clientConn) reply(f frame) error {
	c.mu.Lock()
	done := c.pending[f.id]
	c.mu.Unlock()
	if done == nil {
		return nil
	}
	var a answer
	if len(f.failure) > 0 {
		a.err = decodeFailure(done.op, f.failure)
	} else if body, err := done.whole(f); err != nil {
		return err // the call ends with the connection
	} else {
		a.body = body
	}
	c.mu.Lock()
	delete(c.pending, f.id)
	c.mu.Unlock()
	done.end(c, a)
	return nil
}

func (c *call) end(conn *clientConn, a answer) {
	if c.settled != nil {
		c.settled(conn, a.err)
	}
	c.release()
	c.done <- a
}

// add queues a call.
func (c *clientConn) add(one *call) error {
	if len(one.frame) > c.link.limit {
		err := notDone(one.op, tim.CodeSDKNetPkgSizeLimit, ErrTooLarge)
		err.Desc = fmt.Sprintf("the request has %d bytes, the server takes %d", len(one.frame), c.link.limit)
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return notDone(one.op, tim.CodeSDKNetDisconnect, c.broken)
	}
	c.queue = append(c.queue, one)
	c.link.notify()
	return nil
}

// abandon gives a call up whose context has ended. It returns false when the
// outcome is there already.
func (c *clientConn) abandon(one *call, cause error) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, q := range c.queue {
		if q == one {
			c.queue = append(c.queue[:i], c.queue[i+1:]...)
			one.release()
			return answer{err: notDone(one.op, contextCode(cause, false), cause)}, true
		}
	}
	if c.pending[one.id] != one {
		return answer{}, false
	}
	// Its place stays taken until the server has answered, as it does there.
	c.cancels = append(c.cancels, one.id)
	c.link.notify()
	return answer{err: unknown(one.op, contextCode(cause, true), cause)}, true
}

// lost ends all calls of a connection that is over.
func (c *clientConn) lost(cause error) {
	c.mu.Lock()
	c.broken = cause
	queue, pending := c.queue, c.pending
	c.queue, c.pending = nil, nil
	c.mu.Unlock()
	for _, one := range queue {
		one.end(c, answer{err: notDone(one.op, tim.CodeSDKNetDisconnect, cause)})
	}
	for _, one := range pending {
		one.end(c, answer{err: unknown(one.op, tim.CodeSDKNetDisconnect, cause)})
	}
}

// sayBye asks the server to end the session.
func (c *clientConn) sayBye() {
	c.mu.Lock()
	c.bye = true
	c.mu.Unlock()
	c.link.notify()
}

// roundTrip makes a request on the connection and waits for its answer.
func (c *clientConn) roundTrip(ctx context.Context, one *call) ([]byte, error) {
	var timeoutMS uint64
	if deadline, ok := ctx.Deadline(); ok {
		timeoutMS = uint64(max(1, milliseconds(time.Until(deadline))))
	}
	one.frame = appendRequest(make([]byte, 0, len(one.body)+96), one.id, one.op, timeoutMS, one.body)
	if err := c.add(one); err != nil {
		one.release()
		return nil, err
	}
	select {
	case a := <-one.done:
		return a.body, a.err
	case <-ctx.Done():
	}
	if a, given := c.abandon(one, ctx.Err()); given {
		return nil, a.err
	}
	a := <-one.done
	return a.body, a.err
}
