package bridge

import (
	"context"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/config"
)

// BusEmbedded says whether a configuration has the bus inside the bridge's process.
func BusEmbedded(cfg *config.Config) bool {
	return cfg.Bus.Kind == "nats" && cfg.Bus.NATS.URL == ""
}

// busKind is the kind of bus, as people write it.
func busKind(cfg *config.Config) string {
	if cfg.Bus.Kind == "kafka" {
		return "Kafka"
	}
	return "NATS"
}

// BusAddress is where the bus is, for people: without what an address may hold
// of secrets.
func BusAddress(cfg *config.Config) string {
	switch {
	case cfg.Bus.Kind == "kafka":
		return "kafka://" + strings.Join(cfg.Bus.Kafka.Brokers, ",")
	case BusEmbedded(cfg):
		return "nats://" + cfg.Bus.NATS.Listen
	}
	return withoutSecrets(cfg.Bus.NATS.URL)
}

// openBus connects to the bus and hands it to the parts that wait for it.
func (b *Bridge) openBus(ctx context.Context) error {
	opened, err := connectAnd(ctx, b.cfg, true, b.logger("bus", b.cfg.Log.Levels.Bus), b.step, b.bus.waiting)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	b.bus.set(opened)
	<-ctx.Done()
	return nil
}

// OpenBus connects to the bus that a configuration names, as a person's tool:
// it never runs a server itself, and finds the token that the bridge made in
// the data directory. It waits for a server until ctx ends. Close the bus.
func OpenBus(ctx context.Context, cfg *config.Config, log hclog.Logger) (bus.Bus, error) {
	return connect(ctx, cfg, false, log, nil)
}

// connect opens the bus of the kind that is configured. serve says whether one
// without an address is to run inside this process.
func connect(ctx context.Context, cfg *config.Config, serve bool, log hclog.Logger, step func(string)) (bus.Bus, error) {
	return connectAnd(ctx, cfg, serve, log, step, nil)
}

// connectAnd is connect, and tells why it waits for what others have to mend; it
// does not wait for that where there is nobody to tell.
func connectAnd(ctx context.Context, cfg *config.Config, serve bool, log hclog.Logger, step func(string), waiting func(error)) (bus.Bus, error) {
	if cfg.Bus.Kind == "kafka" {
		c := kafkaConfig(cfg)
		c.Logger, c.Step, c.Waiting = log, step, waiting
		b, err := kafka.Open(ctx, c)
		if err != nil {
			return nil, err // not b, which would be an interface that is not nil
		}
		return b, nil
	}
	c, err := natsConfig(cfg, serve)
	if err != nil {
		return nil, err
	}
	c.Logger, c.Step = log, step
	b, err := nats.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return b, nil
}
