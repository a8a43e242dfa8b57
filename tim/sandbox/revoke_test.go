package sandbox_test

import (
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

func TestRevokeTellsEverybody(t *testing.T) {
	w := open(t, options())
	alice, bob, phone := w.signIn("alice"), w.signIn("bob"), w.signIn("alice", on(tim.PlatformIOS))
	sent := alice.say(tim.C2C("bob"), "oops")
	if err := alice.Revoke(ctx(t), tim.C2C("bob"), sent.Locator()); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*device{alice, bob, phone} {
		e := waitFor[tim.MessagesRevoked](d)
		l := e.Locators[0]
		if len(e.Locators) != 1 || !l.IsRevoked || l.IsSelf != (d != bob) || l.Seq != sent.Seq || l.Rand != sent.Rand || l.Time != sent.ServerTime || l.UniqueID != sent.UniqueID {
			t.Errorf("%s is told %+v", d.user, e)
		}
		if want := map[bool]tim.Conversation{true: tim.C2C("alice"), false: tim.C2C("bob")}[d == bob]; l.Conversation() != want {
			t.Errorf("%s is told of %v", d.user, l.Conversation())
		}
	}
}

func TestRevokeReachesWhoIsOffline(t *testing.T) {
	for _, mode := range modes {
		w := open(t, options(delivery(mode)))
		alice := w.signIn("alice")
		sent := alice.say(tim.C2C("bob"), "oops")
		if err := alice.Revoke(ctx(t), tim.C2C("bob"), sent.Locator()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		bob := w.signIn("bob")
		waitFor[tim.MessagesRevoked](bob)
		if m := bob.message("oops"); m.Status != tim.MsgSendSucc {
			t.Errorf("%s: the message came as %+v", mode, m)
		}
	}
}

func TestWhoMayRevokeInAGroup(t *testing.T) {
	w := open(t, options())
	owner, a, b, c := w.signIn("owner"), w.signIn("a"), w.signIn("b"), w.signIn("c")
	id := owner.create(tim.CreateGroupParam{Members: []tim.GroupMemberInfo{
		{Identifier: "a", MemberRole: tim.RoleAdmin}, {Identifier: "b", MemberRole: tim.RoleAdmin}, {Identifier: "c"},
	}})
	for _, tt := range []struct {
		by, of *device
		may    bool
	}{
		{owner, owner, true}, {owner, a, true}, {owner, c, true},
		{a, a, true}, {a, b, false}, {a, owner, false}, {a, c, true},
		{c, c, true}, {c, a, false}, {c, owner, false},
	} {
		m := tt.of.say(tim.Group(id), "x")
		err := tt.by.Revoke(ctx(t), tim.Group(id), tim.MsgLocator{Seq: m.Seq})
		if tt.may && err != nil {
			t.Errorf("%s revokes what %s said: %v", tt.by.user, tt.of.user, err)
		} else if !tt.may {
			wantCode(t, string(tt.by.user+" of "+tt.of.user), err, tim.CodeSvrGroupPermissionDeny)
		}
	}
	wantCode(t, "a tip", owner.Revoke(ctx(t), tim.Group(id), tim.MsgLocator{Seq: 1}), tim.CodeSvrGroupPermissionDeny)
}

func TestRevokeWindow(t *testing.T) {
	clk := newClock()
	w := open(t, options(clk.option))
	alice := w.signIn("alice")
	id := alice.create(tim.CreateGroupParam{})
	for _, tt := range []struct {
		conv              tim.Conversation
		late, again, none tim.Code
	}{
		{tim.C2C("bob"), tim.CodeSvrMsgRevokeTimeLimit, tim.CodeSvrMsgAlreadyRevoked, tim.CodeSvrMsgNotFound},
		{tim.Group(id), tim.CodeSvrGroupRevokeMsgTimeLimit, tim.CodeSvrGroupRevokeMsgDeny, tim.CodeSvrGroupRevokeMsgNotFound},
	} {
		m := alice.say(tt.conv, "x")
		early := alice.say(tt.conv, "y")
		clk.move(119 * time.Second)
		if err := alice.Revoke(ctx(t), tt.conv, early.Locator()); err != nil {
			t.Errorf("%v: after 119 s: %v", tt.conv, err)
		}
		wantCode(t, tt.conv.String()+" again", alice.Revoke(ctx(t), tt.conv, early.Locator()), tt.again)
		clk.move(2 * time.Second)
		wantCode(t, tt.conv.String()+" after 121 s", alice.Revoke(ctx(t), tt.conv, m.Locator()), tt.late)
		wantCode(t, tt.conv.String()+" that is none", alice.Revoke(ctx(t), tt.conv, tim.MsgLocator{Seq: 99}), tt.none)
	}
}

func TestRevokeOfWhatOneNeverSaw(t *testing.T) {
	w := open(t, options())
	alice, bob := w.signIn("alice"), w.signIn("bob")
	id := alice.create(tim.CreateGroupParam{GroupType: tim.GroupPrivate})
	before := alice.say(tim.Group(id), "before bob")
	if _, err := alice.InviteMembers(ctx(t), tim.GroupInviteMemberParam{GroupID: id, Identifiers: []tim.UserID{"bob"}}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "bob", bob.Revoke(ctx(t), tim.Group(id), before.Locator()), tim.CodeSvrGroupRevokeMsgNotFound)
	if err := alice.Revoke(ctx(t), tim.Group(id), before.Locator()); err != nil {
		t.Fatal(err)
	}
	alice.say(tim.Group(id), "end")
	bob.message("end")
	for _, r := range bob.reports() {
		if _, ok := r.Event.(tim.MessagesRevoked); ok {
			t.Errorf("bob was told %+v", r.Event)
		}
	}
}
