package timtest

import (
	"encoding/json"
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// One test for each rule of the service's table of group types.
var ruleCases = []testCase{
	{"roles", 0, ruleRoles},
	{"who edits name, introduction, notification and face", 0, ruleEdit},
	{"who changes the settings", 0, ruleSettings},
	{"who dismisses", 0, ruleDismiss},
	{"who joins by own request", 0, ruleJoin},
	{"whether the join option can be set", 0, ruleJoinOption},
	{"who invites", 0, ruleInvite},
	{"whether the approve option can be set", 0, ruleApproveOption},
	{"whether the owner may quit", 0, ruleQuit},
	{"who removes members", 0, ruleKick},
	{"who mutes members", 0, ruleMute},
	{"who mutes all", 0, ruleMuteAll},
	{"who sets administrators", 0, ruleSetAdmin},
	{"who transfers the group", 0, ruleTransfer},
	{"who lists the members", 0, ruleList},
	{"offline push by default", 0, rulePush},
	{"created with members", 0, ruleCreatedWith},
	{"history and roaming", 0, ruleHistory},
	{"history before joining", 0, ruleBefore},
	{"unread counts", 0, ruleUnread},
	{"recall", 0, ruleRecall},
	{"a private group begins with its owner's first message", 0, ruleSleeps},
	{"rooms reach those online alone", 0, ruleOnline},
	{"only stored messages advance the sequence", 0, ruleSequence},
}

func ruleRoles(s *scene) {
	c := s.cast()
	for _, tt := range []struct {
		typ  tim.GroupType
		code tim.Code
	}{
		{tim.GroupPrivate, bad}, {tim.GroupPublic, may}, {tim.GroupChatRoom, may}, {tim.GroupCommunity, may},
	} {
		// The quick start gives a member's role as 4, the flag of the same name.
		var param tim.CreateGroupParam
		if err := json.Unmarshal(fmt.Appendf(nil, `{
			"create_group_param_group_name": "team", "create_group_param_group_type": %d, "create_group_param_group_member_array": [
				{"group_member_info_identifier": %q, "group_member_info_member_role": 300},
				{"group_member_info_identifier": %q, "group_member_info_member_role": 4}
			]}`, tt.typ, c.admin.user, c.member.user), &param); err != nil {
			s.Fatal(err)
		}
		id, err := c.owner.client.CreateGroup(s.ctx(), param)
		if tt.code != may {
			s.refused("an administrator of "+tt.typ.String(), err, tt.code)
			continue
		}
		if err != nil {
			s.Errorf("an administrator of %v: %v", tt.typ, err)
			continue
		}
		for user, want := range map[tim.UserID]tim.GroupMemberRole{c.owner.user: tim.RoleOwner, c.admin.user: tim.RoleAdmin, c.member.user: tim.RoleMember} {
			if got := c.owner.roleOf(id.GroupID, user); got != want {
				s.Errorf("%s is %v of %v, want %v", user, got, tt.typ, want)
			}
		}
	}
}

func ruleEdit(s *scene) {
	c := s.cast()
	for _, edit := range []struct {
		what string
		flag tim.GroupModifyInfoFlag
	}{
		{"name", tim.ModifyGroupName}, {"introduction", tim.ModifyGroupIntroduction},
		{"notification", tim.ModifyGroupNotification}, {"face", tim.ModifyGroupFaceURL},
	} {
		c.rights("edit the "+edit.what, []rights{
			{tim.GroupPrivate, may, none, may, deny, may},
			{tim.GroupPublic, may, may, deny, deny, may},
			{tim.GroupChatRoom, may, deny, deny, deny, may},
			{tim.GroupAVChatRoom, may, deny, deny, deny, may},
			{tim.GroupBChatRoom, may, none, deny, deny, may},
			{tim.GroupCommunity, may, may, deny, deny, may},
		}, func(d *device, group tim.GroupID) error {
			return d.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{
				GroupID: group, ModifyFlag: edit.flag, GroupName: "new", Introduction: "new", Notification: "new", FaceURL: "new",
			})
		})
	}
}

func ruleSettings(s *scene) {
	s.cast().rights("change custom fields", []rights{
		{tim.GroupPrivate, may, none, deny, deny, may},
		{tim.GroupPublic, may, may, deny, deny, may},
		{tim.GroupChatRoom, may, deny, deny, deny, may},
		{tim.GroupAVChatRoom, may, deny, deny, deny, may},
		{tim.GroupBChatRoom, may, none, deny, deny, may},
		{tim.GroupCommunity, may, may, deny, deny, may},
	}, func(d *device, group tim.GroupID) error {
		return d.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{
			GroupID: group, ModifyFlag: tim.ModifyGroupCustom, CustomInfo: []tim.GroupInfoCustomString{{Key: "depot", Value: "north"}},
		})
	})
}

func ruleDismiss(s *scene) {
	s.cast().rights("dismiss", []rights{
		{tim.GroupPrivate, deny, none, deny, deny, may},
		{tim.GroupPublic, may, deny, deny, deny, may},
		{tim.GroupChatRoom, may, deny, deny, deny, may},
		{tim.GroupAVChatRoom, may, deny, deny, deny, may},
		{tim.GroupBChatRoom, may, none, deny, deny, may},
		{tim.GroupCommunity, may, deny, deny, deny, may},
	}, (*device).dismiss)
}

func ruleJoin(s *scene) {
	c := s.cast()
	already := tim.CodeSvrGroupAlreadyMember
	c.rights("join", []rights{
		{tim.GroupPrivate, privately, none, privately, privately, privately},
		{tim.GroupPublic, already, already, already, may, may},
		{tim.GroupChatRoom, already, already, already, may, may},
		{tim.GroupAVChatRoom, already, already, already, may, may},
		{tim.GroupBChatRoom, already, none, already, may, may},
		{tim.GroupCommunity, already, already, already, may, may},
	}, func(d *device, group tim.GroupID) error { return d.groups().JoinGroup(s.ctx(), group, "let me in") })

	// By default a Public group's owner is asked, and the others take everybody in.
	for typ, in := range map[tim.GroupType]bool{
		tim.GroupPublic: false, tim.GroupChatRoom: true, tim.GroupAVChatRoom: true, tim.GroupBChatRoom: true, tim.GroupCommunity: true,
	} {
		id := c.room(typ)
		if err := c.outsider.groups().JoinGroup(s.ctx(), id, ""); err != nil {
			s.Errorf("join %v: %v", typ, err)
		} else if _, err := c.outsider.client.Send(s.ctx(), tim.Group(id), textMessage("I am in")); (err == nil) != in {
			s.Errorf("who joined %v writes: %v", typ, err)
		}
	}
}

func ruleJoinOption(s *scene) {
	c := s.cast()
	for _, tt := range []struct {
		typ    tim.GroupType
		option tim.GroupAddOption
		join   tim.Code
		in     bool // at once
		set    tim.Code
	}{
		{tim.GroupPrivate, tim.GroupAddAny, privately, false, deny}, // has no effect
		{tim.GroupPublic, tim.GroupAddAny, may, true, may},
		{tim.GroupPublic, tim.GroupAddAuth, may, false, may},
		{tim.GroupPublic, tim.GroupAddForbid, deny, false, may},
		{tim.GroupChatRoom, tim.GroupAddAuth, may, false, may},
		{tim.GroupChatRoom, tim.GroupAddForbid, deny, false, may},
		{tim.GroupCommunity, tim.GroupAddForbid, may, true, deny}, // cannot be changed
	} {
		label := fmt.Sprintf("join %v with the option %v", tt.typ, tt.option)
		id := c.room(tt.typ, func(p *tim.CreateGroupParam) { p.AddOption = &tt.option })
		err := c.outsider.groups().JoinGroup(s.ctx(), id, "")
		if tt.join != may {
			s.refused(label, err, tt.join)
		} else if err != nil {
			s.Errorf("%s: %v", label, err)
		}
		if in := c.owner.roleOf(id, c.outsider.user) != tim.RoleNone; in != tt.in {
			s.Errorf("%s: is in: %v", label, in)
		}
		err = c.owner.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{GroupID: id, ModifyFlag: tim.ModifyGroupAddOption, AddOption: tt.option})
		if tt.set != may {
			s.refused("set the option of "+tt.typ.String(), err, tt.set)
		} else if got := c.owner.info(id).AddOption; err != nil || got != tt.option {
			s.Errorf("set the option of %v: it is %v, %v", tt.typ, got, err)
		}
	}
}

func ruleInvite(s *scene) {
	c := s.cast()
	guest := s.user("guest")
	c.rights("invite", []rights{
		{tim.GroupPrivate, may, none, may, deny, may},
		{tim.GroupPublic, deny, deny, deny, deny, may},
		{tim.GroupChatRoom, deny, deny, deny, deny, may},
		{tim.GroupAVChatRoom, deny, deny, deny, deny, deny},
		{tim.GroupBChatRoom, deny, none, deny, deny, deny},
		{tim.GroupCommunity, may, may, may, deny, may},
	}, func(d *device, group tim.GroupID) error {
		results, err := d.invite(group, guest)
		if err == nil && results[guest] != tim.MemberDone {
			s.Errorf("%s invites: %v", d.user, results)
		}
		return err
	})
}

func ruleApproveOption(s *scene) {
	c := s.cast()
	guest := s.user("guest")
	for _, tt := range []struct {
		typ                  tim.GroupType
		option               tim.GroupAddOption
		owner, admin, member tim.HandleGroupMemberResult // MemberFailed: is refused
		set                  tim.Code
	}{
		{tim.GroupPrivate, tim.GroupAddForbid, tim.MemberDone, tim.MemberDone, tim.MemberDone, deny}, // has no effect
		{tim.GroupPublic, tim.GroupAddAny, tim.MemberDone, tim.MemberDone, tim.MemberDone, may},
		{tim.GroupPublic, tim.GroupAddAuth, tim.MemberDone, tim.MemberDone, tim.MemberInvited, may},
		{tim.GroupPublic, tim.GroupAddForbid, tim.MemberFailed, tim.MemberFailed, tim.MemberFailed, may},
		{tim.GroupChatRoom, tim.GroupAddAuth, tim.MemberDone, tim.MemberDone, tim.MemberInvited, may},
		{tim.GroupAVChatRoom, tim.GroupAddAny, tim.MemberFailed, tim.MemberFailed, tim.MemberFailed, deny},
		{tim.GroupCommunity, tim.GroupAddAuth, tim.MemberDone, tim.MemberDone, tim.MemberInvited, may},
		{tim.GroupCommunity, tim.GroupAddForbid, tim.MemberFailed, tim.MemberFailed, tim.MemberFailed, may},
	} {
		for _, as := range []struct {
			d    *device
			want tim.HandleGroupMemberResult
		}{{c.owner, tt.owner}, {c.admin, tt.admin}, {c.member, tt.member}} {
			id := c.room(tt.typ, func(p *tim.CreateGroupParam) { p.ApproveOption = &tt.option })
			results, err := as.d.invite(id, guest)
			label := fmt.Sprintf("%s invites into %v with the option %v", as.d.user, tt.typ, tt.option)
			if as.want == tim.MemberFailed {
				s.refused(label, err, deny)
			} else if err != nil || results[guest] != as.want {
				s.Errorf("%s: %v, %v", label, results, err)
			}
		}
		id := c.room(tt.typ)
		err := c.owner.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{GroupID: id, ModifyFlag: tim.ModifyGroupApproveOption, ApproveOption: tt.option})
		if tt.set != may {
			s.refused("set the option of "+tt.typ.String(), err, tt.set)
		} else if got := c.owner.info(id).ApproveOption; err != nil || got != tt.option {
			s.Errorf("set the option of %v: it is %v, %v", tt.typ, got, err)
		}
	}
}

func ruleQuit(s *scene) {
	stays := tim.CodeSvrGroupSuperNotAllowQuit
	s.cast().rights("quit", []rights{
		{tim.GroupPrivate, may, none, may, deny, deny},
		{tim.GroupPublic, stays, may, may, deny, deny},
		{tim.GroupChatRoom, stays, may, may, deny, deny},
		{tim.GroupAVChatRoom, stays, may, may, deny, deny},
		{tim.GroupBChatRoom, stays, none, may, deny, deny},
		{tim.GroupCommunity, stays, may, may, deny, deny},
	}, func(d *device, group tim.GroupID) error { return d.groups().QuitGroup(s.ctx(), group) })
}

func ruleKick(s *scene) {
	c := s.cast()
	c.rights("remove a member", []rights{
		{tim.GroupPrivate, may, none, deny, deny, may},
		{tim.GroupPublic, may, may, deny, deny, may},
		{tim.GroupChatRoom, may, may, deny, deny, may},
		{tim.GroupAVChatRoom, bad, bad, bad, bad, bad},
		{tim.GroupBChatRoom, bad, none, bad, bad, bad},
		{tim.GroupCommunity, may, may, deny, deny, may},
	}, func(d *device, group tim.GroupID) error { return d.kick(group, c.member.user) })
	c.rights("remove an administrator", []rights{
		{tim.GroupPublic, may, deny, deny, deny, may},
		{tim.GroupChatRoom, may, deny, deny, deny, may},
		{tim.GroupCommunity, may, deny, deny, deny, may},
	}, func(d *device, group tim.GroupID) error { return d.kick(group, c.admin.user) })
}

func ruleMute(s *scene) {
	c := s.cast()
	c.rights("mute a member", []rights{
		{tim.GroupPrivate, deny, none, deny, deny, deny},
		{tim.GroupPublic, may, may, deny, deny, may},
		{tim.GroupChatRoom, may, may, deny, deny, may},
		{tim.GroupAVChatRoom, may, deny, deny, deny, may},
		{tim.GroupBChatRoom, may, none, deny, deny, may},
		{tim.GroupCommunity, may, may, deny, deny, may},
	}, func(d *device, group tim.GroupID) error {
		err := d.mute(group, c.member.user, 60)
		if err == nil {
			_, said := c.member.client.Send(s.ctx(), tim.Group(group), textMessage("muted"))
			s.refused("a muted member writes", said, tim.CodeSvrGroupShutupDeny)
			if err := d.mute(group, c.member.user, 0); err != nil {
				return err
			}
			c.member.say(tim.Group(group), "no more")
		}
		return err
	})
	c.rights("mute the owner", []rights{
		{tim.GroupPublic, deny, deny, deny, deny, deny},
	}, func(d *device, group tim.GroupID) error { return d.mute(group, c.owner.user, 60) })
}

func ruleMuteAll(s *scene) {
	c := s.cast()
	c.rights("mute all", []rights{
		{tim.GroupPrivate, deny, none, deny, deny, deny},
		{tim.GroupPublic, may, may, deny, deny, may},
		{tim.GroupChatRoom, may, may, deny, deny, may},
		{tim.GroupAVChatRoom, may, deny, deny, deny, may},
		{tim.GroupBChatRoom, may, none, deny, deny, may},
		{tim.GroupCommunity, may, may, deny, deny, may},
	}, func(d *device, group tim.GroupID) error {
		err := d.muteAll(group, true)
		if err == nil {
			_, said := c.member.client.Send(s.ctx(), tim.Group(group), textMessage("muted"))
			s.refused("a member of a muted group writes", said, tim.CodeSvrGroupShutupDeny)
			c.owner.say(tim.Group(group), "the owner may")
			if hasAdmins(c.owner.info(group).GroupType) {
				c.admin.say(tim.Group(group), "and administrators")
			}
			if !c.owner.info(group).IsShutupAll {
				s.Error("the group does not say that all are muted")
			}
		}
		return err
	})
}

func ruleSetAdmin(s *scene) {
	c := s.cast()
	c.rights("set an administrator", []rights{
		{tim.GroupPrivate, deny, none, deny, deny, deny},
		{tim.GroupPublic, may, deny, deny, deny, may},
		{tim.GroupChatRoom, may, deny, deny, deny, may},
		{tim.GroupAVChatRoom, may, deny, deny, deny, may},
		{tim.GroupBChatRoom, deny, none, deny, deny, deny},
		{tim.GroupCommunity, may, deny, deny, deny, may},
	}, func(d *device, group tim.GroupID) error { return d.setRole(group, c.member.user, tim.RoleAdmin) })
	id := c.room(tim.GroupPublic)
	if err := c.owner.setRole(id, c.admin.user, tim.RoleMember); err != nil {
		s.Errorf("take the role back: %v", err)
	}
	s.refused("who is no administrator any more removes", c.admin.kick(id, c.member.user), deny)
	s.refused("make an owner this way", c.owner.setRole(id, c.member.user, tim.RoleOwner), bad)
	s.refused("change the owner's role", c.owner.setRole(id, c.owner.user, tim.RoleMember), deny)
	s.refused("the role of somebody else", c.owner.setRole(id, c.outsider.user, tim.RoleAdmin), bad)
}

func ruleTransfer(s *scene) {
	c := s.cast()
	c.rights("transfer", []rights{
		{tim.GroupPrivate, may, none, deny, deny, may},
		{tim.GroupPublic, may, deny, deny, deny, may},
		{tim.GroupChatRoom, may, deny, deny, deny, may},
		{tim.GroupAVChatRoom, deny, deny, deny, deny, deny},
		{tim.GroupBChatRoom, deny, none, deny, deny, deny},
		{tim.GroupCommunity, may, deny, deny, deny, may},
	}, func(d *device, group tim.GroupID) error {
		err := d.transfer(group, c.member.user)
		if err == nil {
			if now := c.member.info(group).OwnerIdentifier; now != c.member.user {
				s.Errorf("the owner is %s", now)
			}
			if was, is := c.member.roleOf(group, c.owner.user), c.member.roleOf(group, c.member.user); was != tim.RoleMember || is != tim.RoleOwner {
				s.Errorf("the former owner is %v, the new one %v", was, is)
			}
		}
		return err
	})
	id := c.room(tim.GroupPublic)
	s.refused("transfer to an outsider", c.owner.transfer(id, c.outsider.user), bad)
	err := c.owner.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{
		GroupID: id, ModifyFlag: tim.ModifyGroupOwner | tim.ModifyGroupName, Owner: c.member.user, GroupName: "new",
	})
	s.refused("transfer and rename at once", err, bad)
}

func ruleList(s *scene) {
	s.cast().rights("list the members", []rights{
		{tim.GroupPrivate, may, none, may, deny, may},
		{tim.GroupPublic, may, may, may, deny, may},
		{tim.GroupChatRoom, may, may, may, deny, may},
		{tim.GroupAVChatRoom, deny, deny, deny, deny, deny},
		{tim.GroupBChatRoom, deny, none, deny, deny, deny},
		{tim.GroupCommunity, may, may, may, deny, may},
	}, func(d *device, group tim.GroupID) error {
		_, err := d.groups().Members(s.ctx(), tim.GroupGetMemberInfoListParam{GroupID: group})
		return err
	})
}

// rulePush: where a type pushes nothing to those offline, a member is told of
// its messages while online alone, unless it asks for more.
func rulePush(s *scene) {
	c := s.cast()
	for typ, want := range map[tim.GroupType]tim.ReceiveMessageOpt{
		tim.GroupPrivate: tim.RecvAll, tim.GroupPublic: tim.RecvAll, tim.GroupChatRoom: tim.RecvNoNotify, tim.GroupCommunity: tim.RecvAll,
	} {
		for _, m := range c.owner.members(c.room(typ)) {
			if m.MsgFlag != want {
				s.Errorf("%s of a %v group is told %v, want %v", m.Identifier, typ, m.MsgFlag, want)
			}
		}
	}
}

func ruleCreatedWith(s *scene) {
	alice := s.signIn("alice")
	for typ, want := range map[tim.GroupType]tim.Code{
		tim.GroupPrivate: may, tim.GroupPublic: may, tim.GroupChatRoom: may, tim.GroupCommunity: may,
		tim.GroupAVChatRoom: deny, tim.GroupBChatRoom: deny,
	} {
		_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{
			GroupName: "team", GroupType: typ, Members: []tim.GroupMemberInfo{{Identifier: s.user("bob")}},
		})
		if want != may {
			s.refused(typ.String()+" with a member", err, want)
		} else if err != nil {
			s.Errorf("%v with a member: %v", typ, err)
		}
	}
}
