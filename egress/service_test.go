package egress

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// service is an IM service that does what a test tells it: it stores messages,
// knows randoms for a window, and answers calls as scripted.
type service struct {
	mu       sync.Mutex
	messages []stored
	seq      uint64
	calls    []call
	groups   map[tim.GroupID]tim.UserID // owner
	revoked  map[uint64]bool
	rooms    map[tim.GroupID]*room
	uploaded func(path string) // told of each file of a message
	users    users

	// script is asked before each call is carried out; nil lets it go well.
	script func(c call) answer
	window time.Duration
}

type stored struct {
	tim.Message
	key tim.Conversation // of both sides
	at  time.Time
}

// call is one that reached the service.
type call struct {
	op      string
	account tim.UserID
	conv    tim.Conversation
	text    string
	rand    uint64
	n       int // counts the calls of that text or op, from 1
	at      time.Time
}

// answer is what becomes of a call.
type answer struct {
	err     error // what the caller is told
	perform bool  // it is carried out although err is told
	delay   time.Duration
}

func newService() *service {
	return &service{
		groups: map[tim.GroupID]tim.UserID{}, revoked: map[uint64]bool{}, window: 2 * time.Minute, rooms: map[tim.GroupID]*room{},
		users: users{read: map[tim.Conversation]uint64{}, receipts: map[uint64]int{}},
	}
}

func (s *service) enter(ctx context.Context, c call) (answer, error) {
	s.mu.Lock()
	c.at, c.n = time.Now(), 1
	for _, before := range s.calls {
		if before.op == c.op && before.text == c.text {
			c.n++
		}
	}
	s.calls = append(s.calls, c)
	script := s.script
	s.mu.Unlock()
	var a answer
	if script != nil {
		a = script(c)
	}
	if a.delay > 0 {
		if err := sleep(ctx, a.delay); err != nil {
			return a, &tim.Error{Op: c.op, Effect: tim.EffectUnknown, Err: err}
		}
	}
	return a, nil
}

// sent are the texts of the messages stored, in order.
func (s *service) sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.messages {
		out = append(out, m.Elems[0].(tim.TextElem).Content)
	}
	return out
}

func (s *service) called(op string) []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c call) bool { return c.op != op })
}

// client gives a full client: it carries randoms and reads history.
func (s *service) client(account tim.UserID) tim.Client {
	c := plain{s: s, account: account}
	return able{c, resender{s}, history{c}, abilities{c}}
}

// withoutRandoms is a client that chooses the random itself.
func (s *service) withoutRandoms(account tim.UserID) tim.Client {
	c := plain{s: s, account: account, ownRandoms: true}
	return struct {
		plain
		history
	}{c, history{c}}
}

// mute is a client that neither carries randoms nor reads history.
func (s *service) mute(account tim.UserID) tim.Client {
	return plain{s: s, account: account, ownRandoms: true}
}

type plain struct {
	s          *service
	account    tim.UserID
	ownRandoms bool
	dead       func() bool // the process that has the client is over; nil while none can be
}

type resender struct{ s *service }

func (r resender) ResendWindow(tim.ConvType) time.Duration { return r.s.window }

type history struct{ plain }

func (c plain) both(conv tim.Conversation) tim.Conversation {
	if conv.Type == tim.ConvC2C {
		a, b := string(c.account), conv.ID
		return tim.Conversation{Type: tim.ConvC2C, ID: min(a, b) + "/" + max(a, b)}
	}
	return conv
}

func (c plain) isDead() bool { return c.dead != nil && c.dead() }

func (c plain) Send(ctx context.Context, conv tim.Conversation, m tim.Message) (tim.Message, error) {
	if c.isDead() {
		return tim.Message{}, unknown()
	}
	text, _ := m.Elems[0].(tim.TextElem)
	a, err := c.s.enter(ctx, call{op: "send", account: c.account, conv: conv, text: text.Content, rand: m.Rand})
	if err != nil {
		return tim.Message{}, err
	}
	if a.err != nil && !a.perform {
		return tim.Message{}, a.err
	}
	for _, e := range m.Elems {
		if f, ok := e.(tim.FileElem); ok && c.s.uploaded != nil {
			c.s.uploaded(f.FilePath)
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, old := range c.s.messages {
		if !c.ownRandoms && old.Sender == c.account && old.Rand == m.Rand && time.Since(old.at) < c.s.window {
			return old.Message, a.err
		}
	}
	c.s.seq++
	m.ConvType, m.ConvID, m.Sender, m.IsFromSelf = conv.Type, conv.ID, c.account, true
	m.Seq, m.ServerTime = c.s.seq, uint64(time.Now().Unix())
	m.MsgID = tim.MessageID("m" + strconv.FormatUint(c.s.seq, 10))
	if c.ownRandoms {
		m.Rand = c.s.seq + 1000
	}
	c.s.messages = append(c.s.messages, stored{m, c.both(conv), time.Now()})
	return m, a.err
}

func (h history) Messages(ctx context.Context, conv tim.Conversation, q tim.HistoryQuery) ([]tim.Message, error) {
	a, err := h.s.enter(ctx, call{op: "history", account: h.account, conv: conv})
	if err != nil || a.err != nil {
		if err == nil {
			err = a.err
		}
		return nil, err
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	var out []tim.Message
	for _, m := range slices.Backward(h.s.messages) {
		if m.key != h.both(conv) || q.Before != nil && m.Seq >= q.Before.Seq {
			continue
		}
		if h.s.revoked[m.Seq] {
			m.Status = tim.MsgRevoked
		}
		if out = append(out, m.Message); len(out) == max(q.Count, 1) {
			break
		}
	}
	return out, nil
}

func (h history) Conversations(context.Context) ([]tim.ConvInfo, error) { return nil, nil }

// do enters a call and carries it out under the service's lock.
func (c plain) do(ctx context.Context, op, text string, conv tim.Conversation, perform func() error) error {
	if c.isDead() {
		return unknown()
	}
	a, err := c.s.enter(ctx, call{op: op, account: c.account, conv: conv, text: text})
	if err != nil {
		return err
	}
	if a.err != nil && !a.perform {
		return a.err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if err := perform(); err != nil && a.err == nil {
		return err
	}
	return a.err
}

func (c plain) Revoke(ctx context.Context, conv tim.Conversation, m tim.MsgLocator) error {
	return c.do(ctx, "revoke", strconv.FormatUint(m.Seq, 10), conv, func() error {
		if c.s.revoked[m.Seq] {
			return tim.NewError("revoke", tim.CodeSvrGroupRevokeMsgDeny, "")
		}
		c.s.revoked[m.Seq] = true
		return nil
	})
}

func (c plain) CreateGroup(ctx context.Context, p tim.CreateGroupParam) (tim.CreateGroupResult, error) {
	err := c.do(ctx, "create", p.GroupName, tim.Conversation{}, func() error {
		switch owner, there := c.s.groups[p.GroupID]; {
		case there && owner == c.account:
			return tim.NewError("create group", tim.CodeSvrGroupGroupIDInUsedForSuper, "")
		case there:
			return tim.NewError("create group", tim.CodeSvrGroupGroupIDInUsed, "")
		}
		c.s.groups[p.GroupID] = c.account
		return nil
	})
	if err != nil {
		return tim.CreateGroupResult{}, err
	}
	return tim.CreateGroupResult{GroupID: p.GroupID}, nil
}

func (c plain) InviteMembers(ctx context.Context, p tim.GroupInviteMemberParam) ([]tim.GroupInviteMemberResult, error) {
	var out []tim.GroupInviteMemberResult
	err := c.do(ctx, "invite", string(p.GroupID), tim.Group(p.GroupID), func() error {
		for _, u := range p.Identifiers {
			out = append(out, tim.GroupInviteMemberResult{Identifier: u, Result: tim.MemberDone})
		}
		return nil
	})
	return out, err
}

func (c plain) DeleteMembers(ctx context.Context, p tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, error) {
	var out []tim.GroupDeleteMemberResult
	err := c.do(ctx, "remove", string(p.GroupID), tim.Group(p.GroupID), func() error {
		for _, u := range p.Identifiers {
			out = append(out, tim.GroupDeleteMemberResult{Identifier: u, Result: tim.MemberDone})
		}
		return nil
	})
	return out, err
}

func (c plain) DeleteGroup(ctx context.Context, g tim.GroupID) error {
	return c.do(ctx, "dismiss", string(g), tim.Group(g), func() error {
		if _, there := c.s.groups[g]; !there {
			return tim.NewError("delete group", tim.CodeSvrGroupNotFound, "")
		}
		delete(c.s.groups, g)
		return nil
	})
}

func (c plain) Listen(tim.Handler) error                        { return nil }
func (c plain) Login(context.Context, tim.UserID, string) error { return nil }
func (c plain) RenewUserSig(context.Context, string) error      { return nil }
func (c plain) Logout(context.Context) error                    { return nil }
func (c plain) Close() error                                    { return nil }

// unknown, refused and busy are answers of a service.
func unknown() error {
	return &tim.Error{Op: "send", Code: tim.CodeSDKNetWaitAckTimeout, Effect: tim.EffectUnknown}
}
func busy() error {
	return &tim.Error{Op: "send", Code: tim.CodeSvrGroupSendMsgFreqLimit, Effect: tim.EffectNotDone}
}
func refused() error {
	return &tim.Error{Op: "send", Code: tim.CodeSvrGroupShutupDeny, Effect: tim.EffectNotDone}
}
