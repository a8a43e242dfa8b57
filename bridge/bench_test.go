package bridge

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// BenchmarkOpenGiB opens a journal of 1 GiB with the state that a snapshot
// holds, which is what a restart takes before anything else.
//
//	go test ./bridge -run xxx -bench OpenGiB -benchtime 5x
func BenchmarkOpenGiB(b *testing.B) {
	cfg := newConfig(b)
	cfg.Journal.SegmentBytes = config.Default().Journal.SegmentBytes
	open := func() (*journal.Journal, *keeper) {
		br := &Bridge{cfg: cfg, log: hclog.NewNullLogger(), step: func(string) {}, bus: newLateBus("nats://127.0.0.1:4222")}
		var err error
		if br.journal, err = journal.Open(JournalDir(cfg), br.journalOptions()); err != nil {
			b.Fatal(err)
		}
		br.build(nil, "")
		if err := br.keeper.restore(); err != nil {
			b.Fatal(err)
		}
		return br.journal, br.keeper
	}
	j, k := open()
	app, at := mapping.App{SDKAppID: cfg.App.SDKAppID}, time.Now()
	for n := uint64(0); j.Stats().Bytes < 1<<30; {
		entries := make([]journal.Entry, 1000)
		for i := range entries {
			n++
			facts, err := mapping.FromMessage(mapping.Observation{App: app, Account: testUser}, tim.Message{
				ConvType: tim.ConvC2C, ConvID: "alice", Sender: "alice", Seq: n, Rand: n * 7919 & 0xffffffff,
				ServerTime: uint64(at.Unix()), Elems: []tim.Elem{tim.TextElem{Content: fmt.Sprintf("message %d, as long as people write", n)}},
			})
			if err != nil {
				b.Fatal(err)
			}
			body, err := mapping.Encode(facts[0].Event)
			if err != nil {
				b.Fatal(err)
			}
			entries[i] = journal.Entry{Kind: journal.KindFact, Body: body}
		}
		if _, err := j.Append(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
		for _, p := range k.projections {
			for _, e := range entries {
				if err := p.Apply(e); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	if err := k.snapshot(b.Context()); err != nil {
		b.Fatal(err)
	}
	entries, bytes := j.Last(), j.Stats().Bytes
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j, _ := open()
		b.StopTimer()
		if j.Last() != entries {
			b.Fatalf("%d entries of %d", j.Last(), entries)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(entries), "entries")
	b.ReportMetric(float64(bytes)/(1<<30), "GiB")
}
