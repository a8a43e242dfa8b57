package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka/kafkatest"
)

// clusterConfig is how tests open a bus on three brokers that hold everything
// three times, and take nothing that fewer than two of them have.
func clusterConfig(t testing.TB, c *kafkatest.Cluster) Config {
	cfg := testConfig(t, c.Addrs()[0])
	cfg.Brokers, cfg.Replication = c.Addrs(), 3
	for _, topic := range []*TopicConfig{&cfg.Events, &cfg.Commands, &cfg.Outcomes, &cfg.DeadLetters} {
		topic.MinInSync = 2
	}
	return cfg
}

// leaderOf is the broker that leads a partition.
func leaderOf(t testing.TB, c *kafkatest.Cluster, topic string, partition int) *kafkatest.Broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		for _, addr := range c.Addrs() {
			req := kmsg.NewPtrMetadataRequest()
			rt := kmsg.NewMetadataRequestTopic()
			rt.Topic = &topic
			req.Topics = append(req.Topics, rt)
			res, err := req.RequestWith(ctx, admin(t, addr))
			if err != nil || len(res.Topics) != 1 || len(res.Topics[0].Partitions) <= partition {
				continue
			}
			for _, p := range res.Topics[0].Partitions {
				if int(p.Partition) != partition {
					continue
				}
				for _, b := range res.Brokers {
					for _, broker := range c.Brokers {
						if b.NodeID == p.Leader && broker.Addr() == net.JoinHostPort(b.Host, fmt.Sprint(b.Port)) && broker.Running() {
							return broker
						}
					}
				}
			}
		}
		if !sleep(ctx, 100*time.Millisecond) {
			t.Fatalf("partition %d of %s has no leader", partition, topic)
		}
	}
}

// TestApacheCluster shares one cluster, which takes a while to start.
func TestApacheCluster(t *testing.T) {
	needApache(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	c, err := kafkatest.NewCluster(ctx, 3, kafkatest.Options{Dir: filepath.Join(t.TempDir(), "kafka"), Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cfg := clusterConfig(t, c)
	opening, opened := context.WithTimeout(ctx, 90*time.Second)
	defer opened()
	b, err := Open(opening, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	t.Run("a leader dies under load", func(t *testing.T) { leaderDies(ctx, t, c, b) })
	t.Run("too few are in sync", func(t *testing.T) { tooFewInSync(ctx, t, c, b) })
}

// leaderDies kills the leader of what is published and read, again and again:
// nothing is lost or stored twice, the order holds, and a reader goes on.
func leaderDies(ctx context.Context, t *testing.T, c *kafkatest.Cluster, b *Bus) {
	reader, err := b.Commands(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	var read []string
	take := func(until int) {
		t.Helper()
		for len(read) < until {
			got, err := reader.Next(ctx, 100)
			if err != nil {
				t.Fatalf("after %d commands: %v", len(read), err)
			}
			if resets := reader.Resets(); len(resets) != 0 {
				t.Errorf("resets %+v", resets)
			}
			for _, m := range got {
				read = append(read, m.Event.ID())
			}
		}
	}
	next, commands := uint64(1), 0
	round := func() {
		t.Helper()
		msgs := ours(next, 10)
		next += 10
		plan, err := b.Plan(ctx, msgs)
		if err != nil {
			t.Fatal(err)
		}
		for look := false; ; look = true {
			if err = b.Send(ctx, plan, msgs, look); err == nil {
				break
			}
			if !sleep(ctx, 50*time.Millisecond) {
				t.Fatal(err)
			}
		}
		if _, err := b.Publish(ctx, bus.Commands, testEvent(fmt.Sprintf("c-%d", commands), "account/bot")); err != nil {
			t.Fatal(err)
		}
		commands++
	}
	round()
	take(commands)
	plan, err := b.Plan(ctx, ours(next, 1))
	if err != nil {
		t.Fatal(err)
	}
	_, partition, _ := splitTarget(plan.Parts[0].Target)
	for range 3 {
		broker := leaderOf(t, c, "tim.events", partition)
		killed := make(chan error, 1)
		go func() { killed <- broker.Kill() }()
		for range 10 { // some of them before it is dead, and some without it
			round()
		}
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		for range 5 {
			round()
		}
		take(commands)
		if err := broker.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	take(commands)
	for i, id := range read {
		if id != fmt.Sprintf("c-%d", i) {
			t.Fatalf("commands were read as %s", strings.Join(read, " "))
		}
	}
	inOrderOnce(ctx, t, b, int(next-1))
}

// inOrderOnce sees that the events m-1, m-2, … of one conversation lie on their
// topic in this order, once each.
func inOrderOnce(ctx context.Context, t *testing.T, b *Bus, n int) {
	t.Helper()
	f, err := b.Follow(ctx, bus.Events, bus.Start{Beginning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	i := 0
	for ; !f.CaughtUp(); i++ {
		m, err := f.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("m-%d", i+1); m.Event.ID() != want {
			t.Fatalf("%s is where %s belongs", m.Event.ID(), want)
		}
	}
	if i != n {
		t.Errorf("%d messages are stored, not %d", i, n)
	}
}

// tooFewInSync takes replicas away until a topic takes nothing: that is said in
// words, waited out, and over when they are back.
func tooFewInSync(ctx context.Context, t *testing.T, c *kafkatest.Cluster, b *Bus) {
	published := len(stored(t, b))
	// Three replicas in sync are asked for, and one of the three goes.
	undo := alter(t, c.Addrs()[0], "tim.events", configMinInSync, "3")
	msgs := ours(uint64(published)+1, 10)
	plan, err := b.Plan(ctx, msgs)
	if err != nil {
		t.Fatal(err)
	}
	leader := leaderOf(t, c, "tim.events", mustPartition(t, plan.Parts[0].Target))
	var gone *kafkatest.Broker
	for _, broker := range c.Brokers {
		if broker != leader {
			gone = broker
		}
	}
	if err := gone.Kill(); err != nil {
		t.Fatal(err)
	}
	said := false
	for look := false; !said; look = true {
		err := b.Send(ctx, plan, msgs, look)
		var target *bus.TargetError
		switch {
		case err == nil: // it was stored before the loss was noticed
			msgs = ours(msgs[9].Sequence+1, 10)
			if plan, err = b.Plan(ctx, msgs); err != nil {
				t.Fatal(err)
			}
		case errors.As(err, &target):
			if !strings.Contains(err.Error(), "too few replicas are in sync (min.insync.replicas)") {
				t.Errorf("error %v", err)
			}
			said = true
		}
		if !said && !sleep(ctx, 50*time.Millisecond) {
			t.Fatalf("never refused: %v", err)
		}
	}
	if err := gone.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for {
		if err := b.Send(ctx, plan, msgs, true); err == nil {
			break
		} else if !sleep(ctx, 50*time.Millisecond) {
			t.Fatal(err)
		}
	}
	undo()
	inOrderOnce(ctx, t, b, int(msgs[9].Sequence))
}

func mustPartition(t testing.TB, target bus.Target) int {
	t.Helper()
	_, n, err := splitTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
