package wire

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/timbridge/timbridge/tim"
)

// Handler is the server: an [http.Handler] that carries any driver's clients
// to the [Driver] on the other side. It listens nowhere by itself. All methods
// may be called from several goroutines.
type Handler struct {
	driver tim.Driver
	opts   HandlerOptions

	// ctx ends when the handler closes; handshakes hang on it.
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	closed   bool
	conns    int
	uploads  int
	sessions map[string]*session
	wg       sync.WaitGroup // ServeHTTP calls

	opening sync.Mutex    // held while an exclusive session takes another's place
	numbers atomic.Uint64 // the last number given to a report
}

// NewHandler makes a server for a driver's clients.
func NewHandler(driver tim.Driver, opts HandlerOptions) *Handler {
	ctx, cancel := context.WithCancel(context.Background())
	return &Handler{
		driver: driver, opts: opts.withDefaults(), ctx: ctx, cancel: cancel,
		sessions: make(map[string]*session),
	}
}

// HandlerStats says what a [Handler] holds.
type HandlerStats struct {
	// Connections there are.
	Connections int
	// Sessions there are, those without a connection included.
	Sessions int
	// Unacknowledged is how many reports the sessions keep for their clients.
	Unacknowledged int
}

// Stats says what the handler holds now.
func (h *Handler) Stats() HandlerStats {
	h.mu.Lock()
	stats := HandlerStats{Connections: h.conns, Sessions: len(h.sessions)}
	sessions := h.all()
	h.mu.Unlock()
	for _, s := range sessions {
		stats.Unacknowledged += s.unacknowledged()
	}
	return stats
}

// Disconnect breaks the connections of the sessions that the account is signed
// in on, without a word, as a network does that fails; of all sessions where
// account is "". The sessions stay. It returns how many it broke.
func (h *Handler) Disconnect(account tim.UserID) int {
	h.mu.Lock()
	sessions := h.all()
	h.mu.Unlock()
	n := 0
	for _, s := range sessions {
		if s.disconnect(account) {
			n++
		}
	}
	return n
}

// Close refuses further connections, ends all sessions with their clients at
// the driver, and waits until everything is over. Clients on the other side
// see their connection break.
func (h *Handler) Close() error {
	h.mu.Lock()
	h.closed = true
	sessions := h.all()
	h.mu.Unlock()
	h.cancel()
	var ending sync.WaitGroup
	for _, s := range sessions {
		ending.Go(func() { s.end(websocket.StatusGoingAway, "the server closes") })
	}
	ending.Wait()
	h.wg.Wait()
	return nil
}

// ServeHTTP takes a connection, or a file, and returns when it is over.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The token first: who has none learns nothing else.
	if !h.Authorized(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="timbridge"`)
		http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
		return
	}
	if !h.enter() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "no more connections are taken now", http.StatusServiceUnavailable)
		return
	}
	defer h.leave()
	if r.Method == http.MethodPost {
		h.upload(w, r)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		h.opts.Logger.Debug("upgrade refused", "remote", r.RemoteAddr, "error", err)
		return
	}
	h.serve(newLink(context.Background(), ws, h.opts.Heartbeat, h.opts.MaxMessageBytes), r.RemoteAddr)
}

// Authorized reports whether a request shows the token.
func (h *Handler) Authorized(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return h.opts.Token != "" && strings.EqualFold(scheme, "Bearer") &&
		subtle.ConstantTimeCompare([]byte(token), []byte(h.opts.Token)) == 1
}

func (h *Handler) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.conns >= h.opts.MaxConnections {
		return false
	}
	h.conns++
	h.wg.Add(1)
	return true
}

func (h *Handler) leave() {
	h.mu.Lock()
	h.conns--
	h.mu.Unlock()
	h.wg.Done()
}

// serve does the handshake and then carries the connection.
func (h *Handler) serve(l *link, remote string) {
	log := h.opts.Logger.With("remote", remote)
	stop := context.AfterFunc(h.ctx, func() { l.fail(errEnded) })
	hello, no := h.readHello(l)
	var c *conn
	if no == nil {
		c, no = h.attach(l, hello)
	}
	if no != nil {
		stop()
		log.Info("hello refused", "code", no.Code, "desc", no.Desc)
		l.refuse(no)
		return
	}
	stop()
	log = log.With("session", c.session.name())
	log.Debug("connected", "resumed", c.welcome.Resumed)
	greeting, err := json.Marshal(c.welcome)
	if err == nil {
		err = l.writeMessage(append(greeting, '\n'))
	}
	if err == nil {
		l.notify() // for the reports of a resumed session
		err = l.run(c)
	} else {
		l.fail(err)
		l.discard()
	}
	c.session.detach(c)
	log.Debug("disconnected", "reason", err)
}

// readHello reads the first message, which is one hello and nothing else.
func (h *Handler) readHello(l *link) (hello, *refused) {
	timer := time.AfterFunc(h.opts.HelloTimeout, func() { l.fail(fmt.Errorf("no hello in %v", h.opts.HelloTimeout)) })
	defer timer.Stop()
	message, err := l.readMessage(nil)
	if err != nil {
		return hello{}, refusal(refusedHello, err.Error())
	}
	return parseHello(bytes.TrimSpace(message))
}

// attach finds the session that a hello names, or makes one, and gives it the
// connection.
func (h *Handler) attach(l *link, he hello) (*conn, *refused) {
	l.limit, l.silence = he.MaxMessage, silence(he.HeartbeatMS)
	h.mu.Lock()
	s := h.sessions[he.Session]
	h.mu.Unlock()
	if s != nil {
		if c := s.attach(l, he, true); c != nil {
			return c, nil
		}
	}
	if h.opts.Exclusive {
		h.opening.Lock()
		defer h.opening.Unlock()
	}
	if no := h.makeRoom(he.Session != ""); no != nil {
		return nil, no
	}
	s, err := h.open(he)
	if err != nil {
		no := refusal(refusedOpen, "the driver did not open a client")
		no.Error = toWire("open", err)
		return nil, no
	}
	he.Received = 0 // of a session that is gone
	c := s.attach(l, he, false)
	if c == nil { // the handler was closed meanwhile
		return nil, refusal(refusedBusy, "the server closes")
	}
	return c, nil
}

// makeRoom ends what a new session displaces: with Exclusive every other one,
// else the one that has been without a connection for longest, where there are
// too many. A client whose session is gone does not displace one that is in
// use: two would take turns for ever.
func (h *Handler) makeRoom(returning bool) *refused {
	h.mu.Lock()
	sessions := h.all()
	h.mu.Unlock()
	idle := slices.DeleteFunc(slices.Clone(sessions), func(s *session) bool { return s.idleSince().IsZero() })
	var displaced []*session
	switch {
	case h.opts.Exclusive && returning && len(idle) < len(sessions):
		return refusal(refusedDisplaced, "another session took the place")
	case h.opts.Exclusive:
		displaced = sessions
	case len(sessions) < h.opts.MaxConnections:
		return nil
	case len(idle) == 0:
		return refusal(refusedBusy, "there are as many sessions as may be")
	default:
		displaced = []*session{slices.MinFunc(idle, func(a, b *session) int {
			return a.idleSince().Compare(b.idleSince())
		})}
	}
	for _, s := range displaced {
		s.end(websocket.StatusPolicyViolation, "another session took the place")
	}
	return nil
}

// open makes a session with a client of the driver.
func (h *Handler) open(he hello) (*session, error) {
	ctx, cancel := context.WithTimeout(h.ctx, h.opts.RequestTimeout)
	defer cancel()
	config := tim.Config{}
	if len(he.Config) > 0 {
		if err := json.Unmarshal(he.Config, &config); err != nil {
			return nil, badBody("open", err)
		}
	}
	config.SDKAppID = he.SDKAppID
	client, err := h.driver.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	s := newSession(h, rand.Text(), client, he.MaxMessage)
	if err := client.Listen(s.report); err != nil {
		s.cancel()
		return nil, errors.Join(err, client.Close())
	}
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.sessions[s.id] = s
	}
	h.mu.Unlock()
	if closed {
		s.end(websocket.StatusGoingAway, "the server closes")
		return nil, notDone("open", tim.CodeSDKNetDisconnect, errors.New("the server closes"))
	}
	return s, nil
}

// nextNumber numbers a report whose driver does not. Numbers rise, are given
// once, and go on above those of an earlier process, since they begin at the
// time in microseconds.
func (h *Handler) nextNumber() uint64 {
	for {
		last := h.numbers.Load()
		number := max(last+1, uint64(time.Now().UnixMicro()))
		if h.numbers.CompareAndSwap(last, number) {
			return number
		}
	}
}

// forget takes an ended session out of the list.
func (h *Handler) forget(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s.id)
}

// all lists the sessions; the caller holds mu.
func (h *Handler) all() []*session {
	sessions := make([]*session, 0, len(h.sessions))
	for _, s := range h.sessions {
		sessions = append(sessions, s)
	}
	return sessions
}
