package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

const (
	saslPlain    = "PLAIN"
	saslSCRAM256 = "SCRAM-SHA-256"
	saslSCRAM512 = "SCRAM-SHA-512"

	// metadataTTL bounds how long kafka-go sends to a leader that has moved.
	metadataTTL = time.Second
	dialTimeout = 5 * time.Second
)

// conn is kafka-go's transport, and what it does not tell: when a connection
// was lost. Every connection is known, so that one that ends takes the others
// to the same broker with it, and none of them is found dead later.
type conn struct {
	cfg  *Config
	log  hclog.Logger
	addr net.Addr
	tls  *tls.Config
	sasl sasl.Mechanism

	mu        sync.Mutex
	transport *kafkago.Transport
	end       context.CancelFunc // of the transport's own work
	topics    []string           // whose leaders the transport learns
	open      map[*tracked]struct{}
	closed    bool
	losses    uint64 // counts lost connections, those to one broker at once as one

	lost chan struct{} // a value after a loss, at most one waiting

	waited string // what waits has said; of the goroutine that opens the bus
}

func newConn(cfg *Config) (*conn, error) {
	c := &conn{cfg: cfg, log: cfg.Logger, addr: kafkago.TCP(cfg.Brokers...), open: map[*tracked]struct{}{}, lost: make(chan struct{}, 1)}
	var err error
	if cfg.TLS != nil {
		if c.tls, err = cfg.TLS.Load(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfiguration, err)
		}
	}
	if s := cfg.SASL; s != nil {
		switch s.Mechanism {
		case saslPlain:
			c.sasl = plain.Mechanism{Username: s.User, Password: s.Password}
		case saslSCRAM256:
			c.sasl, err = scram.Mechanism(scram.SHA256, s.User, s.Password)
		case saslSCRAM512:
			c.sasl, err = scram.Mechanism(scram.SHA512, s.User, s.Password)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: SASL user or password: %w", ErrConfiguration, err)
		}
	}
	for _, r := range routes(cfg) {
		c.topics = append(c.topics, r.Name)
	}
	c.renew()
	return c, nil
}

// renew makes a new transport; c.mu is held, or nobody else knows c.
func (c *conn) renew() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
		c.end()
	}
	var ctx context.Context
	ctx, c.end = context.WithCancel(context.Background())
	c.transport = &kafkago.Transport{
		Dial: c.dial, DialTimeout: min(dialTimeout, c.cfg.RequestTimeout), MetadataTTL: metadataTTL,
		MetadataTopics: slices.Clone(c.topics), ClientID: c.cfg.ClientID, SASL: c.sasl, Context: ctx,
	}
}

// need makes sure that the transport learns the leaders of a topic.
func (c *conn) need(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || slices.Contains(c.topics, topic) {
		return
	}
	c.topics = append(c.topics, topic)
	c.renew()
}

// generation changes with every loss.
func (c *conn) generation() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.losses
}

// client gives kafka-go's client over the transport of now.
func (c *conn) client() *kafkago.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &kafkago.Client{Addr: c.addr, Transport: c.transport}
}

// ask bounds a request, so that its connection is not waited on for ever.
func (c *conn) ask(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.cfg.RequestTimeout, errNoAnswer)
}

// answer gives the error of a request asked with ask in the words of its cause.
func answer(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)) {
		return cause
	}
	return err
}

// raw makes one of our own requests.
func (c *conn) raw(ctx context.Context, req protocol.Message) ([]byte, error) {
	ctx, cancel := c.ask(ctx)
	defer cancel()
	c.mu.Lock()
	transport := c.transport
	c.mu.Unlock()
	res, err := transport.RoundTrip(ctx, c.addr, req)
	if err != nil {
		return nil, answer(ctx, err)
	}
	a, ok := res.(*rawAnswer)
	if !ok {
		return nil, fmt.Errorf("%w: it is a %T", errMalformed, res)
	}
	return a.body, nil
}

// metadata asks what the cluster knows of topics.
func (c *conn) metadata(ctx context.Context, topics ...string) ([]topicMeta, error) {
	return c.describe(ctx, &metadataRequest{client: c.cfg.ClientID, topics: topics})
}

func (c *conn) describe(ctx context.Context, req *metadataRequest) ([]topicMeta, error) {
	body, err := c.raw(ctx, req)
	if err != nil {
		return nil, err
	}
	return decodeMetadata(body)
}

// dial opens a connection that is known.
func (c *conn) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := c.cfg.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	nc := raw
	if c.tls != nil {
		if nc, err = c.secure(ctx, raw, addr); err != nil {
			_ = raw.Close() // nothing was said on it
			return nil, err
		}
	}
	t := &tracked{Conn: nc, raw: raw, c: c, addr: addr}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = raw.Close() // it comes too late
		return nil, net.ErrClosed
	}
	c.open[t] = struct{}{}
	return t, nil
}

// secure makes TLS of a connection. kafka-go would too, but what is said inside
// it is to be listened to here.
func (c *conn) secure(ctx context.Context, raw net.Conn, addr string) (net.Conn, error) {
	cfg := c.tls
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	nc := tls.Client(raw, cfg)
	return nc, nc.HandshakeContext(ctx)
}

// tracked is a connection that says when it is lost, and when no broker is at
// its other end.
type tracked struct {
	net.Conn
	raw      net.Conn // below TLS
	c        *conn
	addr     string
	greeting greeting
	once     sync.Once
}

// Read reads, and notes a loss.
func (t *tracked) Read(b []byte) (int, error) {
	if t.greeting.no != nil {
		return 0, t.greeting.no // kafka-go reads on behind an error
	}
	n, err := t.Conn.Read(b)
	if no := t.greeting.hear(b[:n]); no != nil {
		return 0, no
	}
	t.check(err)
	return n, err
}

// Write writes, and notes a loss.
func (t *tracked) Write(b []byte) (int, error) {
	n, err := t.Conn.Write(b)
	t.check(err)
	return n, err
}

func (t *tracked) check(err error) {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return
	}
	t.c.lose(t)
}

// Close ends it, on our side.
func (t *tracked) Close() error {
	t.c.mu.Lock()
	delete(t.c.open, t)
	t.c.mu.Unlock()
	return t.end()
}

func (t *tracked) end() (err error) {
	t.once.Do(func() { err = t.raw.Close() }) // which waits for nobody, as a goodbye of TLS would
	return err
}

// lose notes that a connection ended although we did not end it, and ends the
// others to its broker.
func (c *conn) lose(t *tracked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.open[t]; !ok || c.closed {
		return
	}
	c.losses++
	for other := range c.open {
		if other.addr == t.addr {
			delete(c.open, other)
			_ = other.end() // it is as lost as the first
		}
	}
	c.transport.CloseIdleConnections() // its pool, with what it holds of them
	select {
	case c.lost <- struct{}{}:
	default:
	}
}

// close ends every connection.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.transport.CloseIdleConnections()
	c.end()
	for t := range c.open {
		_ = t.end() // what it was asked is not waited for
	}
	clear(c.open)
}

// dialUp waits until a broker answers, or until it is clear that none will.
func (c *conn) dialUp(ctx context.Context) error {
	const surely = 3 // connections in a row that ended without a word
	const enough = 3 // guesses at who is silent
	ended, guesses := 0, 0
	var said error
	for attempt := 0; ; attempt++ {
		silent, err := c.answers(ctx, guesses < enough)
		if silent {
			guesses++
		}
		if err == nil {
			return c.checkVersions(ctx)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			ended++
		} else {
			ended = 0
		}
		if lasting(err) || ended >= surely {
			// A broker that does not know a version of a request ends the
			// connection too, but this question every one answers.
			var old *VersionError
			if ended > 0 && errors.As(c.checkVersions(ctx), &old) {
				return old
			}
			if ended > 0 {
				if no := c.guess(ctx, dialTimeout); no != nil {
					err = no
				}
			}
			final := c.connectError(err)
			if lasting(err) || c.cfg.Waiting == nil {
				return final
			}
			// What stands before a broker that is on its way up does so too.
			c.waits(final)
		} else {
			c.waits(nil)
		}
		if attempt == 0 {
			c.log.Warn("Kafka cannot be reached yet", "brokers", strings.Join(c.cfg.Brokers, ","), "error", err)
		}
		c.mu.Lock()
		c.transport.CloseIdleConnections() // its first error would stay
		c.mu.Unlock()
		said = telling(said, err)
		if !sleep(ctx, backoff(attempt)) {
			return &UnreachableError{Brokers: strings.Join(c.cfg.Brokers, ","), Err: gaveUp(ctx, said)}
		}
	}
}

// answers asks for an answer. With guess it does not wait for long, so that there
// is time to find out what it is that is silent.
func (c *conn) answers(ctx context.Context, guess bool) (silent bool, err error) {
	const soon = 1500 * time.Millisecond
	if !guess || c.cfg.RequestTimeout <= soon {
		_, err := c.metadata(ctx)
		return false, err
	}
	short, cancel := context.WithTimeoutCause(ctx, soon, errNoAnswer)
	defer cancel()
	_, err = c.metadata(short)
	if err == nil || short.Err() == nil || ctx.Err() != nil {
		return false, answer(short, err)
	}
	if no := c.guess(ctx, time.Second); no != nil {
		return true, no
	}
	return true, answer(short, err)
}

// waits tells whoever opens the bus what it waits for that others have to mend;
// nil is nothing of that kind.
func (c *conn) waits(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == c.waited || c.cfg.Waiting == nil {
		return
	}
	if c.waited = text; err != nil {
		c.log.Warn("Kafka cannot be used yet", "error", err)
	}
	c.cfg.Waiting(err)
}

// checkVersions makes sure that the broker knows our own requests.
func (c *conn) checkVersions(ctx context.Context) error {
	ctx, cancel := c.ask(ctx)
	defer cancel()
	res, err := c.client().ApiVersions(ctx, &kafkago.ApiVersionsRequest{Addr: c.addr})
	if err != nil {
		return fmt.Errorf("ask for the broker's versions: %w", answer(ctx, err))
	}
	need := map[protocol.ApiKey]int{protocol.Produce: produceVersion, protocol.Fetch: fetchVersion, protocol.Metadata: metadataVersion, protocol.InitProducerId: 0}
	for _, k := range res.ApiKeys {
		key := protocol.ApiKey(k.ApiKey)
		if n, ok := need[key]; ok && k.MaxVersion < n {
			return &VersionError{Request: key.String(), Have: k.MaxVersion, Need: n}
		}
		delete(need, key)
	}
	for key, n := range need {
		return &VersionError{Request: key.String(), Have: -1, Need: n}
	}
	return nil
}

// backoff is how long to wait before a next attempt, with jitter.
func backoff(attempt int) time.Duration {
	d := 50 * time.Millisecond << min(attempt, 5)
	return d/2 + rand.N(d/2)
}

// sleep waits, and reports whether ctx did not end it.
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
