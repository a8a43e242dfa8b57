package sandbox

import (
	"github.com/timbridge/timbridge/tim"
)

// place is how far an account is in one conversation, and what it took out of
// its own history there.
type place struct {
	read    uint64              // it has read up to this message
	cleared uint64              // it sees nothing up to this one
	erased  map[uint64]struct{} // nor any of these
}

// hides says whether the account does not see a message any more.
func (p *place) hides(m *message) bool {
	if p == nil {
		return false
	}
	_, erased := p.erased[m.seq]
	return erased || m.seq <= p.cleared
}

// readUpTo is the message that the account has read up to.
func (p *place) readUpTo() uint64 {
	if p == nil {
		return 0
	}
	return p.read
}

// placeIn is the account's place in a conversation, made where there is none.
func (a *account) placeIn(c *conversation) *place {
	p := a.places[c]
	if p == nil {
		p = &place{}
		if a.places == nil {
			a.places = map[*conversation]*place{}
		}
		a.places[c] = p
	}
	return p
}

// erase hides messages from the account.
func (a *account) erase(c *conversation, seqs []uint64, upTo uint64) {
	p := a.placeIn(c)
	p.cleared = max(p.cleared, upTo)
	oldest := c.seq + 1
	if msgs := c.history(); len(msgs) > 0 {
		oldest = msgs[0].seq
	}
	for _, seq := range seqs {
		if p.erased == nil {
			p.erased = map[uint64]struct{}{}
		}
		p.erased[seq] = struct{}{}
	}
	for seq := range p.erased {
		if seq <= p.cleared || seq < oldest { // there is nothing left to hide
			delete(p.erased, seq)
		}
	}
}

// newestFor is the newest message that an account sees in a stretch, and that
// is to be shown in its list; nil: none.
func (c *conversation) newestFor(p *place, in span) *message {
	shown := func(m *message) bool {
		return m.seq >= in.from && m.seq <= in.to && !p.hides(m) && !m.is(flagNotLast)
	}
	msgs := c.history()
	for i := len(msgs) - 1; i >= 0 && msgs[i].seq >= in.from; i-- {
		if shown(msgs[i]) {
			return msgs[i]
		}
	}
	return nil
}

// unread are the messages of a conversation that count as unread for an
// account, and those that mention somebody, newest first. Of a group, only
// what the account saw as the member that it is now counts.
func (st *state) unread(a *account, c *conversation) (n uint64, mentions []*message) {
	from := uint64(1)
	if c.key.typ == tim.ConvGroup {
		g := st.groups[tim.GroupID(c.key.a)]
		if g == nil || g.members.get(a.id) == nil || !ruleTable.unread.of(g.typ) {
			return 0, nil
		}
		from = g.members.get(a.id).from
	}
	p := a.places[c]
	from = max(from, p.readUpTo()+1)
	msgs := c.history()
	for i := len(msgs) - 1; i >= 0 && msgs[i].seq >= from; i-- {
		m := msgs[i]
		if m.sender == a.id || m.flags&(flagTip|flagNoUnread|flagRevoked) != 0 || p.hides(m) {
			continue
		}
		n++
		if m.is(flagAt) {
			mentions = append(mentions, m)
		}
	}
	return n, mentions
}

// mention is how a message mentions an account.
func (m *message) mention(user tim.UserID) (at tim.GroupAtInfo, mentioned bool) {
	var me, all bool
	for _, who := range m.said().GroupAtUsers {
		me = me || who == user
		all = all || who == tim.AtAll
	}
	at.Seq = m.seq
	switch {
	case me && all:
		at.AtType = tim.GroupAtAllAndMe
	case me:
		at.AtType = tim.GroupAtMe
	case all:
		at.AtType = tim.GroupAtAll
	default:
		return at, false
	}
	return at, true
}

// look is a message as an account finds it in its history: with what others
// have done with it since.
type look struct {
	*message
	read     bool // the account has read it
	peerRead bool // the peer of a one-to-one talk has read it
	receipts
}

// receipts is how many have read a message whose sender wants to know.
type receipts struct {
	asked        bool
	sent         bool // the account has said that it has read it
	read, unread int64
}

// lookAt gives what changes about a message. The caller holds the lock.
func (st *state) lookAt(a *account, m *message) look {
	l := look{message: m}
	if m.conv == nil {
		return l
	}
	l.read = m.seq != 0 && m.seq <= a.places[m.conv].readUpTo()
	if m.conv.key.typ == tim.ConvC2C && m.sender == a.id {
		peer := st.accounts[tim.UserID(m.conv.key.seenBy(a.id))]
		l.peerRead = peer != nil && m.seq != 0 && m.seq <= peer.places[m.conv].readUpTo()
	}
	if r := m.receipt; r != nil {
		_, sent := r.readers[a.id]
		l.receipts = receipts{asked: true, sent: sent, read: int64(len(r.readers)), unread: int64(r.unread())}
	}
	return l
}

// sees is a message from history in the eyes of an account.
func (s *Sandbox) sees(l look, user tim.UserID) tim.Message {
	v := s.seen(l.message, user)
	v.IsRead = v.IsRead || l.read
	v.IsPeerRead = l.peerRead
	if !l.asked {
		return v
	}
	v.HasSentReceipt = l.sent
	if l.message.sender != user {
		return v
	}
	if v.ConvType == tim.ConvC2C {
		v.ReceiptPeerRead = l.receipts.read > 0
	} else {
		v.GroupReceiptReadCount, v.GroupReceiptUnreadCount = l.receipts.read, l.receipts.unread
	}
	return v
}
