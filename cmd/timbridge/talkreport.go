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
			t.inOrder(func() { t.received(m) })
		}
	case tim.MessagesModified:
		for _, m := range e.Messages {
			t.inOrder(func() { t.news(m) })
		}
	case tim.MessagesRevoked:
		for _, l := range e.Locators {
			t.inOrder(func() { t.revoked(l) })
		}
	case tim.MessagesRead:
		for _, receipt := range e.Receipts {
			t.inOrder(func() { t.read(receipt) })
		}
	case tim.GroupTipped:
		t.inOrder(func() { t.tipped(e.Tip) })
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

// news shows a message that was reported, unless it was said before the
// conversation was entered. t.mu is held.
func (t *talk) news(m tim.Message) {
	if t.find(m) >= 0 || !t.before.covers(m) {
		t.showLocked(m)
	}
}

// received shows a message of this conversation, and tells of others. t.mu is held.
func (t *talk) received(m tim.Message) {
	conv := m.Conversation()
	switch {
	case conv == t.conv:
		t.news(m)
		select {
		case t.unread <- struct{}{}:
		default:
		}
	case conv.Type == tim.ConvSystem:
		for _, el := range m.Elems {
			if !t.knows(el) {
				t.note(elementText(el, t.names.of))
			}
		}
	case !t.JSON && !isTip(m) && (conv.Type == tim.ConvC2C || conv.Type == tim.ConvGroup):
		t.names.learnFrom(m)
		who, told := t.names.of(m.Sender), t.elsewhere[conv]
		t.elsewhere[conv] = true
		switch {
		case told:
		case conv.Type == tim.ConvGroup:
			t.note(fmt.Sprintf("something is said in the group %s; /group %s goes there", conv.ID, quoted(conv.ID)))
		default:
			t.note(fmt.Sprintf("%s writes to you; /to %s answers", who, quoted(conv.ID)))
		}
	}
}

// knows says whether an element tells what one has done to somebody else, of
// which the service sends a copy, or of the coming into being of what one is in
// already. t.mu is held.
func (t *talk) knows(el tim.Elem) bool {
	r, ok := el.(tim.GroupReportElem)
	if !ok {
		return false
	}
	switch r.ReportType {
	case tim.GroupReportInvite:
		return r.OpUser == t.me || t.conv == tim.Group(r.GroupID)
	case tim.GroupReportCreate:
		return t.conv == tim.Group(r.GroupID)
	case tim.GroupReportBeKicked, tim.GroupReportGrantAdmin, tim.GroupReportCancelAdmin, tim.GroupReportShutUpMember:
		return r.OpUser == t.me
	}
	return false
}

// revoked tells that a message was recalled. t.mu is held.
func (t *talk) revoked(l tim.MsgLocator) {
	if l.Conversation() != t.conv {
		return
	}
	of := tim.Message{ConvType: l.ConvType, Seq: l.Seq, Rand: l.Rand, ServerTime: l.Time}
	text, i := "a message was recalled", t.find(of)
	switch {
	case i >= 0:
		m := &t.recent[i]
		if m.Status == tim.MsgRevoked {
			return // it was told already
		}
		m.Status = tim.MsgRevoked
		text = fmt.Sprintf("%s recalled the message of %s", t.names.of(m.Sender), timeOf(m.ServerTime, time.Now()))
	case t.before.revoked(of):
		return // what was shown says so, or begins after it
	}
	t.note(text)
	if err := t.screen.document(l); err != nil {
		t.end(err)
	}
}

// read tells, once, that the last thing one said was read. t.mu is held.
func (t *talk) read(r tim.MessageReceipt) {
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

// tipped tells what a group's members are told of it, where no stored message
// says it. t.mu is held.
func (t *talk) tipped(tip tim.GroupTipsElem) {
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
