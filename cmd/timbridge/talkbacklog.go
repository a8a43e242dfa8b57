package main

import (
	"cmp"

	"github.com/timbridge/timbridge/tim"
)

// backlog is what had been said in a conversation when it was entered, as far as
// it was read then. The service goes on reporting what waited for the user long
// after that: by the backlog it is told from what is new.
type backlog struct {
	messages []tim.Message // newest first
	whole    bool          // nothing was said before them
}

// covers says whether a message belongs to the backlog, in this version or in a
// later one: it was shown in its place then, or lies before what was shown.
func (b *backlog) covers(m tim.Message) bool {
	if i := b.find(m); i >= 0 {
		return b.messages[i].Version >= m.Version
	}
	return b.precedes(m)
}

// revoked says whether the backlog knows already that a message was recalled,
// or reaches not as far back as the message; else it knows from now on.
func (b *backlog) revoked(m tim.Message) bool {
	i := b.find(m)
	if i < 0 {
		return b.precedes(m)
	}
	known := b.messages[i].Status == tim.MsgRevoked
	b.messages[i].Status = tim.MsgRevoked
	return known
}

func (b *backlog) find(m tim.Message) int {
	for i := range b.messages {
		if sameMessage(b.messages[i], m) {
			return i
		}
	}
	return -1
}

// precedes says whether a message was said before everything that was read.
func (b *backlog) precedes(m tim.Message) bool {
	if b.whole || len(b.messages) == 0 {
		return false
	}
	first := b.messages[len(b.messages)-1]
	if m.ConvType == tim.ConvGroup {
		return m.Seq != 0 && m.Seq < first.Seq // without a sequence it is kept nowhere, and new
	}
	return cmp.Or(cmp.Compare(m.ServerTime, first.ServerTime), cmp.Compare(m.Seq, first.Seq), cmp.Compare(m.Rand, first.Rand)) < 0
}

// shown is how many of the newest messages are shown to a user who wants count,
// and has not read as many as unread: those as well. missing is how many unread
// ones are older than what was read.
func (b *backlog) shown(me tim.UserID, count int, unread uint64) (n int, missing uint64) {
	n = min(count, len(b.messages))
	for i, m := range b.messages {
		if unread == 0 {
			return n, 0
		}
		if m.Sender != me && m.Status != tim.MsgRevoked && !isTip(m) {
			unread--
			n = max(n, i+1)
		}
	}
	if b.whole {
		return n, 0
	}
	return n, unread
}
