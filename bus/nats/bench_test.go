package nats

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/timbridge/timbridge/bus"
)

// rawMessages are the same messages as nats.go would publish them: same
// subjects, headers, ids and values.
func rawMessages(t testing.TB, b *Bus, msgs []bus.Message) []*nats.Msg {
	t.Helper()
	raw := make([]*nats.Msg, len(msgs))
	for i := range msgs {
		var enc encoder
		h, data, err := enc.encode(msgs[i].Event)
		if err != nil {
			t.Fatal(err)
		}
		journal, sequence, err := ids(&msgs[i])
		if err != nil {
			t.Fatal(err)
		}
		h.Set(jetstream.MsgIDHeader, journal+"/"+sequence)
		_, subject, err := b.place(msgs[i].Stream, msgs[i].Event)
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = &nats.Msg{Subject: subject, Header: h, Data: data}
	}
	return raw
}

// BenchmarkSend plans and sends rounds, and publishes rounds of the same bytes
// with nats.go and jetstreamext alone, in turns on the same server, which syncs
// always. Metrics: messages a second of each, and ours over theirs (the median
// of the rounds' ratios).
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{1000, 100, 10, 1} {
		b.Run(fmt.Sprintf("rounds of %d", size), func(b *testing.B) { benchmarkSend(b, size) })
	}
}

func benchmarkSend(b *testing.B, size int) {
	p := newProcess(b)
	tim := mustOpen(b, testConfig(b, p.addr()))
	js := admin(b, p.addr())
	ours, theirs := newJournal(b), newJournal(b)
	var our, their time.Duration
	var ratios []float64
	round := func() {
		msgs := ours.messages(size, bus.Events, 400)
		start := time.Now()
		plan, err := tim.Plan(b.Context(), msgs)
		if err != nil {
			b.Fatal(err)
		}
		if err := tim.Send(b.Context(), plan, msgs, false); err != nil {
			b.Fatal(err)
		}
		o := time.Since(start)

		raw := rawMessages(b, tim, theirs.messages(size, bus.Events, 400))
		start = time.Now()
		if size == 1 {
			_, err = js.PublishMsg(b.Context(), raw[0])
		} else {
			_, err = jetstreamext.PublishMsgBatch(b.Context(), js, raw)
		}
		if err != nil {
			b.Fatal(err)
		}
		t := time.Since(start)
		our, their, ratios = our+o, their+t, append(ratios, t.Seconds()/o.Seconds())
		ours.all, theirs.all = nil, nil
		tim.targets["tim-events"].shared = 0 // the other writer is no part of what is measured
		if info, err := tim.info(b.Context(), "tim-events"); err == nil {
			tim.targets["tim-events"].learn(info, tim.conn.present())
			tim.targets["tim-events"].trusted = true
		}
	}
	for range 3 {
		round() // warm up
	}
	our, their, ratios = 0, 0, nil
	for b.Loop() {
		round()
	}
	n := float64(len(ratios) * size)
	slices.Sort(ratios)
	b.ReportMetric(n/our.Seconds(), "ours/s")
	b.ReportMetric(n/their.Seconds(), "nats.go/s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}

// BenchmarkCommands reads commands, with their digests and originals.
func BenchmarkCommands(b *testing.B) {
	srv := startServer(b, &server.Options{})
	tim := mustOpen(b, Config{URL: srv.ClientURL()})
	var enc encoder
	js := admin(b, strings.TrimPrefix(srv.ClientURL(), "nats://"))
	const n = 50_000
	for from := 0; from < n; from += 1000 {
		batch := make([]*nats.Msg, 1000)
		for i := range batch {
			h, data, err := enc.encode(testCommand(from + i))
			if err != nil {
				b.Fatal(err)
			}
			m := nats.NewMsg("tim.commands.bot.message.send")
			for name, values := range h {
				m.Header[name] = slices.Clone(values)
			}
			m.Data = data
			batch[i] = m
		}
		if _, err := jetstreamext.PublishMsgBatch(b.Context(), js, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	read := 0
	start := time.Now()
	for b.Loop() {
		r, err := tim.Commands(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		take(b, r, n)
		read += n
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(read)/time.Since(start).Seconds(), "commands/s")
}
