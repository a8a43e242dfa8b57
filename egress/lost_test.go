package egress

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// losses are the events that tell of lost commands.
func (r *rig) losses() []mapping.LostCommands {
	r.t.Helper()
	var out []mapping.LostCommands
	for _, e := range r.public() {
		if e.Type() != mapping.TypeCommandsLost {
			continue
		}
		var l mapping.LostCommands
		if err := e.DataAs(&l); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

func (r *rig) wantLosses(want ...[2]uint64) {
	r.t.Helper()
	got := r.losses()
	if len(got) != len(want) {
		r.t.Fatalf("told of %d losses, want %d: %+v", len(got), len(want), got)
	}
	for i, l := range got {
		if l.Target != "commands" || l.First != want[i][0] || l.Last != want[i][1] || l.Reason == "" {
			r.t.Errorf("told of %+v, want %d to %d", l, want[i][0], want[i][1])
		}
	}
}

func (r *rig) publishN(from, to int) {
	r.t.Helper()
	for i := from; i <= to; i++ {
		n := strconv.Itoa(i)
		r.bus.publish(r.t, sendTo(n, "bob", n))
	}
}

func TestLossIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		r.publishN(1, 3)
		synctest.Wait()
		r.stop()
		r.publishN(4, 8)
		r.bus.remove(6)
		r.start()
		synctest.Wait()
		r.wantLosses([2]uint64{4, 6})
		r.want("7", mapping.TypeSucceeded, "")
		if s := r.egress.Stats(); s.Lost != 3 || s.Resets != 1 {
			t.Errorf("%d lost, %d resets", s.Lost, s.Resets)
		}
		// Nothing was read since the next loss, and starts do not tell it again.
		r.stop()
		r.publishN(9, 12)
		r.bus.remove(12)
		for start := range 3 {
			r.start()
			synctest.Wait()
			r.wantLosses([2]uint64{4, 6}, [2]uint64{9, 12})
			if s := r.egress.Stats(); start > 0 && (s.Lost != 0 || s.Resets != 0) {
				t.Errorf("start %d: %d lost, %d resets", start, s.Lost, s.Resets)
			}
			r.stop()
		}
		// What is lost behind them is a loss of its own.
		r.publishN(13, 14)
		r.bus.remove(13)
		r.start()
		synctest.Wait()
		r.wantLosses([2]uint64{4, 6}, [2]uint64{9, 12}, [2]uint64{13, 13})
		r.want("14", mapping.TypeSucceeded, "")
		if got := r.bus.asked[len(r.bus.asked)-1]; len(got) != 1 || got[0].Offset != 12 || got[0].Time.IsZero() {
			t.Errorf("reading went on after %+v; want the last lost one's place, and the time before it", got)
		}
	})
}

// dying is a journal whose process ends at the first append of a loss.
type dying struct {
	Journal
	after bool // it is on disk by then
}

var errDied = errors.New("the process has ended")

func (d *dying) Append(ctx context.Context, entries []journal.Entry) (uint64, error) {
	for _, e := range entries {
		if v, err := decodeBody(e.Body); e.Kind == journal.KindAccepted && err == nil {
			if _, ok := v.(lost); ok {
				if d.after {
					_, err = d.Journal.Append(ctx, entries)
				}
				return 0, errors.Join(errDied, err)
			}
		}
	}
	return d.Journal.Append(ctx, entries)
}

// A process that ends between learning of a loss and journaling it leaves it
// to the next one; one that ends right behind that has told it.
func TestLossAcrossTheEndOfAProcess(t *testing.T) {
	for name, after := range map[string]bool{"before it is journaled": false, "after it is journaled": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{}).start()
				r.publishN(1, 2)
				synctest.Wait()
				r.stop()
				r.publishN(3, 6)
				r.bus.remove(5)
				r.wrap = func(j *journal.Journal) Journal { return &dying{Journal: j, after: after} }
				r.start()
				if err := <-r.done; !errors.Is(err, errDied) {
					t.Fatalf("it ended with %v", err)
				}
				r.cancel()
				r.cancel = nil
				if err := r.journal.Close(); err != nil {
					t.Fatal(err)
				}
				r.wrap = nil
				for range 2 {
					r.start()
					synctest.Wait()
					r.wantLosses([2]uint64{3, 5})
					r.want("6", mapping.TypeSucceeded, "")
					r.stop()
				}
			})
		})
	}
}

// The mark waits until the bus has what tells of the loss.
func TestLossHoldsTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		published := uint64(0)
		r.relay = func() uint64 { return published }
		r.start()
		r.publishN(1, 1)
		synctest.Wait()
		r.stop()
		r.publishN(2, 4)
		r.bus.remove(4)
		published = r.lastPosition()
		r.start()
		synctest.Wait()
		if err := r.egress.FlushMark(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := r.bus.mark; len(m) != 1 || m[0].Offset != 3 {
			t.Errorf("the mark is %+v while what tells of the loss is not published", m)
		}
		published = r.journal.Last()
		if err := r.egress.FlushMark(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := r.bus.mark; len(m) != 1 || m[0].Offset != 4 {
			t.Errorf("the mark is %+v", m)
		}
	})
}

func (r *rig) lastPosition() uint64 {
	r.open()
	defer r.journal.Close()
	return r.journal.Last()
}

// What another shard's commands are is no loss when the bus removes them after
// they were read, in good order or not long after.
func TestCommandsOfOthersAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shard := bus.Shard{Count: 2}
		if shard.Owns("bot") {
			shard.Index = 1
		}
		r := newRig(t, Config{Shard: shard}).start()
		own := sendTo("own", "bob", "own")
		for n := 0; own.account == "" || !shard.Owns(own.account); n++ {
			own.account = "user" + strconv.Itoa(n)
		}
		r.bus.publish(t, own) // is rejected: nobody has the account
		r.publishN(1, 20)
		synctest.Wait()
		if s := r.egress.Stats(); s.Foreign != 20 || len(r.egressOutcomes()) != 1 {
			t.Fatalf("%d commands are another shard's", s.Foreign)
		}
		r.stop()
		r.bus.remove(21)
		r.start()
		synctest.Wait()
		r.wantLosses()
	})
}
