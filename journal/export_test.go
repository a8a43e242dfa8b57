package journal

import (
	"encoding/binary"
	"time"
)

// WithMarkAfter sets how long the log is idle before its end is marked.
func (o Options) WithMarkAfter(d time.Duration) Options {
	o.markAfter = d
	return o
}

// SetVersion changes the format version in a segment's header or trailer.
func SetVersion(b []byte, version uint32) {
	binary.LittleEndian.PutUint32(b[8:], version)
	binary.LittleEndian.PutUint32(b[12:], checksumExcept(b, 12))
}
