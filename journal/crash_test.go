package journal_test

import (
	"errors"
	"flag"
	"fmt"
	"testing"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
)

// exhaustive tries every state at every crash, which takes minutes.
var exhaustive = flag.Bool("exhaustive", false, "try every state of the disk at every crash, and more random ones")

// stride is how many crash points are passed over.
func stride(at int) int {
	if raced || testing.Short() {
		return at + 7
	}
	return at + 1
}

// workload is what a process does with a journal. It returns the first error.
type workload struct {
	name  string
	setup func(f *journaltest.FS)
	run   func(w *world, f *journaltest.FS, open func() (*journal.Journal, error)) error
}

var workloads = []workload{
	{
		name: "append and rotate",
		run: func(w *world, _ *journaltest.FS, open func() (*journal.Journal, error)) error {
			j, err := open()
			if err != nil {
				return err
			}
			defer j.Close()
			for i := range 12 {
				sizes := [][]int{{100}, {0, 30, 900}, {2500}, {1, 1, 1, 1, 1, 1, 1, 1}, {700, 700}}[i%5]
				if err := w.append(j, i%4 == 3, sizes...); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name: "snapshot, delete, reopen",
		run: func(w *world, _ *journaltest.FS, open func() (*journal.Journal, error)) error {
			for range 3 {
				j, err := open()
				if err != nil {
					return err
				}
				err = func() error {
					defer j.Close()
					for range 3 {
						if err := w.append(j, false, 1500, 1200); err != nil {
							return err
						}
					}
					if err := w.save(j, 1800); err != nil {
						return err
					}
					if err := w.append(j, false, 3000); err != nil {
						return err
					}
					return w.delete(j, j.Last()-2)
				}()
				if err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:  "disk full",
		setup: func(f *journaltest.FS) { f.Capacity(28 << 10) },
		run:   fillDisk,
	},
	{
		name: "disk full without allocation",
		setup: func(f *journaltest.FS) {
			f.Capacity(28 << 10)
			f.Without(false, true)
		},
		run: fillDisk,
	},
}

// fillDisk appends until the disk is full, writes what the reserve allows, goes
// on when others free some of it, and again after deleting.
func fillDisk(w *world, f *journaltest.FS, open func() (*journal.Journal, error)) error {
	j, err := open()
	if err != nil {
		return err
	}
	defer j.Close()
	fill := func() error {
		for range 20 {
			err := w.append(j, false, 1900, 300)
			if errors.Is(err, journal.ErrFull) {
				break
			}
			if err != nil {
				return err
			}
		}
		for range 3 {
			if err := w.append(j, true, 900); err != nil && !errors.Is(err, journal.ErrFull) {
				return err
			}
		}
		return nil
	}
	if err := fill(); err != nil {
		return err
	}
	f.Capacity(44 << 10)
	if err := fill(); err != nil {
		return err
	}
	if err := w.delete(j, j.Last()); err != nil {
		return err
	}
	return fill()
}

// runUntil runs the workload with the machine going off at an operation; -1 is never.
func (l workload) runUntil(at int) (*world, *journaltest.FS, journal.Options, error) {
	f := journaltest.NewFS()
	if l.setup != nil {
		l.setup(f)
	}
	f.CrashAt(at)
	w := newWorld()
	opts := small(f)
	err := l.run(w, f, func() (*journal.Journal, error) { return journal.Open(dir, opts) })
	return w, f, opts, err
}

// TestCrashAnywhere turns the machine off at every single operation of every
// workload, makes of it every state of the disk, and opens the journal again;
// and turns the machine off again at every operation of that opening.
func TestCrashAnywhere(t *testing.T) {
	random := 3
	if *exhaustive {
		random = 20
	}
	for _, l := range workloads {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			_, f, _, err := l.runUntil(-1)
			must(t, err)
			ops := f.Ops()
			cases := 0
			for at := 0; at < ops; at = stride(at) {
				w, f, opts, err := l.runUntil(at)
				if !f.Crashed() || err != nil && !errors.Is(err, journaltest.ErrCrashed) {
					t.Fatalf("crash at operation %d of %d: %v", at, ops, err)
				}
				for i, s := range journaltest.States(uint64(at)*1000, random) {
					cases++
					if err := w.reopen(f.Crash(s), opts); err != nil {
						t.Fatalf("crash at operation %d of %d, the disk has %v of it: %v", at, ops, s, err)
					}
					if i%5 != at%5 && !*exhaustive {
						continue
					}
					if n, err := crashAgain(w, f.Crash(s), opts); err != nil {
						t.Fatalf("crash at operation %d of %d, the disk has %v of it, and again: %v", at, ops, s, err)
					} else {
						cases += n
					}
				}
			}
			t.Logf("%d operations, %d states", ops, cases)
		})
	}
}

// crashAgain turns the machine off at each operation of the recovery.
func crashAgain(w *world, disk *journaltest.FS, opts journal.Options) (cases int, err error) {
	for at := 0; ; at++ {
		f := disk.Clone()
		f.CrashAt(at)
		opts.FS = f
		j, err := journal.Open(dir, opts)
		if err == nil {
			crashed := f.Crashed() // in something that Open can do without
			f.CrashAt(-1)
			err := j.Close()
			if !crashed {
				return cases, err
			}
		} else if !errors.Is(err, journaltest.ErrCrashed) {
			return cases, err
		}
		for i, s := range journaltest.States(uint64(at), 2) {
			if i%4 != at%4 && i != 1 && !*exhaustive {
				continue
			}
			cases++
			if err := w.reopen(f.Crash(s), opts); err != nil {
				return cases, fmt.Errorf("at operation %d, %v of it on disk: %w", at, s, err)
			}
		}
	}
}

// TestKillAnywhere ends the process at every operation; what it wrote is still
// in the page cache. The next one goes on, and then the power is cut.
func TestKillAnywhere(t *testing.T) {
	for _, l := range workloads {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			_, f, _, err := l.runUntil(-1)
			must(t, err)
			for at, ops := 0, f.Ops(); at < ops; at = stride(at) {
				w, f, opts, _ := l.runUntil(at)
				f.Kill()
				if err := w.afterKill(f, opts); err != nil {
					t.Fatalf("kill at operation %d: %v", at, err)
				}
			}
		})
	}
}

// afterKill goes on after the end of a process, then cuts the power.
func (w *world) afterKill(f *journaltest.FS, opts journal.Options) error {
	opts.FS = f
	j, err := journal.Open(dir, opts)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer j.Close()
	all, err := w.check(j)
	if err != nil {
		return err
	}
	w = w.clone()
	w.see(all)
	for range 4 {
		if err := w.append(j, true, 1500, 20); err != nil && !errors.Is(err, journal.ErrFull) {
			return fmt.Errorf("append: %w", err)
		}
		for i, s := range journaltest.States(1, 1) {
			if i%3 != 0 && !*exhaustive {
				continue
			}
			if err := w.reopen(f.Crash(s), opts); err != nil {
				return fmt.Errorf("then a power cut, %v on disk: %w", s, err)
			}
		}
	}
	return nil
}

// TestFailedSync lets every single sync fail. The journal must fail for ever,
// and neither the next process nor a power cut after it may lose what was
// acknowledged, by either of them.
func TestFailedSync(t *testing.T) {
	eio := errors.New("input/output error")
	for _, l := range workloads {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			_, f, _, err := l.runUntil(-1)
			must(t, err)
			for at, ops := 0, f.Ops(); at < ops; at = stride(at) {
				f := journaltest.NewFS()
				if l.setup != nil {
					l.setup(f)
				}
				failed := false
				f.Fault(func(op journaltest.Op) error {
					if op.N == at && (op.Kind == journaltest.OpSync || op.Kind == journaltest.OpSyncDir) {
						failed = true
						return eio
					}
					return nil
				})
				w := newWorld()
				opts := small(f)
				err := l.run(w, f, func() (*journal.Journal, error) { return journal.Open(dir, opts) })
				if !failed {
					continue
				}
				if !errors.Is(err, eio) && err != nil {
					t.Fatalf("sync %d fails: %v", at, err)
				}
				f.Kill()
				if err := w.afterKill(f, opts); err != nil {
					t.Fatalf("sync %d fails: %v", at, err)
				}
			}
		})
	}
}
