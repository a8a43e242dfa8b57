package mapping

import (
	"encoding/json"
	"strconv"

	"github.com/timbridge/timbridge/tim"
)

// systemFacts tells what the service reports to the account:
//
//	Create                  group.created
//	Delete                  group.dismissed        (reason dismissed)
//	GroupRecycle            group.dismissed        (reason recycled)
//	AddRequest              group.join_requested   (by the operator, request join)
//	InviteReqToAdmin        group.join_requested   (by the operator, request invite_by_member)
//	InviteReqToInvitee      group.invited          (the account, by the operator)
//	AddAccept               group.member_joined    (of the account, join_type applied),
//	                        then group.request_handled (accepted)
//	AddRefuse               group.request_handled  (of the account, not accepted)
//	InviteAccept            group.request_handled  (request invite, of the account, accepted by the operator)
//	InviteRefuse            group.request_handled  (request invite, of the account, refused by the operator)
//	Invite                  group.member_joined    (of the account, join_type invited)
//	Quit                    group.member_left      (of the account)
//	BeKicked                group.member_kicked    (of the account)
//	GrantAdmin              group.member_changed   (of the account, role admin)
//	CancelAdmin             group.member_changed   (of the account, role member)
//	ShutUpMember            group.member_changed   (of the account, muted_seconds)
//	BannedFromGroup         group.member_changed   (of the account, banned)
//	UnbannedFromGroup       group.member_changed   (of the account, not banned)
//	GroupMessageRecvOption  group.member_changed   (of the account, receive_option)
//	UserDefine              group.custom_notified  (user_data is what it says)
//	everything else         im.unrecognized
//
// Everything else is what was read on the account's other devices (ReadReport,
// GroupMessageRead) and topics (TopicCreate, TopicDelete): no key of such a
// report says up to which message, or which topic.
//
// The copy of Invite, BeKicked, GrantAdmin, CancelAdmin or ShutUpMember that
// comes to whoever did it does not say to whom it was done, and gives no fact:
// the tip to the group does, and the outcome where it was a command.
func systemFacts(o Observation, m tim.Message) ([]Fact, error) {
	facts := make([]Fact, 0, len(m.Elems))
	accepted := true
	for n, elem := range m.Elems {
		raw, err := json.Marshal(elem)
		if err != nil {
			return nil, err
		}
		report, ok := elem.(tim.GroupReportElem)
		if !ok || report.GroupID == "" {
			told, err := tell(elem)
			if err != nil {
				return nil, err
			}
			name := "system/" + told.Type
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
				unknownReport(report), raw).at(m.ServerTime))
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
		if report.ReportType != tim.GroupReportAddAccept {
			continue
		}
		data.JoinType, data.Request, data.Accepted = "", requestJoin, &accepted
		if fact, err = o.groupFact(id+handledSuffix, TypeGroupRequestHandled, data); err != nil {
			return nil, err
		}
		fact.Key = hashKey(id+handledSuffix, unixTime(m.ServerTime))
		facts = append(facts, fact)
	}
	return facts, nil
}

// readReport gives the type and data of what a report says; no type when it is not understood.
func readReport(r tim.GroupReportElem, account tim.UserID) (string, groupData) {
	self := []tim.UserID{account}
	operator := r.OpUser
	if operator == "" {
		operator = operatorOf(r.OpUserInfo, r.OpGroupMemberInfo)
	}
	changed := func(c MemberChange) (string, groupData) {
		c.UserID = account
		return TypeGroupMemberChanged, groupData{Members: []MemberChange{c}}
	}
	handled := func(request string, accepted bool) (string, groupData) { // it is told to who had asked
		return TypeGroupRequestHandled, groupData{Request: request, Accepted: &accepted, UserIDs: self}
	}
	var who []tim.UserID
	if operator != "" {
		who = []tim.UserID{operator}
	}
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
		return changed(MemberChange{Role: tim.RoleAdmin.String()})
	case tim.GroupReportCancelAdmin:
		return changed(MemberChange{Role: tim.RoleMember.String()})
	case tim.GroupReportShutUpMember:
		return changed(MemberChange{MutedSeconds: &r.ShutUpTime})
	case tim.GroupReportBannedFromGroup, tim.GroupReportUnbannedFromGroup:
		banned := r.ReportType == tim.GroupReportBannedFromGroup
		return changed(MemberChange{Banned: &banned})
	case tim.GroupReportGroupMessageRecvOption:
		return changed(MemberChange{ReceiveOption: r.GroupMessageReceiveOption.String()})
	case tim.GroupReportInviteReqToInvitee:
		return TypeGroupInvited, groupData{UserIDs: self, Request: requestInvite}
	case tim.GroupReportAddRefuse:
		return handled(requestJoin, false)
	case tim.GroupReportAddRequest:
		if who != nil {
			return TypeGroupJoinRequested, groupData{UserIDs: who, Request: requestJoin}
		}
	case tim.GroupReportInviteReqToAdmin:
		if who != nil {
			return TypeGroupJoinRequested, groupData{UserIDs: who, Request: requestInviteByMember}
		}
	case tim.GroupReportUserDefine:
		return TypeGroupCustomNotified, groupData{}
	case tim.GroupReportInviteAccept:
		return handled(requestInvite, true)
	case tim.GroupReportInviteRefuse:
		return handled(requestInvite, false)
	}
	return "", groupData{}
}

// unknownReport says why a report is not understood.
func unknownReport(r tim.GroupReportElem) string {
	switch r.ReportType {
	case tim.GroupReportAddRequest, tim.GroupReportInviteReqToAdmin:
		return "it names no user"
	case tim.GroupReportReadReport, tim.GroupReportGroupMessageRead:
		return "it does not say up to which message was read"
	case tim.GroupReportTopicCreate, tim.GroupReportTopicDelete:
		return "it does not say which topic"
	}
	return "this type of group report is not known"
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
	case tim.GroupReportCreate, tim.GroupReportDelete, tim.GroupReportGroupRecycle,
		tim.GroupReportAddRequest, tim.GroupReportInviteReqToAdmin, tim.GroupReportUserDefine:
		return false
	}
	return true
}
