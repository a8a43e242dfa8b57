package nats

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
)

// The server that atomic batches with message ids need. They came with 2.12.0,
// and told repeated ids apart from 2.12.1 on.
const needVersion = "2.12.1"

// conn is a connection to NATS that never gives up, and knows its sessions: the
// time between being connected and losing it again. What was asked in one
// session is not answered in the next.
type conn struct {
	nc  *nats.Conn
	log hclog.Logger
	url string // without secrets; where an embedded server is

	mu        sync.Mutex
	session   context.Context
	end       context.CancelCauseFunc
	epoch     uint64 // counts sessions
	connected chan struct{}
	asked     map[*asked]struct{}

	reconnect chan struct{} // a value for every reconnect, at most one waiting
}

// asked is a request under way, by where it publishes: what the server says
// about a publication that it does not allow comes apart from any reply.
type asked struct {
	prefix string
	cancel context.CancelCauseFunc
}

// errDisconnected ends what was waiting for an answer over a lost connection.
var errDisconnected = errors.New("the connection to NATS was lost")

// dial connects, and keeps trying until ctx ends.
func dial(ctx context.Context, cfg *Config, server nats.InProcessConnProvider) (*conn, error) {
	c := &conn{
		log:       cfg.Logger,
		url:       redactURL(cfg.URL),
		connected: make(chan struct{}),
		asked:     map[*asked]struct{}{},
		reconnect: make(chan struct{}, 1),
	}
	opts, err := c.options(cfg, server)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		nc, err := nats.Connect(cfg.URL, opts...)
		if err == nil {
			c.nc = nc
			c.begin()
			break
		}
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) ||
			errors.Is(err, nats.ErrNkeysNotSupported) || errors.Is(err, nats.ErrAccountAuthExpired) {
			return nil, &AuthError{URL: c.url, Err: err}
		}
		var verify *tls.CertificateVerificationError
		if errors.As(err, &verify) || errors.Is(err, nats.ErrSecureConnRequired) || errors.Is(err, nats.ErrSecureConnWanted) {
			// Certificates do not mend while one waits.
			return nil, fmt.Errorf("connect to NATS at %s: %w", c.url, err)
		}
		if attempt == 0 {
			c.log.Warn("NATS cannot be reached yet", "url", c.url, "error", err)
		}
		if !sleep(ctx, backoff(attempt)) {
			return nil, &UnreachableError{URL: c.url, Err: fmt.Errorf("%w (%w)", err, context.Cause(ctx))}
		}
	}
	if have := c.nc.ConnectedServerVersion(); !atLeast(have, needVersion) {
		c.close()
		return nil, &VersionError{Have: have, Need: needVersion}
	}
	return c, nil
}

func (c *conn) options(cfg *Config, server nats.InProcessConnProvider) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(cfg.Name),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // never give up, credentials may come back too
		nats.CustomReconnectDelay(func(attempts int) time.Duration { return backoff(attempts) }),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(min(cfg.RequestTimeout, 5*time.Second)),
		// Nothing is kept for a later connection: a message that goes out
		// after its sender gave up is one that comes unlooked for.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(c.disconnected),
		nats.ReconnectHandler(c.reconnected),
		nats.ErrorHandler(c.failed),
		nats.NoCallbacksAfterClientClose(),
	}
	switch {
	case cfg.Token != "":
		opts = append(opts, nats.Token(cfg.Token))
	case cfg.User != "":
		opts = append(opts, nats.UserInfo(cfg.User, cfg.Password))
	case cfg.NKeyFile != "":
		opt, err := nats.NkeyOptionFromSeed(cfg.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read NKey seed file %s: %w", cfg.NKeyFile, err)
		}
		opts = append(opts, opt)
	case cfg.CredsFile != "":
		if _, err := os.Stat(cfg.CredsFile); err != nil {
			return nil, fmt.Errorf("read credentials file: %w", err)
		}
		opts = append(opts, nats.UserCredentials(cfg.CredsFile))
	}
	if cfg.TLS != nil {
		t, err := cfg.TLS.Load()
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(t))
	}
	if server != nil {
		opts = append(opts, nats.Token(cfg.Embedded.Token), nats.InProcessServer(server))
	}
	return opts, nil
}

// begin starts a session.
func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.end(errDisconnected)
	} else {
		close(c.connected)
	}
	c.session, c.end = context.WithCancelCause(context.Background())
	c.epoch++
}

func (c *conn) disconnected(_ *nats.Conn, err error) {
	c.mu.Lock()
	if c.session != nil {
		c.end(errDisconnected)
		c.session = nil
		c.connected = make(chan struct{})
	}
	c.mu.Unlock()
	c.log.Warn("lost the connection to NATS", "url", c.url, "error", err)
}

func (c *conn) reconnected(*nats.Conn) {
	c.begin()
	c.log.Info("connected to NATS again", "url", c.url)
	select {
	case c.reconnect <- struct{}{}:
	default:
	}
}

// failed takes what the server says outside of any reply.
func (c *conn) failed(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		if subject := violated(err); subject != "" {
			c.mu.Lock()
			for a := range c.asked {
				if strings.HasPrefix(subject, a.prefix) {
					a.cancel(err)
				}
			}
			c.mu.Unlock()
		}
	}
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	c.log.Warn("NATS reports", "error", err, "subject", subject)
}

// violated reads the subject out of `permissions violation for publish to "x"`.
func violated(err error) string {
	text := strings.ToLower(err.Error())
	i := strings.Index(text, "publish to \"")
	if i < 0 {
		return ""
	}
	subject, _, _ := strings.Cut(err.Error()[i+len("publish to \""):], "\"")
	return subject
}

// ask gives a context for one request to subjects that begin with prefix. It
// ends with the request's timeout, with the session, and when the server does
// not allow it; its cause says which.
func (c *conn) ask(ctx context.Context, prefix string, timeout time.Duration) (context.Context, func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	session := c.session
	if session == nil {
		return nil, nil, errDisconnected
	}
	ctx, cancelTimeout := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("NATS did not answer within %s", timeout))
	ctx, cancel := context.WithCancelCause(ctx)
	a := &asked{prefix: prefix, cancel: cancel}
	c.asked[a] = struct{}{}
	stop := context.AfterFunc(session, func() { cancel(context.Cause(session)) })
	return ctx, func() {
		stop()
		cancel(nil)
		cancelTimeout()
		c.mu.Lock()
		delete(c.asked, a)
		c.mu.Unlock()
	}, nil
}

// join gives a context that ends with ctx and with the present session, which
// it waits for.
func (c *conn) join(ctx context.Context) (context.Context, context.CancelFunc, error) {
	for {
		c.mu.Lock()
		session, connected := c.session, c.connected
		c.mu.Unlock()
		if session != nil {
			ctx, cancel := context.WithCancelCause(ctx)
			stop := context.AfterFunc(session, func() { cancel(context.Cause(session)) })
			return ctx, func() { stop(); cancel(nil) }, nil
		}
		select {
		case <-connected:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// present is the number of the present session; 0 without one.
func (c *conn) present() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return 0
	}
	return c.epoch
}

func (c *conn) close() {
	c.nc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.end(errDisconnected)
		c.session = nil
	}
}

// backoff is how long to wait before another attempt: 100 ms, doubling up to
// 3 s, and between half and all of it so that clients do not come together.
func backoff(attempt int) time.Duration {
	d := min(100*time.Millisecond<<min(attempt, 6), 3*time.Second)
	return d/2 + rand.N(d/2)
}

// sleep waits, and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// redactURL takes what is secret out of one or more addresses.
func redactURL(s string) string {
	parts := strings.Split(s, ",")
	for i, p := range parts {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if !strings.Contains(p, "://") {
			p = "nats://" + p
		}
		u, err := url.Parse(p)
		if err != nil {
			// What cannot be read cannot be shown either.
			parts[i] = "?"
			continue
		}
		u.User = nil
		parts[i] = u.String()
	}
	return strings.Join(parts, ",")
}

// atLeast compares versions by their numbers; what follows them ("-beta.1") does
// not count.
func atLeast(have, need string) bool {
	h, n := numbers(have), numbers(need)
	for i := range n {
		if h[i] != n[i] {
			return h[i] > n[i]
		}
	}
	return true
}

func numbers(version string) (n [3]int) {
	for i, part := range strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3) {
		for j := 0; j < len(part) && '0' <= part[j] && part[j] <= '9'; j++ {
			n[i] = n[i]*10 + int(part[j]-'0')
		}
	}
	return n
}
