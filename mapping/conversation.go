package mapping

import (
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// ConversationData is a conversation in the data of events and commands.
// An event names both users, so that it reads the same for everybody; a
// command may give either form, so that an event's can be copied into it.
type ConversationData struct {
	// Type is "c2c" or "group".
	Type string `json:"type"`
	// Users are the two of a one-to-one talk, sorted.
	Users []tim.UserID `json:"users,omitempty"`
	// UserID is the other user, in the eyes of the account that is to act.
	UserID tim.UserID `json:"user_id,omitempty"`
	// GroupID is the group.
	GroupID tim.GroupID `json:"group_id,omitempty"`
}

const (
	conversationC2C   = "c2c"
	conversationGroup = "group"
)

// conversationData is a conversation as an event tells it.
func conversationData(account, sender tim.UserID, conv tim.Conversation) ConversationData {
	if conv.Type == tim.ConvGroup {
		return ConversationData{Type: conversationGroup, GroupID: tim.GroupID(conv.ID)}
	}
	a, b := c2cUsers(account, sender, conv.ID)
	return ConversationData{Type: conversationC2C, Users: sortedUsers(a, b)}
}

func sortedUsers(a, b string) []tim.UserID {
	if b < a {
		a, b = b, a
	}
	return []tim.UserID{tim.UserID(a), tim.UserID(b)}
}

// appendConversation writes what conversationData would, as a field.
func appendConversation(buf []byte, a, b string, group string) []byte {
	if group != "" {
		buf = append(buf, `"conversation":{"type":"group","group_id":`...)
		return append(appendString(buf, group), '}', ',')
	}
	if b < a {
		a, b = b, a
	}
	buf = append(buf, `"conversation":{"type":"c2c","users":[`...)
	buf = append(appendString(buf, a), ',')
	return append(appendString(buf, b), ']', '}', ',')
}

// conversation is the conversation that a command's data names, as the account sees it.
func (d ConversationData) conversation(account tim.UserID) (tim.Conversation, error) {
	if d.Type == conversationGroup {
		return tim.Group(d.GroupID), nil
	}
	if d.UserID != "" {
		return tim.C2C(d.UserID), nil
	}
	return otherUser(account, d.Users[0], d.Users[1])
}

// otherUser is the talk of two users as one of them sees it.
func otherUser(account, a, b tim.UserID) (tim.Conversation, error) {
	switch account {
	case a:
		return tim.C2C(b), nil
	case b:
		return tim.C2C(a), nil
	}
	return tim.Conversation{}, fmt.Errorf("the account %q takes no part in a talk between %q and %q", account, a, b)
}
