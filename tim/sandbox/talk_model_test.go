package sandbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/journal/journaltest"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

// The talk model is what is done to messages after they were sent, once more as
// simple as it can be said: random changes, marks, receipts and deletions of
// three users in a group and of two in a talk, with restarts, kills, power cuts
// and snapshots in between.
type talkModel struct {
	*rapid.T
	w       *world
	disk    *journaltest.FS
	devices map[tim.UserID]*device
	group   tim.GroupID
	talks   []*talkLog
	told    map[tim.UserID][]string          // what each is to be told beside messages, in order
	seen    map[tim.UserID]map[uint64]string // what each was told, by number
	made    int
}

// talkLog is one conversation.
type talkLog struct {
	users []tim.UserID
	conv  func(tim.UserID) tim.Conversation
	msgs  []*talkMsg // by sequence, from 1
	view  map[tim.UserID]*talkView
}

type talkMsg struct {
	seq     uint64
	sender  tim.UserID
	text    string
	version uint64
	tip     bool
	revoked bool
	wish    bool
	readers map[tim.UserID]bool
	quiet   bool // does not count as unread
	answer  tim.Message
}

// talkView is a conversation as one user has it.
type talkView struct {
	read    uint64
	gone    map[uint64]bool
	cleared uint64
	listed  bool
}

var talkUsers = []tim.UserID{"ann", "ben", "cid"}

func newTalkLog(users []tim.UserID, conv func(tim.UserID) tim.Conversation) *talkLog {
	l := &talkLog{users: users, conv: conv, view: map[tim.UserID]*talkView{}}
	for _, u := range users {
		l.view[u] = &talkView{gone: map[uint64]bool{}}
	}
	return l
}

// visible are the messages that a user still has, oldest first.
func (l *talkLog) visible(user tim.UserID) []*talkMsg {
	v := l.view[user]
	return slices.DeleteFunc(slices.Clone(l.msgs), func(m *talkMsg) bool { return v.gone[m.seq] || m.seq <= v.cleared })
}

func (l *talkLog) unread(user tim.UserID) (n uint64) {
	for _, m := range l.visible(user) {
		if m.seq > l.view[user].read && m.sender != user && !m.tip && !m.revoked && !m.quiet {
			n++
		}
	}
	return n
}

func (l *talkLog) post(m *talkMsg) {
	l.msgs = append(l.msgs, m)
	for _, v := range l.view {
		v.listed = true
	}
}

func TestTalkModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mode := rapid.SampledFrom(modes).Draw(rt, "delivery")
		clock := newClock()
		m := &talkModel{
			T: rt, disk: journaltest.NewFS(), devices: map[tim.UserID]*device{},
			told: map[tim.UserID][]string{}, seen: map[tim.UserID]map[uint64]string{},
		}
		m.w = &world{t: t, dir: "sandbox", o: options(clock.option, delivery(mode), func(o *sandbox.Options) {
			o.Limits.SnapshotBytes = 8 << 10
			o.Journal.SegmentBytes = 4 << 10
		})}
		m.start()
		defer func() { m.w.Close() }()
		m.group = m.as("ann").create(tim.CreateGroupParam{GroupType: tim.GroupPublic, Members: members("ben", "cid")})
		group := newTalkLog(talkUsers, func(tim.UserID) tim.Conversation { return tim.Group(m.group) })
		group.post(&talkMsg{seq: 1, tip: true, sender: tim.SystemUser})
		m.talks = []*talkLog{group, newTalkLog(talkUsers[:2], func(user tim.UserID) tim.Conversation {
			return tim.C2C(map[tim.UserID]tim.UserID{"ann": "ben", "ben": "ann"}[user])
		})}
		rt.Repeat(map[string]func(*rapid.T){
			"":         func(*rapid.T) { m.check() },
			"send":     m.send,
			"modify":   m.modify,
			"revoke":   m.revoke,
			"mark":     m.mark,
			"receipts": m.receipts,
			"delete":   m.erase,
			"clear":    m.clear,
			"snapshot": func(*rapid.T) { snapshot(m.w) },
			"restart":  func(*rapid.T) { m.cut(m.disk) },
			"kill":     func(*rapid.T) { m.cut(m.disk.Clone()) },
			"power cut": func(rt *rapid.T) {
				m.cut(m.disk.Crash(rapid.SampledFrom(journaltest.States(rapid.Uint64().Draw(rt, "seed"), 3)).Draw(rt, "left")))
			},
		})
		m.finish()
	})
}

func (m *talkModel) start() {
	m.w.o.Journal.FS = m.disk
	s, err := sandbox.Open(m.w.dir, m.w.o)
	if err != nil {
		m.Fatalf("open: %v", err)
	}
	m.w.Sandbox = s
}

func (m *talkModel) cut(left *journaltest.FS) {
	if err := m.w.Close(); err != nil {
		m.Fatalf("close: %v", err)
	}
	for user := range m.devices {
		m.note(user)
	}
	m.devices = map[tim.UserID]*device{}
	m.disk = left
	m.start()
}

func (m *talkModel) as(user tim.UserID) *device {
	if m.devices[user] == nil {
		d := m.w.client(user)
		d.login()
		m.devices[user] = d
	}
	return m.devices[user]
}

// pick draws a conversation and somebody in it.
func (m *talkModel) pick(rt *rapid.T) (*talkLog, tim.UserID, *device) {
	l := rapid.SampledFrom(m.talks).Draw(rt, "talk")
	user := rapid.SampledFrom(l.users).Draw(rt, "user")
	return l, user, m.as(user)
}

// message draws a message that a user has, of those that fit; nil: none.
func (m *talkModel) message(rt *rapid.T, l *talkLog, user tim.UserID, fits func(*talkMsg) bool) *talkMsg {
	list := slices.DeleteFunc(l.visible(user), func(x *talkMsg) bool { return x.tip || !fits(x) })
	if len(list) == 0 {
		return nil
	}
	return rapid.SampledFrom(list).Draw(rt, "message")
}

func (m *talkModel) must(what string, err error) {
	if err != nil {
		m.Fatalf("%s: %v", what, err)
	}
}

func (m *talkModel) tell(user tim.UserID, format string, args ...any) {
	m.told[user] = append(m.told[user], fmt.Sprintf(format, args...))
}

func (m *talkModel) send(rt *rapid.T) {
	l, user, d := m.pick(rt)
	m.made++
	x := &talkMsg{
		seq: uint64(len(l.msgs)) + 1, sender: user, text: fmt.Sprint("t", m.made),
		wish: rapid.Bool().Draw(rt, "wish"), quiet: rapid.IntRange(0, 4).Draw(rt, "quiet") == 0, readers: map[tim.UserID]bool{},
	}
	msg := text(x.text)
	msg.NeedReadReceipt, msg.IsExcludedFromUnreadCount = x.wish, x.quiet
	sent, err := d.Send(context.Background(), l.conv(user), msg)
	m.must("send", err)
	x.answer = sent
	l.post(x)
}

func (m *talkModel) modify(rt *rapid.T) {
	l, user, d := m.pick(rt)
	x := m.message(rt, l, user, func(x *talkMsg) bool { return !x.revoked })
	if x == nil {
		return
	}
	m.made++
	x.text = fmt.Sprint("c", m.made)
	x.version++
	conv := l.conv(user)
	got, err := d.Client.(tim.Modifier).ModifyMessage(context.Background(), tim.Message{
		ConvType: conv.Type, ConvID: conv.ID, Seq: x.seq, Elems: text(x.text).Elems,
	})
	m.must("modify", err)
	if got.Version != x.version {
		m.Fatalf("message %d has version %d, want %d", x.seq, got.Version, x.version)
	}
	for _, u := range l.users {
		m.tell(u, "modified %v %d v%d %s", l.conv(u), x.seq, x.version, x.text)
	}
}

func (m *talkModel) revoke(rt *rapid.T) {
	l, user, d := m.pick(rt)
	x := m.message(rt, l, user, func(x *talkMsg) bool { return !x.revoked && x.sender == user })
	if x == nil {
		return
	}
	m.must("revoke", d.Revoke(context.Background(), l.conv(user), x.answer.Locator()))
	x.revoked = true
	for _, u := range l.users {
		m.tell(u, "revoked %v %d", l.conv(u), x.seq)
	}
}

func (m *talkModel) mark(rt *rapid.T) {
	l, user, d := m.pick(rt)
	upTo := uint64(len(l.msgs))
	var named *tim.Message
	if x := m.message(rt, l, user, func(*talkMsg) bool { return true }); x != nil && rapid.Bool().Draw(rt, "named") {
		upTo, named = x.seq, &tim.Message{Seq: x.seq}
	}
	m.must("mark", d.Client.(tim.Reader).MarkRead(context.Background(), l.conv(user), named))
	v := l.view[user]
	if upTo <= v.read {
		return
	}
	theirs := false
	for _, x := range l.msgs[v.read:upTo] {
		theirs = theirs || x.sender != user
	}
	v.read = upTo
	if theirs && l.conv(user).Type == tim.ConvC2C {
		m.tell(tim.UserID(l.conv(user).ID), "read by %s", user)
	}
}

func (m *talkModel) receipts(rt *rapid.T) {
	l, user, d := m.pick(rt)
	x := m.message(rt, l, user, func(x *talkMsg) bool { return x.wish && x.sender != user })
	if x == nil {
		return
	}
	conv := l.conv(user)
	m.must("receipt", d.Client.(tim.Reader).SendReadReceipts(context.Background(), []tim.Message{{ConvType: conv.Type, ConvID: conv.ID, Seq: x.seq}}))
	if !x.readers[user] {
		x.readers[user] = true
		m.tell(x.sender, "receipt %s %d/%d", x.answer.MsgID, len(x.readers), len(l.users)-1-len(x.readers))
	}
}

func (m *talkModel) erase(rt *rapid.T) {
	l, user, d := m.pick(rt)
	x := m.message(rt, l, user, func(*talkMsg) bool { return true })
	if x == nil {
		return
	}
	locator := x.answer.Locator()
	locator.ConvID, locator.ConvType = "", 0 // it is the sender's
	m.must("delete", d.Client.(tim.Eraser).DeleteMessages(context.Background(), l.conv(user), []tim.MsgLocator{locator}))
	l.view[user].gone[x.seq] = true
}

func (m *talkModel) clear(rt *rapid.T) {
	l, user, d := m.pick(rt)
	v, can := l.view[user], d.Client.(tim.Eraser)
	if rapid.Bool().Draw(rt, "unlist") {
		m.must("delete the conversation", can.DeleteConversation(context.Background(), l.conv(user)))
		v.listed = false
	} else {
		m.must("clear", can.ClearHistory(context.Background(), l.conv(user)))
	}
	v.cleared = uint64(len(l.msgs))
}

// check compares what one user reads with the model.
func (m *talkModel) check() {
	if m.made == 0 {
		return
	}
	user := talkUsers[m.made%len(talkUsers)]
	d := m.as(user)
	list, err := d.Client.(tim.History).Conversations(context.Background())
	m.must("conversations", err)
	listed := map[tim.Conversation]tim.ConvInfo{}
	for _, c := range list {
		listed[c.Conversation()] = c
	}
	for _, l := range m.talks {
		v := l.view[user]
		if v == nil {
			continue
		}
		conv := l.conv(user)
		c, ok := listed[conv]
		if ok != v.listed {
			m.Fatalf("%s: %v is listed: %v", user, conv, ok)
		}
		if ok && c.UnreadNum != l.unread(user) {
			m.Fatalf("%s has %d unread in %v, want %d", user, c.UnreadNum, conv, l.unread(user))
		}
		want, got := l.visible(user), d.history(conv)
		slices.Reverse(got)
		if len(got) != len(want) {
			m.Fatalf("%s reads %d messages in %v, want %d", user, len(got), conv, len(want))
		}
		for i, x := range want {
			m.same(user, l, x, got[i])
		}
	}
}

// same compares a message with the model's.
func (m *talkModel) same(user tim.UserID, l *talkLog, x *talkMsg, got tim.Message) {
	if got.Seq != x.seq || !x.tip && (textIn(got) != x.text || got.Version != x.version) || (got.Status == tim.MsgRevoked) != x.revoked {
		m.Fatalf("%s reads %q, version %d, %v as %d; want %+v", user, textIn(got), got.Version, got.Status, got.Seq, x)
	}
	if x.tip {
		return
	}
	if want := x.sender == user || x.seq <= l.view[user].read; got.IsRead != want {
		m.Fatalf("%s: message %d is read: %v, want %v", user, x.seq, got.IsRead, want)
	}
	if x.wish && x.sender == user && got.ConvType == tim.ConvGroup &&
		(got.GroupReceiptReadCount != int64(len(x.readers)) || got.GroupReceiptUnreadCount != int64(len(l.users)-1-len(x.readers))) {
		m.Fatalf("message %d was read by %d, want %d", x.seq, got.GroupReceiptReadCount, len(x.readers))
	}
	if got.HasSentReceipt != x.readers[user] {
		m.Fatalf("%s has given a receipt for %d: %v", user, x.seq, got.HasSentReceipt)
	}
}

// note takes down what a device was told so far beside messages.
func (m *talkModel) note(user tim.UserID) {
	if m.seen[user] == nil {
		m.seen[user] = map[uint64]string{}
	}
	for _, r := range m.devices[user].reports() {
		s := ""
		switch e := r.Event.(type) {
		case tim.MessagesModified:
			x := e.Messages[0]
			// An older change may be told with what a later one has made of it
			// only where it is told again: the sandbox keeps each.
			s = fmt.Sprintf("modified %v %d v%d %s", x.Conversation(), x.Seq, x.Version, textIn(x))
		case tim.MessagesRevoked:
			s = fmt.Sprintf("revoked %v %d", e.Locators[0].Conversation(), e.Locators[0].Seq)
		case tim.MessagesRead:
			x := e.Receipts[0]
			if s = "read by " + x.ConvID; x.MsgID != "" {
				s = fmt.Sprintf("receipt %s %d/%d", x.MsgID, x.ReadCount, x.UnreadCount)
			}
		default:
			continue
		}
		if old, ok := m.seen[user][r.Number]; ok && old != s {
			m.Fatalf("%s is told %q as number %d, which was %q", user, s, r.Number, old)
		}
		m.seen[user][r.Number] = s
	}
}

// finish compares what everybody was told with the model.
func (m *talkModel) finish() {
	for _, user := range talkUsers {
		d := m.as(user)
		from := tim.UserID("fence-" + string(user))
		f := m.w.client(from)
		f.login()
		f.say(tim.C2C(user), "fence")
		d.message("fence")
		m.note(user)
		var got []string
		numbers := make([]uint64, 0, len(m.seen[user]))
		for n := range m.seen[user] {
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		for _, n := range numbers {
			got = append(got, m.seen[user][n])
		}
		if !slices.Equal(got, m.told[user]) {
			m.Fatalf("%s was told\n%s\nwant\n%s", user, strings.Join(got, "\n"), strings.Join(m.told[user], "\n"))
		}
	}
}
