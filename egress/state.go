package egress

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/tim"
)

// open is a command that was accepted and is not finished.
type open struct {
	key      key
	accepted uint64 // journal position of the accepted entry
	at       time.Time
	position bus.Position
	account  tim.UserID
	event    []byte // as mapping.Encode gives it
	size     int    // bytes of event and original, counted against the bound
	doubt    bool   // may have been carried out by attempts that this journal does not know

	attempts uint32
	started  time.Time // the first attempt's; zero while there is none
	latest   time.Time // the latest attempt's
	rand     uint32    // 0 while there is none
}

// inDoubt says that nobody can tell yet whether the command was carried out.
func (o *open) inDoubt() bool { return o.doubt || !o.started.IsZero() }

// state is what egress has learned from the journal. All of it can be built
// anew from the entries, whoever wrote them and when: egress applies its own
// entries as it appends them, and a restart applies them again, in the order of
// their positions and perhaps a second time.
type state struct {
	ledger     *ledger
	open       map[key]*open
	openBytes  int64
	perAccount map[tim.UserID]int // open commands

	born     time.Time // zero before the first entry
	doubtful time.Time // a command older than this, by the bus's time, may have been carried out without this journal's knowing
	repaired uint64    // the last journal position of a lost stretch that was dealt with
	taken    uint64    // the journal position of the last entry about what was read
	read     map[bus.Target]bus.Position
	rands    randoms
	recent   fifo[sendKey, sent] // sends that are finished: ingress may still ask for the cause of one
	lost     fifo[sendKey, sent] // sends that failed in doubt
	claims   fifo[key, struct{}]
	outcome  uint64 // the highest journal position of an outcome or dead letter
}

// sendKey finds a send: randoms are a journal's own, and no sender has two alike
// within the time that matters.
type sendKey struct {
	account tim.UserID
	rand    uint64
}

// Bounds of what is kept of finished sends, and of messages found in history
// by their elements.
const (
	maxRecent = 20_000
	maxLost   = 10_000
	maxClaims = 100_000
)

// bounds are the sizes of a state.
type bounds struct {
	horizon                      time.Duration
	ledger, recent, lost, claims int
}

func (c Config) bounds() bounds {
	return bounds{horizon: c.Horizon, ledger: c.MaxLedger, recent: maxRecent, lost: maxLost, claims: maxClaims}
}

func newState(b bounds) *state {
	return &state{
		ledger:     newLedger(b.horizon, b.ledger),
		open:       map[key]*open{},
		perAccount: map[tim.UserID]int{},
		read:       map[bus.Target]bus.Position{},
		recent:     newFIFO[sendKey, sent](b.recent),
		lost:       newFIFO[sendKey, sent](b.lost),
		claims:     newFIFO[key, struct{}](b.claims),
	}
}

// apply takes in one entry, by its position and decoded body.
func (s *state) apply(position uint64, body any) {
	switch body.(type) {
	case accepted, read, lost, birth, repaired:
		// One goroutine writes these, and they are applied in their order.
		if position <= s.taken {
			return
		}
		s.taken = position
	}
	switch b := body.(type) {
	case accepted:
		s.setRead(b.Position)
		if !s.ledger.add(record{key: b.Key, content: b.Content, time: busTime(b.Position, b.At)}) && !b.Again || s.open[b.Key] != nil {
			return
		}
		s.insert(&open{
			key: b.Key, accepted: position, at: b.At, position: b.Position, account: tim.UserID(b.Account),
			event: bytes.Clone(b.Event), size: len(b.Event) + len(b.Original), doubt: b.Doubt,
		})
	case read:
		s.setRead(b.Position)
		if b.Key != (key{}) {
			s.ledger.add(record{key: b.Key, time: busTime(b.Position, time.Time{})})
			s.outcome = max(s.outcome, position+uint64(b.Public))
		}
	case lost:
		s.setRead(b.Position)
		s.outcome = max(s.outcome, position+uint64(b.Public))
	case birth:
		s.born = b.At
		s.doubtful = later(s.doubtful, b.At)
		for _, p := range b.Mark {
			s.setRead(p)
		}
	case repaired:
		s.repaired = max(s.repaired, b.Last)
		s.doubtful = later(s.doubtful, b.At)
		for _, p := range b.After {
			s.setRead(p)
		}
		for _, o := range s.open {
			o.doubt = o.doubt || o.accepted <= b.Last
		}
		for _, k := range b.Finished {
			s.ledger.add(record{key: k, content: anyContent, time: max(s.ledger.newest, s.ledger.floor)})
		}
	case started:
		if b.Rand != 0 {
			s.rands.used(b.Rand)
		}
		o := s.open[b.Key]
		if o == nil || b.Attempt <= o.attempts {
			return
		}
		o.attempts, o.latest = b.Attempt, b.At
		o.doubt = false // it was settled, or the attempt settles it
		if o.started.IsZero() {
			o.started = b.At
		}
		if b.Rand != 0 {
			o.rand = b.Rand
		}
	case finished:
		s.outcome = max(s.outcome, position+uint64(b.Public))
		o := s.open[b.Key]
		if o == nil {
			return
		}
		s.remove(o)
		switch k := (sendKey{o.account, b.Sent.Rand}); {
		case b.Sent.Rand == 0:
		case b.Lost:
			s.lost.add(position, k, b.Sent)
		default:
			s.recent.add(position, k, b.Sent)
		}
		if b.Claim != (key{}) {
			s.claims.add(position, b.Claim, struct{}{})
		}
	}
}

func (s *state) setRead(p bus.Position) { s.read[p.Target] = p }

func (s *state) insert(o *open) {
	s.open[o.key] = o
	s.openBytes += int64(o.size)
	s.perAccount[o.account]++
}

func (s *state) remove(o *open) {
	delete(s.open, o.key)
	s.openBytes -= int64(o.size)
	if s.perAccount[o.account]--; s.perAccount[o.account] == 0 {
		delete(s.perAccount, o.account)
	}
}

// inOrder gives the open commands in journal order.
func (s *state) inOrder() []*open {
	return slices.SortedFunc(maps.Values(s.open), func(a, b *open) int { return cmp.Compare(a.accepted, b.accepted) })
}

// positions gives where each target is read on.
func (s *state) positions() []bus.Position {
	return slices.SortedFunc(maps.Values(s.read), func(a, b bus.Position) int { return cmp.Compare(a.Target, b.Target) })
}

// busTime is the bus's time of a command in Unix nanoseconds, the bridge's
// where the bus has none.
func busTime(p bus.Position, fallback time.Time) int64 {
	if p.Time.IsZero() {
		return unixNano(fallback)
	}
	return p.Time.UnixNano()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// stateView is a state at one moment, encoded but for the ledger, which is
// large and need not be: its chunks do not change any more.
type stateView struct {
	head   []byte
	ledger ledgerView
}

const stateVersion = 1

func (s *state) view() stateView {
	b := []byte{stateVersion}
	b = appendTime(b, s.born)
	b = appendTime(b, s.doubtful)
	b = binary.LittleEndian.AppendUint64(b, s.repaired)
	b = binary.LittleEndian.AppendUint64(b, s.outcome)
	b = binary.LittleEndian.AppendUint64(b, s.taken)
	b = binary.LittleEndian.AppendUint32(b, s.rands.next)
	b = appendPositions(b, s.positions())
	all := s.inOrder()
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, o := range all {
		b = append(b, o.key[:]...)
		b = binary.LittleEndian.AppendUint64(b, o.accepted)
		b = appendTime(b, o.at)
		b = appendPosition(b, o.position)
		b = appendString(b, o.account)
		b = appendString(b, o.event)
		b = binary.AppendUvarint(b, uint64(o.size))
		b = appendBool(b, o.doubt)
		b = binary.LittleEndian.AppendUint32(b, o.attempts)
		b = appendTime(appendTime(b, o.started), o.latest)
		b = binary.LittleEndian.AppendUint32(b, o.rand)
	}
	for _, f := range []*fifo[sendKey, sent]{&s.recent, &s.lost} {
		b = binary.AppendUvarint(b, uint64(f.len()))
		for p, v := range f.all() {
			b = binary.LittleEndian.AppendUint64(b, p.position)
			b = v.append(appendString(b, p.key.account))
		}
	}
	b = binary.AppendUvarint(b, uint64(s.claims.len()))
	for p := range s.claims.all() {
		b = binary.LittleEndian.AppendUint64(b, p.position)
		b = append(b, p.key[:]...)
	}
	return stateView{head: b, ledger: s.ledger.view()}
}

func (v stateView) encode() []byte {
	b := make([]byte, 0, len(v.head)+v.ledger.size())
	return v.ledger.append(append(b, v.head...))
}

// decodeState reads what encode wrote.
func decodeState(body []byte, limits bounds) (*state, error) {
	s := newState(limits)
	d := &decoder{rest: body}
	if v := d.byte(); d.err == nil && v != stateVersion {
		return nil, fmt.Errorf("egress: snapshot of version %d; this program knows version %d", v, stateVersion)
	}
	s.born, s.doubtful = d.time(), d.time()
	s.repaired, s.outcome, s.taken = d.fixed64(), d.fixed64(), d.fixed64()
	s.rands.next = d.fixed32()
	for _, p := range d.positions() {
		s.setRead(p)
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		o := &open{}
		d.key(&o.key)
		o.accepted, o.at, o.position = d.fixed64(), d.time(), d.position()
		o.account, o.event, o.size = tim.UserID(d.bytes()), bytes.Clone(d.bytes()), int(d.uvarint())
		o.doubt, o.attempts, o.started, o.latest, o.rand = d.bool(), d.fixed32(), d.time(), d.time(), d.fixed32()
		if d.err == nil && s.open[o.key] != nil {
			d.fail("command %x twice", o.key)
		}
		s.insert(o)
	}
	for _, f := range []*fifo[sendKey, sent]{&s.recent, &s.lost} {
		for n := d.uvarint(); n > 0 && d.err == nil; n-- {
			at, account := d.fixed64(), tim.UserID(d.bytes())
			v := d.sent()
			f.add(at, sendKey{account, v.Rand}, v)
		}
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		var k key
		at := d.fixed64()
		d.key(&k)
		s.claims.add(at, k, struct{}{})
	}
	s.ledger.read(d)
	if d.err == nil && len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return nil, fmt.Errorf("egress: snapshot: %w", d.err)
	}
	return s, nil
}
