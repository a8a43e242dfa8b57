package bustest

import "github.com/timbridge/timbridge/bus"

var backlogCases = []test{
	{"backlog/what is not read yet", 0, unread},
	{"backlog/what was removed is not unread", needPurge, unreadAfterPurge},
}

// unread counts what lies after positions.
func (s *suite) unread(b bus.Bus, after []bus.Position) uint64 {
	s.Helper()
	n, err := b.Unread(s.wait(), after)
	if err != nil {
		s.Fatalf("count the unread commands: %v", err)
	}
	return n
}

func (s *suite) wantUnread(b bus.Bus, after []bus.Position, want uint64) {
	s.Helper()
	if n := s.unread(b, after); n != want {
		s.Errorf("%d commands are unread, not %d", n, want)
	}
}

func unread(s *suite) {
	b := s.open(Options{})
	s.wantUnread(b, nil, 0)
	s.command(b, "bot", 0, 6)
	s.wantUnread(b, nil, 6)
	got, _ := s.take(s.commands(b), 6)
	for n := range got {
		s.wantUnread(b, last(got[:n+1]), uint64(len(got)-n-1))
	}
	s.command(b, "bot", 6, 8)
	s.wantUnread(s.open(Options{}), last(got), 2)
	// Positions past the ends, and one of another stream.
	past := []bus.Position{{Target: "elsewhere", Offset: 7}}
	for _, p := range last(s.dumpOf(b, bus.Commands)) {
		p.Offset += 1000
		past = append(past, p)
	}
	s.wantUnread(b, past, 0)
}

func unreadAfterPurge(s *suite) {
	b := s.open(Options{})
	s.command(b, "bot", 0, 6)
	got, _ := s.take(s.commands(b), 2)
	s.broker.Purge(s.T, bus.Commands)
	s.wantUnread(b, last(got), 0)
	s.wantUnread(b, nil, 0)
	s.command(b, "bot", 6, 9)
	s.eventually("the new ones are unread", func() bool { return s.unread(b, nil) == 3 })
}
