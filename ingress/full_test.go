package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

func TestFullJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		svc.group(team, alice, bridge)
		r := newRig(t, svc, Config{Queue: 2})
		defer r.stop()
		r.signIn(bridge)
		r.j.setFull(true)
		for i := range 10 {
			svc.send(alice, tim.C2C(bridge), fmt.Sprint(i))
		}
		done := make(chan struct{})
		go func() {
			r.deliverAll(bridge)
			close(done)
		}()
		time.Sleep(time.Second)
		if s := r.in.Stats(); !s.Full || s.FullSince.IsZero() || s.Queued == 0 {
			t.Errorf("stats: %+v", s)
		}
		// What was carried out is recorded nevertheless.
		other := svc.send(bridge, tim.C2C(bob), "other")
		same := svc.send(bridge, tim.C2C(alice), "same")
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, other), outcome("1")); err != nil || !recorded {
			t.Errorf("Post: %v, %v", recorded, err)
		}
		if recorded, err := r.in.Post(context.Background(), postedFacts(t, bridge, same), outcome("2")); err != nil || recorded {
			t.Errorf("Post behind what waits: %v, %v", recorded, err)
		}
		r.wantSaid("other")
		r.j.mu.Lock()
		r.j.reserve = 0
		r.j.mu.Unlock()
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		if _, err := r.in.Post(short, nil, outcome("3")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Post without a reserve: %v", err)
		}
		cancel()
		r.j.setFull(false)
		<-done
		synctest.Wait()
		want := []string{"other"}
		for i := range 10 {
			want = append(want, fmt.Sprint(i))
		}
		got := said(t, r.j.all())
		if i := slices.Index(got, "same"); i < 0 {
			t.Errorf("the message that waited is missing: %v", got)
		} else {
			got = slices.Delete(got, i, i+1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if s := r.in.Stats(); s.Full {
			t.Error("still full")
		}
		outcomes := 0
		for _, e := range r.j.all() {
			if e.Kind == journal.KindOutcome {
				outcomes++
			}
		}
		if outcomes != 3 {
			t.Errorf("%d outcomes, want 3", outcomes)
		}
		r.checkAcked()
		r.checkReplay()
	})
}

func outcomes(entries []journal.Entry) (ids []string) {
	for _, e := range entries {
		if e.Kind == journal.KindOutcome {
			ids = append(ids, string(e.Body))
		}
	}
	return ids
}

func TestJournalThatIsFullInTheMiddleOfABatch(t *testing.T) {
	for _, name := range []string{"in the part on disk", "in the rest"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				svc := newService(true)
				svc.group(team, alice, bridge)
				r := newRig(t, svc, Config{})
				defer r.stop()
				r.signIn(bridge)
				svc.send(alice, tim.Group(team), "1")
				r.deliverAll(bridge)
				at := 1500
				if name == "in the part on disk" {
					at = 500
				}
				var want []string
				var msgs []tim.Message
				var mine, other tim.Message
				for i := 2; i <= 2500; i++ {
					if i == at {
						mine = svc.send(bridge, tim.Group(team), fmt.Sprint(i))
					} else {
						msgs = append(msgs, svc.send(alice, tim.Group(team), fmt.Sprint(i)))
					}
					want = append(want, fmt.Sprint(i))
				}
				other = svc.send(bridge, tim.C2C(bob), "other")
				// All of it is one batch, as the appender is busy when it comes.
				r.j.delay = time.Second
				go svc.tell(bridge, tim.Unrecognized{Name: "x", Raw: []byte("1")})
				synctest.Wait()
				var acked atomic.Bool
				handler := svc.accounts[bridge].handler
				go handler(tim.Report{Account: bridge, Event: tim.MessagesReceived{Messages: msgs}, Ack: func() { acked.Store(true) }})
				r.j.mu.Lock()
				r.j.fullIn = 2 // the one under way, and the first part of the batch
				r.j.mu.Unlock()
				began := time.Now()
				done := make(chan error, 2)
				for i, m := range []tim.Message{mine, other} {
					go func() {
						_, err := r.in.Post(context.Background(), postedFacts(t, bridge, m), outcome(fmt.Sprint(i)))
						done <- err
					}()
				}
				for range 2 {
					if err := <-done; err != nil {
						t.Fatal(err)
					}
				}
				if d := time.Since(began); d > DefaultPostWait {
					t.Errorf("the outcomes took %v", d)
				}
				if got := outcomes(r.j.all()); len(got) != 2 {
					t.Errorf("outcomes %v", got)
				}
				if acked.Load() {
					t.Error("acknowledged while it waits")
				}
				r.j.setFull(false)
				time.Sleep(time.Minute)
				got := said(t, r.j.all())
				if i := slices.Index(got, "other"); i < 0 || !slices.Equal(slices.Delete(got, i, i+1)[1:], want) {
					t.Errorf("%d messages: %v", len(got), got)
				}
				if got := outcomes(r.j.all()); len(got) != 2 {
					t.Errorf("outcomes %v", got)
				}
				if !acked.Load() {
					t.Error("not acknowledged")
				}
				r.checkReplay()
			})
		})
	}
}

func TestFailedJournalEndsRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(true)
		r := newRig(t, svc, Config{})
		r.signIn(bridge)
		r.j.mu.Lock()
		r.j.failed = journal.ErrFailed
		r.j.mu.Unlock()
		svc.send(alice, tim.C2C(bridge), "0")
		svc.deliver(bridge, 0, false)
		if err := <-r.ran; !errors.Is(err, journal.ErrFailed) {
			t.Errorf("Run: %v", err)
		}
		if svc.kept() == nil {
			t.Error("acknowledged")
		}
		svc.send(alice, tim.C2C(bridge), "1")
		svc.deliver(bridge, 0, false) // returns
		if _, err := r.in.Post(context.Background(), nil, outcome("1")); !errors.Is(err, ErrClosed) {
			t.Errorf("Post: %v", err)
		}
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); !errors.Is(err, ErrClosed) {
			t.Errorf("CatchUp: %v", err)
		}
		if err := r.in.RecordFact(context.Background(), postedFacts(t, bridge, svc.send(alice, tim.C2C(bridge), "2"))...); !errors.Is(err, ErrClosed) {
			t.Errorf("RecordFact: %v", err)
		}
		r.cancel()
	})
}
