package mapping

import (
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/timbridge/timbridge/tim"
)

// App is the application at the IM service that events belong to.
type App struct {
	// SDKAppID is the application's number at the service.
	SDKAppID uint32
}

// Source is the source attribute of everything that happens in the
// application: "tim://<sdkappid>".
func (a App) Source() string { return "tim://" + strconv.FormatUint(uint64(a.SDKAppID), 10) }

// Observation says who saw what is to become a fact, and what is known about
// it besides what the IM service told.
type Observation struct {
	// App is the application.
	App App
	// Account is the bridged account that it was told to; timaccount.
	Account tim.UserID
	// Cause is the command that brought it about, nil when none is known.
	Cause *Cause
	// Late says that newer things of the same conversation were recorded
	// before it: `late: true` in the data of a message.
	Late bool
	// Number is the report's own number (see [tim.Report]), 0 when it has none.
	// With it, a report without an identity of its own gets the same id each
	// time it is delivered.
	Number uint64
	// ID is the event's id when neither the IM service nor Number gives it
	// one. The caller makes a UUIDv7: this package has no clock.
	ID string
}

// Cause names the command behind something that happened.
type Cause struct {
	// ID is the command's id; causationid.
	ID string
	// CorrelationID and TraceParent are handed through from the command.
	CorrelationID, TraceParent string
}

// Fact is something that happened, as an event, with what tells a repeat of it
// from something new.
type Fact struct {
	Event *event.Event
	Key   Key
}

// ErrNoIdentity is returned when something has no identity at the IM service,
// and the [Observation] gives it neither a number nor an id.
var ErrNoIdentity = errors.New("has no identity: Observation needs a Number or an ID")

// shell is an event and everything it points to, in one allocation.
type shell struct {
	event       event.Event
	context     event.EventContextV1
	time        types.Timestamp
	schema      types.URI
	subject     string
	contentType string
}

const contentTypeJSON = "application/json"

// newEvent builds an event in the one shape that all of ours have. data is
// JSON and is not copied; a zero time leaves the attribute out.
func newEvent(app App, id, eventType, subject string, at time.Time, data []byte) *event.Event {
	s := &shell{subject: subject, contentType: contentTypeJSON}
	s.schema = schemaURI(eventType)
	s.context = event.EventContextV1{
		ID:              id,
		Source:          types.URIRef{URL: url.URL{Scheme: "tim", Host: strconv.FormatUint(uint64(app.SDKAppID), 10)}},
		Type:            eventType,
		Subject:         &s.subject,
		DataContentType: &s.contentType,
		DataSchema:      &s.schema,
		Extensions:      make(map[string]any, 8),
	}
	if !at.IsZero() {
		s.time.Time = at.UTC()
		s.context.Time = &s.time
	}
	s.context.Extensions[ExtPartitionKey] = subject
	s.event = event.Event{Context: &s.context, DataEncoded: data}
	return &s.event
}

// fact builds the event of something observed.
func (o Observation) fact(id, eventType, subject string, at time.Time, data []byte) *event.Event {
	e := newEvent(o.App, id, eventType, subject, at, data)
	ext := e.Context.(*event.EventContextV1).Extensions
	if o.Account != "" {
		ext[ExtAccount] = string(o.Account)
	}
	if o.Cause != nil {
		o.Cause.set(ext)
	}
	return e
}

func (c *Cause) set(ext map[string]any) {
	if c.ID != "" {
		ext[ExtCausationID] = c.ID
	}
	if c.CorrelationID != "" {
		ext[ExtCorrelationID] = c.CorrelationID
	}
	if c.TraceParent != "" {
		ext[ExtTraceParent] = c.TraceParent
	}
}

const (
	schemaHost = "timbridge.io"
	schemaPath = "/schemas/"
	schemaExt  = ".json"
)

// schemaURI is the dataschema of a type: https://timbridge.io/schemas/message.posted.v1.json.
func schemaURI(eventType string) types.URI {
	return types.URI{URL: url.URL{
		Scheme: "https", Host: schemaHost, Path: schemaPath + eventType[len(TypePrefix):] + schemaExt,
	}}
}

// maxUnix is the last second that RFC 3339 can write.
const maxUnix = 253402300799

// unixTime is the time of a number of seconds since 1970, zero when there is
// none or no calendar has it.
func unixTime(seconds uint64) time.Time {
	if seconds == 0 || seconds > maxUnix {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// unixSeconds is the number of seconds since 1970 of [unixTime], 0 for its zero.
func unixSeconds(seconds uint64) int64 {
	if seconds > maxUnix {
		return 0
	}
	return int64(seconds)
}
