package egress

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// The bodies of the internal entries that egress writes. The first byte is the
// version, the second says what it is, the fields follow: integers little
// endian, strings and bytes after their length as a varint.
const bodyVersion = 1

const (
	tagAccepted = 'A' // kind accepted: a command that will be carried out
	tagRead     = 'R' // kind accepted: a command was read and is not carried out
	tagBirth    = 'B' // kind accepted: reading began, with these positions
	tagRepaired = 'H' // kind accepted: a stretch of the journal was lost
	tagLost     = 'L' // kind accepted: the bus removed commands unread
	tagStarted  = 'S' // kind started: an attempt begins
	tagFinished = 'F' // kind started: nothing more is done; its outcome follows
)

// accepted is a command that will be carried out.
type accepted struct {
	Key      key
	Content  uint64
	At       time.Time // when it was accepted, by the bridge's clock
	Position bus.Position
	// Doubt says that it may have been carried out without this journal's knowing.
	Doubt bool
	// Again says that it was accepted before, and its outcome was lost.
	Again   bool
	Account string // who is to act, with the default filled in
	Event   []byte // the CloudEvent, as mapping.Encode gives it
	// Original is the message as it was on the bus, for the dead letters.
	Original []byte
}

// read is a command that was read and is not carried out: it was rejected, or
// it is a repeat, or it is another shard's. It is there for its position.
type read struct {
	// Key is the place's key (see placeKey) when an outcome was given for it, else zero.
	Key      key
	Position bus.Position
	// Public is how many entries after this one are the outcome and the dead letter.
	Public uint8
}

// placeKey is the ledger's key for a message that got an outcome without
// having been accepted: its place on the bus.
func placeKey(p bus.Position) key {
	return hashKey("place", string(p.Target), strconv.FormatUint(p.Offset, 10), p.Digest)
}

// birth is the first entry that egress writes into a journal.
type birth struct {
	At   time.Time
	Mark []bus.Position // where reading began: what the bus remembers of a predecessor
}

// repaired notes that a stretch of the journal was lost.
type repaired struct {
	First, Last uint64 // journal positions
	At          time.Time
	After       []bus.Position // where reading goes on
	// Finished are commands whose outcome is in the journal although their
	// acceptance is lost.
	Finished []key
}

// started is an attempt, written before the call.
type started struct {
	Key     key
	Attempt uint32 // 1 for the first
	At      time.Time
	// Rand is the random of a send, the same for every attempt; 0 for what has
	// none and for drivers that choose it themselves.
	Rand uint32
}

// finished says that nothing more is done for a command. It stands before the
// outcome in the same append.
type finished struct {
	Key key
	// Public is how many entries after this one are the outcome and the dead letter.
	Public uint8
	// Lost says that a send failed in doubt: its message may still turn up.
	Lost bool
	// Claim is the key of the message that was taken for this command's, where
	// it is not known by its random; else zero.
	Claim key
	// Sent is what a send's message is known by; its Rand is 0 where there is none.
	Sent sent
}

// sent is what the message of a send is known by, besides its sender, and the
// command behind it.
type sent struct {
	Conversation tim.Conversation
	Rand         uint64
	Cause        mapping.Cause
}

func (a accepted) append(b []byte) []byte {
	b = append(b, bodyVersion, tagAccepted)
	b = append(b, a.Key[:]...)
	b = binary.LittleEndian.AppendUint64(b, a.Content)
	b = appendTime(b, a.At)
	b = appendPosition(b, a.Position)
	b = appendBool(appendBool(b, a.Doubt), a.Again)
	b = appendString(b, a.Account)
	b = appendString(b, a.Event)
	return appendString(b, a.Original)
}

func (r read) append(b []byte) []byte {
	b = append(b, bodyVersion, tagRead)
	b = append(b, r.Key[:]...)
	b = appendPosition(b, r.Position)
	return append(b, r.Public)
}

func (n birth) append(b []byte) []byte {
	b = append(b, bodyVersion, tagBirth)
	b = appendTime(b, n.At)
	return appendPositions(b, n.Mark)
}

func (h repaired) append(b []byte) []byte {
	b = append(b, bodyVersion, tagRepaired)
	b = binary.LittleEndian.AppendUint64(b, h.First)
	b = binary.LittleEndian.AppendUint64(b, h.Last)
	b = appendTime(b, h.At)
	b = appendPositions(b, h.After)
	b = binary.AppendUvarint(b, uint64(len(h.Finished)))
	for _, k := range h.Finished {
		b = append(b, k[:]...)
	}
	return b
}

func (s started) append(b []byte) []byte {
	b = append(b, bodyVersion, tagStarted)
	b = append(b, s.Key[:]...)
	b = binary.LittleEndian.AppendUint32(b, s.Attempt)
	b = appendTime(b, s.At)
	return binary.LittleEndian.AppendUint32(b, s.Rand)
}

func (f finished) append(b []byte) []byte {
	b = append(b, bodyVersion, tagFinished)
	b = append(b, f.Key[:]...)
	b = append(b, f.Public)
	b = appendBool(b, f.Lost)
	b = append(b, f.Claim[:]...)
	return f.Sent.append(b)
}

func (s sent) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.Rand)
	if s.Rand == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(s.Conversation.Type))
	b = appendString(b, s.Conversation.ID)
	b = appendString(b, s.Cause.ID)
	b = appendString(b, s.Cause.CorrelationID)
	return appendString(b, s.Cause.TraceParent)
}

// decodeBody reads the body of an entry of kind accepted or started: one of the
// structs above, or nil for one that a later version writes. The byte slices in
// it share body's memory.
func decodeBody(body []byte) (any, error) {
	d := &decoder{rest: body}
	version, tag := d.byte(), d.byte()
	if d.err == nil && version != bodyVersion {
		return nil, fmt.Errorf("egress: entry of version %d; this program knows version %d", version, bodyVersion)
	}
	var v any
	switch tag {
	case tagAccepted:
		var a accepted
		d.key(&a.Key)
		a.Content, a.At, a.Position = d.fixed64(), d.time(), d.position()
		a.Doubt, a.Again, a.Account = d.bool(), d.bool(), string(d.bytes())
		a.Event, a.Original = d.bytes(), d.bytes()
		v = a
	case tagRead:
		var r read
		d.key(&r.Key)
		r.Position, r.Public = d.position(), d.byte()
		v = r
	case tagBirth:
		v = birth{At: d.time(), Mark: d.positions()}
	case tagRepaired:
		h := repaired{First: d.fixed64(), Last: d.fixed64(), At: d.time(), After: d.positions()}
		for n := d.uvarint(); n > 0 && d.err == nil; n-- {
			var k key
			d.key(&k)
			h.Finished = append(h.Finished, k)
		}
		v = h
	case tagLost:
		v = d.lost()
	case tagStarted:
		var s started
		d.key(&s.Key)
		s.Attempt, s.At, s.Rand = d.fixed32(), d.time(), d.fixed32()
		v = s
	case tagFinished:
		var f finished
		d.key(&f.Key)
		f.Public, f.Lost = d.byte(), d.bool()
		d.key(&f.Claim)
		f.Sent = d.sent()
		v = f
	default:
		return nil, d.err
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return nil, fmt.Errorf("egress: entry %q: %w", tag, d.err)
	}
	return v, nil
}

// entry makes a journal entry of a body.
func entry(kind journal.Kind, body []byte) journal.Entry {
	return journal.Entry{Kind: kind, Body: body}
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendString[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendTime writes Unix nanoseconds, 0 for the zero time.
func appendTime(b []byte, t time.Time) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(unixNano(t)))
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromUnixNano(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func appendPosition(b []byte, p bus.Position) []byte {
	b = appendString(b, string(p.Target))
	b = binary.LittleEndian.AppendUint64(b, p.Offset)
	b = appendTime(b, p.Time)
	return appendString(b, p.Digest)
}

func appendPositions(b []byte, ps []bus.Position) []byte {
	b = binary.AppendUvarint(b, uint64(len(ps)))
	for _, p := range ps {
		b = appendPosition(b, p)
	}
	return b
}

// decoder takes fields off the front of a body. After the first error it gives
// zero values.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.rest) {
		d.fail("ends early: %d bytes left, %d wanted", len(d.rest), n)
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) bool() bool {
	b := d.byte()
	if b > 1 {
		d.fail("%d is neither true nor false", b)
	}
	return b == 1
}

func (d *decoder) fixed32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) fixed64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.err != nil || n <= 0 {
		d.fail("bad length")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail("ends early: %d bytes left, %d wanted", len(d.rest), n)
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) key(k *key) { copy(k[:], d.take(len(k))) }

func (d *decoder) time() time.Time { return fromUnixNano(int64(d.fixed64())) }

func (d *decoder) position() bus.Position {
	return bus.Position{
		Target: bus.Target(d.bytes()), Offset: d.fixed64(), Time: d.time(), Digest: string(d.bytes()),
	}
}

func (d *decoder) sent() sent {
	s := sent{Rand: d.uvarint()}
	if s.Rand == 0 {
		return sent{}
	}
	s.Conversation = tim.Conversation{Type: tim.ConvType(d.uvarint()), ID: string(d.bytes())}
	s.Cause = mapping.Cause{ID: string(d.bytes()), CorrelationID: string(d.bytes()), TraceParent: string(d.bytes())}
	return s
}

func (d *decoder) positions() []bus.Position {
	n := d.uvarint()
	if n > uint64(len(d.rest)) { // each takes more than a byte
		d.fail("%d positions in %d bytes", n, len(d.rest))
		return nil
	}
	var ps []bus.Position
	for range n {
		ps = append(ps, d.position())
	}
	return ps
}
