package kafka_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka"
)

// A command is published and read back.
func ExampleOpen() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1)) // or a real one
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	b, err := kafka.Open(ctx, kafka.Config{Brokers: broker.ListenAddrs()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = b.Close() }()

	e := event.New()
	e.SetID("order-1")
	e.SetSource("/orders")
	e.SetType("io.timbridge.command.message.send.v1")
	e.SetSubject("c2c/bob/shop")
	e.SetExtension("timaccount", "shop")
	e.SetExtension("partitionkey", "c2c/bob/shop")
	if err := e.SetData(event.ApplicationJSON, map[string]string{"text": "Your order is on its way."}); err != nil {
		log.Fatal(err)
	}
	if _, err := b.Publish(ctx, bus.Commands, &e); err != nil {
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
	fmt.Println(got[0].Event.ID(), string(got[0].Event.Data()))
	// Output: order-1 {"text":"Your order is on its way."}
}
