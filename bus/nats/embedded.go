package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
)

// readyWithin is how long the embedded server may take to accept connections;
// with many messages to recover that is more than an instant.
const readyWithin = 30 * time.Second

// embedded is a NATS server in this process. JetStream stops when it cannot
// write, and does not begin again by itself: tend starts the server anew once
// there is room.
type embedded struct {
	cfg EmbeddedConfig
	log hclog.Logger

	life    sync.Mutex // held while the server is started or ended
	retryAt time.Time
	tries   int
	closed  bool
	stuck   bool // a server that does not end has the files: there is no other

	mu      sync.Mutex     // of what is asked while it is
	srv     *server.Server // nil while there is none
	port    int            // as the first start got it
	stopped string         // why JetStream stopped, while it is
	asking  *question      // that the server has not answered yet
}

// question is what is wrong with a server, asked once by all who want to know:
// one that is stuck never answers.
type question struct {
	done chan struct{}
	text string // once done is closed; "" when nothing is wrong
}

// Bounds for a server that is stuck.
const (
	answerWithin = 2 * time.Second
	endWithin    = 10 * time.Second
)

func startEmbedded(cfg *EmbeddedConfig, log hclog.Logger) (*embedded, error) {
	e := &embedded{cfg: *cfg, log: log.Named("server"), port: cfg.Port}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	if e.port > 0 {
		// The server only logs that it cannot listen: look first, to say why.
		addr := net.JoinHostPort(cfg.Host, strconv.Itoa(e.port))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, &PortError{Addr: addr, Err: err}
		}
		_ = l.Close()
	}
	return e, e.start()
}

// start runs a server on the directory and the port.
func (e *embedded) start() error {
	opts := &server.Options{
		ServerName:             "timbridge",
		Host:                   e.cfg.Host,
		Port:                   e.port,
		Authorization:          e.cfg.Token,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               e.cfg.Dir,
		JetStreamMaxMemory:     -1, // the server's own bound
		JetStreamMaxStore:      -1,
		SyncAlways:             true,
		MaxPayload:             int32(e.cfg.MaxPayload),
	}
	if e.cfg.MaxBytes > 0 {
		opts.JetStreamMaxStore = e.cfg.MaxBytes
	} else if size, err := diskBytes(e.cfg.Dir); err == nil {
		// By itself the server takes part of what is free when it starts: on a
		// full disk nothing, for as long as it runs.
		opts.JetStreamMaxStore = size / 4 * 3
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("embedded NATS: %w", err)
	}
	fatal := &fatalLog{log: e.log}
	srv.SetLoggerV2(fatal, e.log.IsTrace(), false, false)
	srv.Start()
	deadline := time.Now().Add(readyWithin)
	for !srv.ReadyForConnections(50 * time.Millisecond) {
		if text := fatal.text(); text != "" || time.Now().After(deadline) {
			srv.Shutdown()
			srv.WaitForShutdown()
			if text == "" {
				text = fmt.Sprintf("not ready within %s", readyWithin)
			}
			if strings.HasPrefix(text, "Error listening on port") {
				return &PortError{Addr: net.JoinHostPort(e.cfg.Host, strconv.Itoa(e.port)), Err: errors.New(text)}
			}
			return fmt.Errorf("embedded NATS: %s", text)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if addr, ok := srv.Addr().(*net.TCPAddr); ok {
		e.port = addr.Port
	}
	e.srv = srv
	return nil
}

// present is the server that runs, nil without one, and why its JetStream
// stopped.
func (e *embedded) present() (*server.Server, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv, e.stopped
}

func (e *embedded) setStopped(why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = why
}

// InProcessConn connects to the server that runs at present.
func (e *embedded) InProcessConn() (net.Conn, error) {
	srv, _ := e.present()
	if srv == nil {
		return nil, errors.New("embedded NATS is being restarted")
	}
	return srv.InProcessConn()
}

func (e *embedded) url() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return "nats://" + net.JoinHostPort(e.cfg.Host, strconv.Itoa(e.port))
}

// health is nil while JetStream takes messages.
func (e *embedded) health() error {
	srv, stopped := e.present()
	if stopped != "" {
		return fmt.Errorf("embedded NATS: %s", stopped)
	}
	if srv == nil {
		return errors.New("embedded NATS is being restarted")
	}
	if text := e.unhealthy(srv); text != "" {
		return fmt.Errorf("embedded NATS: %s", text)
	}
	return nil
}

// unhealthy is what is wrong with a server, "" when nothing is.
func (e *embedded) unhealthy(srv *server.Server) string {
	e.mu.Lock()
	q := e.asking
	if q == nil {
		q = &question{done: make(chan struct{})}
		e.asking = q
		go func() {
			q.text = unhealthy(srv)
			e.mu.Lock()
			e.asking = nil
			e.mu.Unlock()
			close(q.done)
		}()
	}
	e.mu.Unlock()
	t := time.NewTimer(answerWithin)
	defer t.Stop()
	select {
	case <-q.done:
		return q.text
	case <-t.C:
		return "the server does not answer"
	}
}

// unhealthy is what is wrong with a server, "" when nothing is.
func unhealthy(srv *server.Server) string {
	if !srv.JetStreamEnabled() {
		return "JetStream switched itself off"
	}
	// The server tells of a stream that cannot be written only by its health page.
	r, err := http.NewRequest(http.MethodGet, "/healthz", nil)
	if err != nil {
		return err.Error()
	}
	w := &page{header: http.Header{}}
	srv.HandleHealthz(w, r)
	if w.status == 0 || w.status == http.StatusOK {
		return ""
	}
	var health server.HealthStatus
	if err := json.Unmarshal(w.body, &health); err == nil && health.Error != "" {
		return health.Error
	}
	return strings.TrimSpace(string(w.body))
}

// page takes what a handler writes.
type page struct {
	header http.Header
	status int
	body   []byte
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { p.body = append(p.body, b...); return len(b), nil }

// tend starts the server anew when its JetStream has stopped writing and there
// is room on the disk again. What was acknowledged is on the disk; a batch that
// was half written is completed by the server as it starts.
func (e *embedded) tend(ctx context.Context) {
	e.life.Lock()
	defer e.life.Unlock()
	if e.closed || e.stuck || ctx.Err() != nil {
		return
	}
	if srv, stopped := e.present(); srv != nil {
		why := e.unhealthy(srv)
		if why == "" {
			e.setStopped("")
			e.tries = 0
			return
		}
		if stopped == "" {
			e.log.Error("embedded JetStream has stopped; it is started again when the disk has room",
				"reason", why, "dir", e.cfg.Dir, "needed_bytes", e.cfg.ReviveFree)
		}
		e.setStopped(why)
	}
	free, err := freeBytes(e.cfg.Dir)
	if err == nil && free < e.cfg.ReviveFree {
		return
	}
	if time.Now().Before(e.retryAt) {
		return
	}
	e.retryAt = time.Now().Add(min(time.Second<<min(e.tries, 6), time.Minute))
	e.tries++
	e.log.Warn("starting the embedded server again", "free_bytes", free)
	if !e.stop() {
		e.setStopped("the server does not end; only a new process helps")
		e.log.Error("the embedded server is stuck and does not end; only a new process helps")
		return
	}
	if err := e.start(); err != nil {
		e.setStopped(err.Error())
		e.log.Error("cannot start the embedded server again", "error", err)
		return
	}
	srv, _ := e.present()
	e.setStopped(e.unhealthy(srv))
}

// stop ends the server, while life is held; false when it is stuck.
func (e *embedded) stop() bool {
	srv, _ := e.present()
	if srv == nil {
		return true
	}
	e.mu.Lock()
	e.srv = nil
	e.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		close(ended)
	}()
	t := time.NewTimer(endWithin)
	defer t.Stop()
	select {
	case <-ended:
		return true
	case <-t.C:
		e.stuck = true
		return false
	}
}

func (e *embedded) close() {
	e.life.Lock()
	defer e.life.Unlock()
	e.closed = true
	if !e.stop() {
		e.log.Error("the embedded server is stuck and does not end")
	}
}

// fatalLog is the server's log in ours, a level lower, and remembers what the
// server calls fatal. It traces nothing: traces hold messages.
type fatalLog struct {
	log hclog.Logger
	mu  sync.Mutex
	msg string
}

func (l *fatalLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.msg
}

func (l *fatalLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	l.msg = fmt.Sprintf(format, v...)
	l.mu.Unlock()
	l.log.Error(fmt.Sprintf(format, v...))
}
func (l *fatalLog) Errorf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
func (l *fatalLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Healthcheck failed") {
		return // tend asks every second, and says it once
	}
	text := fmt.Sprintf(format, v...)
	if rebuilding(text) {
		l.log.Debug(text)
		return
	}
	l.log.Warn(text)
}

// rebuilding says that a warning is of what the server does whenever it was
// killed: its index of a stream is older than the stream, which it reads instead.
func rebuilding(text string) bool {
	for _, part := range []string{"Recovering stream state from index errored", "Stream state outdated", "Stream state detected prior state"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func (l *fatalLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *fatalLog) Debugf(format string, v ...any)  { l.log.Trace(fmt.Sprintf(format, v...)) }
func (l *fatalLog) Tracef(string, ...any)           {}
