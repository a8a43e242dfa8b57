package journal

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lockFile opens a file that nobody else can open meanwhile.
func lockFile(name string) (io.Closer, error) {
	p, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(p, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		const sharingViolation = syscall.Errno(32)
		if err == sharingViolation {
			return nil, ErrLocked
		}
		return nil, &os.PathError{Op: "lock", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}

// syncDir does nothing: a directory cannot be synced here, NTFS journals names
// by itself.
func syncDir(string) error { return nil }

func noSpace(err error) bool {
	const diskFull = syscall.Errno(112)
	return errors.Is(err, diskFull)
}
