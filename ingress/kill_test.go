package ingress

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

const testKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

// TestKilled: a bridge that is killed at a named step, and at random moments,
// again and again, under load in both directions, over a real journal and the
// sandbox. Each message that its sender got an answer for is journaled once and
// in order, each outcome once.
func TestKilled(t *testing.T) {
	for _, delivery := range []sandbox.Delivery{sandbox.DeliveryAck, sandbox.DeliveryPush} {
		for _, over := range []string{"process", "wire"} {
			t.Run(string(delivery)+"/"+over, func(t *testing.T) {
				t.Parallel()
				k := newKillRig(t, delivery, over == "wire")
				first := k.begin("", 0)
				for first.in.Stats().Accounts[bridge].CatchingUp {
					time.Sleep(time.Millisecond)
				}
				stop := k.talk()
				calm := k.trouble()
				first.kill()
				first.over()
				k.dir = first.left
				for i := range 12 {
					switch i % 3 {
					case 0:
						k.runUntilKilled("report_in", 1+rand.IntN(60))
					case 1:
						k.runUntilKilled("journaled", 1+rand.IntN(20))
					case 2:
						k.runUntilKilled("", 0)
					}
				}
				calm()
				stop()
				k.check()
			})
		}
	}
}

type killRig struct {
	t      *testing.T
	sb     *sandbox.Sandbox
	driver tim.Driver
	dir    string // of the journal that a kill has left
	kills  int

	mu   sync.Mutex
	said map[string][]string // by subject and sender, of answered sends, in order: message ids
	// changes are the ids of what became of messages, in the order of the answers.
	changes  []string
	delivery sandbox.Delivery
	sent     int // own commands whose outcome is awaited so far
}

func newKillRig(t *testing.T, delivery sandbox.Delivery, overWire bool) *killRig {
	o := sandbox.Options{SDKAppID: testApp.SDKAppID, Key: testKey, Delivery: delivery, Limits: sandbox.Limits{GroupMessages: -1}}
	o.Journal = diskOptions()
	sb, err := sandbox.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	k := &killRig{t: t, sb: sb, driver: sb, dir: t.TempDir(), said: map[string][]string{}, delivery: delivery}
	if overWire {
		h, err := sb.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: "t"}})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(h)
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			server.Close()
		})
		k.driver = wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http") + "/", Token: "t", CloseTimeout: time.Second})
	}
	return k
}

func diskOptions() journal.Options { return journal.Options{Reserve: -1, HighWater: -1} }

func signature(user tim.UserID) string {
	return tim.SignUserSig(testApp.SDKAppID, testKey, user, time.Hour, time.Now())
}

// person signs somebody in who is not of the bridge.
func (k *killRig) person(user tim.UserID) tim.Client {
	k.t.Helper()
	c, err := k.sb.Open(context.Background(), tim.Config{SDKAppID: testApp.SDKAppID})
	if err == nil {
		err = c.Login(context.Background(), user, signature(user))
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

// talk has two people talk to the bridge and in a group until stop is called.
func (k *killRig) talk() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	clients := []tim.Client{k.person(alice), k.person(bob)}
	result, err := clients[0].CreateGroup(ctx, tim.CreateGroupParam{
		GroupID: team, GroupName: "team", GroupType: tim.GroupPublic,
		Members: []tim.GroupMemberInfo{{Identifier: bob}, {Identifier: bridge}},
	})
	if err != nil || result.GroupID != team {
		k.t.Fatalf("group %q: %v", result.GroupID, err)
	}
	for i, c := range clients {
		user := []tim.UserID{alice, bob}[i]
		for _, conv := range []tim.Conversation{tim.C2C(bridge), tim.Group(team)} {
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					m, err := c.Send(ctx, conv, tim.Message{Elems: []tim.Elem{tim.TextElem{Content: fmt.Sprint(n)}}})
					if err != nil {
						if ctx.Err() == nil {
							k.t.Errorf("send: %v", err)
						}
						return
					}
					k.answered(user, m)
					k.change(ctx, user, c, m, n)
					time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
				}
			})
		}
	}
	return func() {
		cancel()
		wg.Wait()
		for _, c := range clients {
			if err := c.Close(); err != nil {
				k.t.Error(err)
			}
		}
	}
}

// change modifies or revokes some of what was said, and marks some of it as read.
func (k *killRig) change(ctx context.Context, user tim.UserID, c tim.Client, m tim.Message, n int) {
	id, err := mapping.MessageID(user, m), error(nil)
	switch n % 16 {
	case 3, 9:
		m.Elems = []tim.Elem{tim.TextElem{Content: fmt.Sprint(n, " in other words")}}
		if m, err = c.(tim.Modifier).ModifyMessage(ctx, m); err == nil {
			k.became(fmt.Sprintf("%s/modified/%d", id, m.Version))
		}
	case 5:
		if err = c.Revoke(ctx, m.Conversation(), m.Locator()); err == nil {
			k.became(id + "/revoked")
		}
	case 7:
		err = c.(tim.Reader).MarkRead(ctx, m.Conversation(), nil)
	}
	if err != nil && ctx.Err() == nil {
		k.t.Errorf("change of %s: %v", id, err)
	}
}

func (k *killRig) became(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes = append(k.changes, id)
}

// trouble cuts the bridge's connection now and then, doubles reports, and
// fails calls for history, until calm is called.
func (k *killRig) trouble() (calm func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			pause(ctx, time.Duration(20+rand.IntN(200))*time.Millisecond)
			var err error
			switch rand.IntN(5) {
			case 0, 1:
				k.sb.Faults().Disconnect(bridge, 10*time.Millisecond)
			case 2:
				err = k.sb.Faults().Add(sandbox.Fault{Call: sandbox.CallReport, Account: bridge, Do: sandbox.Duplicate, Count: 3})
			case 3:
				err = k.sb.Faults().Add(sandbox.Fault{Call: sandbox.CallMessages, Account: bridge, Do: sandbox.RateLimit, Delay: 10 * time.Millisecond, Count: 2})
			case 4:
				err = k.sb.Faults().Add(sandbox.Fault{Call: sandbox.CallConversations, Account: bridge, Do: sandbox.DropAfter, Delay: 5 * time.Millisecond})
			}
			if err != nil {
				k.t.Error(err)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		k.sb.Faults().Clear()
	}
}

func (k *killRig) answered(sender tim.UserID, m tim.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := mapping.Subject(m.Conversation(), sender) + " " + string(sender)
	id := mapping.MessageID(sender, m)
	if n := len(k.said[key]); n > 0 && k.said[key][n-1] == id {
		return // a command that was repeated after a kill
	}
	k.said[key] = append(k.said[key], id)
}

// process is one life of a bridge.
type process struct {
	k      *killRig
	j      *journal.Journal
	in     *Ingress
	client tim.Client
	ctx    context.Context
	wg     sync.WaitGroup

	mu     sync.RWMutex // held for reading while something is told to the world
	dead   bool
	left   string // the directory as the kill left it
	end    context.CancelFunc
	killed chan struct{}
}

// kill takes what is on disk and lets nothing out any more.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return
	}
	p.dead = true
	p.left = p.k.t.TempDir()
	copyDir(p.k.t, p.k.dir, p.left)
	p.end()
	close(p.killed)
}

func copyDir(t testing.TB, from, to string) {
	files, err := os.ReadDir(from)
	if err != nil {
		t.Error(err)
		return
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// begin starts a bridge on what there is. at is the step at whose n-th coming
// it is killed.
func (k *killRig) begin(at string, n int) *process {
	k.t.Helper()
	p := &process{k: k, killed: make(chan struct{})}
	p.ctx, p.end = context.WithCancel(context.Background())
	var err error
	if p.j, err = journal.Open(k.dir, diskOptions()); err != nil {
		k.t.Fatal(err)
	}
	var mu sync.Mutex
	step := func(name string) {
		mu.Lock()
		if name == at {
			n--
		}
		die := name == at && n == 0
		mu.Unlock()
		if die {
			p.kill()
			<-p.ctx.Done()
		}
	}
	p.in = New(Config{}, Deps{Journal: p.j, App: testApp, Step: step})
	from := uint64(1)
	if snapshots, errs := p.j.Snapshots(); len(errs) > 0 {
		k.t.Fatal(errs)
	} else if len(snapshots) > 0 {
		s, _ := snapshots[0].Section(p.in.Name())
		if err := p.in.Load(s.Position, s.Body); err != nil {
			k.t.Fatal(err)
		}
		from = s.Position + 1
	}
	done := 0
	if err := p.j.Scan(1, func(e journal.Entry) error {
		if e.Kind == journal.KindOutcome {
			done++
		}
		if e.Position < from {
			return nil
		}
		return p.in.Apply(e)
	}); err != nil {
		k.t.Fatal(err)
	}
	p.wg.Go(func() {
		if err := p.in.Run(p.ctx); err != nil {
			k.t.Errorf("Run: %v", err)
		}
	})
	p.signIn()
	p.wg.Go(func() { p.command(done) })
	return p
}

// signIn opens the account's client and catches up, now and whenever the
// connection is back.
func (p *process) signIn() {
	t := p.k.t
	var err error
	if p.client, err = p.k.driver.Open(p.ctx, tim.Config{SDKAppID: testApp.SDKAppID}); err != nil {
		if p.ctx.Err() == nil {
			t.Fatal(err)
		}
		return
	}
	catchUp := func() {
		for p.ctx.Err() == nil {
			err := p.in.CatchUp(p.ctx, bridge, p.client, time.Time{})
			if err == nil || errors.Is(err, ErrInterrupted) || p.ctx.Err() != nil {
				return
			}
			t.Logf("catch-up: %v", err)
			time.Sleep(10 * time.Millisecond)
		}
	}
	handle := p.in.Handler(bridge)
	if err := p.in.Announce(p.ctx, bridge); err != nil {
		return
	}
	err = p.client.Listen(func(r tim.Report) {
		ack := r.Ack
		r.Ack = func() {
			p.mu.RLock()
			defer p.mu.RUnlock()
			if !p.dead {
				ack()
			}
		}
		handle(r)
		if e, ok := r.Event.(tim.ConnectionChanged); ok && e.Status == tim.NetworkConnected {
			p.wg.Go(catchUp)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		err := p.client.Login(p.ctx, bridge, signature(bridge))
		if err == nil {
			break
		}
		if p.ctx.Err() != nil {
			return
		}
		t.Logf("login: %v", err)
	}
	p.wg.Go(catchUp)
}

// command does what egress does: one command after the other, each with a
// random of its own, again with the same one after a kill. done outcomes are
// in the journal.
func (p *process) command(done int) {
	if p.client == nil {
		return
	}
	for i := done; p.ctx.Err() == nil; i++ {
		conv := []tim.Conversation{tim.C2C(alice), tim.Group(team)}[i%2]
		m, err := p.client.Send(p.ctx, conv, tim.Message{
			Rand: uint64(1000 + i), Elems: []tim.Elem{tim.TextElem{Content: fmt.Sprint("command ", i)}},
		})
		if err != nil {
			if p.ctx.Err() == nil {
				time.Sleep(5 * time.Millisecond)
				i--
				continue
			}
			return
		}
		facts, err := mapping.FromMessage(mapping.Observation{App: testApp, Account: bridge}, m)
		if err != nil {
			p.k.t.Error(err)
			return
		}
		if _, err := p.in.Post(p.ctx, facts, outcome(fmt.Sprint(i))); err != nil {
			return
		}
		p.k.answered(bridge, m)
		p.k.mu.Lock()
		p.k.sent = max(p.k.sent, i)
		p.k.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

// over waits for everything of the process to end.
func (p *process) over() {
	p.end()
	if p.client != nil {
		if err := p.client.Close(); err != nil {
			p.k.t.Logf("close: %v", err)
		}
	}
	p.wg.Wait()
	if err := p.j.Close(); err != nil {
		p.k.t.Error(err)
	}
}

func (k *killRig) runUntilKilled(at string, n int) {
	k.t.Helper()
	k.kills++
	p := k.begin(at, n)
	limit := 5 * time.Second
	if at == "" {
		limit = time.Duration(rand.IntN(300)) * time.Millisecond
	}
	select {
	case <-p.killed:
	case <-time.After(limit):
		if k.kills%2 == 0 { // a snapshot is written now and then
			position, body, err := p.in.Save()
			if err == nil {
				err = p.j.SaveSnapshot(context.Background(), journal.Snapshot{
					Position: position, Sections: []journal.Section{{Name: p.in.Name(), Position: position, Body: body}},
				})
			}
			if err != nil {
				k.t.Error(err)
			}
		}
		p.kill()
	}
	p.over()
	k.dir = p.left
}

// check lets a last process come to rest and compares.
func (k *killRig) check() {
	t := k.t
	t.Helper()
	p := k.begin("", 0)
	k.mu.Lock()
	want, said, changes := 0, map[string][]string{}, slices.Clone(k.changes)
	for key, ids := range k.said {
		said[key] = slices.Clone(ids)
		want += len(ids)
	}
	k.mu.Unlock()
	deadline := time.Now().Add(30 * time.Second)
	var entries []journal.Entry
	var sent int // by now: commands go on
	for {
		time.Sleep(100 * time.Millisecond)
		k.mu.Lock()
		sent = k.sent
		k.mu.Unlock()
		entries = entries[:0]
		if err := p.j.Scan(1, func(e journal.Entry) error {
			e.Body = slices.Clone(e.Body)
			entries = append(entries, e)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		stats := p.in.Stats()
		have := len(facts(t, entries, mapping.TypeMessagePosted))
		if have >= want && stats.Waiting == 0 && stats.Queued == 0 && !stats.Accounts[bridge].CatchingUp {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("not at rest: %d messages, want at least %d: %+v", have, want, stats)
			break
		}
	}
	p.kill()
	p.over()

	k.checkChanges(entries, changes)
	got := map[string][]string{}
	lastSeq := uint64(0)
	outcomes := map[string]bool{}
	for _, e := range entries {
		if e.Kind == journal.KindOutcome {
			if outcomes[string(e.Body)] {
				t.Errorf("outcome %s twice", e.Body)
			}
			outcomes[string(e.Body)] = true
		}
		if e.Kind != journal.KindFact {
			continue
		}
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch ev.Type() {
		case mapping.TypeAccountGapDetected:
			if gapIn(t, ev).Covers == nil {
				t.Errorf("a gap: %s", e.Body)
			} else if k.delivery == sandbox.DeliveryAck {
				t.Errorf("an absence from a service that keeps its reports: %s", e.Body)
			}
		case mapping.TypeMessagePosted:
			if key := mapping.KeyOfEvent(ev); key.Kind == mapping.KeyGroupSeq {
				if key.Seq <= lastSeq {
					t.Errorf("%s after sequence %d", ev.ID(), lastSeq)
				} else if lastSeq != 0 && key.Seq != lastSeq+1 {
					t.Errorf("%s after sequence %d: something is missing", ev.ID(), lastSeq)
				}
				lastSeq = key.Seq
			}
			key := ev.Subject() + " " + string(senderOf(ev))
			got[key] = append(got[key], ev.ID())
		}
	}
	for key, ids := range said {
		if strings.HasPrefix(key, "group/") {
			// Several goroutines hear of their answers in any order; sequences were looked at above.
			ids = slices.Clone(ids)
			slices.Sort(ids)
			slices.Sort(got[key])
		}
		// What was sent and not answered before the end may be there too.
		have := slices.DeleteFunc(slices.Clone(got[key]), func(id string) bool { return !slices.Contains(ids, id) })
		if !slices.Equal(have, ids) {
			t.Errorf("%s: %d messages of %d, or not in order", key, len(have), len(ids))
		}
		if twice := slices.Compact(slices.Sorted(slices.Values(got[key]))); len(twice) != len(got[key]) {
			t.Errorf("%s: some messages twice", key)
		}
	}
	for i := range sent {
		if !outcomes[fmt.Sprint(i)] {
			t.Errorf("outcome %d is missing", i)
		}
	}
	t.Logf("%d kills, %d messages, %d commands", k.kills, want, sent)
}

// checkChanges compares what became of messages: everything once and after its
// message. Where reports are pushed, what was told while nobody listened is
// found in history: no message was changed twice.
func (k *killRig) checkChanges(entries []journal.Entry, changes []string) {
	t := k.t
	t.Helper()
	posted, got := map[string]bool{}, map[string]int{}
	read := 0
	for _, e := range entries {
		if e.Kind != journal.KindFact {
			continue
		}
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch id := ev.ID(); ev.Type() {
		case mapping.TypeMessagePosted:
			posted[id] = true
		case mapping.TypeMessageModified, mapping.TypeMessageRevoked:
			of := id[:strings.LastIndex(id, "/revoked")+1]
			if of == "" {
				of = id[:strings.LastIndex(id, "/modified/")+1]
			}
			if !posted[strings.TrimSuffix(of, "/")] {
				t.Errorf("%s came before its message", id)
			}
			got[id]++
		case mapping.TypeMessageRead:
			read++
			got[id]++
		}
	}
	for id, n := range got {
		if n > 1 {
			t.Errorf("%s is there %d times", id, n)
		}
	}
	for _, id := range changes {
		if got[id] == 0 {
			t.Errorf("%s is missing", id)
		}
	}
	t.Logf("%d changes, %d read marks", len(changes), read)
}
