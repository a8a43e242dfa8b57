package sandbox_test

import (
	"context"
	"fmt"
	"net/http/httptest"
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
