// Package journaltest has a file system in memory for tests of what writes to
// disk: it fails, tears, reorders and forgets what was not synced.
//
// An [FS] keeps two views of every file and directory: the live one, which the
// process sees, and the durable one, together with the list of changes between
// them. [FS.Crash] makes the disk that a power cut could leave, by a [State]
// that says what became of each of those changes; [FS.Kill] ends the process
// and keeps the live view, as an operating system does.
//
// What a power cut may do is deliberately wider than what one file system
// does: every sector of every unsynced write arrives or not, also in part and in
// any order; a length changes or not; a name that was made, moved or removed
// without its directory being synced is kept or lost, each by itself. What it
// may not do is change bytes that no write was under way for: a sector that is
// written again with the same bytes keeps them.
package journaltest

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/timbridge/timbridge/journal"
)

// ErrCrashed is returned by every call from the crash on.
var ErrCrashed = errors.New("journaltest: the machine is off")

const blockSize = 4096

// Kind is what an operation does.
type Kind string

// The operations that change something; they are what can be counted and failed.
const (
	OpCreate   Kind = "create"
	OpWrite    Kind = "write"
	OpTruncate Kind = "truncate"
	OpAllocate Kind = "allocate"
	OpSync     Kind = "sync"
	OpRename   Kind = "rename"
	OpLink     Kind = "link"
	OpRemove   Kind = "remove"
	OpSyncDir  Kind = "syncdir"
)

// Op is one operation.
type Op struct {
	N    int // its number, from 0
	Kind Kind
	Name string // the file's, when it was opened; the directory's
	Off  int64  // of a write
	Len  int64  // of a write; the size of truncate and allocate
}

// FS is the file system. Its methods may be called at once from several goroutines.
type FS struct {
	mu       sync.Mutex
	names    map[string]*node // live
	durable  map[string]*node
	changes  []change // of names, since their directory was synced
	dirs     map[string]bool
	locks    map[string]bool
	ops      int
	crashAt  int // -1: never
	crashed  bool
	fault    func(Op) error
	epoch    int // handles of another one are dead
	capacity int64
	others   int64
	noLinks  bool
	noAlloc  bool
}

// node is a file.
type node struct {
	live      []byte
	disk      []byte
	pending   []edit
	allocated int64
}

// edit is a change of a file's contents.
type edit struct {
	off  int64
	data []byte // nil: the length is set to off
}

// change is a change of names: to now means node (nil: nothing), and from, if
// there is one, nothing any more.
type change struct {
	dir      string
	from, to string
	node     *node
}

var _ journal.FS = (*FS)(nil)

// NewFS returns an empty file system without a limit.
func NewFS() *FS {
	return &FS{
		names: map[string]*node{}, durable: map[string]*node{}, dirs: map[string]bool{}, locks: map[string]bool{},
		crashAt: -1, capacity: -1,
	}
}

// CrashAt turns the machine off at the operation of that number (see Ops).
// What it was about to change may be on disk afterwards or not.
func (f *FS) CrashAt(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashAt = n
}

// Crashed reports whether the machine is off.
func (f *FS) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// Fault sets a function that is asked before each operation; the operation
// fails with the error it returns. A sync that fails has lost what it should
// have synced, as on Linux: the file reads as before, but no later sync writes
// those bytes. A write that fails with ENOSPC may have been done in part.
func (f *FS) Fault(fn func(Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fn
}

// Ops returns how many operations there have been.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Capacity sets the size of the volume; negative means without limit.
func (f *FS) Capacity(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.capacity = bytes
}

// Others sets how much of the volume other programs use.
func (f *FS) Others(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.others = bytes
}

// Without takes away links, or allocation, as some file systems do.
func (f *FS) Without(links, allocation bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noLinks, f.noAlloc = links, allocation
}

// begin counts an operation and returns how it is to fail. apply is whether a
// crash leaves it to chance.
func (f *FS) begin(kind Kind, name string, off, n int64) (apply bool, err error) {
	if f.crashed {
		return false, ErrCrashed
	}
	op := Op{N: f.ops, Kind: kind, Name: name, Off: off, Len: n}
	f.ops++
	if op.N == f.crashAt {
		f.crashed = true
		return true, ErrCrashed
	}
	if f.fault != nil {
		if err := f.fault(op); err != nil {
			return false, err
		}
	}
	return true, nil
}

// MkdirAll makes a directory.
func (f *FS) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return ErrCrashed
	}
	f.dirs[path.Clean(dir)] = true
	return nil
}

// List returns the names in a directory.
func (f *FS) List(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return nil, ErrCrashed
	}
	if !f.dirs[path.Clean(dir)] {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	var names []string
	for name := range f.names {
		if path.Dir(name) == path.Clean(dir) {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open opens a file to read.
func (f *FS) Open(name string) (journal.File, error) { return f.open(name, false) }

// OpenWrite opens a file to read and write.
func (f *FS) OpenWrite(name string) (journal.File, error) { return f.open(name, true) }

func (f *FS) open(name string, write bool) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return nil, ErrCrashed
	}
	n := f.names[path.Clean(name)]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{fs: f, node: n, name: name, write: write, epoch: f.epoch}, nil
}

// Create makes an empty file or empties one.
func (f *FS) Create(name string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = path.Clean(name)
	apply, err := f.begin(OpCreate, name, 0, 0)
	if apply {
		if n := f.names[name]; n != nil {
			n.truncate(0)
		} else {
			f.change(change{dir: path.Dir(name), to: name, node: &node{}})
		}
	}
	if err != nil {
		return nil, err
	}
	return &file{fs: f, node: f.names[name], name: name, write: true, epoch: f.epoch}, nil
}

// change applies a change to the live names and remembers it.
func (f *FS) change(c change) {
	c.apply(f.names)
	f.changes = append(f.changes, c)
}

func (c change) apply(names map[string]*node) {
	if c.from != "" && (c.node == nil || names[c.from] == c.node) {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

// Rename moves a file.
func (f *FS) Rename(from, to string) error {
	return f.rename(OpRename, path.Clean(from), path.Clean(to))
}

func (f *FS) rename(kind Kind, from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.names[from]
	if n == nil && !f.crashed {
		return &fs.PathError{Op: string(kind), Path: from, Err: fs.ErrNotExist}
	}
	apply, err := f.begin(kind, to, 0, 0)
	if apply {
		c := change{dir: path.Dir(to), from: from, to: to, node: n}
		if kind == OpLink {
			c.from = ""
		}
		f.change(c)
	}
	return err
}

// Link gives a file a second name.
func (f *FS) Link(name, second string) error {
	f.mu.Lock()
	noLinks, taken := f.noLinks, f.names[path.Clean(second)] != nil
	f.mu.Unlock()
	if noLinks {
		return errors.ErrUnsupported
	}
	if taken {
		return &fs.PathError{Op: "link", Path: second, Err: fs.ErrExist}
	}
	return f.rename(OpLink, path.Clean(name), path.Clean(second))
}

// Remove deletes a file.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = path.Clean(name)
	if f.names[name] == nil && !f.crashed {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	apply, err := f.begin(OpRemove, name, 0, 0)
	if apply {
		f.change(change{dir: path.Dir(name), from: name})
	}
	return err
}

// SyncDir makes the names in a directory durable.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = path.Clean(dir)
	if _, err := f.begin(OpSyncDir, dir, 0, 0); err != nil {
		return err
	}
	var rest []change
	for _, c := range f.changes {
		if c.dir == dir {
			c.apply(f.durable)
		} else {
			rest = append(rest, c)
		}
	}
	f.changes = rest
	return nil
}

type lock struct {
	fs    *FS
	name  string
	epoch int
	once  sync.Once
}

// Close frees the lock.
func (l *lock) Close() error {
	l.once.Do(func() {
		l.fs.mu.Lock()
		defer l.fs.mu.Unlock()
		if l.epoch == l.fs.epoch {
			delete(l.fs.locks, l.name)
		}
	})
	return nil
}

// Lock takes a lock.
func (f *FS) Lock(name string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return nil, ErrCrashed
	}
	if f.locks[name] {
		return nil, journal.ErrLocked
	}
	f.locks[name] = true
	return &lock{fs: f, name: name, epoch: f.epoch}, nil
}

// Free returns what is left of the volume.
func (f *FS) Free(string) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return 0, ErrCrashed
	}
	if f.capacity < 0 {
		return 1 << 40, nil
	}
	return max(0, f.free()), nil
}

func (f *FS) free() int64 {
	seen := map[*node]bool{}
	used := f.others
	for _, n := range f.names {
		if !seen[n] {
			seen[n] = true
			used += n.blocks()
		}
	}
	return f.capacity - used
}

func roundUp(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }

func (n *node) blocks() int64 { return max(roundUp(int64(len(n.live))), roundUp(n.allocated)) }

func (n *node) edit(e edit) {
	n.live = e.apply(n.live)
	n.pending = append(n.pending, e)
}

func (n *node) truncate(size int64) {
	n.allocated = 0
	n.edit(edit{off: size})
}

func (e edit) apply(b []byte) []byte {
	if e.data == nil {
		return resize(b, e.off)
	}
	if end := e.off + int64(len(e.data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[e.off:], e.data)
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}
