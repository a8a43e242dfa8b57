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

// eventOf puts an event of a journal on a stream.
func (s *story) eventOf(journal string, list *[]published, id, typ, subject, data string) {
	s.event(list, id, typ, subject, data)
	(*list)[len(*list)-1].journal = journal
}

// fleet is evidence of two shards, of which the second lost its volume, with
// every promise held: journal a signed robot0 in, b and then c robot1.
func fleet() *evidence {
	s := &story{evidence: &evidence{
		delivery: "ack", shards: 2, renewal: noon, accounts: []tim.UserID{"robot0", "robot1"},
		history: map[string]spoken{}, inChat: map[string]int{}, downloads: map[string]string{},
	}}
	group := mapping.GroupSubject(talkGroup())
	in := func(journal string, user string) {
		s.eventOf(journal, &s.events, "in/"+journal, "account.signed_in", "account/"+user, `{}`)
	}
	told := func(id, subject string, sender tim.UserID, seq int, text string, journals ...string) {
		for i, j := range journals {
			if i == 0 {
				s.posted(id, subject, sender, seq, text)
				s.events[len(s.events)-1].journal = j
				continue
			}
			s.eventOf(j, &s.events, id, "message.posted", subject, string(s.events[len(s.events)-1].data))
		}
	}
	said := func(at time.Duration, group tim.GroupID, to tim.UserID, id, text string, number int) {
		s.said("alice", group, id, text, number)
		d := &s.deeds[len(s.deeds)-1]
		d.To, d.At = to, noon.Add(at)
	}
	in("a", "robot0")
	in("b", "robot1")
	said(-time.Minute, talkGroup(), "", group+"/2", "to all", 1)
	told(group+"/2", group, "alice", 2, "to all", "a", "b")
	said(-time.Second, "", "robot1", "c2c/alice/robot1/1", "gone with the volume", 1)
	s.inChat["gone with the volume"]++
	in("c", "robot1")
	said(time.Minute, "", "robot0", "c2c/alice/robot0/1", "to robot0", 1)
	told("c2c/alice/robot0/1", "c2c/alice/robot0", "alice", 1, "to robot0", "a")
	said(time.Minute, talkGroup(), "", group+"/3", "again to all", 2)
	told(group+"/3", group, "alice", 3, "again to all", "a", "c")

	order := func(c ordered) { s.taken = append(s.taken, c) }
	came := func(journal, id, what, more string) {
		s.came(id, what, more)
		s.outcomes[len(s.outcomes)-1].journal = journal
	}
	order(ordered{id: "c1", by: "robot0", verb: "message.send", text: "command c1", to: "bob"})
	came("a", "c1", "succeeded", "")
	told("c2c/bob/robot0/1", "c2c/bob/robot0", "robot0", 1, "command c1", "a")
	order(ordered{id: "c2", by: "robot1", verb: "message.send", text: "command c2", to: "bob"})
	came("b", "c2", "succeeded", "")
	came("c", "c2", "succeeded", "")
	told("c2c/bob/robot1/1", "c2c/bob/robot1", "robot1", 1, "command c2", "c")
	for i, j := range []string{"a", "c"} {
		id := fmt.Sprintf("c%d", 3+i)
		order(ordered{id: id, by: unknownAccount(i), verb: "message.send", text: "command " + id, to: "bob", hopeless: true})
		came(j, id, "rejected", `,"error":{"code":"account_unknown","text":"nobody"}`)
		s.eventOf(j, &s.deadLetters, "outcome/"+id+"/dead", "command.dead_lettered", "s", `{}`)
	}
	return s.evidence
}

func TestCheckFleetHolds(t *testing.T) {
	e := fleet()
	if err := e.index(); err != nil {
		t.Fatal(err)
	}
	if !e.complete() {
		t.Error("something is still to come")
	}
	f, err := e.checkFleet()
	if err != nil {
		t.Error(err)
	}
	if f.Unknown != 2 || f.Again != 1 || f.Missing != 1 || f.Said != 4 {
		t.Errorf("%+v", f)
	}
}

// Whatever is changed of a run in which every promise held breaks one.
func TestCheckFleetFinds(t *testing.T) {
	event := func(e *evidence, journal, id string) *published {
		for i := range e.events {
			if e.events[i].journal == journal && e.events[i].id == id {
				return &e.events[i]
			}
		}
		return &published{}
	}
	group := mapping.GroupSubject(talkGroup())
	last := func(e *evidence, p published) published {
		p.sequence = "99999999999999999999"
		p.position = 999
		return p
	}
	for name, c := range map[string]struct {
		do   func(e *evidence)
		want string
	}{
		"two shards signed an account in": {func(e *evidence) {
			e.events = append(e.events, last(e, *event(e, "c", "in/c")))
			p := &e.events[len(e.events)-1]
			p.id, p.journal = "in/a/2", "a"
		}, "is of two shards"},
		"an account was kicked": {func(e *evidence) {
			p := last(e, *event(e, "a", "in/a"))
			p.typ = typeKicked
			e.events = append(e.events, p)
		}, "signed in twice"},
		"an account was never signed in": {func(e *evidence) { e.accounts = append(e.accounts, "robot2") }, "never signed in"},
		"a shard did not tell what its account was told": {func(e *evidence) {
			e.events = slices.DeleteFunc(e.events, func(p published) bool { return p.journal == "a" && p.id == group+"/3" })
		}, "on the bus 0 times"},
		"the shard without its volume did not": {func(e *evidence) {
			e.events = slices.DeleteFunc(e.events, func(p published) bool { return p.journal == "c" && p.id == group+"/3" })
		}, "is not on the bus"},
		"a shard told twice":                      {func(e *evidence) { e.events = append(e.events, last(e, *event(e, "a", group+"/3"))) }, "there twice"},
		"the shard without its volume told twice": {func(e *evidence) { e.events = append(e.events, last(e, *event(e, "c", group+"/3"))) }, "there twice"},
		"a command has no outcome": {func(e *evidence) {
			e.outcomes = slices.DeleteFunc(e.outcomes, func(p published) bool { return p.id == "outcome/c1" })
		}, "c1 (message.send) has 0 outcomes"},
		"two shards carried a command out": {func(e *evidence) {
			p := last(e, e.outcomes[0])
			p.journal = "c"
			e.outcomes = append(e.outcomes, p)
		}, "c1 (message.send) has 2 outcomes"},
		"a command took effect twice":       {func(e *evidence) { e.inChat["command c2"]++ }, "c2 (message.send) took effect 2 times"},
		"a command's success had no effect": {func(e *evidence) { e.inChat["command c2"] = 0 }, "c2 (message.send) took effect 0 times"},
		"nobody rejected an unknown account": {func(e *evidence) {
			e.outcomes = slices.DeleteFunc(e.outcomes, func(p published) bool { return p.id == "outcome/c3" })
		}, "c3 for stranger0, which nobody has, has 0 outcomes"},
		"an unknown account's command was done": {func(e *evidence) { e.inChat["command c3"]++ }, "c3 for stranger0, which nobody has, took effect"},
		"two shards rejected an unknown account's": {func(e *evidence) {
			i := slices.IndexFunc(e.outcomes, func(p published) bool { return p.id == "outcome/c3" })
			p := last(e, e.outcomes[i])
			p.journal = "c"
			e.outcomes = append(e.outcomes, p)
		}, "c3 for stranger0, which nobody has, has 2 outcomes"},
		"nobody lost a volume": {func(e *evidence) { e.renewal = time.Time{} }, "1 shards have a second journal"},
		"a group's order": {func(e *evidence) {
			p := event(e, "c", group+"/3")
			early := last(e, *p)
			early.id, early.data = group+"/1", []byte(strings.Replace(string(p.data), `"sequence":3`, `"sequence":1`, 1))
			e.events = append(e.events, early)
		}, "sequence 1 comes after 3"},
	} {
		t.Run(name, func(t *testing.T) {
			e := fleet()
			c.do(e)
			if err := e.index(); err != nil {
				t.Fatal(err)
			}
			if _, err := e.checkFleet(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v does not say %q", err, c.want)
			}
		})
	}
}
