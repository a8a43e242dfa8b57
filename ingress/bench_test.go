package ingress

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// BenchmarkReports measures reports handed in until they are acknowledged, over
// a journal on disk: four accounts, one message to a report.
func BenchmarkReports(b *testing.B) {
	for _, kind := range []string{"c2c", "group"} {
		b.Run(kind, func(b *testing.B) {
			j, err := journal.Open(b.TempDir(), journal.Options{})
			if err != nil {
				b.Fatal(err)
			}
			in := New(Config{}, Deps{Journal: j, App: testApp})
			ctx, cancel := context.WithCancel(context.Background())
			ran := make(chan error, 1)
			go func() { ran <- in.Run(ctx) }()
			const accounts = 4
			svc := newService(true)
			var handlers [accounts]tim.Handler
			for i := range accounts {
				user := tim.UserID(fmt.Sprint("bridge", i))
				handlers[i] = in.Handler(user)
				svc.signIn(user, handlers[i])
				if err := in.CatchUp(ctx, user, svc.client(user), time.Time{}); err != nil {
					b.Fatal(err)
				}
			}
			text := string(make([]byte, 0, 200))
			for range 20 {
				text += "0123456789"
			}
			var acked atomic.Int64
			done := make(chan struct{})
			total := int64(b.N)
			ack := func() {
				if acked.Add(1) == total {
					close(done)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			for i := range accounts {
				go func() {
					var seq uint64
					for next.Add(1) <= total {
						seq++
						m := tim.Message{
							Sender: "alice", ConvType: tim.ConvC2C, ConvID: "alice", Seq: seq, Rand: seq * 7919,
							ServerTime: 1700000000 + seq/1000, ClientTime: 1700000000 + seq/1000, Status: tim.MsgSendSucc,
							MsgID: "144115231469886159-1700000000-3434343434", Elems: []tim.Elem{tim.TextElem{Content: text}},
						}
						if kind == "group" {
							m.ConvType, m.ConvID = tim.ConvGroup, fmt.Sprint("team", i)
						}
						handlers[i](tim.Report{
							Number: seq, Account: tim.UserID(fmt.Sprint("bridge", i)),
							Event: tim.MessagesReceived{Messages: []tim.Message{m}}, Ack: ack,
						})
					}
				}()
			}
			<-done
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
			cancel()
			if err := <-ran; err != nil {
				b.Fatal(err)
			}
			if s := in.Stats(); s.Recorded < uint64(total) || s.Gaps != 0 {
				b.Fatalf("%+v", s)
			}
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
