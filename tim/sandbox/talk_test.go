package sandbox_test

import (
	"slices"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

// TestTalkSurvives: what was done to messages, and what accounts say of
// themselves, is there after whatever happens.
func TestTalkSurvives(t *testing.T) {
	for name, again := range map[string]func(*world) *world{
		"close":              func(w *world) *world { w.reopen(); return w },
		"kill":               (*world).afterKill,
		"snapshot and close": func(w *world) *world { snapshot(w); w.reopen(); return w },
		"snapshot and kill":  func(w *world) *world { snapshot(w); return w.afterKill() },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, options())
			ann, ben := w.signIn("ann"), w.signIn("ben")
			group := tim.Group(ann.create(tim.CreateGroupParam{GroupType: tim.GroupPublic, Members: members("ben", "cid")}))
			wish := text("first")
			wish.NeedReadReceipt = true
			first := ann.post(group, wish)
			second := ann.say(group, "second")
			ann.say(group, "third")
			hey := text("hey")
			hey.GroupAtUsers = []tim.UserID{"ben"}
			ann.post(group, hey)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			change := tim.Message{ConvType: group.Type, ConvID: group.ID, Seq: first.Seq, Elems: text("changed").Elems}
			_, err := ann.Client.(tim.Modifier).ModifyMessage(ctx(t), change)
			must(err)
			read := ben.Client.(tim.Reader)
			must(read.SendReadReceipts(ctx(t), []tim.Message{first}))
			must(read.MarkRead(ctx(t), group, &first))
			must(ben.Client.(tim.Eraser).DeleteMessages(ctx(t), group, []tim.MsgLocator{second.Locator()}))
			nick := "Ben"
			must(ben.Client.(tim.Profiles).ModifyProfile(ctx(t), tim.UserProfileItem{NickName: &nick}))
			waitFor[tim.ProfilesChanged](ann)

			w = again(w)
			ann, ben = w.signIn("ann"), w.signIn("ben")
			var texts []string
			for _, m := range ben.history(group) {
				if s := textIn(m); s != "" {
					texts = append(texts, s)
				}
			}
			if !slices.Equal(texts, []string{"hey", "third", "changed"}) {
				t.Errorf("ben reads %q", texts)
			}
			list, err := ben.Client.(tim.History).Conversations(ctx(t))
			must(err)
			if len(list) != 1 || list[0].UnreadNum != 2 || list[0].GroupReadSequence != first.Seq || len(list[0].GroupAtInfo) != 1 {
				t.Errorf("ben's list is %+v", list)
			}
			receipts, err := ann.Client.(tim.Reader).ReadReceipts(ctx(t), []tim.Message{first})
			if err != nil || receipts[0].ReadCount != 1 || receipts[0].UnreadCount != 1 {
				t.Errorf("the receipts are %+v, %v", receipts, err)
			}
			all := ann.history(group)
			if m := all[len(all)-2]; m.Version != 1 || textIn(m) != "changed" || m.GroupReceiptReadCount != 1 {
				t.Errorf("ann reads %+v", m)
			}
			profiles, err := ann.Client.(tim.Profiles).Profiles(ctx(t), []tim.UserID{"ben"})
			if err != nil || profiles[0].NickName != "Ben" {
				t.Errorf("ben's profile is %+v, %v", profiles, err)
			}
			change.Elems, change.Version = text("changed again").Elems, 1
			if m, err := ann.Client.(tim.Modifier).ModifyMessage(ctx(t), change); err != nil || m.Version != 2 {
				t.Errorf("changed again: version %d, %v", m.Version, err)
			}
		})
	}
}

// TestChangesAreToldUntilAcknowledged: what is modified and read is told like
// messages are.
func TestChangesAreToldUntilAcknowledged(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := open(t, options(delivery(mode)))
			ann, ben := w.client("ann"), w.signIn("ben")
			ann.keep = true
			ann.login()
			m := ann.say(tim.C2C("ben"), "x")
			change := tim.Message{ConvType: tim.ConvC2C, ConvID: "ann", Seq: m.Seq, Elems: text("y").Elems}
			if _, err := ben.Client.(tim.Modifier).ModifyMessage(ctx(t), change); err != nil {
				t.Fatal(err)
			}
			if err := ben.Client.(tim.Reader).MarkRead(ctx(t), tim.C2C("ann"), nil); err != nil {
				t.Fatal(err)
			}
			waitFor[tim.MessagesRead](ann)
			first := ann.reports()
			ann.logout()
			snapshot(w)
			w.reopen()
			again := w.client("ann")
			again.login()
			w.signIn("ben").say(tim.C2C("ann"), "last")
			again.message("last")
			got := again.reports()
			if mode == "push" {
				if len(got) != 1 {
					t.Errorf("told again: %s", describe(got))
				}
				return
			}
			if len(got) != 3 || len(first) != 2 {
				t.Fatalf("told %s, then %s", describe(first), describe(got))
			}
			for i := range first {
				if got[i].Number != first[i].Number || got[i].Event.Callback() != first[i].Event.Callback() {
					t.Errorf("told again as number %d %s, want %d %s", got[i].Number, got[i].Event.Callback(), first[i].Number, first[i].Event.Callback())
				}
			}
		})
	}
}

// TestStatusOfOthersIsLive: who is online is told to those who are, and nobody else.
func TestStatusOfOthersIsLive(t *testing.T) {
	w := open(t, options())
	ann := w.signIn("ann")
	if err := ann.Client.(tim.Presence).SubscribeStatus(ctx(t), []tim.UserID{"ben"}); err != nil {
		t.Fatal(err)
	}
	w.signIn("ben")
	status := waitFor[tim.StatusesChanged](ann)
	if status.Statuses[0].StatusType != tim.UserStatusOnline {
		t.Errorf("told %+v", status)
	}
	for _, r := range ann.reports() {
		if _, ok := r.Event.(tim.StatusesChanged); ok && r.Number != 0 {
			t.Errorf("a status has the number %d", r.Number)
		}
	}
	// Another device of ben's takes the place of the first: nothing changes.
	w.signIn("ben", named("another"))
	w.signIn("cid").say(tim.C2C("ann"), "fence")
	ann.message("fence")
	n := 0
	for _, r := range ann.reports() {
		if _, ok := r.Event.(tim.StatusesChanged); ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("told %d times", n)
	}
	if w.Faults().Disconnect("ben", 0) != 1 {
		t.Error("ben was not cut off")
	}
	ann.wait("that ben is away", func(r tim.Report) bool {
		e, ok := r.Event.(tim.StatusesChanged)
		return ok && e.Statuses[0].StatusType == tim.UserStatusOffline
	})
	w.Faults().Reconnect("ben")
	if err := w.Faults().Kick("ben"); err != nil {
		t.Fatal(err)
	}
	list, err := ann.Client.(tim.Presence).Statuses(ctx(t), []tim.UserID{"ben"})
	if err != nil || list[0].StatusType != tim.UserStatusOffline {
		t.Errorf("who was kicked is %+v, %v", list, err)
	}
}
