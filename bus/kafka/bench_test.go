package kafka

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/timbridge/timbridge/bus"
)

// benchRound is how many messages a round has.
const benchRound = 1000

// benchMessages are a round of chat, 1 KiB of data each, over 100 conversations.
func benchMessages(from uint64) []bus.Message {
	msgs := ours(from, benchRound)
	data := append([]byte(`{"text":"`), append(bytes.Repeat([]byte("z"), 1000), `"}`...)...)
	for i := range msgs {
		key := fmt.Sprintf("group/g%d", i%100)
		msgs[i].Event.SetSubject(key)
		msgs[i].Event.SetExtension("partitionkey", key)
		msgs[i].Event.DataEncoded = data
	}
	return msgs
}

// BenchmarkRounds publishes rounds as the relay does, planned and sent; the
// others are franz-go's idempotent producer with the same records.
func BenchmarkRounds(b *testing.B) {
	for _, which := range []string{"fake", "apache"} {
		b.Run(which, func(b *testing.B) {
			var p broker
			if which == "fake" {
				p = newFake(b)
			} else {
				p = newApache(b, nil)
			}
			cfg := testConfig(b, p.addr())
			cfg.Partitions = 12
			ours := mustOpen(b, cfg)
			b.Run("ours", func(b *testing.B) { benchOurs(b, ours) })
			b.Run("franz-go", func(b *testing.B) { benchFranz(b, p.addr()) })
		})
	}
}

func perSecond(b *testing.B, n int, took time.Duration) {
	b.ReportMetric(float64(n)/took.Seconds(), "msgs/s")
}

func benchOurs(b *testing.B, to *Bus) {
	ctx := context.Background()
	msgs := benchMessages(1)
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		plan, err := to.Plan(ctx, msgs)
		if err != nil {
			b.Fatal(err)
		}
		if err := to.Send(ctx, plan, msgs, false); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, b.N*benchRound, time.Since(start))
}

func benchFranz(b *testing.B, addr string) {
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("tim.events"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	msgs := benchMessages(1)
	var records []*kgo.Record
	for i := range msgs {
		msg, err := new(eventEncoder).encode(msgs[i].Event, keyOf(msgs[i].Event))
		if err != nil {
			b.Fatal(err)
		}
		r := &kgo.Record{Key: msg.key, Value: msg.value}
		for _, h := range msg.headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		records = append(records, r)
	}
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		if err := c.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, b.N*benchRound, time.Since(start))
}
