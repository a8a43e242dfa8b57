package timtest

import (
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

var eraseCases = []testCase{
	{"deleted messages are gone for one account alone", 0, deleteSome},
	{"to delete again, or what is not there, changes nothing", 0, deleteAgain},
	{"a room that keeps nothing has nothing to delete", 0, deleteInRoom},
	{"at most 50 messages are deleted at once", 0, deleteLimits},
	{"a cleared talk is empty and stays in the list", 0, clearTalk},
	{"a deleted talk leaves the list until something is said", 0, deleteTalk},
}

func deleteSome(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Eraser](bob)
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), group} {
		seen := conv
		if conv.Type == tim.ConvC2C {
			seen = tim.C2C(alice.user)
		}
		for i := range 5 {
			alice.say(conv, fmt.Sprint(i))
		}
		second, last := bob.text2(seen, "1"), bob.text2(seen, "4")
		if err := can.DeleteMessages(s.ctx(), seen, []tim.MsgLocator{second.Locator(), last.Locator()}); err != nil {
			s.Fatalf("delete in %s: %v", seen, err)
		}
		if got := textsOf(bob.read(seen, 2)); !slices.Equal(got, []string{"0", "2", "3"}) {
			s.Errorf("bob reads %q in %s", got, seen)
		}
		if got := textsOf(alice.read(conv, 2)); len(got) != 5 {
			s.Errorf("alice reads %q in %s", got, conv)
		}
		if c, _ := bob.listed(seen); c.LastMsg == nil || textOf(*c.LastMsg) != "3" || c.UnreadNum != 3 {
			s.Errorf("bob's list has %d unread and ends with %+v", c.UnreadNum, c.LastMsg)
		}
	}
}

func deleteAgain(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Eraser](bob)
	alice.say(tim.C2C(bob.user), "x")
	l := bob.text2(tim.C2C(alice.user), "x").Locator()
	missing := l
	missing.Seq += 7
	for _, list := range [][]tim.MsgLocator{{l}, {l}, {missing}} {
		if err := can.DeleteMessages(s.ctx(), tim.C2C(alice.user), list); err != nil {
			s.Errorf("delete: %v", err)
		}
	}
	if err := can.ClearHistory(s.ctx(), tim.C2C(s.user("nobody"))); err != nil {
		s.Errorf("clear a talk that never was: %v", err)
	}
	s.refused("a group that one is not in", can.ClearHistory(s.ctx(), tim.Group(alice.create(tim.GroupPublic))), tim.CodeSvrGroupPermissionDeny)
}

func deleteLimits(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Eraser](bob)
	l := alice.say(tim.C2C(bob.user), "x").Locator()
	l.ConvID, l.ConvType = "", 0
	talk := tim.C2C(alice.user)
	if err := can.DeleteMessages(s.ctx(), talk, slices.Repeat([]tim.MsgLocator{l}, 50)); err != nil {
		s.Errorf("50: %v", err)
	}
	s.refused("51", can.DeleteMessages(s.ctx(), talk, slices.Repeat([]tim.MsgLocator{l}, 51)), tim.CodeInvalidParameters)
	s.refused("none", can.DeleteMessages(s.ctx(), talk, nil), tim.CodeInvalidParameters)
}

func clearTalk(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Eraser](bob)
	talk := tim.C2C(alice.user)
	alice.say(tim.C2C(bob.user), "before")
	if err := can.ClearHistory(s.ctx(), talk); err != nil {
		s.Fatal(err)
	}
	if got := bob.read(talk, 10); len(got) != 0 {
		s.Errorf("bob reads %d messages", len(got))
	}
	if c, ok := bob.listed(talk); !ok || c.IsHasLastMsg || c.UnreadNum != 0 {
		s.Errorf("bob's list has %+v, %v", c, ok)
	}
	alice.say(tim.C2C(bob.user), "after")
	if got := textsOf(bob.read(talk, 10)); !slices.Equal(got, []string{"after"}) {
		s.Errorf("then bob reads %q", got)
	}
	if got := textsOf(alice.read(tim.C2C(bob.user), 10)); len(got) != 2 {
		s.Errorf("alice reads %q", got)
	}
}

func deleteTalk(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Eraser](bob)
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), group} {
		seen := conv
		if conv.Type == tim.ConvC2C {
			seen = tim.C2C(alice.user)
		}
		alice.say(conv, "before")
		if err := can.DeleteConversation(s.ctx(), seen); err != nil {
			s.Fatal(err)
		}
		if c, ok := bob.listed(seen); ok {
			s.Errorf("%s is still listed: %+v", seen, c)
		}
		if _, ok := alice.listed(conv); !ok {
			s.Errorf("%s is gone for alice", conv)
		}
		alice.say(conv, "after")
		if c, ok := bob.listed(seen); !ok || c.LastMsg == nil || textOf(*c.LastMsg) != "after" {
			s.Errorf("%s is listed as %+v, %v", seen, c, ok)
		}
		if got := textsOf(bob.read(seen, 10)); !slices.Equal(got, []string{"after"}) {
			s.Errorf("bob reads %q in %s", got, seen)
		}
	}
}

func deleteInRoom(s *scene) {
	alice := s.signIn("alice")
	can := able[tim.Eraser](alice)
	room := tim.Group(alice.create(tim.GroupAVChatRoom))
	alice.say(room, "x")
	s.refused("clearing an AVChatRoom", can.ClearHistory(s.ctx(), room), tim.CodeSvrGroupNotAllowRemoveMsg)
	s.refused("deleting in an AVChatRoom", can.DeleteMessages(s.ctx(), room, []tim.MsgLocator{{Seq: 1}}), tim.CodeSvrGroupNotAllowRemoveMsg)
}
