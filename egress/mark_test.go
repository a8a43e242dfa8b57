package egress

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
)

// markAt is the offset of the mark on the bus.
func (b *memBus) markAt() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mark) == 0 {
		return 0
	}
	return b.mark[0].Offset
}

func TestMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var published atomic.Uint64
		r := newRig(t, Config{})
		r.relay = published.Load
		r.im.script = func(c call) answer {
			if c.text == "slow" {
				return answer{delay: 10 * time.Second}
			}
			return answer{}
		}
		r.start()
		at := func(want uint64) {
			t.Helper()
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			if got := r.bus.markAt(); got != want {
				t.Errorf("the mark is at %d, want %d", got, want)
			}
		}
		r.bus.publish(t, sendTo("1", "bob", "1"))
		r.bus.publish(t, sendTo("2", "carol", "slow"))
		r.bus.publish(t, sendTo("3", "bob", "3"))
		r.bus.put(bus.Received{Original: []byte("rubbish"), Err: bus.ErrNotCloudEvent})
		at(0) // nothing is published yet
		published.Store(r.want("1", mapping.TypeSucceeded, "").position)
		at(1)
		published.Store(r.journal.Last())
		at(1) // the second is not finished
		time.Sleep(10 * time.Second)
		at(1) // nor is its outcome published
		published.Store(r.journal.Last())
		at(4)
		marks := r.bus.marks
		time.Sleep(time.Minute)
		if synctest.Wait(); r.bus.marks != marks {
			t.Errorf("it was set %d times while nothing changed", r.bus.marks-marks)
		}

		// After a restart nothing is known of what earlier outcomes are published.
		r.bus.publish(t, sendTo("4", "bob", "4"))
		synctest.Wait()
		r.stop()
		published.Store(0)
		r.start()
		at(4)
		published.Store(r.journal.Last())
		at(5)
	})
}

func TestMarkIsSetAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		r.bus.publish(t, sendTo("1", "bob", "1"))
		synctest.Wait()
		r.stop()
		if got := r.bus.markAt(); got != 1 {
			t.Errorf("the mark is at %d", got)
		}
		if err := r.egress.FlushMark(context.Background()); err != nil || r.bus.marks != 1 {
			t.Errorf("set %d times, %v", r.bus.marks, err)
		}
	})
}

func TestMarkIsNotHeldForWhatIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}).start()
		for range 3 {
			r.bus.publish(t, sendTo("1", "bob", "1"))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := r.bus.markAt(); got != 3 {
			t.Errorf("the mark is at %d", got)
		}
	})
}

func TestLostDisk(t *testing.T) {
	for name, forgotten := range map[string]bool{"with a mark": false, "without one": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var published atomic.Uint64
				r := newRig(t, Config{})
				r.relay = published.Load
				r.start()
				r.bus.publish(t, sendTo("1", "bob", "same"))
				synctest.Wait()
				published.Store(r.journal.Last())
				time.Sleep(5 * time.Second)
				for i := 2; i <= 4; i++ { // done, and the mark does not know
					r.bus.publish(t, sendTo(strconv.Itoa(i), "bob", "same"))
				}
				r.bus.publish(t, command{id: "g", kind: "group.create", data: map[string]any{"group_type": "public", "name": "team"}})
				synctest.Wait()
				r.stop()
				r.accounts.set("bot", StateWaiting, nil) // the disk is lost in the middle of work
				r.bus.publish(t, sendTo("5", "bob", "same"))
				late := sendTo("6", "bob", "late")
				late.expiry = time.Now().Add(time.Second)
				r.bus.publish(t, late)
				r.dir = t.TempDir()
				if forgotten {
					r.bus.mark = nil
				}
				time.Sleep(time.Minute)
				r.start()
				synctest.Wait()
				r.accounts.set("bot", StateConnected, r.im.client("bot"))
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := r.im.sent(); len(got) != 5 {
					t.Errorf("sent %v, want each of the five once", got)
				}
				for _, id := range []string{"2", "3", "4"} {
					if got := r.want(id, mapping.TypeSucceeded, ""); !got.Result.Settled || got.Attempts != 0 {
						t.Errorf("%s: %d attempts, settled %v", id, got.Attempts, got.Result.Settled)
					}
				}
				if got := r.want("5", mapping.TypeSucceeded, ""); got.Result.Settled {
					t.Error("5 was not done before, and is taken for it")
				}
				r.want("6", mapping.TypeExpired, mapping.CodeExpired)
				r.want("g", mapping.TypeSucceeded, "")
				if _, again := r.outcomes()["1"]; again != forgotten {
					t.Errorf("1, below the mark, was looked at: %v", again)
				}

				// What is published from now on is not in doubt.
				r.accounts.set("bot", StateConnected, r.im.mute("bot"))
				r.bus.publish(t, sendTo("7", "bob", "same"))
				synctest.Wait()
				r.want("7", mapping.TypeSucceeded, "")
				r.stop()
				r.start()
				r.bus.publish(t, sendTo("8", "bob", "same"))
				synctest.Wait()
				r.want("8", mapping.TypeSucceeded, "")
			})
		})
	}
}
