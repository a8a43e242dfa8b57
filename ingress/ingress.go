package ingress

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// Defaults of [Config].
const (
	DefaultGapWait  = time.Second
	DefaultMaxSeen  = 4_000_000
	DefaultQueue    = 4096
	DefaultPostWait = 5 * time.Second
	DefaultMaxHeld  = 16384
)

// Config holds the settings of an [Ingress]; the zero value has the defaults.
type Config struct {
	// Backfill is how far back an account's first sign-in reads history; 0 is
	// not at all.
	Backfill time.Duration
	// GapWait is how long a gap in a group's sequence is waited for before
	// history is read; 0 means DefaultGapWait.
	GapWait time.Duration
	// GapGiveUp is how long reading a gap from history is tried before the gap
	// is told and the group goes on; 0 means 30 s.
	GapGiveUp time.Duration
	// PostWait is how long the outcome of a send waits for what comes before
	// its message in the conversation; after it the outcome is recorded alone
	// and the message in its place. 0 means DefaultPostWait.
	PostWait time.Duration
	// MaxSeen bounds the messages remembered so that a repeat is known as one;
	// 0 means DefaultMaxSeen.
	MaxSeen int
	// Queue is how many reports may wait for the appender before handlers
	// block; 0 means DefaultQueue. QueueBytes bounds them too, 0 means 16 MiB.
	Queue      int
	QueueBytes int
	// MaxHeld is how many messages, of each account, may be kept in memory
	// while history is read; beyond it they are read from history too. 0 means
	// DefaultMaxHeld.
	MaxHeld int
	// ChangeWindow is how long before an absence a message may have been sent
	// that is read from history again, for what became of it while nobody was
	// told: where the client's service forgets what it has reported (see
	// [tim.Redeliverer]). 0 means DefaultChangeWindow; below 0, no message is
	// read for that alone.
	ChangeWindow time.Duration
	// Readers is how many conversations of one account are read from history
	// at a time; 0 means 4.
	Readers int
	// RetryMin and RetryMax bound the wait before a call for history is made
	// again; 0 means 200 ms and 30 s.
	RetryMin, RetryMax time.Duration
	// MaxEntryBytes is the size over which an event is replaced by
	// bridge.event_refused; 0 means journal.DefaultMaxEntryBytes.
	MaxEntryBytes int
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	def(&c.GapWait, DefaultGapWait)
	def(&c.GapGiveUp, 30*time.Second)
	def(&c.PostWait, DefaultPostWait)
	if c.ChangeWindow == 0 {
		c.ChangeWindow = DefaultChangeWindow
	}
	def(&c.RetryMin, 200*time.Millisecond)
	def(&c.RetryMax, 30*time.Second)
	num(&c.MaxSeen, DefaultMaxSeen)
	num(&c.Queue, DefaultQueue)
	num(&c.QueueBytes, 16<<20)
	num(&c.MaxHeld, DefaultMaxHeld)
	num(&c.Readers, 4)
	num(&c.MaxEntryBytes, journal.DefaultMaxEntryBytes)
	return c
}

// Journal is what ingress needs of the journal; [*journal.Journal] is one.
type Journal interface {
	Append(ctx context.Context, entries []journal.Entry) (first uint64, err error)
	AppendReserved(ctx context.Context, entries []journal.Entry) (first uint64, err error)
	Writable(ctx context.Context) error
	Last() uint64
}

// Causes tells which command is behind a message.
type Causes interface {
	// CauseOf returns the command that sent a message, known by its sender,
	// conversation (as the sender sees it) and random, or by its message id;
	// nil when none did. It is called for every message, so it must be fast.
	CauseOf(sender tim.UserID, conv tim.Conversation, random uint64, id tim.MessageID) *mapping.Cause
	// Sending says whether an account of the bridge is sending something in a
	// conversation: a read mark there may be about a message that is not
	// recorded yet. It must be fast too.
	Sending(account tim.UserID, conv tim.Conversation) bool
}

// Deps are the things an [Ingress] works with.
type Deps struct {
	Journal Journal
	App     mapping.App
	// Causes may be nil: then no message has a cause but those of Post.
	Causes Causes
	// Logger may be nil.
	Logger hclog.Logger
	// Now is the clock that facts of the bridge's own are stamped with; nil is time.Now.
	Now func() time.Time
	// Step, if not nil, is called at named steps, for tests that end the
	// process there: "report_in" and "journaled".
	Step func(name string)
}

var (
	// ErrClosed is returned when Run has ended.
	ErrClosed = errors.New("ingress: closed")
	// ErrInterrupted is returned by CatchUp when the account lost its
	// connection, or another CatchUp of it began. What was read is journaled;
	// the next CatchUp reads the rest.
	ErrInterrupted = errors.New("ingress: catch-up interrupted")
)

// Ingress records what the IM service reports. Its methods may be called at
// once from several goroutines.
type Ingress struct {
	cfg      Config
	deps     Deps
	log      hclog.Logger
	queue    *queue
	counters counters
	wg       sync.WaitGroup // goroutines that Run waits for
	done     chan struct{}  // closed when Run has ended

	mu        sync.RWMutex // of what follows
	seen      *seen        // only the appender changes it
	accounts  map[tim.UserID]*account
	appending bool // an append is under way that seen does not have yet
	fullSince time.Time

	readMu   sync.Mutex
	readBusy map[string]chan struct{} // conversations that are being read, by subject
}

// New makes an ingress. Its projection is empty: load a snapshot, apply the
// journal's entries after it, then call Run.
func New(cfg Config, deps Deps) *Ingress {
	cfg = cfg.withDefaults()
	if deps.Logger == nil {
		deps.Logger = hclog.NewNullLogger()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Step == nil {
		deps.Step = func(string) {}
	}
	return &Ingress{
		cfg:      cfg,
		deps:     deps,
		log:      deps.Logger,
		queue:    newQueue(cfg.Queue, cfg.QueueBytes),
		done:     make(chan struct{}),
		seen:     newSeen(cfg.MaxSeen),
		accounts: make(map[tim.UserID]*account),
		readBusy: make(map[string]chan struct{}),
	}
}

// Run does the work until ctx ends, and then returns nil; or until the journal
// fails, and then returns why. It waits for every goroutine it started. What
// is not on disk by then is not acknowledged. It is called once.
func (in *Ingress) Run(ctx context.Context) error {
	runCtx, cancel := context.WithCancel(ctx)
	err := newAppender(in).run(runCtx)
	cancel()
	in.queue.close()
	close(in.done)
	in.wg.Wait()
	return err
}

// Handler returns the handler of an account's reports, for [tim.Client].Listen.
// Messages that it is told are held until [Ingress.CatchUp] has run for the
// account: call that after each sign-in and each reconnect. The handler blocks
// while the queue is full, and no longer than Run runs: a report that comes
// after that is dropped, unacknowledged.
func (in *Ingress) Handler(account tim.UserID) tim.Handler {
	acct := in.accountOf(account)
	in.queue.pushCall(func(a *appender) {
		acct.handled = true
		acct.lose()
		a.announce(acct)
	})
	return func(r tim.Report) {
		in.deps.Step("report_in")
		in.queue.pushReport(in.translate(acct, r), in.done)
	}
}

// Announce says that an account is about to sign in: call it before each
// Login. Messages that the account is told are held from here on, until
// [Ingress.CatchUp] has run. Before the first sign-in it notes that durably:
// should the process end before the first CatchUp has, what the account was
// told by then is read back. ([Ingress.Handler] does the same, without waiting
// for the disk.)
func (in *Ingress) Announce(ctx context.Context, account tim.UserID) error {
	acct := in.accountOf(account)
	return in.doInTurn(ctx, func(a *appender) error {
		acct.lose()
		a.announce(acct)
		return nil
	})
}

// RecordFact journals facts that are the bridge's own, account.* and bridge.*,
// all or none, and returns once they are on disk. Those that are recorded
// already are left out.
func (in *Ingress) RecordFact(ctx context.Context, facts ...mapping.Fact) error {
	if len(facts) == 0 {
		return nil
	}
	u := new(unit)
	if err := in.fill(u, facts); err != nil {
		return fmt.Errorf("ingress: %w", err)
	}
	return in.do(ctx, func(a *appender) error { a.record(u); return nil })
}

// LastConnected returns the service's time through which everything the
// account was told is journaled; zero while no CatchUp of it has got as far as
// the list of its conversations. For an account that had been told nothing by
// then it is the first second of 1970.
func (in *Ingress) LastConnected(account tim.UserID) time.Time {
	in.mu.RLock()
	defer in.mu.RUnlock()
	return in.seen.accounts[account].lastConnected()
}

func (a *accountSeen) lastConnected() time.Time {
	if a == nil || a.provisional {
		return time.Time{}
	}
	return time.Unix(a.through, 0).UTC()
}

// Name is the projection's name in a snapshot.
func (in *Ingress) Name() string { return "ingress.seen" }

// Apply learns from an entry of the journal; one that was applied before is
// passed over. The bridge applies what follows the loaded snapshot, before Run;
// from then on ingress applies what it appends by itself, and every fact has
// to be appended by it.
func (in *Ingress) Apply(e journal.Entry) error {
	n, err := noteOfEntry(e)
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seen.apply(e.Position, e.Time.Unix(), &n)
	return nil
}

// Save returns the projection, and the journal's position that it stands for.
func (in *Ingress) Save() (position uint64, body []byte, err error) {
	in.mu.RLock()
	v, position := in.seen.view(), in.seen.position
	if !in.appending {
		// Whatever others have appended since has nothing for it.
		position = max(position, in.deps.Journal.Last())
	}
	in.mu.RUnlock()
	return position, v.encode(), nil
}

// Load replaces the projection by a saved one. It is called before Run.
func (in *Ingress) Load(position uint64, body []byte) error {
	s, err := decodeSeen(position, body, in.cfg.MaxSeen)
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seen = s
	return nil
}

// do runs f in the appender's goroutine and returns its error once what it put
// into the batch is on disk.
func (in *Ingress) do(ctx context.Context, f func(*appender) error) error {
	done := make(chan error, 1)
	return in.wait(ctx, done, in.queue.pushCall(call(f, done)))
}

// ask runs f in the appender's goroutine and returns its error, whether what f
// put into the batch is on disk or not: later appends come after it.
func (in *Ingress) ask(ctx context.Context, f func(*appender) error) error {
	done := make(chan error, 1)
	return in.wait(ctx, done, in.queue.pushCall(func(a *appender) { done <- f(a) }))
}

// doInTurn is do, after all reports that wait already.
func (in *Ingress) doInTurn(ctx context.Context, f func(*appender) error) error {
	done := make(chan error, 1)
	return in.wait(ctx, done, in.queue.pushReport(&report{call: call(f, done)}, ctx.Done()))
}

func call(f func(*appender) error, done chan<- error) func(*appender) {
	return func(a *appender) {
		err := f(a)
		a.batch.after = append(a.batch.after, func() { done <- err })
	}
}

func (in *Ingress) wait(ctx context.Context, done <-chan error, pushed bool) error {
	if !pushed {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-in.done:
		return ErrClosed
	}
}

func (in *Ingress) accountOf(user tim.UserID) *account {
	in.mu.Lock()
	defer in.mu.Unlock()
	a := in.accounts[user]
	if a == nil {
		a = &account{user: user, held: make(map[string]*held)}
		in.accounts[user] = a
	}
	return a
}

// recorded is need.recorded, for goroutines other than the appender.
func (in *Ingress) recorded(n *need, k mapping.Key) bool {
	in.mu.RLock()
	defer in.mu.RUnlock()
	return n.recorded(in.seen, k)
}
