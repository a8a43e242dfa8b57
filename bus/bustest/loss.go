package bustest

import (
	"slices"
	"testing"

	"github.com/timbridge/timbridge/bus"
)

var lossCases = []test{
	{"loss/nothing lost", 0, nothingLost},
	{"loss/nothing lost among other writers", needRaw, nothingLostAmongOthers},
	{"loss/the tail lost under events", needLoseTail, func(s *suite) { tailLost(s, false) }},
	{"loss/the tail lost and others wrote since", needLoseTail | needRaw, func(s *suite) { tailLost(s, true) }},
	{"loss/everything lost", needLoseTail, func(s *suite) { everythingLost(s, false) }},
	{"loss/everything lost and others wrote since", needLoseTail | needRaw, func(s *suite) { everythingLost(s, true) }},
	{"loss/the tail lost under a plan", needLoseTail, tailLostUnderPlan},
	{"loss/the tail lost under a plan, grown again", needLoseTail, tailLostGrownAgain},
	{"loss/purged", needPurge, func(s *suite) { removed(s, s.broker.Purge) }},
	{"loss/aged out", needAgeOut, func(s *suite) { removed(s, s.broker.AgeOut) }},
	{"loss/purged, the memory for ids over", needPurge | needForget, removedForgotten},
	{"loss/purged between plan and send", needPurge, purgedBeforeSend},
	{"loss/made anew", needRecreate, madeAnew},
	{"loss/made anew, and others were there and purged", needRecreate | needRaw | needPurge, madeAnewAndPurged},
	{"loss/made anew under a plan", needRecreate, madeAnewUnderPlan},
}

// resend does what the relay does about losses: what was published to a target
// after the last message still there is sent again, to it alone.
func (p *publisher) resend(losses []bus.Loss, of []bus.Message, target func(bus.Message) bus.Target) {
	p.s.Helper()
	for _, loss := range losses {
		var again []bus.Message
		for _, m := range of {
			if m.Sequence > loss.After && target(m) == loss.Target {
				again = append(again, m)
			}
		}
		if len(again) == 0 {
			continue
		}
		plan := p.plan(again)
		if len(plan.Parts) != 1 || plan.Parts[0].Target != loss.Target {
			p.s.Fatalf("what goes to %s was planned for %+v", loss.Target, plan.Parts)
		}
		p.send(plan, again, false)
	}
}

// targets remembers which target each message was planned for.
type targets map[uint64]bus.Target

func (ts targets) add(plan bus.Plan) {
	for _, part := range plan.Parts {
		for _, n := range part.Sequences {
			ts[n] = part.Target
		}
	}
}

func (ts targets) of(m bus.Message) bus.Target { return ts[m.Sequence] }

// lastPlans are the last parts of each target.
func lastPlans(plans ...bus.Plan) []bus.Part {
	at := map[bus.Target]bus.Part{}
	for _, plan := range plans {
		for _, part := range plan.Parts {
			at[part.Target] = part
		}
	}
	var parts []bus.Part
	for _, part := range at {
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b bus.Part) int {
		if a.Target < b.Target {
			return -1
		}
		return 1
	})
	return parts
}

func (p *publisher) verify(parts []bus.Part) []bus.Loss {
	p.s.Helper()
	losses, err := p.b.Verify(p.s.wait(), p.journal, parts)
	if err != nil {
		p.s.Fatalf("verify: %v", err)
	}
	return losses
}

func nothingLost(s *suite) {
	b := s.open(Options{})
	p := s.publisher(b)
	var plans []bus.Plan
	for range 4 {
		plans = append(plans, p.round(p.messages(10, bus.Events, bus.Outcomes)))
	}
	if losses := p.verify(lastPlans(plans...)); len(losses) != 0 {
		s.Errorf("losses %+v, nothing was lost", losses)
	}
	_ = b.Close()
	next := p.on(s.open(Options{}))
	if losses := next.verify(lastPlans(plans...)); len(losses) != 0 {
		s.Errorf("losses %+v, nothing was lost", losses)
	}
	next.round(next.messages(3))
	next.checkOnce(next.all)
}

func nothingLostAmongOthers(s *suite) {
	p := s.publisher(s.open(Options{}))
	s.noise(bus.Events, 3)
	msgs := p.messages(10)
	plan := p.plan(msgs)
	s.noise(bus.Events, 3)
	p.send(plan, msgs, false)
	s.noise(bus.Events, 30)
	if losses := p.verify(lastPlans(plan)); len(losses) != 0 {
		s.Errorf("losses %+v, nothing was lost", losses)
	}
}

func tailLost(s *suite, others bool) {
	p := s.publisher(s.open(Options{}))
	at := targets{}
	round := func(n int) bus.Plan {
		plan := p.round(p.messages(n, bus.Events, bus.Outcomes))
		at.add(plan)
		return plan
	}
	round(10)
	kept := len(p.all)
	var plans []bus.Plan
	s.broker.LoseTail(s.T, func() {
		plans = append(plans, round(14), round(6))
	})
	if others {
		s.noise(bus.Events, 40)
	}
	losses := p.verify(lastPlans(plans...))
	if len(losses) == 0 {
		s.Fatal("a lost tail was not noticed")
	}
	for _, loss := range losses {
		after := uint64(0)
		for _, m := range p.all[:kept] {
			if at.of(m) == loss.Target {
				after = max(after, m.Sequence)
			}
		}
		if loss.After != after {
			s.Errorf("%s: the last message still there is %d, not %d", loss.Target, after, loss.After)
		}
	}
	p.resend(losses, p.all, at.of)
	p.checkOnce(p.all)
	if !others {
		round(5)
		p.checkOnce(p.all)
	}
}

func everythingLost(s *suite, others bool) {
	p := s.publisher(s.open(Options{}))
	at := targets{}
	var plan bus.Plan
	s.broker.LoseTail(s.T, func() {
		for range 2 {
			plan = p.round(p.messages(10, bus.Events, bus.Outcomes))
			at.add(plan)
		}
	})
	if others {
		s.noise(bus.Events, 40)
	}
	losses := p.verify(lastPlans(plan))
	if len(losses) == 0 {
		s.Fatal("the loss of everything was not noticed")
	}
	for _, loss := range losses {
		if loss.After >= p.all[0].Sequence {
			s.Errorf("%s: %d is said to be there, nothing is", loss.Target, loss.After)
		}
	}
	p.resend(losses, p.all, at.of)
	p.checkOnce(p.all)
}

// tailLostUnderPlan: the plan's end lies where the target no longer reaches.
func tailLostUnderPlan(s *suite) {
	p := s.publisher(s.open(Options{}))
	at := targets{}
	at.add(p.round(p.messages(5)))
	var before, pending bus.Plan
	var msgs []bus.Message
	s.broker.LoseTail(s.T, func() {
		before = p.round(p.messages(8))
		at.add(before)
		msgs = p.messages(6)
		pending = p.plan(msgs)
	})
	losses := p.verify(lastPlans(before))
	p.resend(losses, p.all[:13], at.of)
	p.send(pending, msgs, true)
	p.checkOnce(p.all)
}

// tailLostGrownAgain: a plan was sent after the tail was lost, by a process
// that did not know and died, and the target has grown past the planned end
// since; a later process repeats it when the ids are long forgotten.
func tailLostGrownAgain(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(5))
	var pending bus.Plan
	var msgs []bus.Message
	s.broker.LoseTail(s.T, func() {
		p.round(p.messages(20))
		msgs = p.messages(4)
		pending = p.plan(msgs)
	})
	p.send(pending, msgs, true)
	if s.broker.Raw != nil {
		s.noise(bus.Events, 60)
	}
	if s.broker.Forget != nil {
		s.broker.Forget(s.T)
	}
	next := p.on(s.open(Options{}))
	next.send(pending, msgs, true)
	kept := append(slices.Clone(p.all[:5]), msgs...)
	next.checkOnce(kept)
}

// removed: what the stream removed itself counts as stored.
func removed(s *suite, remove func(t *testing.T, stream bus.Stream)) {
	b := s.open(Options{})
	p := s.publisher(b)
	p.round(p.messages(5))
	msgs := p.messages(10)
	plan := p.round(msgs)
	remove(s.T, bus.Events)
	_ = b.Close()
	next := p.on(s.open(Options{}))
	if losses := next.verify(lastPlans(plan)); len(losses) != 0 {
		s.Errorf("losses %+v after the stream removed what it had", losses)
	}
	next.send(plan, msgs, true)
	if n := next.s.count(next.b, bus.Events, next.journal); n != 0 {
		s.Errorf("%d messages that the stream had removed were stored again", n)
	}
	after := next.messages(4)
	next.round(after)
	next.checkOnce(after)
}

func removedForgotten(s *suite) {
	b := s.open(Options{})
	p := s.publisher(b)
	p.round(p.messages(5))
	msgs := p.messages(10)
	plan := p.round(msgs)
	s.broker.Purge(s.T, bus.Events)
	s.broker.Forget(s.T)
	_ = b.Close()
	next := p.on(s.open(Options{}))
	next.send(plan, msgs, true)
	if n := next.s.count(next.b, bus.Events, next.journal); n != 0 {
		s.Errorf("%d messages that the stream had removed were stored again", n)
	}
}

// purgedBeforeSend: what was never stored was not removed either.
func purgedBeforeSend(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(5))
	msgs := p.messages(10)
	plan := p.plan(msgs)
	s.broker.Purge(s.T, bus.Events)
	p.send(plan, msgs, true)
	p.checkOnce(msgs)
}

func madeAnew(s *suite) {
	p := s.publisher(s.open(Options{}))
	at := targets{}
	plan := p.round(p.messages(30))
	at.add(plan)
	s.broker.Recreate(s.T, bus.Events)
	losses := p.verify(lastPlans(plan))
	if len(losses) != len(plan.Parts) {
		s.Fatalf("losses %+v of the %d targets made anew", losses, len(plan.Parts))
	}
	for _, loss := range losses {
		if loss.After != 0 {
			s.Errorf("%s: %d is said to be there", loss.Target, loss.After)
		}
	}
	p.resend(losses, p.all, at.of)
	p.checkOnce(p.all)
	p.round(p.messages(3))
	p.checkOnce(p.all)
}

// madeAnewAndPurged: what another life of the stream removed was not ours.
func madeAnewAndPurged(s *suite) {
	p := s.publisher(s.open(Options{}))
	plan := p.round(p.messages(10))
	s.broker.Recreate(s.T, bus.Events)
	s.noise(bus.Events, 60)
	s.broker.Purge(s.T, bus.Events)
	losses := p.verify(lastPlans(plan))
	if len(losses) != len(plan.Parts) {
		s.Fatalf("losses %+v of the %d targets made anew", losses, len(plan.Parts))
	}
}

func madeAnewUnderPlan(s *suite) {
	p := s.publisher(s.open(Options{}))
	p.round(p.messages(30))
	msgs := p.messages(10)
	plan := p.plan(msgs)
	s.broker.Recreate(s.T, bus.Events)
	p.send(plan, msgs, false)
	p.send(plan, msgs, true)
	p.checkOnce(msgs)
}
