package ingress

import (
	"sync/atomic"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// account is one account as the appender sees it. Only the appender touches
// it, save what is atomic.
type account struct {
	user tim.UserID

	// history is of the client of the last CatchUp, nil where it has none.
	history  tim.History
	known    bool // a CatchUp has begun: history is set
	pushes   bool // that client's service forgets what it has reported
	catchUps int

	handled   bool // it has a handler: what it is told comes this way
	announced bool // its first sign-in was announced by this process

	// epoch rises with each loss of the connection and each CatchUp: what was
	// begun in an earlier one has no say any more.
	epoch uint64
	// live: everything the account is told flows. Otherwise it is held, in all
	// conversations until those to be read are listed, and then in these.
	live, listed bool
	held         map[string]*held
	first        []string // of those to be read, in which something new waits to be let through
	heldCount    int
	heldBytes    int

	// newest and sent are the service's times of the newest message that the
	// account was told, and of the newest that it sent, while live.
	newest, sent int64
	touched      bool // one of them may have risen in this round

	stats accountCounters

	quietUntil atomic.Int64 // Unix nanoseconds; history is not read before
}

// quiet is how long the account's history is not to be asked for.
func (a *account) quiet() time.Duration { return time.Until(time.Unix(0, a.quietUntil.Load())) }

// beQuiet has the account's history not asked for so long.
func (a *account) beQuiet(d time.Duration) {
	until := time.Now().Add(d).UnixNano()
	for {
		old := a.quietUntil.Load()
		if old >= until || a.quietUntil.CompareAndSwap(old, until) {
			return
		}
	}
}

// accountCounters is what Stats reads while the appender goes on.
type accountCounters struct {
	live          atomic.Bool
	conversations atomic.Int64
	held          atomic.Int64

	// Of the catch-up under way: when it began in Unix nanoseconds (0 without
	// one), its conversations, those read, and the messages read.
	began, toRead, read, messages atomic.Int64
}

// begin begins to count a catch-up.
func (c *accountCounters) begin(at time.Time) {
	c.toRead.Store(0)
	c.read.Store(0)
	c.messages.Store(0)
	c.began.Store(at.UnixNano())
}

// end ends the catch-up that began then, if no other has begun since.
func (c *accountCounters) end(began time.Time) { c.began.CompareAndSwap(began.UnixNano(), 0) }

// held is what waits until the history of a conversation was read.
type held struct {
	in    tim.Conversation
	units []*unit
	// dropped are the reports of messages that there was no room to keep. They
	// are read from history, and acknowledged then. covered are those that the
	// reading under way will reach.
	dropped, covered []*report
	droppedFrom      int64 // the service's time of the oldest dropped message
	needed           *need // what is to be read; nil before it is listed
	begun            bool  // it is being read
}

// maxHeldBytes bounds what is kept of an account's messages, besides Config.MaxHeld.
const maxHeldBytes = 32 << 20

// holds says whether the unit has to wait for history.
func (a *account) holds(u *unit, limit int) bool {
	if a.live || !a.handled || u.conv == "" {
		return false
	}
	if u.about && a.heldCount >= maxHeldAbout*limit {
		return false
	}
	if !a.listed {
		return true
	}
	return a.held[u.conv] != nil
}

// hold keeps a unit until its conversation was read.
func (a *account) hold(u *unit, limit int) {
	h := a.held[u.conv]
	if h == nil {
		h = &held{in: u.in}
		a.held[u.conv] = h
	}
	if h.needed != nil && !h.begun && len(h.units) == 0 && len(h.dropped) == 0 {
		a.first = append(a.first, u.conv)
	}
	if u.post == nil && !u.about && u.report != nil && a.history != nil &&
		(a.heldCount >= limit || a.heldBytes >= maxHeldBytes || len(h.dropped) > 0) {
		if len(h.dropped) == 0 || u.at < h.droppedFrom {
			h.droppedFrom = u.at
		}
		h.dropped = append(h.dropped, u.report)
		return
	}
	h.units = append(h.units, u)
	a.heldCount++
	a.heldBytes += u.bytes
	a.count()
}

// release takes a conversation's units out.
func (a *account) release(conv string) *held {
	h := a.held[conv]
	if h == nil {
		return nil
	}
	delete(a.held, conv)
	a.heldCount -= len(h.units)
	for _, u := range h.units {
		a.heldBytes -= u.bytes
	}
	a.count()
	return h
}

// lose holds everything from now on: the account may miss something.
func (a *account) lose() {
	a.epoch++
	a.live, a.listed = false, false
	a.count()
}

// count puts the figures where Stats finds them.
func (a *account) count() {
	a.stats.live.Store(a.live)
	a.stats.held.Store(int64(a.heldCount))
	a.stats.conversations.Store(int64(len(a.held)))
}
