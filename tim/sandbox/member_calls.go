package sandbox

import (
	"context"
	mathrand "math/rand/v2"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// JoinGroup comes into a group, or asks to; see [tim.Groups].
func (c *Client) JoinGroup(ctx context.Context, id tim.GroupID, hello string) error {
	const op = "join group"
	return c.change(ctx, op, CallJoinGroup, func(ss *session) (*batch, error) {
		s, user := c.s, ss.account.id
		g, err := s.group(op, id)
		if err == nil {
			err = notIn(op, g, ruleTable.join, ruleTable.joinRefusal, "members come in by invitation only")
		}
		if err != nil {
			return nil, err
		}
		switch {
		case g.members.get(user) != nil:
			return nil, refuse(op, tim.CodeSvrGroupAlreadyMember, "%q is a member already", user)
		case g.add == tim.GroupAddForbid:
			return nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "the group takes nobody in by its own request")
		case len(hello) > maxHelloBytes:
			return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "the request has %d bytes; it can have %d", len(hello), maxHelloBytes)
		}
		if err := full(op, g, 1); err != nil {
			return nil, err
		}
		if err := s.mayJoinOneMore(op, user); err != nil {
			return nil, err
		}
		var r record = &joinRecord{group: g.id, user: user, time: s.now(), seed: mathrand.Uint64()}
		if g.add == tim.GroupAddAuth {
			r = &requestRecord{
				group: g.id, typ: tim.PendencyJoinNeedApprovedByAdmin, from: user, users: []tim.UserID{user}, hello: hello,
				time: s.now(), seed: mathrand.Uint64(),
			}
		}
		_, b := s.write(r)
		return b, nil
	})
}

// QuitGroup leaves a group; see [tim.Groups]. The owner may leave a Private one
// only, which has no owner then.
func (c *Client) QuitGroup(ctx context.Context, id tim.GroupID) error {
	const op = "quit group"
	return c.change(ctx, op, CallQuitGroup, func(ss *session) (*batch, error) {
		s, user := c.s, ss.account.id
		g, err := s.group(op, id)
		if err == nil {
			err = g.mustBeIn(op, user)
		}
		if err != nil {
			return nil, err
		}
		if g.owner == user && !ruleTable.ownerQuits.of(g.typ) {
			return nil, refuse(op, tim.CodeSvrGroupSuperNotAllowQuit, "the owner hands a %v group over, or dismisses it", g.typ)
		}
		_, b := s.write(&quitRecord{group: g.id, user: user, time: s.now(), seed: mathrand.Uint64()})
		return b, nil
	})
}

// mustBeIn is the refusal of who is not in a group, or does not know of it yet.
func (g *group) mustBeIn(op string, user tim.UserID) error {
	switch {
	case g.members.get(user) == nil:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is not a member of the group", user)
	case !g.sees(user):
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "a Private group begins with its owner's first message")
	}
	return nil
}

// Members lists members in the order in which they came in, a page of 100 at a
// time, or those that are named; see [tim.Groups]. Only members and app
// administrators may look.
func (c *Client) Members(ctx context.Context, param tim.GroupGetMemberInfoListParam) (tim.GroupGetMemberInfoListResult, error) {
	const op = "members"
	var result tim.GroupGetMemberInfoListResult
	err := c.look(ctx, op, CallMembers, func(ss *session) error {
		s, user := c.s, ss.account.id
		g, err := s.group(op, param.GroupID)
		if err == nil {
			err = s.may(op, g, user, ruleTable.list, "see who is in it")
		}
		if err != nil {
			return err
		}
		if n := len(param.Identifiers); n > maxMembersAsked {
			return refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d users; at most %d are asked for at once", n, maxMembersAsked)
		}
		var option tim.GroupMemberGetInfoOption
		if param.Option != nil {
			option = *param.Option
		}
		for _, u := range param.Identifiers {
			if m := g.members.get(u); m != nil && hasRole(m.role, option.RoleFlag) {
				result.Infos = append(result.Infos, g.listed(m, option, s.now()))
			}
		}
		if len(param.Identifiers) > 0 {
			return nil
		}
		order := g.members.order
		for i := g.members.after(param.NextSeq); i < len(order); i++ {
			if !hasRole(order[i].role, option.RoleFlag) {
				continue
			}
			if len(result.Infos) == memberPage {
				result.NextSeq = order[i-1].number
				break
			}
			result.Infos = append(result.Infos, g.listed(order[i], option, s.now()))
		}
		return nil
	})
	if err != nil {
		return tim.GroupGetMemberInfoListResult{}, err
	}
	return result, nil
}

// hasRole says whether a role is among those that a flag names, 0 for all.
func hasRole(role tim.GroupMemberRole, flag tim.GroupMemberRoleFlag) bool {
	of := map[tim.GroupMemberRole]tim.GroupMemberRoleFlag{
		tim.RoleOwner: tim.RoleFlagOwner, tim.RoleAdmin: tim.RoleFlagAdmin, tim.RoleMember: tim.RoleFlagMember,
	}[role]
	return flag == tim.RoleFlagAll || flag&of != 0
}

// listed is a member with the properties that were asked for; all of them where
// none was named.
func (g *group) listed(m *member, option tim.GroupMemberGetInfoOption, now int64) tim.GroupMemberInfo {
	asked := func(f tim.GroupMemberInfoFlag) bool { return option.InfoFlag == 0 || option.InfoFlag&f != 0 }
	info := tim.GroupMemberInfo{Identifier: m.id, GroupID: g.id}
	if asked(tim.MemberInfoJoinTime) {
		info.JoinTime = uint64(m.joined / 1e9)
	}
	if asked(tim.MemberInfoMsgFlag) {
		info.MsgFlag = m.flag
	}
	if asked(tim.MemberInfoMemberRole) {
		info.MemberRole = m.role
	}
	if until := g.muted[m.id]; asked(tim.MemberInfoShutupUntil) && (until == muteForever || until > uint64(now/1e9)) {
		info.ShutupTime = until
	}
	if asked(tim.MemberInfoNameCard) {
		info.NameCard = m.nameCard
	}
	for _, f := range m.custom {
		if len(option.CustomArray) == 0 || slices.Contains(option.CustomArray, f.key) {
			info.CustomInfo = append(info.CustomInfo, tim.GroupMemberInfoCustomString{Key: f.key, Value: f.value})
		}
	}
	return info
}

// ModifyMember changes a member, or what the account is in a group itself; see
// [tim.Groups]. Everybody sets their own name card, custom fields and how they
// are told of messages; the owner and admins also the first two of those of a
// lower role. Roles and mutes are as the group's type has it.
func (c *Client) ModifyMember(ctx context.Context, param tim.GroupModifyMemberInfoParam) error {
	const op = "modify member"
	return c.change(ctx, op, CallModifyMember, func(ss *session) (*batch, error) {
		s, user := c.s, ss.account.id
		g, err := s.group(op, param.GroupID)
		if err == nil {
			err = s.mayModifyMember(op, g, user, param)
		}
		if err != nil {
			return nil, err
		}
		now := max(s.now(), s.st.lastTime)
		r := &memberRecord{
			group: g.id, by: user, user: param.Identifier, flags: param.ModifyFlag, flag: param.MsgFlag, role: param.MemberRole,
			shutup: param.ShutupTime, nameCard: param.NameCard, custom: memberFields(param.CustomInfo),
			time: now, seed: mathrand.Uint64(),
		}
		switch {
		case param.ShutupTime >= muteForever:
			r.until = muteForever
		case param.ShutupTime > 0:
			r.until = min(uint64(now/1e9)+param.ShutupTime, muteForever-1)
		}
		_, b := s.write(r)
		return b, nil
	})
}

func (s *Sandbox) mayModifyMember(op string, g *group, user tim.UserID, p tim.GroupModifyMemberInfoParam) error {
	const known = tim.ModifyMemberMsgFlag | tim.ModifyMemberMemberRole | tim.ModifyMemberShutupTime | tim.ModifyMemberNameCard | tim.ModifyMemberCustom
	flags := p.ModifyFlag
	if flags == 0 || flags&^known != 0 {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "the flag %d names nothing that can be changed", flags)
	}
	if !s.admins[user] {
		if err := g.mustBeIn(op, user); err != nil {
			return err
		}
	}
	if flags&tim.ModifyMemberMemberRole != 0 {
		if err := s.may(op, g, user, ruleTable.setAdmin, "set administrators"); err != nil {
			return err
		}
	}
	if flags&tim.ModifyMemberShutupTime != 0 {
		if err := s.may(op, g, user, ruleTable.mute, "mute members"); err != nil {
			return err
		}
	}
	m := g.members.get(p.Identifier)
	if m == nil {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "%q is not a member of the group", p.Identifier)
	}
	own := p.Identifier == user
	above := s.rank(g, user) > max(m.role, tim.RoleMember)
	switch {
	case flags&tim.ModifyMemberMsgFlag != 0 && !own:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "how %q is told of messages only it can set", p.Identifier)
	case flags&tim.ModifyMemberMsgFlag != 0 && p.MsgFlag > tim.RecvNoNotifyExceptAt:
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "%v is not a way to be told of messages", p.MsgFlag)
	case flags&(tim.ModifyMemberMemberRole|tim.ModifyMemberShutupTime) != 0 && m.role == tim.RoleOwner:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is the owner", p.Identifier)
	case flags&tim.ModifyMemberMemberRole != 0 && p.MemberRole != tim.RoleAdmin && p.MemberRole != tim.RoleMember:
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "a member becomes an administrator or an ordinary member, not %v", p.MemberRole)
	case flags&tim.ModifyMemberShutupTime != 0 && !above:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "%q may not mute %q", user, p.Identifier)
	case flags&(tim.ModifyMemberNameCard|tim.ModifyMemberCustom) != 0 && !own && !above:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "%q may not change %q", user, p.Identifier)
	case flags&tim.ModifyMemberNameCard != 0 && len(p.NameCard) > maxNameCardBytes:
		return refuse(op, tim.CodeSDKGroupInvalidNameCard, "the name card has %d bytes; it can have %d", len(p.NameCard), maxNameCardBytes)
	case flags&tim.ModifyMemberCustom != 0:
		return checkFields(op, memberFields(p.CustomInfo), m.custom, maxMemberFields, maxMemberFieldBytes)
	}
	return nil
}
