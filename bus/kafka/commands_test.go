package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus"
)

func readIDs(t testing.TB, r bus.CommandReader, n int) (ids []string, resets []bus.Reset) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(ids) < n {
		got, err := r.Next(ctx, n-len(ids))
		if err != nil {
			t.Fatalf("next: after %v: %v", ids, err)
		}
		resets = append(resets, r.Resets()...)
		for _, m := range got {
			if m.Event == nil {
				t.Fatalf("%s %d: %v", m.Target, m.Offset, m.Err)
			}
			ids = append(ids, m.Event.ID())
		}
	}
	return ids, resets
}

func commandsOf(t testing.TB, b *Bus, after ...bus.Position) bus.CommandReader {
	t.Helper()
	r, err := b.Commands(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// Commands of a transaction that was aborted are not carried out, those of one
// that is open wait for it, and its markers are nothing.
func TestTransactions(t *testing.T) { both(t, transactions) }

func transactions(t *testing.T, p broker) {
	b := mustOpen(t, testConfig(t, p.addr()))
	c, err := kgo.NewClient(kgo.SeedBrokers(p.addr()), kgo.TransactionalID("orders"), kgo.DefaultProduceTopic("tim.commands"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	transaction := func(commit bool, ids ...string) {
		t.Helper()
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			msg, err := new(eventEncoder).encode(testEvent(id, "account/bot"))
			if err != nil {
				t.Fatal(err)
			}
			r := &kgo.Record{Key: msg.key, Value: msg.value}
			for _, h := range msg.headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
			}
			if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			t.Fatal(err)
		}
	}
	r := commandsOf(t, b)
	transaction(true, "a", "b")
	transaction(false, "never", "nor this")
	transaction(true, "c")
	if _, err := b.Publish(ctx, bus.Commands, testEvent("d", "account/bot")); err != nil {
		t.Fatal(err)
	}
	transaction(false, "not this either")
	ids, resets := readIDs(t, r, 4)
	if !slices.Equal(ids, []string{"a", "b", "c", "d"}) || len(resets) != 0 {
		t.Errorf("read %v, resets %+v", ids, resets)
	}
	// One who follows is not kept waiting for what is no message.
	f, err := b.Follow(ctx, bus.Commands, bus.Start{Beginning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for range 4 {
		if _, err := f.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for !f.CaughtUp() {
		if !sleep(ctx, 10*time.Millisecond) {
			t.Fatal("never caught up")
		}
	}
}

// What was removed unread is told with its bounds.
func TestRemovedUnreadHasBounds(t *testing.T) {
	p := newFake(t)
	b := mustOpen(t, testConfig(t, p.addr()))
	var at bus.Position
	for i := range 9 {
		pos, err := b.Publish(t.Context(), bus.Commands, testEvent(fmt.Sprintf("c-%d", i), "account/bot"))
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			at = pos
		}
	}
	_, partition, _ := splitTarget(at.Target)
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = "tim.commands"
	rt.Partitions = append(rt.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Partition: int32(partition), Offset: 7})
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(t.Context(), admin(t, p.addr()))
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	ids, resets := readIDs(t, commandsOf(t, b, at), 2)
	if !slices.Equal(ids, []string{"c-7", "c-8"}) {
		t.Errorf("read %v", ids)
	}
	if len(resets) != 1 || resets[0].Lost != 3 || resets[0].From != 7 || resets[0].Asked.Offset != 4 || !strings.Contains(resets[0].Reason, "offsets 4 to 6") {
		t.Errorf("resets %+v", resets)
	}
}

// The mark is the committed offset of an ordinary group, as lag tools read it.
func TestMarkIsAGroupsOffset(t *testing.T) { both(t, markIsAGroupsOffset) }

func markIsAGroupsOffset(t *testing.T, p broker) {
	b := mustOpen(t, testConfig(t, p.addr()))
	var at bus.Position
	for i := range 5 {
		pos, err := b.Publish(t.Context(), bus.Commands, testEvent(fmt.Sprintf("c-%d", i), "account/bot"))
		if err != nil {
			t.Fatal(err)
		}
		at = pos
	}
	if err := b.SetMark(t.Context(), []bus.Position{at}); err != nil {
		t.Fatal(err)
	}
	_, partition, _ := splitTarget(at.Target)
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = "timbridge-0"
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic, rt.Partitions = "tim.commands", []int32{int32(partition)}
	req.Topics = append(req.Topics, rt)
	g := kmsg.NewOffsetFetchRequestGroup()
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.Partitions = rt.Topic, rt.Partitions
	g.Group, g.Topics = req.Group, append(g.Topics, gt)
	req.Groups = append(req.Groups, g)
	// The version that names topics, which this way of asking needs.
	res, err := admin(t, p.addr()).Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	have := int64(-1)
	for _, g := range res.(*kmsg.OffsetFetchResponse).Groups {
		for _, topic := range g.Topics {
			have = topic.Partitions[0].Offset
		}
	}
	for _, topic := range res.(*kmsg.OffsetFetchResponse).Topics {
		have = topic.Partitions[0].Offset
	}
	if have != 5 {
		t.Errorf("5 commands are finished, the group is at %d", have)
	}
}

// Partitions that are added while commands are read are read too.
func TestPartitionsAreAdded(t *testing.T) {
	p := newFake(t)
	b := mustOpen(t, testConfig(t, p.addr()))
	r := commandsOf(t, b)
	cfg := testConfig(t, p.addr())
	cfg.Commands.Partitions = 9
	if _, err := Open(t.Context(), cfg); err == nil {
		t.Fatal("3 partitions were taken for 9")
	} else if ce := (*ConfigError)(nil); !errors.As(err, &ce) || ce.Topic != "tim.commands" || ce.Differences[0].Have != "3" {
		t.Errorf("error %v", err)
	}
	cfg.Manage = ManageUpdate
	wide := mustOpen(t, cfg)
	var want []string
	for i := range 40 {
		id := fmt.Sprintf("c-%02d", i)
		if _, err := wide.Publish(t.Context(), bus.Commands, testEvent(id, fmt.Sprintf("account/%d", i))); err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	ids, _ := readIDs(t, r, len(want))
	slices.Sort(ids)
	if !slices.Equal(ids, want) {
		t.Errorf("read %v", ids)
	}
}

// What differs from the configuration is told, setting by setting, and changed
// where that is asked for.
func TestTopicsAsConfigured(t *testing.T) {
	p := newFake(t)
	create(t, p.addr(), "tim.commands", false)
	_, err := Open(t.Context(), testConfig(t, p.addr()))
	if err == nil || !strings.Contains(err.Error(), `topic "tim.commands" is not as configured: message.timestamp.type is CreateTime, not LogAppendTime`) {
		t.Errorf("commands by their senders' time: %v", err)
	}
	cfg := testConfig(t, p.addr())
	cfg.Manage = ManageCheck
	create(t, p.addr(), "tim.events", false)
	remove(t, p.addr(), "tim.outcomes")
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `topic "tim.outcomes" is missing`) {
		t.Errorf("a missing topic: %v", err)
	}
	cfg.Manage = ManageUpdate
	cfg.Events.Retention, cfg.Events.MaxMessageBytes = 48*time.Hour, 2<<20
	b := mustOpen(t, cfg)
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	undo := alter(t, p.addr(), "tim.events", "retention.ms", "1000")
	var target *bus.TargetError
	if err := b.Check(t.Context()); !errors.As(err, &target) || !strings.Contains(err.Error(), "retention.ms is 1000, not 172800000") {
		t.Errorf("check of a topic that was changed: %v", err)
	}
	undo()
}
