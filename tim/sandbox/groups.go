package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	mathrand "math/rand/v2"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

var _ tim.Groups = (*Client)(nil)

// change carries out a call that changes a group: f does it under the lock, and
// gives what to wait for.
func (c *Client) change(ctx context.Context, op string, call Call, f func(*session) (*batch, error)) error {
	return c.do(ctx, op, call, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		b, err := f(ss)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

// look carries out a call that only looks: f does it under the lock. It is
// answered when what it saw is on disk.
func (c *Client) look(ctx context.Context, op string, call Call, f func(*session) error) error {
	return c.do(ctx, op, call, "", func() error {
		c.s.mu.Lock()
		ss, err := c.online(op)
		if err == nil {
			err = f(ss)
		}
		b := c.s.settled()
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

// CreateGroup makes a group; see [tim.Client].
func (c *Client) CreateGroup(ctx context.Context, param tim.CreateGroupParam) (tim.CreateGroupResult, error) {
	const op = "create group"
	var made tim.GroupID
	err := c.change(ctx, op, CallCreateGroup, func(ss *session) (b *batch, err error) {
		made, b, err = c.createGroup(op, ss.account.id, param)
		return b, err
	})
	if err != nil {
		return tim.CreateGroupResult{}, err
	}
	return tim.CreateGroupResult{GroupID: made}, nil
}

// createGroup does it under the lock.
func (c *Client) createGroup(op string, owner tim.UserID, p tim.CreateGroupParam) (tim.GroupID, *batch, error) {
	s := c.s
	if err := checkCreate(op, p); err != nil {
		return "", nil, err
	}
	id := p.GroupID
	if id == "" {
		id = s.newGroupID(p.GroupType)
	} else if g := s.st.groups[id]; g != nil && !g.dismissed {
		if g.owner == owner {
			return "", nil, refuse(op, tim.CodeSvrGroupGroupIDInUsedForSuper, "the group %q exists already and is yours", id)
		}
		return "", nil, refuse(op, tim.CodeSvrGroupGroupIDInUsed, "the group id %q is taken", id)
	}
	first, err := s.newMembers(op, owner, p)
	if err != nil {
		return "", nil, err
	}
	most, err := s.bound(op, p.GroupType, uint64(p.MaxMemberCount))
	if err != nil {
		return "", nil, err
	}
	if most > 0 && len(first)+1 > most {
		return "", nil, refuse(op, tim.CodeSvrGroupFullMemberCount, "the group can have %d members, %d are given", most, len(first)+1)
	}
	if err := s.mayMakeOneMore(op, p.GroupType); err != nil {
		return "", nil, err
	}
	for _, user := range append([]newMember{{user: owner}}, first...) {
		if err := s.mayJoinOneMore(op, user.user); err != nil {
			return "", nil, err
		}
	}
	r := &createRecord{
		group: id, typ: p.GroupType, name: p.GroupName, introduction: p.Introduction,
		notification: p.Notification, faceURL: p.FaceURL, owner: owner, most: most,
		add:     option(p.AddOption, ruleTable.joinOption.of(p.GroupType), ruleTable.setJoinOption.of(p.GroupType)),
		approve: option(p.ApproveOption, ruleTable.approve.of(p.GroupType), ruleTable.setApprove.of(p.GroupType)),
		settings: groupSettings{
			topics: p.IsSupportTopic, permissionGroup: p.EnablePermissionGroup, permissions: p.DefaultPermissions,
		},
		members: first, time: s.now(), seed: mathrand.Uint64(),
	}
	changedFields(&r.custom, groupFields(p.CustomInfo))
	_, b := s.write(r)
	return id, b, nil
}

// option is how users come in: as it was asked for, where that can be set.
func option(asked *tim.GroupAddOption, def tim.GroupAddOption, settable bool) tim.GroupAddOption {
	if asked == nil || !settable {
		return def
	}
	return *asked
}

// bound is how many members a group of a type has at most, where asked (0: as
// many as may be) is wanted.
func (s *Sandbox) bound(op string, typ tim.GroupType, asked uint64) (int, error) {
	limit := s.capacity(typ)
	switch {
	case asked == 0:
		return limit, nil
	case limit > 0 && asked > uint64(limit):
		return 0, refuse(op, tim.CodeSvrGroupMemberCountLimit, "a %v group can have %d members, not %d", typ, limit, asked)
	}
	return int(min(asked, 1<<31)), nil
}

// mayMakeOneMore checks how many groups there are.
func (s *Sandbox) mayMakeOneMore(op string, typ tim.GroupType) error {
	l := s.opts.Limits
	if l.Groups == 0 && (l.AVChatRooms == 0 || typ != tim.GroupAVChatRoom) {
		return nil
	}
	all, rooms := 0, 0
	for _, g := range s.st.groups {
		if g.dismissed {
			continue
		}
		all++
		if g.typ == tim.GroupAVChatRoom {
			rooms++
		}
	}
	switch {
	case l.Groups > 0 && all >= l.Groups:
		return refuse(op, tim.CodeSvrGroupTrialCountLimit, "there are %d groups already", all)
	case l.AVChatRooms > 0 && typ == tim.GroupAVChatRoom && rooms >= l.AVChatRooms:
		return refuse(op, tim.CodeSvrGroupAVChatRoomCountLimit, "there are %d AVChatRooms already", rooms)
	}
	return nil
}

// mayJoinOneMore checks how many groups a user is in.
func (s *Sandbox) mayJoinOneMore(op string, user tim.UserID) error {
	limit := s.opts.Limits.JoinedGroups
	if a := s.st.accounts[user]; limit > 0 && a != nil && len(a.groups) >= limit {
		return refuse(op, tim.CodeSvrGroupCountLimit, "%q is in %d groups already", user, len(a.groups))
	}
	return nil
}

// newMembers are the first members beside the owner, each once.
func (s *Sandbox) newMembers(op string, owner tim.UserID, p tim.CreateGroupParam) ([]newMember, error) {
	var list []newMember
	seen := map[tim.UserID]bool{owner: true}
	for _, m := range p.Members {
		if err := s.checkMember(op, m.Identifier); err != nil {
			return nil, err
		}
		role := m.MemberRole
		switch {
		case role == tim.RoleNone:
			role = tim.RoleMember
		case role == tim.RoleOwner && m.Identifier == owner, role == tim.RoleMember:
		case role == tim.RoleAdmin && ruleTable.setAdmin.of(p.GroupType) != nobody:
		default:
			return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "%q cannot be %v of a %v group from the start", m.Identifier, role, p.GroupType)
		}
		if !seen[m.Identifier] {
			seen[m.Identifier] = true
			list = append(list, newMember{m.Identifier, role})
		}
	}
	return list, nil
}

// newGroupID makes an id as the service does.
func (s *Sandbox) newGroupID(typ tim.GroupType) tim.GroupID {
	prefix := row[string]{"@TGS#1", "@TGS#2", "@TGS#3", "@TGS#a", "@TGS#_@TGS#c", "@TGS#b"}.of(typ)
	for {
		var b [5]byte
		_, _ = rand.Read(b[:]) // never fails
		id := tim.GroupID(prefix + base32.StdEncoding.EncodeToString(b[:]))
		if s.st.groups[id] == nil {
			return id
		}
	}
}

// group finds a group that is there. The caller holds the lock.
func (s *Sandbox) group(op string, id tim.GroupID) (*group, error) {
	if !printable(string(id), 2*maxGroupIDBytes) {
		return nil, refuse(op, tim.CodeSvrGroupInvalidGroupID, "%q is not a group id", id)
	}
	g := s.st.groups[id]
	if g == nil || g.dismissed {
		return nil, refuse(op, tim.CodeSvrGroupNotFound, "the group %q does not exist, or was dismissed", id)
	}
	return g, nil
}

// DeleteGroup dismisses a group; see [tim.Client]. The owner may, save of a
// Private group, which only an app administrator dismisses.
func (c *Client) DeleteGroup(ctx context.Context, id tim.GroupID) error {
	const op = "delete group"
	return c.change(ctx, op, CallDeleteGroup, func(ss *session) (*batch, error) {
		s, user := c.s, ss.account.id
		g, err := s.group(op, id)
		if err == nil {
			err = s.may(op, g, user, ruleTable.dismiss, "dismiss it")
		}
		if err != nil {
			return nil, err
		}
		_, b := s.write(&dismissRecord{group: g.id, by: user, time: s.now(), seed: mathrand.Uint64()})
		return b, nil
	})
}

// InviteMembers puts users into a group; see [tim.Client]. Who may depends on
// the group's approve option: any lets every member, auth the owner and admins,
// while what another member asks for is theirs to decide (MemberInvited), and
// forbid nobody. An app administrator may always, where there are invitations.
// Of those brought in at once, who is among Options.AskInvitees is asked first,
// and decides (MemberInvited), unless an app administrator brings them in.
func (c *Client) InviteMembers(ctx context.Context, param tim.GroupInviteMemberParam) ([]tim.GroupInviteMemberResult, error) {
	const op = "invite members"
	var results []tim.GroupInviteMemberResult
	err := c.change(ctx, op, CallInviteMembers, func(ss *session) (b *batch, err error) {
		results, b, err = c.invite(op, ss.account.id, param)
		return b, err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// invite does it under the lock.
func (c *Client) invite(op string, user tim.UserID, p tim.GroupInviteMemberParam) ([]tim.GroupInviteMemberResult, *batch, error) {
	s := c.s
	g, err := s.group(op, p.GroupID)
	if err != nil {
		return nil, nil, err
	}
	asks, err := s.mayInvite(op, g, user)
	if err != nil {
		return nil, nil, err
	}
	switch n := len(p.Identifiers); {
	case n == 0:
		return nil, nil, refuse(op, tim.CodeSDKGroupInviteNoMember, "")
	case n > maxInvite:
		return nil, nil, refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d users; at most %d are invited at once", n, maxInvite)
	case len(p.UserData) > maxHelloBytes:
		return nil, nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "what is said with it has %d bytes; it can have %d", len(p.UserData), maxHelloBytes)
	}
	var users, asked []tim.UserID
	results := make([]tim.GroupInviteMemberResult, 0, len(p.Identifiers))
	for _, u := range p.Identifiers {
		result := tim.MemberDone
		switch {
		case g.members.get(u) != nil || slices.Contains(users, u) || slices.Contains(asked, u):
			result = tim.MemberIncluded
		case s.checkMember(op, u) != nil || s.mayJoinOneMore(op, u) != nil:
			result = tim.MemberFailed
		case asks:
			users = append(users, u)
			result = tim.MemberInvited
		case s.asked[u] && !s.admins[user]:
			asked = append(asked, u)
			result = tim.MemberInvited
		default:
			users = append(users, u)
		}
		results = append(results, tim.GroupInviteMemberResult{Identifier: u, Result: result})
	}
	b := s.settled()
	if len(users)+len(asked) == 0 {
		return results, b, nil
	}
	if err := full(op, g, len(users)+len(asked)); err != nil {
		return nil, nil, err
	}
	ask := func(typ tim.GroupPendencyType, users []tim.UserID) *requestRecord {
		return &requestRecord{group: g.id, typ: typ, from: user, users: users, hello: p.UserData, time: s.now(), seed: mathrand.Uint64()}
	}
	switch {
	case asks:
		_, b = s.write(ask(tim.PendencyInviteNeedApprovedByAdmin, users))
	case len(users) > 0:
		_, b = s.write(&inviteRecord{group: g.id, by: user, users: users, userData: p.UserData, time: s.now(), seed: mathrand.Uint64()})
	}
	if len(asked) > 0 {
		_, b = s.write(ask(tim.PendencyInviteNeedApprovedByInvitee, asked))
	}
	return results, b, nil
}

// full checks that so many more fit into a group.
func full(op string, g *group, more int) error {
	if n := g.members.len(); g.most > 0 && n+more > g.most {
		return refuse(op, tim.CodeSvrGroupFullMemberCount, "the group has %d of %d members, %d more do not fit", n, g.most, more)
	}
	return nil
}

// mayInvite says whether a user may bring others in, at once or by asking.
func (s *Sandbox) mayInvite(op string, g *group, user tim.UserID) (asks bool, err error) {
	if err := s.may(op, g, user, ruleTable.invite, "invite"); err != nil || s.admins[user] {
		return false, err
	}
	switch g.approve {
	case tim.GroupAddAny:
		return false, nil
	case tim.GroupAddAuth:
		return g.role(user) < tim.RoleAdmin, nil
	}
	return false, refuse(op, tim.CodeSvrGroupPermissionDeny, "members may not invite into this %v group (approve option %v)", g.typ, g.approve)
}

// DeleteMembers removes users from a group; see [tim.Client]. The owner may, in
// most types also an admin for ordinary members, and an app administrator.
func (c *Client) DeleteMembers(ctx context.Context, param tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, error) {
	const op = "delete members"
	var results []tim.GroupDeleteMemberResult
	err := c.change(ctx, op, CallDeleteMembers, func(ss *session) (b *batch, err error) {
		results, b, err = c.remove(op, ss.account.id, param)
		return b, err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// remove does it under the lock.
func (c *Client) remove(op string, user tim.UserID, p tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, *batch, error) {
	s := c.s
	g, err := s.group(op, p.GroupID)
	if err == nil {
		err = notIn(op, g, ruleTable.kick, ruleTable.kickRefusal, "members are not removed")
	}
	if err == nil {
		err = s.may(op, g, user, ruleTable.kick, "remove members")
	}
	if err != nil {
		return nil, nil, err
	}
	switch n := len(p.Identifiers); {
	case n == 0:
		return nil, nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "nobody to remove")
	case n > maxRemove:
		return nil, nil, refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d users; at most %d are removed at once", n, maxRemove)
	case len(p.UserData) > maxHelloBytes:
		return nil, nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "the reason has %d bytes; it can have %d", len(p.UserData), maxHelloBytes)
	}
	var users []tim.UserID
	results := make([]tim.GroupDeleteMemberResult, 0, len(p.Identifiers))
	for _, u := range p.Identifiers {
		result := tim.MemberDone
		switch role := g.role(u); {
		case role == tim.RoleNone || slices.Contains(users, u):
			result = tim.MemberIncluded
		case u == user || role >= s.rank(g, user):
			result = tim.MemberFailed
		default:
			users = append(users, u)
		}
		results = append(results, tim.GroupDeleteMemberResult{Identifier: u, Result: result})
	}
	if len(users) == 0 {
		return results, s.settled(), nil
	}
	_, b := s.write(&removeRecord{group: g.id, by: user, users: users, reason: p.UserData, time: s.now(), seed: mathrand.Uint64()})
	return results, b, nil
}
