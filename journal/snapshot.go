package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// keptSnapshots is how many snapshots there are: with the newest damaged, the
// older one and the log give the same state.
const keptSnapshots = 2

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
	Name     string // unique in the snapshot, 1 to 255 bytes
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

// check reports what is wrong with a snapshot that is to be saved.
func (s Snapshot) check(last uint64) error {
	if s.Position > last {
		return fmt.Errorf("journal: a snapshot of position %d, but the journal ends at %d", s.Position, last)
	}
	names := make(map[string]bool, len(s.Sections))
	for _, c := range s.Sections {
		switch {
		case c.Name == "" || len(c.Name) > 255:
			return fmt.Errorf("journal: a section's name of %d bytes", len(c.Name))
		case names[c.Name]:
			return fmt.Errorf("journal: two sections named %q", c.Name)
		case c.Position > last:
			return fmt.Errorf("journal: section %q is at position %d, but the journal ends at %d", c.Name, c.Position, last)
		}
		names[c.Name] = true
	}
	return nil
}

// SaveSnapshot writes a snapshot, reads it back, and puts it in place at once or
// not at all. The newest two are kept. It returns ErrFull if there is no space;
// MaxDiskBytes does not hold it back, for without a newer snapshot no segment
// can go.
func (j *Journal) SaveSnapshot(ctx context.Context, s Snapshot) error {
	j.saving.Lock()
	defer j.saving.Unlock()
	if err := j.usable(); err != nil {
		return err
	}
	if err := s.check(j.Last()); err != nil {
		return err
	}
	number := uint64(1)
	if n := len(j.snaps); n > 0 {
		number = j.snaps[n-1].number + 1
	}
	s.Time = j.opts.Now().UTC()
	f := snapshotFile{name: snapshotName(s.Position, number), position: s.Position, number: number}
	path := filepath.Join(j.dir, f.name)
	parts := s.encode(j.id, number)
	for _, p := range parts {
		f.size += int64(len(p))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := writeTemp(j.fs, path+tempSuffix, parts...); err != nil {
		if noSpace(err) {
			return fmt.Errorf("%w: write a snapshot: %w", ErrFull, err)
		}
		return fmt.Errorf("journal: write a snapshot: %w", err)
	}
	if _, _, err := readSnapshot(j.fs, path+tempSuffix, j.id); err != nil {
		_ = j.fs.Remove(path + tempSuffix)
		return fmt.Errorf("journal: a snapshot does not read back: %w", err)
	}
	j.hook("snapshot")
	if err := j.fs.Rename(path+tempSuffix, path); err != nil {
		_ = j.fs.Remove(path + tempSuffix)
		return fmt.Errorf("journal: name a snapshot: %w", err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return j.fail("sync the directory", err)
	}
	keep := append([]snapshotFile(nil), j.snaps...)
	keep = append(keep, f)
	err := j.dropSnapshots(&keep)
	j.mu.Lock()
	j.snaps = keep
	j.mu.Unlock()
	return err
}

// dropSnapshots removes all but the newest two that are not known to be damaged.
func (j *Journal) dropSnapshots(all *[]snapshotFile) error {
	var keep []snapshotFile // newest first
	var failed error
	for i := len(*all) - 1; i >= 0; i-- {
		f := (*all)[i]
		if len(keep) < keptSnapshots && !f.bad {
			keep = append(keep, f)
			continue
		}
		if err := j.fs.Remove(filepath.Join(j.dir, f.name)); err != nil {
			keep = append(keep, f)
			failed = fmt.Errorf("journal: remove an old snapshot: %w", err)
		}
	}
	*all = (*all)[:0]
	for i := len(keep) - 1; i >= 0; i-- {
		*all = append(*all, keep[i])
	}
	return failed
}

// Snapshots reads the snapshots, newest first. One that is damaged is told as a
// [*CorruptError] among the errors.
func (j *Journal) Snapshots() ([]Snapshot, []error) {
	j.saving.Lock()
	defer j.saving.Unlock()
	var good []Snapshot
	var bad []error
	for i := len(j.snaps) - 1; i >= 0; i-- {
		f := &j.snaps[i]
		s, _, err := readSnapshot(j.fs, filepath.Join(j.dir, f.name), j.id)
		if err == nil && s.Position != f.position {
			err = errPlace
		}
		if err != nil {
			bad = append(bad, snapshotError(j.dir, *f, err))
			if !isVersionOrReading(err) {
				f.bad = true
			}
			continue
		}
		good = append(good, s)
	}
	return good, bad
}

func snapshotError(dir string, f snapshotFile, err error) error {
	if isVersionOrReading(err) {
		return fmt.Errorf("journal: %s: %w", f.name, err)
	}
	return &CorruptError{Dir: dir, Segment: f.name, First: f.position, Last: f.position, Reason: err.Error()}
}

// encode returns the parts of the file, in order: header and table, then bodies.
func (s Snapshot) encode(id uuid, number uint64) [][]byte {
	head := make([]byte, snapshotHeaderSize)
	parts := [][]byte{nil}
	size := int64(0)
	for _, c := range s.Sections {
		head = binary.LittleEndian.AppendUint64(head, c.Position)
		head = binary.LittleEndian.AppendUint64(head, uint64(len(c.Body)))
		head = binary.LittleEndian.AppendUint32(head, checksum(c.Body))
		head = binary.LittleEndian.AppendUint32(head, uint32(len(c.Name)))
		head = append(head, c.Name...)
		parts = append(parts, c.Body)
		size += int64(len(c.Body))
	}
	copy(head, snapshotMagic)
	binary.LittleEndian.PutUint32(head[8:], formatVersion)
	copy(head[16:], id[:])
	binary.LittleEndian.PutUint64(head[32:], s.Position)
	binary.LittleEndian.PutUint64(head[40:], number)
	binary.LittleEndian.PutUint64(head[48:], uint64(s.Time.UnixNano()))
	binary.LittleEndian.PutUint64(head[56:], uint64(int64(len(head))+size))
	binary.LittleEndian.PutUint32(head[64:], uint32(len(s.Sections)))
	binary.LittleEndian.PutUint32(head[68:], uint32(len(head)-snapshotHeaderSize))
	binary.LittleEndian.PutUint32(head[12:], checksumExcept(head, 12))
	parts[0] = head
	return parts
}

// maxSnapshotTable bounds what is read before a checksum has been looked at.
const maxSnapshotTable = 4 << 20

// readSnapshot reads and checks a whole snapshot. id may be zero, then any
// journal's is taken.
func readSnapshot(fsys FS, path string, id uuid) (s Snapshot, of uuid, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return s, of, fmt.Errorf("%w: %w", errReading, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return s, of, fmt.Errorf("%w: %w", errReading, err)
	}
	head := make([]byte, min(size, snapshotHeaderSize))
	if _, err := readFull(f, head, 0); err != nil {
		return s, of, err
	}
	if len(head) < snapshotHeaderSize {
		return s, of, errShort
	}
	if string(head[:8]) != snapshotMagic {
		return s, of, errMagic
	}
	table := int64(binary.LittleEndian.Uint32(head[68:]))
	if table > maxSnapshotTable || snapshotHeaderSize+table > size {
		return s, of, errShort
	}
	head = append(head, make([]byte, table)...)
	if _, err := readFull(f, head[snapshotHeaderSize:], snapshotHeaderSize); err != nil {
		return s, of, err
	}
	s, of, crcs, err := decodeSnapshotHead(head, size)
	if err != nil {
		return s, of, err
	}
	if id != (uuid{}) && of != id {
		return s, of, errors.New("it belongs to another journal")
	}
	off := int64(len(head))
	for i := range s.Sections {
		if _, err := readFull(f, s.Sections[i].Body, off); err != nil {
			return s, of, err
		}
		off += int64(len(s.Sections[i].Body))
		if checksum(s.Sections[i].Body) != crcs[i] {
			return s, of, errChecksum
		}
	}
	return s, of, nil
}

// decodeSnapshotHead reads header and table of a file of the given size. The
// bodies it returns have their lengths but not yet their contents.
func decodeSnapshotHead(head []byte, size int64) (s Snapshot, id uuid, crcs []uint32, err error) {
	if len(head) < snapshotHeaderSize {
		return s, id, nil, errShort
	}
	if string(head[:8]) != snapshotMagic {
		return s, id, nil, errMagic
	}
	if binary.LittleEndian.Uint32(head[12:]) != checksumExcept(head, 12) {
		return s, id, nil, errChecksum
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != formatVersion {
		return s, id, nil, &versionError{v}
	}
	if binary.LittleEndian.Uint64(head[56:]) != uint64(size) {
		return s, id, nil, errShort
	}
	copy(id[:], head[16:])
	s.Position = binary.LittleEndian.Uint64(head[32:])
	s.Time = unixTime(int64(binary.LittleEndian.Uint64(head[48:])))
	count := binary.LittleEndian.Uint32(head[64:])
	left := size - int64(len(head))
	table := head[snapshotHeaderSize:]
	for range count {
		if len(table) < 24 {
			return s, id, nil, errLayout
		}
		position := binary.LittleEndian.Uint64(table)
		length := binary.LittleEndian.Uint64(table[8:])
		name := binary.LittleEndian.Uint32(table[20:])
		if name > 255 || int(name) > len(table)-24 || length > uint64(left) {
			return s, id, nil, errLayout
		}
		left -= int64(length)
		crcs = append(crcs, binary.LittleEndian.Uint32(table[16:]))
		s.Sections = append(s.Sections, Section{
			Name: string(table[24 : 24+name]), Position: position, Body: make([]byte, length),
		})
		table = table[24+name:]
	}
	if len(table) != 0 || left != 0 {
		return s, id, nil, errLayout
	}
	return s, id, crcs, nil
}
