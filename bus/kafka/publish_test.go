package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/bustest"
)

// stored counts how often each message lies on the events topic.
func stored(t testing.TB, b *Bus) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	f, err := b.Follow(ctx, bus.Events, bus.Start{Beginning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := map[string]int{}
	for !f.CaughtUp() {
		r, err := f.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r.Event != nil {
			out[r.Event.ID()]++
		}
	}
	return out
}

func waitStored(t testing.TB, b *Bus, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(stored(t, b)) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are not stored", n)
		}
	}
}

func onceEach(t testing.TB, b *Bus, n int) {
	t.Helper()
	got := stored(t, b)
	if len(got) != n {
		t.Errorf("%d different messages, not %d", len(got), n)
	}
	for id, copies := range got {
		if copies != 1 {
			t.Errorf("%d copies of %s", copies, id)
		}
	}
}

// both runs a test on franz-go's broker and, where asked for, on a real one.
func both(t *testing.T, run func(t *testing.T, p broker)) {
	t.Run("fake", func(t *testing.T) { run(t, newFake(t)) })
	t.Run("apache", func(t *testing.T) { run(t, newApache(t, nil)) })
}

// A broker stores a batch and the connection ends before it can say so. Sent
// again, in the very words of its plan and without looking, it is there once.
// kafka.Writer, which cannot stamp what it sends, stores it twice.
func TestLostAcknowledgement(t *testing.T) { both(t, lostAcknowledgement) }

func lostAcknowledgement(t *testing.T, p broker) {
	direct := mustOpen(t, testConfig(t, p.addr()))
	gate := bustest.NewGate(t, p.addr(), splitKafka)
	cfg := testConfig(t, p.addr())
	cfg.Dial = throughGate(p.addr(), gate)
	b := mustOpen(t, cfg)
	const n = 10
	msgs := ours(1, n)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	gate.Mute()
	ended := make(chan error, 1)
	go func() { ended <- b.Send(t.Context(), plan, msgs, false) }()
	waitStored(t, direct, n)
	gate.Cut()
	if err := <-ended; err == nil {
		t.Fatal("send says that it is done without an acknowledgement")
	}
	for again := range 3 {
		if err := b.Send(t.Context(), plan, msgs, again > 1); err != nil {
			t.Fatalf("send again: %v", err)
		}
	}
	onceEach(t, direct, n)

	const topic = "tim.outcomes"
	transport := &kafkago.Transport{Dial: throughGate(p.addr(), gate)}
	defer transport.CloseIdleConnections()
	w := &kafkago.Writer{Addr: kafkago.TCP(p.addr()), Topic: topic, RequiredAcks: kafkago.RequireAll, BatchTimeout: time.Millisecond, Transport: transport}
	defer func() { _ = w.Close() }()
	warm, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.WriteMessages(warm, kafkago.Message{Key: []byte("k"), Value: []byte("warm")}); err != nil {
		t.Fatal(err)
	}
	gate.Mute()
	go func() { ended <- w.WriteMessages(t.Context(), kafkago.Message{Key: []byte("k"), Value: []byte("x")}) }()
	copies := func() int { _, end := bounds(t, p.addr(), topic); return int(end) - 1 }
	for deadline := time.Now().Add(20 * time.Second); copies() < 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the writer's message is not stored")
		}
	}
	gate.Cut()
	if err := <-ended; err != nil {
		t.Fatalf("kafka.Writer: %v", err)
	}
	if got := copies(); got != 2 {
		t.Errorf("kafka.Writer left %d copies; this test is to show why it is not used", got)
	}
}

// A broker dies between storing and acknowledging, and comes back.
func TestRestartedBeforeAcknowledging(t *testing.T) { both(t, restartedBeforeAcknowledging) }

func restartedBeforeAcknowledging(t *testing.T, p broker) {
	direct := mustOpen(t, testConfig(t, p.addr()))
	gate := bustest.NewGate(t, p.addr(), splitKafka)
	cfg := testConfig(t, p.addr())
	cfg.Dial = throughGate(p.addr(), gate)
	b := mustOpen(t, cfg)
	msgs := ours(1, 10)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	gate.Mute()
	ended := make(chan error, 1)
	go func() { ended <- b.Send(t.Context(), plan, msgs, false) }()
	waitStored(t, direct, 10)
	p.kill(t)
	if err := <-ended; err == nil {
		t.Fatal("send says that it is done without an acknowledgement")
	}
	gate.Cut()
	p.run(t)
	// By the stamp alone, then as it is done, by looking. The fake broker forgets
	// producers when it is killed.
	_, forgetful := p.(*fake)
	for _, look := range []bool{false, true} {
		if forgetful && !look {
			continue
		}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if err = b.Send(t.Context(), plan, msgs, look); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	onceEach(t, direct, 10)
}

func TestCompressed(t *testing.T) { both(t, compressed) }

func compressed(t *testing.T, p broker) {
	from := uint64(1)
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		cfg := testConfig(t, p.addr())
		cfg.Compression = codec
		b := mustOpen(t, cfg)
		msgs := ours(from, 300)
		from += 300
		plan, err := b.Plan(t.Context(), msgs)
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		for range 2 {
			if err := b.Send(t.Context(), plan, msgs, false); err != nil {
				t.Fatalf("%s: %v", codec, err)
			}
		}
		onceEach(t, b, int(from-1))
	}
}

// Leaders move from broker to broker while messages are published and read:
// none is lost, none repeated, and their order holds.
func TestLeadersMove(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cfg := testConfig(t, c.ListenAddrs()[0])
	cfg.Brokers = c.ListenAddrs()
	b := mustOpen(t, cfg)
	reader, err := b.Commands(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	stop, stopped := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for sleep(stop, 100*time.Millisecond) {
			c.ShufflePartitionLeaders()
		}
	})
	const rounds = 40
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for i := range uint64(rounds) {
		msgs := ours(1+i*10, 10)
		plan, err := b.Plan(ctx, msgs)
		if err != nil {
			t.Fatal(err)
		}
		for look := false; ; look = true {
			if err = b.Send(ctx, plan, msgs, look); err == nil {
				break
			}
			if !sleep(ctx, 20*time.Millisecond) {
				t.Fatal(err)
			}
		}
		if _, err := b.Publish(ctx, bus.Commands, testEvent(fmt.Sprintf("c-%d", i), "account/bot")); err != nil {
			t.Fatal(err)
		}
	}
	stopped()
	wg.Wait()
	onceEach(t, b, rounds*10)
	var ids []string
	for len(ids) < rounds {
		got, err := reader.Next(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		if resets := reader.Resets(); len(resets) != 0 {
			t.Errorf("resets %+v", resets)
		}
		for _, m := range got {
			ids = append(ids, m.Event.ID())
		}
	}
	for i, id := range ids {
		if id != fmt.Sprintf("c-%d", i) {
			t.Fatalf("read %s", strings.Join(ids, " "))
		}
	}
}

// A leader that changes is a reason to verify what was published, whoever is the
// first to see it.
func TestLeaderChangeIsTold(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := mustOpen(t, testConfig(t, c.ListenAddrs()[0]))
	for n := range int32(6) {
		leader := c.LeaderFor("tim.events", 0)
		if err := c.MoveTopicPartition("tim.events", 0, (leader+1)%3); err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			if err := b.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-b.Reconnected():
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was told")
		}
	}
	select {
	case <-b.Reconnected():
		t.Error("told of what did not happen")
	case <-time.After(1200 * time.Millisecond):
	}
}

// Keys lie where Java's clients put them: toPositive(murmur2(key)) % partitions.
func TestKeysLieWhereJavaPutsThem(t *testing.T) {
	hashes := map[string]int32{ // of Kafka's own test of murmur2
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string":                       -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	}
	for _, n := range []int{1, 3, 7, 12} {
		top := &topic{}
		for i := range n {
			top.numbers = append(top.numbers, i)
		}
		for key, hash := range hashes {
			if got, want := top.partitionOf([]byte(key)), int(hash&0x7fffffff)%n; got != want {
				t.Errorf("%q lies on %d of %d, not %d", key, got, n, want)
			}
		}
	}
}

// A plan under sequences that near their end gets a producer that begins anew.
func TestSequencesEnd(t *testing.T) {
	p := newFake(t)
	b := mustOpen(t, testConfig(t, p.addr()))
	msgs := ours(1, 10)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	part := plan.Parts[0]
	b.targets[part.Target].next.sequence = 1<<31 - 5
	again, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Parts[0]; got.BaseSequence != 0 || got.ProducerID == part.ProducerID {
		t.Errorf("planned under producer %d from %d on", got.ProducerID, got.BaseSequence)
	}
}

// What a partition says when it has too few replicas is said on, with what to do.
func TestTooFewReplicas(t *testing.T) {
	p := newFake(t)
	b := mustOpen(t, testConfig(t, p.addr()))
	msgs := ours(1, 3)
	plan, err := b.Plan(t.Context(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	undo := p.refuse(t, "tim.events")
	var target *bus.TargetError
	err = b.Send(t.Context(), plan, msgs, false)
	if !errors.As(err, &target) || target.Target != plan.Parts[0].Target || !strings.Contains(err.Error(), "too few replicas are in sync (min.insync.replicas)") {
		t.Errorf("error %v", err)
	}
	undo()
	if err := b.Send(t.Context(), plan, msgs, true); err != nil {
		t.Fatal(err)
	}
	onceEach(t, b, 3)
}

// A stamp that the broker refuses for good is replaced, and what comes after is
// stamped anew.
func TestStampIsReplaced(t *testing.T) {
	p := newFake(t)
	direct, b := mustOpen(t, testConfig(t, p.addr())), mustOpen(t, testConfig(t, p.addr()))
	first, msgs := ours(1, 5), ours(6, 5)
	plan, err := b.Plan(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), plan, first, false); err != nil {
		t.Fatal(err)
	}
	if plan, err = b.Plan(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	plan.Parts[0].BaseSequence += 7 // as if the partition had lost what lay between
	if err := b.Send(t.Context(), plan, msgs, false); err != nil {
		t.Fatal(err)
	}
	part := b.targets[plan.Parts[0].Target]
	if got := part.instead.now; got.producer == plan.Parts[0].ProducerID || !got.set {
		t.Errorf("sent under %+v", got)
	}
	if err := b.Send(t.Context(), plan, msgs, true); err != nil {
		t.Fatal(err)
	}
	onceEach(t, direct, 10)
	more := ours(11, 4)
	if plan, err = b.Plan(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), plan, more, false); err != nil {
		t.Fatal(err)
	}
	onceEach(t, direct, 14)
}
