package mapping

import (
	"encoding/json"

	"github.com/timbridge/timbridge/tim"
)

// read fills in what the data says. The data fits its schema, so what can
// still be wrong is what a schema cannot say.
func (c *Command) read(data []byte) error {
	switch c.Type {
	case TypeCommandSend:
		var d SendData
		if err := unmarshal(data, &d); err != nil {
			return err
		}
		return c.readSend(d)
	case TypeCommandRevoke:
		var d RevokeData
		if err := unmarshal(data, &d); err != nil {
			return err
		}
		return c.readRevoke(d)
	case TypeCommandCreateGroup:
		var d CreateGroupData
		if err := unmarshal(data, &d); err != nil {
			return err
		}
		return c.readCreateGroup(d)
	case TypeCommandInvite:
		var d InviteData
		if err := unmarshal(data, &d); err != nil {
			return err
		}
		c.Conversation = tim.Group(d.GroupID)
		c.Invite = &Invite{Param: tim.GroupInviteMemberParam{GroupID: d.GroupID, Identifiers: d.UserIDs, UserData: d.UserData}}
	case TypeCommandRemoveMember:
		var d RemoveMemberData
		if err := unmarshal(data, &d); err != nil {
			return err
		}
		c.Conversation = tim.Group(d.GroupID)
		c.RemoveMember = &RemoveMember{Param: tim.GroupDeleteMemberParam{GroupID: d.GroupID, Identifiers: d.UserIDs, UserData: d.Reason}}
	case TypeCommandDismiss:
		var d DismissData
		if err := unmarshal(data, &d); err != nil {
			return err
		}
		c.Conversation = tim.Group(d.GroupID)
		c.Dismiss = &Dismiss{Group: d.GroupID}
	default:
		return reject(RejectUnknownType, "type", "this version does not carry out %q", c.Type)
	}
	return nil
}

func unmarshal(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return reject(RejectSchemaInvalid, "", "%v", err)
	}
	return nil
}

func (c *Command) readSend(d SendData) error {
	conv, err := d.Conversation.conversation(c.Account)
	if err != nil {
		return reject(RejectSchemaInvalid, "/conversation/users", "%v", err)
	}
	m := tim.Message{
		CloudCustomStr: d.CloudCustomData, GroupAtUsers: d.AtUserIDs,
		IsOnlineMsg: d.OnlineOnly, NeedReadReceipt: d.NeedReadReceipt,
		Priority: priorityOf(d.Priority),
	}
	for _, element := range d.Elements {
		elem, ok := element.elem()
		if !ok {
			return reject(RejectElementNotSendable, "/elements", "a %q element cannot be sent", element.Type)
		}
		m.Elems = append(m.Elems, elem)
	}
	c.Conversation = conv
	c.Send = &Send{Conversation: conv, Message: m}
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
	id := ParsedMessageID{Seq: d.Sequence, Rand: d.Random, Time: d.ServerTime}
	field := "/conversation/users"
	var conv tim.Conversation
	var err error
	if d.MessageID != "" {
		field = "/message_id"
		if id, err = ParseMessageID(d.MessageID); err != nil {
			return reject(RejectSchemaInvalid, field, "%v", err)
		}
		if id.Group != "" {
			conv = tim.Group(id.Group)
		} else {
			conv, err = otherUser(c.Account, id.Users[0], id.Users[1])
		}
	} else {
		conv, err = d.Conversation.conversation(c.Account)
	}
	if err != nil {
		return reject(RejectSchemaInvalid, field, "%v", err)
	}
	if conv.Type == tim.ConvGroup && id.Seq == 0 {
		return reject(RejectSchemaInvalid, field, "the message was for those online and is stored nowhere: it cannot be revoked")
	}
	locator := tim.MsgLocator{
		ConvID: conv.ID, ConvType: conv.Type, Seq: id.Seq, Rand: id.Rand, Time: id.Time,
		IsSelf: conv.Type == tim.ConvC2C, // between two users one revokes one's own
	}
	c.Conversation = conv
	c.Revoke = &Revoke{Conversation: conv, Message: locator, MessageID: MessageID(c.Account, tim.Message{
		ConvType: conv.Type, ConvID: conv.ID, Seq: id.Seq, Rand: id.Rand, ServerTime: id.Time,
	})}
	return nil
}

func (c *Command) readCreateGroup(d CreateGroupData) error {
	p := tim.CreateGroupParam{
		GroupName: d.Name, GroupID: GroupIDFor(c.Source, c.ID, false), GroupType: tim.GroupPublic,
		Notification: d.Notification, Introduction: d.Introduction, FaceURL: d.FaceURL, MaxMemberCount: d.MaxMembers,
	}
	if d.GroupType == tim.GroupPrivate.String() {
		p.GroupType = tim.GroupPrivate
	}
	for _, option := range []tim.GroupAddOption{tim.GroupAddForbid, tim.GroupAddAuth, tim.GroupAddAny} {
		if option.String() == d.AddOption {
			p.AddOption = &option
		}
	}
	for _, m := range d.Members {
		role := tim.RoleMember
		if m.Role == tim.RoleAdmin.String() {
			role = tim.RoleAdmin
		}
		p.Members = append(p.Members, tim.GroupMemberInfo{Identifier: m.UserID, MemberRole: role})
	}
	c.CreateGroup = &CreateGroup{Param: p}
	return nil
}
