package sandbox

import "github.com/timbridge/timbridge/tim"

// Some things are for those online alone: what is said in a room that stores
// nothing, online-only messages of groups, and tips as [tim.GroupTipped]. They
// have no number and wait in no inbox; a session hands them out in their place
// among the account's reports, once they are on disk like everything else.

// live is one of them, in a session.
type live struct {
	position uint64 // in the journal
	after    uint64 // the account's last report before it
	msg      *message
	tip      *tim.GroupTipsElem
}

// maxLive bounds how many wait in a session whose handler does not keep up;
// the oldest go first.
const maxLive = 100_000

func (l live) eventFor(s *Sandbox, user tim.UserID) tim.Event {
	if l.tip != nil {
		return tim.GroupTipped{Tip: *l.tip}
	}
	return tim.MessagesReceived{Messages: []tim.Message{s.seen(l.msg, user)}}
}

// push brings something to an account's sessions that are in touch, except the
// one that it came from.
func (st *state) push(a *account, from *session, l live) {
	for _, ss := range a.sessions {
		if ss == from || ss.away || ss.over {
			continue
		}
		l.after = a.number
		if len(ss.live) >= maxLive {
			ss.live = ss.live[1:]
		}
		ss.live = append(ss.live, l)
		if !ss.touched {
			ss.touched = true
			st.touched = append(st.touched, ss)
		}
	}
}

// pushMembers brings something to all members who may see the group, and are online.
func (st *state) pushMembers(g *group, from *session, l live) {
	for _, m := range g.members.order {
		if len(m.account.sessions) > 0 && g.sees(m.id) && m.flag != tim.RecvNone {
			st.push(m.account, from, l)
		}
	}
}

// nextLive is what goes before the report r, where there is one (ok). The
// caller holds the lock.
func (ss *session) nextLive(r report, ok bool) (live, bool) {
	if len(ss.live) == 0 {
		return live{}, false
	}
	l := ss.live[0]
	if l.position > ss.s.durable || ok && r.number <= l.after {
		return live{}, false
	}
	ss.live[0] = live{}
	if ss.live = ss.live[1:]; len(ss.live) == 0 {
		ss.live = nil
	}
	return l, true
}
