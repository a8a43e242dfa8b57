package bus_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
)

func sample() event.Event {
	e := event.New()
	e.SetID("1")
	e.SetSource("tim://1400000000")
	e.SetType("io.timbridge.message.posted.v1")
	e.SetSubject("c2c/alice/bob")
	e.SetTime(time.Date(2026, 11, 5, 1, 2, 3, 4, time.UTC))
	e.SetDataSchema("https://example.com/s?x=%20")
	e.SetExtension("timaccount", "alice")
	return e
}

func TestAttributes(t *testing.T) {
	e := sample()
	e.SetDataContentType("application/json")
	e.SetExtension("number", 7)
	e.SetExtension("flag", true)
	got, err := bus.AppendAttributes(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, a := range got {
		texts = append(texts, a.Name+"="+a.Value)
	}
	slices.Sort(texts)
	want := []string{
		"datacontenttype=application/json", "dataschema=https://example.com/s?x=%20", "flag=true", "id=1", "number=7",
		"source=tim://1400000000", "specversion=1.0", "subject=c2c/alice/bob", "timaccount=alice",
		"time=2026-11-05T01:02:03.000000004Z", "type=io.timbridge.message.posted.v1",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("attributes are\n%v, not\n%v", texts, want)
	}
	if _, err := bus.AppendAttributes(nil, &event.Event{}); !errors.Is(err, bus.ErrNotCloudEvent) {
		t.Errorf("an event without attributes: %v", err)
	}
}

// TestSourceText: sources are written as the SDK writes them, the quick way too.
func TestSourceText(t *testing.T) {
	for _, source := range []string{
		"tim://1400000000", "/path", "urn:uuid:x", "https://host/p?q#f", "https://host", "https://user@host", "//host",
		"https://h%C3%A9", "mailto:a@b", "https://host?", "tim://a b", "x:y", "https://[::1]:80", "",
	} {
		e := event.New()
		e.SetSource(source)
		got, err := bus.AppendAttributes(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		if got[2].Value != e.Source() {
			t.Errorf("source %q is written as %q, the SDK writes %q", source, got[2].Value, e.Source())
		}
	}
}

// TestBinaryEventInJSON: whatever data came with, its event can be written as
// JSON and read again, as the journal does.
func TestBinaryEventInJSON(t *testing.T) {
	for name, c := range map[string]struct{ contentType, data string }{
		"JSON":                 {"application/json", `{"a":1}`},
		"JSON without a type":  {"", `{"a":1}`},
		"JSON that is none":    {"application/json", `{"a":`},
		"bytes without a type": {"", "\xff\x00"},
		"text":                 {"text/plain", "hello\nworld"},
		"text that is none":    {"text/plain", "\xff\xfe"},
		"a picture":            {"image/png", "\x89PNG\r\n"},
		"JSON of a kind":       {"application/vnd.x+json", `{"b":2}`},
		"XML":                  {"application/xml; charset=utf-8", "<a/>"},
		"a type that is none":  {"///", "x"},
		"nothing":              {"application/json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := sample()
			attributes, err := bus.AppendAttributes(nil, &e)
			if err != nil {
				t.Fatal(err)
			}
			if c.contentType != "" {
				attributes = append(attributes, bus.Attribute{Name: "datacontenttype", Value: c.contentType})
			}
			got, err := bus.BinaryEvent(attributes, []byte(c.data))
			if c.contentType == "///" {
				if !errors.Is(err, bus.ErrNotCloudEvent) {
					t.Fatalf("a content type that is none gives %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := got.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := bus.StructuredEvent(b)
			if err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			if string(again.Data()) != c.data {
				t.Errorf("data came back as %q, was %q", again.Data(), c.data)
			}
		})
	}
}

func TestModeOf(t *testing.T) {
	for _, c := range []struct {
		contentType string
		version     bool
		value       string
		want        bus.Mode
	}{
		{"application/cloudevents+json", false, "", bus.ModeStructured},
		{"Application/CloudEvents+JSON; charset=utf-8", true, "", bus.ModeStructured},
		{"application/cloudevents-batch+json", true, "", bus.ModeBatch},
		{"application/json", true, `{"specversion":"1.0"}`, bus.ModeBinary},
		{"", false, ` {"specversion":"1.0"}`, bus.ModeStructured},
		{"application/json", false, `{"specversion":"1.0"}`, bus.ModeStructured},
		{"", false, `{"a":1}`, bus.ModeBinary},
		{"", false, ``, bus.ModeBinary},
	} {
		if got := bus.ModeOf(c.contentType, c.version, []byte(c.value)); got != c.want {
			t.Errorf("ModeOf(%q, %v, %q) = %d, want %d", c.contentType, c.version, c.value, got, c.want)
		}
	}
}

func FuzzStructuredEvent(f *testing.F) {
	for _, in := range []string{
		`{"specversion":"1.0","id":"1","source":"/x","type":"t","data":{"a":1}}`,
		`{"data_base64":1,"specversion":"1.0","id":"1","source":"/x","type":"t"}`,
		`{"specversion":"1.0","id":"1","source":"/x","type":"t","data_base64":"eA==","x":5,"time":"2026-01-01T00:00:00Z"}`,
		`{"data":"x","datacontenttype":"text/plain","specversion":"1.0"}`, `[]`, `null`,
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := bus.StructuredEvent(in)
		if err != nil {
			if !errors.Is(err, bus.ErrNotCloudEvent) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if e.ID() == "" || e.Type() == "" || e.Source() == "" {
			t.Fatalf("%q is an event without its attributes", in)
		}
		if _, err := bus.AppendAttributes(nil, e); err != nil {
			t.Fatalf("%q cannot be written again: %v", in, err)
		}
	})
}

func FuzzBinaryEvent(f *testing.F) {
	f.Add("id", "1", "time", "2026-01-01T00:00:00Z", []byte(`{}`))
	f.Add("x", "\xff", "dataschema", ":", []byte("\xff"))
	f.Add("id", "4", "0", "(,,,", []byte(" 4"))
	f.Fuzz(func(t *testing.T, name, value, name2, value2 string, data []byte) {
		attributes := []bus.Attribute{{Name: "specversion", Value: "1.0"}, {Name: "source", Value: "/x"}, {Name: "type", Value: "t"},
			{Name: name, Value: value}, {Name: name2, Value: value2}}
		e, err := bus.BinaryEvent(attributes, data)
		if err != nil {
			if !errors.Is(err, bus.ErrNotCloudEvent) || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Fatalf("error %q", err)
			}
			return
		}
		b, err := e.MarshalJSON()
		if err != nil {
			t.Fatalf("cannot be written as JSON: %v", err)
		}
		again, err := bus.StructuredEvent(b)
		if err != nil {
			t.Fatalf("cannot be read from its JSON %s: %v", b, err)
		}
		back := again.Data()
		if json.Valid(data) {
			// White space around a JSON value is no part of it.
			data, back = bytes.TrimSpace(data), bytes.TrimSpace(back)
		}
		if string(back) != string(data) {
			t.Fatalf("data %q came back as %q", data, back)
		}
	})
}
