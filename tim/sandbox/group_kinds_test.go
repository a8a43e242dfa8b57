package sandbox_test

import (
	"testing"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

var groupTypes = []tim.GroupType{
	tim.GroupPublic, tim.GroupPrivate, tim.GroupChatRoom, tim.GroupBChatRoom, tim.GroupAVChatRoom, tim.GroupCommunity,
}

// TestGroupsOutlastRestartAndKill changes everything there is to change of
// groups of all types, and opens what a restart, a kill and a snapshot left.
func TestGroupsOutlastRestartAndKill(t *testing.T) {
	w := open(t, options(newClock().option, func(o *sandbox.Options) { o.Limits.SnapshotBytes = -1 }))
	quiet := func(user tim.UserID) *device { // acknowledgements reach the disk later
		d := w.client(user)
		d.keep = true
		d.login()
		return d
	}
	alice, bob, root := quiet("alice"), quiet("bob"), quiet(sandbox.DefaultAdmin)
	ask := tim.GroupAddAuth
	change := func(what string, typ tim.GroupType, err error, not ...tim.GroupType) {
		t.Helper()
		for _, x := range not {
			if x == typ {
				if err == nil {
					t.Errorf("%s of %v is not refused", what, typ)
				}
				return
			}
		}
		if err != nil {
			t.Errorf("%s of %v: %v", what, typ, err)
		}
	}
	for _, typ := range groupTypes {
		rooms := typ == tim.GroupAVChatRoom || typ == tim.GroupBChatRoom
		param := tim.CreateGroupParam{
			GroupType: typ, Introduction: "i", Notification: "n", FaceURL: "f", MaxMemberCount: 50, AddOption: &ask, ApproveOption: &ask,
			IsSupportTopic: typ == tim.GroupCommunity, EnablePermissionGroup: true, DefaultPermissions: 7, CustomInfo: []tim.GroupInfoCustomString{{Key: "k", Value: "v"}},
		}
		if !rooms {
			param.Members = members("bob", "carol")
		}
		id := alice.create(param)
		alice.say(tim.Group(id), "begin")
		joins := quiet("dave").groups()
		err := joins.JoinGroup(ctx(t), id, "let me in")
		change("joining", typ, err, tim.GroupPrivate)
		if rooms {
			change("joining", typ, bob.groups().JoinGroup(ctx(t), id, ""))
			for _, d := range []*device{alice, root} {
				page, err := d.groups().Requests(ctx(t), tim.GroupPendencyOption{})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range page.Pendencies {
					if p.Handled == tim.PendencyNotHandle {
						change("deciding", typ, d.groups().HandleRequest(ctx(t), tim.GroupHandlePendencyParam{IsAccept: true, HandleMsg: "yes", Pendency: p}))
					}
				}
			}
		}
		_, err = bob.InviteMembers(ctx(t), tim.GroupInviteMemberParam{GroupID: id, Identifiers: []tim.UserID{"erin"}, UserData: "her"})
		change("inviting", typ, err, tim.GroupAVChatRoom, tim.GroupBChatRoom)
		change("changing", typ, root.groups().ModifyGroup(ctx(t), tim.GroupModifyInfoParam{
			GroupID: id, GroupName: "new", MaxMemberCount: 40, Visible: 1, Searchable: 2, DefaultPermissions: 3,
			CustomInfo: []tim.GroupInfoCustomString{{Key: "k", Value: ""}, {Key: "l", Value: "w"}},
			ModifyFlag: tim.ModifyGroupName | tim.ModifyGroupMaxMemberNum | tim.ModifyGroupVisible | tim.ModifyGroupSearchable | tim.ModifyGroupDefaultPermissions | tim.ModifyGroupCustom,
		}))
		change("muting all", typ, alice.groups().ModifyGroup(ctx(t), tim.GroupModifyInfoParam{
			GroupID: id, ModifyFlag: tim.ModifyGroupShutupAll, IsShutupAll: true,
		}), tim.GroupPrivate)
		member := tim.GroupModifyMemberInfoParam{GroupID: id, Identifier: "bob", NameCard: "Bob", ShutupTime: 60, MemberRole: tim.RoleAdmin}
		for _, x := range []struct {
			flag tim.GroupMemberModifyInfoFlag
			not  []tim.GroupType
		}{
			{tim.ModifyMemberNameCard, nil},
			{tim.ModifyMemberShutupTime, []tim.GroupType{tim.GroupPrivate}},
			{tim.ModifyMemberMemberRole, []tim.GroupType{tim.GroupPrivate, tim.GroupBChatRoom}},
		} {
			member.ModifyFlag = x.flag
			change("changing a member", typ, alice.groups().ModifyMember(ctx(t), member), x.not...)
		}
		change("its own ways", typ, bob.groups().ModifyMember(ctx(t), tim.GroupModifyMemberInfoParam{
			GroupID: id, Identifier: "bob", ModifyFlag: tim.ModifyMemberMsgFlag | tim.ModifyMemberCustom, MsgFlag: tim.RecvNoNotify,
			CustomInfo: []tim.GroupMemberInfoCustomString{{Key: "m", Value: "x"}},
		}))
		change("handing on", typ, alice.groups().ModifyGroup(ctx(t), tim.GroupModifyInfoParam{
			GroupID: id, ModifyFlag: tim.ModifyGroupOwner, Owner: "bob",
		}), tim.GroupAVChatRoom, tim.GroupBChatRoom)
		change("quitting", typ, alice.groups().QuitGroup(ctx(t), id), tim.GroupAVChatRoom, tim.GroupBChatRoom)
	}
	before := w.Dump()
	if after := w.afterKill().Dump(); after != before {
		t.Errorf("after a kill the state is\n%s\nit was\n%s", after, before)
	}
	for _, what := range []string{"a restart", "a snapshot"} {
		if what == "a snapshot" {
			snapshot(w)
		}
		before = w.Dump()
		w.reopen()
		if after := w.Dump(); after != before {
			t.Errorf("after %s the state is\n%s\nit was\n%s", what, after, before)
		}
	}
}
