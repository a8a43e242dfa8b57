package bench_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/timbridge/timbridge/bus/nats"
)

const token = "benchmark-token-0123456789"

// openNATS starts the embedded server, which syncs before it acknowledges, and
// connects a raw client beside ours.
func openNATS(tb testing.TB) (*nats.Bus, jetstream.JetStream) {
	tb.Helper()
	b, err := nats.Open(tb.Context(), nats.Config{
		Embedded: &nats.EmbeddedConfig{Dir: tb.TempDir(), Port: -1, Token: token}, LooseSubjects: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	nc, err := natsgo.Connect(b.URL(), natsgo.Token(token))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return b, js
}

// stored reads count messages of a stream, headers and data, for the raw
// client to publish the same bytes.
func stored(tb testing.TB, js jetstream.JetStream, name string, count int) []*natsgo.Msg {
	tb.Helper()
	consumer, err := js.OrderedConsumer(tb.Context(), name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		tb.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		tb.Fatal(err)
	}
	defer messages.Stop()
	out := make([]*natsgo.Msg, 0, count)
	for len(out) < count {
		m, err := messages.Next(jetstream.NextMaxWait(10 * time.Second))
		if err != nil {
			tb.Fatal(err)
		}
		msg := natsgo.NewMsg(m.Subject())
		for k, v := range m.Headers() {
			if !strings.HasPrefix(k, "Nats-") || k == jetstream.MsgIDHeader {
				msg.Header[k] = v
			}
		}
		msg.Data = m.Data()
		out = append(out, msg)
	}
	return out
}

// publishRaw publishes the same bytes with the same ids by nats.go alone, in
// atomic batches of a thousand, to a stream made for it, and says how long it took.
func publishRaw(tb testing.TB, js jetstream.JetStream, round int, msgs []*natsgo.Msg) time.Duration {
	tb.Helper()
	name := fmt.Sprintf("raw-%d", round)
	_, err := js.CreateStream(tb.Context(), jetstream.StreamConfig{
		Name: name, Subjects: []string{name + ".>"}, Storage: jetstream.FileStorage, AllowAtomicPublish: true, Duplicates: 2 * time.Minute,
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := js.DeleteStream(context.Background(), name); err != nil {
			tb.Error(err)
		}
	}()
	copies := make([]*natsgo.Msg, len(msgs))
	for i, m := range msgs {
		c := natsgo.NewMsg(name + "." + m.Subject)
		for k, v := range m.Header {
			c.Header[k] = v
		}
		c.Data = m.Data
		copies[i] = c
	}
	start := time.Now()
	for at := 0; at < len(copies); at += 1000 {
		batch := copies[at:min(at+1000, len(copies))]
		if _, err := jetstreamext.PublishMsgBatch(tb.Context(), js, batch); err != nil {
			tb.Fatal(err)
		}
	}
	return time.Since(start)
}
