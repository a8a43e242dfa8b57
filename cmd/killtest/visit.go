package main

import (
	"context"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// petition is what is told when the visitor asks to be let into the group in
// which everybody talks: its owner, the bridge, has to agree.
var petition = factOf(talkGroup(), "join_requested "+string(visitor))

// visit comes into a group, says something there, and goes.
func (p *person) visit() error {
	groups, ok := p.client.(tim.Groups)
	if !ok {
		return lacking("join groups")
	}
	types := []ownGroup{
		{id: publicGroup, typ: tim.GroupPublic}, {id: chatRoom, typ: tim.GroupChatRoom}, {id: communityGroup, typ: tim.GroupCommunity},
	}
	p.visits++
	if p.visits%3 == 0 {
		return p.ask(groups)
	}
	g := &types[p.rng.IntN(len(types))]
	err := p.insist("join", func(ctx context.Context) error { return groups.JoinGroup(ctx, g.id, "hello") }, tim.CodeSvrGroupAlreadyMember)
	if err == nil {
		err = p.told(g, g.stored(), "member_joined %s", p.user)
	}
	if err == nil {
		err = p.post(g.id)
	}
	if err != nil {
		return err
	}
	p.recent = nil // others change what is said in groups that they stay in
	return p.leave(groups, g)
}

func (p *person) leave(groups tim.Groups, g *ownGroup) error {
	tried := false
	err := p.insist("quit", func(ctx context.Context) error {
		err := groups.QuitGroup(ctx, g.id)
		if tried && tim.CodeOf(err) == tim.CodeSvrGroupPermissionDeny {
			return nil // gone before, and the answer was lost
		}
		tried = true
		return err
	})
	if err != nil {
		return err
	}
	return p.told(g, g.stored(), "member_left %s", p.user)
}

// ask asks to be let in where everybody talks, or, once that was done, goes
// again.
func (p *person) ask(groups tim.Groups) error {
	g := &ownGroup{id: p.s.group, typ: tim.GroupPublic}
	if !p.asked {
		err := p.insist("ask", func(ctx context.Context) error { return groups.JoinGroup(ctx, g.id, "please") }, tim.CodeSvrGroupAlreadyMember)
		if err != nil {
			return err
		}
		p.asked = true
		return p.tell(deed{Kind: deedTip, By: p.user, Group: g.id, Fact: petition, Report: true})
	}
	in := false
	err := p.insist("look where it is", func(ctx context.Context) error {
		list, err := groups.JoinedGroups(ctx)
		in = slices.ContainsFunc(list, func(b tim.GroupBaseInfo) bool { return b.GroupID == g.id })
		return err
	})
	if err != nil || !in {
		return err
	}
	p.asked = false
	return p.leave(groups, g)
}
