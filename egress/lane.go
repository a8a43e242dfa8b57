package egress

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// laneKey names a lane: an account and a conversation it acts in; the zero
// conversation for what has none.
type laneKey struct {
	account      tim.UserID
	conversation tim.Conversation
}

// laneOf is the lane of a command. A group's creation goes before everything
// in the group: its id is known beforehand, and commands may name it already.
func laneOf(it *item) laneKey {
	if c := it.cmd.CreateGroup; c != nil && c.Param.GroupID != "" {
		return laneKey{it.o.account, tim.Group(c.Param.GroupID)}
	}
	return laneKey{it.o.account, it.cmd.Conversation}
}

// lane is the commands of an account in a conversation, in their order. It has
// a goroutine as long as it has commands.
type lane struct {
	queue []*item // the first is being carried out

	// Of the lane's goroutine: what was read of the history, and the message
	// of the command before, whose outcome may not be journaled yet.
	past   *past
	latest key
}

// item is an unfinished command in its lane.
type item struct {
	key    key
	o      *open
	cmd    mapping.Command
	broken error // why the accepted command cannot be read any more

	// Of the goroutine that carries it out.
	turn    bool           // the rates have given it its turn
	doubt   bool           // nobody can tell whether it was carried out
	since   time.Time      // the earliest time at which it may have been
	called  time.Time      // the latest call that may still be on its way; zero for none
	doubted bool           // it was in doubt at some time
	files   *files         // of a send whose message has some; nil while they are not there
	fetches int            // how often fetching them went wrong
	seen    mapping.Result // what the service said when it was asked how things are
	asked   bool           // whether it is so already was asked since the last attempt
}

// hasConversation says whether a command acts in a conversation.
func hasConversation(cmd *mapping.Command) bool { return cmd.Conversation != tim.Conversation{} }

// dispatch puts a command at the end of its lane. e.mu is held.
func (e *Egress) dispatch(it *item) {
	it.key = it.o.key
	it.doubt = it.o.inDoubt()
	it.since = it.o.started
	if it.o.doubt {
		it.since = it.o.position.Time
	}
	it.called = it.o.latest
	k := laneOf(it)
	l := e.lanes[k]
	if l == nil {
		l = &lane{}
		e.lanes[k] = l
		e.working.Go(func() { e.runLane(k, l) })
	}
	l.queue = append(l.queue, it)
}

// runLane carries out a lane's commands one after the other. While a
// command's outcome is being journaled the next one is started already: its
// call comes after the first one's answer, and its outcome after the first
// one's outcome. Should the process end between, both are in doubt, and are
// settled in their order.
func (e *Egress) runLane(k laneKey, l *lane) {
	outcome := make(chan error, 1) // of the command before
	outcome <- nil
	for {
		e.mu.Lock()
		if len(l.queue) == 0 {
			e.mu.Unlock()
			err := <-outcome
			e.mu.Lock()
			if err != nil || len(l.queue) == 0 {
				delete(e.lanes, k)
				e.mu.Unlock()
				return
			}
			outcome <- nil
		}
		it := l.queue[0]
		e.mu.Unlock()

		v, err := e.carryOut(l, it)
		if before := <-outcome; err != nil || before != nil {
			return // the process ends; what is unfinished is taken up by the next
		}
		if v.posted != nil {
			l.latest = claimKey(it.o.account, *v.posted)
		}
		e.mu.Lock()
		l.queue[0] = nil
		l.queue = l.queue[1:]
		e.mu.Unlock()
		e.working.Go(func() { outcome <- e.finish(it, v) })
	}
}

// withdraw takes up to n commands of an account, the newest first, out of their
// lanes; those being carried out stay, and those in doubt.
func (e *Egress) withdraw(account tim.UserID, n int) []*item {
	e.mu.Lock()
	defer e.mu.Unlock()
	var tails []*lane
	for k, l := range e.lanes {
		if k.account == account {
			tails = append(tails, l)
		}
	}
	var out []*item
	for len(out) < n {
		var newest *lane
		for _, l := range tails {
			if q := len(l.queue); q > 1 && !l.queue[q-1].doubt &&
				(newest == nil || l.queue[q-1].o.accepted > newest.queue[len(newest.queue)-1].o.accepted) {
				newest = l
			}
		}
		if newest == nil {
			break
		}
		q := len(newest.queue) - 1
		out = append(out, newest.queue[q])
		newest.queue[q] = nil
		newest.queue = newest.queue[:q]
	}
	return out
}

// verdict is how a command ends.
type verdict struct {
	result  *mapping.Result // it succeeded
	posted  *tim.Message    // the message of a send
	err     *mapping.OutcomeError
	expired bool
	lost    bool // it failed in doubt
	claim   key
}

// next is what is to be done with a command: it ends, or it is tried again
// after a wait.
type next struct {
	verdict *verdict
	wait    time.Duration
}

// carryOut does one command, however often it has to be tried, and says how it
// ended. An error means that the process ends before the command does.
func (e *Egress) carryOut(l *lane, it *item) (*verdict, error) {
	if it.broken != nil {
		err := mapping.ErrorOf(it.broken)
		if _, ok := mapping.AsReject(it.broken); !ok {
			err.Code = mapping.RejectMalformed
		}
		return &verdict{err: err, lost: it.doubt}, nil
	}
	if it.doubt {
		e.count(func(s *Stats) { s.Doubts++ })
		it.doubted = true
	}
	defer func() { e.dropFiles(it) }()
	retry := backoff{min: e.cfg.RetryMin, max: e.cfg.RetryMax}
	for {
		client, v, waited, err := e.ready(it)
		if err != nil {
			return nil, err
		}
		if waited {
			retry.tries = 0
		}
		n := next{verdict: v}
		if v == nil {
			n, err = e.try(client, l, it, &retry)
			if err != nil {
				return nil, err
			}
		}
		if n.verdict != nil {
			return n.verdict, nil
		}
		if err := e.pause(it, n.wait); err != nil {
			return nil, err
		}
	}
}

// ready waits until the account can act, or the command ends without.
func (e *Egress) ready(it *item) (client tim.Client, v *verdict, waited bool, err error) {
	for {
		if err := e.stop.Err(); err != nil {
			return nil, nil, waited, err
		}
		a := e.deps.Accounts.Account(it.o.account)
		if v := e.overdue(it, a); v != nil {
			return nil, v, waited, nil
		}
		if a.State == StateConnected && a.Client != nil {
			return a.Client, nil, waited, nil
		}
		waited = true
		until := e.deadline(it)
		if a.State == StateUnavailable {
			until = earlier(until, a.Since.Add(e.cfg.AccountWait))
		}
		t := time.NewTimer(time.Until(until))
		select {
		case <-a.Changed:
		case <-t.C:
		case <-e.stop.Done():
		}
		t.Stop()
	}
}

// overdue says whether the time for a command has passed.
func (e *Egress) overdue(it *item, a Account) *verdict {
	now := time.Now()
	unable := a.State == StateUnavailable && !now.Before(a.Since.Add(e.cfg.AccountWait)) || a.State == StateUnknown
	late := !now.Before(it.o.at.Add(e.cfg.GiveUp))
	switch {
	case it.doubt && unable:
		return errInDoubt("the account has been kicked, refused or signed out before that could be found out")
	case it.doubt && late:
		return errInDoubt("the IM service could not be asked for too long")
	case it.doubt: // what was perhaps done has to be settled, expired or not
		return nil
	case expired(&it.cmd, now):
		return &verdict{expired: true, err: mapping.ErrorOf(errExpired(&it.cmd))}
	case unable:
		return &verdict{err: &mapping.OutcomeError{
			Code: mapping.CodeAccountUnavailable, Retryable: true,
			Text: fmt.Sprintf("%s was kicked, refused or signed out, and did not come back in time", it.o.account),
		}}
	case late:
		return &verdict{err: &mapping.OutcomeError{
			Code: mapping.CodeGaveUp, Retryable: true,
			Text: "the IM service could not carry it out for " + e.cfg.GiveUp.String(),
		}}
	}
	return nil
}

// deadline is when overdue is to be asked again.
func (e *Egress) deadline(it *item) time.Time {
	until := it.o.at.Add(e.cfg.GiveUp)
	if !it.doubt && !it.cmd.Expiry.IsZero() {
		until = earlier(until, it.cmd.Expiry)
	}
	return until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// pause waits between two attempts, but not beyond the command's time.
func (e *Egress) pause(it *item, d time.Duration) error {
	return sleep(e.stop, max(0, min(d, time.Until(e.deadline(it)))))
}

func errInDoubt(why string) *verdict {
	return &verdict{lost: true, err: &mapping.OutcomeError{
		Code: mapping.CodeInDoubt,
		Text: "nobody can tell whether it was carried out, so it is not repeated: " + why,
	}}
}

// finish journals how a command ended: the outcome and, for a send, its
// message in one append, or the outcome and the dead letter.
func (e *Egress) finish(it *item, v *verdict) error {
	o := mapping.Outcome{
		Type: mapping.TypeSucceeded, Command: it.cmd.Ref(), Subject: it.cmd.OutcomeSubject(), Position: onBus(it.o.position),
		At: time.Now(), Attempts: int(it.o.attempts), Result: v.result, Error: v.err,
		CorrelationID: it.cmd.CorrelationID, TraceParent: it.cmd.TraceParent,
	}
	var original []byte
	var err error
	switch {
	case v.expired:
		o.Type = mapping.TypeExpired
	case v.err != nil:
		o.Type = mapping.TypeFailed
	}
	if v.err != nil {
		if original, err = e.original(it.o.accepted); err != nil {
			return e.broke(e.end, err)
		}
	}
	public, err := e.publicEntries(o, original)
	if err != nil {
		return e.broke(e.end, err)
	}
	f := finished{Key: it.key, Public: uint8(len(public)), Lost: v.lost, Claim: v.claim}
	var facts []mapping.Fact
	if v.posted != nil {
		f.Sent = sentBy(&it.cmd, v.posted.Rand)
		if facts, err = e.facts(it, *v.posted); err != nil {
			return e.broke(e.end, err)
		}
	} else if v.lost && it.o.rand != 0 {
		f.Sent = sentBy(&it.cmd, uint64(it.o.rand))
	}
	entries := append([]journal.Entry{entry(journal.KindStarted, f.append(nil))}, public...)
	var first uint64
	if facts != nil {
		first, err = e.append(e.end, at0(f), func() (uint64, error) {
			if _, err := e.deps.Poster.Post(e.end, facts, entries); err != nil {
				return 0, err
			}
			return entries[0].Position, nil
		})
	} else {
		first, err = e.write(e.end, it.o.attempts > 0, entries, at0(f))
	}
	if err != nil {
		return err
	}
	e.deps.Finished(first+uint64(f.Public), it.o.at)
	e.deps.Step("outcome")
	e.count(func(s *Stats) {
		if v.err == nil || v.err.Code != mapping.CodeAccountBacklog {
			e.last[it.o.account] = time.Now()
		}
		switch {
		case v.expired:
			s.Expired++
		case v.err != nil:
			s.Failed[v.err.Code]++
		default:
			s.Succeeded++
		}
		if v.err != nil {
			s.DeadLetters++
		} else if it.doubted {
			s.Settled++
		}
	})
	return nil
}

// facts are what the message of a send is recorded as.
func (e *Egress) facts(it *item, m tim.Message) ([]mapping.Fact, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	facts, err := mapping.FromMessage(mapping.Observation{
		App: e.deps.App, Account: it.o.account, Cause: it.cmd.Cause(), ID: id,
	}, m)
	if err != nil {
		return nil, fmt.Errorf("message of command %s: %w", it.cmd.ID, err)
	}
	return facts, nil
}

// original reads the bytes of a command from the journal, for its dead letter.
func (e *Egress) original(position uint64) ([]byte, error) {
	r := e.deps.Journal.Read(position)
	entries, err := r.Next(e.end, 1, 0)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read command at %d: %w", position, err)
	}
	v, err := decodeBody(entries[0].Body)
	if err != nil {
		return nil, err
	}
	a, ok := v.(accepted)
	if !ok || entries[0].Position != position {
		return nil, fmt.Errorf("position %d holds no accepted command", position)
	}
	return a.Original, nil
}

// retryAfter is how long the service asked to wait.
func retryAfter(err error) time.Duration {
	if te, ok := tim.AsError(err); ok {
		return te.RetryAfter
	}
	return 0
}

// retryable says whether making the same call later can help.
func retryable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	te, ok := tim.AsError(err)
	return ok && (te.Retryable() || te.RetryAfter > 0 || ofAccount(te.Code))
}

// ofAccount says whether a code tells of the account rather than of the call:
// it is signed out, kicked, or its UserSig has expired. What becomes of the
// command then depends on what becomes of the account.
func ofAccount(c tim.Code) bool {
	switch c {
	case tim.CodeSDKNotInitialized, tim.CodeSDKNotLoggedIn, tim.CodeUserSigExpired, tim.CodeLoginKickedOffByOther,
		tim.CodeSvrAccountUserSigExpired, tim.CodeSDKAccountLoginInProcess, tim.CodeSDKAccountLogoutInProcess:
		return true
	}
	return false
}
