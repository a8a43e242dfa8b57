package egress_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/ingress"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

// A command on the bus becomes a message in chat, and its outcome an entry of
// the journal.
func Example() {
	dir, err := os.MkdirTemp("", "egress")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// The parts around it: a bus, an IM service with the account bot signed in,
	// the journal, and ingress, which records messages.
	b := must(nats.Open(ctx, nats.Config{Embedded: &nats.EmbeddedConfig{Dir: dir + "/nats", Port: -1, Token: "token"}}))
	defer b.Close()
	im := must(sandbox.Open(dir+"/im", sandbox.Options{SDKAppID: 1400000000, Key: "a key of the application"}))
	defer im.Close()
	bot := must(im.Open(ctx, tim.Config{SDKAppID: 1400000000}))
	defer bot.Close()
	j := must(journal.Open(dir+"/journal", journal.Options{}))
	defer j.Close()
	app := mapping.App{SDKAppID: 1400000000}
	in := ingress.New(ingress.Config{}, ingress.Deps{Journal: j, App: app})
	_ = bot.Listen(in.Handler("bot"))
	if err := bot.Login(ctx, "bot", tim.SignUserSig(1400000000, "a key of the application", "bot", time.Hour, time.Now())); err != nil {
		panic(err)
	}

	out := egress.New(egress.Config{}, egress.Deps{
		Journal: j, App: app, Commands: b, Poster: in,
		Mapper:   &mapping.Commands{Schemas: schemas.New()},
		Accounts: &connected{"bot", bot},
	})
	if err := j.Scan(0, out.Apply); err != nil { // what an earlier process left
		panic(err)
	}
	done := make(chan error, 2)
	go func() { done <- in.Run(ctx) }()
	if err := in.CatchUp(ctx, "bot", bot, time.Now()); err != nil {
		panic(err)
	}
	go func() { done <- out.Run(ctx) }()

	// Somebody publishes a command …
	e := event.New()
	e.SetID("order-17")
	e.SetSource("https://shop.example/orders")
	e.SetType(mapping.TypeCommandSend)
	e.SetExtension(mapping.ExtAccount, "bot")
	_ = e.SetData("application/json", map[string]any{
		"conversation": map[string]any{"type": "c2c", "user_id": "alice"},
		"elements":     []any{map[string]any{"type": "text", "text": "It left this morning."}},
	})
	if _, err := b.Publish(ctx, bus.Commands, &e); err != nil {
		panic(err)
	}

	// … and its outcome is journaled behind the message.
	for reader := j.Read(0); ; {
		for _, entry := range must(reader.Next(ctx, 0, 0)) {
			if !entry.Kind.Public() {
				continue
			}
			ev := must(mapping.Decode(entry.Body))
			fmt.Println(ev.Type(), "because of", ev.Extensions()[mapping.ExtCausationID])
			if entry.Kind == journal.KindOutcome {
				cancel()
				fmt.Println("ended:", <-done, <-done)
				return
			}
		}
	}
	// Output:
	// io.timbridge.message.posted.v1 because of order-17
	// io.timbridge.command.succeeded.v1 because of order-17
	// ended: <nil> <nil>
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
