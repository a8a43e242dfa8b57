package ingress

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// about are the ids of what is recorded about messages, in order.
func (r *rig) about() []string {
	r.t.Helper()
	return slices.DeleteFunc(r.ids(), func(id string) bool {
		return !strings.Contains(id, "/revoked") && !strings.Contains(id, "/modified/") && !strings.Contains(id, "/read/")
	})
}

func (r *rig) wantAbout(want ...string) {
	r.t.Helper()
	got := slices.Sorted(slices.Values(r.about()))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Errorf("recorded:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWhatChangedWhileAway: what became of messages is found in history, though
// nothing was said since, and told once.
func TestWhatChangedWhileAway(t *testing.T) {
	for name, leave := range map[string]func(r *rig){
		"killed":       func(r *rig) { r.restart() },
		"disconnected": func(r *rig) { r.svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected}) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{})
				defer func() { r.stop() }()
				r.signIn(bridge)
				var talk, group []tim.Message
				for i := range 150 {
					talk = append(talk, svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i)))
					group = append(group, svc.send(alice, tim.Group(team), fmt.Sprint("g", i)))
					r.deliverAll(bridge)
				}
				time.Sleep(10 * time.Minute)
				r.settle()
				svc.cut(bridge)
				gone := time.Now()
				leave(r)
				time.Sleep(3 * time.Minute)
				var want []string
				for _, said := range [][]tim.Message{talk, group} {
					svc.amend(said[0], revoke)
					svc.amend(said[1], modify(2, "other words"))
					svc.amend(said[2], modify(1, "words that are recalled"))
					svc.amend(said[2], revoke)
					id := func(i int) string { return mapping.MessageID(alice, said[i]) }
					want = append(want, id(0)+"/revoked", id(1)+"/modified/2", id(2)+"/modified/1", id(2)+"/revoked")
				}
				r.signIn(bridge)
				r.settle()
				r.wantAbout(want...)
				if n := len(said(t, r.j.all())); n != 300 {
					t.Errorf("%d messages, want 300", n)
				}
				gaps := absences(t, r.j.all())
				if len(gaps) != 1 {
					t.Fatalf("gaps: %+v", gaps)
				}
				g := gaps[0]
				if g.Subject != "account/bridge" || g.From.After(gone) || gone.Sub(g.From) > 2*time.Minute+time.Second || g.To.Before(time.Now()) || time.Until(g.To) > 2*time.Second {
					t.Errorf("gone %v, back %v: %+v", gone.UTC(), time.Now().UTC(), g)
				}
				if !g.ChangesFrom.Equal(g.From.Add(-DefaultChangeWindow)) || !slices.Contains(g.Covers, "message.read") || !slices.Contains(g.Covers, "user.status_changed") {
					t.Errorf("told: %+v", g)
				}
				// The next absence finds nothing new.
				svc.cut(bridge)
				leave(r)
				r.signIn(bridge)
				r.settle()
				r.wantAbout(want...)
				if s := r.in.Stats(); s.Gaps != 0 || s.Late != 0 {
					t.Errorf("%+v", s)
				}
				r.checkReplay()
			})
		})
	}
}

// TestAServiceThatKeepsItsReportsIsNotReadAgain: nothing was missed, and history
// is not asked.
func TestAServiceThatKeepsItsReportsIsNotReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer func() { r.stop() }()
		r.signIn(bridge)
		svc.send(alice, tim.Group(team), "1")
		r.deliverAll(bridge)
		svc.cut(bridge)
		r.restart()
		calls := svc.calls()
		r.signIn(bridge)
		if n := svc.calls() - calls; n != 1 {
			t.Errorf("%d calls, want 1: the list", n)
		}
		if gaps := absences(t, r.j.all()); len(gaps) != 0 {
			t.Errorf("told: %+v", gaps)
		}
	})
}

// TestAFirstSignInWasNeverAway: there was nothing to miss.
func TestAFirstSignInWasNeverAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer r.stop()
		svc.send(alice, tim.C2C(bridge), "before")
		if err := r.in.Announce(context.Background(), bridge); err != nil {
			t.Fatal(err)
		}
		r.signIn(bridge)
		r.settle()
		if gaps := absences(t, r.j.all()); len(gaps) != 0 || svc.calls() != 1 {
			t.Errorf("%d calls, told: %+v", svc.calls(), gaps)
		}
	})
}

// TestChangesOfOldMessagesAreNotLookedFor: the window is kept, and told.
func TestChangesOfOldMessagesAreNotLookedFor(t *testing.T) {
	for name, window := range map[string]time.Duration{"some": 30 * time.Minute, "none": -1} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				r := newRig(t, svc, Config{ChangeWindow: window})
				defer func() { r.stop() }()
				r.signIn(bridge)
				said := map[string]tim.Message{}
				for _, when := range []string{"old", "young"} {
					for i := range pageSize * 3 / 4 { // the first is on a page of its own
						m := svc.send(alice, tim.C2C(bridge), fmt.Sprint(when, i))
						if i == 0 || when == "young" {
							said[when] = m
						}
						r.deliverAll(bridge)
					}
					if when == "old" {
						svc.send(bob, tim.C2C(bridge), "and no more")
						r.deliverAll(bridge)
						time.Sleep(time.Hour)
					}
				}
				svc.cut(bridge)
				r.restart()
				svc.amend(said["old"], revoke)
				svc.amend(said["young"], revoke)
				calls := svc.calls()
				r.signIn(bridge)
				r.settle()
				from := absences(t, r.j.all())[0].ChangesFrom
				id := mapping.MessageID(alice, said["young"]) + "/revoked"
				if window < 0 {
					// The last message of the list says it by itself.
					r.wantAbout(id)
					if n := svc.calls() - calls; n != 1 || !from.IsZero() {
						t.Errorf("%d calls, looked at from %v", n, from)
					}
					return
				}
				r.wantAbout(id)
				if n := svc.calls() - calls; n != 2 { // the list, and a page of one talk
					t.Errorf("%d calls", n)
				}
				if from.Before(time.Unix(int64(said["old"].ServerTime), 0)) || from.After(time.Unix(int64(said["young"].ServerTime), 0)) {
					t.Errorf("looked at from %v", from)
				}
			})
		})
	}
}

// TestChangesComeOnceWhateverIsReportedMeanwhile: a live report of a change that
// history shows too, and of a later one.
func TestChangesComeOnceWhateverIsReportedMeanwhile(t *testing.T) {
	for name, conv := range map[string]tim.Conversation{"c2c": tim.C2C(bridge), "group": tim.Group(team)} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{})
				defer func() { r.stop() }()
				r.signIn(bridge)
				var list []tim.Message
				for i := range 5 {
					list = append(list, svc.send(alice, conv, fmt.Sprint(i)))
					r.deliverAll(bridge)
				}
				svc.cut(bridge)
				r.restart()
				svc.slow(time.Second)
				seen := func(m tim.Message) tim.Message {
					if conv.Type == tim.ConvC2C {
						m.ConvID = string(alice)
					}
					m.IsFromSelf = false
					return m
				}
				svc.signIn(bridge, r.in.Handler(bridge))
				caught := make(chan error, 1)
				go func() {
					caught <- r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{})
				}()
				// 0: changed while away, and again after. 1: changed twice after
				// the sign-in, before history is read. 2: recalled after it.
				svc.amend(list[0], modify(1, "x"))
				time.Sleep(500 * time.Millisecond)
				again := svc.amend(list[1], modify(1, "y"))
				svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{seen(again)}})
				again = svc.amend(list[1], modify(2, "y"))
				svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{seen(again)}})
				again = svc.amend(list[2], revoke)
				svc.tell(bridge, tim.MessagesRevoked{Locators: []tim.MsgLocator{seen(again).Locator()}})
				time.Sleep(1600 * time.Millisecond) // the page is asked for
				again = changed(list[0], 2, "z")
				svc.tell(bridge, tim.MessagesModified{Messages: []tim.Message{seen(again)}})
				if err := <-caught; err != nil {
					t.Fatal(err)
				}
				r.settle()
				id := func(i int) string { return mapping.MessageID(alice, list[i]) }
				r.wantAbout(id(0)+"/modified/1", id(0)+"/modified/2", id(1)+"/modified/1", id(1)+"/modified/2", id(2)+"/revoked")
				r.inOrder(id(0)+"/modified/1", id(0)+"/modified/2")
				r.inOrder(id(1)+"/modified/1", id(1)+"/modified/2")
				r.checkReplay()
			})
		})
	}
}

// TestChangesSurviveAKillAnywhere: the process ends after each call for history
// in turn; in the end everything is there once.
func TestChangesSurviveAKillAnywhere(t *testing.T) {
	for stopAt := range 12 {
		t.Run(fmt.Sprint(stopAt), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(false)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{Readers: 1})
				defer func() { r.stop() }()
				r.signIn(bridge)
				var list []tim.Message
				var want []string
				for i := range 250 {
					list = append(list, svc.send(alice, tim.Group(team), fmt.Sprint("g", i)), svc.send(alice, tim.C2C(bridge), fmt.Sprint("a", i)))
					r.deliverAll(bridge)
				}
				svc.cut(bridge)
				r.restart()
				for i, m := range list {
					switch i % 5 {
					case 0:
						svc.amend(m, revoke)
						want = append(want, mapping.MessageID(alice, m)+"/revoked")
					case 1:
						svc.amend(m, modify(3, "x"))
						want = append(want, mapping.MessageID(alice, m)+"/modified/3")
					}
				}
				svc.failWith(slices.Repeat([]error{nil}, stopAt)...)
				svc.failNext(tim.NewError("messages", tim.CodeSDKNotLoggedIn, ""))
				svc.signIn(bridge, r.in.Handler(bridge))
				if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err == nil && stopAt < 5 {
					t.Error("it was not interrupted")
				}
				svc.failWith()
				svc.cut(bridge)
				r.restart()
				r.signIn(bridge)
				r.settle()
				r.wantAbout(want...)
				r.checkReplay()
			})
		})
	}
}

// TestChangesInAConversationOfTwoAccounts: both look, one tells.
func TestChangesInAConversationOfTwoAccounts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge, bob)
		r := newRig(t, svc, Config{})
		defer func() { r.stop() }()
		r.signIn(bridge)
		r.signIn(bob)
		m := svc.send(alice, tim.Group(team), "1")
		svc.send(alice, tim.Group(team), "2")
		r.deliverAll(bridge)
		r.deliverAll(bob)
		svc.cut(bridge)
		svc.cut(bob)
		r.restart()
		svc.amend(m, revoke)
		done := make(chan struct{})
		go func() { r.signIn(bob); close(done) }()
		r.signIn(bridge)
		<-done
		r.settle()
		r.wantAbout("group/team/1/revoked")
		if gaps := absences(t, r.j.all()); len(gaps) != 2 {
			t.Errorf("gaps: %+v", gaps)
		}
		r.checkReplay()
	})
}

// TestChangesOfMoreThanIsRemembered: of what may have been told and forgotten
// nothing is told again, and the gap says so.
func TestChangesOfMoreThanIsRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{MaxSeen: 40})
		defer func() { r.stop() }()
		r.signIn(bridge)
		var first tim.Message
		for i := range 50 {
			m := svc.send(alice, tim.C2C(bridge), fmt.Sprint(i))
			r.deliverAll(bridge)
			if i == 0 {
				first = svc.amend(m, revoke)
				seen := first
				seen.ConvID, seen.IsFromSelf = string(alice), false
				svc.tell(bridge, tim.MessagesRevoked{Locators: []tim.MsgLocator{seen.Locator()}})
				r.settle()
			}
			time.Sleep(20 * time.Second)
		}
		svc.cut(bridge)
		r.restart()
		r.signIn(bridge)
		r.settle()
		r.wantAbout(mapping.MessageID(alice, first) + "/revoked")
		if g := absences(t, r.j.all())[0]; !g.ChangesFrom.After(time.Unix(int64(first.ServerTime), 0)) {
			t.Errorf("looked at from %v", g.ChangesFrom)
		}
	})
}

// TestWhatThePeerHasReadWhileAway: history shows it of the account's own messages.
func TestWhatThePeerHasReadWhileAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer func() { r.stop() }()
		r.signIn(bridge)
		var mine []tim.Message
		for i := range 3 {
			m := svc.send(bridge, tim.C2C(alice), fmt.Sprint(i))
			if _, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			mine = append(mine, m)
			time.Sleep(10 * time.Second)
		}
		mark := func(m tim.Message) string { return fmt.Sprintf("c2c/alice/bridge/read/alice/%d", m.ServerTime) }
		away := func(read int) {
			svc.cut(bridge)
			r.restart()
			for _, m := range mine[:read] {
				svc.amend(m, readByPeer)
			}
			r.signIn(bridge)
			r.settle()
		}
		away(0)
		r.wantAbout()
		away(2)
		r.wantAbout(mark(mine[1]))
		away(2)
		r.wantAbout(mark(mine[1]))
		// It was told to have read all; history need not say so again.
		svc.tell(bridge, tim.MessagesRead{Receipts: []tim.MessageReceipt{
			{ConvType: tim.ConvC2C, ConvID: string(alice), TimeStamp: mine[2].ServerTime + 5, IsPeerRead: true},
		}})
		r.settle()
		away(3)
		r.wantAbout(mark(mine[1]), fmt.Sprintf("c2c/alice/bridge/read/alice/%d", mine[2].ServerTime+5))
		r.checkReplay()
	})
}

// TestReceiptsSentWhileAway: history shows who has read what of the account's
// own messages, however many have come or gone since it was told.
func TestReceiptsSentWhileAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bob, bridge)
		r := newRig(t, svc, Config{})
		defer func() { r.stop() }()
		r.signIn(bridge)
		send := func(conv tim.Conversation) tim.Message {
			m := svc.send(bridge, conv, "read?")
			if _, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome(fmt.Sprint(m.Rand))); err != nil {
				t.Fatal(err)
			}
			return svc.amend(m, func(m *tim.Message) { m.MsgID, m.NeedReadReceipt = tim.MessageID(fmt.Sprint("m", m.Rand)), true })
		}
		talk, group := send(tim.C2C(alice)), send(tim.Group(team))
		count := func(read, unread int64) {
			svc.amend(group, func(m *tim.Message) { m.GroupReceiptReadCount, m.GroupReceiptUnreadCount = read, unread })
		}
		away := func() {
			svc.cut(bridge)
			r.restart()
			r.signIn(bridge)
			r.settle()
		}
		want := []string{"group/team/read/m2/1-1", "c2c/alice/bridge/read/alice/0/m1"}
		count(1, 1)
		svc.amend(talk, func(m *tim.Message) { m.ReceiptPeerRead = true })
		away()
		r.wantAbout(want...)
		away()
		r.wantAbout(want...)
		// What was found in history is not told again by a report that was late.
		svc.tell(bridge, tim.MessagesRead{Receipts: []tim.MessageReceipt{
			{ConvType: tim.ConvC2C, ConvID: string(alice), MsgID: "m1", TimeStamp: 7, IsPeerRead: true},
			{ConvType: tim.ConvGroup, ConvID: string(team), MsgID: "m2", TimeStamp: 7, ReadCount: 1, UnreadCount: 2},
		}})
		r.settle()
		r.wantAbout(want...)
		// What a report tells is not found in history again, when a member has come.
		svc.tell(bridge, tim.MessagesRead{Receipts: []tim.MessageReceipt{
			{ConvType: tim.ConvGroup, ConvID: string(team), MsgID: "m2", TimeStamp: 7, ReadCount: 2, UnreadCount: 0},
		}})
		r.settle()
		count(2, 1)
		away()
		want = append(want, "group/team/read/m2/2-0")
		r.wantAbout(want...)
		r.checkReplay()
	})
}

// TestAReceiptThatWasRefused: one too large for the journal is learned of all the same.
func TestAReceiptThatWasRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{MaxEntryBytes: 1200})
		defer func() { r.stop() }()
		r.signIn(bridge)
		svc.tell(bridge, tim.MessagesRead{Receipts: []tim.MessageReceipt{
			{ConvType: tim.ConvC2C, ConvID: string(alice), MsgID: "m1", TimeStamp: 7, Extra: map[string]json.RawMessage{"x": []byte(`"` + strings.Repeat("x", 1200) + `"`)}},
		}})
		r.settle()
		if n := len(facts(t, r.j.all(), mapping.TypeEventRefused)); n != 1 {
			t.Errorf("%d refused", n)
		}
		r.restart()
	})
}

// TestChangesThatCannotBeRead: a conversation whose history is refused lies in a
// gap of its own.
func TestChangesThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{})
		defer func() { r.stop() }()
		r.signIn(bridge)
		svc.send(alice, tim.Group(team), "1")
		r.deliverAll(bridge)
		svc.cut(bridge)
		r.restart()
		svc.failWith(nil, tim.NewError("messages", tim.CodeSvrGroupPermissionDeny, ""))
		r.signIn(bridge)
		r.settle()
		gaps := absences(t, r.j.all())
		if len(gaps) != 2 || gaps[0].Subject != "group/team" || !slices.Contains(gaps[0].Covers, "message.revoked") || !gaps[0].From.Equal(gaps[1].From) {
			t.Errorf("gaps: %+v", gaps)
		}
		if told := facts(t, r.j.all(), mapping.TypeAccountGapDetected); len(told) != 0 {
			t.Errorf("told: %v", told)
		}
		r.checkReplay()
	})
}

// TestAliveIsNoted: an account to which nothing is said was not away for all that time.
func TestAliveIsNoted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{})
		defer func() { r.stop() }()
		r.signIn(bridge)
		time.Sleep(5 * time.Hour)
		r.settle()
		gone := time.Now()
		svc.cut(bridge)
		r.restart()
		time.Sleep(time.Hour)
		r.signIn(bridge)
		r.settle()
		gaps := absences(t, r.j.all())
		if len(gaps) != 1 || gone.Sub(gaps[0].From) > aliveEvery+margin*time.Second+time.Second || gaps[0].From.After(gone) {
			t.Errorf("gone %v: %+v", gone.UTC(), gaps)
		}
		r.checkReplay()
	})
}
