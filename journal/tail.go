package journal

import "sort"

// tailBytes is how much of the newest commits stays in memory, so that readers
// who keep up read no file.
const tailBytes = 8 << 20

// tail holds the newest commits. Their memory is never changed, only let go.
type tail struct {
	commits []commit
	bytes   int
}

func (t *tail) add(c commit) {
	if c.count == 0 {
		return
	}
	t.commits = append(t.commits, c)
	t.bytes += len(c.data)
	n := 0
	for t.bytes > tailBytes {
		t.bytes -= len(t.commits[n].data)
		t.commits[n] = commit{}
		n++
	}
	t.commits = t.commits[n:]
}

// from returns the commits from the one with that position on, at most max and
// only until they hold that many entries; none if the position is older, or
// newer, than what is in memory.
func (t *tail) from(position uint64, max, entries int) []commit {
	i := sort.Search(len(t.commits), func(i int) bool { return t.commits[i].next() > position })
	if i == len(t.commits) || t.commits[i].first > position {
		return nil
	}
	have := -int(position - t.commits[i].first)
	n := i
	for n < len(t.commits) && n-i < max && have < entries {
		have += int(t.commits[n].count)
		n++
	}
	return append([]commit(nil), t.commits[i:n]...)
}
