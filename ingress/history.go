package ingress

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// need is the part of a conversation that is to be read from history.
type need struct {
	// A group's messages from low on, and through high if that is not 0. Low 0
	// goes by time.
	group     bool
	low, high uint64
	// since is the service's time before which nothing is needed; through is
	// the time through which everything was recorded: of what was said by then
	// and may have been forgotten since, nothing is needed.
	since, through int64
	// A one-to-one talk is read back to the first message that is recorded as
	// told (see seen.told), unless recheck is set.
	recheck bool
	// known is when the newest recorded message of a one-to-one talk was sent,
	// 0 when none is.
	known int64
	// last is the conversation's last message as the account's list has it.
	last *tim.Message
	// force: it is read even if last is recorded.
	force bool
	// away is the absence for which messages that are recorded are read too.
	away absence
}

const (
	// pageSize is how many messages are asked for at a time.
	pageSize = 100
	// keepBytes is how much is kept in memory on the way back; what is newer is
	// read again on the way forward.
	keepBytes = 4 << 20
	// callTimeout is how long an answer of the service is waited for,
	// listTimeout how long the list of conversations, which can be long.
	callTimeout = 30 * time.Second
	listTimeout = 2 * time.Minute
)

// reading reads a part of one conversation from history and has it journaled,
// oldest first. It may be interrupted anywhere: what is journaled is then all
// that is older than the rest, and the next reading goes on after it.
type reading struct {
	in      *Ingress
	account *account
	history tim.History
	conv    tim.Conversation
	subject string
	need    need
	// changed are messages that are recorded and were revoked or modified since,
	// as far as what was read shows it, newest first.
	changed []*unit
	// read is up to when the peer of a talk has read it, and receipts are who has
	// read what.
	read     uint64
	receipts []tim.MessageReceipt
}

// page is where a page of history was read, and what was in it while it is kept.
type page struct {
	before *spot   // the query
	oldest *spot   // where the page ends
	units  []*unit // newest first; nil when they are to be read again
	bytes  int
}

// spot is where a message lies in a conversation: what history needs to know of
// it to go on from there. Many are kept where much has to be read.
type spot struct {
	time, seq, rand uint64
	id              tim.MessageID
}

func spotOf(m *tim.Message) *spot { return &spot{m.ServerTime, m.Seq, m.Rand, m.MsgID} }

// in is the message that a query names; nil for none.
func (s *spot) in(conv tim.Conversation) *tim.Message {
	if s == nil {
		return nil
	}
	return &tim.Message{ConvType: conv.Type, ConvID: conv.ID, ServerTime: s.time, Seq: s.seq, Rand: s.rand, MsgID: s.id}
}

// run reads. It returns an error when the history could not be read, with
// whatever was read before journaled or not.
func (r *reading) run(ctx context.Context) error {
	unlock, err := r.in.lockConversation(ctx, r.subject)
	if err != nil {
		return err
	}
	defer unlock()
	if !r.still() {
		return nil
	}
	pages, end, err := r.back(ctx)
	if err != nil {
		return err
	}
	if err := r.tellChanged(ctx); err != nil {
		return err
	}
	if err := r.forward(ctx, pages, end); err != nil {
		return err
	}
	return r.tellRead(ctx)
}

// still says whether what is needed is not recorded yet: another account's
// reading may have been faster.
func (r *reading) still() bool {
	n := &r.need
	if n.force || n.recheck || n.away.changes != 0 || n.group && n.low == 0 || n.last == nil && n.high == 0 {
		return true
	}
	if !n.group {
		return !r.in.recorded(n, mapping.KeyOf(r.account.user, *n.last))
	}
	r.in.mu.RLock()
	defer r.in.mu.RUnlock()
	g := r.in.seen.groups[tim.GroupID(r.conv.ID)]
	if g == nil {
		return true
	}
	_, below := g.missing()
	return below || r.high() > g.high
}

// recorded says of a message whether it is recorded, and with it all that was
// told before it.
func (n *need) recorded(s *seen, k mapping.Key) bool {
	if n.group {
		return s.groups[k.Group] == nil && k.Time <= n.through && s.doubtful(k.Time, true)
	}
	return s.told(k) || k.Time <= n.through && s.doubtful(k.Time, false) && !s.has(k)
}

// back pages backwards until nothing more is needed, and on as far as messages
// that are recorded can have changed. It keeps the oldest pages that are needed,
// and of the others where they are. end is history's oldest message if it ended
// before what is recorded was reached, else nil.
func (r *reading) back(ctx context.Context) (pages []page, end *unit, err error) {
	var before *spot
	if r.need.group && r.need.high != 0 {
		before = &spot{seq: r.need.high + 1}
	}
	kept, keptBytes := 0, 0 // the pages from kept on have their units
	past := false           // what is recorded was reached
	for {
		msgs, err := r.in.messages(ctx, r.account, r.history, r.conv, before.in(r.conv))
		if err != nil {
			return nil, nil, err
		}
		p := page{before: before}
		for i := range msgs {
			m := &msgs[i]
			if err := r.readBy(ctx, m); err != nil {
				return nil, nil, err
			}
			if past = past || r.reached(m); past {
				end = nil
				if err := r.look(ctx, m); err != nil {
					return nil, nil, err
				}
			} else if u := r.unit(m); u != nil {
				p.units = append(p.units, u)
				p.bytes += u.bytes
				p.oldest = spotOf(m)
				end = u
			}
		}
		if len(p.units) > 0 {
			pages = append(pages, p)
			for keptBytes += p.bytes; keptBytes > keepBytes && kept < len(pages)-1; kept++ {
				keptBytes -= pages[kept].bytes
				pages[kept].units = nil
			}
		}
		if len(msgs) < pageSize || past && r.unchanged(&msgs[len(msgs)-1]) {
			return pages, end, nil
		}
		before = spotOf(&msgs[len(msgs)-1])
	}
}

// unchanged says whether the message, and so all that is older, is not looked
// at for what became of it.
func (r *reading) unchanged(m *tim.Message) bool {
	return r.need.away.changes == 0 || int64(m.ServerTime) < r.need.away.changes
}

// reached says whether the message, and so all that is older, is not needed.
func (r *reading) reached(m *tim.Message) bool {
	n := &r.need
	if n.group && n.low != 0 {
		return m.Seq != 0 && m.Seq < n.low
	}
	if int64(m.ServerTime) < n.since {
		return true
	}
	if n.recheck {
		return false
	}
	return r.in.recorded(n, mapping.KeyOf(r.account.user, *m))
}

func (r *reading) unit(m *tim.Message) *unit {
	o := mapping.Observation{App: r.in.deps.App, Account: r.account.user}
	return r.in.messageUnit(o, r.account, m)
}

// forward journals the pages, oldest first.
func (r *reading) forward(ctx context.Context, pages []page, end *unit) error {
	if end != nil && !r.need.group && r.need.known != 0 && end.at > r.need.known {
		// The talk was known before, and its history does not reach back to what is recorded.
		gap := mapping.AccountGapDetected{
			Conversation: r.conv, From: timeOf(r.need.known), To: timeOf(end.at),
			Reason: "the conversation's history does not reach back to it",
		}
		if err := r.in.do(ctx, func(a *appender) error { a.gapFact(r.account.user, gap); return nil }); err != nil {
			return err
		}
	}
	for _, p := range slices.Backward(pages) {
		units := p.units
		if units == nil {
			var err error
			if units, err = r.again(ctx, &p); err != nil {
				return err
			}
		}
		slices.Reverse(units)
		if err := r.in.do(ctx, func(a *appender) error { a.takeRead(r, units); return nil }); err != nil {
			return err
		}
	}
	if high := r.high(); r.need.group && high != 0 {
		return r.in.do(ctx, func(a *appender) error {
			a.tellThrough(r.account.user, tim.GroupID(r.conv.ID), r.need.low, high, notInHistory)
			a.unpark(tim.GroupID(r.conv.ID))
			return nil
		})
	}
	return nil
}

// again reads a page once more, however far its messages were pushed down by
// what was said meanwhile.
func (r *reading) again(ctx context.Context, p *page) ([]*unit, error) {
	var units []*unit
	for before := p.before; ; {
		msgs, err := r.in.messages(ctx, r.account, r.history, r.conv, before.in(r.conv))
		if err != nil {
			return nil, err
		}
		for i := range msgs {
			m := &msgs[i]
			if r.older(m, p.oldest) {
				return units, nil
			}
			if u := r.unit(m); u != nil {
				units = append(units, u)
			}
			if m.Seq == p.oldest.seq && m.Rand == p.oldest.rand && m.ServerTime == p.oldest.time {
				return units, nil
			}
		}
		if len(msgs) < pageSize {
			return units, nil
		}
		before = spotOf(&msgs[len(msgs)-1])
	}
}

// older says whether a message was sent before another, as far as the service
// tells.
func (r *reading) older(m *tim.Message, than *spot) bool {
	if r.need.group && m.Seq != 0 && than.seq != 0 {
		return m.Seq < than.seq
	}
	return m.ServerTime < than.time
}

const notInHistory = "it is not in the conversation's history"

// high is the sequence through which the reading was to go, 0 when it is not known.
func (r *reading) high() uint64 {
	if r.need.high != 0 || r.need.last == nil {
		return r.need.high
	}
	return r.need.last.Seq
}

// takeRead takes units that were read from history, oldest first.
func (a *appender) takeRead(r *reading, units []*unit) {
	a.in.counters.read.Add(uint64(len(units)))
	r.account.stats.messages.Add(int64(len(units)))
	for _, u := range units {
		if u.group != "" && u.seq > 1 {
			a.tellThrough(r.account.user, u.group, max(r.need.low, 1), u.seq-1, notInHistory)
		}
		a.order(u)
	}
}

// takeChanged takes messages that are recorded, for what has become of them
// since, newest first.
func (a *appender) takeChanged(units []*unit) {
	for _, u := range slices.Backward(units) {
		if !u.account.overtaken(u) {
			a.order(u)
		}
	}
}

// messages reads one page, again and again until the service answers, or says
// that it never will.
func (in *Ingress) messages(ctx context.Context, acct *account, h tim.History, conv tim.Conversation, before *tim.Message) (msgs []tim.Message, err error) {
	err = in.retry(ctx, acct, callTimeout, func(ctx context.Context) error {
		msgs, err = h.Messages(ctx, conv, tim.HistoryQuery{Before: before, Count: pageSize})
		return err
	})
	return msgs, err
}

// retry repeats a call while that can help. When the service says that an
// account asks too often, or to wait, all of the account's readers do.
func (in *Ingress) retry(ctx context.Context, acct *account, timeout time.Duration, call func(context.Context) error) error {
	wait := in.cfg.RetryMin
	for {
		for quiet := acct.quiet(); quiet > 0 && ctx.Err() == nil; quiet = acct.quiet() {
			pause(ctx, quiet)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		callCtx, cancel := context.WithTimeout(ctx, timeout)
		err := call(callCtx)
		timedOut := callCtx.Err() != nil
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e, ok := tim.AsError(err)
		if !timedOut && (!ok || !e.Retryable()) {
			return err
		}
		after := wait/2 + rand.N(wait/2+1)
		if ok {
			after = max(after, e.RetryAfter)
			if e.RetryAfter > 0 || tooOften(e.Code) {
				acct.beQuiet(after)
			}
		}
		in.log.Debug("history is read again later", "in", after, "error", err)
		pause(ctx, after)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait = min(2*wait, in.cfg.RetryMax)
	}
}

// tooOften says whether a code means that calls come too fast.
func tooOften(c tim.Code) bool {
	switch c {
	case tim.CodeSDKCommAPICallFrequencyLimit, tim.CodeSvrGroupFreqLimit, tim.CodeSvrSSOFreqLimit, tim.CodeSvrSSOFrequencyLimit:
		return true
	}
	return false
}

// unreadable says that the service will never let this conversation's history
// be read: neither the connection nor the account is what is wrong.
func unreadable(err error) bool {
	e, ok := tim.AsError(err)
	if !ok || e.Retryable() || e.Code == tim.CodeOK {
		return false
	}
	switch e.Code {
	case tim.CodeSDKNotInitialized, tim.CodeSDKNotLoggedIn, tim.CodeUserSigExpired, tim.CodeLoginKickedOffByOther,
		tim.CodeNoPreviousLogin, tim.CodeReqKickOff, tim.CodeRequestKickOff:
		return false
	}
	signature := e.Code >= 70000 && e.Code < 71000 // it is the account that was refused
	return !signature && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// lockConversation lets one goroutine at a time read a conversation: accounts
// that share one would all read the same.
func (in *Ingress) lockConversation(ctx context.Context, subject string) (unlock func(), err error) {
	for {
		in.readMu.Lock()
		busy := in.readBusy[subject]
		if busy == nil {
			mine := make(chan struct{})
			in.readBusy[subject] = mine
			in.readMu.Unlock()
			return func() {
				in.readMu.Lock()
				delete(in.readBusy, subject)
				in.readMu.Unlock()
				close(mine)
			}, nil
		}
		in.readMu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errBusy, ctx.Err())
		}
	}
}

// errBusy is returned when another reading of the conversation did not end in time.
var errBusy = errors.New("the conversation is being read already")
