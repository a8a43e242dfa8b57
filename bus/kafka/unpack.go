package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"

	"github.com/timbridge/timbridge/bus"
)

// What a few bytes, compressed by whoever may write to a topic, can make us hold:
// a batch is unpacked as a stream, which needs what its codec looks back on.
const (
	// narrow is how far a codec may look back without asking. What producers
	// write does not, but for zstd at its highest levels.
	narrow = 8 << 20
	// widest is what Kafka's own consumers take; such batches take turns.
	widest = 128 << 20
	// maxUnpacked bounds the time that one batch takes.
	maxUnpacked = 1 << 30
	// snappyRatio is more than snappy can spare.
	snappyRatio = 32
)

// packed is the body of a batch that is compressed.
type packed struct {
	io.Reader
	end func()
	// wide says that it looks further back than narrow.
	wide bool
}

// unpack gives the body of a batch as a stream; it must be ended.
func unpack(codec int16, body []byte) (packed, error) {
	switch c := compress.Compression(codec); c {
	case compress.Gzip, compress.Lz4: // whose windows are small whatever they say
		r := c.Codec().NewReader(bytes.NewReader(body))
		return packed{Reader: r, end: func() { _ = r.Close() }}, nil // only read from
	case compress.Snappy:
		return unsnap(body)
	case compress.Zstd:
		window := uint64(narrow)
		if lookBack(body) > narrow {
			window = widest
		}
		d, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
		if err != nil {
			return packed{}, fmt.Errorf("zstd: %w", err)
		}
		return packed{Reader: d, end: d.Close, wide: window > narrow}, nil
	}
	return packed{}, fmt.Errorf("compression %d is not known", codec)
}

// lookBack is how far back the first frame of zstd may look. What cannot be told
// from it may be anything.
func lookBack(body []byte) uint64 {
	var h zstd.Header
	switch err := h.Decode(body); {
	case err != nil || h.Skippable:
		return widest
	case h.SingleSegment:
		return h.FrameContentSize
	}
	return h.WindowSize
}

// Kafka's Java clients write snappy in the frames of a library for streams,
// others as one block.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

var errSnappy = errors.New("snappy: it is damaged")

// snapped reads blocks of snappy.
type snapped struct {
	blocks [][]byte
	out    []byte // of the block read from now
	buf    []byte
}

func unsnap(body []byte) (packed, error) {
	s := &snapped{blocks: [][]byte{body}}
	if bytes.HasPrefix(body, xerial) {
		if len(body) < xerialHeader {
			return packed{}, errSnappy
		}
		s.blocks = nil
		for rest := body[xerialHeader:]; len(rest) > 0; {
			if len(rest) < 4 {
				return packed{}, errSnappy
			}
			n := uint64(binary.BigEndian.Uint32(rest))
			if rest = rest[4:]; n > uint64(len(rest)) {
				return packed{}, errSnappy
			}
			s.blocks, rest = append(s.blocks, rest[:n]), rest[n:]
		}
	}
	wide := false
	for _, b := range s.blocks {
		n, err := snappy.DecodedLen(b)
		if err != nil || n > snappyRatio*len(b) {
			return packed{}, errSnappy
		}
		wide = wide || n > narrow
	}
	return packed{Reader: s, end: func() {}, wide: wide}, nil
}

// Read reads what was packed.
func (s *snapped) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		if len(s.blocks) == 0 {
			return 0, io.EOF
		}
		out, err := snappy.Decode(s.buf[:cap(s.buf)], s.blocks[0])
		if err != nil {
			return 0, fmt.Errorf("snappy: %w", err)
		}
		s.blocks, s.buf, s.out = s.blocks[1:], out, out
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

// bounded ends a stream with an error where it becomes too long.
type bounded struct {
	r    io.Reader
	left int64
}

var errUnpacked = fmt.Errorf("%w: the batch takes more than %d MiB when it is unpacked", bus.ErrLimit, maxUnpacked>>20)

// Read reads up to the bound.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errUnpacked
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
