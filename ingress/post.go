package ingress

import (
	"context"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// post is what came of a send, on its way to the journal.
type post struct {
	unit     *unit // the message; nil when there is none
	outcome  []journal.Entry
	at       int // where the outcome is in its batch
	deadline time.Time
	recorded bool
	done     chan struct{} // closed when it is on disk
}

// Post records what came of a send, in one append: the message's facts, unless
// they are recorded already, and the outcome's entries, whose Position and Time
// it sets. It may use the journal's reserve. recorded says whether this call
// recorded the facts.
//
// A message has its place: of a group, behind the earlier sequences, and behind
// what is being read from history. Post waits for that; after Config.PostWait
// the outcome is recorded alone, Post returns with recorded false, and the
// message follows in its place. (Should the process end before that, it is read
// from history by the next catch-up.)
//
// After an error it is not known whether it was recorded: ctx or Run has ended.
func (in *Ingress) Post(ctx context.Context, facts []mapping.Fact, outcome []journal.Entry) (recorded bool, err error) {
	p := &post{outcome: append([]journal.Entry(nil), outcome...), deadline: time.Now().Add(in.cfg.PostWait), done: make(chan struct{})}
	if len(facts) > 0 {
		if p.unit, err = in.unitOf(facts); err != nil {
			return false, fmt.Errorf("ingress: %w", err)
		}
		p.unit.post = p
	}
	if !in.queue.pushPost(p) {
		return false, ErrClosed
	}
	select {
	case <-p.done:
		copy(outcome, p.outcome)
		return p.recorded, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-in.done:
		return false, ErrClosed
	}
}

// finish tells that the outcome is on disk, among entries.
func (p *post) finish(entries []journal.Entry) {
	copy(p.outcome, entries[p.at:p.at+len(p.outcome)])
	close(p.done)
}

// takePost takes a send that was carried out.
func (a *appender) takePost(p *post) {
	if p.unit == nil {
		a.batch.addOutcome(p)
		return
	}
	a.take(p.unit)
	if p.unit.post != nil {
		a.posts = append(a.posts, p)
	}
}

// expirePosts puts the outcomes that have waited long enough into the batch.
func (a *appender) expirePosts(b *batch) {
	now := time.Now()
	waiting := a.posts[:0]
	for _, p := range a.posts {
		switch {
		case p.unit.post == nil: // it is under way, or on disk
		case now.Before(p.deadline):
			waiting = append(waiting, p)
		default:
			p.unit.post = nil
			b.addOutcome(p)
		}
	}
	clear(a.posts[len(waiting):])
	a.posts = waiting
}
