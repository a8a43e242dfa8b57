package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"time"

	"github.com/segmentio/kafka-go/compress"

	"github.com/timbridge/timbridge/bus"
)

// stamp is what a broker tells a repeated batch by, and a producer's order. The
// zero value is no stamp; producer ids of brokers are told apart by set.
type stamp struct {
	producer int64
	epoch    int16
	sequence int32
	set      bool
}

// batchBuffer writes v2 record batches. It is used by one goroutine; what it
// gives is good until it is reset.
type batchBuffer struct {
	b     []byte // the batch's header, the records
	count int
	base  int64 // milliseconds
}

// reset begins a batch of records of one time.
func (w *batchBuffer) reset(at time.Time) {
	if w.b == nil {
		w.b = make([]byte, 0, 64<<10)
	}
	w.b = append(w.b[:0], make([]byte, batchHeader)...)
	w.count, w.base = 0, at.UnixMilli()
}

// size is how long the batch is.
func (w *batchBuffer) size() int { return len(w.b) }

// add appends a record.
func (w *batchBuffer) add(m *message) {
	w.b = binary.AppendVarint(w.b, int64(recordSize(m, w.count)))
	w.b = append(w.b, 0, 0) // attributes, and no time after the batch's
	w.b = binary.AppendVarint(w.b, int64(w.count))
	w.b = appendBytes(w.b, m.key)
	w.b = appendBytes(w.b, m.value)
	w.b = binary.AppendVarint(w.b, int64(len(m.headers)))
	for i := range m.headers {
		w.b = binary.AppendVarint(w.b, int64(len(m.headers[i].Name)))
		w.b = append(w.b, m.headers[i].Name...)
		w.b = appendBytes(w.b, m.headers[i].Value)
	}
	w.count++
}

func appendBytes(b, value []byte) []byte {
	if value == nil {
		return binary.AppendVarint(b, -1)
	}
	b = binary.AppendVarint(b, int64(len(value)))
	return append(b, value...)
}

// recordSize is the length of a record behind its own length.
func recordSize(m *message, delta int) int {
	n := 2 + varintSize(int64(delta)) + bytesSize(m.key) + bytesSize(m.value) + varintSize(int64(len(m.headers)))
	for i := range m.headers {
		n += varintSize(int64(len(m.headers[i].Name))) + len(m.headers[i].Name) + bytesSize(m.headers[i].Value)
	}
	return n
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

func varintSize(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}

// aloneSize is the size of a batch of this message alone.
func aloneSize(m *message) int {
	n := recordSize(m, 0)
	return batchHeader + varintSize(int64(n)) + n
}

// finish completes the batch with its stamp.
func (w *batchBuffer) finish(s stamp, codec compress.Compression) error {
	if codec != compress.None {
		var packed bytes.Buffer
		c := codec.Codec().NewWriter(&packed)
		_, err := c.Write(w.b[batchHeader:])
		if closeErr := c.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("compress a batch: %w", err)
		}
		w.b = append(w.b[:batchHeader], packed.Bytes()...)
	}
	producer, epoch, sequence := int64(-1), int16(-1), int32(-1)
	if s.set {
		producer, epoch, sequence = s.producer, s.epoch, s.sequence
	}
	order := binary.BigEndian
	h := w.b
	order.PutUint64(h, 0)
	order.PutUint32(h[atLength:], uint32(len(h)-12))
	order.PutUint32(h[12:], 0xffffffff) // no leader's epoch
	h[atMagic] = 2
	order.PutUint16(h[atAttributes:], uint16(codec))
	order.PutUint32(h[atLastDelta:], uint32(w.count-1))
	order.PutUint64(h[atFirstTime:], uint64(w.base))
	order.PutUint64(h[atMaxTime:], uint64(w.base))
	order.PutUint64(h[atProducer:], uint64(producer))
	order.PutUint16(h[51:], uint16(epoch))
	order.PutUint32(h[53:], uint32(sequence))
	order.PutUint32(h[atCount:], uint32(w.count))
	order.PutUint32(h[atCRC:], crc32.Checksum(h[atAttributes:], castagnoli))
	return nil
}

// batch is the batch that was finished.
func (w *batchBuffer) batch() []byte { return w.b }

// message is an event as a record.
type message struct {
	key     []byte
	value   []byte
	headers []bus.Header
}
