package journaltest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// file is a handle.
type file struct {
	fs     *FS
	node   *node
	name   string
	write  bool
	epoch  int
	closed bool
}

func (h *file) alive() error {
	switch {
	case h.fs.crashed:
		return ErrCrashed
	case h.closed || h.epoch != h.fs.epoch:
		return fmt.Errorf("%s: %w", h.name, fs.ErrClosed)
	}
	return nil
}

// ReadAt reads from the live view.
func (h *file) ReadAt(b []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.alive(); err != nil {
		return 0, err
	}
	if off >= int64(len(h.node.live)) {
		return 0, io.EOF
	}
	n := copy(b, h.node.live[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes as much as there is space for.
func (h *file) WriteAt(b []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.alive(); err != nil {
		return 0, err
	}
	if !h.write {
		return 0, fmt.Errorf("%s: %w", h.name, fs.ErrPermission)
	}
	apply, err := h.fs.begin(OpWrite, h.name, off, int64(len(b)))
	n := len(b)
	if err != nil && errors.Is(err, syscall.ENOSPC) {
		apply, n = true, n/2
	}
	if apply && err == nil && h.fs.capacity >= 0 {
		if room := max(0, h.node.blocks()+max(0, h.fs.free())/blockSize*blockSize-off); int64(n) > room {
			n = int(room)
			err = &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
		}
	}
	if apply && n > 0 {
		h.node.edit(edit{off, append([]byte(nil), b[:n]...)})
	}
	if err != nil {
		return n, err
	}
	return n, nil
}

// Close closes the handle.
func (h *file) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return fmt.Errorf("%s: %w", h.name, fs.ErrClosed)
	}
	h.closed = true
	return nil
}

// Size returns the live length.
func (h *file) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.alive(); err != nil {
		return 0, err
	}
	return int64(len(h.node.live)), nil
}

// Truncate sets the length.
func (h *file) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.alive(); err != nil {
		return err
	}
	apply, err := h.fs.begin(OpTruncate, h.name, 0, size)
	if apply {
		h.node.truncate(size)
	}
	return err
}

// Sync makes contents and length durable.
func (h *file) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.alive(); err != nil {
		return err
	}
	if _, err := h.fs.begin(OpSync, h.name, 0, 0); err != nil {
		if !h.fs.crashed {
			h.node.pending = nil
		}
		return err
	}
	for _, e := range h.node.pending {
		h.node.disk = e.apply(h.node.disk)
	}
	h.node.pending = nil
	return nil
}

// Allocate takes blocks.
func (h *file) Allocate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.alive(); err != nil {
		return err
	}
	if h.fs.noAlloc {
		return errors.ErrUnsupported
	}
	if _, err := h.fs.begin(OpAllocate, h.name, 0, size); err != nil {
		return err
	}
	if more := roundUp(size) - h.node.blocks(); h.fs.capacity >= 0 && more > max(0, h.fs.free()) {
		return &fs.PathError{Op: "allocate", Path: h.name, Err: syscall.ENOSPC}
	}
	h.node.allocated = max(h.node.allocated, size)
	return nil
}
