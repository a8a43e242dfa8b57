package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/mapping"
)

// maxLine bounds what a line says after the event's subject, in characters.
const maxLine = 300

// eventLine is an event in one line for people.
func eventLine(ev *event.Event) string {
	name := mapping.ShortName(ev.Type())
	text := plain(eventText(name, ev))
	if runes := []rune(text); len(runes) > maxLine {
		text = string(runes[:maxLine-1]) + "…"
	}
	line := fmt.Sprintf("%s  %-22s  %s  %s", ev.Time().Local().Format(time.TimeOnly), plain(name), plain(ev.Subject()), text)
	return strings.TrimRight(line, " ")
}

// said is what a message.posted and a command.message.send have to tell.
type said struct {
	Sender   string `json:"sender"`
	Elements []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"elements"`
	Conversation struct {
		UserID  string `json:"user_id"`
		GroupID string `json:"group_id"`
	} `json:"conversation"`
}

func (s said) text() string {
	var parts []string
	for _, el := range s.Elements {
		if el.Type == "text" {
			parts = append(parts, el.Text)
		} else {
			parts = append(parts, "["+el.Type+"]")
		}
	}
	return strings.Join(parts, " ")
}

// happened is what the other facts have to tell.
type happened struct {
	Operator  string   `json:"operator"`
	GroupName string   `json:"group_name"`
	UserIDs   []string `json:"user_ids"`
	JoinType  string   `json:"join_type"`
	Reason    string   `json:"reason"`
	Members   []struct {
		UserID string `json:"user_id"`
		Role   string `json:"role"`
	} `json:"members"`
	Changes []struct {
		Field string `json:"field"`
		Value string `json:"value"`
	} `json:"changes"`
	MessageID string    `json:"message_id"`
	Status    string    `json:"status"`
	Text      string    `json:"text"`
	Name      string    `json:"name"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
}

// eventText is what an event says, in the words of its family; the data as it
// is where there are none for it.
func eventText(name string, ev *event.Event) string {
	raw := string(ev.Data())
	switch ev.Type() {
	case mapping.TypeMessagePosted, mapping.TypeCommandSend:
		var s said
		if json.Unmarshal(ev.Data(), &s) != nil {
			return raw
		}
		if s.Sender == "" && ev.Type() == mapping.TypeCommandSend {
			return "to " + s.Conversation.UserID + s.Conversation.GroupID + ": " + s.text()
		}
		return s.Sender + ": " + s.text()
	case mapping.TypeDeadLettered:
		if _, o, err := mapping.ParseDeadLetter(ev); err == nil {
			return outcomeText(o)
		}
		return raw
	}
	if mapping.IsOutcome(ev.Type()) {
		if o, err := mapping.ParseOutcome(ev); err == nil {
			return outcomeText(o)
		}
		return raw
	}
	var h happened
	if json.Unmarshal(ev.Data(), &h) != nil {
		return raw
	}
	users := strings.Join(h.UserIDs, ", ")
	switch name {
	case "message.revoked":
		return "recalled " + h.MessageID
	case "group.created":
		return fmt.Sprintf("%s made %q", h.Operator, h.GroupName)
	case "group.member_joined":
		if h.JoinType == "invited" && h.Operator != "" {
			return users + ", invited by " + h.Operator
		}
		return users
	case "group.member_left":
		return users
	case "group.member_kicked":
		return users + ", removed by " + h.Operator
	case "group.member_changed":
		var parts []string
		for _, m := range h.Members {
			parts = append(parts, strings.TrimSpace(m.UserID+" "+m.Role))
		}
		return strings.Join(parts, ", ")
	case "group.info_changed":
		var parts []string
		for _, c := range h.Changes {
			parts = append(parts, fmt.Sprintf("%s %q", c.Field, c.Value))
		}
		return h.Operator + " changed " + strings.Join(parts, ", ")
	case "group.dismissed":
		return strings.TrimSpace(h.Reason + " " + h.Operator)
	case "account.signed_in", "account.kicked_offline", "account.usersig_expired":
		return ""
	case "account.signed_out", "bridge.event_refused":
		return h.Reason
	case "account.connection_changed":
		return strings.TrimSpace(h.Status + " " + h.Text)
	case "account.gap_detected":
		return fmt.Sprintf("nothing can be read back from %s to %s: %s", h.From.Format(time.RFC3339), h.To.Format(time.RFC3339), h.Reason)
	case "im.unrecognized":
		return h.Name
	case "bridge.journal_damaged":
		var lost struct{ First, Last uint64 }
		if json.Unmarshal(ev.Data(), &lost) != nil {
			return raw
		}
		return fmt.Sprintf("lost positions %d to %d", lost.First, lost.Last)
	}
	return raw
}

// outcomeLine is an outcome in one line for people: what came of it, of what,
// and the result or the reason.
func outcomeLine(o mapping.Outcome) string {
	line := []string{strings.TrimPrefix(mapping.ShortName(o.Type), "command.")}
	if o.Command.Type != "" {
		line = append(line, plain(mapping.Verb(o.Command.Type)))
	}
	return strings.TrimRight(strings.Join(append(line, plain(outcomeText(o))), "  "), " ")
}

// outcomeText is the result or the reason.
func outcomeText(o mapping.Outcome) string {
	if o.Error != nil {
		return errorText(o)
	}
	if o.Result == nil {
		return ""
	}
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	r := o.Result
	if r.GroupID != "" {
		add("group %s", r.GroupID)
	}
	if r.MessageID != "" {
		add("message %s", r.MessageID)
	}
	for _, m := range r.Members {
		add("%s: %s", m.UserID, m.Result)
	}
	if r.Already {
		add("(it was so already)")
	}
	if o.Attempts > 1 {
		add("after %d attempts", o.Attempts)
	}
	return strings.Join(parts, ", ")
}

// errorText is why a command did not succeed: the code, where, the words.
func errorText(o mapping.Outcome) string {
	e := o.Error
	var code []string
	if o.Type != mapping.TypeExpired || e.Code != mapping.CodeExpired {
		code = append(code, string(e.Code))
	}
	if e.Number != 0 {
		code = append(code, fmt.Sprint(e.Number), e.Name)
	}
	if e.Field != "" {
		code = append(code, "at "+e.Field)
	}
	if len(code) == 0 {
		return e.Text
	}
	return strings.Join(code, " ") + ": " + e.Text
}
