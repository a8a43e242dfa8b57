package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/segmentio/kafka-go/compress"

	"github.com/timbridge/timbridge/bus"
)

// Config says how to reach Kafka and what is kept there. The zero value of a
// field means its default.
type Config struct {
	// Brokers are where to begin, host:port; the others are learnt from them.
	Brokers []string
	// ClientID is this client's name in the brokers' logs and quotas. Default
	// "timbridge".
	ClientID string
	// TLS is how brokers are recognised; nil speaks plain text.
	TLS *bus.TLS
	// SASL is how the brokers recognise us; nil is by nothing, or by the
	// certificate of TLS.
	SASL *SASLConfig

	// The four streams, a topic each. See [DefaultTopics] for their names.
	Events, Commands, Outcomes, DeadLetters TopicConfig
	// Routes send events of some types to topics of their own; the first that
	// matches is taken, and what none matches goes to Events.
	Routes []Route
	// Manage says what to do about topics that are missing or different.
	// Default [bus.ManageCreate].
	Manage bus.Manage
	// Partitions and Replication of topics that do not say their own. Defaults
	// 12 and 1.
	Partitions, Replication int

	// Group begins the name of the consumer group that each shard's mark is
	// committed to: "<group>-<shard>". Default "timbridge".
	Group string
	// Shard is which of the fleet's instances this is. The default is one alone.
	Shard bus.Shard
	// Structured publishes events as structured JSON instead of in binary mode.
	Structured bool
	// Compression of what is published: "none" (the default), "gzip", "snappy",
	// "lz4" or "zstd".
	Compression string
	// MaxCommandBytes is the largest command taken, key, headers and value.
	// Default 256 KiB.
	MaxCommandBytes int

	// BatchMessages and BatchBytes bound one batch. Defaults 1000 and 1 MB; a
	// topic's max.message.bytes bounds it too.
	BatchMessages, BatchBytes int
	// RequestTimeout is how long one answer of a broker is waited for.
	// Default 10 s.
	RequestTimeout time.Duration

	// Waiting, where it is set, has Open wait for what others may mend, too:
	// connections that end without a word, as those to what stands before a
	// broker that is on its way up, rights and topics that are missing. It is
	// told the error that Open would have returned, each time that changes, and
	// nil when it is none of these any more.
	Waiting func(error)
	// Dial opens connections; nil is a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger; nil logs nothing. Secrets and message texts are never logged.
	Logger hclog.Logger
	// Step is called at the named step "half_sent": some messages of a round are
	// stored and others are not, or not yet known to be. It may be called by
	// several goroutines at once; nil for none.
	Step func(name string)
}

// SASLConfig is who we are.
type SASLConfig struct {
	// Mechanism is "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512".
	Mechanism      string
	User, Password string
}

// TopicConfig is one topic. What is zero, but for the name and the partitions,
// is left to the cluster and not looked at.
type TopicConfig struct {
	Name string
	// Partitions and Replication; 0 is what Config says.
	Partitions, Replication int
	// Retention and RetentionBytes (of each partition) bound what is kept; below
	// 0 is no limit.
	Retention      time.Duration
	RetentionBytes int64
	// MaxMessageBytes is the largest batch of records taken.
	MaxMessageBytes int
	// MinInSync is how many replicas must have a message before it counts as stored.
	MinInSync int
}

// Route sends some types of event to a topic of its own.
type Route struct {
	// Types is a pattern over <family>.<what>, as in "message.*" or "*.read".
	Types string
	TopicConfig
}

// DefaultTopics are the topics of a configuration that names none.
func DefaultTopics() map[bus.Stream]string {
	return map[bus.Stream]string{
		bus.Events:      "tim.events",
		bus.Commands:    "tim.commands",
		bus.Outcomes:    "tim.outcomes",
		bus.DeadLetters: "tim.deadletters",
	}
}

const (
	defaultPartitions      = 12
	defaultMaxCommandBytes = 256 << 10
	defaultBatchMessages   = 1000
	defaultBatchBytes      = 1_000_000
	defaultRequestTimeout  = 10 * time.Second
	maxTopicName           = 249
)

// withDefaults returns the configuration with every default filled in, or
// what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	def(&c.ClientID, "timbridge")
	def(&c.Manage, bus.ManageCreate)
	def(&c.Partitions, defaultPartitions)
	def(&c.Replication, 1)
	def(&c.Group, "timbridge")
	def(&c.Shard.Count, 1)
	def(&c.Compression, "none")
	def(&c.MaxCommandBytes, defaultMaxCommandBytes)
	def(&c.BatchMessages, defaultBatchMessages)
	def(&c.BatchBytes, defaultBatchBytes)
	def(&c.RequestTimeout, defaultRequestTimeout)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Step == nil {
		c.Step = func(string) {}
	}
	names := DefaultTopics()
	topics := map[bus.Stream]*TopicConfig{
		bus.Events: &c.Events, bus.Commands: &c.Commands, bus.Outcomes: &c.Outcomes, bus.DeadLetters: &c.DeadLetters,
	}
	for stream, t := range topics {
		def(&t.Name, names[stream])
		c.fill(t)
	}
	c.Routes = append([]Route(nil), c.Routes...)
	for i := range c.Routes {
		c.fill(&c.Routes[i].TopicConfig)
	}
	return c, c.check()
}

func (c *Config) fill(t *TopicConfig) {
	def(&t.Partitions, c.Partitions)
	def(&t.Replication, c.Replication)
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
	if len(c.Brokers) == 0 {
		bad("no brokers")
	}
	for _, b := range c.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			bad("broker %q is not host:port", b)
		}
	}
	if s := c.SASL; s != nil {
		switch s.Mechanism {
		case saslPlain, saslSCRAM256, saslSCRAM512:
		default:
			bad("SASL mechanism is %q, not %q, %q or %q", s.Mechanism, saslPlain, saslSCRAM256, saslSCRAM512)
		}
		if s.User == "" {
			bad("SASL has no user")
		}
	}
	if t := c.TLS; t != nil && (t.CertFile == "") != (t.KeyFile == "") {
		bad("a client certificate needs both its file and its key's")
	}
	errs = append(errs, c.Manage.Check(), c.Shard.Check())
	if _, err := c.codec(); err != nil {
		errs = append(errs, err)
	}
	if c.BatchMessages < 1 || c.BatchBytes < 1 {
		bad("a batch of %d messages and %d bytes", c.BatchMessages, c.BatchBytes)
	}
	topics := []TopicConfig{c.Events, c.Commands, c.Outcomes, c.DeadLetters}
	for _, r := range c.Routes {
		if _, err := path.Match(r.Types, ""); err != nil || r.Types == "" {
			bad("route %q is not a pattern", r.Types)
		}
		topics = append(topics, r.TopicConfig)
	}
	names := map[string]bool{}
	for _, t := range topics {
		if !validTopic(t.Name) {
			bad("topic name %q is not one: letters, digits, '.', '_' and '-', %d at most", t.Name, maxTopicName)
		}
		if names[t.Name] {
			bad("topic %q is named twice", t.Name)
		}
		names[t.Name] = true
		if t.Partitions < 1 || t.Replication < 1 {
			bad("topic %q has %d partitions and %d replicas", t.Name, t.Partitions, t.Replication)
		}
		if t.MinInSync > t.Replication {
			bad("topic %q needs %d replicas in sync and has %d", t.Name, t.MinInSync, t.Replication)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrConfiguration, err)
	}
	return nil
}

// codec is the compression by its name.
func (c *Config) codec() (compress.Compression, error) {
	switch c.Compression {
	case "none":
		return compress.None, nil
	case "gzip":
		return compress.Gzip, nil
	case "snappy":
		return compress.Snappy, nil
	case "lz4":
		return compress.Lz4, nil
	case "zstd":
		return compress.Zstd, nil
	}
	return 0, fmt.Errorf("compression is %q, not \"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\"", c.Compression)
}

func validTopic(s string) bool {
	if s == "" || len(s) > maxTopicName || s == "." || s == ".." {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}) < 0
}

// route is one topic that the bridge uses.
type route struct {
	TopicConfig
	stream bus.Stream
	types  string // of events routed apart; "" is all the others
}

// routes lists every topic, those of routes before the one of all events.
func routes(c *Config) []route {
	var out []route
	for _, r := range c.Routes {
		out = append(out, route{TopicConfig: r.TopicConfig, stream: bus.Events, types: r.Types})
	}
	return append(out,
		route{TopicConfig: c.Events, stream: bus.Events},
		route{TopicConfig: c.Commands, stream: bus.Commands},
		route{TopicConfig: c.Outcomes, stream: bus.Outcomes},
		route{TopicConfig: c.DeadLetters, stream: bus.DeadLetters})
}

// topicOf is the topic that an event of a stream goes to.
func (b *Bus) topicOf(stream bus.Stream, eventType string) (*route, error) {
	what := strings.TrimSuffix(strings.TrimPrefix(eventType, "io.timbridge."), ".v1")
	for i := range b.routes {
		r := &b.routes[i]
		if r.stream != stream {
			continue
		}
		if r.types == "" {
			return r, nil
		}
		if ok, err := path.Match(r.types, what); err == nil && ok {
			return r, nil
		}
	}
	return nil, fmt.Errorf("no stream is called %q", stream)
}
