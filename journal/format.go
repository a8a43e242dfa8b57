package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"
)

// The byte layouts are drawn in README.md. All numbers are little-endian, all
// checksums CRC-32C.

const (
	formatVersion = 1

	segmentMagic  = "TIMBJSEG"
	trailerMagic  = "TIMBJEND"
	snapshotMagic = "TIMBJSNP"
	commitMagic   = "TBC1"

	segmentHeaderSize  = 64
	commitHeaderSize   = 60
	entryRecordSize    = 20
	indexEntrySize     = 16
	trailerSize        = 88
	snapshotHeaderSize = 72

	// indexEvery is the distance between two entries of the index: what a
	// reader that starts anywhere reads in vain is at most that and a commit.
	indexEvery = 64 << 10

	// flagGap marks a commit before which positions are missing on purpose:
	// only a repair writes it.
	flagGap = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var (
	errMagic    = errors.New("the magic number is missing")
	errChecksum = errors.New("the checksum does not match")
	errShort    = errors.New("it is cut short")
	errLayout   = errors.New("its parts do not fit together")
	errPlace    = errors.New("it belongs to another place")
)

// versionError is what an intact header of another format version gives.
type versionError struct{ version uint32 }

func (e *versionError) Error() string {
	return fmt.Sprintf("format version %d is not known to this program", e.version)
}

type uuid [16]byte

func (u uuid) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// parseUUID reads what String gives.
func parseUUID(s string) (u uuid, ok bool) {
	if len(s) != 36 {
		return u, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return u, false
			}
			continue
		}
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return u, false
		}
		u[n/2] = u[n/2]<<4 | c
		n++
	}
	return u, true
}

// segmentHeader is the first thing in a segment. It is on disk before the
// segment has its name, so that a segment never has half a header.
type segmentHeader struct {
	id      uuid
	first   uint64 // position
	nonce   uint64 // random: tells this segment's commits from copies in bodies
	created int64  // ns since 1970
	prev    uint32 // chain value of the segment before
}

func (h segmentHeader) encode() []byte {
	b := make([]byte, segmentHeaderSize)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	copy(b[16:], h.id[:])
	binary.LittleEndian.PutUint64(b[32:], h.first)
	binary.LittleEndian.PutUint64(b[40:], h.nonce)
	binary.LittleEndian.PutUint64(b[48:], uint64(h.created))
	binary.LittleEndian.PutUint32(b[56:], h.prev)
	binary.LittleEndian.PutUint32(b[12:], checksumExcept(b, 12))
	return b
}

func decodeSegmentHeader(b []byte) (h segmentHeader, err error) {
	if len(b) < segmentHeaderSize {
		return h, errShort
	}
	b = b[:segmentHeaderSize]
	if string(b[:8]) != segmentMagic {
		return h, errMagic
	}
	if binary.LittleEndian.Uint32(b[12:]) != checksumExcept(b, 12) {
		return h, errChecksum
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return h, &versionError{v}
	}
	copy(h.id[:], b[16:])
	h.first = binary.LittleEndian.Uint64(b[32:])
	h.nonce = binary.LittleEndian.Uint64(b[40:])
	h.created = int64(binary.LittleEndian.Uint64(b[48:]))
	h.prev = binary.LittleEndian.Uint32(b[56:])
	if h.first == 0 || binary.LittleEndian.Uint32(b[60:]) != 0 {
		return h, errLayout
	}
	return h, nil
}

// checksumExcept is the checksum of b without the four bytes at i, where it is kept.
func checksumExcept(b []byte, i int) uint32 {
	return crc32.Update(checksum(b[:i]), castagnoli, b[i+4:])
}

// commitHeader begins a commit: the entries of one or several appends that are
// on disk together or not at all. A table of entry records follows, each with
// its body's checksum, then the bodies. The header's checksum covers the
// table's, so that one number stands for all of it.
type commitHeader struct {
	crc    uint32
	nonce  uint64
	offset int64  // its own, so that a commit is valid in one place only
	first  uint64 // position; with no entries, that of the next one
	count  uint32
	bodies uint32 // bytes of all bodies
	synced int64  // everything before this offset was on disk when this was written
	prev   uint32 // crc of the commit before, or the segment header's prev
	flags  uint32
	table  uint32 // checksum of the table
}

// size is the length of the whole commit.
func (h *commitHeader) size() int64 {
	return commitHeaderSize + int64(h.count)*entryRecordSize + int64(h.bodies)
}

func (h *commitHeader) next() uint64 { return h.first + uint64(h.count) }

// put writes the header into b and sets crc.
func (h *commitHeader) put(b []byte) {
	copy(b, commitMagic)
	binary.LittleEndian.PutUint64(b[8:], h.nonce)
	binary.LittleEndian.PutUint64(b[16:], uint64(h.offset))
	binary.LittleEndian.PutUint64(b[24:], h.first)
	binary.LittleEndian.PutUint32(b[32:], h.count)
	binary.LittleEndian.PutUint32(b[36:], h.bodies)
	binary.LittleEndian.PutUint64(b[40:], uint64(h.synced))
	binary.LittleEndian.PutUint32(b[48:], h.prev)
	binary.LittleEndian.PutUint32(b[52:], h.flags)
	binary.LittleEndian.PutUint32(b[56:], h.table)
	h.crc = checksum(b[8:commitHeaderSize])
	binary.LittleEndian.PutUint32(b[4:], h.crc)
}

// decodeCommitHeader checks everything that can be checked without the table.
func decodeCommitHeader(b []byte, nonce uint64, offset int64) (h commitHeader, err error) {
	if len(b) < commitHeaderSize {
		return h, errShort
	}
	if string(b[:4]) != commitMagic {
		return h, errMagic
	}
	h.crc = binary.LittleEndian.Uint32(b[4:])
	h.nonce = binary.LittleEndian.Uint64(b[8:])
	h.offset = int64(binary.LittleEndian.Uint64(b[16:]))
	if h.crc != checksum(b[8:commitHeaderSize]) {
		return h, errChecksum
	}
	if h.nonce != nonce || h.offset != offset {
		return h, errPlace
	}
	h.first = binary.LittleEndian.Uint64(b[24:])
	h.count = binary.LittleEndian.Uint32(b[32:])
	h.bodies = binary.LittleEndian.Uint32(b[36:])
	h.synced = int64(binary.LittleEndian.Uint64(b[40:]))
	h.prev = binary.LittleEndian.Uint32(b[48:])
	h.flags = binary.LittleEndian.Uint32(b[52:])
	h.table = binary.LittleEndian.Uint32(b[56:])
	if h.synced < segmentHeaderSize || h.synced > offset || h.first == 0 || h.size() > MaxBatchBytes {
		return h, errLayout
	}
	return h, nil
}

// commit is a whole commit in memory, header included.
type commit struct {
	commitHeader
	data []byte
}

func (c *commit) tableBytes() []byte {
	return c.data[commitHeaderSize : commitHeaderSize+int(c.count)*entryRecordSize]
}

// appendCommit builds a commit at h.offset in dst, which it extends, from
// entries that have their Time. It sets the lengths and checksums in h.
func appendCommit(dst []byte, h *commitHeader, groups ...[]Entry) []byte {
	start := len(dst)
	var count, bodies int
	for _, entries := range groups {
		count += len(entries)
		for i := range entries {
			bodies += len(entries[i].Body)
		}
	}
	h.count, h.bodies = uint32(count), uint32(bodies)
	dst = slices.Grow(dst, commitHeaderSize+count*entryRecordSize+bodies) // table must not move below
	dst = dst[:start+commitHeaderSize+count*entryRecordSize]
	clear(dst[start:])
	table := dst[start+commitHeaderSize:]
	for _, entries := range groups {
		for i := range entries {
			e := &entries[i]
			binary.LittleEndian.PutUint64(table, uint64(e.Time.UnixNano()))
			binary.LittleEndian.PutUint32(table[8:], uint32(len(e.Body)))
			binary.LittleEndian.PutUint32(table[12:], checksum(e.Body))
			table[16] = byte(e.Kind)
			table = table[entryRecordSize:]
			dst = append(dst, e.Body...)
		}
	}
	data := dst[start:]
	h.table = checksum(data[commitHeaderSize : commitHeaderSize+count*entryRecordSize])
	h.put(data)
	return dst
}

// checkTable checks the table against the header; the bodies are not looked at.
func (h *commitHeader) checkTable(table []byte) error {
	if checksum(table) != h.table {
		return errChecksum
	}
	var sum uint64
	for t := table; len(t) > 0; t = t[entryRecordSize:] {
		sum += uint64(binary.LittleEndian.Uint32(t[8:]))
		if t[16] == 0 || t[17]|t[18]|t[19] != 0 {
			return errLayout
		}
	}
	if sum != uint64(h.bodies) {
		return errLayout
	}
	return nil
}

// decode checks a whole commit, bodies included. data must be as long as
// the header says.
func (h commitHeader) decode(data []byte) (commit, error) {
	c := commit{h, data}
	table := c.tableBytes()
	if err := h.checkTable(table); err != nil {
		return c, err
	}
	body := data[commitHeaderSize+len(table):]
	for ; len(table) > 0; table = table[entryRecordSize:] {
		n := binary.LittleEndian.Uint32(table[8:])
		if checksum(body[:n]) != binary.LittleEndian.Uint32(table[12:]) {
			return c, errChecksum
		}
		body = body[n:]
	}
	return c, nil
}

// entries calls fn for each entry from the i-th on while it returns true. ok is
// whether the body matches its checksum; it is looked at only if check is set.
func (c *commit) entries(from int, check bool, fn func(e Entry, ok bool) bool) {
	table := c.tableBytes()
	off := commitHeaderSize + len(table)
	for i := 0; len(table) > 0; i, table = i+1, table[entryRecordSize:] {
		n := int(binary.LittleEndian.Uint32(table[8:]))
		if i >= from {
			body := c.data[off : off+n : off+n]
			ok := !check || checksum(body) == binary.LittleEndian.Uint32(table[12:])
			e := Entry{
				Position: c.first + uint64(i),
				Kind:     Kind(table[16]),
				Time:     time.Unix(0, int64(binary.LittleEndian.Uint64(table))).UTC(),
				Body:     body,
			}
			if !fn(e, ok) {
				return
			}
		}
		off += n
	}
}

// times returns the times of the first and the last entry; count must not be 0.
func (c *commit) times() (first, last int64) {
	table := c.tableBytes()
	first = int64(binary.LittleEndian.Uint64(table))
	last = int64(binary.LittleEndian.Uint64(table[len(table)-entryRecordSize:]))
	return first, last
}

// unixTime turns a stored time into a Time; 0 means there is none.
func unixTime(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
