package ingress

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// note is what the projection learns from one entry of the journal. The
// appender makes it from the event at hand, replay from the journaled one;
// both go through noteOfEvent.
type note struct {
	what  noteKind
	hash  hash // of noteHash and of everything that has one besides
	known bool // hash is set

	group       tim.GroupID // of noteGroup, noteGap, noteDismissed
	seq         uint64      // of noteGroup
	first, last uint64      // of noteGap
	at          int64       // the service's time in seconds, 0 when it does not say
	talk        hash        // of a one-to-one message: its conversation
	posted      bool        // talk is set
	reader      reader      // of what tells how far something was read
	told        bool        // of a one-to-one message: told by another account than its sender's
	progress    progress    // of noteProgress
	from        int64       // of noteDamaged
	room        roomNote    // of what is stored nowhere
}

type noteKind uint8

const (
	noteNone noteKind = iota
	noteHash
	noteGroup
	noteGap
	noteDismissed
	noteProgress
	noteDamaged
)

// noteOfEvent is what a fact teaches. key is the fact's, or mapping.KeyOfEvent
// of the journaled event: they are the same but for facts that go with another.
func noteOfEvent(e *event.Event, key mapping.Key) (note, error) {
	n := note{at: key.Time}
	switch key.Kind {
	case mapping.KeyGroupSeq:
		n.what, n.group, n.seq = noteGroup, key.Group, key.Seq
		return n, nil
	case mapping.KeyHash:
		n.what, n.hash, n.known = noteHash, key.Hash, true
	}
	var err error
	if n.room, err = roomNoteOf(e); err != nil {
		return note{}, err
	}
	switch e.Type() {
	case mapping.TypeMessagePosted:
		if subject := e.Subject(); strings.HasPrefix(subject, "c2c/") {
			n.talk, n.posted = talkHash(subject), true
		}
	case mapping.TypeMessageRead:
		if len(e.Data()) == 0 {
			break // of one that was refused nothing more is known
		}
		var data struct {
			Reader tim.UserID    `json:"reader"`
			MsgID  tim.MessageID `json:"msg_id"`
			Until  uint64        `json:"read_until"`
			Count  uint64        `json:"read_count"`
		}
		if err := json.Unmarshal(e.Data(), &data); err != nil {
			return note{}, fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
		}
		n.reader = readerOf(e.Subject(), data.Reader, data.MsgID, data.Until, data.Count)
	case mapping.TypeGroupDismissed:
		s, err := mapping.ParseSubject(e.Subject())
		if err != nil {
			return note{}, fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
		}
		if s.Group != "" && !e.Time().IsZero() {
			n.what, n.group, n.at = noteDismissed, s.Group, e.Time().Unix()
		}
	case mapping.TypeAccountGapDetected:
		var data struct {
			First uint64 `json:"first_sequence"`
			Last  uint64 `json:"last_sequence"`
		}
		if err := json.Unmarshal(e.Data(), &data); err != nil {
			return note{}, fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
		}
		s, err := mapping.ParseSubject(e.Subject())
		if err != nil {
			return note{}, fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
		}
		if s.Group != "" && data.First != 0 && data.Last != 0 {
			n.what, n.group, n.first, n.last = noteGap, s.Group, data.First, data.Last
		}
	case mapping.TypeEventRefused:
		// It stands for an event that was too large: that one is recorded.
		var data struct {
			Event struct {
				ID      string    `json:"id"`
				Type    string    `json:"type"`
				Subject string    `json:"subject"`
				Time    time.Time `json:"time"`
			} `json:"event"`
		}
		if err := json.Unmarshal(e.Data(), &data); err != nil {
			return note{}, fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
		}
		of := event.New()
		of.SetID(data.Event.ID)
		of.SetType(data.Event.Type)
		of.SetSubject(data.Event.Subject)
		if !data.Event.Time.IsZero() {
			of.SetTime(data.Event.Time)
		}
		switch of.Type() {
		case mapping.TypeMessagePosted, mapping.TypeMessageRevoked, mapping.TypeMessageModified, mapping.TypeMessageRead,
			mapping.TypeUserStatusChanged, mapping.TypeUserProfileChanged:
			return noteOfEvent(&of, mapping.KeyOfEvent(&of))
		}
	case mapping.TypeJournalDamaged:
		var data struct {
			From time.Time `json:"from"`
		}
		if err := json.Unmarshal(e.Data(), &data); err != nil {
			return note{}, fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err)
		}
		n.what = noteDamaged
		if !data.From.IsZero() {
			n.from = data.From.Unix()
		}
	case mapping.TypeAccountSignedIn, mapping.TypeAccountSignedOut, mapping.TypeAccountKickedOffline,
		mapping.TypeAccountUserSigExpired, mapping.TypeAccountConnectionChanged:
		// Known by the number of the report that brought it, where it has one.
		if strings.Contains(e.ID(), "/report/") {
			sum := sha256.Sum256([]byte(e.ID()))
			n.what, n.known = noteHash, true
			copy(n.hash[:], sum[:])
		}
	}
	return n, nil
}

// noteOfEntry is what an entry of the journal teaches.
func noteOfEntry(e journal.Entry) (note, error) {
	switch e.Kind {
	case journal.KindFact:
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			return note{}, fmt.Errorf("ingress: position %d: %w", e.Position, err)
		}
		n, err := noteOfEvent(ev, mapping.KeyOfEvent(ev))
		if err != nil {
			return note{}, fmt.Errorf("ingress: position %d: %w", e.Position, err)
		}
		if n.posted && ev.Type() == mapping.TypeMessagePosted {
			n.told = told(senderOf(ev), accountOf(ev))
		}
		return n, nil
	case journal.KindProgress:
		var p progress
		if err := json.Unmarshal(e.Body, &p); err != nil {
			return note{}, fmt.Errorf("ingress: position %d: progress: %w", e.Position, err)
		}
		if p.Room != progressRoom {
			return note{}, nil
		}
		return note{what: noteProgress, progress: p}, nil
	}
	return note{}, nil
}

// told says of a one-to-one message whether it was told by another account
// than its sender's.
func told(sender, account tim.UserID) bool { return sender != "" && sender != account }

// senderOf is the sender of a message.posted event, "" when it has none.
func senderOf(e *event.Event) tim.UserID {
	var data struct {
		Sender tim.UserID `json:"sender"`
	}
	if json.Unmarshal(e.Data(), &data) != nil {
		return ""
	}
	return data.Sender
}

// accountOf is the account that told an event.
func accountOf(e *event.Event) tim.UserID {
	account, _ := e.Extensions()[mapping.ExtAccount].(string)
	return tim.UserID(account)
}

// progress is the body of a progress entry: how far an account has come.
type progress struct {
	Room    string     `json:"room"` // progressRoom
	Account tim.UserID `json:"account"`
	// Floor and Through are the service's times, in seconds. Nothing before
	// Floor is ever read back: it was said before the account was first signed
	// in. Everything the account was told through Through is journaled.
	Floor   int64 `json:"floor"`
	Through int64 `json:"through"`
	// Provisional: the account is about to sign in for the first time, and the
	// times are of the bridge's own clock.
	Provisional bool `json:"provisional,omitempty"`
	// CaughtUp: a catch-up has ended well.
	CaughtUp bool `json:"caught_up,omitempty"`
	// Alive is the time of the bridge's own clock through which the account was
	// connected to a service that forgets what it reports, and everything that it
	// was told is journaled. 0: as before.
	Alive int64 `json:"alive,omitempty"`
}

const progressRoom = "ingress"

func (p progress) entry() (journal.Entry, error) {
	p.Room = progressRoom
	body, err := json.Marshal(p)
	if err != nil {
		return journal.Entry{}, fmt.Errorf("progress of %s: %w", p.Account, err)
	}
	return journal.Entry{Kind: journal.KindProgress, Body: body}, nil
}

// talkHash names a one-to-one conversation by its subject.
func talkHash(subject string) hash {
	f := fnv.New128a()
	_, _ = f.Write([]byte(subject)) // a hash takes every write
	var h hash
	f.Sum(h[:0])
	return h
}
