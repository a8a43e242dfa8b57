package journal

import "time"

// Defaults of Options.
const (
	DefaultSegmentBytes  = 64 << 20
	DefaultMaxEntryBytes = 4 << 20
	DefaultHighWater     = 64 << 20
	DefaultReserve       = 16 << 20
)

// MaxBatchBytes is the most that the bodies of one Append may have together,
// framing included: recovery reads a commit as a whole.
const MaxBatchBytes = 64 << 20

// Options are the settings of a journal; the zero value holds the defaults.
type Options struct {
	// FS is the file system; nil is the operating system's.
	FS FS
	// SegmentBytes is the size at which a segment is sealed and the next one
	// begun; 0 means DefaultSegmentBytes. A segment can be larger by one commit,
	// and by more while the disk is full.
	SegmentBytes int64
	// MaxEntryBytes bounds one body; 0 means DefaultMaxEntryBytes.
	MaxEntryBytes int
	// MaxDiskBytes bounds what segments and snapshots take together; 0 means no
	// bound. Ordinary appends stop Reserve bytes below it.
	MaxDiskBytes int64
	// HighWater is how many bytes must be free on the volume for ordinary
	// appends; 0 means DefaultHighWater, a negative value no mark.
	HighWater int64
	// Reserve is the space kept for AppendReserved; 0 means DefaultReserve, a
	// negative value none. It is allocated ahead of the log's end where the
	// file system can do that, so that nobody else can take it.
	Reserve int64
	// Now gives the time of entries; nil means time.Now.
	Now func() time.Time
	// Hook, if not nil, is called at named steps, for tests that end the process
	// there: "synced" (a commit is on disk, its appends not yet told),
	// "rotated" (the next segment is there, the old one sealed), "snapshot"
	// (written and checked, not yet renamed), "segment_deleted" (the first of the
	// segments to delete is gone). It is called from the goroutine that does
	// the step, which waits for it; it must not call the journal.
	Hook func(point string)

	// markAfter is the constant of that name, for tests.
	markAfter time.Duration
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = OS{}
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	if o.MaxEntryBytes <= 0 {
		o.MaxEntryBytes = DefaultMaxEntryBytes
	}
	if o.HighWater == 0 {
		o.HighWater = DefaultHighWater
	}
	o.HighWater = max(o.HighWater, 0)
	if o.Reserve == 0 {
		o.Reserve = DefaultReserve
	}
	o.Reserve = max(o.Reserve, 0)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.markAfter == 0 {
		o.markAfter = markAfter
	}
	return o
}
