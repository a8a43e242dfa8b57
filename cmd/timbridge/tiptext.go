package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// tipText is what a tip tells the members of a group, as a sentence.
func tipText(tip tim.GroupTipsElem, call func(tim.UserID) string) string {
	who, whom := "somebody", listed(tip.Users, call)
	if tip.OpUser != "" {
		who = call(tip.OpUser)
	}
	self := len(tip.Users) == 0 || len(tip.Users) == 1 && tip.Users[0] == tip.OpUser
	switch tip.TipType {
	case tim.GroupTipInvite:
		if self || tip.OpUser == "" || tip.JoinType == tim.GroupJoinApply {
			return cmp.Or(whom, who) + " joined"
		}
		return who + " invited " + whom
	case tim.GroupTipQuit:
		return cmp.Or(whom, who) + " left"
	case tim.GroupTipKick:
		return who + " removed " + whom
	case tim.GroupTipSetAdmin:
		return fmt.Sprintf("%s made %s %s", who, whom, plural(len(tip.Users), "an administrator", "administrators"))
	case tim.GroupTipCancelAdmin:
		return fmt.Sprintf("%s made %s %s again", who, whom, plural(len(tip.Users), "an ordinary member", "ordinary members"))
	case tim.GroupTipGroupInfoChange:
		var parts []string
		for _, c := range tip.GroupChangeInfo {
			parts = append(parts, groupChangeText(c, call))
		}
		return who + " " + cmp.Or(strings.Join(parts, ", "), "changed the group")
	case tim.GroupTipMemberInfoChange:
		var parts []string
		for _, c := range tip.MemberChangeInfo {
			parts = append(parts, mutedText(call(c.Identifier), c.ShutupTime))
		}
		return who + " " + cmp.Or(strings.Join(parts, ", "), "changed "+whom)
	case tim.GroupTipPinnedMessageAdded:
		return who + " pinned a message"
	case tim.GroupTipPinnedMessageDeleted:
		return who + " took a pinned message down"
	}
	return strings.TrimSpace(who + ": " + strings.ReplaceAll(tip.TipType.String(), "_", " ") + " " + whom)
}

// groupChangeText is what somebody did to a group.
func groupChangeText(c tim.GroupTipGroupChangeInfo, call func(tim.UserID) string) string {
	switch c.Flag {
	case tim.GroupChangeName:
		return fmt.Sprintf("named the group %q", c.Value)
	case tim.GroupChangeIntroduction:
		return fmt.Sprintf("changed the introduction to %q", c.Value)
	case tim.GroupChangeNotification:
		return fmt.Sprintf("changed the notice to %q", c.Value)
	case tim.GroupChangeFaceURL:
		return "changed the group's picture"
	case tim.GroupChangeOwner:
		return "made " + call(tim.UserID(c.Value)) + " the owner"
	case tim.GroupChangeShutupAll:
		if c.BoolValue {
			return "muted everybody"
		}
		return "let everybody talk again"
	case tim.GroupChangeCustom:
		return fmt.Sprintf("changed %s to %q", c.Key, c.Value)
	case tim.GroupChangeGroupAddOpt:
		return "changed who may join"
	case tim.GroupChangeGroupApproveOpt:
		return "changed who may be invited"
	}
	return "changed the group (" + strings.ReplaceAll(c.Flag.String(), "_", " ") + ")"
}

// mutedText is what somebody did to a member, for so many seconds.
func mutedText(whom string, seconds uint64) string {
	if seconds == 0 {
		return "let " + whom + " talk again"
	}
	return strings.TrimSpace("muted " + whom + " for " + cmp.Or(duration(seconds), "good"))
}

// reportText is what a report of a group tells one user, as a sentence.
func reportText(r tim.GroupReportElem, call func(tim.UserID) string) string {
	who, group := "somebody", string(r.GroupID)
	if r.GroupName != "" && r.GroupName != group {
		group = r.GroupName + " (" + group + ")"
	}
	if r.OpUser != "" {
		who = call(r.OpUser)
	}
	why := ""
	if r.Msg != "" {
		why = ": " + r.Msg
	}
	switch r.ReportType {
	case tim.GroupReportAddRequest:
		return fmt.Sprintf("%s asks to join %s%s", who, group, why)
	case tim.GroupReportAddAccept:
		return fmt.Sprintf("%s let you into %s%s", who, group, why)
	case tim.GroupReportAddRefuse:
		return fmt.Sprintf("%s did not let you into %s%s", who, group, why)
	case tim.GroupReportBeKicked:
		return fmt.Sprintf("%s removed you from %s%s", who, group, why)
	case tim.GroupReportDelete:
		return fmt.Sprintf("%s dismissed %s", who, group)
	case tim.GroupReportCreate:
		return fmt.Sprintf("%s made the group %s", who, group)
	case tim.GroupReportInvite:
		return fmt.Sprintf("%s put you into %s", who, group)
	case tim.GroupReportQuit:
		return "you left " + group
	case tim.GroupReportGrantAdmin:
		return fmt.Sprintf("%s made you an administrator of %s", who, group)
	case tim.GroupReportCancelAdmin:
		return fmt.Sprintf("%s made you an ordinary member of %s again", who, group)
	case tim.GroupReportGroupRecycle:
		return "the service has taken the group " + group + " away"
	case tim.GroupReportInviteReqToInvitee:
		return fmt.Sprintf("%s invites you to %s%s", who, group, why)
	case tim.GroupReportInviteReqToAdmin:
		return fmt.Sprintf("%s asks to invite somebody to %s%s", who, group, why)
	case tim.GroupReportInviteAccept:
		return fmt.Sprintf("%s takes the invitation to %s%s", who, group, why)
	case tim.GroupReportInviteRefuse:
		return fmt.Sprintf("%s does not take the invitation to %s%s", who, group, why)
	case tim.GroupReportShutUpMember:
		return fmt.Sprintf("%s %s in %s", who, mutedText("you", r.ShutUpTime), group)
	case tim.GroupReportBannedFromGroup:
		return fmt.Sprintf("%s banned you from %s%s", who, group, why)
	case tim.GroupReportUnbannedFromGroup:
		return fmt.Sprintf("%s let you come back to %s", who, group)
	case tim.GroupReportUserDefine:
		return group + ": " + r.UserData
	}
	return fmt.Sprintf("%s: %s%s", group, strings.ReplaceAll(r.ReportType.String(), "_", " "), why)
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
