package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go/compress"

	"github.com/timbridge/timbridge/bus"
)

// Where things lie in a v2 batch.
const (
	batchHeader  = 61
	atLength     = 8
	atMagic      = 16
	atCRC        = 17
	atAttributes = 21
	atLastDelta  = 23
	atFirstTime  = 27
	atMaxTime    = 35
	atProducer   = 43
	atCount      = 57

	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is one record of a partition. Its bytes belong to the fetch.
type record struct {
	offset  int64
	time    time.Time
	key     []byte // nil where there is none
	value   []byte // nil where there is none
	headers []bus.Header
	// control says that it is a marker of a transaction, no message.
	control bool
}

// batch is one that was fetched.
type batch struct {
	b          []byte
	base, last int64
	attributes int16
	producer   int64
}

// nextBatch splits the first batch off what was fetched; ok is false when the
// rest is none or a part of one.
func nextBatch(b []byte) (out batch, rest []byte, ok bool, err error) {
	if len(b) < batchHeader {
		return batch{}, nil, false, nil
	}
	size := int64(12) + int64(int32(binary.BigEndian.Uint32(b[atLength:])))
	if size < batchHeader {
		return batch{}, nil, false, fmt.Errorf("%w: a batch of %d bytes", errMalformed, size)
	}
	if size > int64(len(b)) {
		return batch{}, nil, false, nil
	}
	if b[atMagic] != 2 {
		return batch{}, nil, false, fmt.Errorf("%w: record format %d, not 2", errMalformed, b[atMagic])
	}
	out = batch{b: b[:size], base: int64(binary.BigEndian.Uint64(b))}
	if crc32.Checksum(out.b[atAttributes:], castagnoli) != binary.BigEndian.Uint32(b[atCRC:]) {
		return batch{}, nil, false, fmt.Errorf("%w: the checksum of the batch at offset %d is wrong", errMalformed, out.base)
	}
	out.attributes = int16(binary.BigEndian.Uint16(b[atAttributes:]))
	out.last = out.base + int64(int32(binary.BigEndian.Uint32(b[atLastDelta:])))
	out.producer = int64(binary.BigEndian.Uint64(b[atProducer:]))
	return out, b[size:], true, nil
}

// records calls fn with each record, until it returns false.
func (b *batch) records(fn func(record) bool) (bool, error) {
	body := b.b[batchHeader:]
	if codec := b.attributes & attrCodec; codec != 0 {
		c := compress.Compression(codec).Codec()
		if c == nil {
			return false, fmt.Errorf("%w: compression %d", errMalformed, codec)
		}
		r := c.NewReader(bytes.NewReader(body))
		plain, err := io.ReadAll(io.LimitReader(r, maxResponse+1))
		_ = r.Close() // only read from
		if err != nil || len(plain) > maxResponse {
			return false, fmt.Errorf("%w: the batch at offset %d cannot be decompressed: %v", errMalformed, b.base, err)
		}
		body = plain
	}
	first := int64(binary.BigEndian.Uint64(b.b[atFirstTime:]))
	appended := int64(binary.BigEndian.Uint64(b.b[atMaxTime:]))
	count := int(int32(binary.BigEndian.Uint32(b.b[atCount:])))
	d := wireDecoder{b: body}
	for range count {
		size := d.varint()
		if size < 0 || size > int64(len(d.b)) {
			d.fail()
			break
		}
		in := wireDecoder{b: d.take(int(size)), err: d.err}
		in.int8()
		ms := first + in.varint()
		if b.attributes&attrLogAppendTime != 0 {
			ms = appended
		}
		r := record{time: time.UnixMilli(ms).UTC(), offset: b.base + in.varint(), control: b.attributes&attrControl != 0}
		r.key, r.value = in.field(), in.field()
		headers := in.varint()
		if headers < 0 || headers > int64(len(in.b)) {
			in.fail()
			headers = 0
		}
		for range headers {
			h := bus.Header{Name: string(in.field()), Value: in.field()}
			if h.Value == nil {
				h.Value = []byte{}
			}
			r.headers = append(r.headers, h)
		}
		if in.err != nil {
			d.err = in.err
			break
		}
		if !fn(r) {
			return false, nil
		}
	}
	if d.err != nil {
		return false, fmt.Errorf("a record of the batch at offset %d: %w", b.base, d.err)
	}
	return true, nil
}

// field reads a value behind its length; nil where there is none.
func (d *wireDecoder) field() []byte {
	n := d.varint()
	if n < 0 || d.err != nil {
		return nil
	}
	if n > int64(len(d.b)) {
		d.fail()
		return nil
	}
	return d.take(int(n))
}

// each calls fn with the records of a fetch from an offset on, until it returns
// false, and returns the offset after what was looked through. Where only what
// was committed is read, markers and the records of aborted transactions are
// left out.
func (f *fetched) each(from int64, committed bool, fn func(record) bool) (next int64, err error) {
	next = from
	dead := map[int64]bool{}
	pending := slices.Clone(f.abortedTransactions)
	for rest := f.records; ; {
		b, more, ok, err := nextBatch(rest)
		if err != nil || !ok {
			return next, err
		}
		rest = more
		if committed {
			pending = slices.DeleteFunc(pending, func(a aborted) bool {
				if a.first > b.last {
					return false
				}
				dead[a.producer] = true
				return true
			})
			if b.attributes&attrControl != 0 {
				delete(dead, b.producer) // either marker ends its transaction
				next = max(next, b.last+1)
				continue
			}
			if b.attributes&attrTransactional != 0 && dead[b.producer] {
				next = max(next, b.last+1)
				continue
			}
		}
		all, err := b.records(func(r record) bool {
			if r.offset < from {
				return true
			}
			if !fn(r) {
				return false
			}
			next = r.offset + 1
			return true
		})
		if err != nil {
			return next, err
		}
		if !all {
			return next, nil
		}
		next = max(next, b.last+1)
	}
}

// original is the message of a record.
func (r *record) original(topic string) bus.Original {
	o := bus.Original{Place: topic, Key: r.key, Headers: r.headers, Value: r.value}
	if o.Value == nil {
		o.Value = []byte{} // as an empty one: a command is neither
	}
	return o
}
