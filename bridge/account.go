package bridge

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/ingress"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// AccountState is where an account stands, in words that one can alert on.
type AccountState string

// The states of an account.
const (
	AccountStarting       AccountState = "starting"        // nothing was tried yet
	AccountConnecting     AccountState = "connecting"      // signing in
	AccountCatchingUp     AccountState = "catching_up"     // signed in; history is being read
	AccountConnected      AccountState = "connected"       // signed in, everything flows
	AccountDisconnected   AccountState = "disconnected"    // the service cannot be reached; tried again
	AccountKickedOffline  AccountState = "kicked_offline"  // signed in elsewhere; tried again after a while
	AccountBadCredentials AccountState = "bad_credentials" // the service refuses the UserSig; tried again after a while
	AccountSignedOut      AccountState = "signed_out"      // by ourselves
)

// AccountStates are all of them, in the order in which they usually come.
func AccountStates() []AccountState {
	return []AccountState{AccountStarting, AccountConnecting, AccountCatchingUp, AccountConnected,
		AccountDisconnected, AccountKickedOffline, AccountBadCredentials, AccountSignedOut}
}

// Waits of an account before it signs in again.
const (
	reconnectMin = 200 * time.Millisecond
	reconnectMax = 10 * time.Second
	refusedMin   = 5 * time.Second
	refusedMax   = time.Minute
	// A kicked account comes back slowly: whoever kicked it may be meant to
	// have it, and two that kick each other help nobody.
	kickedMin = time.Minute
	kickedMax = 30 * time.Minute

	// userSigTTL is how long a UserSig that we sign ourselves lasts.
	userSigTTL = 24 * time.Hour
	loginWait  = 30 * time.Second
)

// AccountStatus is what is told of an account.
type AccountStatus struct {
	User  tim.UserID   `json:"user"`
	State AccountState `json:"state"`
	Since time.Time    `json:"since"`
	// Error is why it is not connected, empty while it is.
	Error string `json:"error,omitempty"`
}

// credentials gives an account's UserSig, anew each time it is asked.
type credentials func() (sig string, err error)

// account signs one account in, keeps it signed in, and has ingress read what
// was missed each time it was away.
type account struct {
	user    tim.UserID
	driver  tim.Driver
	config  tim.Config
	sig     credentials
	ingress *ingress.Ingress
	log     hclog.Logger

	mu      sync.Mutex
	status  AccountStatus
	client  tim.Client
	changed chan struct{}
	// proof is when the service last showed that it is there.
	proof time.Time
}

func newAccount(user tim.UserID, driver tim.Driver, config tim.Config, sig credentials, in *ingress.Ingress, log hclog.Logger) *account {
	return &account{
		user: user, driver: driver, config: config, sig: sig, ingress: in, log: log.With("account", user),
		status:  AccountStatus{User: user, State: AccountStarting, Since: time.Now()},
		changed: make(chan struct{}),
	}
}

// Status tells where the account stands.
func (a *account) Status() AccountStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

func (a *account) forEgress() egress.Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := egress.Account{Since: a.status.Since, Changed: a.changed}
	switch a.status.State {
	case AccountConnected, AccountCatchingUp:
		out.State, out.Client = egress.StateConnected, a.client
	case AccountKickedOffline, AccountBadCredentials, AccountSignedOut:
		out.State = egress.StateUnavailable
	default:
		out.State = egress.StateWaiting
	}
	return out
}

// set changes the state; client is the one that can be called, if any.
func (a *account) set(state AccountState, client tim.Client, cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := ""
	if cause != nil {
		text = cause.Error()
	}
	if state == AccountConnected {
		a.proof = time.Now()
	}
	if a.status.State == state && a.status.Error == text && a.client == client {
		return
	}
	if a.status.State != state {
		a.status.Since = time.Now()
		switch {
		case cause != nil:
			a.log.Warn("account "+string(state), "error", cause)
		default:
			a.log.Info("account " + string(state))
		}
	}
	a.status.State, a.status.Error, a.client = state, text, client
	close(a.changed)
	a.changed = make(chan struct{})
}

// run keeps the account signed in until ctx ends, and signs it out then.
func (a *account) run(ctx context.Context) error {
	backoff := reconnectMin
	for ctx.Err() == nil {
		client, err := a.driver.Open(ctx, a.config)
		if err != nil {
			a.set(AccountDisconnected, nil, err)
			pause(ctx, jitter(backoff))
			backoff = min(2*backoff, reconnectMax)
			continue
		}
		backoff = reconnectMin
		err = a.live(ctx, client)
		a.leave(client)
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// leave closes a client; an account that was signed in is signed out first.
func (a *account) leave(client tim.Client) {
	signedIn := a.forEgress().State == egress.StateConnected
	a.set(AccountSignedOut, nil, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if signedIn {
		if err := client.Logout(ctx); err != nil {
			a.log.Debug("signing out did not go well; the service notices by itself", "error", err)
		}
	}
	if err := client.Close(); err != nil {
		a.log.Debug("closing the connection to the IM service did not go well", "error", err)
	}
}

// notices are what the service last said about the account itself. A handler
// leaves them without ever waiting.
type notices struct {
	mu      sync.Mutex
	kicked  bool
	expired bool
	change  *tim.ConnectionChanged
	bell    chan struct{}
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

// live keeps one client signed in until ctx ends. An error is the journal's.
func (a *account) live(ctx context.Context, client tim.Client) error {
	n := &notices{bell: make(chan struct{}, 1)}
	record := a.ingress.Handler(a.user)
	err := client.Listen(func(r tim.Report) {
		n.note(r.Event)
		record(r)
	})
	if err != nil {
		a.set(AccountDisconnected, nil, err)
		pause(ctx, reconnectMax)
		return nil
	}
	kickWait := kickedMin
	for ctx.Err() == nil {
		if !a.signIn(ctx, client) {
			return nil
		}
		since := time.Now()
		if err := a.record(ctx, mapping.AccountSignedIn{}); err != nil {
			return err
		}
		kicked, err := a.attend(ctx, client, n)
		if err != nil || !kicked {
			return err
		}
		if time.Since(since) > 2*kickWait {
			kickWait = kickedMin
		}
		a.log.Warn("the account was signed in elsewhere and kicked offline; it signs in again after a while", "wait", kickWait)
		pause(ctx, kickWait)
		kickWait = min(2*kickWait, kickedMax)
	}
	return nil
}

// signIn tries until the account is signed in; false when ctx ended.
func (a *account) signIn(ctx context.Context, client tim.Client) bool {
	backoff, refused := reconnectMin, refusedMin
	for ctx.Err() == nil {
		if s := a.Status().State; s == AccountStarting || s == AccountSignedOut {
			a.set(AccountConnecting, nil, nil)
		}
		err := a.login(ctx, client)
		switch code := tim.CodeOf(err); {
		case err == nil:
			return true
		case ctx.Err() != nil:
		case code == tim.CodeLoginKickedOffByOther:
			// Told once: it was kicked while we were away. Signing in again
			// is what the service expects now.
			a.log.Warn("the account was signed in elsewhere while the bridge was away; signing in again kicks that other device")
		case refusesCredentials(err):
			a.set(AccountBadCredentials, nil, err)
			pause(ctx, jitter(refused))
			refused = min(2*refused, refusedMax)
		default:
			a.set(AccountDisconnected, nil, err)
			pause(ctx, jitter(backoff))
			backoff = min(2*backoff, reconnectMax)
		}
	}
	return false
}

func (a *account) login(ctx context.Context, client tim.Client) error {
	sig, err := a.sig()
	if err != nil {
		return &credentialsError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, loginWait)
	defer cancel()
	return client.Login(ctx, a.user, sig)
}

// credentialsError is a UserSig that cannot be had on our side.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// refusesCredentials says whether trying again with the same UserSig is idle.
func refusesCredentials(err error) bool {
	var ours *credentialsError
	if errors.As(err, &ours) {
		return true
	}
	code := tim.CodeOf(err)
	switch code {
	case tim.CodeUserSigExpired, tim.CodeLoginAuthFailed, tim.CodeReqInvalidSign, tim.CodeRequestInvalidSign, tim.CodeAutoLoginNeedUserSig:
		return true
	}
	// The service's own codes about accounts and their UserSigs.
	return code >= 70000 && code < 71000 && !code.Retryable()
}

// attend stays with a signed-in account: catches up after each reconnect,
// renews the UserSig in time. It returns true when the account was kicked.
func (a *account) attend(ctx context.Context, client tim.Client, n *notices) (kicked bool, err error) {
	renew := time.NewTimer(userSigTTL * 3 / 4)
	defer renew.Stop()

	var catching sync.WaitGroup
	defer catching.Wait()
	stop := func() {}
	defer func() { stop() }()
	caught := make(chan error, 1)
	catchUp := func() {
		stop()
		catching.Wait()
		select {
		case <-caught:
		default:
		}
		a.set(AccountCatchingUp, client, nil)
		var c context.Context
		c, stop = context.WithCancel(ctx)
		catching.Go(func() { caught <- a.ingress.CatchUp(c, a.user, client, time.Time{}) })
	}
	catchUp()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case err := <-caught:
			switch {
			case err == nil:
				a.set(AccountConnected, client, nil)
			case ctx.Err() != nil:
			case errors.Is(err, ingress.ErrInterrupted):
				// The connection went away again; the next one begins anew.
			case errors.Is(err, ingress.ErrClosed):
				return false, nil
			default:
				a.log.Warn("catching up did not go well; it is begun again", "error", err)
				retry.Reset(jitter(refusedMin))
			}
		case <-retry.C:
			catchUp()
		case <-renew.C:
			if err := a.renew(ctx, client); err != nil {
				a.log.Warn("the UserSig cannot be renewed; it is tried again", "error", err)
				renew.Reset(refusedMax)
			} else {
				renew.Reset(userSigTTL * 3 / 4)
			}
		case <-n.bell:
			kicked, expired, change := n.take()
			if kicked {
				a.set(AccountKickedOffline, nil, errKicked)
				return true, nil
			}
			if expired {
				if err := a.renew(ctx, client); err != nil {
					a.set(AccountBadCredentials, nil, err)
					return false, nil
				}
				catchUp()
			}
			if change == nil {
				continue
			}
			switch change.Status {
			case tim.NetworkConnected:
				catchUp()
			default:
				stop()
				a.set(AccountDisconnected, nil, connectionError(change))
				if refusesCredentials(tim.NewError("login", change.Code, change.Desc)) {
					a.set(AccountBadCredentials, nil, connectionError(change))
					return false, nil
				}
			}
		}
	}
}

var errKicked = errors.New("signed in elsewhere on the same platform")

func connectionError(c *tim.ConnectionChanged) error {
	if c.Code == 0 && c.Desc == "" {
		return errors.New("connection lost")
	}
	return tim.NewError("connection", c.Code, c.Desc)
}

func (a *account) renew(ctx context.Context, client tim.Client) error {
	sig, err := a.sig()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, loginWait)
	defer cancel()
	return client.RenewUserSig(ctx, sig)
}

func (a *account) record(ctx context.Context, what mapping.AccountEvent) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	fact, err := mapping.AccountFact(mapping.Observation{
		App: mapping.App{SDKAppID: a.config.SDKAppID}, Account: a.user, ID: id.String(),
	}, what, time.Now())
	if err != nil {
		return err
	}
	if err := a.ingress.RecordFact(ctx, fact); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + rand.Float64()/2))
}

// accounts are all accounts of this instance.
type accounts struct {
	list []*account
	only tim.UserID // the configuration's only account, where there is one
}

// Account tells egress what is known of an account.
func (s *accounts) Account(user tim.UserID) egress.Account {
	for _, a := range s.list {
		if a.user == user {
			return a.forEgress()
		}
	}
	return egress.Account{}
}

// Users are the accounts of this instance.
func (s *accounts) Users() []tim.UserID {
	out := make([]tim.UserID, len(s.list))
	for i, a := range s.list {
		out[i] = a.user
	}
	return out
}

// Default is the configuration's only account.
func (s *accounts) Default() (tim.UserID, bool) { return s.only, s.only != "" }
