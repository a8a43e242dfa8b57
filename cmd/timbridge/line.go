package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

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
	line := fmt.Sprintf("%s  %-22s  %s  %s", happenedAt(ev).Local().Format(time.TimeOnly), plain(name), plain(ev.Subject()), text)
	return strings.TrimRight(line, " ")
}

// happenedAt is the IM service's time of an event; where it has none, when it
// was recorded.
func happenedAt(ev *event.Event) time.Time {
	if t := ev.Time(); !t.IsZero() {
		return t
	}
	recorded, err := types.ToTime(ev.Extensions()[mapping.ExtRecordedTime])
	if err != nil {
		return time.Time{}
	}
	return recorded
}

// said is what events and commands about messages have to tell.
type said struct {
	Sender       string            `json:"sender"`
	Elements     []mapping.Element `json:"elements"`
	Conversation struct {
		UserID  string `json:"user_id"`
		GroupID string `json:"group_id"`
	} `json:"conversation"`
}

func (s said) text() string {
	var parts []string
	for _, el := range s.Elements {
		parts = append(parts, partText(el))
	}
	return strings.Join(parts, " ")
}

// partText is an element of an event as [elementText] has it.
func partText(el mapping.Element) string {
	switch el.Type {
	case "text":
		return el.Text
	case "custom":
		return bracketed(el.Type, el.Desc) + spaced(el.Data)
	case "image", "sound", "file", "video":
		seconds := ""
		if el.Type != "image" && el.Type != "file" {
			seconds = duration(el.Duration)
		}
		return bracketed(el.Type, el.Name, dimensions(int64(el.Width), int64(el.Height)), seconds, weight(el.Size)) + spaced(el.URL)
	case "face":
		if el.Index != nil {
			return bracketed(el.Type, fmt.Sprint(*el.Index))
		}
	case "location":
		if el.Latitude != nil && el.Longitude != nil {
			return bracketed(el.Type, el.Desc, fmt.Sprintf("%.5f, %.5f", *el.Latitude, *el.Longitude))
		}
	case "group_tips":
		return tipPart(el)
	case "merger":
		return bracketed("forwarded", el.Title) + spaced(strings.Join(el.Abstracts, " / "))
	}
	return "[" + el.Type + "]"
}

// eventText is what an event says, in the words of its family; the data as it
// is where there are none for it.
func eventText(name string, ev *event.Event) string {
	raw := string(ev.Data())
	switch ev.Type() {
	case mapping.TypeMessagePosted, mapping.TypeMessageModified, mapping.TypeCommandSend:
		var s said
		if json.Unmarshal(ev.Data(), &s) != nil {
			return raw
		}
		if ev.Type() == mapping.TypeMessageModified {
			return s.Sender + " (changed): " + s.text()
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
	if text, ok := factText(name, ev.Data()); ok {
		return text
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
	already := ""
	if r.Already {
		already = " (it was so already)"
	}
	if r.GroupID != "" {
		add("group %s%s", r.GroupID, already)
		already = ""
	}
	if r.MessageID != "" {
		add("message %s%s", r.MessageID, already)
		already = ""
	}
	for _, m := range r.Members {
		add("%s: %s", m.UserID, m.Result)
	}
	if r.Status == mapping.StatusRequested {
		add("the account has asked and is not in yet")
	}
	if already != "" {
		add("%s", already[1:])
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
