package ingress

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// ids are the ids of the facts in the journal, in order, without those of accounts.
func (r *rig) ids() []string {
	r.t.Helper()
	var out []string
	for _, e := range r.j.all() {
		if e.Kind == journal.KindFact {
			ev, err := mapping.Decode(e.Body)
			if err == nil && !strings.HasPrefix(ev.Type(), mapping.TypePrefix+"account.") {
				out = append(out, ev.ID())
			}
		}
	}
	return out
}

// inOrder says whether each of these ids is in the journal, in this order.
func (r *rig) inOrder(want ...string) {
	r.t.Helper()
	got := r.ids()
	at := -1
	for _, id := range want {
		i := slices.Index(got, id)
		if i < 0 || i <= at {
			r.t.Errorf("%s is not there, or not in its place, of %v in\n%s", id, want, strings.Join(got, "\n"))
			return
		}
		at = i
	}
}

// changed is a message after a modification.
func changed(m tim.Message, version uint64, text string) tim.Message {
	m.Version, m.Elems = version, []tim.Elem{tim.TextElem{Content: text}}
	return m
}

func TestWhatIsAboutAMessageComesAfterIt(t *testing.T) {
	for name, conv := range map[string]tim.Conversation{"c2c": tim.C2C(alice), "group": tim.Group(team)} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{})
				defer r.stop()
				r.signIn(bridge)
				// What the account sent is recorded by its outcome, which what
				// is told of it overtakes.
				mine := svc.send(bridge, conv, "mine")
				id := mapping.MessageID(bridge, mine)
				for range 2 {
					svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{changed(mine, 1, "better"), changed(mine, 2, "best")}})
					svc.tell(bridge, tim.MessagesRevoked{Locators: []tim.MsgLocator{mine.Locator()}})
				}
				r.settle()
				if got := r.ids(); len(got) != 0 {
					t.Errorf("recorded before the message: %v", got)
				}
				if s := r.in.Stats(); s.Waiting != 6 {
					t.Errorf("%d wait, want 6", s.Waiting)
				}
				if _, err := r.in.Post(context.Background(), postedFacts(t, bridge, mine), outcome("1")); err != nil {
					t.Fatal(err)
				}
				r.settle()
				r.inOrder(id, id+"/modified/1", id+"/modified/2", id+"/revoked")
				if got := r.ids(); len(got) != 4 {
					t.Errorf("recorded: %v", got)
				}
				if s := r.in.Stats(); s.Waiting != 0 || s.Repeats != 3 {
					t.Errorf("stats %+v", s)
				}
				r.checkReplay()
			})
		})
	}
}

func TestWhatIsAboutAMessageThatNeverComes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		old := svc.send(alice, tim.C2C(bridge), "before the bridge was there")
		inTeam := svc.send(alice, tim.Group(team), "before the bridge was there")
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		old.ConvID = string(alice)
		svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{changed(old, 1, "x"), changed(inTeam, 1, "y")}})
		r.settle()
		if got := r.ids(); len(got) != 0 {
			t.Errorf("not waited for: %v", got)
		}
		time.Sleep(DefaultGapWait + time.Millisecond)
		r.settle()
		r.inOrder("group/team/1/modified/1")
		r.inOrder(mapping.MessageID(bridge, old) + "/modified/1")
		if s := r.in.Stats(); s.Waiting != 0 {
			t.Errorf("%d wait", s.Waiting)
		}
		// One that is told again has been waited for before.
		svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{changed(old, 2, "z")}})
		time.Sleep(DefaultGapWait + time.Millisecond)
		r.settle()
		r.inOrder(mapping.MessageID(bridge, old) + "/modified/2")
		r.checkReplay()
	})
}

func TestWhatIsAboutAMessageInAGap(t *testing.T) {
	for name, lost := range map[string]bool{"that is read": false, "that is lost": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{})
				defer r.stop()
				r.signIn(bridge)
				var msgs []tim.Message
				for i := range 5 {
					msgs = append(msgs, svc.send(alice, tim.Group(team), fmt.Sprint(i)))
				}
				if lost {
					svc.convs["group/team"].deleted[2] = true
				}
				svc.deliver(bridge, 0, false) // 1
				svc.deliver(bridge, 2, false) // 4, while 2 and 3 are missing
				svc.tell(bridge, tim.MessagesRevoked{Locators: []tim.MsgLocator{msgs[1].Locator()}})
				svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{changed(msgs[3], 1, "3!")}})
				svc.tell(bridge, tim.MessagesRead{Receipts: []tim.MessageReceipt{{ConvType: tim.ConvGroup, ConvID: string(team), MsgID: "m4", ReadCount: 1}}})
				r.settle()
				if got := r.ids(); len(got) != 1 {
					t.Errorf("recorded: %v", got)
				}
				time.Sleep(time.Minute)
				r.settle()
				read := "group/team/read/m4/1-0"
				if lost {
					r.inOrder("group/team/1", "group/team/3", "group/team/4", "group/team/4/modified/1", read)
					r.inOrder("group/team/1", "group/team/2/revoked")
				} else {
					r.inOrder("group/team/1", "group/team/2", "group/team/2/revoked", "group/team/3", "group/team/4", "group/team/4/modified/1", read)
				}
				if s := r.in.Stats(); s.Waiting != 0 || (s.Gaps == 1) != lost {
					t.Errorf("stats %+v", s)
				}
				r.checkReplay()
			})
		})
	}
}

// everything is a report of each kind that is about no new message.
func everything(m tim.Message) []tim.Event {
	return []tim.Event{
		tim.MessagesModified{Messages: []tim.Message{changed(m, 3, "x")}},
		tim.MessagesRead{Receipts: []tim.MessageReceipt{
			{ConvType: tim.ConvC2C, ConvID: "alice", TimeStamp: 1_700_000_000, IsPeerRead: true},
			{ConvType: tim.ConvGroup, ConvID: "team", MsgID: "m1", ReadCount: 2, UnreadCount: 1},
		}},
		tim.GroupTipped{Tip: tim.GroupTipsElem{TipType: tim.GroupTipKick, GroupID: "team", OpUser: "alice", Users: []tim.UserID{"x"}, Time: 1_700_000_000}},
		tim.GroupTipped{Tip: tim.GroupTipsElem{TipType: tim.GroupTipInvite, GroupID: "team", OpUser: "alice", Users: []tim.UserID{"x"}}},
		tim.StatusesChanged{Statuses: []tim.UserStatus{{Identifier: "bob", StatusType: tim.UserStatusOnline}, {Identifier: "carol", StatusType: tim.UserStatusOffline}}},
		tim.ProfilesChanged{Profiles: []tim.UserProfile{{Identifier: "bob", NickName: "Bob"}}},
		tim.SelfProfileChanged{Profile: tim.UserProfile{Identifier: bridge, NickName: "Bridge"}},
		tim.UploadProgress{Message: m, Done: 1, Total: 2},
	}
}

func TestEverythingThatIsToldIsRecordedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer func() { r.stop() }()
		r.signIn(bridge)
		m := svc.send(alice, tim.C2C(bridge), "hi")
		m.ConvID, m.IsFromSelf = string(alice), false
		r.deliverAll(bridge)
		acked := map[int]int{}
		tellAll := func() {
			h := svc.accounts[bridge].handler
			for i, e := range everything(m) {
				h(tim.Report{Number: uint64(100 + i), Account: bridge, Event: e, Ack: func() { acked[i]++ }})
			}
			r.settle()
		}
		tellAll()
		want := map[string]int{
			mapping.TypeMessageModified: 1, mapping.TypeMessageRead: 2, mapping.TypeGroupMemberKicked: 1, mapping.TypeGroupMemberJoined: 1,
			mapping.TypeUserStatusChanged: 2, mapping.TypeUserProfileChanged: 2, mapping.TypeUnrecognized: 0,
		}
		check := func(times int) {
			t.Helper()
			for typ, n := range want {
				if got := facts(t, r.j.all(), typ); len(got) != n {
					t.Errorf("%d of %s, want %d", len(got), typ, n)
				}
			}
			for i := range everything(m) {
				if acked[i] != times {
					t.Errorf("report %d was acknowledged %d times, want %d", i, acked[i], times)
				}
			}
			r.checkReplay()
		}
		check(1)
		tellAll() // delivered again
		check(2)
		svc.cut(bridge)
		r.restart() // and to the next process
		r.signIn(bridge)
		tellAll()
		check(3)
		if s := r.in.Stats(); s.Reports["TIMMsgElemUploadProgressCallback"] != 1 || s.Unmappable != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestEveryNewFactTeachesTheSameFromTheJournal(t *testing.T) {
	in := New(Config{MaxEntryBytes: 2000}, Deps{App: testApp})
	acct := in.accountOf(bridge)
	m := tim.Message{ConvType: tim.ConvC2C, ConvID: "alice", Sender: "alice", Seq: 5, Rand: 6, ServerTime: 1_800_000_000}
	huge := everything(changed(m, 1, strings.Repeat("x", 3000)))[0].(tim.MessagesModified)
	huge.Messages[0].Elems = []tim.Elem{tim.TextElem{Content: strings.Repeat("x", 3000)}}
	events := append(everything(m), huge,
		tim.ProfilesChanged{Profiles: []tim.UserProfile{{Identifier: "bob", SelfSignature: strings.Repeat("x", 3000)}}},
		tim.MessagesModified{Messages: []tim.Message{{}}}, tim.MessagesRead{Receipts: []tim.MessageReceipt{{}}}, tim.GroupTipped{},
		tim.StatusesChanged{Statuses: []tim.UserStatus{{}}}, tim.ProfilesChanged{Profiles: []tim.UserProfile{{}}})
	for _, number := range []uint64{0, 9} {
		for _, e := range events {
			for _, u := range in.translate(acct, tim.Report{Number: number, Event: e}).units {
				for _, f := range u.facts {
					got, err := noteOfEntry(entryOf(f))
					if err != nil {
						t.Fatal(err)
					}
					if got != f.note {
						t.Errorf("%T, number %d: the journal teaches\n%+v, the report\n%+v\nof %.300s", e, number, got, f.note, f.body)
					}
				}
			}
		}
	}
}

func TestChangesWhileAwayAreFoundWhereHistoryIsRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		var c2c []tim.Message
		for i := range 5 {
			c2c = append(c2c, svc.send(alice, tim.C2C(bridge), fmt.Sprint("c", i)))
			svc.send(alice, tim.Group(team), fmt.Sprint("t", i))
		}
		quiet := svc.send("carol", tim.C2C(bridge), "nothing new is said here")
		r.deliverAll(bridge)
		before := len(r.ids())
		svc.cut(bridge)
		svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
		edit := func(key string, i int, change func(*tim.Message)) {
			m := &svc.convs[key].msgs[i]
			change(m)
		}
		modify := func(m *tim.Message) { *m = changed(*m, 1, "other") }
		revoke := func(m *tim.Message) { m.Status = tim.MsgRevoked }
		edit("c2c/alice/bridge", 1, modify)
		edit("c2c/alice/bridge", 3, revoke)
		edit("group/team", 0, revoke)
		edit("group/team", 4, modify)
		edit("c2c/bridge/carol", 0, modify) // its last message: the list shows it
		svc.send(alice, tim.C2C(bridge), "new")
		svc.send(alice, tim.Group(team), "new")
		svc.cut(bridge)
		svc.signIn(bridge, svc.accounts[bridge].handler)
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.settle()
		want := []string{
			mapping.MessageID(alice, c2c[1]) + "/modified/1", mapping.MessageID(alice, c2c[3]) + "/revoked",
			"group/team/1/revoked", "group/team/5/modified/1", mapping.MessageID("carol", quiet) + "/modified/1",
		}
		got := r.ids()[before:]
		for _, id := range want {
			if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != id })); n != 1 {
				t.Errorf("%s is there %d times in %v", id, n, got)
			}
		}
		if len(got) != len(want)+2 {
			t.Errorf("recorded: %v", got)
		}
		if s := r.in.Stats(); s.Late != 0 || s.Gaps != 0 {
			t.Errorf("stats %+v", s)
		}
		// Told after all, they are repeats.
		m := svc.convs["c2c/alice/bridge"].seenBy(bridge, changed(c2c[1], 1, "other"))
		svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{m}})
		r.settle()
		if n := len(r.ids()); n != before+len(want)+2 {
			t.Errorf("%d facts", n)
		}
		r.checkReplay()
	})
}

func TestAMessageThatWasModifiedBeforeItWasSeen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer r.stop()
		r.signIn(bridge)
		svc.cut(bridge)
		svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
		m := svc.send(alice, tim.C2C(bridge), "first")
		svc.convs["c2c/alice/bridge"].msgs[0] = changed(m, 2, "second")
		svc.signIn(bridge, svc.accounts[bridge].handler)
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.settle()
		r.wantSaid("second")
		id := mapping.MessageID(alice, m)
		r.inOrder(id, id+"/modified/2")
		r.checkReplay()
	})
}

func TestWhatIsAboutMessagesIsHeldWithinBounds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{MaxHeld: 10})
		defer r.stop()
		svc.signIn(bridge, r.in.Handler(bridge)) // nothing flows before the catch-up
		for i := range 100 {
			m := tim.Message{ConvType: tim.ConvC2C, ConvID: "alice", Sender: "alice", Seq: uint64(i), Rand: 7, ServerTime: 1_700_000_000}
			svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{changed(m, 1, "x")}})
		}
		r.settle()
		if held := r.in.Stats().Accounts[bridge].Held; held != 10*maxHeldAbout {
			t.Errorf("%d are held", held)
		}
		time.Sleep(time.Minute)
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := facts(t, r.j.all(), mapping.TypeMessageModified); len(got) != 100 {
			t.Errorf("%d of 100", len(got))
		}
	})
}

// busy says that the bridge is sending in one conversation.
type busy struct{ conv tim.Conversation }

func (busy) CauseOf(tim.UserID, tim.Conversation, uint64, tim.MessageID) *mapping.Cause { return nil }
func (b busy) Sending(account tim.UserID, conv tim.Conversation) bool {
	return account == bridge && conv == b.conv
}

func TestAReadMarkOfWhatIsBeingSent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := &rig{t: t, j: newMemJournal(), svc: svc}
		r.startWith(Deps{Causes: busy{tim.C2C(alice)}})
		defer r.stop()
		r.signIn(bridge)
		mine := svc.send(bridge, tim.C2C(alice), "mine")
		receipt := func(user tim.UserID, at uint64) tim.MessagesRead {
			return tim.MessagesRead{Receipts: []tim.MessageReceipt{{ConvType: tim.ConvC2C, ConvID: string(user), TimeStamp: at, IsPeerRead: true}}}
		}
		svc.tell(bridge, receipt(alice, 5)) // she was faster than the outcome
		svc.tell(bridge, receipt("carol", 5))
		r.settle()
		if got := r.ids(); !slices.Equal(got, []string{"c2c/bridge/carol/read/carol/5"}) {
			t.Errorf("recorded: %v", got)
		}
		if _, err := r.in.Post(context.Background(), postedFacts(t, bridge, mine), outcome("1")); err != nil {
			t.Fatal(err)
		}
		r.settle()
		r.inOrder(mapping.MessageID(bridge, mine), "c2c/alice/bridge/read/alice/5")
		svc.tell(bridge, receipt(alice, 6)) // nothing comes of what is being sent
		time.Sleep(DefaultGapWait + time.Millisecond)
		r.settle()
		r.inOrder("c2c/alice/bridge/read/alice/5", "c2c/alice/bridge/read/alice/6")
		if s := r.in.Stats(); s.Waiting != 0 {
			t.Errorf("%d wait", s.Waiting)
		}
		r.checkReplay()
	})
}
