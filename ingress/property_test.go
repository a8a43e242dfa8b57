package ingress

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// action is one thing that happens in a run of the property test.
type action struct {
	do      string
	account int // 0 or 1: an account of the bridge
	conv    int // see world.conv
	n       int
}

func (a action) String() string { return fmt.Sprintf("%s(%d,%d,%d)", a.do, a.account, a.conv, a.n) }

var actions = []string{
	"say", "say", "say", "say", "deliver", "deliver", "deliver", "deliver", "deliver", "shuffle", "twice",
	"send", "send", "post", "post", "cut", "back", "back", "crash", "pause", "wait", "trouble",
	"rest", "stranger", "stranger", "full", "space", "space",
}

func drawActions() *rapid.Generator[[]action] {
	one := rapid.Custom(func(t *rapid.T) action {
		return action{
			do:      rapid.SampledFrom(actions).Draw(t, "do"),
			account: rapid.IntRange(0, 1).Draw(t, "account"),
			conv:    rapid.IntRange(0, 3).Draw(t, "conv"),
			n:       rapid.IntRange(1, 12).Draw(t, "n"),
		}
	})
	return rapid.SliceOfN(one, 1, 80)
}

// TestProperty: whatever happens — repeats, reports out of order, lost
// connections, ends of the process in the middle of anything — each message is
// recorded once, a group's in the order of its sequence, each sender's of a
// one-to-one talk in the order sent, each report is acknowledged, each outcome
// recorded once, and replaying the journal gives what ingress knows.
func TestProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ack := rapid.Bool().Draw(rt, "ack")
		held := rapid.SampledFrom([]int{1, 3, 1000}).Draw(rt, "held")
		list := drawActions().Draw(rt, "actions")
		var err error
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, ack, held)
			err = w.run(list)
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// world is a service, the bridge's ingress, and what egress would do.
type world struct {
	*rig
	users     [2]tim.UserID
	online    [2]bool
	sends     map[string][]send // to be recorded, by lane
	posted    int
	strangers int
	errs      chan error
	ctx       context.Context // ends with the process
	end       context.CancelFunc
	busy      chan struct{} // tokens of the goroutines of this process
}

type send struct {
	user tim.UserID
	msg  tim.Message
	id   string
}

func newWorld(t *testing.T, ack bool, held int) *world {
	svc := newService(ack)
	w := &world{users: [2]tim.UserID{bridge, second}, sends: map[string][]send{}, errs: make(chan error, 1000)}
	svc.group(team, alice, bridge, second)
	svc.group("pair", bob, bridge)
	w.rig = newRig(t, svc, Config{MaxHeld: held, PostWait: time.Second, Readers: 2})
	w.j.delay = time.Millisecond
	w.begin()
	// A group is followed from the first message that is seen of it.
	svc.send(alice, tim.Group(team), "first")
	svc.send(bob, tim.Group("pair"), "first")
	for _, user := range w.users {
		for svc.deliver(user, 0, false) {
		}
	}
	time.Sleep(time.Minute)
	return w
}

// begin is what a process does when it starts.
func (w *world) begin() {
	w.ctx, w.end = context.WithCancel(context.Background())
	w.busy = make(chan struct{}, 10000)
	for i, user := range w.users {
		h := w.in.Handler(user)
		if err := w.in.Announce(w.ctx, user); err != nil {
			w.errs <- err
		}
		w.svc.signIn(user, h)
		w.online[i] = true
		w.catchUp(user)
	}
	w.postAll()
}

// postAll records what every lane has.
func (w *world) postAll() {
	w.svc.mu.Lock()
	var lanes [][]send
	for _, lane := range w.sends {
		lanes = append(lanes, slices.Clone(lane))
	}
	w.svc.mu.Unlock()
	for _, lane := range lanes {
		for range lane {
			w.post(lane[0].user, lane[0].msg.Conversation())
		}
	}
}

// catchUp does what the bridge does: again until it ends well, or the
// connection is lost.
func (w *world) catchUp(user tim.UserID) {
	in, ctx, svc := w.in, w.ctx, w.svc
	w.busy <- struct{}{}
	busy := w.busy
	go func() {
		defer func() { <-busy }()
		for {
			err := in.CatchUp(ctx, user, svc.client(user), time.Time{})
			if err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrInterrupted) {
				return
			}
			svc.mu.Lock()
			online := svc.accounts[user].online
			svc.mu.Unlock()
			if !online {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
}

func (w *world) conv(i int, self tim.UserID) (tim.Conversation, tim.UserID) {
	switch i {
	case 0:
		return tim.Group(team), alice
	case 1:
		if self == bridge {
			return tim.Group("pair"), bob
		}
		return tim.Group(team), bridge // sent by hand, from the account's phone
	case 2:
		return tim.C2C(self), alice
	default:
		if self == bridge {
			return tim.C2C(bridge), second
		}
		return tim.C2C(second), bridge
	}
}

func lane(user tim.UserID, conv tim.Conversation) string { return string(user) + "|" + conv.String() }

// post records the first send of a lane that is not recorded.
func (w *world) post(user tim.UserID, conv tim.Conversation) {
	in, ctx := w.in, w.ctx
	w.busy <- struct{}{}
	busy := w.busy
	key := lane(user, conv)
	go func() {
		defer func() { <-busy }()
		w.svc.mu.Lock()
		if len(w.sends[key]) == 0 || w.sends[key][0].id == "" {
			w.svc.mu.Unlock()
			return
		}
		s := w.sends[key][0]
		w.sends[key][0].id = "" // under way
		w.svc.mu.Unlock()
		facts, err := mapping.FromMessage(mapping.Observation{App: testApp, Account: s.user}, s.msg)
		if err == nil {
			_, err = in.Post(ctx, facts, outcome(s.id))
		}
		w.svc.mu.Lock()
		defer w.svc.mu.Unlock()
		switch {
		case err == nil:
			w.sends[key] = w.sends[key][1:]
		case ctx.Err() != nil || errors.Is(err, ErrClosed):
			w.sends[key][0].id = s.id // the next process settles it
		default:
			w.errs <- err
		}
	}()
}

func (w *world) do(a action) {
	user := w.users[a.account]
	switch a.do {
	case "say":
		conv, sender := w.conv(a.conv, user)
		for range a.n {
			w.svc.sendFrom(sender, conv, "x", true)
		}
	case "deliver":
		for range a.n {
			w.svc.deliver(user, 0, false)
		}
	case "shuffle":
		for i := range a.n {
			w.svc.deliver(user, (a.conv+1)*(a.n-i), false)
		}
	case "twice":
		w.svc.deliver(user, 0, true)
	case "send":
		if !w.online[a.account] {
			return
		}
		conv := []tim.Conversation{tim.Group(team), tim.Group(team), tim.C2C(alice), tim.C2C(w.users[1-a.account])}[a.conv]
		m := w.svc.send(user, conv, "y")
		w.svc.mu.Lock()
		w.posted++
		key := lane(user, conv)
		w.sends[key] = append(w.sends[key], send{user: user, msg: m, id: fmt.Sprint("o", w.posted)})
		w.svc.mu.Unlock()
	case "post":
		for _, conv := range []tim.Conversation{tim.Group(team), tim.C2C(alice), tim.C2C(w.users[1-a.account])} {
			w.post(user, conv)
		}
	case "cut":
		if !w.online[a.account] {
			return
		}
		w.online[a.account] = false
		w.svc.cut(user)
		w.svc.tell(user, tim.ConnectionChanged{Status: tim.NetworkDisconnected})
	case "back":
		if w.online[a.account] {
			return
		}
		w.online[a.account] = true
		w.svc.mu.Lock()
		h := w.svc.accounts[user].handler
		w.svc.mu.Unlock()
		w.svc.signIn(user, h)
		w.svc.tell(user, tim.ConnectionChanged{Status: tim.NetworkConnected})
		w.catchUp(user)
	case "crash":
		w.crash()
		w.j.setFull(false)
		w.start()
		w.begin()
	case "pause":
		synctest.Wait()
	case "rest":
		// Reports do not lie about for longer than messages overtake each other.
		for _, user := range w.users {
			for w.svc.deliver(user, 0, false) {
			}
		}
		time.Sleep(time.Duration(a.n) * 10 * time.Second)
	case "stranger":
		w.strangers++
		w.svc.send(tim.UserID(fmt.Sprint("stranger", w.strangers)), tim.C2C(user), "x")
		time.Sleep(time.Second)
	case "full":
		w.j.setFull(true)
	case "space":
		w.j.setFull(false)
	case "wait":
		time.Sleep(time.Duration(a.n*a.n) * 20 * time.Millisecond)
	case "trouble":
		w.svc.mu.Lock()
		w.svc.historyDelay = time.Duration(a.n) * time.Millisecond
		if a.conv == 0 {
			w.svc.historyErrors = append(w.svc.historyErrors, tim.NewError("messages", tim.CodeRequestTimeOut, ""))
		}
		w.svc.mu.Unlock()
	}
}

// crash ends the process where it is. An outcome that is in the journal is known.
func (w *world) crash() {
	w.end()
	w.stop()
	for range cap(w.busy) {
		w.busy <- struct{}{}
	}
	for i, user := range w.users {
		w.online[i] = false
		w.svc.cut(user)
	}
	for _, e := range w.j.all() {
		if e.Kind != journal.KindOutcome {
			continue
		}
		for key, lane := range w.sends {
			w.sends[key] = slices.DeleteFunc(lane, func(s send) bool { return s.id == string(e.Body) })
		}
	}
}

func (w *world) run(list []action) error {
	for _, a := range list {
		w.do(a)
	}
	// In the end everything is up again, and handed out.
	w.j.setFull(false)
	w.svc.mu.Lock()
	w.svc.historyErrors, w.svc.historyDelay = nil, 0
	w.svc.mu.Unlock()
	for i := range w.users {
		w.do(action{do: "back", account: i})
	}
	for range 20 {
		for _, user := range w.users {
			for w.svc.deliver(user, 0, false) {
			}
		}
		w.postAll()
		time.Sleep(2 * time.Second)
	}
	err := w.check()
	w.end()
	w.stop()
	return err
}

func (w *world) check() error {
	select {
	case err := <-w.errs:
		return fmt.Errorf("post: %w", err)
	default:
	}
	stats := w.in.Stats()
	for user, a := range stats.Accounts {
		if a.CatchingUp || a.Held != 0 {
			return fmt.Errorf("%s: %+v", user, a)
		}
	}
	if stats.Waiting != 0 || stats.Gaps != 0 {
		return fmt.Errorf("stats: %+v", stats)
	}
	if err := w.svc.kept(); err != nil {
		return err
	}
	entries := w.j.all()
	got := map[string][]string{}
	outcomes := map[string]int{}
	for _, e := range entries {
		switch e.Kind {
		case journal.KindOutcome:
			outcomes[string(e.Body)]++
		case journal.KindFact:
			ev, err := mapping.Decode(e.Body)
			if err != nil {
				return err
			}
			if ev.Type() == mapping.TypeMessagePosted {
				got[ev.Subject()] = append(got[ev.Subject()], ev.ID())
			}
		}
	}
	for id, n := range outcomes {
		if n != 1 {
			return fmt.Errorf("outcome %s is recorded %d times", id, n)
		}
	}
	if len(outcomes) != w.posted {
		return fmt.Errorf("%d outcomes, want %d; left: %v", len(outcomes), w.posted, w.sends)
	}
	for _, c := range w.svc.convs {
		var subject string
		// What an account of the bridge sends by itself and what is sent by hand
		// on its phone have no order between each other that anybody is told.
		bySender := map[string][]string{}
		sender := map[string]string{}
		var all []string
		for _, m := range c.msgs {
			subject = mapping.Subject(m.Conversation(), m.Sender)
			id := mapping.MessageID(m.Sender, m)
			all = append(all, id)
			device := string(m.Sender) + m.Elems[0].(tim.TextElem).Content
			bySender[device] = append(bySender[device], id)
			sender[id] = device
		}
		have := got[subject]
		if c.group != "" {
			if !slices.Equal(all, have) {
				return fmt.Errorf("group %s has %s, want %s", c.group, strings.Join(have, " "), strings.Join(all, " "))
			}
			continue
		}
		haveBy := map[string][]string{}
		for _, id := range have {
			haveBy[sender[id]] = append(haveBy[sender[id]], id)
		}
		if !maps.EqualFunc(bySender, haveBy, slices.Equal) {
			return fmt.Errorf("%s has %s, want %s", subject, strings.Join(have, " "), strings.Join(all, " "))
		}
	}
	return replayDiffers(w.in, entries, w.cfg)
}
