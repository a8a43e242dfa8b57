package egress

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// Config bounds what egress does. A zero field takes the default in brackets.
type Config struct {
	// Shard says which accounts' commands are this instance's.
	Shard bus.Shard
	// MaxAccepted (10,000) is the number of unfinished commands at which reading
	// stops; MaxAcceptedBytes (256 MiB) is their size at which it does. One
	// account may hold a quarter of the number, see [mapping.CodeAccountBacklog].
	MaxAccepted      int
	MaxAcceptedBytes int64
	// MaxLedger (4,000,000) is how many commands are remembered, Horizon
	// (7 days) for how long by the bus's own time, so that a repeat is known as
	// one. MaxLedger is at least twice MaxAccepted.
	MaxLedger int
	Horizon   time.Duration
	// GiveUp (24 h) is how long after it was accepted a command is tried.
	GiveUp time.Duration
	// AccountWait (5 min) is how long commands wait for an account that is
	// [StateUnavailable].
	AccountWait time.Duration
	// OnDoubt (OnDoubtFail) is what becomes of a send that nothing can settle.
	OnDoubt OnDoubt
	// RetryMin (200 ms) and RetryMax (30 s) bound the wait before a call is
	// tried again; it doubles, with jitter.
	RetryMin, RetryMax time.Duration
	// CallTimeout (15 s) is how long an answer of the IM service is waited for.
	CallTimeout time.Duration
	// MediaDir is the folder for files of messages between their fetching and
	// the call; it is emptied at the start. Empty: such messages fail as
	// [mapping.CodeUnsupported].
	MediaDir string
	// MediaMaxBytes (100 MiB) is the largest file, MediaTimeout (30 s) how long
	// fetching one may take, and how much longer than CallTimeout the answer to
	// a message with files is waited for.
	MediaMaxBytes int64
	MediaTimeout  time.Duration
	// Drain (10 s) is how long calls under way may take to end when Run's
	// context ends.
	Drain time.Duration
	// MarkInterval (1 s) is how often the mark on the bus is set.
	MarkInterval time.Duration
	// Policy limits what a command may ask; the zero value allows everything.
	Policy Policy
	// Rates limit how often an account calls the service; the zero value does not.
	Rates Rates
}

// OnDoubt says what becomes of a send when nothing can tell whether it was
// carried out.
type OnDoubt string

// The choices.
const (
	OnDoubtFail   OnDoubt = "fail"   // it fails with the code in_doubt, and is never repeated
	OnDoubtRepeat OnDoubt = "repeat" // it is sent again: twice rather than never
)

func (c Config) withDefaults() Config {
	def(&c.Shard.Count, 1)
	def(&c.MaxAccepted, 10_000)
	def(&c.MaxAcceptedBytes, 256<<20)
	def(&c.MaxLedger, 4_000_000)
	c.MaxLedger = max(c.MaxLedger, 2*c.MaxAccepted)
	def(&c.Horizon, 7*24*time.Hour)
	def(&c.GiveUp, 24*time.Hour)
	def(&c.AccountWait, 5*time.Minute)
	def(&c.OnDoubt, OnDoubtFail)
	def(&c.RetryMin, 200*time.Millisecond)
	def(&c.RetryMax, 30*time.Second)
	def(&c.CallTimeout, 15*time.Second)
	def(&c.MediaMaxBytes, 100<<20)
	def(&c.MediaTimeout, 30*time.Second)
	def(&c.Drain, 10*time.Second)
	def(&c.MarkInterval, time.Second)
	return c
}

func def[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Deps are the parts that egress works with. All but Published, Logger, Step,
// Called and Finished are required.
type Deps struct {
	Journal  Journal
	App      mapping.App
	Commands bus.CommandSource
	Mapper   Mapper
	Accounts Accounts
	Poster   Poster
	// Published gives the journal position through which everything public is
	// stored on the bus (relay's Published); nil: nothing is held back for it.
	Published func() uint64
	// Logger; nil logs nothing. Texts of messages are never logged.
	Logger hclog.Logger
	// Step is called at the named steps "accepted" (after each append of
	// accepted commands), "started", "call_returned" and "outcome", by the
	// goroutine that is there, which waits for it; nil for none.
	Step func(name string)
	// Called is told how long each call of the IM service took that carries out
	// a command, Finished the journal position of each accepted command's
	// outcome, and when the command was accepted. They are called often, from
	// any goroutine; nil for none.
	Called   func(took time.Duration)
	Finished func(outcome uint64, accepted time.Time)
}

// Journal is what egress needs of the journal.
type Journal interface {
	ID() string
	First() uint64
	Last() uint64
	Append(ctx context.Context, entries []journal.Entry) (first uint64, err error)
	AppendReserved(ctx context.Context, entries []journal.Entry) (first uint64, err error)
	Writable(ctx context.Context) error
	Read(from uint64) *journal.Reader
	Scan(from uint64, fn func(journal.Entry) error) error
}

// Mapper turns events into commands; [mapping.Commands] is one. The default
// account is filled in before it is called. With an error it gives as much of
// the command as could be read.
type Mapper interface {
	ToCommand(e *event.Event) (mapping.Command, error)
}

// Poster journals the message that a send posted together with the outcome of
// the send, in one append that may use the reserve; ingress is one. Facts that
// were recorded before are left out, and recorded says whether any was not.
// The outcome's entries keep their order and have no gaps between them; their
// Position and Time are set. Errors are the journal's.
type Poster interface {
	Post(ctx context.Context, facts []mapping.Fact, outcome []journal.Entry) (recorded bool, err error)
}

// Accounts knows the accounts that the bridge signs in. Its methods may be
// called from any goroutine, often.
type Accounts interface {
	// Account tells what is known of an account now; the zero Account for a
	// user that is none.
	Account(user tim.UserID) Account
	// Users are all accounts of this instance.
	Users() []tim.UserID
	// Default is the account that acts where a command does not say which: the
	// only one of the configuration. There is none where there are several.
	Default() (tim.UserID, bool)
}

// Account is what is known of an account at one moment.
type Account struct {
	State State
	// Since is when it came into this state.
	Since time.Time
	// Client is the account's, set while State is StateConnected.
	Client tim.Client
	// Changed is closed when any of this is no longer so.
	Changed <-chan struct{}
}

// State says in how far an account can act.
type State uint8

// The states, by what they mean for commands.
const (
	// StateUnknown: it is no account of this instance.
	StateUnknown State = iota
	// StateConnected: it is signed in and its client can be called.
	StateConnected
	// StateWaiting: it will be there again by itself, since it is starting or
	// the service cannot be reached. Commands wait.
	StateWaiting
	// StateUnavailable: it was kicked, refused or signed out. Commands wait for
	// Config.AccountWait.
	StateUnavailable
)

// String gives the state as a word.
func (s State) String() string {
	switch s {
	case StateUnknown:
		return "unknown"
	case StateConnected:
		return "connected"
	case StateWaiting:
		return "waiting"
	case StateUnavailable:
		return "unavailable"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}
