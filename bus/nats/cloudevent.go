package nats

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"

	"github.com/timbridge/timbridge/bus"
)

const (
	attributePrefix = "ce-"
	contentType     = "content-type"
	// maxHeader is the server's limit for the headers of one message.
	maxHeader = 65535
	// natsLine begins the headers of every message.
	natsLine = "NATS/1.0\r\n"
)

var headerNames = bus.HeaderNames(attributePrefix)

// encoder writes events as NATS messages. It is used by one goroutine, and
// what it returns is good until it is used again.
type encoder struct {
	structured bool
	attributes []bus.Attribute
	header     nats.Header
	values     []string
}

// encode gives the headers and the value of an event.
func (enc *encoder) encode(e *event.Event) (nats.Header, []byte, error) {
	if enc.header == nil {
		enc.header = make(nats.Header, 24)
	}
	clear(enc.header)
	enc.values = enc.values[:0]
	if enc.structured {
		b, err := e.MarshalJSON()
		if err != nil {
			return nil, nil, fmt.Errorf("write event %q as JSON: %w", e.ID(), err)
		}
		enc.set(contentType, bus.StructuredJSON)
		return enc.header, b, nil
	}
	var err error
	if enc.attributes, err = bus.AppendAttributes(enc.attributes[:0], e); err != nil {
		return nil, nil, fmt.Errorf("write event %q: %w", e.ID(), err)
	}
	for _, a := range enc.attributes {
		name, ok := headerNames[a.Name]
		if !ok {
			name = attributePrefix + a.Name
		}
		if name == contentType {
			enc.set(name, a.Value)
			continue
		}
		enc.set(name, percentEncode(a.Value))
	}
	return enc.header, e.Data(), nil
}

// set gives a header its only value, without a slice of its own for it.
func (enc *encoder) set(name, value string) {
	enc.values = append(enc.values, value)
	n := len(enc.values)
	enc.header[name] = enc.values[n-1 : n : n]
}

// headerSize is how long headers are on the wire.
func headerSize(h nats.Header) int {
	n := len(natsLine) + 2
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

// headerBound is a size that an event's headers do not exceed, without writing
// them: every byte may become three. It is not known of an event with
// attributes other than text.
func headerBound(e *event.Event) (int, bool) {
	c, ok := e.Context.(*event.EventContextV1)
	if !ok {
		return 0, false
	}
	const line = len(attributePrefix) + 4
	n := len(natsLine) + 2 + 8*(line+len("datacontenttype")) + len("1.0") + len("2006-01-02T15:04:05.999999999Z")
	texts := len(c.ID) + len(c.Type) + uriBound(&c.Source.URL)
	for _, s := range []*string{c.Subject, c.DataContentType} {
		if s != nil {
			texts += len(*s)
		}
	}
	if c.DataSchema != nil {
		texts += uriBound(&c.DataSchema.URL)
	}
	for name, v := range c.Extensions {
		s, ok := v.(string)
		if !ok {
			return 0, false
		}
		n += line + len(name)
		texts += len(s)
	}
	return n + 3*texts, true
}

// uriBound is a length that a URI's text does not exceed.
func uriBound(u *url.URL) int {
	n := len(u.Scheme) + len(u.Opaque) + len(u.Host) + max(len(u.Path), len(u.RawPath)) + len(u.RawQuery) + max(len(u.Fragment), len(u.RawFragment)) + 8
	if u.User != nil {
		n += len(u.User.String())
	}
	return 3 * n // what is escaped in it
}

// percentEncode encodes an attribute as the NATS (and HTTP) binding says:
// everything but printable ASCII, and space, quote and percent.
func percentEncode(s string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// percentDecode reads what the binding allows: percent encoding, and the
// quoted string of earlier versions.
func percentDecode(s string) (string, error) {
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		var b strings.Builder
		for i := 1; i < n-1; i++ {
			if s[i] == '\\' && i+1 < n-1 {
				i++
			}
			b.WriteByte(s[i])
		}
		s = b.String()
	}
	if !strings.Contains(s, "%") {
		return s, nil
	}
	return url.PathUnescape(s)
}

// decode makes an event of a message, in binary or structured mode. Names of
// headers are taken without regard to case, since not every client can write
// them in lower case.
func decode(h nats.Header, data []byte) (*event.Event, error) {
	attributes := make([]bus.Attribute, 0, len(h))
	media, hasVersion := "", false
	for name, values := range h {
		key := name
		if len(key) >= len(attributePrefix) && strings.EqualFold(key[:len(attributePrefix)], attributePrefix) {
			key = strings.ToLower(key[len(attributePrefix):])
		} else if strings.EqualFold(key, contentType) {
			media = values[0]
			continue
		} else {
			continue
		}
		hasVersion = hasVersion || key == "specversion"
		for _, v := range values {
			value, err := percentDecode(v)
			if err != nil {
				return nil, fmt.Errorf("%w: header %q: %w", bus.ErrNotCloudEvent, name, err)
			}
			attributes = append(attributes, bus.Attribute{Name: key, Value: value})
		}
	}
	switch bus.ModeOf(media, hasVersion, data) {
	case bus.ModeBatch:
		return nil, fmt.Errorf("%w: content type %.100q is a batch; one message is one event", bus.ErrNotCloudEvent, media)
	case bus.ModeStructured:
		return bus.StructuredEvent(data)
	}
	if len(attributes) == 0 {
		return nil, fmt.Errorf("%w: it has no %q headers, and its content type is %.100q, not %q",
			bus.ErrNotCloudEvent, attributePrefix, media, bus.StructuredJSON)
	}
	if media != "" {
		// The binding's header wins over ce-datacontenttype, which the SDK's
		// own NATS protocol writes.
		attributes = slices.DeleteFunc(attributes, func(a bus.Attribute) bool { return a.Name == "datacontenttype" })
		attributes = append(attributes, bus.Attribute{Name: "datacontenttype", Value: media})
	}
	return bus.BinaryEvent(attributes, data)
}

// original is a message as it lay on the stream, its headers sorted by name
// because the client does not keep their order.
func original(subject string, h nats.Header, data []byte) bus.Original {
	o := bus.Original{Place: subject, Value: data}
	if o.Value == nil {
		o.Value = []byte{}
	}
	for name, values := range h {
		for _, v := range values {
			o.Headers = append(o.Headers, bus.Header{Name: name, Value: []byte(v)})
		}
	}
	slices.SortStableFunc(o.Headers, func(a, b bus.Header) int { return strings.Compare(a.Name, b.Name) })
	return o
}

// Event reads the event that a message held when it was on this bus.
func (b *Bus) Event(o bus.Original) (*event.Event, error) {
	h := nats.Header{}
	for _, header := range o.Headers {
		h.Add(header.Name, string(header.Value))
	}
	return decode(h, o.Value)
}
