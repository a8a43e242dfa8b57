package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/mapping"
)

const typeSucceeded = "io.timbridge.command.succeeded.v1"

// readOutcomes reads the outcomes, by command.
func readOutcomes(list []published) (map[string][]outcome, error) {
	came := map[string][]outcome{}
	for _, p := range list {
		o := outcome{published: p}
		if err := json.Unmarshal(p.data, &o); err != nil {
			return nil, fmt.Errorf("outcome %s: %w", p.id, err)
		}
		came[o.Command.ID] = append(came[o.Command.ID], o)
	}
	return came, nil
}

func (o outcome) succeeded() bool { return o.typ == typeSucceeded }

// why is why a command came to nothing.
func (o outcome) why() string {
	if o.Error == nil {
		return ""
	}
	return o.Error.Code + ": " + o.Error.Text
}

// recorded is when the outcome of a command was recorded.
func (e *evidence) recorded(command string) time.Time {
	if len(e.came[command]) == 0 {
		return time.Time{}
	}
	return e.came[command][0].recorded
}

// checkCommands: one outcome each, and effects to match.
func (e *evidence) checkCommands(f *figures, fault faultFunc) {
	given := map[string]bool{talkCommand: true}
	last := map[string]ordered{} // modifications that succeeded
	facts := map[string][]ordered{}
	nick := ""
	for _, c := range e.taken {
		given[c.id] = true
		f.Verbs[c.verb]++
		if len(e.came[c.id]) != 1 {
			fault("command %s (%s) has %d outcomes", c.id, c.verb, len(e.came[c.id]))
			continue
		}
		o := e.came[c.id][0]
		f.count(c, o, fault)
		if c.hopeless {
			if o.succeeded() || e.inChat[c.text] > 0 && c.text != "" {
				fault("command %s (%s) cannot succeed; its outcome is %s", c.id, c.verb, o.typ)
			}
			continue
		}
		if !o.succeeded() && c.verb != "message.revoke" {
			fault("command %s (%s) did not succeed: %s %s", c.id, c.verb, o.typ, o.why())
		}
		switch c.verb {
		case "message.send":
			e.checkSend(c, o, fault)
		case "message.revoke":
			f.Revoked++
			e.checkRevoke(c, o, fault)
		case "message.modify":
			if o.succeeded() {
				last[c.what] = c
			}
		case "group.create":
			e.checkCreate(c, o, fault)
		case "profile.modify":
			nick = c.nick
		}
		if c.fact != "" && o.succeeded() {
			facts[c.fact] = append(facts[c.fact], c)
		}
	}
	for fact, commands := range facts {
		e.checkFact(fact, commands, fault)
	}
	for id, c := range last {
		e.checkModify(id, c, fault)
	}
	if nick != "" && e.nick != nick {
		fault("the account was last to be called %q, and is called %q", nick, e.nick)
	}
	for id := range e.came {
		if !given[id] {
			fault("an outcome tells of command %q, which nobody gave", id)
		}
	}
}

// count counts an outcome.
func (f *figures) count(c ordered, o outcome, fault faultFunc) {
	switch {
	case o.succeeded():
		f.Succeeded++
	case strings.HasPrefix(o.why(), "in_doubt"):
		f.InDoubt++
	default:
		f.Failed++
		if o.why() == "" {
			fault("command %s (%s) ended with %s and no code", c.id, c.verb, o.typ)
		}
		f.Why[c.verb+": "+o.why()]++
	}
}

// checkSend: the message is in chat once, if history holds it, and told once.
func (e *evidence) checkSend(c ordered, o outcome, fault faultFunc) {
	told := e.bus.marks[c.text]
	if isRoom(c.in) {
		if told > 1 || o.succeeded() && told != 1 {
			fault("command %s (%s): its message, which is stored nowhere, is on the bus %d times", c.id, c.verb, told)
		}
		return
	}
	n := e.inChat[c.text]
	if n > 1 || o.succeeded() && n != 1 {
		fault("command %s (%s) took effect %d times in chat; its outcome is %s %s", c.id, c.verb, n, o.typ, o.why())
	}
	if n == 1 && told != 1 {
		fault("command %s was carried out, and its message is on the bus %d times", c.id, told)
	}
}

func (e *evidence) checkRevoke(c ordered, o outcome, fault faultFunc) {
	done := e.history[c.what].revoked
	if o.succeeded() != done {
		fault("command %s (%s): its outcome is %s %s, and whether the message is revoked in chat: %t", c.id, c.verb, o.typ, o.why(), done)
	}
	if _, told := e.bus.ids[c.what+revokedSuffix]; done && !told {
		fault("command %s (%s): message.revoked is not on the bus", c.id, c.verb)
	}
}

// checkModify: the message says what it was last to say.
func (e *evidence) checkModify(id string, c ordered, fault faultFunc) {
	m, ok := e.history[id]
	if !ok || !m.revoked && !slices.Equal(m.said, c.said) {
		fault("command %s (%s) succeeded last, and the message %s says %q, not %q", c.id, c.verb, id, m.said, c.said)
	}
	if _, told := e.bus.ids[fmt.Sprintf("%s%s%d", id, modifiedInfix, m.version)]; ok && !told {
		fault("command %s (%s): version %d of %s is not on the bus", c.id, c.verb, m.version, id)
	}
}

// checkCreate: a group shows in its first message, the tip about its first
// members, which history holds where its type has it. The report of its
// creation is no message: a service that forgets what it pushed may have told
// it to nobody.
func (e *evidence) checkCreate(c ordered, o outcome, fault faultFunc) {
	subject := mapping.GroupSubject(c.in)
	if c.typ != "chatroom" && c.typ != "avchatroom" {
		if _, there := e.bus.ids[subject+"/1"]; o.succeeded() && !there {
			fault("command %s (%s) made a group whose first message is not on the bus", c.id, c.verb)
		}
	}
	if n := e.bus.created[subject]; n > 1 || o.succeeded() && n != 1 && !e.forgotten(c, "group.created") {
		fault("command %s (%s): group.created is on the bus %d times", c.id, c.verb, n)
	}
}

// checkFact: what commands did in a group is told as often as they did it,
// however often they were tried.
func (e *evidence) checkFact(fact string, by []ordered, fault faultFunc) {
	n, want := e.bus.tips[fact], len(by)
	certain := want
	if by[0].report {
		n = e.bus.reports[fact]
		certain = 0
		for _, c := range by {
			if !e.forgotten(c, kindOf(fact)) {
				certain++
			}
		}
	}
	if n < certain || n > want && !toldAgain(fact) {
		fault("command %s (%s): %q happened %d times, and is told %d times", by[0].id, by[0].verb, fact, want, n)
	}
}
