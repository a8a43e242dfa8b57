package egress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.uber.org/goleak"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testApp    = mapping.App{SDKAppID: 1400000000}
	testMapper = &mapping.Commands{Schemas: schemas.New()}
)

// command is a command as a test publishes it.
type command struct {
	id, account string // account "" is bot, "-" none
	kind        string // "message.send" when empty
	data        any
	expiry      time.Time
}

func sendTo(id, user, text string) command {
	return command{id: id, data: map[string]any{
		"conversation": map[string]any{"type": "c2c", "user_id": user},
		"elements":     []any{map[string]any{"type": "text", "text": text}},
	}}
}

func sendIn(id, group, text string) command {
	c := sendTo(id, "", text)
	c.data.(map[string]any)["conversation"] = map[string]any{"type": "group", "group_id": group}
	return c
}

func (c command) event(t testing.TB) *event.Event {
	t.Helper()
	e := event.New()
	e.SetID(c.id)
	e.SetSource("https://shop.example/orders")
	if c.kind == "" {
		c.kind = "message.send"
	}
	e.SetType(mapping.FullName("command." + c.kind))
	switch c.account {
	case "":
		e.SetExtension(mapping.ExtAccount, "bot")
	case "-":
	default:
		e.SetExtension(mapping.ExtAccount, c.account)
	}
	e.SetExtension(mapping.ExtCorrelationID, "corr-"+c.id)
	if !c.expiry.IsZero() {
		e.SetExtension(mapping.ExtExpiryTime, c.expiry.UTC().Format(time.RFC3339Nano))
	}
	raw, err := json.Marshal(c.data)
	if err != nil {
		t.Fatal(err)
	}
	e.SetDataContentType("application/json")
	e.DataEncoded = raw
	return &e
}

// memBus is a command stream in memory, with one target, and the mark.
type memBus struct {
	mu      sync.Mutex
	msgs    []bus.Received // offset is index+1
	mark    []bus.Position
	marks   int
	changed chan struct{}
	failing error
	asked   [][]bus.Position
	resets  []bus.Reset
	removed uint64 // through which the bus has removed them, by its retention
}

func newMemBus() *memBus { return &memBus{changed: make(chan struct{})} }

func (b *memBus) publish(t testing.TB, c command) uint64 {
	t.Helper()
	e := c.event(t)
	raw, err := mapping.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return b.put(bus.Received{Event: e, Original: raw})
}

func (b *memBus) put(r bus.Received) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := sha256.Sum256(r.Original)
	r.Position = bus.Position{
		Target: "commands", Offset: uint64(len(b.msgs)) + 1, Time: time.Now(), Digest: hex.EncodeToString(sum[:]),
	}
	b.msgs = append(b.msgs, r)
	b.wake()
	return r.Offset
}

func (b *memBus) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// remove removes the oldest messages, as a bus does whose retention is over.
func (b *memBus) remove(through uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.removed = through
	b.wake()
}

// loseTail removes the newest messages, as a bus does that had not synced them.
func (b *memBus) loseTail(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.msgs = b.msgs[:len(b.msgs)-n]
}

func (b *memBus) Commands(_ context.Context, after []bus.Position) (bus.CommandReader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, after)
	if b.failing != nil {
		return nil, b.failing
	}
	r := &memReader{bus: b}
	for _, p := range after {
		if p.Offset > 0 && p.Digest != "" && (p.Offset > uint64(len(b.msgs)) || b.msgs[p.Offset-1].Digest != p.Digest) {
			for r.next < uint64(len(b.msgs)) && b.msgs[r.next].Time.Before(p.Time) {
				r.next++
			}
			b.resets = append(b.resets, bus.Reset{Target: p.Target, Asked: p, From: r.next, To: p.Time, Reason: "another message is there"})
			continue
		}
		r.next, r.at = p.Offset, p
	}
	return r, nil
}

func (b *memBus) Mark(context.Context) ([]bus.Position, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mark), b.failing
}

func (b *memBus) SetMark(_ context.Context, mark []bus.Position) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failing != nil {
		return b.failing
	}
	b.mark, b.marks = slices.Clone(mark), b.marks+1
	return nil
}

type memReader struct {
	bus  *memBus
	next uint64
	at   bus.Position // read last
}

func (r *memReader) Next(ctx context.Context, n int) ([]bus.Received, error) {
	for {
		r.bus.mu.Lock()
		changed := r.bus.changed
		if r.next < r.bus.removed {
			if r.next > 0 { // else nothing was read before
				r.bus.resets = append(r.bus.resets, bus.Reset{
					Target: "commands", Asked: r.at, From: r.bus.removed, Lost: r.bus.removed - r.next, Reason: "removed unread",
				})
			}
			r.next = r.bus.removed
			r.bus.mu.Unlock()
			return nil, nil
		}
		from := min(r.next, uint64(len(r.bus.msgs)))
		got := slices.Clone(r.bus.msgs[from:min(from+uint64(n), uint64(len(r.bus.msgs)))])
		err := r.bus.failing
		r.bus.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if len(got) > 0 {
			r.next = from + uint64(len(got))
			r.at = got[len(got)-1].Position
			for i := range got {
				if got[i].Event != nil {
					e := got[i].Event.Clone()
					got[i].Event = &e
				}
			}
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *memReader) Resets() []bus.Reset {
	r.bus.mu.Lock()
	defer r.bus.mu.Unlock()
	out := r.bus.resets
	r.bus.resets = nil
	return out
}

func (r *memReader) Close() error { return nil }

// accountBook is what the bridge knows of its accounts.
type accountBook struct {
	mu   sync.Mutex
	by   map[tim.UserID]Account
	open map[tim.UserID]chan struct{}
	only tim.UserID
}

func (b *accountBook) set(user tim.UserID, s State, c tim.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old, ok := b.open[user]; ok {
		close(old)
	}
	if b.by == nil {
		b.by, b.open = map[tim.UserID]Account{}, map[tim.UserID]chan struct{}{}
	}
	changed := make(chan struct{})
	b.open[user] = changed
	b.by[user] = Account{State: s, Since: time.Now(), Client: c, Changed: changed}
}

func (b *accountBook) Account(user tim.UserID) Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.by[user]
}

func (b *accountBook) Users() []tim.UserID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.by))
}

func (b *accountBook) Default() (tim.UserID, bool) { return b.only, b.only != "" }

// poster journals as ingress does: facts that are new, then the outcome.
type poster struct {
	journal *journal.Journal
	mu      sync.Mutex
	seen    map[mapping.Key]bool
}

func (p *poster) Post(ctx context.Context, facts []mapping.Fact, outcome []journal.Entry) (bool, error) {
	var entries []journal.Entry
	p.mu.Lock()
	for _, f := range facts {
		if p.seen[f.Key] {
			continue
		}
		body, err := mapping.Encode(f.Event)
		if err != nil {
			p.mu.Unlock()
			return false, err
		}
		entries = append(entries, journal.Entry{Kind: journal.KindFact, Body: body})
	}
	p.mu.Unlock()
	n := len(entries)
	entries = append(entries, outcome...)
	if _, err := p.journal.AppendReserved(ctx, entries); err != nil {
		return false, err
	}
	copy(outcome, entries[n:])
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range facts {
		p.seen[f.Key] = true
	}
	return n > 0, nil
}

// rig is an egress with what it needs.
type rig struct {
	t        testing.TB
	dir      string
	cfg      Config
	bus      *memBus
	accounts *accountBook
	im       *service
	steps    func(string)
	relay    func() uint64
	mapper   Mapper
	wrap     func(*journal.Journal) Journal
	fetch    func(context.Context, string, io.Writer) (int64, error) // nil: over HTTP
	segment  int64
	saved    *journal.Section // what the projection is loaded from; nil: the whole journal

	journal *journal.Journal
	egress  *Egress
	cancel  context.CancelFunc
	done    chan error
}

// newRig makes a rig with the account bot connected to a scripted IM service.
func newRig(t testing.TB, cfg Config) *rig {
	r := &rig{segment: 1 << 20, t: t, dir: t.TempDir(), cfg: cfg, bus: newMemBus(), accounts: &accountBook{}, im: newService(), mapper: testMapper}
	r.accounts.set("bot", StateConnected, r.im.client("bot"))
	t.Cleanup(r.stop)
	return r
}

// start opens the journal and runs an egress on it, as a process does.
func (r *rig) start() *rig {
	r.t.Helper()
	r.open()
	r.run()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	r.openOn(r.bus)
}

func (r *rig) openOn(commands bus.CommandSource) {
	r.t.Helper()
	j, err := journal.Open(r.dir, journal.Options{SegmentBytes: r.segment, Reserve: -1})
	if err != nil {
		r.t.Fatal(err)
	}
	r.journal = j
	var used Journal = j
	if r.wrap != nil {
		used = r.wrap(j)
	}
	r.egress = New(r.cfg, Deps{
		Journal: used, App: testApp, Commands: commands, Mapper: r.mapper, Accounts: r.accounts,
		Poster: &poster{journal: j, seen: map[mapping.Key]bool{}}, Published: r.relay,
		Step: func(s string) {
			if r.steps != nil {
				r.steps(s)
			}
		},
	})
	if r.fetch != nil {
		r.egress.media.fetch = r.fetch
	}
	from := uint64(0)
	if r.saved != nil {
		if err := r.egress.Load(r.saved.Position, r.saved.Body); err != nil {
			r.t.Fatal(err)
		}
		from = r.saved.Position + 1
	}
	if err := j.Scan(from, r.egress.Apply); err != nil {
		r.t.Fatal(err)
	}
	r.checkReplay()
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	r.cancel, r.done = cancel, done
	e := r.egress
	go func() { done <- e.Run(ctx) }()
}

// stop ends the egress in good order.
func (r *rig) stop() {
	if r.cancel == nil {
		return
	}
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Error("run:", err)
	}
	if err := r.journal.Close(); err != nil {
		r.t.Error("close journal:", err)
	}
	r.cancel = nil
}

// result is an outcome in the journal, with its dead letter.
type result struct {
	mapping.Outcome
	position uint64
	dead     *mapping.DeadLetterData
}

// outcomes reads what came of commands, by id; two for one command are an error.
func (r *rig) outcomes() map[string]result {
	r.t.Helper()
	return outcomesOf(r.t, r.journal)
}

func outcomesOf(t testing.TB, j *journal.Journal) map[string]result {
	t.Helper()
	out := map[string]result{}
	err := j.Scan(0, func(e journal.Entry) error {
		if e.Kind != journal.KindOutcome && e.Kind != journal.KindDeadLetter {
			return nil
		}
		ev, err := mapping.Decode(e.Body)
		if err != nil {
			return err
		}
		if e.Kind == journal.KindDeadLetter {
			data, o, err := mapping.ParseDeadLetter(ev)
			if err != nil {
				return err
			}
			id := name(o)
			res, ok := out[id]
			if !ok || res.position != e.Position-1 || res.dead != nil {
				t.Errorf("the dead letter of %s at %d does not follow its outcome", id, e.Position)
			}
			res.dead = &data
			out[id] = res
			return nil
		}
		o, err := mapping.ParseOutcome(ev)
		if err != nil {
			return err
		}
		if _, twice := out[name(o)]; twice {
			t.Errorf("%s has two outcomes", name(o))
		}
		out[name(o)] = result{Outcome: o, position: e.Position}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// name is the command's id; of a rejected one also its place on the bus.
func name(o mapping.Outcome) string {
	if o.Type == mapping.TypeRejected {
		return fmt.Sprintf("%s@%d/%.4s", o.Command.ID, o.Position.Offset, o.Position.Digest)
	}
	return o.Command.ID
}

func (r *rig) want(id string, eventType string, code mapping.RejectCode) result {
	r.t.Helper()
	got, ok := r.outcomes()[id]
	if !ok {
		r.t.Fatalf("%s has no outcome; there are %v", id, slices.Sorted(maps.Keys(r.outcomes())))
	}
	have := mapping.RejectCode("")
	if got.Error != nil {
		have = got.Error.Code
	}
	if got.Type != eventType || have != code {
		r.t.Fatalf("%s: %s %q (%+v), want %s %q", id, got.Type, have, got.Error, eventType, code)
	}
	if (got.dead != nil) != (eventType != mapping.TypeSucceeded) {
		r.t.Fatalf("%s: dead letter %v", id, got.dead)
	}
	return got
}

func (r *rig) none(id string) {
	r.t.Helper()
	if o, ok := r.outcomes()[id]; ok {
		r.t.Fatalf("%s has an outcome already: %s %+v", id, o.Type, o.Error)
	}
}

// facts are the message.posted events in the journal.
func (r *rig) facts() []*event.Event {
	r.t.Helper()
	var out []*event.Event
	err := r.journal.Scan(0, func(e journal.Entry) error {
		if e.Kind != journal.KindFact {
			return nil
		}
		ev, err := mapping.Decode(e.Body)
		out = append(out, ev)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// public are the public entries of the journal, as events.
func (r *rig) public() []*event.Event {
	r.t.Helper()
	var out []*event.Event
	err := r.journal.Scan(0, func(e journal.Entry) error {
		if !e.Kind.Public() {
			return nil
		}
		ev, err := mapping.Decode(e.Body)
		out = append(out, ev)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// refusing is a mapper that knows no commands.
type refusing struct{}

func (refusing) ToCommand(e *event.Event) (mapping.Command, error) {
	return mapping.Command{Source: e.Source(), ID: e.ID(), Type: e.Type(), Account: accountOf(e)},
		&mapping.RejectError{Code: mapping.RejectUnknownType, Message: "gone"}
}
