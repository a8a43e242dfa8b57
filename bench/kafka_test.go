package bench_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka"
	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// openKafka starts a real broker and connects twice. It needs what
// `make test-kafka` needs.
func openKafka(tb testing.TB) (ours, alone *kafka.Bus) {
	tb.Helper()
	if os.Getenv("TIMBRIDGE_TEST_KAFKA") == "" {
		tb.Skip("a real broker is only started with TIMBRIDGE_TEST_KAFKA=1")
	}
	broker, err := kafkatest.New(tb.Context(), kafkatest.Options{Dir: filepath.Join(tb.TempDir(), "kafka"), Progress: func(line string) { tb.Log(line) }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := broker.Kill(); err != nil {
			tb.Error(err)
		}
	})
	if err := broker.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	var opened [2]*kafka.Bus
	for i := range opened {
		b, err := kafka.Open(tb.Context(), kafka.Config{Brokers: []string{broker.Addr()}})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			if err := b.Close(); err != nil {
				tb.Error(err)
			}
		})
		opened[i] = b
	}
	return opened[0], opened[1]
}

// dam holds rounds back.
type dam struct {
	*kafka.Bus
	mu sync.Mutex
}

func (d *dam) Plan(ctx context.Context, msgs []bus.Message) (bus.Plan, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Bus.Plan(ctx, msgs)
}

// BenchmarkJournalToKafka has the relay publish what lies in the journal, beside
// the producer alone that is given the same events, decoded, in rounds as large.
// One iteration is a turn of both; -benchtime 7x gives medians of 7.
func BenchmarkJournalToKafka(b *testing.B) {
	const count, round = 20_000, 1000
	ours, alone := openKafka(b)
	to := &dam{Bus: ours}
	w := openWay(b, to)
	var relayed, produced, ratio []float64
	turn := func(n int) (float64, float64) {
		from := w.journal.Last() + 1
		to.mu.Lock()
		var acked sync.WaitGroup
		acked.Add(count)
		for i := range count {
			w.hand(n*count+i, acked.Done)
		}
		acked.Wait()
		before := w.relay.Stats().Published["events"]
		start := time.Now()
		to.mu.Unlock()
		for w.relay.Stats().Published["events"] < before+count {
			moved := w.relay.Moved()
			if w.relay.Stats().Published["events"] >= before+count {
				break
			}
			<-moved
		}
		byRelay := time.Since(start)

		var msgs []bus.Message
		if err := w.journal.Scan(from, func(e journal.Entry) error {
			if e.Kind != journal.KindFact || len(msgs) == count {
				return nil
			}
			ev, err := mapping.Decode(e.Body)
			if err != nil {
				return err
			}
			mapping.Stamp(ev, w.journal.ID(), e.Position, e.Time)
			msgs = append(msgs, bus.Message{Stream: bus.Events, Sequence: e.Position, Event: ev})
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		for part := range slices.Chunk(msgs, round) {
			plan, err := alone.Plan(b.Context(), part)
			if err != nil {
				b.Fatal(err)
			}
			if err := alone.Send(b.Context(), plan, part, false); err != nil {
				b.Fatal(err)
			}
		}
		return float64(count) / byRelay.Seconds(), float64(count) / time.Since(start).Seconds()
	}
	turn(0) // warm up
	b.ResetTimer()
	for i := range b.N {
		r, p := turn(i + 1)
		relayed, produced, ratio = append(relayed, r), append(produced, p), append(ratio, r/p)
	}
	b.ReportMetric(median(relayed), "relay/s")
	b.ReportMetric(median(produced), "producer/s")
	b.ReportMetric(median(ratio), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReportLatencyKafka hands reports in one by one, each when the one
// before is stored on Kafka.
func BenchmarkReportLatencyKafka(b *testing.B) {
	ours, _ := openKafka(b)
	w := openWay(b, ours)
	w.run(0, 1000)
	took := make([]float64, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		took = append(took, float64(w.run(1000+i, 1).Microseconds())/1000)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "p50-ms")
	b.ReportMetric(took[len(took)*99/100], "p99-ms")
	b.ReportMetric(0, "ns/op")
}
