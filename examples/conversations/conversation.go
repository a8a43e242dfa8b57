package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// event is what the data of message.posted, message.modified, message.revoked
// and message.read have for us; a consumer ignores what it does not know.
type event struct {
	MessageID  string `json:"message_id"`
	MsgID      string `json:"msg_id"`
	Sender     string `json:"sender"`
	Sequence   uint64 `json:"sequence"`
	ServerTime int64  `json:"server_time"`
	Version    uint64 `json:"version"`
	Elements   []struct {
		Type string `json:"type"`
		Text string `json:"text"`
		Name string `json:"name"`
	} `json:"elements"`
	Reader    string `json:"reader"`
	ReadUntil int64  `json:"read_until"`
	ReadCount uint64 `json:"read_count"`
}

// talks are all conversations, by the subject of their events.
type talks map[string]*conversation

type conversation struct {
	Messages map[string]*message // by id
	Read     map[string]int64    // up to when each has read, in a talk of two
	Readers  map[string]uint64   // how many have read a message of a group, by its msg_id
}

type message struct {
	MsgID    string
	Sender   string
	Time     int64
	Sequence uint64
	Version  uint64
	Text     string
	Posted   bool
	Revoked  bool
}

func newConversation() *conversation {
	return &conversation{Messages: map[string]*message{}, Read: map[string]int64{}, Readers: map[string]uint64{}}
}

// apply takes an event over. Whichever order events come in, and however often,
// the outcome is the same: a message has the text of its highest version, what
// was recalled stays so, and a read mark only moves on.
func (c *conversation) apply(kind string, e event) {
	switch kind {
	case "io.timbridge.message.posted.v1", "io.timbridge.message.modified.v1":
		m := c.message(e.MessageID)
		if m.Posted && e.Version <= m.Version {
			return
		}
		m.Posted, m.Version, m.Text = true, e.Version, text(e)
		m.MsgID, m.Sender, m.Time, m.Sequence = e.MsgID, e.Sender, e.ServerTime, e.Sequence
	case "io.timbridge.message.revoked.v1":
		c.message(e.MessageID).Revoked = true
	case "io.timbridge.message.read.v1":
		if e.Reader != "" {
			c.Read[e.Reader] = max(c.Read[e.Reader], e.ReadUntil)
		} else if e.MsgID != "" {
			c.Readers[e.MsgID] = max(c.Readers[e.MsgID], e.ReadCount)
		}
	}
}

func (c *conversation) message(id string) *message {
	if c.Messages[id] == nil {
		c.Messages[id] = &message{}
	}
	return c.Messages[id]
}

// text is a message in one line.
func text(e event) string {
	var parts []string
	for _, el := range e.Elements {
		switch {
		case el.Type == "text":
			parts = append(parts, el.Text)
		case el.Name != "":
			parts = append(parts, "["+el.Type+" "+el.Name+"]")
		default:
			parts = append(parts, "["+el.Type+"]")
		}
	}
	return strings.Map(printable, strings.Join(parts, " "))
}

// printable keeps what somebody else wrote from moving the terminal's cursor.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// print writes the conversations that changed, or all of them.
func (t talks) print(w io.Writer, changed map[string]bool) {
	for _, subject := range slices.Sorted(maps.Keys(t)) {
		if changed == nil || changed[subject] {
			fmt.Fprintln(w, subject)
			t[subject].print(w)
		}
	}
}

func (c *conversation) print(w io.Writer) {
	messages := slices.SortedFunc(maps.Values(c.Messages), func(a, b *message) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Sequence, b.Sequence))
	})
	for _, m := range messages {
		if !m.Posted || m.Revoked {
			continue
		}
		about := ""
		if m.Version > 0 {
			about = " (changed)"
		}
		if n := c.Readers[m.MsgID]; n > 0 {
			about += fmt.Sprintf(" (read by %d)", n)
		}
		fmt.Fprintf(w, "  %s %s: %s%s\n", clock(m.Time), m.Sender, m.Text, about)
	}
	for _, reader := range slices.Sorted(maps.Keys(c.Read)) {
		fmt.Fprintf(w, "  read by %s up to %s\n", reader, clock(c.Read[reader]))
	}
}

func clock(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.TimeOnly) }
