package sandbox

import (
	"context"
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Login signs the account in; see [tim.Client]. Another session of the account
// on the same platform is kicked. Signing in again as the same user renews the
// UserSig.
func (c *Client) Login(ctx context.Context, user tim.UserID, userSig string) error {
	const op = "login"
	return c.do(ctx, op, CallLogin, user, func() error {
		expires, issued, err := c.s.checkUserSig(op, user, userSig)
		if err != nil {
			return err
		}
		c.s.mu.Lock()
		ss, b, err := c.login(op, user, expires, issued)
		c.s.mu.Unlock()
		if b != nil {
			if werr := b.wait(ctx, op); werr != nil {
				if ss != nil {
					c.abandon(ss)
				}
				return werr
			}
		}
		return err
	})
}

// login does it under the lock. It may return a batch to wait for with an
// error to return after it.
func (c *Client) login(op string, user tim.UserID, expires time.Time, issued int64) (*session, *batch, error) {
	s := c.s
	if c.closed {
		return nil, nil, c.notSignedIn(op)
	}
	if err := s.usable(op); err != nil {
		return nil, nil, err
	}
	if ss := c.session; ss != nil && !ss.over {
		if ss.account.id != user {
			return nil, nil, refuse(op, tim.CodeSDKInvalidOperation, "%q is signed in; another account needs a Logout first", ss.account.id)
		}
		return nil, nil, ss.renew(op, expires, issued)
	}
	a := s.st.accounts[user]
	if a != nil && issued < a.sigFloor {
		return nil, nil, refuse(op, tim.CodeSvrAccountUserSigExpired, "the UserSig was ended before its time")
	}
	if told, b := c.tellKicked(user, a); told {
		return nil, b, refuse(op, tim.CodeLoginKickedOffByOther, "")
	}
	r := &loginRecord{user: user, device: c.device, time: s.now()}
	if a != nil {
		r.kicked = c.kickOthers(a)
	}
	if c.session != nil { // was kicked
		c.leave(c.session)
	}
	_, b := s.write(r)
	a = s.st.accounts[user]
	ss := &session{
		s: s, client: c, account: a, device: c.device, handler: c.handler,
		ack: s.opts.Delivery == DeliveryAck, expires: expires,
		login: s.position, stop: make(chan struct{}), done: make(chan struct{}),
	}
	if a.sessions == nil {
		a.sessions = map[tim.Platform]*session{}
	}
	a.sessions[c.device.Platform] = ss
	a.presence.signedOut = false
	s.presenceChanged(a)
	c.session = ss
	s.delivery.follow(ss, c.before)
	b.sessions = append(b.sessions, ss)
	return ss, b, nil
}

// abandon ends a session whose login may not be on disk.
func (c *Client) abandon(ss *session) {
	c.s.mu.Lock()
	if c.session == ss {
		c.leave(ss)
	}
	c.s.mu.Unlock()
	<-ss.done
}

// tellKicked says whether this device was kicked while it was not in touch and
// is told now. The caller holds the lock.
func (c *Client) tellKicked(user tim.UserID, a *account) (told bool, b *batch) {
	mine := c.kicked && c.session != nil && c.session.account.id == user
	c.kicked = false
	if mine {
		c.leave(c.session)
	}
	b = c.s.settled()
	if a == nil {
		return mine, b
	}
	for _, d := range []device{{Platform: c.device.Platform, ID: c.device.ID}, {Any: true}} {
		if hasDevice(a.kicked, d) && (d.Any || d.ID != "") {
			_, b = c.s.write(&kickRecord{user: user, device: d, clear: true})
			mine = true
		}
	}
	return mine, b
}

// kickOthers kicks who is signed in on the same platform, and gives the
// devices that can be told only at their next login. The caller holds the lock.
func (c *Client) kickOthers(a *account) (untold []device) {
	old := a.sessions[c.device.Platform]
	for _, d := range a.devices {
		if d.Platform == c.device.Platform && d != c.device && (old == nil || old.away || d != old.device) {
			untold = append(untold, d)
		}
	}
	switch {
	case old == nil:
	case old.away:
		old.over = true
		old.client.kicked = true
		delete(a.sessions, old.device.Platform)
		old.unwatchAll()
		untold = slices.DeleteFunc(untold, func(d device) bool { return d == old.device })
	default:
		old.kick()
	}
	return untold
}

// RenewUserSig hands in a new UserSig; see [tim.Client].
func (c *Client) RenewUserSig(ctx context.Context, userSig string) error {
	const op = "renew usersig"
	return c.do(ctx, op, CallRenewUserSig, "", func() error {
		c.s.mu.Lock()
		ss := c.session
		if c.closed || ss == nil || ss.over {
			defer c.s.mu.Unlock()
			return c.notSignedIn(op)
		}
		user := ss.account.id
		c.s.mu.Unlock()
		expires, issued, err := c.s.checkUserSig(op, user, userSig)
		if err != nil {
			return err
		}
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		if ss.over {
			return c.notSignedIn(op)
		}
		return ss.renew(op, expires, issued)
	})
}

// renew goes on with a new UserSig. The caller holds the lock.
func (ss *session) renew(op string, expires time.Time, issued int64) error {
	if issued < ss.account.sigFloor {
		return refuse(op, tim.CodeSvrAccountUserSigExpired, "the UserSig was ended before its time")
	}
	ss.expires, ss.expired = expires, false
	ss.notify()
	return nil
}

// checkUserSig checks a UserSig, and says when it ends and when it was issued.
func (s *Sandbox) checkUserSig(op string, user tim.UserID, userSig string) (expires time.Time, issued int64, err error) {
	if !validUser(user) {
		return expires, 0, refuse(op, tim.CodeSDKCommInvalidIdentifier, "%q is not a user id: 1 to %d bytes of printable ASCII, and not the service's own", user, maxUserBytes)
	}
	if err := tim.VerifyUserSig(s.opts.SDKAppID, s.opts.Key, user, userSig, s.opts.Now()); err != nil {
		if e, ok := tim.AsError(err); ok {
			return expires, 0, refuse(op, e.Code, "%s", e.Desc)
		}
		return expires, 0, err
	}
	claims, err := tim.ParseUserSig(userSig)
	if err != nil {
		return expires, 0, err
	}
	if !s.exists(user) {
		return expires, 0, refuse(op, tim.CodeSvrAccountNotFound, "the account %q does not exist", user)
	}
	return claims.ExpiresAt(), claims.Time, nil
}
