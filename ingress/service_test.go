package ingress

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// service is an IM service of one's own, small enough that a test can lose,
// double and reorder what it likes.
type service struct {
	ack bool // reports are kept until they are acknowledged

	mu       sync.Mutex
	start    time.Time
	convs    map[string]*serviceConv
	accounts map[tim.UserID]*serviceAccount
	rand     uint64

	historyErrors []error // for the next calls
	historyDelay  time.Duration
	historyCalls  int
	keep          int // messages of each conversation that history has; 0 is all
}

type serviceConv struct {
	group   tim.GroupID
	users   [2]tim.UserID // of a one-to-one talk
	members []tim.UserID
	msgs    []tim.Message // as the sender sees them
	deleted map[uint64]bool
}

type serviceAccount struct {
	user    tim.UserID
	handler tim.Handler
	online  bool
	number  uint64
	waiting []serviceReport // not handed out in this session
	unacked []serviceReport // handed out, in ack mode
}

type serviceReport struct {
	number uint64
	conv   *serviceConv
	msg    tim.Message
}

func newService(ack bool) *service {
	return &service{ack: ack, start: time.Now(), convs: map[string]*serviceConv{}, accounts: map[tim.UserID]*serviceAccount{}}
}

func (s *service) account(user tim.UserID) *serviceAccount {
	a := s.accounts[user]
	if a == nil {
		a = &serviceAccount{user: user}
		s.accounts[user] = a
	}
	return a
}

func (s *service) group(id tim.GroupID, members ...tim.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.convs["group/"+string(id)] = &serviceConv{group: id, members: members, deleted: map[uint64]bool{}}
}

func (s *service) c2c(a, b tim.UserID) *serviceConv {
	if b < a {
		a, b = b, a
	}
	key := "c2c/" + string(a) + "/" + string(b)
	c := s.convs[key]
	if c == nil {
		c = &serviceConv{users: [2]tim.UserID{a, b}, members: []tim.UserID{a, b}, deleted: map[uint64]bool{}}
		s.convs[key] = c
	}
	return c
}

// send stores a message and puts it before the accounts it concerns, save its
// sender, and returns it as the sender sees it.
func (s *service) send(sender tim.UserID, conv tim.Conversation, text string) tim.Message {
	return s.sendFrom(sender, conv, text, false)
}

// sendFrom is send; a message from another device of the sender's is put
// before the sender too.
func (s *service) sendFrom(sender tim.UserID, conv tim.Conversation, text string, phone bool) tim.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.convs["group/"+conv.ID]
	if conv.Type == tim.ConvC2C {
		c = s.c2c(sender, tim.UserID(conv.ID))
	}
	s.rand++
	m := tim.Message{
		ConvType: conv.Type, ConvID: conv.ID, Sender: sender, IsFromSelf: true,
		Seq: uint64(len(c.msgs) + 1), Rand: s.rand, ServerTime: uint64(time.Now().Unix()),
		Elems: []tim.Elem{tim.TextElem{Content: text}},
	}
	if c.group == "" {
		m.Seq = s.rand // orders messages of one second, and has no meaning beyond that
	}
	c.msgs = append(c.msgs, m)
	for _, u := range c.members {
		a := s.accounts[u]
		if a == nil || u == sender && !phone {
			continue
		}
		a.number++
		a.waiting = append(a.waiting, serviceReport{number: a.number, conv: c, msg: m})
	}
	return m
}

// amend changes a message in history, without a word to anybody.
func (s *service) amend(m tim.Message, change func(*tim.Message)) tim.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.convs {
		for i := range c.msgs {
			if c.msgs[i].Rand == m.Rand {
				change(&c.msgs[i])
				return c.msgs[i]
			}
		}
	}
	panic("no such message")
}

func revoke(m *tim.Message)     { m.Status = tim.MsgRevoked }
func readByPeer(m *tim.Message) { m.IsPeerRead = true }

func modify(version uint64, text string) func(*tim.Message) {
	return func(m *tim.Message) { *m = changed(*m, version, text) }
}

// seenBy is a message as a user sees it.
func (c *serviceConv) seenBy(user tim.UserID, m tim.Message) tim.Message {
	m.IsFromSelf = m.Sender == user
	if c.group == "" {
		m.ConvID = string(c.users[0])
		if c.users[0] == user {
			m.ConvID = string(c.users[1])
		}
	}
	return m
}

// signIn hands the account's reports to a handler from now on. What was not
// acknowledged comes again first.
func (s *service) signIn(user tim.UserID, h tim.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(user)
	a.handler, a.online = h, true
	a.waiting = append(slices.Clone(a.unacked), a.waiting...)
	a.unacked = nil
}

// cut ends the account's session. What was not handed out is lost where
// reports are pushed.
func (s *service) cut(user tim.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(user)
	a.online = false
	if !s.ack {
		a.waiting = nil
	}
}

// deliver hands out the i-th waiting report of the account, twice if twice is
// set, and says whether there was one. Messages of one one-to-one talk keep
// their order.
func (s *service) deliver(user tim.UserID, i int, twice bool) bool {
	s.mu.Lock()
	a := s.accounts[user]
	if a == nil || !a.online || len(a.waiting) == 0 {
		s.mu.Unlock()
		return false
	}
	i %= len(a.waiting)
	if a.waiting[i].conv.group == "" {
		c := a.waiting[i].conv
		i = slices.IndexFunc(a.waiting, func(r serviceReport) bool { return r.conv == c })
	}
	r := a.waiting[i]
	a.waiting = slices.Delete(a.waiting, i, i+1)
	if s.ack {
		a.unacked = append(a.unacked, r)
	}
	h := a.handler
	report := tim.Report{
		Number: r.number, Account: user,
		Event: tim.MessagesReceived{Messages: []tim.Message{r.conv.seenBy(user, r.msg)}},
		Ack: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			a.unacked = slices.DeleteFunc(a.unacked, func(u serviceReport) bool { return u.number == r.number })
			a.waiting = slices.DeleteFunc(a.waiting, func(u serviceReport) bool { return u.number == r.number })
		},
	}
	s.mu.Unlock()
	h(report)
	if twice {
		h(report)
	}
	return true
}

// tell hands out an event without a number.
func (s *service) tell(user tim.UserID, e tim.Event) {
	s.mu.Lock()
	h := s.account(user).handler
	s.mu.Unlock()
	h(tim.Report{Account: user, Event: e, Ack: func() {}})
}

// slow makes calls for history take so long.
func (s *service) slow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.historyDelay = d
}

// failWith has the next calls for history end with these errors, and no others.
func (s *service) failWith(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.historyErrors = errs
}

// failNext has a call for history end with err, after those that fail already.
func (s *service) failNext(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.historyErrors = append(s.historyErrors, err)
}

// calls is how often history was asked for.
func (s *service) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.historyCalls
}

// client is the account's client: the history of its conversations.
func (s *service) client(user tim.UserID) tim.Client { return &serviceClient{s: s, user: user} }

type serviceClient struct {
	tim.Client // not there
	s          *service
	user       tim.UserID
}

func (c *serviceClient) call(ctx context.Context) error {
	c.s.mu.Lock()
	c.s.historyCalls++
	delay := c.s.historyDelay
	var err error
	if len(c.s.historyErrors) > 0 {
		err, c.s.historyErrors = c.s.historyErrors[0], c.s.historyErrors[1:]
	}
	if !c.s.account(c.user).online {
		err = tim.NewError("messages", tim.CodeSDKNotLoggedIn, "")
	}
	c.s.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// Redelivers implements [tim.Redeliverer].
func (c *serviceClient) Redelivers() bool { return c.s.ack }

func (c *serviceClient) Conversations(ctx context.Context) ([]tim.ConvInfo, error) {
	if err := c.call(ctx); err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var list []tim.ConvInfo
	for _, conv := range c.s.convs {
		if !slices.Contains(conv.members, c.user) {
			continue
		}
		info := tim.ConvInfo{ConvType: tim.ConvGroup, ConvID: string(conv.group)}
		if conv.group == "" {
			seen := conv.seenBy(c.user, tim.Message{})
			info.ConvType, info.ConvID = tim.ConvC2C, seen.ConvID
		}
		if n := len(conv.msgs); n > 0 {
			last := conv.seenBy(c.user, conv.msgs[n-1])
			info.IsHasLastMsg, info.LastMsg = true, &last
		}
		list = append(list, info)
	}
	return list, nil
}

func (c *serviceClient) Messages(ctx context.Context, conv tim.Conversation, q tim.HistoryQuery) ([]tim.Message, error) {
	if err := c.call(ctx); err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	k := c.s.convs["group/"+conv.ID]
	if conv.Type == tim.ConvC2C {
		k = c.s.c2c(c.user, tim.UserID(conv.ID))
	}
	if k == nil {
		return nil, tim.NewError("messages", tim.CodeSvrGroupNotFound, "")
	}
	var out []tim.Message
	for i := len(k.msgs) - 1; i >= 0 && len(out) < q.Count; i-- {
		m := k.msgs[i]
		if q.Before != nil && m.Seq >= q.Before.Seq || k.deleted[m.Seq] {
			continue
		}
		if c.s.keep > 0 && i < len(k.msgs)-c.s.keep {
			break
		}
		out = append(out, k.seenBy(c.user, m))
	}
	return out, nil
}

// kept says how many reports of online accounts the service still keeps.
func (s *service) kept() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if len(a.waiting)+len(a.unacked) > 0 {
			return fmt.Errorf("%s: %d reports not handed out, %d not acknowledged", a.user, len(a.waiting), len(a.unacked))
		}
	}
	return nil
}
