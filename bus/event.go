package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// StructuredJSON is the content type of an event in structured mode.
const StructuredJSON = "application/cloudevents+json"

// Attribute is a context attribute as text, under its CloudEvents name.
type Attribute struct {
	Name, Value string
}

// HeaderNames are the headers of the usual attributes in binary mode, so that
// their names need not be put together for every event: content-type, and a
// prefix with the attribute's name for all others, usual or not. The map is not
// to be changed.
func HeaderNames(prefix string) map[string]string {
	m := map[string]string{"datacontenttype": "content-type"}
	for _, name := range []string{
		"specversion", "id", "source", "type", "dataschema", "subject", "time",
		"recordedtime", "partitionkey", "timbridge", "sequence", "timaccount",
		"expirytime", "causationid", "correlationid", "traceparent",
	} {
		m[name] = prefix + name
	}
	return m
}

// AppendAttributes appends an event's attributes in their canonical text form,
// as a binary-mode binding writes them into headers: the required ones, the
// optional ones that are set (datacontenttype among them), then extensions in
// no particular order.
func AppendAttributes(to []Attribute, e *event.Event) ([]Attribute, error) {
	var c *event.EventContextV1
	switch ec := e.Context.(type) {
	case nil:
		return to, fmt.Errorf("%w: no attributes", ErrNotCloudEvent)
	case *event.EventContextV1:
		c = ec
	default:
		c = ec.AsV1()
	}
	to = append(to,
		Attribute{"specversion", event.CloudEventsVersionV1},
		Attribute{"id", c.ID},
		Attribute{"source", uriText(&c.Source.URL)},
		Attribute{"type", c.Type})
	if c.DataContentType != nil {
		to = append(to, Attribute{"datacontenttype", *c.DataContentType})
	}
	if c.DataSchema != nil {
		to = append(to, Attribute{"dataschema", uriText(&c.DataSchema.URL)})
	}
	if c.Subject != nil {
		to = append(to, Attribute{"subject", *c.Subject})
	}
	if c.Time != nil && !c.Time.IsZero() {
		to = append(to, Attribute{"time", types.FormatTime(c.Time.Time)})
	}
	for name, v := range c.Extensions {
		value, ok := v.(string)
		if !ok {
			var err error
			if value, err = types.Format(v); err != nil {
				return to, fmt.Errorf("attribute %s: %w", name, err)
			}
		}
		to = append(to, Attribute{name, value})
	}
	return to, nil
}

// uriText is u.String(), without its work where the URI is scheme, host and
// nothing else, as our sources are.
func uriText(u *url.URL) string {
	if u.Scheme != "" && u.Host != "" && u.Opaque == "" && u.User == nil && u.Path == "" && u.RawPath == "" && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && isPlainHost(u.Host) {
		return u.Scheme + "://" + u.Host
	}
	return u.String()
}

func isPlainHost(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == ':':
		default:
			return false
		}
	}
	return true
}

// BinaryEvent makes an event of binary-mode attributes and data. An attribute
// given twice, a required one missing, and a value that is not of its
// attribute's type wrap [ErrNotCloudEvent].
func BinaryEvent(attributes []Attribute, data []byte) (*event.Event, error) {
	c := &event.EventContextV1{}
	e := &event.Event{Context: c}
	version := ""
	for i, a := range attributes {
		for _, before := range attributes[:i] {
			if before.Name == a.Name {
				return nil, fmt.Errorf("%w: attribute %q is given twice", ErrNotCloudEvent, a.Name)
			}
		}
		if !utf8.ValidString(a.Value) {
			return nil, fmt.Errorf("%w: attribute %q is not UTF-8", ErrNotCloudEvent, a.Name)
		}
		switch a.Name {
		case "specversion":
			version = a.Value
		case "id":
			c.ID = a.Value
		case "source":
			u := types.ParseURIRef(a.Value)
			if u == nil {
				return nil, fmt.Errorf("%w: attribute \"source\" is not a URI reference: %.100q", ErrNotCloudEvent, a.Value)
			}
			c.Source = *u
		case "type":
			c.Type = a.Value
		case "datacontenttype":
			c.DataContentType = &a.Value
		case "dataschema":
			u := types.ParseURI(a.Value)
			if u == nil {
				return nil, fmt.Errorf("%w: attribute \"dataschema\" is not a URI: %.100q", ErrNotCloudEvent, a.Value)
			}
			c.DataSchema = u
		case "subject":
			c.Subject = &a.Value
		case "time":
			t, err := types.ParseTime(a.Value)
			if err != nil {
				return nil, fmt.Errorf("%w: attribute \"time\" is not an RFC 3339 time: %.100q", ErrNotCloudEvent, a.Value)
			}
			c.Time = &types.Timestamp{Time: t}
		default:
			if !isAttributeName(a.Name) {
				return nil, fmt.Errorf("%w: %.100q is not an attribute name (lower-case letters and digits)", ErrNotCloudEvent, a.Name)
			}
			if c.Extensions == nil {
				c.Extensions = make(map[string]any, len(attributes))
			}
			c.Extensions[a.Name] = a.Value
		}
	}
	switch version {
	case event.CloudEventsVersionV1:
	case "":
		return nil, fmt.Errorf("%w: attribute \"specversion\" is missing", ErrNotCloudEvent)
	default:
		return nil, fmt.Errorf("%w: specversion is %.20q, not \"1.0\"", ErrNotCloudEvent, version)
	}
	if len(data) > 0 {
		e.DataEncoded = data
		e.DataBase64 = needsBase64(c.DataContentType, data)
	}
	return e, validate(e)
}

// StructuredEvent makes an event of its JSON form.
func StructuredEvent(b []byte) (*event.Event, error) {
	e, err := unmarshalEvent(b)
	if err != nil {
		return nil, fmt.Errorf("%w: its JSON: %w", ErrNotCloudEvent, err)
	}
	if v := e.SpecVersion(); v != event.CloudEventsVersionV1 {
		return nil, fmt.Errorf("%w: specversion is %.20q, not \"1.0\"", ErrNotCloudEvent, v)
	}
	return e, validate(e)
}

// unmarshalEvent turns a panic into an error: the SDK (v2.16.2) slices
// data_base64 without looking when it is a single digit and comes first, and a
// command from anyone must not end the bridge.
func unmarshalEvent(b []byte) (e *event.Event, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("cannot be read: %v", r)
		}
	}()
	e = &event.Event{}
	return e, e.UnmarshalJSON(b)
}

func validate(e *event.Event) error {
	for _, required := range [...]Attribute{{"id", e.ID()}, {"source", e.Source()}, {"type", e.Type()}} {
		if required.Value == "" {
			return fmt.Errorf("%w: attribute %q is missing", ErrNotCloudEvent, required.Name)
		}
	}
	if err := e.Validate(); err != nil {
		return fmt.Errorf("%w: %s", ErrNotCloudEvent, strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	}
	return nil
}

// Mode is how an event lies in a message.
type Mode uint8

// The modes. ModeBatch is not taken: a message is one event.
const (
	ModeBinary Mode = iota
	ModeStructured
	ModeBatch
)

// ModeOf tells by a message's content type, and where it has none and no
// specversion header either, by whether the value looks like an event in JSON
// (the NATS binding's structured mode has no headers).
func ModeOf(contentType string, hasSpecVersion bool, value []byte) Mode {
	media := contentType
	if i := strings.IndexByte(media, ';'); i >= 0 {
		media = media[:i]
	}
	media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case strings.HasPrefix(media, "application/cloudevents-batch"):
		return ModeBatch
	case strings.HasPrefix(media, "application/cloudevents"):
		return ModeStructured
	case hasSpecVersion:
		return ModeBinary
	}
	if value = bytes.TrimSpace(value); len(value) > 0 && value[0] == '{' && bytes.Contains(value, []byte(`"specversion"`)) {
		return ModeStructured
	}
	return ModeBinary
}

func isAttributeName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// needsBase64 says that data cannot stand in the JSON form of its event as it
// is: it is neither JSON nor text, whatever its content type claims.
func needsBase64(contentType *string, data []byte) bool {
	media := event.ApplicationJSON
	if contentType != nil && *contentType != "" && *contentType != event.ApplicationJSON {
		var err error
		if media, _, err = mime.ParseMediaType(*contentType); err != nil {
			return true
		}
	}
	switch {
	case media == event.ApplicationJSON, media == "text/json", strings.HasSuffix(media, "+json"):
		return !utf8.Valid(data) || !json.Valid(data)
	case strings.HasPrefix(media, "text/"), media == "application/xml", strings.HasSuffix(media, "+xml"):
		return !utf8.Valid(data)
	}
	return true
}
