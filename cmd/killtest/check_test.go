package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// story is evidence while it is made up.
type story struct {
	*evidence
	sequence int
}

// event puts an event on a stream.
func (s *story) event(list *[]published, id, typ, subject, data string) {
	s.sequence++
	*list = append(*list, published{
		position: uint64(len(*list) + 1), id: id, typ: "io.timbridge." + typ + ".v1", subject: subject,
		journal: "j", sequence: fmt.Sprintf("%020d", s.sequence), recorded: noon, data: []byte(data),
	})
}

// posted posts a message with a text, and history holds it.
func (s *story) posted(id, subject string, sender tim.UserID, seq int, text string) {
	s.event(&s.events, id, "message.posted", subject, fmt.Sprintf(
		`{"message_id":%q,"sender":%q,"sequence":%d,"elements":[{"type":"text","text":%q}]}`, id, sender, seq, text))
	s.history[id] = spoken{id: id, subject: subject, sender: sender, mark: text, said: []string{saidText(text)}}
	s.inChat[text]++
}

// said has a person be answered.
func (s *story) said(by tim.UserID, group tim.GroupID, id, text string, number int) {
	s.deeds = append(s.deeds, deed{
		Kind: deedPost, By: by, Group: group, At: noon, ID: id, Mark: text, Number: number, Said: []string{saidText(text)}, Time: uint64(noon.Unix()),
	})
}

// came gives a command an outcome.
func (s *story) came(id, what, more string) {
	s.event(&s.outcomes, "outcome/"+id, "command."+what, "s", fmt.Sprintf(`{"command":{"source":"killtest","id":%q}%s}`, id, more))
}

const (
	aliceTalk = "c2c/alice/bridge"
	roomTalk  = "group/room"
)

// whole is evidence of a run in which every promise held, with something of
// each kind in it.
func whole() *evidence {
	s := &story{evidence: &evidence{delivery: "ack", history: map[string]spoken{}, inChat: map[string]int{}, downloads: map[string]string{}}}
	group := mapping.GroupSubject(talkGroup())

	s.said("alice", "", aliceTalk+"/1", "alice 1", 1)
	s.said("alice", "", aliceTalk+"/2", "alice 2", 2)
	s.said("bob", talkGroup(), group+"/2", "bob 1", 1)
	s.said("bob", talkGroup(), group+"/3", "bob 2", 2)
	s.posted(aliceTalk+"/1", aliceTalk, "alice", 1, "alice 1")
	s.posted(group+"/2", group, "bob", 2, "bob 1")
	s.posted(aliceTalk+"/2", aliceTalk, "alice", 2, "alice 2")
	s.posted(group+"/3", group, "bob", 3, "bob 2")

	// Modified, recalled, read.
	s.deeds = append(s.deeds,
		deed{Kind: deedModify, By: "alice", Began: noon, At: noon, ID: aliceTalk + "/1", Mark: "alice 1", Version: 2, Said: []string{saidText("alice 1 | changed")}},
		deed{Kind: deedRevoke, By: "alice", Began: noon, At: noon, ID: aliceTalk + "/2", Mark: "alice 2"},
		deed{Kind: deedRead, By: "alice", Began: noon, At: noon, Time: 17, ID: aliceTalk + "/read/alice/17"},
		deed{Kind: deedReceipt, By: "alice", Began: noon, At: noon, ID: "m7"})
	s.event(&s.events, aliceTalk+"/1/modified/2", "message.modified", aliceTalk,
		`{"message_id":"c2c/alice/bridge/1","version":2,"elements":[{"type":"text","text":"alice 1 | changed"}]}`)
	s.event(&s.events, aliceTalk+"/2/revoked", "message.revoked", aliceTalk, `{}`)
	s.event(&s.events, aliceTalk+"/read/alice/17", "message.read", aliceTalk, `{"reader":"alice","read_until":17}`)
	s.event(&s.events, aliceTalk+"/read/alice/17/m7", "message.read", aliceTalk, `{"msg_id":"m7","reader":"alice"}`)
	// Two receipts in a group, of which the second counts both.
	for range 2 {
		s.deeds = append(s.deeds, deed{Kind: deedReceipt, By: "bob", Group: talkGroup(), Began: noon, At: noon, ID: "m8"})
	}
	s.event(&s.events, group+"/read/m8/1-3", "message.read", group, `{"msg_id":"m8","read_count":1}`)
	s.event(&s.events, group+"/read/m8/2-2", "message.read", group, `{"msg_id":"m8","read_count":2}`)
	m := s.history[aliceTalk+"/1"]
	m.said, m.version = []string{saidText("alice 1 | changed")}, 2
	s.history[m.id] = m
	m = s.history[aliceTalk+"/2"]
	m.revoked = true
	s.history[m.id] = m

	// A tip, and a report.
	tip := group + "/4"
	s.event(&s.events, tip, "message.posted", group, fmt.Sprintf(
		`{"message_id":%q,"sender":"@TIM#SYSTEM","sequence":4,"elements":[{"type":"group_tips","tip":"kick","operator":"bob","user_ids":["dave"]}]}`, tip))
	s.event(&s.events, tip+"/tip/0", "group.member_kicked", group, fmt.Sprintf(`{"user_ids":["dave"],"via":"tip","message_id":%q}`, tip))
	s.history[tip] = spoken{id: tip, subject: group, sender: "@TIM#SYSTEM", said: []string{saidTips("kick", "bob", []tim.UserID{"dave"}, nil)}}
	s.event(&s.events, group+"/report/1", "group.member_changed", group, `{"members":[{"user_id":"bridge","role":"admin"}],"via":"report"}`)
	s.deeds = append(s.deeds,
		deed{Kind: deedTip, By: "bob", Began: noon, At: noon, Group: talkGroup(), Fact: group + " member_kicked dave"},
		deed{Kind: deedTip, By: "bob", Began: noon, At: noon, Group: talkGroup(), Fact: group + " member_changed bridge admin", Report: true})

	// What is stored nowhere: once it is told, once a gap is.
	s.said("carol", liveRoom, roomTalk+"/online/1", "carol 1", 1)
	s.said("carol", liveRoom, roomTalk+"/online/2", "carol 2", 2)
	s.event(&s.events, roomTalk+"/online/1", "message.posted", roomTalk, `{"message_id":"group/room/online/1","sender":"carol","elements":[{"type":"text","text":"carol 1"}]}`)
	s.event(&s.events, "gap", "account.gap_detected", roomTalk, `{"from":"2026-11-23T11:59:50Z","to":"2026-11-23T12:00:05Z"}`)

	// A file.
	file := []string{"text \"with a file\"", saidFile(3, "a.dat")}
	s.deeds = append(s.deeds, deed{Kind: deedPost, By: "alice", At: noon, ID: aliceTalk + "/9", Mark: "with a file", Number: 3, Said: file, Files: []string{"abc"}})
	s.event(&s.events, aliceTalk+"/9", "message.posted", aliceTalk,
		`{"message_id":"c2c/alice/bridge/9","sender":"alice","elements":[{"type":"text","text":"with a file"},{"type":"file","name":"a.dat","size":3,"url":"http://file"}]}`)
	s.history[aliceTalk+"/9"] = spoken{id: aliceTalk + "/9", sender: "alice", mark: "with a file", said: file}
	s.downloads["http://file"] = "3 abc"

	s.commands(group)
	return s.evidence
}

// commands tells of commands of each kind.
func (s *story) commands(group string) {
	s.taken = append(s.taken, ordered{id: "send", verb: "message.send", text: "command send", to: "alice"})
	s.posted(aliceTalk+"/3", aliceTalk, "bridge", 3, "command send")
	s.came("send", "succeeded", "")

	s.taken = append(s.taken, ordered{id: "recalled", verb: "message.send", text: "command recalled", to: "alice"},
		ordered{id: "recall", verb: "message.revoke", what: aliceTalk + "/4", sent: "command recalled"})
	s.posted(aliceTalk+"/4", aliceTalk, "bridge", 4, "command recalled")
	m := s.history[aliceTalk+"/4"]
	m.revoked = true
	s.history[m.id] = m
	s.event(&s.events, aliceTalk+"/4/revoked", "message.revoked", aliceTalk, "{}")
	s.came("recalled", "succeeded", "")
	s.came("recall", "succeeded", "")

	s.taken = append(s.taken, ordered{id: "modify", verb: "message.modify", what: aliceTalk + "/3", said: []string{saidText("command send | more")}})
	s.event(&s.events, aliceTalk+"/3/modified/1", "message.modified", aliceTalk,
		`{"message_id":"c2c/alice/bridge/3","version":1,"elements":[{"type":"text","text":"command send | more"}]}`)
	m = s.history[aliceTalk+"/3"]
	m.said, m.version = []string{saidText("command send | more")}, 1
	s.history[m.id] = m
	s.came("modify", "succeeded", "")

	made := mapping.GroupIDFor(commandSource, "create", false)
	subject := mapping.GroupSubject(made)
	s.taken = append(s.taken, ordered{id: "create", by: bridgeUser, at: noon, verb: "group.create", in: made, typ: "private"},
		ordered{id: "quit", verb: "group.quit", in: made, fact: subject + " member_left bridge", report: true})
	s.event(&s.events, subject+"/created", "group.created", subject, `{"via":"report"}`)
	s.posted(subject+"/1", subject, "bridge", 1, "tip")
	s.event(&s.events, subject+"/report/2", "group.member_left", subject, `{"user_ids":["bridge"],"via":"report"}`)
	s.came("create", "succeeded", "")
	s.came("quit", "succeeded", "")

	s.taken = append(s.taken, ordered{id: "name", verb: "profile.modify", nick: "nick"})
	s.nick = "nick"
	s.came("name", "succeeded", "")

	s.taken = append(s.taken, ordered{id: "hopeless", verb: "message.send", text: "command hopeless", hopeless: true})
	s.came("hopeless", "failed", `,"error":{"code":"im_error","text":"no such group"}`)
	s.event(&s.deadLetters, "outcome/hopeless/dead", "command.dead_lettered", "s", "{}")
}

// drop leaves the one of that id out.
func drop(list []published, id string) []published {
	return slices.DeleteFunc(slices.Clone(list), func(p published) bool { return p.id == id })
}

// again puts the one of that id at the end once more, under another journal
// sequence.
func again(list []published, id string) []published {
	p := list[indexOf(list, id)]
	p.sequence = fmt.Sprintf("%020d", 999)
	return append(slices.Clone(list), p)
}

func indexOf(list []published, id string) int {
	return slices.IndexFunc(list, func(p published) bool { return p.id == id })
}

func swap(list []published, a, b string) []published {
	out := slices.Clone(list)
	i, j := indexOf(out, a), indexOf(out, b)
	out[i], out[j] = out[j], out[i]
	out[i].sequence, out[j].sequence = out[j].sequence, out[i].sequence
	return out
}

// without drops an event of the story.
func without(id string) func(*evidence) {
	return func(e *evidence) { e.events = drop(e.events, id) }
}

// absence is the account's gap of the middle of the day, as data.
const absence = `{"account":"bridge","from":"2026-11-23T11:59:50Z","to":"2026-11-23T12:00:05Z","covers":["message.read","message.modified","message.revoked","group.member_changed","group.created"]}`

// pushed does the same where a service forgets what it pushed, and a gap of the
// account says that something is missing, or none does.
func pushed(id, gap string) func(*evidence) {
	return func(e *evidence) {
		e.delivery = "push"
		e.events = drop(e.events, id)
		if gap != "" {
			s := story{evidence: e, sequence: 900}
			s.event(&s.events, "absence", "account.gap_detected", "account/bridge", gap)
		}
	}
}

// inHistory changes what history says of a message.
func inHistory(id string, change func(*spoken)) func(*evidence) {
	return func(e *evidence) {
		m := e.history[id]
		change(&m)
		e.history[id] = m
	}
}

// TestCheck breaks each promise by itself and makes sure that it is noticed.
func TestCheck(t *testing.T) {
	group := mapping.GroupSubject(talkGroup())
	made := mapping.GroupSubject(mapping.GroupIDFor(commandSource, "create", false))
	for _, c := range []struct {
		name  string
		spoil func(e *evidence)
		want  string // in the complaint; "" for none
	}{
		{"every promise held", func(*evidence) {}, ""},
		{"said in a room before the bridge was there", func(e *evidence) {
			without(roomTalk + "/online/1")(e)
			e.entered = map[tim.GroupID]time.Time{liveRoom: time.Now()}
		}, ""},
		{"a message is missing", without(aliceTalk + "/9"), `"with a file" of alice (c2c/alice/bridge/9), which was answered, is on the bus 0 times`},
		{"a message twice under one id", func(e *evidence) { e.events = again(e.events, aliceTalk+"/9") }, "is there twice"},
		{"a message twice under two ids", func(e *evidence) {
			e.events = again(e.events, aliceTalk+"/9")
			e.events[len(e.events)-1].id = "another"
		}, "which was answered, is on the bus 2 times"},
		{"two messages of one sender change places", func(e *evidence) { e.events = swap(e.events, aliceTalk+"/1", aliceTalk+"/2") }, "message 1 of alice comes after 2"},
		{"two of a group change places", func(e *evidence) { e.events = swap(e.events, group+"/2", group+"/3") }, "sequence 2 comes after 3"},
		{"a group has a hole", without(group + "/3"), "sequence 4 comes after 2"},
		{"the journal's order is not the bus's", func(e *evidence) { e.events[0], e.events[1] = e.events[1], e.events[0] }, "has sequence"},
		{"a gap where there is history", func(e *evidence) { e.events[indexOf(e.events, "gap")].subject = group }, "a gap was told"},
		{"something that is not understood", func(e *evidence) { e.events[indexOf(e.events, "gap")].typ = "io.timbridge.im.unrecognized.v1" }, "is not understood"},

		{"a modification is not told", without(aliceTalk + "/1/modified/2"), "the modification of alice 1, which was answered, is not on the bus"},
		{"a modification before its message", func(e *evidence) { e.events = swap(e.events, aliceTalk+"/1", aliceTalk+"/1/modified/2") }, "it comes before its message"},
		{"a revocation is not told", without(aliceTalk + "/2/revoked"), "the revocation of alice 2, which was answered, is not on the bus"},
		{"a revocation before its message", func(e *evidence) { e.events = swap(e.events, aliceTalk+"/2", aliceTalk+"/2/revoked") }, "it comes before its message"},
		{"a read mark is not told", without(aliceTalk + "/read/alice/17"), "alice has read, which was answered, is not on the bus"},
		{"a receipt is not told", without(aliceTalk + "/read/alice/17/m7"), "1 receipts were sent for message m7, and 0 are on the bus"},
		{"forgotten in an absence", pushed(group+"/read/m8/1-3", absence), ""},
		{"forgotten outside of one", pushed(group+"/read/m8/1-3", strings.ReplaceAll(absence, "12:00:05", "11:59:59")), "2 receipts were sent"},
		{"forgotten in an absence of another kind", pushed(group+"/read/m8/1-3", strings.ReplaceAll(absence, "message.read", "user.status_changed")), "2 receipts were sent"},
		{"forgotten in an absence of another account", pushed(group+"/read/m8/1-3", strings.ReplaceAll(absence, "bridge", "other")), "2 receipts were sent"},
		{"forgotten without a gap", pushed(group+"/read/m8/1-3", ""), "2 receipts were sent"},
		{"a last receipt forgotten in an absence, which history shows", pushed(group+"/read/m8/2-2", absence), "2 have read message m8, and on the bus 1"},
		{"a revocation forgotten in an absence, which history shows", pushed(aliceTalk+"/2/revoked", absence), "the revocation of alice 2"},
		{"a modification forgotten in an absence, which history shows", pushed(aliceTalk+"/1/modified/2", absence), "the modification of alice 1"},
		{"a command's revocation forgotten in an absence", pushed(aliceTalk+"/4/revoked", absence), "message.revoked is not on the bus"},
		{"a last read mark forgotten in an absence, which history shows", pushed(aliceTalk+"/read/alice/17", absence), "alice has read up to 17, and on the bus up to 0"},
		{"a group's creation forgotten in an absence", pushed(made+"/created", absence), ""},
		{"an earlier modification forgotten in an absence", func(e *evidence) {
			pushed("", absence)(e)
			earlier := deed{Kind: deedModify, By: "alice", Began: noon, At: noon, ID: aliceTalk + "/1", Mark: "alice 1", Version: 1}
			e.deeds = append([]deed{earlier}, e.deeds...)
		}, ""},
		{"an earlier modification that is not told", func(e *evidence) {
			earlier := deed{Kind: deedModify, By: "alice", Began: noon, At: noon, ID: aliceTalk + "/1", Mark: "alice 1", Version: 1}
			e.deeds = append([]deed{earlier}, e.deeds...)
		}, "a modification of alice 1, which was answered, is not on the bus"},
		{"an absence from a service that keeps its reports", func(e *evidence) {
			pushed("", absence)(e)
			e.delivery = "ack"
		}, "an absence was told that was none"},
		{"an absence without an end", pushed("", strings.ReplaceAll(absence, `"to"`, `"until"`)), "or has no bounds"},

		{"a tip means nothing", without(group + "/4/tip/0"), "means nothing on the bus"},
		{"what happened in a group is not told", without(group + "/4/tip/0"), `member_kicked dave" happened 1 times, and is told 0 times by tips`},
		{"a report is missing", without(group + "/report/1"), `member_changed bridge admin" happened 1 times, and is told 0 times by reports`},
		{"a report is missing, of a service that forgets, in an absence", pushed(group+"/report/1", absence), ""},
		{"a report is missing, of a service that forgets, outside of one", pushed(group+"/report/1", ""), "is told 0 times by reports"},

		{"history has more", func(e *evidence) { e.history["more"] = spoken{id: "more"} }, "history has more"},
		{"history says something else", inHistory(group+"/2", func(m *spoken) { m.said = []string{"else"} }), "a consumer makes of it"},
		{"history has it revoked", inHistory(group+"/2", func(m *spoken) { m.revoked = true }), "revoked true"},
		{"nothing says that something of a room is missing", without("gap"), "which is stored nowhere, is not on the bus, and no gap says so"},
		{"a gap of another time", func(e *evidence) {
			e.events[indexOf(e.events, "gap")].data = []byte(`{"from":"2026-11-23T11:00:00Z","to":"2026-11-23T11:59:00Z"}`)
		}, "no gap says so"},
		{"other bytes", func(e *evidence) { e.downloads["http://file"] = "3 xyz" }, "what can be downloaded is"},
		{"no bytes", func(e *evidence) { e.downloads["http://file"] = "404 Not Found" }, "cannot be downloaded"},

		{"a command without an outcome", func(e *evidence) { e.outcomes = drop(e.outcomes, "outcome/send") }, "command send (message.send) has 0 outcomes"},
		{"a command with two outcomes", func(e *evidence) {
			e.outcomes = again(e.outcomes, "outcome/send")
			e.outcomes[len(e.outcomes)-1].id = "another"
		}, "command send (message.send) has 2 outcomes"},
		{"a send that took effect twice", func(e *evidence) { e.inChat["command send"] = 2 }, "took effect 2 times"},
		{"a send that succeeded and took none", func(e *evidence) { delete(e.inChat, "command send") }, "took effect 0 times"},
		{"a send whose message is not told", without(aliceTalk + "/3"), "its message is on the bus 0 times"},
		{"a send that failed for no reason", func(e *evidence) { e.outcomes[0].typ = "io.timbridge.command.failed.v1" }, "did not succeed"},
		{"a revocation that was not done", inHistory(aliceTalk+"/4", func(m *spoken) { m.revoked = false }), "whether the message is revoked in chat: false"},
		{"a command's revocation is not told", without(aliceTalk + "/4/revoked"), "message.revoked is not on the bus"},
		{"a command's modification was not done", inHistory(aliceTalk+"/3", func(m *spoken) { m.said = []string{"else"} }), "command modify (message.modify) succeeded last"},
		{"a command's modification is not told", without(aliceTalk + "/3/modified/1"), "version 1 of c2c/alice/bridge/3 is not on the bus"},
		{"a group that is not there", without(made + "/1"), "whose first message is not on the bus"},
		{"a group whose creation is not told", without(made + "/created"), "group.created is on the bus 0 times"},
		{"a quit that is not told", without(made + "/report/2"), "member_left bridge\" happened 1 times, and is told 0 times"},
		{"another name", func(e *evidence) { e.nick = "else" }, `was last to be called "nick"`},
		{"a command that cannot succeed and did", func(e *evidence) {
			e.outcomes[indexOf(e.outcomes, "outcome/hopeless")].typ = typeSucceeded
		}, "cannot succeed"},
		{"no dead letter", func(e *evidence) { e.deadLetters = nil }, "has 0 dead letters"},
		{"two dead letters", func(e *evidence) { e.deadLetters = again(e.deadLetters, "outcome/hopeless/dead") }, "has 2 dead letters"},
		{"a dead letter of a success", func(e *evidence) { e.deadLetters[0].id = "outcome/send/dead" }, "has 1 dead letters"},
		{"an outcome of no command", func(e *evidence) {
			e.outcomes = append(e.outcomes, published{id: "x", typ: typeSucceeded, journal: "j", sequence: "9", data: []byte(`{"command":{"id":"nobody's"}}`)})
		}, "which nobody gave"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := whole()
			c.spoil(e)
			if err := e.index(); err != nil {
				t.Fatal(err)
			}
			_, err := e.check()
			switch {
			case c.want == "" && err != nil:
				t.Errorf("complains of %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("says %v, and nothing of %q", err, c.want)
			}
		})
	}
}
