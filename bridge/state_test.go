package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// busy has a bridge do something of everything, for a while, in several lives.
// wait is run between them.
func busy(t *testing.T, cfg *config.Config, s *service, lives int, each func(r *running)) {
	t.Helper()
	for life := range lives {
		r := launch(t, cfg)
		r.awaitReady()
		d := desk(t, cfg)
		alice := s.person("alice", tim.PlatformOther)
		for i := range 30 {
			say(t, alice, fmt.Sprintf("life %d message %d", life, i))
			publish(t, d, fmt.Sprintf("c-%d-%d", life, i), "alice", strings.Repeat("long ", 200))
			if i%10 == 0 {
				publish(t, d, fmt.Sprintf("bad-%d-%d", life, i), "", "rejected")
			}
		}
		eventually(t, "all done", func() (bool, string) {
			e := r.egress.Stats()
			return e.Succeeded == 30 && e.DeadLetters == 3, fmt.Sprintf("%+v", e)
		})
		if each != nil {
			each(r)
		}
		must(t, d.Close())
		r.stop()
	}
}

// states opens a bridge without running it, and gives what its projections have.
func states(t *testing.T, cfg *config.Config) map[string][]byte {
	t.Helper()
	b, err := openBridge(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, p := range b.keeper.projections {
		position, body, err := p.Save()
		must(t, err)
		if position != b.journal.Last() {
			t.Errorf("%s stands at %d, the journal at %d", p.Name(), position, b.journal.Last())
		}
		out[p.Name()] = body
	}
	must(t, b.close())
	return out
}

func sameStates(t *testing.T, what string, want, got map[string][]byte) {
	t.Helper()
	if len(want) != len(got) || len(want) < 3 {
		t.Errorf("%s: %d projections, not %d", what, len(got), len(want))
	}
	for name, w := range want {
		if g := got[name]; !bytes.Equal(g, w) {
			t.Errorf("%s: projection %s is different: %d bytes, not %d", what, name, len(g), len(w))
		}
	}
}

// copyTree copies a configuration's data, so that it can be spoilt.
func copyTree(t *testing.T, cfg *config.Config) *config.Config {
	t.Helper()
	c := *cfg
	c.DataDir = t.TempDir()
	must(t, os.CopyFS(c.DataDir, os.DirFS(cfg.DataDir)))
	return &c
}

func snapshots(t *testing.T, cfg *config.Config) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(JournalDir(cfg), "snapshot-*.snap"))
	must(t, err)
	slices.Sort(list)
	return list
}

// spoil changes a byte in the middle of a file.
func spoil(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	if at < 0 {
		at = info.Size() / 2
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	must(t, err)
	b[0] ^= 0x55
	_, err = f.WriteAt(b, at)
	must(t, err)
}

// TestSameStateWithoutSnapshots: while nothing is deleted the journal alone
// gives the same state.
func TestSameStateWithoutSnapshots(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	busy(t, cfg, s, 2, func(r *running) { r.keeper.snapshotNow(t) })
	if n := len(snapshots(t, cfg)); n != 2 {
		t.Fatalf("%d snapshots are kept", n)
	}
	want := states(t, cfg)

	without := copyTree(t, cfg)
	for _, path := range snapshots(t, without) {
		must(t, os.Remove(path))
	}
	sameStates(t, "no snapshots", want, states(t, without))

	older := copyTree(t, cfg)
	must(t, os.Remove(snapshots(t, older)[1]))
	sameStates(t, "the older snapshot", want, states(t, older))

	damaged := copyTree(t, cfg)
	for _, path := range snapshots(t, damaged) {
		spoil(t, path, -1)
	}
	sameStates(t, "damaged snapshots", want, states(t, damaged))
}

// snapshotNow has run's goroutine write a snapshot, and waits for it. Something
// must have been journaled since the last one, or soon be.
func (k *keeper) snapshotNow(t *testing.T) {
	t.Helper()
	before := k.stats().snapshots
	eventually(t, "a snapshot", func() (bool, string) {
		select {
		case k.asked <- struct{}{}:
		default:
		}
		return k.stats().snapshots > before, ""
	})
}

// TestDeletedSegments: once segments are deleted a snapshot is part of the
// record. One of the two may be damaged; with neither the bridge does not
// start until the journal was repaired, and then goes on with what there is.
func TestDeletedSegments(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	cfg.Journal.SegmentBytes = 100 << 10
	cfg.Journal.Retention = config.Duration(time.Millisecond)
	cfg.Journal.SnapshotInterval = config.Duration(50 * time.Millisecond)
	busy(t, cfg, s, 3, func(r *running) {
		for range 2 {
			say(t, s.person("alice", tim.PlatformOther), "once more")
			r.keeper.snapshotNow(t)
		}
		eventually(t, "segments deleted", func() (bool, string) {
			return r.keeper.stats().deleted > 0, fmt.Sprintf("relay needs %d, egress %d, published %d, segments %+v", r.relay.Needed(), r.egress.Oldest(), r.relay.Published(), r.journal.Segments())
		})
	})
	want := states(t, cfg)

	one := copyTree(t, cfg)
	spoil(t, snapshots(t, one)[1], -1)
	sameStates(t, "the newest snapshot damaged", want, states(t, one))

	for name, lose := range map[string]func(path string){
		"damaged": func(path string) { spoil(t, path, -1) },
		"removed": func(path string) { must(t, os.Remove(path)) },
	} {
		t.Run("both "+name, func(t *testing.T) {
			both := copyTree(t, cfg)
			both.HTTP.Listen = "127.0.0.1:0"
			for _, path := range snapshots(t, both) {
				lose(path)
			}
			_, err := openBridge(t, both)
			var lost *StateLostError
			if !errors.As(err, &lost) || !strings.Contains(err.Error(), "timbridge journal repair") {
				t.Fatalf("without a snapshot: %v", err)
			}
			report, err := journal.Repair(JournalDir(both), nil)
			must(t, err)
			if len(report.Damaged) != 1 || report.Damaged[0].First != 1 || report.Damaged[0].Last+1 != lost.First {
				t.Errorf("the repair gave up %+v, the journal begins at %d", report.Damaged, lost.First)
			}
			for range 2 {
				r := launch(t, both)
				r.awaitReady()
				eventually(t, "the repairs forgotten", func() (bool, string) { return len(r.journal.Repairs()) == 0, "" })
				d := desk(t, both)
				awaitEvents(t, d, "bridge.journal_damaged", 1)
				text := "after the repair " + time.Now().Format(time.RFC3339Nano)
				say(t, s.person("alice", tim.PlatformOther), text)
				eventually(t, "it goes on", func() (bool, string) { return slices.Contains(texts(t, stored(t, d, bus.Events)), text), "" })
				// What was published stays published once: nothing is read back,
				// no command is carried out again.
				counts := map[string]int{}
				for _, e := range append(stored(t, d, bus.Events), stored(t, d, bus.Outcomes)...) {
					if counts[e.ID()]++; counts[e.ID()] > 1 {
						t.Errorf("%s %s is there twice", e.Type(), e.ID())
					}
				}
				must(t, d.Close())
				r.stop()
			}
		})
	}
}

// TestDamagedSegment: damage in the middle of the journal refuses to open;
// after a repair the bridge tells what is lost once, reads the messages back
// from history and does no command twice.
func TestDamagedSegment(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	cfg.Journal.SegmentBytes = 100 << 10
	busy(t, cfg, s, 2, nil)
	segments, err := filepath.Glob(filepath.Join(JournalDir(cfg), "*.seg"))
	must(t, err)
	slices.Sort(segments)
	if len(segments) < 3 {
		t.Fatalf("only %d segments", len(segments))
	}
	spoil(t, segments[len(segments)-2], 50_000)
	for _, path := range snapshots(t, cfg) {
		must(t, os.Remove(path)) // else the damage would be found only when it is read
	}
	_, err = openBridge(t, cfg)
	if !errors.Is(err, journal.ErrCorrupt) {
		t.Fatalf("with a damaged segment: %v", err)
	}
	report, err := journal.Repair(JournalDir(cfg), nil)
	must(t, err)
	if len(report.Damaged) != 1 || len(report.KeptAs) != 1 {
		t.Fatalf("the repair reports %+v", report)
	}
	for range 2 {
		r := launch(t, cfg)
		r.awaitReady()
		eventually(t, "the repairs forgotten", func() (bool, string) { return len(r.journal.Repairs()) == 0, "" })
		r.awaitState(AccountConnected)
		eventually(t, "all commands settled", func() (bool, string) {
			e := r.egress.Stats()
			return e.Open == 0 && e.Trouble == "", fmt.Sprintf("%+v", e)
		})
		r.awaitPublished()
		r.stop()
	}
	r := launch(t, cfg)
	r.awaitReady()
	d := desk(t, cfg)
	awaitEvents(t, d, "bridge.journal_damaged", 1)
	// Every message is on the bus, those of the lost stretch perhaps twice:
	// once published before, once read back.
	seen := map[string]int{}
	for _, text := range texts(t, stored(t, d, bus.Events)) {
		seen[text]++
	}
	for life := range 2 {
		for i := range 30 {
			if n := seen[fmt.Sprintf("life %d message %d", life, i)]; n < 1 || n > 2 {
				t.Errorf("message %d of life %d is on the bus %d times", i, life, n)
			}
		}
	}
	// No command took effect twice in chat.
	alice := s.person("alice", tim.PlatformOther)
	history, ok := alice.(tim.History)
	if !ok {
		t.Fatal("no history")
	}
	page, err := history.Messages(t.Context(), tim.C2C(testUser), tim.HistoryQuery{Count: 100})
	must(t, err)
	more, err := history.Messages(t.Context(), tim.C2C(testUser), tim.HistoryQuery{Count: 100, Before: &page[len(page)-1]})
	must(t, err)
	sent := 0
	for _, m := range append(page, more...) {
		if m.Sender == testUser {
			sent++
		}
	}
	if sent != 60 {
		t.Errorf("the bridge sent %d messages for 60 commands", sent)
	}
}

// TestSnapshotWhileAppending: a snapshot taken in the middle of everything,
// with what the journal holds after it, gives the same state as the journal.
func TestSnapshotWhileAppending(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	r := launch(t, cfg)
	r.awaitReady()
	d := desk(t, cfg)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		alice := s.person("alice", tim.PlatformOther)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				say(t, alice, fmt.Sprint("message ", i))
			}
		}
	})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				publish(t, d, fmt.Sprint("c", i), "bob", "hello")
			}
		}
	})
	for n := range 20 {
		r.keeper.snapshotNow(t)
		taken, damaged := r.journal.Snapshots()
		if len(damaged) > 0 {
			t.Fatal(damaged)
		}
		at := r.journal.Last()
		loaded, replayed := r.fromJournal(t, &taken[0], at), r.fromJournal(t, nil, at)
		sameStates(t, fmt.Sprintf("snapshot %d at %d of %d", n, taken[0].Position, at), replayed, loaded)
	}
	close(stop)
	wg.Wait()
}

// fromJournal builds the projections anew, from a snapshot or from nothing, up
// to a position.
func (b *Bridge) fromJournal(t *testing.T, s *journal.Snapshot, upto uint64) map[string][]byte {
	t.Helper()
	c := &Bridge{cfg: b.cfg, log: hclog.NewNullLogger(), step: func(string) {}, journal: b.journal, bus: newLateBus(BusAddress(b.cfg))}
	c.build(nil, "")
	from := func(string) uint64 { return 0 }
	if s != nil {
		var err error
		from, err = c.keeper.load(*s)
		must(t, err)
	}
	out := map[string][]byte{}
	for _, p := range c.keeper.projections {
		after := from(p.Name())
		errEnd := errors.New("end")
		err := b.journal.Scan(after+1, func(e journal.Entry) error {
			if e.Position > upto {
				return errEnd
			}
			return p.Apply(e)
		})
		if err != nil && !errors.Is(err, errEnd) {
			t.Fatal(err)
		}
		_, body, err := p.Save()
		must(t, err)
		out[p.Name()] = body
	}
	return out
}
