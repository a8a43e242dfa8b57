//go:build !windows && (!unix || solaris || illumos || aix)

package journal

import (
	"errors"
	"io"
	"syscall"
)

// lockFile refuses: without a lock two processes would write to one journal.
func lockFile(string) (io.Closer, error) { return nil, errors.ErrUnsupported }

func syncDir(string) error { return nil }

func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) }
