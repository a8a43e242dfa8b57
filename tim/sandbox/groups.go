package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	mathrand "math/rand/v2"
	"slices"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// Limits of groups that the service documents.
const (
	maxGroupIDBytes      = 48
	maxNameBytes         = 30
	maxIntroductionBytes = 240
	maxNotificationBytes = 300
	maxFaceURLBytes      = 100
	maxCreateMembers     = 100
	maxInvite            = 300
	maxRemove            = 100
)

// CreateGroup makes a group; see [tim.Client].
func (c *Client) CreateGroup(ctx context.Context, param tim.CreateGroupParam) (tim.CreateGroupResult, error) {
	const op = "create group"
	var made tim.GroupID
	err := c.do(ctx, op, CallCreateGroup, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		var b *batch
		made, b, err = c.createGroup(op, ss, param)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
	if err != nil {
		return tim.CreateGroupResult{}, err
	}
	return tim.CreateGroupResult{GroupID: made}, nil
}

// createGroup does it under the lock.
func (c *Client) createGroup(op string, ss *session, p tim.CreateGroupParam) (tim.GroupID, *batch, error) {
	s := c.s
	owner := ss.account
	if err := checkGroupParam(op, p); err != nil {
		return "", nil, err
	}
	id := p.GroupID
	if id == "" {
		id = s.newGroupID(p.GroupType)
	} else if g := s.st.groups[id]; g != nil && !g.dismissed {
		if g.owner == owner.id {
			return "", nil, refuse(op, tim.CodeSvrGroupGroupIDInUsedForSuper, "the group %q exists already and is yours", id)
		}
		return "", nil, refuse(op, tim.CodeSvrGroupGroupIDInUsed, "the group id %q is taken", id)
	}
	members, err := s.newMembers(op, owner.id, p)
	if err != nil {
		return "", nil, err
	}
	limit := s.opts.Limits.GroupMembers
	most := limit
	if n := int(p.MaxMemberCount); n > 0 {
		if limit > 0 && n > limit {
			return "", nil, refuse(op, tim.CodeSvrGroupMemberCountLimit, "a group can have %d members, not %d", limit, n)
		}
		most = n
	}
	if most > 0 && len(members)+1 > most {
		return "", nil, refuse(op, tim.CodeSvrGroupFullMemberCount, "the group can have %d members, %d are given", most, len(members)+1)
	}
	for _, user := range append([]newMember{{user: owner.id}}, members...) {
		if err := s.mayJoinOneMore(op, user.user); err != nil {
			return "", nil, err
		}
	}
	r := &createRecord{
		group: id, typ: p.GroupType, name: p.GroupName, introduction: p.Introduction,
		notification: p.Notification, faceURL: p.FaceURL, owner: owner.id, most: most,
		approve: approveOption(p), members: members, time: s.now(), seed: mathrand.Uint64(),
	}
	_, b := s.write(r)
	return id, b, nil
}

func checkGroupParam(op string, p tim.CreateGroupParam) error {
	if p.GroupType != tim.GroupPublic && p.GroupType != tim.GroupPrivate {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "the sandbox has Public and Private groups, not %v", p.GroupType)
	}
	if p.GroupName == "" || len(p.GroupName) > maxNameBytes {
		return refuse(op, tim.CodeSDKGroupInvalidName, "the name has %d bytes; it needs 1 to %d", len(p.GroupName), maxNameBytes)
	}
	for _, f := range []struct {
		what string
		text string
		most int
		code tim.Code
	}{
		{"introduction", p.Introduction, maxIntroductionBytes, tim.CodeSDKGroupInvalidIntroduction},
		{"notification", p.Notification, maxNotificationBytes, tim.CodeSDKGroupInvalidNotification},
		{"face URL", p.FaceURL, maxFaceURLBytes, tim.CodeSDKGroupInvalidFaceURL},
	} {
		if len(f.text) > f.most {
			return refuse(op, f.code, "the %s has %d bytes; it can have %d", f.what, len(f.text), f.most)
		}
	}
	if id := string(p.GroupID); id != "" && (!printable(id, maxGroupIDBytes) || strings.HasPrefix(id, "@TGS#")) {
		return refuse(op, tim.CodeSDKGroupInvalidID, "%q is not a group id: 1 to %d bytes of printable ASCII, not beginning with @TGS#", id, maxGroupIDBytes)
	}
	if n := len(p.Members); n > maxCreateMembers {
		return refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d members are given; a group is created with at most %d", n, maxCreateMembers)
	}
	return nil
}

// newMembers are the first members beside the owner, each once.
func (s *Sandbox) newMembers(op string, owner tim.UserID, p tim.CreateGroupParam) ([]newMember, error) {
	var members []newMember
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
		case role == tim.RoleAdmin && p.GroupType == tim.GroupPublic:
		default:
			return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "%q cannot be %v of a %v group from the start", m.Identifier, role, p.GroupType)
		}
		if !seen[m.Identifier] {
			seen[m.Identifier] = true
			members = append(members, newMember{m.Identifier, role})
		}
	}
	return members, nil
}

func (s *Sandbox) checkMember(op string, user tim.UserID) error {
	if !validUser(user) {
		return refuse(op, tim.CodeSvrGroupInvalidID, "%q is not a user id: 1 to %d bytes of printable ASCII", user, maxUserBytes)
	}
	if !s.exists(user) {
		return refuse(op, tim.CodeSvrGroupAccountNotFound, "the account %q does not exist", user)
	}
	return nil
}

// mayJoinOneMore checks how many groups a user is in.
func (s *Sandbox) mayJoinOneMore(op string, user tim.UserID) error {
	limit := s.opts.Limits.JoinedGroups
	if limit == 0 {
		return nil
	}
	n := 0
	for _, g := range s.st.groups {
		if g.members[user] != nil {
			n++
		}
	}
	if n >= limit {
		return refuse(op, tim.CodeSvrGroupCountLimit, "%q is in %d groups already", user, n)
	}
	return nil
}

// approveOption says how users come in by invitation: into a Private group
// freely whatever is asked for, into a Public one not at all by default.
func approveOption(p tim.CreateGroupParam) tim.GroupAddOption {
	switch {
	case p.GroupType == tim.GroupPrivate:
		return tim.GroupAddAny
	case p.ApproveOption == nil:
		return tim.GroupAddForbid
	}
	return *p.ApproveOption
}

// newGroupID makes an id as the service does.
func (s *Sandbox) newGroupID(typ tim.GroupType) tim.GroupID {
	prefix := map[tim.GroupType]string{tim.GroupPrivate: "@TGS#1", tim.GroupPublic: "@TGS#2"}[typ]
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

// InviteMembers puts users into a group; see [tim.Client]. Into a Private group
// any member may, into a Public one only as its approve option says (which
// forbids it by default), and an app administrator always.
func (c *Client) InviteMembers(ctx context.Context, param tim.GroupInviteMemberParam) ([]tim.GroupInviteMemberResult, error) {
	const op = "invite members"
	var results []tim.GroupInviteMemberResult
	err := c.do(ctx, op, CallInviteMembers, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		var b *batch
		results, b, err = c.invite(op, ss, param)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// invite does it under the lock.
func (c *Client) invite(op string, ss *session, p tim.GroupInviteMemberParam) ([]tim.GroupInviteMemberResult, *batch, error) {
	s, user := c.s, ss.account.id
	g, err := s.group(op, p.GroupID)
	if err != nil {
		return nil, nil, err
	}
	if err := s.mayInvite(op, g, user); err != nil {
		return nil, nil, err
	}
	switch n := len(p.Identifiers); {
	case n == 0:
		return nil, nil, refuse(op, tim.CodeSDKGroupInviteNoMember, "")
	case n > maxInvite:
		return nil, nil, refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d users; at most %d are invited at once", n, maxInvite)
	}
	var users []tim.UserID
	results := make([]tim.GroupInviteMemberResult, 0, len(p.Identifiers))
	for _, u := range p.Identifiers {
		result := tim.MemberDone
		switch {
		case g.members[u] != nil || slices.Contains(users, u):
			result = tim.MemberIncluded
		case s.checkMember(op, u) != nil || s.mayJoinOneMore(op, u) != nil:
			result = tim.MemberFailed
		default:
			users = append(users, u)
		}
		results = append(results, tim.GroupInviteMemberResult{Identifier: u, Result: result})
	}
	if len(users) == 0 {
		return results, s.settled(), nil
	}
	if g.most > 0 && len(g.members)+len(users) > g.most {
		return nil, nil, refuse(op, tim.CodeSvrGroupFullMemberCount, "the group has %d of %d members, %d more do not fit", len(g.members), g.most, len(users))
	}
	_, b := s.write(&inviteRecord{group: g.id, by: user, users: users, userData: p.UserData, time: s.now(), seed: mathrand.Uint64()})
	return results, b, nil
}

func (s *Sandbox) mayInvite(op string, g *group, user tim.UserID) error {
	role := g.role(user)
	switch {
	case s.admins[user]:
		return nil
	case role == tim.RoleNone:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is not a member of the group", user)
	case !g.active && user != g.owner:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "a Private group begins with its owner's first message")
	case g.approve == tim.GroupAddAny, g.approve == tim.GroupAddAuth && role >= tim.RoleAdmin:
		return nil
	}
	return refuse(op, tim.CodeSvrGroupPermissionDeny, "members may not invite into this %v group (approve option %v)", g.typ, g.approve)
}

// DeleteMembers removes users from a group; see [tim.Client]. The owner may,
// in a Public group also an admin for ordinary members, and an app administrator.
func (c *Client) DeleteMembers(ctx context.Context, param tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, error) {
	const op = "delete members"
	var results []tim.GroupDeleteMemberResult
	err := c.do(ctx, op, CallDeleteMembers, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		var b *batch
		results, b, err = c.remove(op, ss, param)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// remove does it under the lock.
func (c *Client) remove(op string, ss *session, p tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, *batch, error) {
	s, user := c.s, ss.account.id
	g, err := s.group(op, p.GroupID)
	if err != nil {
		return nil, nil, err
	}
	mine := g.role(user)
	if s.admins[user] {
		mine = tim.RoleOwner
	}
	if mine < tim.RoleAdmin {
		return nil, nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q may not remove members of the group", user)
	}
	switch n := len(p.Identifiers); {
	case n == 0:
		return nil, nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "nobody to remove")
	case n > maxRemove:
		return nil, nil, refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d users; at most %d are removed at once", n, maxRemove)
	}
	var users []tim.UserID
	results := make([]tim.GroupDeleteMemberResult, 0, len(p.Identifiers))
	for _, u := range p.Identifiers {
		result := tim.MemberDone
		switch role := g.role(u); {
		case role == tim.RoleNone || slices.Contains(users, u):
			result = tim.MemberIncluded
		case u == user || role >= mine:
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

// DeleteGroup dismisses a group; see [tim.Client]. Of a Public group the owner
// may, of a Private one only an app administrator.
func (c *Client) DeleteGroup(ctx context.Context, id tim.GroupID) error {
	const op = "delete group"
	return c.do(ctx, op, CallDeleteGroup, "", func() error {
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		b, err := c.dismiss(op, ss, id)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

// dismiss does it under the lock.
func (c *Client) dismiss(op string, ss *session, id tim.GroupID) (*batch, error) {
	s, user := c.s, ss.account.id
	g, err := s.group(op, id)
	if err != nil {
		return nil, err
	}
	if !s.admins[user] && (g.owner != user || g.typ != tim.GroupPublic) {
		return nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q may not dismiss this %v group", user, g.typ)
	}
	_, b := s.write(&dismissRecord{group: g.id, by: user, time: s.now(), seed: mathrand.Uint64()})
	return b, nil
}
