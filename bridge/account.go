package bridge

import (
	"context"
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
	AccountConnecting     AccountState = "connecting"      // signing in for the first time
	AccountCatchingUp     AccountState = "catching_up"     // signed in; history is being read
	AccountConnected      AccountState = "connected"       // signed in, everything flows
	AccountDisconnected   AccountState = "disconnected"    // the service cannot be reached; tried again
	AccountKickedOffline  AccountState = "kicked_offline"  // signed in elsewhere; tried again after a while
	AccountBadCredentials AccountState = "bad_credentials" // the service refuses the account; tried again with what is read anew
	AccountSignedOut      AccountState = "signed_out"      // by ourselves, at the end
)

// AccountStates are all of them, in the order in which they usually come.
func AccountStates() []AccountState {
	return []AccountState{AccountStarting, AccountConnecting, AccountCatchingUp, AccountConnected,
		AccountDisconnected, AccountKickedOffline, AccountBadCredentials, AccountSignedOut}
}

// waits are an account's pauses. Each pair is the first and the longest; they
// double, with jitter.
type waits struct {
	// reconnect is before another attempt at a service that cannot be reached:
	// its longest must leave time to be ready 10 s after the service is back.
	reconnectMin, reconnectMax time.Duration
	// refused is before another attempt at a service that refuses the account,
	// or at catching up when that went wrong.
	refusedMin, refusedMax time.Duration
	// kicked is before a kicked account comes back. It is long: whoever kicked
	// it may be meant to have it, and two that kick each other help nobody.
	kickedMin, kickedMax time.Duration
	// lost is how long a connection that was lost is the driver's to make
	// again, before the account signs in by itself.
	lost time.Duration
	// login is how long an answer to signing in is waited for, logout one to
	// signing out at the end.
	login, logout time.Duration
}

func defaultWaits() waits {
	return waits{
		reconnectMin: 200 * time.Millisecond, reconnectMax: 3 * time.Second,
		refusedMin: 5 * time.Second, refusedMax: time.Minute,
		kickedMin: time.Minute, kickedMax: 30 * time.Minute,
		lost: 30 * time.Second, login: 30 * time.Second, logout: 3 * time.Second,
	}
}

// userSigTTL is how long a UserSig that we sign ourselves lasts.
const userSigTTL = 24 * time.Hour

// AccountStatus is what is told of an account.
type AccountStatus struct {
	User  tim.UserID   `json:"user"`
	State AccountState `json:"state"`
	Since time.Time    `json:"since"`
	// Error is why it is not connected, or why catching up goes wrong; else empty.
	Error string `json:"error,omitempty"`
}

// credentials gives an account's UserSig, anew each time it is asked.
type credentials func() (sig string, err error)

// account is one account that is kept signed in; its [session] does that.
type account struct {
	user    tim.UserID
	driver  tim.Driver
	config  tim.Config
	sig     credentials
	ingress *ingress.Ingress
	log     hclog.Logger
	waits   waits
	watched []tim.UserID // whose statuses it asks to be told of
	timed   func(tim.Handler) tim.Handler

	mu      sync.Mutex
	status  AccountStatus
	client  tim.Client // that can be called; nil while there is none
	changed chan struct{}
}

func newAccount(user tim.UserID, driver tim.Driver, config tim.Config, sig credentials, in *ingress.Ingress, log hclog.Logger) *account {
	return &account{
		user: user, driver: driver, config: config, sig: sig, ingress: in, log: log.With("account", user), waits: defaultWaits(),
		timed:   func(take tim.Handler) tim.Handler { return take },
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

// heard is when the service last gave a sign of life; false where the client
// cannot tell, or there is none.
func (a *account) heard() (time.Time, bool) {
	a.mu.Lock()
	client := a.client
	a.mu.Unlock()
	c, ok := client.(interface{ Heard() time.Time })
	if !ok {
		return time.Time{}, false
	}
	return c.Heard(), true
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
	if a.status.State == state && a.status.Error == text && a.client == client {
		return
	}
	if a.status.State != state {
		a.status.Since = time.Now()
		if cause != nil {
			a.log.Warn("account "+string(state), "error", cause)
		} else {
			a.log.Info("account " + string(state))
		}
	}
	a.status.State, a.status.Error, a.client = state, text, client
	close(a.changed)
	a.changed = make(chan struct{})
}

// run keeps the account signed in until ctx ends, and signs it out then. An
// error is the journal's.
func (a *account) run(ctx context.Context) error {
	a.set(AccountConnecting, nil, nil)
	wait := newBackoffs(a.waits)
	for ctx.Err() == nil {
		client, err := a.driver.Open(ctx, a.config)
		if err == nil {
			s := newSession(a, client)
			if err = client.Listen(s.handle); err == nil {
				return s.run(ctx)
			}
			s.closeClient()
		}
		if ctx.Err() == nil {
			state := stateAfter(err)
			a.set(state, nil, err)
			pause(ctx, wait.next(state))
		}
	}
	a.set(AccountSignedOut, nil, nil)
	return nil
}

// record journals something that happened to the account. An error is the journal's.
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
	return a.ingress.RecordFact(ctx, fact)
}

// backoffs are the pauses after failures, by what kind of failure it was.
type backoffs struct {
	waits              waits
	reconnect, refused time.Duration
}

func newBackoffs(w waits) *backoffs {
	return &backoffs{waits: w, reconnect: w.reconnectMin, refused: w.refusedMin}
}

func (b *backoffs) next(state AccountState) time.Duration {
	d, longest := &b.reconnect, b.waits.reconnectMax
	if state == AccountBadCredentials {
		d, longest = &b.refused, b.waits.refusedMax
	}
	now := *d
	*d = min(2*now, longest)
	return jitter(now)
}

// pause waits, no longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// jitter is between half and all of d.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + rand.Float64()/2))
}

// accounts are all accounts of this instance.
type accounts struct {
	list   []*account
	byUser map[tim.UserID]*account
	only   tim.UserID // the configuration's only account, where there is one
}

func (s *accounts) add(a *account) {
	s.list = append(s.list, a)
	s.byUser[a.user] = a
}

// Account tells egress what is known of an account.
func (s *accounts) Account(user tim.UserID) egress.Account {
	if a := s.byUser[user]; a != nil {
		return a.forEgress()
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
