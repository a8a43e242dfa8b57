package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// appendTipFacts adds what the group tips of a message mean:
//
//	Invite                group.member_joined   (join_type says whether on request)
//	Quit                  group.member_left
//	Kick                  group.member_kicked
//	SetAdmin              group.member_changed  (role admin)
//	CancelAdmin           group.member_changed  (role member)
//	MemberInfoChange      group.member_changed  (muted_seconds, or name_card)
//	MemberMarkChange      group.member_changed  (mark, marked)
//	GroupInfoChange       group.info_changed    (a change for each property)
//	PinnedMessageAdded    group.info_changed    (pinned_message, enabled)
//	PinnedMessageDeleted  group.info_changed    (pinned_message, not enabled)
//	everything else       im.unrecognized       (topics among it, which are not modelled)
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
			fact := o.unrecognized(id, GroupSubject(tim.GroupID(m.ConvID)), tipName(tip), data.Reason, raw).at(m.ServerTime)
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

// FromGroupTip tells what the callback for group tips brought, as the tip of a
// message means it (see the table at appendTipFacts), with via "callback": a
// stored message may tell the same in a fact of its own. Told by its time and
// what it says, a tip is one fact whoever reports it; a tip without a time has
// the identity of its report, see [ErrNoIdentity].
func FromGroupTip(o Observation, tip tim.GroupTipsElem) ([]Fact, error) {
	raw, err := json.Marshal(tip)
	if err != nil {
		return nil, fmt.Errorf("group tip: %w", err)
	}
	eventType, data := readTip(tip)
	if tip.GroupID == "" {
		eventType, data = "", groupData{Reason: "it names no group"}
	}
	said := raw
	if eventType == "" {
		tip := tip // without what depends on who is told
		tip.OpUserInfo, tip.OpGroupMemberInfo, tip.ChangedUserInfo, tip.ChangedGroupMemberInfo = nil, nil, nil, nil
		said, err = json.Marshal(tip)
	} else {
		data := data
		data.GroupName, data.MemberCount = "", 0
		said, err = marshal(data)
	}
	if err != nil {
		return nil, fmt.Errorf("group tip: %w", err)
	}
	subject := GroupSubject(tip.GroupID)
	if tip.GroupID == "" {
		subject = AccountSubject(o.Account)
	}
	id, known := subject+tippedInfix+strconv.FormatUint(tip.Time, 10)+"/"+shortHash([]byte(eventType), said), true
	if tip.Time == 0 {
		known = o.Number != 0
		if id, err = o.madeID(tipName(tip), string(said)); err != nil {
			return nil, fmt.Errorf("group tip: %w", err)
		}
	}
	var fact Fact
	if eventType == "" {
		fact = o.unrecognized(id, subject, tipName(tip), data.Reason, raw).at(tip.Time)
	} else {
		data.GroupID, data.Via, data.ServerTime, data.Raw = tip.GroupID, viaCallback, tip.Time, raw
		if fact, err = o.groupFact(id, eventType, data); err != nil {
			return nil, fmt.Errorf("group tip: %w", err)
		}
	}
	fact.Key = Key{}
	if known {
		fact.Key = hashKey(id, unixTime(tip.Time))
	}
	return []Fact{fact}, nil
}

// tipName names a tip that is not understood.
func tipName(tip tim.GroupTipsElem) string {
	return elementGroupTips + "/" + strconv.FormatUint(uint64(tip.TipType), 10)
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
		d.Members = membersChanged(tip)
		if len(d.Members) == 0 {
			return "", groupData{Reason: "it names no member"}
		}
		return TypeGroupMemberChanged, d
	case tim.GroupTipMemberMarkChange:
		d.UserIDs = nil
		for _, mark := range tip.MemberMarkInfo {
			for _, u := range mark.Users {
				if u != "" {
					d.Members = append(d.Members, MemberChange{UserID: u, Mark: &mark.MarkType, Marked: &mark.EnableMark})
				}
			}
		}
		if len(d.Members) == 0 {
			return "", groupData{Reason: "it names no member"}
		}
		return TypeGroupMemberChanged, d
	case tim.GroupTipPinnedMessageAdded, tim.GroupTipPinnedMessageDeleted:
		d.UserIDs = nil
		d.Changes = pinned(tip)
		return TypeGroupInfoChanged, d
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

// membersChanged reads a change of members: for how long they are muted, or
// where it does not say that, what they are called now.
func membersChanged(tip tim.GroupTipsElem) []MemberChange {
	var out []MemberChange
	for _, c := range tip.MemberChangeInfo {
		if c.Identifier != "" {
			out = append(out, MemberChange{UserID: c.Identifier, MutedSeconds: &c.ShutupTime})
		}
	}
	if len(tip.MemberChangeInfo) > 0 {
		return out
	}
	for _, m := range tip.ChangedGroupMemberInfo {
		if m.Identifier != "" {
			out = append(out, MemberChange{UserID: m.Identifier, NameCard: &m.NameCard})
		}
	}
	return out
}

// fieldPinned is our word for messages pinned in a group, of which the SDK has
// tips and no flag.
const fieldPinned = "pinned_message"

// pinned tells which messages were pinned or are no more; one change with the
// list as it is where it names none.
func pinned(tip tim.GroupTipsElem) []GroupChange {
	added := tip.TipType == tim.GroupTipPinnedMessageAdded
	var list []tim.Message
	if json.Unmarshal(tip.PinnedMessageList, &list) == nil {
		var out []GroupChange
		for _, m := range list {
			if m.Seq == 0 || tip.GroupID == "" {
				out = nil
				break
			}
			id := groupMessageID(string(tip.GroupID), m.Seq)
			out = append(out, GroupChange{Field: fieldPinned, Value: &id, Enabled: &added})
		}
		if len(out) > 0 {
			return out
		}
	}
	return []GroupChange{{Field: fieldPinned, Enabled: &added, Raw: tip.PinnedMessageList}}
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
		d.Members = append(d.Members, MemberChange{UserID: u, Role: role.String()})
	}
	d.UserIDs = nil
	return TypeGroupMemberChanged, d
}

func readChange(c tim.GroupTipGroupChangeInfo) (GroupChange, error) {
	change := GroupChange{Field: c.Flag.String(), Key: c.Key}
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
			return GroupChange{}, err
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
