package egress

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// Egress carries out the commands of one shard. Make it with [New], bring its
// projection up to date with Load and Apply, then Run it once.
type Egress struct {
	cfg     Config
	deps    Deps
	log     hclog.Logger
	limiter *limiter
	fetcher *fetcher
	media   *media

	mu      sync.Mutex // guards what follows
	state   *state
	applied uint64 // through which Load and Apply brought the state
	running bool
	writing map[uint64]uint64 // appends under way: ticket → the journal's last position before
	tickets uint64
	draw    randoms
	lanes   map[laneKey]*lane
	sends   map[sendKey]sent // sends that are started and not finished; nil until they are asked for
	mark    mark
	room    chan struct{}            // closed, and made anew, when a command is finished
	last    map[tim.UserID]time.Time // when an account last got a command done
	stats   Stats

	// Of Run.
	stop    context.Context // ends when nothing new is to be begun
	end     context.Context // ends when what is under way has to stop too
	abort   context.CancelCauseFunc
	working sync.WaitGroup // lanes
}

// New makes an egress that knows nothing yet.
func New(cfg Config, deps Deps) *Egress {
	cfg = cfg.withDefaults()
	e := &Egress{
		cfg: cfg, deps: deps, log: deps.Logger,
		limiter: newLimiter(cfg.Rates),
		state:   newState(cfg.bounds()),
		writing: map[uint64]uint64{},
		lanes:   map[laneKey]*lane{},
		room:    make(chan struct{}),
		last:    map[tim.UserID]time.Time{},
		stats:   newStats(),
	}
	if e.log == nil {
		e.log = hclog.NewNullLogger()
	}
	if e.deps.Step == nil {
		e.deps.Step = func(string) {}
	}
	if e.deps.Called == nil {
		e.deps.Called = func(time.Duration) {}
	}
	if e.deps.Finished == nil {
		e.deps.Finished = func(uint64, time.Time) {}
	}
	e.fetcher = newFetcher(cfg.Policy, cfg.MediaMaxBytes, cfg.MediaTimeout)
	e.media = newMedia(cfg, e.fetcher.get)
	e.state.rands.salt = salt(deps.Journal.ID())
	return e
}

// salt makes the order of randoms a journal's own.
func salt(journalID string) uint32 {
	h := fnv.New64a()
	h.Write([]byte(journalID))
	sum := h.Sum64()
	return uint32(sum ^ sum>>32)
}

// Name is the projection's name in a snapshot.
func (e *Egress) Name() string { return "egress" }

// Apply takes in one entry of the journal, in their order; entries of other
// rooms are passed over. It is for bringing the projection up to date before
// Run, and can be called again with entries that are in it already.
func (e *Egress) Apply(entry journal.Entry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		return errors.New("egress: entries are applied before it runs, not while it does")
	}
	if entry.Kind == journal.KindAccepted || entry.Kind == journal.KindStarted {
		body, err := decodeBody(entry.Body)
		if err != nil {
			return fmt.Errorf("position %d: %w", entry.Position, err)
		}
		e.state.apply(entry.Position, body)
		e.sends = nil
	}
	e.applied = max(e.applied, entry.Position)
	return nil
}

// Save gives the projection for a snapshot, with the journal position through
// which everything is in it. It can be called at any time.
func (e *Egress) Save() (position uint64, body []byte, err error) {
	e.mu.Lock()
	position = e.applied
	if e.running {
		// What egress has appended and not yet applied lies after the end that
		// the journal had when the append began.
		position = e.deps.Journal.Last()
		for _, before := range e.writing {
			position = min(position, before)
		}
	}
	v := e.state.view()
	e.mu.Unlock()
	return position, v.encode(), nil
}

// Load takes a saved projection; entries after position are then applied.
func (e *Egress) Load(position uint64, body []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		return errors.New("egress: a snapshot is loaded before it runs, not while it does")
	}
	s, err := decodeState(body, e.cfg.bounds())
	if err != nil {
		return err
	}
	s.rands.salt = e.state.rands.salt
	e.state, e.applied, e.sends = s, position, nil
	return nil
}

// Oldest is the journal position of the oldest command that is not finished:
// from there on the journal is needed. It is the highest number there is when
// all are finished.
func (e *Egress) Oldest() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := uint64(math.MaxUint64)
	for _, o := range e.state.open {
		oldest = min(oldest, o.accepted)
	}
	return oldest
}

// Run takes commands and carries them out until ctx ends, and then waits, at
// most Config.Drain, for the calls under way. It returns nil when ctx ended it,
// and an error when the journal failed.
func (e *Egress) Run(ctx context.Context) error {
	stop, abort := context.WithCancelCause(ctx)
	end, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	e.stop, e.end, e.abort = stop, end, abort

	if err := e.media.clean(); err != nil {
		abort(err)
		return err
	}
	defer e.fetcher.close()
	e.begin()
	var wg sync.WaitGroup
	wg.Go(e.keepMark)
	err := e.work()
	abort(err)

	timer := time.AfterFunc(e.cfg.Drain, cut)
	if cause := context.Cause(stop); cause != nil && !errors.Is(cause, context.Canceled) && ctx.Err() == nil {
		cut() // the journal failed: nothing more can be recorded
	}
	e.working.Wait()
	timer.Stop()
	wg.Wait()

	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	if err := e.FlushMark(flush); err != nil {
		e.log.Warn("the mark is not set", "error", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(stop)
}

// begin turns the projection into something that runs.
func (e *Egress) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running = true
	e.draw = e.state.rands
	e.mark.barrier = e.state.outcome
	e.indexSends()
}

// work takes up what is unfinished, then reads on.
func (e *Egress) work() error {
	if err := e.resume(); err != nil {
		return err
	}
	if err := e.ensureBorn(); err != nil {
		return err
	}
	return e.intake()
}

// ensureBorn writes the first entry of a journal that has none: from where
// commands are read, and that everything published until now is in doubt,
// since a predecessor that lost its disk may have carried it out.
func (e *Egress) ensureBorn() error {
	e.mu.Lock()
	// Where the entry was deleted and every snapshot is lost, later ones say
	// where reading stands.
	known := !e.state.born.IsZero() || len(e.state.read) > 0
	e.mu.Unlock()
	if known {
		return nil
	}
	for wait := (backoff{min: e.cfg.RetryMin, max: e.cfg.RetryMax}); ; {
		at := time.Now()
		positions, err := e.deps.Commands.Mark(e.stop)
		if err == nil {
			e.trouble("", nil)
			b := birth{At: at, Mark: positions}
			_, err := e.write(e.stop, false, []journal.Entry{entry(journal.KindAccepted, b.append(nil))}, at0(b))
			return err
		}
		e.trouble("the mark cannot be read from the bus", err)
		if err := sleep(e.stop, wait.next(0)); err != nil {
			return err
		}
	}
}

// resume hands the unfinished commands to their lanes, in journal order.
func (e *Egress) resume() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range e.state.inOrder() {
		it := &item{o: o}
		it.cmd, it.broken = e.command(o.event)
		e.dispatch(it)
	}
	return nil
}

// command reads a command from an accepted entry. With an error it still has
// the command's names, as far as they can be read.
func (e *Egress) command(encoded []byte) (mapping.Command, error) {
	ev, err := mapping.Decode(encoded)
	if err != nil {
		return mapping.Command{}, err
	}
	return e.deps.Mapper.ToCommand(ev)
}

// body is what one of several entries means, for the projection.
type body struct {
	index int // of its entry
	value any
}

func at0(value any) []body { return []body{{0, value}} }

// write appends entries and applies what they mean, waiting out a full disk.
func (e *Egress) write(ctx context.Context, reserved bool, entries []journal.Entry, bodies []body) (uint64, error) {
	add := e.deps.Journal.Append
	if reserved {
		add = e.deps.Journal.AppendReserved
	}
	return e.append(ctx, bodies, func() (uint64, error) { return add(ctx, entries) })
}

// append calls add until it has appended, and applies bodies, whose indexes
// count from the position that add returns.
func (e *Egress) append(ctx context.Context, bodies []body, add func() (uint64, error)) (uint64, error) {
	for {
		e.mu.Lock()
		ticket := e.tickets
		e.tickets++
		e.writing[ticket] = e.deps.Journal.Last()
		e.mu.Unlock()

		first, err := add()

		e.mu.Lock()
		delete(e.writing, ticket)
		if err == nil {
			for _, b := range bodies {
				e.take(first+uint64(b.index), b.value)
			}
		}
		e.mu.Unlock()

		switch {
		case err == nil:
			return first, nil
		case errors.Is(err, journal.ErrFull):
			e.trouble("the disk is full", err)
			if err := e.deps.Journal.Writable(ctx); err != nil {
				return 0, e.broke(ctx, err)
			}
			e.trouble("", nil)
		default:
			return 0, e.broke(ctx, err)
		}
	}
}

// broke ends everything for an error of the journal that waiting does not mend.
func (e *Egress) broke(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, journal.ErrFailed) {
		return ctx.Err()
	}
	err = fmt.Errorf("egress: journal: %w", err)
	e.abort(err)
	return err
}

// take applies an entry of egress's own while it runs. e.mu is held.
func (e *Egress) take(position uint64, value any) {
	switch b := value.(type) {
	case finished:
		if o := e.state.open[b.Key]; o != nil {
			e.mark.hold(position+uint64(b.Public), o.position)
			delete(e.sends, sendKey{o.account, uint64(o.rand)})
		}
		close(e.room)
		e.room = make(chan struct{})
	case read:
		if b.Public > 0 {
			e.mark.hold(position+uint64(b.Public), b.Position)
		}
	case lost:
		e.mark.hold(position+uint64(b.Public), b.Position)
	}
	e.state.apply(position, value)
}

// trouble notes why commands are not read, for the readiness; "" when they are again.
func (e *Egress) trouble(what string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if what == "" {
		e.stats.Trouble, e.stats.TroubleSince = "", time.Time{}
		return
	}
	if e.stats.Trouble == "" {
		e.stats.TroubleSince = time.Now()
		e.log.Warn(what, "error", err)
	}
	e.stats.Trouble = fmt.Sprintf("%s: %v", what, err)
}
