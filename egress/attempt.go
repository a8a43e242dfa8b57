package egress

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// try takes one step towards the command's end: it settles the doubt there is,
// or makes an attempt.
func (e *Egress) try(client tim.Client, l *lane, it *item, retry *backoff) (next, error) {
	if lacks := unsupported(client, &it.cmd); lacks != nil {
		if it.doubt {
			return next{verdict: errInDoubt(lacks.Text)}, nil
		}
		return next{verdict: &verdict{err: lacks}}, nil
	}
	if it.doubt {
		n, done, err := e.settleFirst(client, l, it, retry)
		if err != nil || done {
			return n, err
		}
	}
	if !it.turn {
		it.turn = true
		if d := e.limiter.reserve(it.o.account, it.cmd.Verb()); d > 0 {
			return next{wait: d}, nil
		}
	}
	if it.cmd.Send != nil && len(it.cmd.Send.Media) > 0 {
		return e.tryWithFiles(client, l, it, retry)
	}
	return e.tryOnce(client, l, it, retry)
}

// settleFirst settles a doubt that a repeat would not. done says that this is
// all that is to be done for now.
func (e *Egress) settleFirst(client tim.Client, l *lane, it *item, retry *backoff) (n next, done bool, err error) {
	switch {
	case it.cmd.Send != nil && !e.repeatable(client, it):
		n, settled, err := e.settle(client, l, it, retry)
		if err == nil && settled {
			it.doubt, it.since, it.called = false, time.Time{}, time.Time{}
			// Whether it has expired is looked at again.
		}
		return n, true, err
	case it.cmd.Modify != nil && !it.asked:
		// To modify again what was modified would be a change of its own, and
		// take back what somebody else has made of it since.
		so, _, err := e.holds(client, it)
		switch {
		case e.end.Err() != nil:
			return next{}, true, e.end.Err()
		case err != nil:
			return next{wait: retry.next(retryAfter(err))}, true, nil
		case so:
			return next{verdict: already(it)}, true, nil
		}
		it.asked = true
	}
	return next{}, false, nil
}

// tryOnce makes an attempt.
func (e *Egress) tryOnce(client tim.Client, l *lane, it *item, retry *backoff) (next, error) {
	if err := e.start(client, it); err != nil {
		return next{}, err
	}
	if v := e.overdue(it, Account{State: StateConnected}); v != nil {
		return next{verdict: v}, nil // the disk was full for long
	}
	it.turn, it.asked = false, false
	return e.attempt(client, l, it, retry)
}

// start journals an attempt before it is made. A send gets its random with the
// first, where the driver carries it to the service.
func (e *Egress) start(client tim.Client, it *item) error {
	s := started{Key: it.key, Attempt: it.o.attempts + 1, At: time.Now(), Rand: it.o.rand}
	if _, ok := client.(tim.Resender); ok && it.cmd.Send != nil && s.Rand == 0 {
		e.mu.Lock()
		s.Rand = e.draw.draw()
		e.mu.Unlock()
	}
	if s.Rand != 0 {
		// Before the call, so that whoever reports the message finds its cause.
		e.mu.Lock()
		if e.sends != nil {
			e.sends[sendKey{it.o.account, uint64(s.Rand)}] = sentBy(&it.cmd, uint64(s.Rand))
		}
		e.mu.Unlock()
	}
	entries := []journal.Entry{entry(journal.KindStarted, s.append(nil))}
	if _, err := e.write(e.stop, it.o.attempts > 0, entries, at0(s)); err != nil {
		return err
	}
	e.deps.Step("started")
	return nil
}

// attempt calls the IM service once.
func (e *Egress) attempt(client tim.Client, l *lane, it *item, retry *backoff) (next, error) {
	e.count(func(s *Stats) {
		s.Attempts[it.cmd.Verb()]++
		if it.o.attempts > 1 {
			s.Retries++
		}
	})
	began := time.Now()
	ctx, cancel := context.WithTimeout(e.end, e.callTimeout(it))
	v, err := e.call(ctx, client, it)
	cancel()
	e.deps.Called(time.Since(began))
	e.deps.Step("call_returned")
	if err == nil {
		return next{verdict: v}, nil
	}
	if e.end.Err() != nil {
		return next{}, e.end.Err()
	}
	so, asked := e.alreadySo(client, it, err)
	if so {
		return next{verdict: already(it)}, nil
	}
	te, ok := tim.AsError(err)
	switch {
	case !ok, te.Effect == tim.EffectUnknown, te.Effect == tim.EffectDone && it.cmd.Send != nil:
		if !it.doubt {
			it.doubt, it.doubted, it.since = true, true, began
			e.count(func(s *Stats) { s.Doubts++ })
		}
		it.called = began
		return next{wait: retry.next(retryAfter(err))}, nil
	case te.Effect == tim.EffectDone:
		return next{verdict: &verdict{result: bareResult(&it.cmd)}}, nil
	case retryable(err):
		return next{wait: retry.next(te.RetryAfter)}, nil
	case asked != nil: // whether it is so already could not be found out yet
		return next{wait: retry.next(retryAfter(asked))}, nil
	case it.doubt:
		// This attempt was refused; an earlier one may have gone through.
		return e.conclude(client, l, it, mapping.ErrorOf(err), retry)
	}
	return next{verdict: &verdict{err: mapping.ErrorOf(err)}}, nil
}

// already is the success of what was so already.
func already(it *item) *verdict {
	result := bareResult(&it.cmd)
	result.Already, result.Settled = true, it.doubt
	result.Version, result.Group = it.seen.Version, it.seen.Group
	if it.cmd.Join != nil {
		result.Status = mapping.StatusJoined
	}
	return &verdict{result: result}
}

// newID makes an id for what has none of its own.
func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}
