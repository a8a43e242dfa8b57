package mapping

import (
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

func (c *Command) readCreateGroup(d CreateGroupData) error {
	p := tim.CreateGroupParam{
		GroupName: d.Name, GroupType: groupTypeOf(d.GroupType), IsSupportTopic: d.SupportTopics,
		Notification: d.Notification, Introduction: d.Introduction, FaceURL: d.FaceURL, MaxMemberCount: d.MaxMembers,
		CustomInfo: groupCustom(d.Custom),
	}
	if d.SupportTopics && p.GroupType != tim.GroupCommunity {
		return reject(RejectSchemaInvalid, "/support_topics", "only a community has topics: leave it out, or give the group_type \"community\"")
	}
	p.GroupID = GroupIDFor(c.Source, c.ID, p.GroupType == tim.GroupCommunity)
	if option, ok := addOptionOf(d.AddOption); ok {
		p.AddOption = &option
	}
	if option, ok := addOptionOf(d.ApproveOption); ok {
		p.ApproveOption = &option
	}
	for i, m := range d.Members {
		for _, before := range d.Members[:i] {
			if before.UserID == m.UserID {
				return reject(RejectSchemaInvalid, fmt.Sprintf("/members/%d/user_id", i), "%q is there twice: give each member once", m.UserID)
			}
		}
		p.Members = append(p.Members, tim.GroupMemberInfo{Identifier: m.UserID, MemberRole: roleOf(m.Role)})
	}
	c.CreateGroup = &CreateGroup{Param: p}
	return nil
}

func (c *Command) readModifyGroup(d ModifyGroupData) error {
	p := tim.GroupModifyInfoParam{GroupID: d.GroupID, CustomInfo: groupCustom(d.Custom)}
	text := func(flag tim.GroupModifyInfoFlag, into, from *string) {
		if from != nil {
			p.ModifyFlag |= flag
			*into = *from
		}
	}
	text(tim.ModifyGroupName, &p.GroupName, d.Name)
	text(tim.ModifyGroupNotification, &p.Notification, d.Notification)
	text(tim.ModifyGroupIntroduction, &p.Introduction, d.Introduction)
	text(tim.ModifyGroupFaceURL, &p.FaceURL, d.FaceURL)
	option := func(flag tim.GroupModifyInfoFlag, into *tim.GroupAddOption, word string) {
		if o, ok := addOptionOf(word); ok {
			p.ModifyFlag |= flag
			*into = o
		}
	}
	option(tim.ModifyGroupAddOption, &p.AddOption, d.AddOption)
	option(tim.ModifyGroupApproveOption, &p.ApproveOption, d.ApproveOption)
	if d.MaxMembers != nil {
		p.ModifyFlag |= tim.ModifyGroupMaxMemberNum
		p.MaxMemberCount = uint64(*d.MaxMembers)
	}
	if d.MuteAll != nil {
		p.ModifyFlag |= tim.ModifyGroupShutupAll
		p.IsShutupAll = *d.MuteAll
	}
	flag := func(flag tim.GroupModifyInfoFlag, into *uint64, from *bool) {
		if from != nil {
			p.ModifyFlag |= flag
			if *from {
				*into = 1
			}
		}
	}
	flag(tim.ModifyGroupVisible, &p.Visible, d.Visible)
	flag(tim.ModifyGroupSearchable, &p.Searchable, d.Searchable)
	if len(d.Custom) > 0 {
		p.ModifyFlag |= tim.ModifyGroupCustom
	}
	c.Conversation = tim.Group(d.GroupID)
	c.ModifyGroup = &ModifyGroup{Param: p}
	return nil
}

func (c *Command) readTransferGroup(d TransferGroupData) error {
	c.Conversation = tim.Group(d.GroupID)
	c.TransferGroup = &TransferGroup{Param: tim.GroupModifyInfoParam{
		GroupID: d.GroupID, ModifyFlag: tim.ModifyGroupOwner, Owner: d.UserID,
	}}
	return nil
}

func (c *Command) readInvite(d InviteData) error {
	c.Conversation = tim.Group(d.GroupID)
	c.Invite = &Invite{Param: tim.GroupInviteMemberParam{GroupID: d.GroupID, Identifiers: d.UserIDs, UserData: d.UserData}}
	return nil
}

func (c *Command) readRemoveMember(d RemoveMemberData) error {
	c.Conversation = tim.Group(d.GroupID)
	c.RemoveMember = &RemoveMember{Param: tim.GroupDeleteMemberParam{
		GroupID: d.GroupID, Identifiers: d.UserIDs, UserData: d.Reason, Duration: d.Seconds,
	}}
	return nil
}

func (c *Command) readModifyMember(d ModifyMemberData) error {
	p := tim.GroupModifyMemberInfoParam{GroupID: d.GroupID, Identifier: d.UserID}
	if d.Role != "" {
		p.ModifyFlag |= tim.ModifyMemberMemberRole
		p.MemberRole = roleOf(d.Role)
	}
	if d.MutedSeconds != nil {
		p.ModifyFlag |= tim.ModifyMemberShutupTime
		p.ShutupTime = uint64(*d.MutedSeconds)
	}
	if d.NameCard != nil {
		p.ModifyFlag |= tim.ModifyMemberNameCard
		p.NameCard = *d.NameCard
	}
	if d.ReceiveOption != "" {
		if d.UserID != c.Account {
			return reject(RejectSchemaInvalid, "/receive_option", "it is for the account that acts, %q, and not for others", c.Account)
		}
		p.ModifyFlag |= tim.ModifyMemberMsgFlag
		for _, option := range []tim.ReceiveMessageOpt{tim.RecvAll, tim.RecvNone, tim.RecvNoNotify, tim.RecvNoNotifyExceptAt} {
			if option.String() == d.ReceiveOption {
				p.MsgFlag = option
			}
		}
	}
	for _, field := range d.Custom {
		p.ModifyFlag |= tim.ModifyMemberCustom
		p.CustomInfo = append(p.CustomInfo, tim.GroupMemberInfoCustomString{Key: field.Key, Value: field.Value})
	}
	c.Conversation = tim.Group(d.GroupID)
	c.ModifyMember = &ModifyMember{Param: p}
	return nil
}

func (c *Command) readJoin(d JoinData) error {
	c.Conversation = tim.Group(d.GroupID)
	c.Join = &Join{Group: d.GroupID, Hello: d.Message}
	return nil
}

func (c *Command) readQuit(d QuitData) error {
	c.Conversation = tim.Group(d.GroupID)
	c.Quit = &Quit{Group: d.GroupID}
	return nil
}

func (c *Command) readHandleRequest(d HandleRequestData) error {
	pendency := tim.GroupPendency{GroupID: d.GroupID, FromIdentifier: d.UserID, ToIdentifier: d.InviteeID}
	switch d.Request {
	case requestInvite:
		pendency.PendencyType = tim.PendencyInviteNeedApprovedByInvitee
		if pendency.ToIdentifier == "" {
			pendency.ToIdentifier = c.Account
		}
		if pendency.ToIdentifier != c.Account {
			return reject(RejectSchemaInvalid, "/invitee_id", "only who is invited can decide on it, and %q acts", c.Account)
		}
	case requestInviteByMember:
		pendency.PendencyType = tim.PendencyInviteNeedApprovedByAdmin
	default:
		pendency.PendencyType = tim.PendencyJoinNeedApprovedByAdmin
		if d.InviteeID != "" {
			return reject(RejectSchemaInvalid, "/invitee_id", "nobody is invited by a request to join: leave it out")
		}
	}
	c.Conversation = tim.Group(d.GroupID)
	c.HandleRequest = &HandleRequest{Param: tim.GroupHandlePendencyParam{
		IsAccept: d.Accept, HandleMsg: d.Message, Pendency: pendency,
	}}
	return nil
}

func (c *Command) readDismiss(d DismissData) error {
	c.Conversation = tim.Group(d.GroupID)
	c.Dismiss = &Dismiss{Group: d.GroupID}
	return nil
}

// groupTypeOf reads both spellings of a group's type.
func groupTypeOf(word string) tim.GroupType {
	switch word {
	case "work":
		return tim.GroupPrivate
	case "meeting":
		return tim.GroupChatRoom
	}
	for _, t := range []tim.GroupType{
		tim.GroupPrivate, tim.GroupChatRoom, tim.GroupBChatRoom, tim.GroupAVChatRoom, tim.GroupCommunity,
	} {
		if t.String() == word {
			return t
		}
	}
	return tim.GroupPublic
}

func addOptionOf(word string) (tim.GroupAddOption, bool) {
	for _, option := range []tim.GroupAddOption{tim.GroupAddForbid, tim.GroupAddAuth, tim.GroupAddAny} {
		if option.String() == word {
			return option, true
		}
	}
	return tim.GroupAddUnknown, false
}

// roleOf is a role that can be given, by its word.
func roleOf(word string) tim.GroupMemberRole {
	if word == tim.RoleAdmin.String() {
		return tim.RoleAdmin
	}
	return tim.RoleMember
}

func groupCustom(fields []CustomField) []tim.GroupInfoCustomString {
	var out []tim.GroupInfoCustomString
	for _, f := range fields {
		out = append(out, tim.GroupInfoCustomString{Key: f.Key, Value: f.Value})
	}
	return out
}
