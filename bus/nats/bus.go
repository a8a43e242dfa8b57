// Package nats is the bus contract over NATS JetStream: rounds are published by
// atomic batches, commands are read at a position of our own, and a server can
// be embedded. It needs nats-server 2.12.1 or later.
//
// A stream is one target, and its name is the target's. Every message carries
// `Nats-Msg-Id: <timbridge>/<sequence>`. Events are CloudEvents of the NATS
// binding, in binary mode or structured JSON.
package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
)

// Bus is the bus contract over NATS JetStream.
type Bus struct {
	cfg      Config
	log      hclog.Logger
	routes   []route
	embedded *embedded
	conn     *conn
	js       jetstream.JetStream
	marks    jetstream.KeyValue

	targets map[string]*target // of the publisher's goroutine

	reconnected chan struct{}
	purgeMu     sync.Mutex
	lastPurge   time.Time

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	closing sync.Once
	readers readers
}

var _ bus.Bus = (*Bus)(nil)

// Open connects, checks the server, and creates or checks the streams. It
// waits for a server that cannot be reached until ctx ends, and then returns
// an [*UnreachableError]. What waiting does not mend is returned at once: a
// [*VersionError], [*PortError], [*AuthError], [*ConfigError] (several are
// joined), or what is wrong with the configuration.
func Open(ctx context.Context, cfg Config) (_ *Bus, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		cfg:         cfg,
		log:         cfg.Logger,
		routes:      routes(&cfg),
		targets:     map[string]*target{},
		reconnected: make(chan struct{}, 1),
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			_ = b.Close() // what went wrong before matters more
		}
	}()
	var inProcess nats.InProcessConnProvider
	if cfg.Embedded != nil {
		if b.embedded, err = startEmbedded(cfg.Embedded, cfg.Logger); err != nil {
			return nil, err
		}
		inProcess = b.embedded
		cfg.URL = b.embedded.url() // for what is said about it
	}
	if b.conn, err = dial(ctx, &cfg, inProcess); err != nil {
		return nil, err
	}
	if b.js, err = jetstream.New(b.conn.nc, jetstream.WithDefaultTimeout(cfg.RequestTimeout)); err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	if err = b.prepare(ctx); err != nil {
		return nil, err
	}
	b.wg.Go(b.tend)
	if b.embedded != nil {
		b.wg.Go(b.tendServer)
	}
	return b, nil
}

// prepare makes streams and marks ready, and waits for a JetStream that is on
// its way up.
func (b *Bus) prepare(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		err := b.ensure(ctx)
		if err == nil {
			err = b.ensureMarks(ctx)
		}
		if err == nil || !passing(err) {
			return err
		}
		if attempt == 0 {
			b.log.Warn("JetStream does not answer yet", "url", b.conn.url, "error", err)
		}
		if !sleep(ctx, backoff(attempt)) {
			return &UnreachableError{URL: b.conn.url, Err: fmt.Errorf("JetStream: %w (%w)", err, context.Cause(ctx))}
		}
	}
}

// tend does what has to be done after a reconnect.
func (b *Bus) tend() {
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-b.conn.reconnect:
		}
		// A server that came back empty gets its streams again.
		if b.cfg.Manage != bus.ManageCheck {
			if err := b.prepare(b.ctx); err != nil && b.ctx.Err() == nil {
				b.log.Error("streams are not as they should be after reconnecting", "error", err)
			}
		}
		select {
		case b.reconnected <- struct{}{}:
		default:
		}
	}
}

// tendServer keeps the embedded server alive.
func (b *Bus) tendServer() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-t.C:
			b.embedded.tend(b.ctx)
		}
	}
}

// URL is where the embedded server can be reached, or the addresses configured;
// it holds no secrets.
func (b *Bus) URL() string {
	if b.embedded != nil {
		return b.embedded.url()
	}
	return b.conn.url
}

// Check asks the server for every stream, now. A stream that is missing or not
// as configured is a [*bus.TargetError].
func (b *Bus) Check(ctx context.Context) error {
	if b.embedded != nil {
		if err := b.embedded.health(); err != nil {
			return err
		}
	}
	for i := range b.routes {
		r := &b.routes[i]
		info, err := b.info(ctx, r.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			err = &ConfigError{Stream: r.Name, Missing: true}
		}
		if err == nil {
			if ds := differences(info.Config, wanted(&b.cfg, r)); len(ds) > 0 {
				err = &ConfigError{Stream: r.Name, Differences: ds}
			}
		}
		var ce *ConfigError
		switch {
		case err == nil:
		case errors.As(err, &ce):
			return &bus.TargetError{Target: bus.Target(r.Name), Err: err}
		default:
			return fmt.Errorf("check stream %q: %w", r.Name, err)
		}
	}
	return nil
}

// Reconnected receives a value after each reconnect, once the streams are
// there again; values that nobody waited for are one.
func (b *Bus) Reconnected() <-chan struct{} { return b.reconnected }

// Close ends what is under way, the connection, and the embedded server.
func (b *Bus) Close() error {
	b.closing.Do(func() {
		b.cancel()
		b.readers.close()
		if b.conn != nil {
			b.conn.close()
		}
		b.wg.Wait()
		if b.embedded != nil {
			b.embedded.close()
		}
	})
	return nil
}
