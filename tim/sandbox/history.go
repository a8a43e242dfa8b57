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
			if f.last.message != nil {
				last := c.s.sees(f.last, ss.account.id)
				f.info.IsHasLastMsg, f.info.LastMsg, f.info.ActiveTime = true, &last, last.ServerTime
			}
			for _, m := range f.mentions {
				if at, ok := m.mention(ss.account.id); ok {
					f.info.GroupAtInfo = append(f.info.GroupAtInfo, at)
				}
			}
			list = append(list, f.info)
		}
		return nil
	})
	return list, err
}

// listed is a conversation in an account's list.
type listed struct {
	info     tim.ConvInfo
	last     look
	mentions []*message // unread ones that mention somebody
	time     int64
}

// conversationsOf lists an account's conversations, newest first.
func (st *state) conversationsOf(a *account) []listed {
	list := make([]listed, 0, len(a.convs))
	for conv := range a.convs {
		l := listed{
			info: tim.ConvInfo{ConvType: conv.key.typ, ConvID: conv.key.seenBy(a.id)},
		}
		in := span{0, ^uint64(0)}
		if conv.last != nil {
			l.time = conv.last.time
		}
		l.info.ShowName = l.info.ConvID
		if g := st.groups[tim.GroupID(conv.key.a)]; g != nil && conv.key.typ == tim.ConvGroup {
			spans := g.visible(a.id)
			if len(spans) == 0 {
				continue
			}
			l.info.ShowName, l.info.FaceURL, l.info.GroupType, l.info.Owner = g.name, g.faceURL, g.typ, string(g.owner)
			in = spans[len(spans)-1]
			l.time = g.created
			l.info.ActiveTime = uint64(g.created / 1e9)
		}
		place := a.places[conv]
		if last := conv.newestFor(place, in); last != nil {
			l.last, l.time = st.lookAt(a, last), last.time
		}
		l.info.UnreadNum, l.mentions = st.unread(a, conv)
		if conv.key.typ == tim.ConvGroup {
			l.info.GroupReadSequence = place.readUpTo()
		} else if m := conv.find(place.readUpTo()); m != nil {
			l.info.C2CReadTimestamp = m.seconds()
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
		var found []look
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
		for _, l := range found {
			list = append(list, c.s.sees(l, ss.account.id))
		}
		return nil
	})
	return list, err
}

// history collects messages before one, newest first. The caller holds the lock.
func (s *Sandbox) history(op string, a *account, conv tim.Conversation, before *tim.Message, count int) ([]look, error) {
	if conv.Type == tim.ConvGroup {
		if g := s.st.groups[tim.GroupID(conv.ID)]; g != nil && !ruleTable.history.of(g.typ) {
			return nil, refuse(op, ruleTable.historyRefusal.of(g.typ), "a %v group keeps no history", g.typ)
		}
	}
	known, visible, err := s.lookup(op, a, conv)
	if err != nil || known == nil {
		return nil, err
	}
	msgs := known.history()
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
	place := a.places[known]
	var found []look
	for i := end - 1; i >= 0 && len(found) < count; i-- {
		if within(visible, msgs[i].seq) && !place.hides(msgs[i]) {
			found = append(found, s.st.lookAt(a, msgs[i]))
		}
	}
	return found, nil
}
