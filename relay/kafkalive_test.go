package relay_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus/kafka"
	"github.com/timbridge/timbridge/relay"
)

// live runs a relay while the cluster is damaged under it.
func (h *kafkaHouse) live(damage func(wait func())) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	to, err := kafka.Open(ctx, kafka.Config{Brokers: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(h.port))}, Partitions: 3})
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	r := relay.New(relay.Config{RoundMessages: 50}, relay.Deps{Journal: h.journal, Publisher: to})
	ran := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { ran <- r.Run(running) }()
	until := func(what string, ok func() bool) {
		h.t.Helper()
		for !ok() {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				h.t.Fatalf("not %s: %d stored of %d, %+v", what, h.stored(), h.posted, r.Stats())
			}
		}
	}
	damage(func() {
		h.t.Helper()
		until("published", func() bool { return r.Published() >= h.last })
	})
	// A target that nothing is published to is looked at when the cluster's news come.
	until("complete", func() bool { return r.Published() >= h.last && h.stored() >= int64(h.posted) })
	stop()
	if err := <-ran; err != nil {
		h.t.Error(err)
	}
	if n := h.stored(); n != int64(h.posted) {
		h.t.Errorf("%d messages are stored, of %d", n, h.posted)
	}
}

func (h *kafkaHouse) createTopic() {
	h.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "tim.events", 3, 1
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 5000
	err := kerr.ErrorForCode(h.ask(req).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // the bridge may have been first
		h.t.Fatal(err)
	}
}

// A topic is deleted and made anew while the relay publishes: rounds that reach
// it before that is known do not hide what it lost.
func TestTopicMadeAnewUnderRelay(t *testing.T) {
	h := newKafkaHouse(t)
	h.live(func(wait func()) {
		h.post(500)
		wait()
		h.removeTopic()
		h.createTopic()
		for range 60 {
			h.post(20)
			time.Sleep(2 * time.Millisecond) // a round at a time
		}
		wait()
	})
}

// A broker comes back without its tail while the relay has rounds to publish.
func TestTailLostUnderRelay(t *testing.T) {
	h := newKafkaHouse(t)
	h.live(func(wait func()) {
		h.post(100)
		wait()
		h.cluster.Close()
		kept := filepath.Join(t.TempDir(), "kept")
		h.copyTo(h.dir, kept)
		h.run()
		h.post(100)
		wait()
		h.cluster.Close()
		if err := os.RemoveAll(h.dir); err != nil {
			t.Fatal(err)
		}
		h.copyTo(kept, h.dir)
		h.post(100)
		h.run()
		wait()
	})
}

// A Kafka that is away is waited for within the bus, which counts as trouble.
func TestKafkaAwayIsTrouble(t *testing.T) {
	h := newKafkaHouse(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	to, err := kafka.Open(ctx, kafka.Config{Brokers: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(h.port))}, Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	r := relay.New(relay.Config{Slow: 100 * time.Millisecond}, relay.Deps{Journal: h.journal, Publisher: to})
	ran := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { ran <- r.Run(running) }()
	until := func(what string, ok func(relay.Stats) bool) {
		t.Helper()
		for !ok(r.Stats()) {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("not %s: %+v", what, r.Stats())
			}
		}
	}
	well := func(s relay.Stats) bool { return s.Position >= h.last && s.Trouble == "" && s.Since.IsZero() }
	h.post(10)
	until("published", well)
	began := time.Now()
	h.cluster.Close()
	h.post(10)
	until("in trouble", func(s relay.Stats) bool { return s.Trouble != "" && !s.Since.Before(began) })
	since := r.Stats().Since
	time.Sleep(300 * time.Millisecond) // it is one standstill, however often it is tried
	if s := r.Stats(); s.Trouble == "" || !s.Since.Equal(since) {
		t.Errorf("standing still since %s, not %s: %q", s.Since, since, s.Trouble)
	}
	h.run()
	until("well", well)
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
