package nats

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bus"
)

// Config says how to reach NATS and what is kept there. The zero value of a
// field means its default.
type Config struct {
	// URL is where NATS is: one address or several, separated by commas
	// ("nats://localhost:4222", "tls://…"). Not used with Embedded.
	URL string
	// Name is this client's name in the server's lists. Default "timbridge".
	Name string

	// At most one of Token, NKeyFile, CredsFile, or User with Password.
	Token     string
	User      string
	Password  string
	NKeyFile  string // a file with the NKey seed
	CredsFile string // a credentials file: JWT and seed
	TLS       *bus.TLS

	// Embedded runs a NATS server in this process instead of connecting to one.
	Embedded *EmbeddedConfig

	// The four streams. See [DefaultStreams] for the defaults of each.
	Events, Commands, Outcomes, DeadLetters StreamConfig
	// Routes send events of some types to streams of their own; the first that
	// matches is taken, and what none matches goes to Events.
	Routes []Route
	// Manage says what to do about streams that are missing or different.
	// Default [bus.ManageCreate].
	Manage bus.Manage
	// Replicas of every stream and of the marks. Default 1.
	Replicas int
	// DuplicateWindow is how long a stream remembers the ids of messages.
	// Default 2 minutes, at least 100 ms.
	DuplicateWindow time.Duration
	// MarkBucket is the key-value bucket with what each shard has finished.
	// Default "tim-marks".
	MarkBucket string

	// Shard is which of the fleet's instances this is. The default is one alone.
	Shard bus.Shard
	// Structured publishes events as structured JSON instead of in binary mode.
	Structured bool
	// LooseSubjects takes commands whatever subject they lie on. Without it a
	// command must lie on its own account's and verb's subject, so that the
	// server's permissions on subjects mean something.
	LooseSubjects bool
	// MaxCommandBytes is the largest command taken, headers and value.
	// Default 256 KiB.
	MaxCommandBytes int

	// BatchMessages and BatchBytes bound one atomic batch. Defaults 1000
	// (which is also the server's limit) and 4 MiB.
	BatchMessages, BatchBytes int
	// RequestTimeout is how long one answer of the server is waited for.
	// Default 10 s.
	RequestTimeout time.Duration
	// MonitorURL is the server's monitoring address ("http://host:8222"), which
	// [Bus.Durability] asks. May be empty.
	MonitorURL string

	// Logger; nil logs nothing. Secrets and message texts are never logged.
	Logger hclog.Logger
	// Step is called at the named step "half_sent": some messages of a round are
	// stored and others are not, or not yet known to be. It may be called by
	// several goroutines at once; nil for none.
	Step func(name string)
}

// EmbeddedConfig is a NATS server in this process: JetStream with every write
// synced before it is acknowledged, listening with a token.
type EmbeddedConfig struct {
	// Dir is where it keeps its streams.
	Dir string
	// Host and Port it listens on. Default 127.0.0.1 and 4222; a port of -1
	// takes any free one (see [Bus.URL]).
	Host string
	Port int
	// Token that clients show.
	Token string
	// MaxBytes bounds what the streams take on disk together. Default: three
	// quarters of the disk's size.
	MaxBytes int64
	// MaxPayload is the largest message taken, in bytes. Default 1 MiB.
	MaxPayload int
	// ReviveFree is how much disk must be free, in bytes, before a JetStream
	// that stopped on a full disk is started again. Default 64 MiB.
	ReviveFree int64
}

// StreamConfig is one stream.
type StreamConfig struct {
	Name    string // the stream's name
	Subject string // what its subjects begin with
	// MaxAge, MaxBytes and MaxMessages bound it; 0 is no limit. Events,
	// outcomes and dead letters drop their oldest; commands refuse new ones,
	// after what every shard has finished was purged.
	MaxAge      time.Duration
	MaxBytes    int64
	MaxMessages int64
	// MaxMessageBytes is the largest message; 0 is the server's limit.
	MaxMessageBytes int32
}

// Route sends some types of event to a stream of its own.
type Route struct {
	// Types is a pattern over <family>.<what>, as in "message.*" or "*.read".
	Types string
	StreamConfig
}

// DefaultStreams are the streams of a configuration that names none.
func DefaultStreams() map[bus.Stream]StreamConfig {
	return map[bus.Stream]StreamConfig{
		bus.Events:      {Name: "tim-events", Subject: "tim.events"},
		bus.Commands:    {Name: "tim-commands", Subject: "tim.commands"},
		bus.Outcomes:    {Name: "tim-outcomes", Subject: "tim.outcomes"},
		bus.DeadLetters: {Name: "tim-deadletters", Subject: "tim.deadletters"},
	}
}

const (
	defaultPort            = 4222
	defaultDuplicates      = 2 * time.Minute
	defaultMaxCommandBytes = 256 << 10
	defaultBatchMessages   = 1000
	defaultBatchBytes      = 4 << 20
	defaultRequestTimeout  = 10 * time.Second
	defaultMaxPayload      = 1 << 20
	defaultReviveFree      = 64 << 20
)

// withDefaults returns the configuration with every default filled in, or
// what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	def(&c.Name, "timbridge")
	def(&c.Manage, bus.ManageCreate)
	def(&c.Replicas, 1)
	def(&c.DuplicateWindow, defaultDuplicates)
	def(&c.MarkBucket, "tim-marks")
	def(&c.MaxCommandBytes, defaultMaxCommandBytes)
	def(&c.BatchMessages, defaultBatchMessages)
	def(&c.BatchBytes, defaultBatchBytes)
	def(&c.RequestTimeout, defaultRequestTimeout)
	def(&c.Shard.Count, 1)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Step == nil {
		c.Step = func(string) {}
	}
	defaults := DefaultStreams()
	for stream, s := range map[bus.Stream]*StreamConfig{
		bus.Events: &c.Events, bus.Commands: &c.Commands, bus.Outcomes: &c.Outcomes, bus.DeadLetters: &c.DeadLetters,
	} {
		def(&s.Name, defaults[stream].Name)
		def(&s.Subject, defaults[stream].Subject)
	}
	if e := c.Embedded; e != nil {
		e := *e
		def(&e.Host, "127.0.0.1")
		def(&e.Port, defaultPort)
		def(&e.MaxPayload, defaultMaxPayload)
		def(&e.ReviveFree, defaultReviveFree)
		c.Embedded = &e
	}
	return c, c.check()
}

func def[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

func (c *Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case c.Embedded != nil && c.URL != "":
		bad("both a URL and an embedded server")
	case c.Embedded == nil && c.URL == "":
		bad("no URL")
	}
	if c.Embedded != nil && c.Embedded.Dir == "" {
		bad("the embedded server has no directory")
	}
	ways := 0
	for _, set := range []bool{c.Token != "", c.User != "", c.NKeyFile != "", c.CredsFile != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		bad("more than one of token, user, NKey file and credentials file")
	}
	errs = append(errs, c.Manage.Check(), c.Shard.Check())
	if c.DuplicateWindow < 100*time.Millisecond {
		bad("duplicate window %s is below 100ms", c.DuplicateWindow)
	}
	if c.BatchMessages < 1 || c.BatchMessages > defaultBatchMessages {
		bad("batch of %d messages, not 1 to %d", c.BatchMessages, defaultBatchMessages)
	}
	streams := []StreamConfig{c.Events, c.Commands, c.Outcomes, c.DeadLetters}
	for _, r := range c.Routes {
		if _, err := path.Match(r.Types, ""); err != nil || r.Types == "" {
			bad("route %q is not a pattern", r.Types)
		}
		streams = append(streams, r.StreamConfig)
	}
	names := map[string]bool{}
	for i, s := range streams {
		if s.Name == "" || strings.ContainsAny(s.Name, " \t\r\n.*>/\\") {
			bad("stream name %q has a character that NATS does not allow, or is empty", s.Name)
		}
		if names[s.Name] {
			bad("stream %q is named twice", s.Name)
		}
		names[s.Name] = true
		if !validSubject(s.Subject) {
			bad("subject %q of stream %q is not one", s.Subject, s.Name)
		}
		for _, other := range streams[:i] {
			if s.Subject == other.Subject || strings.HasPrefix(s.Subject+".", other.Subject+".") || strings.HasPrefix(other.Subject+".", s.Subject+".") {
				bad("subjects %q and %q overlap", other.Subject, s.Subject)
			}
		}
		if s.MaxAge != 0 && s.MaxAge < c.DuplicateWindow {
			bad("stream %q keeps messages for %s, less than the duplicate window of %s", s.Name, s.MaxAge, c.DuplicateWindow)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("nats configuration: %w", err)
	}
	return nil
}

func validSubject(s string) bool {
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || strings.ContainsAny(token, "*> \t\r\n") {
			return false
		}
	}
	return true
}
