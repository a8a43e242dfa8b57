package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// bus is what a consumer makes of the events, which is all that it knows.
type bus struct {
	ids     map[string]string // where each event is
	posts   []*post           // in the order of the stream
	marks   map[string]int    // how often each message was posted, by its mark
	now     map[string]*spoken
	created map[string]int        // by subject
	tips    map[string]int        // what tips told, as factsTold has it
	reports map[string]int        // what reports told, likewise
	tipped  map[string]int        // facts, by the message whose tip told them
	read    map[string]int        // receipts of single messages, by the service's id
	readers map[string]int        // who have sent them, likewise
	until   map[tim.UserID]uint64 // up to when each has read the talk with the bridge
	gaps    []gap
	wrong   []error
}

// post is a message.posted.
type post struct {
	published
	MessageID  string     `json:"message_id"`
	Sender     tim.UserID `json:"sender"`
	Sequence   uint64     `json:"sequence"`
	ServerTime uint64     `json:"server_time"`
	Version    uint64     `json:"version"`
	Late       bool       `json:"late"`
	Elements   []element  `json:"elements"`

	said []string
}

// spoken is what a message says in the end: rebuilt from the bus, or in the
// history of the service.
type spoken struct {
	id, subject string
	sender      tim.UserID
	mark        string
	said        []string
	version     uint64
	revoked     bool
}

// groupFact is what events about groups have in common.
type groupFact struct {
	UserIDs   []tim.UserID `json:"user_ids"`
	Members   []member     `json:"members"`
	Changes   []change     `json:"changes"`
	Via       string       `json:"via"`
	MessageID string       `json:"message_id"`
}

// gap is what an account.gap_detected admits: from a sequence to another one,
// or from a time to another one; of some kinds of events only, or without them
// of all that was said.
type gap struct {
	subject      string // account/… where it may be any conversation
	conversation bool
	Account      tim.UserID `json:"account"`
	Covers       []string   `json:"covers"`
	From         time.Time  `json:"from"`
	To           time.Time  `json:"to"`
	First        uint64     `json:"first_sequence"`
	Last         uint64     `json:"last_sequence"`
}

const (
	typePosted   = "io.timbridge.message.posted.v1"
	typeModified = "io.timbridge.message.modified.v1"
	typeRevoked  = "io.timbridge.message.revoked.v1"
	typeRead     = "io.timbridge.message.read.v1"
	typeGap      = "io.timbridge.account.gap_detected.v1"

	revokedSuffix = "/revoked"
	modifiedInfix = "/modified/"
)

// readBus reads the events as a consumer does, one after the other.
func readBus(events []published) *bus {
	b := &bus{
		ids: map[string]string{}, marks: map[string]int{}, now: map[string]*spoken{}, created: map[string]int{},
		tips: map[string]int{}, reports: map[string]int{}, tipped: map[string]int{}, read: map[string]int{}, readers: map[string]int{}, until: map[tim.UserID]uint64{},
	}
	for _, p := range events {
		if err := b.take(p); err != nil {
			b.wrong = append(b.wrong, fmt.Errorf("event %s: %w", p.id, err))
		}
		if _, ok := b.ids[p.id]; !ok {
			b.ids[p.id] = p.place()
		}
	}
	return b
}

func (b *bus) take(p published) error {
	switch {
	case p.typ == typePosted:
		return b.takePost(p)
	case p.typ == typeModified:
		return b.takeModified(p)
	case p.typ == typeRevoked:
		id := strings.TrimSuffix(p.id, revokedSuffix)
		if b.now[id] == nil {
			return fmt.Errorf("it comes before its message")
		}
		b.now[id].revoked = true
	case p.typ == typeRead:
		var r struct {
			MsgID  string     `json:"msg_id"`
			Reader tim.UserID `json:"reader"`
			Until  uint64     `json:"read_until"`
			Count  int        `json:"read_count"`
		}
		if err := json.Unmarshal(p.data, &r); err != nil {
			return err
		}
		b.read[r.MsgID]++
		if r.Reader != "" {
			r.Count = 1
		}
		b.readers[r.MsgID] = max(b.readers[r.MsgID], r.Count)
		if r.MsgID == "" {
			b.until[r.Reader] = max(b.until[r.Reader], r.Until)
		}
	case p.typ == typeGap:
		g := gap{subject: p.subject, conversation: !strings.HasPrefix(p.subject, "account/")}
		if err := json.Unmarshal(p.data, &g); err != nil {
			return err
		}
		b.gaps = append(b.gaps, g)
	case strings.HasPrefix(p.typ, "io.timbridge.group."):
		return b.takeGroup(p)
	}
	return nil
}

func (b *bus) takePost(p published) error {
	m := &post{published: p}
	if err := json.Unmarshal(p.data, m); err != nil {
		return err
	}
	m.said = saidOnBus(m.Elements)
	b.posts = append(b.posts, m)
	mark := ""
	if len(m.Elements) > 0 {
		mark = markOf(m.Elements[0])
		b.marks[mark]++
	}
	b.now[p.id] = &spoken{id: p.id, subject: p.subject, sender: m.Sender, mark: mark, said: m.said, version: m.Version}
	return nil
}

func (b *bus) takeModified(p published) error {
	m := post{published: p}
	if err := json.Unmarshal(p.data, &m); err != nil {
		return err
	}
	now := b.now[m.MessageID]
	if now == nil {
		return fmt.Errorf("it comes before its message")
	}
	if m.Version > now.version {
		now.said, now.version = saidOnBus(m.Elements), m.Version
	}
	return nil
}

func (b *bus) takeGroup(p published) error {
	var g groupFact
	if err := json.Unmarshal(p.data, &g); err != nil {
		return err
	}
	what := strings.TrimSuffix(strings.TrimPrefix(p.typ, "io.timbridge.group."), ".v1")
	if what == "created" {
		b.created[p.subject]++
	}
	into := map[string]map[string]int{"tip": b.tips, "report": b.reports}[g.Via]
	if into == nil {
		return nil
	}
	for _, fact := range g.told(what) {
		into[p.subject+" "+fact]++
	}
	if g.Via == "tip" {
		b.tipped[g.MessageID]++
		if b.now[g.MessageID] == nil {
			return fmt.Errorf("it comes before its message %q", g.MessageID)
		}
	}
	return nil
}

// told are the single things that an event about a group tells.
func (g groupFact) told(what string) []string {
	var out []string
	for _, u := range g.UserIDs {
		out = append(out, fmt.Sprintf("%s %s", what, u))
	}
	for _, m := range g.Members {
		if m.Role != "" {
			out = append(out, fmt.Sprintf("%s %s %s", what, m.UserID, m.Role))
		}
		if m.MutedSeconds != nil {
			out = append(out, fmt.Sprintf("%s %s muted %d", what, m.UserID, *m.MutedSeconds))
		}
	}
	for _, c := range g.Changes {
		out = append(out, fmt.Sprintf("%s %s=%s", what, c.Field, c.Value))
	}
	if len(out) == 0 {
		out = append(out, what)
	}
	return out
}

// admits says whether a gap admits that something said in a conversation at
// that time, in seconds since 1970, is missing.
func (b *bus) admits(subject string, at uint64) bool {
	t := time.Unix(int64(at), 0)
	return slices.ContainsFunc(b.gaps, func(g gap) bool {
		if len(g.Covers) > 0 || g.conversation && g.subject != subject || g.From.IsZero() && g.To.IsZero() {
			return false
		}
		// The service's times are whole seconds.
		return !t.Before(g.From.Truncate(time.Second)) && (g.To.IsZero() || !t.After(g.To))
	})
}

// excuses says whether a gap of an account admits that an event of that kind,
// such as message.read, is missing that tells what happened between two times.
func (b *bus) excuses(account tim.UserID, kind string, from, to time.Time) bool {
	return slices.ContainsFunc(b.gaps, func(g gap) bool {
		return !g.conversation && g.Account == account && slices.Contains(g.Covers, kind) && !to.Before(g.From) && !from.After(g.To)
	})
}
