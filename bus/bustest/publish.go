package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
)

var publishCases = []test{
	{"publish/one", 0, publishOne},
	{"publish/nothing", 0, publishNothing},
	{"publish/every attribute comes back", 0, func(s *suite) { everyAttribute(s, false) }},
	{"publish/every attribute comes back, structured", 0, func(s *suite) { everyAttribute(s, true) }},
	{"publish/rounds in order, over all streams", 0, publishRounds},
	{"publish/a round larger than a batch", 0, publishLarge},
	{"publish/a plan stores nothing", 0, planStoresNothing},
	{"publish/sent twice", 0, func(s *suite) { sendTwice(s, false) }},
	{"publish/sent twice, the memory for ids over", needForget, func(s *suite) { sendTwice(s, true) }},
	{"publish/sent again by a later process", 0, func(s *suite) { laterProcess(s, false) }},
	{"publish/sent again by a later process, the memory for ids over", needForget, func(s *suite) { laterProcess(s, true) }},
	{"publish/planned by one process, sent by the next", 0, plannedThenSent},
	{"publish/one target refuses", needRefuse, oneTargetRefuses},
	{"publish/one target is missing", needRemove, oneTargetMissing},
	{"publish/half sent, finished by a later process", needRefuse, halfSent},
	{"publish/a message too large", needLarge, tooLarge},
	{"publish/a message the plan names is not given", 0, notGiven},
	{"publish/several writers", 0, severalWriters},
	{"publish/others write between plan and send", needRaw, othersBetween},
	{"publish/others write between send and look", needRaw, othersAfter},
	{"publish/many shards side by side", 0, manyShards},
	{"publish/routes by subject keep an order each", 0, orderPerSubject},
	{"publish/close ends what waits", needGate, closeEndsWaiting},
}

func publishOne(s *suite) {
	b := s.open(Options{})
	p := s.publisher(b)
	msgs := p.messages(1)
	plan := p.round(msgs)
	if len(plan.Parts) != 1 || !slices.Equal(plan.Parts[0].Sequences, []uint64{msgs[0].Sequence}) {
		s.Errorf("plan %+v of message %d", plan, msgs[0].Sequence)
	}
	p.checkOnce(msgs)
}

func publishNothing(s *suite) {
	b := s.open(Options{})
	plan, err := b.Plan(s.wait(), nil)
	if err != nil || len(plan.Parts) != 0 {
		s.Fatalf("a plan of nothing: %+v, %v", plan, err)
	}
	for _, look := range []bool{false, true} {
		if err := b.Send(s.wait(), plan, nil, look); err != nil {
			s.Errorf("send nothing: %v", err)
		}
	}
	if losses, err := b.Verify(s.wait(), "nobody", nil); err != nil || len(losses) != 0 {
		s.Errorf("verify nothing: %v, %v", losses, err)
	}
}

// everyAttribute publishes what is hard to carry.
func everyAttribute(s *suite, structured bool) {
	b := s.open(Options{Structured: structured})
	p := s.publisher(b)
	msgs := p.messages(8)
	texts := []string{"plain", "with space", `quote " and percent % and \`, "汉字 und Ümläute", "emoji 🎉", "~7E/.*>", "a=b;c, d", " ends in spaces "}
	for i := range msgs {
		e := msgs[i].Event
		e.SetSubject("group/" + texts[i])
		e.SetExtension("causationid", texts[i])
		e.SetID("id " + texts[i])
		e.SetDataSchema("https://example.com/schemas/x?y=%20z")
		e.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.FixedZone("", 3600*8)))
	}
	set := func(i int, contentType string, data []byte) {
		if err := msgs[i].Event.SetData(contentType, data); err != nil {
			s.Fatal(err)
		}
	}
	set(0, "image/png", []byte{0, 1, 2, 0xff, '\r', '\n'})
	set(1, event.TextPlain, []byte("ein Text\nmit Zeilen"))
	set(2, event.ApplicationJSON, []byte(`{"a":[1,2,{"b":"c"}]}`))
	set(3, event.ApplicationXML, []byte(`<a/>`))
	// One without data.
	bare := msgs[4].Event.Clone()
	bare.DataEncoded = nil
	*msgs[4].Event = bare
	p.round(msgs)
	p.checkOnce(msgs)
}

func publishRounds(s *suite) {
	p := s.publisher(s.open(Options{}))
	for i := range 12 {
		p.round(p.messages(1+i*3, bus.Events, bus.Outcomes, bus.Events, bus.DeadLetters))
	}
	p.checkOnce(p.all)
}

func publishLarge(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(2345, bus.Events, bus.Events, bus.Events, bus.Outcomes))
	p.round(p.messages(10))
	p.checkOnce(p.all)
}

func planStoresNothing(s *suite) {
	p := s.publisher(s.open(Options{}))
	first := p.messages(5)
	p.round(first)
	ends := p.plan(p.messages(5))
	again := p.plan(p.messages(5))
	for i := range min(len(ends.Parts), len(again.Parts)) {
		if a, b := ends.Parts[i], again.Parts[i]; a.Target == b.Target && a.End != b.End {
			s.Errorf("planning moved %s from %d to %d", a.Target, a.End, b.End)
		}
	}
	p.checkOnce(first)
}

// sendTwice is a repetition in the same process, which nobody needs but must
// do no harm.
func sendTwice(s *suite, forget bool) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(3))
	msgs := p.messages(20, bus.Events, bus.Outcomes)
	plan := p.round(msgs)
	if forget {
		s.broker.Forget(s.T)
	}
	p.send(plan, msgs, true)
	p.send(plan, msgs, true)
	p.checkOnce(p.all)
	p.round(p.messages(3))
	p.checkOnce(p.all)
}

func laterProcess(s *suite, forget bool) {
	b := s.open(Options{})
	p := s.publisher(b)
	p.round(p.messages(3))
	msgs := p.messages(20, bus.Events, bus.Outcomes, bus.DeadLetters)
	plan := p.round(msgs)
	_ = b.Close()
	if forget {
		s.broker.Forget(s.T)
	}
	next := p.on(s.open(Options{}))
	next.send(plan, msgs, true)
	next.checkOnce(next.all)
	next.round(next.messages(5))
	next.checkOnce(next.all)
}

func plannedThenSent(s *suite) {
	b := s.open(Options{})
	p := s.publisher(b)
	p.round(p.messages(3))
	msgs := p.messages(20, bus.Events, bus.Outcomes)
	plan := p.plan(msgs)
	_ = b.Close()
	next := p.on(s.open(Options{}))
	next.send(plan, msgs, true)
	next.checkOnce(next.all)
}

// oneTargetRefuses: the round is held until the target takes it, and then
// everything is there once.
func oneTargetRefuses(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(6, bus.Events, bus.Outcomes))
	undo := s.broker.Refuse(s.T, bus.Outcomes)
	msgs := p.messages(10, bus.Events, bus.Outcomes)
	plan := p.plan(msgs)
	for look := range 3 {
		err := p.b.Send(s.wait(), plan, msgs, look > 0)
		var target *bus.TargetError
		if !errors.As(err, &target) {
			s.Fatalf("a target that refuses gives %v, not a TargetError", err)
		}
		if refused := (*bus.RefusedError)(nil); errors.As(err, &refused) {
			s.Fatalf("a target that refuses everything was taken for a message that is refused: %v", err)
		}
	}
	undo()
	p.send(plan, msgs, true)
	p.round(p.messages(6, bus.Events, bus.Outcomes))
	p.checkOnce(p.all)
}

func oneTargetMissing(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(6, bus.Events, bus.DeadLetters))
	first := p.messages(10, bus.Events, bus.DeadLetters)
	plan := p.plan(first)
	s.broker.Remove(s.T, bus.DeadLetters)
	for look := range 2 {
		err := p.b.Send(s.wait(), plan, first, look > 0)
		if target := (*bus.TargetError)(nil); !errors.As(err, &target) {
			s.Fatalf("a target that is missing gives %v, not a TargetError", err)
		}
	}
	if err := p.b.Check(s.wait()); err == nil {
		s.Error("check says all is well while a stream is missing")
	}
	s.broker.Recreate(s.T, bus.DeadLetters)
	p.send(plan, first, true)
	for _, m := range p.all[:6] {
		if m.Stream == bus.Events {
			first = append(first, m) // those of the stream that was not removed
		}
	}
	p.checkOnce(first)
}

func halfSent(s *suite) {
	b := s.open(Options{})
	p := s.publisher(b)
	p.round(p.messages(6, bus.Events, bus.Outcomes))
	undo := s.broker.Refuse(s.T, bus.Outcomes)
	msgs := p.messages(40, bus.Events, bus.Outcomes)
	plan := p.plan(msgs)
	if err := b.Send(s.wait(), plan, msgs, false); err == nil {
		s.Fatal("the target did not refuse")
	}
	_ = b.Close()
	undo()
	next := p.on(s.open(Options{}))
	next.send(plan, msgs, true)
	next.checkOnce(next.all)
}

// tooLarge: the message is named, and nothing of the round is stored.
func tooLarge(s *suite) {
	p := s.publisher(s.open(Options{}))
	first := p.messages(4, bus.Events, bus.Outcomes)
	p.round(first)
	msgs := p.messages(9, bus.Outcomes, bus.Events, bus.Events)
	if err := msgs[5].Event.SetData("application/octet-stream", make([]byte, s.h.LargerThanMax)); err != nil {
		s.Fatal(err)
	}
	plan := p.plan(msgs)
	for look := range 2 {
		err := p.b.Send(s.wait(), plan, msgs, look > 0)
		var refused *bus.RefusedError
		if !errors.As(err, &refused) {
			s.Fatalf("a message too large gives %v, not a RefusedError", err)
		}
		if refused.Sequence != msgs[5].Sequence || refused.Reason == "" || refused.Limit <= 0 || refused.Size <= refused.Limit {
			s.Errorf("refused %+v, the large one is %d", refused, msgs[5].Sequence)
		}
	}
	p.checkOnce(first)
	// What takes its place goes with the rest.
	msgs[5] = p.message(msgs[5].Stream, msgs[5].Sequence)
	plan = p.plan(msgs)
	p.send(plan, msgs, false)
	p.checkOnce(append(first, msgs...))
}

func notGiven(s *suite) {
	p := s.publisher(s.open(Options{}))
	msgs := p.messages(5)
	plan := p.plan(msgs)
	if err := p.b.Send(s.wait(), plan, msgs[:4], false); err == nil {
		s.Error("a plan was sent although a message was not given")
	}
}

// severalWriters: bridges that share streams, each with its own journal.
func severalWriters(s *suite) {
	const writers, rounds = 3, 12
	ps := make([]*publisher, writers)
	for i := range ps {
		ps[i] = s.publisher(s.open(Options{}))
	}
	var wg sync.WaitGroup
	for _, p := range ps {
		wg.Go(func() { // Fatal in here ends its goroutine only, and fails the test
			for i := range rounds {
				p.round(p.messages(1+i*2, bus.Events, bus.Outcomes))
			}
		})
	}
	wg.Wait()
	for _, p := range ps {
		p.checkOnce(p.all)
	}
}

func manyShards(s *suite) {
	const shards, rounds = 3, 8
	ps := make([]*publisher, shards)
	for i := range ps {
		ps[i] = s.publisher(s.open(Options{Shard: i, Shards: shards}))
	}
	var wg sync.WaitGroup
	for _, p := range ps {
		wg.Go(func() {
			for range rounds {
				msgs := p.messages(7, bus.Events, bus.Outcomes)
				plan := p.plan(msgs)
				p.send(plan, msgs, false)
				p.send(plan, msgs, true)
			}
		})
	}
	wg.Wait()
	for _, p := range ps {
		p.checkOnce(p.all)
	}
}

// noise has somebody else store messages on a stream.
func (s *suite) noise(stream bus.Stream, n int) {
	s.Helper()
	for i := range n {
		s.broker.Raw(s.T, stream, RawMessage{Value: fmt.Appendf(nil, "noise %d", i)})
	}
}

func othersBetween(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(5))
	for range 3 {
		msgs := p.messages(6)
		plan := p.plan(msgs)
		s.noise(bus.Events, 3)
		p.send(plan, msgs, false)
	}
	p.checkOnce(p.all)
}

func othersAfter(s *suite) {
	b := s.open(Options{})
	p := s.publisher(b)
	p.round(p.messages(5))
	sent, unsent := p.messages(6), p.messages(6)
	plan := p.round(sent)
	s.noise(bus.Events, 5)
	pending := p.plan(unsent)
	s.noise(bus.Events, 5)
	_ = b.Close()
	next := p.on(s.open(Options{}))
	next.send(plan, sent, true)
	next.send(pending, unsent, true)
	next.send(pending, unsent, true)
	next.checkOnce(next.all)
}

// orderPerSubject: what belongs to one conversation is read in its order.
func orderPerSubject(s *suite) {
	p := s.publisher(s.open(Options{}))
	for range 6 {
		p.round(p.messages(50))
	}
	highest := map[string]uint64{}
	for _, r := range s.dump(bus.Events) {
		_, n, ok := stamp(r.Event)
		if !ok {
			s.Fatalf("not one of ours at %d: %v", r.Offset, r.Err)
		}
		if subject := r.Event.Subject(); n <= highest[subject] {
			s.Errorf("%s: message %d comes after %d", subject, n, highest[subject])
		} else {
			highest[subject] = n
		}
	}
}

func closeEndsWaiting(s *suite) {
	gate := s.broker.Gate(s.T)
	b := s.open(Options{Gate: gate})
	p := s.publisher(b)
	p.round(p.messages(2))
	msgs := p.messages(5)
	plan := p.plan(msgs)
	gate.Hold()
	ended := make(chan error, 1)
	go func() { ended <- b.Send(context.Background(), plan, msgs, false) }()
	if err := gate.Held(s.wait(), 1); err != nil {
		s.Fatal(err)
	}
	if err := b.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
	select {
	case err := <-ended:
		if err == nil {
			s.Error("send says that it stored what was held back")
		}
	case <-time.After(5 * time.Second):
		s.Fatal("close did not end a send that waits")
	}
	if _, err := b.Plan(s.wait(), msgs); err == nil {
		s.Error("a closed bus plans")
	}
	if err := b.Close(); err != nil {
		s.Errorf("close again: %v", err)
	}
}
