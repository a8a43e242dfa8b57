package wire

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// TestCutAtEveryByte cuts the first connections after ever more bytes, in
// either direction, so that every moment of hello, sign-in, request, report
// and acknowledgement is hit.
func TestCutAtEveryByte(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	ctx := within(t, 2*time.Minute)
	step := 7
	if testing.Short() {
		step = 61
	}
	for cut := 1; cut < 1500; cut += step {
		r.proxy.set(func(p *proxy) {
			p.cutUp, p.cutDown = cut, 0
			if cut%2 == 0 {
				p.cutUp, p.cutDown = 0, cut
			}
		})
		user := tim.UserID(fmt.Sprint("u", cut))
		c, err := r.driver().Open(ctx, tim.Config{})
		if err != nil {
			if e, ok := tim.AsError(err); !ok || e.Effect != tim.EffectNotDone {
				t.Fatalf("cut %d: open: %#v", cut, err)
			}
			r.proxy.set(func(p *proxy) { p.cutUp, p.cutDown = 0, 0 })
			if c, err = r.driver().Open(ctx, tim.Config{}); err != nil {
				t.Fatalf("cut %d: second open: %v", cut, err)
			}
		}
		r.proxy.set(func(p *proxy) { p.cutUp, p.cutDown = 0, 0 })
		var got collector
		got.onEach = func(r tim.Report) { r.Ack() }
		_ = c.Listen(got.handle)
		for err = c.Login(ctx, user, ""); err != nil; err = c.Login(ctx, user, "") {
			wantEffect(t, err)
			time.Sleep(time.Millisecond)
		}
		report := r.far.tell(user, received("report"))
		for i := range 3 {
			text := fmt.Sprintf("%d-%d", cut, i)
			sendOnce(ctx, t, r.far, c, text)
		}
		eventually(t, fmt.Sprintf("cut %d: the report and its acknowledgement", cut), func() bool {
			return report.acked.Load() && len(got.messages()) == 1
		})
		if err := c.Close(); err != nil {
			t.Errorf("cut %d: close: %v", cut, err)
		}
	}
}

// sendOnce sends until it is known to be done, checking what each error says
// of its effect against the far side.
func sendOnce(ctx context.Context, t *testing.T, far *farService, c tim.Client, text string) {
	t.Helper()
	unknown := 0 // attempts that may still have their effect
	for {
		before := far.effects(text)
		_, err := c.Send(ctx, tim.C2C("bob"), textMessage(text))
		after := far.effects(text)
		if err == nil {
			if after <= before || after > 1+unknown {
				t.Errorf("%s: done, and its effects went from %d to %d after %d in doubt", text, before, after, unknown)
			}
			return
		}
		wantEffect(t, err)
		switch e, _ := tim.AsError(err); {
		case e.Effect == tim.EffectUnknown:
			unknown++
		case after > unknown:
			t.Errorf("%s: not done, and yet it was", text)
		}
		if after > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func wantEffect(t *testing.T, err error) {
	t.Helper()
	e, ok := tim.AsError(err)
	if !ok || e.Code != tim.CodeSDKNetDisconnect || !errors.Is(err, ErrConnection) {
		t.Fatalf("got %#v (%v)", err, err)
	}
}

// TestReportsSurviveCuts has connections cut all the time under load in both
// directions. The session is the same throughout, so each report comes once.
func TestReportsSurviveCuts(t *testing.T) {
	r := newRig(t, HandlerOptions{MaxUnacknowledged: 256})
	ctx := within(t, time.Minute)
	c := r.open()
	var got collector
	var later sync.WaitGroup
	rnd := rand.New(rand.NewPCG(1, 2))
	got.onEach = func(report tim.Report) {
		if rnd.IntN(4) > 0 {
			report.Ack()
			return
		}
		later.Go(func() { // out of turn
			time.Sleep(time.Millisecond)
			report.Ack()
		})
	}
	_ = c.Listen(got.handle)
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	total := 20000
	if testing.Short() {
		total = 2000
	}
	stop := make(chan struct{})
	var cutting sync.WaitGroup
	cutting.Go(func() {
		for n := 0; n < 60; n++ {
			// However slow the machine is, something gets through each time.
			before := len(got.messages())
			for until := time.Now().Add(500 * time.Millisecond); len(got.messages()) == before && time.Now().Before(until); {
				time.Sleep(time.Millisecond)
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(n%10) * time.Millisecond):
				r.proxy.cut()
			}
		}
	})
	var sending sync.WaitGroup
	for lane := range 4 {
		sending.Go(func() {
			for i := range 50 {
				sendOnce(ctx, t, r.far, c, fmt.Sprintf("lane %d %d", lane, i))
			}
		})
	}
	for i := range total {
		r.far.tell("alice", received(strconv.Itoa(i)))
	}
	eventually(t, "all reports", func() bool { return len(got.messages()) >= total })
	eventually(t, "all acknowledged", func() bool { return r.far.unacked("alice") == 0 })
	sending.Wait()
	close(stop)
	cutting.Wait()
	later.Wait()
	checkOrder(t, got.messages(), total)
	var last uint64
	for _, one := range got.all() {
		if _, local := one.Event.(tim.ConnectionChanged); local {
			continue
		}
		if one.Number <= last {
			t.Fatalf("number %d after %d", one.Number, last)
		}
		last = one.Number
	}
	if r.far.opened != 1 {
		t.Errorf("%d sessions", r.far.opened)
	}
	states := got.connections()
	if len(states) < 4 {
		t.Fatalf("states: %v", states)
	}
	t.Logf("%d reports, %d changes of the connection", total, len(states))
	for i, s := range states {
		if i > 0 && s.Status == states[i-1].Status && s.Code == states[i-1].Code {
			t.Errorf("%v twice", s)
		}
	}
}

func checkOrder(t *testing.T, texts []string, total int) {
	t.Helper()
	if len(texts) != total {
		t.Fatalf("%d messages, want %d", len(texts), total)
	}
	for i, text := range texts {
		if text != strconv.Itoa(i) {
			t.Fatalf("message %d is %s", i, text)
		}
	}
}

// TestFrozenPeer: heartbeats find out on both sides that nothing comes any
// more, though no connection is closed.
func TestFrozenPeer(t *testing.T) {
	r := newRig(t, HandlerOptions{Heartbeat: 150 * time.Millisecond})
	c := r.open(func(o *Options) { o.Heartbeat = 150 * time.Millisecond })
	ctx := within(t, 20*time.Second)
	var got collector
	got.onEach = func(r tim.Report) { r.Ack() }
	_ = c.Listen(got.handle)
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	// Idle is not frozen.
	time.Sleep(time.Second)
	if states := got.connections(); len(states) != 0 {
		t.Fatalf("idle, and told %v", states)
	}
	thaw := r.proxy.freeze()
	done := make(chan error, 1)
	go func() {
		_, err := c.Send(ctx, tim.C2C("bob"), textMessage("x"))
		done <- err
	}()
	if e, ok := tim.AsError(<-done); !ok || e.Effect != tim.EffectUnknown || !errors.Is(e, errSilent) {
		t.Errorf("Send to a frozen server: %#v", e)
	}
	eventually(t, "the server gives the connection up", func() bool { return r.handler.Stats().Connections == 0 })
	if r.handler.Stats().Sessions != 1 {
		t.Error("the session is gone")
	}
	report := r.far.tell("alice", received("meanwhile"))
	thaw()
	eventually(t, "the report", func() bool { return report.acked.Load() })
	if r.far.opened != 1 {
		t.Errorf("%d sessions", r.far.opened)
	}
}

// TestSlowHandler: a handler that blocks holds the stream up at the driver and
// nothing else.
func TestSlowHandler(t *testing.T) {
	r := newRig(t, HandlerOptions{MaxUnacknowledged: 16})
	c := r.open()
	ctx := within(t, 20*time.Second)
	var got collector
	block := make(chan struct{})
	got.onEach = func(r tim.Report) { <-block; r.Ack() }
	_ = c.Listen(got.handle)
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		r.far.tell("alice", received(strconv.Itoa(i)))
	}
	eventually(t, "the window is full", func() bool { return r.handler.Stats().Unacknowledged == 16 })
	for range 50 {
		if _, err := c.Send(ctx, tim.C2C("bob"), textMessage("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.handler.Stats().Unacknowledged; n != 16 {
		t.Errorf("%d kept", n)
	}
	r.proxy.cut()
	close(block)
	eventually(t, "all of it", func() bool { return r.far.unacked("alice") == 0 })
	checkOrder(t, got.messages(), 500)
}

func TestCloseOfAFrozenServerIsBounded(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	c := r.open(func(o *Options) { o.CloseTimeout = 50 * time.Millisecond })
	defer r.proxy.freeze()()
	began := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestAcknowledgedBeforeCloseCounts(t *testing.T) {
	for range 20 {
		r := newRig(t, HandlerOptions{})
		c := r.open()
		var got collector
		got.onEach = func(r tim.Report) { r.Ack() }
		_ = c.Listen(got.handle)
		if err := c.Login(within(t, 10*time.Second), "alice", ""); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			r.far.tell("alice", received(strconv.Itoa(i)))
		}
		eventually(t, "all arrived", func() bool { return len(got.messages()) == 50 })
		_ = c.Close()
		if n := r.far.unacked("alice"); n > 1 { // the last handler call may be between noting and acknowledging
			t.Fatalf("%d acknowledgements lost", n)
		}
	}
}

func TestDisconnect(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	ctx := within(t, 10*time.Second)
	alice, bob := r.open(), r.open()
	var toldAlice, toldBob collector
	_, _ = alice.Listen(toldAlice.handle), bob.Listen(toldBob.handle)
	for user, c := range map[tim.UserID]tim.Client{"alice": alice, "bob": bob} {
		if err := c.Login(ctx, user, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.handler.Disconnect("carol"); n != 0 {
		t.Errorf("carol: %d", n)
	}
	if n := r.handler.Disconnect("alice"); n != 1 {
		t.Errorf("alice: %d", n)
	}
	back := func(c *collector, times int) func() bool {
		return func() bool { return len(c.connections()) == 2*times }
	}
	eventually(t, "alice is back", back(&toldAlice, 1))
	if len(toldBob.all()) != 0 {
		t.Errorf("bob was told %v", toldBob.all())
	}
	if n := r.handler.Disconnect(""); n != 2 {
		t.Errorf("all: %d", n)
	}
	eventually(t, "both are back", func() bool { return back(&toldAlice, 2)() && back(&toldBob, 1)() })
	if r.far.opened != 2 {
		t.Errorf("%d sessions", r.far.opened)
	}
}

// TestNotWrittenIsNotDone: behind a writer that is stuck, requests whose
// context ends, and those that wait when the connection breaks, are not done.
func TestNotWrittenIsNotDone(t *testing.T) {
	r := newRig(t, HandlerOptions{})
	c := r.open()
	ctx := within(t, 20*time.Second)
	if err := c.Login(ctx, "alice", ""); err != nil {
		t.Fatal(err)
	}
	thaw := r.proxy.freeze()
	defer thaw()
	var wg sync.WaitGroup
	outcomes := make(chan *tim.Error, 40)
	big := textMessage(string(make([]byte, 100<<10))) // 600 KiB as JSON
	for range 40 {
		wg.Go(func() {
			_, err := c.Send(ctx, tim.C2C("bob"), big)
			e, _ := tim.AsError(err)
			outcomes <- e
		})
	}
	inner := c.(*client)
	eventually(t, "the writer is stuck", func() bool {
		l := inner.link.Load()
		began := l.writing.Load()
		return began != 0 && l.now()-began > int64(100*time.Millisecond)
	})
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := c.Send(short, tim.C2C("bob"), textMessage("late"))
	if e, ok := tim.AsError(err); !ok || e.Effect != tim.EffectNotDone || e.Code != tim.CodeSDKNetWaitSendTimeout {
		t.Errorf("context ended: %#v", err)
	}
	r.proxy.cut()
	wg.Wait()
	close(outcomes)
	count := make(map[tim.Effect]int)
	for e := range outcomes {
		if e == nil {
			t.Fatal("sent through a frozen proxy")
		}
		count[e.Effect]++
	}
	if count[tim.EffectNotDone] == 0 || count[tim.EffectUnknown] == 0 {
		t.Errorf("effects: %v", count)
	}
	if n := r.far.effects("late"); n != 0 {
		t.Errorf("the late one was sent")
	}
}
