package wire

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// openBench is a client over one loopback connection, without the proxy.
func openBench(b *testing.B, r *rig, handler tim.Handler) tim.Client {
	b.Helper()
	d := NewDriver(Options{URL: "ws://" + r.addr, Token: testToken})
	c, err := d.Open(context.Background(), tim.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	if err := c.Listen(handler); err != nil {
		b.Fatal(err)
	}
	if err := c.Login(context.Background(), "alice", ""); err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkSend is the round trip of a text message to a driver that does
// nothing, from several lanes on one connection.
func BenchmarkSend(b *testing.B) {
	for _, lanes := range []int{1, 64} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			r := newRig(b, HandlerOptions{})
			c := openBench(b, r, func(tim.Report) {})
			msg := textMessage(strings.Repeat("x", 100))
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for lane := range lanes {
				conv := tim.C2C(tim.UserID(fmt.Sprint("user", lane)))
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := c.Send(context.Background(), conv, msg); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
		})
	}
}

// BenchmarkReports is the way of a report with one text message from the
// driver to the handler and of its acknowledgement back.
func BenchmarkReports(b *testing.B) {
	r := newRig(b, HandlerOptions{})
	var seen atomic.Int64
	openBench(b, r, func(r tim.Report) { r.Ack(); seen.Add(1) })
	event := received(strings.Repeat("x", 100))
	handler := r.far.clients[0].handler
	var acked atomic.Int64
	ack := func() { acked.Add(1) }
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		handler(tim.Report{Account: "alice", Event: event, Ack: ack})
	}
	for acked.Load() < int64(b.N) {
		time.Sleep(100 * time.Microsecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
}

// BenchmarkParseFrame is the taking apart of a report frame.
func BenchmarkParseFrame(b *testing.B) {
	event, err := marshalEvent(received(strings.Repeat("x", 100)))
	if err != nil {
		b.Fatal(err)
	}
	line := appendReport(nil, 1, 1763872000000000, "alice", false, event)
	line = line[:len(line)-1]
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseFrame(line); err != nil {
			b.Fatal(err)
		}
	}
}
