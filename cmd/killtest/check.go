package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// evidence is everything there is at the end.
type evidence struct {
	delivery string
	said     []said
	taken    []ordered
	events   []published
	outcomes []published
	// deadLetters are those of commands that came to nothing.
	deadLetters []published
	// history is what the IM service itself holds, by conversation as the
	// bridge's account sees it, oldest first.
	history map[tim.Conversation][]tim.Message
}

// figures are what a run prints.
type figures struct {
	Said, Taken, Events                 int
	Succeeded, Failed, InDoubt, Revoked int
	Why                                 map[string]int // of those that failed, by verb and reason
}

// posted is what the check reads of a message.posted.
type posted struct {
	Sender   tim.UserID `json:"sender"`
	Sequence uint64     `json:"sequence"`
	Elements []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"elements"`
}

type outcome struct {
	Command struct {
		Source string `json:"source"`
		ID     string `json:"id"`
	} `json:"command"`
	Error *struct {
		Code string `json:"code"`
		Text string `json:"text"`
	} `json:"error"`
	Result *struct {
		MessageID string `json:"message_id"`
	} `json:"result"`
}

// complete says whether everything that has to arrive is there, so that it
// can be judged; what is missing in the end, check says.
func (e *evidence) complete() bool {
	texts := e.texts(nil)
	for _, m := range e.said {
		if texts[m.Text] == 0 {
			return false
		}
	}
	seen := map[string]bool{}
	for _, p := range e.outcomes {
		var o outcome
		if json.Unmarshal(p.data, &o) == nil {
			seen[o.Command.ID] = true
		}
	}
	for _, c := range e.taken {
		if !seen[c.id] {
			return false
		}
	}
	return true
}

// texts counts what was posted, by text; wrong collects what cannot be read.
func (e *evidence) texts(wrong *[]error) map[string]int {
	out := map[string]int{}
	for _, p := range e.events {
		if p.typ != "io.timbridge.message.posted.v1" {
			continue
		}
		var m posted
		if err := json.Unmarshal(p.data, &m); err != nil {
			if wrong != nil {
				*wrong = append(*wrong, fmt.Errorf("event %s: %w", p.id, err))
			}
			continue
		}
		for _, el := range m.Elements {
			if el.Type == "text" {
				out[el.Text]++
			}
		}
	}
	return out
}

// check compares what was promised with what is there.
func (e *evidence) check() (figures, error) {
	f := figures{Said: len(e.said), Taken: len(e.taken), Events: len(e.events), Why: map[string]int{}}
	var wrong []error
	fault := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf(format, args...))
	}
	e.checkStream("events", e.events, fault)
	e.checkStream("outcomes", e.outcomes, fault)
	e.checkStream("dead letters", e.deadLetters, fault)

	texts := e.texts(&wrong)
	for _, m := range e.said {
		if n := texts[m.Text]; n != 1 {
			fault("message %q of %s, which was answered, is on the bus %d times", m.Text, m.Sender, n)
		}
	}
	e.checkOrder(fault)
	e.checkCommands(&f, texts, fault)
	e.checkDeadLetters(fault)
	return f, errors.Join(limit(wrong)...)
}

// limit keeps an overwhelming failure readable.
func limit(errs []error) []error {
	if len(errs) > 40 {
		return append(errs[:40:40], fmt.Errorf("and %d more", len(errs)-40))
	}
	return errs
}

// checkStream: each id once, and journal sequences that only rise.
func (e *evidence) checkStream(name string, list []published, fault func(string, ...any)) {
	ids, last := map[string]uint64{}, map[string]string{}
	for _, p := range list {
		if first, ok := ids[p.id]; ok {
			fault("%s: id %s is there twice, at %d and %d", name, p.id, first, p.position)
		}
		ids[p.id] = p.position
		if p.sequence == "" || p.journal == "" {
			fault("%s: %s at %d has no sequence", name, p.id, p.position)
		}
		if before := last[p.journal]; p.sequence <= before {
			fault("%s: %s at %d has sequence %s after %s", name, p.id, p.position, p.sequence, before)
		}
		last[p.journal] = p.sequence
		if strings.HasSuffix(p.typ, "account.gap_detected.v1") {
			fault("%s: a gap was told where everything can be read back: %s", name, p.data)
		}
	}
}

// checkOrder: in a group the order of its sequence, without a hole; between
// two users each sender's in the order sent.
func (e *evidence) checkOrder(fault func(string, ...any)) {
	group, numbers := map[string]uint64{}, map[string]int{}
	order := map[string]int{}
	for _, m := range e.said {
		order[m.Text] = m.Number
	}
	for _, p := range e.events {
		if p.typ != "io.timbridge.message.posted.v1" {
			continue
		}
		var m posted
		if json.Unmarshal(p.data, &m) != nil {
			continue
		}
		if strings.HasPrefix(p.subject, "group/") {
			if before, ok := group[p.subject]; ok && m.Sequence != before+1 {
				fault("%s: sequence %d comes after %d", p.subject, m.Sequence, before)
			}
			group[p.subject] = m.Sequence
		}
		for _, el := range m.Elements {
			if n, ok := order[el.Text]; ok {
				key := p.subject + " " + string(m.Sender)
				if n <= numbers[key] {
					fault("%s: message %d of %s comes after %d", p.subject, n, m.Sender, numbers[key])
				}
				numbers[key] = n
			}
		}
	}
}

// checkDeadLetters: one for each command that came to nothing, none for others.
func (e *evidence) checkDeadLetters(fault func(string, ...any)) {
	dead := map[string]int{}
	for _, p := range e.deadLetters {
		dead[p.id]++
	}
	for _, p := range e.outcomes {
		want := 1
		if p.typ == "io.timbridge.command.succeeded.v1" {
			want = 0
		}
		if n := dead[p.id+"/dead"]; n != want {
			fault("outcome %s (%s) has %d dead letters", p.id, p.typ, n)
		}
		delete(dead, p.id+"/dead")
	}
	for id := range dead {
		fault("dead letter %s is of no outcome", id)
	}
}

// checkCommands: one outcome each, and effects to match.
func (e *evidence) checkCommands(f *figures, texts map[string]int, fault func(string, ...any)) {
	outcomes := map[string][]published{}
	codes := map[string]string{}
	for _, p := range e.outcomes {
		var o outcome
		if err := json.Unmarshal(p.data, &o); err != nil {
			fault("outcome %s: %v", p.id, err)
			continue
		}
		outcomes[o.Command.ID] = append(outcomes[o.Command.ID], p)
		if o.Error != nil {
			codes[o.Command.ID] = o.Error.Code + ": " + o.Error.Text
		}
	}
	effects, revoked := map[string]int{}, map[string]bool{}
	for _, messages := range e.history {
		for _, m := range messages {
			for _, el := range m.Elems {
				if t, ok := el.(tim.TextElem); ok {
					effects[t.Content]++
					revoked[t.Content] = m.Status == tim.MsgRevoked
				}
			}
		}
	}
	// A group shows in its first message, the tip about its first members, which
	// history holds. The report of its creation is no message: a service that
	// forgets what it pushed may have told it to nobody.
	created, first, recalls := map[string]int{}, map[string]int{}, map[string]int{}
	for _, p := range e.events {
		switch {
		case p.typ == "io.timbridge.message.revoked.v1":
			recalls[p.id]++
		case p.typ == "io.timbridge.group.created.v1":
			created[p.subject]++
		case p.typ == "io.timbridge.message.posted.v1" && strings.HasSuffix(p.id, "/1"):
			first[p.subject]++
		}
	}
	for _, c := range e.taken {
		list := outcomes[c.id]
		if len(list) != 1 {
			fault("command %s (%s) has %d outcomes", c.id, c.verb, len(list))
			continue
		}
		succeeded := list[0].typ == "io.timbridge.command.succeeded.v1"
		switch {
		case succeeded:
			f.Succeeded++
		case strings.HasPrefix(codes[c.id], "in_doubt"):
			f.InDoubt++
		default:
			f.Failed++
			if codes[c.id] == "" {
				fault("command %s (%s) ended with %s and no code", c.id, c.verb, list[0].typ)
			}
			f.Why[c.verb+": "+codes[c.id]]++
		}
		if c.hopeless {
			if succeeded || effects[c.text] > 0 && c.text != "" {
				fault("command %s (%s) cannot succeed; its outcome is %s", c.id, c.verb, list[0].typ)
			}
			delete(outcomes, c.id)
			continue
		}
		switch c.verb {
		case "message.send":
			n := effects[c.text]
			if n > 1 || succeeded && n != 1 {
				fault("command %s (%s) took effect %d times in chat; its outcome is %s %s", c.id, c.verb, n, list[0].typ, codes[c.id])
			}
			if n == 1 && texts[c.text] != 1 {
				fault("command %s was carried out, and its message is on the bus %d times", c.id, texts[c.text])
			}
			if !succeeded {
				fault("command %s (%s) to someone who can be written to did not succeed: %s", c.id, c.verb, codes[c.id])
			}
		case "message.revoke":
			f.Revoked++
			done := revoked[c.sent]
			if succeeded != done {
				fault("command %s (%s): its outcome is %s %s, and whether the message is revoked in chat: %t", c.id, c.verb, list[0].typ, codes[c.id], done)
			}
			// The message itself is told however it comes; that it was revoked is
			// a report that a service which forgets what it pushed may have told
			// to nobody.
			if n := recalls[c.what+"/revoked"]; n > 1 || done && n != 1 && e.delivery == "ack" {
				fault("command %s (%s): message.revoked is on the bus %d times", c.id, c.verb, n)
			}
		case "group.create":
			subject := "group/" + string(c.in)
			if n := first[subject]; n > 1 || succeeded && n != 1 {
				fault("command %s (%s) made %d groups; its outcome is %s %s", c.id, c.verb, n, list[0].typ, codes[c.id])
			}
			if n := created[subject]; n > 1 || succeeded && n != 1 && e.delivery == "ack" {
				fault("command %s (%s): group.created is on the bus %d times", c.id, c.verb, n)
			}
			if !succeeded {
				fault("command %s (%s) did not succeed: %s", c.id, c.verb, codes[c.id])
			}
		}
		delete(outcomes, c.id)
	}
	for id := range outcomes {
		if id != talkCommand {
			fault("an outcome tells of command %q, which nobody gave", id)
		}
	}
}
