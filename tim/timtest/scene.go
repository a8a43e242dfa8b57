package timtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// scene is one test: its users and groups are its own.
type scene struct {
	*testing.T
	h      Harness
	prefix string
	count  int
}

// user is the id of one of the scene's users.
func (s *scene) user(name string) tim.UserID { return tim.UserID(s.prefix + name) }

// ctx lives as long as a call may take.
func (s *scene) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), s.h.Patience)
	s.Cleanup(cancel)
	return ctx
}

func (s *scene) sig(user tim.UserID) string { return s.h.UserSig(user, 24*time.Hour) }

// device is a client of one of the scene's users, with everything it was told.
type device struct {
	s      *scene
	user   tim.UserID
	client tim.Client

	mu     sync.Mutex
	items  []*item
	more   chan struct{} // closed and made anew with every report
	noAck  bool
	closed atomic.Bool
	inside atomic.Int32 // handlers running
	gate   chan struct{}
}

// item is one message, or one report that brings none.
type item struct {
	report tim.Report
	msg    *tim.Message // nil where the report brings none
	taken  bool
}

// deviceOption changes how a device is opened.
type deviceOption func(*device, *tim.DeviceInfo)

// on puts the device on another platform; the default is Windows.
func on(p tim.Platform) deviceOption {
	return func(_ *device, d *tim.DeviceInfo) { d.Platform = p }
}

// named makes it a device of its own; the default is "one" of the user.
func named(id string) deviceOption {
	return func(_ *device, d *tim.DeviceInfo) { d.DevID = id }
}

// unacknowledged keeps reports unacknowledged.
func unacknowledged() deviceOption { return func(d *device, _ *tim.DeviceInfo) { d.noAck = true } }

// gated holds the handler up until the gate is closed.
func gated(gate chan struct{}) deviceOption {
	return func(d *device, _ *tim.DeviceInfo) { d.gate = gate }
}

// open makes a client with a handler, not signed in.
func (s *scene) open(name string, opts ...deviceOption) *device {
	s.Helper()
	d := &device{s: s, user: s.user(name), more: make(chan struct{})}
	info := &tim.DeviceInfo{DevID: string(d.user) + "-one", Platform: tim.PlatformWindows}
	for _, opt := range opts {
		opt(d, info)
	}
	client, err := s.h.Driver.Open(s.ctx(), tim.Config{SDKAppID: s.h.SDKAppID, DeviceInfo: info})
	if err != nil {
		s.Fatalf("open: %v", err)
	}
	d.client = client
	s.Cleanup(d.close)
	if err := client.Listen(d.take); err != nil {
		s.Fatalf("listen: %v", err)
	}
	return d
}

// signIn makes a client and signs it in.
func (s *scene) signIn(name string, opts ...deviceOption) *device {
	s.Helper()
	d := s.open(name, opts...)
	d.login()
	return d
}

func (d *device) login() {
	d.s.Helper()
	if err := d.client.Login(d.s.ctx(), d.user, d.s.sig(d.user)); err != nil {
		d.s.Fatalf("%s signs in: %v", d.user, err)
	}
}

func (d *device) logout() {
	d.s.Helper()
	if err := d.client.Logout(d.s.ctx()); err != nil {
		d.s.Fatalf("%s signs out: %v", d.user, err)
	}
}

// close ends the client; it may be called again.
func (d *device) close() {
	if err := d.client.Close(); err != nil {
		d.s.Errorf("close: %v", err)
	}
	d.closed.Store(true)
}

// take is the handler.
func (d *device) take(r tim.Report) {
	if d.inside.Add(1) > 1 {
		d.s.Errorf("%s: the handler is called before it has returned", d.user)
	}
	defer d.inside.Add(-1)
	if d.closed.Load() {
		d.s.Errorf("%s: a report came after Close had returned", d.user)
	}
	if r.Ack == nil || r.Event == nil || r.Account != d.user {
		d.s.Errorf("%s: the report is %+v", d.user, r)
		return
	}
	if d.gate != nil {
		<-d.gate
	}
	d.mu.Lock()
	if msgs, ok := r.Event.(tim.MessagesReceived); ok {
		for i := range msgs.Messages {
			d.items = append(d.items, &item{report: r, msg: &msgs.Messages[i]})
		}
	} else {
		d.items = append(d.items, &item{report: r})
	}
	close(d.more)
	d.more = make(chan struct{})
	d.mu.Unlock()
	if !d.noAck {
		r.Ack()
	}
}

// wait waits for the first item that fits and was not waited for before.
func (d *device) wait(what string, fits func(*item) bool) *item {
	d.s.Helper()
	timeout := time.NewTimer(d.s.h.Patience)
	defer timeout.Stop()
	for {
		d.mu.Lock()
		for _, it := range d.items {
			if !it.taken && fits(it) {
				it.taken = true
				d.mu.Unlock()
				return it
			}
		}
		more := d.more
		d.mu.Unlock()
		select {
		case <-more:
		case <-timeout.C:
			d.s.Fatalf("%s was not told: %s\nit was told:\n%s", d.user, what, d.told())
		}
	}
}

// told lists what the device was told.
func (d *device) told() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	for _, it := range d.items {
		if it.msg != nil {
			fmt.Fprintf(&b, "  %s from %s, seq %d: %+v\n", it.msg.Conversation(), it.msg.Sender, it.msg.Seq, it.msg.Elems)
		} else {
			fmt.Fprintf(&b, "  %s %+v\n", it.report.Event.Callback(), it.report.Event)
		}
	}
	return b.String()
}

// message waits for a message.
func (d *device) message(what string, fits func(tim.Message) bool) tim.Message {
	d.s.Helper()
	return *d.wait(what, func(it *item) bool { return it.msg != nil && fits(*it.msg) }).msg
}

// text waits for a text in a conversation.
func (d *device) text(conv tim.Conversation, text string) tim.Message {
	d.s.Helper()
	return d.message(fmt.Sprintf("%q in %s", text, conv), func(m tim.Message) bool {
		return m.Conversation() == conv && textOf(m) == text
	})
}

// tip waits for a tip in a group about users.
func (d *device) tip(group tim.GroupID, typ tim.GroupTipType, by tim.UserID, users ...tim.UserID) {
	d.s.Helper()
	m := d.message(fmt.Sprintf("the tip %v of %v by %s in %s", typ, users, by, group), func(m tim.Message) bool {
		tip, ok := only[tim.GroupTipsElem](m)
		return ok && tip.TipType == typ && tip.OpUser == by && slices.Equal(tip.Users, users)
	})
	tip, _ := only[tim.GroupTipsElem](m)
	if m.Seq == 0 || m.Conversation() != tim.Group(group) || tip.GroupID != group {
		d.s.Errorf("the tip of %s is in %s with sequence %d: %+v", group, m.Conversation(), m.Seq, tip)
	}
}

// groupReport waits for a report about a group.
func (d *device) groupReport(group tim.GroupID, typ tim.GroupReportType) tim.GroupReportElem {
	d.s.Helper()
	m := d.message(fmt.Sprintf("the report %v about %s", typ, group), func(m tim.Message) bool {
		r, ok := only[tim.GroupReportElem](m)
		return ok && r.ReportType == typ && r.GroupID == group
	})
	if m.ConvType != tim.ConvSystem || m.ConvID != "" || m.Sender != tim.SystemUser {
		d.s.Errorf("the report is in %s from %q", m.Conversation(), m.Sender)
	}
	r, _ := only[tim.GroupReportElem](m)
	return r
}

// event waits for a report of a type that brings no messages.
func event[E tim.Event](d *device, what string, fits func(E) bool) E {
	d.s.Helper()
	it := d.wait(what, func(it *item) bool {
		e, ok := it.report.Event.(E)
		return ok && fits(e)
	})
	return it.report.Event.(E)
}

func always[E tim.Event](E) bool { return true }

// count is how many messages the device was told that fit.
func (d *device) count(fits func(tim.Message) bool) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, it := range d.items {
		if it.msg != nil && fits(*it.msg) {
			n++
		}
	}
	return n
}

// texts are the texts that the device was told in a conversation, in order.
func (d *device) texts(conv tim.Conversation) (texts []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, it := range d.items {
		if it.msg != nil && it.msg.Conversation() == conv && textOf(*it.msg) != "" {
			texts = append(texts, textOf(*it.msg))
		}
	}
	return texts
}

// fence waits until the device has been told everything that happened before:
// a user of its own writes to it, and reports come in the service's order.
func (d *device) fence() {
	d.s.Helper()
	d.s.count++
	from := d.s.signIn(fmt.Sprintf("fence%d", d.s.count))
	text := fmt.Sprintf("fence %d", d.s.count)
	from.say(tim.C2C(d.user), text)
	d.text(tim.C2C(from.user), text)
	from.close()
}

// say sends a text.
func (d *device) say(conv tim.Conversation, text string) tim.Message {
	d.s.Helper()
	return d.send(conv, textMessage(text))
}

func (d *device) send(conv tim.Conversation, msg tim.Message) tim.Message {
	d.s.Helper()
	sent, err := d.client.Send(d.s.ctx(), conv, msg)
	if err != nil {
		d.s.Fatalf("%s writes to %s: %v", d.user, conv, err)
	}
	return sent
}

// create makes a group with its other members as ordinary ones.
func (d *device) create(typ tim.GroupType, members ...*device) tim.GroupID {
	d.s.Helper()
	param := tim.CreateGroupParam{GroupName: "team", GroupType: typ}
	for _, m := range members {
		param.Members = append(param.Members, tim.GroupMemberInfo{Identifier: m.user, MemberRole: tim.RoleMember})
	}
	return d.createWith(param)
}

func (d *device) createWith(param tim.CreateGroupParam) tim.GroupID {
	d.s.Helper()
	result, err := d.client.CreateGroup(d.s.ctx(), param)
	if err != nil {
		d.s.Fatalf("%s creates a group: %v", d.user, err)
	}
	if result.GroupID == "" {
		d.s.Fatal("the group has no id")
	}
	return result.GroupID
}

// refused checks that a call was refused with the code that the service
// documents for it, and did nothing.
func (s *scene) refused(what string, err error, code tim.Code) {
	s.Helper()
	e, ok := tim.AsError(err)
	switch {
	case err == nil:
		s.Errorf("%s: is not refused", what)
	case !ok:
		s.Errorf("%s: the error is no *tim.Error: %v", what, err)
	case e.Code != code:
		s.Errorf("%s: refused with %v, want %d %s", what, err, code, code.Name())
	case e.Effect != tim.EffectNotDone:
		s.Errorf("%s: the effect is %v, want %v: %v", what, e.Effect, tim.EffectNotDone, err)
	}
}

func textMessage(text string) tim.Message {
	return tim.Message{Elems: []tim.Elem{tim.TextElem{Content: text}}}
}

// textOf is the text of a message that is one text, "" of any other.
func textOf(m tim.Message) string {
	e, _ := only[tim.TextElem](m)
	return e.Content
}

// only is a message's element where it has one, of that type.
func only[E tim.Elem](m tim.Message) (e E, ok bool) {
	if len(m.Elems) == 1 {
		e, ok = m.Elems[0].(E)
	}
	return e, ok
}
