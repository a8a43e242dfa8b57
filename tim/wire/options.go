package wire

import (
	"crypto/tls"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Options says how a [Driver] reaches a server. Only URL and Token have to be
// set; a zero value elsewhere means the default.
type Options struct {
	// URL of the server: ws://127.0.0.1:8780/ or wss://….
	URL string
	// Token is the bearer token that the server asks for.
	Token string
	// TLS is for wss URLs; nil is Go's default.
	TLS *tls.Config

	// MaxMessageBytes is the longest WebSocket message taken from the server;
	// default 4 MiB, at least 4 KiB.
	MaxMessageBytes int
	// MaxAnswerBytes is the longest answer taken in all: one that is longer than
	// a message, such as the list of very many conversations, comes in pieces.
	// Default 256 MiB, at least MaxMessageBytes.
	MaxAnswerBytes int
	// MaxInFlight is how many requests of one client may wait for their answer;
	// further ones wait for their turn. Default 1024, or what the server allows
	// where that is less.
	MaxInFlight int
	// Heartbeat is the longest that this side stays silent; default 5 s. A
	// server that has said nothing for three of its own is given up.
	Heartbeat time.Duration
	// DialTimeout bounds one attempt to connect, hello included; default 10 s.
	DialTimeout time.Duration
	// SignInTimeout bounds one attempt to sign in again by itself; default 30 s.
	SignInTimeout time.Duration
	// CloseTimeout is how long Close waits for the server to confirm that the
	// account's client there is closed; default 5 s.
	CloseTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pause before the next attempt to
	// connect, which doubles with each and is shortened by up to half at
	// random. Defaults 100 ms and 3 s.
	MinBackoff, MaxBackoff time.Duration

	// Logger gets what happens to the connection; nil logs nothing.
	Logger hclog.Logger
}

// HandlerOptions says what a [Handler] allows. Only Token has to be set; a
// zero value elsewhere means the default.
type HandlerOptions struct {
	// Token is the bearer token that a client must show. While it is empty
	// every connection is refused.
	Token string

	// MaxMessageBytes is the longest WebSocket message taken from a client;
	// default 4 MiB, at least 4 KiB.
	MaxMessageBytes int
	// MaxInFlight is how many requests of one session may be under way;
	// default 1024.
	MaxInFlight int
	// MaxInFlightBytes is how much those requests may hold together; default 64 MiB.
	MaxInFlightBytes int
	// MaxUnacknowledged and MaxUnacknowledgedBytes are how much a session keeps
	// of reports that its client has not acknowledged. At either the driver's
	// handler call blocks until acknowledgements arrive. Defaults 4096 and
	// 64 MiB.
	MaxUnacknowledged, MaxUnacknowledgedBytes int
	// MaxConnections is how many connections are held at once; default 1024.
	// A further one is answered with 503. There are at most as many sessions:
	// beyond it the one that has been without a connection for longest is closed.
	MaxConnections int
	// Heartbeat is the longest that this side stays silent; default 5 s. A
	// client that has said nothing for three of its own is disconnected.
	Heartbeat time.Duration
	// HelloTimeout bounds the time from the upgrade to the hello; default 10 s.
	HelloTimeout time.Duration
	// Grace is how long a session without a connection is kept; default 2 min,
	// negative: not at all.
	Grace time.Duration
	// RequestTimeout bounds one call to the driver, Open included; default 2 min.
	RequestTimeout time.Duration
	// MaxUploads is how many files are taken at once, of all sessions; a further
	// one is refused. MaxUploadBytes is the longest that is taken at all; the
	// driver may take less. Defaults 8 and 128 MiB.
	MaxUploads     int
	MaxUploadBytes int64
	// Exclusive keeps one session at most: a new one first closes the one there
	// is. It is for a driver that can hold one account per process.
	Exclusive bool

	// Logger gets what happens to connections and sessions; nil logs nothing.
	Logger hclog.Logger
}

const (
	defaultMaxMessage   = 4 << 20
	minMaxMessage       = 4 << 10
	defaultMaxAnswer    = 256 << 20
	defaultMaxInFlight  = 1024
	defaultMaxHeldBytes = 64 << 20
	defaultMaxUnacked   = 4096
	defaultMaxConns     = 1024
	defaultHeartbeat    = 5 * time.Second

	// silentBeats is how many heartbeats of the peer may be missed.
	silentBeats = 3
	// maxHeartbeat is the slowest heartbeat that a peer may announce.
	maxHeartbeat = time.Minute
)

func (o Options) withDefaults() Options {
	setDefault(&o.MaxMessageBytes, defaultMaxMessage)
	o.MaxMessageBytes = max(o.MaxMessageBytes, minMaxMessage)
	setDefault(&o.MaxAnswerBytes, defaultMaxAnswer)
	o.MaxAnswerBytes = max(o.MaxAnswerBytes, o.MaxMessageBytes)
	setDefault(&o.MaxInFlight, defaultMaxInFlight)
	setDefault(&o.Heartbeat, defaultHeartbeat)
	o.Heartbeat = min(o.Heartbeat, maxHeartbeat)
	setDefault(&o.DialTimeout, 10*time.Second)
	setDefault(&o.SignInTimeout, 30*time.Second)
	setDefault(&o.CloseTimeout, 5*time.Second)
	setDefault(&o.MinBackoff, 100*time.Millisecond)
	setDefault(&o.MaxBackoff, 3*time.Second)
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return o
}

func (o HandlerOptions) withDefaults() HandlerOptions {
	setDefault(&o.MaxMessageBytes, defaultMaxMessage)
	o.MaxMessageBytes = max(o.MaxMessageBytes, minMaxMessage)
	setDefault(&o.MaxInFlight, defaultMaxInFlight)
	setDefault(&o.MaxInFlightBytes, defaultMaxHeldBytes)
	setDefault(&o.MaxUnacknowledged, defaultMaxUnacked)
	setDefault(&o.MaxUnacknowledgedBytes, defaultMaxHeldBytes)
	setDefault(&o.MaxConnections, defaultMaxConns)
	setDefault(&o.Heartbeat, defaultHeartbeat)
	o.Heartbeat = min(o.Heartbeat, maxHeartbeat)
	setDefault(&o.HelloTimeout, 10*time.Second)
	setDefault(&o.RequestTimeout, 2*time.Minute)
	setDefault(&o.MaxUploads, 8)
	setDefault(&o.MaxUploadBytes, 128<<20)
	switch {
	case o.Grace == 0:
		o.Grace = 2 * time.Minute
	case o.Grace < 0:
		o.Grace = 0
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return o
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
