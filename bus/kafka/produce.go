package kafka

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// produceVersion is Kafka 2.8's; kafka-go's own is older, and puts one partition
// into a request.
const produceVersion = 9

// parcel is a batch for one partition, and what became of it.
type parcel struct {
	topic     string
	partition int
	batch     []byte // not to be changed before send returns

	// base is the offset of the first record, and at the broker's time of it,
	// where the broker sets it. A batch that was stored before has the offset
	// that it got then.
	base int64
	at   time.Time
	err  error
	done chan struct{}
}

// post carries the batches of a round's partitions that are ready at once: one
// request to each leader, whatever it leads.
type post struct {
	b *Bus

	mu      sync.Mutex
	writing int // partitions whose next batch is being written, and is waited for
	ready   []*parcel
}

// write says that a batch is being written; send or leave follows.
func (p *post) write() {
	p.mu.Lock()
	p.writing++
	p.mu.Unlock()
}

// send carries a batch, together with those that are being written.
func (p *post) send(ctx context.Context, it *parcel) {
	it.done = make(chan struct{})
	p.mu.Lock()
	p.ready = append(p.ready, it)
	p.mu.Unlock()
	p.leave(ctx)
	<-it.done
}

// leave says that a batch is not being written any more; the last to say so
// carries what there is.
func (p *post) leave(ctx context.Context) {
	p.mu.Lock()
	p.writing--
	var due []*parcel
	if p.writing == 0 {
		due, p.ready = p.ready, nil
	}
	p.mu.Unlock()
	if len(due) > 0 {
		p.b.produce(ctx, due...)
	}
}

// produce stores batches, each once: those of one leader by one request.
func (b *Bus) produce(ctx context.Context, parcels ...*parcel) {
	byLeader := map[int32][]*parcel{}
	for _, it := range parcels {
		t, err := b.topic(ctx, it.topic)
		switch {
		case err != nil:
			it.err = err
		case it.partition >= len(t.partitions):
			it.err = b.whereNow(ctx, t, kafkago.UnknownTopicOrPartition)
		case t.partitions[it.partition].leader < 0:
			it.err = b.whereNow(ctx, t, errNoLeader)
		default:
			leader := t.partitions[it.partition].leader
			byLeader[leader] = append(byLeader[leader], it)
			continue
		}
		close(it.done)
	}
	var wg sync.WaitGroup
	for leader, list := range byLeader {
		wg.Go(func() {
			b.produceTo(ctx, leader, list)
			for _, it := range list {
				close(it.done)
			}
		})
	}
	wg.Wait()
}

func (b *Bus) produceTo(ctx context.Context, leader int32, list []*parcel) {
	slices.SortFunc(list, func(a, b *parcel) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	req := newProduceRequest(b.frames.take(), b.cfg.ClientID, leader, b.cfg.RequestTimeout, list)
	body, err := b.conn.raw(ctx, req)
	if err == nil {
		b.frames.keep(req.frame) // it was sent whole
		err = decodeProduce(body, list)
	}
	for _, it := range list {
		if err != nil {
			it.err = err
		}
		if it.err != nil {
			it.err = b.truth(ctx, it.topic, it.err)
		}
	}
}

// frames keeps the room of requests that are answered for the next ones.
type frames struct {
	mu   sync.Mutex
	free [][]byte
}

// maxFrames is how many are kept, and maxFrame how large.
const (
	maxFrames = 4
	maxFrame  = 8 << 20
)

func (f *frames) take() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.free)
	if n == 0 {
		return nil
	}
	frame := f.free[n-1]
	f.free = f.free[:n-1]
	return frame
}

func (f *frames) keep(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.free) < maxFrames && cap(frame) <= maxFrame {
		f.free = append(f.free, frame)
	}
}

// produceRequest is a whole request, written before it is sent: what it was
// written from may be used for others while a connection that is given up still
// has it.
type produceRequest struct {
	leader int32
	frame  []byte
}

func newProduceRequest(frame []byte, client string, leader int32, timeout time.Duration, list []*parcel) *produceRequest {
	size := 64 + len(client)
	for _, it := range list {
		size += 32 + len(it.topic) + len(it.batch)
	}
	e := wireEncoder{b: slices.Grow(frame[:0], size)}
	e.begin(protocol.Produce, produceVersion, client)
	e.b = append(e.b, 0) // no transaction
	e.int16(-1)          // acknowledged by all replicas
	e.int32(int32(timeout.Milliseconds()))
	topics := slices.CompactFunc(slices.Clone(list), func(a, b *parcel) bool { return a.topic == b.topic })
	e.length(len(topics))
	for _, t := range topics {
		e.compact(t.topic)
		n := 0
		for _, it := range list {
			if it.topic == t.topic {
				n++
			}
		}
		e.length(n)
		for _, it := range list {
			if it.topic != t.topic {
				continue
			}
			e.int32(int32(it.partition))
			e.length(len(it.batch))
			e.b = append(e.b, it.batch...)
			e.tags()
		}
		e.tags()
	}
	e.tags()
	e.end()
	return &produceRequest{leader: leader, frame: e.b}
}

// ApiKey is Produce's.
func (*produceRequest) ApiKey() protocol.ApiKey { return protocol.Produce }

// Required says that the exchange is raw, always.
func (*produceRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// Broker is the leader.
func (r *produceRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	return leaderIn(c, r.leader)
}

// RawExchange asks.
func (r *produceRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	body, err := converse(rw, r.frame)
	if err != nil {
		return nil, err
	}
	return &rawAnswer{protocol.Produce, body}, nil
}

// The least that a topic, a partition and a record's error take in an answer.
const (
	producedTopicBytes     = 3
	producedPartitionBytes = 33
	recordErrorBytes       = 6
)

// decodeProduce reads what became of each batch; what is not told of is an error.
func decodeProduce(body []byte, list []*parcel) error {
	for _, it := range list {
		it.err = fmt.Errorf("%w: it says nothing of %s", errMalformed, targetOf(it.topic, it.partition))
	}
	d := wireDecoder{b: body}
	for range d.count(producedTopicBytes) {
		topic := string(d.compact())
		for range d.count(producedPartitionBytes) {
			partition, code := d.int32(), d.int16()
			base, appended := d.int64(), d.int64()
			d.int64()
			for range d.count(recordErrorBytes) {
				d.int32()
				d.compact()
				d.tags()
			}
			d.compact()
			d.tags()
			if d.err != nil {
				return d.err
			}
			for _, it := range list {
				if it.topic == topic && it.partition == int(partition) {
					it.base, it.err = base, codeError(code)
					if appended > 0 {
						it.at = time.UnixMilli(appended).UTC()
					}
				}
			}
		}
		d.tags()
	}
	return d.err
}
