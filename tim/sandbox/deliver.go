package sandbox

import (
	"runtime"
	"sync"
	"time"
)

// delivery calls the handlers of all sessions. A few goroutines, called hands,
// do it for everybody. One for each session would be thousands in a large room,
// all of them woken for one message and waiting for one lock, which costs the
// runtime more the more they are. A handler may take as long as it likes, and holds up
// nobody but itself: while hands are held up, others are hired.
type delivery struct {
	mu    sync.Mutex
	ready []*session         // have something to hand out, in the order of being told so
	hands map[*hand]struct{} // those at work
	looks uint64             // how often it was looked whether hands are held up
	timer *time.Timer        // the next look; nil: nobody waits
	wg    sync.WaitGroup
}

// hand is one goroutine that calls handlers.
type hand struct{ took uint64 } // it took up a session last after so many looks

const (
	// turn is how much a session hands out before it is another one's turn.
	turn = 64
	// lookPause is how long a hand may be with one session before another is
	// hired in its place, where sessions wait. On a machine with much else to do
	// every hand seems to be held up for a while.
	lookPause = 50 * time.Millisecond
)

// atOnce is how many handlers are called at the same time at least.
func atOnce() int { return max(4, runtime.GOMAXPROCS(0)) }

// notify has sessions looked at: there may be something for them.
func (d *delivery) notify(sessions ...*session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ss := range sessions {
		d.push(ss)
	}
}

// push puts a session among the ready ones, where it is not.
func (d *delivery) push(ss *session) {
	switch {
	case ss.ended || ss.queued:
		return
	case ss.busy:
		ss.again = true
		return
	}
	ss.queued = true
	d.ready = append(d.ready, ss)
	switch {
	case len(d.hands) < atOnce():
		d.hire()
	case d.timer == nil:
		d.timer = time.AfterFunc(lookPause, d.look)
	}
}

func (d *delivery) hire() {
	if d.hands == nil {
		d.hands = map[*hand]struct{}{}
	}
	h := &hand{took: d.looks}
	d.hands[h] = struct{}{}
	d.wg.Go(func() { // ends when nobody is ready; the sandbox's Close waits for it
		for {
			ss := d.take(h)
			if ss == nil {
				return
			}
			d.put(ss, ss.handOut())
		}
	})
}

// look hires hands for those that are held up, and twice as many where none of
// them took anything up since the last look.
func (d *delivery) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer = nil; len(d.ready) == 0 {
		return
	}
	free := 0
	for h := range d.hands {
		if h.took == d.looks {
			free++
		}
	}
	d.looks++
	need := atOnce() - free
	if free == 0 {
		need = max(need, len(d.hands))
	}
	for range min(need, len(d.ready)) {
		d.hire()
	}
	d.timer = time.AfterFunc(lookPause, d.look)
}

// take gives the session whose turn it is; nil: there is none, and the hand goes.
func (d *delivery) take(h *hand) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.ready) > 0 {
		ss := d.ready[0]
		d.ready[0] = nil
		d.ready = d.ready[1:]
		ss.queued = false
		if ss.ended {
			continue
		}
		ss.busy, h.took = true, d.looks
		return ss
	}
	d.ready = nil
	delete(d.hands, h)
	return nil
}

// put gives a session back, which may have more to hand out.
func (d *delivery) put(ss *session, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	again := ss.again || more
	ss.busy, ss.again = false, false
	switch {
	case ss.ended:
		d.over(ss)
	case again:
		d.push(ss)
	}
}

// end has nothing more handed out by a session. Its done is closed when its
// handler has returned.
func (d *delivery) end(ss *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ss.ended {
		return
	}
	if ss.ended = true; !ss.busy {
		d.over(ss)
	}
}

func (d *delivery) over(ss *session) {
	close(ss.done)
	if ss.heir != nil {
		d.push(ss.heir)
		ss.heir = nil
	}
}

// follow has a session hand out nothing before another one has ended.
func (d *delivery) follow(ss, before *session) {
	if before == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-before.done:
	default:
		before.heir, ss.before = ss, before.done
	}
}
