package bustest

import (
	"fmt"
	"time"

	"github.com/timbridge/timbridge/bus"
)

var markCases = []test{
	{"mark/set and read", 0, marks},
	{"mark/marks of shards", 0, marksOfShards},
	{"mark/the mark after a restart, and from it", needRestart, markAfterRestart},
	{"mark/the mark of a stream made anew", needRecreate, markOfAnother},
}

func (s *suite) mark(b bus.Bus) []bus.Position {
	s.Helper()
	mark, err := b.Mark(s.wait())
	if err != nil {
		s.Fatalf("mark: %v", err)
	}
	return mark
}

func (s *suite) setMark(b bus.Bus, mark []bus.Position) {
	s.Helper()
	if err := b.SetMark(s.wait(), mark); err != nil {
		s.Fatalf("set mark: %v", err)
	}
}

// offsets are the positions' offsets alone, all that a mark must keep.
func offsets(ps []bus.Position) map[bus.Target]uint64 {
	out := map[bus.Target]uint64{}
	for _, p := range ps {
		out[p.Target] = p.Offset
	}
	return out
}

func (s *suite) sameMark(have, want []bus.Position) {
	s.Helper()
	if fmt.Sprint(offsets(have)) != fmt.Sprint(offsets(want)) {
		s.Errorf("the mark is %v, not %v", offsets(have), offsets(want))
	}
}

func marks(s *suite) {
	b := s.open(Options{})
	if mark := s.mark(b); len(mark) != 0 {
		s.Errorf("a mark before any was set: %v", mark)
	}
	s.command(b, "bot", 0, 6)
	got, _ := s.take(s.commands(b), 6)
	for _, n := range []int{2, 5} {
		s.setMark(b, last(got[:n]))
		s.sameMark(s.mark(b), last(got[:n]))
		s.sameMark(s.mark(s.open(Options{})), last(got[:n]))
	}
}

func marksOfShards(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 6)
	got, _ := s.take(s.commands(b), 6)
	zero, one := s.open(Options{Shard: 0, Shards: 2}), s.open(Options{Shard: 1, Shards: 2})
	s.setMark(zero, last(got[:2]))
	if mark := s.mark(one); len(mark) != 0 {
		s.Errorf("one shard sees the mark of another: %v", mark)
	}
	s.setMark(one, last(got[:5]))
	s.sameMark(s.mark(zero), last(got[:2]))
	s.sameMark(s.mark(one), last(got[:5]))
}

func markAfterRestart(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 6)
	got, _ := s.take(s.commands(b), 6)
	s.setMark(b, last(got[:4]))
	s.restart()
	next := s.open(Options{})
	mark := s.mark(next)
	s.sameMark(mark, last(got[:4]))
	for i := range mark {
		mark[i].Digest, mark[i].Time = "", time.Time{} // which a mark need not have
	}
	more, resets := s.take(s.commands(next, mark...), 2)
	s.expect(more, "bot", 4, 6)
	if len(resets) != 0 {
		s.Errorf("resets %+v", resets)
	}
}

// markOfAnother: a mark says nothing about a stream made anew, every command of
// which is unfinished.
func markOfAnother(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 6)
	got, _ := s.take(s.commands(b), 6)
	mark := last(got[:4])
	for i := range mark {
		mark[i].Digest, mark[i].Time = "", time.Time{}
	}
	s.setMark(b, mark)
	s.broker.Recreate(s.T, bus.Commands)
	s.command(b, "new", 0, 8)
	s.newOnes(s.commands(b, s.mark(b)...), 8, false)
}
