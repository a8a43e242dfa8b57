package ingress

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// CatchUp reads from history what the account missed, and then lets its live
// reports through. Call it after each sign-in and each reconnect, and after a
// new UserSig was handed in when one had expired, with the client that is
// signed in. Until it returns nil the account's messages are held, save those
// of conversations that it found up to date or has read.
//
// Each conversation whose last message is not journaled is read back to the
// last one that is; one of which nothing is journaled, back to since: when the
// account was last known to be connected. The zero since means what ingress
// itself knows of that (see [Ingress.LastConnected]); the first sign-in of an
// account reads nothing back, unless Config.Backfill says so. After a repair of
// the journal (bridge.journal_damaged was recorded) everything is read back to
// where the damage begins.
//
// A client that does not implement [tim.History] reads nothing back; that time
// has passed is told as account.gap_detected.
//
// It returns ErrInterrupted when the account lost its connection meanwhile, or
// another CatchUp of it began, and the error of the service when the account
// cannot read history at all. It can be called again at any time: what was
// read is journaled, and the rest is read then.
func (in *Ingress) CatchUp(ctx context.Context, account tim.UserID, client tim.Client, since time.Time) error {
	c := catchUp{in: in, account: in.accountOf(account), since: seconds(since), began: time.Now()}
	c.history, _ = client.(tim.History)
	c.pushes = pushes(client)
	if err := in.doInTurn(ctx, c.begin); err != nil {
		return err
	}
	if c.history == nil {
		return in.do(ctx, c.withoutHistory)
	}
	ctx, cancel := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() { c.tellProgress(ctx) })
	defer told.Wait()
	defer cancel()
	defer c.account.stats.end(c.began)
	err := in.retry(ctx, c.account, listTimeout, func(ctx context.Context) (err error) {
		c.list, err = c.history.Conversations(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := in.do(ctx, c.listed); err != nil {
		return err
	}
	if err := c.read(ctx); err != nil {
		return err
	}
	if err := in.do(ctx, c.end); err != nil {
		return err
	}
	if took := time.Since(c.began); took > quickCatchUp {
		in.log.Info("caught up", "account", account, "conversations", c.total, "messages", c.account.stats.messages.Load(), "took", took.Round(time.Millisecond))
	}
	return nil
}

const (
	// quickCatchUp is how long a catch-up takes of which nothing is said.
	quickCatchUp = time.Second
	// progressSaid is how often it is said how far a longer one has come.
	progressSaid = 10 * time.Second
)

// tellProgress says now and then how far the catch-up has come, until ctx ends.
func (c *catchUp) tellProgress(ctx context.Context) {
	for wait := quickCatchUp; ; wait = progressSaid {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		s := &c.account.stats
		c.in.log.Info("catching up: what was said while the account was away is read from history", "account", c.account.user,
			"conversations_read", s.read.Load(), "conversations", s.toRead.Load(), "messages", s.messages.Load(),
			"messages_held", s.held.Load(), "since", time.Since(c.began).Round(time.Second))
	}
}

// catchUp is one CatchUp under way. Its fields are written in the appender's
// goroutine and read after the call that wrote them has returned.
type catchUp struct {
	in      *Ingress
	account *account
	history tim.History
	since   int64
	epoch   uint64
	began   time.Time
	list    []tim.ConvInfo // until it was looked through
	newest  int64          // the service's time of the newest message in the list
	pushes  bool           // the client's service forgets what it has reported
	away    absence
	convs   []string // subjects of the conversations to read, by newest message; those before next are begun
	next    int
	total   int
}

// begin holds everything from here on.
func (c *catchUp) begin(a *appender) error {
	acct := c.account
	acct.lose()
	acct.history, acct.known, acct.pushes = c.history, true, c.pushes
	acct.catchUps++
	c.away = c.absenceOf(a)
	acct.stats.begin(c.began)
	c.epoch = acct.epoch
	return nil
}

// current says whether nothing has overtaken the catch-up.
func (c *catchUp) current() error {
	if c.account.epoch != c.epoch {
		return ErrInterrupted
	}
	return nil
}

// withoutHistory lets everything through and tells that something may be missing.
func (c *catchUp) withoutHistory(a *appender) error {
	if err := c.current(); err != nil {
		return err
	}
	s := a.in.seen.accounts[c.account.user]
	if s != nil && !s.provisional {
		a.gapFact(c.account.user, mapping.AccountGapDetected{
			From: timeOf(s.through), To: a.in.deps.Now(),
			Reason: "the account was not connected, and its client cannot read history",
		})
	}
	c.newest = a.in.deps.Now().Unix()
	return c.end(a)
}

// listed decides what is to be read, and lets the rest through.
func (c *catchUp) listed(a *appender) error {
	if err := c.current(); err != nil {
		return err
	}
	acct, s := c.account, a.in.seen
	for i := range c.list {
		if m := c.list[i].LastMsg; m != nil {
			c.newest = max(c.newest, int64(m.ServerTime))
		}
	}
	c.tellRooms(a)
	if p, ok := c.firstProgress(a); ok {
		a.progress(p)
	}
	for _, h := range acct.held {
		// Of an earlier catch-up, which did not come to its end.
		h.needed = nil
		h.dropped = append(h.covered, h.dropped...)
		h.covered, h.begun = nil, false
	}
	var changed []*unit
	var again []string // nothing is missing of these, but what became of it
	for i := range c.list {
		conv, last := c.list[i].Conversation(), c.list[i].LastMsg
		if last == nil || conv.Type != tim.ConvC2C && conv.Type != tim.ConvGroup {
			continue
		}
		subject := mapping.Subject(conv, acct.user)
		h := acct.held[subject]
		if n, ok := c.needOf(s, conv, subject, last); ok {
			if h == nil {
				h = &held{in: conv}
				acct.held[subject] = h
			}
			h.needed = &n
			c.convs = append(c.convs, subject)
		} else if n, ok := c.needChanges(s, conv, subject, last); ok {
			if h == nil {
				h = &held{in: conv}
				acct.held[subject] = h
			}
			h.needed = &n
			again = append(again, subject)
		} else if u := c.in.changedUnit(acct, last); u != nil {
			changed = append(changed, u)
		}
	}
	c.list = nil // it can be long, and what it says is known now
	c.convs = append(c.convs, again...)
	acct.listed, acct.first = true, nil
	a.takeChanged(changed)
	for subject, h := range acct.held {
		if h.needed == nil && len(h.dropped) > 0 {
			n := c.needSince(s, h.in, subject)
			n.since = min(n.since, h.droppedFrom)
			h.needed = &n
			c.convs = append(c.convs, subject)
		}
		switch {
		case h.needed == nil:
			c.release(a, subject)
		case len(h.units) > 0 || len(h.dropped) > 0:
			acct.first = append(acct.first, subject)
		}
	}
	slices.Sort(acct.first)
	c.total = len(c.convs)
	acct.stats.toRead.Store(int64(c.total))
	acct.count()
	return nil
}

// firstProgress is the progress of an account that never got as far as this.
func (c *catchUp) firstProgress(a *appender) (progress, bool) {
	known := a.in.seen.accounts[c.account.user]
	if known != nil && !known.provisional {
		return progress{}, false
	}
	if c.since == 0 && a.in.cfg.Backfill > 0 {
		c.since = a.in.deps.Now().Add(-a.in.cfg.Backfill).Unix()
	}
	from := min(c.newest, c.stopOf(a.in.seen, c.account.user))
	return progress{Account: c.account.user, Floor: from, Through: from}, true
}

// first says whether nothing that the account was told can have been lost yet.
func (c *catchUp) first(known *accountSeen) bool {
	return known == nil || known.provisional && c.account.announced && c.account.catchUps == 1
}

// stopOf is the service's time before which no conversation that the journal
// knows nothing of is read back for a user; math.MaxInt64 when it is not read
// back at all.
func (c *catchUp) stopOf(s *seen, user tim.UserID) int64 {
	self := user == c.account.user
	stop := int64(math.MaxInt64)
	if !self || !c.first(s.accounts[user]) {
		stop = s.stopOf(user)
	}
	if self && c.since != 0 {
		stop = min(stop, c.since)
	}
	return stop
}

// needSince is what there is to read of a conversation, whatever its last message.
func (c *catchUp) needSince(s *seen, conv tim.Conversation, subject string) need {
	n := need{group: conv.Type == tim.ConvGroup, since: c.stopOf(s, c.account.user), away: c.away}
	if a := s.accounts[c.account.user]; a != nil && !a.provisional {
		n.through = a.through
	}
	_, n.recheck = s.recheckFrom(c.account.user)
	if n.group {
		if g := s.groups[tim.GroupID(conv.ID)]; g != nil {
			n.low, _ = g.missing()
		}
		return n
	}
	if peer := tim.UserID(conv.ID); s.accounts[peer] != nil && peer != c.account.user {
		n.since = min(n.since, c.stopOf(s, peer))
	}
	n.known = s.talks[talkHash(subject)].last
	return n
}

// needOf is what there is to read of a conversation with that last message,
// false when nothing is.
func (c *catchUp) needOf(s *seen, conv tim.Conversation, subject string, last *tim.Message) (need, bool) {
	n := c.needSince(s, conv, subject)
	n.last = last
	key := mapping.KeyOf(c.account.user, *last)
	if n.group && key.Kind == mapping.KeyGroupSeq {
		switch g := s.groups[key.Group]; {
		case g == nil:
			return n, key.Time >= n.since && (n.recheck || !n.recorded(s, key))
		case g.reborn(key.Seq, key.Time):
			n.low, n.since = 0, g.ended
			return n, true
		default:
			_, below := g.missing()
			return n, below || key.Seq > g.high
		}
	}
	if n.recheck {
		return n, key.Time >= n.since
	}
	return n, key.Time >= n.since && !n.recorded(s, key)
}

// read reads what is to be read, a few conversations at a time.
func (c *catchUp) read(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range min(c.in.cfg.Readers, c.total) {
		group.Go(func() error {
			for {
				r := reading{in: c.in, account: c.account, history: c.history}
				err := c.in.ask(ctx, func(a *appender) error { return c.beginNext(a, &r) })
				if err != nil || r.subject == "" {
					return err
				}
				if err := c.readOne(ctx, &r); err != nil {
					return err
				}
				c.account.stats.read.Add(1)
			}
		})
	}
	return group.Wait()
}

// beginNext picks the conversation to read next, and says what is to be read
// of it: one in which something new waits to be let through, else the one with
// the newest message. None is left when r stays without a subject.
func (c *catchUp) beginNext(a *appender, r *reading) error {
	if err := c.current(); err != nil {
		return err
	}
	acct := c.account
	for len(acct.first) > 0 || c.next < len(c.convs) {
		var subject string
		if len(acct.first) > 0 {
			subject, acct.first = acct.first[0], acct.first[1:]
		} else {
			subject = c.convs[c.next]
			c.next++
		}
		if h := acct.held[subject]; h != nil && h.needed != nil && !h.begun {
			h.begun = true
			r.subject = subject
			return c.beginRead(a, r)
		}
	}
	return nil
}

// readOne reads a conversation that was begun, again if there was more of it
// than could be held meanwhile, and lets it through.
func (c *catchUp) readOne(ctx context.Context, r *reading) error {
	for {
		err := r.run(ctx)
		if unreadable(err) {
			err = c.in.do(ctx, func(a *appender) error { a.giveUp(r, err); return c.current() })
		}
		if err != nil {
			return err
		}
		again := false
		err = c.in.ask(ctx, func(a *appender) (err error) {
			if again, err = c.endRead(a, r.subject); again {
				err = c.beginRead(a, r)
			}
			return err
		})
		if err != nil || !again {
			return err
		}
	}
}

// beginRead says what is to be read of a conversation, as of now.
func (c *catchUp) beginRead(a *appender, r *reading) error {
	h := c.account.held[r.subject]
	h.covered = append(h.covered, h.dropped...)
	h.dropped = nil
	if h.needed.group && h.needed.low != 0 {
		if g := a.in.seen.groups[tim.GroupID(h.in.ID)]; g != nil {
			h.needed.low, _ = g.missing()
		}
	}
	r.conv, r.need, r.changed, r.read, r.receipts = h.in, *h.needed, nil, 0, nil
	r.need.force = len(h.covered) > 0
	return nil
}

// endRead lets a conversation through that was read; again when it is to be
// read once more before that.
func (c *catchUp) endRead(a *appender, subject string) (again bool, err error) {
	if err := c.current(); err != nil {
		return false, err
	}
	if len(c.account.held[subject].dropped) > 0 {
		return true, nil
	}
	c.release(a, subject)
	return false, nil
}

// release lets through what was held of a conversation.
func (c *catchUp) release(a *appender, subject string) {
	h := c.account.release(subject)
	for _, r := range h.covered {
		a.batch.after = append(a.batch.after, r.settle)
	}
	for _, u := range h.units {
		a.take(u)
	}
}

// giveUp tells that what is to be read of a conversation cannot be, and goes
// on with its last message.
func (a *appender) giveUp(r *reading, err error) {
	user, reason := r.account.user, "its history cannot be read: "+err.Error()
	id := tim.GroupID(r.conv.ID)
	if last := r.need.last; r.need.group && r.need.low != 0 && last != nil {
		a.tellThrough(user, id, r.need.low, last.Seq-1, reason)
	} else if from := max(r.need.known, r.need.since); last == nil && len(r.account.held[r.subject].covered) > 0 || last != nil && int64(last.ServerTime) > from {
		what := mapping.AccountGapDetected{Conversation: r.conv, From: timeOf(from), Reason: reason}
		if last != nil {
			what.To = timeOf(int64(last.ServerTime))
		}
		a.gapFact(user, what)
	}
	if r.need.away.changes != 0 {
		a.tellChangesUnread(r, reason)
	}
	if r.need.last != nil {
		if u := r.unit(r.need.last); u != nil {
			a.order(u)
		}
	}
	if r.need.group {
		a.unpark(id)
	}
}

// end lets everything through.
func (c *catchUp) end(a *appender) error {
	if err := c.current(); err != nil {
		return err
	}
	acct := c.account
	p := progress{Account: acct.user, Floor: c.newest, Through: c.newest, CaughtUp: true}
	if s := a.in.seen.accounts[acct.user]; s != nil {
		p.Floor, p.Through = s.floor, max(s.through, c.newest)
	}
	acct.live, acct.listed, acct.first = true, true, nil
	for subject := range acct.held {
		c.release(a, subject)
	}
	c.tellAbsence(a)
	if acct.pushes {
		p.Alive = a.in.deps.Now().Unix()
		if a.nextAlive.IsZero() {
			a.nextAlive = time.Now().Add(aliveEvery)
		}
	}
	a.progress(p)
	acct.count()
	return nil
}
