package mapping

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
)

// Decode reads the body of a journal entry that [Encode] wrote, or any other
// event in structured JSON. The event shares no memory with b.
//
// What has the shape of our own events is read by hand; anything else, and
// anything that is wrong, is left to the CloudEvents SDK.
func Decode(b []byte) (*event.Event, error) {
	if e, ok := decodeOwn(b); ok {
		return e, nil
	}
	e := new(event.Event)
	if err := e.UnmarshalJSON(b); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return e, nil
}

// decodeOwn reads an event whose attributes are strings, written without white
// space, with JSON data at the end; false for every other, whether right or
// wrong. All our own are read here: the SDK refuses some numbers that JSON has,
// and what an IM service reported in raw must not be one entry too many.
func decodeOwn(b []byte) (*event.Event, bool) {
	const start = `{"specversion":"1.0",`
	if len(b) < len(start) || string(b[:len(start)]) != start {
		return nil, false
	}
	dataAt := findData(b, len(start))
	if dataAt < 0 || b[len(b)-1] != '}' {
		return nil, false
	}
	data := b[dataAt+len(dataKey) : len(b)-1]
	if len(data) == 0 || data[0] <= ' ' || data[len(data)-1] <= ' ' || !json.Valid(data) {
		return nil, false
	}
	text := string(b[:dataAt]) // one copy, that all attributes are parts of
	s := &shell{}
	s.context.Extensions = make(map[string]any, 8)
	seen := attributes{}
	for i := len(start); i < dataAt; {
		name, value, next, ok := readAttribute(text, i)
		if !ok || !s.set(name, value, &seen) {
			return nil, false
		}
		i = next
	}
	if !seen.id || !seen.source || !seen.eventType || !seen.contentType {
		return nil, false
	}
	s.event = event.Event{Context: &s.context, DataEncoded: append([]byte(nil), data...)}
	return &s.event, true
}

const dataKey = `"data":`

// findData finds the "data" member among attributes that are strings.
func findData(b []byte, i int) int {
	for i < len(b) {
		if b[i] != '"' {
			return -1
		}
		if len(b)-i > len(dataKey) && string(b[i:i+len(dataKey)]) == dataKey {
			return i
		}
		for range 2 { // the name and the value
			if i = afterString(b, i); i < 0 || i >= len(b) || b[i] != ':' && b[i] != ',' {
				return -1
			}
			i++
		}
	}
	return -1
}

// afterString gives the index after the string at i, -1 when it does not end.
func afterString[T string | []byte](b T, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
		case c < ' ':
			return -1
		}
	}
	return -1
}

// readAttribute reads `"name":"value",` at i; findData has been there.
func readAttribute(text string, i int) (name, value string, next int, ok bool) {
	end := afterString(text, i)
	name = text[i+1 : end-1]
	if end+1 >= len(text) || text[end] != ':' || text[end+1] != '"' {
		return "", "", 0, false
	}
	i = end + 1
	end = afterString(text, i)
	if end >= len(text) || text[end] != ',' {
		return "", "", 0, false
	}
	value = text[i+1 : end-1]
	if strings.IndexByte(value, '\\') >= 0 {
		if !utf8.ValidString(value) || json.Unmarshal([]byte(text[i:end]), &value) != nil {
			return "", "", 0, false
		}
	}
	return name, value, end + 1, true
}

// attributes says which attributes have been set: each may come once.
type attributes struct{ id, source, eventType, subject, contentType, schema, time bool }

// set takes one attribute; false when it is not as in our own events.
func (s *shell) set(name, value string, seen *attributes) bool {
	if !utf8.ValidString(value) {
		return false
	}
	once := func(flag *bool) bool {
		was := *flag
		*flag = true
		return !was
	}
	switch name {
	case "id":
		s.context.ID = value
		return once(&seen.id) && value != ""
	case "source":
		s.context.Source.URL, _ = plainURL(value)
		return once(&seen.source) && s.context.Source.Scheme != ""
	case "type":
		s.context.Type = value
		return once(&seen.eventType) && value != ""
	case "subject":
		s.subject = value
		s.context.Subject = &s.subject
		return once(&seen.subject) && value != ""
	case "datacontenttype":
		s.contentType = value
		s.context.DataContentType = &s.contentType
		return once(&seen.contentType) && value == contentTypeJSON
	case "dataschema":
		s.schema.URL, _ = plainURL(value)
		s.context.DataSchema = &s.schema
		return once(&seen.schema) && s.schema.Scheme != ""
	case "time":
		t, ok := plainTime(value)
		s.time.Time = t
		s.context.Time = &s.time
		return once(&seen.time) && ok
	case "specversion", "data", "data_base64":
		return false
	}
	if !plainName(name) {
		return false
	}
	if _, twice := s.context.Extensions[name]; twice {
		return false
	}
	s.context.Extensions[name] = value
	return true
}

func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// plainURL reads a URL that has only a scheme, a host and a path of plain
// characters, which needs no parser.
func plainURL(s string) (url.URL, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !plainName(scheme) || scheme[0] >= '0' && scheme[0] <= '9' || !plainInURL(rest) {
		return url.URL{}, false
	}
	host, path := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		host, path = rest[:slash], rest[slash:]
	}
	if host == "" {
		return url.URL{}, false
	}
	return url.URL{Scheme: scheme, Host: host, Path: path}, true
}

// plainTime reads a time in UTC, as we write it.
func plainTime(s string) (time.Time, bool) {
	if !strings.HasSuffix(s, "Z") {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}
