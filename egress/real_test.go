package egress_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/ingress"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/relay"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

const (
	realApp   = 1400000000
	realKey   = "a key that is long enough to be one"
	realToken = "token"
)

// real is every part as it is in a bridge: an embedded NATS server that syncs
// before it acknowledges, the sandbox behind its WebSocket, the journal on disk.
type real struct {
	t       testing.TB
	ctx     context.Context
	bus     *nats.Bus
	sandbox *sandbox.Sandbox
	driver  *wire.Driver

	journal *journal.Journal
	ingress *ingress.Ingress
	egress  *egress.Egress
	relay   *relay.Relay
	client  tim.Client
	stop    func()
}

func newReal(t testing.TB) *real {
	t.Helper()
	ctx := t.Context()
	r := &real{t: t, ctx: ctx}
	var err error
	r.bus, err = nats.Open(ctx, nats.Config{
		Embedded: &nats.EmbeddedConfig{Dir: t.TempDir(), Port: -1, Token: realToken}, LooseSubjects: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.check("close the bus", r.bus.Close()) })
	r.sandbox, err = sandbox.Open(t.TempDir(), sandbox.Options{
		SDKAppID: realApp, Key: realKey, Limits: sandbox.Limits{GroupMessages: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.check("close the sandbox", r.sandbox.Close()) })
	handler, err := r.sandbox.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: realToken}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() { r.check("close the handler", handler.Close()); server.Close() })
	r.driver = wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http"), Token: realToken})
	return r
}

func (r *real) check(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Errorf("%s: %v", what, err)
	}
}

// connected is an account that is signed in for good.
type connected struct {
	user   tim.UserID
	client tim.Client
}

func (c *connected) Account(user tim.UserID) egress.Account {
	if user != c.user {
		return egress.Account{}
	}
	return egress.Account{State: egress.StateConnected, Client: c.client}
}
func (c *connected) Users() []tim.UserID         { return []tim.UserID{c.user} }
func (c *connected) Default() (tim.UserID, bool) { return c.user, true }

// causes breaks the circle between ingress and egress.
type causes struct{ egress *egress.Egress }

func (c *causes) CauseOf(sender tim.UserID, conv tim.Conversation, random uint64, id tim.MessageID) *mapping.Cause {
	return c.egress.CauseOf(sender, conv, random, id)
}

func (c *causes) Sending(account tim.UserID, conv tim.Conversation) bool {
	return c.egress.Sending(account, conv)
}

// signIn opens the account's client and lets reports through to in.
func (r *real) signIn(user tim.UserID, in *ingress.Ingress) tim.Client {
	r.t.Helper()
	client, err := r.driver.Open(r.ctx, tim.Config{SDKAppID: realApp})
	if err != nil {
		r.t.Fatal(err)
	}
	handle := func(rep tim.Report) { rep.Ack() }
	if in != nil {
		handle = in.Handler(user)
	}
	r.check("listen", client.Listen(handle))
	if err := client.Login(r.ctx, user, tim.SignUserSig(realApp, realKey, user, time.Hour, time.Now())); err != nil {
		r.t.Fatal(err)
	}
	return client
}

// run starts a bridge's parts on a journal directory.
func (r *real) run(dir string) {
	r.t.Helper()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.journal = j
	app := mapping.App{SDKAppID: realApp}
	c := &causes{}
	r.ingress = ingress.New(ingress.Config{}, ingress.Deps{Journal: j, App: app, Causes: c})
	r.relay = relay.New(relay.Config{}, relay.Deps{Journal: j, Publisher: r.bus})
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.ctx))
	who := &connected{user: "bot"}
	r.egress = egress.New(egress.Config{}, egress.Deps{
		Journal: j, App: app, Commands: r.bus, Mapper: &mapping.Commands{Schemas: schemas.New()},
		Accounts: who, Poster: r.ingress, Published: r.relay.Published,
	})
	c.egress = r.egress
	for _, p := range []interface{ Apply(journal.Entry) error }{r.egress, r.ingress, r.relay} {
		r.check("replay", j.Scan(0, p.Apply))
	}
	var wg sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		wg.Go(func() { r.check(name, f(ctx)) })
	}
	run("ingress", r.ingress.Run)
	r.client = r.signIn("bot", r.ingress)
	who.client = r.client
	r.check("catch up", r.ingress.CatchUp(ctx, "bot", r.client, time.Now()))
	run("relay", r.relay.Run)
	egressCtx, stopEgress := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); r.check("egress", r.egress.Run(egressCtx)) }()
	r.stop = func() {
		stopEgress()
		<-done
		r.wait("the relay to catch up", func() bool { return r.relay.Stats().Lag == 0 })
		r.check("mark", r.egress.FlushMark(r.ctx))
		cancel()
		wg.Wait()
		r.check("close the client", r.client.Close())
		r.check("close the journal", j.Close())
	}
}

func (r *real) wait(what string, ok func() bool) {
	r.t.Helper()
	for until := time.Now().Add(60 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			r.t.Fatalf("waited for %s in vain; egress %+v", what, r.egress.Stats())
		}
	}
}

func realCommand(id, kind, data string) *event.Event {
	e := event.New()
	e.SetID(id)
	e.SetSource("https://shop.example/orders")
	e.SetType(mapping.FullName("command." + kind))
	e.SetExtension(mapping.ExtAccount, "bot")
	e.SetDataContentType("application/json")
	e.DataEncoded = []byte(data)
	return &e
}

// publish stores commands on the bus, in order within each of the writers.
func (r *real) publish(events []*event.Event, writers int) {
	r.t.Helper()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < len(events); i += writers {
				if _, err := r.bus.Publish(r.ctx, bus.Commands, events[i]); err != nil {
					r.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func sendCommands(n, conversations int) []*event.Event {
	out := make([]*event.Event, n)
	for i := range out {
		out[i] = realCommand(strconv.Itoa(i), "message.send", fmt.Sprintf(
			`{"conversation":{"type":"c2c","user_id":"user%d"},"elements":[{"type":"text","text":"message %d, of the usual length of what people say"}]}`,
			i%conversations, i))
	}
	return out
}

// outcomes reads what is on the bus: how many outcomes each command has.
func (r *real) outcomes(n int) map[string]mapping.Outcome {
	r.t.Helper()
	f, err := r.bus.Follow(r.ctx, bus.Outcomes, bus.Start{Beginning: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	out := map[string]mapping.Outcome{}
	ctx, cancel := context.WithTimeout(r.ctx, 20*time.Second)
	defer cancel()
	for !f.CaughtUp() || len(out) < n {
		got, err := f.Next(ctx)
		if err != nil {
			r.t.Fatalf("after %d outcomes: %v", len(out), err)
		}
		o, err := mapping.ParseOutcome(got.Event)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, twice := out[o.Command.ID]; twice {
			r.t.Errorf("%s has two outcomes on the bus", o.Command.ID)
		}
		out[o.Command.ID] = o
	}
	return out
}

func TestRealParts(t *testing.T) {
	r := newReal(t)
	dir := t.TempDir()
	r.run(dir)
	const n = 500
	r.publish(sendCommands(n, 10), 10)
	r.publish([]*event.Event{
		realCommand("create", "group.create", `{"group_type":"public","name":"team","members":[{"user_id":"user1"}]}`),
		realCommand("bad", "message.send", `{"elements":[]}`),
	}, 1)
	group := mapping.GroupIDFor("https://shop.example/orders", "create", false)
	r.wait("the group", func() bool { return r.egress.Stats().Attempts["group.create"] == 1 && r.egress.Stats().Open == 0 })
	r.publish([]*event.Event{
		realCommand("in the group", "message.send", fmt.Sprintf(`{"conversation":{"type":"group","group_id":%q},"elements":[{"type":"text","text":"hello"}]}`, group)),
		realCommand("invite", "group.invite", fmt.Sprintf(`{"group_id":%q,"user_ids":["user2"]}`, group)),
		realCommand("remove", "group.remove_member", fmt.Sprintf(`{"group_id":%q,"user_ids":["user1"]}`, group)),
		realCommand("dismiss", "group.dismiss", fmt.Sprintf(`{"group_id":%q}`, group)),
	}, 1)
	total := n + 6
	r.wait("the outcomes", func() bool {
		s := r.egress.Stats()
		return s.Read == uint64(total) && s.Open == 0 && r.relay.Stats().Lag == 0
	})
	got := r.outcomes(total)
	for id, o := range got {
		want := mapping.TypeSucceeded
		switch id {
		case "bad":
			want = mapping.TypeRejected
		case "invite": // only an administrator puts users into a public group
			want = mapping.TypeFailed
		}
		if o.Type != want {
			t.Errorf("%s: %s %+v", id, o.Type, o.Error)
		}
	}
	if len(got) != total {
		t.Errorf("%d outcomes", len(got))
	}
	r.stop()

	// The next process has nothing to do, and goes on.
	r.run(dir)
	r.publish(sendCommands(n+1, 10)[n:], 1)
	r.wait("one more", func() bool { s := r.egress.Stats(); return s.Read == 1 && s.Open == 0 && r.relay.Stats().Lag == 0 })
	if s := r.egress.Stats(); s.Succeeded != 1 || s.Doubts != 0 || s.Resets != 0 {
		t.Errorf("after the restart: %+v", s)
	}
	if got := len(r.outcomes(total + 1)); got != total+1 {
		t.Errorf("%d outcomes", got)
	}
	r.stop()
}
