package egress

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// disk is a journal whose disk a test fills and frees, or breaks.
type disk struct {
	*journal.Journal
	mu     sync.Mutex
	freed  chan struct{} // not nil while it is full
	broken error
}

func (d *disk) state() (chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.freed, d.broken
}

func (d *disk) fill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.freed = make(chan struct{})
}

func (d *disk) free() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.freed)
	d.freed = nil
}

func (d *disk) Append(ctx context.Context, entries []journal.Entry) (uint64, error) {
	full, broken := d.state()
	switch {
	case broken != nil:
		return 0, broken
	case full != nil:
		return 0, journal.ErrFull
	}
	return d.Journal.Append(ctx, entries)
}

func (d *disk) Writable(ctx context.Context) error {
	full, broken := d.state()
	if full == nil {
		return broken
	}
	select {
	case <-full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		var d *disk
		r.wrap = func(j *journal.Journal) Journal { d = &disk{Journal: j}; return d }
		r.im.script = func(c call) answer {
			if c.text == "slow" {
				return answer{delay: time.Minute}
			}
			if c.text == "unsure" && c.n == 1 {
				return answer{err: unknown(), perform: true, delay: time.Second}
			}
			return answer{}
		}
		r.cfg.CallTimeout = 2 * time.Minute
		r.start()
		r.bus.publish(t, sendTo("slow", "bob", "slow"))
		r.bus.publish(t, sendTo("behind", "bob", "behind"))
		r.bus.publish(t, sendTo("unsure", "carol", "unsure"))
		brief := sendTo("brief", "carol", "brief")
		brief.expiry = time.Now().Add(10 * time.Minute)
		r.bus.publish(t, brief)
		synctest.Wait()
		d.fill()
		r.bus.publish(t, sendTo("later", "dave", "later"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		// What was started ends, and is recorded; nothing new is begun.
		r.want("slow", mapping.TypeSucceeded, "")
		r.want("unsure", mapping.TypeSucceeded, "")
		r.none("behind")
		r.none("later")
		s := r.egress.Stats()
		if s.Accepted != 4 || !strings.Contains(s.Trouble, "full") || time.Since(s.TroubleSince) != 5*time.Minute {
			t.Errorf("%d accepted, trouble %q since %s", s.Accepted, s.Trouble, s.TroubleSince)
		}
		time.Sleep(10 * time.Minute)
		d.free()
		synctest.Wait()
		r.want("behind", mapping.TypeSucceeded, "")
		r.want("later", mapping.TypeSucceeded, "")
		r.want("brief", mapping.TypeExpired, mapping.CodeExpired)
		if s := r.egress.Stats(); s.Trouble != "" {
			t.Errorf("trouble %q when there is space again", s.Trouble)
		}
		if got := r.im.sent(); slices.Contains(got, "brief") {
			t.Error("it was sent after its expiry")
		}
	})
}

func TestFailedJournalEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		var d *disk
		r.wrap = func(j *journal.Journal) Journal { d = &disk{Journal: j}; return d }
		r.im.script = func(c call) answer { return answer{delay: time.Hour} }
		r.cfg.CallTimeout = 2 * time.Hour
		r.start()
		r.bus.publish(t, sendTo("1", "bob", "1"))
		synctest.Wait()
		d.mu.Lock()
		d.broken = journal.ErrFailed
		d.mu.Unlock()
		r.bus.publish(t, sendTo("2", "bob", "2"))
		began := time.Now()
		err := <-r.done
		if !errors.Is(err, journal.ErrFailed) || time.Since(began) != 0 {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		r.cancel()
		r.cancel = nil
		if err := r.journal.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestRepairedJournal damages what was synced, in every part of it in turn.
func TestRepairedJournal(t *testing.T) {
	for part := range 8 {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{}).start()
				publish := func(from, n int) {
					for i := range n {
						r.bus.publish(t, sendTo(strconv.Itoa(from+i), []string{"bob", "carol"}[i%2], "text "+strconv.Itoa(from+i)))
						time.Sleep(time.Second)
					}
				}
				publish(0, 12)
				synctest.Wait()
				r.accounts.set("bot", StateWaiting, nil)
				publish(12, 2)
				synctest.Wait()
				r.stop()

				damage(t, r.dir, part, 8)
				if _, err := journal.Open(r.dir, journal.Options{}); !errors.Is(err, journal.ErrCorrupt) {
					t.Fatalf("the damage is not noticed: %v", err)
				}
				if _, err := journal.Repair(r.dir, nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				r.open()
				if err := r.egress.Repaired(t.Context(), r.journal.Repairs()); err != nil {
					t.Fatal(err)
				}
				if len(r.journal.Repairs()) == 0 {
					t.Fatal("nothing was repaired")
				}
				if err := r.journal.ClearRepairs(); err != nil {
					t.Fatal(err)
				}
				r.accounts.set("bot", StateConnected, r.im.client("bot"))
				r.run()
				time.Sleep(time.Hour)
				synctest.Wait()
				sent := r.im.sent()
				for i := range 14 {
					text := "text " + strconv.Itoa(i)
					if n := len(slices.DeleteFunc(slices.Clone(sent), func(s string) bool { return s != text })); n != 1 {
						t.Errorf("%d was posted %d times", i, n)
					}
					r.want(strconv.Itoa(i), mapping.TypeSucceeded, "")
				}
				if s := r.egress.Stats(); s.Open != 0 {
					t.Errorf("%d unfinished", s.Open)
				}
				r.checkReplay()

				// Told again, and after another start, it changes nothing.
				r.stop()
				r.start()
				r.bus.publish(t, sendTo("new", "bob", "new"))
				synctest.Wait()
				r.want("new", mapping.TypeSucceeded, "")
				if s := r.egress.Stats(); s.Doubts != 0 || s.Resets != 0 {
					t.Errorf("%d doubts, %d resets", s.Doubts, s.Resets)
				}
			})
		})
	}
}

// damage overwrites some bytes in one part of the journal's first segment.
func damage(t *testing.T, dir string, part, of int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var largest string
	var content []byte
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && len(b) > len(content) {
			largest, content = name, b
		}
	}
	used := len(bytes.TrimRight(content, "\x00"))
	at := used/of*part + used/of/2
	copy(content[at:], "damage damage damage")
	if err := os.WriteFile(largest, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDeletedSegmentsAndNoSnapshot starts on the rest of a journal: what was
// deleted is forgotten, and nothing is done again for it.
func TestDeletedSegmentsAndNoSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.segment = 1 << 14
		r.start()
		const n = 100
		for i := range n {
			r.bus.publish(t, sendTo(strconv.Itoa(i), "bob", "text "+strconv.Itoa(i)))
			synctest.Wait()
		}
		segments := r.journal.Segments()
		if len(segments) < 4 {
			t.Fatalf("%d segments", len(segments))
		}
		if _, err := r.journal.DeleteBefore(segments[2].First); err != nil {
			t.Fatal(err)
		}
		r.stop()
		time.Sleep(time.Hour)
		r.open()
		first := r.journal.First()
		if first == 1 {
			t.Fatal("nothing was deleted")
		}
		if err := r.egress.Repaired(t.Context(), []journal.Stretch{{First: 1, Last: first - 1}}); err != nil {
			t.Fatal(err)
		}
		r.run()
		r.bus.publish(t, sendTo("new", "bob", "new"))
		synctest.Wait()
		r.want("new", mapping.TypeSucceeded, "")
		if s := r.egress.Stats(); s.Read != 1 || s.Doubts != 0 || len(r.im.sent()) != n+1 {
			t.Errorf("%d read, %d doubts, %d sent", s.Read, s.Doubts, len(r.im.sent()))
		}
	})
}
