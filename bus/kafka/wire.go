package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// kafka-go speaks Fetch up to version 11 and Metadata up to 8, which know
// topics by name alone, so that one deleted and made anew goes unnoticed. These
// two requests are written here at versions that carry topic ids, and Produce
// without the copies that kafka-go makes; they travel over kafka-go's own
// connections by its hook for raw exchanges.
const (
	fetchVersion    = 13 // Kafka 3.1
	metadataVersion = 12 // Kafka 3.0
	// maxResponse bounds what a broken answer could make us allocate.
	maxResponse = 256 << 20
)

var errMalformed = errors.New("the broker's answer is malformed")

// topicID is a topic's own id, which another topic of the same name does not have.
type topicID [16]byte

// encoder appends in Kafka's flexible encoding.
type wireEncoder struct{ b []byte }

func (e *wireEncoder) int8(v int8)       { e.b = append(e.b, byte(v)) }
func (e *wireEncoder) int16(v int16)     { e.b = binary.BigEndian.AppendUint16(e.b, uint16(v)) }
func (e *wireEncoder) int32(v int32)     { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *wireEncoder) int64(v int64)     { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }
func (e *wireEncoder) length(n int)      { e.b = binary.AppendUvarint(e.b, uint64(n)+1) }
func (e *wireEncoder) tags()             { e.b = append(e.b, 0) }
func (e *wireEncoder) compact(s string)  { e.length(len(s)); e.b = append(e.b, s...) }
func (e *wireEncoder) topicID(t topicID) { e.b = append(e.b, t[:]...) }

// decoder reads the same; what is wrong is kept in err.
type wireDecoder struct {
	b   []byte
	err error
}

func (d *wireDecoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *wireDecoder) fail() {
	if d.err == nil {
		d.err = errMalformed
	}
	d.b = nil
}

func (d *wireDecoder) int8() int8 {
	if b := d.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (d *wireDecoder) int16() int16 {
	if b := d.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *wireDecoder) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *wireDecoder) int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *wireDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *wireDecoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// length reads a compact length of elements of so many bytes at least; -1 is
// null. It is never more than what is left can hold.
func (d *wireDecoder) length(size int) int {
	v := d.uvarint()
	if v == 0 {
		return -1
	}
	if v-1 > uint64(len(d.b)/size) {
		d.fail()
		return -1
	}
	return int(v - 1)
}

// count is a length with null as none.
func (d *wireDecoder) count(size int) int { return max(d.length(size), 0) }

func (d *wireDecoder) compact() []byte {
	n := d.length(1)
	if n < 0 {
		return nil
	}
	return d.take(n)
}

func (d *wireDecoder) topicID() (id topicID) {
	copy(id[:], d.take(len(id)))
	return id
}

func (d *wireDecoder) tags() {
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		d.uvarint()
		size := d.uvarint()
		if size > uint64(len(d.b)) {
			d.fail()
			return
		}
		d.take(int(size))
	}
}

// int32s reads an array of numbers.
func (d *wireDecoder) int32s() []int32 {
	n := d.count(4)
	if n == 0 {
		return nil
	}
	out := make([]int32, 0, n)
	for range n {
		out = append(out, d.int32())
	}
	return out
}

// exchange writes a request and reads its answer's body.
func exchange(rw io.ReadWriter, key protocol.ApiKey, version int16, client string, body []byte) ([]byte, error) {
	e := wireEncoder{b: make([]byte, 0, 32+len(client)+len(body))}
	e.begin(key, version, client)
	e.b = append(e.b, body...)
	e.end()
	return converse(rw, e.b)
}

// begin writes what comes before a request's body.
func (e *wireEncoder) begin(key protocol.ApiKey, version int16, client string) {
	e.int32(0) // its size, later
	e.int16(int16(key))
	e.int16(version)
	e.int32(1)
	e.int16(int16(len(client)))
	e.b = append(e.b, client...)
	e.tags()
}

func (e *wireEncoder) end() { binary.BigEndian.PutUint32(e.b, uint32(len(e.b)-4)) }

// converse sends a whole request and reads its answer's body.
func converse(rw io.ReadWriter, request []byte) ([]byte, error) {
	if _, err := rw.Write(request); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 5 || size > maxResponse {
		return nil, fmt.Errorf("%w: %d bytes", errMalformed, size)
	}
	answer := make([]byte, size)
	if _, err := io.ReadFull(rw, answer); err != nil {
		return nil, err
	}
	d := wireDecoder{b: answer}
	if id := d.int32(); id != 1 {
		return nil, fmt.Errorf("%w: it is for request %d", errMalformed, id)
	}
	d.tags()
	return d.b, d.err
}

// rawAnswer is an answer's body, as a message of kafka-go.
type rawAnswer struct {
	key  protocol.ApiKey
	body []byte
}

// ApiKey says which request it answers.
func (r *rawAnswer) ApiKey() protocol.ApiKey { return r.key }

// metadataRequest asks any broker for topics by name.
type metadataRequest struct {
	client string
	topics []string
	rights bool // ask for those too
}

// ApiKey is Metadata's.
func (*metadataRequest) ApiKey() protocol.ApiKey { return protocol.Metadata }

// Required says that the exchange is raw, always.
func (*metadataRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange asks.
func (r *metadataRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	var e wireEncoder
	e.length(len(r.topics))
	for _, name := range r.topics {
		e.topicID(topicID{})
		e.compact(name)
		e.tags()
	}
	e.int8(0) // create nothing
	if r.rights {
		e.int8(1)
	} else {
		e.int8(0)
	}
	e.tags()
	body, err := exchange(rw, protocol.Metadata, metadataVersion, r.client, e.b)
	if err != nil {
		return nil, err
	}
	return &rawAnswer{protocol.Metadata, body}, nil
}

// topicMeta is what the cluster says of a topic.
type topicMeta struct {
	code       int16
	name       string
	id         topicID
	partitions []partitionMeta // by their number
	rights     rights
}

type partitionMeta struct {
	code     int16
	leader   int32 // -1 is none
	epoch    int32 // of the leader
	replicas int
	inSync   int
}

// The least that a broker, a topic and a partition take in an answer.
const (
	brokerBytes    = 11
	topicBytes     = 26
	partitionBytes = 18
	abortedBytes   = 17
)

// decodeMetadata reads the topics of an answer.
func decodeMetadata(body []byte) ([]topicMeta, error) {
	d := wireDecoder{b: body}
	d.int32() // throttle
	for range d.count(brokerBytes) {
		d.int32()
		d.compact()
		d.int32()
		d.compact()
		d.tags()
	}
	d.compact()
	d.int32()
	var topics []topicMeta
	for range d.count(topicBytes) {
		t := topicMeta{code: d.int16(), name: string(d.compact()), id: d.topicID()}
		d.int8()
		n := d.count(partitionBytes)
		t.partitions = make([]partitionMeta, n)
		for range n {
			p := partitionMeta{code: d.int16()}
			i := d.int32()
			p.leader, p.epoch = d.int32(), d.int32()
			p.replicas, p.inSync = len(d.int32s()), len(d.int32s())
			d.int32s()
			d.tags()
			if i < 0 || int(i) >= n {
				d.fail()
				break
			}
			t.partitions[i] = p
		}
		t.rights = rights(d.int32())
		d.tags()
		if d.err != nil {
			break
		}
		topics = append(topics, t)
	}
	return topics, d.err
}

// fetchRequest reads one partition from its leader.
type fetchRequest struct {
	client    string
	topic     topicID
	partition int32
	leader    int32
	epoch     int32 // the leader's, so that another leader refuses
	offset    int64
	wait      int32 // milliseconds
	maxBytes  int32
	committed bool // nothing of transactions that are open
}

// ApiKey is Fetch's.
func (*fetchRequest) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Required says that the exchange is raw, always.
func (*fetchRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// Broker is the leader.
func (r *fetchRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	return leaderIn(c, r.leader)
}

func leaderIn(c protocol.Cluster, leader int32) (protocol.Broker, error) {
	b, ok := c.Brokers[leader]
	if !ok {
		return protocol.Broker{}, fmt.Errorf("%w: broker %d", errNoLeader, leader)
	}
	return b, nil
}

// RawExchange asks.
func (r *fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	var e wireEncoder
	e.int32(-1) // no replica
	e.int32(r.wait)
	e.int32(1) // byte at least
	e.int32(r.maxBytes)
	isolation := int8(0)
	if r.committed {
		isolation = 1
	}
	e.int8(isolation)
	e.int32(0) // no session
	e.int32(-1)
	e.length(1)
	e.topicID(r.topic)
	e.length(1)
	e.int32(r.partition)
	e.int32(r.epoch)
	e.int64(r.offset)
	e.int32(-1)
	e.int64(-1)
	e.int32(r.maxBytes)
	e.tags()
	e.tags()
	e.length(0)
	e.compact("")
	e.tags()
	body, err := exchange(rw, protocol.Fetch, fetchVersion, r.client, e.b)
	if err != nil {
		return nil, err
	}
	return &rawAnswer{protocol.Fetch, body}, nil
}

// aborted is a transaction whose records are not to be read.
type aborted struct{ producer, first int64 }

// fetched is what a partition answered.
type fetched struct {
	code                int16
	highWatermark       int64
	lastStable          int64
	logStart            int64
	abortedTransactions []aborted
	records             []byte

	// How the records are read: limit is the largest that is held whole, 0 is
	// [maxRecord], and turn is taken to unpack what needs much memory for it;
	// nil takes none.
	limit int
	turn  func() (done func(), err error)
}

func decodeFetch(body []byte) (fetched, error) {
	d := wireDecoder{b: body}
	d.int32() // throttle
	f := fetched{code: d.int16()}
	d.int32()
	if f.code != 0 || d.err != nil {
		return f, d.err
	}
	if d.length(1) != 1 {
		return f, fmt.Errorf("%w: not one topic", errMalformed)
	}
	d.topicID()
	if d.length(1) != 1 {
		return f, fmt.Errorf("%w: not one partition", errMalformed)
	}
	d.int32()
	f.code = d.int16()
	f.highWatermark, f.lastStable, f.logStart = d.int64(), d.int64(), d.int64()
	for range d.count(abortedBytes) {
		f.abortedTransactions = append(f.abortedTransactions, aborted{d.int64(), d.int64()})
		d.tags()
	}
	d.int32()
	f.records = d.compact()
	return f, d.err
}
