package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// handle shows what happens.
func (t *talk) handle(r tim.Report) {
	defer r.Ack()
	switch e := r.Event.(type) {
	case tim.MessagesReceived:
		for _, m := range e.Messages {
			t.received(m)
		}
	case tim.MessagesModified:
		for _, m := range e.Messages {
			t.show(m)
		}
	case tim.MessagesRevoked:
		for _, l := range e.Locators {
			t.revoked(l)
		}
	case tim.MessagesRead:
		for _, receipt := range e.Receipts {
			t.read(receipt)
		}
	case tim.GroupTipped:
		t.tipped(e.Tip)
	case tim.StatusesChanged:
		for _, s := range e.Statuses {
			t.status(s)
		}
	case tim.ProfilesChanged:
		t.learn(e.Profiles...)
	case tim.SelfProfileChanged:
		t.learn(e.Profile)
	case tim.UploadProgress:
		t.progressed(e)
	case tim.KickedOffline:
		t.end(errors.New("signed in elsewhere"))
	case tim.UserSigExpired:
		t.end(errors.New("the UserSig has expired"))
	case tim.ConnectionChanged:
		t.connection(e.Status)
	}
}

func (t *talk) learn(profiles ...tim.UserProfile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range profiles {
		t.names.learn(p)
	}
}

// received shows a message of this conversation, and tells of others.
func (t *talk) received(m tim.Message) {
	conv := m.Conversation()
	switch {
	case conv == t.here():
		t.show(m)
		select {
		case t.unread <- struct{}{}:
		default:
		}
	case conv.Type == tim.ConvSystem:
		for _, el := range m.Elems {
			if !t.knows(el) {
				t.note(elementText(el, t.call))
			}
		}
	case !t.JSON && !isTip(m) && (conv.Type == tim.ConvC2C || conv.Type == tim.ConvGroup):
		t.mu.Lock()
		t.names.learnFrom(m)
		who, told := t.names.of(m.Sender), t.elsewhere[conv]
		t.elsewhere[conv] = true
		t.mu.Unlock()
		switch {
		case told:
		case conv.Type == tim.ConvGroup:
			t.note(fmt.Sprintf("something is said in the group %s; /group %s goes there", conv.ID, quoted(conv.ID)))
		default:
			t.note(fmt.Sprintf("%s writes to you; /to %s answers", who, quoted(conv.ID)))
		}
	}
}

// knows says whether an element tells of the coming into being of what one is
// in already.
func (t *talk) knows(el tim.Elem) bool {
	r, ok := el.(tim.GroupReportElem)
	return ok && t.here() == tim.Group(r.GroupID) && (r.ReportType == tim.GroupReportCreate || r.ReportType == tim.GroupReportInvite)
}

// revoked tells that a message was recalled.
func (t *talk) revoked(l tim.MsgLocator) {
	t.mu.Lock()
	if l.Conversation() != t.conv || t.holding { // what is being read already says so
		t.mu.Unlock()
		return
	}
	i := t.find(tim.Message{ConvType: l.ConvType, Seq: l.Seq, Rand: l.Rand, ServerTime: l.Time})
	text := "a message was recalled"
	if i >= 0 {
		m := &t.recent[i]
		if m.Status == tim.MsgRevoked {
			t.mu.Unlock()
			return // it was told already
		}
		m.Status = tim.MsgRevoked
		text = fmt.Sprintf("%s recalled the message of %s", t.names.of(m.Sender), timeOf(m.ServerTime, time.Now()))
	}
	t.mu.Unlock()
	t.note(text)
	if err := t.screen.document(l); err != nil {
		t.end(err)
	}
}

// read tells, once, that the last thing one said was read.
func (t *talk) read(r tim.MessageReceipt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.ConvType != t.conv.Type || r.ConvID != t.conv.ID {
		return
	}
	last := t.lastOwn(1)
	if last == nil {
		return
	}
	switch {
	case r.ConvType == tim.ConvGroup:
		if r.MsgID == last.MsgID && r.ReadCount > 0 {
			t.note(fmt.Sprintf("read by %d of %d", r.ReadCount, r.ReadCount+r.UnreadCount))
		}
	case r.TimeStamp >= last.ServerTime && last.ServerTime > t.peerRead:
		t.peerRead = last.ServerTime
		t.note(t.names.of(tim.UserID(t.conv.ID)) + " has read it")
	}
}

// lastOwn is the nth of one's own messages from the end that is not recalled,
// nil for none. t.mu is held.
func (t *talk) lastOwn(n int) *tim.Message {
	for i := len(t.recent) - 1; i >= 0; i-- {
		m := &t.recent[i]
		if m.Sender != t.me || m.Status == tim.MsgRevoked || isTip(*m) {
			continue
		}
		if n--; n == 0 {
			return m
		}
	}
	return nil
}

func isTip(m tim.Message) bool {
	for _, el := range m.Elems {
		if _, ok := el.(tim.GroupTipsElem); ok {
			return true
		}
	}
	return false
}

// tipped tells what a group's members are told of it, where no stored message says it.
func (t *talk) tipped(tip tim.GroupTipsElem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conv != tim.Group(tip.GroupID) || !t.newTip(tip) {
		return
	}
	if err := t.screen.say(timeOf(cmp.Or(tip.Time, uint64(time.Now().Unix())), time.Now()), "·", tipText(tip, t.names.of)); err != nil {
		t.end(err)
	}
}

// status tells that the other user came or went.
func (t *talk) status(s tim.UserStatus) {
	if t.here() != tim.C2C(s.Identifier) {
		return
	}
	t.note(t.call(s.Identifier) + " " + statusText(s))
}

func statusText(s tim.UserStatus) string {
	text := "is offline"
	if s.StatusType == tim.UserStatusOnline {
		text = "is online"
	}
	if s.CustomStatus != "" {
		text += fmt.Sprintf(": %s", s.CustomStatus)
	}
	return text
}

// progressed tells how far an upload is, where it takes long.
func (t *talk) progressed(e tim.UploadProgress) {
	const pause = 2 * time.Second
	t.mu.Lock()
	tell := e.Total > 0 && e.Done < e.Total && time.Since(t.uploading) > pause
	if tell {
		t.uploading = time.Now()
	}
	t.mu.Unlock()
	if tell {
		t.note(fmt.Sprintf("uploaded %d%% of %s", uint64(e.Done)*100/uint64(e.Total), size(int64(e.Total))))
	}
}

// connection tells of a lost connection, and of its return.
func (t *talk) connection(s tim.NetworkStatus) {
	t.mu.Lock()
	was := t.away
	t.away = s != tim.NetworkConnected
	is := t.away
	t.mu.Unlock()
	switch {
	case is && !was:
		t.note("the connection is lost; waiting for the sandbox")
	case was && !is:
		t.note("connected again")
	}
}
