package timtest

import (
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// The rules about what is said in groups.

func ruleHistory(s *scene) {
	c := s.cast()
	for _, tt := range []struct {
		typ  tim.GroupType
		code tim.Code // may: there is history
	}{
		{tim.GroupPrivate, may}, {tim.GroupPublic, may}, {tim.GroupChatRoom, may}, {tim.GroupCommunity, may},
		{tim.GroupAVChatRoom, tim.CodeSvrGroupHistoryNotSupported},
		{tim.GroupBChatRoom, tim.CodeSvrGroupHistoryNotSupported},
	} {
		conv := tim.Group(c.room(tt.typ))
		c.owner.say(conv, "for the record")
		list, err := c.member.history().Messages(s.ctx(), conv, tim.HistoryQuery{})
		if tt.code != may {
			s.refused("read "+tt.typ.String(), err, tt.code)
		} else if err != nil || len(list) == 0 || textOf(list[0]) != "for the record" {
			s.Errorf("read %v: %+v, %v", tt.typ, list, err)
		}
		all, err := c.member.history().Conversations(s.ctx())
		listed := slices.ContainsFunc(all, func(i tim.ConvInfo) bool { return i.Conversation() == conv })
		if err != nil || listed != (tt.code == may) {
			s.Errorf("the conversation of a %v is in the list: %v, %v", tt.typ, listed, err)
		}
	}
}

func ruleBefore(s *scene) {
	c := s.cast()
	open := tim.GroupAddAny
	for typ, sees := range map[tim.GroupType]bool{
		tim.GroupPublic: false, tim.GroupChatRoom: true, tim.GroupCommunity: false,
	} {
		id := c.room(typ, func(p *tim.CreateGroupParam) {
			if typ == tim.GroupPublic {
				p.AddOption = &open
			}
		})
		c.owner.say(tim.Group(id), "long ago")
		if err := c.outsider.groups().JoinGroup(s.ctx(), id, ""); err != nil {
			s.Fatalf("join %v: %v", typ, err)
		}
		c.owner.say(tim.Group(id), "now")
		list, err := c.outsider.history().Messages(s.ctx(), tim.Group(id), tim.HistoryQuery{})
		seen := slices.ContainsFunc(list, func(m tim.Message) bool { return textOf(m) == "long ago" })
		if err != nil || seen != sees || len(list) == 0 || textOf(list[0]) != "now" {
			s.Errorf("who comes into a %v group reads what was said before: %v, %v; want %v", typ, seen, err, sees)
		}
	}
}

func ruleUnread(s *scene) {
	c := s.cast()
	for typ, want := range map[tim.GroupType]uint64{
		tim.GroupPrivate: 3, tim.GroupPublic: 2, tim.GroupChatRoom: 0, tim.GroupCommunity: 2, // the first begins with a message
	} {
		conv := tim.Group(c.room(typ))
		c.owner.say(conv, "one")
		c.owner.say(conv, "two")
		list, err := c.member.history().Conversations(s.ctx())
		i := slices.IndexFunc(list, func(i tim.ConvInfo) bool { return i.Conversation() == conv })
		if err != nil || i < 0 || list[i].UnreadNum != want {
			s.Errorf("unread of %v: want %d, %v, list %+v", typ, want, err, list)
		}
	}
}

func ruleRecall(s *scene) {
	c := s.cast()
	for _, tt := range []struct {
		typ  tim.GroupType
		code tim.Code
	}{
		{tim.GroupPrivate, may}, {tim.GroupPublic, may}, {tim.GroupChatRoom, may}, {tim.GroupCommunity, may},
		{tim.GroupAVChatRoom, tim.CodeSvrGroupNotAllowRevokeMsg},
		{tim.GroupBChatRoom, tim.CodeSvrGroupNotAllowRevokeMsg},
	} {
		conv := tim.Group(c.room(tt.typ))
		sent := c.member.say(conv, "oh no")
		err := c.member.client.Revoke(s.ctx(), conv, sent.Locator())
		if tt.code != may {
			s.refused("recall in "+tt.typ.String(), err, tt.code)
		} else if err != nil {
			s.Errorf("recall in %v: %v", tt.typ, err)
		}
	}
}

func ruleSleeps(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	for typ, sleeps := range map[tim.GroupType]bool{
		tim.GroupPrivate: true, tim.GroupPublic: false, tim.GroupChatRoom: false, tim.GroupCommunity: false,
	} {
		id := alice.create(typ, bob)
		_, err := bob.client.Send(s.ctx(), tim.Group(id), textMessage("first"))
		if (err != nil) != sleeps {
			s.Errorf("a member of a %v group speaks first: %v", typ, err)
		}
		if !sleeps {
			continue
		}
		s.refused("a member speaks first", err, deny)
		joined, err := bob.groups().JoinedGroups(s.ctx())
		if err != nil || slices.ContainsFunc(joined, func(g tim.GroupBaseInfo) bool { return g.GroupID == id }) {
			s.Errorf("the member sees it: %+v, %v", joined, err)
		}
		list, err := bob.groups().GroupsInfo(s.ctx(), []tim.GroupID{id})
		if err != nil || list[0].Code != deny {
			s.Errorf("the member looks at it: %+v, %v", list, err)
		}
		alice.say(tim.Group(id), "begin")
		bob.text(tim.Group(id), "begin")
	}
}

func ruleOnline(s *scene) {
	for _, typ := range []tim.GroupType{tim.GroupAVChatRoom, tim.GroupBChatRoom} {
		alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
		id := alice.create(typ)
		for _, d := range []*device{bob, carol} {
			if err := d.groups().JoinGroup(s.ctx(), id, ""); err != nil {
				s.Fatalf("join: %v", err)
			}
		}
		carol.logout()
		texts := []string{}
		for i := range 5 {
			texts = append(texts, fmt.Sprint("live ", i))
			alice.say(tim.Group(id), texts[i])
		}
		bob.fence()
		if got := bob.texts(tim.Group(id)); !slices.Equal(got, texts) {
			s.Errorf("%v: who is online was told %q", typ, got)
		}
		carol.login()
		carol.fence()
		if got := carol.texts(tim.Group(id)); len(got) != 0 {
			s.Errorf("%v: who was offline was told %q", typ, got)
		}
		bob.say(tim.Group(id), "to all")
		alice.text(tim.Group(id), "to all")
		carol.text(tim.Group(id), "to all")
		for _, d := range []*device{alice, bob, carol} {
			d.close()
		}
	}
}

func ruleSequence(s *scene) {
	c := s.cast()
	for _, tt := range []struct {
		typ tim.GroupType
		// begin is the sequence of the first message that is said after the
		// group was made with two members and one was removed.
		begin uint64
	}{
		{tim.GroupPublic, 3}, {tim.GroupCommunity, 3}, {tim.GroupChatRoom, 1},
	} {
		id := c.room(tt.typ)
		if err := c.owner.kick(id, c.member.user); err != nil {
			s.Fatalf("remove: %v", err)
		}
		online := textMessage("for those online")
		online.IsOnlineMsg = true
		c.owner.send(tim.Group(id), online)
		for n := range uint64(3) {
			if sent := c.owner.say(tim.Group(id), "next"); sent.Seq != tt.begin+n {
				s.Errorf("message %d of %v has the sequence %d, want %d", n, tt.typ, sent.Seq, tt.begin+n)
			}
		}
	}
	for _, typ := range []tim.GroupType{tim.GroupAVChatRoom, tim.GroupBChatRoom} {
		id := c.room(typ)
		sent := c.owner.say(tim.Group(id), "gone")
		if sent.Seq != 0 || sent.Rand == 0 || sent.MsgID == "" {
			s.Errorf("a message of %v is %+v", typ, sent)
		}
		if got := c.member.text(tim.Group(id), "gone"); got.Seq != 0 || got.MsgID != sent.MsgID || got.Rand != sent.Rand {
			s.Errorf("and told as %+v, sent as %+v", got, sent)
		}
	}
}
