package journal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/timbridge/timbridge/journal"
)

// TestTmpfs fills a real volume to its last block, and frees it again.
func TestTmpfs(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a tmpfs cannot be mounted here, only root can: %v", err)
	}
	defer func() { must(t, syscall.Unmount(mount, 0)) }()
	for _, reserve := range []int64{-1, 512 << 10} {
		dir := filepath.Join(mount, "journal")
		opts := journal.Options{SegmentBytes: 1 << 20, Reserve: reserve, HighWater: -1}
		if reserve < 0 {
			opts.HighWater = 512 << 10
		}
		j, err := journal.Open(dir, opts)
		must(t, err)
		w := newWorld()
		for err = nil; err == nil; {
			err = w.append(j, false, 3000, 9000)
		}
		if !errors.Is(err, journal.ErrFull) {
			t.Fatal(err)
		}
		// Others take what is left.
		ballast := filepath.Join(mount, "ballast")
		if reserve > 0 {
			err = os.WriteFile(ballast, []byte(strings.Repeat("x", 8<<20)), 0o600)
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("the ballast: %v", err)
			}
		}
		n := 0
		for ; ; n++ {
			if err = w.append(j, true, 10000); err != nil {
				break
			}
		}
		if !errors.Is(err, journal.ErrFull) || n < 40 {
			t.Errorf("the reserve held %d appends: %v", n, err)
		}
		must(t, j.Close())
		j, err = journal.Open(dir, opts)
		must(t, err)
		if _, err := w.check(j); err != nil {
			t.Error(err)
		}
		_ = os.Remove(ballast)
		w.mayDelete = j.Last()
		must(t, w.delete(j, j.Last()-20))
		must(t, j.Writable(context.Background()))
		for range 100 {
			must(t, w.append(j, false, 10000))
		}
		if _, err := w.check(j); err != nil {
			t.Error(err)
		}
		must(t, j.Close())
		must(t, os.RemoveAll(dir))
	}
}

// TestSealedSegmentsGiveBackTheirReserve looks at the blocks a journal takes.
func TestSealedSegmentsGiveBackTheirReserve(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.Options{SegmentBytes: 1 << 20, Reserve: 4 << 20})
	must(t, err)
	defer j.Close()
	for range 500 {
		appendFacts(t, j, strings.Repeat("x", 10_000))
	}
	var blocks int64
	for _, s := range j.Segments() {
		info, err := os.Stat(filepath.Join(dir, s.Name))
		must(t, err)
		blocks += info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	s := j.Stats()
	if s.Reserve == 0 {
		t.Skip("this file system does not allocate ahead")
	}
	if over := blocks - s.Bytes - s.Reserve; over > 1<<20 {
		t.Errorf("%d bytes in %d segments take %d", s.Bytes, s.Segments, blocks)
	}
}
