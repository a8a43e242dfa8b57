package wire

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// start begins to carry the first connection.
func (c *client) start(l *link, w welcome) {
	conn := c.adopt(l, w)
	c.mu.Lock()
	c.usable = true
	c.mu.Unlock()
	c.wg.Go(c.inbox.run)
	c.wg.Go(func() { c.keep(conn) })
}

// Close implements [tim.Client]. It has the server close its client too, and
// waits for that as long as Options.CloseTimeout; where the server cannot be
// reached it closes its client after its time of grace. Close must not be
// called by the handler.
func (c *client) Close() error {
	c.inbox.close()
	c.cancel()
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		timer := time.AfterFunc(c.opts.CloseTimeout, func() { conn.link.fail(ErrClosed) })
		defer timer.Stop()
		conn.sayBye()
	}
	c.wg.Wait()
	return nil
}

// keep carries connections, one after the other, until the client closes.
func (c *client) keep(conn *clientConn) {
	pause := newBackoff(c.opts)
	for resumed := true; conn != nil; {
		began := time.Now()
		cause := c.carry(conn, resumed)
		if c.ctx.Err() != nil {
			return
		}
		if time.Since(began) > c.opts.MaxBackoff { // else it goes up and down
			pause = newBackoff(c.opts)
		}
		c.log.Info("connection lost", "reason", cause)
		c.tell(tim.NetworkDisconnected, connectCode(cause), cause.Error())
		conn, resumed = c.reconnect(pause)
	}
}

// adopt makes a connection the client's.
func (c *client) adopt(l *link, w welcome) *clientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.Resumed {
		c.receipts.again()
	} else {
		c.receipts = &receipts{max: w.MaxUnacked, notify: c.wake}
		c.greeting.Session = w.Session
	}
	c.conn = &clientConn{
		maxAnswer: c.opts.MaxAnswerBytes,
		link:      l, inbox: c.inbox, receipts: c.receipts,
		signOut: func() { c.setAccount(account{refusal: tim.CodeLoginKickedOffByOther}) },
		pending: make(map[uint64]*call),
	}
	c.link.Store(l)
	return c.conn
}

// wake has the writer look for what waits.
func (c *client) wake() { c.link.Load().notify() }

// carry runs a connection to its end. One to a new session is of use to the
// owner only when the account is signed in again.
func (c *client) carry(conn *clientConn, resumed bool) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	var restoring sync.WaitGroup
	if resumed {
		c.back(conn, "connected again, the session goes on")
	} else {
		restoring.Go(func() { c.restore(ctx, conn) })
	}
	if c.ctx.Err() != nil { // Close may have come before this connection
		conn.sayBye()
		timer := time.AfterFunc(c.opts.CloseTimeout, func() { conn.link.fail(ErrClosed) })
		defer timer.Stop()
	}
	conn.link.notify()
	cause := conn.link.run(conn)

	c.mu.Lock()
	c.conn, c.usable = nil, false
	c.mu.Unlock()
	if c.ctx.Err() != nil {
		cause = ErrClosed
	} else {
		cause = fmt.Errorf("%w: %w", ErrConnection, cause)
	}
	conn.lost(cause)
	cancel()
	restoring.Wait()
	return cause
}

// back tells that the connection is of use again. Where the account was refused
// before, it still is not connected.
func (c *client) back(conn *clientConn, desc string) {
	c.usableNow(conn)
	c.mu.Lock()
	refusal := c.account.refusal
	c.mu.Unlock()
	if refusal != tim.CodeOK {
		c.tell(tim.NetworkConnectFailed, refusal, "connected again, the account was refused before")
		return
	}
	c.tell(tim.NetworkConnected, tim.CodeOK, desc)
}

func (c *client) usableNow(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.usable = c.conn == conn
}

// reconnect tries until there is a connection; nil when the client closes.
func (c *client) reconnect(pause *backoff) (conn *clientConn, resumed bool) {
	for {
		if !pause.wait(c.ctx) {
			return nil, false
		}
		c.mu.Lock()
		greeting := c.greeting
		greeting.Received = c.receipts.last()
		c.mu.Unlock()
		l, w, err := c.driver.dial(c.ctx, context.Background(), greeting)
		if c.ctx.Err() != nil {
			if err == nil {
				return c.adopt(l, w), w.Resumed // to be closed there as well
			}
			return nil, false
		}
		if err != nil {
			c.log.Debug("cannot connect", "error", err)
			c.tell(tim.NetworkConnectFailed, asOpenError(err).Code, err.Error())
			continue
		}
		c.log.Info("connected again", "resumed", w.Resumed)
		return c.adopt(l, w), w.Resumed
	}
}

// restore signs the account in on a new session, as the server has lost the
// one before. It gives up only when the service refuses.
func (c *client) restore(ctx context.Context, conn *clientConn) {
	pause := newBackoff(c.opts)
	for {
		err, over := c.signInAgain(ctx, conn)
		switch {
		case over || ctx.Err() != nil:
			return
		case isRefusal(err):
			c.log.Warn("sign-in refused after the session was lost", "error", err)
			c.refused(conn, err)
			return
		}
		c.log.Debug("cannot sign in again", "error", err)
		c.tell(tim.NetworkConnectFailed, err.Code, "signing in again: "+err.Error())
		if !pause.wait(ctx) {
			return
		}
	}
}

// signInAgain makes one attempt; over says that none is needed any more.
func (c *client) signInAgain(ctx context.Context, conn *clientConn) (_ *tim.Error, over bool) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.SignInTimeout)
	defer cancel()
	if c.beginSigning(ctx, opLogin) != nil {
		return notDone(opLogin, tim.CodeSDKNetWaitSendTimeout, ctx.Err()), false
	}
	defer c.endSigning()
	c.mu.Lock()
	a, usable := c.account, c.usable
	c.mu.Unlock()
	switch {
	case usable: // the owner was faster
		return nil, true
	case a.user == "", a.refusal != tim.CodeOK:
		c.back(conn, "connected again, nobody is signed in")
		return nil, true
	}
	err := c.login(ctx, a)
	if err == nil {
		c.restorePresence(ctx)
		return nil, true
	}
	e, ok := tim.AsError(err)
	if !ok {
		e = unknown(opLogin, tim.CodeSDKInternalError, err)
	}
	return e, false
}

// isRefusal tells an answer about the account from a failure to ask.
func isRefusal(e *tim.Error) bool {
	if e.Code == tim.CodeLoginKickedOffByOther || isExpiry(e.Code) {
		return true
	}
	switch e.Code {
	case tim.CodeSDKNetDisconnect, tim.CodeSDKNetWaitSendTimeout, tim.CodeSDKNetReqCountLimit:
		return false // of this package, not of the service
	}
	return e.Effect == tim.EffectNotDone && !e.Retryable()
}

// isExpiry reports whether the code says that a UserSig has run out.
func isExpiry(code tim.Code) bool {
	return code == tim.CodeUserSigExpired || code == tim.CodeSvrAccountUserSigExpired
}

// refused tells the owner that the account is not signed in any more.
func (c *client) refused(conn *clientConn, e *tim.Error) {
	c.mu.Lock()
	user := c.account.user
	c.account = account{refusal: e.Code}
	var event tim.Event
	switch {
	case e.Code == tim.CodeLoginKickedOffByOther:
		event = tim.KickedOffline{}
	case isExpiry(e.Code):
		event = tim.UserSigExpired{}
		c.account.user = user // RenewUserSig signs it in
	}
	c.mu.Unlock()
	c.usableNow(conn)
	c.tellOf(user, tim.NetworkConnectFailed, e.Code, "sign-in refused: "+e.Error())
	if event != nil {
		c.inbox.put(item{account: user, local: event})
	}
}

// signedIn notes a sign-in that went well.
func (c *client) signedIn(conn *clientConn, a account) {
	c.setAccount(a)
	c.usableNow(conn)
	c.tell(tim.NetworkConnected, tim.CodeOK, "connected again, signed in again")
}

// tell reports how the connection is, where that has changed.
func (c *client) tell(status tim.NetworkStatus, code tim.Code, desc string) {
	c.mu.Lock()
	user := c.account.user
	c.mu.Unlock()
	c.tellOf(user, status, code, desc)
}

func (c *client) tellOf(user tim.UserID, status tim.NetworkStatus, code tim.Code, desc string) {
	c.mu.Lock()
	news := c.status != status || c.code != code
	c.status, c.code = status, code
	c.mu.Unlock()
	if news {
		c.inbox.put(item{account: user, local: tim.ConnectionChanged{Status: status, Code: code, Desc: desc}})
	}
}

// backoff is a pause that doubles.
type backoff struct{ next, max time.Duration }

func newBackoff(o Options) *backoff { return &backoff{next: o.MinBackoff, max: o.MaxBackoff} }

// wait pauses for between half and all of the time; false when ctx ended.
func (b *backoff) wait(ctx context.Context) bool {
	pause := b.next/2 + rand.N(b.next/2+1)
	b.next = min(2*b.next, b.max)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
