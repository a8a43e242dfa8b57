package sandbox

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// tellMember reports a message of the group to a member, or holds it back until
// the group is active.
func (st *state) tellMember(position uint64, g *group, m *member, msg *message) {
	if !g.sees(m.id) {
		g.held = append(g.held, heldReport{m.id, msg})
		return
	}
	m.account.convs[msg.conv] = struct{}{}
	if m.flag != tim.RecvNone {
		st.tell(m.account, position, reportMessage, msg, m.account.platforms())
	}
}

// tellUser reports something of the service itself, or holds it back likewise.
func (st *state) tellUser(position uint64, g *group, user tim.UserID, msg *message) {
	if !g.sees(user) {
		g.held = append(g.held, heldReport{user, msg})
		return
	}
	a := st.account(user)
	st.tell(a, position, reportMessage, msg, a.platforms())
}

// activate makes a Private group seen by its members, with all that was held back.
func (st *state) activate(position uint64, g *group) {
	g.active = true
	held := g.held
	g.held = nil
	for _, h := range held {
		if m := g.members.get(h.user); m != nil && h.msg.conv != nil {
			st.tellMember(position, g, m, h.msg)
		} else {
			st.tellUser(position, g, h.user, h.msg)
		}
	}
}

// tip tells the members of a group what happened in it, as its type has it.
func (h *happening) tip(rule row[telling], elem tim.GroupTipsElem) {
	random := h.rng.next()
	how := rule.of(h.g.typ)
	if how == notTold {
		return
	}
	g := h.g
	elem.GroupID, elem.GroupName = g.id, g.name
	elem.Time, elem.MemberNum = uint64(h.now/int64(time.Second)), uint64(g.members.len())
	elem.OpUserInfo = &tim.UserProfile{Identifier: elem.OpUser}
	op := g.info(elem.OpUser)
	elem.OpGroupMemberInfo = &op
	if how == andStored {
		g.conv.seq++
		m := serviceMessage(h.now, g.conv.seq, random, elem)
		m.conv, m.flags = g.conv, flagTip
		h.st.keep(m)
		h.st.keepDecoded(m)
		for _, member := range g.members.order {
			h.st.tellMember(h.position, g, member, m)
		}
	}
	h.st.pushMembers(g, nil, live{position: h.position, tip: &elem})
}

// report tells some users what concerns them in a group.
func (h *happening) report(users []tim.UserID, elem tim.GroupReportElem) {
	m := h.message(elem)
	for _, user := range users {
		h.st.tellUser(h.position, h.g, user, m)
	}
}

// tell does the same whether or not they may see the group.
func (h *happening) tell(users []tim.UserID, m *message) {
	for _, user := range users {
		a := h.st.account(user)
		h.st.tell(a, h.position, reportMessage, m, a.platforms())
	}
}

// message makes a report, with the group's next number for reports.
func (h *happening) message(elem tim.GroupReportElem) *message {
	g := h.g
	elem.GroupID, elem.GroupName = g.id, g.name
	elem.OpUserInfo = &tim.UserProfile{Identifier: elem.OpUser}
	op := g.info(elem.OpUser)
	elem.OpGroupMemberInfo = &op
	g.reportSeq++
	m := serviceMessage(h.now, g.reportSeq, h.rng.next(), elem)
	h.st.keepDecoded(m)
	return m
}

// keepDecoded decodes what many are likely to be told soon once for all of them.
func (st *state) keepDecoded(m *message) {
	if !st.replaying {
		said := m.said()
		st.recent.keep(m, &said)
	}
}

// serviceMessage is a message of the service itself.
func serviceMessage(now int64, seq, rand uint64, elem tim.Elem) *message {
	content, err := json.Marshal(tim.Message{Elems: []tim.Elem{elem}})
	if err != nil {
		panic("sandbox: an element of the service's own cannot be written: " + err.Error())
	}
	return &message{sender: tim.SystemUser, time: now, seq: seq, rand: rand, content: content}
}

// withOperator are the users, and who did it to them, each once.
func withOperator(users []tim.UserID, by tim.UserID) []tim.UserID {
	if slices.Contains(users, by) {
		return users
	}
	return append(users[:len(users):len(users)], by)
}
