package egress

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// room is what the service keeps of a group beside its owner.
type room struct {
	info     tim.GroupDetailInfo
	members  map[tim.UserID]tim.GroupMemberInfo
	requests []tim.GroupPendency
}

// users is what the service keeps of users.
type users struct {
	read     map[tim.Conversation]uint64 // sequence up to which it was read
	receipts map[uint64]int              // by sequence
	profile  tim.UserProfile
	status   string
}

// addRoom makes a group with its owner and members.
func (s *service) addRoom(id tim.GroupID, owner tim.UserID, members ...tim.UserID) *room {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &room{info: tim.GroupDetailInfo{GroupID: id, OwnerIdentifier: owner}, members: map[tim.UserID]tim.GroupMemberInfo{}}
	for _, u := range append(members, owner) {
		r.members[u] = tim.GroupMemberInfo{Identifier: u, MemberRole: tim.RoleMember}
	}
	s.groups[id], s.rooms[id] = owner, r
	return r
}

// able is a client with every ability.
type able struct {
	plain
	resender
	history
	abilities
}

// abilities are what a client can do beside what every client can.
type abilities struct{ p plain }

func denied(op string) error { return tim.NewError(op, tim.CodeSvrGroupPermissionDeny, "") }

// room is a group that the account is a member of.
func (c abilities) room(op string, id tim.GroupID, ownerOnly bool) (*room, error) {
	r := c.p.s.rooms[id]
	if r == nil {
		return nil, tim.NewError(op, tim.CodeSvrGroupNotFound, "")
	}
	if _, in := r.members[c.p.account]; !in || ownerOnly && r.info.OwnerIdentifier != c.p.account {
		return nil, denied(op)
	}
	return r, nil
}

func (c abilities) ModifyMessage(ctx context.Context, m tim.Message) (out tim.Message, err error) {
	s := c.p.s
	err = c.p.do(ctx, "modify", strconv.FormatUint(m.Seq, 10), m.Conversation(), func() error {
		for i := range s.messages {
			if old := &s.messages[i]; old.key == c.p.both(m.Conversation()) && old.Seq == m.Seq {
				old.Elems, old.CloudCustomStr = m.Elems, m.CloudCustomStr
				old.Version++
				out = old.Message
				return nil
			}
		}
		return tim.NewError("modify", tim.CodeSvrMsgNotFound, "")
	})
	return out, err
}

func (c abilities) MarkRead(ctx context.Context, conv tim.Conversation, upTo *tim.Message) error {
	return c.p.do(ctx, "mark_read", "", conv, func() error {
		seq := c.p.s.seq
		if upTo != nil {
			seq = upTo.Seq
		}
		c.p.s.users.read[conv] = max(c.p.s.users.read[conv], seq)
		return nil
	})
}

func (c abilities) SendReadReceipts(ctx context.Context, msgs []tim.Message) error {
	return c.p.do(ctx, "receipts", "", msgs[0].Conversation(), func() error {
		for _, m := range msgs {
			c.p.s.users.receipts[m.Seq] = 1
		}
		return nil
	})
}

func (c abilities) ReadReceipts(context.Context, []tim.Message) ([]tim.MessageReceipt, error) {
	return nil, nil
}

func (c abilities) JoinGroup(ctx context.Context, id tim.GroupID, hello string) error {
	return c.p.do(ctx, "join", string(id), tim.Group(id), func() error {
		r := c.p.s.rooms[id]
		if r == nil {
			return tim.NewError("join", tim.CodeSvrGroupNotFound, "")
		}
		if _, in := r.members[c.p.account]; in {
			return tim.NewError("join", tim.CodeSvrGroupAlreadyMember, "")
		}
		r.members[c.p.account] = tim.GroupMemberInfo{Identifier: c.p.account, MemberRole: tim.RoleMember}
		return nil
	})
}

func (c abilities) QuitGroup(ctx context.Context, id tim.GroupID) error {
	return c.p.do(ctx, "quit", string(id), tim.Group(id), func() error {
		r, err := c.room("quit", id, false)
		if err != nil {
			return err
		}
		if r.info.OwnerIdentifier == c.p.account {
			return tim.NewError("quit", tim.CodeSvrGroupSuperNotAllowQuit, "")
		}
		delete(r.members, c.p.account)
		return nil
	})
}

func (c abilities) JoinedGroups(ctx context.Context) (out []tim.GroupBaseInfo, err error) {
	err = c.p.do(ctx, "joined", "", tim.Conversation{}, func() error {
		for id, r := range c.p.s.rooms {
			if _, in := r.members[c.p.account]; in {
				out = append(out, tim.GroupBaseInfo{GroupID: id})
			}
		}
		return nil
	})
	return out, err
}

func (c abilities) GroupsInfo(ctx context.Context, ids []tim.GroupID) (out []tim.GetGroupInfoResult, err error) {
	err = c.p.do(ctx, "info", string(ids[0]), tim.Conversation{}, func() error {
		for _, id := range ids {
			if r := c.p.s.rooms[id]; r != nil {
				info := r.info
				out = append(out, tim.GetGroupInfoResult{Info: &info})
				continue
			}
			out = append(out, tim.GetGroupInfoResult{Code: tim.CodeSvrGroupNotFound})
		}
		return nil
	})
	return out, err
}

func (c abilities) ModifyGroup(ctx context.Context, p tim.GroupModifyInfoParam) error {
	op := "group_modify"
	if p.ModifyFlag == tim.ModifyGroupOwner {
		op = "transfer"
	}
	return c.p.do(ctx, op, string(p.GroupID), tim.Group(p.GroupID), func() error {
		r, err := c.room(op, p.GroupID, true)
		if err != nil {
			return err
		}
		if p.ModifyFlag == tim.ModifyGroupOwner {
			if _, in := r.members[p.Owner]; !in {
				return tim.NewError(op, tim.CodeSvrGroupInvalidParameters, "")
			}
			r.info.OwnerIdentifier = p.Owner
		}
		if p.ModifyFlag&tim.ModifyGroupName != 0 {
			r.info.GroupName = p.GroupName
		}
		if p.ModifyFlag&tim.ModifyGroupShutupAll != 0 {
			r.info.IsShutupAll = p.IsShutupAll
		}
		return nil
	})
}

func (c abilities) Members(ctx context.Context, p tim.GroupGetMemberInfoListParam) (out tim.GroupGetMemberInfoListResult, err error) {
	err = c.p.do(ctx, "members", string(p.GroupID), tim.Group(p.GroupID), func() error {
		r, err := c.room("members", p.GroupID, false)
		if err != nil {
			return err
		}
		for _, u := range p.Identifiers {
			if m, in := r.members[u]; in {
				out.Infos = append(out.Infos, m)
			}
		}
		return nil
	})
	return out, err
}

func (c abilities) ModifyMember(ctx context.Context, p tim.GroupModifyMemberInfoParam) error {
	return c.p.do(ctx, "modify_member", string(p.Identifier), tim.Group(p.GroupID), func() error {
		r, err := c.room("modify member", p.GroupID, true)
		if err != nil {
			return err
		}
		m, in := r.members[p.Identifier]
		if !in {
			return tim.NewError("modify member", tim.CodeSvrGroupInvalidParameters, "")
		}
		if p.ModifyFlag&tim.ModifyMemberNameCard != 0 {
			m.NameCard = p.NameCard
		}
		if p.ModifyFlag&tim.ModifyMemberMemberRole != 0 {
			m.MemberRole = p.MemberRole
		}
		if p.ModifyFlag&tim.ModifyMemberShutupTime != 0 {
			if m.ShutupTime = 0; p.ShutupTime > 0 {
				m.ShutupTime = uint64(time.Now().Unix()) + p.ShutupTime
			}
		}
		r.members[p.Identifier] = m
		return nil
	})
}

// Requests gives one at a time, so that they have to be paged through.
func (c abilities) Requests(ctx context.Context, o tim.GroupPendencyOption) (out tim.GroupPendencyResult, err error) {
	err = c.p.do(ctx, "requests", "", tim.Conversation{}, func() error {
		var all []tim.GroupPendency
		for _, r := range c.p.s.rooms {
			all = append(all, r.requests...)
		}
		slices.SortFunc(all, func(a, b tim.GroupPendency) int { return int(b.AddTime) - int(a.AddTime) })
		for i, p := range all {
			if o.StartTime != 0 && p.AddTime >= o.StartTime {
				continue
			}
			out.Pendencies = []tim.GroupPendency{p}
			if i+1 < len(all) {
				out.NextStartTime = p.AddTime
			}
			break
		}
		return nil
	})
	return out, err
}

func (c abilities) HandleRequest(ctx context.Context, p tim.GroupHandlePendencyParam) error {
	return c.p.do(ctx, "handle_request", string(p.Pendency.FromIdentifier), tim.Group(p.Pendency.GroupID), func() error {
		r, err := c.room("handle request", p.Pendency.GroupID, false)
		if err != nil {
			return err
		}
		for i := range r.requests {
			q := &r.requests[i]
			if p.Pendency.Key != q.Key {
				continue
			}
			if q.Handled != tim.PendencyNotHandle {
				return tim.NewError("handle request", tim.CodeSvrGroupReqAlreadyBeenProcessed, "")
			}
			q.Handled = tim.PendencyOperatorHandle
			if p.IsAccept {
				q.HandleResult = tim.PendencyAccept
			}
			return nil
		}
		return tim.NewError("handle request", tim.CodeSvrGroupInvalidParameters, "")
	})
}

func (c abilities) Profiles(ctx context.Context, _ []tim.UserID) (out []tim.UserProfile, err error) {
	err = c.p.do(ctx, "profiles", "", tim.Conversation{}, func() error {
		out = []tim.UserProfile{c.p.s.users.profile}
		return nil
	})
	return out, err
}

func (c abilities) ModifyProfile(ctx context.Context, p tim.UserProfileItem) error {
	return c.p.do(ctx, "profile", "", tim.Conversation{}, func() error {
		if p.NickName != nil {
			c.p.s.users.profile.NickName = *p.NickName
		}
		return nil
	})
}

func (c abilities) Statuses(ctx context.Context, ids []tim.UserID) (out []tim.UserStatus, err error) {
	err = c.p.do(ctx, "statuses", "", tim.Conversation{}, func() error {
		out = []tim.UserStatus{{Identifier: ids[0], CustomStatus: c.p.s.users.status}}
		return nil
	})
	return out, err
}

func (c abilities) SetStatus(ctx context.Context, custom string) error {
	return c.p.do(ctx, "status", "", tim.Conversation{}, func() error {
		c.p.s.users.status = custom
		return nil
	})
}

func (c abilities) SubscribeStatus(context.Context, []tim.UserID) error   { return nil }
func (c abilities) UnsubscribeStatus(context.Context, []tim.UserID) error { return nil }
