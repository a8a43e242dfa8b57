package ingress

import (
	"context"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// appender decides what is journaled, and when. All of it runs in Run's goroutine.
type appender struct {
	in    *Ingress
	draft *draft
	batch batch

	reports []*report // of this round
	later   []*unit   // to take before anything else in the next round
	touched []*account

	parked  map[tim.GroupID]*parking
	awaited map[mapping.Key]*waiting // what is about messages that are not there yet
	waits   int                      // units in awaited
	posts   []*post                  // that wait for what comes before their message, by deadline

	err   error // what Run ends with
	full  bool  // the journal takes no ordinary appends
	timer *time.Timer

	nextAlive time.Time // when it is noted again what is recorded; zero for never
}

func newAppender(in *Ingress) *appender {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &appender{in: in, draft: newDraft(in.seen), parked: make(map[tim.GroupID]*parking), awaited: make(map[mapping.Key]*waiting), timer: t}
}

// run goes on until ctx ends or the journal fails.
func (a *appender) run(ctx context.Context) error {
	defer a.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.in.queue.wake:
		case <-a.timer.C:
		}
		for {
			if err := a.round(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			if reports, _ := a.in.queue.size(); reports == 0 && len(a.later) == 0 {
				break
			}
		}
		a.setTimer()
	}
}

// round takes what waits and makes it durable.
func (a *appender) round(ctx context.Context) error {
	later := a.later
	a.later = nil
	for _, u := range later {
		a.take(u)
	}
	for _, f := range a.in.queue.takeCalls() {
		f(a)
	}
	for _, p := range a.in.queue.takePosts() {
		a.takePost(p)
	}
	var all bool
	a.reports, all = a.in.queue.takeReports(a.reports[:0], batchEntries, batchBytes)
	for _, r := range a.reports {
		a.takeReport(r)
	}
	clear(a.reports)
	now := time.Now()
	a.expireParked(ctx, now)
	a.expireWaiting(now)
	a.expirePosts(&a.batch)
	a.noteProgress(all && len(a.parked) == 0 && len(a.awaited) == 0)
	if all {
		a.noteAlive(now)
	}
	if a.err != nil {
		return a.err
	}
	return a.flush(ctx)
}

func (a *appender) takeReport(r *report) {
	if r.call != nil {
		r.call(a)
		return
	}
	if r.lost {
		r.account.lose()
	}
	units := r.units
	r.units = nil // those that are held keep themselves alive
	if len(units) == 0 {
		a.batch.after = append(a.batch.after, r.ack)
		return
	}
	for _, u := range units {
		a.take(u)
	}
}

// take puts a unit where it belongs: with what waits for history, with what
// waits for an earlier sequence, or into the batch.
func (a *appender) take(u *unit) {
	if u.account != nil && u.account.holds(u, a.in.cfg.MaxHeld) {
		u.account.hold(u, a.in.cfg.MaxHeld)
		return
	}
	if acct := u.account; acct != nil && acct.live {
		switch {
		case u.report != nil:
			acct.newest = max(acct.newest, u.at)
			a.touch(acct)
		case u.own:
			acct.sent = max(acct.sent, u.at)
			a.touch(acct)
		}
	}
	a.order(u)
}

// order puts a unit into the batch, or with what waits for an earlier sequence
// of its group.
func (a *appender) order(u *unit) {
	switch {
	case u.about:
		a.orderAbout(u)
		return
	case u.group == "":
		a.emit(u, false)
		return
	}
	g := a.draft.group(u.group)
	switch g.placeOf(u.seq, u.at) {
	case placeAhead:
		a.park(u)
	case placeStart:
		if g == nil && a.mayStartBefore(u) {
			a.park(u)
			return
		}
		a.emit(u, g == nil && a.in.seen.doubtful(u.at, true))
		a.unpark(u.group)
	case placeNext:
		a.emit(u, false)
		a.unpark(u.group)
	case placeGap, placeBelow:
		a.emit(u, true)
	case placeSeen:
		a.emitRest(u)
	}
}

// emit puts a unit into the batch: what of it is not recorded yet.
func (a *appender) emit(u *unit, late bool) {
	n := &u.facts[0].note
	if n.known && n.what != noteGroup && a.draft.hasHash(n.hash) {
		a.emitRest(u)
		return
	}
	if late = late || n.posted && a.in.seen.doubtful(u.at, false); late {
		a.in.makeLate(u)
		a.in.counters.late.Add(1)
	}
	a.emitFacts(u, true)
}

// emitRest puts a repeat into the batch: what of it is not recorded yet, such
// as that a message which is known was revoked meanwhile, and what waits for it.
func (a *appender) emitRest(u *unit) { a.emitFacts(u, false) }

func (a *appender) emitFacts(u *unit, first bool) {
	recorded := 0
	for i := range u.facts {
		f := &u.facts[i]
		switch {
		case i == 0 || f.withFirst:
			if !first {
				continue
			}
		case f.note.known && a.draft.hasHash(f.note.hash):
			continue
		}
		a.batch.add(entryOf(*f), f.note)
		a.draft.learn(&f.note)
		recorded++
	}
	if recorded == 0 {
		a.in.counters.repeats.Add(1)
	}
	if p := u.post; p != nil {
		u.post = nil
		p.recorded = recorded > 0
		a.batch.addOutcome(p)
	}
	a.batch.close()
	a.batch.settled = append(a.batch.settled, u)
	if first && !u.about {
		a.posted(u)
	}
}

// record puts facts of the bridge's own into the batch, save those that are
// recorded already.
func (a *appender) record(u *unit) {
	for i := range u.facts {
		f := &u.facts[i]
		if f.note.known && a.draft.hasHash(f.note.hash) {
			a.in.counters.repeats.Add(1)
			continue
		}
		a.batch.add(entryOf(*f), f.note)
		a.draft.learn(&f.note)
	}
	a.batch.close()
}

const (
	// progressEvery is how often, in seconds of the service's time, it is noted
	// how far a live account has come.
	progressEvery = 10
	// progressAhead is how far the service's clock may be ahead of ours.
	progressAhead = time.Hour
)

func (a *appender) touch(acct *account) {
	if !acct.touched {
		acct.touched = true
		a.touched = append(a.touched, acct)
	}
}

// noteProgress journals how far the live accounts have come, now and then: as
// far as the newest message they were told of. What an account sent says less,
// for it overtakes what the account is being told; but when nothing waits
// anywhere, the account was told by then what was said some time before.
func (a *appender) noteProgress(idle bool) {
	latest := a.in.deps.Now().Add(progressAhead).Unix()
	for _, acct := range a.touched {
		acct.touched = false
		s := a.in.seen.accounts[acct.user]
		if s == nil || s.provisional || !acct.live {
			continue
		}
		through := acct.newest
		if idle {
			through = max(through, acct.sent-margin)
		}
		if through = min(through, latest); through >= s.through+progressEvery {
			a.progress(progress{Account: acct.user, Floor: s.floor, Through: through})
		}
	}
	clear(a.touched)
	a.touched = a.touched[:0]
}

func (a *appender) progress(p progress) {
	e, err := p.entry()
	if err != nil {
		a.fail(err)
		return
	}
	p.Room = progressRoom
	a.batch.close()
	a.batch.add(e, note{what: noteProgress, progress: p})
	a.batch.close()
}

// fail ends Run with an error that leaves no way on.
func (a *appender) fail(err error) {
	if a.err == nil {
		a.err = fmt.Errorf("ingress: %w", err)
	}
}

// announce notes that an account is about to sign in for the first time, so
// that what it is told from now on is not lost if the bridge ends before the
// first catch-up has.
func (a *appender) announce(acct *account) {
	if a.in.seen.accounts[acct.user] != nil || acct.announced {
		return
	}
	acct.announced = true
	now := a.in.deps.Now().Unix()
	a.progress(progress{Account: acct.user, Floor: now, Through: now, Provisional: true})
}

// gapFact tells what cannot be read back, unless the same was told before.
func (a *appender) gapFact(user tim.UserID, what mapping.AccountGapDetected) {
	o := mapping.Observation{App: a.in.deps.App, Account: user}
	f, err := mapping.AccountFact(o, what, a.in.deps.Now())
	u := &unit{}
	if err == nil {
		err = a.in.fill(u, []mapping.Fact{f})
	}
	if err != nil {
		a.fail(fmt.Errorf("gap in %v: %w", what.Conversation, err))
		return
	}
	if n := &u.facts[0].note; n.known && a.draft.hasHash(n.hash) {
		return
	}
	if len(what.Covers) > 0 {
		a.in.log.Info("what the account was not told while it was away is in no history", "account", user, "from", what.From, "to", what.To)
		a.emitFacts(u, true)
		return
	}
	a.in.counters.gaps.Add(1)
	a.in.log.Warn("a gap: what was said cannot be read back", "account", user, "conversation", what.Conversation.String(),
		"first_sequence", what.FirstSeq, "last_sequence", what.LastSeq, "from", what.From, "to", what.To, "reason", what.Reason)
	a.emitFacts(u, true)
}

// setTimer wakes the appender when the next thing expires.
func (a *appender) setTimer() {
	next := a.nextAlive
	for _, p := range a.parked {
		if !p.reading && (next.IsZero() || p.deadline.Before(next)) {
			next = p.deadline
		}
	}
	for _, w := range a.awaited {
		if next.IsZero() || w.deadline.Before(next) {
			next = w.deadline
		}
	}
	for _, p := range a.posts {
		if p.unit != nil && p.unit.post == p && (next.IsZero() || p.deadline.Before(next)) {
			next = p.deadline
		}
	}
	a.timer.Stop()
	if !next.IsZero() {
		a.timer.Reset(max(0, time.Until(next)))
	}
}
