package sandbox_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

// The calls of [TestModel]: each is made, and the model says what must come of it.

func (c *check) send(rt *rapid.T) {
	from := c.user("from")
	x := &modelMsg{sender: from, text: fmt.Sprint("text ", c.made), rand: uint64(c.made) + 1}
	c.made++
	groups := slices.Sorted(maps.Keys(c.m.grps))
	if len(groups) > 0 && rapid.Bool().Draw(rt, "to a group") {
		g := c.m.grps[rapid.SampledFrom(groups).Draw(rt, "group")]
		c.sendGroup(g, x)
		return
	}
	to := c.user("to")
	x.conv = func(u tim.UserID) tim.Conversation {
		if u == to {
			return tim.C2C(from)
		}
		return tim.C2C(to)
	}
	c.deliver(x)
	c.m.post(c.m.talk(c2cName(from, to)), x)
	c.agree(x)
	if to != from {
		c.m.tell(to, "c2c/%s %d %s: %s", from, x.seq, from, x.text)
	}
}

func (c *check) sendGroup(g *modelGroup, x *modelMsg) {
	x.conv = func(tim.UserID) tim.Conversation { return tim.Group(g.id) }
	want := tim.CodeOK
	switch {
	case g.dismissed:
		want = tim.CodeSvrGroupNotFound
	case g.members[x.sender] == 0, !g.active && x.sender != g.owner:
		want = tim.CodeSvrGroupPermissionDeny
	case g.muted[x.sender], g.mutedAll && g.roles[x.sender] < tim.RoleAdmin:
		want = tim.CodeSvrGroupShutupDeny
	}
	if want != tim.CodeOK {
		_, err := c.as(x.sender).Send(context.Background(), tim.Group(g.id), text(x.text))
		c.refused("send", err, want)
		return
	}
	c.deliver(x)
	c.m.post(c.m.talk(string(g.id)), x)
	c.agree(x)
	g.activate()
	for user := range g.members {
		if user != x.sender {
			c.m.tell(user, "group/%s %d %s: %s", g.id, x.seq, x.sender, x.text)
		}
	}
}

func (c *check) deliver(x *modelMsg) {
	msg := text(x.text)
	msg.Rand = x.rand
	answer, err := c.as(x.sender).Send(context.Background(), x.conv(x.sender), msg)
	if err != nil {
		c.Fatalf("%s sends to %v: %v", x.sender, x.conv(x.sender), err)
	}
	x.answer = answer
}

func (c *check) agree(x *modelMsg) {
	if x.answer.Seq != x.seq || x.answer.Rand != x.rand || x.answer.ServerTime != uint64(x.at.Unix()) {
		c.Fatalf("%q is seq %d, rand %d at %d, want seq %d, rand %d at %d", x.text, x.answer.Seq, x.answer.Rand, x.answer.ServerTime, x.seq, x.rand, x.at.Unix())
	}
}

func (c *check) refused(what string, err error, code tim.Code) {
	if e, ok := tim.AsError(err); !ok || e.Code != code || e.Effect != tim.EffectNotDone {
		c.Fatalf("%s: error is %v, want %v", what, err, code)
	}
}

// any picks something that was said by users.
func (c *check) any(rt *rapid.T) (name string, x *modelMsg) {
	var all []*modelMsg
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.m.talks)) {
		for _, x := range c.m.talks[name].msgs {
			if !x.tip {
				all = append(all, x)
				names = append(names, name)
			}
		}
	}
	if len(all) == 0 {
		rt.Skip("nothing was said")
	}
	// The newest are the interesting ones.
	i := len(all) - 1 - rapid.IntRange(0, min(len(all)-1, 10)).Draw(rt, "message")
	return names[i], all[i]
}

func (c *check) resend(rt *rapid.T) {
	name, x := c.any(rt)
	window := sandbox.C2CResendWindow
	g := c.m.grps[tim.GroupID(name)]
	if g != nil {
		window = sandbox.GroupResendWindow
		if g.dismissed || g.members[x.sender] == 0 {
			rt.Skip("may not write there now")
		}
	}
	if c.m.now.Sub(x.at) >= window {
		rt.Skip("too long ago")
	}
	msg := text(x.text)
	msg.Rand = x.rand
	again, err := c.as(x.sender).Send(context.Background(), x.conv(x.sender), msg)
	if err != nil || again.Seq != x.seq || again.ServerTime != x.answer.ServerTime || again.MsgID != x.answer.MsgID {
		c.Fatalf("sent again: %+v, %v; it was %+v", again, err, x.answer)
	}
}

func (c *check) revoke(rt *rapid.T) {
	name, x := c.any(rt)
	by := c.user("by")
	g := c.m.grps[tim.GroupID(name)]
	late, again, none := tim.CodeSvrMsgRevokeTimeLimit, tim.CodeSvrMsgAlreadyRevoked, tim.CodeSvrMsgNotFound
	conv := x.conv(by)
	if g != nil {
		late, again, none = tim.CodeSvrGroupRevokeMsgTimeLimit, tim.CodeSvrGroupRevokeMsgDeny, tim.CodeSvrGroupRevokeMsgNotFound
	} else if name != c2cName(by, tim.UserID(conv.ID)) {
		rt.Skip("not in that talk")
	}
	want := tim.CodeOK
	switch {
	case g != nil && g.dismissed:
		want = tim.CodeSvrGroupNotFound
	case g != nil && g.members[by] == 0:
		want = tim.CodeSvrGroupPermissionDeny
	case g != nil && !g.active && by != g.owner:
		want = tim.CodeSvrGroupPermissionDeny
	case g != nil && uint64(g.members[by]) > x.seq:
		want = none
	case g != nil && by != x.sender && g.roles[by] <= max(g.roles[x.sender], tim.RoleMember):
		want = tim.CodeSvrGroupPermissionDeny
	case g == nil && by != x.sender:
		want = none
	case x.revoked:
		want = again
	case c.m.now.Sub(x.at) > 120*time.Second:
		want = late
	}
	err := c.as(by).Revoke(context.Background(), conv, x.answer.Locator())
	if want != tim.CodeOK {
		c.refused("revoke", err, want)
		return
	}
	if err != nil {
		c.Fatalf("revoke: %v", err)
	}
	x.revoked = true
	if g == nil {
		users := []tim.UserID{x.sender, tim.UserID(x.conv(x.sender).ID)}
		for _, user := range slices.Compact(users) {
			c.m.tell(user, "revoked %v %d", x.conv(user), x.seq)
		}
		return
	}
	for user, from := range g.members {
		if uint64(from) <= x.seq {
			c.m.tell(user, "revoked group/%s %d", g.id, x.seq)
		}
	}
}

func (c *check) create(rt *rapid.T) {
	if len(c.m.grps) >= 4 {
		rt.Skip("enough groups")
	}
	owner := c.user("owner")
	typ := rapid.SampledFrom([]tim.GroupType{tim.GroupPublic, tim.GroupPrivate, tim.GroupChatRoom, tim.GroupCommunity}).Draw(rt, "type")
	add := rapid.SampledFrom([]tim.GroupAddOption{tim.GroupAddAny, tim.GroupAddAuth, tim.GroupAddForbid}).Draw(rt, "add")
	var users []tim.UserID
	for _, u := range modelUsers {
		if u != owner && rapid.Bool().Draw(rt, "with "+string(u)) {
			users = append(users, u)
		}
	}
	free := tim.GroupAddAny
	made, err := c.as(owner).CreateGroup(context.Background(), tim.CreateGroupParam{
		GroupName: "g", GroupID: modelGroupID(typ, len(c.m.grps)), GroupType: typ, Members: members(users...), ApproveOption: &free, AddOption: &add,
	})
	if err != nil {
		c.Fatalf("create: %v", err)
	}
	g := &modelGroup{
		id: made.GroupID, typ: typ, owner: owner, active: typ != tim.GroupPrivate, name: "g",
		add:     map[tim.GroupType]tim.GroupAddOption{tim.GroupPublic: add, tim.GroupChatRoom: add, tim.GroupCommunity: tim.GroupAddAny}[typ],
		members: map[tim.UserID]int{owner: 1}, past: map[tim.UserID][]int{},
		roles: map[tim.UserID]tim.GroupMemberRole{owner: tim.RoleOwner}, muted: map[tim.UserID]bool{},
	}
	c.m.grps[g.id] = g
	c.m.report(g, tim.GroupReportCreate, owner)
	if len(users) > 0 {
		c.joined(g, owner, users)
	}
}

func (c *check) joined(g *modelGroup, by tim.UserID, users []tim.UserID) {
	for _, u := range users {
		c.m.enter(g, u)
	}
	c.m.memberTip(g, sayTip(tim.GroupTipInvite, by, users))
	c.m.report(g, tim.GroupReportInvite, append(slices.Clone(users), by)...)
}

func (c *check) group(rt *rapid.T) *modelGroup {
	groups := slices.Sorted(maps.Keys(c.m.grps))
	if len(groups) == 0 {
		rt.Skip("no group")
	}
	return c.m.grps[rapid.SampledFrom(groups).Draw(rt, "group")]
}

func (c *check) invite(rt *rapid.T) {
	g, by := c.group(rt), c.user("by")
	users := rapid.SliceOfNDistinct(rapid.SampledFrom(modelUsers), 1, 2, rapid.ID).Draw(rt, "users")
	list, err := c.as(by).InviteMembers(context.Background(), tim.GroupInviteMemberParam{GroupID: g.id, Identifiers: users})
	switch {
	case g.dismissed:
		c.refused("invite", err, tim.CodeSvrGroupNotFound)
		return
	case g.members[by] == 0, !g.active && by != g.owner:
		c.refused("invite", err, tim.CodeSvrGroupPermissionDeny)
		return
	case err != nil:
		c.Fatalf("invite: %v", err)
	}
	var fresh []tim.UserID
	for i, u := range users {
		want := tim.MemberIncluded
		if g.members[u] == 0 {
			want = tim.MemberDone
			fresh = append(fresh, u)
		}
		if list[i].Identifier != u || list[i].Result != want {
			c.Fatalf("inviting %v gives %+v", users, list)
		}
	}
	if len(fresh) > 0 {
		c.joined(g, by, fresh)
	}
}

func (c *check) remove(rt *rapid.T) {
	g, by := c.group(rt), c.user("by")
	users := rapid.SliceOfNDistinct(rapid.SampledFrom(modelUsers), 1, 2, rapid.ID).Draw(rt, "users")
	list, err := c.as(by).DeleteMembers(context.Background(), tim.GroupDeleteMemberParam{GroupID: g.id, Identifiers: users})
	switch {
	case g.dismissed:
		c.refused("remove", err, tim.CodeSvrGroupNotFound)
		return
	case g.roles[by] < tim.RoleAdmin:
		c.refused("remove", err, tim.CodeSvrGroupPermissionDeny)
		return
	case err != nil:
		c.Fatalf("remove: %v", err)
	}
	var gone []tim.UserID
	for i, u := range users {
		want := tim.MemberDone
		switch {
		case g.members[u] == 0:
			want = tim.MemberIncluded
		case u == by, g.roles[u] >= g.roles[by]:
			want = tim.MemberFailed
		default:
			gone = append(gone, u)
		}
		if list[i].Identifier != u || list[i].Result != want {
			c.Fatalf("removing %v gives %+v", users, list)
		}
	}
	if len(gone) == 0 {
		return
	}
	for _, u := range gone {
		c.m.leave(g, u)
	}
	c.m.memberTip(g, sayTip(tim.GroupTipKick, by, gone))
	g.reports++
	for _, u := range gone {
		if g.active {
			c.m.tell(u, "report %v %s %d", tim.GroupReportBeKicked, g.id, g.reports)
		}
	}
}

func (c *check) dismiss(rt *rapid.T) {
	g, by := c.group(rt), c.user("by")
	err := c.as(by).DeleteGroup(context.Background(), g.id)
	switch {
	case g.dismissed:
		c.refused("dismiss", err, tim.CodeSvrGroupNotFound)
		return
	case by != g.owner || g.typ == tim.GroupPrivate:
		c.refused("dismiss", err, tim.CodeSvrGroupPermissionDeny)
		return
	case err != nil:
		c.Fatalf("dismiss: %v", err)
	}
	g.reports++
	for _, u := range slices.Sorted(maps.Keys(g.members)) {
		c.m.tell(u, "report %v %s %d", tim.GroupReportDelete, g.id, g.reports)
		c.m.leave(g, u)
	}
	g.dismissed = true
}

// read compares what a user can read of everything.
func (c *check) read(*rapid.T) {
	user := c.user("reader")
	d := c.as(user)
	var last []string
	for name, talk := range c.m.talks {
		g := c.m.grps[tim.GroupID(name)]
		var want []*modelMsg
		var conv tim.Conversation
		switch {
		case g != nil:
			conv = tim.Group(g.id)
			seen := c.m.sees(g, user)
			if seen == nil {
				_, err := d.Client.(tim.History).Messages(context.Background(), conv, tim.HistoryQuery{})
				c.refused("history", err, tim.CodeSvrGroupPermissionDeny)
				continue
			}
			for _, i := range seen {
				want = append(want, talk.msgs[i-1])
			}
		default:
			x := talk.msgs[0]
			conv = x.conv(user)
			if name != c2cName(user, tim.UserID(conv.ID)) {
				continue
			}
			want = talk.msgs
		}
		got := d.history(conv)
		slices.Reverse(got)
		if len(got) != len(want) {
			c.Fatalf("%s reads %d messages of %v, want %d", user, len(got), conv, len(want))
		}
		for i, x := range want {
			status := tim.MsgSendSucc
			if x.revoked {
				status = tim.MsgRevoked
			}
			if got[i].Seq != x.seq || got[i].Sender != x.sender || got[i].Status != status || !x.tip && textIn(got[i]) != x.text || got[i].Conversation() != conv {
				c.Fatalf("%s reads %+v of %v, want %+v", user, got[i], conv, x)
			}
		}
		if len(want) > 0 {
			last = append(last, fmt.Sprintf("%v %d", conv, want[len(want)-1].seq))
		}
	}
	list, err := d.Client.(tim.History).Conversations(context.Background())
	if err != nil {
		c.Fatal(err)
	}
	var got []string
	for i, l := range list {
		if l.LastMsg != nil {
			got = append(got, fmt.Sprintf("%v %d", l.Conversation(), l.LastMsg.Seq))
		}
		if i > 0 && l.ActiveTime > list[i-1].ActiveTime {
			c.Fatalf("conversations are not newest first: %+v", list)
		}
	}
	slices.Sort(got)
	slices.Sort(last)
	if !slices.Equal(got, last) {
		c.Fatalf("%s's conversations end with %q, want %q", user, got, last)
	}
}

// finish signs everybody in once more, and compares what each was told in all.
func (c *check) finish() {
	for _, user := range modelUsers {
		if d := c.devices[user]; d != nil {
			c.logout(d)
			c.note(user)
		}
		c.signIn(user, false)
	}
	end := c.w.client("end")
	end.login()
	for _, user := range modelUsers {
		end.say(tim.C2C(user), "end")
		c.devices[user].message("end")
		c.note(user)
		var got []string
		numbers := slices.Sorted(maps.Keys(c.seen[user]))
		for _, n := range numbers[:len(numbers)-1] {
			got = append(got, c.seen[user][n])
		}
		if want := c.m.told[user]; !slices.Equal(got, want) {
			c.Fatalf("%s was told\n  %q, want\n  %q", user, got, want)
		}
		for i, n := range numbers {
			if n != uint64(i)+1 {
				c.Fatalf("%s was told the numbers %v", user, numbers)
			}
		}
	}
}
