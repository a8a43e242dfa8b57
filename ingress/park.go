package ingress

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// parking is where a group's messages wait for an earlier sequence.
type parking struct {
	units    []*unit // by sequence; what was told twice is in it twice
	since    time.Time
	deadline time.Time // when the gap before them is read from history
	reading  bool
	missing  uint64 // the sequence waited for: a new gap has a deadline of its own

	// far is the highest sequence that there was no room to keep; its report
	// and others are in dropped, and acknowledged when history was read up to it.
	far     uint64
	dropped []*report

	after []*unit // what is about the group's messages, without saying which

	start    bool // the group is unknown, and starts with the first of the units
	draining bool // unpark is at work on it
}

// maxParked bounds the messages of one group that wait.
const maxParked = 4096

// insert keeps a unit in its place.
func (a *appender) insert(p *parking, u *unit) {
	a.in.counters.waiting.Add(1)
	i, _ := slices.BinarySearchFunc(p.units, u, func(x, u *unit) int {
		if x.seq <= u.seq {
			return -1
		}
		return 1
	})
	p.units = slices.Insert(p.units, i, u)
}

// park keeps a message until what comes before it is there.
func (a *appender) park(u *unit) {
	p := a.parked[u.group]
	if p == nil {
		p = new(parking)
		a.parked[u.group] = p
	}
	a.waitFor(p, u.group)
	if len(p.units) >= maxParked && u.post == nil && u.report != nil && u.account.history != nil {
		p.far = max(p.far, u.seq)
		p.dropped = append(p.dropped, u.report)
		return
	}
	a.insert(p, u)
}

// mayStartBefore says of a message of an unknown group whether the group may
// have to start before it: what an account of the bridge sent overtakes what
// the account is being told.
func (a *appender) mayStartBefore(u *unit) bool {
	if u.seq == 1 || u.account == nil || u.account.history == nil {
		return false
	}
	p := a.parked[u.group]
	if p != nil && p.start {
		return false
	}
	return u.own || p != nil && len(p.units) > 0 && p.units[0].seq < u.seq
}

// waitFor starts the wait anew when another sequence is waited for.
func (a *appender) waitFor(p *parking, id tim.GroupID) {
	var missing uint64
	if g := a.draft.group(id); g != nil {
		missing = g.high + 1
	}
	if p.missing == missing && !p.since.IsZero() {
		return
	}
	p.missing = missing
	p.since = time.Now()
	p.deadline = p.since
	if missing != 0 {
		p.deadline = p.since.Add(a.in.cfg.GapWait)
	}
}

// unpark lets go what follows without a gap.
func (a *appender) unpark(id tim.GroupID) {
	p := a.parked[id]
	if p == nil || p.draining {
		return
	}
	p.draining = true
	defer func() { p.draining = false }()
	for len(p.units) > 0 {
		u := p.units[0]
		g := a.draft.group(id)
		if u.about && g != nil && u.seq > g.high ||
			!u.about && (g != nil && g.placeOf(u.seq, u.at) == placeAhead || g == nil && a.mayStartBefore(u)) {
			break
		}
		p.units = slices.Delete(p.units, 0, 1)
		a.in.counters.waiting.Add(-1)
		a.order(u)
	}
	g := a.draft.group(id)
	if g == nil || g.high >= p.far {
		for _, r := range p.dropped {
			a.batch.after = append(a.batch.after, r.settle)
		}
		p.dropped = nil
	}
	if len(p.units) == 0 && len(p.dropped) == 0 {
		delete(a.parked, id)
		a.in.counters.waiting.Add(-int64(len(p.after)))
		for _, u := range p.after {
			a.orderAbout(u)
		}
		return
	}
	a.waitFor(p, id)
}

// next is the lowest sequence of a message that is parked, one more than the
// highest that something parked is about when there is none.
func (p *parking) next() uint64 {
	for _, u := range p.units {
		if !u.about {
			return u.seq
		}
	}
	return p.units[len(p.units)-1].seq + 1
}

// expireParked reads gaps from history that were waited for long enough.
func (a *appender) expireParked(ctx context.Context, now time.Time) {
	for id, p := range a.parked {
		if !p.reading && !now.Before(p.deadline) {
			a.readGap(ctx, id, p, now)
		}
	}
}

// readGap has the gap before what is parked read from history.
func (a *appender) readGap(ctx context.Context, id tim.GroupID, p *parking, now time.Time) {
	g := a.draft.group(id)
	through := p.far
	if len(p.units) > 0 {
		through = p.next() - 1
	}
	if g != nil && through <= g.high {
		a.unpark(id)
		return
	}
	n := need{group: true, high: through}
	if g != nil {
		n.low = g.high + 1
	}
	var reader *account
	away := false
	for _, u := range p.units {
		switch {
		case u.account == nil:
		case !u.account.live:
			away = away || !u.account.known || u.account.history != nil
		case u.account.history != nil:
			reader = u.account
		}
		if reader != nil {
			break
		}
	}
	if reader == nil {
		if away {
			// Its catch-up will read the group.
			p.since, p.deadline = now, now.Add(a.in.cfg.GapWait)
			return
		}
		var user tim.UserID
		if len(p.units) > 0 && p.units[0].account != nil {
			user = p.units[0].account.user
		}
		a.passGap(id, p, user, n, "its history cannot be read")
		return
	}
	n.since = a.in.seen.stopOf(reader.user)
	p.reading = true
	r := reading{
		in: a.in, account: reader, history: reader.history,
		conv: tim.Group(id), subject: mapping.GroupSubject(id), need: n,
	}
	giveUp := p.since.Add(a.in.cfg.GapGiveUp)
	a.in.wg.Go(func() {
		ctx, cancel := context.WithDeadline(ctx, giveUp)
		defer cancel()
		err := r.run(ctx)
		a.in.queue.pushCall(func(a *appender) { a.gapRead(id, reader, n, err) })
	})
}

// gapRead goes on after an attempt to read a gap.
func (a *appender) gapRead(id tim.GroupID, reader *account, n need, err error) {
	p := a.parked[id]
	if p == nil {
		return
	}
	p.reading = false
	now := time.Now()
	switch {
	case err == nil:
		a.passGap(id, p, reader.user, n, notInHistory)
	case !reader.live, errors.Is(err, errBusy):
		// A catch-up reads the group, or will.
		p.since, p.deadline = now, now.Add(a.in.cfg.GapWait)
	case now.Sub(p.since) >= a.in.cfg.GapGiveUp || unreadable(err):
		a.passGap(id, p, reader.user, n, "reading it from history failed: "+err.Error())
	default:
		a.in.log.Debug("a gap could not be read yet", "group", id, "first_sequence", n.low, "last_sequence", n.high, "error", err)
		p.deadline = now.Add(a.in.cfg.GapWait)
	}
}

// passGap goes on after a gap, of which what is missing still is told.
func (a *appender) passGap(id tim.GroupID, p *parking, user tim.UserID, n need, reason string) {
	p.start = a.draft.group(id) == nil
	if n.low != 0 {
		a.tellThrough(user, id, n.low, n.high, reason)
	}
	a.unpark(id)
}

// tellThrough tells what is missing from first to through, save what is parked
// there, and lets that go in its place.
func (a *appender) tellThrough(user tim.UserID, id tim.GroupID, first, through uint64, reason string) {
	for a.err == nil {
		g := a.draft.group(id)
		if g == nil {
			return
		}
		if i := slices.IndexFunc(g.gaps, func(x gap) bool { return !x.told && x.last >= first && x.first <= through }); i >= 0 {
			x := g.gaps[i]
			a.tellGap(user, id, g, max(x.first, first), min(x.last, through), reason)
			continue
		}
		if through <= g.high {
			return
		}
		last := through
		if p := a.parked[id]; p != nil && len(p.units) > 0 {
			next := p.next()
			if next <= g.high+1 {
				a.unpark(id)
				continue
			}
			last = min(last, next-1)
		}
		a.tellGap(user, id, g, g.high+1, last, reason)
	}
}

func (a *appender) tellGap(user tim.UserID, id tim.GroupID, g *group, first, last uint64, reason string) {
	a.gapFact(user, mapping.AccountGapDetected{
		Conversation: tim.Group(id), FirstSeq: first, LastSeq: last,
		From: timeOf(g.topTime), To: a.in.deps.Now(), Reason: reason,
	})
}
