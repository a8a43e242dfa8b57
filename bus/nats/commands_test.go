package nats

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

func testCommand(n int) *event.Event {
	e := testEvent("io.timbridge.command.message.send.v1", "", "bot")
	e.SetID(fmt.Sprint(n))
	return e
}

// take reads n commands.
func take(t testing.TB, r bus.CommandReader, n int) (got []bus.Received) {
	t.Helper()
	for len(got) < n {
		more, err := r.Next(t.Context(), n-len(got))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, more...)
	}
	return got
}

// TestFullCommands: a full stream refuses new commands, and what every shard
// has finished is purged to make room; nothing else is.
func TestFullCommands(t *testing.T) {
	srv := startServer(t, &server.Options{})
	shard := func(i int) *Bus {
		return mustOpen(t, Config{URL: srv.ClientURL(), Commands: StreamConfig{MaxMessages: 20}, Shard: bus.Shard{Index: i, Count: 2}})
	}
	zero, one := shard(0), shard(1)
	for n := range 20 {
		if _, err := zero.Publish(t.Context(), bus.Commands, testCommand(n)); err != nil {
			t.Fatal(err)
		}
	}
	refused := func() {
		t.Helper()
		_, err := zero.Publish(t.Context(), bus.Commands, testCommand(100))
		if target := (*bus.TargetError)(nil); !errors.As(err, &target) {
			t.Fatalf("a full stream gives %v", err)
		}
	}
	refused()
	r, err := zero.Commands(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := take(t, r, 20)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	mark := func(b *Bus, n int) {
		t.Helper()
		if err := b.SetMark(t.Context(), []bus.Position{got[n].Position}); err != nil {
			t.Fatal(err)
		}
	}
	mark(zero, 15)
	refused() // the other shard has finished nothing yet
	mark(one, 11)
	if _, err := zero.Publish(t.Context(), bus.Commands, testCommand(100)); err != nil {
		t.Errorf("no room was made: %v", err)
	}
	info, err := zero.info(t.Context(), "tim-commands")
	if err != nil || info.State.FirstSeq != got[11].Offset {
		t.Errorf("the stream begins at %d, not at the lowest mark %d (%v)", info.State.FirstSeq, got[11].Offset, err)
	}
	// Reading goes on at either mark without a word.
	for _, b := range []*Bus{zero, one} {
		at, err := b.Mark(t.Context())
		if err != nil || len(at) != 1 {
			t.Fatalf("mark %v, %v", at, err)
		}
		r, err := b.Commands(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		rest := take(t, r, 21-int(at[0].Offset))
		if rest[0].Offset != at[0].Offset+1 || len(r.Resets()) != 0 {
			t.Errorf("reading goes on at %d after %d, resets %+v", rest[0].Offset, at[0].Offset, r.Resets())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNotPurgedWithRoom: as long as there is room, everything stays.
func TestNotPurgedWithRoom(t *testing.T) {
	b := mustOpen(t, Config{URL: startServer(t, &server.Options{}).ClientURL(), Commands: StreamConfig{MaxMessages: 100}})
	var last bus.Position
	for n := range 20 {
		var err error
		if last, err = b.Publish(t.Context(), bus.Commands, testCommand(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.SetMark(t.Context(), []bus.Position{last}); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, b, bus.Commands); len(got) != 20 {
		t.Errorf("%d of 20 commands are left", len(got))
	}
}

// TestNotAllowed: a command on a subject that its publisher may use is not
// taken for another's.
func TestNotAllowed(t *testing.T) {
	b := mustOpen(t, Config{URL: startServer(t, &server.Options{}).ClientURL()})
	enc := encoder{}
	h, data, err := enc.encode(testCommand(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.PublishMsg(t.Context(), &nats.Msg{Subject: "tim.commands.alice.message.send", Header: h, Data: data}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(t.Context(), bus.Commands, testCommand(2)); err != nil {
		t.Fatal(err)
	}
	r, err := b.Commands(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := take(t, r, 2)
	if !errors.Is(got[0].Err, bus.ErrNotAllowed) || got[0].Event != nil {
		t.Errorf("bot's command on alice's subject: %v, %v", got[0].Event, got[0].Err)
	}
	if got[1].Err != nil || got[1].Event.ID() != "2" {
		t.Errorf("the next: %v", got[1].Err)
	}
}

// TestReaderInterior: messages removed one by one within the stream are lost
// unread too, and counted.
func TestReaderInterior(t *testing.T) {
	b := mustOpen(t, Config{URL: startServer(t, &server.Options{}).ClientURL()})
	for n := range 6 {
		if _, err := b.Publish(t.Context(), bus.Commands, testCommand(n)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.js.Stream(t.Context(), "tim-commands")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{3, 4} {
		if err := s.DeleteMsg(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.Commands(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var lost uint64
	for n := 0; n < 4; {
		got, err := r.Next(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		n += len(got)
		for _, reset := range r.Resets() {
			lost += reset.Lost
			if reset.From != 4 || reset.Asked.Offset != 2 {
				t.Errorf("reset %+v", reset)
			}
		}
	}
	if lost != 2 {
		t.Errorf("%d lost, not 2", lost)
	}
}

// TestMarkBucketMissing: with bus.ManageCheck the bucket must be there.
func TestMarkBucketMissing(t *testing.T) {
	srv := startServer(t, &server.Options{})
	b := mustOpen(t, Config{URL: srv.ClientURL()})
	if err := b.js.DeleteKeyValue(t.Context(), "tim-marks"); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, Config{URL: srv.ClientURL(), Manage: bus.ManageCheck})
	var ce *ConfigError
	if !errors.As(err, &ce) || !ce.Missing || ce.Stream != "KV_tim-marks" {
		t.Errorf("error %v", err)
	}
	if _, err := b.Mark(t.Context()); err == nil || errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("the mark of a bucket that is gone: %v", err)
	}
}

// TestFollowRoutes: events of routed types are followed with the others.
func TestFollowRoutes(t *testing.T) {
	b := mustOpen(t, Config{URL: startServer(t, &server.Options{}).ClientURL(),
		Routes: []Route{{Types: "message.*", StreamConfig: StreamConfig{Name: "talk", Subject: "acme.talk"}}}})
	j := newJournal(t)
	msgs := j.messages(10, bus.Events, 10)
	for i := range msgs {
		if i%2 == 0 {
			msgs[i].Event.SetType("io.timbridge.group.created.v1")
		}
	}
	plan := j.round(t, b, msgs)
	if len(plan.Parts) != 2 || len(plan.Parts[0].Sequences) != 5 {
		t.Fatalf("plan %+v", plan)
	}
	targets := map[bus.Target]int{}
	for _, r := range dump(t, b, bus.Events) {
		targets[r.Target]++
	}
	if targets["talk"] != 5 || targets["tim-events"] != 5 {
		t.Errorf("followed %v", targets)
	}
}
