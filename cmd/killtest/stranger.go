package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// stranger is a client of the bus that has nothing of ours in it.
type stranger interface {
	// publish puts a command on the bus, in structured JSON. It tries until the
	// bus has acknowledged it, and ends with an error only when ctx ends.
	publish(ctx context.Context, c ordered, body []byte) error
	// news are outcomes that it did not give before, not more than limit. What
	// cannot be read now is read later.
	news(ctx context.Context, limit int) [][]byte
	// read reads all there is of "events", "outcomes" or "deadletters", in the
	// order of each target.
	read(ctx context.Context, what string) ([]published, error)
	close()
}

// structured is the content type of an event in structured JSON.
const structured = "application/cloudevents+json"

func (h *house) connect(ctx context.Context) (stranger, error) {
	if h.kafka != nil {
		return connectKafka(h.kafka.Addr())
	}
	return connectNATS(ctx, fmt.Sprintf("127.0.0.1:%d", h.busPort), h.busToken)
}

// published is one message of a stream, as a stranger reads it.
type published struct {
	target   string // the stream, or the topic's partition
	position uint64 // in it
	id, typ  string
	subject  string
	journal  string
	sequence string
	recorded time.Time
	data     json.RawMessage
}

// place says where it is.
func (p published) place() string { return fmt.Sprintf("%s:%d", p.target, p.position) }

// read makes of a message's headers what they say.
func read(attribute func(name string) string, data []byte) (published, error) {
	p := published{
		id: attribute("id"), typ: attribute("type"), subject: attribute("subject"),
		journal: attribute("timbridge"), sequence: attribute("sequence"), data: data,
	}
	var err error
	if p.recorded, err = time.Parse(time.RFC3339Nano, attribute("recordedtime")); err != nil {
		return p, fmt.Errorf("%s has no recordedtime: %w", p.id, err)
	}
	return p, nil
}
