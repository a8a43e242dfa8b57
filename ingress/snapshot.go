package ingress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// A saved projection begins with its version. One of a version that is not
// known is passed over, and the journal replayed.
const (
	snapshotVersion = 3
	lifelessVersion = 2 // without how long accounts were alive
	roomlessVersion = 1 // and without rooms at its end
)

// seenView is a projection at one moment, for a snapshot that is written while
// it goes on.
type seenView struct {
	now             int64
	forgotten       int64
	groupsForgotten int64
	marks           markView
	groups          map[tim.GroupID]group
	talks           map[hash]talk
	accounts        map[tim.UserID]accountSeen
	damages         []damage
	rooms           map[room]int64
}

func (s *seen) view() seenView {
	v := seenView{
		now: s.now, forgotten: s.forgotten, groupsForgotten: s.groupsForgotten,
		marks:    s.hashes.view(),
		groups:   make(map[tim.GroupID]group, len(s.groups)),
		talks:    maps.Clone(s.talks),
		accounts: make(map[tim.UserID]accountSeen, len(s.accounts)),
		damages:  slices.Clone(s.damages),
		rooms:    maps.Clone(s.rooms),
	}
	for id, g := range s.groups {
		v.groups[id] = *g.clone()
	}
	for id, a := range s.accounts {
		v.accounts[id] = *a
	}
	return v
}

// encode writes the view: the same bytes for the same knowledge.
func (v seenView) encode() []byte {
	b := make([]byte, 0, 64+markBytes*v.marks.count+48*len(v.groups)+32*len(v.talks))
	b = append(b, snapshotVersion)
	b = binary.AppendVarint(b, v.now)
	b = binary.AppendVarint(b, v.forgotten)
	b = binary.AppendVarint(b, v.groupsForgotten)

	b = binary.AppendUvarint(b, uint64(v.marks.count))
	b = v.marks.append(b)

	b = binary.AppendUvarint(b, uint64(len(v.groups)))
	for _, id := range slices.Sorted(maps.Keys(v.groups)) {
		g := v.groups[id]
		b = appendString(b, string(id))
		b = binary.AppendUvarint(b, g.low)
		b = binary.AppendUvarint(b, g.high)
		b = binary.AppendVarint(b, g.topTime)
		b = binary.AppendVarint(b, g.at)
		b = binary.AppendVarint(b, g.ended)
		b = binary.AppendUvarint(b, uint64(len(g.gaps)))
		for _, x := range g.gaps {
			b = binary.AppendUvarint(b, x.first)
			b = binary.AppendUvarint(b, x.last)
			b = appendBool(b, x.told)
		}
	}

	b = binary.AppendUvarint(b, uint64(len(v.talks)))
	for _, k := range slices.SortedFunc(maps.Keys(v.talks), func(a, b hash) int { return slices.Compare(a[:], b[:]) }) {
		b = append(b, k[:]...)
		b = binary.AppendVarint(b, v.talks[k].last)
		b = binary.AppendVarint(b, v.talks[k].at)
	}

	b = binary.AppendUvarint(b, uint64(len(v.accounts)))
	for _, id := range slices.Sorted(maps.Keys(v.accounts)) {
		a := v.accounts[id]
		b = appendString(b, string(id))
		b = binary.AppendVarint(b, a.floor)
		b = binary.AppendVarint(b, a.through)
		b = appendBool(b, a.provisional)
		b = binary.AppendUvarint(b, a.caught)
		b = binary.AppendVarint(b, a.alive)
	}

	b = binary.AppendUvarint(b, uint64(len(v.damages)))
	for _, d := range v.damages {
		b = binary.AppendUvarint(b, d.position)
		b = binary.AppendVarint(b, d.from)
	}

	b = binary.AppendUvarint(b, uint64(len(v.rooms)))
	for _, r := range slices.SortedFunc(maps.Keys(v.rooms), compareRooms) {
		b = appendString(b, string(r.account))
		b = appendString(b, string(r.group))
		b = binary.AppendVarint(b, v.rooms[r])
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decodeSeen reads what encode wrote. It takes any bytes: what is not such a
// snapshot gives an error, never a projection that contradicts itself.
func decodeSeen(position uint64, body []byte, maxSeen int) (*seen, error) {
	d := decoder{rest: body}
	v := d.byte()
	if d.err == nil && v != snapshotVersion && v != lifelessVersion && v != roomlessVersion {
		return nil, fmt.Errorf("ingress: snapshot of version %d, this is version %d", v, snapshotVersion)
	}
	s := newSeen(maxSeen)
	s.position = position
	s.now, s.forgotten, s.groupsForgotten = d.varint(), d.varint(), d.varint()

	marks := d.count(markBytes)
	s.hashes.grow(marks)
	for range marks {
		b := d.take(markBytes)
		m := mark{hash: hash(b), at: binary.LittleEndian.Uint32(b[16:]), said: binary.LittleEndian.Uint32(b[20:])}
		if s.hashes.has(m.hash) {
			d.fail("a message twice")
			break
		}
		s.hashes.put(m)
	}
	for range d.count(7) {
		id := tim.GroupID(d.string())
		g := &group{low: d.uvarint(), high: d.uvarint(), topTime: d.varint(), at: d.varint(), ended: d.varint()}
		next := g.low
		for range d.count(3) {
			x := gap{first: d.uvarint(), last: d.uvarint(), told: d.bool()}
			if d.err == nil && (x.first < next || x.last < x.first || x.last > g.high) {
				d.fail("gaps of group %q are not in order", id)
			}
			next = x.last
			if x.last != ^uint64(0) {
				next++
			}
			g.gaps = append(g.gaps, x)
		}
		if d.err != nil {
			break
		}
		if _, twice := s.groups[id]; twice || g.high < g.low {
			d.fail("group %q", id)
		}
		s.groups[id] = g
	}
	for range d.count(len(hash{}) + 2) {
		var h hash
		copy(h[:], d.take(len(h)))
		s.talks[h] = talk{last: d.varint(), at: d.varint()}
	}
	for range d.count(5) {
		id := tim.UserID(d.string())
		a := &accountSeen{floor: d.varint(), through: d.varint(), provisional: d.bool(), caught: d.uvarint()}
		if v == snapshotVersion {
			a.alive = d.varint()
		}
		s.accounts[id] = a
	}
	for range d.count(2) {
		s.damages = append(s.damages, damage{position: d.uvarint(), from: d.varint()})
	}
	if v != roomlessVersion {
		for range d.count(3) {
			r := room{tim.UserID(d.string()), tim.GroupID(d.string())}
			s.rooms[r] = d.varint()
		}
	}
	if d.err == nil && len(d.rest) != 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return nil, fmt.Errorf("ingress: snapshot: %w", d.err)
	}
	return s, nil
}

// decoder reads a snapshot; after the first error it returns zeros.
type decoder struct {
	rest []byte
	err  error
}

var errShort = errors.New("it ends too early")

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
		d.rest = nil
	}
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n > len(d.rest) {
		if d.err == nil {
			d.err, d.rest = errShort, nil
		}
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	b := d.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (d *decoder) bool() bool {
	b := d.byte()
	if b > 1 {
		d.fail("a flag of %d", b)
	}
	return b == 1
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.take(len(d.rest) + 1)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.take(len(d.rest) + 1)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads a number of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if d.err == nil && n > uint64(len(d.rest)/size) {
		d.fail("%d things in %d bytes", n, len(d.rest))
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

func (d *decoder) string() string { return string(d.take(d.count(1))) }
