package sandbox

import (
	"cmp"
	"context"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

const (
	defaultHistoryCount = 20
	maxHistoryCount     = 100
)

// Conversations lists the account's conversations; see [tim.History]. Groups
// that the account has left, or that were dismissed, stay in the list with the
// last message that the account could see, as they do on a device.
func (c *Client) Conversations(ctx context.Context) ([]tim.ConvInfo, error) {
	const op = "conversations"
	var list []tim.ConvInfo
	err := c.do(ctx, op, CallConversations, "", func() error {
		c.s.mu.Lock()
		ss, err := c.online(op)
		if err != nil {
			c.s.mu.Unlock()
			return err
		}
		found := c.s.st.conversationsOf(ss.account)
		b := c.s.settled()
		c.s.mu.Unlock()
		if err := b.wait(ctx, op); err != nil {
			return err
		}
		for _, f := range found {
			if f.last != nil {
				last := f.last.seenBy(ss.account.id)
				f.info.IsHasLastMsg, f.info.LastMsg, f.info.ActiveTime = true, &last, last.ServerTime
			}
			list = append(list, f.info)
		}
		return nil
	})
	return list, err
}

// listed is a conversation in an account's list.
type listed struct {
	info tim.ConvInfo
	last *message
	time int64
}

// conversationsOf lists an account's conversations, newest first.
func (st *state) conversationsOf(a *account) []listed {
	list := make([]listed, 0, len(a.convs))
	for conv := range a.convs {
		l := listed{
			info: tim.ConvInfo{ConvType: conv.key.typ, ConvID: conv.key.seenBy(a.id)},
			last: conv.last,
		}
		l.info.ShowName = l.info.ConvID
		if g := st.groups[tim.GroupID(conv.key.a)]; g != nil && conv.key.typ == tim.ConvGroup {
			spans := g.visible(a.id)
			if len(spans) == 0 {
				continue
			}
			l.info.ShowName, l.info.FaceURL, l.info.GroupType, l.info.Owner = g.name, g.faceURL, g.typ, string(g.owner)
			end := spans[len(spans)-1]
			if l.last = conv.newest(end.to); l.last != nil && l.last.seq < end.from {
				l.last = nil
			}
			l.time = g.created
			l.info.ActiveTime = uint64(g.created / 1e9)
		}
		if l.last != nil {
			l.time = l.last.time
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(x, y listed) int {
		return cmp.Or(cmp.Compare(y.time, x.time), cmp.Compare(x.info.ConvType, y.info.ConvType), cmp.Compare(x.info.ConvID, y.info.ConvID))
	})
	return list
}

// Messages reads a conversation backwards; see [tim.History]. A member of a
// group sees what was said while it was in it, and goes on seeing that later.
func (c *Client) Messages(ctx context.Context, conv tim.Conversation, query tim.HistoryQuery) ([]tim.Message, error) {
	const op = "messages"
	var list []tim.Message
	err := c.do(ctx, op, CallMessages, "", func() error {
		count := query.Count
		switch {
		case count < 0:
			return refuse(op, tim.CodeInvalidParameters, "%d messages", count)
		case count == 0:
			count = defaultHistoryCount
		}
		count = min(count, maxHistoryCount)
		c.s.mu.Lock()
		ss, err := c.online(op)
		var found []*message
		if err == nil {
			found, err = c.s.history(op, ss.account, conv, query.Before, count)
		}
		b := c.s.settled()
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		if err := b.wait(ctx, op); err != nil {
			return err
		}
		for _, m := range found {
			list = append(list, m.seenBy(ss.account.id))
		}
		return nil
	})
	return list, err
}

// history collects messages before one, newest first. The caller holds the lock.
func (s *Sandbox) history(op string, a *account, conv tim.Conversation, before *tim.Message, count int) ([]*message, error) {
	var msgs []*message
	visible := []span{{0, ^uint64(0)}}
	switch conv.Type {
	case tim.ConvC2C:
		if !validUser(tim.UserID(conv.ID)) {
			return nil, refuse(op, tim.CodeToUserInvalid, "%q is not a user id", conv.ID)
		}
		if known := s.st.convs[c2cKey(a.id, tim.UserID(conv.ID))]; known != nil {
			msgs = known.history()
		}
	case tim.ConvGroup:
		g := s.st.groups[tim.GroupID(conv.ID)]
		if g == nil {
			return nil, refuse(op, tim.CodeSvrGroupNotFound, "")
		}
		if visible = g.visible(a.id); len(visible) == 0 {
			return nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is not a member of the group", a.id)
		}
		msgs = g.conv.history()
	default:
		return nil, refuse(op, tim.CodeInvalidConversation, "%v has no history", conv)
	}
	end := len(msgs)
	if before != nil {
		end, _ = slices.BinarySearchFunc(msgs, before, func(m *message, b *tim.Message) int {
			older := m.before(b.ServerTime, b.Seq, b.Rand)
			if conv.Type == tim.ConvGroup {
				older = m.seq < b.Seq
			}
			if older {
				return -1
			}
			return 1
		})
	}
	var found []*message
	for i := end - 1; i >= 0 && len(found) < count; i-- {
		for _, v := range visible {
			if msgs[i].seq >= v.from && msgs[i].seq <= v.to {
				found = append(found, msgs[i])
				break
			}
		}
	}
	return found, nil
}
