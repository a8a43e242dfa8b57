package mapping

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// Commands reads commands. Its methods may be called at once from several goroutines.
type Commands struct {
	// Schemas are what commands are checked against. It must be set.
	Schemas *schemas.Validator
	// Account acts for a command that does not say who is to; empty where
	// there is more than one account.
	Account tim.UserID
	// MaxData is the largest data of a command, in bytes; 0 means [DefaultMaxData].
	MaxData int
}

// DefaultMaxData is the largest data of a command unless it is configured: room
// for the largest message that the IM service takes, and for media in it.
const DefaultMaxData = 1 << 20

// maxAttribute is the largest id, source or subject of a command, in bytes.
// They are handed on in headers of everything that comes of it.
const maxAttribute = 1024

// ToCommand reads a command, checks it against its schema, and turns it into
// what the SDK takes. A command that is not accepted gives a [*RejectError],
// and as much of the Command as could be read, for its outcome. Whether it has
// expired, and whether the account may do it, is not looked at here.
func (c *Commands) ToCommand(e *event.Event) (Command, error) {
	cmd, err := c.attributes(e)
	if err != nil {
		return cmd, err
	}
	value, err := c.data(e, cmd.Type)
	if err != nil {
		return cmd, err
	}
	canonical := appendCanonical(nil, value)
	cmd.Content = hashParts([]byte(cmd.Type), []byte(cmd.Account), []byte(cmd.Subject), canonical)
	if err := cmd.read(canonical); err != nil {
		return cmd, err
	}
	return cmd, nil
}

// Verb is the type of a command in short: "message.send" for [TypeCommandSend].
func Verb(eventType string) string { return strings.TrimPrefix(ShortName(eventType), "command.") }

// attributes reads everything but the data.
func (c *Commands) attributes(e *event.Event) (Command, error) {
	if e == nil || e.Context == nil {
		return Command{}, reject(RejectMalformed, "", "this is not a CloudEvent")
	}
	cmd := Command{
		Source: e.Source(), ID: e.ID(), Type: e.Type(), Subject: e.Subject(), Time: e.Time(),
		Account:       tim.UserID(extension(e, ExtAccount)),
		CorrelationID: extension(e, ExtCorrelationID), TraceParent: extension(e, ExtTraceParent),
	}
	if cmd.Account == "" {
		cmd.Account = c.Account
	}
	for _, a := range []struct{ name, value string }{
		{"id", cmd.ID}, {"source", cmd.Source}, {"subject", cmd.Subject}, {"type", cmd.Type}, {ExtAccount, string(cmd.Account)},
		{ExtCorrelationID, cmd.CorrelationID}, {ExtTraceParent, cmd.TraceParent},
	} {
		if len(a.value) > maxAttribute {
			return Command{}, reject(RejectTooLarge, a.name, "it has %d bytes; at most %d are taken", len(a.value), maxAttribute)
		}
	}
	if _, ok := e.Context.(*event.EventContextV1); !ok {
		return cmd, reject(RejectMalformed, "specversion", "it is %q; CloudEvents 1.0 are taken", e.SpecVersion())
	}
	if err := e.Validate(); err != nil {
		return cmd, reject(RejectMalformed, "", "this is not a valid CloudEvent: %s", oneLine(err))
	}
	s, err := c.Schemas.Lookup(cmd.Type)
	if err != nil && !errors.Is(err, schemas.ErrUnknownType) {
		return cmd, fmt.Errorf("command %s: %w", cmd.ID, err)
	}
	if err != nil || s.Type != cmd.Type || s.Stream != schemas.Commands {
		return cmd, reject(RejectUnknownType, "type", "no command is of type %q; known are %s", cmd.Type, c.known())
	}
	if text := extension(e, ExtExpiryTime); text != "" {
		if cmd.Expiry, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return cmd, reject(RejectMalformed, ExtExpiryTime, "%q is not a time as in RFC 3339, such as 2026-11-23T08:00:00Z", text)
		}
	}
	if cmd.Account == "" {
		return cmd, reject(RejectAccountMissing, ExtAccount, "there is more than one account: say in %s which is to act", ExtAccount)
	}
	return cmd, nil
}

func (c *Commands) known() string {
	all, err := c.Schemas.List()
	if err != nil {
		return "none"
	}
	var names []string
	for _, s := range all {
		if s.Stream == schemas.Commands {
			names = append(names, s.Type)
		}
	}
	return strings.Join(names, ", ")
}

// data decodes and checks the data.
func (c *Commands) data(e *event.Event, eventType string) (any, error) {
	if media := e.DataMediaType(); !isJSON(media) {
		return nil, reject(RejectMalformed, "datacontenttype", "it is %q; application/json is taken", e.DataContentType())
	}
	limit := c.MaxData
	if limit == 0 {
		limit = DefaultMaxData
	}
	data := e.Data()
	if len(data) > limit {
		return nil, reject(RejectTooLarge, "data", "it has %d bytes; at most %d are taken", len(data), limit)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, reject(RejectSchemaInvalid, "", "there is no data: give a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, reject(RejectMalformed, "data", "it is not JSON: %v", err)
	}
	if dec.More() {
		return nil, reject(RejectMalformed, "data", "it is not JSON: there is more after the value's end, at byte %d", dec.InputOffset())
	}
	if eventType == TypeCommandSend || eventType == TypeCommandModify {
		if err := sendable(value, "", eventType == TypeCommandModify); err != nil {
			return nil, err
		}
	}
	var invalid *schemas.Error
	switch err := c.Schemas.ValidateValue(eventType, value); {
	case errors.As(err, &invalid):
		return nil, &RejectError{Code: RejectSchemaInvalid, Field: invalid.Problems[0].Pointer, Message: problems(invalid)}
	case err != nil:
		return nil, fmt.Errorf("command %s: %w", e.ID(), err)
	}
	return value, nil
}

// problems tells what is wrong; the first problem's place is the error's field.
func problems(e *schemas.Error) string {
	text := e.Problems[0].Message
	for _, p := range e.Problems[1:] {
		if len(text) > 500 {
			return text + "; and more"
		}
		text += "; " + p.String()
	}
	return text
}

func isJSON(media string) bool {
	switch media {
	case "", "application/json", "text/json":
		return true
	}
	return strings.HasSuffix(media, "+json")
}

func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}

// groupIDPrefix marks the groups that the bridge named.
const (
	groupIDPrefix     = "tb-"
	communityIDPrefix = "@TGS#_"
	groupIDBytes      = 20 // 160 bits: 32 characters in base32
)

// GroupIDFor is the id of the group that a group.create command creates: the
// same for every attempt, so that a group that exists already can be known as
// the command's own. A Community's id begins as the IM service demands.
func GroupIDFor(source, id string, community bool) tim.GroupID {
	sum := hashParts([]byte(source), []byte(id))
	name := groupIDPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:groupIDBytes]))
	if community {
		name = communityIDPrefix + name
	}
	return tim.GroupID(name)
}
