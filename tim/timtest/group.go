package timtest

import (
	"fmt"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

var groupCases = []testCase{
	{"a public group with everything", 0, createPublic},
	{"a private group with everything", 0, createPrivate},
	{"the service names a group that has no id", 0, namedByService},
	{"a group id is taken once", 0, idTaken},
	{"a private group has no administrators", 0, privateAdmin},
	{"members of a private group invite", 0, privateInvite},
	{"only the owner removes from a private group", 0, privateRemove},
	{"nobody dismisses a private group", 0, privateDismiss},
	{"nobody invites into a public group", 0, publicInvite},
	{"owner and administrators remove from a public group", 0, publicRemove},
	{"only the owner dismisses a public group", 0, publicDismiss},
	{"a group that does not exist", 0, unknownGroup},
	{"who is not a member can do nothing", 0, outsider},
	{"who was removed hears nothing more", 0, removedHearsNothing},
}

// invite and remove give the result of each user.
func (d *device) invite(group tim.GroupID, users ...tim.UserID) (map[tim.UserID]tim.HandleGroupMemberResult, error) {
	list, err := d.client.InviteMembers(d.s.ctx(), tim.GroupInviteMemberParam{GroupID: group, Identifiers: users, UserData: "come in"})
	results := map[tim.UserID]tim.HandleGroupMemberResult{}
	for _, r := range list {
		results[r.Identifier] = r.Result
	}
	return results, err
}

func (d *device) remove(group tim.GroupID, users ...tim.UserID) (map[tim.UserID]tim.HandleGroupMemberResult, error) {
	list, err := d.client.DeleteMembers(d.s.ctx(), tim.GroupDeleteMemberParam{GroupID: group, Identifiers: users, UserData: "go away"})
	results := map[tim.UserID]tim.HandleGroupMemberResult{}
	for _, r := range list {
		results[r.Identifier] = r.Result
	}
	return results, err
}

// notIn checks that a user can no longer write to a group, or never could.
func (d *device) notIn(group tim.GroupID) {
	d.s.Helper()
	_, err := d.client.Send(d.s.ctx(), tim.Group(group), textMessage("from outside"))
	d.s.refused(fmt.Sprintf("%s writes to a group it is not in", d.user), err, tim.CodeSvrGroupPermissionDeny)
}

func (d *device) dismiss(group tim.GroupID) error { return d.client.DeleteGroup(d.s.ctx(), group) }

func createPublic(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	id := tim.GroupID(s.prefix + "own id")
	free := tim.GroupAddAny
	got := alice.createWith(tim.CreateGroupParam{
		GroupName: "Windows-Group-Name", GroupID: id, GroupType: tim.GroupPublic,
		Members: []tim.GroupMemberInfo{
			{Identifier: bob.user, MemberRole: tim.RoleAdmin},
			{Identifier: carol.user}, // no role is an ordinary member
		},
		Notification: "group notification", Introduction: "group introduction", FaceURL: "group face url",
		MaxMemberCount: 20, AddOption: &free,
	})
	if got != id {
		s.Errorf("asked for %q, got %q", id, got)
	}
	if r := alice.groupReport(id, tim.GroupReportCreate); r.GroupName != "Windows-Group-Name" {
		s.Errorf("the report names it %q", r.GroupName)
	}
	for _, d := range []*device{bob, carol} {
		d.groupReport(id, tim.GroupReportInvite)
	}
	carol.say(tim.Group(id), "hello from a member")
	alice.text(tim.Group(id), "hello from a member")
	bob.text(tim.Group(id), "hello from a member")
	if r, err := bob.remove(id, carol.user); err != nil || r[carol.user] != tim.MemberDone {
		s.Errorf("the administrator removes the member: %v, %v", r, err)
	}
	carol.notIn(id)
}

func createPrivate(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	id := tim.GroupID(s.prefix + "own id")
	got := alice.createWith(tim.CreateGroupParam{
		GroupName: "team", GroupID: id, GroupType: tim.GroupPrivate,
		Members:      []tim.GroupMemberInfo{{Identifier: bob.user, MemberRole: tim.RoleMember}},
		Notification: "group notification", Introduction: "group introduction",
	})
	if got != id {
		s.Errorf("asked for %q, got %q", id, got)
	}
	// The others may see the group only once the owner has said something.
	alice.say(tim.Group(id), "hello")
	bob.text(tim.Group(id), "hello")
	bob.say(tim.Group(id), "hello back")
	alice.text(tim.Group(id), "hello back")
}

func namedByService(s *scene) {
	alice := s.signIn("alice")
	first, second := alice.create(tim.GroupPublic), alice.create(tim.GroupPrivate)
	if !strings.HasPrefix(string(first), "@TGS#") || !strings.HasPrefix(string(second), "@TGS#") || first == second {
		s.Errorf("the service names its groups %q and %q", first, second)
	}
}

func idTaken(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	param := tim.CreateGroupParam{GroupName: "team", GroupID: tim.GroupID(s.prefix + "taken"), GroupType: tim.GroupPublic}
	alice.createWith(param)
	_, err := alice.client.CreateGroup(s.ctx(), param)
	s.refused("one's own group again", err, tim.CodeSvrGroupGroupIDInUsedForSuper)
	_, err = bob.client.CreateGroup(s.ctx(), param)
	s.refused("another's group again", err, tim.CodeSvrGroupGroupIDInUsed)
}

func privateAdmin(s *scene) {
	alice := s.signIn("alice")
	_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{
		GroupName: "team", GroupType: tim.GroupPrivate,
		Members: []tim.GroupMemberInfo{{Identifier: s.user("bob"), MemberRole: tim.RoleAdmin}},
	})
	s.refused("an administrator in a private group", err, bad)
}

func privateInvite(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	id := alice.create(tim.GroupPrivate, bob)
	alice.say(tim.Group(id), "begin")
	bob.text(tim.Group(id), "begin")

	results, err := bob.invite(id, carol.user, alice.user)
	if err != nil {
		s.Fatalf("a member invites: %v", err)
	}
	if results[carol.user] != tim.MemberDone || results[alice.user] != tim.MemberIncluded || len(results) != 2 {
		s.Errorf("the results are %v", results)
	}
	for _, d := range []*device{alice, bob, carol} {
		d.tip(id, tim.GroupTipInvite, bob.user, carol.user)
	}
	if r := carol.groupReport(id, tim.GroupReportInvite); r.OpUser != bob.user {
		s.Errorf("the report names %q as who invited", r.OpUser)
	}
	carol.say(tim.Group(id), "here I am")
	alice.text(tim.Group(id), "here I am")
	carol.fence()
	if n := carol.count(func(m tim.Message) bool { return textOf(m) == "begin" }); n != 0 {
		s.Error("the new member was told what was said before")
	}
}

func privateRemove(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	id := alice.create(tim.GroupPrivate, bob, carol)
	alice.say(tim.Group(id), "begin")
	carol.text(tim.Group(id), "begin")

	_, err := bob.remove(id, carol.user)
	s.refused("a member removes", err, tim.CodeSvrGroupPermissionDeny)

	stranger := s.user("stranger")
	results, err := alice.remove(id, carol.user, stranger)
	if err != nil {
		s.Fatalf("the owner removes: %v", err)
	}
	if results[carol.user] != tim.MemberDone || results[stranger] == tim.MemberDone || len(results) != 2 {
		s.Errorf("the results are %v", results)
	}
	for _, d := range []*device{alice, bob} {
		d.tip(id, tim.GroupTipKick, alice.user, carol.user)
	}
	if r := carol.groupReport(id, tim.GroupReportBeKicked); r.OpUser != alice.user {
		s.Errorf("the report names %q as who removed", r.OpUser)
	}
	carol.notIn(id)
	if results, err := alice.remove(id, carol.user); err == nil && results[carol.user] == tim.MemberDone {
		s.Error("a member is removed twice")
	}
}

func privateDismiss(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	id := alice.create(tim.GroupPrivate, bob)
	s.refused("the owner", alice.dismiss(id), tim.CodeSvrGroupPermissionDeny)
	alice.say(tim.Group(id), "still here")
	s.refused("a member", bob.dismiss(id), tim.CodeSvrGroupPermissionDeny)
}

func publicInvite(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	id := alice.createWith(tim.CreateGroupParam{GroupName: "team", GroupType: tim.GroupPublic, Members: []tim.GroupMemberInfo{
		{Identifier: bob.user, MemberRole: tim.RoleAdmin}, {Identifier: carol.user, MemberRole: tim.RoleMember},
	}})
	dave := s.user("dave")
	for _, d := range []*device{alice, bob, carol} {
		_, err := d.invite(id, dave)
		s.refused(string(d.user)+" invites", err, tim.CodeSvrGroupPermissionDeny)
	}
}

func publicRemove(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	dave, erin := s.signIn("dave"), s.signIn("erin")
	id := alice.createWith(tim.CreateGroupParam{GroupName: "team", GroupType: tim.GroupPublic, Members: []tim.GroupMemberInfo{
		{Identifier: bob.user, MemberRole: tim.RoleAdmin}, {Identifier: carol.user, MemberRole: tim.RoleAdmin},
		{Identifier: dave.user}, {Identifier: erin.user},
	}})

	_, err := dave.remove(id, erin.user)
	s.refused("a member removes", err, tim.CodeSvrGroupPermissionDeny)
	for what, who := range map[string]tim.UserID{"another administrator": carol.user, "the owner": alice.user} {
		if results, err := bob.remove(id, who); err != nil {
			s.refused("an administrator removes "+what, err, tim.CodeSvrGroupPermissionDeny)
		} else if results[who] == tim.MemberDone {
			s.Errorf("an administrator removes %s: %v", what, results)
		}
	}
	carol.say(tim.Group(id), "still here")
	alice.say(tim.Group(id), "and I")

	if results, err := bob.remove(id, dave.user); err != nil || results[dave.user] != tim.MemberDone {
		s.Errorf("an administrator removes a member: %v, %v", results, err)
	}
	if results, err := alice.remove(id, carol.user, erin.user); err != nil || results[carol.user] != tim.MemberDone || results[erin.user] != tim.MemberDone {
		s.Errorf("the owner removes an administrator and a member: %v, %v", results, err)
	}
	for _, d := range []*device{dave, carol, erin} {
		d.notIn(id)
	}
	bob.tip(id, tim.GroupTipKick, alice.user, carol.user, erin.user)
}

func publicDismiss(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	id := alice.createWith(tim.CreateGroupParam{GroupName: "team", GroupType: tim.GroupPublic, Members: []tim.GroupMemberInfo{
		{Identifier: bob.user, MemberRole: tim.RoleAdmin}, {Identifier: carol.user},
	}})
	s.refused("an administrator", bob.dismiss(id), tim.CodeSvrGroupPermissionDeny)
	s.refused("a member", carol.dismiss(id), tim.CodeSvrGroupPermissionDeny)
	if err := alice.dismiss(id); err != nil {
		s.Fatalf("the owner: %v", err)
	}
	for _, d := range []*device{bob, carol} {
		if r := d.groupReport(id, tim.GroupReportDelete); r.OpUser != alice.user {
			s.Errorf("the report names %q as who dismissed", r.OpUser)
		}
		_, err := d.client.Send(s.ctx(), tim.Group(id), textMessage("too late"))
		s.refused("a message to a dismissed group", err, tim.CodeSvrGroupNotFound)
	}
	s.refused("dismissing again", alice.dismiss(id), tim.CodeSvrGroupNotFound)
}

func unknownGroup(s *scene) {
	alice := s.signIn("alice")
	id := tim.GroupID(s.prefix + "never was")
	_, err := alice.client.Send(s.ctx(), tim.Group(id), textMessage("x"))
	s.refused("send", err, tim.CodeSvrGroupNotFound)
	_, err = alice.invite(id, s.user("bob"))
	s.refused("invite", err, tim.CodeSvrGroupNotFound)
	_, err = alice.remove(id, s.user("bob"))
	s.refused("remove", err, tim.CodeSvrGroupNotFound)
	s.refused("dismiss", alice.dismiss(id), tim.CodeSvrGroupNotFound)
}

func outsider(s *scene) {
	alice, bob, mallory := s.signIn("alice"), s.signIn("bob"), s.signIn("mallory")
	for _, typ := range []tim.GroupType{tim.GroupPublic, tim.GroupPrivate} {
		id := alice.create(typ, bob)
		alice.say(tim.Group(id), "among us")
		mallory.notIn(id)
		_, err := mallory.invite(id, mallory.user)
		s.refused("invite into "+typ.String(), err, tim.CodeSvrGroupPermissionDeny)
		_, err = mallory.remove(id, bob.user)
		s.refused("remove from "+typ.String(), err, tim.CodeSvrGroupPermissionDeny)
		s.refused("dismiss "+typ.String(), mallory.dismiss(id), tim.CodeSvrGroupPermissionDeny)
	}
	mallory.fence()
	if n := mallory.count(func(m tim.Message) bool { return textOf(m) == "among us" }); n != 0 {
		s.Errorf("the outsider was told %d messages", n)
	}
}

func removedHearsNothing(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	id := alice.create(tim.GroupPublic, bob, carol)
	if _, err := alice.remove(id, carol.user); err != nil {
		s.Fatal(err)
	}
	carol.groupReport(id, tim.GroupReportBeKicked)
	alice.say(tim.Group(id), "without carol")
	bob.text(tim.Group(id), "without carol")
	carol.fence()
	if got := carol.texts(tim.Group(id)); len(got) != 0 {
		s.Errorf("told %q", got)
	}
}
