package bustest

import (
	"errors"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/bus"
)

var poisonCases = []test{
	{"poison/what is not a CloudEvent", needRaw, notCloudEvents},
	{"poison/structured mode is read too", needRaw, structuredIsRead},
	{"poison/an oversized command", 0, oversized},
	{"poison/a message that looks like a signal", needSignal, looksLikeSignal},
	{"poison/a poison entry on a followed stream", needRaw, poisonFollowed},
}

// header makes the headers of a message of name and value pairs; an attribute's
// name begins with a colon.
func (s *suite) header(pairs ...string) []bus.Header {
	var hs []bus.Header
	for i := 0; i < len(pairs); i += 2 {
		name, attribute := strings.CutPrefix(pairs[i], ":")
		if attribute {
			name = s.h.AttributePrefix + name
		}
		hs = append(hs, bus.Header{Name: name, Value: []byte(pairs[i+1])})
	}
	return hs
}

func notCloudEvents(s *suite) {
	whole := []string{":specversion", "1.0", ":id", "1", ":source", "/x", ":type", "t"}
	without := func(name string) []string {
		var out []string
		for i := 0; i < len(whole); i += 2 {
			if whole[i] != name {
				out = append(out, whole[i], whole[i+1])
			}
		}
		return out
	}
	structured := []string{"content-type", "application/cloudevents+json"}
	for i, c := range []struct {
		name string
		m    RawMessage
		says string // part of the error's text
	}{
		{"nothing at all", RawMessage{}, ""},
		{"text", RawMessage{Value: []byte("hello")}, ""},
		{"JSON that is no event", RawMessage{Value: []byte(`{"hello":"world"}`)}, ""},
		{"a JSON array", RawMessage{Value: []byte(`[1,2]`)}, ""},
		{"other headers", RawMessage{Headers: s.header("x", "y", "content-type", "application/json"), Value: []byte(`{}`)}, ""},
		{"no id", RawMessage{Headers: s.header(without(":id")...)}, "id"},
		{"no source", RawMessage{Headers: s.header(without(":source")...)}, "source"},
		{"no type", RawMessage{Headers: s.header(without(":type")...)}, "type"},
		{"no specversion", RawMessage{Headers: s.header(without(":specversion")...)}, "specversion"},
		{"a specversion of the future", RawMessage{Headers: s.header(append(without(":specversion"), ":specversion", "2.0")...)}, "specversion"},
		{"an empty id", RawMessage{Headers: s.header(append(without(":id"), ":id", "")...)}, "id"},
		{"an attribute twice", RawMessage{Headers: s.header(append([]string{":id", "2"}, whole...)...)}, "id"},
		{"a time that is none", RawMessage{Headers: s.header(append([]string{":time", "yesterday"}, whole...)...)}, "time"},
		{"an attribute name that is none", RawMessage{Headers: s.header(append([]string{":a-b", "x"}, whole...)...)}, "a-b"},
		{"structured garbage", RawMessage{Headers: s.header(structured...), Value: []byte(`{"specversion":`)}, "JSON"},
		{"structured, empty", RawMessage{Headers: s.header(structured...)}, ""},
		{"structured, no id", RawMessage{Headers: s.header(structured...), Value: []byte(`{"specversion":"1.0","source":"/x","type":"t"}`)}, "id"},
		{"structured, data_base64 a number, first", RawMessage{Headers: s.header(structured...), Value: []byte(`{"data_base64":1,"specversion":"1.0","id":"1","source":"/x","type":"t"}`)}, ""},
		{"structured, attributes of wrong types", RawMessage{Headers: s.header(structured...), Value: []byte(`{"specversion":"1.0","id":7,"source":{},"type":[]}`)}, ""},
		{"a batch", RawMessage{Headers: s.header("content-type", "application/cloudevents-batch+json"), Value: []byte(`[]`)}, "batch"},
	} {
		s.Run(c.name, func(t *testing.T) {
			sub := *s
			sub.T = t
			b := sub.open(Options{})
			after := last(sub.dumpOf(b, bus.Commands))
			sub.broker.Raw(t, bus.Commands, c.m)
			sub.command(b, "bot", i, i+1)
			got := sub.poisonThenGood(sub.commands(b, after...))
			if !errors.Is(got.Err, bus.ErrNotCloudEvent) {
				t.Fatalf("err %v, not ErrNotCloudEvent", got.Err)
			}
			text := strings.TrimPrefix(got.Err.Error(), bus.ErrNotCloudEvent.Error())
			if len(text) < 10 || !strings.Contains(text, c.says) {
				t.Errorf("the error does not say what is wrong: %v", got.Err)
			}
			o, err := bus.DecodeOriginal(got.Original)
			if err != nil || string(o.Value) != string(c.m.Value) {
				t.Errorf("original %q (%v), not %q", o.Value, err, c.m.Value)
			}
			for _, h := range c.m.Headers {
				if _, ok := o.Get(h.Name); !ok {
					t.Errorf("the original has no header %q: %q", h.Name, o.Headers)
				}
			}
		})
	}
}

// poisonThenGood reads one poison entry and a good command, in whichever order
// their targets give them, and returns the poison.
func (s *suite) poisonThenGood(r bus.CommandReader) bus.Received {
	s.Helper()
	got, resets := s.take(r, 2)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
	bad, good := got[0], got[1]
	if bad.Err == nil {
		bad, good = good, bad
	}
	if good.Err != nil || good.Event == nil {
		s.Fatalf("the next good command does not come: %v", good.Err)
	}
	if bad.Event != nil || bad.Digest == "" || len(bad.Original) == 0 {
		s.Errorf("poison comes as %+v", bad)
	}
	return bad
}

func structuredIsRead(s *suite) {
	b := s.open(Options{})
	body := `{"specversion":"1.0","id":"s-1","source":"/x","type":"io.timbridge.command.message.send.v1",` +
		`"subject":"account/bot","timaccount":"bot","data":{"n":1}}`
	s.broker.Raw(s.T, bus.Commands, RawMessage{Headers: s.header("content-type", "application/cloudevents+json; charset=UTF-8"), Value: []byte(body)})
	got, _ := s.take(s.commands(b), 1)
	if got[0].Err != nil || got[0].Event.ID() != "s-1" || string(got[0].Event.Data()) != `{"n":1}` {
		s.Errorf("read %+v, %v", got[0].Event, got[0].Err)
	}
	s.publish(s.open(Options{Structured: true}), bus.Commands, command("bot", 2))
	more, _ := s.take(s.commands(b, last(got)...), 1)
	if d := difference(command("bot", 2), more[0].Event); d != "" && !strings.HasPrefix(d, "time") {
		s.Errorf("published in structured mode, read otherwise: %s", d)
	}
}

func oversized(s *suite) {
	b := s.open(Options{})
	e := command("bot", 7)
	if err := e.SetData("application/octet-stream", make([]byte, s.h.MaxCommandBytes+1)); err != nil {
		s.Fatal(err)
	}
	s.publish(b, bus.Commands, e)
	s.command(b, "bot", 0, 1)
	got := s.poisonThenGood(s.commands(b))
	if !errors.Is(got.Err, bus.ErrLimit) {
		s.Errorf("an oversized command gives %v, not ErrLimit", got.Err)
	}
	if o, err := bus.DecodeOriginal(got.Original); err != nil || len(o.Value) != s.h.MaxCommandBytes+1 {
		s.Errorf("original of %d bytes, %v", len(o.Value), err)
	}
}

// looksLikeSignal: a stored message must not be taken for the broker's word.
func looksLikeSignal(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 2)
	s.broker.Raw(s.T, bus.Commands, *s.broker.Signal)
	s.command(b, "bot", 2, 4)
	got, _ := s.take(s.commands(b), 5)
	if n := names(got); n[2] != "!" || n[3] != "bot-2" || n[4] != "bot-3" {
		s.Errorf("read %v", n)
	}
}

func poisonFollowed(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(2))
	s.noise(bus.Events, 2)
	p.round(p.messages(2))
	got := s.dump(bus.Events)
	bad := 0
	for _, r := range got {
		if errors.Is(r.Err, bus.ErrNotCloudEvent) {
			bad++
		}
	}
	if len(got) != 6 || bad != 2 {
		s.Errorf("%d messages, %d poison", len(got), bad)
	}
}
