package ingress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.uber.org/goleak"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testApp = mapping.App{SDKAppID: 1400000000}

// rig is an ingress at work over a journal in memory.
type rig struct {
	t   testing.TB
	j   *memJournal
	in  *Ingress
	svc *service
	cfg Config

	cancel context.CancelFunc
	ran    chan error
}

func newRig(t testing.TB, svc *service, cfg Config) *rig {
	r := &rig{t: t, j: newMemJournal(), svc: svc, cfg: cfg}
	r.startWith(Deps{})
	return r
}

// start makes an ingress from what the journal has, and runs it.
func (r *rig) start() { r.startWith(Deps{}) }

func (r *rig) startWith(deps Deps) {
	deps.Journal, deps.App = r.j, testApp
	r.in = New(r.cfg, deps)
	for _, e := range r.j.all() {
		if err := r.in.Apply(e); err != nil {
			r.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ran = cancel, make(chan error, 1)
	go func() { r.ran <- r.in.Run(ctx) }()
}

// stop ends the ingress: what is not in the journal is gone.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.ran; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

// restart is a stop and a start from the journal alone.
func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.start()
}

// signIn gives the account a handler and catches up.
func (r *rig) signIn(user tim.UserID) {
	r.t.Helper()
	r.svc.signIn(user, r.in.Handler(user))
	if err := r.in.CatchUp(context.Background(), user, r.svc.client(user), time.Time{}); err != nil {
		r.t.Fatalf("catch-up of %s: %v", user, err)
	}
}

// deliverAll hands out everything that waits, in order.
func (r *rig) deliverAll(user tim.UserID) {
	for r.svc.deliver(user, 0, false) {
	}
	r.settle()
}

// settle waits until everything that can be done without time going by is done.
func (r *rig) settle() { synctest.Wait() }

func (r *rig) checkAcked() {
	r.t.Helper()
	if err := r.svc.kept(); err != nil {
		r.t.Error(err)
	}
}

// facts are the ids of the facts of one type in the journal, in order; of gaps
// those that are about messages (see absences).
func facts(t testing.TB, entries []journal.Entry, typ string) []string {
	t.Helper()
	var ids []string
	for _, e := range entries {
		if e.Kind != journal.KindFact {
			continue
		}
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type() == typ && (typ != mapping.TypeAccountGapDetected || gapIn(t, ev).Covers == nil) {
			ids = append(ids, ev.ID())
		}
	}
	return ids
}

// gapTold is what an account.gap_detected says.
type gapTold struct {
	Subject     string    `json:"-"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Covers      []string  `json:"covers"`
	ChangesFrom time.Time `json:"changes_read_from"`
}

func gapIn(t testing.TB, ev *event.Event) gapTold {
	t.Helper()
	g := gapTold{Subject: ev.Subject()}
	if err := ev.DataAs(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

// absences are the gaps that cover only some kinds of events.
func absences(t testing.TB, entries []journal.Entry) []gapTold {
	t.Helper()
	var out []gapTold
	for _, e := range entries {
		if e.Kind != journal.KindFact {
			continue
		}
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type() == mapping.TypeAccountGapDetected {
			if g := gapIn(t, ev); g.Covers != nil {
				out = append(out, g)
			}
		}
	}
	return out
}

// said are the texts of the messages in the journal, in order; those that are
// late have a "!" before them.
func said(t testing.TB, entries []journal.Entry) []string {
	t.Helper()
	var out []string
	for _, e := range entries {
		if e.Kind != journal.KindFact {
			continue
		}
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type() != mapping.TypeMessagePosted {
			continue
		}
		var data struct {
			Elements []struct{ Text string } `json:"elements"`
			Late     bool                    `json:"late"`
		}
		if err := ev.DataAs(&data); err != nil {
			t.Fatal(err)
		}
		text := data.Elements[0].Text
		if data.Late {
			text = "!" + text
		}
		out = append(out, text)
	}
	return out
}

func (r *rig) wantSaid(want ...string) {
	r.t.Helper()
	if got := said(r.t, r.j.all()); !slices.Equal(got, want) {
		r.t.Errorf("the journal has %s\nwant %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

// checkReplay compares what ingress knows with what the journal gives.
func (r *rig) checkReplay() {
	r.t.Helper()
	if err := replayDiffers(r.in, r.j.all(), r.cfg); err != nil {
		r.t.Error(err)
	}
}

func replayDiffers(in *Ingress, entries []journal.Entry, cfg Config) error {
	in.mu.RLock()
	live := in.seen.view().encode()
	in.mu.RUnlock()
	again := New(cfg, Deps{})
	half := New(cfg, Deps{})
	for i, e := range entries {
		if err := again.Apply(e); err != nil {
			return err
		}
		if i == len(entries)/2 {
			if err := half.Load(e.Position, again.seen.view().encode()); err != nil {
				return fmt.Errorf("load half of it: %w", err)
			}
		}
		if err := half.Apply(e); err != nil {
			return err
		}
	}
	if !bytes.Equal(live, again.seen.view().encode()) {
		return errors.New("replaying the journal gives another projection")
	}
	if len(entries) > 0 && !bytes.Equal(live, half.seen.view().encode()) {
		return errors.New("a snapshot and the rest of the journal give another projection")
	}
	return nil
}

// inBubble runs f where time goes by only when everybody waits.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
