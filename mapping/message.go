package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// FromMessage tells what a message says, in the order in which it is to be
// recorded: the message itself (message.posted), then what its group tips and
// reports mean for the group, then that it was revoked, if it comes out of
// history as such. The service's own reports (conversation type ConvSystem)
// are not messages of anybody and give only the group's facts. What is not
// understood is im.unrecognized with its JSON. A message that exists only on
// the sender's device, because sending it failed, gives no fact, and neither
// does a report's copy for who did what it tells (see the table at systemFacts).
//
// A fact with [KeyWithFirst] goes with the first one; the others have keys of
// their own. A message that was recorded before may come again from history as
// revoked: its first fact is known then, and the last is new.
func FromMessage(o Observation, m tim.Message) ([]Fact, error) {
	if m.Status == tim.MsgSendFail || m.Status == tim.MsgCancel {
		return nil, nil
	}
	if m.ConvType == tim.ConvSystem && len(m.Elems) > 0 {
		return systemFacts(o, m)
	}
	id := MessageID(o.Account, m)
	if id == "" {
		fact, err := strangeMessage(o, m)
		if err != nil {
			return nil, err
		}
		return []Fact{fact}, nil
	}
	posted, err := messagePosted(o, m, id)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	facts := []Fact{posted}
	if m.ConvType == tim.ConvGroup {
		if facts, err = appendTipFacts(facts, o, m, id); err != nil {
			return nil, fmt.Errorf("message %s: %w", id, err)
		}
	}
	if m.Status == tim.MsgRevoked {
		facts = append(facts, revoked(o, revocation{
			messageID: id, conv: m.Conversation(), sender: m.Sender,
			seq: m.Seq, random: m.Rand, time: m.ServerTime,
			revoker: m.RevokerUserID, reason: m.RevokeReason,
		}))
	}
	return facts, nil
}

// messagePosted is the fact of the message itself. It is on the way of every
// message, so its JSON is written by hand.
func messagePosted(o Observation, m tim.Message, id string) (Fact, error) {
	buf, subject, err := appendMessage(o, m, id)
	if err != nil {
		return Fact{}, err
	}
	at := unixTime(m.ServerTime)
	key := Key{Kind: KeyGroupSeq, Group: tim.GroupID(m.ConvID), Seq: m.Seq, Time: unixSeconds(m.ServerTime)}
	if m.ConvType != tim.ConvGroup || m.Seq == 0 {
		key = hashKey(id, at)
	}
	return Fact{Event: o.fact(id, TypeMessagePosted, subject, at, buf), Key: key}, nil
}

// appendMessage writes what a message is, and gives the subject it belongs to.
func appendMessage(o Observation, m tim.Message, id string) (buf []byte, subject string, err error) {
	var a, b, group string
	if m.ConvType == tim.ConvGroup {
		group = m.ConvID
	} else {
		a, b = c2cUsers(o.Account, m.Sender, m.ConvID)
	}
	buf = append(make([]byte, 0, 448+textLen(m.Elems)), '{')
	buf = appendStringField(buf, "message_id", id)
	buf = appendConversation(buf, a, b, group)
	buf = appendStringField(buf, "sender", string(senderOf(o.Account, m)))
	buf = appendOptionalUint(buf, "sequence", m.Seq)
	buf = appendOptionalUint(buf, "random", m.Rand)
	buf = appendOptionalUint(buf, "server_time", m.ServerTime)
	buf = appendOptionalUint(buf, "client_time", m.ClientTime)
	buf = appendOptionalString(buf, "msg_id", string(m.MsgID))
	if buf, err = appendElements(buf, m.Elems); err != nil {
		return nil, "", err
	}
	buf = appendOptionalString(buf, "cloud_custom_data", m.CloudCustomStr)
	if m.Priority != nil && m.ConvType == tim.ConvGroup {
		buf = appendStringField(buf, "priority", m.Priority.String())
	}
	buf = appendUsers(buf, "at_user_ids", m.GroupAtUsers)
	buf = appendUsers(buf, "target_user_ids", m.TargetGroupMembers)
	buf = appendFlag(buf, "online_only", m.IsOnlineMsg)
	buf = appendFlag(buf, "need_read_receipt", m.NeedReadReceipt)
	buf = appendFlag(buf, "excluded_from_unread", m.IsExcludedFromUnreadCount)
	buf = appendFlag(buf, "excluded_from_last_message", m.ExcludedFromLastMessage)
	buf = appendFlag(buf, "forwarded", m.IsForwardMessage)
	buf = appendFlag(buf, "broadcast", m.IsBroadcastMessage)
	if m.OfflinePushConfig != nil {
		push, err := marshal(offlinePushData(m.OfflinePushConfig))
		if err != nil {
			return nil, "", err
		}
		buf = append(append(appendKey(buf, "offline_push"), push...), ',')
	}
	buf = appendOptionalUint(buf, "version", m.Version)
	buf = appendSender(buf, m)
	buf = appendFlag(buf, "late", o.Late)
	buf = appendExtra(buf, messageExtra(m))
	buf = closeJSON(buf, '}')
	if group != "" {
		return buf, GroupSubject(tim.GroupID(group)), nil
	}
	return buf, c2cSubject(a, b), nil
}

// messageExtra is what an event has of a message without a name of its own: the
// keys that we do not know, and what is rarely there. What an account's own
// device keeps (whether it is read, where it comes from) is no part of it.
func messageExtra(m tim.Message) map[string]json.RawMessage {
	if !m.SupportMessageExtension && !m.ExcludedFromContentModeration && m.CustomModerationConfigurationID == "" &&
		!m.HasRiskContent && m.RiskTypeIdentified == 0 {
		return m.Extra
	}
	extra := maps.Clone(m.Extra)
	for key, set := range map[string]bool{
		"message_support_message_extension":        m.SupportMessageExtension,
		"message_excluded_from_content_moderation": m.ExcludedFromContentModeration,
		"message_has_risk_content":                 m.HasRiskContent,
	} {
		if set {
			extra = with(extra, key, json.RawMessage("true"))
		}
	}
	if m.CustomModerationConfigurationID != "" {
		extra = with(extra, "message_custom_moderation_configuration_id", appendString(nil, m.CustomModerationConfigurationID))
	}
	if m.RiskTypeIdentified != 0 {
		extra = with(extra, "message_risk_type_identified", strconv.AppendUint(nil, m.RiskTypeIdentified, 10))
	}
	return extra
}

// senderOf is who posted a message; where the message does not say, it is told
// by whose conversation it is in, and in a group it is the service itself.
func senderOf(account tim.UserID, m tim.Message) tim.UserID {
	switch {
	case m.Sender != "":
		return m.Sender
	case m.IsFromSelf:
		return account
	case m.ConvType == tim.ConvC2C:
		return tim.UserID(m.ConvID)
	}
	return tim.SystemUser
}

// textLen guesses how much room the elements take.
func textLen(elems []tim.Elem) int {
	n := 0
	for _, elem := range elems {
		switch e := elem.(type) {
		case tim.TextElem:
			n += len(e.Content) + 32
		case tim.CustomElem:
			n += len(e.Data)*5/4 + len(e.Desc) + len(e.Ext) + 64
		default:
			n += 512
		}
	}
	return n
}

func appendUsers(buf []byte, key string, users []tim.UserID) []byte {
	if len(users) == 0 {
		return buf
	}
	buf = append(appendKey(buf, key), '[')
	for _, u := range users {
		buf = append(appendString(buf, string(u)), ',')
	}
	return append(closeJSON(buf, ']'), ',')
}

// appendSender writes what is known of the sender besides the id; what depends
// on who looks (a friend's remark) is left out.
func appendSender(buf []byte, m tim.Message) []byte {
	var nick, face, card string
	if p := m.SenderProfile; p != nil {
		nick, face = p.NickName, p.FaceURL
	}
	if g := m.SenderGroupMemberInfo; g != nil {
		card = g.NameCard
	}
	if nick == "" && face == "" && card == "" {
		return buf
	}
	buf = append(appendKey(buf, "sender_profile"), '{')
	buf = appendOptionalString(buf, "nick_name", nick)
	buf = appendOptionalString(buf, "face_url", face)
	buf = appendOptionalString(buf, "name_card", card)
	return append(closeJSON(buf, '}'), ',')
}

// FromRevoked tells that a message was revoked. The IM service does not say
// when, so the event has no time but the one it is recorded at. A locator that
// names no message gives im.unrecognized.
func FromRevoked(o Observation, l tim.MsgLocator) (Fact, error) {
	id := MessageID(o.Account, tim.Message{
		ConvType: l.ConvType, ConvID: l.ConvID, Seq: l.Seq, Rand: l.Rand, ServerTime: l.Time,
	})
	if id == "" || l.ConvType == tim.ConvGroup && l.Seq == 0 {
		raw, err := json.Marshal(l)
		if err != nil {
			return Fact{}, fmt.Errorf("revocation: %w", err)
		}
		at := AccountSubject(o.Account)
		return o.unrecognized(at+"/revoked/"+shortHash(raw), at, tim.MessagesRevoked{}.Callback(),
			"it names no message of a conversation", raw), nil
	}
	return revoked(o, revocation{
		messageID: id, conv: l.Conversation(), seq: l.Seq, random: l.Rand, time: l.Time,
	}), nil
}

type revocation struct {
	messageID         string
	conv              tim.Conversation
	sender            tim.UserID
	seq, random, time uint64
	revoker           tim.UserID
	reason            string
}

func revoked(o Observation, r revocation) Fact {
	var a, b, group, subject string
	if r.conv.Type == tim.ConvGroup {
		group = r.conv.ID
		subject = GroupSubject(tim.GroupID(group))
	} else {
		a, b = c2cUsers(o.Account, r.sender, r.conv.ID)
		subject = c2cSubject(a, b)
	}
	buf := append(make([]byte, 0, 320), '{')
	buf = appendStringField(buf, "message_id", r.messageID)
	buf = appendConversation(buf, a, b, group)
	buf = appendOptionalUint(buf, "sequence", r.seq)
	buf = appendOptionalUint(buf, "random", r.random)
	buf = appendOptionalUint(buf, "server_time", r.time)
	buf = appendOptionalString(buf, "revoker", string(r.revoker))
	buf = appendOptionalString(buf, "reason", r.reason)
	buf = appendFlag(buf, "late", o.Late)
	buf = closeJSON(buf, '}')
	id := r.messageID + revokedSuffix
	e := o.fact(id, TypeMessageRevoked, subject, unixTime(0), buf)
	return Fact{Event: e, Key: hashKey(id, unixTime(0))}
}

// FromUnrecognized tells what nobody here understands: the name of the SDK's
// callback, and what it brought. Delivered again with the same number it has
// the same id; without a number it needs an id, see [ErrNoIdentity].
func FromUnrecognized(o Observation, name string, raw []byte) (Fact, error) {
	id, err := o.madeID(name, string(raw))
	if err != nil {
		return Fact{}, fmt.Errorf("%s: %w", name, err)
	}
	fact := o.unrecognized(id, AccountSubject(o.Account), name, "", raw)
	if o.Number == 0 {
		fact.Key = Key{}
	}
	return fact, nil
}

func (o Observation) unrecognized(id, subject, name, reason string, raw []byte) Fact {
	buf := append(make([]byte, 0, len(raw)+128), '{')
	buf = appendStringField(buf, "name", name)
	buf = appendOptionalString(buf, "reason", reason)
	buf = appendRaw(appendKey(buf, "raw"), raw)
	buf = append(buf, '}')
	e := o.fact(id, TypeUnrecognized, subject, unixTime(0), buf)
	return Fact{Event: e, Key: hashKey(id, unixTime(0))}
}

// noConversation is why a message is not understood.
const noConversation = "it belongs to no conversation"

// strangeMessage is a message that belongs to no conversation.
func strangeMessage(o Observation, m tim.Message) (Fact, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return Fact{}, fmt.Errorf("message: %w", err)
	}
	fact := o.unrecognized(strangeMessageID(o.Account, m), AccountSubject(o.Account),
		tim.MessagesReceived{}.Callback(), noConversation, raw)
	return fact.at(m.ServerTime), nil
}
