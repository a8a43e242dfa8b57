package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// Stretch is a range of positions that a repair had to give up.
type Stretch struct {
	First, Last uint64
	// From and To are the times of the entries next to it, zero where there is none.
	From, To time.Time
	Segment  string // file name
	KeptAs   string // file name of the damaged segment, kept aside; "" when it was missing
	Reason   string
}

// Known is the last position of the stretch that is known to have been used.
// Where nothing said how far the log went, exact is false: Last lies far beyond,
// and last may be before First, when not one of them is known.
func (s Stretch) Known() (last uint64, exact bool) {
	if s.Last-s.First < lostEnd-1 {
		return s.Last, true
	}
	return s.Last - lostEnd, false
}

// storedStretch is a Stretch in the file of repairs, whose names are the format's.
type storedStretch struct {
	First   uint64    `json:"first"`
	Last    uint64    `json:"last"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Segment string    `json:"segment"`
	KeptAs  string    `json:"kept_as,omitempty"`
	Reason  string    `json:"reason"`
}

const repairsTitle = "timbridge journal repairs 1 crc32c "

// encodeRepairs writes a line with a checksum, then JSON: an operator may want
// to read it.
func encodeRepairs(all []Stretch) ([]byte, error) {
	stored := make([]storedStretch, len(all))
	for i, s := range all {
		stored[i] = storedStretch(s)
	}
	body, err := json.MarshalIndent(stored, "", "  ")
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, "%s%08x\n", repairsTitle, checksum(body)), body...), nil
}

func decodeRepairs(b []byte) ([]Stretch, error) {
	title, body, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(title) != fmt.Sprintf("%s%08x", repairsTitle, checksum(body)) {
		return nil, errChecksum
	}
	var stored []storedStretch
	if err := json.Unmarshal(body, &stored); err != nil {
		return nil, err
	}
	var all []Stretch
	for _, s := range stored {
		if s.First == 0 || s.Last < s.First {
			return nil, errLayout
		}
		all = append(all, Stretch(s))
	}
	return all, nil
}

func readRepairs(fsys FS, dir string) ([]Stretch, error) {
	b, err := readFile(fsys, filepath.Join(dir, repairsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: read the repairs: %w", err)
	}
	all, err := decodeRepairs(b)
	if err != nil {
		return nil, &CorruptError{Dir: dir, Segment: repairsName, Reason: err.Error()}
	}
	return all, nil
}

// Repairs returns the stretches that [Repair] has given up, until ClearRepairs.
// The owner appends what it makes of them (with an id made from First and Last,
// so that doing it twice is harmless) and then calls ClearRepairs.
func (j *Journal) Repairs() []Stretch {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return append([]Stretch(nil), j.repairs...)
}

// ClearRepairs forgets, durably, what Repairs returned.
func (j *Journal) ClearRepairs() error {
	j.removing.Lock()
	defer j.removing.Unlock()
	if err := j.usable(); err != nil {
		return err
	}
	if len(j.Repairs()) == 0 {
		return nil
	}
	err := j.fs.Remove(filepath.Join(j.dir, repairsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: clear the repairs: %w", err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return j.fail("sync the directory", err)
	}
	j.mu.Lock()
	j.repairs = nil
	j.mu.Unlock()
	return nil
}
