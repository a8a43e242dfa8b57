package relay_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus/kafka"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/relay"
)

// kafkaHouse is a journal and a Kafka, which can be set back.
type kafkaHouse struct {
	t       *testing.T
	dir     string
	port    int
	cluster *kfake.Cluster
	journal *journal.Journal
	posted  int
	last    uint64
}

func newKafkaHouse(t *testing.T) *kafkaHouse {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &kafkaHouse{t: t, dir: filepath.Join(t.TempDir(), "kafka"), port: l.Addr().(*net.TCPAddr).Port}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if h.journal, err = journal.Open(t.TempDir(), journal.Options{}); err != nil {
		t.Fatal(err)
	}
	h.run()
	t.Cleanup(func() {
		h.cluster.Close()
		if err := h.journal.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *kafkaHouse) run() {
	h.t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(h.port), kfake.DataDir(h.dir), kfake.SyncWrites())
	if err != nil {
		h.t.Fatal(err)
	}
	h.cluster = c
}

func (h *kafkaHouse) copyTo(from, to string) {
	h.t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		h.t.Fatal(err)
	}
}

// post appends messages of 20 conversations.
func (h *kafkaHouse) post(n int) {
	h.t.Helper()
	var entries []journal.Entry
	for range n {
		e := event.New()
		e.SetID(fmt.Sprintf("m-%d", h.posted))
		e.SetSource("tim://1400000000")
		e.SetType("io.timbridge.message.posted.v1")
		e.SetSubject(fmt.Sprintf("group/g%d", h.posted%20))
		e.SetTime(time.Unix(1700000000, 0).UTC())
		if err := e.SetData("application/json", map[string]any{"n": h.posted}); err != nil {
			h.t.Fatal(err)
		}
		b, err := mapping.Encode(&e)
		if err != nil {
			h.t.Fatal(err)
		}
		entries = append(entries, journal.Entry{Kind: journal.KindFact, Body: b})
		h.posted++
	}
	first, err := h.journal.Append(h.t.Context(), entries)
	if err != nil {
		h.t.Fatal(err)
	}
	h.last = first + uint64(n) - 1
}

// publish runs a relay until everything is published.
func (h *kafkaHouse) publish(partitions int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 60*time.Second)
	defer cancel()
	to, err := kafka.Open(ctx, kafka.Config{
		Brokers: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(h.port))}, Partitions: 3,
		Events: kafka.TopicConfig{Partitions: partitions},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	r := relay.New(relay.Config{RoundMessages: 50}, relay.Deps{Journal: h.journal, Publisher: to})
	if h.journal.Last() > 0 {
		if err := h.journal.Scan(1, r.Apply); err != nil {
			h.t.Fatal(err)
		}
	}
	ran := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { ran <- r.Run(running) }()
	// The last of all goes out after what is owed.
	h.post(1)
	for moved := r.Moved(); r.Published() < h.last; moved = r.Moved() {
		select {
		case <-moved:
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			h.t.Fatalf("published %d of %d: %+v", r.Published(), h.last, r.Stats())
		}
	}
	stop()
	if err := <-ran; err != nil {
		h.t.Error(err)
	}
}

// ask sends one request to the cluster.
func (h *kafkaHouse) ask(req kmsg.Request) kmsg.Response {
	h.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(h.cluster.ListenAddrs()...))
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	res, err := c.Request(h.t.Context(), req)
	if err != nil {
		h.t.Fatal(err)
	}
	return res
}

func (h *kafkaHouse) setPartitions(n int32) {
	h.t.Helper()
	req := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = "tim.events", n
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 5000
	if err := kerr.ErrorForCode(h.ask(req).(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode); err != nil {
		h.t.Fatal(err)
	}
}

func (h *kafkaHouse) removeTopic() {
	h.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr("tim.events")
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, topic), []string{*topic.Topic}, 5000
	if err := kerr.ErrorForCode(h.ask(req).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode); err != nil {
		h.t.Fatal(err)
	}
}

// where reads the topic: the partition of each message. Each is there once, and
// those of a conversation in order.
func (h *kafkaHouse) where() map[string]int32 {
	h.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(h.cluster.ListenAddrs()...), kgo.ConsumeTopics("tim.events"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	out := map[string]int32{}
	last := map[string]string{}
	for left := h.stored(); left > 0; {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			h.t.Fatalf("%d messages are not to be had", left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			headers := map[string]string{}
			for _, f := range r.Headers {
				headers[f.Key] = string(f.Value)
			}
			id := headers["ce_id"]
			if was, twice := out[id]; twice {
				h.t.Errorf("%s is on partition %d and on %d", id, was, r.Partition)
			}
			out[id] = r.Partition
			place := fmt.Sprint(r.Partition, " ", string(r.Key))
			if s := headers["ce_sequence"]; s <= last[place] {
				h.t.Errorf("%s holds sequence %s after %s", place, s, last[place])
			} else {
				last[place] = s
			}
		})
	}
	if len(out) != h.posted {
		h.t.Errorf("%d messages are there, not %d", len(out), h.posted)
	}
	return out
}

// stored is how many messages the topic has.
func (h *kafkaHouse) stored() (n int64) {
	h.t.Helper()
	meta := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("tim.events")
	meta.Topics = append(meta.Topics, topic)
	req := kmsg.NewPtrListOffsetsRequest()
	list := kmsg.NewListOffsetsRequestTopic()
	list.Topic = *topic.Topic
	for i := range h.ask(meta).(*kmsg.MetadataResponse).Topics[0].Partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = int32(i), -1
		list.Partitions = append(list.Partitions, p)
	}
	req.Topics = append(req.Topics, list)
	for _, p := range h.ask(req).(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
		n += p.Offset
	}
	return n
}

// A topic lost its tail, and has more partitions when that is found: what was
// lost goes to the partition that lost it, and what comes new is spread anew.
func TestTailLostAndPartitionsAdded(t *testing.T) {
	h := newKafkaHouse(t)
	h.post(200)
	h.publish(3)
	h.cluster.Close()
	kept := filepath.Join(t.TempDir(), "kept")
	h.copyTo(h.dir, kept)
	h.run()
	h.post(200)
	h.publish(3)
	before := h.where()
	h.cluster.Close()
	if err := os.RemoveAll(h.dir); err != nil {
		t.Fatal(err)
	}
	h.copyTo(kept, h.dir)
	h.run()
	h.setPartitions(7)
	h.post(200)
	h.publish(7)
	after, added := h.where(), 0
	for id, partition := range after {
		if was, ok := before[id]; ok && was != partition {
			t.Errorf("%s was on partition %d and is on %d", id, was, partition)
		} else if !ok && partition >= 3 {
			added++
		}
	}
	if added == 0 {
		t.Error("partitions that were added are not used")
	}
}

// A topic was made anew: all of it goes out again, to the partitions that it
// was on as far as there are as many.
func TestTopicMadeAnewWithOtherPartitions(t *testing.T) {
	for _, n := range []int{2, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			h := newKafkaHouse(t)
			h.post(300)
			h.publish(3)
			before := h.where()
			h.removeTopic()
			for range 2 { // that it went elsewhere is found once
				h.post(100)
				h.publish(n)
			}
			for id, partition := range h.where() {
				if was, ok := before[id]; ok && was < int32(n) && was != partition {
					t.Errorf("%s was on partition %d and is on %d", id, was, partition)
				}
			}
		})
	}
}
