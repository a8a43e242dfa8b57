package mapping

import (
	"fmt"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// AccountEvent is something that happened to an account of the bridge: one of
// the Account… types of this package.
type AccountEvent interface {
	// eventType is the event's type, and data its data.
	eventType() string
	data(tim.UserID) any
}

// AccountSignedIn: the account is signed in at the IM service. account.signed_in.
type AccountSignedIn struct {
	// Backfilled says that this is the account's first sign-in, so that
	// nothing before it is read from history.
	First bool
}

// AccountSignedOut: the bridge signed the account out, or gave it up. account.signed_out.
type AccountSignedOut struct {
	// Reason is a sentence for people, such as "the bridge is stopping".
	Reason string
}

// AccountKickedOffline: the account signed in elsewhere. account.kicked_offline.
type AccountKickedOffline struct{}

// AccountUserSigExpired: the account's UserSig has run out. account.usersig_expired.
type AccountUserSigExpired struct{}

// AccountConnectionChanged: the connection to the IM service came or went.
// account.connection_changed.
type AccountConnectionChanged struct {
	Status tim.NetworkStatus
	// Code and Desc are what the SDK says of it.
	Code tim.Code
	Desc string
}

// AccountGapDetected: something that was said, or with Covers something else
// that happened, cannot be read back. account.gap_detected.
type AccountGapDetected struct {
	// Conversation is where, as the account sees it; zero when it may be anywhere.
	Conversation tim.Conversation
	// From and To bound the gap in time; zero when not known.
	From, To time.Time
	// FirstSeq and LastSeq bound it in a group's sequence; 0 when not known.
	FirstSeq, LastSeq uint64
	// Covers are the types of the events that may be missing; empty where it is
	// what was said, with all that became of it.
	Covers []string
	// ChangesReadFrom is from when on messages were looked at again: what became
	// of those sent before it may be missing. Zero where none were.
	ChangesReadFrom time.Time
	// Reason is a sentence for people: why it cannot be read.
	Reason string
}

type accountData struct {
	Account tim.UserID `json:"account"`
	Reason  string     `json:"reason,omitempty"`
	First   bool       `json:"first,omitempty"`
}

type connectionData struct {
	Account tim.UserID `json:"account"`
	Status  string     `json:"status"`
	Code    int32      `json:"code,omitempty"`
	Name    string     `json:"name,omitempty"`
	Text    string     `json:"text,omitempty"`
}

type gapData struct {
	Account      tim.UserID        `json:"account"`
	Conversation *ConversationData `json:"conversation,omitempty"`
	From         time.Time         `json:"from,omitzero"`
	To           time.Time         `json:"to,omitzero"`
	FirstSeq     uint64            `json:"first_sequence,omitempty"`
	LastSeq      uint64            `json:"last_sequence,omitempty"`
	Covers       []string          `json:"covers,omitempty"`
	ChangesFrom  time.Time         `json:"changes_read_from,omitzero"`
	Reason       string            `json:"reason,omitempty"`
}

func (AccountSignedIn) eventType() string          { return TypeAccountSignedIn }
func (AccountSignedOut) eventType() string         { return TypeAccountSignedOut }
func (AccountKickedOffline) eventType() string     { return TypeAccountKickedOffline }
func (AccountUserSigExpired) eventType() string    { return TypeAccountUserSigExpired }
func (AccountConnectionChanged) eventType() string { return TypeAccountConnectionChanged }
func (AccountGapDetected) eventType() string       { return TypeAccountGapDetected }

func (e AccountSignedIn) data(u tim.UserID) any     { return accountData{Account: u, First: e.First} }
func (e AccountSignedOut) data(u tim.UserID) any    { return accountData{Account: u, Reason: e.Reason} }
func (AccountKickedOffline) data(u tim.UserID) any  { return accountData{Account: u} }
func (AccountUserSigExpired) data(u tim.UserID) any { return accountData{Account: u} }

func (e AccountConnectionChanged) data(u tim.UserID) any {
	d := connectionData{Account: u, Status: e.Status.String(), Code: int32(e.Code), Text: e.Desc}
	if e.Code != 0 {
		d.Name = e.Code.Name()
	}
	return d
}

func (e AccountGapDetected) data(u tim.UserID) any {
	d := gapData{
		Account: u, From: e.From.UTC(), To: e.To.UTC(),
		FirstSeq: e.FirstSeq, LastSeq: e.LastSeq, ChangesFrom: e.ChangesReadFrom.UTC(), Reason: e.Reason,
	}
	for _, t := range e.Covers {
		d.Covers = append(d.Covers, ShortName(t))
	}
	if e.Conversation != (tim.Conversation{}) {
		c := conversationData(u, "", e.Conversation)
		d.Conversation = &c
	}
	return d
}

// AccountFact tells what happened to the observation's account, at a time of
// the bridge's own clock. A gap is known by its bounds; everything else has no
// identity but the observation's Number or ID, see [ErrNoIdentity].
func AccountFact(o Observation, what AccountEvent, at time.Time) (Fact, error) {
	subject := AccountSubject(o.Account)
	body, err := marshal(what.data(o.Account))
	if err != nil {
		return Fact{}, fmt.Errorf("%s of %s: %w", ShortName(what.eventType()), o.Account, err)
	}
	var id string
	var key Key
	if gap, ok := what.(AccountGapDetected); ok {
		subject = Subject(gap.Conversation, o.Account)
		id = AccountSubject(o.Account) + "/gap/" + shortHash(body)
		key = hashKey(id, at)
	} else if id, err = o.madeID(what.eventType()); err != nil {
		return Fact{}, fmt.Errorf("%s of %s: %w", ShortName(what.eventType()), o.Account, err)
	}
	return Fact{Event: o.fact(id, what.eventType(), subject, at, body), Key: key}, nil
}

// madeID is the id of something without an identity at the IM service: from
// the report's own number, with what tells it from another report that ever
// had that number, or the id that the caller made.
func (o Observation) madeID(distinct ...string) (string, error) {
	if o.Number != 0 {
		parts := make([][]byte, len(distinct))
		for i, d := range distinct {
			parts[i] = []byte(d)
		}
		return fmt.Sprintf("%s/report/%d/%s", AccountSubject(o.Account), o.Number, shortHash(parts...)), nil
	}
	if o.ID != "" {
		return o.ID, nil
	}
	return "", ErrNoIdentity
}
