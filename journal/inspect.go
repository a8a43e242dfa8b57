package journal

import "time"

// Report is what Inspect found.
type Report struct {
	Dir         string
	ID          string // the journal's UUID
	First, Last uint64
	Entries     uint64
	Bytes       int64
	Locked      bool // a process has it open; the end may have moved meanwhile
	Segments    []SegmentReport
	Snapshots   []SnapshotReport
	Damage      []*CorruptError // in order of position; empty when all is well
	// Unsynced is the length of what the next Open will cut: bytes at the end
	// that a crash left and nobody was promised.
	Unsynced  int64
	Leftovers []string  // temporary files that the next Open removes
	KeptAside []string  // damaged files that repairs have kept
	Repairs   []Stretch // lost in earlier repairs and not yet acknowledged
}

// OK reports whether the journal opens and every entry and snapshot can be read.
func (r Report) OK() bool { return false }

// SegmentReport describes one segment as Inspect found it.
type SegmentReport struct {
	Segment
	FirstTime time.Time
	Entries   uint64 // that can be read
	Commits   int
	Gaps      []Stretch // positions without entries, left by earlier repairs
	OK        bool
}

// SnapshotReport describes one snapshot as Inspect found it.
type SnapshotReport struct {
	Name     string
	Position uint64
	Time     time.Time
	Bytes    int64
	Sections []string
	Err      error // a *CorruptError when it is damaged
}

// Inspect reads everything in a journal's directory and changes nothing. It may
// be used while the journal is open. fsys nil is the operating system's.
func Inspect(dir string, fsys FS) (Report, error) { return Report{}, errUnwritten }
