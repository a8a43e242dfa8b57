package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

const (
	appID    = 1400000000
	key      = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	patience = 10 * time.Second
)

// options are those of most tests: no limits of rate, and no space reserved.
func options(change ...func(*sandbox.Options)) sandbox.Options {
	o := sandbox.Options{SDKAppID: appID, Key: key, Limits: sandbox.Limits{GroupMessages: -1}}
	o.Journal.Reserve = -1
	o.Journal.HighWater = -1
	for _, c := range change {
		c(&o)
	}
	return o
}

func push(o *sandbox.Options) { o.Delivery = sandbox.DeliveryPush }

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *clock) option(o *sandbox.Options) { o.Now = c.now }

// offsetClock is the real clock, and moved on by a test.
type offsetClock struct {
	mu sync.Mutex
	d  time.Duration
}

func (c *offsetClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.d)
}

func (c *offsetClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.d += d
}

func (c *offsetClock) option(o *sandbox.Options) { o.Now = c.now }

// world is a sandbox under test.
type world struct {
	t   testing.TB
	dir string
	o   sandbox.Options
	*sandbox.Sandbox
}

func open(t testing.TB, o sandbox.Options) *world {
	t.Helper()
	return openIn(t, t.TempDir(), o)
}

func openIn(t testing.TB, dir string, o sandbox.Options) *world {
	t.Helper()
	s, err := sandbox.Open(dir, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	w := &world{t: t, dir: dir, o: o, Sandbox: s}
	t.Cleanup(func() { w.Close() })
	return w
}

// reopen closes the sandbox and opens it again.
func (w *world) reopen() {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatalf("close: %v", err)
	}
	s, err := sandbox.Open(w.dir, w.o)
	if err != nil {
		w.t.Fatalf("open again: %v", err)
	}
	w.Sandbox = s
}

// afterKill opens what a kill at this moment would have left: a copy of the
// directory as it is while the sandbox runs.
func (w *world) afterKill() *world {
	w.t.Helper()
	dir := w.t.TempDir()
	copyFiles(w.t, w.dir, dir)
	return openIn(w.t, dir, w.o)
}

func copyFiles(t testing.TB, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	// Folders last: what a record names was there before the record.
	slices.SortStableFunc(files, func(a, b os.DirEntry) int {
		switch {
		case a.IsDir() == b.IsDir():
			return 0
		case b.IsDir():
			return -1
		}
		return 1
	})
	for _, f := range files {
		if f.IsDir() { // of the files that were sent
			if err := os.MkdirAll(filepath.Join(to, f.Name()), 0o700); err != nil {
				t.Fatal(err)
			}
			copyFiles(t, filepath.Join(from, f.Name()), filepath.Join(to, f.Name()))
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if os.IsNotExist(err) {
			continue // deleted meanwhile
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) now() time.Time {
	if w.o.Now != nil {
		return w.o.Now()
	}
	return time.Now()
}

func (w *world) sig(user tim.UserID) string {
	return tim.SignUserSig(appID, key, user, 24*time.Hour, w.now())
}

func ctx(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c
}

// device is a client of a test, which notes what it is told.
type device struct {
	t    testing.TB
	w    *world
	user tim.UserID
	tim.Client
	keep bool // does not acknowledge

	mu   sync.Mutex
	more sync.Cond
	got  []tim.Report
}

// on sets the platform.
func on(p tim.Platform) func(*tim.Config) {
	return func(c *tim.Config) { info(c).Platform = p }
}

// named sets the device's id.
func named(id string) func(*tim.Config) {
	return func(c *tim.Config) { info(c).DevID = id }
}

func info(c *tim.Config) *tim.DeviceInfo {
	if c.DeviceInfo == nil {
		c.DeviceInfo = &tim.DeviceInfo{}
	}
	return c.DeviceInfo
}

// client opens a client that is not signed in.
func (w *world) client(user tim.UserID, change ...func(*tim.Config)) *device {
	w.t.Helper()
	return w.clientOf(w.Sandbox, user, change...)
}

func (w *world) clientOf(driver tim.Driver, user tim.UserID, change ...func(*tim.Config)) *device {
	w.t.Helper()
	config := tim.Config{SDKAppID: appID}
	for _, c := range change {
		c(&config)
	}
	c, err := driver.Open(ctx(w.t), config)
	if err != nil {
		w.t.Fatalf("open a client: %v", err)
	}
	d := &device{t: w.t, w: w, user: user, Client: c}
	d.more.L = &d.mu
	if err := c.Listen(d.take); err != nil {
		w.t.Fatalf("listen: %v", err)
	}
	return d
}

// signIn opens a client and signs it in.
func (w *world) signIn(user tim.UserID, change ...func(*tim.Config)) *device {
	w.t.Helper()
	d := w.client(user, change...)
	d.login()
	return d
}

func (d *device) login() {
	d.t.Helper()
	if err := d.Login(ctx(d.t), d.user, d.w.sig(d.user)); err != nil {
		d.t.Fatalf("%s signs in: %v", d.user, err)
	}
}

func (d *device) logout() {
	d.t.Helper()
	if err := d.Logout(ctx(d.t)); err != nil {
		d.t.Fatalf("%s signs out: %v", d.user, err)
	}
}

func (d *device) take(r tim.Report) {
	d.mu.Lock()
	d.got = append(d.got, r)
	keep := d.keep
	d.more.Broadcast()
	d.mu.Unlock()
	if !keep {
		r.Ack()
	}
}

func (d *device) reports() []tim.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

// wait waits for a report, from the first one on.
func (d *device) wait(what string, fits func(tim.Report) bool) tim.Report {
	d.t.Helper()
	late := time.AfterFunc(patience, d.more.Broadcast)
	defer late.Stop()
	end := time.Now().Add(patience)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 0; ; i++ {
		for i == len(d.got) {
			if !time.Now().Before(end) {
				d.t.Fatalf("%s was not told %s; it was told %s", d.user, what, describe(d.got))
			}
			d.more.Wait()
		}
		if fits(d.got[i]) {
			return d.got[i]
		}
	}
}

// message waits for a text.
func (d *device) message(text string) tim.Message {
	d.t.Helper()
	r := d.wait(fmt.Sprintf("%q", text), func(r tim.Report) bool { return textOf(r) == text })
	return messageOf(r)
}

func waitFor[E tim.Event](d *device) E {
	d.t.Helper()
	var e E
	r := d.wait(e.Callback(), func(r tim.Report) bool { _, ok := r.Event.(E); return ok })
	return r.Event.(E)
}

// groupReport waits for what the service itself says about a group.
func (d *device) groupReport(typ tim.GroupReportType) (tim.Message, tim.GroupReportElem) {
	d.t.Helper()
	var elem tim.GroupReportElem
	r := d.wait("the report "+typ.String(), func(r tim.Report) bool {
		e, ok := elemOf[tim.GroupReportElem](messageOf(r))
		if ok && e.ReportType == typ {
			elem = e
			return true
		}
		return false
	})
	return messageOf(r), elem
}

// tip waits for a tip in a group.
func (d *device) tip(typ tim.GroupTipType) (tim.Message, tim.GroupTipsElem) {
	d.t.Helper()
	var elem tim.GroupTipsElem
	r := d.wait("the tip "+typ.String(), func(r tim.Report) bool {
		e, ok := elemOf[tim.GroupTipsElem](messageOf(r))
		if ok && e.TipType == typ {
			elem = e
			return true
		}
		return false
	})
	return messageOf(r), elem
}

func elemOf[E tim.Elem](m tim.Message) (e E, ok bool) {
	if len(m.Elems) == 1 {
		e, ok = m.Elems[0].(E)
	}
	return e, ok
}

func messageOf(r tim.Report) tim.Message {
	if e, ok := r.Event.(tim.MessagesReceived); ok && len(e.Messages) == 1 {
		return e.Messages[0]
	}
	return tim.Message{}
}

func textIn(m tim.Message) string {
	e, _ := elemOf[tim.TextElem](m)
	return e.Content
}

func textOf(r tim.Report) string { return textIn(messageOf(r)) }

// texts are the texts that the device was told.
func (d *device) texts() []string {
	var texts []string
	for _, r := range d.reports() {
		if s := textOf(r); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

func describe(reports []tim.Report) string {
	s := fmt.Sprint(len(reports), " reports")
	for _, r := range reports {
		s += fmt.Sprintf("\n  %d %s %+v", r.Number, r.Event.Callback(), r.Event)
	}
	return s
}

func text(s string) tim.Message { return tim.Message{Elems: []tim.Elem{tim.TextElem{Content: s}}} }

// say sends a text.
func (d *device) say(conv tim.Conversation, s string) tim.Message {
	d.t.Helper()
	return d.post(conv, text(s))
}

func (d *device) post(conv tim.Conversation, m tim.Message) tim.Message {
	d.t.Helper()
	sent, err := d.Send(ctx(d.t), conv, m)
	if err != nil {
		d.t.Fatalf("%s sends to %v: %v", d.user, conv, err)
	}
	return sent
}

func (d *device) create(p tim.CreateGroupParam) tim.GroupID {
	d.t.Helper()
	if p.GroupName == "" {
		p.GroupName = "team"
	}
	r, err := d.CreateGroup(ctx(d.t), p)
	if err != nil {
		d.t.Fatalf("%s creates a group: %v", d.user, err)
	}
	return r.GroupID
}

// groups is what the device can do with groups.
func (d *device) groups() tim.Groups { return d.Client.(tim.Groups) }

func members(users ...tim.UserID) []tim.GroupMemberInfo {
	var list []tim.GroupMemberInfo
	for _, u := range users {
		list = append(list, tim.GroupMemberInfo{Identifier: u, MemberRole: tim.RoleMember})
	}
	return list
}

// history reads all that a device can see of a conversation, newest first.
func (d *device) history(conv tim.Conversation) []tim.Message {
	d.t.Helper()
	var all []tim.Message
	query := tim.HistoryQuery{Count: 50}
	for {
		page, err := d.Client.(tim.History).Messages(ctx(d.t), conv, query)
		if err != nil {
			d.t.Fatalf("history of %v: %v", conv, err)
		}
		all = append(all, page...)
		if len(page) < query.Count {
			return all
		}
		query.Before = &page[len(page)-1]
	}
}

// wantCode checks that a call was refused with a code and did nothing.
func wantCode(t testing.TB, what string, err error, code tim.Code) {
	t.Helper()
	e, ok := tim.AsError(err)
	if !ok || e.Code != code || e.Effect != tim.EffectNotDone {
		t.Errorf("%s: error is %v, want code %v and nothing done", what, err, code)
	}
}
