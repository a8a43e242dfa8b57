package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cloudevents/sdk-go/v2/event"
)

// How much of an original a dead letter carries.
const (
	// MaxOriginal is the size up to which the whole original is kept.
	MaxOriginal = 256 << 10
	// KeptOriginal is how much of a larger one is kept, from its beginning.
	KeptOriginal = 64 << 10
)

// deadSuffix makes a dead letter's id from its outcome's.
const deadSuffix = "/dead"

// DeadLetterID is the id of the dead letter that belongs to an outcome.
func DeadLetterID(outcomeID string) string { return outcomeID + deadSuffix }

// DeadLetterData is the data of a command.dead_lettered event.
type DeadLetterData struct {
	// Outcome is the outcome as an event, in structured JSON, without the
	// attributes that the journal adds.
	Outcome json.RawMessage `json:"outcome"`
	// Original is the command as it was on the bus.
	Original Original `json:"original"`
}

// Original is a message as it was on the bus, headers and value, in the
// encoding that the bus package describes.
type Original struct {
	// Data is base64 in JSON: the whole message up to [MaxOriginal] bytes, else
	// its first [KeptOriginal].
	Data []byte `json:"data_base64"`
	// Size is the size of the whole, in bytes, SHA256 its hash in hex.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Truncated says that Data is not the whole.
	Truncated bool `json:"truncated,omitempty"`
}

// KeepOriginal gives what a dead letter carries of an original.
func KeepOriginal(original []byte) Original {
	sum := sha256.Sum256(original)
	kept := Original{Data: original, Size: int64(len(original)), SHA256: hex.EncodeToString(sum[:])}
	if len(original) > MaxOriginal {
		kept.Data, kept.Truncated = original[:KeptOriginal], true
	}
	if kept.Data == nil {
		kept.Data = []byte{}
	}
	return kept
}

// CutOriginal is KeepOriginal for one of which only the beginning was read: size
// and hash are those of the whole.
func CutOriginal(beginning []byte, size int64, sum string) Original {
	return Original{Data: beginning[:min(len(beginning), KeptOriginal)], Size: size, SHA256: sum, Truncated: true}
}

// DeadLetter is the event that keeps a command which was rejected, expired or
// failed for good, with its outcome and its original bytes.
func DeadLetter(outcome *event.Event, original []byte) (*event.Event, error) {
	return DeadLetterOf(outcome, KeepOriginal(original))
}

// DeadLetterOf is DeadLetter with what is kept of the original.
func DeadLetterOf(outcome *event.Event, original Original) (*event.Event, error) {
	if !IsOutcome(outcome.Type()) || outcome.Type() == TypeSucceeded {
		return nil, fmt.Errorf("dead letter of %s: a %q is not dead-lettered", outcome.ID(), outcome.Type())
	}
	ctx, ok := outcome.Context.(*event.EventContextV1)
	if !ok {
		return nil, fmt.Errorf("dead letter of %s: it is not a CloudEvent 1.0", outcome.ID())
	}
	bare := outcome.Clone()
	bareExt := bare.Context.(*event.EventContextV1).Extensions
	for _, name := range []string{ExtTimbridge, ExtSequence, ExtRecordedTime} {
		delete(bareExt, name)
	}
	body, err := Encode(&bare)
	if err != nil {
		return nil, fmt.Errorf("dead letter of %s: %w", outcome.ID(), err)
	}
	encoded, err := marshal(DeadLetterData{Outcome: body, Original: original})
	if err != nil {
		return nil, fmt.Errorf("dead letter of %s: %w", outcome.ID(), err)
	}
	s := &shell{subject: outcome.Subject(), contentType: contentTypeJSON, schema: schemaURI(TypeDeadLettered)}
	s.context = event.EventContextV1{
		ID: DeadLetterID(ctx.ID), Source: ctx.Source, Type: TypeDeadLettered, Time: ctx.Time,
		Subject: &s.subject, DataContentType: &s.contentType, DataSchema: &s.schema, Extensions: bareExt,
	}
	s.event = event.Event{Context: &s.context, DataEncoded: encoded}
	return &s.event, nil
}

// ParseDeadLetter reads what [DeadLetter] wrote: the data and the outcome in it.
func ParseDeadLetter(e *event.Event) (DeadLetterData, Outcome, error) {
	if e.Type() != TypeDeadLettered {
		return DeadLetterData{}, Outcome{}, fmt.Errorf("event %s of type %q is no dead letter", e.ID(), e.Type())
	}
	var data DeadLetterData
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		return DeadLetterData{}, Outcome{}, fmt.Errorf("dead letter %s: %w", e.ID(), err)
	}
	inner, err := Decode(data.Outcome)
	if err != nil {
		return DeadLetterData{}, Outcome{}, fmt.Errorf("dead letter %s: %w", e.ID(), err)
	}
	outcome, err := ParseOutcome(inner)
	if err != nil {
		return DeadLetterData{}, Outcome{}, fmt.Errorf("dead letter %s: %w", e.ID(), err)
	}
	return data, outcome, nil
}
