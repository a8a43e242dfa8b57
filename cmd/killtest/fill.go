package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	volumeBytes     = 192 << 20
	volumeHighWater = 16 << 20
	volumeReserve   = 8 << 20
	// fillTimes is how often the volume is filled in one run.
	fillTimes = 3
)

// volume is a small file system that can be filled.
type volume struct{ dir string }

// newVolume mounts one on dir.
func newVolume(dir string) (*volume, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := mountTmpfs(dir, volumeBytes); err != nil {
		return nil, &lacksError{fmt.Errorf("a small tmpfs has to be mounted on %s, which takes root: %w", dir, err)}
	}
	return &volume{dir}, nil
}

// close unmounts it. A run that failed leaves it mounted, with what is on it.
func (v *volume) close() error {
	if v == nil {
		return nil
	}
	return unmount(v.dir)
}

func (v *volume) ballast() string { return filepath.Join(v.dir, "ballast") }

// fill takes all that is free, and what becomes free meanwhile, until ctx ends.
func (v *volume) fill(ctx context.Context) error {
	f, err := os.OpenFile(v.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	chunk := make([]byte, 64<<10)
	for size := len(chunk); ctx.Err() == nil; {
		_, err := f.Write(chunk[:size])
		switch {
		case err == nil:
		case !errors.Is(err, syscall.ENOSPC):
			return err
		case size > 1:
			size /= 2 // to the last byte
		default:
			size = len(chunk)
			wait(ctx, 20*time.Millisecond)
		}
	}
	return nil
}

func (v *volume) free() error { return os.Remove(v.ballast()) }

// fillUp fills the bridge's volume and frees it again, a few times.
func (h *house) fillUp(ctx context.Context) error {
	for i := range fillTimes {
		wait(ctx, 5*time.Second) // of load
		if err := h.fillOnce(ctx, i); err != nil {
			return fmt.Errorf("the volume filled for the %d. time: %w", i+1, err)
		}
	}
	wait(ctx, 5*time.Second) // of load
	return h.alive()
}

func (h *house) fillOnce(ctx context.Context, round int) error {
	began := time.Now()
	filling, stop := context.WithCancel(ctx)
	defer stop()
	filled := make(chan error, 1)
	go func() { filled <- h.volume.fill(filling) }()

	noticed, err := h.awaitTrouble(ctx, "full")
	if err == nil && round == fillTimes-1 {
		// Once it also dies while there is no room, and has to come up with none.
		err = errors.Join(h.bridges[0].kill(), h.bridges[0].start())
		if err == nil {
			_, err = h.awaitTrouble(ctx, "full")
		}
	}
	if err == nil {
		err = h.stayTroubled(ctx, "full", time.Until(began.Add(h.lasts)))
	}
	_, why := h.ready(ctx)
	stop()
	if err := errors.Join(err, <-filled, h.alive()); err != nil {
		return err
	}
	if err := h.volume.free(); err != nil {
		return err
	}
	took, err := h.awaitBack(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("the volume was full for %s: told after %s, ready again after %s; at the end of it: %s\n", time.Since(began).Round(time.Second),
		noticed.Round(time.Millisecond), took.Round(time.Millisecond), strings.Join(strings.Fields(reasons(why)), " "))
	return nil
}
