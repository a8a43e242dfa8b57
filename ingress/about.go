package ingress

import (
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// What is told about messages (that one was revoked, modified, read) and about
// a group by its callback is in no history: it is never dropped to be read
// again. It comes after the message that it is about, where that is on its
// way: what an account of the bridge sent is recorded by its outcome, which the
// report about it can overtake.

const (
	// maxWaiting bounds what waits for the messages that it is about; beyond it
	// it is recorded at once.
	maxWaiting = 4096
	// maxHeldAbout is how many times Config.MaxHeld is held of an account when
	// part of it is about messages and cannot be dropped; beyond it that is
	// recorded at once too.
	maxHeldAbout = 4
)

// waiting is what waits for a message, and until when.
type waiting struct {
	units    []*unit
	deadline time.Time
}

// keyAbout names a message for what waits for it, whoever tells its time.
func keyAbout(k mapping.Key) mapping.Key {
	k.Time = 0
	return k
}

// orderAbout puts what is about a message into the batch, or has it wait.
func (a *appender) orderAbout(u *unit) {
	if p := a.parked[u.group]; p != nil && u.group != "" {
		switch g := a.draft.group(u.group); {
		case u.seq == 0: // it does not say which message
			if len(p.after) < maxWaiting {
				p.after = append(p.after, u)
				a.in.counters.waiting.Add(1)
				return
			}
		case g != nil && u.seq > g.high:
			a.insert(p, u)
			return
		}
	}
	if a.toldBefore(u) {
		a.emitRest(u)
		return
	}
	if !u.waited && a.waits < maxWaiting && (a.awaits(u.of) || a.awaitsSend(u)) {
		u.waited = true
		a.await(u)
		return
	}
	a.emit(u, false)
}

// awaits says whether the message may yet be recorded before what is about it.
func (a *appender) awaits(of mapping.Key) bool {
	switch of.Kind {
	case mapping.KeyHash:
		return !a.draft.hasHash(of.Hash)
	case mapping.KeyGroupSeq:
		g := a.draft.group(of.Group)
		return g == nil || of.Seq > g.high
	}
	return false
}

// awaitsSend says of what does not say which message it is about whether that
// may be one that the account is sending.
func (a *appender) awaitsSend(u *unit) bool {
	return u.read && a.in.deps.Causes != nil && a.in.deps.Causes.Sending(u.account.user, u.in)
}

// key is what a unit is awaited by: the message that it is about, or any that
// its account sends in the conversation.
func (u *unit) key() mapping.Key {
	if u.read {
		return sendKey(u)
	}
	return keyAbout(u.of)
}

// sendKey stands for what an account sends in a conversation.
func sendKey(u *unit) mapping.Key {
	return mapping.Key{Group: tim.GroupID(string(u.account.user) + " " + u.conv)}
}

func (a *appender) await(u *unit) {
	k := u.key()
	w := a.awaited[k]
	if w == nil {
		w = &waiting{deadline: time.Now().Add(a.in.cfg.GapWait)}
		a.awaited[k] = w
	}
	w.units = append(w.units, u)
	a.waits++
	a.in.counters.waiting.Add(1)
}

// posted lets go what waits for the message that was just put into the batch.
func (a *appender) posted(u *unit) {
	if len(a.awaited) == 0 {
		return
	}
	k := mapping.Key{Kind: mapping.KeyGroupSeq, Group: u.group, Seq: u.seq}
	if u.group == "" {
		n := &u.facts[0].note
		k = mapping.Key{Kind: mapping.KeyHash, Hash: n.hash}
	}
	a.letGo(k)
	if u.own && u.account != nil {
		a.letGo(sendKey(u))
	}
}

func (a *appender) letGo(k mapping.Key) {
	w := a.awaited[k]
	if w == nil {
		return
	}
	delete(a.awaited, k)
	a.waits -= len(w.units)
	a.in.counters.waiting.Add(-int64(len(w.units)))
	for _, u := range w.units {
		a.orderAbout(u)
	}
}

// expireWaiting lets go what has waited long enough.
func (a *appender) expireWaiting(now time.Time) {
	for k, w := range a.awaited {
		if !now.Before(w.deadline) {
			a.letGo(k)
		}
	}
}

// aboutUnit is the unit of facts that are about a conversation, in their order
// with its messages; of is the message's key, seq its sequence in a group, where
// it is one message that they are about.
func (in *Ingress) aboutUnit(acct *account, facts []mapping.Fact, conv tim.Conversation, of mapping.Key) (*unit, error) {
	u := &unit{account: acct, about: true, of: of}
	if err := in.fill(u, facts); err != nil {
		return nil, err
	}
	if facts[0].Event.Type() == mapping.TypeUnrecognized {
		u.of = mapping.Key{}
		return u, nil
	}
	u.conv, u.in = facts[0].Event.Subject(), conv
	if conv.Type == tim.ConvGroup {
		u.group, u.seq = tim.GroupID(conv.ID), of.Seq
	}
	return u, nil
}

func (in *Ingress) revokedUnit(o mapping.Observation, acct *account, l tim.MsgLocator) *unit {
	f, err := mapping.FromRevoked(o, l)
	if err == nil {
		var u *unit
		of := mapping.KeyOf(acct.user, tim.Message{ConvType: l.ConvType, ConvID: l.ConvID, Seq: l.Seq, Rand: l.Rand, ServerTime: l.Time})
		if u, err = in.aboutUnit(acct, []mapping.Fact{f}, l.Conversation(), of); err == nil {
			return u
		}
	}
	return in.unmappable(o, acct, tim.MessagesRevoked{}.Callback(), l, err)
}

func (in *Ingress) modifiedUnit(o mapping.Observation, acct *account, m *tim.Message) *unit {
	f, err := mapping.FromModified(o, *m)
	if err == nil {
		var u *unit
		if u, err = in.aboutUnit(acct, []mapping.Fact{f}, m.Conversation(), mapping.KeyOf(acct.user, *m)); err == nil {
			u.version = m.Version
			return u
		}
	}
	return in.unmappable(o, acct, tim.MessagesModified{}.Callback(), m, err)
}

func (in *Ingress) readUnit(o mapping.Observation, acct *account, r tim.MessageReceipt) *unit {
	f, err := mapping.FromReceipt(o, r)
	if err == nil {
		var u *unit
		if u, err = in.aboutUnit(acct, []mapping.Fact{f}, r.Conversation(), mapping.Key{}); err == nil {
			u.read = u.conv != ""
			u.reader, u.receipt = readerIn(u.conv, r), u.read && r.MsgID != ""
			return u
		}
	}
	return in.unmappable(o, acct, tim.MessagesRead{}.Callback(), r, err)
}

func (in *Ingress) tipUnit(o mapping.Observation, acct *account, tip tim.GroupTipsElem) *unit {
	facts, err := mapping.FromGroupTip(withID(o), tip)
	if err == nil {
		var u *unit
		if u, err = in.aboutUnit(acct, facts, tim.Group(tip.GroupID), mapping.Key{}); err == nil {
			return u
		}
	}
	return in.unmappable(o, acct, tim.GroupTipped{}.Callback(), tip, err)
}

func (in *Ingress) statusUnit(o mapping.Observation, acct *account, s tim.UserStatus) *unit {
	f, err := mapping.FromStatus(withID(o), s)
	return in.userUnit(o, acct, tim.StatusesChanged{}.Callback(), s, f, err)
}

func (in *Ingress) profileUnit(o mapping.Observation, acct *account, callback string, p tim.UserProfile) *unit {
	f, err := mapping.FromProfile(withID(o), p)
	return in.userUnit(o, acct, callback, p, f, err)
}

// userUnit is the unit of what was told of a user: it is in no conversation.
func (in *Ingress) userUnit(o mapping.Observation, acct *account, callback string, what any, f mapping.Fact, err error) *unit {
	u := &unit{account: acct}
	if err == nil {
		err = in.fill(u, []mapping.Fact{f})
	}
	if err != nil {
		return in.unmappable(o, acct, callback, what, err)
	}
	return u
}

// changedUnit is the unit of a message of history that is recorded and was
// revoked or modified since, nil for every other, and where that is recorded too.
func (in *Ingress) changedUnit(acct *account, m *tim.Message) *unit {
	if m.Status != tim.MsgRevoked && m.Version == 0 {
		return nil
	}
	in.mu.RLock()
	recorded := in.seen.has(mapping.KeyOf(acct.user, *m))
	in.mu.RUnlock()
	if !recorded {
		return nil
	}
	u := in.messageUnit(mapping.Observation{App: in.deps.App, Account: acct.user}, acct, m)
	if u == nil || len(u.facts) == 0 {
		return nil
	}
	in.mu.RLock()
	defer in.mu.RUnlock()
	for _, f := range u.facts[1:] {
		if !f.withFirst && !(f.note.known && in.seen.hashes.has(f.note.hash)) {
			return u
		}
	}
	return nil
}
