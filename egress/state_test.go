package egress

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// placedBody is an entry of the journal, decoded.
type placedBody struct {
	position uint64
	body     any
}

// anyHistory draws what egress could have written: commands that are accepted in
// the order of the bus, and make their way independently.
func anyHistory(t *rapid.T) []placedBody {
	var out []placedBody
	at := t0
	add := func(b any) {
		out = append(out, placedBody{uint64(len(out))*2 + 1, b}) // others write between
	}
	add(birth{At: at, Mark: []bus.Position{{Target: "a", Offset: 3}}})
	type running struct {
		key      key
		account  string
		attempts uint32
		rand     uint32
	}
	var open []*running
	var walk randoms
	offset := map[bus.Target]uint64{"a": 3}
	for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
		at = at.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "dt")) * time.Second)
		what := rapid.IntRange(0, 9).Draw(t, "what")
		if len(open) == 0 && what >= 4 && what < 9 {
			what = 0
		}
		target := bus.Target(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "target"))
		at := at
		p := bus.Position{Target: target, Offset: offset[target] + 1, Time: at.Add(-time.Second), Digest: strconv.Itoa(i)}
		switch {
		case what < 3:
			offset[target]++
			r := &running{key: commandKey("s", strconv.Itoa(i)), account: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "account")}
			add(accepted{
				Key: r.key, Content: uint64(i), At: at, Position: p, Doubt: rapid.Bool().Draw(t, "doubt"), Account: r.account,
				Event: []byte("event " + strconv.Itoa(i)), Original: []byte("original"),
			})
			open = append(open, r)
		case what == 3:
			offset[target]++
			r := read{Position: p}
			if rapid.Bool().Draw(t, "refused") {
				r.Key, r.Public = placeKey(p), 2
			}
			add(r)
		case what < 7:
			r := rapid.SampledFrom(open).Draw(t, "command")
			r.attempts++
			if r.rand == 0 && rapid.Bool().Draw(t, "random") {
				r.rand = walk.draw()
			}
			add(started{Key: r.key, Attempt: r.attempts, At: at, Rand: r.rand})
		case what < 9:
			n := rapid.IntRange(0, len(open)-1).Draw(t, "command")
			r := open[n]
			open = slices.Delete(open, n, n+1)
			f := finished{Key: r.key, Public: 2, Lost: rapid.Bool().Draw(t, "lost")}
			if r.rand != 0 {
				f.Sent = sent{Conversation: tim.C2C("bob"), Rand: uint64(r.rand), Cause: mapping.Cause{ID: strconv.Itoa(i)}}
			}
			if rapid.Bool().Draw(t, "claim") {
				f.Claim = key{byte(i), 1}
			}
			add(f)
		default:
			last := out[len(out)-1].position
			add(repaired{First: last, Last: last, At: at, After: []bus.Position{{Target: target, Offset: offset[target]}}})
		}
	}
	return out
}

// live applies a history as a running egress does: entries of different
// commands in any order within a short while, but what is read and repaired,
// which one goroutine does, in order. It returns the state after each step and
// the position below which everything is in it.
func live(t *rapid.T, entries []placedBody, limits bounds, each func(s *state, through uint64)) *state {
	s := newState(limits)
	pending := slices.Clone(entries)
	chain := func(p placedBody) any { // what keeps its order
		switch b := p.body.(type) {
		case started:
			return b.Key
		case finished:
			return b.Key
		case accepted:
			return "intake"
		}
		return "intake"
	}
	for len(pending) > 0 {
		n := rapid.IntRange(0, min(4, len(pending)-1)).Draw(t, "next")
		for i := 0; i < n; i++ { // an earlier one of the same chain goes first
			if chain(pending[i]) == chain(pending[n]) || needs(pending[n].body, pending[i].body) {
				n, i = i, -1
			}
		}
		s.apply(pending[n].position, pending[n].body)
		pending = slices.Delete(pending, n, n+1)
		through := entries[len(entries)-1].position
		if len(pending) > 0 {
			through = slices.MinFunc(pending, func(a, b placedBody) int { return int(a.position) - int(b.position) }).position - 1
		}
		each(s, through)
	}
	return s
}

// needs says whether an entry is only written once another is applied.
func needs(later, earlier any) bool {
	if _, start := later.(repaired); start {
		return true // written before anything runs
	}
	a, ok := earlier.(accepted)
	if !ok {
		_, start := earlier.(repaired)
		return start
	}
	switch b := later.(type) {
	case started:
		return b.Key == a.Key
	case finished:
		return b.Key == a.Key
	}
	return false
}

func replay(entries []placedBody, from uint64, s *state) *state {
	for _, e := range entries {
		if e.position >= from {
			s.apply(e.position, e.body)
		}
	}
	return s
}

func TestStateIsTheSameHoweverItIsBuilt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := bounds{
			horizon: time.Duration(rapid.IntRange(1, 100).Draw(t, "horizon")) * time.Minute,
			ledger:  200, recent: rapid.IntRange(1, 5).Draw(t, "recent"), lost: 2, claims: 3,
		}
		entries := anyHistory(t)
		want := replay(entries, 0, newState(limits)).view().encode()
		check := func(how string, s *state) {
			t.Helper()
			if got := s.view().encode(); !bytes.Equal(got, want) {
				t.Fatalf("%s: another state\n%s", how, cmp.Diff(describe(replay(entries, 0, newState(limits))), describe(s)))
			}
		}
		saveAt := rapid.IntRange(0, len(entries)-1).Draw(t, "save")
		var saved []byte
		var through uint64
		step := 0
		s := live(t, entries, limits, func(s *state, low uint64) {
			if step == saveAt {
				saved, through = s.view().encode(), low
			}
			step++
		})
		check("live", s)
		restored, err := decodeState(saved, limits)
		if err != nil {
			t.Fatal(err)
		}
		check("snapshot and tail", replay(entries, through+1, restored))
		check("applied twice", replay(entries, entries[len(entries)/2].position, replay(entries, 0, newState(limits))))
	})
}

// describe is what a state holds, for people.
func describe(s *state) map[string]any {
	return map[string]any{
		"open": len(s.open), "read": s.positions(), "born": s.born, "doubtful": s.doubtful, "repaired": s.repaired,
		"outcome": s.outcome, "rands": s.rands.next, "recent": s.recent.order2(), "lost": s.lost.order2(), "claims": s.claims.len(),
		"ledger": s.ledger.count, "floor": s.ledger.floor, "newest": s.ledger.newest,
	}
}

func (f *fifo[K, V]) order2() []uint64 {
	var out []uint64
	for p := range f.all() {
		out = append(out, p.position)
	}
	return out
}
