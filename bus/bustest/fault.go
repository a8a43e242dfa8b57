package bustest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/bus"
)

var faultCases = []test{
	{"fault/a lost acknowledgement", needGate, func(s *suite) { lostAck(s, 10, false) }},
	{"fault/a lost acknowledgement of a single message", needGate, func(s *suite) { lostAck(s, 1, false) }},
	{"fault/a lost acknowledgement, the memory for ids over", needGate | needForget, func(s *suite) { lostAck(s, 10, true) }},
	{"fault/a dead process's request arrives after the look", needGate, lateRequest},
	{"fault/a dead process's request arrives after everything", needGate, func(s *suite) { veryLateRequest(s, false) }},
	{"fault/a dead process's request arrives after everything, the memory for ids over", needGate | needForget | needFencedForever, func(s *suite) { veryLateRequest(s, true) }},
	{"fault/connections cut all the time", needGate, cutAllTheTime},
	{"fault/the broker restarted in the middle", needRestart, func(s *suite) { throughRestarts(s, s.broker.Stop) }},
	{"fault/the broker killed in the middle", needKill, func(s *suite) { throughRestarts(s, s.broker.Kill) }},
	{"fault/processes that die between and within sends", needGate, dyingProcesses},
	{"fault/the broker away when planning", needGate, awayWhenPlanning},
	{"fault/check tells the truth", needGate, checkTellsTruth},
	{"fault/reconnected after a cut", needGate, reconnects},
}

// lostAck: the broker stores, and the connection ends before it can say so.
func lostAck(s *suite, n int, forget bool) {
	gate := s.broker.Gate(s.T)
	b := s.open(Options{Gate: gate})
	direct := s.open(Options{})
	p := s.publisher(b)
	p.round(p.messages(3))
	msgs := p.messages(n)
	plan := p.plan(msgs)
	gate.Mute()
	ended := make(chan error, 1)
	go func() { ended <- b.Send(s.ctx, plan, msgs, false) }()
	s.eventually("the broker has stored", func() bool { return s.count(direct, bus.Events, p.journal) == len(p.all) })
	gate.Cut()
	if err := <-ended; err == nil {
		s.Fatal("send says that it is done without an acknowledgement")
	}
	if forget {
		s.broker.Forget(s.T)
	}
	p.send(plan, msgs, true)
	p.round(p.messages(3))
	p.checkOnce(p.all)
}

// held has a process die with its whole request under way.
func (s *suite) held(p *publisher, plan bus.Plan, msgs []bus.Message, gate *Gate) {
	s.Helper()
	gate.Hold()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.b.Send(s.ctx, plan, msgs, false) }() // it dies
	if err := gate.Held(s.wait(), len(plan.Parts)); err != nil {
		s.Fatalf("nothing was sent: %v", err)
	}
	gate.Orphan()
	_ = p.b.Close()
	<-ended
}

// lateRequest: the dead process's request is stored between the next one's
// look and its own request.
func lateRequest(s *suite) {
	for _, n := range []int{1, 12} {
		first, second := s.broker.Gate(s.T), s.broker.Gate(s.T)
		p := s.publisher(s.open(Options{Gate: first}))
		p.round(p.messages(3))
		msgs := p.messages(n)
		plan := p.plan(msgs)
		s.held(p, plan, msgs, first)

		next := p.on(s.open(Options{Gate: second}))
		direct := s.open(Options{})
		second.Hold()
		ended := make(chan error, 1)
		go func() { ended <- next.b.Send(s.ctx, plan, msgs, true) }()
		if err := second.Held(s.wait(), len(plan.Parts)); err != nil {
			s.Fatalf("the later process sent nothing: %v", err)
		}
		first.Release()
		s.eventually("the late request is stored", func() bool { return s.count(direct, bus.Events, p.journal) == len(p.all) })
		second.Release()
		if err := <-ended; err != nil {
			next.send(plan, msgs, true)
		}
		next.round(next.messages(3))
		next.checkOnce(next.all)
	}
}

// veryLateRequest: it arrives when the next process has stored everything.
func veryLateRequest(s *suite, forget bool) {
	for _, n := range []int{1, 12} {
		gate := s.broker.Gate(s.T)
		p := s.publisher(s.open(Options{Gate: gate}))
		p.round(p.messages(3))
		msgs := p.messages(n)
		plan := p.plan(msgs)
		s.held(p, plan, msgs, gate)

		next := p.on(s.open(Options{}))
		next.send(plan, msgs, true)
		next.round(next.messages(3))
		if forget {
			s.broker.Forget(s.T)
		}
		gate.Release()
		// There is nothing to wait for where nothing may come: what comes
		// after it has to be stored.
		time.Sleep(200 * time.Millisecond)
		next.round(next.messages(3))
		next.checkOnce(next.all)
	}
}

// cutAllTheTime publishes and reads while connections are cut again and again.
func cutAllTheTime(s *suite) {
	gate := s.broker.Gate(s.T)
	p := s.publisher(s.open(Options{Gate: gate}))
	stop, stopped := context.WithCancel(s.ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-time.After(150 * time.Millisecond):
				gate.Cut()
			case <-stop.Done():
				return
			}
		}
	})
	for i := range 40 {
		msgs := p.messages(50+i*5, bus.Events, bus.Outcomes)
		p.send(p.plan(msgs), msgs, false)
	}
	stopped()
	wg.Wait()
	p.checkOnce(p.all)
}

// throughRestarts publishes while the broker goes away at a third and at half
// of the way.
func throughRestarts(s *suite, away func(*testing.T)) {
	const rounds = 30
	p := s.publisher(s.open(Options{}))
	reader := s.commands(s.open(Options{}))
	var plans []bus.Plan
	for i := range rounds {
		msgs := p.messages(40, bus.Events, bus.Outcomes)
		plan := p.plan(msgs)
		if i == rounds/3 || i == rounds/2 {
			done := make(chan struct{})
			go func() { defer close(done); p.send(plan, msgs, false) }()
			away(s.T)
			s.broker.Run(s.T)
			<-done
		} else {
			p.send(plan, msgs, false)
		}
		plans = append(plans, plan)
		s.command(p.b, "bot", i, i+1)
	}
	if losses := p.verify(lastPlans(plans...)); len(losses) != 0 {
		s.Errorf("losses %+v although the broker syncs", losses)
	}
	p.checkOnce(p.all)
	got, _ := s.take(reader, rounds)
	s.expect(got, "bot", 0, rounds)
	s.quiet(reader)
}

// dyingProcesses: each round is planned, and its sending cut off anywhere; the
// next process repeats it and goes on.
func dyingProcesses(s *suite) {
	gate := s.broker.Gate(s.T)
	p := s.publisher(s.open(Options{Gate: gate}))
	for i := range 12 {
		msgs := p.messages(300, bus.Events, bus.Outcomes)
		plan := p.plan(msgs)
		ctx, cancel := context.WithTimeout(s.ctx, time.Duration(i)*2*time.Millisecond)
		err := p.b.Send(ctx, plan, msgs, false)
		cancel()
		if i%2 == 0 {
			gate.Cut()
		}
		_ = p.b.Close()
		p = p.on(s.open(Options{Gate: gate}))
		if err != nil {
			p.send(plan, msgs, true)
		}
	}
	p.checkOnce(p.all)
}

func awayWhenPlanning(s *suite) {
	gate := s.broker.Gate(s.T)
	p := s.publisher(s.open(Options{Gate: gate}))
	p.round(p.messages(3))
	gate.Block()
	msgs := p.messages(5)
	ctx, cancel := context.WithTimeout(s.ctx, 700*time.Millisecond)
	defer cancel()
	if plan, err := p.b.Plan(ctx, msgs); err == nil {
		// What is known needs no broker; sending does.
		if err := p.b.Send(ctx, plan, msgs, false); err == nil {
			s.Fatal("sent to a broker that is away")
		}
	} else if !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("plan, the broker away: %v, not for ctx's end", err)
	}
	gate.Unblock()
	p.round(msgs)
	p.checkOnce(p.all)
}

func checkTellsTruth(s *suite) {
	gate := s.broker.Gate(s.T)
	b := s.open(Options{Gate: gate})
	if err := b.Check(s.wait()); err != nil {
		s.Errorf("check: %v", err)
	}
	gate.Block()
	s.eventually("check fails", func() bool {
		ctx, cancel := context.WithTimeout(s.ctx, time.Second)
		defer cancel()
		return b.Check(ctx) != nil
	})
	gate.Unblock()
	s.eventually("check succeeds again", func() bool {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		return b.Check(ctx) == nil
	})
}

func reconnects(s *suite) {
	gate := s.broker.Gate(s.T)
	b := s.open(Options{Gate: gate})
	for range 3 {
		gate.Cut()
		select {
		case <-b.Reconnected():
		case <-s.wait().Done():
			s.Fatal("nobody said that the connection is back")
		}
	}
	select {
	case <-b.Reconnected():
		s.Error("reconnected although nothing was cut")
	case <-time.After(100 * time.Millisecond):
	}
}
