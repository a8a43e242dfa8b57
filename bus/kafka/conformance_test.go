package kafka

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/bustest"
)

// TestConformance runs the suite against franz-go's broker, in a process of its
// own.
func TestConformance(t *testing.T) {
	bustest.Run(t, harness(func(t *testing.T) broker { return newFake(t) }, true))
}

func harness(start func(t *testing.T) broker, parallel bool) bustest.Harness {
	return bustest.Harness{
		Start:           func(t *testing.T) *bustest.Broker { return hooks(t, start(t)) },
		Parallel:        parallel,
		AttributePrefix: attributePrefix,
		LargerThanMax:   2 << 20,
		MaxCommandBytes: 64 << 10,
	}
}

// hooks are what the suite does to a broker.
func hooks(t *testing.T, p broker) *bustest.Broker {
	names := DefaultTopics()
	open := func(ctx context.Context, o bustest.Options) (bus.Bus, error) {
		cfg := testConfig(t, p.addr())
		if o.Gate != nil {
			cfg.Dial = throughGate(p.addr(), o.Gate)
		}
		cfg.MaxCommandBytes = 64 << 10
		cfg.Structured = o.Structured
		cfg.Shard = bus.Shard{Index: o.Shard, Count: o.Shards}
		b, err := Open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	b := &bustest.Broker{
		Open: open,
		Gate: func(t *testing.T) *bustest.Gate { return bustest.NewGate(t, p.addr(), splitKafka) },
		Stop: func(t *testing.T) { p.stop(t) },
		Kill: func(t *testing.T) { p.kill(t) },
		Run:  func(t *testing.T) { p.run(t) },
		LoseTail: func(t *testing.T, fill func()) {
			p.stop(t)
			copyTo := t.TempDir()
			if err := os.CopyFS(copyTo, os.DirFS(p.folder())); err != nil {
				t.Fatal(err)
			}
			p.run(t)
			fill()
			p.kill(t)
			if err := os.RemoveAll(p.folder()); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(p.folder(), os.DirFS(copyTo)); err != nil {
				t.Fatal(err)
			}
			p.run(t)
		},
		Purge: func(t *testing.T, stream bus.Stream) {
			a := admin(t, p.addr())
			req := kmsg.NewPtrDeleteRecordsRequest()
			topic := kmsg.NewDeleteRecordsRequestTopic()
			topic.Topic = names[stream]
			for n := range 3 {
				topic.Partitions = append(topic.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Partition: int32(n), Offset: -1})
			}
			req.Topics = append(req.Topics, topic)
			req.TimeoutMillis = 5000
			for _, shard := range a.RequestSharded(t.Context(), req) {
				if shard.Err != nil {
					t.Fatal(shard.Err)
				}
				for _, topic := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
					for _, part := range topic.Partitions {
						if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		},
		AgeOut: func(t *testing.T, stream bus.Stream) {
			undo := alter(t, p.addr(), names[stream], "retention.ms", "1")
			defer undo()
			time.Sleep(5 * time.Millisecond) // until everything is that old
			for first, end := int64(0), int64(1); first < end; {
				p.retain(t)
				first, end = bounds(t, p.addr(), names[stream])
				time.Sleep(20 * time.Millisecond)
			}
		},
		Remove: func(t *testing.T, stream bus.Stream) { remove(t, p.addr(), names[stream]) },
		Recreate: func(t *testing.T, stream bus.Stream) {
			remove(t, p.addr(), names[stream])
			create(t, p.addr(), names[stream], stream == bus.Commands)
		},
		Refuse: func(t *testing.T, stream bus.Stream) func() { return p.refuse(t, names[stream]) },
		Raw: func(t *testing.T, stream bus.Stream, m bustest.RawMessage) {
			r := &kgo.Record{Topic: names[stream], Value: m.Value}
			for _, h := range m.Headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
			}
			// Somebody else's keys: each message to another partition.
			r.Key = []byte(strconv.FormatInt(time.Now().UnixNano(), 36))
			if err := admin(t, p.addr()).ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		},
	}
	if f, ok := p.(interface{ forget(testing.TB) }); ok {
		b.Forget = func(t *testing.T) { f.forget(t) }
	}
	return b
}

// alter sets a topic's configuration, and gives what takes that back.
func alter(t testing.TB, addr, topic, name, value string) (undo func()) {
	t.Helper()
	set := func(op kmsg.IncrementalAlterConfigOp, value *string) {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = name, op, value
		r.Configs = append(r.Configs, c)
		req.Resources = append(req.Resources, r)
		res, err := req.RequestWith(context.Background(), admin(t, addr))
		if err == nil {
			err = kerr.ErrorForCode(res.Resources[0].ErrorCode)
		}
		if err != nil {
			t.Fatal(err)
		}
		waitConfig(t, addr, topic, name, value)
	}
	set(kmsg.IncrementalAlterConfigOpSet, &value)
	return func() { set(kmsg.IncrementalAlterConfigOpDelete, nil) }
}

// waitConfig waits until the broker goes by a topic's configuration; a nil value
// is any other than it had.
func waitConfig(t testing.TB, addr, topic, name string, value *string) {
	t.Helper()
	a := admin(t, addr)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		req := kmsg.NewPtrDescribeConfigsRequest()
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{name}
		req.Resources = append(req.Resources, r)
		res, err := req.RequestWith(context.Background(), a)
		if err == nil && len(res.Resources) == 1 && len(res.Resources[0].Configs) == 1 {
			c := res.Resources[0].Configs[0]
			own := c.Source == kmsg.ConfigSourceDynamicTopicConfig
			if value == nil && !own || value != nil && c.Value != nil && *c.Value == *value {
				time.Sleep(50 * time.Millisecond) // what it shows, it does a moment later
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("topic %s: %s is not as set: %v", topic, name, err)
		}
	}
}

// bounds sums the first and the last offsets of a topic.
func bounds(t testing.TB, addr, topic string) (first, end int64) {
	t.Helper()
	a := admin(t, addr)
	for n := range int32(3) {
		for _, at := range []int64{-2, -1} {
			req := kmsg.NewPtrListOffsetsRequest()
			rt := kmsg.NewListOffsetsRequestTopic()
			rt.Topic = topic
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = n, at
			rt.Partitions = append(rt.Partitions, p)
			req.Topics = append(req.Topics, rt)
			for _, shard := range a.RequestSharded(t.Context(), req) {
				if shard.Err != nil {
					t.Fatal(shard.Err)
				}
				offset := shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].Offset
				if at == -2 {
					first += offset
				} else {
					end += offset
				}
			}
		}
	}
	return first, end
}

func remove(t testing.TB, addr, topic string) {
	t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 5000
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &topic
	req.Topics, req.TopicNames = append(req.Topics, rt), append(req.TopicNames, topic)
	res, err := req.RequestWith(t.Context(), admin(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil && err != kerr.UnknownTopicOrPartition {
		t.Fatal(err)
	}
	waitTopic(t, addr, topic, false)
}

// waitTopic waits until the broker shows a topic with its leaders, or shows none.
func waitTopic(t testing.TB, addr, topic string, there bool) {
	t.Helper()
	a := admin(t, addr)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		req := kmsg.NewPtrMetadataRequest()
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = &topic
		req.Topics = append(req.Topics, rt)
		res, err := req.RequestWith(t.Context(), a)
		if err == nil {
			err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
			if err == nil {
				for _, p := range res.Topics[0].Partitions {
					if p.Leader < 0 {
						err = kerr.LeaderNotAvailable
					}
				}
			}
			if (err == nil) == there && (there || err == kerr.UnknownTopicOrPartition) {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("topic %s: %v", topic, err)
		}
	}
}

func create(t testing.TB, addr, topic string, appendTime bool) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 5000
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, 3, 1
	if appendTime {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = "message.timestamp.type", kmsg.StringPtr("LogAppendTime")
		rt.Configs = append(rt.Configs, c)
	}
	req.Topics = append(req.Topics, rt)
	a := admin(t, addr)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := req.RequestWith(t.Context(), a)
		if err == nil {
			err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
		}
		// The bus itself may have made it first: then it is there.
		if err == nil || err == kerr.TopicAlreadyExists {
			waitTopic(t, addr, topic, true)
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
