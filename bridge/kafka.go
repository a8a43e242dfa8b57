package bridge

import (
	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka"
	"github.com/timbridge/timbridge/config"
)

// kafkaConfig translates the configuration.
func kafkaConfig(cfg *config.Config) kafka.Config {
	k := cfg.Bus.Kafka
	c := kafka.Config{
		Brokers: k.Brokers, ClientID: k.ClientID,
		Events: topic(k.Events), Commands: topic(k.Commands), Outcomes: topic(k.Outcomes), DeadLetters: topic(k.DeadLetters),
		Manage: bus.Manage(k.Manage), Partitions: k.Partitions, Replication: k.Replication, Group: k.Group,
		Shard:      bus.Shard{Index: cfg.Shard.Index, Count: cfg.Shard.Count},
		Structured: cfg.Bus.Mode == "structured", Compression: k.Compression, MaxCommandBytes: int(cfg.Egress.MaxMessageBytes),
		BatchMessages: k.BatchMessages, BatchBytes: int(k.BatchBytes), RequestTimeout: k.RequestTimeout.Std(),
	}
	for _, r := range k.Routes {
		c.Routes = append(c.Routes, kafka.Route{Types: r.Types, TopicConfig: topic(config.Topic{
			Name: r.Name, Partitions: r.Partitions, Replication: r.Replication, Retention: r.Retention,
			RetentionBytes: r.RetentionBytes, MaxMessageBytes: r.MaxMessageBytes, MinInSync: r.MinInSync,
		})})
	}
	if t := k.TLS; t.Enabled {
		c.TLS = &bus.TLS{CAFile: t.CA, CertFile: t.Cert, KeyFile: t.Key, ServerName: t.ServerName}
	}
	if s := k.SASL; s.Mechanism != "" {
		c.SASL = &kafka.SASLConfig{Mechanism: s.Mechanism, User: s.User, Password: s.Password.Reveal()}
	}
	return c
}

func topic(t config.Topic) kafka.TopicConfig {
	return kafka.TopicConfig{
		Name: t.Name, Partitions: t.Partitions, Replication: t.Replication, Retention: t.Retention.Std(),
		RetentionBytes: int64(t.RetentionBytes), MaxMessageBytes: int(t.MaxMessageBytes), MinInSync: t.MinInSync,
	}
}
