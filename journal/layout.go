package journal

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names in a journal's directory.
const (
	lockName    = "LOCK"
	idName      = "journal.id"
	repairsName = "repairs"

	segmentSuffix  = ".seg"
	snapshotPrefix = "snapshot-"
	snapshotSuffix = ".snap"
	tempSuffix     = ".tmp"
	damagedInfix   = ".damaged-"
)

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

func snapshotName(position uint64, number uint64) string {
	return fmt.Sprintf("%s%020d-%010d%s", snapshotPrefix, position, number, snapshotSuffix)
}

type segmentFile struct {
	name  string
	first uint64
}

type snapshotFile struct {
	name     string
	position uint64
	number   uint64 // rises with each one saved
	size     int64
	bad      bool // found damaged by Snapshots
}

// layout is what lies in a journal's directory, by name.
type layout struct {
	segments  []segmentFile  // by position
	snapshots []snapshotFile // oldest first
	temps     []string
	damaged   []string // kept aside by repairs
	id        bool
	repairs   bool
}

// exists reports whether a journal is or has been there.
func (l *layout) exists() bool { return len(l.segments) > 0 || len(l.snapshots) > 0 || l.id }

func readLayout(fsys FS, dir string) (l layout, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return l, fmt.Errorf("journal: list %s: %w", dir, err)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, tempSuffix):
			if ours(strings.TrimSuffix(name, tempSuffix)) {
				l.temps = append(l.temps, name)
			}
		case name == idName:
			l.id = true
		case name == repairsName:
			l.repairs = true
		default:
			if base, _, ok := strings.Cut(name, damagedInfix); ok {
				if ours(base) {
					l.damaged = append(l.damaged, name)
				}
			} else if first, ok := parseSegmentName(name); ok {
				l.segments = append(l.segments, segmentFile{name, first})
			} else if s, ok := parseSnapshotName(name); ok {
				l.snapshots = append(l.snapshots, s)
			}
		}
	}
	slices.SortFunc(l.snapshots, func(a, b snapshotFile) int { return cmp.Compare(a.number, b.number) })
	return l, nil
}

// ours reports whether a name is one that the journal gives.
func ours(name string) bool {
	_, segment := parseSegmentName(name)
	_, snapshot := parseSnapshotName(name)
	return segment || snapshot || name == idName || name == repairsName
}

func parseSegmentName(name string) (first uint64, ok bool) {
	s, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(s) != 20 {
		return 0, false
	}
	first, err := strconv.ParseUint(s, 10, 64)
	return first, err == nil && first > 0
}

func parseSnapshotName(name string) (f snapshotFile, ok bool) {
	s, ok := strings.CutPrefix(name, snapshotPrefix)
	if !ok {
		return f, false
	}
	if s, ok = strings.CutSuffix(s, snapshotSuffix); !ok || len(s) != 31 || s[20] != '-' {
		return f, false
	}
	position, err1 := strconv.ParseUint(s[:20], 10, 64)
	number, err2 := strconv.ParseUint(s[21:], 10, 64)
	return snapshotFile{name: name, position: position, number: number}, err1 == nil && err2 == nil
}

// writeFile puts a small file in place at once or not at all, durably.
func writeFile(fsys FS, dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	if err := writeTemp(fsys, path+tempSuffix, data); err != nil {
		return err
	}
	if err := fsys.Rename(path+tempSuffix, path); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// writeTemp writes a file that has no meaning yet. If it cannot, the file is
// removed as well as may be; what is left of it the next Open removes.
func writeTemp(fsys FS, path string, parts ...[]byte) (err error) {
	f, err := fsys.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = fsys.Remove(path)
		}
	}()
	var off int64
	for _, p := range parts {
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
		off += int64(len(p))
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// readFile reads a whole file.
func readFile(fsys FS, path string) (b []byte, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b = make([]byte, size)
	if _, err := readFull(f, b, 0); err != nil {
		return nil, err
	}
	return b, nil
}
