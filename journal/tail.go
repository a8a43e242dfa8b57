package journal

import "sort"

const (
	// tailBytes is how much of the newest commits stays in memory, if a segment
	// is not smaller, so that readers who keep up read no file.
	tailBytes = 8 << 20
	// tailChunk is about how much a reader takes out of it at once.
	tailChunk = 1 << 20
)

// tail holds the newest commits, in a ring of memory in which the writer builds
// them too: memory of its own for each commit would cost more than all of its
// checksums. Readers get copies.
type tail struct {
	size    int    // of the ring
	ring    []byte // made when it is first needed
	at      int    // where in it the next commit goes
	commits []placed
}

// placed is a commit and where in the ring it lies.
type placed struct {
	commit
	at int
}

// room returns memory for a commit of n bytes, and forgets what was there. It is
// the writer's until add.
func (t *tail) room(n int) []byte {
	if n > t.size/2 {
		t.commits = nil // what follows would not follow
		return make([]byte, 0, n)
	}
	if t.ring == nil {
		t.ring = make([]byte, t.size)
	}
	drop := 0
	if t.at+n > len(t.ring) {
		// What is left from here to the end is older than what is at the front.
		for drop < len(t.commits) && t.commits[drop].at >= t.at {
			drop++
		}
		t.at = 0
	}
	for drop < len(t.commits) && t.commits[drop].at >= t.at && t.commits[drop].at < t.at+n {
		drop++
	}
	t.commits = t.commits[drop:]
	return t.ring[t.at : t.at : t.at+n]
}

// add takes in a commit that was built in what room returned.
func (t *tail) add(c commit) {
	if c.count == 0 || len(c.data) > t.size/2 {
		return
	}
	t.commits = append(t.commits, placed{c, t.at})
	t.at += len(c.data)
}

// from copies the commits from the one with that position on, until they hold
// that many entries or a good chunk; none if the position is older, or newer,
// than what is in memory.
func (t *tail) from(position uint64, entries int) []commit {
	i := sort.Search(len(t.commits), func(i int) bool { return t.commits[i].next() > position })
	if i == len(t.commits) || t.commits[i].first > position {
		return nil
	}
	have := -int(position - t.commits[i].first)
	size := 0
	n := i
	for n < len(t.commits) && (n == i || have < entries && size+len(t.commits[n].data) <= tailChunk) {
		have += int(t.commits[n].count)
		size += len(t.commits[n].data)
		n++
	}
	buf := make([]byte, 0, size)
	all := make([]commit, 0, n-i)
	for _, p := range t.commits[i:n] {
		start := len(buf)
		buf = append(buf, p.data...)
		p.data = buf[start:len(buf):len(buf)]
		all = append(all, p.commit)
	}
	return all
}
