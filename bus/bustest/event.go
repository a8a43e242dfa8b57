package bustest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"github.com/timbridge/timbridge/bus"
)

// publisher plays the relay: it makes messages of one journal, and publishes
// them in rounds as the relay does.
type publisher struct {
	s       *suite
	b       bus.Bus
	journal string
	next    uint64
	all     []bus.Message
	done    map[bus.Target]bus.Part // the last of each that was sent
}

func (s *suite) publisher(b bus.Bus) *publisher {
	return &publisher{s: s, b: b, journal: uuid.NewString(), next: 1, done: map[bus.Target]bus.Part{}}
}

// on is the same journal in another process.
func (p *publisher) on(b bus.Bus) *publisher {
	return &publisher{s: p.s, b: b, journal: p.journal, next: p.next, all: slices.Clone(p.all), done: maps.Clone(p.done)}
}

// messages makes n messages, spread over the streams given; sequences rise
// with gaps, as public entries among internal ones do.
func (p *publisher) messages(n int, streams ...bus.Stream) []bus.Message {
	if len(streams) == 0 {
		streams = []bus.Stream{bus.Events}
	}
	msgs := make([]bus.Message, n)
	for i := range msgs {
		p.next += 1 + uint64(i%3)
		msgs[i] = p.message(streams[i%len(streams)], p.next)
	}
	p.all = append(p.all, msgs...)
	return msgs
}

func (p *publisher) message(stream bus.Stream, sequence uint64) bus.Message {
	e := event.New()
	e.SetID(fmt.Sprintf("m-%d", sequence))
	e.SetSource("tim://1400000000")
	user := sequence % 7
	subject := fmt.Sprintf("c2c/alice/user%d", user)
	switch stream {
	case bus.Outcomes:
		e.SetType("io.timbridge.command.succeeded.v1")
	case bus.DeadLetters:
		e.SetType("io.timbridge.command.dead_lettered.v1")
	default:
		e.SetType("io.timbridge.message.posted.v1")
	}
	e.SetSubject(subject)
	e.SetTime(time.Date(2026, 11, 5, 12, 0, 0, int(sequence), time.UTC))
	e.SetExtension("partitionkey", subject)
	e.SetExtension("timaccount", "alice")
	e.SetExtension("timbridge", p.journal)
	e.SetExtension("sequence", fmt.Sprintf("%020d", sequence))
	if err := e.SetData(event.ApplicationJSON, map[string]any{"text": "你好", "n": sequence}); err != nil {
		p.s.Fatal(err)
	}
	return bus.Message{Stream: stream, Sequence: sequence, Event: &e}
}

// plan plans a round, and takes the plan through the journal and back.
func (p *publisher) plan(msgs []bus.Message) bus.Plan {
	p.s.Helper()
	plan, err := p.b.Plan(p.s.wait(), msgs)
	if errors.Is(err, bus.ErrVerify) {
		p.again(bus.Plan{})
		plan, err = p.b.Plan(p.s.wait(), msgs)
	}
	if err != nil {
		p.s.Fatalf("plan: %v", err)
	}
	return journaled(p.s, plan)
}

// again verifies what was sent before a plan, for a target that is in doubt.
// What is lost is for the test to know.
func (p *publisher) again(plan bus.Plan) {
	p.s.Helper()
	parts := maps.Clone(p.done)
	for _, part := range plan.Parts {
		if _, ok := parts[part.Target]; !ok {
			parts[part.Target] = part
		}
	}
	if _, err := p.b.Verify(p.s.wait(), p.journal, slices.Collect(maps.Values(parts))); err != nil && p.s.ctx.Err() != nil {
		p.s.Fatalf("verify: %v", err) // else it is tried again
	}
}

func journaled(s *suite, plan bus.Plan) bus.Plan {
	body, err := json.Marshal(plan)
	if err != nil {
		s.Fatal(err)
	}
	var out bus.Plan
	if err := json.Unmarshal(body, &out); err != nil {
		s.Fatal(err)
	}
	return out
}

// send repeats a plan until it is done.
func (p *publisher) send(plan bus.Plan, msgs []bus.Message, look bool) {
	p.s.Helper()
	for ctx := p.s.wait(); ; look = true {
		err := p.b.Send(ctx, plan, msgs, look)
		if err == nil {
			for _, part := range plan.Parts {
				p.done[part.Target] = part
			}
			return
		}
		if refused := (*bus.RefusedError)(nil); errors.As(err, &refused) || ctx.Err() != nil {
			p.s.Fatalf("send: %v", err)
		}
		if errors.Is(err, bus.ErrVerify) {
			p.again(plan)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// round plans and sends.
func (p *publisher) round(msgs []bus.Message) bus.Plan {
	p.s.Helper()
	plan := p.plan(msgs)
	p.send(plan, msgs, false)
	return plan
}

// dump reads everything that lies on a stream now, by a bus of its own.
func (s *suite) dump(stream bus.Stream) []bus.Received {
	s.Helper()
	b := s.open(Options{})
	defer func() { _ = b.Close() }() // closed again, and checked, at the end
	return s.dumpOf(b, stream)
}

func (s *suite) dumpOf(b bus.Bus, stream bus.Stream) []bus.Received {
	s.Helper()
	f, err := b.Follow(s.wait(), stream, bus.Start{Beginning: true})
	if err != nil {
		s.Fatalf("follow: %v", err)
	}
	defer func() { _ = f.Close() }() // nothing to lose
	var got []bus.Received
	for ctx := s.wait(); !f.CaughtUp(); {
		r, err := f.Next(ctx)
		if err != nil {
			s.Fatalf("follow: after %d messages: %v", len(got), err)
		}
		got = append(got, r)
	}
	return got
}

// count is how many messages of a journal lie on a stream.
func (s *suite) count(b bus.Bus, stream bus.Stream, journal string) int {
	n := 0
	for _, r := range s.dumpOf(b, stream) {
		if j, _, ok := stamp(r.Event); ok && j == journal {
			n++
		}
	}
	return n
}

// stamp reads whose message it is.
func stamp(e *event.Event) (journal string, sequence uint64, ok bool) {
	if e == nil {
		return "", 0, false
	}
	journal, _ = e.Extensions()["timbridge"].(string)
	text, _ := e.Extensions()["sequence"].(string)
	_, err := fmt.Sscanf(strings.TrimLeft(text, "0"), "%d", &sequence)
	return journal, sequence, err == nil && journal != ""
}

// checkOnce makes sure that the messages lie on their streams exactly once, as
// they were, and in order on each target.
func (p *publisher) checkOnce(msgs []bus.Message) {
	p.s.Helper()
	p.check(msgs, true)
}

// check is checkOnce, in any order where what was lost may come after what went
// out before that was noticed.
func (p *publisher) check(msgs []bus.Message, ordered bool) {
	p.s.Helper()
	want := map[uint64]bus.Message{}
	streams := map[bus.Stream]bool{}
	for _, m := range msgs {
		want[m.Sequence] = m
		streams[m.Stream] = true
	}
	for stream := range streams {
		highest := map[bus.Target]uint64{}
		for _, r := range p.s.dump(stream) {
			journal, n, ok := stamp(r.Event)
			if !ok || journal != p.journal {
				continue
			}
			m, wanted := want[n]
			if !wanted || m.Stream != stream {
				p.s.Errorf("message %d is on %s at %s %d, once too often or out of place", n, stream, r.Target, r.Offset)
				continue
			}
			delete(want, n)
			if ordered && n <= highest[r.Target] {
				p.s.Errorf("message %d is on %s after %d", n, r.Target, highest[r.Target])
			}
			highest[r.Target] = n
			if d := difference(m.Event, r.Event); d != "" {
				p.s.Errorf("message %d is not as it was: %s", n, d)
			}
		}
	}
	if len(want) > 0 {
		var missing []uint64
		for n := range want {
			missing = append(missing, n)
		}
		slices.Sort(missing)
		p.s.Errorf("%d of %d messages are missing: %v", len(missing), len(msgs), missing[:min(len(missing), 10)])
	}
}

// difference says in what two events differ, "" in nothing. Extensions come
// back as text.
func difference(want, got *event.Event) string {
	switch {
	case got == nil:
		return "it is none"
	case want.ID() != got.ID():
		return fmt.Sprintf("id %q, not %q", got.ID(), want.ID())
	case want.Source() != got.Source():
		return fmt.Sprintf("source %q, not %q", got.Source(), want.Source())
	case want.Type() != got.Type():
		return fmt.Sprintf("type %q, not %q", got.Type(), want.Type())
	case want.Subject() != got.Subject():
		return fmt.Sprintf("subject %q, not %q", got.Subject(), want.Subject())
	case !want.Time().Equal(got.Time()):
		return fmt.Sprintf("time %s, not %s", got.Time(), want.Time())
	case want.DataSchema() != got.DataSchema():
		return fmt.Sprintf("dataschema %q, not %q", got.DataSchema(), want.DataSchema())
	case want.DataContentType() != got.DataContentType():
		return fmt.Sprintf("datacontenttype %q, not %q", got.DataContentType(), want.DataContentType())
	case string(want.Data()) != string(got.Data()):
		return fmt.Sprintf("data %.60q, not %.60q", got.Data(), want.Data())
	case len(want.Extensions()) != len(got.Extensions()):
		return fmt.Sprintf("extensions %v, not %v", got.Extensions(), want.Extensions())
	}
	for name, v := range want.Extensions() {
		if got.Extensions()[name] != v {
			return fmt.Sprintf("%s %v, not %v", name, got.Extensions()[name], v)
		}
	}
	return ""
}

// command makes a command; those of one account lie in one order.
func command(account string, n int) *event.Event {
	e := event.New()
	e.SetID(fmt.Sprintf("%s-%d", account, n))
	e.SetSource("/bustest")
	e.SetType("io.timbridge.command.message.send.v1")
	e.SetSubject("account/" + account)
	e.SetTime(time.Now())
	e.SetExtension("timaccount", account)
	e.SetExtension("partitionkey", "account/"+account)
	if err := e.SetData(event.ApplicationJSON, map[string]any{"n": n}); err != nil {
		panic(err) // a map of an int always marshals
	}
	return &e
}

// command publishes commands of an account, numbered from..to-1.
func (s *suite) command(b bus.Bus, account string, from, to int) {
	s.Helper()
	for n := from; n < to; n++ {
		s.publish(b, bus.Commands, command(account, n))
	}
}

// publish repeats a publication until it succeeds.
func (s *suite) publish(b bus.Bus, stream bus.Stream, e *event.Event) bus.Position {
	s.Helper()
	for ctx := s.wait(); ; {
		p, err := b.Publish(ctx, stream, e)
		if err == nil {
			return p
		}
		if ctx.Err() != nil {
			s.Fatalf("publish: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// take reads n commands, and the resets that came with them.
func (s *suite) take(r bus.CommandReader, n int) (got []bus.Received, resets []bus.Reset) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	for len(got) < n {
		more, err := r.Next(ctx, n-len(got))
		if err != nil {
			s.Fatalf("next: after %d of %d commands: %v", len(got), n, err)
		}
		got = append(got, more...)
		resets = append(resets, r.Resets()...)
	}
	return got, resets
}

// quiet makes sure that nothing more comes.
func (s *suite) quiet(r bus.CommandReader) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 300*time.Millisecond)
	defer cancel()
	if more, err := r.Next(ctx, 10); err == nil && len(more) > 0 {
		s.Errorf("%d more commands came, the first at %d: %v", len(more), more[0].Offset, more[0].Err)
	}
}

// commands opens a reader that is closed when the test ends.
func (s *suite) commands(b bus.Bus, after ...bus.Position) bus.CommandReader {
	s.Helper()
	r, err := b.Commands(s.wait(), after)
	if err != nil {
		s.Fatalf("commands: %v", err)
	}
	s.Cleanup(func() { _ = r.Close() }) // twice is allowed
	return r
}

// names are the ids of commands, "!" for those that are none.
func names(got []bus.Received) []string {
	var out []string
	for _, r := range got {
		if r.Event == nil {
			out = append(out, "!")
			continue
		}
		out = append(out, r.Event.ID())
	}
	return out
}

// expect compares what was read with the commands of one account.
func (s *suite) expect(got []bus.Received, account string, from, to int) {
	s.Helper()
	var want []string
	for n := from; n < to; n++ {
		want = append(want, fmt.Sprintf("%s-%d", account, n))
	}
	if have := names(got); !slices.Equal(have, want) {
		s.Errorf("read %v, not %v", have, want)
	}
}

// last is the position of the last message of each target.
func last(got []bus.Received) []bus.Position {
	var out []bus.Position
	at := map[bus.Target]int{}
	for _, r := range got {
		i, ok := at[r.Target]
		if !ok {
			i = len(out)
			at[r.Target] = i
			out = append(out, bus.Position{})
		}
		out[i] = r.Position
	}
	return out
}
