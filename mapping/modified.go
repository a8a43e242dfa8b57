package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// FromModified tells what a message says now, after a change of it. The event
// has the message whole, as message.posted has, and no time but the one it is
// recorded at: the IM service does not say when. A message without a version is
// told from another change of it by what it says. One that belongs to no
// conversation gives im.unrecognized.
func FromModified(o Observation, m tim.Message) (Fact, error) {
	id := MessageID(o.Account, m)
	if id == "" {
		raw, err := json.Marshal(m)
		if err != nil {
			return Fact{}, fmt.Errorf("modified message: %w", err)
		}
		at := AccountSubject(o.Account)
		return o.unrecognized(at+modifiedInfix+shortHash(raw), at, tim.MessagesModified{}.Callback(), noConversation, raw), nil
	}
	buf, subject, err := appendMessage(o, m, id)
	if err != nil {
		return Fact{}, fmt.Errorf("modified message %s: %w", id, err)
	}
	if m.Version == 0 {
		said, err := appendElements(nil, m.Elems)
		if err != nil {
			return Fact{}, fmt.Errorf("modified message %s: %w", id, err)
		}
		id += modifiedInfix + "0-" + shortHash(said, []byte(m.CloudCustomStr))
	} else {
		id = modifiedID(id, m.Version)
	}
	return Fact{Event: o.fact(id, TypeMessageModified, subject, unixTime(0), buf), Key: hashKey(id, unixTime(0))}, nil
}

// KeyOfModified is the key of the fact that [FromModified] makes of a message,
// without making it; of kind [KeyNone] where it can only be made by making it.
// A message that comes out of history with a version was modified since it was
// posted, and was perhaps recorded before that.
func KeyOfModified(account tim.UserID, m tim.Message) Key {
	id := MessageID(account, m)
	if id == "" || m.Version == 0 {
		return Key{}
	}
	return hashKey(modifiedID(id, m.Version), unixTime(0))
}

func modifiedID(messageID string, version uint64) string {
	return messageID + modifiedInfix + strconv.FormatUint(version, 10)
}
