package journal_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
)

// child appends until it is killed, and says what was acknowledged.
func child(dir string) {
	j, err := journal.Open(dir, journal.Options{SegmentBytes: 256 << 10})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("open")
	var mu sync.Mutex
	base := int(j.Last())
	for i := range 8 {
		go func() {
			r := rand.New(rand.NewPCG(uint64(base), uint64(i)))
			for n := base*1000 + i; ; n += 8 {
				entries := make([]journal.Entry, 1+r.IntN(5))
				for i := range entries {
					entries[i] = journal.Entry{Kind: journal.KindFact, Body: body(n, i, len(entries), r.IntN(3000))}
				}
				first, err := j.Append(context.Background(), entries)
				if err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println("ack", first, n, len(entries))
				mu.Unlock()
				if i == 0 && n%64 == 0 {
					_ = j.SaveSnapshot(context.Background(), snapshot(j.Last(), "body"))
				}
			}
		}()
	}
	select {}
}

// TestKill kills a process that appends, on a real file system, again and again.
func TestKill(t *testing.T) {
	exe, err := os.Executable()
	must(t, err)
	dir := filepath.Join(t.TempDir(), "a", "journal")
	acked := map[uint64]string{} // by first position: number and count
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		cmd := exec.Command(exe, "-test.run=^$")
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "open" {
			t.Fatalf("the child said %q", lines.Text())
		}
		time.AfterFunc(time.Duration(20+rand.IntN(150))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			var first uint64
			var number, n int
			// The last line can be cut by the kill.
			if _, err := fmt.Sscanf(lines.Text()+"\n", "ack %d %d %d\n", &first, &number, &n); err == nil {
				acked[first] = fmt.Sprint(number, n)
			} else if strings.HasPrefix(lines.Text(), "error") {
				t.Fatal(lines.Text())
			}
		}
		_ = cmd.Wait()

		if r, err := journal.Inspect(dir, nil); err != nil || !r.OK() {
			t.Fatalf("round %d: inspect: %+v, %v", round, r.Damage, err)
		}
		j, err := journal.Open(dir, journal.Options{SegmentBytes: 256 << 10})
		must(t, err)
		next := uint64(1)
		found := 0
		left := 0 // entries of the append that is being read
		must(t, j.Scan(0, func(e journal.Entry) error {
			number, i, n, size, err := parseBody(e.Body)
			if err != nil || e.Position != next || !bytes.Equal(e.Body, body(number, i, n, size)) || (i != 0) != (left > 0) {
				return fmt.Errorf("position %d instead of %d, entry %d of %d: %v", e.Position, next, i, n, err)
			}
			next++
			left = n - i - 1
			if i == 0 {
				if want, ok := acked[e.Position]; ok && want == fmt.Sprint(number, n) {
					found++
				}
			}
			return nil
		}))
		if found != len(acked) || left != 0 {
			t.Fatalf("round %d: %d of %d acknowledged appends are there", round, found, len(acked))
		}
		if _, errs := j.Snapshots(); len(errs) > 0 {
			t.Error(errs)
		}
		must(t, j.Close())
	}
	t.Logf("%d acknowledged appends", len(acked))
}

func TestOS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var o journal.OS
	must(t, o.MkdirAll(dir))
	must(t, o.MkdirAll(dir))
	if _, err := o.Open(filepath.Join(dir, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if _, err := o.List(filepath.Join(dir, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list: %v", err)
	}
	name := filepath.Join(dir, "f")
	f, err := o.Create(name)
	must(t, err)
	must(t, second(f.WriteAt([]byte("hello"), 0)))
	if err := f.Allocate(1 << 20); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	must(t, f.Sync())
	if n, err := f.Size(); n != 5 || err != nil {
		t.Errorf("allocating changed the length to %d, %v", n, err)
	}
	must(t, f.Truncate(3))
	must(t, f.Close())
	if err := o.Link(name, filepath.Join(dir, "g")); err != nil {
		t.Error(err)
	}
	if err := o.Link(name, filepath.Join(dir, "g")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("link to a name that is there: %v", err)
	}
	must(t, o.Rename(name, filepath.Join(dir, "h")))
	must(t, o.SyncDir(dir))
	if names, err := o.List(dir); err != nil || fmt.Sprint(names) != "[g h]" {
		t.Errorf("names %v, %v", names, err)
	}
	must(t, o.Remove(filepath.Join(dir, "h")))
	if free, err := o.Free(dir); err != nil && !errors.Is(err, errors.ErrUnsupported) || err == nil && free <= 0 {
		t.Errorf("free: %d, %v", free, err)
	}
	lock, err := o.Lock(filepath.Join(dir, "LOCK"))
	must(t, err)
	if _, err := o.Lock(filepath.Join(dir, "LOCK")); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	must(t, lock.Close())
	if info, err := os.Stat(filepath.Join(dir, "g")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
