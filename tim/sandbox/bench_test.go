package sandbox_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// BenchmarkSend sends from one account through 64 conversations, each with one
// message under way at a time; every message is on disk when it is answered.
// Nobody is signed in to receive them, or (told) one account that is told all.
func BenchmarkSend(b *testing.B) {
	for _, over := range []string{"process", "wire"} {
		for _, kind := range []string{"c2c", "group", "told"} {
			b.Run(over+"/"+kind, func(b *testing.B) {
				w := open(b, sandbox.Options{SDKAppID: appID, Key: key, Limits: sandbox.Limits{GroupMessages: -1}})
				var driver tim.Driver = w.Sandbox
				if over == "wire" {
					driver = serve(b, w)
				}
				benchmarkSend(b, w, driver, kind)
			})
		}
	}
}

func benchmarkSend(b *testing.B, w *world, driver tim.Driver, kind string) {
	const conversations = 64
	alice := w.clientOf(driver, "alice")
	alice.login()
	defer alice.Close()
	var convs []tim.Conversation
	for i := range conversations {
		peer := tim.UserID(fmt.Sprint("peer", i))
		switch kind {
		case "c2c":
			convs = append(convs, tim.C2C(peer))
		default:
			convs = append(convs, tim.Group(alice.create(tim.CreateGroupParam{GroupType: tim.GroupPublic, Members: members(peer, "bob")})))
		}
	}
	var told atomic.Int64
	all := make(chan struct{})
	if kind == "told" {
		bob, err := driver.Open(context.Background(), tim.Config{SDKAppID: appID})
		if err != nil {
			b.Fatal(err)
		}
		defer bob.Close()
		_ = bob.Listen(func(r tim.Report) {
			if strings.HasPrefix(textOf(r), "benchmark") && told.Add(1) == int64(b.N) {
				close(all)
			}
			r.Ack()
		})
		if err := bob.Login(context.Background(), "bob", w.sig("bob")); err != nil {
			b.Fatal(err)
		}
	}
	msg := text("benchmark " + strings.Repeat("x", 200))
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for _, conv := range convs {
		wg.Go(func() {
			m := msg
			for n := uint64(0); left.Add(-1) >= 0; n++ {
				m.Rand = n + 1
				if _, err := alice.Send(context.Background(), conv, m); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if kind == "told" {
		<-all
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
}

// serve serves the sandbox over the network and gives a driver that reaches it.
func serve(t testing.TB, w *world) *wire.Driver {
	t.Helper()
	h, err := w.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: "wire-token"}, ControlToken: "control-token"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.Close()
		server.Close()
	})
	return wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http"), Token: "wire-token"})
}

// BenchmarkOpen opens a sandbox with 50,000 messages: from the journal alone,
// and from a snapshot.
func BenchmarkOpen(b *testing.B) {
	for _, from := range []string{"journal", "snapshot"} {
		b.Run(from, func(b *testing.B) {
			w := open(b, sandbox.Options{SDKAppID: appID, Key: key, Limits: sandbox.Limits{SnapshotBytes: -1}})
			alice := w.signIn("alice")
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Go(func() {
					for range 1000 {
						if _, err := alice.Send(context.Background(), tim.C2C(tim.UserID(fmt.Sprint("peer", i))), text(strings.Repeat("x", 200))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			if from == "snapshot" {
				snapshot(w)
			}
			for b.Loop() {
				w.reopen()
			}
		})
	}
}

// BenchmarkRoom sends into one group, 64 messages under way at a time, and
// reports what a message costs for each member: all of them are offline and it
// waits for them, or (online) a hundred of them are signed in and are told at
// once. The cost is that of the whole process, the disk included; it must not
// rise from 100 members to 10,000.
func BenchmarkRoom(b *testing.B) {
	for _, typ := range []tim.GroupType{tim.GroupPrivate, tim.GroupAVChatRoom} {
		for _, online := range []int{0, 100} {
			for _, n := range []int{100, 1000, 10_000} {
				b.Run(fmt.Sprintf("%v/online=%d/%d", typ, online, n), func(b *testing.B) { benchmarkRoom(b, typ, online, n) })
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
	each(users, func(i int, user tim.UserID) {
		if i >= online && typ == tim.GroupPrivate {
			return
		}
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
		if typ != tim.GroupPrivate {
			if err := c.(tim.Groups).JoinGroup(context.Background(), id, ""); err != nil {
				b.Error(err)
			}
		}
		if i >= online {
			c.Close()
		}
	})
	used := heap()
	b.ResetTimer()
	sendAll(b, alice, b.N, room, text("benchmark "+strings.Repeat("x", 200)))
	if online > 0 {
		<-all
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
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
			sendAll(b, alice, b.N, peer, msg)
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/send")
			b.ReportMetric(float64(used)/float64(n), "B/conversation")
		})
	}
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
