package journaltest

import (
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
)

const sectorSize = 512

// State says what a power cut leaves of what was not synced.
type State struct {
	name   string
	seed   uint64
	sector func(r *rand.Rand, i, n int) fate // of the i-th of n sectors of an edit
	length func(r *rand.Rand) bool           // whether a change of length is kept
	rename func(r *rand.Rand) bool           // whether a change of names is kept
	fill   byte                              // of what is in the length but was not written
}

type fate uint8

const (
	lost fate = iota
	kept
	torn // only its beginning
)

// String names the state in messages of tests.
func (s State) String() string { return s.name }

func always(v bool) func(*rand.Rand) bool { return func(*rand.Rand) bool { return v } }

func coin(r *rand.Rand) bool { return r.IntN(2) == 0 }

func every(v fate) func(*rand.Rand, int, int) fate {
	return func(*rand.Rand, int, int) fate { return v }
}

// States returns the states that tests go through: nothing kept; everything
// kept; the contents but not the names and the other way round; lengths without
// contents, zeros and garbage; only the first and only the last sectors; and n
// more drawn from the seed, sector by sector, torn ones among them.
func States(seed uint64, n int) []State {
	all := []State{
		{name: "nothing", sector: every(lost), length: always(false), rename: always(false)},
		{name: "everything", sector: every(kept), length: always(true), rename: always(true)},
		{name: "contents without names", sector: every(kept), length: always(true), rename: always(false)},
		{name: "names without contents", sector: every(lost), length: always(false), rename: always(true)},
		{name: "lengths of zeros", sector: every(lost), length: always(true), rename: always(true)},
		{name: "lengths of garbage", sector: every(lost), length: always(true), rename: always(true), fill: 0xa5},
		{name: "first sectors", length: always(true), rename: coin, sector: func(_ *rand.Rand, i, _ int) fate {
			if i == 0 {
				return kept
			}
			return lost
		}},
		{name: "last sectors", length: always(true), rename: coin, sector: func(_ *rand.Rand, i, n int) fate {
			if i == n-1 {
				return kept
			}
			return lost
		}},
		{name: "all but the last, torn", length: always(true), rename: coin, sector: func(_ *rand.Rand, i, n int) fate {
			if i == n-1 {
				return torn
			}
			return kept
		}},
	}
	for i := range n {
		fill := byte(0)
		if i%2 == 1 {
			fill = 0x5a
		}
		all = append(all, State{
			name: "at random", seed: seed + uint64(i), length: coin, rename: coin, fill: fill,
			sector: func(r *rand.Rand, _, _ int) fate { return fate(r.IntN(3)) },
		})
	}
	return all
}

// Kill ends the process: its handles are dead and its locks free, and the next
// one finds everything it wrote, synced or not. It returns f.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
	f.locks = map[string]bool{}
	f.crashed, f.crashAt, f.fault, f.ops = false, -1, nil, 0
	return f
}

// Crash returns the file system after a power cut. f itself is left as it is,
// so that several states can be made of it.
func (f *FS) Crash(s State) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := rand.New(rand.NewPCG(s.seed, 0x6a6f75726e616c))
	names := make(map[string]*node, len(f.durable))
	for name, n := range f.durable {
		names[name] = n
	}
	for _, c := range f.changes {
		if s.rename(r) {
			c.apply(names)
		}
	}
	after := f.empty()
	copies := map[*node]*node{}
	for _, name := range sorted(names) {
		n := names[name]
		if copies[n] == nil {
			b := s.contents(r, n)
			copies[n] = &node{live: b, disk: slices.Clone(b)}
		}
		after.names[name] = copies[n]
		after.durable[name] = copies[n]
	}
	return after
}

func sorted(names map[string]*node) []string {
	all := make([]string, 0, len(names))
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func (f *FS) empty() *FS {
	after := NewFS()
	after.capacity, after.others = f.capacity, f.others
	after.noLinks, after.noAlloc = f.noLinks, f.noAlloc
	for d := range f.dirs {
		after.dirs[d] = true
	}
	return after
}

// contents makes what is on disk of a file.
func (s State) contents(r *rand.Rand, n *node) []byte {
	b := slices.Clone(n.disk)
	size := int64(len(b))
	grow := func(to int64) {
		for int64(len(b)) < to {
			b = append(b, s.fill)
		}
	}
	for _, e := range n.pending {
		if e.data == nil {
			if s.length(r) {
				size = e.off
				grow(size)
				b = b[:size]
			}
			continue
		}
		end := e.off + int64(len(e.data))
		grow(end)
		first, last := e.off/sectorSize, (end-1)/sectorSize
		for sec := first; sec <= last; sec++ {
			from, to := max(sec*sectorSize, e.off), min((sec+1)*sectorSize, end)
			switch s.sector(r, int(sec-first), int(last-first+1)) {
			case lost:
				continue
			case torn:
				to = from + int64(r.IntN(int(to-from)+1))
			}
			copy(b[from:to], e.data[from-e.off:to-e.off])
		}
		if s.length(r) {
			size = max(size, end)
		}
	}
	grow(size)
	return b[:size]
}

// Clone returns a copy, without handles, locks and faults, of the live view;
// everything in it is durable.
func (f *FS) Clone() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	after := f.empty()
	copies := map[*node]*node{}
	for name, n := range f.names {
		if copies[n] == nil {
			copies[n] = &node{live: slices.Clone(n.live), disk: slices.Clone(n.live)}
		}
		after.names[name], after.durable[name] = copies[n], copies[n]
	}
	return after
}

// Files returns the names in a directory, sorted.
func (f *FS) Files(dir string) []string {
	names, _ := f.List(dir)
	return names
}

// ReadFile returns a file's live contents.
func (f *FS) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.names[path.Clean(name)]
	if n == nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(n.live), nil
}

// WriteFile replaces a file's contents, durably: what a failing disk, or
// somebody else, made of it.
func (f *FS) WriteFile(name string, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = path.Clean(name)
	n := &node{live: slices.Clone(b), disk: slices.Clone(b)}
	f.names[name], f.durable[name] = n, n
}

// Delete removes a file, durably.
func (f *FS) Delete(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.names, path.Clean(name))
	delete(f.durable, path.Clean(name))
}
