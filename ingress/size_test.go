//go:build unix

package ingress

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// sized is an ingress over a journal on disk.
func sized(b *testing.B) (*Ingress, func()) {
	b.Helper()
	j, err := journal.Open(b.TempDir(), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	in := New(Config{}, Deps{Journal: j, App: testApp})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- in.Run(ctx) }()
	return in, func() {
		cancel()
		if err := <-ran; err != nil {
			b.Error(err)
		}
		if err := j.Close(); err != nil {
			b.Error(err)
		}
	}
}

// cpu is the processors' time that this process has taken, which says more than
// the clock's where others work too.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkReportAmongConversations measures a message reported to an account
// that has so many conversations, of which the journal knows all: one-to-one
// talks and groups, half and half, in turn. It reports the memory that is kept
// before the first of them too.
//
//	go test ./ingress -run '^$' -bench ReportAmongConversations -benchtime 100000x
func BenchmarkReportAmongConversations(b *testing.B) {
	for _, conversations := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(conversations), func(b *testing.B) {
			before := heap()
			in, stop := sized(b)
			defer stop()
			svc := newService(true)
			handler := in.Handler(bridge)
			svc.signIn(bridge, handler)
			if err := in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
				b.Fatal(err)
			}
			talks := make([]string, conversations)
			seqs := make([]uint64, conversations)
			for i := range talks {
				talks[i] = fmt.Sprintf("talk%06d", i)
			}
			var acked atomic.Int64
			done := make(chan struct{}, 1)
			number, until := uint64(0), int64(0)
			tell := func(i int) {
				number++
				seqs[i]++
				m := tim.Message{
					Sender: "alice", ConvType: tim.ConvC2C, ConvID: talks[i], Seq: seqs[i], Rand: number,
					ServerTime: 1_700_000_000 + number/1000, Status: tim.MsgSendSucc,
					Elems: []tim.Elem{tim.TextElem{Content: "a sentence as long as what people write to each other in a talk, more or less"}},
				}
				if m.Sender = tim.UserID(talks[i]); i%2 == 1 {
					m.ConvType = tim.ConvGroup
				}
				handler(tim.Report{Number: number, Account: bridge, Event: tim.MessagesReceived{Messages: []tim.Message{m}}, Ack: func() {
					if acked.Add(1) == until {
						done <- struct{}{}
					}
				}})
			}
			until = int64(conversations)
			for i := range conversations {
				tell(i)
			}
			<-done
			kept := heap() - before
			until += int64(b.N)
			b.ReportAllocs()
			used := cpu(b)
			b.ResetTimer()
			for n := range b.N {
				tell(n * 7919 % conversations)
			}
			<-done
			b.StopTimer()
			b.ReportMetric(float64(cpu(b)-used)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(kept/1e6, "MB-kept")
			if s := in.Stats(); s.Gaps != 0 || s.Repeats != 0 {
				b.Fatalf("%+v", s)
			}
		})
	}
}

// BenchmarkReportInRoom measures a message reported from a room with so many
// members, all of whom were told of as they came, and who speak in turn.
//
//	go test ./ingress -run '^$' -bench ReportInRoom -benchtime 100000x
func BenchmarkReportInRoom(b *testing.B) {
	for _, members := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			before := heap()
			in, stop := sized(b)
			defer stop()
			svc := newService(true)
			handler := in.Handler(bridge)
			svc.signIn(bridge, handler)
			if err := in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
				b.Fatal(err)
			}
			users := make([]tim.UserID, members)
			for i := range users {
				users[i] = tim.UserID(fmt.Sprintf("member%05d", i))
			}
			var acked atomic.Int64
			done := make(chan struct{}, 1)
			seq, until := uint64(0), int64(members)
			tell := func(sender tim.UserID, e tim.Elem) {
				seq++
				m := tim.Message{
					Sender: sender, ConvType: tim.ConvGroup, ConvID: "@TGS#_room", Seq: seq, Rand: seq,
					ServerTime: 1_700_000_000 + seq/1000, Status: tim.MsgSendSucc, Elems: []tim.Elem{e},
				}
				handler(tim.Report{Number: seq, Account: bridge, Event: tim.MessagesReceived{Messages: []tim.Message{m}}, Ack: func() {
					if acked.Add(1) == until {
						done <- struct{}{}
					}
				}})
			}
			for _, u := range users {
				tell(u, tim.GroupTipsElem{TipType: tim.GroupTipInvite, GroupID: "@TGS#_room", OpUser: "owner", Users: []tim.UserID{u}})
			}
			<-done
			kept := heap() - before
			until += int64(b.N)
			b.ReportAllocs()
			used := cpu(b)
			b.ResetTimer()
			for n := range b.N {
				tell(users[n%members], tim.TextElem{Content: "a sentence as long as what people write to each other in a room, more or less"})
			}
			<-done
			b.StopTimer()
			b.ReportMetric(float64(cpu(b)-used)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(kept/1e6, "MB-kept")
			if s := in.Stats(); s.Gaps != 0 || s.Repeats != 0 {
				b.Fatalf("%+v", s)
			}
		})
	}
}

// BenchmarkCatchUp measures catching up an account with so many conversations,
// by the conversation: of which all are as the journal has them ("known"), and
// in each of which a message was missed ("missed").
//
//	go test ./ingress -run '^$' -bench CatchUp -benchtime 1x
func BenchmarkCatchUp(b *testing.B) {
	for _, conversations := range []int{1_000, 10_000, 100_000} {
		for _, missed := range []bool{false, true} {
			name := map[bool]string{false: "known", true: "missed"}[missed]
			b.Run(fmt.Sprintf("%s/%d", name, conversations), func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					catchUpOf(b, conversations, missed)
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(conversations), "ns/conversation")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func catchUpOf(b *testing.B, conversations int, missed bool) {
	in, stop := sized(b)
	defer stop()
	ctx := context.Background()
	svc := newService(true)
	catchUp := func() {
		if err := in.CatchUp(ctx, bridge, svc.client(bridge), time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
	say := func() {
		for i := range conversations {
			svc.send(tim.UserID(fmt.Sprintf("user%06d", i)), tim.C2C(bridge), "a sentence as long as what people write")
		}
	}
	svc.signIn(bridge, in.Handler(bridge))
	catchUp()
	say()
	me := svc.account(bridge)
	var told sync.WaitGroup
	for _, r := range me.waiting {
		told.Add(1)
		me.handler(tim.Report{
			Number: r.number, Account: bridge, Ack: told.Done,
			Event: tim.MessagesReceived{Messages: []tim.Message{r.conv.seenBy(bridge, r.msg)}},
		})
	}
	me.waiting = nil
	told.Wait()
	svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
	if missed {
		say()
		me.waiting = nil
	}
	before := in.Stats().Read
	b.StartTimer()
	catchUp()
	b.StopTimer()
	if read := in.Stats().Read - before; missed && read < uint64(conversations) || !missed && read != 0 {
		b.Fatalf("%d messages read", read)
	}
}
