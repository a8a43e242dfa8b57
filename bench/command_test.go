package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/tim"
)

const conversations = 64

// freePort is one that nobody has now.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// configure is a whole bridge in a folder of its own: sandbox over its real
// protocol, embedded bus, no rate limits.
func configure(tb testing.TB) *config.Config {
	tb.Helper()
	dir := tb.TempDir()
	src := fmt.Sprintf(`data_dir = %q
app "bench" {
  driver "sandbox" {
    listen      = "127.0.0.1:%d"
    key         = "benchmark-key-0123456789abcdef"
    token       = %q
    rate_limits = false
  }
}
bus "nats" {
  listen = "127.0.0.1:%d"
  token  = %q
}
egress {
  rates {
    account = 0
    group   = 0
  }
}
http { listen = "off" }
`, filepath.Join(dir, "data"), freePort(tb), token, freePort(tb), token)
	cfg, err := config.Parse("bench.hcl", []byte(src))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// runBridge runs a bridge until stop is called.
func runBridge(tb testing.TB, cfg *config.Config) (stop func()) {
	tb.Helper()
	b, err := bridge.Open(tb.Context(), cfg, bridge.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- b.Run(ctx) }()
	for !b.Health().Ready {
		select {
		case err := <-ran:
			tb.Fatalf("the bridge ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return func() {
		cancel()
		if err := <-ran; err != nil {
			tb.Error(err)
		}
	}
}

func command(n int) *natsgo.Msg {
	body, err := json.Marshal(map[string]any{
		"conversation": map[string]string{"type": "c2c", "user_id": fmt.Sprintf("user%d", n%conversations)},
		"elements":     []map[string]string{{"type": "text", "text": sentence}},
	})
	if err != nil {
		panic(err) // maps of strings always encode
	}
	m := natsgo.NewMsg("tim.commands.bridge.message.send")
	id := fmt.Sprintf("c%d", n)
	for k, v := range map[string]string{
		"ce-specversion": "1.0", "ce-id": id, "ce-source": "bench", "ce-type": "io.timbridge.command.message.send.v1",
		"ce-timaccount": "bridge", "content-type": "application/json", natsgo.MsgIdHdr: "bench/" + id,
	} {
		m.Header.Set(k, v)
	}
	m.Data = body
	return m
}

// BenchmarkCommandToOutcome publishes commands for 64 conversations and waits
// until the bus has all their outcomes; beside it the sandbox is sent the same
// directly, over the same protocol, with as many sends at once. Like the
// program, it lets the scheduler have a thread for each sync of the disk.
func BenchmarkCommandToOutcome(b *testing.B) {
	const count = 20_000
	defer bridge.UseProcessors()()
	cfg := configure(b)
	stop := runBridge(b, cfg)
	defer stop()
	nc, err := natsgo.Connect("nats://"+cfg.Bus.NATS.Listen, natsgo.Token(token))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	outcomes, err := js.Stream(b.Context(), "tim-outcomes")
	if err != nil {
		b.Fatal(err)
	}
	var ours, limit, ratio []float64
	for i := range b.N {
		o := commandRate(b, js, outcomes, i*count, count)
		l := sandboxRate(b, cfg, count)
		ours, limit, ratio = append(ours, o), append(limit, l), append(ratio, o/l)
	}
	b.ReportMetric(median(ours), "commands/s")
	b.ReportMetric(median(limit), "sandbox/s")
	b.ReportMetric(median(ratio), "ratio")
	b.ReportMetric(0, "ns/op")
}

func commandRate(tb testing.TB, js jetstream.JetStream, outcomes jetstream.Stream, from, count int) float64 {
	tb.Helper()
	info, err := outcomes.Info(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	want := info.State.LastSeq + uint64(count)
	start := time.Now()
	for at := from; at < from+count; at += 500 {
		var batch []*natsgo.Msg
		for n := at; n < min(at+500, from+count); n++ {
			batch = append(batch, command(n))
		}
		if _, err := jetstreamext.PublishMsgBatch(tb.Context(), js, batch); err != nil {
			tb.Fatal(err)
		}
	}
	for {
		info, err := outcomes.Info(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		if info.State.LastSeq >= want {
			return float64(count) / time.Since(start).Seconds()
		}
		time.Sleep(20 * time.Millisecond) // the far end is asked, it cannot call us
	}
}

// sandboxRate sends as fast as 64 talks go, through the bridge's own driver.
func sandboxRate(tb testing.TB, cfg *config.Config, count int) float64 {
	tb.Helper()
	driver, key, err := bridge.OpenDriver(cfg, nil)
	if err != nil {
		tb.Fatal(err)
	}
	client, err := driver.Open(tb.Context(), tim.Config{SDKAppID: cfg.App.SDKAppID})
	if err != nil {
		tb.Fatal(err)
	}
	defer client.Close()
	if err := client.Listen(func(r tim.Report) { r.Ack() }); err != nil {
		tb.Fatal(err)
	}
	const user = "limit"
	if err := client.Login(tb.Context(), user, tim.SignUserSig(cfg.App.SDKAppID, key, user, time.Hour, time.Now())); err != nil {
		tb.Fatal(err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for lane := range conversations {
		wg.Go(func() {
			for next.Add(1) <= int64(count) {
				msg := tim.Message{Elems: []tim.Elem{tim.TextElem{Content: sentence}}}
				if _, err := client.Send(tb.Context(), tim.C2C(tim.UserID(fmt.Sprintf("user%d", lane))), msg); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(count) / time.Since(start).Seconds()
}
