// Package bus is the contract between timbridge and the event bus that its
// journal is published to and its commands come from. bus/nats and bus/kafka
// implement it; bus/bustest is the suite that both pass.
package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
)

// Stream is one of the four streams of events that a bridge uses. How each is
// called on the bus (a topic, a NATS stream with its subjects) is configured.
type Stream string

// The streams.
const (
	Events      Stream = "events"
	Commands    Stream = "commands"
	Outcomes    Stream = "outcomes"
	DeadLetters Stream = "deadletters"
)

// Target is where the bus keeps an order of its own: a NATS stream, or one
// partition of a Kafka topic ("tim.events/3").
type Target string

// Message is one public journal entry on its way to the bus.
type Message struct {
	// Stream is the stream it belongs to: Events, Outcomes or DeadLetters.
	Stream Stream
	// Sequence is the entry's position in the journal. It rises, with gaps,
	// from message to message.
	Sequence uint64
	// Event is the CloudEvent, with its timbridge and sequence attributes set.
	Event *event.Event
	// Target is where the message was stored before, and lost: it is planned
	// for that target again, however messages are spread by now, unless there
	// is none any more, or the bus itself decides by what the message is. It is
	// empty for a message that was never published.
	Target Target
}

// Part is what one target gets of a round.
type Part struct {
	Target Target `json:"target"`
	// Sequences are the journal positions of the messages, rising.
	Sequences []uint64 `json:"sequences"`
	// End is where the target ended before them: the last stream sequence
	// (NATS), or the next offset (Kafka).
	End uint64 `json:"end"`
	// EndTime is the bus's time of the message that the target ended with,
	// where the bus tells it: it shows whether the target lost its tail and
	// grew again past End. Zero when not known.
	EndTime time.Time `json:"endtime,omitzero"`
	// Incarnation tells one life of a target from the next (a stream deleted
	// and made anew): the creation time, or the topic's id. Empty where the
	// bus has none.
	Incarnation string `json:"incarnation,omitempty"`
	// ProducerID, Epoch and BaseSequence stamp a Kafka batch; zero on NATS.
	ProducerID   int64 `json:"producerid,omitempty"`
	Epoch        int16 `json:"epoch,omitempty"`
	BaseSequence int32 `json:"basesequence,omitempty"`
}

// Select gives the part's messages among those of a round, which rise by
// Sequence. It returns an error for one that is not among them.
func (p *Part) Select(msgs []Message) ([]*Message, error) {
	var out []*Message
	for _, sequence := range p.Sequences {
		i, ok := slices.BinarySearchFunc(msgs, sequence, func(m Message, n uint64) int { return cmp.Compare(m.Sequence, n) })
		if !ok {
			return nil, fmt.Errorf("the plan names message %d, which was not given", sequence)
		}
		out = append(out, &msgs[i])
	}
	return out, nil
}

// Through is how many of the part's messages are not above a sequence.
func (p *Part) Through(highest uint64) int {
	n := 0
	for n < len(p.Sequences) && p.Sequences[n] <= highest {
		n++
	}
	return n
}

// Plan is a round of messages with everything needed to send it again in the
// same words. It is journaled before it is sent.
type Plan struct {
	Parts []Part `json:"parts"`
}

// Loss is a target that no longer has all of what was stored on it: what was
// published to it in (After, Until] is to be sent again. A target that lost
// messages on both sides of some that it has is named twice.
type Loss struct {
	Target Target
	// After is the journal position of our last message before the lost ones.
	// It is 0 when there is none (a target made anew).
	After uint64
	// Until is the journal position of the last message that may be lost. It is
	// 0 when everything after After is.
	Until uint64
	// Last is the place of our last message that the target has now, as a part
	// of this one message, so that it can be verified itself; nil when nothing
	// of ours is there.
	Last *Part
	// Anew says that the target is not the one that the part was planned for.
	Anew bool
	// Gone says that there is no such target any more: a topic was made anew
	// with fewer partitions.
	Gone bool
}

// ErrVerify is wrapped by what Plan and Send return when a target is not what
// it was when it was last sent to or verified: it was made anew, or its tail
// was lost. What was stored on it before may be missing, which Verify tells;
// until Verify was called with the target's last part, nothing is planned for
// it or goes on being sent to it.
var ErrVerify = errors.New("the target is not what it was, and is verified first")

// Publisher carries rounds of messages to the bus. One goroutine uses it.
type Publisher interface {
	// Plan gives each message its target and notes where the targets end. It
	// stores nothing on the bus, and may wait for a bus that cannot be
	// reached until ctx ends. Messages keep their order within a target. An
	// error that wraps [ErrVerify] asks for Verify first.
	Plan(ctx context.Context, msgs []Message) (Plan, error)

	// Send stores the messages of a plan. With look it reads each target from
	// the planned end first, for messages with our timbridge and sequence
	// attributes, and sends what is missing; without, it sends at once, which
	// only the first attempt of a plan may do. msgs holds every message that
	// the plan names, rising by Sequence. When Send returns nil, every target
	// has its part exactly once, in order. An error that wraps a
	// [*RefusedError] names a message that will never be taken, one that wraps
	// [ErrVerify] asks for Verify first, of what was stored before this plan;
	// some of the plan may have been stored behind what was lost. After any
	// other error the same plan is sent again with look set.
	Send(ctx context.Context, plan Plan, msgs []Message, look bool) error

	// Verify looks for the last message of each part, which was stored before,
	// and returns what is lost. Messages of ours that are above the last one of
	// a part, or on a target made anew, may lie behind lost ones. What a target
	// has itself removed since (retention, a purge) counts as stored. journal is
	// the journal's UUID: the timbridge attribute of our messages.
	Verify(ctx context.Context, journal string, parts []Part) ([]Loss, error)
}

// RefusedError says that the bus will never take a message, for a reason that
// lies in the message itself.
type RefusedError struct {
	Sequence uint64
	// Reason is a sentence for people: what the limit is, and the message's size.
	Reason string
	// Size and Limit are bytes, where the size was the reason.
	Size, Limit int64
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("bus refuses message %d: %s", e.Sequence, e.Reason)
}

// TargetError says that a target refuses everything for now: it is missing,
// full, or not allowed. It is waited out, loudly.
type TargetError struct {
	Target Target
	Err    error
}

func (e *TargetError) Error() string { return fmt.Sprintf("bus target %s: %v", e.Target, e.Err) }

// Unwrap gives the cause.
func (e *TargetError) Unwrap() error { return e.Err }

// Position is the place of a command on the bus, with what is needed to
// recognise it.
type Position struct {
	Target Target `json:"target"`
	// Offset is the stream sequence (NATS), or the offset after the message
	// (Kafka, as its groups commit them: 43 is the message with offset 42). It
	// is 0 before the first on both, and reading on after a position begins
	// with the sequence that follows, or at this very offset.
	Offset uint64 `json:"offset"`
	// Time is the bus's own time of the message.
	Time time.Time `json:"time"`
	// Digest is the SHA-256, in hex, of the message's bytes (headers and value).
	Digest string `json:"digest"`
}

// Received is a message read from the bus.
type Received struct {
	Position
	// Original is the message as it was: headers and value, in an encoding
	// that is the same for every bus (see [EncodeOriginal]).
	Original []byte
	// Cut is set where Original is only the beginning of what is on the bus,
	// which was too large to be held.
	Cut *Cut
	// Event is the CloudEvent, nil when Err says why there is none.
	Event *event.Event
	// Err wraps [ErrNotCloudEvent] when the message is none, [ErrLimit] or
	// [ErrNotAllowed]; its text says what is wrong and where.
	Err error
}

// Cut is the whole of which a beginning was received: its size in bytes and its
// SHA-256, in hex, as it is stored.
type Cut struct {
	Size   int64
	SHA256 string
}

// ErrClosed is returned by what was closed.
var ErrClosed = errors.New("closed")

// ErrNotCloudEvent is wrapped by [Received.Err].
var ErrNotCloudEvent = errors.New("not a CloudEvent")

// ErrNotAllowed is wrapped by [Received.Err] when a command lies where its
// publisher could put it without being allowed what it asks for: the subject
// it was published to, which is what the bus's access rules see, names another
// account or verb than the event itself.
var ErrNotAllowed = errors.New("not allowed where it was published")

// ErrLimit is wrapped by [Received.Err] when a message is larger than the
// reader was told to take.
var ErrLimit = errors.New("message too large")

// Reset says that reading could not go on at the position asked for.
type Reset struct {
	Target Target
	// Asked is the position that reading was to go on after; its Offset is
	// zero where it was to begin at the beginning.
	Asked Position
	// From is the offset that reading went on after. To is the time it went on
	// from, where it had to look for its place by time; else it is zero.
	From uint64
	To   time.Time
	// Reason is a sentence for people.
	Reason string
	// Lost counts the messages that the bus removed before they were read,
	// where it is known.
	Lost uint64
}

// CommandReader reads the command stream in its order. One goroutine uses it.
type CommandReader interface {
	// Next waits for commands and returns up to max of them, in the order of
	// each target; none when there is only a reset to tell of. It reconnects
	// by itself; an error is one that waiting does not mend, or ctx's.
	Next(ctx context.Context, max int) ([]Received, error)
	// Resets returns, once each, what reading could not do as asked: a journaled position that
	// holds another message, a tail lost under it, messages removed unread.
	// It is called after each Next.
	Resets() []Reset
	// Close ends reading.
	Close() error
}

// CommandSource gives the commands, and keeps the mark of what is finished.
type CommandSource interface {
	// Commands reads on after the given positions, one for each target that
	// was read before; a target that is not among them is read from its
	// beginning. The message at each position must be the one with its digest;
	// if it is another, or the bus has lost its tail below it, reading starts
	// again at the position's time or a little before, and Resets says so. A
	// position whose message the bus has itself removed is simply read on
	// after.
	Commands(ctx context.Context, after []Position) (CommandReader, error)

	// Mark returns the positions below which, and at which, everything is
	// finished, as last set for this shard; none when none was set. Digest and
	// Time may be empty in them.
	Mark(ctx context.Context) ([]Position, error)

	// SetMark stores the mark.
	SetMark(ctx context.Context, mark []Position) error
}

// Start says where following a stream begins.
type Start struct {
	// Beginning is the first message still there; else Time, where it is not
	// zero; else only what comes from now on.
	Beginning bool
	Time      time.Time
}

// Follower is a reader of any stream for people and tools.
type Follower interface {
	// Next waits for the next message, in the order of each target.
	Next(ctx context.Context) (Received, error)
	// CaughtUp says that everything which was there when following began has been returned.
	CaughtUp() bool
	// Close ends following.
	Close() error
}

// Desk is what a person's tools do on the bus: publish a command, follow a stream.
type Desk interface {
	// Publish stores one event on a stream and returns its position. It may be
	// repeated with the same event: where the bus can tell, it is stored once.
	// Another event with the id of an earlier one is stored.
	Publish(ctx context.Context, stream Stream, e *event.Event) (Position, error)
	// Event reads the event that a message held when it was on this bus; the
	// error wraps [ErrNotCloudEvent].
	Event(o Original) (*event.Event, error)
	// Follow reads a stream from a start.
	Follow(ctx context.Context, stream Stream, from Start) (Follower, error)
}

// Bus is one event bus. Its methods may be called at once, those of
// [Publisher] by one goroutine.
type Bus interface {
	Publisher
	CommandSource
	Desk
	// Check asks the bus itself, now, whether it can be reached and every
	// stream is there and as configured; nil is a recent proof for readiness.
	Check(ctx context.Context) error
	// Unread counts the messages of the commands stream after the given
	// positions, one for each target that was read, and all there are of a
	// target that is not among them. It goes by the bus's own numbers: what it
	// removed in between, and marks of transactions, count too. Behind a
	// position that is past a target's end nothing is unread.
	Unread(ctx context.Context, after []Position) (uint64, error)
	// Reconnected receives a value after a lost connection was made again,
	// which is when the last plans are verified anew.
	Reconnected() <-chan struct{}
	// Close ends everything and waits for it.
	Close() error
}
