package sandbox

import (
	"sort"

	"github.com/timbridge/timbridge/tim"
)

// convKey names a conversation for everybody in it: a C2C one by its two users
// in order, a group by its id.
type convKey struct {
	typ  tim.ConvType
	a, b string
}

func c2cKey(u, v tim.UserID) convKey {
	if u > v {
		u, v = v, u
	}
	return convKey{tim.ConvC2C, string(u), string(v)}
}

func groupKey(g tim.GroupID) convKey { return convKey{tim.ConvGroup, string(g), ""} }

// seenBy is the conversation's id for an account: the other user's, or the group's.
func (k convKey) seenBy(user tim.UserID) string {
	if k.typ == tim.ConvC2C && k.a == string(user) {
		return k.b
	}
	return k.a
}

// conversation is what was said in one talk.
type conversation struct {
	key  convKey
	seq  uint64     // the last one given
	msgs []*message // those still kept, by rising seq
	last *message   // the newest, kept longer than the rest; nil: none yet
	mark snapshotMark
}

// add takes a new message as the newest.
func (c *conversation) add(m *message) {
	c.msgs = append(c.msgs, m)
	c.last = m
}

// dropFirst forgets the oldest and gives its size.
func (c *conversation) dropFirst() int64 {
	if len(c.msgs) == 0 {
		return 0
	}
	size := c.msgs[0].size()
	c.msgs[0] = nil
	c.msgs = c.msgs[1:]
	return size
}

// search is the index of the first kept message whose seq is at least seq.
func (c *conversation) search(seq uint64) int {
	return sort.Search(len(c.msgs), func(i int) bool { return c.msgs[i].seq >= seq })
}

// find gives the kept message with that seq, or nil.
func (c *conversation) find(seq uint64) *message {
	if i := c.search(seq); i < len(c.msgs) && c.msgs[i].seq == seq {
		return c.msgs[i]
	}
	if c.last != nil && c.last.seq == seq {
		return c.last
	}
	return nil
}

// replace puts m where the message with its seq was.
func (c *conversation) replace(m *message) {
	if i := c.search(m.seq); i < len(c.msgs) && c.msgs[i].seq == m.seq {
		c.msgs[i] = m
	}
	if c.last != nil && c.last.seq == m.seq {
		c.last = m
	}
}

// history are the kept messages, oldest first; the last one is among them even
// where the rest was dropped.
func (c *conversation) history() []*message {
	if len(c.msgs) == 0 && c.last != nil {
		return []*message{c.last}
	}
	return c.msgs
}
