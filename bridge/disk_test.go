package bridge

import (
	"errors"
	"sync/atomic"

	"github.com/timbridge/timbridge/journal"
)

// failingDisk is a file system that cannot make anything durable once broken.
type failingDisk struct {
	journal.OS
	broken atomic.Bool
}

type failingFile struct {
	journal.File
	disk *failingDisk
}

func (d *failingDisk) Create(name string) (journal.File, error) {
	f, err := d.OS.Create(name)
	return failingFile{f, d}, err
}

func (d *failingDisk) OpenWrite(name string) (journal.File, error) {
	f, err := d.OS.OpenWrite(name)
	return failingFile{f, d}, err
}

func (f failingFile) Sync() error {
	if f.disk.broken.Load() {
		return errors.New("the disk no longer spins")
	}
	return f.File.Sync()
}
