package sandbox

import (
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// happening is one record's change of a group while it is applied.
type happening struct {
	st       *state
	position uint64
	g        *group
	now      int64
	rng      *randoms
}

// in begins a happening in a group; nil: the group was lost in a repair.
func (st *state) in(position uint64, id tim.GroupID, time int64, seed uint64) *happening {
	now := st.clock(time)
	g := st.groups[id]
	if g == nil {
		return nil
	}
	return &happening{st, position, g, now, newRandoms(seed)}
}

func (r *inviteRecord) apply(st *state, position uint64) {
	if h := st.in(position, r.group, r.time, r.seed); h != nil {
		for _, user := range r.users {
			h.join(user, tim.RoleMember)
		}
		h.invited(r.by, r.users, r.userData)
	}
}

func (r *joinRecord) apply(st *state, position uint64) {
	if h := st.in(position, r.group, r.time, r.seed); h != nil {
		h.join(r.user, tim.RoleMember)
		h.applied(r.user, r.user)
	}
}

func (r *createRecord) apply(st *state, position uint64) {
	now := st.clock(r.time)
	old := st.groups[r.group]
	g := &group{
		id: r.group, typ: r.typ, name: r.name, introduction: r.introduction,
		notification: r.notification, faceURL: r.faceURL, owner: r.owner, created: now,
		most: r.most, add: r.add, approve: r.approve, settings: r.settings, custom: r.custom,
		active: !ruleTable.sleeps.of(r.typ), infoSeq: 1, infoTime: now,
		conv: st.conversation(groupKey(r.group)),
	}
	g.first = g.conv.seq + 1
	if old != nil { // dismissed; its sequences go on
		g.reportSeq, g.past = old.reportSeq, old.past
	}
	st.groups[r.group] = g
	h := &happening{st, position, g, now, newRandoms(r.seed)}
	h.join(r.owner, tim.RoleOwner)
	h.report([]tim.UserID{r.owner}, tim.GroupReportElem{ReportType: tim.GroupReportCreate, OpUser: r.owner})
	if len(r.members) == 0 {
		return
	}
	users := make([]tim.UserID, 0, len(r.members))
	for _, m := range r.members {
		h.join(m.user, m.role)
		users = append(users, m.user)
	}
	h.invited(r.owner, users, "")
}

// join takes a user in.
func (h *happening) join(user tim.UserID, role tim.GroupMemberRole) {
	a := h.st.account(user)
	from := h.g.conv.seq + 1
	if ruleTable.before.of(h.g.typ) {
		from = h.g.first
	}
	flag := tim.RecvAll
	if !ruleTable.push.of(h.g.typ) {
		flag = tim.RecvNoNotify
	}
	h.g.members.add(&member{id: user, account: a, role: role, joined: h.now, from: from, flag: flag})
	a.enter(h.g)
	if ruleTable.history.of(h.g.typ) && h.g.sees(user) {
		a.convs[h.g.conv] = struct{}{}
	}
}

// invited tells everybody who was brought in.
func (h *happening) invited(by tim.UserID, users []tim.UserID, userData string) {
	h.tip(ruleTable.tipMembers, tim.GroupTipsElem{
		TipType: tim.GroupTipInvite, JoinType: tim.GroupJoinInvite, OpUser: by, Users: users,
		ChangedGroupMemberInfo: h.g.infos(users),
	})
	h.report(withOperator(users, by), tim.GroupReportElem{
		ReportType: tim.GroupReportInvite, OpUser: by, UserData: userData,
	})
}

// applied tells everybody who came in by its own wish.
func (h *happening) applied(by, user tim.UserID) {
	users := []tim.UserID{user}
	h.tip(ruleTable.tipMembers, tim.GroupTipsElem{
		TipType: tim.GroupTipInvite, JoinType: tim.GroupJoinApply, OpUser: by, Users: users,
		ChangedGroupMemberInfo: h.g.infos(users),
	})
}

func (r *removeRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	g := h.g
	infos := g.infos(r.users)
	var told []tim.UserID
	for _, user := range r.users {
		if g.active {
			told = append(told, user)
		}
		g.leave(user)
	}
	h.tip(ruleTable.tipMembers, tim.GroupTipsElem{
		TipType: tim.GroupTipKick, OpUser: r.by, Users: r.users, ChangedGroupMemberInfo: infos,
	})
	h.tell(told, h.message(tim.GroupReportElem{ReportType: tim.GroupReportBeKicked, OpUser: r.by, Msg: r.reason}))
}

func (r *quitRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	g := h.g
	users := []tim.UserID{r.user}
	infos := g.infos(users)
	seen := g.sees(r.user)
	g.leave(r.user)
	if g.owner == r.user {
		g.owner = ""
		h.st.activate(h.position, g) // or nobody could ever
	}
	h.tip(ruleTable.tipMembers, tim.GroupTipsElem{
		TipType: tim.GroupTipQuit, OpUser: r.user, Users: users, ChangedGroupMemberInfo: infos,
	})
	report := h.message(tim.GroupReportElem{ReportType: tim.GroupReportQuit, OpUser: r.user})
	if seen {
		h.tell(users, report)
	}
}

func (r *dismissRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	g := h.g
	told := []tim.UserID{r.by}
	for _, m := range g.members.order {
		if m.id != r.by && g.sees(m.id) {
			told = append(told, m.id)
		}
	}
	report := h.message(tim.GroupReportElem{ReportType: tim.GroupReportDelete, OpUser: r.by})
	for n := g.members.len(); n > 0; n-- { // from the end, which is cheap
		g.leave(g.members.order[n-1].id)
	}
	g.dismissed, g.held, g.requests, g.muted = true, nil, nil, nil
	h.tell(told, report)
}

// apply changes the group's information, and tells what is different now.
func (r *infoRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	g := h.g
	var profile, settings []tim.GroupTipGroupChangeInfo
	for _, f := range []struct {
		flag  tim.GroupModifyInfoFlag
		tip   tim.GroupTipGroupChangeFlag
		field *string
		value string
	}{
		{tim.ModifyGroupName, tim.GroupChangeName, &g.name, r.name},
		{tim.ModifyGroupIntroduction, tim.GroupChangeIntroduction, &g.introduction, r.introduction},
		{tim.ModifyGroupNotification, tim.GroupChangeNotification, &g.notification, r.notification},
		{tim.ModifyGroupFaceURL, tim.GroupChangeFaceURL, &g.faceURL, r.faceURL},
	} {
		if r.flags&f.flag != 0 && *f.field != f.value {
			*f.field = f.value
			profile = append(profile, tim.GroupTipGroupChangeInfo{Flag: f.tip, Value: f.value})
		}
	}
	if m := g.members.get(r.owner); r.flags&tim.ModifyGroupOwner != 0 && m != nil && g.owner != r.owner {
		if before := g.members.get(g.owner); before != nil {
			before.role = tim.RoleMember
		}
		g.owner, m.role = r.owner, tim.RoleOwner
		h.st.activate(h.position, g)
		profile = append(profile, tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeOwner, Value: string(r.owner)})
	}
	if r.flags&tim.ModifyGroupCustom != 0 {
		for _, f := range changedFields(&g.custom, r.custom) {
			profile = append(profile, tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeCustom, Key: f.key, Value: f.value})
		}
	}
	if r.flags&tim.ModifyGroupShutupAll != 0 && g.mutedAll != r.mutedAll {
		g.mutedAll = r.mutedAll
		settings = append(settings, tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeShutupAll, BoolValue: r.mutedAll})
	}
	if r.flags&tim.ModifyGroupAddOption != 0 && g.add != r.add {
		g.add = r.add
		settings = append(settings, tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeGroupAddOpt, IntValue: int64(r.add)})
	}
	if r.flags&tim.ModifyGroupApproveOption != 0 && g.approve != r.approve {
		g.approve = r.approve
		settings = append(settings, tim.GroupTipGroupChangeInfo{Flag: tim.GroupChangeGroupApproveOpt, IntValue: int64(r.approve)})
	}
	h.modifySettings(r)
	g.infoSeq++
	g.infoTime = h.now
	for _, change := range []struct {
		rule  row[telling]
		infos []tim.GroupTipGroupChangeInfo
	}{{ruleTable.tipProfile, profile}, {ruleTable.tipSettings, settings}} {
		if len(change.infos) > 0 {
			h.tip(change.rule, tim.GroupTipsElem{TipType: tim.GroupTipGroupInfoChange, OpUser: r.by, GroupChangeInfo: change.infos})
		}
	}
}

// modifySettings changes what nobody is told of.
func (h *happening) modifySettings(r *infoRecord) {
	g := h.g
	if r.flags&tim.ModifyGroupMaxMemberNum != 0 {
		g.most = r.most
	}
	if r.flags&tim.ModifyGroupVisible != 0 {
		g.settings.visible = r.settings.visible
	}
	if r.flags&tim.ModifyGroupSearchable != 0 {
		g.settings.searchable = r.settings.searchable
	}
	if r.flags&tim.ModifyGroupEnablePermissionGroup != 0 {
		g.settings.permissionGroup = r.settings.permissionGroup
	}
	if r.flags&tim.ModifyGroupDefaultPermissions != 0 {
		g.settings.permissions = r.settings.permissions
	}
}

// changedFields sets custom fields and gives those that are different now. One
// without a value is taken away.
func changedFields(fields *[]field, changes []field) []field {
	var changed []field
	for _, f := range changes {
		i := slices.IndexFunc(*fields, func(x field) bool { return x.key == f.key })
		switch {
		case i >= 0 && (*fields)[i].value == f.value, i < 0 && f.value == "":
			continue
		case f.value == "":
			*fields = slices.Delete(slices.Clone(*fields), i, i+1)
		case i < 0:
			*fields = append(slices.Clone(*fields), f)
		default:
			*fields = slices.Clone(*fields)
			(*fields)[i] = f
		}
		changed = append(changed, f)
	}
	if len(*fields) == 0 {
		*fields = nil
	}
	return changed
}

func (r *memberRecord) apply(st *state, position uint64) {
	h := st.in(position, r.group, r.time, r.seed)
	if h == nil {
		return
	}
	g := h.g
	m := g.members.get(r.user)
	if m == nil {
		return // lost in a repair
	}
	users := []tim.UserID{r.user}
	if r.flags&tim.ModifyMemberMsgFlag != 0 {
		m.flag = r.flag
	}
	if r.flags&tim.ModifyMemberNameCard != 0 {
		m.nameCard = r.nameCard
	}
	if r.flags&tim.ModifyMemberCustom != 0 {
		changedFields(&m.custom, r.custom)
	}
	if r.flags&tim.ModifyMemberMemberRole != 0 && m.role != r.role {
		m.role = r.role
		tip, report := tim.GroupTipSetAdmin, tim.GroupReportGrantAdmin
		if r.role != tim.RoleAdmin {
			tip, report = tim.GroupTipCancelAdmin, tim.GroupReportCancelAdmin
		}
		h.tip(ruleTable.tipRoles, tim.GroupTipsElem{TipType: tip, OpUser: r.by, Users: users, ChangedGroupMemberInfo: g.infos(users)})
		h.report(users, tim.GroupReportElem{ReportType: report, OpUser: r.by})
	}
	if r.flags&tim.ModifyMemberShutupTime != 0 {
		g.mute(r.user, r.until)
		h.tip(ruleTable.tipRoles, tim.GroupTipsElem{
			TipType: tim.GroupTipMemberInfoChange, OpUser: r.by, Users: users, ChangedGroupMemberInfo: g.infos(users),
			MemberChangeInfo: []tim.GroupTipMemberChangeInfo{{Identifier: r.user, ShutupTime: r.shutup}},
		})
		h.report(users, tim.GroupReportElem{ReportType: tim.GroupReportShutUpMember, OpUser: r.by, ShutUpTime: r.shutup})
	}
}
