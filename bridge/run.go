package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// Times of the end.
const (
	// publishLimit is how long the relay may go on publishing what is journaled
	// when the bridge ends; the rest is published by the next process.
	publishLimit = 5 * time.Second
	// snapshotLimit is how long the last snapshot may take.
	snapshotLimit = 10 * time.Second
)

// parts are the running parts of a bridge: each begins after those it needs,
// and ends before them.
type parts struct {
	group *errgroup.Group
	ctx   context.Context // ends when a part has failed
	stops []func()
}

// newParts makes parts that do not end with ctx, but when they are stopped.
func newParts(ctx context.Context) *parts {
	p := &parts{}
	p.group, p.ctx = errgroup.WithContext(context.WithoutCancel(ctx))
	return p
}

func (p *parts) start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	p.group.Go(func() error {
		defer close(done)
		if err := run(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	p.stops = append(p.stops, func() { cancel(); <-done })
}

// stop ends all but the first n parts, the last first.
func (p *parts) stop(n int) {
	for len(p.stops) > n {
		last := len(p.stops) - 1
		p.stops[last]()
		p.stops = p.stops[:last]
	}
}

// Run runs the bridge until ctx ends, which drains it and returns nil, or
// until something fails that it cannot go on without.
func (b *Bridge) Run(ctx context.Context) error {
	p := newParts(ctx)
	p.start("http", b.serve)
	p.start("bus", b.openBus)
	p.start("bus check", b.probe.run)
	p.start("relay", b.relay.Run)
	p.start("latencies", func(ctx context.Context) error { return b.took.run(ctx, b.relay) })
	p.start("unread commands", b.backlog.run)
	p.start("snapshots", b.keeper.run)
	publishing := len(p.stops) // these go on while what the others wrote is published
	p.start("ingress", b.ingress.Run)

	var failed <-chan struct{}
	if b.sandbox != nil {
		failed = b.sandbox.Failed()
	}
	err := b.begin(ctx, p)
	if err == nil {
		select {
		case <-ctx.Done():
			b.log.Info("draining")
		case <-p.ctx.Done():
		case <-b.journal.Failed():
		case <-failed:
			err = fmt.Errorf("sandbox: %w", b.sandbox.Err())
		}
	}
	b.draining.Store(true)
	p.stop(publishing)
	if err == nil {
		b.publishRest(p.ctx)
	}
	p.stop(0)
	return errors.Join(err, p.group.Wait(), b.journal.Err(), b.close())
}

// begin starts what takes reports and commands, once the repairs of the journal
// are dealt with. It returns nil when ctx ends meanwhile.
func (b *Bridge) begin(ctx context.Context, p *parts) error {
	repairs, cancel := context.WithCancel(p.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	if err := b.tellRepairs(repairs); err != nil {
		if repairs.Err() != nil {
			return nil
		}
		return fmt.Errorf("journal repairs: %w", err)
	}
	for _, a := range b.accounts.list {
		p.start("account "+string(a.user), a.run)
	}
	p.start("egress", b.egress.Run)
	return nil
}

// publishRest waits until the journal is published, as long as that goes on,
// and tells the bus what is finished by then.
func (b *Bridge) publishRest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	for ctx.Err() == nil && b.journal.Err() == nil {
		moved, s := b.relay.Moved(), b.relay.Stats()
		if _, err := b.probe.last(); err != nil || s.Trouble != "" {
			b.log.Warn("the bus cannot be used: what is journaled is published after the next start", "entries", s.Lag)
			return
		}
		if s.Lag == 0 {
			break
		}
		select {
		case <-moved:
		case <-ctx.Done():
		}
	}
	if err := b.egress.FlushMark(ctx); err != nil {
		b.log.Debug("the mark on the bus is not set", "error", err)
	}
}

// tellRepairs deals with what repairs of the journal gave up, before any
// account signs in and any command is read: it is told as
// bridge.journal_damaged, which has ingress read that time back from history,
// and to egress, for which its commands are in doubt. The journal forgets the
// repairs once a snapshot holds what was made of them.
func (b *Bridge) tellRepairs(ctx context.Context) error {
	lost := b.journal.Repairs()
	if len(lost) == 0 {
		return nil
	}
	app, id := mapping.App{SDKAppID: b.cfg.App.SDKAppID}, b.journal.ID()
	facts := make([]mapping.Fact, len(lost))
	for i := range lost {
		s := &lost[i]
		if s.Last < b.journal.First() && s.From.IsZero() {
			// Not damaged but deleted, long after they were published, and only
			// the state built from them is lost: no time is to be read back.
			s.From = s.To
		}
		var err error
		facts[i], err = mapping.JournalDamaged(app, id, mapping.Damage{First: s.First, Last: s.Last, From: s.From, To: s.To, KeptAs: s.KeptAs}, time.Now())
		if err != nil {
			return err
		}
	}
	if err := b.ingress.RecordFact(ctx, facts...); err != nil {
		return err
	}
	for {
		err := b.egress.Repaired(ctx, lost)
		if err == nil {
			break
		}
		if !errors.Is(err, journal.ErrFull) {
			return err
		}
		if err := b.journal.Writable(ctx); err != nil {
			return err
		}
	}
	b.keeper.repairsTold()
	return nil
}

// serve answers /live, /ready and /metrics.
func (b *Bridge) serve(ctx context.Context) error {
	if b.listener == nil {
		<-ctx.Done()
		return nil
	}
	server := &http.Server{
		Handler: b.routes(b.metrics()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: b.log.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(b.listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	c, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(c); err != nil {
		b.log.Debug("an HTTP connection was cut off", "error", errors.Join(err, server.Close()))
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
