package nats

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/timbridge/timbridge/bus"
)

// startCluster runs three servers as one.
func startCluster(t testing.TB) []*server.Server {
	t.Helper()
	ports := []int{freePort(t), freePort(t), freePort(t)}
	var routes []*url.URL
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	var servers []*server.Server
	for i, port := range ports {
		srv, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 1 << 28, SyncAlways: true,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		servers = append(servers, srv)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		leader := 0
		for _, srv := range servers {
			if srv.ReadyForConnections(time.Second) && srv.JetStreamIsLeader() && len(srv.JetStreamClusterPeers()) == 3 {
				leader++
			}
		}
		if leader == 1 {
			return servers
		}
		if time.Now().After(deadline) {
			t.Fatal("the cluster has no leader")
		}
	}
}

// TestCluster publishes and reads while the leaders of replicated streams
// change, and one of three servers ends.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a cluster")
	}
	servers := startCluster(t)
	var urls []string
	for _, srv := range servers {
		urls = append(urls, srv.ClientURL())
	}
	cfg := testConfig(t, "")
	cfg.URL, cfg.Token, cfg.Replicas = strings.Join(urls, ","), "", 3
	cfg.RequestTimeout = 3 * time.Second
	b := mustOpen(t, cfg)
	r, err := mustOpen(t, cfg).Commands(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	js := b.js
	stepDown := func(stream string) {
		_, _ = js.Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, 2*time.Second) // an election may be under way
	}
	j := newJournal(t)
	var plans []bus.Plan
	var wg sync.WaitGroup
	for i := range 24 {
		msgs := j.messages(50, bus.Events, 100)
		var plan bus.Plan
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			// No leader for a moment is a target that is away.
			if plan, err = b.Plan(t.Context(), msgs); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		if i%4 == 1 {
			wg.Go(func() { stepDown("tim-events"); stepDown("tim-commands") })
		}
		if i == 14 {
			wg.Go(func() { servers[0].Shutdown() })
		}
		if err := b.Send(t.Context(), plan, msgs, false); err != nil {
			j.send(t, b, plan, msgs)
		}
		plans = append(plans, plan)
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if _, err = b.Publish(t.Context(), bus.Commands, testCommand(i)); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	wg.Wait()
	j.checkOnce(t, b)
	if losses, err := b.Verify(t.Context(), j.id, plans[len(plans)-1].Parts); err != nil || len(losses) > 0 {
		t.Errorf("verify: %+v, %v", losses, err)
	}
	got := take(t, r, 24)
	for i, c := range got {
		if c.Event == nil || c.Event.ID() != fmt.Sprint(i) {
			t.Fatalf("command %d is %v (%v)", i, c.Event, c.Err)
		}
	}
	if resets := r.Resets(); len(resets) > 0 {
		t.Errorf("resets %+v", resets)
	}
}
