package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

func TestReportsAreAlikeForAll(t *testing.T) {
	w := open(t, options())
	root, alice, bob := w.signIn(sandbox.DefaultAdmin), w.signIn("alice"), w.signIn("bob")
	id := alice.create(tim.CreateGroupParam{GroupType: tim.GroupPublic, GroupName: "team", Members: members("bob")})
	created, _ := alice.groupReport(tim.GroupReportCreate)
	if created.Seq != 1 || created.ConvType != tim.ConvSystem || created.ConvID != "" || created.Sender != tim.SystemUser {
		t.Errorf("the first report is %+v", created)
	}
	if _, err := alice.DeleteMembers(ctx(t), tim.GroupDeleteMemberParam{GroupID: id, Identifiers: []tim.UserID{"bob"}, UserData: "why"}); err != nil {
		t.Fatal(err)
	}
	if _, err := root.InviteMembers(ctx(t), tim.GroupInviteMemberParam{GroupID: id, Identifiers: []tim.UserID{"bob"}, UserData: "come"}); err != nil {
		t.Fatal(err)
	}
	if err := root.DeleteGroup(ctx(t), id); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		typ   tim.GroupReportType
		seq   uint64
		op    tim.UserID
		told  []*device
		check func(tim.GroupReportElem) bool
	}{
		{tim.GroupReportInvite, 2, "alice", []*device{alice, bob}, nil},
		{tim.GroupReportBeKicked, 3, "alice", []*device{bob}, func(e tim.GroupReportElem) bool { return e.Msg == "why" }},
		{tim.GroupReportDelete, 5, sandbox.DefaultAdmin, []*device{alice, bob, root}, nil},
	} {
		m, e := tt.told[0].groupReport(tt.typ)
		if m.Seq != tt.seq || e.OpUser != tt.op || e.GroupID != id || e.GroupName != "team" || tt.check != nil && !tt.check(e) {
			t.Errorf("%v: %+v", tt.typ, m)
		}
		for _, d := range tt.told[1:] {
			if other, _ := d.groupReport(tt.typ); other.Seq != m.Seq || other.Rand != m.Rand || other.ServerTime != m.ServerTime || other.MsgID != m.MsgID {
				t.Errorf("%v: %s was told %+v, %s %+v", tt.typ, d.user, other, tt.told[0].user, m)
			}
		}
	}
	if m, e := root.groupReport(tim.GroupReportInvite); m.Seq != 4 || e.UserData != "come" {
		t.Errorf("the administrator's invitation is %+v", m)
	}
}

func TestPrivateGroupBeginsWithItsOwner(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.signIn("bob")
	id := alice.create(tim.CreateGroupParam{GroupType: tim.GroupPrivate, Members: members("bob", "carol", "dave")})
	if _, err := alice.DeleteMembers(ctx(t), tim.GroupDeleteMemberParam{GroupID: id, Identifiers: []tim.UserID{"dave"}}); err != nil {
		t.Fatal(err)
	}
	alice.tip(tim.GroupTipKick)
	_, err := bob.Send(ctx(t), tim.Group(id), text("first!"))
	wantCode(t, "a member begins", err, tim.CodeSvrGroupPermissionDeny)
	_, err = bob.InviteMembers(ctx(t), tim.GroupInviteMemberParam{GroupID: id, Identifiers: []tim.UserID{"erin"}})
	wantCode(t, "a member invites", err, tim.CodeSvrGroupPermissionDeny)
	if list, err := bob.Client.(tim.History).Conversations(ctx(t)); err != nil || len(list) != 0 {
		t.Errorf("bob sees %+v, %v", list, err)
	}
	if n := len(bob.reports()); n != 0 {
		t.Errorf("bob was told %s", describe(bob.reports()))
	}
	alice.say(tim.Group(id), "hello")
	bob.message("hello")
	var seqs []uint64
	for _, r := range bob.reports() {
		if m := messageOf(r); m.ConvType == tim.ConvGroup {
			seqs = append(seqs, m.Seq)
		}
	}
	if fmt.Sprint(seqs) != "[1 2 3]" {
		t.Errorf("bob was told the seqs %v", seqs)
	}
	bob.groupReport(tim.GroupReportInvite)
	carol := w.signIn("carol")
	carol.message("hello")
	dave := w.signIn("dave")
	alice.say(tim.C2C("dave"), "end")
	dave.message("end")
	if n := len(dave.reports()); n != 1 {
		t.Errorf("dave, who never saw the group, was told %s", describe(dave.reports()))
	}
}

func TestGroupLimits(t *testing.T) {
	w := open(t, options(func(o *sandbox.Options) {
		o.Limits.GroupMembers = 5
		o.Limits.JoinedGroups = 3
	}))
	alice, root := w.signIn("alice"), w.signIn(sandbox.DefaultAdmin)
	many := make([]tim.GroupMemberInfo, 101)
	for i := range many {
		many[i].Identifier = tim.UserID(fmt.Sprint("u", i))
	}
	for _, tt := range []struct {
		name  string
		param tim.CreateGroupParam
		code  tim.Code
	}{
		{"too many at once", tim.CreateGroupParam{Members: many}, tim.CodeSvrGroupAccountCountLimit},
		{"more than a group has", tim.CreateGroupParam{Members: many[:5]}, tim.CodeSvrGroupFullMemberCount},
		{"more than this group has", tim.CreateGroupParam{Members: many[:2], MaxMemberCount: 2}, tim.CodeSvrGroupFullMemberCount},
		{"a bound above the service's", tim.CreateGroupParam{MaxMemberCount: 6}, tim.CodeSvrGroupMemberCountLimit},
		{"a type that is not there", tim.CreateGroupParam{GroupType: tim.GroupCommunity + 1}, tim.CodeSvrGroupInvalidParameters},
		{"another owner", tim.CreateGroupParam{Members: []tim.GroupMemberInfo{{Identifier: "bob", MemberRole: tim.RoleOwner}}}, tim.CodeSvrGroupInvalidParameters},
		{"a user id that is none", tim.CreateGroupParam{Members: members("bób")}, tim.CodeSvrGroupInvalidID},
	} {
		tt.param.GroupName = "x"
		_, err := alice.CreateGroup(ctx(t), tt.param)
		wantCode(t, tt.name, err, tt.code)
	}
	id := alice.create(tim.CreateGroupParam{GroupType: tim.GroupPrivate, MaxMemberCount: 3, Members: members("alice", "bob", "bob")})
	invite := func(d *device, users ...tim.UserID) error {
		_, err := d.InviteMembers(ctx(t), tim.GroupInviteMemberParam{GroupID: id, Identifiers: users})
		return err
	}
	wantCode(t, "two into one place", invite(alice, "carol", "dave"), tim.CodeSvrGroupFullMemberCount)
	wantCode(t, "nobody", invite(alice), tim.CodeSDKGroupInviteNoMember)
	if err := invite(root, "carol", "carol"); err != nil {
		t.Errorf("the administrator invites: %v", err)
	}
	wantCode(t, "into a full group", invite(alice, "dave"), tim.CodeSvrGroupFullMemberCount)
	_, err := alice.DeleteMembers(ctx(t), tim.GroupDeleteMemberParam{GroupID: id})
	wantCode(t, "remove nobody", err, tim.CodeSvrGroupInvalidParameters)
	alice.create(tim.CreateGroupParam{})
	alice.create(tim.CreateGroupParam{})
	_, err = alice.CreateGroup(ctx(t), tim.CreateGroupParam{GroupName: "x"})
	wantCode(t, "a fourth group", err, tim.CodeSvrGroupCountLimit)
}

func TestApproveOption(t *testing.T) {
	w := open(t, options())
	alice := w.signIn("alice")
	invites := func(option *tim.GroupAddOption, who tim.UserID, as tim.GroupMemberRole) (tim.HandleGroupMemberResult, error) {
		id := alice.create(tim.CreateGroupParam{ApproveOption: option, Members: []tim.GroupMemberInfo{{Identifier: "bob", MemberRole: as}}})
		d := w.signIn(who)
		defer d.Close()
		results, err := d.InviteMembers(ctx(t), tim.GroupInviteMemberParam{GroupID: id, Identifiers: []tim.UserID{"carol"}})
		if err != nil {
			return tim.MemberFailed, err
		}
		return results[0].Result, nil
	}
	anybody, auth, forbid := tim.GroupAddAny, tim.GroupAddAuth, tim.GroupAddForbid
	for _, tt := range []struct {
		name   string
		option *tim.GroupAddOption
		who    tim.UserID
		as     tim.GroupMemberRole
		want   tim.HandleGroupMemberResult // MemberFailed: is refused
	}{
		{"default, admin", nil, "bob", tim.RoleAdmin, tim.MemberFailed},
		{"forbid, admin", &forbid, "bob", tim.RoleAdmin, tim.MemberFailed},
		{"auth, member", &auth, "bob", tim.RoleMember, tim.MemberInvited},
		{"auth, admin", &auth, "bob", tim.RoleAdmin, tim.MemberDone},
		{"any, member", &anybody, "bob", tim.RoleMember, tim.MemberDone},
		{"any, outsider", &anybody, "mallory", tim.RoleMember, tim.MemberFailed},
		{"forbid, app administrator", &forbid, sandbox.DefaultAdmin, tim.RoleMember, tim.MemberDone},
	} {
		got, err := invites(tt.option, tt.who, tt.as)
		if tt.want == tim.MemberFailed {
			wantCode(t, tt.name, err, tim.CodeSvrGroupPermissionDeny)
		} else if err != nil || got != tt.want {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestGroupIDIsUsedAgain(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.signIn("bob")
	id := alice.create(tim.CreateGroupParam{GroupID: "again", Members: members("bob")})
	last := alice.say(tim.Group(id), "in the first")
	bob.message("in the first")
	if err := alice.DeleteGroup(ctx(t), id); err != nil {
		t.Fatal(err)
	}
	if got := bob.history(tim.Group(id)); len(got) != 2 || textIn(got[0]) != "in the first" {
		t.Errorf("of the dismissed group bob reads %+v", got)
	}
	_, err := bob.Send(ctx(t), tim.Group(id), text("x"))
	wantCode(t, "send to the dismissed group", err, tim.CodeSvrGroupNotFound)
	snapshot(w)
	w.reopen()
	bob = w.signIn("bob")
	bob.create(tim.CreateGroupParam{GroupID: id, GroupName: "second"})
	next := bob.say(tim.Group(id), "in the second")
	if next.Seq != last.Seq+1 {
		t.Errorf("the seqs go from %d to %d", last.Seq, next.Seq)
	}
	if m, e := bob.groupReport(tim.GroupReportCreate); m.Seq != 4 || e.GroupName != "second" { // created, invited, dismissed, created
		t.Errorf("the report is %+v", m)
	}
	alice = w.signIn("alice")
	if got := alice.history(tim.Group(id)); len(got) != 2 || textIn(got[0]) != "in the first" {
		t.Errorf("of the second group alice reads %+v", got)
	}
}

func TestGroupRateLimit(t *testing.T) {
	c := newClock()
	w := open(t, options(c.option, func(o *sandbox.Options) { o.Limits.GroupMessages = 0 }))
	alice := w.signIn("alice")
	id := alice.create(tim.CreateGroupParam{})
	other := alice.create(tim.CreateGroupParam{})
	m := text("x")
	m.Rand = 1
	alice.post(tim.Group(id), m)
	for range 39 {
		alice.say(tim.Group(id), "x")
	}
	_, err := alice.Send(ctx(t), tim.Group(id), text("x"))
	wantCode(t, "the 41st in a second", err, tim.CodeSvrGroupSendMsgFreqLimit)
	e, _ := tim.AsError(err)
	if !e.Retryable() || e.RetryAfter <= 0 || e.RetryAfter > time.Second/40 {
		t.Errorf("retry %v after %v", e.Retryable(), e.RetryAfter)
	}
	alice.post(tim.Group(id), m) // was sent before
	alice.say(tim.Group(other), "x")
	c.move(e.RetryAfter + time.Millisecond)
	alice.say(tim.Group(id), "x")
}

func TestAccountRateLimits(t *testing.T) {
	c := newClock()
	w := open(t, options(c.option, func(o *sandbox.Options) { o.Limits.Sends, o.Limits.Calls = 2, 3 }))
	alice := w.signIn("alice")
	alice.say(tim.C2C("bob"), "1")
	alice.say(tim.C2C("carol"), "2")
	_, err := alice.Send(ctx(t), tim.C2C("dave"), text("3"))
	wantCode(t, "a third send", err, tim.CodeSDKCommAPICallFrequencyLimit)
	_, err = alice.Send(ctx(t), tim.C2C("dave"), text("3"))
	if e, _ := tim.AsError(err); e == nil || !strings.Contains(e.Desc, "of this kind") {
		t.Errorf("a fourth call: %v", err)
	}
	c.move(time.Second)
	alice.say(tim.C2C("bob"), "3")
}
