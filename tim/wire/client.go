package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/timbridge/timbridge/tim"
)

// client implements [tim.Client] over a connection that it keeps up.
type client struct {
	driver *Driver
	opts   Options
	log    hclog.Logger

	inbox   *inbox
	ids     atomic.Uint64
	slots   chan struct{} // a place for each request in flight
	windows map[tim.ConvType]time.Duration
	uploads bool // the server takes files
	// redelivers: the service behind it keeps reports until they are acknowledged.
	redelivers bool

	ctx    context.Context // ends when the client closes
	cancel context.CancelFunc
	wg     sync.WaitGroup // keep, inbox.run

	// signing is held while an account is signed in or out, so that these and
	// the signing in by itself do not cross.
	signing chan struct{}

	link atomic.Pointer[link] // the latest one

	mu       sync.Mutex
	greeting hello
	receipts *receipts   // of the latest session
	conn     *clientConn // nil while there is none
	usable   bool        // conn may be used for requests: the account is as it was
	account  account
	watched  []tim.UserID      // whose statuses the owner is told of, as long as the account is signed in
	words    string            // its own, as the owner has set them
	status   tim.NetworkStatus // the last one told to the owner
	code     tim.Code
}

// account is what is needed to sign in again.
type account struct {
	user tim.UserID // "" while none is to be signed in
	sig  string
	// refusal is why the account is not signed in though its owner has not
	// signed it out; CodeOK otherwise.
	refusal tim.Code
}

// lapsed says that the account waits for RenewUserSig.
func (a account) lapsed() bool { return a.user != "" && isExpiry(a.refusal) }

func newClient(d *Driver, greeting hello, w welcome) *client {
	ctx, cancel := context.WithCancel(context.Background())
	c := &client{
		driver: d, opts: d.opts, log: d.opts.Logger, inbox: newInbox(),
		slots:   make(chan struct{}, min(d.opts.MaxInFlight, w.MaxInFlight)),
		windows: make(map[tim.ConvType]time.Duration),
		uploads: slices.Contains(w.Capabilities, capUploader), redelivers: w.Redelivers,
		ctx: ctx, cancel: cancel, signing: make(chan struct{}, 1), greeting: greeting,
	}
	for t, ms := range w.ResendWindowMS {
		c.windows[t] = time.Duration(ms) * time.Millisecond
	}
	return c
}

// Redelivers implements [tim.Redeliverer].
func (c *client) Redelivers() bool { return c.redelivers }

// Listen implements [tim.Client].
func (c *client) Listen(h tim.Handler) error {
	if h == nil || !c.inbox.listen(h) {
		return notDone("listen", tim.CodeSDKInvalidOperation, errors.New("a handler is set already, or it is nil"))
	}
	return nil
}

// Login implements [tim.Client]. From its success until Logout the client
// signs the account in again by itself when the server has lost the session.
func (c *client) Login(ctx context.Context, user tim.UserID, userSig string) error {
	if err := c.beginSigning(ctx, opLogin); err != nil {
		return err
	}
	defer c.endSigning()
	return c.login(ctx, account{user: user, sig: userSig})
}

// login signs in; the caller holds signing.
func (c *client) login(ctx context.Context, a account) error {
	body, err := json.Marshal(loginBody{UserID: a.user, UserSig: a.sig})
	if err != nil {
		return notDone(opLogin, tim.CodeInvalidParameters, err)
	}
	_, err = c.call(ctx, opLogin, body, func(conn *clientConn, err error) {
		if err == nil {
			c.signedIn(conn, a)
		}
	})
	return err
}

// RenewUserSig implements [tim.Client]. Where the client could not sign in
// again because the UserSig had expired, it signs in with this one.
func (c *client) RenewUserSig(ctx context.Context, userSig string) error {
	if err := c.beginSigning(ctx, opRenewUserSig); err != nil {
		return err
	}
	defer c.endSigning()
	c.mu.Lock()
	a := c.account
	c.mu.Unlock()
	if a.lapsed() {
		if err := c.login(ctx, account{user: a.user, sig: userSig}); err != nil {
			return err
		}
		c.restorePresence(ctx)
		return nil
	}
	body, err := json.Marshal(renewBody{UserSig: userSig})
	if err != nil {
		return notDone(opRenewUserSig, tim.CodeInvalidParameters, err)
	}
	_, err = c.call(ctx, opRenewUserSig, body, func(_ *clientConn, err error) {
		if err != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.account.user != "" {
			c.account.sig = userSig
		}
	})
	return err
}

// Logout implements [tim.Client]. It waits for a running handler call, so it
// must not be called by the handler.
func (c *client) Logout(ctx context.Context) error {
	if err := c.beginSigning(ctx, opLogout); err != nil {
		return err
	}
	defer c.endSigning()
	_, err := c.call(ctx, opLogout, nil, func(conn *clientConn, err error) {
		if err == nil {
			// No report follows: neither one that lies here, nor one that the
			// server has dropped with the others.
			c.setAccount(account{})
			conn.receipts.forget()
			c.inbox.clear()
			return
		}
		if e, ok := tim.AsError(err); !ok || e.Effect != tim.EffectNotDone {
			c.setAccount(account{}) // the owner wanted to be signed out
		}
	})
	if err == nil && !c.inbox.quiet(ctx.Done()) {
		return &tim.Error{
			Op: opName(opLogout), Code: contextCode(ctx.Err(), true), Effect: tim.EffectDone,
			Err: fmt.Errorf("wait for the handler: %w", ctx.Err()),
		}
	}
	return err
}

// Send implements [tim.Client]. Files that elements name by a path of this
// machine are handed to the server first, where its driver takes them.
func (c *client) Send(ctx context.Context, conv tim.Conversation, msg tim.Message) (tim.Message, error) {
	msg, err := c.uploaded(ctx, msg)
	if err != nil {
		return tim.Message{}, err
	}
	raw, err := marshal(msg)
	if err != nil {
		return tim.Message{}, badMessage(opSend, err)
	}
	body := appendSendBody(make([]byte, 0, len(raw)+len(conv.ID)+64), conv, raw)
	return ask[tim.Message](ctx, c, opSend, body)
}

// Revoke implements [tim.Client].
func (c *client) Revoke(ctx context.Context, conv tim.Conversation, msg tim.MsgLocator) error {
	locator, err := marshal(msg)
	if err != nil {
		return badMessage(opRevoke, err)
	}
	return c.do(ctx, opRevoke, revokeBody{Conversation: conv, Locator: locator})
}

// CreateGroup implements [tim.Client].
func (c *client) CreateGroup(ctx context.Context, param tim.CreateGroupParam) (tim.CreateGroupResult, error) {
	body, err := marshal(param)
	if err != nil {
		return tim.CreateGroupResult{}, badMessage(opCreateGroup, err)
	}
	return ask[tim.CreateGroupResult](ctx, c, opCreateGroup, body)
}

// InviteMembers implements [tim.Client].
func (c *client) InviteMembers(ctx context.Context, param tim.GroupInviteMemberParam) ([]tim.GroupInviteMemberResult, error) {
	body, err := marshal(param)
	if err != nil {
		return nil, badMessage(opInviteMembers, err)
	}
	return ask[[]tim.GroupInviteMemberResult](ctx, c, opInviteMembers, body)
}

// DeleteMembers implements [tim.Client].
func (c *client) DeleteMembers(ctx context.Context, param tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, error) {
	body, err := marshal(param)
	if err != nil {
		return nil, badMessage(opDeleteMembers, err)
	}
	return ask[[]tim.GroupDeleteMemberResult](ctx, c, opDeleteMembers, body)
}

// DeleteGroup implements [tim.Client].
func (c *client) DeleteGroup(ctx context.Context, group tim.GroupID) error {
	return c.do(ctx, opDeleteGroup, deleteGroupBody{GroupID: group})
}

// Heard is when something last came from the server: the proof that it is
// there, which for an idle connection is as old as the server's heartbeat. It
// is no method of [tim.Client]; an owner finds it by type assertion.
func (c *client) Heard() time.Time {
	l := c.link.Load()
	return l.epoch.Add(time.Duration(l.heard.Load()))
}

// do makes a request whose answer has no body.
func (c *client) do(ctx context.Context, op string, param any) error {
	body, err := json.Marshal(param)
	if err != nil {
		return badMessage(op, err)
	}
	_, err = c.call(ctx, op, body, nil)
	return err
}

// ask makes a request and decodes its answer. What was done stays done when
// its answer cannot be read.
func ask[T any](ctx context.Context, c *client, op string, body []byte) (T, error) {
	var result T
	reply, err := c.call(ctx, op, body, nil)
	if err != nil {
		return result, err
	}
	if err := unmarshal(reply, &result); err != nil {
		return result, &tim.Error{
			Op: opName(op), Code: tim.CodeSDKNetDecodeFailed, Effect: tim.EffectDone,
			Err: fmt.Errorf("decode the answer: %w", err),
		}
	}
	return result, nil
}

func badMessage(op string, err error) error {
	return notDone(op, tim.CodeInvalidParameters, fmt.Errorf("encode the request: %w", err))
}

// call makes a request. settled, which may be nil, hears of the outcome before
// any report that the server sent after it.
func (c *client) call(ctx context.Context, op string, body []byte, settled func(*clientConn, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, notDone(op, contextCode(err, false), err)
	}
	select {
	case c.slots <- struct{}{}:
	default:
		select {
		case c.slots <- struct{}{}:
		case <-c.ctx.Done():
			return nil, notDone(op, tim.CodeSDKNotInitialized, ErrClosed)
		case <-ctx.Done():
			return nil, notDone(op, contextCode(ctx.Err(), false), ctx.Err())
		}
	}
	c.mu.Lock()
	conn, usable := c.conn, c.usable
	c.mu.Unlock()
	// Signing in and out are let through while the account is not as it was:
	// the owner then knows better than the last success.
	usable = usable || op == opLogin || op == opLogout
	switch {
	case c.ctx.Err() != nil:
		<-c.slots
		return nil, notDone(op, tim.CodeSDKNotInitialized, ErrClosed)
	case conn == nil:
		<-c.slots
		return nil, notDone(op, tim.CodeSDKNetDisconnect, ErrConnection)
	case !usable:
		<-c.slots
		return nil, notDone(op, tim.CodeSDKNetDisconnect, fmt.Errorf("%w: signing in again", ErrConnection))
	}
	return conn.roundTrip(ctx, &call{
		id: c.ids.Add(1), op: op, body: body, settled: settled,
		release: func() { <-c.slots }, done: make(chan answer, 1),
	})
}

func (c *client) setAccount(a account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account = a
	if a.user == "" {
		c.watched, c.words = nil, ""
	}
}

// beginSigning waits for its turn to change who is signed in.
func (c *client) beginSigning(ctx context.Context, op string) error {
	select {
	case c.signing <- struct{}{}:
		return nil
	case <-c.ctx.Done():
		return notDone(op, tim.CodeSDKNotInitialized, ErrClosed)
	case <-ctx.Done():
		return notDone(op, contextCode(ctx.Err(), false), ctx.Err())
	}
}

func (c *client) endSigning() { <-c.signing }
