package ingress

import (
	"encoding/binary"
	"math"
)

// hash identifies a fact: 128 bits of the SHA-256 of its id.
type hash [16]byte

// mark is a remembered hash. It never changes once it is in, so that a
// snapshot can share whole chunks of marks with the set.
type mark struct {
	hash hash
	// at is the second (since 1970) it was journaled in, rounded down to an
	// even one; the lowest bit is what it was marked with.
	at uint32
	// said is the second in which the service says it happened.
	said uint32
}

func (m *mark) time() int64 { return int64(m.at &^ 1) }
func (m *mark) told() bool  { return m.at&1 != 0 }

const (
	markBytes  = 24
	chunkMarks = 4096
)

type markChunk [chunkMarks]mark

// hashSet is a set of hashes that forgets in the order in which it learned.
// Marks lie in that order; an index over them (open addressing, 4 bytes a
// slot) finds one by its hash. Four million marks take about 130 MB.
type hashSet struct {
	chunks []*markChunk
	head   int // index, in chunks[0], of the oldest mark
	count  int
	first  uint32 // serial number of the oldest mark; serials have 31 bits and wrap around

	slots []uint32 // slotTaken|serial of the mark, 0 for an empty slot
	mask  uint32
}

// slotTaken marks a slot that holds a serial number.
const slotTaken = 1 << 31

// minSlots is the size of an empty set's index.
const minSlots = 1024

func (s *hashSet) at(serial uint32) *mark {
	i := s.head + int((serial-s.first)&^slotTaken)
	return &s.chunks[i/chunkMarks][i%chunkMarks]
}

// home is where the search for h begins. Hashes are random: any of their bits will do.
func (s *hashSet) home(h *hash) uint32 { return binary.LittleEndian.Uint32(h[:]) & s.mask }

// find returns the mark of h, nil when it is not there.
func (s *hashSet) find(h hash) *mark {
	if s.count == 0 {
		return nil
	}
	for i := s.home(&h); s.slots[i] != 0; i = (i + 1) & s.mask {
		if m := s.at(s.slots[i]); m.hash == h {
			return m
		}
	}
	return nil
}

func (s *hashSet) has(h hash) bool { return s.find(h) != nil }

// add learns h, journaled and said at these seconds, and says whether it was new.
func (s *hashSet) add(h hash, at, said int64, told bool) bool {
	if s.has(h) {
		return false
	}
	m := mark{hash: h, at: uint32(at) &^ 1, said: uint32(min(max(said, 0), math.MaxUint32))}
	if told {
		m.at |= 1
	}
	return s.put(m)
}

// put is add, for a mark whose hash is not there.
func (s *hashSet) put(m mark) bool {
	s.grow(s.count + 1)
	i := s.head + s.count
	if i/chunkMarks == len(s.chunks) {
		s.chunks = append(s.chunks, new(markChunk))
	}
	s.chunks[i/chunkMarks][i%chunkMarks] = m
	s.index((s.first + uint32(s.count)) &^ slotTaken)
	s.count++
	return true
}

func (s *hashSet) index(serial uint32) {
	i := s.home(&s.at(serial).hash)
	for s.slots[i] != 0 {
		i = (i + 1) & s.mask
	}
	s.slots[i] = slotTaken | serial
}

// grow makes room in the index for n marks.
func (s *hashSet) grow(n int) {
	size := max(minSlots, len(s.slots))
	for 4*n > 3*size {
		size *= 2
	}
	if size > len(s.slots) {
		s.rehash(size)
	}
}

// rehash makes the index anew with n slots, a power of two.
func (s *hashSet) rehash(n int) {
	s.slots = make([]uint32, n)
	s.mask = uint32(n - 1)
	for i := range s.count {
		s.index((s.first + uint32(i)) &^ slotTaken)
	}
}

// oldest is the mark that dropOldest would forget; there must be one.
func (s *hashSet) oldest() *mark { return s.at(s.first) }

// dropOldest forgets the oldest mark; there must be one.
func (s *hashSet) dropOldest() {
	i := s.home(&s.at(s.first).hash)
	for s.slots[i] != slotTaken|s.first {
		i = (i + 1) & s.mask
	}
	// Close the gap: whatever lies behind it and could not be found any more moves up.
	gap := i
	for i = (i + 1) & s.mask; s.slots[i] != 0; i = (i + 1) & s.mask {
		home := s.home(&s.at(s.slots[i]).hash)
		if (i-home)&s.mask >= (i-gap)&s.mask {
			s.slots[gap] = s.slots[i]
			gap = i
		}
	}
	s.slots[gap] = 0

	s.first = (s.first + 1) &^ slotTaken
	s.head++
	s.count--
	if s.head == chunkMarks {
		s.chunks = s.chunks[1:]
		s.head = 0
	}
}

// markView is a set at one moment, for a snapshot that is written while the
// set goes on: marks that are in never change.
type markView struct {
	chunks []*markChunk
	head   int
	count  int
}

func (s *hashSet) view() markView {
	v := markView{head: s.head, count: s.count}
	// The last chunk is still written to, behind what the view has of it.
	v.chunks = append(v.chunks, s.chunks...)
	return v
}

// append writes the marks, oldest first.
func (v markView) append(b []byte) []byte {
	for i := v.head; i < v.head+v.count; i++ {
		m := &v.chunks[i/chunkMarks][i%chunkMarks]
		b = append(b, m.hash[:]...)
		b = binary.LittleEndian.AppendUint32(b, m.at)
		b = binary.LittleEndian.AppendUint32(b, m.said)
	}
	return b
}
