package egress

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// key names a command in the ledger: the first half of a SHA-256 over its
// source and id, or, for a message that was rejected, over its place on the bus.
type key [16]byte

// commandKey is the key of the command with that source and id.
func commandKey(source, id string) key { return hashKey("command", source, id) }

// hashKey hashes strings so that no two different lists give the same bytes.
func hashKey(parts ...string) key {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	var k key
	copy(k[:], h.Sum(nil))
	return k
}

// record is what the ledger keeps of a command. It never changes once it is
// in, so that a snapshot can share whole chunks of records with it.
type record struct {
	key     key
	content uint64 // hash of type, account, subject and data, or anyContent
	time    int64  // the bus's own time, Unix nanoseconds
}

// anyContent stands for the content of a command that is not known.
const anyContent = 0

const (
	recordBytes  = 32
	chunkRecords = 4096
)

type chunk [chunkRecords]record

// ledger knows the commands that were taken off the bus within the horizon.
// Records lie in the order in which they came, oldest first; an index over
// them (open addressing, 4 bytes a slot) finds one by its key. Four million
// records take about 190 MB.
type ledger struct {
	horizon time.Duration
	max     int

	chunks []*chunk
	head   int // index, in chunks[0], of the oldest record
	count  int
	first  uint32 // serial number of the oldest record; serials have 31 bits and wrap around

	slots []uint32 // taken|serial of the record, 0 for an empty slot
	mask  uint32

	newest  int64  // the highest bus time seen
	floor   int64  // the bus time below which nothing is known any more
	evicted uint64 // forgotten, for their age or for want of room
	crowded uint64 // those of them that were forgotten for want of room
}

func newLedger(horizon time.Duration, max int) *ledger {
	l := &ledger{horizon: horizon, max: max}
	l.rehash(1024)
	return l
}

// taken marks a slot of the index that holds a serial number.
const taken = 1 << 31

// at gives the record with that serial number, which must be there.
func (l *ledger) at(serial uint32) *record {
	i := l.head + int((serial-l.first)&^taken)
	return &l.chunks[i/chunkRecords][i%chunkRecords]
}

// slot is where the search for k begins. Keys are hashes: any of their bits will do.
func (l *ledger) slot(k *key) uint32 { return binary.LittleEndian.Uint32(k[:]) & l.mask }

// find looks a command up.
func (l *ledger) find(k key) (content uint64, known bool) {
	for s := l.slot(&k); l.slots[s] != 0; s = (s + 1) & l.mask {
		if r := l.at(l.slots[s]); r.key == k {
			return r.content, true
		}
	}
	return 0, false
}

// add puts a command in, unless it is there, and lets the oldest go that are
// beyond the horizon or the bound. It says whether the command was new.
func (l *ledger) add(r record) bool {
	if _, known := l.find(r.key); known {
		return false
	}
	if 4*(l.count+1) > 3*len(l.slots) {
		l.rehash(2 * len(l.slots))
	}
	i := l.head + l.count
	if i/chunkRecords == len(l.chunks) {
		l.chunks = append(l.chunks, new(chunk))
	}
	l.chunks[i/chunkRecords][i%chunkRecords] = r
	l.index((l.first + uint32(l.count)) &^ taken)
	l.count++
	l.newest = max(l.newest, r.time)
	l.floor = max(l.floor, l.newest-int64(l.horizon))
	for l.count > 0 {
		oldest := l.at(l.first)
		switch {
		case l.count > l.max:
			l.floor = max(l.floor, oldest.time+1)
			l.crowded++
		case oldest.time >= l.floor || l.count == 1:
			return true
		}
		l.drop()
	}
	return true
}

// index enters a record's serial number.
func (l *ledger) index(serial uint32) {
	s := l.slot(&l.at(serial).key)
	for l.slots[s] != 0 {
		s = (s + 1) & l.mask
	}
	l.slots[s] = taken | serial
}

// drop forgets the oldest record.
func (l *ledger) drop() {
	s := l.slot(&l.at(l.first).key)
	for l.slots[s] != taken|l.first {
		s = (s + 1) & l.mask
	}
	// Close the gap: whatever lies behind it and could not be found any more moves up.
	gap := s
	for s = (s + 1) & l.mask; l.slots[s] != 0; s = (s + 1) & l.mask {
		home := l.slot(&l.at(l.slots[s]).key)
		if (s-home)&l.mask >= (s-gap)&l.mask {
			l.slots[gap] = l.slots[s]
			gap = s
		}
	}
	l.slots[gap] = 0

	l.first = (l.first + 1) &^ taken
	l.head++
	l.count--
	l.evicted++
	if l.head == chunkRecords {
		l.chunks = l.chunks[1:]
		l.head = 0
	}
}

// rehash makes the index anew with n slots, a power of two.
func (l *ledger) rehash(n int) {
	l.slots = make([]uint32, n)
	l.mask = uint32(n - 1)
	for i := range l.count {
		l.index((l.first + uint32(i)) &^ taken)
	}
}

// horizonLeft is how far back the ledger knows everything, by the bus's time.
func (l *ledger) horizonLeft() time.Duration {
	if l.floor == 0 {
		return l.horizon
	}
	return time.Duration(l.newest - l.floor)
}

// ledgerView is a ledger at one moment, for a snapshot that is written while
// the ledger goes on: chunks that are full never change.
type ledgerView struct {
	full   []*chunk
	head   int
	tail   []record
	count  int
	newest int64
	floor  int64
}

func (l *ledger) view() ledgerView {
	v := ledgerView{head: l.head, count: l.count, newest: l.newest, floor: l.floor}
	whole := (l.head + l.count) / chunkRecords
	v.full = append(v.full, l.chunks[:whole]...)
	if rest := (l.head + l.count) % chunkRecords; rest > 0 {
		from := 0
		if whole == 0 {
			from, v.head = l.head, 0
		}
		v.tail = append(v.tail, l.chunks[whole][from:rest]...)
	}
	return v
}

// append writes the view: newest, floor, count, records.
func (v ledgerView) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(v.newest))
	b = binary.LittleEndian.AppendUint64(b, uint64(v.floor))
	b = binary.LittleEndian.AppendUint64(b, uint64(v.count))
	write := func(rs []record) {
		for i := range rs {
			b = append(b, rs[i].key[:]...)
			b = binary.LittleEndian.AppendUint64(b, rs[i].content)
			b = binary.LittleEndian.AppendUint64(b, uint64(rs[i].time))
		}
	}
	head := v.head
	for _, c := range v.full {
		write(c[head:])
		head = 0
	}
	write(v.tail)
	return b
}

// size is the number of bytes that append adds.
func (v ledgerView) size() int { return 24 + recordBytes*v.count }

// read takes what append wrote from the decoder.
func (l *ledger) read(d *decoder) {
	newest, floor, n := int64(d.fixed64()), int64(d.fixed64()), d.fixed64()
	if d.err == nil && n > uint64(len(d.rest)/recordBytes) {
		d.fail("ledger of %d records in %d bytes", n, len(d.rest))
	}
	if d.err != nil {
		return
	}
	size := 1024
	for 4*(int(n)+1) > 3*size {
		size *= 2
	}
	l.rehash(size)
	for range n {
		var r record
		copy(r.key[:], d.take(len(r.key)))
		r.content = d.fixed64()
		r.time = int64(d.fixed64())
		l.add(r)
	}
	l.newest, l.floor = max(l.newest, newest), max(l.floor, floor)
}
