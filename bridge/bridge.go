// Package bridge builds timbridge from a configuration, runs and supervises
// it, and knows its state.
//
// It is one process over one data directory: the accounts and their driver,
// ingress, egress and relay around one journal, the connection to the bus, and
// the keeper that writes snapshots and deletes old segments. Chat is journaled
// from the first second on, whether the bus can be reached or not; what the
// process cannot go on without (the journal) ends it, loudly; everything else
// is waited for.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/ingress"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/relay"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// Options are what a bridge is given besides its configuration.
type Options struct {
	// Logger; nil logs nothing. Its level is the least severe that any part tells.
	Logger hclog.Logger
	// Step is called at the named steps of the ways of data, for tests that
	// end the process there; nil for none.
	Step func(name string)
}

// PortError says that an address to listen on is taken, or not ours to have.
type PortError struct {
	Setting string // the setting that names it: "app.driver.listen"
	Address string
	Err     error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("cannot listen on %s (%s): %v", e.Address, e.Setting, e.Err)
}

// Unwrap gives the operating system's error.
func (e *PortError) Unwrap() error { return e.Err }

// Info says what a bridge consists of and where, for people.
type Info struct {
	DataDir  string   `json:"data_dir"`
	Journal  string   `json:"journal"`
	SDKAppID uint32   `json:"sdkappid"`
	Accounts []string `json:"accounts"`
	// IM and Bus are addresses; Embedded says whether they are inside this process.
	IM         string `json:"im"`
	IMEmbedded bool   `json:"im_embedded"`
	// BusKind is "NATS" or "Kafka".
	BusKind     string `json:"bus_kind"`
	Bus         string `json:"bus"`
	BusEmbedded bool   `json:"bus_embedded"`
	HTTP        string `json:"http,omitempty"`
}

// Bridge is one instance. Make it with [Open], then Run it once.
type Bridge struct {
	cfg  *config.Config
	log  hclog.Logger
	step func(string)
	info Info

	journal  *journal.Journal
	ingress  *ingress.Ingress
	egress   *egress.Egress
	relay    *relay.Relay
	accounts *accounts
	keeper   *keeper
	bus      *lateBus
	probe    *probe
	backlog  *backlog
	took     *latencies
	sandbox  *SandboxServer // nil where the driver is outside
	listener net.Listener   // of HTTP, nil where it is off
	started  time.Time
	draining atomic.Bool
}

// Open builds a bridge: it opens the journal, builds the state from it, takes
// the ports and starts the sandbox where it is inside. It does not wait for a
// bus or an IM service outside. What it returns when something is missing or
// taken: a [*PortError], [journal.ErrLocked], a [*journal.CorruptError], a
// [*StateLostError], an error of the bus's package about its configuration.
func Open(ctx context.Context, cfg *config.Config, opts Options) (_ *Bridge, err error) {
	b := &Bridge{cfg: cfg, log: opts.Logger, step: opts.Step, bus: newLateBus(BusAddress(cfg)), started: time.Now()}
	if b.log == nil {
		b.log = hclog.NewNullLogger()
	}
	if b.step == nil {
		b.step = func(string) {}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	dir := JournalDir(cfg)
	if b.journal, err = journal.Open(dir, b.journalOptions()); err != nil {
		return nil, fmt.Errorf("open the journal in %s: %w", dir, err)
	}
	if cfg.HTTP.Listen != "off" {
		if b.listener, err = listen(ctx, "http.listen", cfg.HTTP.Listen); err != nil {
			return nil, err
		}
	}
	driver, key, err := b.openDriver(ctx)
	if err != nil {
		return nil, err
	}
	b.build(driver, key)
	if err := b.keeper.restore(); err != nil {
		return nil, err
	}
	b.describe()
	return b, nil
}

// JournalDir is where a configuration has its journal.
func JournalDir(cfg *config.Config) string {
	if cfg.Journal.Dir != "" {
		return cfg.Journal.Dir
	}
	return filepath.Join(cfg.DataDir, "journal")
}

func (b *Bridge) journalOptions() journal.Options {
	j := b.cfg.Journal
	return journal.Options{
		SegmentBytes: int64(j.SegmentBytes), MaxDiskBytes: int64(j.MaxBytes),
		HighWater: int64(j.HighWater), Reserve: int64(j.Reserve), Hook: b.step,
	}
}

func listen(ctx context.Context, setting, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &PortError{Setting: setting, Address: address, Err: err}
	}
	return l, nil
}

// build makes the parts and joins them.
func (b *Bridge) build(driver tim.Driver, key string) {
	cfg, app := b.cfg, mapping.App{SDKAppID: b.cfg.App.SDKAppID}
	shard := bus.Shard{Index: cfg.Shard.Index, Count: cfg.Shard.Count}
	b.accounts = &accounts{byUser: map[tim.UserID]*account{}}
	b.took = newLatencies()

	// Ingress asks egress for causes and egress hands messages to ingress.
	causes := &lateCauses{}
	changes := cfg.Ingress.ChangeWindow.Std()
	if changes == 0 {
		changes = -1 // to ingress 0 is its own default
	}
	b.ingress = ingress.New(ingress.Config{
		Backfill: cfg.Ingress.Backfill.Std(), GapWait: cfg.Ingress.GapWait.Std(), ChangeWindow: changes,
		MaxSeen: cfg.Ingress.MaxSeen, Queue: cfg.Ingress.Queue,
	}, ingress.Deps{
		Journal: b.journal, App: app, Causes: causes, Logger: b.logger("ingress", cfg.Log.Levels.Ingress), Step: b.step,
	})
	b.relay = relay.New(relay.Config{}, relay.Deps{
		Journal: b.journal, Publisher: timedBus{b.bus, b.took.send}, Logger: b.logger("relay", cfg.Log.Levels.Relay), Step: b.step,
	})
	b.egress = egress.New(egress.Config{
		Shard: shard, MaxAccepted: cfg.Egress.MaxAccepted, MaxLedger: cfg.Egress.MaxLedger,
		Horizon: cfg.Egress.Horizon.Std(), GiveUp: cfg.Egress.GiveUp.Std(), AccountWait: cfg.Egress.AccountWait.Std(),
		OnDoubt: egress.OnDoubt(cfg.Egress.OnDoubt), RetryMin: cfg.Egress.RetryMin.Std(), RetryMax: cfg.Egress.RetryMax.Std(),
		CallTimeout: cfg.Egress.CallTimeout.Std(),
		MediaDir:    filepath.Join(cfg.DataDir, "media"), MediaMaxBytes: int64(cfg.Egress.MediaMaxBytes), MediaTimeout: cfg.Egress.MediaTimeout.Std(),
		Policy: egress.Policy{
			Accounts: cfg.Policy.Accounts, Conversations: cfg.Policy.Conversations, Verbs: cfg.Policy.Verbs,
			MediaHosts: cfg.Policy.MediaHosts, MediaPrivate: cfg.Policy.MediaPrivate,
		},
		Rates: egress.Rates{Account: cfg.Egress.Rates.Account, Send: cfg.Egress.Rates.Send, Revoke: cfg.Egress.Rates.Revoke, Group: cfg.Egress.Rates.Group},
	}, egress.Deps{
		Journal: b.journal, App: app, Commands: b.bus, Mapper: b.mapper(), Accounts: b.accounts, Poster: b.ingress,
		Published: b.relay.Published, Logger: b.logger("egress", cfg.Log.Levels.Egress), Step: b.step,
		Called:   func(took time.Duration) { b.took.call.Observe(took.Seconds()) },
		Finished: func(position uint64, accepted time.Time) { b.took.command.begin(b.relay, position, accepted) },
	})
	causes.egress = b.egress

	log := b.logger("accounts", cfg.Log.Levels.Accounts)
	for _, a := range cfg.App.Accounts {
		user := tim.UserID(a.ID)
		if len(cfg.App.Accounts) == 1 {
			b.accounts.only = user
		}
		if !shard.Owns(string(user)) {
			continue
		}
		account := newAccount(user, driver, tim.Config{
			SDKAppID:   cfg.App.SDKAppID,
			DeviceInfo: &tim.DeviceInfo{DevID: "timbridge-" + b.journal.ID(), Platform: tim.PlatformOther},
		}, b.credentials(a, key), b.ingress, log)
		account.timed = func(take tim.Handler) tim.Handler { return b.took.handedIn(b.relay, b.journal.Last, take) }
		for _, watched := range a.WatchStatus {
			account.watched = append(account.watched, tim.UserID(watched))
		}
		b.accounts.add(account)
	}
	b.keeper = newKeeper(b.journal, []Projection{b.ingress, b.egress, b.relay}, b.log.Named("journal"))
	b.keeper.interval, b.keeper.entries = cfg.Journal.SnapshotInterval.Std(), uint64(cfg.Journal.SnapshotEntries)
	b.keeper.retention = cfg.Journal.Retention.Std()
	b.keeper.needed, b.keeper.published = []func() uint64{b.relay.Needed, b.egress.Oldest}, b.relay.Published
	b.backlog = &backlog{every: backlogEvery, source: b.bus, read: b.egress.Reading}
	b.backlog.unread.Store(-1)
	b.probe = &probe{every: max(b.cfg.HTTP.ReadyWithin.Std()/4, 500*time.Millisecond), check: b.bus.Check}
}

// mapper reads commands.
func (b *Bridge) mapper() *mapping.Commands {
	c := &mapping.Commands{Schemas: schemas.New(), MaxData: int(b.cfg.Egress.MaxMessageBytes)}
	if len(b.cfg.App.Accounts) == 1 {
		c.Account = tim.UserID(b.cfg.App.Accounts[0].ID)
	}
	return c
}

// lateCauses breaks the circle between ingress and egress.
type lateCauses struct{ egress *egress.Egress }

func (l *lateCauses) CauseOf(sender tim.UserID, conv tim.Conversation, random uint64, id tim.MessageID) *mapping.Cause {
	return l.egress.CauseOf(sender, conv, random, id)
}

func (l *lateCauses) Sending(account tim.UserID, conv tim.Conversation) bool {
	return l.egress.Sending(account, conv)
}

// logger is a part's logger, at its own level where the configuration has one.
func (b *Bridge) logger(name, level string) hclog.Logger {
	l := b.log.Named(name)
	if level != "" {
		l.SetLevel(hclog.LevelFromString(level))
	}
	return l
}

// credentials says where an account's UserSig comes from.
func (b *Bridge) credentials(a config.Account, key string) credentials {
	return func() (string, error) {
		if !a.UserSig.IsSet() {
			return tim.SignUserSig(b.cfg.App.SDKAppID, key, tim.UserID(a.ID), userSigTTL, time.Now()), nil
		}
		return a.UserSig.Reread()
	}
}

func (b *Bridge) describe() {
	b.info.DataDir, b.info.Journal, b.info.SDKAppID = b.cfg.DataDir, b.journal.ID(), b.cfg.App.SDKAppID
	for _, a := range b.accounts.list {
		b.info.Accounts = append(b.info.Accounts, string(a.user))
	}
	b.info.BusKind, b.info.BusEmbedded, b.info.Bus = busKind(b.cfg), BusEmbedded(b.cfg), BusAddress(b.cfg)
	if b.listener != nil {
		b.info.HTTP = "http://" + b.listener.Addr().String()
	}
}

// withoutSecrets takes user and password out of one or more addresses.
func withoutSecrets(addresses string) string {
	list := strings.Split(addresses, ",")
	for i, a := range list {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(a), "://")
		if !ok {
			scheme, rest = "", scheme
		} else {
			scheme += "://"
		}
		host, path, slash := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host = host[at+1:]
		}
		if list[i] = scheme + host; slash {
			list[i] += "/" + path
		}
	}
	return strings.Join(list, ",")
}

// Info says what the bridge consists of.
func (b *Bridge) Info() Info { return b.info }

// close closes what Open opened.
func (b *Bridge) close() error {
	var errs []error
	errs = append(errs, b.bus.close())
	if b.sandbox != nil {
		errs = append(errs, b.sandbox.Close())
	}
	if b.listener != nil {
		if err := b.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if b.journal != nil {
		errs = append(errs, b.journal.Close())
	}
	return errors.Join(errs...)
}
