package sandbox

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

const (
	// maxElemBytes is how long the elements of a message may be as JSON.
	maxElemBytes = 12 << 10
	// maxExtraBytes is how long everything else that travels with it may be.
	maxExtraBytes = 12 << 10
)

// Send posts a message; see [tim.Client]. A message sent again with its random
// inside the window is answered with the first one's result.
func (c *Client) Send(ctx context.Context, conv tim.Conversation, msg tim.Message) (tim.Message, error) {
	const op = "send"
	var sent tim.Message
	err := c.do(ctx, op, CallSend, "", func() error {
		msg, err := c.withMedia(ctx, op, msg)
		if err != nil {
			return err
		}
		said := saidOnly(msg)
		content, err := encodeContent(op, said, msg.Rand)
		if err != nil {
			return err
		}
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		m, b, err := c.send(op, ss, conv, said, msg, content)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		if err := b.wait(ctx, op); err != nil {
			return err
		}
		sent = c.s.seen(m, ss.account.id)
		sent.CustomInt, sent.CustomStr = msg.CustomInt, msg.CustomStr
		return nil
	})
	if err != nil {
		return tim.Message{}, err
	}
	return sent, nil
}

// encodeContent writes what is said as JSON, and checks it as far as that can
// be done without knowing anything else.
func encodeContent(op string, said tim.Message, random uint64) ([]byte, error) {
	if len(said.Elems) == 0 {
		return nil, refuse(op, tim.CodeInvalidMsgElem, "the message has no elements")
	}
	if random > math.MaxUint32 {
		return nil, refuse(op, tim.CodeInvalidParameters, "the random %d is longer than 32 bits", random)
	}
	if p := said.Priority; p != nil && *p > tim.PriorityLowest {
		return nil, refuse(op, tim.CodeInvalidParameters, "there is no priority %d", *p)
	}
	custom := 0
	for i, e := range said.Elems {
		switch e := e.(type) {
		case nil:
			return nil, refuse(op, tim.CodeInvalidMsgElem, "element %d is nil", i)
		case tim.CustomElem:
			if custom++; custom > 1 {
				return nil, refuse(op, tim.CodeInvalidMsgElem, "element %d is a second custom element; a message has one", i)
			}
		case tim.GroupTipsElem, tim.GroupReportElem:
			return nil, refuse(op, tim.CodeInvalidMsgElem, "element %d is of type %v, which only the service sends", i, e.ElemType())
		}
	}
	content, err := said.MarshalJSON()
	if err != nil {
		return nil, &tim.Error{Op: op, Code: tim.CodeInvalidJSON, Effect: tim.EffectNotDone, Err: err}
	}
	if len(content) <= maxElemBytes {
		return content, nil
	}
	elems, err := json.Marshal(said.Elems)
	if err != nil {
		return nil, &tim.Error{Op: op, Code: tim.CodeInvalidJSON, Effect: tim.EffectNotDone, Err: err}
	}
	if n := len(elems); n > maxElemBytes || len(content)-n > maxExtraBytes {
		return nil, refuse(op, tim.CodeSDKMsgBodySizeLimit, "the elements have %d bytes as JSON and the rest %d; each may have %d", n, len(content)-n, maxElemBytes)
	}
	return content, nil
}

// send posts under the lock, or finds what the same send came to before.
func (c *Client) send(op string, ss *session, conv tim.Conversation, said, msg tim.Message, content []byte) (*message, *batch, error) {
	s, st := c.s, c.s.st
	sender := ss.account
	now := max(s.now(), st.lastTime)
	key, g, err := s.resolve(op, sender, conv)
	if err != nil {
		return nil, nil, err
	}
	if g != nil && !ruleTable.history.of(g.typ) {
		msg.IsOnlineMsg = false // all that is said there is for those online
	}
	if known := st.convs[key]; known != nil && msg.Rand != 0 {
		if first, ok := st.resent.find(resendKey{known, sender, msg.Rand}, now); ok {
			return s.again(known, sender, first, msg, content), s.settled(), nil
		}
	}
	if g != nil {
		if err := mayAsk(op, g, msg); err != nil {
			return nil, nil, err
		}
		if err := s.maySay(op, g, sender.id, msg, now); err != nil {
			return nil, nil, err
		}
	}
	if err := s.allow(op, ss, g, msg.Priority, now); err != nil {
		return nil, nil, err
	}
	r := &sendRecord{
		conv: key, sender: sender.id, platform: ss.device.Platform, time: now, rand: msg.Rand,
		online: msg.IsOnlineMsg, content: content, flags: flagsOf(said),
	}
	if r.rand == 0 {
		r.rand = uint64(rand.Uint32()) | 1
	}
	if r.online && g == nil {
		r.targets = s.onlineTargets(ss, key)
	}
	m, b := s.write(r)
	said.Elems = append([]tim.Elem(nil), said.Elems...)
	st.recent.keep(m, &said)
	return m, b, nil
}

// mayAsk checks what a message asks for in a group beside being stored.
func mayAsk(op string, g *group, msg tim.Message) error {
	switch {
	case len(msg.TargetGroupMembers) > 0:
		// To send it to all would be worse than not to send it.
		return refuse(op, tim.CodeSvrGroupPlanRequired, "messages for some of the members are not offered here")
	case g.typ == tim.GroupAVChatRoom && slices.Contains(msg.GroupAtUsers, tim.AtAll):
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "in an %v nobody mentions all", g.typ)
	case msg.NeedReadReceipt && (msg.IsOnlineMsg || !ruleTable.history.of(g.typ)):
		return refuse(op, tim.CodeSvrGroupReceiptOnlineMsg, "")
	case msg.NeedReadReceipt && g.members.len() > maxReceiptMembers:
		return refuse(op, tim.CodeSvrGroupReceiptMemberCountLimit, "the group has %d members, at most %d can be asked", g.members.len(), maxReceiptMembers)
	}
	return nil
}

// flagsOf are what a message says that is asked for often.
func flagsOf(said tim.Message) uint8 {
	var flags uint8
	for _, one := range []struct {
		flag uint8
		set  bool
	}{
		{flagReceipt, said.NeedReadReceipt}, {flagNoUnread, said.IsExcludedFromUnreadCount},
		{flagNotLast, said.ExcludedFromLastMessage}, {flagAt, len(said.GroupAtUsers) > 0},
		{flagMedia, len(mediaOf(said.Elems)) > 0},
	} {
		if one.set {
			flags |= one.flag
		}
	}
	return flags
}

// again is the message of a first send, as it was, or made anew from what is
// sent now where history has let go of it.
func (s *Sandbox) again(conv *conversation, sender *account, first resend, msg tim.Message, content []byte) *message {
	if m := conv.find(first.seq); m != nil && m.sender == sender.id && m.rand == msg.Rand {
		return m
	}
	m := &message{
		conv: conv, sender: sender.id, tiny: sender.tiny, time: first.time,
		seq: first.seq, rand: msg.Rand, flags: flagsOf(msg), content: content,
	}
	if msg.IsOnlineMsg {
		m.flags |= flagOnline
	}
	return m
}

// resolve finds out where a conversation of an account leads: to a user that
// exists, or to a group that the account may say something in.
func (s *Sandbox) resolve(op string, a *account, conv tim.Conversation) (convKey, *group, error) {
	switch conv.Type {
	case tim.ConvC2C:
		peer := tim.UserID(conv.ID)
		if !validUser(peer) {
			return convKey{}, nil, refuse(op, tim.CodeToUserInvalid, "%q is not a user id: 1 to %d bytes of printable ASCII, and not the service's own", peer, maxUserBytes)
		}
		if !s.exists(peer) {
			return convKey{}, nil, refuse(op, tim.CodeSvrMsgInvalidID, "the account %q does not exist", peer)
		}
		return c2cKey(a.id, peer), nil, nil
	case tim.ConvGroup:
		g, err := s.group(op, tim.GroupID(conv.ID))
		if err != nil {
			return convKey{}, nil, err
		}
		if g.members.get(a.id) == nil {
			return convKey{}, nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is not a member of the group", a.id)
		}
		if !g.active && a.id != g.owner {
			return convKey{}, nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "a Private group begins with its owner's first message")
		}
		return g.conv.key, g, nil
	}
	return convKey{}, nil, refuse(op, tim.CodeInvalidConversation, "a message goes to a user or a group, not to %v", conv)
}

// allow checks the limits on sending.
func (s *Sandbox) allow(op string, ss *session, g *group, priority *tim.MsgPriority, now int64) error {
	l := s.opts.Limits
	if l.Sends > 0 {
		if wait, ok := ss.account.bucket("sends").take(l.Sends, now); !ok {
			e := refuse(op, tim.CodeSDKCommAPICallFrequencyLimit, "more than %d messages a second", l.Sends)
			e.RetryAfter = wait
			return e
		}
	}
	if g == nil || l.GroupMessages == 0 {
		return nil
	}
	if wait, ok := g.bucket.takeLeaving(l.GroupMessages, now, leftByPriority(priority, l.GroupMessages)); !ok {
		e := refuse(op, tim.CodeSvrGroupSendMsgFreqLimit, "more than %d messages a second in the group", l.GroupMessages)
		e.RetryAfter = wait
		return e
	}
	return nil
}

// leftByPriority is how much of a group's limit a message leaves to those of
// higher priority: where there are too many, the lowest are refused first.
// Normal ones leave nothing, since that is what most have who say nothing of it.
func leftByPriority(priority *tim.MsgPriority, rate int) float64 {
	if priority == nil {
		return 0
	}
	switch *priority {
	case tim.PriorityLow:
		return float64(rate) / 4
	case tim.PriorityLowest:
		return float64(rate) / 2
	}
	return 0
}

// onlineTargets are those who get an online-only message of a one-to-one talk:
// both, where they are signed in now.
func (s *Sandbox) onlineTargets(from *session, key convKey) []target {
	var targets []target
	add := func(user tim.UserID) {
		a := s.st.accounts[user]
		if a == nil {
			return
		}
		var platforms uint16
		for p, ss := range a.sessions {
			if ss != from && !ss.away {
				platforms |= bit(p)
			}
		}
		if platforms != 0 {
			targets = append(targets, target{user, platforms})
		}
	}
	add(from.account.id)
	if peer := tim.UserID(key.seenBy(from.account.id)); peer != from.account.id {
		add(peer)
	}
	return targets
}
