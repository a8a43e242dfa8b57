package sandbox_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/tim"
)

// The calls of [TestModel] about groups that [tim.Groups] has.

func modelGroupID(typ tim.GroupType, n int) tim.GroupID {
	if typ == tim.GroupCommunity {
		return tim.GroupID(fmt.Sprint("@TGS#_g", n))
	}
	return tim.GroupID(fmt.Sprint("g", n))
}

func (g *modelGroup) activate() {
	if g.active {
		return
	}
	g.active = true
	for _, f := range g.held {
		f()
	}
	g.held, g.heldFor = nil, nil
}

// enter takes a user in as an ordinary member.
func (m *model) enter(g *modelGroup, user tim.UserID) {
	g.members[user] = len(m.talk(string(g.id)).msgs) + 1
	if g.typ == tim.GroupChatRoom {
		g.members[user] = 1
	}
	g.roles[user] = tim.RoleMember
}

// memberTip tells who came and went, which a ChatRoom does not.
func (m *model) memberTip(g *modelGroup, text string) {
	if g.typ != tim.GroupChatRoom {
		m.tip(g, text)
	}
}

// closed says whether a group is gone, or not there for a user, and checks that
// the call was refused then.
func (c *check) closed(what string, g *modelGroup, by tim.UserID, err error) bool {
	switch {
	case g.dismissed:
		c.refused(what, err, tim.CodeSvrGroupNotFound)
	case g.members[by] == 0, !g.active && by != g.owner:
		c.refused(what, err, tim.CodeSvrGroupPermissionDeny)
	default:
		return false
	}
	return true
}

// went checks that a call was carried out, or refused with a code.
func (c *check) went(what string, err error, want tim.Code) bool {
	if want != tim.CodeOK {
		c.refused(what, err, want)
		return false
	}
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
	return true
}

func (c *check) join(rt *rapid.T) {
	g, user := c.group(rt), c.user("who")
	err := c.as(user).groups().JoinGroup(context.Background(), g.id, "let me in")
	want := tim.CodeOK
	switch {
	case g.dismissed:
		want = tim.CodeSvrGroupNotFound
	case g.typ == tim.GroupPrivate:
		want = tim.CodeSDKGroupJoinPrivateGroupDeny
	case g.members[user] > 0:
		want = tim.CodeSvrGroupAlreadyMember
	case g.add == tim.GroupAddForbid:
		want = tim.CodeSvrGroupPermissionDeny
	}
	if !c.went("join", err, want) {
		return
	}
	if g.add == tim.GroupAddAny {
		c.m.enter(g, user)
		c.m.memberTip(g, sayTip(tim.GroupTipInvite, user, []tim.UserID{user}))
		return
	}
	g.requests = slices.DeleteFunc(g.requests, func(r *modelRequest) bool { return !r.handled && r.user == user })
	g.numbers++
	g.requests = append(g.requests, &modelRequest{number: g.numbers, user: user})
	var deciders []tim.UserID
	for u, role := range g.roles {
		if role >= tim.RoleAdmin {
			deciders = append(deciders, u)
		}
	}
	c.m.report(g, tim.GroupReportAddRequest, deciders...)
}

func (c *check) decide(rt *rapid.T) {
	g, by := c.group(rt), c.user("by")
	if len(g.requests) == 0 || g.dismissed {
		rt.Skip("nobody asks")
	}
	r := rapid.SampledFrom(g.requests).Draw(rt, "request")
	accept := rapid.Bool().Draw(rt, "accept")
	d := c.as(by)
	err := d.groups().HandleRequest(context.Background(), tim.GroupHandlePendencyParam{
		IsAccept: accept, Pendency: tim.GroupPendency{GroupID: g.id, Key: fmt.Sprint(r.number)},
	})
	want := tim.CodeOK
	switch {
	case g.roles[by] < tim.RoleAdmin:
		want = tim.CodeSvrGroupPermissionDeny
	case r.handled:
		want = tim.CodeSvrGroupReqAlreadyBeenProcessed
	}
	if !c.went("decide", err, want) {
		return
	}
	r.handled = true
	answer := tim.GroupReportAddRefuse
	if accept {
		answer = tim.GroupReportAddAccept
		if g.members[r.user] == 0 {
			c.m.enter(g, r.user)
			c.m.memberTip(g, sayTip(tim.GroupTipInvite, by, []tim.UserID{r.user}))
		}
	}
	c.m.report(g, answer, r.user)
	page, err := d.groups().Requests(context.Background(), tim.GroupPendencyOption{MaxLimited: 100})
	if err != nil {
		c.Fatalf("requests: %v", err)
	}
	var got, want2 []string
	for _, p := range page.Pendencies {
		if p.GroupID == g.id {
			got = append(got, fmt.Sprint(p.Key, p.ToIdentifier, p.Handled != tim.PendencyNotHandle))
		}
	}
	for _, r := range slices.Backward(g.requests) {
		want2 = append(want2, fmt.Sprint(r.number, r.user, r.handled))
	}
	if !slices.Equal(got, want2) {
		c.Fatalf("%s is shown the requests %q, want %q", by, got, want2)
	}
}

func (c *check) quit(rt *rapid.T) {
	g, user := c.group(rt), c.user("who")
	err := c.as(user).groups().QuitGroup(context.Background(), g.id)
	if c.closed("quit", g, user, err) {
		return
	}
	want := tim.CodeOK
	if user == g.owner && g.typ != tim.GroupPrivate {
		want = tim.CodeSvrGroupSuperNotAllowQuit
	}
	if !c.went("quit", err, want) {
		return
	}
	c.m.leave(g, user)
	if user == g.owner {
		g.owner = ""
		g.activate()
	}
	c.m.memberTip(g, sayTip(tim.GroupTipQuit, user, []tim.UserID{user}))
	c.m.report(g, tim.GroupReportQuit, user)
}

func (c *check) rename(rt *rapid.T) {
	g, by := c.group(rt), c.user("by")
	name := rapid.SampledFrom([]string{"g", "h"}).Draw(rt, "name")
	err := c.as(by).groups().ModifyGroup(context.Background(), tim.GroupModifyInfoParam{GroupID: g.id, ModifyFlag: tim.ModifyGroupName, GroupName: name})
	if c.closed("rename", g, by, err) {
		return
	}
	least := map[tim.GroupType]tim.GroupMemberRole{
		tim.GroupPrivate: tim.RoleMember, tim.GroupPublic: tim.RoleAdmin, tim.GroupChatRoom: tim.RoleOwner, tim.GroupCommunity: tim.RoleAdmin,
	}[g.typ]
	want := tim.CodeOK
	if g.roles[by] < least {
		want = tim.CodeSvrGroupPermissionDeny
	}
	if c.went("rename", err, want) && g.name != name {
		g.name = name
		c.m.tip(g, sayTip(tim.GroupTipGroupInfoChange, by, nil))
	}
}

func (c *check) transfer(rt *rapid.T) {
	g, by, to := c.group(rt), c.user("by"), c.user("to")
	err := c.as(by).groups().ModifyGroup(context.Background(), tim.GroupModifyInfoParam{GroupID: g.id, ModifyFlag: tim.ModifyGroupOwner, Owner: to})
	if c.closed("hand on", g, by, err) {
		return
	}
	want := tim.CodeOK
	switch {
	case by != g.owner:
		want = tim.CodeSvrGroupPermissionDeny
	case g.members[to] == 0:
		want = tim.CodeSvrGroupInvalidParameters
	}
	if c.went("hand on", err, want) && to != by {
		g.roles[by], g.roles[to], g.owner = tim.RoleMember, tim.RoleOwner, to
		g.activate()
		c.m.tip(g, sayTip(tim.GroupTipGroupInfoChange, by, nil))
	}
}

func (c *check) role(rt *rapid.T) {
	g, by, user := c.group(rt), c.user("by"), c.user("who")
	role := rapid.SampledFrom([]tim.GroupMemberRole{tim.RoleAdmin, tim.RoleMember}).Draw(rt, "role")
	err := c.as(by).groups().ModifyMember(context.Background(), tim.GroupModifyMemberInfoParam{
		GroupID: g.id, Identifier: user, ModifyFlag: tim.ModifyMemberMemberRole, MemberRole: role,
	})
	if c.closed("role", g, by, err) {
		return
	}
	want := tim.CodeOK
	switch {
	case g.typ == tim.GroupPrivate, by != g.owner:
		want = tim.CodeSvrGroupPermissionDeny
	case g.members[user] == 0:
		want = tim.CodeSvrGroupInvalidParameters
	case user == g.owner:
		want = tim.CodeSvrGroupPermissionDeny
	}
	if !c.went("role", err, want) || g.roles[user] == role {
		return
	}
	g.roles[user] = role
	tip, report := tim.GroupTipSetAdmin, tim.GroupReportGrantAdmin
	if role == tim.RoleMember {
		tip, report = tim.GroupTipCancelAdmin, tim.GroupReportCancelAdmin
	}
	c.m.memberTip(g, sayTip(tip, by, []tim.UserID{user}))
	c.m.report(g, report, user)
}

// mute mutes or unmutes a member for ever, or all.
func (c *check) mute(rt *rapid.T) {
	g, by, user := c.group(rt), c.user("by"), c.user("who")
	mute := rapid.Bool().Draw(rt, "mute")
	if rapid.Bool().Draw(rt, "all") {
		err := c.as(by).groups().ModifyGroup(context.Background(), tim.GroupModifyInfoParam{GroupID: g.id, ModifyFlag: tim.ModifyGroupShutupAll, IsShutupAll: mute})
		if c.closed("mute all", g, by, err) {
			return
		}
		want := tim.CodeOK
		if g.typ == tim.GroupPrivate || g.roles[by] < tim.RoleAdmin {
			want = tim.CodeSvrGroupPermissionDeny
		}
		if c.went("mute all", err, want) {
			g.mutedAll = mute
		}
		return
	}
	seconds := map[bool]uint64{true: 1<<32 - 1, false: 0}[mute]
	err := c.as(by).groups().ModifyMember(context.Background(), tim.GroupModifyMemberInfoParam{
		GroupID: g.id, Identifier: user, ModifyFlag: tim.ModifyMemberShutupTime, ShutupTime: seconds,
	})
	if c.closed("mute", g, by, err) {
		return
	}
	want := tim.CodeOK
	switch {
	case g.typ == tim.GroupPrivate, g.roles[by] < tim.RoleAdmin:
		want = tim.CodeSvrGroupPermissionDeny
	case g.members[user] == 0:
		want = tim.CodeSvrGroupInvalidParameters
	case g.roles[user] >= g.roles[by]:
		want = tim.CodeSvrGroupPermissionDeny
	}
	if !c.went("mute", err, want) {
		return
	}
	g.muted[user] = mute
	c.m.memberTip(g, sayTip(tim.GroupTipMemberInfoChange, by, []tim.UserID{user}))
	c.m.report(g, tim.GroupReportShutUpMember, user)
}

// look compares who is in a group, as one of its members is shown it.
func (c *check) look(rt *rapid.T) {
	g, by := c.group(rt), c.user("by")
	page, err := c.as(by).groups().Members(context.Background(), tim.GroupGetMemberInfoListParam{GroupID: g.id})
	if c.closed("members", g, by, err) {
		return
	}
	if err != nil {
		c.Fatalf("members: %v", err)
	}
	got := map[tim.UserID]tim.GroupMemberRole{}
	for _, m := range page.Infos {
		got[m.Identifier] = m.MemberRole
	}
	if !maps.Equal(got, g.roles) {
		c.Fatalf("in %s are %v, want %v", g.id, got, g.roles)
	}
}
