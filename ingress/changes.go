package ingress

import (
	"context"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// A service that pushes forgets a report that it handed over, and one that it
// had nobody to hand to. What became of messages while an account was away is
// then told by nobody; but history shows it of each message as it is now. So
// after each absence every conversation is read back as far as messages can
// have changed meanwhile, and what history shows and was not recorded is.
// Whatever no history shows is told as one account.gap_detected.

const (
	// DefaultChangeWindow is how long before an absence a message may have been
	// sent that is looked at again.
	DefaultChangeWindow = time.Hour
	// maxChanged bounds what history shows to have changed and is kept until it
	// is recorded.
	maxChanged = 500
	// aliveEvery is how often it is noted that what an account was told by then
	// is recorded.
	aliveEvery = time.Minute
)

// forgotten are the types of the events that may be missing after an absence.
var forgotten = []string{
	mapping.TypeMessageRevoked, mapping.TypeMessageModified, mapping.TypeMessageRead,
	mapping.TypeGroupCreated, mapping.TypeGroupMemberJoined, mapping.TypeGroupMemberLeft, mapping.TypeGroupMemberKicked,
	mapping.TypeGroupMemberChanged, mapping.TypeGroupInfoChanged, mapping.TypeGroupDismissed,
	mapping.TypeGroupJoinRequested, mapping.TypeGroupRequestHandled, mapping.TypeGroupInvited, mapping.TypeGroupCustomNotified,
	mapping.TypeUserStatusChanged, mapping.TypeUserProfileChanged, mapping.TypeUnrecognized,
}

// absence is the time in which an account may have been told something that is
// not recorded, in seconds of the service's clock; zero where its service keeps
// what it reports, or where this is the account's first sign-in.
type absence struct {
	from, to int64
	// changes is when the oldest message was sent that is looked at again; 0
	// when none is.
	changes int64
}

// pushes says whether the client's service forgets what it has reported.
func pushes(client tim.Client) bool {
	r, ok := client.(tim.Redeliverer)
	return !ok || !r.Redelivers()
}

// absenceOf is the absence that a catch-up ends.
func (c *catchUp) absenceOf(a *appender) absence {
	s, user := a.in.seen, c.account.user
	known := s.accounts[user]
	if !c.account.pushes || c.history == nil || known == nil || c.first(known) {
		return absence{}
	}
	out := absence{from: s.goneFrom(user), to: a.in.deps.Now().Unix() + 1}
	if window := a.in.cfg.ChangeWindow; window > 0 {
		out.changes = max(out.from-int64(window/time.Second), s.changesFrom(), 1)
	}
	return out
}

// goneFrom is the time through which everything that the account was told is
// recorded, whatever it was.
func (s *seen) goneFrom(user tim.UserID) int64 {
	a := s.accounts[user]
	from := max(a.through, a.alive) - margin
	if damaged, recheck := s.recheckFrom(user); recheck {
		from = min(from, damaged-margin)
	}
	return max(from, 0)
}

// changesFrom is the time from which on it is remembered what became of
// messages; 0 when nothing was forgotten.
func (s *seen) changesFrom() int64 {
	if s.forgotten == 0 || s.hashes.count == 0 {
		return 0
	}
	return s.hashes.oldest().time() + margin
}

// needChanges is what there is to read of a conversation of which every message
// is recorded, false when nothing is.
func (c *catchUp) needChanges(s *seen, conv tim.Conversation, subject string, last *tim.Message) (need, bool) {
	if c.away.changes == 0 || int64(last.ServerTime) < c.away.changes {
		return need{}, false
	}
	return c.needSince(s, conv, subject), true
}

// tellAbsence tells what of an absence no history shows.
func (c *catchUp) tellAbsence(a *appender) {
	if c.away == (absence{}) {
		return
	}
	a.gapFact(c.account.user, mapping.AccountGapDetected{
		From: timeOf(c.away.from), To: timeOf(max(c.away.to, c.newest)), Covers: forgotten, ChangesReadFrom: timeOf(c.away.changes),
		Reason: "the account was not connected, and its service does not report again what it reported then",
	})
}

// tellChangesUnread tells that what became of a conversation's messages during
// an absence cannot be read.
func (a *appender) tellChangesUnread(r *reading, reason string) {
	a.gapFact(r.account.user, mapping.AccountGapDetected{
		Conversation: r.conv, From: timeOf(r.need.away.from), To: timeOf(r.need.away.to),
		Covers: []string{mapping.TypeMessageRevoked, mapping.TypeMessageModified, mapping.TypeMessageRead}, Reason: reason,
	})
}

// look takes note of what history shows of a message that is recorded, as far
// as that is not recorded itself.
func (r *reading) look(ctx context.Context, m *tim.Message) error {
	if u := r.in.changedUnit(r.account, m); u != nil {
		if r.changed = append(r.changed, u); len(r.changed) >= maxChanged {
			return r.tellChanged(ctx)
		}
	}
	return nil
}

// tellChanged has what changed recorded. The reports that wait come first: what
// the account was told meanwhile is newer than what was away.
func (r *reading) tellChanged(ctx context.Context) error {
	changed := r.changed
	r.changed = nil
	if len(changed) == 0 {
		return nil
	}
	return r.in.doInTurn(ctx, func(a *appender) error { a.takeChanged(changed); return nil })
}

// overtaken says of what history shows of a message whether a report that is
// held tells it, or tells what came before it: then reports tell all of it.
func (a *account) overtaken(u *unit) bool {
	h := a.held[u.conv]
	if h == nil || u.message == nil {
		return false
	}
	of := keyAbout(mapping.KeyOf(a.user, *u.message))
	for _, x := range h.units {
		if !x.about || keyAbout(x.of) != of {
			continue
		}
		if u.message.Status == tim.MsgRevoked || x.version != 0 && x.version <= u.message.Version {
			return true
		}
	}
	return false
}

// noteAlive journals, now and then, that what the live accounts of services
// that push were told by now is recorded.
func (a *appender) noteAlive(now time.Time) {
	if a.nextAlive.IsZero() || now.Before(a.nextAlive) {
		return
	}
	a.nextAlive = time.Time{}
	a.in.mu.RLock()
	defer a.in.mu.RUnlock()
	for _, acct := range a.in.accounts {
		if !acct.live || !acct.pushes {
			continue
		}
		a.nextAlive = now.Add(aliveEvery)
		if s := a.in.seen.accounts[acct.user]; s != nil && !s.provisional {
			a.progress(progress{Account: acct.user, Floor: s.floor, Through: s.through, Alive: a.in.deps.Now().Unix()})
		}
	}
}
