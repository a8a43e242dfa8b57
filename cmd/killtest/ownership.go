package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// pawn is who is moved into groups and out again. He never says anything.
const pawn tim.UserID = "dave"

// ownGroup is a group that a person owns, and what it did there. Nobody else
// does any of it.
type ownGroup struct {
	id    tim.GroupID
	typ   tim.GroupType
	in    bool // the pawn is
	admin bool // the pawn is
	above bool // the bridge is an administrator
	count int
}

// stored says whether tips about members lie in the group's history, roles
// whether those about roles and mutes do.
func (g *ownGroup) stored() bool {
	return g.typ == tim.GroupPrivate || g.typ == tim.GroupPublic || g.typ == tim.GroupCommunity
}

func (g *ownGroup) roles() bool { return g.typ == tim.GroupPublic || g.typ == tim.GroupCommunity }

// estates says who owns what.
var estates = map[tim.UserID][]ownGroup{
	people[0]: {{id: privateGroup, typ: tim.GroupPrivate}, {id: liveRoom, typ: tim.GroupAVChatRoom}},
	people[1]: {{id: publicGroup, typ: tim.GroupPublic}, {id: chatRoom, typ: tim.GroupChatRoom}, {id: broadcastRoom, typ: tim.GroupBChatRoom}},
	people[2]: {{id: communityGroup, typ: tim.GroupCommunity}},
}

// makeGroups makes the person's own groups.
func (p *person) makeGroups(context.Context) error {
	if !p.s.all {
		return nil
	}
	for _, g := range estates[p.user] {
		anybody := tim.GroupAddAny
		param := tim.CreateGroupParam{GroupID: g.id, GroupType: g.typ, GroupName: "of " + string(p.user)}
		if !isRoom(g.id) {
			param.ApproveOption, param.AddOption = &anybody, &anybody
			for _, user := range append([]tim.UserID{bridgeUser}, people...) {
				if user != p.user {
					param.Members = append(param.Members, tim.GroupMemberInfo{Identifier: user})
				}
			}
		}
		err := p.insist("make "+string(g.id), func(ctx context.Context) error {
			_, err := p.client.CreateGroup(ctx, param)
			return err
		}, tim.CodeSvrGroupGroupIDInUsedForSuper)
		if err == nil && g.typ == tim.GroupPrivate {
			err = p.post(g.id) // it begins with its owner's first message
		}
		if err != nil {
			return err
		}
		p.owned = append(p.owned, &g)
	}
	return nil
}

// enterRooms has everybody in the rooms, whose owners cannot bring them in.
func (p *person) enterRooms(context.Context) error {
	if !p.s.all {
		return nil
	}
	groups, ok := p.client.(tim.Groups)
	if !ok {
		return lacking("join groups")
	}
	for _, room := range rooms {
		if p.user == visitor || slices.ContainsFunc(p.owned, func(g *ownGroup) bool { return g.id == room }) {
			continue
		}
		err := p.insist("join the room", func(ctx context.Context) error { return groups.JoinGroup(ctx, room, "") }, tim.CodeSvrGroupAlreadyMember)
		if err != nil {
			return err
		}
	}
	return p.tell(deed{Kind: deedReady, By: p.user})
}

// administer does something in one of the person's own groups.
func (p *person) administer() error {
	g := p.owned[p.rng.IntN(len(p.owned))]
	groups, ok := p.client.(tim.Groups)
	if !ok {
		return lacking("change groups")
	}
	switch n := p.rng.IntN(10); {
	case n < 3 || isRoom(g.id):
		return p.describe(groups, g)
	case n < 4 && g.roles():
		g.above = !g.above
		return p.giveRole(groups, g, bridgeUser, g.above)
	case !g.in:
		return p.bringIn(g)
	case n < 6 && g.roles():
		g.admin = !g.admin
		return p.giveRole(groups, g, pawn, g.admin)
	case n < 8 && g.roles():
		return p.mute(groups, g)
	}
	return p.putOut(g)
}

// told tells a tip that was stored.
func (p *person) told(g *ownGroup, stored bool, format string, args ...any) error {
	if !stored {
		return nil
	}
	return p.tell(deed{Kind: deedTip, By: p.user, Group: g.id, Fact: factOf(g.id, fmt.Sprintf(format, args...))})
}

func factOf(group tim.GroupID, what string) string { return mapping.GroupSubject(group) + " " + what }

// describe changes what the group says of itself.
func (p *person) describe(groups tim.Groups, g *ownGroup) error {
	g.count++
	value := fmt.Sprintf("%s %d", p.user, g.count)
	param := tim.GroupModifyInfoParam{GroupID: g.id}
	field := "name"
	switch g.count % 3 {
	case 0:
		param.ModifyFlag, param.GroupName = tim.ModifyGroupName, value
	case 1:
		field, param.ModifyFlag, param.Notification = "notification", tim.ModifyGroupNotification, value
	case 2:
		field, param.ModifyFlag, param.Introduction = "introduction", tim.ModifyGroupIntroduction, value
	}
	if err := p.insist("describe "+string(g.id), func(ctx context.Context) error { return groups.ModifyGroup(ctx, param) }); err != nil {
		return err
	}
	return p.told(g, !isRoom(g.id), "info_changed %s=%s", field, value)
}

func (p *person) bringIn(g *ownGroup) error {
	param := tim.GroupInviteMemberParam{GroupID: g.id, Identifiers: []tim.UserID{pawn}}
	err := p.insist("invite into "+string(g.id), func(ctx context.Context) error {
		results, err := p.client.InviteMembers(ctx, param)
		if err == nil && (len(results) != 1 || results[0].Result == tim.MemberFailed) {
			err = fmt.Errorf("it did not succeed: %v", results)
		}
		return err
	})
	if err != nil {
		return err
	}
	g.in, g.admin = true, false
	return p.told(g, g.stored(), "member_joined %s", pawn)
}

func (p *person) putOut(g *ownGroup) error {
	param := tim.GroupDeleteMemberParam{GroupID: g.id, Identifiers: []tim.UserID{pawn}}
	err := p.insist("remove from "+string(g.id), func(ctx context.Context) error {
		results, err := p.client.DeleteMembers(ctx, param)
		if err == nil && (len(results) != 1 || results[0].Result == tim.MemberFailed) {
			err = fmt.Errorf("it did not succeed: %v", results)
		}
		return err
	})
	if err != nil {
		return err
	}
	g.in, g.admin = false, false
	return p.told(g, g.stored(), "member_kicked %s", pawn)
}

func (p *person) giveRole(groups tim.Groups, g *ownGroup, to tim.UserID, admin bool) error {
	role, word := tim.RoleMember, "member"
	if admin {
		role, word = tim.RoleAdmin, "admin"
	}
	param := tim.GroupModifyMemberInfoParam{GroupID: g.id, Identifier: to, ModifyFlag: tim.ModifyMemberMemberRole, MemberRole: role}
	if err := p.insist("make "+word, func(ctx context.Context) error { return groups.ModifyMember(ctx, param) }); err != nil {
		return err
	}
	if to == bridgeUser { // it is told itself, too
		err := p.tell(deed{Kind: deedTip, By: p.user, Group: g.id, Fact: factOf(g.id, fmt.Sprintf("member_changed %s %s", to, word)), Report: true})
		if err != nil {
			return err
		}
	}
	return p.told(g, true, "member_changed %s %s", to, word)
}

// mute mutes the pawn for a time that nobody else ever was.
func (p *person) mute(groups tim.Groups, g *ownGroup) error {
	g.count++
	seconds := uint64(1000 + g.count)
	param := tim.GroupModifyMemberInfoParam{GroupID: g.id, Identifier: pawn, ModifyFlag: tim.ModifyMemberShutupTime, ShutupTime: seconds}
	if err := p.insist("mute", func(ctx context.Context) error { return groups.ModifyMember(ctx, param) }); err != nil {
		return err
	}
	return p.told(g, true, "member_changed %s muted %d", pawn, seconds)
}
