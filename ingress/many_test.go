package ingress

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/tim"
)

// awayFrom has a service in which so many users said something to the bridge
// while it was away.
func awayFrom(t *testing.T, svc *service, r *rig, users int) {
	t.Helper()
	r.signIn(bridge)
	svc.cut(bridge)
	svc.tell(bridge, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
	for i := range users {
		svc.send(tim.UserID(fmt.Sprintf("user%05d", i)), tim.C2C(bridge), fmt.Sprint("missed ", i))
	}
	svc.cut(bridge)
	svc.signIn(bridge, svc.accounts[bridge].handler)
}

func TestNewMessagesFlowWhileManyConversationsAreRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{Readers: 2})
		defer r.stop()
		awayFrom(t, svc, r, 1000)
		svc.slow(time.Second)
		caught := make(chan error, 1)
		go func() { caught <- r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}) }()
		time.Sleep(10 * time.Second)
		s := r.in.Stats().Accounts[bridge]
		if s.CatchUpTotal != 1000 || s.CatchUpRead < 5 || s.CatchUpRead > 30 || s.CatchUpSince.IsZero() || !s.CatchingUp {
			t.Errorf("after ten seconds: %+v", s)
		}
		// A talk whose turn is far off is read as soon as there is news in it,
		// and one that was not missed anything of flows.
		const late = tim.UserID("user00900")
		svc.send(late, tim.C2C(bridge), "now")
		svc.send("user01500", tim.C2C(bridge), "a new talk")
		r.deliverAll(bridge)
		if got := said(t, r.j.all()); !slices.Contains(got, "a new talk") {
			t.Error("a talk with nothing to read waits")
		}
		time.Sleep(5 * time.Second)
		got := said(t, r.j.all())
		if i, k := slices.Index(got, "missed 900"), slices.Index(got, "now"); i < 0 || k < i {
			t.Errorf("at %d what was missed, at %d what is new, of %d", i, k, len(got))
		}
		if err := <-caught; err != nil {
			t.Fatal(err)
		}
		r.settle()
		if n := len(said(t, r.j.all())); n != 1002 {
			t.Errorf("%d messages", n)
		}
		if s := r.in.Stats().Accounts[bridge]; !s.CatchUpSince.IsZero() || s.Conversations != 0 {
			t.Errorf("at the end: %+v", s)
		}
		r.checkReplay()
	})
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func TestALongCatchUpIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		out := &lines{}
		r := &rig{t: t, j: newMemJournal(), svc: svc, cfg: Config{Readers: 1}}
		r.startWith(Deps{Logger: hclog.New(&hclog.LoggerOptions{Output: out, Level: hclog.Info})})
		defer r.stop()
		awayFrom(t, svc, r, 25)
		if len(out.all) != 0 {
			t.Errorf("a short one is told: %v", out.all)
		}
		svc.slow(time.Second)
		if err := r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.settle()
		all := strings.Join(out.all, "")
		if n := strings.Count(all, "catching up"); n != 3 || strings.Count(all, "caught up") != 1 {
			t.Errorf("told %d times:\n%s", n, all)
		}
		for _, want := range []string{"conversations=25", "conversations_read=", "account=bridge", "messages=25"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s is not told:\n%s", want, all)
			}
		}
		if strings.Contains(all, "missed") {
			t.Error("a message's text is logged")
		}
	})
}

func TestAllReadersKeepTheServicesRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		svc := newService(false)
		r := newRig(t, svc, Config{Readers: 8})
		defer r.stop()
		awayFrom(t, svc, r, 100)
		before := svc.calls()
		tooMany := tim.NewError("messages", tim.CodeSDKCommAPICallFrequencyLimit, "")
		tooMany.RetryAfter = 20 * time.Second
		svc.failWith(nil, tooMany) // the list is had; then it asks too often
		svc.slow(10 * time.Millisecond)
		caught := make(chan error, 1)
		go func() { caught <- r.in.CatchUp(context.Background(), bridge, svc.client(bridge), time.Time{}) }()
		time.Sleep(15 * time.Second)
		// Those that had been asked already are answered; nobody asks on.
		if asked := svc.calls() - before; asked > 1+8+8 {
			t.Errorf("%d calls while the service asks to wait", asked)
		}
		if err := <-caught; err != nil {
			t.Fatal(err)
		}
		if n := len(said(t, r.j.all())); n != 100 {
			t.Errorf("%d messages", n)
		}
	})
}
