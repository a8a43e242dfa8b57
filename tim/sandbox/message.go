package sandbox

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// firstTinyID is where the numbers that stand for accounts in message ids begin.
const firstTinyID = 144115200000000000

// message is something that was posted. It does not change: what a recall
// changes is written into a copy that takes its place.
type message struct {
	conv     *conversation // nil: a report of the service itself
	sender   tim.UserID
	tiny     uint64 // the sender's number, for the message id
	platform tim.Platform
	time     int64 // nanoseconds since 1970
	seq      uint64
	rand     uint64
	flags    uint8
	revoker  tim.UserID
	reason   string
	version  uint64   // how often it was changed
	receipt  *receipt // nil: nobody is asked whether they have read it; the lock guards it
	// content is the JSON of a tim.Message with what its sender said and
	// nothing of what the service says of it.
	content []byte
	// decoded is content once more, as long as it is likely to be needed.
	decoded atomic.Pointer[tim.Message]
	// mark is where a snapshot that is being made has it.
	mark snapshotMark
}

const (
	flagOnline  = 1 << iota // was for those online, stored nowhere
	flagTip                 // a group tip
	flagRevoked             // recalled
	// What the sender asked for with the message.
	flagReceipt  // to be told who has read it
	flagNoUnread // that it does not count as unread
	flagNotLast  // that it is not shown in the list of conversations
	flagAt       // that some are mentioned
	flagMedia    // it has elements with files
)

func (m *message) is(flag uint8) bool { return m.flags&flag != 0 }

// size is about what it takes in memory.
func (m *message) size() int64 { return int64(len(m.content)) + 200 }

func (m *message) seconds() uint64 { return uint64(m.time / int64(time.Second)) }

// uniqueID is the time and the random in one number, as the service makes it.
func (m *message) uniqueID() uint64 { return m.seconds()<<32 | m.rand&(1<<32-1) }

// id is "<sender's number>-<seconds>-<random>".
func (m *message) id() tim.MessageID {
	b := make([]byte, 0, 48)
	b = strconv.AppendUint(b, firstTinyID+m.tiny, 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, m.seconds(), 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, m.rand, 10)
	return tim.MessageID(b)
}

// before orders messages of one conversation.
func (m *message) before(seconds, seq, rand uint64) bool {
	switch {
	case m.seconds() != seconds:
		return m.seconds() < seconds
	case m.seq != seq:
		return m.seq < seq
	}
	return m.rand < rand
}

// revoked is a copy that says who recalled it, and why.
func (m *message) revoked(by tim.UserID, reason string) *message {
	c := &message{
		conv: m.conv, sender: m.sender, tiny: m.tiny, platform: m.platform, time: m.time,
		seq: m.seq, rand: m.rand, flags: m.flags | flagRevoked, revoker: by, reason: reason,
		version: m.version, receipt: m.receipt, content: m.content,
	}
	return c
}

// modified is a copy that says something else.
func (m *message) modified(content []byte, flags uint8) *message {
	return &message{
		conv: m.conv, sender: m.sender, tiny: m.tiny, platform: m.platform, time: m.time,
		seq: m.seq, rand: m.rand, flags: m.flags&^flagMedia | flags&flagMedia,
		revoker: m.revoker, reason: m.reason, version: m.version + 1, receipt: m.receipt, content: content,
	}
}

// said is what the sender said. The elements are shared by everybody who gets
// the message.
func (m *message) said() tim.Message {
	if d := m.decoded.Load(); d != nil {
		return *d
	}
	var d tim.Message
	// It was written by this package and is covered by the journal's checksum.
	_ = d.UnmarshalJSON(m.content)
	return d
}

// seenBy is the message in the eyes of an account.
func (m *message) seenBy(user tim.UserID) tim.Message {
	v := m.said()
	v.Elems = append([]tim.Elem(nil), v.Elems...)
	v.Sender = m.sender
	v.Platform = m.platform
	v.ServerTime = m.seconds()
	if v.ClientTime == 0 {
		v.ClientTime = v.ServerTime
	}
	v.Seq, v.Rand = m.seq, m.rand
	v.UniqueID, v.MsgID = m.uniqueID(), m.id()
	v.Version = m.version
	v.IsFromSelf = m.sender == user
	v.IsRead = v.IsFromSelf
	v.IsOnlineMsg = m.is(flagOnline)
	v.Status = tim.MsgSendSucc
	if m.is(flagRevoked) {
		v.Status, v.RevokerUserID, v.RevokeReason = tim.MsgRevoked, m.revoker, m.reason
	}
	if m.conv == nil {
		v.ConvType, v.ConvID = tim.ConvSystem, ""
		return v
	}
	v.ConvType, v.ConvID = m.conv.key.typ, m.conv.key.seenBy(user)
	return v
}

// locatorFor names the message for an account.
func (m *message) locatorFor(user tim.UserID) tim.MsgLocator {
	l := tim.MsgLocator{
		IsRevoked: m.is(flagRevoked), IsSelf: m.sender == user,
		Time: m.seconds(), Seq: m.seq, Rand: m.rand, UniqueID: m.uniqueID(),
	}
	if m.conv != nil {
		l.ConvType, l.ConvID = m.conv.key.typ, m.conv.key.seenBy(user)
	}
	return l
}

// saidOnly is msg without what only the service may say, and without what
// stays on the sender's device.
func saidOnly(msg tim.Message) tim.Message {
	return tim.Message{
		Elems:                           msg.Elems,
		Priority:                        msg.Priority,
		ClientTime:                      msg.ClientTime,
		NeedReadReceipt:                 msg.NeedReadReceipt,
		SupportMessageExtension:         msg.SupportMessageExtension,
		CloudCustomStr:                  msg.CloudCustomStr,
		IsExcludedFromUnreadCount:       msg.IsExcludedFromUnreadCount,
		GroupAtUsers:                    msg.GroupAtUsers,
		IsForwardMessage:                msg.IsForwardMessage,
		ExcludedFromLastMessage:         msg.ExcludedFromLastMessage,
		ExcludedFromContentModeration:   msg.ExcludedFromContentModeration,
		CustomModerationConfigurationID: msg.CustomModerationConfigurationID,
		OfflinePushConfig:               msg.OfflinePushConfig,
		Extra:                           msg.Extra,
	}
}

// recent keeps the last messages decoded, since most are handed out at once.
type recent struct {
	ring [4096]*message
	next int
}

func (r *recent) keep(m *message, said *tim.Message) {
	if old := r.ring[r.next]; old != nil {
		old.decoded.Store(nil)
	}
	m.decoded.Store(said)
	r.ring[r.next] = m
	r.next = (r.next + 1) % len(r.ring)
}
