package kafka

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
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

// BenchmarkRounds publishes rounds as the relay does, planned and sent, beside
// franz-go's idempotent producer and a tuned kafka.Writer with the same keys,
// values and headers, in turn. Ours is given events and writes them as records;
// franz-go is given the same events, written as records by the same encoder, and
// once more records that are ready, as the Writer is. One iteration is 50 rounds
// of each; -benchtime 7x gives medians of 7.
func BenchmarkRounds(b *testing.B) {
	for _, which := range []string{"fake", "apache"} {
		b.Run(which, func(b *testing.B) {
			var p broker
			if which == "fake" {
				p = newFake(b)
			} else {
				needApache(b)
				p = newApache(b, nil)
			}
			cfg := testConfig(b, p.addr())
			cfg.Partitions = 12
			benchRounds(b, mustOpen(b, cfg), p.addr())
		})
	}
}

func benchRounds(b *testing.B, to *Bus, addr string) {
	const rounds, warm = 50, 20
	msgs := benchMessages(1)
	ours := func() {
		plan, err := to.Plan(context.Background(), msgs)
		if err != nil {
			b.Fatal(err)
		}
		if err := to.Send(context.Background(), plan, msgs, false); err != nil {
			b.Fatal(err)
		}
	}
	all := []func(){ours, benchFranz(b, addr, msgs, false), benchFranz(b, addr, msgs, true), benchWriter(b, addr, msgs)}
	for _, round := range all {
		for range warm {
			round()
		}
	}
	var rates [4][]float64
	var ratios [3][]float64
	b.ResetTimer()
	for range b.N {
		// A few rounds of each in turn, so that what else runs meets all alike.
		var took [4]time.Duration
		for range rounds / 5 {
			for i, round := range all {
				start := time.Now()
				for range 5 {
					round()
				}
				took[i] += time.Since(start)
			}
		}
		for i := range rates {
			rates[i] = append(rates[i], float64(rounds*benchRound)/took[i].Seconds())
		}
		for i := range ratios {
			ratios[i] = append(ratios[i], took[i+1].Seconds()/took[0].Seconds())
		}
	}
	for i, name := range []string{"ours", "franz", "franz-ready", "writer"} {
		b.ReportMetric(middle(rates[i]), name+"/s")
		if i > 0 {
			b.ReportMetric(middle(ratios[i-1]), "ratio-to-"+name)
		}
	}
	b.ReportMetric(0, "ns/op")
}

func middle(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// benchFranz gives a round of franz-go's idempotent producer, of records that are
// ready or of events.
func benchFranz(b *testing.B, addr string, msgs []bus.Message, ready bool) func() {
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("tim.events"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	encoders := make([]eventEncoder, len(msgs))
	records := make([]*kgo.Record, len(msgs))
	write := func() {
		for i := range msgs {
			msg, err := encoders[i].encode(msgs[i].Event)
			if err != nil {
				b.Fatal(err)
			}
			if records[i] == nil {
				records[i] = &kgo.Record{}
			}
			r := records[i]
			*r = kgo.Record{Key: msg.key, Value: msg.value, Headers: r.Headers[:0]}
			for _, h := range msg.headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
			}
		}
	}
	write()
	return func() {
		if !ready {
			write()
		}
		if err := c.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// benchWriter gives a round of kafka.Writer, which is not idempotent.
func benchWriter(b *testing.B, addr string, msgs []bus.Message) func() {
	w := &kafkago.Writer{Addr: kafkago.TCP(addr), Topic: "tim.events", RequiredAcks: kafkago.RequireAll, Balancer: balancer,
		BatchTimeout: time.Millisecond, BatchSize: benchRound, BatchBytes: 1 << 20, Transport: &kafkago.Transport{}}
	b.Cleanup(func() { _ = w.Close(); w.Transport.(*kafkago.Transport).CloseIdleConnections() })
	var records []kafkago.Message
	for i := range msgs {
		msg, err := new(eventEncoder).encode(msgs[i].Event)
		if err != nil {
			b.Fatal(err)
		}
		r := kafkago.Message{Key: msg.key, Value: msg.value}
		for _, h := range msg.headers {
			r.Headers = append(r.Headers, kafkago.Header{Key: h.Name, Value: h.Value})
		}
		records = append(records, r)
	}
	return func() {
		if err := w.WriteMessages(context.Background(), records...); err != nil {
			b.Fatal(err)
		}
	}
}
