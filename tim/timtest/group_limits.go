package timtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// One test for each limit of groups, with its code.
var groupLimitCases = []testCase{
	{"texts that are changed", 0, limitTexts},
	{"the id of a community", 0, limitCommunityID},
	{"custom fields", 0, limitCustom},
	{"members named at creation: 100", 0, limitCreate},
	{"invited at once: 300", 0, limitInvite},
	{"removed at once: 100", 0, limitRemove},
	{"mentioned in a message: 30", 0, limitMentions},
	{"the group's own bound", 0, limitOwnBound},
	{"members of a group", needLimited, limitMembers},
	{"a room has no bound", needLimited, limitRooms},
	{"groups that a user is in", needLimited, limitJoined},
	{"groups in all", needLimited, limitGroups},
	{"messages a second", needLimited, limitMessages},
	{"calls a second", needLimited, limitCalls},
	{"what holds unless it is told otherwise", needLimited, limitDefaults},
	{"messages are kept for seven days", needLimited, limitRetention},
	{"messages of low priority are refused first", needLimited, limitPriority},
}

// limited is a scene at a service of its own.
func (s *scene) limited(limits Limits) *scene {
	h := s.h.Limited(s.T, limits)
	h.Patience = s.h.Patience
	return &scene{T: s.T, h: h, prefix: s.prefix}
}

func limitTexts(s *scene) {
	alice := s.signIn("alice")
	id := alice.create(tim.GroupPublic)
	for _, tt := range []struct {
		what string
		flag tim.GroupModifyInfoFlag
		most int
		code tim.Code
	}{
		{"name", tim.ModifyGroupName, 30, tim.CodeSDKGroupInvalidName},
		{"introduction", tim.ModifyGroupIntroduction, 240, tim.CodeSDKGroupInvalidIntroduction},
		{"notification", tim.ModifyGroupNotification, 300, tim.CodeSDKGroupInvalidNotification},
		{"face URL", tim.ModifyGroupFaceURL, 100, tim.CodeSDKGroupInvalidFaceURL},
	} {
		set := func(text string) error {
			return alice.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{
				GroupID: id, ModifyFlag: tt.flag, GroupName: text, Introduction: text, Notification: text, FaceURL: text,
			})
		}
		if err := set(strings.Repeat("x", tt.most)); err != nil {
			s.Errorf("a %s of %d bytes: %v", tt.what, tt.most, err)
		}
		s.refused(fmt.Sprintf("a %s of %d bytes", tt.what, tt.most+1), set(strings.Repeat("x", tt.most+1)), tt.code)
		if tt.flag == tim.ModifyGroupName {
			s.refused("no name", set(""), tt.code)
		}
	}
	s.refused("nothing to change", alice.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{GroupID: id}), bad)
}

func limitCommunityID(s *scene) {
	alice := s.signIn("alice")
	long := "@TGS#_" + s.prefix + strings.Repeat("x", 42-len(s.prefix))
	for _, tt := range []struct {
		id   string
		typ  tim.GroupType
		good bool
	}{
		{long, tim.GroupCommunity, true},
		{long + "x", tim.GroupCommunity, false},
		{s.prefix + "plain", tim.GroupCommunity, false},
		{"@TGS#_", tim.GroupCommunity, false},
		{"@TGS#_" + s.prefix + "a", tim.GroupPublic, false},
	} {
		_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x", GroupType: tt.typ, GroupID: tim.GroupID(tt.id)})
		if !tt.good {
			s.refused(fmt.Sprintf("%v %q", tt.typ, tt.id), err, tim.CodeSDKGroupInvalidID)
		} else if err != nil {
			s.Errorf("%v %q: %v", tt.typ, tt.id, err)
		}
	}
	if id := alice.create(tim.GroupCommunity); !strings.HasPrefix(string(id), "@TGS#_") {
		s.Errorf("the service names a Community %q", id)
	}
}

func limitCustom(s *scene) {
	alice := s.signIn("alice")
	fields := func(n int, key, value string) (list []tim.GroupInfoCustomString) {
		for i := range n {
			list = append(list, tim.GroupInfoCustomString{Key: fmt.Sprint(key, i), Value: value})
		}
		return list
	}
	for _, tt := range []struct {
		what string
		list []tim.GroupInfoCustomString
		good bool
	}{
		{"ten of 512 bytes", fields(10, "key", strings.Repeat("x", 512)), true},
		{"eleven", fields(11, "key", "x"), false},
		{"513 bytes", fields(1, "key", strings.Repeat("x", 513)), false},
		{"a key of 16 bytes", fields(1, strings.Repeat("k", 15), "x"), true},
		{"a key of 17 bytes", fields(1, strings.Repeat("k", 16), "x"), false},
		{"a key with a space", fields(1, "k k", "x"), false},
	} {
		_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x", CustomInfo: tt.list})
		if !tt.good {
			s.refused(tt.what, err, bad)
		} else if err != nil {
			s.Errorf("%s: %v", tt.what, err)
		}
	}
}

// people are users of the scene.
func (s *scene) people(n int) (users []tim.UserID) {
	for i := range n {
		users = append(users, s.user(fmt.Sprint("p", i)))
	}
	return users
}

func infos(users []tim.UserID) (list []tim.GroupMemberInfo) {
	for _, u := range users {
		list = append(list, tim.GroupMemberInfo{Identifier: u})
	}
	return list
}

func limitCreate(s *scene) {
	alice := s.signIn("alice")
	users := s.people(101)
	if _, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x", Members: infos(users[:100])}); err != nil {
		s.Errorf("100: %v", err)
	}
	_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x", Members: infos(users)})
	s.refused("101", err, tim.CodeSvrGroupAccountCountLimit)
}

func limitInvite(s *scene) {
	alice := s.signIn("alice")
	id := alice.create(tim.GroupPrivate)
	users := s.people(301)
	_, err := alice.invite(id, users...)
	s.refused("301", err, tim.CodeSvrGroupAccountCountLimit)
	if _, err := alice.invite(id, users[:300]...); err != nil {
		s.Errorf("300: %v", err)
	}
}

func limitRemove(s *scene) {
	alice := s.signIn("alice")
	users := s.people(101)
	id := alice.createWith(tim.CreateGroupParam{GroupName: "x", Members: infos(users[:100])})
	_, err := alice.remove(id, users...)
	s.refused("101", err, tim.CodeSvrGroupAccountCountLimit)
	if _, err := alice.remove(id, users[:100]...); err != nil {
		s.Errorf("100: %v", err)
	}
}

func limitMentions(s *scene) {
	alice := s.signIn("alice")
	conv := tim.Group(alice.create(tim.GroupPublic))
	msg := textMessage("all of you")
	msg.GroupAtUsers = s.people(30)
	alice.send(conv, msg)
	msg.GroupAtUsers = s.people(31)
	_, err := alice.client.Send(s.ctx(), conv, msg)
	s.refused("31", err, tim.CodeSvrGroupAtCountLimit)
}

func limitOwnBound(s *scene) {
	c := s.cast()
	open := tim.GroupAddAny
	for _, typ := range []tim.GroupType{tim.GroupPublic, tim.GroupChatRoom, tim.GroupCommunity, tim.GroupAVChatRoom} {
		id := c.room(typ, func(p *tim.CreateGroupParam) {
			p.MaxMemberCount = 3
			if typ == tim.GroupPublic {
				p.AddOption = &open
			}
		})
		full := tim.CodeSvrGroupFullMemberCount
		s.refused("join a full "+typ.String(), c.outsider.groups().JoinGroup(s.ctx(), id, ""), full)
		more := func(n uint64) error {
			return c.owner.groups().ModifyGroup(s.ctx(), tim.GroupModifyInfoParam{GroupID: id, ModifyFlag: tim.ModifyGroupMaxMemberNum, MaxMemberCount: n})
		}
		s.refused("fewer than there are", more(2), bad)
		if err := more(4); err != nil {
			s.Errorf("one more: %v", err)
		}
		c.outsider.join(id, "")
	}
	id := c.room(tim.GroupPrivate, func(p *tim.CreateGroupParam) { p.MaxMemberCount = 3 })
	_, err := c.member.invite(id, c.outsider.user)
	s.refused("invite into a full group", err, tim.CodeSvrGroupFullMemberCount)
}

func limitMembers(s *scene) {
	l := s.limited(Limits{GroupMembers: 4, CommunityMembers: 6})
	alice := l.signIn("alice")
	for typ, most := range map[tim.GroupType]int{
		tim.GroupPrivate: 4, tim.GroupPublic: 4, tim.GroupChatRoom: 4, tim.GroupCommunity: 6,
	} {
		create := func(users, max int) error {
			_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{
				GroupName: "x", GroupType: typ, Members: infos(l.people(users)), MaxMemberCount: uint32(max),
			})
			return err
		}
		if err := create(most-1, most); err != nil {
			s.Errorf("%v with %d: %v", typ, most, err)
		}
		s.refused("too many of "+typ.String(), create(most, 0), tim.CodeSvrGroupFullMemberCount)
		s.refused("a larger "+typ.String(), create(0, most+1), tim.CodeSvrGroupMemberCountLimit)
	}
}

func limitRooms(s *scene) {
	l := s.limited(Limits{GroupMembers: 2, CommunityMembers: 2})
	alice := l.signIn("alice")
	for _, typ := range []tim.GroupType{tim.GroupAVChatRoom, tim.GroupBChatRoom} {
		id := alice.create(typ)
		for _, user := range l.people(8) {
			d := l.signIn(strings.TrimPrefix(string(user), l.prefix))
			d.join(id, "")
			d.close()
		}
		if n := alice.info(id).MemberNum; n != 9 {
			s.Errorf("%v has %d members", typ, n)
		}
	}
}

func limitJoined(s *scene) {
	l := s.limited(Limits{JoinedGroups: 3})
	alice, bob := l.signIn("alice"), l.signIn("bob")
	for range 3 {
		alice.create(tim.GroupChatRoom, bob)
	}
	full := tim.CodeSvrGroupCountLimit
	_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x"})
	s.refused("create a fourth", err, full)
	carol := l.signIn("carol")
	id := carol.create(tim.GroupChatRoom)
	s.refused("join a fourth", bob.groups().JoinGroup(s.ctx(), id, ""), full)
	work := carol.create(tim.GroupPrivate)
	if results, err := carol.invite(work, bob.user); err != nil || results[bob.user] != tim.MemberFailed {
		s.Errorf("invited into a fourth: %v, %v", results, err)
	}
	joined, err := bob.groups().JoinedGroups(s.ctx())
	if err != nil || len(joined) != 3 {
		s.Fatalf("bob is in %+v, %v", joined, err)
	}
	if err := bob.groups().QuitGroup(s.ctx(), joined[0].GroupID); err != nil {
		s.Fatal(err)
	}
	bob.join(id, "")
}

func limitGroups(s *scene) {
	l := s.limited(Limits{Groups: 4, AVChatRooms: 2})
	alice := l.signIn("alice")
	create := func(typ tim.GroupType) error {
		_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x", GroupType: typ})
		return err
	}
	first := alice.create(tim.GroupAVChatRoom)
	alice.create(tim.GroupAVChatRoom)
	s.refused("a third AVChatRoom", create(tim.GroupAVChatRoom), tim.CodeSvrGroupAVChatRoomCountLimit)
	alice.create(tim.GroupPublic)
	alice.create(tim.GroupPrivate)
	s.refused("a fifth group", create(tim.GroupPublic), tim.CodeSvrGroupTrialCountLimit)
	if err := alice.dismiss(first); err != nil { // does not count any more
		s.Fatal(err)
	}
	alice.create(tim.GroupAVChatRoom)
}

// limitPriority: when a group is written to too often, messages of low priority
// are refused while others are still taken.
func limitPriority(s *scene) {
	l := s.limited(Limits{GroupMessages: 20})
	alice := l.signIn("alice")
	conv := tim.Group(alice.create(tim.GroupPublic))
	send := func(p tim.MsgPriority) error {
		msg := textMessage(p.String())
		msg.Priority = &p
		_, err := alice.client.Send(s.ctx(), conv, msg)
		return err
	}
	refused := func(p tim.MsgPriority) (taken int) {
		for ; taken < 100; taken++ {
			if err := send(p); err != nil {
				s.refused("too many of priority "+p.String(), err, tim.CodeSvrGroupSendMsgFreqLimit)
				break
			}
		}
		return taken
	}
	// The clock may stand still, or go on while this goes on: then there is room
	// again for some.
	refused(tim.PriorityLowest)
	if n := refused(tim.PriorityLow); n == 0 {
		s.Error("none of low priority is taken after too many of the lowest")
	}
	if n := refused(tim.PriorityHigh); n == 0 {
		s.Error("none of high priority is taken after too many of low priority")
	}
	l.h.Advance(2 * time.Second)
	if err := send(tim.PriorityLowest); err != nil {
		s.Errorf("a while later: %v", err)
	}
}

func limitMessages(s *scene) {
	l := s.limited(Limits{GroupMessages: 5})
	alice := l.signIn("alice")
	for _, typ := range []tim.GroupType{tim.GroupPublic, tim.GroupAVChatRoom} {
		conv := tim.Group(alice.create(typ))
		var err error
		for range 50 { // more than any machine does in a tenth of a second
			if _, err = alice.client.Send(s.ctx(), conv, textMessage("x")); err != nil {
				break
			}
		}
		s.refused("too many in "+typ.String(), err, tim.CodeSvrGroupSendMsgFreqLimit)
		if e, ok := tim.AsError(err); ok && (!e.Retryable() || e.RetryAfter <= 0) {
			s.Errorf("retry %v after %v", e.Retryable(), e.RetryAfter)
		}
		l.h.Advance(time.Second)
		alice.say(conv, "again")
	}
}
