package mapping

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/tim"
)

// CommandRef names a command in what came of it.
type CommandRef struct {
	Source string `json:"source,omitempty"`
	ID     string `json:"id,omitempty"`
	// Type is the command's whole type.
	Type    string     `json:"type,omitempty"`
	Account tim.UserID `json:"account,omitempty"`
	Subject string     `json:"subject,omitempty"`
}

// BusPosition is where a command was read from.
type BusPosition struct {
	// Target is the NATS stream, or the Kafka partition.
	Target string `json:"target"`
	// Offset is the stream sequence (NATS), or the offset after the command (Kafka).
	Offset uint64 `json:"offset"`
	// Time is the bus's time of the command.
	Time time.Time `json:"time,omitzero"`
	// Digest is the SHA-256, in hex, of the message on the bus.
	Digest string `json:"digest,omitempty"`
}

// Outcome is what came of a command. A command has one outcome, whatever its
// kind: succeeded and failed ones have an id made of the command's source and
// id, rejected and expired ones an id made of the command's place on the bus.
type Outcome struct {
	// Type is [TypeSucceeded], [TypeFailed], [TypeRejected] or [TypeExpired].
	Type string
	// Command names the command. A message that is no CloudEvent has no names.
	Command CommandRef
	// Subject is the outcome's subject, as [Command.OutcomeSubject] gives it;
	// empty, it is that of Command.Account, and without one [NoAccountSubject].
	Subject string
	// Position is where the command was on the bus. A rejected or expired
	// command must have it.
	Position BusPosition
	// At is when the bridge knew.
	At time.Time
	// Attempts counts the calls to the IM service.
	Attempts int
	// Result is set when the command succeeded, Error when it did not. A failed
	// one has a Result too where it says what came of each user.
	Result *Result
	Error  *OutcomeError
	// CorrelationID and TraceParent are the command's.
	CorrelationID, TraceParent string
}

// Result is what a command that succeeded brought about. Which fields are set
// depends on the command.
type Result struct {
	// MessageID is the id of the message.posted event, of what was sent or revoked.
	MessageID string `json:"message_id,omitempty"`
	// MsgID is the IM service's own id of the message.
	MsgID tim.MessageID `json:"msg_id,omitempty"`
	// Sequence, Random and ServerTime (seconds since 1970) name a message sent.
	Sequence   uint64 `json:"sequence,omitempty"`
	Random     uint64 `json:"random,omitempty"`
	ServerTime uint64 `json:"server_time,omitempty"`
	// GroupID is the group that was created or acted on.
	GroupID tim.GroupID `json:"group_id,omitempty"`
	// Status says of a join whether the account is in the group: "joined", or
	// "requested" where it has only asked and somebody decides; empty where the
	// service could not be asked.
	Status string `json:"status,omitempty"`
	// Members says what came of each user of an invite or a removal.
	Members []MemberResult `json:"members,omitempty"`
	// Version is how often a message that was modified has been.
	Version uint64 `json:"version,omitempty"`
	// MessageIDs are the messages that a read receipt was sent for.
	MessageIDs []string `json:"message_ids,omitempty"`
	// Group is the group as it is now, where the service was asked.
	Group *GroupInfo `json:"group,omitempty"`
	// Already says that there was nothing left to do: the group existed and is
	// ours, the message was revoked before.
	Already bool `json:"already,omitempty"`
	// Settled says that the command was in doubt and was found done.
	Settled bool `json:"settled,omitempty"`
}

// GroupInfo is a group as it is.
type GroupInfo struct {
	GroupID tim.GroupID `json:"group_id"`
	// GroupType is the type's word, in the older spelling: "private", "chatroom".
	GroupType    string `json:"group_type,omitempty"`
	Name         string `json:"name,omitempty"`
	Notification string `json:"notification,omitempty"`
	Introduction string `json:"introduction,omitempty"`
	FaceURL      string `json:"face_url,omitempty"`
	// Owner is empty where the group has none.
	Owner       tim.UserID `json:"owner,omitempty"`
	MemberCount uint64     `json:"member_count,omitempty"`
	MaxMembers  uint64     `json:"max_members,omitempty"`
	// AddOption and ApproveOption are as in [CreateGroupData].
	AddOption     string `json:"add_option,omitempty"`
	ApproveOption string `json:"approve_option,omitempty"`
	MuteAll       bool   `json:"mute_all,omitempty"`
	// CreateTime is in seconds since 1970.
	CreateTime uint64        `json:"create_time,omitempty"`
	Custom     []CustomField `json:"custom,omitempty"`
}

// GroupInfoOf tells what the SDK said of a group.
func GroupInfoOf(d tim.GroupDetailInfo) *GroupInfo {
	g := &GroupInfo{
		GroupID: d.GroupID, GroupType: d.GroupType.String(), Name: d.GroupName, Notification: d.Notification,
		Introduction: d.Introduction, FaceURL: d.FaceURL, Owner: d.OwnerIdentifier, MemberCount: d.MemberNum,
		MaxMembers: d.MaxMemberNum, AddOption: optionWord(d.AddOption), ApproveOption: optionWord(d.ApproveOption),
		MuteAll: d.IsShutupAll, CreateTime: d.CreateTime,
	}
	for _, c := range d.CustomInfo {
		g.Custom = append(g.Custom, CustomField{Key: c.Key, Value: c.Value})
	}
	return g
}

// optionWord is an option's word, empty for one that the service does not tell.
func optionWord(o tim.GroupAddOption) string {
	if o >= tim.GroupAddUnknown {
		return ""
	}
	return o.String()
}

// MemberResult is what came of one user.
type MemberResult struct {
	UserID tim.UserID `json:"user_id"`
	// Result is "done", "failed", "included" (was a member already), "absent"
	// (was none when it was to be removed) or "invited" (has to agree first, or
	// to be agreed to).
	Result string `json:"result"`
}

// OutcomeError is why a command did not succeed.
type OutcomeError struct {
	// Code is the stable word; see the Reject… and Code… constants.
	Code RejectCode `json:"code"`
	// Number and Name are the IM service's error code and its name in the SDK;
	// set when the service or the SDK refused.
	Number int32  `json:"number,omitempty"`
	Name   string `json:"name,omitempty"`
	// Text says what is wrong and what to do.
	Text string `json:"text"`
	// Retryable says whether the same command, sent again with a new id, may succeed.
	Retryable bool `json:"retryable"`
	// Field is where the command is wrong; see [RejectError].
	Field string `json:"field,omitempty"`
}

// ErrorOf tells an error as an outcome does: a [RejectError] with its code and
// field, a [tim.Error] as "im_error" with the service's number, name and text.
func ErrorOf(err error) *OutcomeError {
	if r, ok := AsReject(err); ok {
		return &OutcomeError{Code: r.Code, Text: r.Message, Field: r.Field}
	}
	if t, ok := tim.AsError(err); ok {
		text := t.Desc
		if text == "" {
			text = t.Code.Text()
		}
		if text == "" {
			text = err.Error()
		}
		return &OutcomeError{
			Code: CodeIMError, Number: int32(t.Code), Name: t.Code.Name(), Text: text, Retryable: t.Code.Retryable(),
		}
	}
	return &OutcomeError{Code: CodeIMError, Text: err.Error()}
}

// MemberResults tells what the SDK said of each user invited.
func MemberResults(results []tim.GroupInviteMemberResult) []MemberResult {
	out := make([]MemberResult, len(results))
	for i, r := range results {
		out[i] = MemberResult{UserID: r.Identifier, Result: r.Result.String()}
	}
	return out
}

// RemovedResults tells what the SDK said of each user removed. It has one word
// for a user of whom nothing was left to do, whichever way.
func RemovedResults(results []tim.GroupDeleteMemberResult) []MemberResult {
	out := make([]MemberResult, len(results))
	for i, r := range results {
		out[i] = MemberResult{UserID: r.Identifier, Result: r.Result.String()}
		if r.Result == tim.MemberIncluded {
			out[i].Result = MemberAbsent
		}
	}
	return out
}

// The values of [MemberResult].Result that say of a user that nothing was done.
const (
	MemberFailed   = "failed"
	MemberIncluded = "included"
	MemberAbsent   = "absent"
)

// The values of [Result].Status.
const (
	StatusJoined    = "joined"
	StatusRequested = "requested"
)

// OutcomeID is the id of the outcome of a command that was accepted.
func OutcomeID(source, id string) string {
	return "outcome/" + shortHash([]byte(source), []byte(id))
}

// positionID is the id of the outcome of a command that was not accepted. The
// digest tells two messages apart that had the same place, in two lives of a stream.
func positionID(p BusPosition) string {
	digest := p.Digest
	if len(digest) > 16 {
		digest = digest[:16]
	}
	return fmt.Sprintf("position/%s/%d/%s", EscapeID(p.Target), p.Offset, EscapeID(digest))
}

type outcomeData struct {
	Command  CommandRef    `json:"command"`
	Position *BusPosition  `json:"position,omitempty"`
	Attempts int           `json:"attempts"`
	Result   *Result       `json:"result,omitempty"`
	Error    *OutcomeError `json:"error,omitempty"`
}

// Event is the outcome as an event of the application.
func (o Outcome) Event(app App) (*event.Event, error) {
	data := outcomeData{Command: o.Command, Attempts: o.Attempts, Result: o.Result, Error: o.Error}
	if o.Position != (BusPosition{}) {
		p := o.Position
		p.Time = p.Time.UTC()
		data.Position = &p
	}
	var id string
	switch o.Type {
	case TypeSucceeded:
		if o.Error != nil || o.Result == nil {
			return nil, fmt.Errorf("outcome of %s %s: it succeeded, so it needs a result and no error", o.Command.Source, o.Command.ID)
		}
		id = OutcomeID(o.Command.Source, o.Command.ID)
	case TypeFailed:
		id = OutcomeID(o.Command.Source, o.Command.ID)
	case TypeRejected, TypeExpired:
		if o.Position == (BusPosition{}) {
			return nil, fmt.Errorf("outcome of %s %s: it was not accepted, so it needs a bus position", o.Command.Source, o.Command.ID)
		}
		id = positionID(o.Position)
	default:
		return nil, fmt.Errorf("outcome of %s %s: no outcome is of type %q", o.Command.Source, o.Command.ID, o.Type)
	}
	if o.Type != TypeSucceeded && o.Error == nil {
		return nil, fmt.Errorf("outcome of %s %s: it did not succeed, so it needs an error", o.Command.Source, o.Command.ID)
	}
	body, err := marshal(data)
	if err != nil {
		return nil, fmt.Errorf("outcome of %s %s: %w", o.Command.Source, o.Command.ID, err)
	}
	subject := o.Subject
	if subject == "" {
		subject = NoAccountSubject
		if o.Command.Account != "" {
			subject = AccountSubject(o.Command.Account)
		}
	}
	e := newEvent(app, id, o.Type, subject, o.At, body)
	ext := e.Context.(*event.EventContextV1).Extensions
	if o.Command.Account != "" {
		ext[ExtAccount] = string(o.Command.Account)
	}
	(&Cause{ID: o.Command.ID, CorrelationID: o.CorrelationID, TraceParent: o.TraceParent}).set(ext)
	return e, nil
}

// IsOutcome says whether an event's type is that of an outcome.
func IsOutcome(eventType string) bool {
	switch eventType {
	case TypeSucceeded, TypeFailed, TypeRejected, TypeExpired:
		return true
	}
	return false
}

// ParseOutcome reads what [Outcome.Event] wrote.
func ParseOutcome(e *event.Event) (Outcome, error) {
	if !IsOutcome(e.Type()) {
		return Outcome{}, fmt.Errorf("event %s of type %q is no outcome", e.ID(), e.Type())
	}
	var data outcomeData
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		return Outcome{}, fmt.Errorf("outcome %s: %w", e.ID(), err)
	}
	o := Outcome{
		Type: e.Type(), Command: data.Command, Subject: e.Subject(), At: e.Time(),
		Attempts: data.Attempts, Result: data.Result, Error: data.Error,
		CorrelationID: extension(e, ExtCorrelationID), TraceParent: extension(e, ExtTraceParent),
	}
	if data.Position != nil {
		o.Position = *data.Position
	}
	return o, nil
}
