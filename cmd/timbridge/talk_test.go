package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// memory is a client that remembers what was said; during is what happens
// while it is being read.
type memory struct {
	tim.Client
	said   []tim.Message // newest first
	err    error
	during func()
}

func (m *memory) Conversations(context.Context) ([]tim.ConvInfo, error) { return nil, nil }

func (m *memory) Messages(context.Context, tim.Conversation, tim.HistoryQuery) ([]tim.Message, error) {
	if m.during != nil {
		m.during()
	}
	return m.said, m.err
}

// newTestTalk is one of bob's; what is printed and noted goes to one buffer.
func newTestTalk(client tim.Client) (*talk, *bytes.Buffer) {
	var out bytes.Buffer
	e := &env{cli: &cli{}, in: strings.NewReader(""), out: &out, errs: &out}
	t := newTalk(e, "bob", e.newScreen())
	t.client = client
	return t, &out
}

// saidAt is when all of it was said: a message is known by its time, among others.
const saidAt = 1_795_420_800

func from(user tim.UserID, seq uint64, text string) tim.Message {
	return tim.Message{
		ConvType: tim.ConvC2C, ConvID: "alice", Sender: user, Seq: seq, Rand: seq, ServerTime: saidAt,
		Elems: []tim.Elem{tim.TextElem{Content: text}},
	}
}

func report(t *talk, e tim.Event) { t.handle(tim.Report{Event: e, Ack: func() {}}) }

// printed are the lines without the times.
func printed(out *bytes.Buffer) string {
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, lasting(strings.TrimRight(line, "\n")))
	}
	out.Reset()
	return strings.Join(lines, "\n")
}

// What comes in while history is being read is shown below it, once.
func TestEntryKeepsTheOrder(t *testing.T) {
	m := &memory{said: []tim.Message{from("alice", 2, "two"), from("bob", 1, "one")}}
	talk, out := newTestTalk(m)
	m.during = func() {
		report(talk, tim.MessagesReceived{Messages: []tim.Message{from("alice", 2, "two"), from("alice", 3, "three")}})
		changed := from("alice", 2, "TWO")
		changed.Version = 1
		report(talk, tim.MessagesModified{Messages: []tim.Message{changed}})
	}
	if err := talk.enter(t.Context(), tim.C2C("alice"), defaultHistory); err != nil {
		t.Fatal(err)
	}
	report(talk, tim.MessagesReceived{Messages: []tim.Message{from("alice", 3, "three"), from("alice", 4, "four")}})
	want := strings.Join([]string{
		"<time> bob: one", "<time> alice: two", "<time> alice: three", "<time> alice (changed): TWO",
		"· you are bob, talking to alice; a line is a message, /help lists what else there is, Ctrl-D ends",
		"<time> alice: four",
	}, "\n")
	if got := printed(out); got != want {
		t.Errorf("printed\n%s\nnot\n%s", got, want)
	}
}

// Where one cannot go, one stays.
func TestEntryThatFails(t *testing.T) {
	m := &memory{}
	talk, out := newTestTalk(m)
	if err := talk.enter(t.Context(), tim.C2C("alice"), defaultHistory); err != nil {
		t.Fatal(err)
	}
	m.err = tim.NewError("messages", tim.CodeSvrGroupNotFound, "")
	if err := talk.enter(t.Context(), tim.Group("nosuch"), defaultHistory); judgeCode(err) != codeInput {
		t.Errorf("error %v", err)
	}
	printed(out)
	report(talk, tim.MessagesReceived{Messages: []tim.Message{from("alice", 1, "still here")}})
	if got := printed(out); got != "<time> alice: still here" {
		t.Errorf("printed %s", got)
	}
}

func judgeCode(err error) int {
	code, _ := judge(err)
	return code
}

// What is told beside the talk is told once, in words.
func TestWhatIsTold(t *testing.T) {
	mine := from("bob", 5, "mine")
	tip := tim.GroupTipsElem{TipType: tim.GroupTipQuit, OpUser: "carol", GroupID: "team", Time: uint64(time.Now().Unix())}
	for _, c := range []struct {
		name string
		tell []tim.Event
		want string
	}{
		{"elsewhere, twice", []tim.Event{
			tim.MessagesReceived{Messages: []tim.Message{{ConvType: tim.ConvC2C, ConvID: "carol", Sender: "carol", Elems: []tim.Elem{tim.TextElem{Content: "psst"}}}}},
			tim.MessagesReceived{Messages: []tim.Message{{ConvType: tim.ConvC2C, ConvID: "carol", Sender: "carol", Elems: []tim.Elem{tim.TextElem{Content: "hey"}}}}},
		}, "· carol writes to you; /to carol answers"},
		{"a tip elsewhere", []tim.Event{tim.MessagesReceived{Messages: []tim.Message{{ConvType: tim.ConvGroup, ConvID: "team", Elems: []tim.Elem{tip}}}}, tim.GroupTipped{Tip: tip}}, ""},
		{"recalled, twice", []tim.Event{tim.MessagesRevoked{Locators: []tim.MsgLocator{mine.Locator()}}, tim.MessagesRevoked{Locators: []tim.MsgLocator{mine.Locator()}}}, "· bob recalled the message of <time>"},
		{"recalled, not known", []tim.Event{tim.MessagesRevoked{Locators: []tim.MsgLocator{{ConvType: tim.ConvC2C, ConvID: "alice", Seq: 77}}}}, "· a message was recalled"},
		{"recalled elsewhere", []tim.Event{tim.MessagesRevoked{Locators: []tim.MsgLocator{{ConvType: tim.ConvC2C, ConvID: "carol", Seq: 5}}}}, ""},
		{"read, twice", []tim.Event{
			tim.MessagesRead{Receipts: []tim.MessageReceipt{{ConvType: tim.ConvC2C, ConvID: "alice", TimeStamp: mine.ServerTime, IsPeerRead: true}}},
			tim.MessagesRead{Receipts: []tim.MessageReceipt{{ConvType: tim.ConvC2C, ConvID: "alice", TimeStamp: mine.ServerTime + 1, IsPeerRead: true}}},
		}, "· alice has read it"},
		{"read, what came before", []tim.Event{tim.MessagesRead{Receipts: []tim.MessageReceipt{{ConvType: tim.ConvC2C, ConvID: "alice", TimeStamp: mine.ServerTime - 1}}}}, ""},
		{"status", []tim.Event{tim.StatusesChanged{Statuses: []tim.UserStatus{{Identifier: "alice", StatusType: tim.UserStatusOnline, CustomStatus: "on tour"}, {Identifier: "zoe", StatusType: tim.UserStatusOnline}}}}, "· alice is online: on tour"},
		{"a name", []tim.Event{tim.ProfilesChanged{Profiles: []tim.UserProfile{{Identifier: "alice", NickName: "Alice"}}}, tim.MessagesReceived{Messages: []tim.Message{from("alice", 6, "hi")}}}, "<time> Alice: hi"},
		{"connection", []tim.Event{
			tim.ConnectionChanged{Status: tim.NetworkDisconnected}, tim.ConnectionChanged{Status: tim.NetworkDisconnected}, tim.ConnectionChanged{Status: tim.NetworkConnected},
		}, "· the connection is lost; waiting for the sandbox\n· connected again"},
		{"upload, twice at once", []tim.Event{tim.UploadProgress{Done: 1 << 20, Total: 4 << 20}, tim.UploadProgress{Done: 2 << 20, Total: 4 << 20}}, "· uploaded 25% of <number> KiB"},
		{"a report", []tim.Event{tim.MessagesReceived{Messages: []tim.Message{{ConvType: tim.ConvSystem, Elems: []tim.Elem{tim.GroupReportElem{ReportType: tim.GroupReportInvite, GroupID: "team", OpUser: "carol"}}}}}}, "· carol put you into team"},
	} {
		t.Run(c.name, func(t *testing.T) {
			talk, out := newTestTalk(&memory{said: []tim.Message{mine}})
			if err := talk.enter(t.Context(), tim.C2C("alice"), defaultHistory); err != nil {
				t.Fatal(err)
			}
			printed(out)
			for _, e := range c.tell {
				report(talk, e)
			}
			if got := printed(out); got != c.want {
				t.Errorf("printed\n%s\nnot\n%s", got, c.want)
			}
		})
	}
}

// A tip that comes as a message and by the callback is shown once.
func TestATipIsShownOnce(t *testing.T) {
	tip := tim.GroupTipsElem{TipType: tim.GroupTipQuit, OpUser: "carol", GroupID: "team", Time: uint64(time.Now().Unix())}
	m := tim.Message{ConvType: tim.ConvGroup, ConvID: "team", Seq: 3, ServerTime: tip.Time, Sender: tim.SystemUser, Elems: []tim.Elem{tip}}
	for _, order := range [][]tim.Event{
		{tim.MessagesReceived{Messages: []tim.Message{m}}, tim.GroupTipped{Tip: tip}},
		{tim.GroupTipped{Tip: tip}, tim.MessagesReceived{Messages: []tim.Message{m}}},
	} {
		talk, out := newTestTalk(&memory{})
		if err := talk.enter(t.Context(), tim.Group("team"), defaultHistory); err != nil {
			t.Fatal(err)
		}
		printed(out)
		for _, e := range order {
			report(talk, e)
		}
		if got := printed(out); got != "<time> · carol left" {
			t.Errorf("printed\n%s", got)
		}
	}
}

// refusing is a client that removes nobody.
type refusing struct{ memory }

func (refusing) DeleteMembers(_ context.Context, param tim.GroupDeleteMemberParam) ([]tim.GroupDeleteMemberResult, error) {
	var results []tim.GroupDeleteMemberResult
	for _, u := range param.Identifiers {
		results = append(results, tim.GroupDeleteMemberResult{Identifier: u, Result: tim.MemberFailed})
	}
	return results, nil
}

// What cannot be done says why.
func TestWhatIsRefused(t *testing.T) {
	talk, out := newTestTalk(&refusing{memory{said: []tim.Message{from("bob", 1, "mine"), from("bob", 2, "too")}}})
	if err := talk.enter(t.Context(), tim.Group("team"), defaultHistory); err != nil {
		t.Fatal(err)
	}
	printed(out)
	if err := talk.do(t.Context(), "/kick carol bob"); err != nil {
		t.Fatal(err)
	}
	want := "· carol was not removed: the owner removes administrators and members, an administrator members\n· you cannot remove yourself; /leave leaves the group"
	if got := printed(out); got != want {
		t.Errorf("printed\n%s\nnot\n%s", got, want)
	}
	for line, want := range map[string]string{
		"/recall 1": "there is no message of yours here to recall", // of the group: those are of another talk
		"/nosuch":   "there is no /nosuch; /help lists what there is; a message that begins with a slash is written with two",
		"/":         "a slash alone says nothing; /help lists what there is; a message that begins with a slash is written with two",
	} {
		if err := talk.do(t.Context(), line); err == nil || advice(err) != want {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := talk.enter(t.Context(), tim.C2C("alice"), defaultHistory); err != nil {
		t.Fatal(err)
	}
	if err := talk.do(t.Context(), "/recall 3"); err == nil || err.Error() != "there are 2 messages of yours here; /history shows earlier ones" {
		t.Errorf("/recall 3: %v", err)
	}
}

// A service that can do little says so, in words.
func TestWhatTheServiceCannotDo(t *testing.T) {
	talk, _ := newTestTalk(&memory{said: []tim.Message{from("bob", 1, "mine")}})
	if err := talk.enter(t.Context(), tim.C2C("alice"), defaultHistory); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"/change better", "/nick Bob", "/join team", "/requests"} {
		if err := talk.do(t.Context(), line); err == nil || !strings.Contains(err.Error(), "no way to") {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{"/", "/nosuch", "/invite carol", "/recall none", "/recall 7", "/file /nosuch", "/history 1000", `/create "half`, "/create -odd x", "/create -public"} {
		if err := talk.do(t.Context(), line); judgeCode(err) != codeInput {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := talk.do(t.Context(), "/quit"); !errors.Is(err, errQuit) {
		t.Errorf("/quit: %v", err)
	}
	if _, err := talk.screen.readLine(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}
