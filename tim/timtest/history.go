package timtest

import (
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

var historyCases = []testCase{
	{"a one-to-one talk is read backwards page by page", 0, readC2C},
	{"a group is read backwards page by page, with its tips", 0, readGroup},
	{"reading goes on from any message", 0, readFromAny},
	{"a page has 20 messages by default, and 100 at most", 0, pageSizes},
	{"a talk that never was is empty", 0, readNothing},
	{"a group is read from when one joined", 0, readFromJoining},
	{"who is not a member does not read", 0, readOutside},
	{"conversations are listed with their last message, newest first", 0, listConversations},
}

// history skips the test where the driver cannot read it.
func (d *device) history() tim.History {
	h, ok := d.client.(tim.History)
	if !ok {
		d.s.Skip("this driver does not read history")
	}
	return h
}

// read reads a whole conversation in pages, oldest first.
func (d *device) read(conv tim.Conversation, page int) []tim.Message {
	d.s.Helper()
	h := d.history()
	var all []tim.Message
	var before *tim.Message
	for {
		list, err := h.Messages(d.s.ctx(), conv, tim.HistoryQuery{Before: before, Count: page})
		if err != nil {
			d.s.Fatalf("history: %v", err)
		}
		if len(list) > page {
			d.s.Fatalf("asked for %d messages, got %d", page, len(list))
		}
		all = append(all, list...)
		if len(list) < page {
			slices.Reverse(all)
			return all
		}
		before = &list[len(list)-1]
		if len(all) > 1000 {
			d.s.Fatal("history does not end")
		}
	}
}

func textsOf(list []tim.Message) (texts []string) {
	for _, m := range list {
		if t := textOf(m); t != "" {
			texts = append(texts, t)
		}
	}
	return texts
}

func readC2C(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	alice.history()
	var want []string
	var sent []tim.Message
	for i := range 25 {
		want = append(want, fmt.Sprint("text ", i))
		from, to := alice, bob
		if i%3 == 0 {
			from, to = bob, alice
		}
		sent = append(sent, from.say(tim.C2C(to.user), want[i]))
	}
	for _, page := range []int{1, 7, 25, 26} {
		if got := textsOf(alice.read(tim.C2C(bob.user), page)); !slices.Equal(got, want) {
			s.Errorf("in pages of %d alice reads %q", page, got)
		}
	}
	list := bob.read(tim.C2C(alice.user), 10)
	if !slices.Equal(textsOf(list), want) {
		s.Fatalf("bob reads %q", textsOf(list))
	}
	for i, m := range list {
		checkSame(s, sent[i], m)
		if m.Conversation() != tim.C2C(alice.user) || m.IsFromSelf != (i%3 == 0) {
			s.Errorf("bob reads message %d in %s, from self %v", i, m.Conversation(), m.IsFromSelf)
		}
	}
}

func readGroup(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	alice.history()
	id := alice.create(tim.GroupPrivate)
	group := tim.Group(id)
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprint("text ", i))
		alice.say(group, want[i])
		if i == 5 {
			if _, err := alice.invite(id, bob.user); err != nil {
				s.Fatal(err)
			}
		}
	}
	for _, page := range []int{1, 5, 50} {
		list := alice.read(group, page)
		if !slices.Equal(textsOf(list), want) {
			s.Errorf("in pages of %d: %q", page, textsOf(list))
		}
		tips := 0
		for i, m := range list {
			if m.Seq == 0 || i > 0 && m.Seq != list[i-1].Seq+1 || m.Conversation() != group {
				s.Errorf("in pages of %d message %d of %s has sequence %d", page, i, m.Conversation(), m.Seq)
			}
			if tip, ok := only[tim.GroupTipsElem](m); ok && tip.TipType == tim.GroupTipInvite {
				tips++
			}
		}
		if tips != 1 {
			s.Errorf("in pages of %d there are %d tips of the invitation", page, tips)
		}
	}
}

func readFromAny(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	h := alice.history()
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic, bob))} {
		var sent []tim.Message
		for i := range 10 {
			sent = append(sent, alice.say(conv, fmt.Sprint("text ", i)))
		}
		for i := range sent {
			// All that a query needs is in these fields.
			before := &tim.Message{Seq: sent[i].Seq}
			if conv.Type == tim.ConvC2C {
				before.ServerTime, before.Rand = sent[i].ServerTime, sent[i].Rand
			}
			list, err := h.Messages(s.ctx(), conv, tim.HistoryQuery{Before: before, Count: 3})
			if err != nil {
				s.Fatal(err)
			}
			var want []string
			for j := i - 1; j >= max(0, i-3); j-- {
				want = append(want, textOf(sent[j]))
			}
			if got := textsOf(list); !slices.Equal(got, want) {
				s.Errorf("in %s before message %d: %q, want %q", conv.Type, i, got, want)
			}
		}
	}
}

func pageSizes(s *scene) {
	alice := s.signIn("alice")
	h := alice.history()
	conv := tim.C2C(s.user("bob"))
	for i := range 105 {
		alice.say(conv, fmt.Sprint("text ", i))
	}
	for count, want := range map[int]int{0: 20, 1: 1, 100: 100} {
		if list, err := h.Messages(s.ctx(), conv, tim.HistoryQuery{Count: count}); err != nil || len(list) != want {
			s.Errorf("asked for %d: %d messages, %v", count, len(list), err)
		}
	}
	list, err := h.Messages(s.ctx(), conv, tim.HistoryQuery{Count: 1000})
	if err != nil || len(list) < 20 || len(list) > 100 {
		s.Errorf("asked for 1000: %d messages, %v", len(list), err)
	}
	if len(list) > 0 && textOf(list[0]) != "text 104" {
		s.Errorf("the newest is %q", textOf(list[0]))
	}
}

func readNothing(s *scene) {
	alice := s.signIn("alice")
	h := alice.history()
	if list, err := h.Messages(s.ctx(), tim.C2C(s.user("nobody")), tim.HistoryQuery{}); err != nil || len(list) != 0 {
		s.Errorf("%d messages, %v", len(list), err)
	}
	if list, err := h.Conversations(s.ctx()); err != nil || len(list) != 0 {
		s.Errorf("%d conversations, %v", len(list), err)
	}
}

func readFromJoining(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	bob.history()
	id := alice.create(tim.GroupPrivate)
	alice.say(tim.Group(id), "before")
	if _, err := alice.invite(id, bob.user); err != nil {
		s.Fatal(err)
	}
	alice.say(tim.Group(id), "after")
	bob.text(tim.Group(id), "after")
	if got := textsOf(bob.read(tim.Group(id), 20)); !slices.Equal(got, []string{"after"}) {
		s.Errorf("the new member reads %q", got)
	}
}

func readOutside(s *scene) {
	alice, mallory := s.signIn("alice"), s.signIn("mallory")
	h := mallory.history()
	id := alice.create(tim.GroupPublic)
	alice.say(tim.Group(id), "among us")
	if list, err := h.Messages(s.ctx(), tim.Group(id), tim.HistoryQuery{}); err == nil && len(list) > 0 {
		s.Errorf("the outsider reads %+v", list)
	}
}

func listConversations(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	h := alice.history()
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	// Each is the newest in its turn; the clock has seconds, so the order may
	// be told apart by nothing else than what was last.
	alice.say(tim.C2C(carol.user), "to carol")
	alice.say(group, "to the group")
	bob.say(tim.C2C(alice.user), "from bob")
	alice.text(tim.C2C(bob.user), "from bob")

	check := func(want ...string) {
		s.Helper()
		list, err := h.Conversations(s.ctx())
		if err != nil {
			s.Fatal(err)
		}
		var got []string
		for _, c := range list {
			if c.LastMsg == nil || !c.IsHasLastMsg {
				s.Errorf("%s has no last message", c.Conversation())
				continue
			}
			if c.LastMsg.Conversation() != c.Conversation() {
				s.Errorf("the last message of %s is in %s", c.Conversation(), c.LastMsg.Conversation())
			}
			if c.ConvType != tim.ConvSystem {
				got = append(got, c.Conversation().String()+": "+textOf(*c.LastMsg))
			}
		}
		if !slices.Equal(got, want) {
			s.Errorf("listed are %q, want %q", got, want)
		}
	}
	toBob, toGroup, toCarol := tim.C2C(bob.user).String(), group.String(), tim.C2C(carol.user).String()
	check(toBob+": from bob", toGroup+": to the group", toCarol+": to carol")
	alice.say(tim.C2C(carol.user), "to carol again")
	check(toCarol+": to carol again", toBob+": from bob", toGroup+": to the group")
}
