package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// unreadMemory is a client that also says how many messages are unread.
type unreadMemory struct {
	memory
	unread uint64
}

func (m *unreadMemory) Conversations(context.Context) ([]tim.ConvInfo, error) {
	return []tim.ConvInfo{
		{ConvType: tim.ConvC2C, ConvID: "carol", UnreadNum: 3},
		{ConvType: tim.ConvC2C, ConvID: "alice", UnreadNum: m.unread},
	}, nil
}

func (m *unreadMemory) Messages(ctx context.Context, conv tim.Conversation, q tim.HistoryQuery) ([]tim.Message, error) {
	all, err := m.memory.Messages(ctx, conv, q)
	if q.Before != nil {
		for len(all) > 0 && !older(all[0], *q.Before) {
			all = all[1:]
		}
	}
	return all[:min(len(all), q.Count)], err
}

func older(a, b tim.Message) bool { return a.Seq < b.Seq }

// talked is a talk of n messages, newest first: each third is bob's own.
func talked(n int) []tim.Message {
	var all []tim.Message
	for i := n; i > 0; i-- {
		who := tim.UserID("alice")
		if i%3 == 0 {
			who = "bob"
		}
		m := from(who, uint64(i), fmt.Sprint("m", i))
		m.ServerTime -= uint64(n - i)
		all = append(all, m)
	}
	return all
}

// What waited for the user while away is reported long after the history was
// read; it is shown in its place, and once.
func TestWhatWaitedIsShownInItsPlace(t *testing.T) {
	for _, c := range []struct {
		name   string
		said   int
		count  int
		unread uint64
		first  int // of those shown
		note   string
	}{
		{"fewer than are wanted", 3, 20, 2, 1, ""},
		{"as many as are wanted", 30, 5, 0, 26, ""},
		{"more are unread", 30, 1, 10, 16, ""}, // ten of alice's, and bob's between them
		{"none are wanted, none unread", 30, 0, 0, 31, ""},
		{"none are wanted, one is unread", 31, 0, 1, 31, ""},
		{"more are unread than are shown", 150, 20, 90, 52, "· 24 earlier unread messages; /history 24 shows what was said before this"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &unreadMemory{unread: c.unread}
			m.said = talked(c.said)
			talk, out := newTestTalk(m)
			// The service reports all of it, the first half before the history is there.
			half := c.said / 2
			report1 := func(from, to int) {
				for i := from; i < to; i++ {
					report(talk, tim.MessagesReceived{Messages: []tim.Message{m.said[c.said-1-i]}})
				}
			}
			m.during = func() { report1(0, half) }
			if err := talk.enter(t.Context(), tim.C2C("alice"), c.count); err != nil {
				t.Fatal(err)
			}
			m.during = nil
			report1(half, c.said)
			recalled := m.said[c.said-1]
			report(talk, tim.MessagesRevoked{Locators: []tim.MsgLocator{recalled.Locator()}})
			report(talk, tim.MessagesReceived{Messages: []tim.Message{from("alice", uint64(c.said+1), "new")}})

			var want []string
			if c.note != "" {
				want = append(want, c.note)
			}
			for i := c.first; i <= c.said; i++ {
				want = append(want, fmt.Sprintf("<time> %s: m%d", m.said[c.said-i].Sender, i))
			}
			want = append(want, "· you are bob, talking to alice; a line is a message, /help lists what else there is, Ctrl-D ends")
			if c.said <= maxHistory { // it is known, and news
				if c.first == 1 {
					want = append(want, "· alice recalled the message of <time>")
				} else {
					want = append(want, "· a message was recalled")
				}
			}
			want = append(want, "<time> alice: new")
			if got := printed(out); got != strings.Join(want, "\n") {
				t.Errorf("printed\n%s\nnot\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

// What was not shown and is changed now is news; what was changed while the user
// was away is not.
func TestWhatIsChangedOfTheBacklog(t *testing.T) {
	m := &unreadMemory{}
	m.said = talked(5)
	m.said[4].Version = 1
	talk, out := newTestTalk(m)
	if err := talk.enter(t.Context(), tim.C2C("alice"), 1); err != nil {
		t.Fatal(err)
	}
	printed(out)
	report(talk, tim.MessagesModified{Messages: []tim.Message{m.said[4]}})
	changed := m.said[4]
	changed.Version, changed.Elems = 2, []tim.Elem{tim.TextElem{Content: "M1"}}
	report(talk, tim.MessagesModified{Messages: []tim.Message{changed}})
	if got, want := printed(out), "<time> alice (changed): M1"; got != want {
		t.Errorf("printed\n%s\nnot\n%s", got, want)
	}
	// History goes on before what was shown on entry all the same.
	if err := talk.do(t.Context(), "/history 2"); err != nil {
		t.Fatal(err)
	}
	if got, want := printed(out), "· before that:\n<time> bob: m3\n<time> alice: m4\n· so far"; got != want {
		t.Errorf("printed\n%s\nnot\n%s", got, want)
	}
}

// What history shows are no last words of one's own.
func TestHistoryLeavesTheLastWord(t *testing.T) {
	m := &unreadMemory{}
	m.said = talked(6)
	talk, _ := newTestTalk(m)
	if err := talk.enter(t.Context(), tim.C2C("alice"), 1); err != nil {
		t.Fatal(err)
	}
	if err := talk.do(t.Context(), "/history 5"); err != nil {
		t.Fatal(err)
	}
	talk.mu.Lock()
	defer talk.mu.Unlock()
	if last, before := talk.lastOwn(1), talk.lastOwn(2); last == nil || last.Seq != 6 || before == nil || before.Seq != 3 {
		t.Errorf("the last words are %+v, before them %+v", last, before)
	}
}

// The tip that a group was made with comes by the callback while its history is
// read, and is shown once.
func TestATipWhileHistoryIsRead(t *testing.T) {
	tip := tim.GroupTipsElem{TipType: tim.GroupTipInvite, OpUser: "bob", Users: []tim.UserID{"carol"}, GroupID: "team", Time: uint64(time.Now().Unix())}
	stored := tim.Message{ConvType: tim.ConvGroup, ConvID: "team", Seq: 1, ServerTime: tip.Time, Sender: tim.SystemUser, Elems: []tim.Elem{tip}}
	m := &memory{said: []tim.Message{stored}}
	talk, out := newTestTalk(m)
	m.during = func() { report(talk, tim.GroupTipped{Tip: tip}) }
	if err := talk.enter(t.Context(), tim.Group("team"), defaultHistory); err != nil {
		t.Fatal(err)
	}
	report(talk, tim.GroupTipped{Tip: tip})
	if got := printed(out); strings.Count(got, "bob invited carol") != 1 {
		t.Errorf("printed\n%s", got)
	}
}

// Of what one did to somebody else the service sends a copy, which tells nothing.
func TestTheOperatorsCopy(t *testing.T) {
	for _, c := range []struct {
		name string
		kind tim.GroupReportType
		by   tim.UserID
		want string
	}{
		{"removed", tim.GroupReportBeKicked, "alice", "· alice removed you from team"},
		{"removed, by oneself", tim.GroupReportBeKicked, "bob", ""},
		{"invited, by oneself", tim.GroupReportInvite, "bob", ""},
		{"promoted, by oneself", tim.GroupReportGrantAdmin, "bob", ""},
		{"muted, by oneself", tim.GroupReportShutUpMember, "bob", ""},
		{"dismissed, by oneself", tim.GroupReportDelete, "bob", "· bob dismissed team"},
	} {
		t.Run(c.name, func(t *testing.T) {
			talk, out := newTestTalk(&memory{})
			if err := talk.enter(t.Context(), tim.C2C("alice"), defaultHistory); err != nil {
				t.Fatal(err)
			}
			printed(out)
			report(talk, tim.MessagesReceived{Messages: []tim.Message{{ConvType: tim.ConvSystem, Elems: []tim.Elem{
				tim.GroupReportElem{ReportType: c.kind, GroupID: "team", OpUser: c.by},
			}}}})
			if got := printed(out); got != c.want {
				t.Errorf("printed %q, not %q", got, c.want)
			}
		})
	}
}
