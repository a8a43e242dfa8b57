package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/mapping"
)

// kafkaPartitions is how many partitions each topic has.
const kafkaPartitions = 4

// kafkaBus is a Kafka in the eyes of a stranger: he has a client of another
// make than ours, and reads what is committed.
type kafkaBus struct {
	addr     string
	producer *kgo.Client
	outcomes *kgo.Client // nil until it is needed
}

func connectKafka(addr string) (*kafkaBus, error) {
	b := &kafkaBus{addr: addr}
	var err error
	b.producer, err = b.client(kgo.DefaultProduceTopic("tim.commands"), kgo.ProducerLinger(0), kgo.UnknownTopicRetries(-1), kgo.RequiredAcks(kgo.AllISRAcks()))
	return b, err
}

func (b *kafkaBus) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(b.addr), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.FetchMaxWait(500 * time.Millisecond), kgo.AlwaysRetryEOF(), // which a broker that dies gives too
	}, more...)...)
}

func (b *kafkaBus) close() {
	b.producer.Close()
	if b.outcomes != nil {
		b.outcomes.Close()
	}
}

// publish keys a command by the conversation that it is about: commands are in
// order where they have the same key. The client knows what it has sent when it
// sends it again.
func (b *kafkaBus) publish(ctx context.Context, c ordered, body []byte) error {
	r := &kgo.Record{Key: []byte(c.key()), Value: body, Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(structured)}}}
	return b.producer.ProduceSync(ctx, r).FirstErr()
}

// key is what a command is about.
func (c ordered) key() string {
	switch {
	case c.in != "":
		return mapping.GroupSubject(c.in)
	case c.to != "":
		return "c2c/" + string(c.by) + "/" + string(c.to)
	}
	return "account/" + string(c.by)
}

func (b *kafkaBus) news(ctx context.Context, limit int) (list [][]byte) {
	if b.outcomes == nil {
		var err error
		if b.outcomes, err = b.client(kgo.ConsumeTopics("tim.outcomes"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())); err != nil {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond) // what is there
	defer cancel()
	b.outcomes.PollRecords(ctx, limit).EachRecord(func(r *kgo.Record) { list = append(list, r.Value) })
	return list
}

func (b *kafkaBus) read(ctx context.Context, what string) ([]published, error) {
	topic := "tim." + what
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		out, err := b.readTopic(ctx, topic)
		if err == nil {
			return out, nil
		}
		// A broker that has just come up may not have its leaders yet.
		if wait(ctx, 200*time.Millisecond); ctx.Err() != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, err)
		}
	}
}

func (b *kafkaBus) readTopic(ctx context.Context, topic string) ([]published, error) {
	first, err := b.offsets(ctx, topic, -2)
	if err != nil {
		return nil, err
	}
	end, err := b.offsets(ctx, topic, -1)
	if err != nil {
		return nil, err
	}
	var out []published
	for n := range int32(kafkaPartitions) {
		if first[n] == end[n] {
			continue
		}
		part, err := b.readPartition(ctx, topic, n, end[n])
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", n, err)
		}
		out = append(out, part...)
	}
	return out, nil
}

func (b *kafkaBus) readPartition(ctx context.Context, topic string, n int32, end int64) (out []published, err error) {
	client, err := b.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {n: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, errors.Join(fetches.Err(), ctx.Err())
		}
		for _, r := range fetches.Records() {
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			p, err := read(func(attribute string) string { return headers["ce_"+attribute] }, r.Value)
			if err != nil {
				return nil, fmt.Errorf("offset %d: %w", r.Offset, err)
			}
			p.target, p.position = fmt.Sprintf("%s/%d", topic, n), uint64(r.Offset)
			if out = append(out, p); r.Offset+1 >= end {
				return out, nil
			}
		}
	}
}

// offsets are the first offset of each partition, or the one after the last, as
// at says.
func (b *kafkaBus) offsets(ctx context.Context, topic string, at int64) ([]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = 1 // what is committed
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for n := range int32(kafkaPartitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = n, at
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	out := make([]int64, kafkaPartitions)
	for _, shard := range b.producer.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, err
				}
				out[p.Partition] = p.Offset
			}
		}
	}
	return out, nil
}
