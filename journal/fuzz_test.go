package journal

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"
)

// memFile is a file to read from.
type memFile []byte

func (f memFile) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(f).ReadAt(b, off)
}
func (f memFile) WriteAt([]byte, int64) (int, error) { return 0, io.ErrShortWrite }
func (f memFile) Close() error                       { return nil }
func (f memFile) Size() (int64, error)               { return int64(len(f)), nil }
func (f memFile) Truncate(int64) error               { return nil }
func (f memFile) Sync() error                        { return nil }
func (f memFile) Allocate(int64) error               { return nil }

// testSegment builds a segment with n commits of some entries, sealed if asked.
func testSegment(n int, sealed bool) ([]byte, segmentHeader) {
	h := segmentHeader{id: uuid{1, 2, 3}, first: 7, nonce: 0x1122334455667788, created: 9, prev: 4}
	s := newScanned(h)
	data := h.encode()
	for i := range n {
		c := commitHeader{nonce: h.nonce, offset: s.end, first: s.next, synced: s.end, prev: s.chain}
		var entries []Entry
		for k := range i % 4 {
			entries = append(entries, Entry{Kind: Kind(1 + k), Time: time.Unix(int64(i), 5), Body: bytes.Repeat([]byte{byte(k)}, 10*k)})
		}
		commitBytes := appendCommit(nil, &c, entries)
		data = append(data, commitBytes...)
		s.add(&commit{c, commitBytes})
	}
	if sealed {
		t := trailer{
			nonce: h.nonce, end: s.end, next: s.next, entries: s.entries, commits: s.commits,
			firstTime: s.firstTime, lastTime: s.lastTime, chain: s.chain,
		}
		data = append(data, t.footer(s.index)...)
	}
	return data, h
}

// FuzzSegmentHeader checks that only what encode gives is decoded. With fix the
// checksum is made right first, so that what lies behind it is reached.
func FuzzSegmentHeader(f *testing.F) {
	_, h := testSegment(0, false)
	f.Add(h.encode(), false)
	f.Add(h.encode(), true)
	f.Add([]byte(segmentMagic), true)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix && len(b) >= segmentHeaderSize {
			binary.LittleEndian.PutUint32(b[12:], checksumExcept(b[:segmentHeaderSize], 12))
		}
		h, err := decodeSegmentHeader(b)
		if err == nil && !bytes.Equal(h.encode(), b[:segmentHeaderSize]) {
			t.Errorf("%x is decoded to %+v", b, h)
		}
	})
}

func FuzzCommit(f *testing.F) {
	data, h := testSegment(8, false)
	var s scanned
	s, _, _ = scanSegment(memFile(data), h, int64(len(data)))
	_ = s
	f.Add(data[segmentHeaderSize:], false)
	for off := segmentHeaderSize; off < len(data); {
		c, err := decodeCommitHeader(data[off:], h.nonce, int64(off))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[off:off+int(c.size())], true)
		off += int(c.size())
	}
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if len(b) < commitHeaderSize {
			return
		}
		off := int64(binary.LittleEndian.Uint64(b[16:]))
		nonce := binary.LittleEndian.Uint64(b[8:])
		if fix {
			n := min(int64(len(b)), commitHeaderSize+int64(binary.LittleEndian.Uint32(b[32:]))*entryRecordSize)
			binary.LittleEndian.PutUint32(b[56:], checksum(b[commitHeaderSize:n]))
			binary.LittleEndian.PutUint32(b[4:], checksum(b[8:commitHeaderSize]))
		}
		h, err := decodeCommitHeader(b, nonce, off)
		if err != nil || h.size() > int64(len(b)) {
			return
		}
		c, err := h.decode(b[:h.size()])
		if err != nil {
			return
		}
		var entries []Entry
		c.entries(0, true, func(e Entry, ok bool) bool {
			if !ok {
				t.Error("a body that does not match in a commit that does")
			}
			entries = append(entries, e)
			return true
		})
		if len(entries) != int(c.count) {
			t.Errorf("%d entries of %d", len(entries), c.count)
		}
		again := h
		if got := appendCommit(nil, &again, entries); !bytes.Equal(got, c.data) {
			t.Errorf("encoded again it is %x, it was %x", got, c.data)
		}
	})
}

func FuzzFooter(f *testing.F) {
	data, _ := testSegment(9, true)
	size := int64(len(data))
	f.Add(data[size-trailerSize:], data[size-trailerSize-indexEntrySize:size-trailerSize], size, true)
	f.Add(data[size-trailerSize:], []byte{}, size, false)
	f.Fuzz(func(t *testing.T, b, x []byte, size int64, fix bool) {
		if fix && len(b) == trailerSize {
			binary.LittleEndian.PutUint32(b[12:], checksumExcept(b, 12))
		}
		end := size
		if tr, err := decodeTrailer(b, size); err == nil {
			if tr.end < segmentHeaderSize || tr.end > size {
				t.Errorf("commits end at %d of %d", tr.end, size)
			}
			end = tr.end
		}
		idx, err := decodeIndex(x, end)
		if err != nil {
			return
		}
		if !bytes.Equal(idx.encode(), x) {
			t.Errorf("%x is decoded to %v", x, idx)
		}
		for _, e := range idx {
			if off := idx.seek(e.first); off < segmentHeaderSize || off >= end {
				t.Errorf("seek(%d) = %d", e.first, off)
			}
		}
	})
}

// FuzzSegment walks whatever is in a file as recovery and salvage do. They must
// come to an end, agree, and never give an entry whose checksum is wrong.
func FuzzSegment(f *testing.F) {
	for _, sealed := range []bool{false, true} {
		data, _ := testSegment(12, sealed)
		f.Add(data, uint16(0), byte(0), true)
		f.Add(data, uint16(200), byte(1), false)
		f.Add(data[:len(data)-30], uint16(70), byte(255), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte, complete bool) {
		_, h := testSegment(0, false)
		if len(data) > 0 {
			data[int(at)%len(data)] ^= flip
		}
		file := memFile(data)
		size := int64(len(data))
		sc, _, err := scanSegment(file, h, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, intact := range []bool{true, false} {
			s := salvage{file: file, header: h, intact: intact, limit: size, complete: complete}
			var entries uint64
			next := h.first
			err = s.run(func(p piece) error {
				if p.first < next {
					t.Errorf("position %d after %d", p.first, next)
				}
				next = p.first + uint64(len(p.entries))
				entries += uint64(len(p.entries))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if entries != s.got.entries || entries < sc.entries || s.expect < next {
				t.Errorf("salvage gave %d entries and counts %d, the scan %d; it ends at %d, expects %d", entries, s.got.entries, sc.entries, next, s.expect)
			}
		}
		guessNonce(file, size)
	})
}

func FuzzSnapshot(f *testing.F) {
	s := Snapshot{Position: 5, Time: time.Unix(8, 0), Sections: []Section{{"ledger", 5, []byte("body")}, {"seen", 3, nil}}}
	whole := bytes.Join(s.encode(uuid{1}, 3), nil)
	f.Add(whole, false)
	f.Add(whole, true)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if len(b) < snapshotHeaderSize {
			return
		}
		n := int64(snapshotHeaderSize) + int64(binary.LittleEndian.Uint32(b[68:]))
		if n > int64(len(b)) {
			return
		}
		if fix {
			binary.LittleEndian.PutUint64(b[56:], uint64(len(b)))
			binary.LittleEndian.PutUint32(b[12:], checksumExcept(b[:n], 12))
		}
		got, id, crcs, err := decodeSnapshotHead(b[:n], int64(len(b)))
		if err != nil {
			return
		}
		if len(crcs) != len(got.Sections) {
			t.Errorf("%d checksums for %d sections", len(crcs), len(got.Sections))
		}
		rest := b[n:]
		for i := range got.Sections {
			rest = rest[copy(got.Sections[i].Body, rest):]
			if checksum(got.Sections[i].Body) != crcs[i] {
				return
			}
		}
		again := bytes.Join(got.encode(id, binary.LittleEndian.Uint64(b[40:])), nil)
		if !got.Time.IsZero() && !bytes.Equal(again, b) {
			t.Errorf("encoded again it is %x, it was %x", again, b)
		}
	})
}

func FuzzRepairs(f *testing.F) {
	b, err := encodeRepairs([]Stretch{{First: 1, Last: 2, From: time.Unix(1, 2).UTC(), Segment: "s", KeptAs: "k", Reason: "r"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	_, body, _ := bytes.Cut(b, []byte("\n"))
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeRepairs(b)
		// What follows a right checksum is reached only with one.
		all, err := decodeRepairs(append([]byte(repairsTitle+hex8(checksum(b))+"\n"), b...))
		if err != nil {
			return
		}
		for _, s := range all {
			if s.First == 0 || s.Last < s.First {
				t.Errorf("stretch %+v", s)
			}
		}
	})
}

func hex8(n uint32) string {
	const digits = "0123456789abcdef"
	var b [8]byte
	for i := range b {
		b[i] = digits[n>>(28-4*i)&15]
	}
	return string(b[:])
}

// FuzzNames parses names of files.
func FuzzNames(f *testing.F) {
	f.Add(segmentName(1))
	f.Add(snapshotName(1<<40, 3))
	f.Add("00000000000000000000.seg")
	f.Fuzz(func(t *testing.T, name string) {
		if first, ok := parseSegmentName(name); ok && segmentName(first) != name {
			t.Errorf("%q is taken for segment %d", name, first)
		}
		if s, ok := parseSnapshotName(name); ok && snapshotName(s.position, s.number) != name {
			t.Errorf("%q is taken for %+v", name, s)
		}
		if u, ok := parseUUID(name); ok && u.String() != name {
			t.Errorf("%q is taken for %v", name, u)
		}
	})
}
