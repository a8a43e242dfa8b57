package sandbox

import (
	"cmp"
	"context"
	mathrand "math/rand/v2"
	"slices"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// request is someone's wish to come into a group, or to bring someone in, that
// the owner and the admins decide on, or who is to be brought in.
type request struct {
	number   uint64 // in its group
	typ      tim.GroupPendencyType
	from, to tim.UserID // of a wish to come in: both are who wishes it
	hello    string
	time     int64

	handled  bool
	by       tim.UserID
	accepted bool
	answer   string
}

func (r *request) put(e *encoder) {
	e.uint(r.number)
	e.uint(uint64(r.typ))
	putString(e, r.from)
	putString(e, r.to)
	putString(e, r.hello)
	e.time(r.time)
	e.bool(r.handled)
	putString(e, r.by)
	e.bool(r.accepted)
	putString(e, r.answer)
}

func getRequest(d *decoder) *request {
	return &request{
		number: d.uint(), typ: tim.GroupPendencyType(d.uint()), from: getString[tim.UserID](d), to: getString[tim.UserID](d),
		hello: getString[string](d), time: d.time(),
		handled: d.bool(), by: getString[tim.UserID](d), accepted: d.bool(), answer: getString[string](d),
	}
}

const (
	defaultRequests = 50
	mostRequests    = 100
)

// Requests lists the requests of all groups that the account is the owner or an
// admin of, and the invitations that it decides on itself, newest first; see [tim.Groups]. The option's StartTime is the
// NextStartTime of the page before, 0 for the first; MaxLimited is 50 where it
// is 0, and 100 at most.
func (c *Client) Requests(ctx context.Context, option tim.GroupPendencyOption) (tim.GroupPendencyResult, error) {
	const op = "requests"
	var result tim.GroupPendencyResult
	err := c.look(ctx, op, CallRequests, func(ss *session) error {
		user := ss.account.id
		type found struct {
			g *group
			r *request
		}
		var all []found
		list := func(g *group) {
			for _, r := range g.requests {
				if !g.decides(user, r) {
					continue
				}
				if !r.handled {
					result.UnReadNum++
				}
				if option.StartTime == 0 || uint64(r.time) <= option.StartTime {
					all = append(all, found{g, r})
				}
			}
		}
		for g := range ss.account.groups {
			if g.role(user) >= tim.RoleAdmin && g.sees(user) {
				list(g)
			}
		}
		for g := range ss.account.invited {
			if !g.dismissed && (g.role(user) < tim.RoleAdmin || !g.sees(user)) { // not listed yet
				list(g)
			}
		}
		slices.SortFunc(all, func(x, y found) int {
			return cmp.Or(cmp.Compare(y.r.time, x.r.time), cmp.Compare(x.g.id, y.g.id), cmp.Compare(y.r.number, x.r.number))
		})
		limit := mostRequests
		switch n := option.MaxLimited; {
		case n == 0:
			limit = defaultRequests
		case n < mostRequests:
			limit = int(n)
		}
		if len(all) > limit {
			// Those of one moment stay together: they are asked for at once.
			for limit < len(all) && all[limit].r.time == all[limit-1].r.time {
				limit++
			}
			if limit < len(all) {
				result.NextStartTime = uint64(all[limit].r.time)
			}
			all = all[:limit]
		}
		for _, f := range all {
			result.Pendencies = append(result.Pendencies, f.r.seenBy(f.g, user))
		}
		return nil
	})
	if err != nil {
		return tim.GroupPendencyResult{}, err
	}
	return result, nil
}

// seenBy is the request as one of those who decide is shown it.
func (r *request) seenBy(g *group, user tim.UserID) tim.GroupPendency {
	p := tim.GroupPendency{
		GroupID: g.id, FromIdentifier: r.from, ToIdentifier: r.to, AddTime: uint64(r.time / 1e9), PendencyType: r.typ,
		ApplyInviteMsg: r.hello, ApprovalMsg: r.answer, Key: strconv.FormatUint(r.number, 10), SelfIdentifier: user,
	}
	if r.handled {
		p.Handled = tim.PendencyOtherHandle
		if r.by == user {
			p.Handled = tim.PendencyOperatorHandle
		}
		if r.accepted {
			p.HandleResult = tim.PendencyAccept
		}
	}
	return p
}

// HandleRequest decides on a request; see [tim.Groups]. The request is named by
// its group and key as [Client.Requests] gave it, or without a key by who asked
// for whom. The owner and the admins decide, and app administrators; on an
// invitation that asks the invitee, the invitee alone.
func (c *Client) HandleRequest(ctx context.Context, param tim.GroupHandlePendencyParam) error {
	const op = "handle request"
	return c.change(ctx, op, CallHandleRequest, func(ss *session) (*batch, error) {
		s, user := c.s, ss.account.id
		g, err := s.group(op, param.Pendency.GroupID)
		if err != nil {
			return nil, err
		}
		q := g.named(param.Pendency)
		switch {
		case q == nil && s.rank(g, user) < tim.RoleAdmin, q != nil && !s.admins[user] && !g.decides(user, q),
			q != nil && q.typ == tim.PendencyInviteNeedApprovedByInvitee && q.to != user:
			return nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q does not decide on this request to the group", user)
		case q == nil:
			return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "the group has no such request")
		case q.handled:
			return nil, refuse(op, tim.CodeSvrGroupReqAlreadyBeenProcessed, "%q has decided on it", q.by)
		case len(param.HandleMsg) > maxHelloBytes:
			return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "the answer has %d bytes; it can have %d", len(param.HandleMsg), maxHelloBytes)
		}
		if param.IsAccept && g.members.get(q.to) == nil {
			if err := full(op, g, 1); err != nil {
				return nil, err
			}
			if err := s.mayJoinOneMore(op, q.to); err != nil {
				return nil, err
			}
		}
		_, b := s.write(&decideRecord{
			group: g.id, number: q.number, by: user, accept: param.IsAccept, answer: param.HandleMsg,
			time: s.now(), seed: mathrand.Uint64(),
		})
		return b, nil
	})
}

// decides says whether a request is a user's to decide on.
func (g *group) decides(user tim.UserID, r *request) bool {
	if r.typ == tim.PendencyInviteNeedApprovedByInvitee {
		return r.to == user
	}
	return g.role(user) >= tim.RoleAdmin
}

// named finds the request that someone means, the newest where several fit.
func (g *group) named(p tim.GroupPendency) *request {
	for _, r := range slices.Backward(g.requests) {
		switch {
		case p.Key != "":
			if p.Key == strconv.FormatUint(r.number, 10) {
				return r
			}
		case r.typ == p.PendencyType && r.from == p.FromIdentifier && (p.ToIdentifier == "" || p.ToIdentifier == r.to):
			return r
		}
	}
	return nil
}
