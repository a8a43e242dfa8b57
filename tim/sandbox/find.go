package sandbox

import (
	"github.com/timbridge/timbridge/tim"
)

// lookup finds a conversation that an account reads in, and of a group the
// stretches that it sees; nil where nothing was said yet. The caller holds the
// lock.
func (s *Sandbox) lookup(op string, a *account, conv tim.Conversation) (*conversation, []span, error) {
	switch conv.Type {
	case tim.ConvC2C:
		if !validUser(tim.UserID(conv.ID)) {
			return nil, nil, refuse(op, tim.CodeToUserInvalid, "%q is not a user id", conv.ID)
		}
		return s.st.convs[c2cKey(a.id, tim.UserID(conv.ID))], []span{{0, ^uint64(0)}}, nil
	case tim.ConvGroup:
		g := s.st.groups[tim.GroupID(conv.ID)]
		if g == nil {
			return nil, nil, refuse(op, tim.CodeSvrGroupNotFound, "")
		}
		visible := g.visible(a.id)
		if len(visible) == 0 {
			return nil, nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is not a member of the group", a.id)
		}
		return g.conv, visible, nil
	}
	return nil, nil, refuse(op, tim.CodeInvalidConversation, "%v has no messages to read", conv)
}

// within says whether a sequence lies in one of the stretches.
func within(spans []span, seq uint64) bool {
	for _, v := range spans {
		if seq >= v.from && seq <= v.to {
			return true
		}
	}
	return false
}

// named finds a kept message by its sequence, or by its id where there is no
// sequence. What else is said of it must be right.
func (c *conversation) named(msg tim.Message) *message {
	var m *message
	if msg.Seq != 0 {
		m = c.find(msg.Seq)
	} else if msg.MsgID != "" {
		msgs := c.history()
		for i := len(msgs) - 1; i >= 0 && m == nil; i-- {
			if msgs[i].id() == msg.MsgID {
				m = msgs[i]
			}
		}
	}
	switch {
	case m == nil,
		msg.MsgID != "" && m.id() != msg.MsgID,
		c.key.typ == tim.ConvC2C && msg.ServerTime != 0 && m.seconds() != msg.ServerTime,
		c.key.typ == tim.ConvC2C && msg.Rand != 0 && m.rand != msg.Rand:
		return nil
	}
	return m
}

// find finds a message that an account sees, named as [tim.Modifier] says. The
// caller holds the lock.
func (s *Sandbox) find(op string, a *account, msg tim.Message) (*message, error) {
	conv := msg.Conversation()
	known, visible, err := s.lookup(op, a, conv)
	if err != nil {
		return nil, err
	}
	if known == nil {
		return nil, s.noSuchMessage(op, conv, msg)
	}
	m := known.named(msg)
	if m == nil || !within(visible, m.seq) || a.places[known].hides(m) {
		return nil, s.noSuchMessage(op, conv, msg)
	}
	return m, nil
}

// noSuchMessage is the error where a message that was named is not there.
func (s *Sandbox) noSuchMessage(op string, conv tim.Conversation, msg tim.Message) error {
	code := tim.CodeSvrMsgNotFound
	if conv.Type == tim.ConvGroup {
		code = tim.CodeSvrGroupRevokeMsgNotFound
	}
	return refuse(op, code, "there is no such message: sequence %d, id %q", msg.Seq, msg.MsgID)
}
