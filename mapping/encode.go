package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// ErrNotCloudEvent10 is returned for an event of another version of CloudEvents.
var ErrNotCloudEvent10 = errors.New("is not a CloudEvent 1.0")

// Encode writes an event as structured JSON, which is the body of a journal
// entry. It is what the CloudEvents SDK writes, save that data comes last. The
// event is taken to be valid, and its data to be JSON where its content type
// says so: everything that this package makes is.
func Encode(e *event.Event) ([]byte, error) {
	ctx, ok := e.Context.(*event.EventContextV1)
	if !ok {
		return nil, fmt.Errorf("event %s: %w", e.ID(), ErrNotCloudEvent10)
	}
	if e.DataBase64 || (ctx.DataContentType != nil && *ctx.DataContentType != contentTypeJSON) {
		return encodeAny(e)
	}
	buf := make([]byte, 0, 640+len(ctx.ID)+len(e.DataEncoded))
	buf = append(buf, `{"specversion":"1.0",`...)
	buf = appendStringField(buf, "id", ctx.ID)
	buf = append(appendURL(appendKey(buf, "source"), &ctx.Source.URL), ',')
	buf = appendStringField(buf, "type", ctx.Type)
	if ctx.Subject != nil {
		buf = appendStringField(buf, "subject", *ctx.Subject)
	}
	if ctx.DataContentType != nil {
		buf = append(buf, `"datacontenttype":"application/json",`...)
	}
	if ctx.DataSchema != nil {
		buf = append(appendURL(appendKey(buf, "dataschema"), &ctx.DataSchema.URL), ',')
	}
	if ctx.Time != nil {
		buf = append(appendTime(appendKey(buf, "time"), ctx.Time.Time), ',')
	}
	var err error
	if buf, err = appendExtensions(buf, ctx.Extensions); err != nil {
		return nil, fmt.Errorf("event %s: %w", ctx.ID, err)
	}
	if e.DataEncoded != nil {
		buf = append(appendKey(buf, "data"), e.DataEncoded...)
	}
	return closeJSON(buf, '}'), nil
}

// encodeAny is for the shapes that none of our own events have.
func encodeAny(e *event.Event) ([]byte, error) {
	var out bytes.Buffer
	if err := event.WriteJson(e, &out); err != nil {
		return nil, fmt.Errorf("event %s: %w", e.ID(), err)
	}
	return out.Bytes(), nil
}

func appendExtensions(buf []byte, ext map[string]any) ([]byte, error) {
	var room [16]string
	names := room[:0]
	for name := range ext {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		buf = append(appendString(buf, name), ':')
		switch v := ext[name].(type) {
		case string:
			buf = appendString(buf, v)
		case bool:
			buf = strconv.AppendBool(buf, v)
		case int32:
			buf = strconv.AppendInt(buf, int64(v), 10)
		default:
			s, err := types.Format(v)
			if err != nil {
				return nil, fmt.Errorf("extension %s: %w", name, err)
			}
			buf = appendString(buf, s)
		}
		buf = append(buf, ',')
	}
	return buf, nil
}

func appendTime(buf []byte, t time.Time) []byte {
	buf = append(buf, '"')
	return append(t.UTC().AppendFormat(buf, time.RFC3339Nano), '"')
}

// appendURL writes a URL as a JSON string: by hand when it has only a scheme,
// a host and a path of letters, digits and a few marks, as ours do.
func appendURL(buf []byte, u *url.URL) []byte {
	if u.Scheme != "" && u.Host != "" && u.Opaque == "" && u.User == nil && u.RawPath == "" && !u.OmitHost &&
		!u.ForceQuery && u.RawQuery == "" && u.Fragment == "" && plainInURL(u.Host) &&
		(u.Path == "" || u.Path[0] == '/') && plainInURL(u.Path) && plainInURL(u.Scheme) {
		buf = append(buf, '"')
		buf = append(buf, u.Scheme...)
		buf = append(buf, ':', '/', '/')
		buf = append(buf, u.Host...)
		buf = append(buf, u.Path...)
		return append(buf, '"')
	}
	return appendString(buf, u.String())
}

func plainInURL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' ||
			c == '.' || c == '/' || c == '_' || c == '-' {
			continue
		}
		return false
	}
	return true
}

// Stamp adds what only the journal knows of an entry: the journal's UUID, the
// position in it (zero-padded, so that it sorts as text), and the time it was
// recorded. It changes e.
func Stamp(e *event.Event, journalID string, position uint64, recorded time.Time) {
	ctx, ok := e.Context.(*event.EventContextV1)
	if !ok {
		return
	}
	if ctx.Extensions == nil {
		ctx.Extensions = make(map[string]any, 4)
	}
	ctx.Extensions[ExtTimbridge] = journalID
	ctx.Extensions[ExtSequence] = FormatSequence(position)
	ctx.Extensions[ExtRecordedTime] = recorded.UTC().Format(time.RFC3339Nano)
}

// sequenceDigits is the number of digits of the largest position.
const sequenceDigits = 20

// FormatSequence writes a journal position as the sequence attribute does.
func FormatSequence(position uint64) string {
	var digits [sequenceDigits]byte
	for i := sequenceDigits - 1; i >= 0; i-- {
		digits[i] = byte('0' + position%10)
		position /= 10
	}
	return string(digits[:])
}

// StampOf reads what [Stamp] wrote: the journal's UUID and the position; false
// when the event carries none.
func StampOf(e *event.Event) (journalID string, position uint64, ok bool) {
	journalID = extension(e, ExtTimbridge)
	position, err := strconv.ParseUint(extension(e, ExtSequence), 10, 64)
	return journalID, position, err == nil && journalID != ""
}

// extension is an extension attribute as text, empty when there is none.
func extension(e *event.Event, name string) string {
	v, ok := e.Extensions()[name]
	if !ok {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	s, err := types.Format(v)
	if err != nil {
		return ""
	}
	return s
}
