package sandbox

import (
	"github.com/timbridge/timbridge/tim"
)

// The records of what is done to messages that were sent, and of what accounts
// say of themselves. Their kinds are 70 to 99.
const (
	opModify byte = iota + 70
	opRead
	opReceipts
	opErase
	opProfile
	opMedia
	opRenditions
	opMediaGone
)

// applier is a record that knows itself what it changes.
type applier interface {
	record
	apply(st *state, position uint64)
}

// modifyRecord is a message that now says something else.
type modifyRecord struct {
	conv    convKey
	seq     uint64
	time    int64
	flags   uint8
	content []byte
}

// readRecord is an account that has read up to a message.
type readRecord struct {
	user tim.UserID
	conv convKey
	seq  uint64
	time int64
	// until is the second that the peer is told, 0 where the peer is not told.
	until uint64
}

// receiptsRecord is an account that says of messages that it has read them.
type receiptsRecord struct {
	user  tim.UserID
	conv  convKey
	seqs  []uint64
	time  int64
	until uint64 // the same in seconds
}

// eraseRecord are messages that an account took out of its own history.
type eraseRecord struct {
	user tim.UserID
	conv convKey
	seqs []uint64
	upTo uint64 // all up to this one too
	// unlist takes the conversation off the account's list.
	unlist bool
	time   int64
}

// profileRecord is what an account now says of itself, as the JSON of a
// [tim.UserProfile].
type profileRecord struct {
	user    tim.UserID
	time    int64
	content []byte
}

func (*modifyRecord) op() byte   { return opModify }
func (*readRecord) op() byte     { return opRead }
func (*receiptsRecord) op() byte { return opReceipts }
func (*eraseRecord) op() byte    { return opErase }
func (*profileRecord) op() byte  { return opProfile }

// getTalkRecord reads a record of this file, or of media; nil where the kind is
// not known.
func getTalkRecord(kind byte, d *decoder) record {
	switch kind {
	case opModify:
		r := &modifyRecord{conv: getKey(d), seq: d.uint(), time: d.time(), flags: uint8(d.uint())}
		r.content = append([]byte(nil), d.bytes()...)
		return r
	case opRead:
		return &readRecord{getString[tim.UserID](d), getKey(d), d.uint(), d.time(), d.uint()}
	case opReceipts:
		return &receiptsRecord{getString[tim.UserID](d), getKey(d), getUints(d), d.time(), d.uint()}
	case opErase:
		return &eraseRecord{getString[tim.UserID](d), getKey(d), getUints(d), d.uint(), d.bool(), d.time()}
	case opProfile:
		return &profileRecord{getString[tim.UserID](d), d.time(), append([]byte(nil), d.bytes()...)}
	case opMedia:
		return &mediaRecord{getFile(d)}
	case opRenditions:
		return &renditionsRecord{getString[mediaID](d), getPicture(d), getFile(d), getFile(d)}
	case opMediaGone:
		return &mediaGoneRecord{ids: getStrings[mediaID](d)}
	}
	return nil
}

func putUints(e *encoder, v []uint64) {
	e.uint(uint64(len(v)))
	for _, n := range v {
		e.uint(n)
	}
}

func getUints(d *decoder) []uint64 {
	var v []uint64
	for range d.count() {
		v = append(v, d.uint())
	}
	return v
}

func (r *modifyRecord) put(e *encoder) {
	putKey(e, r.conv)
	e.uint(r.seq)
	e.time(r.time)
	e.uint(uint64(r.flags))
	e.bytes(r.content)
}

func (r *readRecord) put(e *encoder) {
	putString(e, r.user)
	putKey(e, r.conv)
	e.uint(r.seq)
	e.time(r.time)
	e.uint(r.until)
}

func (r *receiptsRecord) put(e *encoder) {
	putString(e, r.user)
	putKey(e, r.conv)
	putUints(e, r.seqs)
	e.time(r.time)
	e.uint(r.until)
}

func (r *eraseRecord) put(e *encoder) {
	putString(e, r.user)
	putKey(e, r.conv)
	putUints(e, r.seqs)
	e.uint(r.upTo)
	e.bool(r.unlist)
	e.time(r.time)
}

func (r *profileRecord) put(e *encoder) {
	putString(e, r.user)
	e.time(r.time)
	e.bytes(r.content)
}

// tellEvent tells an account something that is no message, on all its
// platforms: it waits like every report until it is acknowledged.
func (st *state) tellEvent(a *account, position uint64, event tim.Event) {
	st.tell(a, position, reportEvent, st.eventMessage(event), a.platforms())
}

// eventMessage is an event as what a report is about; several can share it.
func (st *state) eventMessage(event tim.Event) *message {
	content, err := tim.MarshalEvent(event)
	if err != nil {
		panic("sandbox: an event of the service's own cannot be written: " + err.Error())
	}
	return &message{time: st.lastTime, content: content}
}

// tellConversation tells everybody in a conversation of something about a
// message: those who see it.
func (st *state) tellConversation(position uint64, kind reportKind, m *message) {
	key := m.conv.key
	if key.typ == tim.ConvC2C {
		a, b := st.account(tim.UserID(key.a)), st.account(tim.UserID(key.b))
		st.tell(a, position, kind, m, a.platforms())
		if b != a {
			st.tell(b, position, kind, m, b.platforms())
		}
		return
	}
	g := st.groups[tim.GroupID(key.a)]
	if g == nil {
		return // lost in a repair
	}
	for _, member := range g.members.order {
		if (g.active || member.id == g.owner) && member.from <= m.seq {
			st.tell(member.account, position, kind, m, member.account.platforms())
		}
	}
}
