package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/hashicorp/go-hclog"
	"github.com/timbridge/timbridge/tim"
)

// session is one client of the driver, held for a client on the other side. It
// outlives connections: its reports wait here until they are acknowledged.
type session struct {
	h      *Handler
	id     string
	client tim.Client
	limit  int // the longest message that the other side takes
	log    hclog.Logger

	ctx    context.Context // of the requests; ends with the session
	cancel context.CancelFunc
	work   sync.WaitGroup // requests under way
	ended  chan struct{}

	mu        sync.Mutex
	room      *sync.Cond // the window has room again, or need not
	window    *window
	conn      *conn // nil while there is none
	idle      time.Time
	grace     *time.Timer
	over      bool
	account   tim.UserID // signed in, as far as this side knows
	running   map[uint64]context.CancelFunc
	heldBytes int // of the requests under way
	// leaving counts the Logouts under way. A driver waits in Logout for its
	// handler, so a report that finds no room is turned away then.
	leaving    int
	turnedAway bool
}

func newSession(h *Handler, id string, client tim.Client, limit int) *session {
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{
		h: h, id: id, client: client, limit: limit, log: h.opts.Logger,
		ctx: ctx, cancel: cancel, ended: make(chan struct{}),
		window:  newWindow(h.opts.MaxUnacknowledged, h.opts.MaxUnacknowledgedBytes),
		idle:    time.Now(),
		running: make(map[uint64]context.CancelFunc),
	}
	s.room = sync.NewCond(&s.mu)
	return s
}

// name is enough of the id to tell sessions apart in a log; the whole id is a
// secret, since it opens the session.
func (s *session) name() string { return s.id[:6] }

func (s *session) unacknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.window.entries)
}

// idleSince is when the session lost its connection, zero while it has one.
func (s *session) idleSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}

func (s *session) disconnect(account tim.UserID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || account != "" && account != s.account {
		return false
	}
	s.conn.link.fail(errEnded)
	return true
}

// attach gives the session a connection; one that it still has is replaced. It
// returns nil when the session is over, or cannot go on as the hello asks.
func (s *session) attach(l *link, he hello, resumed bool) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || he.MaxMessage < s.limit || he.Received > s.window.last {
		return nil
	}
	if s.conn != nil {
		s.conn.link.fail(errors.New("another connection took the session over"))
	}
	if s.grace != nil {
		s.grace.Stop()
	}
	s.idle = time.Time{}
	s.window.rewind(he.Received)
	s.conn = &conn{session: s, link: l, welcome: s.welcome(resumed), maxAnswer: he.MaxAnswer}
	return s.conn
}

func (s *session) welcome(resumed bool) welcome {
	o := s.h.opts
	w := welcome{
		T: kindWelcome, Version: Version, Session: s.id, Resumed: resumed,
		MaxMessage: o.MaxMessageBytes, MaxInFlight: o.MaxInFlight,
		MaxUnacked: o.MaxUnacknowledged, HeartbeatMS: milliseconds(o.Heartbeat),
	}
	w.Capabilities = capabilitiesOf(s.client)
	if r, ok := s.client.(tim.Redeliverer); ok {
		w.Redelivers = r.Redelivers()
	}
	if r, ok := s.client.(tim.Resender); ok {
		w.ResendWindowMS = make(map[tim.ConvType]int64)
		for _, t := range []tim.ConvType{tim.ConvC2C, tim.ConvGroup, tim.ConvSystem} {
			if window := r.ResendWindow(t); window > 0 {
				w.ResendWindowMS[t] = window.Milliseconds()
			}
		}
	}
	return w
}

// detach takes the connection from the session, unless another has its place
// already, and begins the time of grace.
func (s *session) detach(c *conn) {
	s.mu.Lock()
	if s.conn != c {
		s.mu.Unlock()
		return
	}
	s.conn = nil
	s.idle = time.Now()
	grace := s.h.opts.Grace
	if !s.over && grace > 0 {
		s.grace = time.AfterFunc(grace, func() {
			s.mu.Lock()
			expired := s.conn == nil && time.Since(s.idle) >= grace
			s.mu.Unlock()
			if expired {
				s.log.Info("session ended: its client did not come back", "session", s.name(), "grace", grace)
				s.end(websocket.StatusNormalClosure, "")
			}
		})
	}
	s.mu.Unlock()
	if grace == 0 {
		s.end(websocket.StatusNormalClosure, "")
	}
}

// report is the handler that the driver calls. It returns once the report is
// in the window.
func (s *session) report(r tim.Report) {
	parts, err := split(r.Event, s.limit-reportOverhead-6*len(r.Account))
	if err != nil {
		// It is the driver's event, and it cannot be said in JSON.
		s.log.Error("report cannot be encoded", "session", s.name(), "event", fmt.Sprintf("%T", r.Event), "error", err)
		return
	}
	ack := r.Ack
	if len(parts) > 1 {
		s.log.Warn("report divided because of its size", "session", s.name(), "parts", len(parts))
		ack = afterCalls(len(parts), r.Ack)
	}
	_, kicked := r.Event.(tim.KickedOffline)
	for _, event := range parts {
		e := &entry{number: r.Number, account: string(r.Account), out: kicked, event: event, ack: ack}
		if e.number == 0 {
			e.number = s.h.nextNumber()
		}
		if !s.keep(e) {
			return
		}
	}
}

// afterCalls returns a function that calls f when it is called for the n-th time.
func afterCalls(n int, f func()) func() {
	var left atomic.Int64
	left.Store(int64(n))
	return func() {
		if left.Add(-1) == 0 {
			f()
		}
	}
}

// keep puts a report into the window when there is room. It returns false when
// the report is not wanted any more.
func (s *session) keep(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.over && s.window.full() {
		if s.leaving > 0 {
			s.turnedAway = true
			return false
		}
		s.room.Wait()
	}
	if s.over {
		return false
	}
	if e.out {
		s.account = ""
	}
	s.window.push(e)
	if s.conn != nil {
		s.conn.link.notify()
	}
	return true
}

// acknowledge passes on what the client acknowledged.
func (s *session) acknowledge(upto uint64, also []span) {
	s.mu.Lock()
	acks := s.window.acknowledge(upto, also)
	if len(acks) > 0 {
		s.room.Broadcast()
	}
	s.mu.Unlock()
	for _, ack := range acks {
		ack()
	}
}

// end closes the driver's client, waits for everything that the session has
// under way, and closes the connection. Later calls wait for the first.
func (s *session) end(code websocket.StatusCode, reason string) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		<-s.ended
		return
	}
	s.over = true
	if s.grace != nil {
		s.grace.Stop()
	}
	s.room.Broadcast()
	s.mu.Unlock()

	s.cancel()
	if err := s.client.Close(); err != nil {
		s.log.Warn("closing the driver's client", "session", s.name(), "error", err)
	}
	s.work.Wait()
	s.h.forget(s)
	s.mu.Lock()
	s.window.clear()
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		c.link.shutdown(code, reason, time.Second)
	}
	close(s.ended)
}
