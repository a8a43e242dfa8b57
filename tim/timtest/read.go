package timtest

import (
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

var readCases = []testCase{
	{"what was not read is counted, and a mark ends that", 0, unreadCounts},
	{"a mark up to a message leaves the later ones", 0, readUpTo},
	{"a mark does not go back", 0, readBack},
	{"the peer of a talk is told how far it was read", 0, peerTold},
	{"a mark that says nothing new tells nobody", 0, readTwice},
	{"what a message excludes from the count is not counted", 0, notCounted},
	{"mentions that were not read are listed", 0, mentions},
	{"a sender hears who has read a message in a group", 0, groupReceipts},
	{"a sender hears that a message was read in a talk", 0, talkReceipts},
	{"a receipt given twice counts once", 0, receiptTwice},
	{"a message without the wish has no receipt", 0, noReceipt},
	{"receipts are for stored messages and groups that are not too large", 0, receiptLimits},
}

func (d *device) mark(conv tim.Conversation, upTo *tim.Message) {
	d.s.Helper()
	if err := able[tim.Reader](d).MarkRead(d.s.ctx(), conv, upTo); err != nil {
		d.s.Fatalf("%s marks %s as read: %v", d.user, conv, err)
	}
}

// listed is a conversation as the device's account has it in its list.
func (d *device) listed(conv tim.Conversation) (tim.ConvInfo, bool) {
	d.s.Helper()
	list, err := d.history().Conversations(d.s.ctx())
	if err != nil {
		d.s.Fatalf("conversations: %v", err)
	}
	for _, c := range list {
		if c.Conversation() == conv {
			return c, true
		}
	}
	return tim.ConvInfo{}, false
}

func (d *device) unread(conv tim.Conversation, want uint64) {
	d.s.Helper()
	if c, _ := d.listed(conv); c.UnreadNum != want {
		d.s.Errorf("%s has %d unread messages in %s, want %d", d.user, c.UnreadNum, conv, want)
	}
}

func unreadCounts(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](bob)
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	talk := tim.C2C(alice.user)
	for i := range 3 {
		alice.say(tim.C2C(bob.user), fmt.Sprint(i))
		alice.say(group, fmt.Sprint(i))
	}
	bob.say(talk, "mine")
	bob.unread(talk, 3)
	bob.unread(group, 3)
	alice.unread(group, 0)
	bob.mark(talk, nil)
	bob.unread(talk, 0)
	bob.unread(group, 3)
	bob.mark(group, nil)
	bob.unread(group, 0)
	alice.say(group, "later")
	bob.unread(group, 1)
	for i, m := range bob.read(talk, 100) {
		if !m.IsRead {
			s.Errorf("message %d of the talk is not read", i)
		}
	}
}

func readUpTo(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](bob)
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), group} {
		seen := conv
		if conv.Type == tim.ConvC2C {
			seen = tim.C2C(alice.user)
		}
		alice.say(conv, "1")
		second := alice.say(conv, "2")
		alice.say(conv, "3")
		bob.mark(seen, &second)
		bob.unread(seen, 1)
	}
}

func readBack(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](bob)
	first := alice.say(tim.C2C(bob.user), "1")
	alice.say(tim.C2C(bob.user), "2")
	bob.mark(tim.C2C(alice.user), nil)
	bob.mark(tim.C2C(alice.user), &first)
	bob.unread(tim.C2C(alice.user), 0)
	bob.mark(tim.C2C(s.user("nobody")), nil) // nothing was said there
	missing := tim.Message{MsgID: "none"}
	s.refused("a mark up to a message that is not there",
		able[tim.Reader](bob).MarkRead(s.ctx(), tim.C2C(alice.user), &missing), tim.CodeSvrMsgNotFound)
}

// readOf waits to be told that somebody has read a talk.
func (d *device) readOf(peer tim.UserID) tim.MessageReceipt {
	d.s.Helper()
	e := event(d, "that "+string(peer)+" has read", func(e tim.MessagesRead) bool {
		return len(e.Receipts) == 1 && e.Receipts[0].Conversation() == tim.C2C(peer) && e.Receipts[0].MsgID == ""
	})
	return e.Receipts[0]
}

func peerTold(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](bob)
	first := alice.say(tim.C2C(bob.user), "1")
	bob.mark(tim.C2C(alice.user), &first)
	if r := alice.readOf(bob.user); r.TimeStamp != first.ServerTime || !r.IsPeerRead {
		s.Errorf("told %+v, the message is of %d", r, first.ServerTime)
	}
	alice.say(tim.C2C(bob.user), "2")
	list := alice.read(tim.C2C(bob.user), 100)
	if len(list) != 2 || !list[0].IsPeerRead || list[1].IsPeerRead {
		s.Errorf("of two messages the peer has read: %v, %v", list[0].IsPeerRead, list[1].IsPeerRead)
	}
}

// readEvents are how often the device was told that something was read.
func (d *device) readEvents() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, it := range d.items {
		if _, ok := it.report.Event.(tim.MessagesRead); ok {
			n++
		}
	}
	return n
}

func readTwice(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](bob)
	alice.say(tim.C2C(bob.user), "1")
	bob.mark(tim.C2C(alice.user), nil)
	bob.mark(tim.C2C(alice.user), nil)
	bob.say(tim.C2C(alice.user), "mine")
	bob.mark(tim.C2C(alice.user), nil) // only its own was new
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	alice.say(group, "x")
	bob.mark(group, nil)
	alice.readOf(bob.user)
	alice.fence()
	if n := alice.readEvents(); n != 1 {
		s.Errorf("told %d times", n)
	}
}

func notCounted(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](bob)
	talk := tim.C2C(alice.user)
	alice.say(tim.C2C(bob.user), "counts")
	quiet := textMessage("does not count")
	quiet.IsExcludedFromUnreadCount = true
	alice.send(tim.C2C(bob.user), quiet)
	hidden := textMessage("is not shown")
	hidden.ExcludedFromLastMessage = true
	alice.send(tim.C2C(bob.user), hidden)
	bob.unread(talk, 2)
	if c, _ := bob.listed(talk); c.LastMsg == nil || textOf(*c.LastMsg) != "does not count" {
		s.Errorf("the last message is %+v", c.LastMsg)
	}
	recalled := alice.say(tim.C2C(bob.user), "recalled")
	if err := alice.client.Revoke(s.ctx(), recalled.Conversation(), recalled.Locator()); err != nil {
		s.Fatal(err)
	}
	bob.unread(talk, 2)
}

func mentions(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	able[tim.Reader](bob)
	group := tim.Group(alice.create(tim.GroupPublic, bob, carol))
	say := func(users ...tim.UserID) tim.Message {
		m := textMessage("hey")
		m.GroupAtUsers = users
		return alice.send(group, m)
	}
	one := say(bob.user)
	say(carol.user)
	all := say(tim.AtAll)
	both := say(tim.AtAll, bob.user)
	c, _ := bob.listed(group)
	want := map[uint64]tim.GroupAtType{one.Seq: tim.GroupAtMe, all.Seq: tim.GroupAtAll, both.Seq: tim.GroupAtAllAndMe}
	for _, at := range c.GroupAtInfo {
		if want[at.Seq] != at.AtType {
			s.Errorf("the mention in %d is %v", at.Seq, at.AtType)
		}
		delete(want, at.Seq)
	}
	if len(want) > 0 {
		s.Errorf("not listed: %v", want)
	}
	got := bob.message("the mention", func(m tim.Message) bool { return m.Seq == both.Seq && m.Conversation() == group })
	if len(got.GroupAtUsers) != 2 || got.GroupAtUsers[1] != bob.user {
		s.Errorf("the receiver sees %v", got.GroupAtUsers)
	}
	bob.mark(group, nil)
	if c, _ := bob.listed(group); len(c.GroupAtInfo) != 0 {
		s.Errorf("after reading %v are listed", c.GroupAtInfo)
	}
	many := textMessage("all of you")
	for i := range 31 {
		many.GroupAtUsers = append(many.GroupAtUsers, tim.UserID(fmt.Sprint("u", i)))
	}
	_, err := alice.client.Send(s.ctx(), group, many)
	s.refused("31 mentions", err, tim.CodeSvrGroupAtCountLimit)
}

// wanting is a text whose sender wants to know who has read it.
func wanting(text string) tim.Message {
	m := textMessage(text)
	m.NeedReadReceipt = true
	return m
}

func (d *device) receipts(msgs ...tim.Message) {
	d.s.Helper()
	if err := able[tim.Reader](d).SendReadReceipts(d.s.ctx(), msgs); err != nil {
		d.s.Fatalf("%s gives receipts: %v", d.user, err)
	}
}

// receiptOf waits to be told of a message that it was read.
func (d *device) receiptOf(m tim.Message) tim.MessageReceipt {
	d.s.Helper()
	e := event(d, "a receipt for "+string(m.MsgID), func(e tim.MessagesRead) bool {
		return len(e.Receipts) == 1 && e.Receipts[0].MsgID == m.MsgID
	})
	return e.Receipts[0]
}

func groupReceipts(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	reader := able[tim.Reader](alice)
	group := tim.Group(alice.create(tim.GroupPublic, bob, carol))
	sent := alice.send(group, wanting("who?"))
	ask := func(read, unread uint64) {
		s.Helper()
		list, err := reader.ReadReceipts(s.ctx(), []tim.Message{sent})
		if err != nil || len(list) != 1 || list[0].MsgID != sent.MsgID || list[0].ReadCount != read || list[0].UnreadCount != unread {
			s.Errorf("asked: %+v, %v, want %d read and %d not", list, err, read, unread)
		}
	}
	ask(0, 2)
	for i, d := range []*device{bob, carol} {
		got := d.text(group, "who?")
		if !got.NeedReadReceipt {
			s.Errorf("%s does not see the wish", d.user)
		}
		d.receipts(got)
		r := alice.receiptOf(sent)
		if r.Conversation() != group || r.ReadCount != uint64(i+1) || r.UnreadCount != uint64(1-i) {
			s.Errorf("told %+v after %d", r, i+1)
		}
		ask(uint64(i+1), uint64(1-i))
	}
	list := alice.read(group, 100)
	if m := list[len(list)-1]; m.GroupReceiptReadCount != 2 || m.GroupReceiptUnreadCount != 0 {
		s.Errorf("the sender's history says %d and %d", m.GroupReceiptReadCount, m.GroupReceiptUnreadCount)
	}
	list = bob.read(group, 100)
	if m := list[len(list)-1]; !m.HasSentReceipt {
		s.Error("the reader's history does not say that a receipt was given")
	}
	_, err := able[tim.Reader](bob).ReadReceipts(s.ctx(), []tim.Message{bob.text2(group, "who?")})
	s.refused("asking of another's message", err, tim.CodeSvrGroupReceiptNotFound)
}

// text2 finds a text in history.
func (d *device) text2(conv tim.Conversation, text string) tim.Message {
	d.s.Helper()
	for _, m := range d.read(conv, 100) {
		if textOf(m) == text {
			return m
		}
	}
	d.s.Fatalf("%s does not find %q", d.user, text)
	return tim.Message{}
}

func talkReceipts(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](alice)
	sent := alice.send(tim.C2C(bob.user), wanting("read?"))
	bob.receipts(bob.text(tim.C2C(alice.user), "read?"))
	if r := alice.receiptOf(sent); r.Conversation() != tim.C2C(bob.user) || !r.IsPeerRead {
		s.Errorf("told %+v", r)
	}
	if m := alice.text2(tim.C2C(bob.user), "read?"); !m.ReceiptPeerRead {
		s.Error("the sender's history does not say so")
	}
}

func receiptTwice(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	able[tim.Reader](alice)
	group := tim.Group(alice.create(tim.GroupPublic, bob, carol))
	sent := alice.send(group, wanting("who?"))
	got := bob.text(group, "who?")
	bob.receipts(got)
	bob.receipts(got)
	bob.receipts(got, got)
	alice.receiptOf(sent)
	alice.fence()
	if n := alice.readEvents(); n != 1 {
		s.Errorf("told %d times", n)
	}
}

func noReceipt(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	reader := able[tim.Reader](alice)
	sent := alice.say(tim.C2C(bob.user), "plain")
	got := bob.text(tim.C2C(alice.user), "plain")
	s.refused("a receipt that nobody wants", able[tim.Reader](bob).SendReadReceipts(s.ctx(), []tim.Message{got}), tim.CodeSvrGroupReceiptNotFound)
	_, err := reader.ReadReceipts(s.ctx(), []tim.Message{sent})
	s.refused("asking for one", err, tim.CodeSvrGroupReceiptNotFound)
	_, err = reader.ReadReceipts(s.ctx(), make([]tim.Message, 31))
	s.refused("asking for 31", err, tim.CodeInvalidParameters)
	_, err = reader.ReadReceipts(s.ctx(), nil)
	s.refused("asking for none", err, tim.CodeInvalidParameters)
}

func receiptLimits(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Reader](alice)
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	online := wanting("now")
	online.IsOnlineMsg = true
	_, err := alice.client.Send(s.ctx(), group, online)
	s.refused("a receipt for a message that is not stored", err, tim.CodeSvrGroupReceiptOnlineMsg)
	room := tim.Group(alice.create(tim.GroupAVChatRoom))
	_, err = alice.client.Send(s.ctx(), room, wanting("who?"))
	s.refused("a receipt in a room that stores nothing", err, tim.CodeSvrGroupReceiptOnlineMsg)
	param := tim.CreateGroupParam{GroupName: "many", GroupType: tim.GroupPrivate}
	for i := range 100 {
		param.Members = append(param.Members, tim.GroupMemberInfo{Identifier: s.user(fmt.Sprint("m", i))})
	}
	id := alice.createWith(param)
	for from := 100; from < 200; from += 20 {
		invite := tim.GroupInviteMemberParam{GroupID: id}
		for i := range 20 {
			invite.Identifiers = append(invite.Identifiers, s.user(fmt.Sprint("m", from+i)))
		}
		if _, err := alice.client.InviteMembers(s.ctx(), invite); err != nil {
			s.Fatal(err)
		}
	}
	large := tim.Group(id)
	_, err = alice.client.Send(s.ctx(), large, wanting("who?"))
	s.refused("a receipt in a group of 201", err, tim.CodeSvrGroupReceiptMemberCountLimit)
}
