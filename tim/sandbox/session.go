package sandbox

import (
	"time"

	"github.com/timbridge/timbridge/tim"
)

// session is an account signed in on a platform, from Login to Logout, Close
// or being kicked. Its reports are handed out one after the other.
type session struct {
	s       *Sandbox
	client  *Client
	account *account
	device  device
	handler tim.Handler // nil: nothing is handed out
	ack     bool        // reports are kept until they are acknowledged
	expires time.Time   // the UserSig's end
	expired bool        // it has run out, and no new one was handed in
	away    bool        // cut off by a fault
	over    bool        // signed out or kicked
	touched bool        // stands in the state's list of sessions with something new

	watched []tim.UserID // whose statuses it is told of, oldest first

	cursor uint64      // number of the last report handed out
	live   []live      // for those online alone, oldest first
	events []tim.Event // for this session alone; they go before all reports
	held   *handout    // kept back by a fault, to come after the next one
	heldAt time.Time

	login  uint64          // where its login is in the journal: nothing is handed out before that is on disk
	before <-chan struct{} // closed when the client's session before it has ended; nil: it has
	told   bool            // that it was kicked, which is the last
	stop   chan struct{}   // closed to end it
	done   chan struct{}   // closed when its handler has returned for the last time

	// The delivery's lock guards the rest.
	queued, busy bool     // waits for a hand; a hand is at it
	again        bool     // there is something new since the hand has looked
	ended        bool     // nothing more is handed out
	heir         *session // waits for this one to end
}

// notify has a hand look for something new.
func (ss *session) notify() { ss.s.delivery.notify(ss) }

// tell puts an event before everything else. The caller holds the lock.
func (ss *session) tell(e tim.Event) {
	if ss.handler == nil {
		return // nothing is handed out
	}
	ss.events = append(ss.events, e)
	ss.notify()
}

// kick ends the session: it is told so, and nothing more. The caller holds the
// lock, and says what becomes of the account's presence.
func (ss *session) kick() {
	ss.over = true
	delete(ss.account.sessions, ss.device.Platform)
	ss.unwatchAll()
	ss.events = nil
	ss.tell(tim.KickedOffline{})
}

// checkSig tells the session when its UserSig has run out. The caller holds the lock.
func (ss *session) checkSig(now time.Time) {
	if !ss.over && !ss.expired && now.Unix() > ss.expires.Unix() {
		ss.expire()
	}
}

func (ss *session) expire() {
	ss.expired = true
	ss.tell(tim.UserSigExpired{})
}

// handOut hands out what there is, one after the other, as much as is a
// session's turn, and says whether there may be more. One hand at a time calls it.
func (ss *session) handOut() (more bool) {
	for range turn {
		out := ss.next()
		if len(out) == 0 {
			return false
		}
		for _, h := range out {
			if h.delay > 0 {
				ss.sleep(h.delay)
			}
			if ss.stopped() {
				return false
			}
			ss.handler(ss.report(h))
			if !ss.ack && h.number != 0 {
				ss.s.acknowledge(ss.account, ss.device.Platform, h.number)
			}
		}
	}
	return true
}

func (ss *session) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ss.stop:
	}
}

func (ss *session) stopped() bool {
	select {
	case <-ss.stop:
		return true
	default:
		return false
	}
}

// handout is one call of the handler: an event of this session alone, something
// for those online alone, or a report.
type handout struct {
	event tim.Event
	live  *live // or for those online alone
	report
	delay time.Duration
}

// next is what to hand out now: nothing, an event, or a report, which a fault
// may have doubled or put behind the next.
func (ss *session) next() []handout {
	ss.s.mu.Lock()
	defer ss.s.mu.Unlock()
	if !ss.begun() || ss.told {
		return nil
	}
	if len(ss.events) > 0 {
		e := ss.events[0]
		ss.events = ss.events[1:]
		_, ss.told = e.(tim.KickedOffline)
		return []handout{{event: e}}
	}
	if ss.over || ss.away || ss.expired {
		return nil
	}
	for {
		r, ok := ss.account.next(ss.device.Platform, ss.cursor, ss.s.durable)
		if l, first := ss.nextLive(r, ok); first {
			return []handout{{live: &l}}
		}
		if !ok {
			return ss.s.faults.late(ss)
		}
		ss.cursor = r.number
		if out := ss.s.faults.report(ss, r); len(out) > 0 {
			return out
		}
	}
}

// begun says whether anything may be handed out yet.
func (ss *session) begun() bool {
	if ss.handler == nil || ss.s.durable < ss.login {
		return false
	}
	select {
	case <-ss.before:
		ss.before = nil
	default:
		if ss.before != nil {
			return false
		}
	}
	return true
}

// report makes what is handed to the handler. An event of the session alone
// has no number and needs no acknowledgement.
func (ss *session) report(h handout) tim.Report {
	user := ss.account.id
	if h.event != nil {
		return tim.Report{Account: user, Event: h.event, Ack: func() {}}
	}
	if h.live != nil {
		return tim.Report{Account: user, Event: h.live.eventFor(ss.s, user), Ack: func() {}}
	}
	out := tim.Report{Number: h.number, Account: user, Event: h.eventFor(ss.s, user), Ack: func() {}}
	if ss.ack {
		s, a, p, number := ss.s, ss.account, ss.device.Platform, h.number
		out.Ack = func() { s.acknowledge(a, p, number) }
	}
	return out
}
