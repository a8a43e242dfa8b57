package journal

import "context"

// Reader reads entries in order. It belongs to one goroutine at a time; Close
// may be called from another.
type Reader struct{}

// Read returns a reader of the entries from a position on; 0 means the first
// there is. It does no work before Next.
func (j *Journal) Read(from uint64) *Reader { return &Reader{} }

// Next returns the next entries, at least one, at most max and no more than
// maxBytes of bodies (unless the first alone is larger); 0 means a thousand and
// a megabyte. At the end it waits for the next append, and sees it only once it
// is durable. It returns ctx's error, a [*DeletedError], a [*CorruptError],
// ErrFailed or ErrClosed; after ctx's error the reader can go on.
func (r *Reader) Next(ctx context.Context, max, maxBytes int) ([]Entry, error) {
	return nil, errUnwritten
}

// Position returns the lowest position Next will return.
func (r *Reader) Position() uint64 { return 0 }

// Close ends the reader; a Next that waits returns ErrClosed.
func (r *Reader) Close() error { return nil }

// Scan calls fn for the entries from a position on (0: the first there is) up
// to the last one at the time of the call, and ends early with fn's error.
func (j *Journal) Scan(from uint64, fn func(Entry) error) error { return errUnwritten }
