// Package kafka is the bus contract over Apache Kafka 3.1 and later, on
// segmentio/kafka-go: rounds are published as batches stamped with a producer
// id, an epoch and a sequence, which brokers store once however often they come;
// commands are read at positions of our own.
//
// A partition is one target, "topic/number". The offset of a position is the
// one after its message, as Kafka commits offsets, so that 0 comes before the
// first. Events are CloudEvents of the Kafka binding, in binary mode or
// structured JSON, and their key is their partitionkey.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/segmentio/kafka-go/compress"

	"github.com/timbridge/timbridge/bus"
)

const (
	// probeEvery is how often the cluster is asked whether it is there and as it was.
	probeEvery = time.Second
	// keepMarkEvery is how often a mark that did not change is committed again,
	// since brokers forget the offsets of an idle group after a week.
	keepMarkEvery = 6 * time.Hour
)

// Bus is the bus contract over Kafka.
type Bus struct {
	cfg    Config
	log    hclog.Logger
	codec  compress.Compression
	routes []route
	conn   *conn

	mu     sync.Mutex
	topics map[string]*topic
	moves  uint64 // counts leaders that changed and topics made anew

	targets  map[bus.Target]*target // of the publisher's goroutine
	producer stamp                  // likewise: the newest producer id
	frames   frames
	desk     desk

	markMu   sync.Mutex
	lastMark []bus.Position

	reconnected chan struct{}
	away        atomic.Bool // no broker answers, which has been said
	said        said
	sendersTime atomic.Bool // commands with their senders' time were met, which has been said

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	closing sync.Once
	readers readers
}

var _ bus.Bus = (*Bus)(nil)

// Open connects, checks the brokers, and creates or checks the topics. It waits
// for brokers that cannot be reached until ctx ends, and then returns an
// [*UnreachableError]. What waiting does not mend is returned at once: a
// [*VersionError], [*ProtocolError], [*CertificateError], [*AuthError],
// [*AccessError], [*ConfigError] (several are joined), or what wraps
// [ErrConfiguration]. With [Config.Waiting] it waits for some of these too.
func Open(ctx context.Context, cfg Config) (_ *Bus, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		cfg: cfg, log: cfg.Logger, routes: routes(&cfg),
		topics: map[string]*topic{}, targets: map[bus.Target]*target{},
		reconnected: make(chan struct{}, 1),
	}
	if b.codec, err = cfg.codec(); err != nil {
		return nil, err
	}
	if b.conn, err = newConn(&b.cfg); err != nil {
		return nil, err
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			_ = b.Close() // nothing is under way
		}
	}()
	if err = b.conn.dialUp(ctx); err != nil {
		return nil, err
	}
	if err = b.prepare(ctx); err != nil {
		return nil, err
	}
	b.wg.Go(b.tend)
	return b, nil
}

// prepare makes the topics ready, and waits for a cluster that is on its way up.
func (b *Bus) prepare(ctx context.Context) error {
	var said error
	for attempt := 0; ; attempt++ {
		err := b.ensure(ctx, b.cfg.Manage)
		wait := b.cfg.Waiting != nil && othersMend(err)
		if err == nil || !passing(err) && !wait {
			return err
		}
		if wait {
			b.conn.waits(err)
		} else if b.conn.waits(nil); attempt == 0 {
			b.log.Warn("Kafka is not ready yet", "brokers", b.conn.addr, "error", err)
		}
		said = telling(said, err)
		if !sleep(ctx, backoff(attempt)) {
			return &UnreachableError{Brokers: b.conn.addr.String(), Err: gaveUp(ctx, said)}
		}
	}
}

// tend asks the cluster again and again, and says when it is back after a loss,
// or when a partition has another leader, which may lack a tail.
func (b *Bus) tend() {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	marked, seen := time.Now(), b.moved()
	for {
		lost := false
		select {
		case <-b.ctx.Done():
			return
		case <-b.conn.lost:
			lost = true
		case <-tick.C:
		}
		lost, ok := b.probe(lost)
		if !ok {
			return
		}
		// Whoever asked the cluster may have been the first to see a move.
		moves := b.moved()
		if lost || moves != seen {
			seen = moves
			select {
			case b.reconnected <- struct{}{}:
			default:
			}
		}
		if time.Since(marked) > keepMarkEvery {
			marked = time.Now()
			b.keepMark()
		}
	}
}

// moved counts the leaders that changed and the topics made anew.
func (b *Bus) moved() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.moves
}

// probe asks until there is an answer, and reports whether a connection was
// lost, by now; ok is false when the bus is closed.
func (b *Bus) probe(lost bool) (lostNow, ok bool) {
	names := b.topicNames()
	for attempt := 0; ; attempt++ {
		err := b.learn(b.ctx, names...)
		select {
		case <-b.conn.lost: // by the probe itself, or meanwhile
			lost = true
		default:
		}
		if b.ctx.Err() != nil {
			return false, false
		}
		if err == nil || codeOf(err) != 0 && !lasting(err) {
			if b.away.Swap(false) {
				b.log.Info("Kafka is back", "brokers", b.conn.addr)
			}
			b.said.away = ""
			if (lost || errors.Is(err, errNoTopic)) && b.cfg.Manage != bus.ManageCheck {
				// A cluster that came back empty gets its topics again.
				err = b.ensure(b.ctx, bus.ManageCreate)
			}
			b.tellTopics(err)
			return lost, true
		}
		if attempt > 0 { // not for a connection that is made again at once
			b.tellAway(err)
		}
		if !sleep(b.ctx, backoff(attempt)) {
			return false, false
		}
	}
}

// said is what the log has last heard of the cluster, so that it hears of each
// state once. It belongs to the goroutine of tend.
type said struct{ away, topics string }

// tellTopics says what is wrong with topics, when that changes.
func (b *Bus) tellTopics(err error) {
	if b.ctx.Err() != nil {
		return
	}
	before := b.said.topics
	b.said.topics = ""
	if err != nil {
		b.said.topics = err.Error()
	}
	switch {
	case b.said.topics == before:
	case err != nil:
		b.log.Error("topics are not as they should be", "error", err)
	default:
		b.log.Info("topics can be asked for again")
	}
}

// tellAway says that Kafka cannot be used, and again when that is for another reason.
func (b *Bus) tellAway(err error) {
	b.away.Store(true)
	if lasting(err) {
		// Not away but unwilling: a password that was changed, a certificate.
		err = b.conn.connectError(err)
	}
	// The texts of lost connections differ by their ports.
	if state := fmt.Sprintf("%d %t", codeOf(err), lasting(err)); state != b.said.away {
		b.said.away = state
		b.log.Warn("Kafka is away, and waited for", "brokers", b.conn.addr, "error", err)
	}
}

// topicNames lists the topics that the bridge uses.
func (b *Bus) topicNames() []string {
	names := make([]string, len(b.routes))
	for i := range b.routes {
		names[i] = b.routes[i].Name
	}
	return names
}

// Reconnected receives a value after a lost connection was made again, after a
// partition's leader changed, and after a topic was made anew; values that
// nobody waited for are one.
func (b *Bus) Reconnected() <-chan struct{} { return b.reconnected }

// Close ends what is under way and the connections.
func (b *Bus) Close() error {
	b.closing.Do(func() {
		b.cancel()
		b.readers.close()
		b.conn.close()
		b.wg.Wait()
	})
	return nil
}
