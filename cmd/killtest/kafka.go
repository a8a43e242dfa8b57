package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
)

// brokerPatience is how long a Kafka may take to come up.
const brokerPatience = 90 * time.Second

func progress(line string) { fmt.Println(line) }

// fetchKafka makes sure that everything is there that a Kafka needs.
func fetchKafka(ctx context.Context) error {
	_, err := kafkatest.Fetch(ctx, progress)
	return whatLacks(err)
}

// whatLacks marks an error that says what the machine lacks.
func whatLacks(err error) error {
	var missing *kafkatest.MissingError
	if errors.As(err, &missing) {
		return &lacksError{err}
	}
	return err
}

func (h *house) makeKafka(ctx context.Context) (err error) {
	h.kafka, err = kafkatest.New(ctx, kafkatest.Options{Dir: filepath.Join(h.dir, "kafka"), Progress: progress})
	return whatLacks(err)
}

// awaitBroker waits until a broker that was started serves; a NATS server does
// at once.
func (h *house) awaitBroker(ctx context.Context) error {
	if h.kafka == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, brokerPatience)
	defer cancel()
	return h.kafka.Await(ctx)
}
