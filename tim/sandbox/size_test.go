//go:build unix

package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

// BenchmarkRoom sends into one group, 64 messages under way at a time, and
// reports what a message costs for each member: all of them are offline and it
// waits for them, or (online) a hundred of them or all are signed in and are
// told at once. The cost is that of the whole process, the disk included; it
// must not rise from 100 members to 10,000.
func BenchmarkRoom(b *testing.B) {
	for _, typ := range []tim.GroupType{tim.GroupPrivate, tim.GroupAVChatRoom} {
		for _, online := range []string{"none", "100", "all"} {
			for _, n := range []int{100, 1000, 10_000} {
				there := map[string]int{"none": 0, "100": 100, "all": n}[online]
				b.Run(fmt.Sprintf("%v/online=%s/%d", typ, online, n), func(b *testing.B) { benchmarkRoom(b, typ, there, n) })
			}
		}
	}
}

func benchmarkRoom(b *testing.B, typ tim.GroupType, online, n int) {
	const reports = 5000 // wait for each at most
	w := open(b, sandbox.Options{SDKAppID: appID, Key: key, Limits: sandbox.Limits{
		GroupMessages: -1, GroupMembers: n + 1, Reports: reports, HistoryMessages: 10_000, SnapshotBytes: -1,
	}})
	alice := w.client("alice")
	alice.login()
	defer alice.Close()
	id := alice.create(tim.CreateGroupParam{GroupType: typ})
	room := func(int) tim.Conversation { return tim.Group(id) }
	sendAll(b, alice, 100, room, text("warm"))
	users := make([]tim.UserID, n)
	for i := range users {
		users[i] = tim.UserID(fmt.Sprint("member", i))
	}
	if typ == tim.GroupPrivate {
		for page := range slices.Chunk(users, 300) {
			if _, err := alice.InviteMembers(context.Background(), tim.GroupInviteMemberParam{GroupID: id, Identifiers: page}); err != nil {
				b.Fatal(err)
			}
		}
	}
	var told atomic.Int64
	all := make(chan struct{})
	if typ != tim.GroupPrivate { // who joins is told of to all who are online
		each(users, func(_ int, user tim.UserID) {
			c := w.clientOf(w.Sandbox, user)
			defer c.Close()
			if err := errors.Join(c.Login(context.Background(), user, w.sig(user)), c.groups().JoinGroup(context.Background(), id, "")); err != nil {
				b.Error(err)
			}
		})
	}
	each(users[:online], func(_ int, user tim.UserID) {
		c, err := w.Sandbox.Open(context.Background(), tim.Config{SDKAppID: appID})
		if err != nil {
			b.Error(err)
			return
		}
		b.Cleanup(func() { c.Close() })
		_ = c.Listen(func(r tim.Report) {
			if strings.HasPrefix(textOf(r), "benchmark") && told.Add(1) == int64(b.N*online) {
				close(all)
			}
			r.Ack()
		})
		if err := c.Login(context.Background(), user, w.sig(user)); err != nil {
			b.Error(err)
		}
	})
	used := heap()
	b.ResetTimer()
	busy := processorTime(b)
	sendAll(b, alice, b.N, room, text("benchmark "+strings.Repeat("x", 200)))
	if online > 0 {
		<-all
	}
	b.StopTimer()
	busy = processorTime(b) - busy
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
	b.ReportMetric(float64(busy.Nanoseconds())/float64(b.N*n), "cpu-ns/member")
	if typ == tim.GroupPrivate {
		b.ReportMetric(float64(heap()-used)/float64(min(b.N, reports)*n), "B/waiting")
	}
}

// BenchmarkConversations sends from one account, 64 messages under way at a
// time, through as many one-to-one talks as there are, and reports what a
// message costs and what a talk takes in memory.
func BenchmarkConversations(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := open(b, sandbox.Options{SDKAppID: appID, Key: key, Limits: sandbox.Limits{
				Reports: 10, HistoryMessages: 1, SnapshotBytes: -1,
			}})
			alice := w.client("alice")
			alice.login()
			defer alice.Close()
			sendAll(b, alice, 1000, func(int) tim.Conversation { return tim.C2C("peer") }, text("warm"))
			empty := heap()
			peer := func(i int) tim.Conversation { return tim.C2C(tim.UserID(fmt.Sprint("peer", i%n))) }
			msg := text("benchmark " + strings.Repeat("x", 200))
			sendAll(b, alice, n, peer, msg)
			used := heap() - empty
			b.ResetTimer()
			before := processorTime(b)
			sendAll(b, alice, b.N, peer, msg)
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/send")
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/send")
			b.ReportMetric(float64(used)/float64(n), "B/conversation")
		})
	}
}

// processorTime is what this process has taken, which says more than the
// clock's where others work too.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sendAll sends n messages, 64 at a time.
func sendAll(b *testing.B, from *device, n int, to func(int) tim.Conversation, msg tim.Message) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				if _, err := from.Send(context.Background(), to(int(i)), msg); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// each does something for all users, 64 at a time.
func each(users []tim.UserID, do func(int, tim.UserID)) {
	var wg sync.WaitGroup
	work := make(chan int)
	for range 64 {
		wg.Go(func() {
			for i := range work {
				do(i, users[i])
			}
		})
	}
	for i := range users {
		work <- i
	}
	close(work)
	wg.Wait()
}

// heap is what is in use after collecting garbage.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
