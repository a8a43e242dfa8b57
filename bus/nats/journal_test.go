package nats

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"github.com/timbridge/timbridge/bus"
)

// journal plays the one whose messages are published.
type journal struct {
	id   string
	next uint64
	all  []bus.Message
}

func newJournal(testing.TB) *journal { return &journal{id: uuid.NewString()} }

// messages makes n messages with data of about size bytes.
func (j *journal) messages(n int, stream bus.Stream, size int) []bus.Message {
	msgs := make([]bus.Message, n)
	text := strings.Repeat("字", size/3)
	for i := range msgs {
		j.next++
		e := event.New()
		e.SetID(fmt.Sprintf("m-%d", j.next))
		e.SetSource("tim://1400000000")
		e.SetType("io.timbridge.message.posted.v1")
		e.SetSubject(fmt.Sprintf("c2c/alice/user%d", j.next%16))
		e.SetTime(time.Date(2026, 11, 5, 12, 0, 0, int(j.next), time.UTC))
		e.SetDataSchema("https://timbridge.io/schemas/message.posted.v1.json")
		e.SetExtension("partitionkey", e.Subject())
		e.SetExtension("recordedtime", "2026-11-05T12:00:00.123456Z")
		e.SetExtension("timaccount", "alice")
		e.SetExtension("timbridge", j.id)
		e.SetExtension("sequence", fmt.Sprintf("%020d", j.next))
		if err := e.SetData(event.ApplicationJSON, map[string]any{"text": text, "n": j.next}); err != nil {
			panic(err) // text and a number always marshal
		}
		msgs[i] = bus.Message{Stream: stream, Sequence: j.next, Event: &e}
	}
	j.all = append(j.all, msgs...)
	return msgs
}

// send repeats a plan until it is done.
func (j *journal) send(t testing.TB, b bus.Bus, plan bus.Plan, msgs []bus.Message) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := b.Send(t.Context(), plan, msgs, true)
		if err == nil {
			return
		}
		if refused := (*bus.RefusedError)(nil); errors.As(err, &refused) || time.Now().After(deadline) {
			t.Fatalf("send: %v", err)
		}
	}
}

func (j *journal) round(t testing.TB, b bus.Bus, msgs []bus.Message) bus.Plan {
	t.Helper()
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), plan, msgs, false); err != nil {
		t.Fatal(err)
	}
	return plan
}

// checkOnce makes sure that all messages lie on the events stream once, in order.
func (j *journal) checkOnce(t testing.TB, b bus.Bus) {
	t.Helper()
	got := dump(t, b, bus.Events)
	if len(got) != len(j.all) {
		t.Errorf("%d messages are stored, not %d", len(got), len(j.all))
	}
	for i := range min(len(got), len(j.all)) {
		if got[i].Event.ID() != j.all[i].Event.ID() {
			t.Fatalf("message %d is %s, not %s", i, got[i].Event.ID(), j.all[i].Event.ID())
		}
	}
}

// dump reads everything on a stream.
func dump(t testing.TB, b bus.Bus, stream bus.Stream) []bus.Received {
	t.Helper()
	f, err := b.Follow(t.Context(), stream, bus.Start{Beginning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var got []bus.Received
	for !f.CaughtUp() {
		r, err := f.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}
