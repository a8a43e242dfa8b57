package journal

import (
	"context"
	"time"
)

// Snapshot is what was built from the journal up to a position, so that it need
// not be built again.
type Snapshot struct {
	// Position is the entry through which everything in it is covered: reading
	// goes on after it. Sections may be ahead of it, each by its own position.
	Position uint64
	Time     time.Time // when it was saved; set by SaveSnapshot
	Sections []Section
}

// Section is one projection's part of a snapshot.
type Section struct {
	Name     string // unique in the snapshot, at most 255 bytes
	Position uint64 // the last entry that Body has in it
	Body     []byte
}

// Section returns the section of that name.
func (s Snapshot) Section(name string) (Section, bool) {
	for _, c := range s.Sections {
		if c.Name == name {
			return c, true
		}
	}
	return Section{}, false
}

// SaveSnapshot writes a snapshot, reads it back, and puts it in place at once or
// not at all. The newest two are kept. It returns ErrFull if there is no space.
func (j *Journal) SaveSnapshot(ctx context.Context, s Snapshot) error { return errUnwritten }

// Snapshots reads the snapshots, newest first. One that is damaged is told as a
// [*CorruptError] among the errors.
func (j *Journal) Snapshots() ([]Snapshot, []error) { return nil, nil }
