package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/timbridge/timbridge/journal"
)

// Dump is everything that the sandbox knows and keeps, in an order of its own,
// so that two can be compared.
func (s *Sandbox) Dump() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.dump()
}

func (st *state) dump() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("time %d, accounts %d, bytes %d", st.lastTime, st.lastTiny, st.bytes)
	message := func(m *message) string {
		if m == nil {
			return "none"
		}
		in := "service"
		if m.conv != nil {
			in = fmt.Sprint(m.conv.key)
		}
		return fmt.Sprint(in, m.seq, m.sender, m.tiny, m.platform, m.time, m.rand, m.flags, m.revoker, m.reason, string(m.content)) + m.dumpChanges()
	}
	for _, id := range slices.Sorted(maps.Keys(st.accounts)) {
		a := st.accounts[id]
		line("account %s %d %d %b %d %v %v", id, a.tiny, a.number, a.known, a.sigFloor, a.devices, a.kicked)
		var convs []string
		for c := range a.convs {
			convs = append(convs, fmt.Sprint(c.key))
		}
		slices.Sort(convs)
		line("  in %v", convs)
		for _, r := range a.inbox {
			if r.pending != 0 && !r.msg.is(flagOnline) {
				line("  report %d %d %d %b %d %s", r.number, r.position, r.time, r.pending, r.kind, message(r.msg))
			}
		}
	}
	var convs []string
	for key, c := range st.convs {
		s := fmt.Sprintf("talk %v %d %s", key, c.seq, message(c.last))
		for _, m := range c.msgs {
			s += "\n  " + message(m)
		}
		convs = append(convs, s)
	}
	slices.Sort(convs)
	line("%s", strings.Join(convs, "\n"))
	for _, c := range st.kept {
		line("kept %v", c.key)
	}
	for _, id := range slices.Sorted(maps.Keys(st.groups)) {
		g := st.groups[id]
		line("group %s %v %q %q %q %q %s %d %d %v %v %v %d %v", id, g.typ, g.name, g.introduction, g.notification, g.faceURL,
			g.owner, g.created, g.most, g.approve, g.active, g.dismissed, g.reportSeq, g.conv.key)
		for _, m := range g.members.order {
			line("  member %s %d %v %d %d %v %q %v", m.id, m.number, m.role, m.joined, m.from, m.flag, m.nameCard, m.custom)
		}
		line("  %v %+v %v %d %d %v %v", g.add, g.settings, g.custom, g.infoSeq, g.infoTime, g.mutedAll, g.muted)
		for _, r := range g.requests {
			line("  request %+v", *r)
		}
		line("  numbers %d %d", g.members.number, g.requestNumber)
		for _, user := range slices.Sorted(maps.Keys(g.past)) {
			line("  past %s %v", user, g.past[user])
		}
		var held []string
		for _, h := range g.held {
			held = append(held, fmt.Sprint(h.user, message(h.msg)))
		}
		slices.Sort(held) // their order differs between users, which does not matter
		line("  held %v", held)
	}
	var resent []string
	for key, v := range st.resent.results {
		if st.lastTime-v.time < int64(resendWindow(key.conv.key.typ)) {
			resent = append(resent, fmt.Sprint(key.conv.key, key.sender.id, key.rand, v))
		}
	}
	slices.Sort(resent)
	line("resent %v", resent)
	line("%s", st.dumpTalk())
	return b.String()
}

// Replay makes the state from entries, as opening does, and dumps it.
func Replay(entries []journal.Entry, limits Limits) (string, error) {
	st := newState(limits.withDefaults())
	st.replaying = true
	for _, e := range entries {
		r, err := decodeRecord(e.Body)
		if err != nil {
			return "", err
		}
		st.apply(e.Position, r)
	}
	return st.dump(), nil
}
