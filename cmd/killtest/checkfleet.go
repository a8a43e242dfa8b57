package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

const (
	typeSignedIn = "io.timbridge.account.signed_in.v1"
	typeKicked   = "io.timbridge.account.kicked_offline.v1"
	typeRejected = "io.timbridge.command.rejected.v1"

	// goneWithin is how long what is recorded may wait for its round, in the
	// order of the journal, until all targets have their parts of it.
	goneWithin = 10 * time.Second
)

// shard is one of several bridges: the accounts it signed in, and its journals,
// of which one that lost its volume has two.
type shard struct {
	journals []string
	accounts []tim.UserID
}

// toldTwice says whether the same was told once by each of two journals.
func (s *shard) toldTwice(came []outcome) bool {
	return len(came) == 2 && len(s.journals) == 2 && came[0].id == came[1].id && came[0].journal != came[1].journal &&
		slices.Contains(s.journals, came[0].journal) && slices.Contains(s.journals, came[1].journal)
}

func (s *shard) owns(user tim.UserID) bool { return slices.Contains(s.accounts, user) }

// signers are who signed in which accounts, by the events that say so.
func (e *evidence) signers(fault faultFunc) []*shard {
	by := map[tim.UserID]map[string]bool{}
	for _, p := range e.events {
		user := tim.UserID(strings.TrimPrefix(p.subject, "account/"))
		switch p.typ {
		case typeSignedIn:
			if by[user] == nil {
				by[user] = map[string]bool{}
			}
			by[user][p.journal] = true
		case typeKicked:
			fault("account %s was signed in twice: %s at %s", user, p.id, p.place())
		}
	}
	shards := map[string]*shard{}
	for _, user := range e.accounts {
		journals := slices.Sorted(maps.Keys(by[user]))
		if len(journals) == 0 {
			fault("account %s was never signed in", user)
			continue
		}
		key := strings.Join(journals, " ")
		if shards[key] == nil {
			shards[key] = &shard{journals: journals}
		}
		shards[key].accounts = append(shards[key].accounts, user)
	}
	var list []*shard
	of := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(shards)) {
		for _, j := range shards[key].journals {
			if other, ok := of[j]; ok {
				fault("journal %s is of two shards: %q and %q", j, other, key)
			}
			of[j] = key
		}
		list = append(list, shards[key])
	}
	return list
}

// checkFleet holds each shard to what a bridge promises, for its own accounts
// and what they are told, and all of them to the rest.
func (e *evidence) checkFleet() (figures, error) {
	f := figures{Taken: len(e.taken), Events: len(e.events), Gaps: len(e.bus.gaps), Verbs: map[string]int{}, Why: map[string]int{}}
	var wrong []error
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	shards := e.signers(fault)
	if len(shards) != e.shards {
		fault("accounts were signed in by %d shards of %d", len(shards), e.shards)
	}
	journals := map[string]bool{}
	var renewed []*shard
	for _, s := range shards {
		part := e.of(s)
		for _, j := range s.journals {
			journals[j] = true
		}
		var err error
		if len(s.journals) == 1 {
			var own figures
			own, err = part.check()
			f.add(own)
		} else {
			renewed = append(renewed, s)
			err = part.checkRenewed(&f)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("the shard of %v: %w", s.accounts, err))
		}
	}
	if want := map[bool]int{true: 0, false: 1}[e.renewal.IsZero()]; len(renewed) != want {
		fault("%d shards have a second journal, and %d lost its volume", len(renewed), want)
	}
	for _, d := range e.deeds {
		if d.Kind == deedPost {
			f.Said++
		}
	}
	for _, list := range [][]published{e.events, e.outcomes, e.deadLetters} {
		for _, p := range list {
			if !journals[p.journal] {
				fault("%s at %s is of a journal that signed nobody in", p.id, p.place())
			}
		}
	}
	e.checkStrangers(&f, renewed, fault)
	return f, errors.Join(limit(wrong)...)
}

// add adds what a shard did.
func (f *figures) add(own figures) {
	f.Changed += own.Changed
	f.Tips += own.Tips
	f.Files += own.Files
	f.Succeeded += own.Succeeded
	f.Failed += own.Failed
	f.InDoubt += own.InDoubt
	f.Revoked += own.Revoked
	for k, n := range own.Verbs {
		f.Verbs[k] += n
	}
	for k, n := range own.Why {
		f.Why[k] += n
	}
}

// of is what there is of a shard.
func (e *evidence) of(s *shard) *evidence {
	part := &evidence{
		delivery: e.delivery, accounts: s.accounts, renewal: e.renewal, inChat: e.inChat, downloads: e.downloads,
		history: map[string]spoken{}, came: map[string][]outcome{},
	}
	told := map[string]bool{mapping.GroupSubject(talkGroup()): true} // the conversations
	for _, account := range s.accounts {
		for _, user := range people {
			told[mapping.Subject(tim.C2C(user), account)] = true
		}
	}
	for _, c := range e.taken {
		if !s.owns(c.by) {
			continue
		}
		part.taken = append(part.taken, c)
		// Whoever told of it: more than one is one too many.
		if came := e.came[c.id]; len(came) > 0 {
			part.came[c.id] = came
		}
		if c.verb == "group.create" {
			told[mapping.GroupSubject(c.in)] = true
		}
	}
	for _, d := range e.deeds {
		if d.Group == talkGroup() || s.owns(d.To) {
			part.deeds = append(part.deeds, d)
		}
	}
	for id, m := range e.history {
		if told[m.subject] {
			part.history[id] = m
		}
	}
	own := func(p published) bool { return slices.Contains(s.journals, p.journal) }
	part.events, part.outcomes, part.deadLetters = only(e.events, own), only(e.outcomes, own), only(e.deadLetters, own)
	part.bus = readBus(part.events)
	if len(s.journals) > 1 {
		last := map[string]time.Time{}
		for _, p := range part.events {
			if p.recorded.After(last[p.journal]) {
				last[p.journal] = p.recorded
			}
		}
		part.published = slices.MinFunc(slices.Collect(maps.Values(last)), time.Time.Compare)
	}
	return part
}

func only(list []published, keep func(published) bool) []published {
	return slices.DeleteFunc(slices.Clone(list), func(p published) bool { return !keep(p) })
}

// checkStrangers: a command for an account that nobody has is rejected, by one
// shard; by both journals of one that lost its volume.
func (e *evidence) checkStrangers(f *figures, renewed []*shard, fault faultFunc) {
	given := map[string]bool{}
	for _, c := range e.taken {
		given[c.id] = true
		if slices.Contains(e.accounts, c.by) {
			continue
		}
		f.Unknown++
		came := e.came[c.id]
		again := slices.ContainsFunc(renewed, func(s *shard) bool { return s.toldTwice(came) })
		if again {
			f.Again++
		}
		if len(came) != 1 && !again || came[0].typ != typeRejected {
			fault("command %s for %s, which nobody has, has %d outcomes: %v", c.id, c.by, len(came), types(came))
		}
		if e.inChat[c.text] > 0 {
			fault("command %s for %s, which nobody has, took effect", c.id, c.by)
		}
	}
	for id := range e.came {
		if !given[id] {
			fault("an outcome tells of command %q, which nobody gave", id)
		}
	}
}

func types(came []outcome) (list []string) {
	for _, o := range came {
		list = append(list, o.typ+" "+o.why())
	}
	return list
}

// checkRenewed holds a shard that lost its volume to what is left to promise.
// Each of its journals is right in itself; what was said is in one of them,
// but for what was recorded just before and had not come to the bus; and no
// command took effect twice, though it may be told of once by each journal,
// the second having settled what the first did.
func (e *evidence) checkRenewed(f *figures) error {
	var wrong []error
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	journals := map[string]*bus{}
	for _, p := range e.events {
		journals[p.journal] = nil
	}
	for j := range journals {
		of := func(p published) bool { return p.journal == j }
		one := *e
		one.events, one.outcomes, one.deadLetters = only(e.events, of), only(e.outcomes, of), only(e.deadLetters, of)
		one.bus = readBus(one.events)
		journals[j] = one.bus
		one.checkStream("events", one.events, fault)
		one.checkStream("outcomes", one.outcomes, fault)
		one.checkStream("dead letters", one.deadLetters, fault)
		one.checkDeadLetters(fault)
		one.checkRising(fault)
	}
	there := func(mark string) (n int) {
		for _, b := range journals {
			if b.marks[mark] > 0 {
				n++
			}
		}
		return n
	}
	for _, d := range e.deeds {
		if d.Kind != deedPost || there(d.Mark) > 0 {
			continue
		}
		if e.gone(d) {
			f.Missing++
			continue
		}
		fault("message %q of %s (%s), which was answered, is not on the bus (%s before the volume was lost)", d.Mark, d.By, d.ID, e.renewal.Sub(d.At))
	}
	for _, c := range e.taken {
		e.checkAgain(c, f, fault)
	}
	return errors.Join(wrong...)
}

// gone says whether what was said may be gone with a volume: it had been
// recorded there, and had not come to the bus.
func (e *evidence) gone(d deed) bool {
	return !e.published.IsZero() && d.At.After(e.published.Add(-goneWithin)) && d.At.Before(e.renewal.Add(time.Second))
}

// checkRising: in a group the order of its sequence. What a command has said
// is told when the command is settled, which after a loss may be later; and what
// one account had acknowledged to the lost volume comes, as late, by another one
// that had not.
func (e *evidence) checkRising(fault faultFunc) {
	last := map[string]uint64{}
	for _, p := range e.bus.posts {
		if !strings.HasPrefix(p.subject, "group/") || slices.Contains(e.accounts, p.Sender) || p.Late {
			continue
		}
		if before := last[p.subject]; p.Sequence <= before {
			fault("%s: sequence %d comes after %d", p.subject, p.Sequence, before)
		}
		last[p.subject] = p.Sequence
	}
}

// checkAgain: a command of a shard that lost its volume.
func (e *evidence) checkAgain(c ordered, f *figures, fault faultFunc) {
	f.Verbs[c.verb]++
	came := e.came[c.id]
	if len(came) == 0 {
		fault("command %s (%s) has no outcome", c.id, c.verb)
		return
	}
	by := map[string]bool{}
	done := false
	for _, o := range came {
		if by[o.journal] {
			fault("command %s (%s) has two outcomes of one journal: %v", c.id, c.verb, types(came))
		}
		by[o.journal] = true
		done = done || o.succeeded()
	}
	if len(came) > 1 {
		f.Again++
	}
	f.count(c, came[0], fault)
	switch {
	case c.hopeless && (done || c.text != "" && e.inChat[c.text] > 0):
		fault("command %s (%s) cannot succeed: %v", c.id, c.verb, types(came))
	case c.hopeless || c.verb != "message.send":
	case e.inChat[c.text] > 1 || done && e.inChat[c.text] != 1:
		fault("command %s (%s) took effect %d times in chat: %v", c.id, c.verb, e.inChat[c.text], types(came))
	case !done && !strings.HasPrefix(came[0].why(), "in_doubt"):
		fault("command %s (%s) did not succeed: %v", c.id, c.verb, types(came))
	}
}
