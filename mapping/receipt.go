package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// readData is the data of message.read.
type readData struct {
	Conversation ConversationData `json:"conversation"`
	// Reader is who has read, in a one-to-one talk.
	Reader tim.UserID `json:"reader,omitempty"`
	// ReadUntil is up to when, in seconds since 1970.
	ReadUntil uint64 `json:"read_until,omitempty"`
	// MsgID is the SDK's id of the message, where one is meant.
	MsgID tim.MessageID `json:"msg_id,omitempty"`
	// ReadCount and UnreadCount are how many members of a group have read it, and have not.
	ReadCount   *uint64         `json:"read_count,omitempty"`
	UnreadCount *uint64         `json:"unread_count,omitempty"`
	Raw         json.RawMessage `json:"raw,omitempty"`
}

// FromReceipt tells how far a conversation, or one message of it, was read. In
// a one-to-one talk the reader is the other user; in a group there are counts.
// The IM service's time of it is up to when was read. A receipt of no
// conversation gives im.unrecognized.
func FromReceipt(o Observation, r tim.MessageReceipt) (Fact, error) {
	known := r.ConvID != "" && (r.ConvType == tim.ConvC2C || r.ConvType == tim.ConvGroup && r.MsgID != "")
	if !known {
		raw, err := json.Marshal(r)
		if err != nil {
			return Fact{}, fmt.Errorf("receipt: %w", err)
		}
		at := AccountSubject(o.Account)
		return o.unrecognized(at+"/read/"+shortHash(raw), at, tim.MessagesRead{}.Callback(),
			"it is about no conversation, or no message of a group", raw).at(r.TimeStamp), nil
	}
	conv := r.Conversation()
	d := readData{
		Conversation: conversationData(o.Account, "", conv), ReadUntil: r.TimeStamp, MsgID: r.MsgID, Raw: rawOf(r.Extra),
	}
	subject := Subject(conv, o.Account)
	id := subject + "/read/"
	if conv.Type == tim.ConvC2C {
		d.Reader = tim.UserID(conv.ID)
		id += EscapeID(conv.ID) + "/" + strconv.FormatUint(r.TimeStamp, 10)
		if r.MsgID != "" {
			id += "/" + EscapeID(string(r.MsgID))
		}
	} else {
		d.ReadCount, d.UnreadCount = &r.ReadCount, &r.UnreadCount
		id += EscapeID(string(r.MsgID)) + "/" + strconv.FormatUint(r.ReadCount, 10) + "-" + strconv.FormatUint(r.UnreadCount, 10)
	}
	body, err := marshal(d)
	if err != nil {
		return Fact{}, fmt.Errorf("receipt of %s: %w", subject, err)
	}
	at := unixTime(r.TimeStamp)
	return Fact{Event: o.fact(id, TypeMessageRead, subject, at, body), Key: hashKey(id, at)}, nil
}
