package sandbox

import (
	"context"

	"github.com/timbridge/timbridge/tim"
)

// maxErased is how many messages one call may delete.
const maxErased = 50

// DeleteMessages takes messages out of the account's own history; see
// [tim.Eraser]. Messages that are not there count as deleted.
func (c *Client) DeleteMessages(ctx context.Context, conv tim.Conversation, msgs []tim.MsgLocator) error {
	return c.erase(ctx, "delete messages", CallDeleteMessages, conv, func(op string, known *conversation, r *eraseRecord) error {
		if len(msgs) == 0 || len(msgs) > maxErased {
			return refuse(op, tim.CodeInvalidParameters, "%d messages: it takes 1 to %d", len(msgs), maxErased)
		}
		for _, l := range msgs {
			if l.ConvType != 0 && l.Conversation() != conv {
				return refuse(op, tim.CodeInvalidParameters, "message %d is of another conversation", l.Seq)
			}
			m := known.find(l.Seq)
			if m == nil || conv.Type == tim.ConvC2C && (m.seconds() != l.Time || m.rand != l.Rand) {
				continue
			}
			r.seqs = append(r.seqs, m.seq)
		}
		return nil
	})
}

// ClearHistory empties a conversation for the account; see [tim.Eraser].
func (c *Client) ClearHistory(ctx context.Context, conv tim.Conversation) error {
	return c.erase(ctx, "clear history", CallClearHistory, conv, func(_ string, known *conversation, r *eraseRecord) error {
		r.upTo = known.seq
		return nil
	})
}

// DeleteConversation empties a conversation for the account and takes it off
// the account's list until something new is said; see [tim.Eraser].
func (c *Client) DeleteConversation(ctx context.Context, conv tim.Conversation) error {
	return c.erase(ctx, "delete conversation", CallDeleteConversation, conv, func(_ string, known *conversation, r *eraseRecord) error {
		r.upTo, r.unlist = known.seq, true
		return nil
	})
}

// erase carries a call out that hides messages, which say adds to the record.
func (c *Client) erase(ctx context.Context, op string, call Call, conv tim.Conversation, say func(string, *conversation, *eraseRecord) error) error {
	return c.do(ctx, op, call, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		b, err := c.writeErased(op, ss.account, conv, say)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

// writeErased does it under the lock.
func (c *Client) writeErased(op string, a *account, conv tim.Conversation, say func(string, *conversation, *eraseRecord) error) (*batch, error) {
	known, _, err := c.s.lookup(op, a, conv)
	if err != nil {
		return nil, err
	}
	if conv.Type == tim.ConvGroup {
		if g := c.s.st.groups[tim.GroupID(conv.ID)]; !ruleTable.history.of(g.typ) {
			return nil, refuse(op, tim.CodeSvrGroupNotAllowRemoveMsg, "a %v group keeps no messages", g.typ)
		}
	}
	exists := known != nil
	if !exists {
		known = &conversation{} // what is wrong with the call is said all the same
	}
	r := &eraseRecord{user: a.id, conv: known.key, time: max(c.s.now(), c.s.st.lastTime)}
	if err := say(op, known, r); err != nil {
		return nil, err
	}
	if !exists || len(r.seqs) == 0 && r.upTo == 0 && !r.unlist {
		return c.s.settled(), nil
	}
	_, b := c.s.write(r)
	return b, nil
}

func (r *eraseRecord) apply(st *state, _ uint64) {
	st.clock(r.time)
	a, c := st.account(r.user), st.conversation(r.conv)
	a.erase(c, r.seqs, r.upTo)
	if r.unlist {
		delete(a.convs, c)
	}
}
