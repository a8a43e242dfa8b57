// Package relay publishes the journal to the bus: facts, outcomes and dead
// letters alike, each once, in journal order per target.
//
// It works in rounds. A round is the next public entries of the journal; its
// plan, made by the bus, says for each target what it gets and where the
// target ended before. The plan is journaled before anything is sent, so that
// this process or the next can send it again in the same words until every
// target has its part. Only then comes the next round, whose plan is thereby
// the proof that the one before it is stored: there is no other bookkeeping.
//
// After a start, after every reconnect, and when the bus says that a target is
// not what it was, each target is asked for the last part it was given. A
// target that no longer has it lost its tail; what followed the last message
// still there is sent to it again, by plans that say what is still owed.
package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
)

// Config bounds a round and the waits between attempts. Zero fields take
// their defaults.
type Config struct {
	// RoundMessages (1000) and RoundBytes (4 MiB) bound a round.
	RoundMessages int
	RoundBytes    int
	// Linger (10 ms) is how long a round that follows on a large one is let
	// grow. After a small one nothing is waited for.
	Linger time.Duration
	// BackoffMin (50 ms) and BackoffMax (5 s) bound the wait after a failed
	// attempt; it doubles, with jitter.
	BackoffMin, BackoffMax time.Duration
	// Slow (1 s) is how long the bus may take for one thing before publishing
	// counts as standing still.
	Slow time.Duration
}

func (c Config) withDefaults() Config {
	if c.RoundMessages <= 0 {
		c.RoundMessages = 1000
	}
	if c.RoundBytes <= 0 {
		c.RoundBytes = 4 << 20
	}
	if c.Linger <= 0 {
		c.Linger = 10 * time.Millisecond
	}
	if c.BackoffMin <= 0 {
		c.BackoffMin = 50 * time.Millisecond
	}
	if c.BackoffMax <= 0 {
		c.BackoffMax = 5 * time.Second
	}
	if c.Slow <= 0 {
		c.Slow = time.Second
	}
	return c
}

// carryAfter is how many entries a target's last part may lie behind before a
// plan restates it: so many entries a target without traffic keeps from being
// deleted.
const carryAfter = 10_000

// Journal is what the relay needs of the journal.
type Journal interface {
	ID() string
	First() uint64
	Last() uint64
	Read(from uint64) *journal.Reader
	AppendReserved(ctx context.Context, entries []journal.Entry) (uint64, error)
}

// Publisher is what the relay needs of the bus.
type Publisher interface {
	bus.Publisher
	Check(ctx context.Context) error
	Reconnected() <-chan struct{}
}

// Deps are the parts a relay works with. Journal and Publisher are required.
type Deps struct {
	Journal   Journal
	Publisher Publisher
	Logger    hclog.Logger
	// Step is called at the named steps "planned" and "sent"; nil for none.
	Step func(name string)
}

// Stats are counters since the start, and where publishing stands.
type Stats struct {
	// Published counts messages stored, by stream.
	Published map[bus.Stream]uint64
	// Rounds, Retries, Refused and Refilled count plans stored, attempts that
	// failed, messages replaced by bridge.event_refused, and messages sent
	// again to targets that lost their tail.
	Rounds, Retries, Refused, Refilled uint64
	// Position is the journal position through which everything public is
	// stored; Lag is how many entries the journal is ahead of it.
	Position, Lag uint64
	// Trouble is why publishing stands still now, empty while it does not, and
	// Since the time it began. A bus that takes long and says nothing of why
	// sets Since alone at first.
	Trouble string
	Since   time.Time
}

// Relay publishes one journal to one bus. Make it with [New], bring its
// projection up to date with Load and Apply, then Run it once.
type Relay struct {
	cfg     Config
	journal Journal
	pub     Publisher
	log     hclog.Logger
	step    func(string)

	mu    sync.Mutex // guards state, stats and published
	state state
	stats Stats
	// emitted is the end of the last round read, idle how far the reader has
	// since come without finding anything public.
	emitted, idle uint64
	// writing is true from before a plan is appended until it is applied.
	writing bool
	// stored says that the current plan is; published is the position through
	// which everything public is.
	stored    bool
	published uint64
	// suspected says that no attempt has failed for what is the trouble.
	suspected bool
	moved     chan struct{}

	id string // the journal's, since Run

	// What follows belongs to Run's goroutine.
	verified bool
	look     bool
	pending  *round        // read, and not planned yet
	doubts   int           // how often in a row the bus asked to verify first
	messages []bus.Message // of the current plan, nil until read
	places   *places       // of what is owed, nil until read
	failures int
	logged   time.Time
}

// New makes a relay that has published nothing yet.
func New(cfg Config, deps Deps) *Relay {
	r := &Relay{
		cfg: cfg.withDefaults(), journal: deps.Journal, pub: deps.Publisher,
		log: deps.Logger, step: deps.Step, state: newState(), moved: make(chan struct{}),
	}
	if r.log == nil {
		r.log = hclog.NewNullLogger()
	}
	if r.step == nil {
		r.step = func(string) {}
	}
	r.stats.Published = map[bus.Stream]uint64{}
	return r
}

// Name is the projection's name.
func (r *Relay) Name() string { return "relay" }

// Apply takes a journal entry; only plans matter. An entry at or below the
// last one applied changes nothing.
func (r *Relay) Apply(e journal.Entry) error {
	if e.Kind != journal.KindPlan {
		return nil
	}
	p, err := decodePlan(e.Body)
	if err != nil {
		return fmt.Errorf("relay: plan at position %d: %w", e.Position, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.apply(e.Position, p)
	return nil
}

// Save gives the state and the journal position through which it is complete:
// the journal's end, since only the relay writes plans, unless one is under way.
func (r *Relay) Save() (uint64, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := r.state.save()
	position := r.state.applied
	if !r.writing {
		position = max(position, r.journal.Last())
	}
	return position, body, err
}

// Load replaces the state by a saved one.
func (r *Relay) Load(position uint64, body []byte) error {
	st, err := loadState(position, body)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = st
	return nil
}

// Published is the journal position through which every public entry is
// stored on the bus. It can fall, when a target turns out to have lost its tail.
func (r *Relay) Published() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.published
}

// Moved returns a channel that is closed when Published changes next.
func (r *Relay) Moved() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved
}

// Needed is the lowest journal position that the relay may still read: what
// is below it may be deleted as far as the relay goes.
func (r *Relay) Needed() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	needed := r.published + 1
	if r.state.position != 0 {
		needed = min(needed, r.state.position)
	}
	for _, d := range r.state.done {
		needed = min(needed, d.Position)
	}
	return needed
}

// Stats returns a copy of the counters.
func (r *Relay) Stats() Stats {
	last := r.journal.Last()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Published = map[bus.Stream]uint64{}
	for k, v := range r.stats.Published {
		s.Published[k] = v
	}
	s.Position = r.published
	if last > s.Position {
		s.Lag = last - s.Position
	}
	return s
}

// fatalError ends Run: the journal itself cannot be read or written, or says
// something that cannot be.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

func fatal(format string, args ...any) error { return &fatalError{fmt.Errorf(format, args...)} }

// Run publishes until ctx ends, which returns nil, or until the journal fails.
// Whatever the bus does is waited out.
func (r *Relay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	r.id = r.journal.ID()
	r.mu.Lock()
	st := r.state
	r.stored = st.current == nil
	r.mu.Unlock()
	r.look = true
	through := uint64(0)
	if st.current != nil {
		through = st.current.Through
	}
	r.publish()

	rounds := make(chan round)
	var wg sync.WaitGroup
	wg.Go(func() { r.readRounds(ctx, through+1, rounds) })
	defer wg.Wait()
	defer cancel()

	for {
		err := r.work(ctx, rounds)
		var f *fatalError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &f):
			return f.err
		case errors.Is(err, bus.ErrVerify):
			r.verified = false
			if r.doubts++; r.doubts > 1 { // it was verified, and is in doubt again
				r.wait(ctx, err)
			}
		case err != nil:
			r.wait(ctx, err)
		default:
			r.recovered()
		}
	}
}

// work does the next thing that is due, in the order that keeps the promises:
// verify what was stored, finish the current plan, pay what is owed, and only
// then begin a new round.
func (r *Relay) work(ctx context.Context, rounds <-chan round) error {
	select {
	case <-r.pub.Reconnected():
		r.verified = false
	default:
	}
	if !r.verified {
		return r.verify(ctx)
	}
	if !r.isStored() {
		return r.send(ctx)
	}
	if owed := r.owed(); len(owed) > 0 {
		return r.refill(ctx, owed)
	}
	if r.pending != nil {
		return r.begin(ctx)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-r.pub.Reconnected():
		r.verified = false
		return nil
	case next, ok := <-rounds:
		if !ok {
			return nil // ctx has ended
		}
		if next.err != nil {
			return fatal("read the journal: %w", next.err)
		}
		r.pending = &next
		return r.begin(ctx)
	}
}

func (r *Relay) isStored() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stored
}

func (r *Relay) current() *planBody {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.current
}

func (r *Relay) owed() []refill {
	if cur := r.current(); cur != nil {
		return cur.Refill
	}
	return nil
}

// publish brings the published position up to date.
func (r *Relay) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publishLocked()
}

func (r *Relay) publishLocked() {
	var p uint64
	if cur := r.state.current; cur != nil {
		if p = cur.Through; !r.stored {
			for _, part := range cur.Parts {
				p = min(p, part.Runs[0][0]-1)
			}
		}
		for _, f := range cur.Refill {
			p = min(p, f.After)
		}
	}
	if (r.state.current == nil || r.stored && len(r.state.current.Refill) == 0) && p >= r.emitted {
		p = max(p, r.idle)
	}
	if p != r.published {
		r.published = p
		close(r.moved)
		r.moved = make(chan struct{})
	}
}

// count takes note that the current plan is stored.
func (r *Relay) count() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored = true
	r.doubts = 0
	r.stats.Rounds++
	for _, m := range r.messages {
		r.stats.Published[m.Stream]++
	}
}
