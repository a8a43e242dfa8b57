package mapping

import (
	"encoding/json"
	"strconv"

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
	Members     []memberChange `json:"members,omitempty"`
	Changes     []groupChange  `json:"changes,omitempty"`
	MemberCount uint64         `json:"member_count,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	Message     string         `json:"message,omitempty"`
	UserData    string         `json:"user_data,omitempty"`
	// Via is "tip" or "report": the same occurrence may be told to the group
	// by a tip, and to those it concerns by a report.
	Via string `json:"via"`
	// MessageID is the message.posted event of the tip.
	MessageID  string `json:"message_id,omitempty"`
	ServerTime uint64 `json:"server_time,omitempty"`
	Late       bool   `json:"late,omitempty"`
	// Raw is the report as the SDK has it; a tip is whole in its message.
	Raw json.RawMessage `json:"raw,omitempty"`
}

type memberChange struct {
	UserID tim.UserID `json:"user_id"`
	Role   string     `json:"role,omitempty"`
	// MutedSeconds is how long the member may not write, 0 when it may again.
	MutedSeconds *uint64 `json:"muted_seconds,omitempty"`
}

type groupChange struct {
	// Field is the SDK's word for what changed: "name", "introduction".
	Field   string          `json:"field"`
	Key     string          `json:"key,omitempty"`
	Value   *string         `json:"value,omitempty"`
	Enabled *bool           `json:"enabled,omitempty"`
	Number  *int64          `json:"number,omitempty"`
	Raw     json.RawMessage `json:"raw,omitempty"`
}

const (
	viaTip    = "tip"
	viaReport = "report"
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

// appendTipFacts adds what the group tips of a message mean:
//
//	Invite             group.member_joined   (join_type says whether on request)
//	Quit               group.member_left
//	Kick               group.member_kicked
//	SetAdmin           group.member_changed  (role admin)
//	CancelAdmin        group.member_changed  (role member)
//	MemberInfoChange   group.member_changed  (muted_seconds)
//	GroupInfoChange    group.info_changed
//	everything else    im.unrecognized
func appendTipFacts(facts []Fact, o Observation, m tim.Message, messageID string) ([]Fact, error) {
	for _, elem := range m.Elems {
		tip, ok := elem.(tim.GroupTipsElem)
		if !ok {
			continue
		}
		id := tipID(messageID, len(facts)-1)
		eventType, data := readTip(tip)
		if eventType == "" {
			raw, err := json.Marshal(tip)
			if err != nil {
				return nil, err
			}
			fact := o.unrecognized(id, GroupSubject(tim.GroupID(m.ConvID)),
				"group_tips/"+strconv.FormatUint(uint64(tip.TipType), 10), data.Reason, raw).at(m.ServerTime)
			fact.Key = Key{Kind: KeyWithFirst}
			facts = append(facts, fact)
			continue
		}
		data.GroupID = tim.GroupID(m.ConvID)
		data.Via, data.MessageID, data.ServerTime = viaTip, messageID, m.ServerTime
		fact, err := o.groupFact(id, eventType, data)
		if err != nil {
			return nil, err
		}
		fact.Key = Key{Kind: KeyWithFirst}
		facts = append(facts, fact)
	}
	return facts, nil
}

// readTip gives the type and data of what a tip says; no type, and why as
// Reason, when it is not understood.
func readTip(tip tim.GroupTipsElem) (string, groupData) {
	d := groupData{GroupName: tip.GroupName, Operator: tip.OpUser, UserIDs: tip.Users}
	if d.Operator == "" {
		d.Operator = operatorOf(tip.OpUserInfo, tip.OpGroupMemberInfo)
	}
	actor := func() { // who joins or leaves by oneself is named only as the operator
		if len(d.UserIDs) == 0 && d.Operator != "" {
			d.UserIDs = []tim.UserID{d.Operator}
		}
	}
	eventType := ""
	switch tip.TipType {
	case tim.GroupTipInvite:
		actor()
		eventType, d.MemberCount = TypeGroupMemberJoined, tip.MemberNum
		switch tip.JoinType {
		case tim.GroupJoinApply:
			d.JoinType = joinApplied
		case tim.GroupJoinInvite:
			d.JoinType = joinInvited
		}
	case tim.GroupTipQuit:
		actor()
		eventType, d.MemberCount = TypeGroupMemberLeft, tip.MemberNum
	case tim.GroupTipKick:
		eventType, d.MemberCount = TypeGroupMemberKicked, tip.MemberNum
	case tim.GroupTipSetAdmin:
		return withRole(d, tim.RoleAdmin)
	case tim.GroupTipCancelAdmin:
		return withRole(d, tim.RoleMember)
	case tim.GroupTipMemberInfoChange:
		d.UserIDs = nil
		for _, c := range tip.MemberChangeInfo {
			if c.Identifier != "" {
				d.Members = append(d.Members, memberChange{UserID: c.Identifier, MutedSeconds: &c.ShutupTime})
			}
		}
		if len(d.Members) == 0 {
			return "", groupData{Reason: "it names no member"}
		}
		return TypeGroupMemberChanged, d
	case tim.GroupTipGroupInfoChange:
		d.UserIDs = nil
		for _, c := range tip.GroupChangeInfo {
			change, err := readChange(c)
			if err != nil {
				return "", groupData{Reason: err.Error()}
			}
			d.Changes = append(d.Changes, change)
		}
		if len(d.Changes) == 0 {
			return "", groupData{Reason: "it names no change"}
		}
		return TypeGroupInfoChanged, d
	default:
		return "", groupData{Reason: "this type of group tip is not known"}
	}
	if len(d.UserIDs) == 0 {
		return "", groupData{Reason: "it names no user"}
	}
	return eventType, d
}

// The ways into a group.
const (
	joinApplied = "applied"
	joinInvited = "invited"
)

func withRole(d groupData, role tim.GroupMemberRole) (string, groupData) {
	if len(d.UserIDs) == 0 {
		return "", groupData{Reason: "it names no user"}
	}
	for _, u := range d.UserIDs {
		d.Members = append(d.Members, memberChange{UserID: u, Role: role.String()})
	}
	d.UserIDs = nil
	return TypeGroupMemberChanged, d
}

func readChange(c tim.GroupTipGroupChangeInfo) (groupChange, error) {
	change := groupChange{Field: c.Flag.String(), Key: c.Key}
	switch c.Flag {
	case tim.GroupChangeName, tim.GroupChangeIntroduction, tim.GroupChangeNotification, tim.GroupChangeFaceURL,
		tim.GroupChangeOwner, tim.GroupChangeCustom, tim.GroupChangeAttribute, tim.GroupChangeTopicCustomData:
		change.Value = &c.Value
	case tim.GroupChangeShutupAll, tim.GroupChangeEnablePermissionGroup:
		change.Enabled = &c.BoolValue
	case tim.GroupChangeMessageReceiveOpt, tim.GroupChangeGroupAddOpt, tim.GroupChangeGroupApproveOpt:
		change.Number = &c.IntValue
	case tim.GroupChangeDefaultPermissions:
		n := int64(c.Uint64Value)
		change.Number = &n
	default:
		raw, err := json.Marshal(c)
		if err != nil {
			return groupChange{}, err
		}
		change.Field, change.Key, change.Raw = elementUnknown, "", raw
	}
	return change, nil
}

func operatorOf(profile *tim.UserProfile, member *tim.GroupMemberInfo) tim.UserID {
	if profile != nil && profile.Identifier != "" {
		return profile.Identifier
	}
	if member != nil {
		return member.Identifier
	}
	return ""
}

// systemFacts tells what the service reports to the account:
//
//	Create         group.created
//	Delete         group.dismissed       (reason dismissed)
//	GroupRecycle   group.dismissed       (reason recycled)
//	AddAccept      group.member_joined   (of the account, join_type applied)
//	Invite         group.member_joined   (of the account, join_type invited)
//	Quit           group.member_left     (of the account)
//	BeKicked       group.member_kicked   (of the account)
//	GrantAdmin     group.member_changed  (of the account, role admin)
//	CancelAdmin    group.member_changed  (of the account, role member)
//	ShutUpMember   group.member_changed  (of the account, muted_seconds)
//	everything else    im.unrecognized
//
// The copy of Invite, BeKicked, GrantAdmin, CancelAdmin or ShutUpMember that
// comes to whoever did it does not say to whom it was done, and gives no fact:
// the tip to the group does, and the outcome where it was a command.
func systemFacts(o Observation, m tim.Message) ([]Fact, error) {
	facts := make([]Fact, 0, len(m.Elems))
	for n, elem := range m.Elems {
		raw, err := json.Marshal(elem)
		if err != nil {
			return nil, err
		}
		report, ok := elem.(tim.GroupReportElem)
		if !ok || report.GroupID == "" {
			name := "system/" + elementWord(elem)
			id := strangeMessageID(o.Account, m)
			if n > 0 {
				id += "/" + strconv.Itoa(n)
			}
			facts = append(facts, o.unrecognized(id, AccountSubject(o.Account), name,
				"it is no report on a group", raw).at(m.ServerTime))
			continue
		}
		if operatorsCopy(report, o.Account) {
			continue
		}
		id := reportID(o.Account, m, report, n)
		eventType, data := readReport(report, o.Account)
		if eventType == "" {
			facts = append(facts, o.unrecognized(id, GroupSubject(report.GroupID),
				"group_report/"+strconv.FormatUint(uint64(report.ReportType), 10),
				"this type of group report is not known", raw).at(m.ServerTime))
			continue
		}
		data.GroupID, data.GroupName = report.GroupID, report.GroupName
		data.Message, data.UserData = report.Msg, report.UserData
		data.Via, data.ServerTime, data.Raw = viaReport, m.ServerTime, raw
		if data.Operator == "" {
			data.Operator = report.OpUser
		}
		if data.Operator == "" {
			data.Operator = operatorOf(report.OpUserInfo, report.OpGroupMemberInfo)
		}
		fact, err := o.groupFact(id, eventType, data)
		if err != nil {
			return nil, err
		}
		fact.Key = hashKey(id, unixTime(m.ServerTime))
		facts = append(facts, fact)
	}
	return facts, nil
}

// readReport gives the type and data of what a report says; no type when it is not understood.
func readReport(r tim.GroupReportElem, account tim.UserID) (string, groupData) {
	self := []tim.UserID{account}
	switch r.ReportType {
	case tim.GroupReportCreate:
		return TypeGroupCreated, groupData{}
	case tim.GroupReportDelete:
		return TypeGroupDismissed, groupData{Reason: "dismissed"}
	case tim.GroupReportGroupRecycle:
		return TypeGroupDismissed, groupData{Reason: "recycled"}
	case tim.GroupReportAddAccept:
		return TypeGroupMemberJoined, groupData{UserIDs: self, JoinType: joinApplied}
	case tim.GroupReportInvite:
		return TypeGroupMemberJoined, groupData{UserIDs: self, JoinType: joinInvited}
	case tim.GroupReportQuit:
		return TypeGroupMemberLeft, groupData{UserIDs: self}
	case tim.GroupReportBeKicked:
		return TypeGroupMemberKicked, groupData{UserIDs: self}
	case tim.GroupReportGrantAdmin:
		return TypeGroupMemberChanged, groupData{Members: []memberChange{{UserID: account, Role: tim.RoleAdmin.String()}}}
	case tim.GroupReportCancelAdmin:
		return TypeGroupMemberChanged, groupData{Members: []memberChange{{UserID: account, Role: tim.RoleMember.String()}}}
	case tim.GroupReportShutUpMember:
		return TypeGroupMemberChanged, groupData{Members: []memberChange{{UserID: account, MutedSeconds: &r.ShutUpTime}}}
	}
	return "", groupData{}
}

// operatorsCopy says whether a report on something done to somebody came to who did it.
func operatorsCopy(r tim.GroupReportElem, account tim.UserID) bool {
	switch r.ReportType {
	case tim.GroupReportInvite, tim.GroupReportBeKicked, tim.GroupReportGrantAdmin,
		tim.GroupReportCancelAdmin, tim.GroupReportShutUpMember:
		return r.OpUser == account
	}
	return false
}

// reportIsPersonal says whether a report concerns its receiver alone. The
// others are told to several in the same words, and are one fact.
func reportIsPersonal(t tim.GroupReportType) bool {
	switch t {
	case tim.GroupReportCreate, tim.GroupReportDelete, tim.GroupReportGroupRecycle:
		return false
	}
	return true
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
