package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

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

// record is one record of a partition. Its bytes may belong to the fetch.
type record struct {
	offset  int64
	time    time.Time
	key     []byte // nil where there is none
	value   []byte // nil where there is none
	headers []bus.Header
	// control says that it is a marker of a transaction, no message.
	control bool
	// sendersTime says that the time is what its sender says.
	sendersTime bool

	// whole is set where only the beginning is here.
	whole *whole
	// bad says that this is no record, but what stands for all records up to
	// this offset that cannot be read; value is what is stored of them.
	bad error
}

// whole is the size of what is not here whole, and its SHA-256 in hex: for a
// record the bytes of its key, value and headers as they are stored, with their
// lengths; for what cannot be read, those of the batch.
type whole struct {
	size   int64
	digest string
}

// damageError says that a batch is not as it was written, which may be so for
// this once.
type damageError struct {
	// last is the offset up to which there is nothing to be read, as far as
	// that can be told.
	last   int64
	stored []byte
	err    error
}

func (e *damageError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *damageError) Unwrap() error { return e.err }

// rest stands for what cannot be read; a broker's time it has none.
func (e *damageError) rest(at time.Time) record {
	return record{offset: e.last, time: at, bad: e, value: e.stored, whole: &whole{size: int64(len(e.stored)), digest: digestOf(e.stored)}}
}

// batch is one that was fetched.
type batch struct {
	b          []byte
	base, last int64
	attributes int16
	producer   int64
}

// nextBatch splits the first batch off what was fetched; ok is false when the
// rest is none or a part of one. What it has of a batch that is damaged is in
// the batch.
func nextBatch(b []byte) (out batch, rest []byte, ok bool, err error) {
	if len(b) < batchHeader {
		return batch{b: b, base: -1, last: -1}, nil, false, nil
	}
	size := int64(12) + int64(int32(binary.BigEndian.Uint32(b[atLength:])))
	out = batch{b: b[:min(max(size, batchHeader), int64(len(b)))], base: int64(binary.BigEndian.Uint64(b))}
	out.last = out.base
	if b[atMagic] != 2 {
		return out, nil, false, fmt.Errorf("%w: record format %d, not 2", errMalformed, b[atMagic])
	}
	out.last += int64(int32(binary.BigEndian.Uint32(b[atLastDelta:])))
	if size < batchHeader {
		return out, nil, false, fmt.Errorf("%w: a batch of %d bytes", errMalformed, size)
	}
	if size > int64(len(b)) {
		return out, nil, false, nil
	}
	if crc32.Checksum(out.b[atAttributes:], castagnoli) != binary.BigEndian.Uint32(b[atCRC:]) {
		return out, nil, false, fmt.Errorf("%w: the checksum of the batch at offset %d is wrong", errMalformed, out.base)
	}
	if out.last < out.base {
		return out, nil, false, fmt.Errorf("%w: the batch at offset %d ends before it begins", errMalformed, out.base)
	}
	out.attributes = int16(binary.BigEndian.Uint16(b[atAttributes:]))
	out.producer = int64(binary.BigEndian.Uint64(b[atProducer:]))
	return out, b[size:], true, nil
}

// maxTime is the broker's time of the batch, or the youngest of its senders'.
func (b *batch) maxTime() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b.b[atMaxTime:]))).UTC()
}

// rest stands for the records of a batch that cannot be read.
func (b *batch) rest(err error) record {
	return record{offset: b.last, time: b.maxTime(), bad: err, value: b.b, whole: &whole{size: int64(len(b.b)), digest: digestOf(b.b[atAttributes:])}}
}

// records calls fn with each record, until it returns false. A record of more
// bytes than limit comes as its beginning. What is wrong with the batch is in
// the error, whatever was read before it.
func (b *batch) records(limit int, turn func() (func(), error), fn func(record) bool) (all bool, err error) {
	src, end, err := b.open(turn)
	if err != nil {
		return false, err
	}
	defer end()
	in := recordReader{
		src: src, limit: limit, base: b.base, last: b.last, next: b.base,
		first:       int64(binary.BigEndian.Uint64(b.b[atFirstTime:])),
		control:     b.attributes&attrControl != 0,
		sendersTime: b.attributes&attrLogAppendTime == 0,
	}
	if !in.sendersTime {
		in.appended = b.maxTime()
	}
	for range int(int32(binary.BigEndian.Uint32(b.b[atCount:]))) {
		r, err := in.read()
		if err != nil {
			return false, fmt.Errorf("a record of the batch at offset %d: %w", b.base, err)
		}
		if !fn(r) {
			return false, nil
		}
	}
	return true, nil
}

// open gives the bytes of the records.
func (b *batch) open(turn func() (func(), error)) (src recordSource, end func(), err error) {
	body := b.b[batchHeader:]
	codec := b.attributes & attrCodec
	if codec == 0 {
		return &here{body}, func() {}, nil
	}
	p, err := unpack(codec, body)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the batch at offset %d cannot be unpacked: %w", errMalformed, b.base, err)
	}
	end = p.end
	if p.wide && turn != nil {
		done, err := turn()
		if err != nil {
			p.end()
			return nil, nil, err
		}
		end = func() { p.end(); done() }
	}
	return newStream(p.Reader), end, nil
}

// maxRecord bounds the records that are held whole where no less is said.
const maxRecord = 32 << 20

// each calls fn with the records of a fetch from an offset on, until it returns
// false, and returns the offset after what was looked through. Where only what
// was committed is read, markers and the records of aborted transactions are
// left out. What cannot be read of a batch comes as one record that is bad; a
// batch that is damaged is a [*damageError].
func (f *fetched) each(from int64, committed bool, fn func(record) bool) (next int64, err error) {
	next = from
	dead := map[int64]bool{}
	pending := slices.Clone(f.abortedTransactions)
	limit := f.limit
	if limit == 0 {
		limit = maxRecord
	}
	for rest := f.records; len(rest) > 0; {
		b, more, ok, err := nextBatch(rest)
		if err == nil && !ok && len(rest) == len(f.records) {
			err = fmt.Errorf("%w: of a batch came only %d bytes", errMalformed, len(rest)) // the first comes whole
		}
		if err != nil {
			d := &damageError{last: next, stored: b.b, err: err}
			if b.base <= next && b.last > next && b.last < f.highWatermark {
				d.last = b.last
			}
			return next, d
		}
		if !ok {
			break
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
		if b.last < next {
			continue
		}
		all, err := b.records(limit, f.turn, func(r record) bool {
			if r.offset < from {
				return true
			}
			if !fn(r) {
				return false
			}
			next = r.offset + 1
			return true
		})
		switch {
		case err != nil && !unreadable(err):
			return next, err
		case err != nil && next <= b.last:
			if !fn(b.rest(err)) {
				return next, nil
			}
		case err == nil && !all:
			return next, nil
		}
		next = max(next, b.last+1)
	}
	return next, nil
}

// original is the message of a record.
func (r *record) original(topic string) bus.Original {
	o := bus.Original{Place: topic, Key: r.key, Headers: r.headers, Value: r.value}
	if o.Value == nil {
		o.Value = []byte{} // as an empty one: a command is neither
	}
	return o
}

// digest is what a position recognises the record by.
func (r *record) digest(topic string) string {
	if r.whole != nil {
		return r.whole.digest
	}
	o := r.original(topic)
	return bus.Digest(&o)
}

// size is how long a record's own bytes are.
func (r *record) size() int {
	n := len(r.key) + len(r.value)
	for i := range r.headers {
		n += len(r.headers[i].Name) + len(r.headers[i].Value)
	}
	return n
}

// own gives a record whose bytes are no part of a fetch, which would live as
// long as it. Of what is not here whole it keeps as much as a dead letter does.
func (r *record) own() record {
	out := *r
	if r.whole != nil && len(r.value) > keptOfLong {
		out.value = r.value[:keptOfLong]
	} else if r.bad != nil {
		out.whole = nil // its value is
	}
	out.key, out.value = bytes.Clone(r.key), bytes.Clone(out.value)
	out.headers = slices.Clone(r.headers)
	for i := range out.headers {
		out.headers[i].Value = bytes.Clone(out.headers[i].Value)
	}
	return out
}
