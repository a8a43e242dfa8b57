package ingress

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// BenchmarkCatchUpOfChanges measures a catch-up that has nothing to read but
// what became of messages: of so many conversations of the last hour, with 20
// messages each, through the sandbox. "not" is the same without looking.
//
//	go test ./ingress -run '^$' -bench CatchUpOfChanges -benchtime 5x
func BenchmarkCatchUpOfChanges(b *testing.B) {
	for _, conversations := range []int{60, 600} {
		for name, window := range map[string]time.Duration{"looked at": 0, "not": -1} {
			b.Run(fmt.Sprintf("%d/%s", conversations, name), func(b *testing.B) {
				ctx := b.Context()
				sb, err := sandbox.Open(b.TempDir(), sandbox.Options{
					SDKAppID: testApp.SDKAppID, Key: testKey, Delivery: sandbox.DeliveryPush, Journal: diskOptions(),
				})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = sb.Close() }() // what it held was for nothing else
				h, err := sb.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: "t"}})
				if err != nil {
					b.Fatal(err)
				}
				server := httptest.NewServer(h)
				defer server.Close()
				defer func() { _ = h.Close() }()
				in := New(Config{ChangeWindow: window}, Deps{Journal: newMemJournal(), App: testApp})
				run, stop := context.WithCancel(ctx)
				ran := make(chan error, 1)
				go func() { ran <- in.Run(run) }()
				defer func() {
					stop()
					if err := <-ran; err != nil {
						b.Error(err)
					}
				}()
				c, err := wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http") + "/", Token: "t"}).Open(ctx, tim.Config{SDKAppID: testApp.SDKAppID})
				if err == nil {
					err = c.Listen(in.Handler(bridge))
				}
				if err == nil {
					err = c.Login(ctx, bridge, signature(bridge))
				}
				if err == nil {
					err = in.CatchUp(ctx, bridge, c, time.Time{})
				}
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				people, err := sb.Open(ctx, tim.Config{SDKAppID: testApp.SDKAppID})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = people.Close() }()
				for i := range conversations {
					user := tim.UserID(fmt.Sprint("user", i))
					if err := people.Login(ctx, user, signature(user)); err != nil {
						b.Fatal(err)
					}
					for n := range 20 {
						if _, err := people.Send(ctx, tim.C2C(bridge), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: fmt.Sprint(n)}}}); err != nil {
							b.Fatal(err)
						}
					}
					if err := people.Logout(ctx); err != nil {
						b.Fatal(err)
					}
				}
				for in.Stats().Recorded < uint64(20*conversations) {
					time.Sleep(time.Millisecond)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					if err := in.CatchUp(ctx, bridge, c, time.Time{}); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				if n := in.Stats().Recorded; n < uint64(20*conversations) || in.Stats().Gaps != 0 {
					b.Errorf("%+v", in.Stats())
				}
			})
		}
	}
}
