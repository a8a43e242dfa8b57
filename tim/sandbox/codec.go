package sandbox

import (
	"encoding/binary"
	"errors"
)

// What goes into the journal and its snapshots is written with these few
// functions: unsigned varints, and bytes with their length before them.

var errShort = errors.New("sandbox: entry ends too early or is not understood")

// encoder appends to a buffer.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)  { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) time(v int64)   { e.uint(uint64(v)) }
func (e *encoder) bytes(v []byte) { e.uint(uint64(len(v))); e.b = append(e.b, v...) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func putString[S ~string](e *encoder, v S) { e.uint(uint64(len(v))); e.b = append(e.b, v...) }

func putStrings[S ~string](e *encoder, v []S) {
	e.uint(uint64(len(v)))
	for _, s := range v {
		putString(e, s)
	}
}

// decoder reads from a buffer. After the first mistake it gives zero values
// only, so that the caller looks at err once.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() { d.b, d.err = nil, errShort }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) time() int64 { return int64(d.uint()) }

func (d *decoder) bool() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

// bytes shares memory with the buffer.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// count reads the length of a list whose items take at least one byte each.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func getString[S ~string](d *decoder) S { return S(d.bytes()) }

func getStrings[S ~string](d *decoder) []S {
	n := d.count()
	if n == 0 {
		return nil
	}
	v := make([]S, 0, n)
	for range n {
		v = append(v, getString[S](d))
	}
	return v
}

// end is the error, or that something is left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return d.err
}
