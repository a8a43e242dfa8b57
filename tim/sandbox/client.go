package sandbox

import (
	"context"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Client is the door of one account to the sandbox. It implements [tim.Client]
// and every optional interface beside it.
//
// Logout and Close wait for the handler to return, so a handler must not call
// them. What a handler is given may share memory with what other accounts are
// given, and must not be changed.
type Client struct {
	s      *Sandbox
	device device
	remote bool // held for someone on the network

	// The sandbox's lock guards the rest.
	handler tim.Handler
	session *session // nil: not signed in; a kicked one stays until the next Login
	before  *session // the last one that it left; may still be ending
	kicked  bool     // was kicked while it was cut off: the next Login says so
	closed  bool
}

var (
	_ tim.Client      = (*Client)(nil)
	_ tim.Resender    = (*Client)(nil)
	_ tim.History     = (*Client)(nil)
	_ tim.Modifier    = (*Client)(nil)
	_ tim.Eraser      = (*Client)(nil)
	_ tim.Reader      = (*Client)(nil)
	_ tim.BatchSender = (*Client)(nil)
	_ tim.Profiles    = (*Client)(nil)
	_ tim.Presence    = (*Client)(nil)
	_ tim.Uploader    = (*Client)(nil)
)

// Listen sets the handler for what is reported; see [tim.Client].
func (c *Client) Listen(h tim.Handler) error {
	const op = "listen"
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	switch {
	case h == nil:
		return refuse(op, tim.CodeInvalidParameters, "the handler is nil")
	case c.closed:
		return refuse(op, tim.CodeSDKNotInitialized, "the client is closed")
	case c.handler != nil:
		return refuse(op, tim.CodeSDKInvalidOperation, "the handler has been set")
	case c.session != nil:
		return refuse(op, tim.CodeSDKInvalidOperation, "the handler must be set before Login")
	}
	c.handler = h
	return nil
}

// Logout signs the account out; see [tim.Client].
func (c *Client) Logout(ctx context.Context) error {
	const op = "logout"
	return c.do(ctx, op, CallLogout, "", func() error {
		c.s.mu.Lock()
		ss := c.session
		if ss == nil || ss.over {
			c.s.mu.Unlock()
			return c.notSignedIn(op)
		}
		ss.account.presence.signedOut = len(ss.account.sessions) == 1
		c.leave(ss)
		var b *batch
		if ss.device.ID != "" && c.s.usable(op) == nil {
			_, b = c.s.write(&logoutRecord{user: ss.account.id, device: ss.device})
		}
		c.s.mu.Unlock()
		select {
		case <-ss.done:
		case <-ctx.Done():
			return unanswered(op, ctx)
		}
		if b == nil {
			return nil // nothing of it is kept
		}
		return b.wait(ctx, op)
	})
}

// leave takes the client off its session, which ends. The caller holds the lock.
func (c *Client) leave(ss *session) {
	c.session, c.before = nil, ss
	if !ss.over {
		ss.over = true
		delete(ss.account.sessions, ss.device.Platform)
		ss.unwatchAll()
		c.s.presenceChanged(ss.account)
	}
	close(ss.stop)
	c.s.delivery.end(ss)
}

// Close ends the client; see [tim.Client]. An account that is signed in counts
// as offline then, not as signed out. It never fails.
func (c *Client) Close() error {
	c.s.mu.Lock()
	c.closed = true
	delete(c.s.clients, c)
	ss := c.session
	if ss != nil {
		c.leave(ss)
	}
	c.s.mu.Unlock()
	if ss != nil {
		<-ss.done
	}
	return nil
}

// ResendWindow is how long a random is remembered; see [tim.Resender].
func (c *Client) ResendWindow(typ tim.ConvType) time.Duration { return resendWindow(typ) }

// Redelivers says whether the sandbox's delivery is DeliveryAck; see
// [tim.Redeliverer].
func (c *Client) Redelivers() bool { return c.s.opts.Delivery == DeliveryAck }

// do carries out a call with the troubles and the limits that are set for it.
// The account is the one signed in where user is "".
func (c *Client) do(ctx context.Context, op string, call Call, user tim.UserID, carryOut func() error) error {
	if err := ctx.Err(); err != nil {
		return &tim.Error{Op: op, Code: tim.CodeRequestTimeOut, Effect: tim.EffectNotDone, Err: err}
	}
	c.s.mu.Lock()
	if user == "" && c.session != nil {
		user = c.session.account.id
	}
	fault, troubled := c.s.faults.take(call, user)
	err := c.tooOften(op, call, user)
	c.s.mu.Unlock()
	switch {
	case troubled:
		return fault.trouble(ctx, op, call, carryOut)
	case err != nil:
		return err
	}
	return carryOut()
}

// tooOften checks the limit of calls of one kind. The caller holds the lock.
func (c *Client) tooOften(op string, call Call, user tim.UserID) error {
	rate := c.s.opts.Limits.Calls
	a := c.s.st.accounts[user]
	if rate == 0 || a == nil {
		return nil
	}
	if wait, ok := a.bucket(call).take(rate, c.s.now()); !ok {
		e := refuse(op, tim.CodeSDKCommAPICallFrequencyLimit, "more than %d calls a second of this kind", rate)
		e.RetryAfter = wait
		return e
	}
	return nil
}

// online gives the session that calls go through. The caller holds the lock.
func (c *Client) online(op string) (*session, error) {
	ss := c.session
	switch {
	case c.closed || ss == nil:
		return nil, c.notSignedIn(op)
	case ss.away:
		return nil, refuse(op, tim.CodeSDKNetDisconnect, "the connection to the service is cut")
	case ss.over:
		return nil, c.notSignedIn(op)
	case ss.expired:
		return nil, refuse(op, tim.CodeSvrAccountUserSigExpired, "the UserSig has run out: hand in a new one")
	}
	return ss, nil
}

func (c *Client) notSignedIn(op string) error {
	if c.closed {
		return refuse(op, tim.CodeSDKNotInitialized, "the client is closed")
	}
	return refuse(op, tim.CodeSDKNotLoggedIn, "nobody is signed in")
}

// begin locks the sandbox for a call that changes something, and gives the
// session it goes through. On an error the lock is not held.
func (c *Client) begin(op string) (*session, error) {
	c.s.mu.Lock()
	ss, err := c.online(op)
	if err == nil {
		err = c.s.usable(op)
	}
	if err != nil {
		c.s.mu.Unlock()
		return nil, err
	}
	return ss, nil
}
