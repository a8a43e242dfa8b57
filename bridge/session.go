package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/timbridge/timbridge/ingress"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// session is an account with its client: it signs in, stays signed in, and has
// ingress read what was missed each time the account was away.
type session struct {
	*account
	client  tim.Client
	notices *notices
	take    tim.Handler // ingress's

	// Of run's goroutine.
	connected bool   // the service takes the account for signed in
	used      string // the UserSig last handed in
	lost      error  // what the driver last said about the connection, nil while it is there
	trouble   error  // what went wrong when it last caught up, nil when nothing did
	// caught tells how the catch-up under way ended, nil without one; stop ends it.
	caught   chan error
	stop     context.CancelFunc
	catching sync.WaitGroup
	// unwatch ends the subscribing to statuses that is under way.
	unwatch  context.CancelFunc
	watching sync.WaitGroup
	// retry is when catching up is begun again or, without a connection, the
	// account signs in by itself.
	retry *time.Timer
}

func newSession(a *account, client tim.Client) *session {
	s := &session{
		account: a, client: client, notices: &notices{bell: make(chan struct{}, 1)},
		take: a.timed(a.ingress.Handler(a.user)), stop: func() {}, unwatch: func() {}, retry: time.NewTimer(time.Hour),
	}
	s.retry.Stop()
	return s
}

// handle takes every report of the client.
func (s *session) handle(r tim.Report) {
	s.notices.note(r.Event)
	s.take(r)
}

// run keeps the account signed in until ctx ends, signs it out then and closes
// the client. An error is the journal's.
func (s *session) run(ctx context.Context) error {
	err := s.live(ctx)
	if ctx.Err() != nil || errors.Is(err, ingress.ErrClosed) {
		err = nil
	}
	s.leave()
	return err
}

// live returns when ctx ends or the journal fails.
func (s *session) live(ctx context.Context) error {
	first := s.ingress.LastConnected(s.user).IsZero()
	if err := s.ingress.Announce(ctx, s.user); err != nil {
		return err
	}
	wait := s.waits.kickedMin
	for {
		if err := s.signIn(ctx); err != nil {
			return err
		}
		since := time.Now()
		if err := s.record(ctx, mapping.AccountSignedIn{First: first}); err != nil {
			return err
		}
		first = false
		kicked := s.attend(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		s.connected = false
		if !kicked {
			continue
		}
		if time.Since(since) > 2*wait {
			wait = s.waits.kickedMin
		}
		s.log.Warn("the account was signed in elsewhere and kicked offline; it signs in again after a while", "wait", wait)
		pause(ctx, wait)
		wait = min(2*wait, s.waits.kickedMax)
	}
}

// signIn tries until the account is signed in.
func (s *session) signIn(ctx context.Context) error {
	wait := newBackoffs(s.waits)
	for {
		s.forget()
		err := s.login(ctx)
		if err == nil {
			s.connected, s.lost = true, nil
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.lost != nil && tim.CodeOf(err) == tim.CodeSDKNetDisconnect {
			err = s.lost // which says more
		}
		state := stateAfter(err)
		s.set(state, nil, err)
		if state == AccountKickedOffline {
			// Told once: it was kicked while we were away. To sign in again is
			// what the service expects now.
			s.log.Warn("the account was signed in elsewhere while the bridge was away; signing in now kicks that other device")
			if err := s.record(ctx, mapping.AccountKickedOffline{}); err != nil {
				return err
			}
		}
		s.rest(ctx, wait.next(state))
	}
}

// forget drops what was said about the account before it signs in.
func (s *session) forget() {
	switch _, _, change := s.notices.take(); {
	case change == nil:
	case change.Status == tim.NetworkConnected:
		s.lost = nil
	default:
		s.lost = connectionError(change)
	}
}

// rest pauses, but not after the connection has come back.
func (s *session) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case <-s.notices.bell:
			if s.notices.connected() {
				return
			}
		}
	}
}

func (s *session) login(ctx context.Context) error {
	sig, err := s.sig()
	if err != nil {
		return &credentialsError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, s.waits.login)
	defer cancel()
	if err := s.client.Login(ctx, s.user, sig); err != nil {
		return err
	}
	s.used = sig
	return nil
}

// renew hands in a new UserSig, where there is a new one.
func (s *session) renew(ctx context.Context) error {
	sig, err := s.sig()
	if err != nil {
		return &credentialsError{err}
	}
	if sig == s.used {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.waits.login)
	defer cancel()
	if err := s.client.RenewUserSig(ctx, sig); err != nil {
		return err
	}
	s.used = sig
	return nil
}

// renewal is how long from now a UserSig should be replaced: at three quarters
// of what is left of it.
func renewal(sig string) time.Duration {
	claims, err := tim.ParseUserSig(sig)
	if err != nil {
		return userSigTTL * 3 / 4
	}
	return max(time.Until(claims.ExpiresAt())*3/4, time.Minute)
}

// attend stays with the account while it is signed in: it catches up, again
// after each reconnect, and renews the UserSig in time. It returns when ctx
// ends, when the account was kicked, or when it has to sign in anew.
func (s *session) attend(ctx context.Context) (kicked bool) {
	renew := time.NewTimer(renewal(s.used))
	defer renew.Stop()
	defer s.watching.Wait()
	defer s.catching.Wait()
	defer func() { s.halt(); s.unwatch() }()
	s.watchAnew(ctx)
	s.catchUp(ctx, nil)
	for {
		select {
		case <-ctx.Done():
			return false
		case err := <-s.caught:
			s.caughtUp(err)
		case <-s.retry.C:
			if !s.connected {
				return false
			}
			s.catchUp(ctx, s.trouble)
		case <-renew.C:
			next := renewal(s.used)
			if err := s.renew(ctx); err != nil {
				s.log.Warn("the UserSig cannot be renewed; it is tried again", "error", err)
				next = s.waits.refusedMax
			}
			renew.Reset(next)
		case <-s.notices.bell:
			if stay, kicked := s.noticed(ctx); !stay {
				return kicked
			}
		}
	}
}

// noticed deals with what the service said about the account. stay is whether
// it is, or will by itself be, signed in.
func (s *session) noticed(ctx context.Context) (stay, kicked bool) {
	kicked, expired, change := s.notices.take()
	if kicked {
		s.lose(AccountKickedOffline, errKicked)
		return false, true
	}
	if expired {
		before := s.used
		err := s.renew(ctx)
		if err == nil && s.used == before {
			err = errExpired
		}
		if err != nil {
			s.lose(stateAfter(err), err)
			return false, false
		}
		s.catchUp(ctx, nil)
	}
	if change == nil {
		return true, false
	}
	if change.Status == tim.NetworkConnected {
		s.connected, s.lost = true, nil
		s.watchAnew(ctx)
		s.catchUp(ctx, nil)
		return true, false
	}
	s.lost = connectionError(change)
	state := stateAfter(s.lost)
	s.lose(state, s.lost)
	return state == AccountDisconnected, state == AccountKickedOffline
}

// lose notes that the account is not signed in any more.
func (s *session) lose(state AccountState, cause error) {
	s.halt()
	s.unwatch()
	s.connected = false
	s.set(state, nil, cause)
	s.retry.Reset(s.waits.lost)
}

// catchUp begins to catch up, anew if it was under way. trouble is what went
// wrong at the last attempt.
func (s *session) catchUp(ctx context.Context, trouble error) {
	s.halt()
	s.trouble = trouble
	s.set(AccountCatchingUp, s.client, trouble)
	ctx, s.stop = context.WithCancel(ctx)
	caught := make(chan error, 1)
	s.caught = caught
	s.catching.Go(func() { caught <- s.ingress.CatchUp(ctx, s.user, s.client, time.Time{}) })
}

// halt ends the catch-up under way; how it ended does not matter any more.
func (s *session) halt() {
	s.stop()
	s.stop, s.caught = func() {}, nil
	s.retry.Stop()
}

// caughtUp deals with the end of a catch-up.
func (s *session) caughtUp(err error) {
	s.halt()
	switch {
	case err == nil:
		s.trouble = nil
		s.set(AccountConnected, s.client, nil)
	case errors.Is(err, ingress.ErrInterrupted):
		// The service said that the account was away. Should nothing say that
		// it is back, that was said before this catch-up began.
		s.retry.Reset(s.waits.reconnectMin)
	case errors.Is(err, ingress.ErrClosed):
		// The bridge ends.
	default:
		s.log.Warn("catching up went wrong; it is begun again", "error", err)
		s.trouble = err
		s.set(AccountCatchingUp, s.client, err)
		s.retry.Reset(jitter(s.waits.refusedMin))
	}
}

// leave signs out and closes the client.
func (s *session) leave() {
	s.set(AccountSignedOut, nil, nil)
	if s.connected {
		ctx, cancel := context.WithTimeout(context.Background(), s.waits.logout)
		defer cancel()
		if err := s.client.Logout(ctx); err != nil {
			s.log.Debug("signing out did not go well; the service notices by itself", "error", err)
		}
		// A service that did not answer has used up its time, not the journal's.
		ctx, cancel = context.WithTimeout(context.Background(), s.waits.logout)
		defer cancel()
		if err := s.record(ctx, mapping.AccountSignedOut{Reason: "the bridge ends"}); err != nil && !errors.Is(err, ingress.ErrClosed) {
			s.log.Warn("account.signed_out cannot be recorded", "error", err)
		}
	}
	s.closeClient()
}

func (s *session) closeClient() {
	if err := s.client.Close(); err != nil {
		s.log.Debug("closing the connection to the IM service did not go well", "error", err)
	}
}

// notices are what the service last said about the account itself. The handler
// leaves them without ever waiting; bell has a token while there are new ones.
type notices struct {
	bell chan struct{}

	mu      sync.Mutex
	kicked  bool
	expired bool
	change  *tim.ConnectionChanged
}

func (n *notices) note(e tim.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch e := e.(type) {
	case tim.KickedOffline:
		n.kicked = true
	case tim.UserSigExpired:
		n.expired = true
	case tim.ConnectionChanged:
		n.change = &e
	default:
		return
	}
	select {
	case n.bell <- struct{}{}:
	default:
	}
}

func (n *notices) take() (kicked, expired bool, change *tim.ConnectionChanged) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kicked, expired, change = n.kicked, n.expired, n.change
	n.kicked, n.expired, n.change = false, false, nil
	return kicked, expired, change
}

// connected says whether the last thing said is that the connection is there.
func (n *notices) connected() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.change != nil && n.change.Status == tim.NetworkConnected
}

var (
	errKicked  = errors.New("signed in elsewhere on the same platform")
	errExpired = errors.New("the UserSig has expired, and there is no newer one")
)

func connectionError(c *tim.ConnectionChanged) error {
	if c.Code == tim.CodeOK && c.Desc == "" {
		return errors.New("connection lost")
	}
	return tim.NewError("connection", c.Code, c.Desc)
}

// credentialsError is a UserSig that cannot be had on our side.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "the UserSig cannot be read: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// stateAfter is the state that an error puts an account into.
func stateAfter(err error) AccountState {
	var ours *credentialsError
	if errors.As(err, &ours) || errors.Is(err, errExpired) {
		return AccountBadCredentials
	}
	switch code := tim.CodeOf(err); code {
	case tim.CodeLoginKickedOffByOther:
		return AccountKickedOffline
	case tim.CodeUserSigExpired, tim.CodeLoginAuthFailed, tim.CodeReqInvalidSign, tim.CodeRequestInvalidSign,
		tim.CodeAutoLoginNeedUserSig, tim.CodeSDKNetAuthInvalid:
		return AccountBadCredentials
	default:
		// The service's own codes about accounts and their UserSigs.
		if code >= 70000 && code < 71000 && !code.Retryable() {
			return AccountBadCredentials
		}
		return AccountDisconnected
	}
}
