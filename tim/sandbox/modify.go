package sandbox

import (
	"bytes"
	"context"

	"github.com/timbridge/timbridge/tim"
)

// ModifyMessage replaces what a message says; see [tim.Modifier]. Everybody in
// the conversation may, as at Tencent. Each change counts the message's version
// up; a message that was read from the service (it has its ServerTime), or that
// has a Version, is changed only while that is still its version, and else the
// call ends with 8006. To say what is said already changes nothing.
func (c *Client) ModifyMessage(ctx context.Context, msg tim.Message) (tim.Message, error) {
	const op = "modify message"
	var now tim.Message
	err := c.do(ctx, op, CallModifyMessage, "", func() error {
		msg, err := c.withMedia(ctx, op, msg)
		if err != nil {
			return err
		}
		if _, err := encodeContent(op, saidOnly(msg), 0); err != nil {
			return err
		}
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		m, b, err := c.modify(op, ss.account, msg)
		var l look
		if err == nil {
			l = c.s.st.lookAt(ss.account, m)
		}
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		if err := b.wait(ctx, op); err != nil {
			return err
		}
		now = c.s.sees(l, ss.account.id)
		return nil
	})
	if err != nil {
		return tim.Message{}, err
	}
	return now, nil
}

// modify does it under the lock.
func (c *Client) modify(op string, a *account, msg tim.Message) (*message, *batch, error) {
	s := c.s
	key, g, err := s.resolve(op, a, msg.Conversation())
	if err != nil {
		return nil, nil, err
	}
	m, err := s.find(op, a, msg)
	switch {
	case err != nil:
		return nil, nil, err
	case m.is(flagTip):
		return nil, nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "what the service itself says cannot be changed")
	case m.is(flagRevoked) && g != nil:
		return nil, nil, refuse(op, tim.CodeSvrGroupRevokeMsgDeny, "the message was recalled")
	case m.is(flagRevoked):
		return nil, nil, refuse(op, tim.CodeSvrMsgAlreadyRevoked, "the message was recalled")
	}
	said := m.said()
	said.Elems, said.CloudCustomStr = msg.Elems, msg.CloudCustomStr
	content, err := encodeContent(op, said, 0)
	if err != nil {
		return nil, nil, err
	}
	if bytes.Equal(content, m.content) {
		return m, s.settled(), nil
	}
	if (msg.ServerTime != 0 || msg.Version != 0) && msg.Version != m.version {
		return nil, nil, refuse(op, tim.CodeSDKMsgModifyConflict, "the message has version %d by now, not %d", m.version, msg.Version)
	}
	_, b := s.write(&modifyRecord{
		conv: key, seq: m.seq, time: max(s.now(), s.st.lastTime), flags: flagsOf(said) & flagMedia, content: content,
	})
	return m.conv.find(m.seq), b, nil
}

func (r *modifyRecord) apply(st *state, position uint64) {
	st.clock(r.time)
	c := st.conversation(r.conv)
	old := c.find(r.seq)
	if old == nil {
		return // let go of while the journal was read back with other limits
	}
	m := old.modified(r.content, r.flags)
	if i := c.search(m.seq); i < len(c.msgs) && c.msgs[i] == old {
		st.bytes += m.size() - old.size()
	}
	c.replace(m)
	st.tellConversation(position, reportModified, m)
}
