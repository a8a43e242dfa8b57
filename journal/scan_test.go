package journal

import (
	"errors"
	"testing"
	"time"
)

// TestScanRefusesWhatDoesNotFollow puts commits that are intact, and of this
// segment, where another one belongs.
func TestScanRefusesWhatDoesNotFollow(t *testing.T) {
	h := segmentHeader{id: uuid{9}, first: 10, nonce: 77, prev: 5}
	one := func(body string) []Entry {
		return []Entry{{Kind: KindFact, Time: time.Unix(1, 0), Body: []byte(body)}}
	}
	tests := []struct {
		name   string
		change func(second *commitHeader)
		whole  bool
	}{
		{"what follows", func(*commitHeader) {}, true},
		{"the one after another first commit", func(c *commitHeader) { c.prev++ }, false},
		{"a position that comes later", func(c *commitHeader) { c.first++ }, false},
		{"a position that comes later, after a repair", func(c *commitHeader) { c.first++; c.flags = flagGap }, true},
		{"a position again, after a repair", func(c *commitHeader) { c.first--; c.flags = flagGap }, false},
		{"another segment's", func(c *commitHeader) { c.nonce++ }, false},
		{"another place's", func(c *commitHeader) { c.offset++ }, false},
		{"one that was synced after itself", func(c *commitHeader) { c.synced = c.offset + 1 }, false},
		{"one that nothing was synced before", func(c *commitHeader) { c.synced = 3 }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := h.encode()
			s := newScanned(h)
			for i := range 2 {
				c := commitHeader{nonce: h.nonce, offset: s.end, first: s.next, synced: s.end, prev: s.chain}
				if i == 1 {
					tt.change(&c)
				}
				b := appendCommit(nil, &c, one("body"))
				data = append(data, b...)
				if i == 0 {
					s.add(&commit{c, b})
				}
			}
			got, bad, err := scanSegment(memFile(data), h, int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if whole := got.commits == 2 && bad == nil; whole != tt.whole || got.commits == 0 {
				t.Errorf("%d commits, then %v", got.commits, bad)
			}
			// Below a synced position salvage says so, and loses nothing of it
			// that can be told from another place's.
			sv := salvage{file: memFile(data), header: h, intact: true, limit: int64(len(data)), complete: true}
			if err := sv.run(nil); err != nil {
				t.Fatal(err)
			}
			if (len(sv.damage) == 0) != tt.whole {
				t.Errorf("salvage finds %v", sv.damage)
			}
		})
	}
}

// badSector is a file with a sector that cannot be read.
type badSector struct {
	memFile
	at int64
}

var errSector = errors.New("input/output error")

func (f badSector) ReadAt(b []byte, off int64) (int, error) {
	if off <= f.at && f.at < off+int64(len(b)) {
		return 0, errSector
	}
	return f.memFile.ReadAt(b, off)
}

// TestPatientFile reads around a sector that the disk refuses.
func TestPatientFile(t *testing.T) {
	data := make([]byte, 40_000)
	for i := range data {
		data[i] = byte(i%250) + 1
	}
	f := patientFile{badSector{data, 9000}}
	for _, off := range []int64{0, 1, 5000, 8192, 8999} {
		b := make([]byte, 39_000-off)
		if n, err := f.ReadAt(b, off); n != len(b) || err != nil {
			t.Fatalf("at %d: %d, %v", off, n, err)
		}
		for i := range b {
			at := off + int64(i)
			bad := at/4096 == 9000/4096
			if b[i] != data[at] && !bad || b[i] != 0 && bad {
				t.Fatalf("byte %d is %d", at, b[i])
			}
		}
	}
	if _, err := scanWithBadSector(); !errors.Is(err, errReading) || !errors.Is(err, errSector) {
		t.Errorf("a scan over a bad sector: %v", err)
	}
}

// scanWithBadSector scans as Open does, which must not take what it cannot read
// for what was never written.
func scanWithBadSector() (scanned, error) {
	data, h := testSegment(30, false)
	s, _, err := scanSegment(badSector{data, 300}, h, int64(len(data)))
	return s, err
}
