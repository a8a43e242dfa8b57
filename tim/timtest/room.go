package timtest

import (
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// cast are the users of a test about rights: one of each role, somebody who is
// not in the group, and an app administrator where there is one.
type cast struct {
	s                              *scene
	owner, admin, member, outsider *device
	app                            *device // nil: there is none
}

func (s *scene) cast() *cast {
	s.Helper()
	c := &cast{s: s, owner: s.signIn("owner"), admin: s.signIn("admin"), member: s.signIn("member"), outsider: s.signIn("outsider")}
	if s.h.Admin != "" {
		c.app = s.open("app")
		c.app.user = s.h.Admin
		c.app.login()
	}
	c.owner.groups() // or the test is skipped
	return c
}

// groups is what the device can do with groups; where that is nothing the test
// is skipped.
func (d *device) groups() tim.Groups {
	d.s.Helper()
	g, ok := d.client.(tim.Groups)
	if !ok {
		d.s.Skip("this driver does not look at groups or change them (tim.Groups)")
	}
	return g
}

// hasAdmins says of which types the groups have administrators.
func hasAdmins(typ tim.GroupType) bool { return typ != tim.GroupPrivate && typ != tim.GroupBChatRoom }

// room makes a group in which the cast have their roles, and which everybody
// in it sees.
func (c *cast) room(typ tim.GroupType, change ...func(*tim.CreateGroupParam)) tim.GroupID {
	c.s.Helper()
	param := tim.CreateGroupParam{GroupName: "room", GroupType: typ}
	rooms := typ == tim.GroupAVChatRoom || typ == tim.GroupBChatRoom
	if !rooms {
		param.Members = []tim.GroupMemberInfo{{Identifier: c.admin.user}, {Identifier: c.member.user}}
		if hasAdmins(typ) {
			param.Members[0].MemberRole = tim.RoleAdmin
		}
	}
	for _, f := range change {
		f(&param)
	}
	id := c.owner.createWith(param)
	if rooms {
		for _, d := range []*device{c.admin, c.member} {
			if err := d.groups().JoinGroup(c.s.ctx(), id, ""); err != nil {
				c.s.Fatalf("%s joins: %v", d.user, err)
			}
		}
		if hasAdmins(typ) {
			if err := c.owner.setRole(id, c.admin.user, tim.RoleAdmin); err != nil {
				c.s.Fatalf("the owner sets an administrator: %v", err)
			}
		}
	}
	if typ == tim.GroupPrivate {
		c.owner.say(tim.Group(id), "begin")
	}
	return id
}

func (d *device) setRole(group tim.GroupID, user tim.UserID, role tim.GroupMemberRole) error {
	return d.groups().ModifyMember(d.s.ctx(), tim.GroupModifyMemberInfoParam{
		GroupID: group, Identifier: user, ModifyFlag: tim.ModifyMemberMemberRole, MemberRole: role,
	})
}

func (d *device) mute(group tim.GroupID, user tim.UserID, seconds uint64) error {
	return d.groups().ModifyMember(d.s.ctx(), tim.GroupModifyMemberInfoParam{
		GroupID: group, Identifier: user, ModifyFlag: tim.ModifyMemberShutupTime, ShutupTime: seconds,
	})
}

func (d *device) rename(group tim.GroupID, name string) error {
	return d.groups().ModifyGroup(d.s.ctx(), tim.GroupModifyInfoParam{GroupID: group, ModifyFlag: tim.ModifyGroupName, GroupName: name})
}

func (d *device) muteAll(group tim.GroupID, all bool) error {
	return d.groups().ModifyGroup(d.s.ctx(), tim.GroupModifyInfoParam{GroupID: group, ModifyFlag: tim.ModifyGroupShutupAll, IsShutupAll: all})
}

func (d *device) transfer(group tim.GroupID, to tim.UserID) error {
	return d.groups().ModifyGroup(d.s.ctx(), tim.GroupModifyInfoParam{GroupID: group, ModifyFlag: tim.ModifyGroupOwner, Owner: to})
}

// kick removes one user; a result that says no is as good as an error.
func (d *device) kick(group tim.GroupID, user tim.UserID) error {
	results, err := d.remove(group, user)
	if err == nil && results[user] != tim.MemberDone {
		err = tim.NewError("kick", tim.CodeSvrGroupPermissionDeny, "")
	}
	return err
}

// rights are the codes that one type's group answers to each role with; none is
// that there is no such role.
type rights struct {
	typ                                 tim.GroupType
	owner, admin, member, outsider, app tim.Code
}

const (
	may                = tim.CodeOK
	deny               = tim.CodeSvrGroupPermissionDeny // 10007
	bad                = tim.CodeSvrGroupInvalidParameters
	none      tim.Code = -1
	privately          = tim.CodeSDKGroupJoinPrivateGroupDeny
)

// rights tries one thing as every role, in a group of its own each time.
func (c *cast) rights(what string, table []rights, try func(d *device, group tim.GroupID) error, change ...func(*tim.CreateGroupParam)) {
	c.s.Helper()
	for _, row := range table {
		for _, as := range []struct {
			role string
			d    *device
			want tim.Code
		}{{"owner", c.owner, row.owner}, {"admin", c.admin, row.admin}, {"member", c.member, row.member}, {"outsider", c.outsider, row.outsider}, {"app administrator", c.app, row.app}} {
			if as.want == none || as.d == nil {
				continue
			}
			err := try(as.d, c.room(row.typ, change...))
			switch label := what + " as " + as.role + " of " + row.typ.String(); {
			case as.want != may:
				c.s.refused(label, err, as.want)
			case err != nil:
				c.s.Errorf("%s: %v", label, err)
			}
		}
	}
}

// info looks at one group.
func (d *device) info(group tim.GroupID) tim.GroupDetailInfo {
	d.s.Helper()
	list, err := d.groups().GroupsInfo(d.s.ctx(), []tim.GroupID{group})
	if err != nil || len(list) != 1 || list[0].Code != tim.CodeOK || list[0].Info == nil {
		d.s.Fatalf("%s looks at %s: %+v, %v", d.user, group, list, err)
	}
	return *list[0].Info
}

// members lists everybody in a group.
func (d *device) members(group tim.GroupID) (list []tim.GroupMemberInfo) {
	d.s.Helper()
	param := tim.GroupGetMemberInfoListParam{GroupID: group}
	for {
		page, err := d.groups().Members(d.s.ctx(), param)
		if err != nil {
			d.s.Fatalf("%s lists the members of %s: %v", d.user, group, err)
		}
		list = append(list, page.Infos...)
		if param.NextSeq = page.NextSeq; param.NextSeq == 0 {
			return list
		}
	}
}

// roleOf is a user's role; RoleNone of who is not in the group.
func (d *device) roleOf(group tim.GroupID, user tim.UserID) tim.GroupMemberRole {
	d.s.Helper()
	list := d.members(group)
	if i := slices.IndexFunc(list, func(m tim.GroupMemberInfo) bool { return m.Identifier == user }); i >= 0 {
		return list[i].MemberRole
	}
	return tim.RoleNone
}
