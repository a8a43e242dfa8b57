package sandbox

import (
	"testing"

	"github.com/timbridge/timbridge/tim"
)

// TestLiveTakesItsPlace puts what is for those online alone among the reports:
// after those that came before it, and only once it is on disk.
func TestLiveTakesItsPlace(t *testing.T) {
	st := newState(Limits{}.withDefaults())
	a := st.account("ann")
	a.known = bit(tim.PlatformIOS)
	ss := &session{s: &Sandbox{st: st, durable: 2}, account: a, device: device{Platform: tim.PlatformIOS}}
	a.sessions = map[tim.Platform]*session{tim.PlatformIOS: ss}
	report := func(position uint64) { a.tell(report{position: position, msg: &message{}}, a.known) }

	report(1)
	st.push(a, nil, live{position: 2, msg: &message{seq: 20}})
	report(3)
	st.push(a, nil, live{position: 4, msg: &message{seq: 40}})
	if len(st.touched) != 1 {
		t.Errorf("%d sessions are woken", len(st.touched))
	}
	next := func() (number, seq uint64) {
		r, ok := a.next(tim.PlatformIOS, ss.cursor, ss.s.durable)
		if l, first := ss.nextLive(r, ok); first {
			return 0, l.msg.seq
		}
		if ok {
			ss.cursor = r.number
		}
		return r.number, 0
	}
	want := func(number, seq uint64) {
		t.Helper()
		if n, s := next(); n != number || s != seq {
			t.Errorf("next is report %d or message %d, want %d or %d", n, s, number, seq)
		}
	}
	want(1, 0)
	want(0, 20)
	want(0, 0) // the rest is not on disk
	ss.s.durable = 4
	want(2, 0)
	want(0, 40)
	want(0, 0)
}

func TestLiveIsBounded(t *testing.T) {
	st := newState(Limits{}.withDefaults())
	a := st.account("ann")
	ss := &session{}
	cut := &session{away: true}
	from := &session{}
	a.sessions = map[tim.Platform]*session{tim.PlatformIOS: ss, tim.PlatformMac: cut, tim.PlatformAndroid: from}
	for i := range uint64(maxLive + 10) {
		st.push(a, from, live{position: i})
	}
	if len(ss.live) != maxLive || ss.live[0].position != 10 {
		t.Errorf("%d wait, the first is %d", len(ss.live), ss.live[0].position)
	}
	if len(cut.live) != 0 || len(from.live) != 0 {
		t.Errorf("%d wait where the line is cut, %d at the sender's own", len(cut.live), len(from.live))
	}
}
