package journal

import "encoding/binary"

// indexEntry says where a commit begins.
type indexEntry struct {
	first  uint64 // position of the commit's first entry
	offset int64
}

// index is sparse and ascending.
type index []indexEntry

// add notes a commit if the last one noted is far enough behind.
func (x *index) add(h *commitHeader) {
	if n := len(*x); n == 0 || h.offset-(*x)[n-1].offset >= indexEvery {
		*x = append(*x, indexEntry{h.first, h.offset})
	}
}

// seek returns where to begin to look for a position.
func (x index) seek(position uint64) int64 {
	lo, hi := 0, len(x)
	for lo < hi {
		m := (lo + hi) / 2
		if x[m].first <= position {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return segmentHeaderSize
	}
	return x[lo-1].offset
}

func (x index) encode() []byte {
	b := make([]byte, 0, len(x)*indexEntrySize+trailerSize)
	for _, e := range x {
		b = binary.LittleEndian.AppendUint64(b, e.first)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.offset))
	}
	return b
}

// decodeIndex reads an index whose commits lie between the segment's header and end.
func decodeIndex(b []byte, end int64) (index, error) {
	if len(b)%indexEntrySize != 0 {
		return nil, errShort
	}
	x := make(index, 0, len(b)/indexEntrySize)
	last := indexEntry{0, segmentHeaderSize - 1}
	for ; len(b) > 0; b = b[indexEntrySize:] {
		e := indexEntry{binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:]))}
		if e.offset <= last.offset || e.offset >= end || e.first < last.first {
			return nil, errLayout
		}
		x = append(x, e)
		last = e
	}
	return x, nil
}

// trailer is the last thing in a sealed segment, after the index. It is written
// only once the next segment is durable: a sealed segment without a successor
// has lost it.
type trailer struct {
	nonce     uint64
	end       int64  // of the commits; the index begins here
	next      uint64 // first position of the next segment
	entries   uint64
	commits   uint64
	firstTime int64
	lastTime  int64
	index     uint32 // how many index entries
	indexCRC  uint32
	chain     uint32 // what the next segment's header has as prev: the checksum of the last commit, unless repaired
}

// footer returns index and trailer as they are written.
func (t *trailer) footer(x index) []byte {
	b := x.encode()
	t.index, t.indexCRC = uint32(len(x)), checksum(b)
	start := len(b)
	b = append(b, make([]byte, trailerSize)...)
	p := b[start:]
	copy(p, trailerMagic)
	binary.LittleEndian.PutUint32(p[8:], formatVersion)
	binary.LittleEndian.PutUint64(p[16:], t.nonce)
	binary.LittleEndian.PutUint64(p[24:], uint64(t.end))
	binary.LittleEndian.PutUint64(p[32:], t.next)
	binary.LittleEndian.PutUint64(p[40:], t.entries)
	binary.LittleEndian.PutUint64(p[48:], t.commits)
	binary.LittleEndian.PutUint64(p[56:], uint64(t.firstTime))
	binary.LittleEndian.PutUint64(p[64:], uint64(t.lastTime))
	binary.LittleEndian.PutUint32(p[72:], t.index)
	binary.LittleEndian.PutUint32(p[76:], t.indexCRC)
	binary.LittleEndian.PutUint32(p[80:], t.chain)
	binary.LittleEndian.PutUint32(p[12:], checksumExcept(p, 12))
	return b
}

// decodeTrailer reads the trailer of a file of the given size.
func decodeTrailer(p []byte, size int64) (t trailer, err error) {
	if len(p) != trailerSize {
		return t, errShort
	}
	if string(p[:8]) != trailerMagic {
		return t, errMagic
	}
	if binary.LittleEndian.Uint32(p[12:]) != checksumExcept(p, 12) {
		return t, errChecksum
	}
	if v := binary.LittleEndian.Uint32(p[8:]); v != formatVersion {
		return t, &versionError{v}
	}
	t.nonce = binary.LittleEndian.Uint64(p[16:])
	t.end = int64(binary.LittleEndian.Uint64(p[24:]))
	t.next = binary.LittleEndian.Uint64(p[32:])
	t.entries = binary.LittleEndian.Uint64(p[40:])
	t.commits = binary.LittleEndian.Uint64(p[48:])
	t.firstTime = int64(binary.LittleEndian.Uint64(p[56:]))
	t.lastTime = int64(binary.LittleEndian.Uint64(p[64:]))
	t.index = binary.LittleEndian.Uint32(p[72:])
	t.indexCRC = binary.LittleEndian.Uint32(p[76:])
	t.chain = binary.LittleEndian.Uint32(p[80:])
	if binary.LittleEndian.Uint32(p[84:]) != 0 || t.end < segmentHeaderSize || t.end+int64(t.index)*indexEntrySize+trailerSize != size {
		return t, errLayout
	}
	return t, nil
}
