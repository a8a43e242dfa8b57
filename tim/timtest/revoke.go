package timtest

import (
	"time"

	"github.com/timbridge/timbridge/tim"
)

var revokeCases = []testCase{
	{"a one-to-one message is recalled for both", 0, revokeC2C},
	{"a group message is recalled for all", 0, revokeGroup},
	{"a message is recalled once", 0, revokeTwice},
	{"a message is recalled within its window", needAdvance, revokeLate},
	{"a message that does not exist is not recalled", 0, revokeUnknown},
	{"another's message is not recalled", 0, revokeOthers},
	{"a group's owner recalls a member's message", 0, revokeByOwner},
}

// The codes of one-to-one talks and of groups, which say the same.
var (
	revokedAlready = map[tim.ConvType]tim.Code{tim.ConvC2C: tim.CodeSvrMsgAlreadyRevoked, tim.ConvGroup: tim.CodeSvrGroupRevokeMsgDeny}
	revokeNotFound = map[tim.ConvType]tim.Code{tim.ConvC2C: tim.CodeSvrMsgNotFound, tim.ConvGroup: tim.CodeSvrGroupRevokeMsgNotFound}
)

func (d *device) revoke(m tim.Message) error {
	return d.client.Revoke(d.s.ctx(), m.Conversation(), m.Locator())
}

// revoked waits until the device is told that a message was recalled.
func (d *device) revoked(m tim.Message) {
	d.s.Helper()
	event(d, "that the message was recalled", func(e tim.MessagesRevoked) bool {
		for _, l := range e.Locators {
			if l.Seq == m.Seq && l.Rand == m.Rand && l.Time == m.ServerTime && l.Conversation() == m.Conversation() {
				return true
			}
		}
		return false
	})
}

// recalled checks that history shows a message as recalled, where there is history.
func (d *device) recalled(m tim.Message) {
	d.s.Helper()
	h, ok := d.client.(tim.History)
	if !ok {
		return
	}
	list, err := h.Messages(d.s.ctx(), m.Conversation(), tim.HistoryQuery{})
	if err != nil {
		d.s.Fatalf("history: %v", err)
	}
	for _, x := range list {
		if x.Seq == m.Seq && x.Rand == m.Rand && x.Status == tim.MsgRevoked {
			return
		}
	}
	d.s.Errorf("the history of %s does not show it as recalled: %+v", d.user, list)
}

func revokeC2C(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	sent := alice.say(tim.C2C(bob.user), "oops")
	got := bob.text(tim.C2C(alice.user), "oops")
	if err := alice.revoke(sent); err != nil {
		s.Fatal(err)
	}
	bob.revoked(got)
	alice.recalled(sent)
	bob.recalled(got)
}

func revokeGroup(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	group := tim.Group(alice.create(tim.GroupPublic, bob, carol))
	sent := bob.say(group, "oops")
	if err := bob.revoke(sent); err != nil {
		s.Fatal(err)
	}
	alice.revoked(sent)
	carol.revoked(sent)
	bob.recalled(sent)
	carol.recalled(sent)
	if next := bob.say(group, "next"); next.Seq != sent.Seq+1 {
		s.Errorf("a recalled message has sequence %d, the next one %d", sent.Seq, next.Seq)
	}
}

func revokeTwice(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic, bob))} {
		sent := alice.say(conv, "oops")
		if err := alice.revoke(sent); err != nil {
			s.Fatalf("in %s: %v", conv, err)
		}
		s.refused("again in "+conv.Type.String(), alice.revoke(sent), revokedAlready[conv.Type])
	}
}

func revokeLate(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	inTime := []tim.Message{alice.say(tim.C2C(bob.user), "in time"), alice.say(group, "in time")}
	s.h.Advance(110 * time.Second)
	for _, m := range inTime {
		if err := alice.revoke(m); err != nil {
			s.Errorf("in %s after 110 s: %v", m.ConvType, err)
		}
	}
	late := []tim.Message{alice.say(tim.C2C(bob.user), "late"), bob.say(group, "late")}
	s.h.Advance(125 * time.Second)
	s.refused("one-to-one after 125 s", alice.revoke(late[0]), tim.CodeSvrMsgRevokeTimeLimit)
	s.refused("in a group after 125 s", bob.revoke(late[1]), tim.CodeSvrGroupRevokeMsgTimeLimit)
}

func revokeUnknown(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic, bob))} {
		m := alice.say(conv, "exists")
		m.Seq += 1000
		m.Rand++
		s.refused("in "+conv.Type.String(), alice.revoke(m), revokeNotFound[conv.Type])
	}
	s.refused("in a group that does not exist", alice.client.Revoke(s.ctx(), tim.Group(tim.GroupID(s.prefix+"never")), tim.MsgLocator{Seq: 1}),
		tim.CodeSvrGroupNotFound)
}

func revokeOthers(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	alice.say(tim.C2C(bob.user), "mine")
	s.refused("one-to-one", bob.revoke(bob.text(tim.C2C(alice.user), "mine")), tim.CodeSvrMsgNotFound)
	group := tim.Group(alice.create(tim.GroupPublic, bob, carol))
	bob.say(group, "bob's")
	s.refused("a member in a group", carol.revoke(carol.text(group, "bob's")), deny)
	mallory := s.signIn("mallory")
	s.refused("an outsider of the group", mallory.revoke(carol.say(group, "carol's")), deny)
}

func revokeByOwner(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	sent := bob.say(group, "not nice")
	if err := alice.revoke(alice.text(group, "not nice")); err != nil {
		s.Fatal(err)
	}
	bob.revoked(sent)
}
