package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func TestTipsAreSentences(t *testing.T) {
	tip := func(kind tim.GroupTipType, op tim.UserID, users ...tim.UserID) tim.GroupTipsElem {
		return tim.GroupTipsElem{TipType: kind, OpUser: op, Users: users}
	}
	changed := func(c tim.GroupTipGroupChangeInfo) tim.GroupTipsElem {
		return tim.GroupTipsElem{TipType: tim.GroupTipGroupInfoChange, OpUser: "alice", GroupChangeInfo: []tim.GroupTipGroupChangeInfo{c}}
	}
	muted := func(seconds uint64) tim.GroupTipsElem {
		return tim.GroupTipsElem{TipType: tim.GroupTipMemberInfoChange, OpUser: "alice", MemberChangeInfo: []tim.GroupTipMemberChangeInfo{{Identifier: "bob", ShutupTime: seconds}}}
	}
	var many []tim.UserID
	for _, c := range "abcdefghijklm" {
		many = append(many, tim.UserID(c))
	}
	for _, c := range []struct {
		want string
		tip  tim.GroupTipsElem
	}{
		{"alice invited carol", tip(tim.GroupTipInvite, "alice", "carol")},
		{"alice invited bob, carol and dave", tip(tim.GroupTipInvite, "alice", "bob", "carol", "dave")},
		{"alice invited a, b, c, d, e, f, g, h, i, j and 3 more", tip(tim.GroupTipInvite, "alice", many...)},
		{"carol joined", tip(tim.GroupTipInvite, "carol", "carol")},
		{"carol joined", tip(tim.GroupTipInvite, "", "carol")},
		{"carol joined", tim.GroupTipsElem{TipType: tim.GroupTipInvite, JoinType: tim.GroupJoinApply, OpUser: "alice", Users: []tim.UserID{"carol"}}},
		{"bob left", tip(tim.GroupTipQuit, "bob")},
		{"alice removed carol", tip(tim.GroupTipKick, "alice", "carol")},
		{"alice made bob an administrator", tip(tim.GroupTipSetAdmin, "alice", "bob")},
		{"alice made bob and carol ordinary members again", tip(tim.GroupTipCancelAdmin, "alice", "bob", "carol")},
		{`alice named the group "us"`, changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeName, Value: "us"})},
		{`alice changed the notice to "九点开门"`, changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeNotification, Value: "九点开门"})},
		{`alice changed the introduction to "we"`, changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeIntroduction, Value: "we"})},
		{"alice changed the group's picture", changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeFaceURL, Value: "x"})},
		{"alice made bob the owner", changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeOwner, Value: "bob"})},
		{"alice muted everybody", changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeShutupAll, BoolValue: true})},
		{"alice let everybody talk again", changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeShutupAll})},
		{`alice changed colour to "red"`, changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeCustom, Key: "colour", Value: "red"})},
		{"alice changed who may join", changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeGroupAddOpt, IntValue: 1})},
		{"alice changed the group (topic custom data)", changed(tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeTopicCustomData})},
		{"alice changed the group", tip(tim.GroupTipGroupInfoChange, "alice")},
		{"alice muted bob for 10m0s", muted(600)},
		{"alice muted bob for good", muted(1<<64 - 1)},
		{"alice let bob talk again", muted(0)},
		{"alice pinned a message", tip(tim.GroupTipPinnedMessageAdded, "alice")},
		{"alice: member mark change bob", tip(tim.GroupTipMemberMarkChange, "alice", "bob")},
		{"somebody: GroupTipType(99)", tip(99, "")},
	} {
		t.Run(c.want, func(t *testing.T) {
			if got := tipText(c.tip, func(u tim.UserID) string { return string(u) }); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Whatever a report tells, it is a sentence that names the group.
func TestReportsAreSentences(t *testing.T) {
	want := map[tim.GroupReportType]string{
		tim.GroupReportAddRequest:         "bob asks to join us (g1): please",
		tim.GroupReportBeKicked:           "bob removed you from us (g1): please",
		tim.GroupReportInviteReqToAdmin:   "bob asks to invite somebody to us (g1): please",
		tim.GroupReportShutUpMember:       "bob muted you for 10s in us (g1)",
		tim.GroupReportUserDefine:         "us (g1): data",
		tim.GroupReportGroupMessageRead:   "us (g1): group message read: please",
		tim.GroupReportInviteReqToInvitee: "bob invites you to us (g1): please",
	}
	for k := tim.GroupReportNone; k <= tim.GroupReportInviteReqToAdmin+1; k++ {
		r := tim.GroupReportElem{ReportType: k, GroupID: "g1", GroupName: "us", OpUser: "bob", Msg: "please", UserData: "data", ShutUpTime: 10}
		got := reportText(r, func(u tim.UserID) string { return string(u) })
		if !strings.Contains(got, "us (g1)") || want[k] != "" && got != want[k] {
			t.Errorf("%v: %q", k, got)
		}
	}
}

func TestElementsInALine(t *testing.T) {
	for _, c := range []struct {
		want string
		el   tim.Elem
	}{
		{"hello", tim.TextElem{Content: "hello"}},
		{`[custom] {"order":17}`, tim.CustomElem{Data: `{"order":17}`}},
		{"[custom an order] 17", tim.CustomElem{Data: "17", Desc: "an order"}},
		{"[image 640×480, 120 KiB] https://x/1", tim.ImageElem{OrigURL: "https://x/1", OrigPicWidth: 640, OrigPicHeight: 480, OrigPicSize: 120 << 10}},
		{"[image cat.png]", tim.ImageElem{OrigPath: `C:\pictures\cat.png`}},
		{"[sound 5s, 4000 bytes] https://x/2", tim.SoundElem{URL: "https://x/2", FileTime: 5, FileSize: 4000}},
		{"[file report.pdf, 12 bytes] https://x/3", tim.FileElem{URL: "https://x/3", FileName: "report.pdf", FileSize: 12}},
		{"[file]", tim.FileElem{FileSize: -1}},
		{"[video 1m5s, 20 MiB] https://x/4", tim.VideoElem{VideoURL: "https://x/4", VideoDuration: 65, VideoSize: 20 << 20}},
		{"[video]", tim.VideoElem{VideoDuration: 1<<64 - 1, VideoSize: 1<<64 - 1}},
		{"[face 3, smile]", tim.FaceElem{Index: 3, Buf: "smile"}},
		{"[location the gate, 22.54321, 113.93000]", tim.LocationElem{Desc: "the gate", Latitude: 22.543211, Longitude: 113.93}},
		{"[forwarded a talk] alice: hi / bob: ho", tim.MergerElem{Title: "a talk", Abstracts: []string{"alice: hi", "bob: ho"}}},
		{"[an element of type 42]", tim.UnknownElem{Type: 42}},
	} {
		t.Run(c.want, func(t *testing.T) {
			if got := elementText(c.el, func(u tim.UserID) string { return string(u) }); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestNames(t *testing.T) {
	n := newNames()
	n.learn(tim.UserProfile{Identifier: "alice", NickName: "Alice Liu"})
	n.learn(tim.UserProfile{Identifier: "mallory", NickName: "bob"})
	n.learn(tim.UserProfile{Identifier: "bob"})
	n.learn(tim.UserProfile{Identifier: "carol", NickName: "Carol"})
	n.learn(tim.UserProfile{Identifier: "c2", NickName: "Carol"})
	n.learnMember(tim.GroupMemberInfo{Identifier: "dave", NickName: "Dave", NameCard: "Dave (gate)"})
	n.learn(tim.UserProfile{Identifier: "eve", NickName: "two\nlines\x1b[31m"})
	for user, want := range map[tim.UserID]string{
		"alice": "Alice Liu", "bob": "bob", "mallory": "bob (mallory)", "carol": "Carol (carol)", "c2": "Carol (c2)",
		"dave": "Dave (gate)", "eve": `two lines\x1b[31m`, "zoe": "zoe",
	} {
		if got := n.of(user); got != want {
			t.Errorf("%s is called %q, not %q", user, got, want)
		}
	}
	if got := n.full("alice"); got != "Alice Liu (alice)" {
		t.Errorf("in full: %q", got)
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"create team bob", "create|team|bob"},
		{`create "The team"  bob`, "create|The team|bob"},
		{`say ""`, "say|"},
		{`a"b c"d`, "ab cd"},
		{"", ""},
		{`"half`, "error"},
	} {
		got, err := words(c.line)
		if text := strings.Join(got, "|"); err == nil && text != c.want || err != nil && c.want != "error" {
			t.Errorf("%q: %q, %v", c.line, text, err)
		}
	}
	for _, w := range []string{"team", "the team", ""} {
		if got, err := words(quoted(w)); err != nil || len(got) != 1 || got[0] != w {
			t.Errorf("%q is read back as %q, %v", w, got, err)
		}
	}
}

// In a pipe a message is a line, whatever is in it.
func TestAMessageIsALine(t *testing.T) {
	var out bytes.Buffer
	e := &env{cli: &cli{}, in: strings.NewReader("one\ntwo"), out: &out, errs: &out}
	s := e.newScreen()
	if err := s.say("10:00:00", "al\nice:", "one\r\ntwo\x1b[31m\n\n"); err != nil {
		t.Error(err)
	}
	if got, want := out.String(), `10:00:00 al\x0aice: one\ntwo\x1b[31m`+"\n"; got != want {
		t.Errorf("got %q, not %q", got, want)
	}
}
