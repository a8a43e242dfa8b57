package sandbox_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/journal/journaltest"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

// TestFullDisk fills the disk under load, frees it, and checks that whatever
// was answered is there and that nothing needs a restart.
func TestFullDisk(t *testing.T) {
	disk := journaltest.NewFS()
	disk.Capacity(2 << 20)
	o := options(func(o *sandbox.Options) {
		o.Journal.FS = disk
		o.Journal.SegmentBytes = 256 << 10
		o.Journal.HighWater = 256 << 10
		o.Journal.Reserve = 128 << 10
	})
	w := openIn(t, "sandbox", o)
	alice, bob := w.signIn("alice"), w.signIn("bob")
	var mu sync.Mutex
	sent := map[string]bool{}
	made := 0
	fill := func() (refused bool) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					mu.Lock()
					made++
					body := strings.Repeat("x", 4000) + strconv.Itoa(made)
					sent[body] = false
					mu.Unlock()
					_, err := alice.Send(ctx(t), tim.C2C("bob"), text(body))
					mu.Lock()
					if err == nil {
						sent[body] = true
					} else {
						refused = true
						delete(sent, body)
						e, _ := tim.AsError(err)
						if e == nil || e.Effect != tim.EffectNotDone || !e.Retryable() || !errors.Is(err, journal.ErrFull) {
							t.Errorf("on a full disk a send ends with %v", err)
						}
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		return refused
	}
	for n := 0; !fill(); n++ {
		if n > 20 {
			t.Fatal("the disk does not get full")
		}
	}
	if !errors.Is(w.Err(), journal.ErrFull) {
		t.Errorf("Err is %v", w.Err())
	}
	if _, err := alice.Client.(tim.History).Messages(ctx(t), tim.C2C("bob"), tim.HistoryQuery{}); err != nil {
		t.Errorf("history on a full disk: %v", err)
	}
	disk.Capacity(16 << 20)
	end := time.Now().Add(patience)
	for w.Err() != nil && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
	}
	alice.say(tim.C2C("bob"), "end")
	bob.message("end")
	told := map[string]int{}
	for _, s := range bob.texts() {
		told[s]++
	}
	for s := range sent {
		if told[s] != 1 {
			t.Errorf("a message that was answered was told %d times", told[s])
		}
	}
	if len(told) != len(sent)+1 {
		t.Errorf("%d messages were answered, %d told", len(sent), len(told)-1)
	}
}

// TestFullDiskInPeace frees a disk that was full while nothing else went on: no
// report waits to be acknowledged, no append is tried again.
func TestFullDiskInPeace(t *testing.T) {
	disk := journaltest.NewFS()
	disk.Capacity(1 << 20)
	w := openIn(t, "sandbox", options(func(o *sandbox.Options) {
		o.Journal.FS = disk
		o.Journal.SegmentBytes = 256 << 10
		o.Journal.HighWater = 128 << 10
		o.Journal.Reserve = 128 << 10
	}))
	alice := w.signIn("alice")
	end := time.Now().Add(patience)
	for {
		_, err := alice.Send(ctx(t), tim.C2C("nobody"), text(strings.Repeat("x", 8000)))
		if errors.Is(err, journal.ErrFull) {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("the disk does not get full: %v", err)
		}
	}
	disk.Capacity(16 << 20)
	for w.Err() != nil {
		if time.Now().After(end) {
			t.Fatalf("there is space, and still: %v", w.Err())
		}
		time.Sleep(10 * time.Millisecond)
	}
	alice.say(tim.C2C("nobody"), "end")
}

// TestFailedSync checks that nothing is answered once the disk has failed.
func TestFailedSync(t *testing.T) {
	disk := journaltest.NewFS()
	w := openIn(t, "sandbox", options(func(o *sandbox.Options) { o.Journal.FS = disk }))
	alice, bob := w.signIn("alice"), w.signIn("bob")
	alice.say(tim.C2C("bob"), "good")
	bob.message("good")
	disk.Fault(func(op journaltest.Op) error {
		if op.Kind == journaltest.OpSync {
			return errors.New("input/output error")
		}
		return nil
	})
	_, err := alice.Send(ctx(t), tim.C2C("bob"), text("bad"))
	if e, _ := tim.AsError(err); e == nil || e.Effect != tim.EffectUnknown {
		t.Errorf("the send that met it: %v", err)
	}
	select {
	case <-w.Failed():
	case <-time.After(patience):
		t.Fatal("Failed is not closed")
	}
	_, err = alice.Send(ctx(t), tim.C2C("bob"), text("worse"))
	if e, _ := tim.AsError(err); e == nil || e.Effect != tim.EffectNotDone || !errors.Is(err, journal.ErrFailed) || !errors.Is(w.Err(), journal.ErrFailed) {
		t.Errorf("the next: %v; Err is %v", err, w.Err())
	}
	if err := w.Snapshot(context.Background()); err == nil {
		t.Error("a snapshot is saved")
	}
	if got := bob.texts(); len(got) != 1 {
		t.Errorf("bob was told %q", got)
	}
}

// TestDamagedSnapshots opens with the newest snapshot damaged, and with both.
func TestDamagedSnapshots(t *testing.T) {
	disk := journaltest.NewFS()
	o := options(func(o *sandbox.Options) { o.Journal.FS, o.Journal.SegmentBytes = disk, 1<<10 })
	w := openIn(t, "sandbox", o)
	alice := w.signIn("alice")
	for range 3 {
		for range 20 {
			alice.say(tim.C2C("bob"), "hello")
		}
		snapshot(w)
	}
	alice.say(tim.C2C("bob"), "end")
	w.Close()
	want := w.Dump()
	var snapshots []string
	for _, name := range disk.Files("sandbox") {
		if strings.Contains(name, "snap") {
			snapshots = append(snapshots, "sandbox/"+name)
		}
	}
	if len(snapshots) != 2 {
		t.Fatalf("snapshots are %q among %q", snapshots, disk.Files("sandbox"))
	}
	damage := func(name string) {
		b, err := disk.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		disk.WriteFile(name, b)
	}
	damage(snapshots[1])
	w = openIn(t, "sandbox", o)
	if got := w.Dump(); got != want {
		t.Errorf("from the older snapshot the state is\n%s\nwant\n%s", got, want)
	}
	w.Close()
	damage(snapshots[0])
	if s, err := sandbox.Open("sandbox", o); err == nil {
		s.Close()
		t.Error("it opens without a snapshot and without the journal's beginning")
	} else if !strings.Contains(err.Error(), "no snapshot can be read") {
		t.Errorf("the error is %v", err)
	}
}
