package journal

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestTail adds commits of all sizes and looks every one of them up: what is
// there is what was added, and what comes back is a copy.
func TestTail(t *testing.T) {
	tl := tail{size: 4096}
	r := rand.New(rand.NewPCG(1, 1))
	next := uint64(1)
	content := map[uint64]byte{} // by position
	kept := map[uint64][]byte{}  // what readers hold
	for round := range 3000 {
		n := 1 + r.IntN(5)
		size := 30 + r.IntN(600)
		if round%97 == 0 {
			size = 3000 // too large to be kept
		}
		h := commitHeader{first: next, count: uint32(n)}
		buf := tl.room(size)
		if len(buf) != 0 || cap(buf) < size {
			t.Fatalf("room for %d, %d", len(buf), cap(buf))
		}
		fill := byte(round%250 + 1)
		buf = append(buf, bytes.Repeat([]byte{fill}, size)...)
		if r.IntN(10) == 0 {
			continue // it could not be written
		}
		tl.add(commit{h, buf})
		for range n {
			content[next] = fill
			next++
		}
		oldest := next
		for p := next - 1; p > 0 && p+50 > next; p-- {
			want := 1 + r.IntN(20)
			got := tl.from(p, want)
			if got == nil {
				break
			}
			oldest = p
			if p < got[0].first || p >= got[0].next() {
				t.Fatalf("looked for %d, found %d to %d", p, got[0].first, got[0].next())
			}
			at := got[0].first
			for _, c := range got {
				if c.first != at {
					t.Fatalf("a commit from %d after one to %d", c.first, at)
				}
				at = c.next()
				if bytes.Count(c.data, []byte{content[c.first]}) != len(c.data) {
					t.Fatalf("the commit at %d has other bytes", c.first)
				}
				kept[c.first] = c.data
			}
		}
		if size < 2048 && oldest == next {
			t.Fatal("the newest commit is not there")
		}
		if tl.from(next, 1) != nil {
			t.Fatal("found what is not there yet")
		}
	}
	for p, data := range kept {
		if bytes.Count(data, []byte{content[p]}) != len(data) {
			t.Fatalf("what a reader holds of %d has changed", p)
		}
	}
}
