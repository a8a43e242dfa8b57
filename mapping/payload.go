package mapping

import (
	"encoding/json"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// read fills in what the data says. The data fits its schema, so what can
// still be wrong is what a schema cannot say.
func (c *Command) read(data []byte) error {
	switch c.Type {
	case TypeCommandSend:
		return readAs(data, c.readSend)
	case TypeCommandRevoke:
		return readAs(data, c.readRevoke)
	case TypeCommandModify:
		return readAs(data, c.readModify)
	case TypeCommandMarkRead:
		return readAs(data, c.readMarkRead)
	case TypeCommandSendReadReceipt:
		return readAs(data, c.readReadReceipt)
	case TypeCommandCreateGroup:
		return readAs(data, c.readCreateGroup)
	case TypeCommandModifyGroup:
		return readAs(data, c.readModifyGroup)
	case TypeCommandTransferGroup:
		return readAs(data, c.readTransferGroup)
	case TypeCommandInvite:
		return readAs(data, c.readInvite)
	case TypeCommandRemoveMember:
		return readAs(data, c.readRemoveMember)
	case TypeCommandModifyMember:
		return readAs(data, c.readModifyMember)
	case TypeCommandJoin:
		return readAs(data, c.readJoin)
	case TypeCommandQuit:
		return readAs(data, c.readQuit)
	case TypeCommandHandleRequest:
		return readAs(data, c.readHandleRequest)
	case TypeCommandDismiss:
		return readAs(data, c.readDismiss)
	case TypeCommandModifyProfile:
		return readAs(data, c.readModifyProfile)
	case TypeCommandSetStatus:
		return readAs(data, c.readSetStatus)
	}
	return reject(RejectUnknownType, "type", "this version does not carry out %q", c.Type)
}

// readAs decodes data and hands it on.
func readAs[D CommandData](data []byte, read func(D) error) error {
	var d D
	if err := json.Unmarshal(data, &d); err != nil {
		return reject(RejectSchemaInvalid, "", "%v", err)
	}
	return read(d)
}

func (c *Command) readSend(d SendData) error {
	conv, err := d.Conversation.conversation(c.Account)
	if err != nil {
		return reject(RejectSchemaInvalid, "/conversation/users", "%v", err)
	}
	if conv.Type == tim.ConvC2C && len(d.TargetUserIDs) > 0 {
		return reject(RejectSchemaInvalid, "/target_user_ids", "it chooses among the members of a group, and this goes to one user: leave it out")
	}
	m := tim.Message{
		CloudCustomStr: d.CloudCustomData, GroupAtUsers: d.AtUserIDs,
		IsOnlineMsg: d.OnlineOnly, NeedReadReceipt: d.NeedReadReceipt,
		Priority: priorityOf(d.Priority), OfflinePushConfig: d.OfflinePush.config(),
		TargetGroupMembers: d.TargetUserIDs, IsExcludedFromUnreadCount: d.ExcludedFromUnread,
		ExcludedFromLastMessage: d.ExcludedFromLastMessage,
	}
	var media []Media
	for i, element := range d.Elements {
		elem, files, err := element.elem(i)
		if err != nil {
			return err
		}
		m.Elems = append(m.Elems, elem)
		media = append(media, files...)
	}
	c.Conversation = conv
	c.Send = &Send{Conversation: conv, Message: m, Media: media}
	return nil
}

func priorityOf(word string) *tim.MsgPriority {
	for _, p := range []tim.MsgPriority{tim.PriorityHigh, tim.PriorityNormal, tim.PriorityLow, tim.PriorityLowest} {
		if p.String() == word {
			return &p
		}
	}
	return nil
}

func (c *Command) readRevoke(d RevokeData) error {
	n, err := c.messageNamed(d.MessageID, d.Conversation, d.Sequence, d.Random, d.ServerTime)
	if err != nil {
		return err
	}
	c.Conversation = n.conv
	c.Revoke = &Revoke{Conversation: n.conv, MessageID: n.id(c.Account), Message: tim.MsgLocator{
		ConvID: n.conv.ID, ConvType: n.conv.Type, Seq: n.seq, Rand: n.random, Time: n.time,
		IsSelf: n.conv.Type == tim.ConvC2C, // between two users one revokes one's own
	}}
	return nil
}

func (c *Command) readModify(d ModifyData) error {
	n, err := c.messageNamed(d.MessageID, d.Conversation, d.Sequence, d.Random, d.ServerTime)
	if err != nil {
		return err
	}
	m := n.message()
	m.CloudCustomStr = d.CloudCustomData
	for i, element := range d.Elements {
		elem, err := element.reported("/elements/" + strconv.Itoa(i))
		if err != nil {
			return err
		}
		m.Elems = append(m.Elems, elem)
	}
	c.Conversation = n.conv
	c.Modify = &Modify{Conversation: n.conv, Message: m, MessageID: n.id(c.Account)}
	return nil
}

func (c *Command) readMarkRead(d MarkReadData) error {
	if d.MessageID == "" {
		conv, err := d.Conversation.conversation(c.Account)
		if err != nil {
			return reject(RejectSchemaInvalid, "/conversation/users", "%v", err)
		}
		c.Conversation = conv
		c.MarkRead = &MarkRead{Conversation: conv}
		return nil
	}
	n, err := c.messageNamed(d.MessageID, nil, 0, 0, 0)
	if err != nil {
		return err
	}
	m := n.message()
	c.Conversation = n.conv
	c.MarkRead = &MarkRead{Conversation: n.conv, UpTo: &m, MessageID: n.id(c.Account)}
	return nil
}

func (c *Command) readReadReceipt(d ReadReceiptData) error {
	r := &SendReadReceipt{}
	for i, id := range d.MessageIDs {
		field := "/message_ids/" + strconv.Itoa(i)
		n, err := c.messageNamed(id, nil, 0, 0, 0)
		if rejected, ok := AsReject(err); ok {
			rejected.Field = field
			return rejected
		}
		if i > 0 && n.conv != r.Conversation {
			return reject(RejectSchemaInvalid, field, "it is of another conversation than the first: give the messages of each in a command of its own")
		}
		m := n.message()
		if n.conv.Type == tim.ConvC2C {
			m.Sender = tim.UserID(n.conv.ID) // one tells of others' messages
		}
		r.Conversation = n.conv
		r.Messages = append(r.Messages, m)
		r.MessageIDs = append(r.MessageIDs, n.id(c.Account))
	}
	c.Conversation = r.Conversation
	c.SendReadReceipt = r
	return nil
}

// named is a message that a command names.
type named struct {
	conv              tim.Conversation
	seq, random, time uint64
}

// messageNamed reads a message's name: by its id, or by its conversation and numbers.
func (c *Command) messageNamed(id string, conv *ConversationData, seq, random, time uint64) (named, error) {
	n := named{seq: seq, random: random, time: time}
	field := "/conversation/users"
	var err error
	if id == "" {
		n.conv, err = conv.conversation(c.Account)
	} else {
		field = "/message_id"
		var p ParsedMessageID
		if p, err = ParseMessageID(id); err != nil {
			return n, reject(RejectSchemaInvalid, field, "%v", err)
		}
		n.seq, n.random, n.time = p.Seq, p.Rand, p.Time
		if n.conv = tim.Group(p.Group); p.Group == "" {
			n.conv, err = otherUser(c.Account, p.Users[0], p.Users[1])
		}
	}
	if err != nil {
		return n, reject(RejectSchemaInvalid, field, "%v", err)
	}
	if n.conv.Type == tim.ConvGroup && n.seq == 0 {
		return n, reject(RejectSchemaInvalid, field, "the message was for those online and is stored nowhere: it can be neither changed nor read")
	}
	return n, nil
}

// message is the message as far as its name says it.
func (n named) message() tim.Message {
	return tim.Message{
		ConvType: n.conv.Type, ConvID: n.conv.ID, Seq: n.seq, Rand: n.random, ServerTime: n.time,
	}
}

func (n named) id(account tim.UserID) string { return MessageID(account, n.message()) }
