package mapping

import (
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// refusedSuffix makes the id of what stands for a refused event.
const refusedSuffix = "/refused"

type refusedData struct {
	Event  refusedEvent `json:"event"`
	Reason string       `json:"reason"`
	Size   int64        `json:"size,omitempty"`
	Limit  int64        `json:"limit,omitempty"`
}

type refusedEvent struct {
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Type    string    `json:"type"`
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time,omitzero"`
}

// EventRefused stands in the place of an event that the bus will never take:
// bridge.event_refused, with the same subject, time, sequence and other
// attributes, and the id "<id>/refused". reason is a sentence for people; size
// and limit are bytes, 0 when size was not the reason. e is not changed.
func EventRefused(e *event.Event, reason string, size, limit int64) (*event.Event, error) {
	ctx, ok := e.Context.(*event.EventContextV1)
	if !ok {
		return nil, fmt.Errorf("refused event %s: it is not a CloudEvent 1.0", e.ID())
	}
	body, err := marshal(refusedData{
		Event:  refusedEvent{ID: ctx.ID, Source: ctx.Source.String(), Type: ctx.Type, Subject: e.Subject(), Time: e.Time()},
		Reason: reason, Size: size, Limit: limit,
	})
	if err != nil {
		return nil, fmt.Errorf("refused event %s: %w", ctx.ID, err)
	}
	s := &shell{subject: e.Subject(), contentType: contentTypeJSON, schema: schemaURI(TypeEventRefused)}
	s.context = event.EventContextV1{
		ID: ctx.ID + refusedSuffix, Source: ctx.Source, Type: TypeEventRefused,
		DataContentType: &s.contentType, DataSchema: &s.schema,
		Extensions: make(map[string]any, len(ctx.Extensions)),
	}
	if s.subject != "" {
		s.context.Subject = &s.subject
	}
	if ctx.Time != nil {
		s.context.Time = &types.Timestamp{Time: ctx.Time.Time}
	}
	for name, value := range ctx.Extensions {
		s.context.Extensions[name] = value
	}
	s.event = event.Event{Context: &s.context, DataEncoded: body}
	return &s.event, nil
}

// Damage is a stretch of the journal that was lost.
type Damage struct {
	// First and Last are the positions that bound it, both lost.
	First, Last uint64
	// From and To are the times of the entries on either side; zero when there is none.
	From, To time.Time
	// KeptAs is the name of the file in which the damaged segment was kept.
	KeptAs string
}

type damageData struct {
	Journal string    `json:"journal"`
	First   uint64    `json:"first"`
	Last    uint64    `json:"last"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	KeptAs  string    `json:"kept_as,omitempty"`
}

// JournalDamaged tells that a stretch of the journal was lost and the bridge
// went on without it. Its subject is "bridge/<journal id>"; told again it has the same id.
func JournalDamaged(app App, journalID string, d Damage, at time.Time) (Fact, error) {
	body, err := marshal(damageData{
		Journal: journalID, First: d.First, Last: d.Last, From: d.From.UTC(), To: d.To.UTC(), KeptAs: d.KeptAs,
	})
	if err != nil {
		return Fact{}, fmt.Errorf("journal %s damaged: %w", journalID, err)
	}
	subject := subjectBridge + EscapeID(journalID)
	id := fmt.Sprintf("%s/damaged/%d-%d", subject, d.First, d.Last)
	return Fact{Event: newEvent(app, id, TypeJournalDamaged, subject, at, body), Key: hashKey(id, at)}, nil
}

// LostCommands are messages that the bus removed from the commands stream
// before the bridge had read them.
type LostCommands struct {
	Target string
	// First and Last bound them, by [BusPosition.Offset]; both are lost.
	First, Last uint64
	// After is the bus's time of what was read last before them; zero where it
	// is not known.
	After time.Time
	// Reason is a sentence for people.
	Reason string
}

type lostData struct {
	Journal string    `json:"journal"`
	Target  string    `json:"target"`
	First   uint64    `json:"first"`
	Last    uint64    `json:"last"`
	Count   uint64    `json:"count"`
	After   time.Time `json:"after,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

// CommandsLost tells that the bus removed commands before the bridge had read
// them. Its subject is "bridge/<journal id>"; told again it has the same id.
func CommandsLost(app App, journalID string, l LostCommands, at time.Time) (*event.Event, error) {
	body, err := marshal(lostData{
		Journal: journalID, Target: l.Target, First: l.First, Last: l.Last, Count: l.Last - l.First + 1,
		After: l.After.UTC(), Reason: l.Reason,
	})
	if err != nil {
		return nil, fmt.Errorf("commands lost on %s: %w", l.Target, err)
	}
	subject := subjectBridge + EscapeID(journalID)
	id := fmt.Sprintf("%s/lost/%s/%d-%d", subject, EscapeID(l.Target), l.First, l.Last)
	return newEvent(app, id, TypeCommandsLost, subject, at, body), nil
}
