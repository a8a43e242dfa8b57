package timtest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
)

var messageCases = []testCase{
	{"a text from one to another, in the eyes of both", 0, oneToOne},
	{"a text in a group, in the eyes of all", 0, inGroup},
	{"elements keep their order and everything in them", 0, elements},
	{"the message given is not changed", 0, notChanged},
	{"a group's messages are counted without gaps", 0, groupSequence},
	{"one-to-one messages are ordered by time and sequence", 0, c2cOrder},
	{"a random sent again gives the first result", 0, sentAgain},
	{"a random is one sender's in one conversation", 0, randomsScope},
	{"a random sent again after the window is a new message", needAdvance, sentAfterWindow},
	{"a message to nobody is refused", 0, toNobody},
	{"a message of nothing is refused", 0, ofNothing},
	{"what only the service says cannot be sent", 0, serviceOnly},
	{"a message for some of a group is never told to all", 0, forSome},
}

func oneToOne(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	before := time.Now().Unix()
	sent := alice.send(tim.C2C(bob.user), tim.Message{
		Elems: []tim.Elem{tim.TextElem{Content: "你好 👋"}}, CloudCustomStr: `{"trace":1}`,
	})
	got := bob.text(tim.C2C(alice.user), "你好 👋")

	if sent.Conversation() != tim.C2C(bob.user) || !sent.IsFromSelf || sent.Sender != alice.user {
		s.Errorf("the sender sees it in %s, from %q, from self %v", sent.Conversation(), sent.Sender, sent.IsFromSelf)
	}
	if got.IsFromSelf || got.Sender != alice.user {
		s.Errorf("the receiver sees it from %q, from self %v", got.Sender, got.IsFromSelf)
	}
	checkStored(s, sent)
	checkSame(s, sent, got)
	if got.CloudCustomStr != `{"trace":1}` {
		s.Errorf("the receiver sees the custom string %q", got.CloudCustomStr)
	}
	if s.h.Advance == nil && int64(sent.ServerTime) < before-5 {
		s.Errorf("the server time is %d, now is %d", sent.ServerTime, before)
	}
}

// checkStored checks that a message has what the service gives it.
func checkStored(s *scene, m tim.Message) {
	s.Helper()
	if m.MsgID == "" || m.Seq == 0 || m.Rand == 0 || m.ServerTime == 0 || m.Status != tim.MsgSendSucc {
		s.Errorf("id %q, seq %d, rand %d, server time %d, status %v", m.MsgID, m.Seq, m.Rand, m.ServerTime, m.Status)
	}
}

// checkSame checks that two views are of one message.
func checkSame(s *scene, a, b tim.Message) {
	s.Helper()
	if a.MsgID != b.MsgID || a.Seq != b.Seq || a.Rand != b.Rand || a.ServerTime != b.ServerTime || a.Sender != b.Sender {
		s.Errorf("one sees %s seq %d rand %d time %d from %s, the other %s seq %d rand %d time %d from %s",
			a.MsgID, a.Seq, a.Rand, a.ServerTime, a.Sender, b.MsgID, b.Seq, b.Rand, b.ServerTime, b.Sender)
	}
}

func inGroup(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	group := tim.Group(alice.create(tim.GroupPublic, bob, carol))
	sent := bob.say(group, "hello all")
	checkStored(s, sent)
	if sent.Conversation() != group || !sent.IsFromSelf || sent.Sender != bob.user {
		s.Errorf("the sender sees it in %s from %q, from self %v", sent.Conversation(), sent.Sender, sent.IsFromSelf)
	}
	for _, d := range []*device{alice, carol} {
		got := d.text(group, "hello all")
		checkSame(s, sent, got)
		if got.IsFromSelf {
			s.Errorf("%s sees it as its own", d.user)
		}
	}
	bob.fence()
	if n := bob.count(func(m tim.Message) bool { return textOf(m) == "hello all" }); n != 0 {
		s.Errorf("the sender was told its own message %d times", n)
	}
}

func elements(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	elems := []tim.Elem{
		tim.TextElem{Content: "a \"quoted\"\ttext\u0001 with <tags> & \u2028"},
		tim.CustomElem{Data: `{"order":17}`, Desc: "order", Ext: "e", Sound: "s"},
		tim.UnknownElem{Type: 99, Raw: json.RawMessage(`{"elem_type":99,"new_elem_list":[1,{"deep":null}],"new_elem_big":18446744073709551615}`)},
		tim.TextElem{Content: ""},
		tim.TextElem{Content: "last", Extra: map[string]json.RawMessage{"text_elem_newer": json.RawMessage(`{"x":1.5}`)}},
	}
	sent := alice.send(tim.C2C(bob.user), tim.Message{Elems: elems})
	got := bob.message("the message", func(m tim.Message) bool { return m.Sender == alice.user })
	checkSame(s, sent, got)
	if diff := differ(elems, got.Elems); diff != "" {
		s.Errorf("the receiver sees %s", diff)
	}
	if diff := differ(elems, sent.Elems); diff != "" {
		s.Errorf("the sender sees %s", diff)
	}
}

// differ compares elements as JSON, in which the order of keys is no matter.
func differ(want, got []tim.Elem) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d elements, want %d", len(got), len(want))
	}
	for i := range want {
		w, _ := json.Marshal(want[i])
		g, err := json.Marshal(got[i])
		var wv, gv any
		if err != nil || json.Unmarshal(w, &wv) != nil || json.Unmarshal(g, &gv) != nil || !reflect.DeepEqual(wv, gv) {
			return fmt.Sprintf("element %d as %s, want %s", i, g, w)
		}
	}
	return ""
}

func notChanged(s *scene) {
	alice := s.signIn("alice")
	msg := textMessage("mine")
	sent := alice.send(tim.C2C(s.user("x")), msg)
	if !reflect.DeepEqual(msg, textMessage("mine")) {
		s.Errorf("the message given is now %+v", msg)
	}
	sent.Elems[0] = tim.TextElem{Content: "changed"}
	if textOf(msg) != "mine" {
		s.Error("the message returned shares its elements with the one given")
	}
}

func groupSequence(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	first := alice.say(group, "first")
	const each, senders = 5, 4 // fewer than the 40 a second that a group takes
	var mu sync.Mutex
	var seqs []uint64
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				from := []*device{alice, bob}[i%2]
				m, err := from.client.Send(s.ctx(), group, textMessage(fmt.Sprintf("%d/%d", i, j)))
				if err != nil {
					s.Errorf("send: %v", err)
					return
				}
				mu.Lock()
				seqs = append(seqs, m.Seq)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(seqs)
	for i, seq := range seqs {
		if want := first.Seq + 1 + uint64(i); seq != want {
			s.Fatalf("the sequences after %d are %v", first.Seq, seqs)
		}
	}
	last := alice.say(group, "last")
	bob.text(group, "last")
	var told []uint64
	for _, it := range bob.items {
		if it.msg != nil && it.msg.Conversation() == group {
			told = append(told, it.msg.Seq)
		}
	}
	if !slices.IsSorted(told) || slices.Contains(told, 0) || last.Seq != first.Seq+1+each*senders {
		s.Errorf("told in the order %v; the last is %d", told, last.Seq)
	}
}

func c2cOrder(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	var last tim.Message
	for i := range 20 {
		m := alice.say(tim.C2C(bob.user), fmt.Sprint(i))
		if m.ServerTime < last.ServerTime || m.ServerTime == last.ServerTime && m.Seq <= last.Seq {
			s.Errorf("time %d seq %d comes after time %d seq %d", m.ServerTime, m.Seq, last.ServerTime, last.Seq)
		}
		if i > 0 && m.MsgID == last.MsgID {
			s.Errorf("two messages have the id %s", m.MsgID)
		}
		last = m
	}
}

// resender skips the test where the driver chooses randoms itself.
func resender(s *scene, d *device) tim.Resender {
	r, ok := d.client.(tim.Resender)
	if !ok {
		s.Skip("this driver chooses the random itself")
	}
	return r
}

func sentAgain(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	r := resender(s, alice)
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic, bob))} {
		if r.ResendWindow(conv.Type) < time.Second {
			s.Errorf("the window for %v is %v", conv.Type, r.ResendWindow(conv.Type))
		}
		msg := textMessage("once in " + conv.Type.String())
		msg.Rand = 2130485001
		first := alice.send(conv, msg)
		if first.Rand != msg.Rand {
			s.Errorf("sent with random %d, stored with %d", msg.Rand, first.Rand)
		}
		second := alice.send(conv, msg)
		checkSame(s, first, second)
		checkStored(s, second)
		bob.fence()
		if n := bob.count(func(m tim.Message) bool { return m.Rand == msg.Rand && m.ConvType == conv.Type }); n != 1 {
			s.Errorf("the receiver was told %d times", n)
		}
	}
}

func randomsScope(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	resender(s, alice)
	msg := textMessage("same random")
	msg.Rand = 77
	alice.send(tim.C2C(bob.user), msg)
	alice.send(tim.C2C(carol.user), msg)
	bob.text(tim.C2C(alice.user), "same random")
	carol.text(tim.C2C(alice.user), "same random")
	bob.send(tim.C2C(alice.user), msg)
	alice.text(tim.C2C(bob.user), "same random")
	again := textMessage("another random")
	again.Rand = 78
	alice.send(tim.C2C(bob.user), again)
	bob.text(tim.C2C(alice.user), "another random")
}

func sentAfterWindow(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	r := resender(s, alice)
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), group} {
		msg := textMessage("twice in " + conv.Type.String())
		msg.Rand = 99
		first := alice.send(conv, msg)
		s.h.Advance(r.ResendWindow(conv.Type) - 5*time.Second)
		checkSame(s, first, alice.send(conv, msg))
		s.h.Advance(10 * time.Second) // the window counts from the first
		if second := alice.send(conv, msg); second.Seq == first.Seq && second.ServerTime == first.ServerTime {
			s.Errorf("in %s the first is still remembered", conv)
		}
		bob.fence()
		if n := bob.count(func(m tim.Message) bool { return textOf(m) == textOf(msg) }); n != 2 {
			s.Errorf("in %s the receiver was told %d times", conv, n)
		}
	}
}

func toNobody(s *scene) {
	alice := s.signIn("alice")
	for conv, code := range map[tim.Conversation]tim.Code{
		{}:                              tim.CodeInvalidConversation,
		{Type: tim.ConvSystem, ID: "x"}: tim.CodeInvalidConversation,
		{Type: 17, ID: "x"}:             tim.CodeInvalidConversation,
		{Type: tim.ConvC2C}:             tim.CodeToUserInvalid,
		tim.C2C(tim.SystemUser):         tim.CodeToUserInvalid,
		{Type: tim.ConvGroup}:           tim.CodeSvrGroupInvalidGroupID,
	} {
		_, err := alice.client.Send(s.ctx(), conv, textMessage("x"))
		s.refused(fmt.Sprintf("to %q", conv), err, code)
	}
}

func ofNothing(s *scene) {
	alice := s.signIn("alice")
	_, err := alice.client.Send(s.ctx(), tim.C2C(s.user("x")), tim.Message{})
	s.refused("no elements", err, tim.CodeInvalidMsgElem)
}

func serviceOnly(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	for _, e := range []tim.Elem{tim.GroupTipsElem{TipType: tim.GroupTipInvite, GroupID: "g"}, tim.GroupReportElem{ReportType: tim.GroupReportDelete, GroupID: "g"}} {
		_, err := alice.client.Send(s.ctx(), tim.C2C(bob.user), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "x"}, e}})
		s.refused(e.ElemType().String(), err, tim.CodeInvalidMsgElem)
	}
	bob.fence()
	if n := bob.count(func(m tim.Message) bool { return m.Sender == alice.user }); n != 0 {
		s.Errorf("the receiver was told %d messages", n)
	}
}

func forSome(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	group := tim.Group(alice.create(tim.GroupPublic, bob, carol))
	msg := textMessage("for bob alone")
	msg.TargetGroupMembers = []tim.UserID{bob.user}
	if _, err := alice.client.Send(s.ctx(), group, msg); err != nil {
		s.refused("a service that does not offer it", err, tim.CodeSvrGroupPlanRequired)
	}
	carol.fence()
	if n := carol.count(func(m tim.Message) bool { return textOf(m) == "for bob alone" }); n != 0 {
		s.Error("another member was told")
	}
}
