package bench_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/ingress"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/relay"
	"github.com/timbridge/timbridge/tim"
)

const self tim.UserID = "bridge"

// emptyClient is an account that never missed anything.
type emptyClient struct{ tim.Client }

func (emptyClient) Conversations(context.Context) ([]tim.ConvInfo, error) { return nil, nil }

func (emptyClient) Messages(context.Context, tim.Conversation, tim.HistoryQuery) ([]tim.Message, error) {
	return nil, nil
}

// way is the way in: ingress, journal and relay, on the embedded bus.
type way struct {
	tb      testing.TB
	journal *journal.Journal
	relay   *relay.Relay
	handle  tim.Handler
	seq     map[string]uint64
}

func openWay(tb testing.TB, publisher relay.Publisher) *way {
	tb.Helper()
	j, err := journal.Open(tb.TempDir(), journal.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	in := ingress.New(ingress.Config{}, ingress.Deps{Journal: j, App: mapping.App{SDKAppID: 1400000000}})
	r := relay.New(relay.Config{}, relay.Deps{Journal: j, Publisher: publisher})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 2)
	go func() { ran <- in.Run(ctx) }()
	go func() { ran <- r.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ran; err != nil {
				tb.Error(err)
			}
		}
		if err := j.Close(); err != nil {
			tb.Error(err)
		}
	})
	w := &way{tb: tb, journal: j, relay: r, handle: in.Handler(self), seq: map[string]uint64{}}
	if err := in.CatchUp(ctx, self, emptyClient{}, time.Time{}); err != nil {
		tb.Fatal(err)
	}
	return w
}

var sentence = strings.Repeat("早上好, see you at the gate at nine. ", 6)

// hand hands in one message of one of 64 talks, and half of them in groups.
func (w *way) hand(n int, ack func()) {
	conv := fmt.Sprintf("user%d", n%32)
	m := tim.Message{
		Sender: tim.UserID(conv), ConvType: tim.ConvC2C, ConvID: conv, Rand: uint64(n) * 7919 % (1 << 32),
		Status: tim.MsgSendSucc, MsgID: tim.MessageID(fmt.Sprintf("144115231469886159-1700000000-%d", n)),
		Elems: []tim.Elem{tim.TextElem{Content: sentence}},
	}
	if n%2 == 0 {
		m.ConvType, m.ConvID = tim.ConvGroup, fmt.Sprintf("team%d", n%32)
	}
	w.seq[m.ConvID]++
	m.Seq = w.seq[m.ConvID]
	m.ServerTime = 1700000000 + uint64(n)/1000
	m.ClientTime = m.ServerTime
	w.handle(tim.Report{Account: self, Event: tim.MessagesReceived{Messages: []tim.Message{m}}, Ack: ack})
}

// run hands in count messages and waits until all are stored on the bus.
func (w *way) run(from, count int) time.Duration {
	before := w.relay.Stats().Published["events"]
	start := time.Now()
	for n := from; n < from+count; n++ {
		w.hand(n, func() {})
	}
	for w.relay.Stats().Published["events"] < before+uint64(count) {
		moved := w.relay.Moved()
		if w.relay.Stats().Published["events"] >= before+uint64(count) {
			break
		}
		<-moved
	}
	return time.Since(start)
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// BenchmarkReportToBus hands reports in and waits until the bus has stored
// them, the journal in between; beside it nats.go publishes the same bytes.
// One iteration is a round of both; -benchtime 7x gives medians of 7.
func BenchmarkReportToBus(b *testing.B) {
	const count = 50_000
	bus, js := openNATS(b)
	w := openWay(b, bus)
	w.run(0, count) // warm up
	msgs := stored(b, js, "tim-events", count)
	publishRaw(b, js, 0, msgs)
	var ours, raw, ratio []float64
	b.ResetTimer()
	for i := range b.N {
		o := float64(count) / w.run((i+1)*count, count).Seconds()
		r := float64(count) / publishRaw(b, js, i+1, msgs).Seconds()
		ours, raw, ratio = append(ours, o), append(raw, r), append(ratio, o/r)
	}
	b.ReportMetric(median(ours), "ours/s")
	b.ReportMetric(median(raw), "raw/s")
	b.ReportMetric(median(ratio), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReportCost is the time per message of the first 10 k, 100 k and 1 M
// messages of a journal and a bus, made anew for each: it is to be flat.
func BenchmarkReportCost(b *testing.B) {
	for _, count := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			var cost []float64
			for range b.N {
				s := scope{TB: b}
				bus, _ := openNATS(&s)
				w := openWay(&s, bus)
				w.run(0, 5000) // warm up
				cost = append(cost, w.run(5000, count).Seconds()/float64(count)*1e6)
				s.end()
			}
			b.ReportMetric(median(cost), "µs/msg")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// scope ends what was opened for one of several measurements.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) TempDir() string {
	dir, err := os.MkdirTemp(s.TB.TempDir(), "")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			s.Error(err)
		}
	})
	return dir
}

func (s *scope) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// BenchmarkReportLatency hands reports in one by one, each when the one before
// is stored on the bus.
func BenchmarkReportLatency(b *testing.B) {
	bus, _ := openNATS(b)
	w := openWay(b, bus)
	w.run(0, 1000)
	took := make([]float64, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		took = append(took, float64(w.run(1000+i, 1).Microseconds())/1000)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "p50-ms")
	b.ReportMetric(took[len(took)*99/100], "p99-ms")
}
