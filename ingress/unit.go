package ingress

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// unit is what is journaled together or not at all: a message with what it
// says of its group, a revocation, a fact of the bridge's own.
type unit struct {
	facts []fact
	at    int64 // the service's time in seconds, 0 when it does not say

	// conv is the subject of the conversation whose order the unit keeps, ""
	// when it keeps none; in names that conversation to the account.
	conv string
	in   tim.Conversation
	// group and seq are set for a message that counts in a group's sequence;
	// for what is about a message, of that one, seq 0 where it does not say which.
	group tim.GroupID
	seq   uint64
	// about: it is about a message or a conversation, and in no history. of is
	// the message's key, where it is known; waited says that it was waited for.
	about  bool
	of     mapping.Key
	waited bool
	read   bool // it is a read mark or a receipt
	// receipt: it is a receipt for one message; reader is what was read, and by whom.
	receipt bool
	reader  reader
	// version is of a modification, 0 where it is none.
	version uint64

	account *account // who was told, or who sent it; nil for the bridge's own
	report  *report  // what it came with, nil when it did not come as a report
	post    *post    // the send it is the message of, until that is recorded
	own     bool     // it came as a send of the bridge's, not as a report

	// message is kept so that the facts can be made again as late ones.
	message *tim.Message
	cause   *mapping.Cause
	bytes   int
}

// fact is one entry to be.
type fact struct {
	body      []byte
	note      note
	withFirst bool // recorded when the unit's first fact is
	refused   bool // the body is that of bridge.event_refused
}

// entryOf is the journal's entry of a fact.
func entryOf(f fact) journal.Entry { return journal.Entry{Kind: journal.KindFact, Body: f.body} }

// report is one report of a driver, on its way to its acknowledgement.
type report struct {
	account *account
	units   []*unit
	bytes   int
	ack     func()
	left    int  // units that are not settled
	lost    bool // the account is no longer connected
	call    func(*appender)
}

// reportOverhead is what a report takes of the queue's bytes besides its bodies.
const reportOverhead = 256

// translate makes a report of the driver's into one of ours. It runs in the
// driver's goroutine, so that several accounts are mapped side by side.
func (in *Ingress) translate(acct *account, r tim.Report) *report {
	rep := &report{account: acct, ack: r.Ack}
	in.counters.count(r.Event.Callback())
	o := mapping.Observation{App: in.deps.App, Account: acct.user, Number: r.Number}
	switch e := r.Event.(type) {
	case tim.MessagesReceived:
		rep.units = make([]*unit, 0, len(e.Messages))
		for i := range e.Messages {
			rep.add(in.messageUnit(o, acct, &e.Messages[i]))
		}
	case tim.MessagesRevoked:
		for _, l := range e.Locators {
			rep.add(in.revokedUnit(o, acct, l))
		}
	case tim.MessagesModified:
		for i := range e.Messages {
			rep.add(in.modifiedUnit(o, acct, &e.Messages[i]))
		}
	case tim.MessagesRead:
		for _, receipt := range e.Receipts {
			rep.add(in.readUnit(o, acct, receipt))
		}
	case tim.GroupTipped:
		rep.add(in.tipUnit(o, acct, e.Tip))
	case tim.StatusesChanged:
		for _, status := range e.Statuses {
			rep.add(in.statusUnit(o, acct, status))
		}
	case tim.ProfilesChanged:
		for _, profile := range e.Profiles {
			rep.add(in.profileUnit(o, acct, e.Callback(), profile))
		}
	case tim.SelfProfileChanged:
		rep.add(in.profileUnit(o, acct, e.Callback(), e.Profile))
	case tim.UploadProgress: // of no use to anybody later
	case tim.KickedOffline:
		rep.lost = true
		rep.add(in.accountUnit(o, acct, mapping.AccountKickedOffline{}))
	case tim.UserSigExpired:
		rep.lost = true
		rep.add(in.accountUnit(o, acct, mapping.AccountUserSigExpired{}))
	case tim.ConnectionChanged:
		rep.lost = e.Status != tim.NetworkConnected
		rep.add(in.accountUnit(o, acct, mapping.AccountConnectionChanged{Status: e.Status, Code: e.Code, Desc: e.Desc}))
	case tim.Unrecognized:
		rep.add(in.strangeUnit(o, acct, e.Name, e.Raw))
	default:
		raw, err := json.Marshal(r.Event)
		if err != nil {
			raw = fmt.Appendf(nil, "%q", fmt.Sprintf("%+v", r.Event))
		}
		rep.add(in.strangeUnit(o, acct, r.Event.Callback(), raw))
	}
	rep.bytes += reportOverhead
	rep.left = len(rep.units)
	return rep
}

func (r *report) add(u *unit) {
	if u == nil {
		return
	}
	u.report = r
	r.units = append(r.units, u)
	r.bytes += u.bytes
}

// messageUnit maps a message; nil when it says nothing.
func (in *Ingress) messageUnit(o mapping.Observation, acct *account, m *tim.Message) *unit {
	o.Cause = in.causeOf(acct.user, m)
	facts, err := factsOf(o, m)
	if err != nil {
		return in.unmappable(o, acct, tim.MessagesReceived{}.Callback(), m, err)
	}
	if len(facts) == 0 {
		return nil
	}
	u := &unit{account: acct, message: m, cause: o.Cause}
	if err := in.fill(u, facts); err != nil {
		return in.unmappable(o, acct, tim.MessagesReceived{}.Callback(), m, err)
	}
	u.place(facts[0], m.Conversation(), m.IsOnlineMsg)
	u.tellBy(m.Sender)
	return u
}

// factsOf are the facts of a message, with its modification if it comes out of
// history as modified: it may have been recorded as it was before.
func factsOf(o mapping.Observation, m *tim.Message) ([]mapping.Fact, error) {
	facts, err := mapping.FromMessage(o, *m)
	if errors.Is(err, mapping.ErrNoIdentity) {
		facts, err = mapping.FromMessage(withID(o), *m)
	}
	if err != nil || len(facts) == 0 || m.Version == 0 || mapping.KeyOfModified(o.Account, *m).Kind == mapping.KeyNone {
		return facts, err
	}
	o.Cause = nil // it is behind the message, not behind what was made of it
	modified, err := mapping.FromModified(o, *m)
	if err != nil {
		return nil, err
	}
	return append(facts, modified), nil
}

// tellBy notes who sent a one-to-one message.
func (u *unit) tellBy(sender tim.UserID) {
	if f := &u.facts[0]; f.note.posted && !f.refused {
		f.note.told = told(sender, u.account.user)
	}
}

// place notes the conversation whose order the unit keeps. What is said for
// those online now is in no history, so it waits for none.
func (u *unit) place(first mapping.Fact, conv tim.Conversation, online bool) {
	u.at = first.Key.Time
	if first.Event.Type() != mapping.TypeMessagePosted {
		return
	}
	if first.Key.Kind == mapping.KeyGroupSeq {
		u.group, u.seq = first.Key.Group, first.Key.Seq
	}
	if !online && (u.group != "" || conv.Type == tim.ConvC2C) {
		u.conv, u.in = first.Event.Subject(), conv
	}
}

func (in *Ingress) accountUnit(o mapping.Observation, acct *account, what mapping.AccountEvent) *unit {
	f, err := mapping.AccountFact(withID(o), what, in.deps.Now())
	u := &unit{account: acct}
	if err == nil {
		err = in.fill(u, []mapping.Fact{f})
	}
	if err != nil {
		return in.unmappable(o, acct, fmt.Sprintf("%T", what), what, err)
	}
	return u
}

func (in *Ingress) strangeUnit(o mapping.Observation, acct *account, name string, raw []byte) *unit {
	f, err := mapping.FromUnrecognized(withID(o), name, raw)
	u := &unit{account: acct}
	if err == nil {
		err = in.fill(u, []mapping.Fact{f})
	}
	if err != nil {
		in.log.Error("a report could not be recorded in any form; it is dropped", "account", acct.user, "callback", name, "error", err)
		in.counters.unmappable.Add(1)
		return nil
	}
	return u
}

// unmappable records as im.unrecognized what mapping refused.
func (in *Ingress) unmappable(o mapping.Observation, acct *account, name string, what any, why error) *unit {
	in.log.Warn("a report could not be mapped; it is recorded as im.unrecognized", "account", acct.user, "callback", name, "error", why)
	raw, err := json.Marshal(what)
	if err != nil {
		raw = fmt.Appendf(nil, "%q", fmt.Sprintf("%+v", what))
	}
	o.Cause = nil
	return in.strangeUnit(o, acct, name, raw)
}

// fill encodes facts into the unit.
func (in *Ingress) fill(u *unit, facts []mapping.Fact) error {
	u.facts = make([]fact, len(facts))
	u.bytes = 0
	for i, f := range facts {
		e := f.Event
		body, err := mapping.Encode(e)
		if err != nil {
			return fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
		}
		refused := len(body) > in.cfg.MaxEntryBytes
		if refused {
			instead, err := mapping.EventRefused(e, "it is too large for the journal", int64(len(body)), int64(in.cfg.MaxEntryBytes))
			if err != nil {
				return fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
			}
			if body, err = mapping.Encode(instead); err != nil {
				return fmt.Errorf("%s %s: %w", instead.Type(), instead.ID(), err)
			}
			if len(body) > in.cfg.MaxEntryBytes {
				return fmt.Errorf("%s %s: %w", e.Type(), e.ID(), errTooLarge)
			}
		}
		n, err := noteOfEvent(e, f.Key)
		if err != nil {
			return err
		}
		u.facts[i] = fact{body: body, note: n, withFirst: f.Key.Kind == mapping.KeyWithFirst, refused: refused}
		u.bytes += len(body)
	}
	return nil
}

var errTooLarge = errors.New("too large for the journal")

// withID gives what has no identity of its own one.
func withID(o mapping.Observation) mapping.Observation {
	if o.Number == 0 && o.ID == "" {
		o.ID = newID()
	}
	return o
}

// newID makes an id for something that has none.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// causeOf asks which command is behind a message that account was told.
func (in *Ingress) causeOf(account tim.UserID, m *tim.Message) *mapping.Cause {
	if in.deps.Causes == nil {
		return nil
	}
	sender := m.Sender
	if sender == "" && m.IsFromSelf {
		sender = account
	}
	conv := m.Conversation()
	if conv.Type == tim.ConvC2C && sender != account {
		conv = tim.C2C(account)
	}
	return in.deps.Causes.CauseOf(sender, conv, m.Rand, m.MsgID)
}

// makeLate makes the unit's facts again, as ones that come after newer ones.
func (in *Ingress) makeLate(u *unit) {
	if u.message == nil {
		return
	}
	o := mapping.Observation{App: in.deps.App, Account: u.account.user, Cause: u.cause, Late: true}
	facts, err := factsOf(o, u.message)
	if err == nil {
		again := *u
		if err = in.fill(&again, facts); err == nil {
			again.tellBy(u.message.Sender)
			*u = again
			return
		}
	}
	in.log.Warn("a late message is recorded without saying so", "account", u.account.user, "error", err)
}

// unitOf is the unit of facts that somebody else mapped.
func (in *Ingress) unitOf(facts []mapping.Fact) (*unit, error) {
	u := &unit{own: true}
	if err := in.fill(u, facts); err != nil {
		return nil, err
	}
	first := facts[0]
	self := accountOf(first.Event)
	if self != "" {
		u.account = in.accountOf(self)
	}
	conv := tim.Group(first.Key.Group)
	if s, err := mapping.ParseSubject(first.Event.Subject()); err == nil && s.Group == "" {
		conv = tim.C2C(s.Users[0])
		if s.Users[0] == self {
			conv = tim.C2C(s.Users[1])
		}
	}
	u.place(first, conv, false)
	if f := &u.facts[0]; f.note.posted && !f.refused {
		f.note.told = told(senderOf(first.Event), self)
	}
	return u, nil
}

// seconds is a time as the service writes it; 0 for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// timeOf is the reverse of seconds; zero for what no calendar has.
func timeOf(seconds int64) time.Time {
	if seconds <= 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
