package egress

import (
	"context"
	"slices"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// alreadySo says of a call that was refused whether what it asks for is so
// already. Most of that the code says; where it does not, the service is asked,
// and an error is that question's.
func (e *Egress) alreadySo(client tim.Client, it *item, refused error) (bool, error) {
	c := &it.cmd
	switch code := tim.CodeOf(refused); code {
	case tim.CodeOK:
		return false, nil
	case tim.CodeSvrGroupGroupIDInUsedForSuper: // ours, and the id is made from this very command
		return c.CreateGroup != nil, nil
	case tim.CodeSvrMsgAlreadyRevoked:
		return c.Revoke != nil, nil
	case tim.CodeSvrGroupRevokeMsgDeny: // a group's code for it, and for what cannot be recalled
		if c.Revoke != nil {
			so, known, err := e.holds(client, it)
			return so && known, err
		}
	case tim.CodeSvrGroupNotFound, tim.CodeSvrGroupInvalidGroupID:
		if c.Dismiss != nil {
			return it.doubt, nil
		}
	case tim.CodeSvrGroupAlreadyMember:
		if c.Join != nil {
			return true, nil
		}
		return c.Invite != nil && it.doubt, nil
	case tim.CodeNoSuccResult:
		return (c.Invite != nil || c.RemoveMember != nil) && it.doubt, nil
	}
	// Who is no member any more, or not the owner, is told that this is not
	// allowed; a request that was decided may have been decided otherwise.
	if (c.Quit != nil || c.TransferGroup != nil || c.HandleRequest != nil) && !retryable(refused) && notDone(refused) {
		so, known, err := e.holds(client, it)
		return so && known, err
	}
	return false, nil
}

func notDone(err error) bool {
	te, ok := tim.AsError(err)
	return ok && te.Effect == tim.EffectNotDone
}

// holds asks the service whether things are as a command wants them. known is
// false where it cannot be asked; an error is one after which asking again can
// help.
func (e *Egress) holds(client tim.Client, it *item) (so, known bool, err error) {
	ctx, cancel := context.WithTimeout(e.end, e.cfg.CallTimeout)
	defer cancel()
	so, known, err = e.ask(ctx, client, it)
	if err != nil && !retryable(err) {
		return false, false, nil
	}
	return so, known && err == nil, err
}

func (e *Egress) ask(ctx context.Context, client tim.Client, it *item) (so, known bool, err error) {
	c, self := &it.cmd, it.o.account
	groups, _ := client.(tim.Groups)
	switch {
	case c.Revoke != nil:
		m, known, err := find(ctx, client, locate(c.Revoke.Conversation, c.Revoke.Message))
		return m != nil && m.Status == tim.MsgRevoked, known, err
	case c.Modify != nil:
		m, known, err := find(ctx, client, c.Modify.Message)
		if m == nil || !sameContent(&c.Modify.Message, m) {
			return false, known, err
		}
		it.seen.Version = m.Version
		return true, known, err
	case c.TransferGroup != nil && groups != nil:
		info, err := e.groupInfo(ctx, groups, it, c.TransferGroup.Param.GroupID)
		return info != nil && info.OwnerIdentifier == c.TransferGroup.Param.Owner, info != nil, err
	case c.ModifyGroup != nil && groups != nil:
		info, err := e.groupInfo(ctx, groups, it, c.ModifyGroup.Param.GroupID)
		return info != nil && isModified(info, &c.ModifyGroup.Param), info != nil, err
	case c.ModifyMember != nil && groups != nil:
		return memberModified(ctx, groups, &c.ModifyMember.Param)
	case c.Join != nil && groups != nil:
		in, err := joined(ctx, groups, c.Join.Group)
		return in, err == nil, err
	case c.Quit != nil && groups != nil:
		in, err := joined(ctx, groups, c.Quit.Group)
		return !in, err == nil, err
	case c.HandleRequest != nil && groups != nil:
		return requestDecided(ctx, groups, c.HandleRequest)
	case c.ModifyProfile != nil:
		return profileModified(ctx, client, self, &c.ModifyProfile.Item)
	case c.SetStatus != nil:
		return statusSet(ctx, client, self, c.SetStatus.Custom)
	}
	return false, false, nil
}

// locate names a message as history does.
func locate(conv tim.Conversation, l tim.MsgLocator) tim.Message {
	return tim.Message{ConvType: conv.Type, ConvID: conv.ID, Seq: l.Seq, Rand: l.Rand, ServerTime: l.Time}
}

// find looks for a message in history, nil when it is not there.
func find(ctx context.Context, client tim.Client, want tim.Message) (m *tim.Message, known bool, err error) {
	h, ok := client.(tim.History)
	if !ok {
		return nil, false, nil
	}
	// The one before which it would stand: its own place and a bit more.
	next := tim.Message{ConvType: want.ConvType, ConvID: want.ConvID, Seq: want.Seq + 1, ServerTime: want.ServerTime + 1}
	page, err := h.Messages(ctx, want.Conversation(), tim.HistoryQuery{Before: &next, Count: historyPage})
	if err != nil {
		return nil, false, err
	}
	for i := range page {
		m := &page[i]
		same := m.Seq == want.Seq
		if want.ConvType == tim.ConvC2C {
			same = same && m.Rand == want.Rand && m.ServerTime == want.ServerTime
		}
		if same {
			return m, true, nil
		}
	}
	return nil, true, nil
}

// groupInfo is a group as the service has it, nil where it does not say. The
// command's result will tell of it.
func (e *Egress) groupInfo(ctx context.Context, g tim.Groups, it *item, id tim.GroupID) (*tim.GroupDetailInfo, error) {
	infos, err := g.GroupsInfo(ctx, []tim.GroupID{id})
	if err != nil {
		return nil, err
	}
	for i := range infos {
		if infos[i].Code == tim.CodeOK && infos[i].Info != nil && infos[i].Info.GroupID == id {
			it.seen.Group = mapping.GroupInfoOf(*infos[i].Info)
			return infos[i].Info, nil
		}
	}
	return nil, nil
}

// isModified says whether a group has all that a command changes of it.
func isModified(have *tim.GroupDetailInfo, want *tim.GroupModifyInfoParam) bool {
	is := func(flag tim.GroupModifyInfoFlag, same bool) bool { return want.ModifyFlag&flag == 0 || same }
	custom := true
	for _, w := range want.CustomInfo {
		custom = custom && slices.ContainsFunc(have.CustomInfo, func(h tim.GroupInfoCustomString) bool {
			return h.Key == w.Key && h.Value == w.Value
		})
	}
	return is(tim.ModifyGroupName, have.GroupName == want.GroupName) &&
		is(tim.ModifyGroupNotification, have.Notification == want.Notification) &&
		is(tim.ModifyGroupIntroduction, have.Introduction == want.Introduction) &&
		is(tim.ModifyGroupFaceURL, have.FaceURL == want.FaceURL) &&
		is(tim.ModifyGroupAddOption, have.AddOption == want.AddOption) &&
		is(tim.ModifyGroupApproveOption, have.ApproveOption == want.ApproveOption) &&
		is(tim.ModifyGroupMaxMemberNum, have.MaxMemberNum == want.MaxMemberCount) &&
		is(tim.ModifyGroupVisible, have.Visible == want.Visible) &&
		is(tim.ModifyGroupSearchable, have.Searchable == want.Searchable) &&
		is(tim.ModifyGroupShutupAll, have.IsShutupAll == want.IsShutupAll) &&
		is(tim.ModifyGroupEnablePermissionGroup, have.EnablePermissionGroup == want.EnablePermissionGroup) &&
		is(tim.ModifyGroupDefaultPermissions, have.DefaultPermissions == want.DefaultPermissions) &&
		is(tim.ModifyGroupCustom|tim.ModifyGroupCustomString, custom)
}

func memberModified(ctx context.Context, g tim.Groups, want *tim.GroupModifyMemberInfoParam) (so, known bool, err error) {
	page, err := g.Members(ctx, tim.GroupGetMemberInfoListParam{GroupID: want.GroupID, Identifiers: []tim.UserID{want.Identifier}})
	if err != nil {
		return false, false, err
	}
	for _, m := range page.Infos {
		if m.Identifier != want.Identifier {
			continue
		}
		is := func(flag tim.GroupMemberModifyInfoFlag, same bool) bool { return want.ModifyFlag&flag == 0 || same }
		custom := true
		for _, w := range want.CustomInfo {
			custom = custom && slices.ContainsFunc(m.CustomInfo, func(h tim.GroupMemberInfoCustomString) bool {
				return h.Key == w.Key && h.Value == w.Value
			})
		}
		muted := m.ShutupTime > uint64(time.Now().Unix())
		return is(tim.ModifyMemberMemberRole, m.MemberRole == want.MemberRole) &&
			is(tim.ModifyMemberNameCard, m.NameCard == want.NameCard) &&
			is(tim.ModifyMemberMsgFlag, m.MsgFlag == want.MsgFlag) &&
			is(tim.ModifyMemberShutupTime, muted == (want.ShutupTime != 0)) &&
			is(tim.ModifyMemberCustom, custom), true, nil
	}
	return false, true, nil
}

func joined(ctx context.Context, g tim.Groups, id tim.GroupID) (bool, error) {
	list, err := g.JoinedGroups(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list, func(i tim.GroupBaseInfo) bool { return i.GroupID == id }), nil
}

// requestDecided says whether a request was decided as a command wants it to be.
func requestDecided(ctx context.Context, g tim.Groups, h *mapping.HandleRequest) (so, known bool, err error) {
	p, err := findRequest(ctx, g, h)
	if err != nil || p == nil {
		return false, false, err
	}
	accepted := p.HandleResult == tim.PendencyAccept
	return p.Handled != tim.PendencyNotHandle && accepted == h.Param.IsAccept, true, nil
}

func profileModified(ctx context.Context, client tim.Client, self tim.UserID, want *tim.UserProfileItem) (so, known bool, err error) {
	p, ok := client.(tim.Profiles)
	if !ok {
		return false, false, nil
	}
	list, err := p.Profiles(ctx, []tim.UserID{self})
	if err != nil || len(list) != 1 {
		return false, false, err
	}
	have := &list[0]
	for _, w := range want.CustomStrings {
		if !slices.ContainsFunc(have.CustomStrings, func(h tim.UserProfileCustomString) bool {
			return h.Key == w.Key && h.Value == w.Value
		}) {
			return false, true, nil
		}
	}
	return is(want.NickName, have.NickName) && is(want.Gender, have.Gender) && is(want.FaceURL, have.FaceURL) &&
		is(want.SelfSignature, have.SelfSignature) && is(want.AddPermission, have.AddPermission) &&
		is(want.Location, have.Location) && is(want.Language, have.Language) && is(want.Birthday, have.Birthday) &&
		is(want.Level, have.Level) && is(want.Role, have.Role), true, nil
}

// is says whether something is as wanted; nil wants nothing.
func is[T comparable](want *T, have T) bool { return want == nil || *want == have }

func statusSet(ctx context.Context, client tim.Client, self tim.UserID, want string) (so, known bool, err error) {
	p, ok := client.(tim.Presence)
	if !ok {
		return false, false, nil
	}
	list, err := p.Statuses(ctx, []tim.UserID{self})
	if err != nil || len(list) != 1 {
		return false, false, err
	}
	return list[0].CustomStatus == want, true, nil
}
