package sandbox

import (
	"context"
	"time"

	"github.com/timbridge/timbridge/tim"
)

const (
	// maxReceipts is how many messages one call about receipts may name.
	maxReceipts = 30
	// maxReceiptMembers is the largest group in which a sender can ask who has
	// read a message.
	maxReceiptMembers = 200
)

// receipt is who has said that they have read a message.
type receipt struct {
	of      int // how many were to read it
	readers map[tim.UserID]struct{}
}

func (r *receipt) unread() int { return max(0, r.of-len(r.readers)) }

// expectReceipts begins to count who has read a message, where its sender
// wants to know.
func (st *state) expectReceipts(m *message) {
	if !m.is(flagReceipt) {
		return
	}
	m.receipt = &receipt{of: 1}
	if m.conv.key.typ == tim.ConvC2C {
		return
	}
	if g := st.groups[tim.GroupID(m.conv.key.a)]; g != nil {
		m.receipt.of = max(0, g.members.len()-1)
	}
}

// MarkRead marks a conversation as read; see [tim.Reader]. In a one-to-one talk
// the peer is told once there is something of the peer's that was not read
// before, with the time of the last message read.
func (c *Client) MarkRead(ctx context.Context, conv tim.Conversation, upTo *tim.Message) error {
	const op = "mark read"
	return c.do(ctx, op, CallMarkRead, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		b, err := c.markRead(op, ss.account, conv, upTo)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

// markRead does it under the lock.
func (c *Client) markRead(op string, a *account, conv tim.Conversation, upTo *tim.Message) (*batch, error) {
	s := c.s
	known, _, err := s.lookup(op, a, conv)
	if err != nil {
		return nil, err
	}
	if known == nil || known.seq == 0 {
		return s.settled(), nil // nothing was said yet
	}
	seq := known.seq
	if upTo != nil {
		m := known.named(*upTo)
		switch {
		case m != nil:
			seq = m.seq
		case upTo.Seq == 0:
			return nil, s.noSuchMessage(op, conv, *upTo)
		default: // it may be one that is not kept any more
			seq = min(upTo.Seq, known.seq)
		}
	}
	before := a.places[known].readUpTo()
	if seq <= before {
		return s.settled(), nil
	}
	r := &readRecord{user: a.id, conv: known.key, seq: seq, time: max(s.now(), s.st.lastTime)}
	if conv.Type == tim.ConvC2C && conv.ID != string(a.id) {
		r.until = known.saidTo(a.id, before+1, seq)
	}
	_, b := s.write(r)
	return b, nil
}

// saidTo is the second of the newest message of the stretch where the peer has
// said something in it, else 0.
func (c *conversation) saidTo(user tim.UserID, from, to uint64) (until uint64) {
	theirs := false
	for _, m := range c.history() {
		if m.seq >= from && m.seq <= to {
			until = m.seconds()
			theirs = theirs || m.sender != user
		}
	}
	if !theirs {
		return 0
	}
	return until
}

func (r *readRecord) apply(st *state, position uint64) {
	st.clock(r.time)
	c, a := st.conversation(r.conv), st.account(r.user)
	p := a.placeIn(c)
	p.read = max(p.read, r.seq)
	if r.until == 0 {
		return
	}
	peer := st.account(tim.UserID(r.conv.seenBy(r.user)))
	st.tellEvent(peer, position, tim.MessagesRead{Receipts: []tim.MessageReceipt{{
		ConvID: string(r.user), ConvType: tim.ConvC2C, TimeStamp: r.until, IsPeerRead: true,
	}}})
}

// SendReadReceipts says of messages that the account has read them; see
// [tim.Reader]. At most 30 at a time.
func (c *Client) SendReadReceipts(ctx context.Context, msgs []tim.Message) error {
	const op = "send read receipts"
	return c.do(ctx, op, CallSendReadReceipts, "", func() error {
		if err := checkReceipts(op, msgs); err != nil {
			return err
		}
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		b, err := c.sendReadReceipts(op, ss.account, msgs)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

func checkReceipts(op string, msgs []tim.Message) error {
	if len(msgs) == 0 || len(msgs) > maxReceipts {
		return refuse(op, tim.CodeInvalidParameters, "%d messages: it takes 1 to %d", len(msgs), maxReceipts)
	}
	return nil
}

// sendReadReceipts does it under the lock: all of them or none.
func (c *Client) sendReadReceipts(op string, a *account, msgs []tim.Message) (*batch, error) {
	s := c.s
	now := max(s.now(), s.st.lastTime)
	byConv := map[convKey]*receiptsRecord{}
	var order []*receiptsRecord
	for _, msg := range msgs {
		m, err := c.wanted(op, a, msg)
		if err != nil {
			return nil, err
		}
		if m.sender == a.id {
			return nil, refuse(op, tim.CodeInvalidParameters, "message %d is the account's own", m.seq)
		}
		if _, sent := m.receipt.readers[a.id]; sent {
			continue
		}
		r := byConv[m.conv.key]
		if r == nil {
			r = &receiptsRecord{user: a.id, conv: m.conv.key, time: now, until: uint64(now / int64(time.Second))}
			byConv[m.conv.key] = r
			order = append(order, r)
		}
		r.seqs = append(r.seqs, m.seq)
	}
	b := s.settled()
	for _, r := range order {
		_, b = s.write(r)
	}
	return b, nil
}

// wanted finds a message whose sender wants to know who has read it.
func (c *Client) wanted(op string, a *account, msg tim.Message) (*message, error) {
	m, err := c.s.find(op, a, msg)
	switch {
	case err != nil:
		return nil, err
	case m.receipt == nil:
		return nil, refuse(op, tim.CodeSvrGroupReceiptNotFound, "message %d was not sent with a wish for receipts", m.seq)
	}
	return m, nil
}

func (r *receiptsRecord) apply(st *state, position uint64) {
	st.clock(r.time)
	c := st.conversation(r.conv)
	told := map[tim.UserID][]tim.MessageReceipt{}
	var senders []tim.UserID
	for _, seq := range r.seqs {
		m := c.find(seq)
		if m == nil || m.receipt == nil {
			continue // let go of while the journal was read back with other limits
		}
		if m.receipt.readers == nil {
			m.receipt.readers = map[tim.UserID]struct{}{}
		}
		m.receipt.readers[r.user] = struct{}{}
		if told[m.sender] == nil {
			senders = append(senders, m.sender)
		}
		told[m.sender] = append(told[m.sender], m.receiptFor(m.sender, r.until))
	}
	for _, user := range senders {
		st.tellEvent(st.account(user), position, tim.MessagesRead{Receipts: told[user]})
	}
}

// receiptFor says to the sender how many have read a message.
func (m *message) receiptFor(user tim.UserID, second uint64) tim.MessageReceipt {
	r := tim.MessageReceipt{
		ConvID: m.conv.key.seenBy(user), ConvType: m.conv.key.typ, MsgID: m.id(), TimeStamp: second,
		ReadCount: uint64(len(m.receipt.readers)), UnreadCount: uint64(m.receipt.unread()),
	}
	r.IsPeerRead = m.conv.key.typ == tim.ConvC2C && r.ReadCount > 0
	return r
}

// ReadReceipts says how many have read messages of the account; see
// [tim.Reader]. At most 30 at a time.
func (c *Client) ReadReceipts(ctx context.Context, msgs []tim.Message) ([]tim.MessageReceipt, error) {
	const op = "read receipts"
	var list []tim.MessageReceipt
	err := c.do(ctx, op, CallReadReceipts, "", func() error {
		if err := checkReceipts(op, msgs); err != nil {
			return err
		}
		c.s.mu.Lock()
		ss, err := c.online(op)
		if err == nil {
			list, err = c.readReceipts(op, ss.account, msgs)
		}
		b := c.s.settled()
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (c *Client) readReceipts(op string, a *account, msgs []tim.Message) ([]tim.MessageReceipt, error) {
	list := make([]tim.MessageReceipt, 0, len(msgs))
	for _, msg := range msgs {
		m, err := c.wanted(op, a, msg)
		if err != nil {
			return nil, err
		}
		if m.sender != a.id {
			return nil, refuse(op, tim.CodeSvrGroupReceiptNotFound, "message %d was sent by another", m.seq)
		}
		list = append(list, m.receiptFor(a.id, 0))
	}
	return list, nil
}
