package wire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// farService is the far side of the tests: a small service that keeps a report
// until it is acknowledged, and can be told what to do next.
type farService struct {
	mu       sync.Mutex
	clients  []*farClient
	refuse   func(op string) error // asked before every operation
	openErr  error
	store    map[tim.UserID][]*farReport // not acknowledged
	sent     map[string]int              // effects by the text of the message
	opened   int
	kind     string // which optional interfaces: "", "resender", "history", "both"
	holdSend chan struct{}
	dress    func(*farClient) tim.Client // gives a client further interfaces
	seq      uint64
	logins   []tim.UserID
}

type farReport struct {
	event  tim.Event
	number uint64
	acked  atomic.Bool
}

func newFar() *farService {
	return &farService{store: make(map[tim.UserID][]*farReport), sent: make(map[string]int)}
}

func (f *farService) Open(ctx context.Context, config tim.Config) (tim.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.openErr != nil {
		return nil, f.openErr
	}
	f.opened++
	c := &farClient{far: f, config: config, closed: make(chan struct{}), work: make(chan func(), 1<<16)}
	c.wg.Go(c.run)
	f.clients = append(f.clients, c)
	if f.dress != nil {
		return f.dress(c), nil
	}
	switch f.kind {
	case "resender":
		return struct {
			*farClient
			farResender
		}{c, farResender{}}, nil
	case "history":
		return struct {
			*farClient
			farHistory
		}{c, farHistory{}}, nil
	case "both":
		return struct {
			*farClient
			farResender
			farHistory
		}{c, farResender{}, farHistory{}}, nil
	}
	return c, nil
}

// tell reports to a user, keeping the report until it is acknowledged.
func (f *farService) tell(user tim.UserID, event tim.Event) *farReport {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &farReport{event: event}
	f.store[user] = append(f.store[user], r)
	for _, c := range f.clients {
		if c.user == user {
			c.hand(user, r)
		}
	}
	return r
}

func (f *farService) unacked(user tim.UserID) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(f.store[user]), func(r *farReport) bool { return r.acked.Load() }))
}

func (f *farService) effects(text string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent[text]
}

func (f *farService) setRefuse(refuse func(op string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

func (f *farService) signedIn() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.clients {
		if c.user != "" {
			n++
		}
	}
	return n
}

type farClient struct {
	far     *farService
	config  tim.Config
	handler tim.Handler
	user    tim.UserID // guarded by far.mu
	closed  chan struct{}
	once    sync.Once
	work    chan func()
	wg      sync.WaitGroup
	turn    sync.Mutex // held during a handler call
	epoch   atomic.Int64
}

func (c *farClient) run() {
	for {
		select {
		case f := <-c.work:
			f()
		case <-c.closed:
			return
		}
	}
}

// hand queues a report for the handler; the caller holds far.mu.
func (c *farClient) hand(user tim.UserID, r *farReport) {
	epoch := c.epoch.Load()
	c.work <- func() {
		c.turn.Lock()
		defer c.turn.Unlock()
		if c.epoch.Load() != epoch || r.acked.Load() {
			return
		}
		c.handler(tim.Report{Number: r.number, Account: user, Event: r.event, Ack: func() { r.acked.Store(true) }})
	}
}

func (c *farClient) check(op string) error {
	c.far.mu.Lock()
	refuse := c.far.refuse
	c.far.mu.Unlock()
	if refuse == nil {
		return nil
	}
	return refuse(op)
}

func (c *farClient) Listen(h tim.Handler) error { c.handler = h; return nil }

func (c *farClient) Login(_ context.Context, user tim.UserID, _ string) error {
	if err := c.check(opLogin); err != nil {
		return err
	}
	c.far.mu.Lock()
	defer c.far.mu.Unlock()
	if c.user == user {
		return nil
	}
	for _, other := range c.far.clients {
		if other.user == user {
			other.user = ""
			other.epoch.Add(1)
		}
	}
	c.user = user
	c.far.logins = append(c.far.logins, user)
	for _, r := range c.far.store[user] {
		if !r.acked.Load() {
			c.hand(user, r)
		}
	}
	return nil
}

func (c *farClient) RenewUserSig(context.Context, string) error { return c.check(opRenewUserSig) }

func (c *farClient) Logout(context.Context) error {
	c.epoch.Add(1)
	c.turn.Lock() // no report follows
	defer c.turn.Unlock()
	if err := c.check(opLogout); err != nil {
		return err
	}
	c.far.mu.Lock()
	defer c.far.mu.Unlock()
	c.user = ""
	return nil
}

func (c *farClient) Send(ctx context.Context, conv tim.Conversation, msg tim.Message) (tim.Message, error) {
	if err := c.check(opSend); err != nil {
		return tim.Message{}, err
	}
	c.far.mu.Lock()
	if c.user == "" {
		c.far.mu.Unlock()
		return tim.Message{}, &tim.Error{Op: "send", Code: tim.CodeSDKNotLoggedIn, Effect: tim.EffectNotDone}
	}
	c.far.seq++
	msg.Seq, msg.ConvID, msg.ConvType, msg.Sender = c.far.seq, conv.ID, conv.Type, c.user
	msg.MsgID = tim.MessageID(fmt.Sprintf("m%d", c.far.seq))
	if len(msg.Elems) > 0 {
		if text, ok := msg.Elems[0].(tim.TextElem); ok {
			c.far.sent[text.Content]++
		}
	}
	hold := c.far.holdSend
	c.far.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return tim.Message{}, &tim.Error{Op: "send", Effect: tim.EffectUnknown, Err: ctx.Err()}
		}
	}
	return msg, nil
}

func (c *farClient) Revoke(context.Context, tim.Conversation, tim.MsgLocator) error {
	return c.check(opRevoke)
}

func (c *farClient) CreateGroup(_ context.Context, p tim.CreateGroupParam) (tim.CreateGroupResult, error) {
	return tim.CreateGroupResult{GroupID: p.GroupID}, c.check(opCreateGroup)
}

func (c *farClient) InviteMembers(_ context.Context, p tim.GroupInviteMemberParam) ([]tim.GroupInviteMemberResult, error) {
	return []tim.GroupInviteMemberResult{{Identifier: "bob", Result: 1}}, c.check(opInviteMembers)
}

func (c *farClient) DeleteMembers(_ context.Context, p tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, error) {
	return []tim.GroupDeleteMemberResult{{Identifier: "bob", Result: 1}}, c.check(opDeleteMembers)
}

func (c *farClient) DeleteGroup(context.Context, tim.GroupID) error { return c.check(opDeleteGroup) }

func (c *farClient) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.far.mu.Lock()
		c.user = ""
		c.far.mu.Unlock()
	})
	c.wg.Wait()
	return nil
}

type farResender struct{}

func (farResender) ResendWindow(t tim.ConvType) time.Duration {
	return map[tim.ConvType]time.Duration{tim.ConvC2C: 2 * time.Minute, tim.ConvGroup: 5 * time.Minute}[t]
}

type farHistory struct{}

func (farHistory) Conversations(context.Context) ([]tim.ConvInfo, error) {
	return []tim.ConvInfo{{ConvID: "bob", ConvType: tim.ConvC2C}}, nil
}

func (farHistory) Messages(_ context.Context, conv tim.Conversation, q tim.HistoryQuery) ([]tim.Message, error) {
	m := tim.Message{ConvID: conv.ID, ConvType: conv.Type, Elems: []tim.Elem{tim.TextElem{Content: "old"}}}
	if q.Before != nil {
		m.Seq = q.Before.Seq - 1
	}
	return slices.Repeat([]tim.Message{m}, q.Count), nil
}
