package ingress

import (
	"context"
	"errors"
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
	cfg  Config
	deps Deps
	log  hclog.Logger

	seen *seen

	done    chan struct{} // closed when Run has ended
	closeMu sync.Once
}

// New makes an ingress. Its projection is empty: load a snapshot and apply the
// journal's entries, then call Run.
func New(cfg Config, deps Deps) *Ingress { panic("unwritten") }

// Run does the work until ctx ends (it then returns nil), or the journal fails.
// It waits for every goroutine it started.
func (in *Ingress) Run(ctx context.Context) error { panic("unwritten") }

// Handler returns the handler of an account's reports, for [tim.Client].Listen.
// What it is told is held until [Ingress.CatchUp] has run for the account: call
// that after each sign-in and each reconnect. The handler blocks while the
// queue is full, and no longer than Run runs; a report that comes after that is
// dropped unacknowledged.
func (in *Ingress) Handler(account tim.UserID) tim.Handler { panic("unwritten") }

// CatchUp reads from history what the account missed, and then lets its live
// reports through. Call it after each sign-in and each reconnect, with the
// client that is signed in.
func (in *Ingress) CatchUp(ctx context.Context, account tim.UserID, client tim.Client, since time.Time) error {
	panic("unwritten")
}

// RecordFact journals facts that are the bridge's own, account.* and bridge.*,
// all or none, and returns once they are on disk. One that is known already is
// left out.
func (in *Ingress) RecordFact(ctx context.Context, facts ...mapping.Fact) error { panic("unwritten") }

// Post records what came of a send, in one append: the message's facts, unless
// they were seen before, and the outcome's entries, whose Position and Time it
// sets. It may use the journal's reserve. recorded says whether facts were
// recorded by this call.
func (in *Ingress) Post(ctx context.Context, facts []mapping.Fact, outcome []journal.Entry) (recorded bool, err error) {
	panic("unwritten")
}

// LastConnected returns the service's time up to which everything told to the
// account is journaled, zero when it was never signed in.
func (in *Ingress) LastConnected(account tim.UserID) time.Time { panic("unwritten") }

// Name is the projection's name in a snapshot.
func (in *Ingress) Name() string { return "ingress.seen" }

// Apply learns from an entry of the journal; one that was applied before is
// passed over. The bridge applies what follows the loaded snapshot, before
// Run; then ingress applies what it appends by itself.
func (in *Ingress) Apply(e journal.Entry) error { panic("unwritten") }

// Save returns the projection and the journal position it stands for.
func (in *Ingress) Save() (position uint64, body []byte, err error) { panic("unwritten") }

// Load replaces the projection by a saved one.
func (in *Ingress) Load(position uint64, body []byte) error { panic("unwritten") }

// Stats returns the figures of this moment.
func (in *Ingress) Stats() Stats { panic("unwritten") }
