package journal

import "io"

// FS is what the journal needs of a file system. Names are full paths. What the
// journal relies on, call by call, is written in README.md; journaltest has an
// implementation that fails, tears, reorders and forgets.
type FS interface {
	// MkdirAll makes a directory and its parents; one that is there is no error.
	MkdirAll(dir string) error
	// List returns the names of the files in a directory, in any order.
	// The error matches fs.ErrNotExist if there is no such directory.
	List(dir string) ([]string, error)
	// Open opens a file to read; the error matches fs.ErrNotExist if it is not there.
	Open(name string) (File, error)
	// OpenWrite opens a file that is there to read and write.
	OpenWrite(name string) (File, error)
	// Create makes an empty file, or empties one, to read and write.
	Create(name string) (File, error)
	// Rename moves a file, replacing what has the new name, at once or not at all.
	Rename(from, to string) error
	// Link gives a file a second name. The error matches errors.ErrUnsupported
	// where there are no links.
	Link(name, second string) error
	// Remove deletes a file.
	Remove(name string) error
	// SyncDir returns when the names in a directory are durable.
	SyncDir(dir string) error
	// Lock takes the lock of that name for this process, or returns ErrLocked.
	// Closing it, or the end of the process, however it ends, frees it.
	Lock(name string) (io.Closer, error)
	// Free returns the bytes a process may still take on the directory's volume.
	// The error matches errors.ErrUnsupported where it cannot be told.
	Free(dir string) (int64, error)
}

// File is an open file. ReadAt may be called at once from several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the length in bytes.
	Size() (int64, error)
	// Truncate sets the length, and gives back what was allocated beyond it.
	Truncate(size int64) error
	// Sync returns when contents and length are durable (fdatasync).
	Sync() error
	// Allocate takes the blocks of the first size bytes, without changing the
	// length. The error matches errors.ErrUnsupported where that cannot be done.
	Allocate(size int64) error
}
