package sandbox

import (
	"cmp"
	"context"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// JoinedGroups lists the groups that the account is in, those it came into last
// first; see [tim.Groups]. Rooms that keep no history are not in the list.
func (c *Client) JoinedGroups(ctx context.Context) ([]tim.GroupBaseInfo, error) {
	const op = "joined groups"
	var list []tim.GroupBaseInfo
	err := c.look(ctx, op, CallJoinedGroups, func(ss *session) error {
		user := ss.account.id
		groups := make([]*group, 0, len(ss.account.groups))
		for g := range ss.account.groups {
			if g.sees(user) && ruleTable.history.of(g.typ) {
				groups = append(groups, g)
			}
		}
		slices.SortFunc(groups, func(x, y *group) int {
			return cmp.Or(cmp.Compare(y.members.get(user).joined, x.members.get(user).joined), cmp.Compare(x.id, y.id))
		})
		for _, g := range groups {
			list = append(list, g.baseInfo(g.members.get(user)))
		}
		return nil
	})
	return list, err
}

// GroupsInfo looks at groups; see [tim.Groups]. Anybody may look at any group
// but a Private one, which only its members and app administrators may.
func (c *Client) GroupsInfo(ctx context.Context, groups []tim.GroupID) ([]tim.GetGroupInfoResult, error) {
	const op = "groups info"
	list := make([]tim.GetGroupInfoResult, 0, len(groups))
	err := c.look(ctx, op, CallGroupsInfo, func(ss *session) error {
		switch n := len(groups); {
		case n == 0:
			return refuse(op, tim.CodeSvrGroupInvalidParameters, "no group to look at")
		case n > maxGroupsAsked:
			return refuse(op, tim.CodeSvrGroupInvalidParameters, "%d groups; at most %d are asked for at once", n, maxGroupsAsked)
		}
		for _, id := range groups {
			info, err := c.s.groupInfo(op, ss.account.id, id)
			result := tim.GetGroupInfoResult{Info: info}
			if err != nil {
				e, _ := tim.AsError(err)
				result.Code, result.Desc = e.Code, e.Desc
				result.Info = &tim.GroupDetailInfo{GroupID: id}
			}
			list = append(list, result)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (s *Sandbox) groupInfo(op string, user tim.UserID, id tim.GroupID) (*tim.GroupDetailInfo, error) {
	g, err := s.group(op, id)
	if err != nil {
		return nil, err
	}
	if g.typ == tim.GroupPrivate && !s.admins[user] && (g.members.get(user) == nil || !g.sees(user)) {
		return nil, refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is not a member of the group", user)
	}
	return g.detailInfo(), nil
}

func (g *group) baseInfo(m *member) tim.GroupBaseInfo {
	return tim.GroupBaseInfo{
		GroupID: g.id, GroupName: g.name, GroupType: g.typ, FaceURL: g.faceURL, InfoSeq: g.infoSeq,
		LatestSeq: g.conv.seq, MsgFlag: m.flag, IsShutupAll: g.mutedAll,
		SelfInfo: &tim.GroupSelfInfo{JoinTime: uint64(m.joined / 1e9), Role: m.role, MsgFlag: m.flag},
	}
}

func (g *group) detailInfo() *tim.GroupDetailInfo {
	info := &tim.GroupDetailInfo{
		GroupID: g.id, GroupType: g.typ, IsSupportTopic: g.settings.topics, GroupName: g.name,
		Notification: g.notification, Introduction: g.introduction, FaceURL: g.faceURL,
		CreateTime: uint64(g.created / 1e9), InfoSeq: g.infoSeq, LastInfoTime: uint64(g.infoTime / 1e9),
		NextMsgSeq: g.conv.seq + 1, MemberNum: uint64(g.members.len()), MaxMemberNum: uint64(g.most),
		AddOption: g.add, ApproveOption: g.approve, Visible: g.settings.visible, Searchable: g.settings.searchable,
		IsShutupAll: g.mutedAll, OwnerIdentifier: g.owner,
		EnablePermissionGroup: g.settings.permissionGroup, DefaultPermissions: g.settings.permissions,
	}
	if g.conv.last != nil {
		info.LastMsgTime = g.conv.last.seconds()
	}
	for _, f := range g.custom {
		info.CustomInfo = append(info.CustomInfo, tim.GroupInfoCustomString{Key: f.key, Value: f.value})
	}
	for _, m := range g.members.order {
		if m.account.online() {
			info.OnlineMemberNum++
		}
	}
	return info
}

// online says whether the account is signed in, and in touch, somewhere.
func (a *account) online() bool {
	for _, ss := range a.sessions {
		if !ss.away && !ss.over {
			return true
		}
	}
	return false
}
