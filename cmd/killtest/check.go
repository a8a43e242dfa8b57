package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// evidence is everything there is at the end.
type evidence struct {
	delivery string
	accounts []tim.UserID // the bridge's
	deeds    []deed
	taken    []ordered
	// entered is when the bridge was in a room.
	entered  map[tim.GroupID]time.Time
	events   []published
	outcomes []published
	// deadLetters are those of commands that came to nothing.
	deadLetters []published
	bus         *bus
	came        map[string][]outcome // by command
	// history is what the IM service itself holds, by the message's id.
	history map[string]spoken
	// inChat is how often history has a message, by its mark.
	inChat map[string]int
	// nick is what the bridge's account is called in the end.
	nick string
	// shards is how many bridges shared the accounts, and renewal when one of
	// them lost its volume, zero where none did. Of that shard's own evidence
	// published is when what it last told from that volume was recorded.
	shards             int
	renewal, published time.Time
	// downloads are the sums of what there is to download, by URL.
	downloads map[string]string
}

// figures are what a run prints.
type figures struct {
	Said, Changed, Tips, Taken, Events, Files int
	Succeeded, Failed, InDoubt, Revoked       int
	// Missing are the things that nobody was told, which no history holds;
	// Unheard the messages among what is stored nowhere; Gaps say so.
	Missing, Unheard, Gaps int
	// Unknown are the commands of accounts that nobody has; Again those that a
	// shard which lost its volume told of once more.
	Unknown, Again int
	Verbs          map[string]int // of the commands
	Why            map[string]int // of those that failed, by verb and reason
}

// outcome is what came of a command.
type outcome struct {
	published
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

// faultFunc collects what is wrong.
type faultFunc func(format string, args ...any)

// complete says whether everything that has to arrive is there, so that it
// can be judged; what is missing in the end, check says.
func (e *evidence) complete() bool {
	if e.shards > 1 {
		for _, s := range e.signers(func(string, ...any) {}) {
			if !e.of(s).complete() {
				return false
			}
		}
	}
	for _, d := range e.deeds {
		if e.shards <= 1 && !e.arrived(d) {
			return false
		}
	}
	return !slices.ContainsFunc(e.taken, func(c ordered) bool { return len(e.came[c.id]) == 0 })
}

// arrived says whether what a deed has to bring about is on the bus.
func (e *evidence) arrived(d deed) bool {
	_, there := e.bus.ids[d.ID]
	switch {
	case d.Kind == deedPost:
		return there || isRoom(d.Group) || e.gone(d)
	case d.Kind == deedRevoke:
		_, there = e.bus.ids[d.ID+revokedSuffix]
		return there
	case e.delivery != "ack":
	case d.Kind == deedRead:
		return there
	case d.Kind == deedTip && d.Report:
		return e.bus.reports[d.Fact] > 0
	}
	return true
}

// check compares what was promised with what is there.
func (e *evidence) check() (figures, error) {
	f := figures{Taken: len(e.taken), Events: len(e.events), Gaps: len(e.bus.gaps), Verbs: map[string]int{}, Why: map[string]int{}}
	wrong := slices.Clone(e.bus.wrong)
	fault := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf(format, args...))
	}
	e.checkStream("events", e.events, fault)
	e.checkStream("outcomes", e.outcomes, fault)
	e.checkStream("dead letters", e.deadLetters, fault)
	e.checkGaps(fault)
	e.checkPosts(&f, fault)
	e.checkOrder(fault)
	e.checkChanges(&f, fault)
	e.checkTips(&f, fault)
	e.checkRebuilt(fault)
	e.checkFiles(&f, fault)
	e.checkCommands(&f, fault)
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

// checkStream: each id once, and journal sequences that only rise on each target.
func (e *evidence) checkStream(name string, list []published, fault faultFunc) {
	ids, last := map[string]published{}, map[string]string{}
	for _, p := range list {
		if first, ok := ids[p.id]; ok {
			fault("%s: id %s is there twice, at %s and %s", name, p.id, first.place(), p.place())
		}
		ids[p.id] = p
		if p.sequence == "" || p.journal == "" {
			fault("%s: %s at %s has no sequence", name, p.id, p.place())
		}
		line := p.target + " " + p.journal
		if before := last[line]; p.sequence <= before {
			fault("%s: %s at %s has sequence %s after %s", name, p.id, p.place(), p.sequence, before)
		}
		last[line] = p.sequence
		if strings.HasSuffix(p.typ, "im.unrecognized.v1") || strings.HasSuffix(p.typ, "bridge.event_refused.v1") {
			fault("%s: %s at %s is not understood: %.300s", name, p.id, p.place(), p.data)
		}
	}
}

// checkGaps: none is told of a conversation that has a history, nor of an
// absence from a service that keeps what it reports.
func (e *evidence) checkGaps(fault faultFunc) {
	for _, g := range e.bus.gaps {
		if len(g.Covers) > 0 && (e.delivery == "ack" || g.From.IsZero() || g.To.IsZero() || !g.From.Before(g.To)) {
			fault("an absence was told that was none, or has no bounds: %+v", g)
		}
		if !g.conversation || e.withoutHistory(g.subject) {
			continue
		}
		fault("a gap was told where everything can be read back: %+v", g)
	}
}

// withoutHistory says whether nothing is stored of what is said in a group.
func (e *evidence) withoutHistory(subject string) bool {
	return slices.ContainsFunc(rooms, func(r tim.GroupID) bool { return subject == mapping.GroupSubject(r) }) || slices.ContainsFunc(e.taken, func(c ordered) bool {
		return c.verb == "group.create" && c.typ == "avchatroom" && mapping.GroupSubject(c.in) == subject
	})
}

// checkPosts: every message that was answered is there once, and says what it
// was to say. What was said where nothing is stored may be missing, within the
// bounds of a gap.
func (e *evidence) checkPosts(f *figures, fault faultFunc) {
	for _, d := range e.deeds {
		if d.Kind != deedPost {
			continue
		}
		f.Said++
		_, there := e.bus.ids[d.ID]
		n := e.bus.marks[d.Mark]
		if isRoom(d.Group) && n == 0 {
			if d.Began.Before(e.entered[d.Group]) {
				continue // the bridge was not there yet
			}
			f.Unheard++
			if !e.bus.admits(mapping.GroupSubject(d.Group), d.Time) {
				fault("message %q of %s, which is stored nowhere, is not on the bus, and no gap says so (%s)", d.Mark, d.By, time.Unix(int64(d.Time), 0).UTC())
			}
			continue
		}
		if n != 1 || !there {
			fault("message %q of %s (%s), which was answered, is on the bus %d times", d.Mark, d.By, d.ID, n)
		}
	}
}

// checkOrder: in a group the order of its sequence, without a hole; between
// two users each sender's in the order sent.
func (e *evidence) checkOrder(fault faultFunc) {
	group, numbers := map[string]uint64{}, map[string]int{}
	deeds := map[string]deed{}
	for _, d := range e.deeds {
		if d.Kind == deedPost {
			deeds[d.ID] = d
		}
	}
	for _, p := range e.bus.posts {
		if strings.HasPrefix(p.subject, "group/") && p.Sequence != 0 {
			if before, ok := group[p.subject]; ok && p.Sequence != before+1 {
				fault("%s: sequence %d comes after %d", p.subject, p.Sequence, before)
			}
			group[p.subject] = p.Sequence
		}
		if d, ok := deeds[p.id]; ok {
			key := p.subject + " " + string(d.By)
			if d.Number <= numbers[key] {
				fault("%s: message %d of %s comes after %d", p.subject, d.Number, d.By, numbers[key])
			}
			numbers[key] = d.Number
		}
	}
}

// lost says whether a gap admits that an event of that kind is missing, of which
// one of the bridge's accounts was told between two times. What a service keeps
// until it is acknowledged is never missing.
func (e *evidence) lost(account tim.UserID, kind string, from, to time.Time) bool {
	return e.delivery == "push" && e.bus.excuses(account, kind, from, to)
}

// forgotten is lost, of what a command did.
func (e *evidence) forgotten(c ordered, kind string) bool {
	return e.lost(c.by, kind, c.at, e.recorded(c.id))
}

// checkDeadLetters: one for each command that came to nothing, none for others.
func (e *evidence) checkDeadLetters(fault faultFunc) {
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

// spokenOf is a message of the service's history, in the eyes of an account.
func spokenOf(account tim.UserID, m tim.Message) spoken {
	return spoken{
		id: mapping.MessageID(account, m), subject: mapping.Subject(m.Conversation(), account), sender: m.Sender,
		mark: markInChat(m.Elems), said: saidInChat(m.Elems), version: m.Version, revoked: m.Status == tim.MsgRevoked,
	}
}
