package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

// target is what the publisher knows of a stream. It is remembered from round
// to round, and forgotten with the session it was learnt in.
type target struct {
	name    string
	stream  bus.Stream
	subject string // prefix of its subjects

	epoch       uint64 // session it was learnt in; 0 is nothing known
	leader      string // of a clustered stream, then
	incarnation string
	end         uint64
	endTime     time.Time
	// trusted says that end comes from our own last batch, stored under the
	// condition that nobody else had written.
	trusted bool
	// seen is how the stream was when it was last sent to or verified, and what
	// must still be so.
	seen seen
	// moved counts the rounds and looks in a row that found it moved on, and
	// shared counts down the rounds in which others are taken to write too.
	moved, shared int

	maxMessage int64 // bytes; 0 is no limit but the server's
	maxStream  int64
	batch      int // messages in one batch
}

// seen is an end of a stream, in one of its lives, and what lay before it: a
// message of a time, or our message final of a journal.
type seen struct {
	known       bool
	incarnation string
	end         uint64
	time        time.Time
	journal     string
	final       uint64

	// session and leader are what the stream was seen over. While they are the
	// same a stream that is as long as it was is the same too.
	session uint64
	leader  string
}

// remember notes that our message is at a sequence of the stream, and that what
// was before is certain.
func (t *target) remember(incarnation string, at uint64, journal string, final uint64) {
	t.seen = seen{known: true, incarnation: incarnation, end: at, journal: journal, final: final, session: t.epoch, leader: t.leader}
}

// note takes the stream as it is.
func (t *target) note(info *jetstream.StreamInfo) {
	t.seen = seen{known: true, incarnation: incarnation(info), end: info.State.LastSeq, session: t.epoch, leader: leader(info)}
	if info.State.Msgs > 0 {
		t.seen.time = info.State.LastTime.UTC()
	}
}

// intact says that a stream still has, or has removed itself, what it ended with
// when it was last sent to or verified.
func (b *Bus) intact(ctx context.Context, t *target, info *jetstream.StreamInfo) (bool, error) {
	is := &t.seen
	if !is.known || is.incarnation != incarnation(info) || info.State.LastSeq < is.end {
		return false, nil
	}
	unknown := is.time.IsZero() && is.journal == "" // it was removed when it was seen
	if is.end == 0 || unknown || info.State.LastSeq == is.end && info.State.Msgs > 0 && info.State.LastTime.Equal(is.time) {
		return true, nil
	}
	m, err := b.get(ctx, t.name, getRequest{Seq: is.end})
	switch {
	case errors.Is(err, errNoMessage):
		return true, nil
	case err != nil:
		return false, err
	case !is.time.IsZero():
		return m.time.Equal(is.time), nil
	}
	journal, sequence, ok := owner(m.header)
	return ok && journal == is.journal && sequence == is.final, nil
}

// undisturbed says that nothing shows that a stream may have lost anything since
// it was last sent to or verified, which costs no question.
func (t *target) undisturbed(info *jetstream.StreamInfo, epoch uint64) bool {
	is := &t.seen
	return is.incarnation == incarnation(info) && info.State.LastSeq >= is.end &&
		epoch != 0 && is.session == epoch && is.leader == leader(info)
}

func leader(info *jetstream.StreamInfo) string {
	if info.Cluster == nil {
		return ""
	}
	return info.Cluster.Leader
}

// learn takes over a stream's state.
func (t *target) learn(info *jetstream.StreamInfo, epoch uint64) {
	t.epoch, t.leader = epoch, leader(info)
	t.incarnation = incarnation(info)
	t.end = info.State.LastSeq
	t.endTime = time.Time{}
	if info.State.Msgs > 0 {
		t.endTime = info.State.LastTime.UTC()
	}
	t.maxMessage = max(0, int64(info.Config.MaxMsgSize))
	t.maxStream = max(0, info.Config.MaxBytes)
}

// target gives what is known of a stream by its name. One that is no longer
// among the routes, because the configuration changed under a plan, is looked
// up on the server.
func (b *Bus) target(ctx context.Context, name string, stream bus.Stream) (*target, error) {
	if t := b.targets[name]; t != nil {
		return t, nil
	}
	t := &target{name: name, stream: stream, batch: b.cfg.BatchMessages}
	for i := range b.routes {
		if r := &b.routes[i]; r.Name == name {
			t.stream, t.subject = r.stream, r.Subject
		}
	}
	if t.subject == "" {
		info, err := b.info(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(info.Config.Subjects) == 0 {
			return nil, fmt.Errorf("stream %q takes no subjects", name)
		}
		t.subject = strings.TrimSuffix(info.Config.Subjects[0], ".>")
		t.learn(info, b.conn.present())
	}
	b.targets[name] = t
	return t, nil
}

// Plan gives each message its stream, and notes where the streams end. It asks
// the server only for what it does not know: the end after a round of our own
// is known, unless others write there too.
func (b *Bus) Plan(ctx context.Context, msgs []bus.Message) (bus.Plan, error) {
	var plan bus.Plan
	at := map[string]int{}
	for i := range msgs {
		m := &msgs[i]
		r, _, err := b.routeOf(m.Stream, m.Event)
		if err != nil {
			return bus.Plan{}, err
		}
		p, ok := at[r.Name]
		if !ok {
			p = len(plan.Parts)
			at[r.Name] = p
			plan.Parts = append(plan.Parts, bus.Part{Target: bus.Target(r.Name)})
		}
		plan.Parts[p].Sequences = append(plan.Parts[p].Sequences, m.Sequence)
	}
	for i := range plan.Parts {
		part := &plan.Parts[i]
		err := b.whileUnreachable(ctx, func() error { return b.planPart(ctx, part) })
		if err != nil {
			if refused := refusal(string(part.Target), err); refused != nil {
				err = refused
			}
			return bus.Plan{}, fmt.Errorf("plan: %w", err)
		}
	}
	return plan, nil
}

func (b *Bus) planPart(ctx context.Context, part *bus.Part) error {
	t, err := b.target(ctx, string(part.Target), "")
	if err != nil {
		return err
	}
	epoch := b.conn.present()
	if !t.trusted || t.epoch != epoch || epoch == 0 {
		info, err := b.info(ctx, t.name)
		if err != nil {
			return err
		}
		if t.seen.known && !t.undisturbed(info, epoch) {
			whole, err := b.intact(ctx, t, info)
			if err != nil {
				return err
			}
			if !whole {
				return bus.ErrVerify
			}
		}
		t.learn(info, epoch)
		t.note(info)
		t.trusted = false
	}
	part.End, part.EndTime, part.Incarnation = t.end, t.endTime, t.incarnation
	return nil
}

// whileUnreachable repeats what failed for want of a connection or an answer
// until ctx ends.
func (b *Bus) whileUnreachable(ctx context.Context, do func() error) error {
	for attempt := 0; ; attempt++ {
		err := do()
		if err == nil || ctx.Err() != nil || b.ctx.Err() != nil || !passing(err) || errors.Is(err, bus.ErrVerify) || refusal("", err) != nil {
			if b.ctx.Err() != nil {
				return bus.ErrClosed
			}
			return err
		}
		if !b.pause(ctx, backoff(attempt)) {
			if b.ctx.Err() != nil {
				return bus.ErrClosed
			}
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}
