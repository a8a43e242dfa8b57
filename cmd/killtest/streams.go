package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// published is one message of a stream, as a stranger reads it.
type published struct {
	position uint64 // in the stream
	id, typ  string
	subject  string
	journal  string
	sequence string
	recorded time.Time
	data     json.RawMessage
}

// readStream reads a whole stream.
func readStream(ctx context.Context, js jetstream.JetStream, name string) ([]published, error) {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	if info.State.Msgs == 0 {
		return nil, nil
	}
	consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	defer messages.Stop()
	var out []published
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		h := m.Headers()
		recorded, err := time.Parse(time.RFC3339Nano, h.Get("ce-recordedtime"))
		if err != nil {
			return nil, fmt.Errorf("stream %s: %s has no recordedtime: %w", name, h.Get("ce-id"), err)
		}
		out = append(out, published{
			position: meta.Sequence.Stream, id: h.Get("ce-id"), typ: h.Get("ce-type"), subject: h.Get("ce-subject"),
			journal: h.Get("ce-timbridge"), sequence: h.Get("ce-sequence"), recorded: recorded, data: m.Data(),
		})
		if meta.Sequence.Stream >= info.State.LastSeq {
			return out, nil
		}
	}
}
