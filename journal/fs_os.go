package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// OS is the operating system's file system. It is what a nil FS stands for;
// tests wrap it.
type OS struct{}

// MkdirAll makes a directory, and makes each new name in a parent durable.
func (OS) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	var made []string // parents with a new name in them
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		made = append(made, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range made {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// List returns the names in a directory, directories left out.
func (OS) List(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(all))
	for _, e := range all {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Open opens a file to read.
func (OS) Open(name string) (File, error) { return openOS(name, os.O_RDONLY) }

// OpenWrite opens a file to read and write.
func (OS) OpenWrite(name string) (File, error) { return openOS(name, os.O_RDWR) }

// Create makes an empty file that only its owner can read.
func (OS) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Rename moves a file.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Link makes a hard link.
func (OS) Link(name, second string) error {
	err := os.Link(name, second)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) && !noSpace(err) {
		// Network and FAT file systems answer with all sorts of codes.
		return errors.Join(errors.ErrUnsupported, err)
	}
	return err
}

// Remove deletes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir makes the names in a directory durable.
func (OS) SyncDir(dir string) error { return syncDir(dir) }

// Lock locks a file, which it makes if it is not there.
func (OS) Lock(name string) (io.Closer, error) { return lockFile(name) }

// Free returns the bytes free for a process without privileges.
func (OS) Free(dir string) (int64, error) { return freeBytes(dir) }

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

func (f osFile) Sync() error { return dataSync(f.File) }

func (f osFile) Allocate(size int64) error { return allocate(f.File, size) }
