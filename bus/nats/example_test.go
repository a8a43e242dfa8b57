package nats_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/nats"
)

// A bridge that embeds its server publishes a round of its journal and reads a
// command.
func Example() {
	dir, err := os.MkdirTemp("", "nats")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	b, err := nats.Open(ctx, nats.Config{Embedded: &nats.EmbeddedConfig{Dir: dir, Port: -1, Token: "a-token"}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = b.Close() }()

	posted := event.New()
	posted.SetID("c2c/alice/bob/1")
	posted.SetSource("tim://1400000000")
	posted.SetType("io.timbridge.message.posted.v1")
	posted.SetSubject("c2c/alice/bob")
	posted.SetExtension("timbridge", "0192f0c1-journal")
	posted.SetExtension("sequence", "00000000000000000042")
	round := []bus.Message{{Stream: bus.Events, Sequence: 42, Event: &posted}}
	plan, err := b.Plan(ctx, round) // the relay journals it here
	if err != nil {
		log.Fatal(err)
	}
	for look := false; ; look = true {
		if err := b.Send(ctx, plan, round, look); err == nil {
			break
		}
	}
	fmt.Println("stored on", plan.Parts[0].Target, "after", plan.Parts[0].End)

	send := event.New()
	send.SetID("1")
	send.SetSource("/backend")
	send.SetType("io.timbridge.command.message.send.v1")
	send.SetExtension("timaccount", "bot")
	if _, err := b.Publish(ctx, bus.Commands, &send); err != nil {
		log.Fatal(err)
	}
	commands, err := b.Commands(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = commands.Close() }()
	got, err := commands.Next(ctx, 10)
	if err != nil {
		log.Fatal(err)
	}
	original, err := bus.DecodeOriginal(got[0].Original)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("command", got[0].Event.ID(), "from", original.Place, "at", got[0].Offset)
	// Output:
	// stored on tim-events after 0
	// command 1 from tim.commands.bot.message.send at 1
}
