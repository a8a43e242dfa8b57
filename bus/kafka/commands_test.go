package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/bustest"
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
func TestRemovedUnreadHasBounds(t *testing.T) { both(t, removedUnreadHasBounds) }

func removedUnreadHasBounds(t *testing.T, p broker) {
	b := mustOpen(t, testConfig(t, p.addr()))
	at := publishCommands(t, b, 0, 9)[3]
	_, partition, _ := splitTarget(at.Target)
	deleteRecords(t, p.addr(), partition, 7)
	ids, resets := readIDs(t, commandsOf(t, b, at), 2)
	if !slices.Equal(ids, []string{"c-7", "c-8"}) {
		t.Errorf("read %v", ids)
	}
	if len(resets) != 1 || resets[0].Lost != 3 || resets[0].From != 7 || resets[0].Asked.Offset != 4 || !strings.Contains(resets[0].Reason, "offsets 4 to 6") {
		t.Errorf("resets %+v", resets)
	}
}

// So it is of what is removed under a reader that is away from its broker.
func TestRemovedUnderReader(t *testing.T) {
	both(t, func(t *testing.T, p broker) { removedUnderReader(t, p, 4) })
}

// And of what is removed under one that has seen an empty partition.
func TestRemovedUnderReaderOfNothing(t *testing.T) {
	both(t, func(t *testing.T, p broker) { removedUnderReader(t, p, 0) })
}

func removedUnderReader(t *testing.T, p broker, read int) {
	direct := mustOpen(t, testConfig(t, p.addr()))
	var away atomic.Bool
	gate := bustest.NewGate(t, p.addr(), splitKafka)
	cfg := testConfig(t, p.addr())
	through := throughGate(p.addr(), gate)
	cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if away.Load() {
			return nil, errors.New("away")
		}
		return through(ctx, network, addr)
	}
	r := commandsOf(t, mustOpen(t, cfg))
	if read > 0 {
		publishCommands(t, direct, 0, read)
		if ids, _ := readIDs(t, r, read); ids[read-1] != fmt.Sprintf("c-%d", read-1) {
			t.Fatalf("read %v", ids)
		}
	} else {
		// Each of its readers has looked at its partition once it fetches.
		for _, r := range r.(*commandReader).readers {
			for !r.fetches.Load() {
				if !sleep(t.Context(), 10*time.Millisecond) {
					t.Fatal("it never reads")
				}
			}
		}
	}
	away.Store(true)
	gate.Cut()
	at := publishCommands(t, direct, read, 9-read)[0]
	_, partition, _ := splitTarget(at.Target)
	deleteRecords(t, p.addr(), partition, 7)
	away.Store(false)
	ids, resets := readIDs(t, r, 2)
	if !slices.Equal(ids, []string{"c-7", "c-8"}) {
		t.Errorf("read %v", ids)
	}
	if len(resets) != 1 || resets[0].Lost != uint64(7-read) || resets[0].From != 7 || resets[0].Asked.Offset != uint64(read) || !strings.Contains(resets[0].Reason, fmt.Sprintf("offsets %d to 6", read)) {
		t.Errorf("resets %+v", resets)
	}
}

// publishCommands publishes commands of one account, c-<from> and so on.
func publishCommands(t testing.TB, b *Bus, from, n int) (at []bus.Position) {
	t.Helper()
	for i := range n {
		pos, err := b.Publish(t.Context(), bus.Commands, testEvent(fmt.Sprintf("c-%d", from+i), "account/bot"))
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, pos)
	}
	return at
}

// deleteRecords removes what a partition of the commands has before an offset.
func deleteRecords(t testing.TB, addr string, partition int, before int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = "tim.commands"
	rt.Partitions = append(rt.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Partition: int32(partition), Offset: before})
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 5000
	res, err := req.RequestWith(t.Context(), admin(t, addr))
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
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
	cfg.Manage = bus.ManageUpdate
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

// A partition count that was raised while a bus publishes is used from the next
// round on; a round planned before goes where it was planned for.
func TestPartitionsAreAddedBetweenRounds(t *testing.T) {
	p := newFake(t)
	b := mustOpen(t, testConfig(t, p.addr()))
	round := func(from uint64) ([]bus.Message, bus.Plan) {
		msgs := ours(from, 60)
		for i := range msgs {
			msgs[i].Event.SetExtension("partitionkey", fmt.Sprintf("group/g%d", i))
		}
		plan, err := b.Plan(t.Context(), msgs)
		if err != nil {
			t.Fatal(err)
		}
		return msgs, plan
	}
	before, planned := round(1)
	cfg := testConfig(t, p.addr())
	cfg.Manage, cfg.Events.Partitions = bus.ManageUpdate, 9
	_ = mustOpen(t, cfg)
	for deadline := time.Now().Add(20 * time.Second); len(b.known("tim.events").partitions) != 9; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody looks for more partitions")
		}
	}
	if err := b.Send(t.Context(), planned, before, false); err != nil {
		t.Fatal(err)
	}
	after, plan := round(61)
	if len(planned.Parts) != 3 || len(plan.Parts) != 9 {
		t.Errorf("%d parts, then %d", len(planned.Parts), len(plan.Parts))
	}
	if err := b.Send(t.Context(), plan, after, false); err != nil {
		t.Fatal(err)
	}
	onceEach(t, b, 120)
	// What a partition lost goes to that partition.
	for i := range before {
		before[i].Target = "tim.events/1"
	}
	again, err := b.Plan(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Parts) != 1 || again.Parts[0].Target != "tim.events/1" {
		t.Errorf("what one partition lost is planned for %d", len(again.Parts))
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
	cfg.Manage = bus.ManageCheck
	create(t, p.addr(), "tim.events", false)
	remove(t, p.addr(), "tim.outcomes")
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `topic "tim.outcomes" is missing`) {
		t.Errorf("a missing topic: %v", err)
	}
	cfg.Manage = bus.ManageUpdate
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
