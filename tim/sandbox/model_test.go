package sandbox_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/journal/journaltest"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

// The model is the service once more, as simple as it can be said: who is told
// what, in which order, and what everybody can read. Random calls, restarts,
// kills and snapshots in between, must give the same.
type model struct {
	clock *clock
	now   time.Time
	talks map[string]*modelTalk // by name: "alice+bob", or the group's id
	grps  map[tim.GroupID]*modelGroup
	told  map[tim.UserID][]string // everything each user is to be told, in order
}

type modelTalk struct {
	msgs []*modelMsg
}

type modelMsg struct {
	conv    func(tim.UserID) tim.Conversation
	seq     uint64
	sender  tim.UserID
	text    string // of a tip: what it says
	tip     bool
	revoked bool
	rand    uint64
	at      time.Time
	answer  tim.Message
}

type modelGroup struct {
	id        tim.GroupID
	typ       tim.GroupType
	owner     tim.UserID
	active    bool
	dismissed bool
	reports   uint64
	members   map[tim.UserID]int   // the first message each sees
	past      map[tim.UserID][]int // the messages that former members saw
	held      []func()             // what is told when the group becomes active
	heldFor   []tim.UserID
	add       tim.GroupAddOption
	roles     map[tim.UserID]tim.GroupMemberRole
	name      string
	mutedAll  bool
	muted     map[tim.UserID]bool // for ever
	requests  []*modelRequest
	numbers   int // of requests
}

type modelRequest struct {
	number  int
	user    tim.UserID
	handled bool
}

var modelUsers = []tim.UserID{"ann", "ben", "cid", "dot"}

func newModel() *model {
	c := newClock()
	return &model{
		clock: c, now: c.t, talks: map[string]*modelTalk{},
		grps: map[tim.GroupID]*modelGroup{}, told: map[tim.UserID][]string{},
	}
}

func (m *model) talk(name string) *modelTalk {
	if m.talks[name] == nil {
		m.talks[name] = &modelTalk{}
	}
	return m.talks[name]
}

func c2cName(u, v tim.UserID) string { return string(min(u, v)) + "+" + string(max(u, v)) }

func (m *model) tell(user tim.UserID, format string, args ...any) {
	m.told[user] = append(m.told[user], fmt.Sprintf(format, args...))
}

// post adds a message to a talk.
func (m *model) post(t *modelTalk, x *modelMsg) *modelMsg {
	x.seq, x.at = uint64(len(t.msgs))+1, m.now
	t.msgs = append(t.msgs, x)
	return x
}

// tellMember tells a member of a group, or holds it back.
func (m *model) tellMember(g *modelGroup, user tim.UserID, format string, args ...any) {
	f := func() { m.tell(user, format, args...) }
	if !g.active && user != g.owner {
		g.held = append(g.held, f)
		g.heldFor = append(g.heldFor, user)
		return
	}
	f()
}

func (m *model) tip(g *modelGroup, text string) {
	x := m.post(m.talk(string(g.id)), &modelMsg{sender: tim.SystemUser, tip: true, text: text})
	for user := range g.members {
		m.tellMember(g, user, "group/%s %d %s", g.id, x.seq, text)
	}
}

// report tells users something of the service itself. Who was told nothing of
// a group hears nothing of its end either.
func (m *model) report(g *modelGroup, typ tim.GroupReportType, users ...tim.UserID) {
	g.reports++
	for _, user := range slices.Compact(slices.Sorted(slices.Values(users))) {
		m.tellMember(g, user, "report %v %s %d", typ, g.id, g.reports)
	}
}

func (m *model) sees(g *modelGroup, user tim.UserID) []int {
	if g.members[user] == 0 && g.past[user] == nil || !g.active && user != g.owner {
		return nil
	}
	seen := append([]int{}, g.past[user]...)
	if from := g.members[user]; from > 0 {
		for i := from; i <= len(m.talk(string(g.id)).msgs); i++ {
			if !slices.Contains(seen, i) {
				seen = append(seen, i)
			}
		}
	}
	return seen
}

func (m *model) leave(g *modelGroup, user tim.UserID) {
	for i := g.members[user]; (g.active || user == g.owner) && i <= len(m.talk(string(g.id)).msgs); i++ {
		if !slices.Contains(g.past[user], i) { // in a ChatRoom it may have seen it before
			g.past[user] = append(g.past[user], i)
		}
	}
	delete(g.members, user)
	delete(g.roles, user)
	for i := len(g.held) - 1; i >= 0; i-- {
		if g.heldFor[i] == user {
			g.held = slices.Delete(g.held, i, i+1)
			g.heldFor = slices.Delete(g.heldFor, i, i+1)
		}
	}
}

// check is the system under test beside its model.
type check struct {
	*rapid.T
	m       *model
	w       *world
	disk    *journaltest.FS
	devices map[tim.UserID]*device
	seen    map[tim.UserID]map[uint64]string // what each was told, by number
	made    int
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel()
		mode := rapid.SampledFrom(modes).Draw(rt, "delivery")
		c := &check{T: rt, m: m, devices: map[tim.UserID]*device{}, seen: map[tim.UserID]map[uint64]string{}, disk: journaltest.NewFS()}
		c.w = &world{t: t, dir: "sandbox", o: options(m.clock.option, delivery(mode), func(o *sandbox.Options) {
			o.Limits.SnapshotBytes = 8 << 10
			o.Journal.SegmentBytes = 4 << 10
		})}
		c.start()
		defer func() { c.w.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"":        func(*rapid.T) {},
			"send":    c.send,
			"send ":   c.send, // twice as often as the rest
			"resend":  c.resend,
			"revoke":  c.revoke,
			"create":  c.create,
			"invite":  c.invite,
			"remove":  c.remove,
			"dismiss": c.dismiss,
			"join":    c.join,
			"quit":    c.quit,
			"decide":  c.decide,
			"rename":  c.rename,
			"hand on": c.transfer,
			"role":    c.role,
			"mute":    c.mute,
			"look":    c.look,
			"read":    c.read,
			"sign in and out": func(rt *rapid.T) {
				user := c.user("user")
				if d := c.devices[user]; d != nil {
					c.logout(d)
					c.note(user)
					delete(c.devices, user)
				} else {
					c.signIn(user, rapid.Bool().Draw(rt, "keeps"))
				}
			},
			"time": func(rt *rapid.T) {
				d := rapid.SampledFrom([]time.Duration{time.Second, 50 * time.Second, 200 * time.Second}).Draw(rt, "d")
				m.clock.move(d)
				m.now = m.now.Add(d)
			},
			"snapshot": func(*rapid.T) {
				if err := c.w.Snapshot(context.Background()); err != nil {
					c.Fatal(err)
				}
			},
			"restart": func(*rapid.T) {
				c.stop()
				before := c.w.Dump()
				c.start()
				if after := c.w.Dump(); after != before {
					c.Fatalf("the state was\n%s\nand is\n%s", before, after)
				}
			},
			"kill": func(*rapid.T) { c.cut(c.disk.Clone()) },
			"power cut": func(rt *rapid.T) {
				left := journaltest.States(rapid.Uint64().Draw(rt, "seed"), 3)
				c.cut(c.disk.Crash(rapid.SampledFrom(left).Draw(rt, "left")))
			},
		})
		c.finish()
	})
}

func (c *check) user(label string) tim.UserID {
	return rapid.SampledFrom(modelUsers).Draw(c.T, label)
}

// cut goes on with what is left on a disk.
func (c *check) cut(left *journaltest.FS) {
	c.stop()
	c.disk = left
	c.start()
}

func (c *check) start() {
	c.w.o.Journal.FS = c.disk
	s, err := sandbox.Open(c.w.dir, c.w.o)
	if err != nil {
		c.Fatalf("open: %v", err)
	}
	c.w.Sandbox = s
}

func (c *check) stop() {
	if err := c.w.Close(); err != nil {
		c.Fatalf("close: %v", err)
	}
	for user := range c.devices {
		c.note(user) // what was handed out until the end
	}
	c.devices = map[tim.UserID]*device{}
}

// as is the user's device, which is signed in.
func (c *check) as(user tim.UserID) *device {
	if c.devices[user] == nil {
		c.signIn(user, false)
	}
	return c.devices[user]
}

func (c *check) signIn(user tim.UserID, keep bool) {
	d := c.w.client(user)
	d.keep = keep
	if err := d.Login(context.Background(), user, c.w.sig(user)); err != nil {
		c.Fatalf("%s signs in: %v", user, err)
	}
	c.devices[user] = d
}

func (c *check) logout(d *device) {
	if err := d.Logout(context.Background()); err != nil {
		c.Fatalf("%s signs out: %v", d.user, err)
	}
	d.Close()
}

// note takes down what a device was told so far.
func (c *check) note(user tim.UserID) {
	if c.seen[user] == nil {
		c.seen[user] = map[uint64]string{}
	}
	var last uint64
	for _, r := range c.devices[user].reports() {
		if r.Number == 0 { // for those online alone
			continue
		}
		if r.Number <= last {
			c.Fatalf("%s is told number %d after %d", user, r.Number, last)
		}
		last = r.Number
		s := say(user, r.Event)
		if old, ok := c.seen[user][r.Number]; ok && old != s {
			c.Fatalf("%s is told %q as number %d, which was %q", user, s, r.Number, old)
		}
		c.seen[user][r.Number] = s
	}
}

// say puts an event as the model does.
func say(user tim.UserID, e tim.Event) string {
	switch e := e.(type) {
	case tim.MessagesReceived:
		m := e.Messages[0]
		if r, ok := elemOf[tim.GroupReportElem](m); ok {
			return fmt.Sprintf("report %v %s %d", r.ReportType, r.GroupID, m.Seq)
		}
		if tip, ok := elemOf[tim.GroupTipsElem](m); ok {
			return fmt.Sprintf("%v %d %s", m.Conversation(), m.Seq, sayTip(tip.TipType, tip.OpUser, tip.Users))
		}
		return fmt.Sprintf("%v %d %s: %s", m.Conversation(), m.Seq, m.Sender, textIn(m))
	case tim.MessagesRevoked:
		return fmt.Sprintf("revoked %v %d", e.Locators[0].Conversation(), e.Locators[0].Seq)
	}
	return fmt.Sprintf("%T", e)
}

func sayTip(typ tim.GroupTipType, by tim.UserID, users []tim.UserID) string {
	return fmt.Sprintf("tip %v by %s of %v", typ, by, slices.Sorted(slices.Values(users)))
}
