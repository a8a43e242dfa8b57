package sandbox

import (
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// maxRequests is how many requests a group keeps: those decided go first, the
// oldest of them.
const maxRequests = 1000

// apply takes down what is to be decided on, and tells who decides: the owner
// and the admins, or those who were asked to come in. Somebody who asks again
// takes the place of its first request.
func (r *requestRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	g := h.g
	for _, user := range r.users {
		g.requests = slices.DeleteFunc(g.requests, func(x *request) bool {
			return !x.handled && x.typ == r.typ && x.from == r.from && x.to == user
		})
		g.requestNumber++
		g.requests = append(g.requests, &request{
			number: g.requestNumber, typ: r.typ, from: r.from, to: user, hello: r.hello, time: h.now,
		})
		h.st.invite(g, g.requests[len(g.requests)-1])
	}
	for len(g.requests) > maxRequests {
		i := max(0, slices.IndexFunc(g.requests, func(x *request) bool { return x.handled }))
		g.requests = slices.Delete(g.requests, i, i+1)
	}
	elem := tim.GroupReportElem{ReportType: tim.GroupReportAddRequest, OpUser: r.from, Msg: r.hello}
	switch r.typ {
	case tim.PendencyInviteNeedApprovedByAdmin:
		elem = tim.GroupReportElem{ReportType: tim.GroupReportInviteReqToAdmin, OpUser: r.from, UserData: r.hello}
	case tim.PendencyInviteNeedApprovedByInvitee:
		elem = tim.GroupReportElem{ReportType: tim.GroupReportInviteReqToInvitee, OpUser: r.from, UserData: r.hello}
		h.report(r.users, elem)
		return
	}
	h.report(g.deciders(), elem)
}

// invite has the account that decides on an invitation find it.
func (st *state) invite(g *group, r *request) {
	if r.typ != tim.PendencyInviteNeedApprovedByInvitee {
		return
	}
	a := st.account(r.to)
	if a.invited == nil {
		a.invited = map[*group]struct{}{}
	}
	a.invited[g] = struct{}{}
}

// deciders are the owner and the admins.
func (g *group) deciders() []tim.UserID {
	var users []tim.UserID
	for _, m := range g.members.order {
		if m.role >= tim.RoleAdmin {
			users = append(users, m.id)
		}
	}
	return users
}

// request finds a request by its number.
func (g *group) request(number uint64) *request {
	for _, r := range g.requests {
		if r.number == number {
			return r
		}
	}
	return nil
}

// apply takes a decision down, takes in who was accepted, and tells who asked.
func (r *decideRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	g := h.g
	q := g.request(r.number)
	if q == nil {
		return // lost in a repair
	}
	q.handled, q.by, q.accepted, q.answer = true, r.by, r.accept, r.answer
	accepted, refused := tim.GroupReportAddAccept, tim.GroupReportAddRefuse
	invited := q.typ != tim.PendencyJoinNeedApprovedByAdmin
	if invited {
		accepted, refused = tim.GroupReportInviteAccept, tim.GroupReportInviteRefuse
	}
	answer := tim.GroupReportElem{ReportType: refused, OpUser: r.by, Msg: r.answer}
	if r.accept {
		answer.ReportType = accepted
	}
	if r.accept && g.members.get(q.to) == nil {
		h.join(q.to, tim.RoleMember)
		if invited {
			h.invited(q.from, []tim.UserID{q.to}, q.hello)
		} else {
			h.applied(r.by, q.to)
		}
	}
	h.report([]tim.UserID{q.from}, answer)
}
