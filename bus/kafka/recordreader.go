package kafka

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/timbridge/timbridge/bus"
)

// keptOfLong is how much is kept of a record that is too long to be held.
const keptOfLong = 64 << 10

// recordSource gives the bytes of a batch's records in their order.
type recordSource interface {
	io.Reader
	io.ByteReader
	// take gives the next bytes; they may belong to the fetch.
	take(n int) ([]byte, error)
}

// here is a source that lies in memory.
type here struct{ b []byte }

// ReadByte reads one byte.
func (h *here) ReadByte() (byte, error) {
	if len(h.b) == 0 {
		return 0, io.EOF
	}
	c := h.b[0]
	h.b = h.b[1:]
	return c, nil
}

// Read reads some.
func (h *here) Read(p []byte) (int, error) {
	if len(h.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, h.b)
	h.b = h.b[n:]
	return n, nil
}

func (h *here) take(n int) ([]byte, error) {
	if n > len(h.b) {
		return nil, io.ErrUnexpectedEOF
	}
	out := h.b[:n:n]
	h.b = h.b[n:]
	return out, nil
}

// stream is a source that is unpacked while it is read.
type stream struct{ *bufio.Reader }

func newStream(r io.Reader) *stream {
	return &stream{bufio.NewReaderSize(&bounded{r: r, left: maxUnpacked}, 32<<10)}
}

func (s *stream) take(n int) ([]byte, error) {
	const atOnce = 1 << 20 // more must have come before it is believed
	if n <= atOnce {
		out := make([]byte, n)
		_, err := io.ReadFull(s, out)
		return out, err
	}
	var out bytes.Buffer
	_, err := io.CopyN(&out, s, int64(n))
	return out.Bytes(), err
}

// recordReader reads the records of a batch one by one.
type recordReader struct {
	src         recordSource
	limit       int
	base, last  int64
	next        int64 // the least offset that the next may have
	first       int64
	appended    time.Time
	control     bool
	sendersTime bool
}

// brokenError is of a batch whose content cannot be read, now or ever.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// unreadable says that an error is the batch's own.
func unreadable(err error) bool {
	var broken *brokenError
	return errors.As(err, &broken) || errors.Is(err, errMalformed)
}

func (in *recordReader) read() (record, error) {
	size, err := binary.ReadVarint(in.src)
	if err != nil {
		return record{}, brokenOff(err)
	}
	if size < 0 {
		return record{}, errMalformed
	}
	if size > int64(in.limit) {
		return in.long(size)
	}
	b, err := in.src.take(int(size))
	if err != nil {
		return record{}, brokenOff(err)
	}
	d := wireDecoder{b: b}
	d.int8()
	at, delta := d.varint(), d.varint()
	r := in.record(at, delta)
	r.key, r.value = d.field(), d.field()
	headers := d.varint()
	if headers < 0 || headers > int64(len(d.b)) {
		d.fail()
		headers = 0
	}
	for range headers {
		h := bus.Header{Name: string(d.field()), Value: d.field()}
		if h.Value == nil {
			h.Value = []byte{}
		}
		if d.err != nil {
			break
		}
		r.headers = append(r.headers, h)
	}
	if d.err != nil {
		return record{}, d.err
	}
	return r, in.follows(&r)
}

func (in *recordReader) record(at, delta int64) record {
	r := record{offset: in.base + delta, time: in.appended, control: in.control, sendersTime: in.sendersTime}
	if in.sendersTime {
		r.time = time.UnixMilli(in.first + at).UTC()
	}
	return r
}

// follows makes sure that a record does not lead past others.
func (in *recordReader) follows(r *record) error {
	if r.offset < in.next || r.offset > in.last {
		return fmt.Errorf("%w: its offset is %d", errMalformed, r.offset)
	}
	in.next = r.offset + 1
	return nil
}

// long reads the beginning of a record that is too long, its size and its hash.
func (in *recordReader) long(size int64) (record, error) {
	all := &io.LimitedReader{R: in.src, N: size}
	head := bufio.NewReaderSize(all, 16) // no more than the smallest there is
	if _, err := head.ReadByte(); err != nil {
		return record{}, brokenOff(err)
	}
	at, err := binary.ReadVarint(head)
	if err != nil {
		return record{}, brokenOff(err)
	}
	delta, err := binary.ReadVarint(head)
	if err != nil {
		return record{}, brokenOff(err)
	}
	r := in.record(at, delta)
	if err := in.follows(&r); err != nil {
		return record{}, err
	}
	sum := sha256.New()
	counted := &counter{r: io.TeeReader(head, sum)}
	rest := bufio.NewReader(counted)
	in.beginning(rest, &r)
	if _, err := io.Copy(io.Discard, rest); err != nil {
		return record{}, brokenOff(err)
	}
	if all.N > 0 {
		return record{}, brokenOff(io.ErrUnexpectedEOF)
	}
	r.whole = &whole{size: counted.n, digest: hex.EncodeToString(sum.Sum(nil))}
	return r, nil
}

// beginning reads as much of a record as is kept. Whatever is wrong with it, it
// is too long anyway.
func (in *recordReader) beginning(src *bufio.Reader, r *record) {
	room := int64(keptOfLong)
	field := func() (b []byte, ok bool) {
		n, err := binary.ReadVarint(src)
		if err != nil || n < 0 {
			return nil, err == nil
		}
		b = make([]byte, min(n, room))
		room -= int64(len(b))
		if _, err := io.ReadFull(src, b); err != nil {
			return nil, false
		}
		_, err = io.CopyN(io.Discard, src, n-int64(len(b)))
		return b, err == nil
	}
	var ok bool
	if r.key, ok = field(); !ok {
		return
	}
	if r.value, ok = field(); !ok {
		return
	}
	headers, err := binary.ReadVarint(src)
	for ; err == nil && headers > 0 && room > 0; headers-- {
		name, ok := field()
		if !ok {
			return
		}
		value, ok := field()
		if !ok {
			return
		}
		if value == nil {
			value = []byte{}
		}
		r.headers = append(r.headers, bus.Header{Name: string(name), Value: value})
		room -= 64 // what it takes beside its bytes
	}
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// brokenOff is the error of records that end too early, or cannot be unpacked.
func brokenOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is not all there", errMalformed)
	}
	return &brokenError{fmt.Errorf("it cannot be unpacked: %w", err)}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
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
