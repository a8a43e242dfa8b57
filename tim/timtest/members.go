package timtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

var memberCases = []testCase{
	{"a group as it was created", 0, memberCreated},
	{"are listed in pages", 0, memberPages},
	{"are listed by role, name and property", 0, memberOptions},
	{"joined groups", 0, memberJoined},
	{"groups that are looked at each have a result", 0, memberInfos},
	{"the name card", 0, memberNameCard},
	{"custom fields", 0, memberCustom},
	{"a mute ends by itself", needAdvance, memberMuteEnds},
	{"a mute outlasts leaving", 0, memberMuteStays},
	{"who wants no messages is told none", 0, memberFlag},
	{"the owner leaves a private group", 0, memberOwnerless},
	{"an account's own dealings with a group that is not there", 0, memberNoGroup},
}

func memberCreated(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.user("bob"), s.user("carol")
	asks, forbid := tim.GroupAddAuth, tim.GroupAddForbid
	for typ, id := range map[tim.GroupType]tim.GroupID{tim.GroupPublic: "own", tim.GroupCommunity: "@TGS#_own"} {
		id += tim.GroupID(s.prefix)
		param := tim.CreateGroupParam{
			GroupName: "name", GroupID: id, GroupType: typ, Introduction: "introduction", Notification: "notification", FaceURL: "face",
			MaxMemberCount: 7, ApproveOption: &asks, CustomInfo: []tim.GroupInfoCustomString{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
			Members: []tim.GroupMemberInfo{{Identifier: bob, MemberRole: tim.RoleAdmin}, {Identifier: carol}},
		}
		want := tim.GroupDetailInfo{
			GroupID: id, GroupType: typ, GroupName: "name", Introduction: "introduction", Notification: "notification", FaceURL: "face",
			MemberNum: 3, MaxMemberNum: 7, AddOption: tim.GroupAddAny, ApproveOption: asks, OwnerIdentifier: alice.user,
		}
		if typ == tim.GroupPublic {
			param.AddOption, want.AddOption = &forbid, forbid
		}
		if got := alice.createWith(param); got != id {
			s.Errorf("asked for %q, got %q", id, got)
		}
		alice.groups()
		got := alice.info(id)
		var custom []string
		for _, f := range got.CustomInfo {
			custom = append(custom, f.Key+f.Value)
		}
		if slices.Sort(custom); got.GroupID != want.GroupID || got.GroupType != want.GroupType || got.GroupName != want.GroupName ||
			got.Introduction != want.Introduction || got.Notification != want.Notification || got.FaceURL != want.FaceURL ||
			got.MemberNum != want.MemberNum || got.MaxMemberNum != want.MaxMemberNum || got.AddOption != want.AddOption ||
			got.ApproveOption != want.ApproveOption || got.OwnerIdentifier != want.OwnerIdentifier || got.CreateTime == 0 ||
			!slices.Equal(custom, []string{"a1", "b2"}) {
			s.Errorf("the group is %+v, want %+v", got, want)
		}
		var roles []string
		for _, m := range alice.members(id) {
			roles = append(roles, fmt.Sprint(strings.TrimPrefix(string(m.Identifier), s.prefix), " ", m.MemberRole))
		}
		if !slices.Equal(roles, []string{"alice owner", "bob admin", "carol member"}) {
			s.Errorf("the members are %q", roles)
		}
	}
}

func memberPages(s *scene) {
	alice := s.signIn("alice")
	alice.groups()
	id := alice.create(tim.GroupPrivate)
	alice.say(tim.Group(id), "begin")
	want := []tim.UserID{alice.user}
	for len(want) < 250 {
		var users []tim.UserID
		for range 50 {
			users = append(users, s.user(fmt.Sprint("m", len(want)+len(users))))
		}
		if _, err := alice.invite(id, users...); err != nil {
			s.Fatalf("invite: %v", err)
		}
		want = append(want, users...)
	}
	var got []tim.UserID
	for _, m := range alice.members(id) {
		got = append(got, m.Identifier)
	}
	if !slices.Equal(got, want) {
		s.Errorf("%d members are listed, want %d", len(got), len(want))
	}
	page, err := alice.groups().Members(s.ctx(), tim.GroupGetMemberInfoListParam{GroupID: id})
	if err != nil || len(page.Infos) == 0 || len(page.Infos) == len(want) || page.NextSeq == 0 {
		s.Fatalf("the first page has %d members, goes on at %d, %v", len(page.Infos), page.NextSeq, err)
	}
	// Who goes between two pages makes nobody else be left out or come twice.
	if err := alice.kick(id, want[3]); err != nil {
		s.Fatal(err)
	}
	next, err := alice.groups().Members(s.ctx(), tim.GroupGetMemberInfoListParam{GroupID: id, NextSeq: page.NextSeq})
	if err != nil || len(next.Infos) == 0 || next.Infos[0].Identifier != want[len(page.Infos)] {
		s.Errorf("the second page begins with %+v, %v", next.Infos[:min(1, len(next.Infos))], err)
	}
}

func memberOptions(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	list := func(p tim.GroupGetMemberInfoListParam) (users []tim.UserID, first tim.GroupMemberInfo) {
		p.GroupID = id
		page, err := c.owner.groups().Members(s.ctx(), p)
		if err != nil {
			s.Fatalf("list: %v", err)
		}
		for _, m := range page.Infos {
			users = append(users, m.Identifier)
		}
		if len(page.Infos) > 0 {
			first = page.Infos[0]
		}
		return users, first
	}
	for flag, want := range map[tim.GroupMemberRoleFlag][]tim.UserID{
		tim.RoleFlagAll:                        {c.owner.user, c.admin.user, c.member.user},
		tim.RoleFlagOwner:                      {c.owner.user},
		tim.RoleFlagAdmin:                      {c.admin.user},
		tim.RoleFlagMember:                     {c.member.user},
		tim.RoleFlagOwner | tim.RoleFlagMember: {c.owner.user, c.member.user},
	} {
		if got, _ := list(tim.GroupGetMemberInfoListParam{Option: &tim.GroupMemberGetInfoOption{RoleFlag: flag}}); !slices.Equal(got, want) {
			s.Errorf("with the role flag %d: %q, want %q", flag, got, want)
		}
	}
	got, _ := list(tim.GroupGetMemberInfoListParam{Identifiers: []tim.UserID{c.member.user, c.outsider.user}})
	if !slices.Equal(got, []tim.UserID{c.member.user}) {
		s.Errorf("by name: %q", got)
	}
	_, m := list(tim.GroupGetMemberInfoListParam{Option: &tim.GroupMemberGetInfoOption{InfoFlag: tim.MemberInfoMemberRole}})
	if m.MemberRole != tim.RoleOwner || m.JoinTime != 0 {
		s.Errorf("with the role alone: %+v", m)
	}
	if _, m = list(tim.GroupGetMemberInfoListParam{}); m.MemberRole != tim.RoleOwner || m.JoinTime == 0 {
		s.Errorf("with everything: %+v", m)
	}
}

func memberJoined(s *scene) {
	c := s.cast()
	want := map[tim.GroupID]tim.GroupType{}
	for _, typ := range []tim.GroupType{tim.GroupPrivate, tim.GroupPublic, tim.GroupChatRoom, tim.GroupCommunity} {
		want[c.room(typ)] = typ
	}
	left := c.room(tim.GroupPublic)
	if err := c.admin.groups().QuitGroup(s.ctx(), left); err != nil {
		s.Fatal(err)
	}
	list, err := c.admin.groups().JoinedGroups(s.ctx())
	if err != nil || len(list) != len(want) {
		s.Fatalf("the groups are %+v, %v", list, err)
	}
	for _, g := range list {
		role := tim.RoleMember
		if hasAdmins(g.GroupType) {
			role = tim.RoleAdmin
		}
		if typ, ok := want[g.GroupID]; !ok || g.GroupType != typ || g.GroupName != "room" || g.SelfInfo == nil || g.SelfInfo.Role != role || g.SelfInfo.JoinTime == 0 {
			s.Errorf("a group is %+v", g)
		}
	}
}

func memberInfos(s *scene) {
	c := s.cast()
	public, private, gone := c.room(tim.GroupPublic), c.room(tim.GroupPrivate), tim.GroupID(s.prefix+"gone")
	list, err := c.outsider.groups().GroupsInfo(s.ctx(), []tim.GroupID{public, private, gone})
	if err != nil || len(list) != 3 {
		s.Fatalf("the groups are %+v, %v", list, err)
	}
	if list[0].Code != may || list[0].Info.GroupID != public {
		s.Errorf("a public group is %+v", list[0])
	}
	if list[1].Code != deny {
		s.Errorf("a private group is %+v", list[1])
	}
	if list[2].Code != tim.CodeSvrGroupNotFound {
		s.Errorf("no group is %+v", list[2])
	}
	_, err = c.outsider.groups().GroupsInfo(s.ctx(), make([]tim.GroupID, 51))
	s.refused("51 groups", err, bad)
	_, err = c.outsider.groups().GroupsInfo(s.ctx(), nil)
	s.refused("no group", err, bad)
}

func (d *device) card(group tim.GroupID, user tim.UserID, card string) error {
	return d.groups().ModifyMember(d.s.ctx(), tim.GroupModifyMemberInfoParam{
		GroupID: group, Identifier: user, ModifyFlag: tim.ModifyMemberNameCard, NameCard: card,
	})
}

func memberNameCard(s *scene) {
	c := s.cast()
	c.rights("set one's own name card", []rights{
		{tim.GroupPrivate, may, none, may, deny, none},
		{tim.GroupPublic, may, may, may, deny, none},
		{tim.GroupAVChatRoom, may, may, may, deny, none},
	}, func(d *device, group tim.GroupID) error { return d.card(group, d.user, "me") })
	c.rights("set another's name card", []rights{
		{tim.GroupPublic, may, may, deny, deny, may},
	}, func(d *device, group tim.GroupID) error {
		if d == c.member {
			return d.card(group, c.admin.user, "you")
		}
		return d.card(group, c.member.user, "you")
	})
	id := c.room(tim.GroupPublic)
	if err := c.member.card(id, c.member.user, strings.Repeat("x", 50)); err != nil {
		s.Errorf("50 bytes: %v", err)
	}
	s.refused("51 bytes", c.member.card(id, c.member.user, strings.Repeat("组", 17)), tim.CodeSDKGroupInvalidNameCard)
	for _, m := range c.owner.members(id) {
		if m.Identifier == c.member.user && m.NameCard != strings.Repeat("x", 50) {
			s.Errorf("the name card is %q", m.NameCard)
		}
	}
}

func memberCustom(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	set := func(fields ...string) error {
		var list []tim.GroupMemberInfoCustomString
		for i := 0; i < len(fields); i += 2 {
			list = append(list, tim.GroupMemberInfoCustomString{Key: fields[i], Value: fields[i+1]})
		}
		return c.member.groups().ModifyMember(s.ctx(), tim.GroupModifyMemberInfoParam{
			GroupID: id, Identifier: c.member.user, ModifyFlag: tim.ModifyMemberCustom, CustomInfo: list,
		})
	}
	if err := set("a", strings.Repeat("x", 64), "b", "2", "c", "3", "d", "4", "e", "5"); err != nil {
		s.Fatalf("five fields: %v", err)
	}
	s.refused("a sixth", set("f", "6"), bad)
	s.refused("65 bytes", set("a", strings.Repeat("x", 65)), bad)
	s.refused("a key of 17 bytes", set(strings.Repeat("k", 17), "x"), bad)
	s.refused("a key with a dash", set("k-k", "x"), bad)
	if err := set("a", "", "f", "6"); err != nil {
		s.Errorf("one goes, one comes: %v", err)
	}
	for _, m := range c.owner.members(id) {
		var got []string
		for _, f := range m.CustomInfo {
			got = append(got, f.Key+f.Value)
		}
		if slices.Sort(got); m.Identifier == c.member.user && !slices.Equal(got, []string{"b2", "c3", "d4", "e5", "f6"}) {
			s.Errorf("the fields are %q", got)
		}
	}
}

func memberMuteEnds(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	if err := c.owner.mute(id, c.member.user, 30); err != nil {
		s.Fatal(err)
	}
	_, err := c.member.client.Send(s.ctx(), tim.Group(id), textMessage("x"))
	s.refused("muted", err, tim.CodeSvrGroupShutupDeny)
	until := uint64(0)
	for _, m := range c.owner.members(id) {
		until = max(until, m.ShutupTime)
	}
	if until == 0 {
		s.Error("the member is not shown as muted")
	}
	s.h.Advance(31 * time.Second)
	c.member.say(tim.Group(id), "again")
}

func memberMuteStays(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupChatRoom)
	if err := c.owner.mute(id, c.member.user, 1<<32-1); err != nil { // for ever
		s.Fatal(err)
	}
	if err := c.member.groups().QuitGroup(s.ctx(), id); err != nil {
		s.Fatal(err)
	}
	c.member.join(id, "")
	_, err := c.member.client.Send(s.ctx(), tim.Group(id), textMessage("x"))
	s.refused("muted before leaving", err, tim.CodeSvrGroupShutupDeny)
}

func memberFlag(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPublic)
	set := func(d *device, user tim.UserID, opt tim.ReceiveMessageOpt) error {
		return d.groups().ModifyMember(s.ctx(), tim.GroupModifyMemberInfoParam{
			GroupID: id, Identifier: user, ModifyFlag: tim.ModifyMemberMsgFlag, MsgFlag: opt,
		})
	}
	s.refused("somebody else's", set(c.owner, c.member.user, tim.RecvNone), deny)
	if err := set(c.member, c.member.user, tim.RecvNone); err != nil {
		s.Fatal(err)
	}
	c.owner.say(tim.Group(id), "unheard")
	c.admin.text(tim.Group(id), "unheard")
	c.member.fence()
	if got := c.member.texts(tim.Group(id)); len(got) != 0 {
		s.Errorf("told %q", got)
	}
	list, err := c.member.history().Messages(s.ctx(), tim.Group(id), tim.HistoryQuery{})
	if err != nil || len(list) == 0 || textOf(list[0]) != "unheard" {
		s.Errorf("history has %+v, %v", list, err)
	}
	if err := set(c.member, c.member.user, tim.RecvNoNotify); err != nil {
		s.Fatal(err)
	}
	c.owner.say(tim.Group(id), "heard")
	c.member.text(tim.Group(id), "heard")
}

func memberOwnerless(s *scene) {
	c := s.cast()
	id := c.room(tim.GroupPrivate)
	if err := c.owner.groups().QuitGroup(s.ctx(), id); err != nil {
		s.Fatal(err)
	}
	if owner := c.member.info(id).OwnerIdentifier; owner != "" {
		s.Errorf("the owner is %q", owner)
	}
	c.member.say(tim.Group(id), "on our own")
	c.admin.text(tim.Group(id), "on our own")
	s.refused("a member removes", c.member.kick(id, c.admin.user), deny)
	c.owner.notIn(id)
}

func memberNoGroup(s *scene) {
	alice := s.signIn("alice")
	g := alice.groups()
	id := tim.GroupID(s.prefix + "never was")
	_, err := g.Members(s.ctx(), tim.GroupGetMemberInfoListParam{GroupID: id})
	for what, err := range map[string]error{
		"join": g.JoinGroup(s.ctx(), id, ""), "quit": g.QuitGroup(s.ctx(), id), "rename": alice.rename(id, "x"),
		"members": err, "modify a member": alice.card(id, alice.user, "x"),
		"decide": alice.handle(tim.GroupPendency{GroupID: id}, true, ""),
	} {
		s.refused(what, err, tim.CodeSvrGroupNotFound)
	}
}
