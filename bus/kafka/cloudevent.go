package kafka

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
)

const (
	attributePrefix = "ce_"
	contentType     = "content-type"
)

var headerNames = bus.HeaderNames(attributePrefix)

// eventEncoder writes events as records. It is used by one goroutine, and what
// it gives is good until it is used again.
type eventEncoder struct {
	structured bool
	attributes []bus.Attribute
	headers    []bus.Header
	text       []byte
}

// encode gives the record of an event, by the CloudEvents Kafka binding:
// attributes as they are, in UTF-8, and the data as the value; or all of it as
// JSON in structured mode.
func (enc *eventEncoder) encode(e *event.Event) (message, error) {
	enc.headers, enc.text = enc.headers[:0], append(enc.text[:0], keyOf(e)...)
	key := enc.text[:len(enc.text):len(enc.text)]
	if enc.structured {
		b, err := e.MarshalJSON()
		if err != nil {
			return message{}, fmt.Errorf("write event %q as JSON: %w", e.ID(), err)
		}
		enc.set(contentType, bus.StructuredJSON)
		return message{key: key, value: b, headers: enc.headers}, nil
	}
	var err error
	if enc.attributes, err = bus.AppendAttributes(enc.attributes[:0], e); err != nil {
		return message{}, fmt.Errorf("write event %q: %w", e.ID(), err)
	}
	for _, a := range enc.attributes {
		name, ok := headerNames[a.Name]
		if !ok {
			name = attributePrefix + a.Name
		}
		enc.set(name, a.Value)
	}
	return message{key: key, value: e.Data(), headers: enc.headers}, nil
}

// set appends a header; its bytes lie in one buffer with the others'.
func (enc *eventEncoder) set(name, value string) {
	from := len(enc.text)
	enc.text = append(enc.text, value...)
	enc.headers = append(enc.headers, bus.Header{Name: name, Value: enc.text[from:len(enc.text):len(enc.text)]})
}

// keyOf is the key of an event, which decides its partition: its partitionkey,
// else what it is about, so that what belongs together keeps its order.
func keyOf(e *event.Event) string {
	if key := extension(e, "partitionkey"); key != "" {
		return key
	}
	if s := e.Subject(); s != "" {
		return s
	}
	if account := extension(e, "timaccount"); account != "" {
		return "account/" + account
	}
	return e.ID()
}

// extension gives an attribute that is text, "" where there is none, without
// the copy that the SDK makes of all of them.
func extension(e *event.Event, name string) string {
	var s string
	if c, ok := e.Context.(*event.EventContextV1); ok {
		s, _ = c.Extensions[name].(string)
	} else {
		s, _ = e.Extensions()[name].(string)
	}
	return s
}

// decode makes an event of a record, in binary or structured mode.
func decode(headers []bus.Header, value []byte) (*event.Event, error) {
	attributes := make([]bus.Attribute, 0, len(headers))
	media, hasVersion := "", false
	for _, h := range headers {
		switch {
		case len(h.Name) >= len(attributePrefix) && strings.EqualFold(h.Name[:len(attributePrefix)], attributePrefix):
			name := strings.ToLower(h.Name[len(attributePrefix):])
			hasVersion = hasVersion || name == "specversion"
			attributes = append(attributes, bus.Attribute{Name: name, Value: string(h.Value)})
		case strings.EqualFold(h.Name, contentType) && media == "":
			media = string(h.Value)
		}
	}
	switch bus.ModeOf(media, hasVersion, value) {
	case bus.ModeBatch:
		return nil, fmt.Errorf("%w: content type %.100q is a batch; one message is one event", bus.ErrNotCloudEvent, media)
	case bus.ModeStructured:
		return bus.StructuredEvent(value)
	}
	if len(attributes) == 0 {
		return nil, fmt.Errorf("%w: it has no %q headers, and its content type is %.100q, not %q",
			bus.ErrNotCloudEvent, attributePrefix, media, bus.StructuredJSON)
	}
	if media != "" {
		attributes = slices.DeleteFunc(attributes, func(a bus.Attribute) bool { return a.Name == "datacontenttype" })
		attributes = append(attributes, bus.Attribute{Name: "datacontenttype", Value: media})
	}
	return bus.BinaryEvent(attributes, value)
}

// Event reads the event that a message held when it was on this bus.
func (b *Bus) Event(o bus.Original) (*event.Event, error) { return decode(o.Headers, o.Value) }
