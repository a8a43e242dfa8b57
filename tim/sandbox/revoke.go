package sandbox

import (
	"context"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Revoke recalls a message; see [tim.Client]. In a one-to-one talk its sender
// may, in a group also who stands above the sender: the owner, and in a Public
// group an admin for ordinary members. Everybody in the conversation is told,
// the one who recalls included.
func (c *Client) Revoke(ctx context.Context, conv tim.Conversation, msg tim.MsgLocator) error {
	const op = "revoke"
	return c.do(ctx, op, CallRevoke, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		b, err := c.revoke(op, ss, conv, msg)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

// revoke does it under the lock.
func (c *Client) revoke(op string, ss *session, conv tim.Conversation, l tim.MsgLocator) (*batch, error) {
	s := c.s
	user := ss.account.id
	key, g, err := s.resolve(op, ss.account, conv)
	if err != nil {
		return nil, err
	}
	if g != nil {
		if err := notIn(op, g, ruleTable.recall, ruleTable.recallRefusal, "nothing is taken back"); err != nil {
			return nil, err
		}
	}
	m := s.named(key, l)
	if m != nil && g != nil && m.seq < g.members.get(user).from {
		m = nil // said before the user came in
	}
	switch {
	case m == nil && g != nil:
		return nil, refuse(op, tim.CodeSvrGroupRevokeMsgNotFound, "the group has no message %d", l.Seq)
	case m == nil:
		return nil, refuse(op, tim.CodeSvrMsgNotFound, "there is no such message: time %d, sequence %d, random %d", l.Time, l.Seq, l.Rand)
	case m.is(flagTip):
		return nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "what the service itself says cannot be recalled")
	case g != nil && !mayRevoke(g, user, m.sender):
		return nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q may not recall what %q has said", user, m.sender)
	case g == nil && m.sender != user:
		return nil, refuse(op, tim.CodeSvrMsgNotFound, "%q has sent no such message", user)
	case m.is(flagRevoked) && g != nil:
		return nil, refuse(op, tim.CodeSvrGroupRevokeMsgDeny, "the message was recalled before")
	case m.is(flagRevoked):
		return nil, refuse(op, tim.CodeSvrMsgAlreadyRevoked, "")
	}
	now := max(s.now(), s.st.lastTime)
	if w := s.opts.Limits.RevokeWindow; w > 0 && now-m.time > int64(w) {
		code := tim.CodeSvrMsgRevokeTimeLimit
		if g != nil {
			code = tim.CodeSvrGroupRevokeMsgTimeLimit
		}
		return nil, refuse(op, code, "the message is %v old, it can be recalled for %v", time.Duration(now-m.time).Round(time.Second), w)
	}
	_, b := s.write(&revokeRecord{conv: key, seq: m.seq, by: user, time: now})
	return b, nil
}

// mayRevoke says whether a member may recall what another (or itself) has said.
func mayRevoke(g *group, user, sender tim.UserID) bool {
	return user == sender || g.role(user) > max(g.role(sender), tim.RoleMember)
}

// named finds the message that a locator names: in a group by its sequence, in
// a one-to-one talk by time, sequence and random.
func (s *Sandbox) named(key convKey, l tim.MsgLocator) *message {
	conv := s.st.convs[key]
	if conv == nil {
		return nil
	}
	m := conv.find(l.Seq)
	if m == nil || key.typ == tim.ConvC2C && (m.seconds() != l.Time || m.rand != l.Rand) {
		return nil
	}
	return m
}
