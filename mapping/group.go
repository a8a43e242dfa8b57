package mapping

import (
	"encoding/json"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/timbridge/timbridge/tim"
)

// groupData is the data of a group's fact; which fields are set depends on the type.
type groupData struct {
	GroupID   tim.GroupID `json:"group_id"`
	GroupName string      `json:"group_name,omitempty"`
	// Operator is who did it.
	Operator tim.UserID `json:"operator,omitempty"`
	// UserIDs are whom it concerns.
	UserIDs     []tim.UserID   `json:"user_ids,omitempty"`
	JoinType    string         `json:"join_type,omitempty"`
	Members     []MemberChange `json:"members,omitempty"`
	Changes     []GroupChange  `json:"changes,omitempty"`
	MemberCount uint64         `json:"member_count,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	Message     string         `json:"message,omitempty"`
	UserData    string         `json:"user_data,omitempty"`
	// Request says what was asked for, one of the request… words; Accepted
	// what was decided.
	Request  string `json:"request,omitempty"`
	Accepted *bool  `json:"accepted,omitempty"`
	// Via is "tip", "callback" or "report": the same occurrence may be told to
	// the group by a tip in a message, and by the callback for tips, and to
	// those it concerns by a report.
	Via string `json:"via"`
	// MessageID is the message.posted event of the tip.
	MessageID  string `json:"message_id,omitempty"`
	ServerTime uint64 `json:"server_time,omitempty"`
	Late       bool   `json:"late,omitempty"`
	// Raw is the report, or the tip of a callback, as the SDK has it; the tip
	// of a message is whole in there.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// MemberChange is a member and what changed of it, in the data of events; what
// is nil or empty did not change.
type MemberChange struct {
	UserID tim.UserID `json:"user_id"`
	// Role is "member", "admin" or "owner".
	Role string `json:"role,omitempty"`
	// MutedSeconds is how long the member may not write, 0 when it may again.
	MutedSeconds *uint64 `json:"muted_seconds,omitempty"`
	NameCard     *string `json:"name_card,omitempty"`
	// Mark is an application's own mark, and Marked whether the member has it.
	Mark   *uint64 `json:"mark,omitempty"`
	Marked *bool   `json:"marked,omitempty"`
	// Banned says whether the member is kept out of the group.
	Banned *bool `json:"banned,omitempty"`
	// ReceiveOption is how the member is told of messages, in the SDK's word.
	ReceiveOption string `json:"receive_option,omitempty"`
}

// GroupChange is a changed property of a group, in the data of events. Which of
// Value, Enabled and Number is set depends on the property.
type GroupChange struct {
	// Field is the SDK's word for what changed: "name", "introduction".
	Field   string          `json:"field"`
	Key     string          `json:"key,omitempty"`
	Value   *string         `json:"value,omitempty"`
	Enabled *bool           `json:"enabled,omitempty"`
	Number  *int64          `json:"number,omitempty"`
	Raw     json.RawMessage `json:"raw,omitempty"`
}

const (
	viaTip      = "tip"
	viaCallback = "callback"
	viaReport   = "report"
)

// What is asked for, the words of a request in events and commands.
const (
	// requestJoin: a user asks to join; an administrator decides.
	requestJoin = "join"
	// requestInvite: a member asks a user to join; that user decides.
	requestInvite = "invite"
	// requestInviteByMember: a member wants to invite a user; an administrator decides.
	requestInviteByMember = "invite_by_member"
)

// tipWord and reportWord are the SDK's words, "unknown" for a value it has no word for.
func tipWord(t tim.GroupTipType) string {
	if t > tim.GroupTipPinnedMessageDeleted {
		return elementUnknown
	}
	return t.String()
}

func reportWord(t tim.GroupReportType) string {
	if t > tim.GroupReportInviteReqToAdmin {
		return elementUnknown
	}
	return t.String()
}

func (o Observation) groupFact(id, eventType string, data groupData) (Fact, error) {
	data.Late = o.Late
	body, err := marshal(data)
	if err != nil {
		return Fact{}, err
	}
	return Fact{Event: o.fact(id, eventType, GroupSubject(data.GroupID), unixTime(data.ServerTime), body)}, nil
}

// at gives a fact the time that its message had.
func (f Fact) at(seconds uint64) Fact {
	at := unixTime(seconds)
	if at.IsZero() {
		return f
	}
	f.Event.Context.(*event.EventContextV1).Time = &types.Timestamp{Time: at}
	if f.Key.Kind == KeyHash {
		f.Key.Time = at.Unix()
	}
	return f
}
