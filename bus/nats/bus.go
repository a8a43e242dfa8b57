package nats

import (
	"context"
	"errors"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
)

// Bus is the bus contract over NATS JetStream.
type Bus struct{}

var _ bus.Bus = (*Bus)(nil)

var errPending = errors.New("not built")

// Open connects, checks the server, and creates or checks the streams. It
// waits for a server that cannot be reached until ctx ends, and then returns
// an [*UnreachableError]. What waiting does not mend is returned at once: a
// [*VersionError], [*PortError], [*AuthError], [*ConfigError], or what is
// wrong with the configuration.
func Open(ctx context.Context, cfg Config) (*Bus, error) { return nil, errPending }

// URL is where the embedded server can be reached, or the server connected to;
// it holds no secrets.
func (b *Bus) URL() string { return "" }

// Durability tells whether the server stores on disk before it acknowledges.
func (b *Bus) Durability(ctx context.Context) Durability { return Durability{} }

// Durability is what could be found out about the server.
type Durability struct {
	// Sync is what it does before acknowledging.
	Sync Sync
	// Detail is a sentence for people, with what to do about it.
	Detail string
}

// Sync says whether stored messages are on disk when they are acknowledged.
type Sync string

// What was found out.
const (
	SyncAlways  Sync = "always"
	SyncLater   Sync = "later"
	SyncUnknown Sync = "unknown"
)

func (b *Bus) Plan(ctx context.Context, msgs []bus.Message) (bus.Plan, error) {
	return bus.Plan{}, errPending
}
func (b *Bus) Send(ctx context.Context, plan bus.Plan, msgs []bus.Message, look bool) error {
	return errPending
}
func (b *Bus) Verify(ctx context.Context, journal string, parts []bus.Part) ([]bus.Loss, error) {
	return nil, errPending
}
func (b *Bus) Commands(ctx context.Context, after []bus.Position) (bus.CommandReader, error) {
	return nil, errPending
}
func (b *Bus) Mark(ctx context.Context) ([]bus.Position, error)       { return nil, errPending }
func (b *Bus) SetMark(ctx context.Context, mark []bus.Position) error { return errPending }
func (b *Bus) Publish(ctx context.Context, stream bus.Stream, e *event.Event) (bus.Position, error) {
	return bus.Position{}, errPending
}
func (b *Bus) Follow(ctx context.Context, stream bus.Stream, from bus.Start) (bus.Follower, error) {
	return nil, errPending
}
func (b *Bus) Check(ctx context.Context) error { return errPending }
func (b *Bus) Reconnected() <-chan struct{}    { return nil }
func (b *Bus) Close() error                    { return nil }
