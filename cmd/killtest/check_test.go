package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// whole is evidence of a run in which every promise held: two messages of alice
// to the bridge, two of bob in the group, a command of each kind.
func whole() *evidence {
	e := &evidence{delivery: "ack", history: map[tim.Conversation][]tim.Message{}}
	sequence := 0
	event := func(list *[]published, id, typ, subject, data string) {
		sequence++
		*list = append(*list, published{
			position: uint64(len(*list) + 1), id: id, typ: "io.timbridge." + typ + ".v1", subject: subject,
			journal: "j", sequence: fmt.Sprintf("%020d", sequence), data: []byte(data),
		})
	}
	posted := func(id, subject, sender string, seq int, text string) {
		event(&e.events, id, "message.posted", subject,
			fmt.Sprintf(`{"sender":%q,"sequence":%d,"elements":[{"type":"text","text":%q}]}`, sender, seq, text))
	}
	stored := func(conv tim.Conversation, text string, status tim.MsgStatus) {
		e.history[conv] = append(e.history[conv], tim.Message{Status: status, Elems: []tim.Elem{tim.TextElem{Content: text}}})
	}
	came := func(id, what, more string) {
		event(&e.outcomes, "outcome/"+id, "command."+what, "s", fmt.Sprintf(`{"command":{"source":"killtest","id":%q}%s}`, id, more))
	}
	group := "group/" + string(talkGroup())

	e.said = []said{
		{Sender: "alice", Text: "alice 1", Number: 1}, {Sender: "alice", Text: "alice 2", Number: 2},
		{Sender: "bob", Group: true, Text: "bob 1", Number: 1}, {Sender: "bob", Group: true, Text: "bob 2", Number: 2},
	}
	posted("c2c/alice/bridge/1", "c2c/alice/bridge", "alice", 1, "alice 1")
	posted(group+"/2", group, "bob", 2, "bob 1")
	posted("c2c/alice/bridge/2", "c2c/alice/bridge", "alice", 2, "alice 2")
	posted(group+"/3", group, "bob", 3, "bob 2")

	e.taken = append(e.taken, ordered{id: "send", verb: "message.send", text: "command send", to: "alice"})
	posted("c2c/alice/bridge/3", "c2c/alice/bridge", "bridge", 3, "command send")
	stored(tim.C2C("alice"), "command send", tim.MsgSendSucc)
	came("send", "succeeded", "")

	e.taken = append(e.taken, ordered{id: "recalled", verb: "message.send", text: "command recalled", to: "alice"},
		ordered{id: "recall", verb: "message.revoke", what: "c2c/alice/bridge/4", sent: "command recalled"})
	posted("c2c/alice/bridge/4", "c2c/alice/bridge", "bridge", 4, "command recalled")
	stored(tim.C2C("alice"), "command recalled", tim.MsgRevoked)
	event(&e.events, "c2c/alice/bridge/4/revoked", "message.revoked", "c2c/alice/bridge", "{}")
	came("recalled", "succeeded", "")
	came("recall", "succeeded", "")

	made := mapping.GroupIDFor(commandSource, "create", false)
	e.taken = append(e.taken, ordered{id: "create", verb: "group.create", in: made})
	event(&e.events, "group/"+string(made)+"/created", "group.created", "group/"+string(made), "{}")
	posted("group/"+string(made)+"/1", "group/"+string(made), "bridge", 1, "tip")
	came("create", "succeeded", "")

	e.taken = append(e.taken, ordered{id: "hopeless", verb: "message.send", text: "command hopeless", hopeless: true})
	came("hopeless", "failed", `,"error":{"code":"im_error","text":"no such group"}`)
	event(&e.deadLetters, "outcome/hopeless/dead", "command.dead_lettered", "s", "{}")
	return e
}

// drop leaves the one of that id out.
func drop(list []published, id string) []published {
	return slices.DeleteFunc(slices.Clone(list), func(p published) bool { return p.id == id })
}

// again puts the one of that id at the end once more, under another journal
// sequence.
func again(list []published, id string) []published {
	i := slices.IndexFunc(list, func(p published) bool { return p.id == id })
	p := list[i]
	p.sequence = fmt.Sprintf("%020d", 999)
	return append(slices.Clone(list), p)
}

func swap(list []published, a, b string) []published {
	out := slices.Clone(list)
	i := slices.IndexFunc(out, func(p published) bool { return p.id == a })
	j := slices.IndexFunc(out, func(p published) bool { return p.id == b })
	out[i], out[j] = out[j], out[i]
	out[i].sequence, out[j].sequence = out[j].sequence, out[i].sequence
	return out
}

// TestCheck breaks each promise by itself and makes sure that it is noticed.
func TestCheck(t *testing.T) {
	group := "group/" + string(talkGroup())
	for _, c := range []struct {
		name  string
		spoil func(e *evidence)
		want  string // in the complaint; "" for none
	}{
		{"every promise held", func(*evidence) {}, ""},
		{"a message is missing", func(e *evidence) { e.events = drop(e.events, "c2c/alice/bridge/2") }, `"alice 2" of alice, which was answered, is on the bus 0 times`},
		{"a message twice under one id", func(e *evidence) { e.events = again(e.events, "c2c/alice/bridge/1") }, "is there twice"},
		{"a message twice under two ids", func(e *evidence) {
			e.events = again(e.events, "c2c/alice/bridge/1")
			e.events[len(e.events)-1].id = "another"
		}, `"alice 1" of alice, which was answered, is on the bus 2 times`},
		{"two messages of one sender change places", func(e *evidence) { e.events = swap(e.events, "c2c/alice/bridge/1", "c2c/alice/bridge/2") }, "message 1 of alice comes after 2"},
		{"two of a group change places", func(e *evidence) { e.events = swap(e.events, group+"/2", group+"/3") }, "sequence 2 comes after 3"},
		{"a group has a hole", func(e *evidence) {
			e.events = drop(e.events, group+"/3")
			e.events = append(e.events, published{id: group + "/4", typ: "io.timbridge.message.posted.v1", subject: group, journal: "j", sequence: "9", data: []byte(`{"sequence":4}`)})
		}, "sequence 4 comes after 2"},
		{"the journal's order is not the bus's", func(e *evidence) { e.events[0], e.events[1] = e.events[1], e.events[0] }, "has sequence"},
		{"a gap is told", func(e *evidence) {
			e.events = append(e.events, published{id: "gap", typ: "io.timbridge.account.gap_detected.v1", journal: "j", sequence: "9"})
		}, "a gap was told"},
		{"a command without an outcome", func(e *evidence) { e.outcomes = drop(e.outcomes, "outcome/send") }, "command send (message.send) has 0 outcomes"},
		{"a command with two outcomes", func(e *evidence) {
			e.outcomes = again(e.outcomes, "outcome/send")
			e.outcomes[len(e.outcomes)-1].id = "another"
		}, "command send (message.send) has 2 outcomes"},
		{"a send that took effect twice", func(e *evidence) {
			e.history[tim.C2C("alice")] = append(e.history[tim.C2C("alice")], e.history[tim.C2C("alice")][0])
		}, "took effect 2 times"},
		{"a send that succeeded and took none", func(e *evidence) { e.history = nil }, "took effect 0 times"},
		{"a send whose message is not told", func(e *evidence) { e.events = drop(e.events, "c2c/alice/bridge/3") }, "its message is on the bus 0 times"},
		{"a send that failed for no reason", func(e *evidence) {
			e.outcomes[0].typ = "io.timbridge.command.failed.v1"
		}, "did not succeed"},
		{"a revocation that was not done", func(e *evidence) { e.history[tim.C2C("alice")][1].Status = tim.MsgSendSucc }, "whether the message is revoked in chat: false"},
		{"a revocation that is not told", func(e *evidence) { e.events = drop(e.events, "c2c/alice/bridge/4/revoked") }, "message.revoked is on the bus 0 times"},
		{"a revocation that is not told, of a service that forgets", func(e *evidence) {
			e.delivery = "push"
			e.events = drop(e.events, "c2c/alice/bridge/4/revoked")
		}, ""},
		{"a group that is not there", func(e *evidence) {
			e.events = drop(e.events, "group/"+string(mapping.GroupIDFor(commandSource, "create", false))+"/1")
		}, "made 0 groups"},
		{"a command that cannot succeed and did", func(e *evidence) {
			i := slices.IndexFunc(e.outcomes, func(p published) bool { return p.id == "outcome/hopeless" })
			e.outcomes[i].typ = "io.timbridge.command.succeeded.v1"
		}, "cannot succeed"},
		{"no dead letter", func(e *evidence) { e.deadLetters = nil }, "has 0 dead letters"},
		{"two dead letters", func(e *evidence) { e.deadLetters = again(e.deadLetters, "outcome/hopeless/dead") }, "has 2 dead letters"},
		{"a dead letter of a success", func(e *evidence) { e.deadLetters[0].id = "outcome/send/dead" }, "has 1 dead letters"},
		{"an outcome of no command", func(e *evidence) {
			e.outcomes = append(e.outcomes, published{id: "x", typ: "io.timbridge.command.succeeded.v1", journal: "j", sequence: "9", data: []byte(`{"command":{"id":"nobody's"}}`)})
		}, "which nobody gave"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := whole()
			c.spoil(e)
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
