package ingress

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
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

// BenchmarkReplay measures how fast the projection is rebuilt from the journal.
func BenchmarkReplay(b *testing.B) {
	in := New(Config{}, Deps{App: testApp})
	acct := in.accountOf("bridge")
	var entries []journal.Entry
	for i := range 10000 {
		m := tim.Message{
			Sender: "alice", ConvType: tim.ConvC2C, ConvID: "alice", Seq: uint64(i), Rand: uint64(i),
			ServerTime: 1700000000, Elems: []tim.Elem{tim.TextElem{Content: "hello"}},
		}
		u := in.messageUnit(mapping.Observation{App: testApp, Account: "bridge"}, acct, &m)
		e := entryOf(u.facts[0])
		e.Position, e.Time = uint64(i+1), time.Unix(1700000000, 0)
		entries = append(entries, e)
	}
	b.ReportAllocs()
	for i := range b.N {
		e := entries[i%len(entries)]
		e.Position = uint64(i + 1)
		if err := in.Apply(e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSeen measures what a message costs the projection that has n already.
func BenchmarkSeen(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000, 4_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSeen(DefaultMaxSeen)
			pos := uint64(0)
			for i := range n {
				pos++
				note := noteOfMessage(i, 1_800_000_000)
				s.apply(pos, 1_800_000_000, &note)
			}
			notes := make([]note, 1<<16)
			for i := range notes {
				notes[i] = noteOfMessage(n+i, 1_800_000_000)
			}
			b.ResetTimer()
			for i := range b.N {
				pos++
				note := &notes[i%len(notes)]
				if i >= len(notes) {
					binary.LittleEndian.PutUint64(note.hash[8:], pos)
				}
				s.apply(pos, 1_800_000_000, note)
			}
		})
	}
}
