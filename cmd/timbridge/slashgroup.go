package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// slashCreate makes a group and goes there.
func (t *talk) slashCreate(ctx context.Context, args []string) error {
	kind := tim.GroupPrivate
	if word, ok := strings.CutPrefix(args[0], "-"); ok {
		var err error
		if kind, err = groupType(word); err != nil {
			return err
		}
		if args = args[1:]; len(args) == 0 {
			return badInput("", "write /create -%s NAME", word)
		}
	}
	param := tim.CreateGroupParam{GroupName: args[0], GroupType: kind}
	for _, u := range args[1:] {
		param.Members = append(param.Members, tim.GroupMemberInfo{Identifier: tim.UserID(u), MemberRole: tim.RoleMember})
	}
	limited, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	t.hold() // what is told of the group before one is in it
	made, err := t.client.CreateGroup(limited, param)
	if err != nil {
		t.mu.Lock()
		t.release()
		t.mu.Unlock()
		return fmt.Errorf("create the group: %w", err)
	}
	return t.enter(ctx, tim.Group(made.GroupID), defaultHistory)
}

// groupType reads the word for one.
func groupType(word string) (tim.GroupType, error) {
	switch word { // newer documents call them so
	case "work":
		return tim.GroupPrivate, nil
	case "meeting":
		return tim.GroupChatRoom, nil
	}
	for k := tim.GroupPublic; k <= tim.GroupCommunity; k++ {
		if k.String() == word {
			return k, nil
		}
	}
	return 0, badInput("", "there is no group type %q; there are private, public, chatroom, avchatroom, bchatroom and community", word)
}

func (t *talk) slashInvite(ctx context.Context, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	results, err := t.client.InviteMembers(ctx, tim.GroupInviteMemberParam{GroupID: tim.GroupID(t.here().ID), Identifiers: users(args)})
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	for _, r := range results {
		t.handled(r.Identifier, r.Result, "is in the group now", "is in the group already",
			"was not taken in: the service knows no such user, or one in as many groups as can be")
	}
	return nil
}

func (t *talk) slashKick(ctx context.Context, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	results, err := t.client.DeleteMembers(ctx, tim.GroupDeleteMemberParam{GroupID: tim.GroupID(t.here().ID), Identifiers: users(args)})
	if err != nil {
		return fmt.Errorf("kick: %w", err)
	}
	for _, r := range results {
		refused := "was not removed: the owner removes administrators and members, an administrator members"
		if r.Identifier == t.me {
			refused = "cannot remove yourself; /leave leaves the group"
		}
		t.handled(r.Identifier, r.Result, "is out of the group now", "is not in the group", refused)
	}
	return nil
}

// handled tells what came of inviting or removing somebody.
func (t *talk) handled(user tim.UserID, result tim.HandleGroupMemberResult, done, already, refused string) {
	who := t.call(user)
	if user == t.me {
		who = "you"
	}
	switch result {
	case tim.MemberDone:
		t.note(who + " " + done)
	case tim.MemberIncluded:
		t.note(who + " " + already)
	case tim.MemberInvited:
		t.note(who + " was asked, and has to agree first")
	default:
		t.note(who + " " + refused)
	}
}

// groups is the client where it can look at groups.
func (t *talk) groups() (tim.Groups, error) {
	g, ok := t.client.(tim.Groups)
	if !ok {
		return nil, errNotHere("look at groups")
	}
	return g, nil
}

// maxListed bounds what /members and /who print.
const maxListed = 500

// members are the members of the group, as far as they are listed.
func (t *talk) members(ctx context.Context) (all []tim.GroupMemberInfo, more bool, err error) {
	g, err := t.groups()
	if err != nil {
		return nil, false, err
	}
	param := tim.GroupGetMemberInfoListParam{GroupID: tim.GroupID(t.here().ID)}
	for {
		page, err := g.Members(ctx, param)
		if err != nil {
			return nil, false, fmt.Errorf("list the members: %w", err)
		}
		all = append(all, page.Infos...)
		if param.NextSeq = page.NextSeq; page.NextSeq == 0 || len(page.Infos) == 0 {
			break
		}
		if len(all) >= maxListed {
			more = true
			break
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range all {
		t.names.learnMember(m)
	}
	return all, more, nil
}

func (t *talk) slashMembers(ctx context.Context, _ []string) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	all, more, err := t.members(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		text := fmt.Sprintf("%-7s %s", m.MemberRole, t.callFull(m.Identifier))
		if now := uint64(time.Now().Unix()); m.ShutupTime > now {
			text += ", muted until " + timeOf(m.ShutupTime, time.Now())
		}
		t.list(text, m)
	}
	if more {
		t.note("and more")
	}
	return nil
}

// slashWho lists who takes part, with whether they are online where the service tells.
func (t *talk) slashWho(ctx context.Context, _ []string) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	conv := t.here()
	people := []tim.UserID{t.me, tim.UserID(conv.ID)}
	if conv.Type == tim.ConvGroup {
		all, more, err := t.members(ctx)
		if err != nil {
			return err
		}
		people = people[:0]
		for _, m := range all[:min(len(all), maxListed)] {
			people = append(people, m.Identifier)
		}
		if more {
			defer t.note("and more")
		}
	}
	statuses := map[tim.UserID]tim.UserStatus{}
	if p, ok := t.client.(tim.Presence); ok {
		list, err := p.Statuses(ctx, people)
		if err != nil {
			return fmt.Errorf("ask who is online: %w", err)
		}
		for _, s := range list {
			statuses[s.Identifier] = s
		}
	}
	for _, u := range people {
		s, known := statuses[u]
		text := t.callFull(u)
		if known {
			text += " " + statusText(s)
		}
		s.Identifier = u
		t.list(text, s)
	}
	return nil
}

func (t *talk) slashJoin(ctx context.Context, args []string) error {
	g, err := t.groups()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	group := tim.GroupID(args[0])
	switch err := g.JoinGroup(limited, group, strings.Join(args[1:], " ")); {
	case tim.CodeOf(err) == tim.CodeSvrGroupAlreadyMember:
	case err != nil:
		return fmt.Errorf("join: %w", err)
	}
	if in, err := isIn(limited, g, group); err != nil || !in {
		if err == nil {
			t.note("you have asked; somebody has to agree")
		}
		return err
	}
	return t.enter(ctx, tim.Group(group), defaultHistory)
}

// isIn says whether a request to join a group has led into it: the list of
// one's groups leaves out those that anybody comes into.
func isIn(ctx context.Context, g tim.Groups, group tim.GroupID) (bool, error) {
	joined, err := g.JoinedGroups(ctx)
	if err != nil {
		return false, fmt.Errorf("join: %w", err)
	}
	if slices.ContainsFunc(joined, func(j tim.GroupBaseInfo) bool { return j.GroupID == group }) {
		return true, nil
	}
	infos, err := g.GroupsInfo(ctx, []tim.GroupID{group})
	if err != nil {
		return false, fmt.Errorf("join: %w", err)
	}
	return len(infos) == 1 && infos[0].Info != nil && infos[0].Info.AddOption == tim.GroupAddAny, nil
}

// pending are the requests that wait for a decision of one's own.
func (t *talk) pending(ctx context.Context) (tim.Groups, []tim.GroupPendency, error) {
	g, err := t.groups()
	if err != nil {
		return nil, nil, err
	}
	page, err := g.Requests(ctx, tim.GroupPendencyOption{MaxLimited: maxHistory})
	if err != nil {
		return nil, nil, fmt.Errorf("list the requests: %w", err)
	}
	var open []tim.GroupPendency
	for _, p := range page.Pendencies {
		if p.Handled == tim.PendencyNotHandle {
			open = append(open, p)
		}
	}
	return g, open, nil
}

func (t *talk) slashRequests(ctx context.Context, _ []string) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	_, open, err := t.pending(ctx)
	if err != nil {
		return err
	}
	for _, p := range open {
		text := fmt.Sprintf("%s  %s asks to join %s", timeOf(p.AddTime, time.Now()), t.callFull(p.FromIdentifier), p.GroupID)
		if p.PendencyType != tim.PendencyJoinNeedApprovedByAdmin {
			text = fmt.Sprintf("%s  %s invites %s to %s", timeOf(p.AddTime, time.Now()), t.callFull(p.FromIdentifier), t.callFull(p.ToIdentifier), p.GroupID)
		}
		if p.ApplyInviteMsg != "" {
			text += ": " + plain(p.ApplyInviteMsg)
		}
		t.list(text, p)
	}
	if len(open) == 0 {
		t.note("nobody waits for a decision of yours")
	}
	return nil
}

func (t *talk) slashAccept(ctx context.Context, args []string) error {
	return t.decide(ctx, args, true)
}

func (t *talk) slashRefuse(ctx context.Context, args []string) error {
	return t.decide(ctx, args, false)
}

// decide lets somebody who asked into the group, or does not.
func (t *talk) decide(ctx context.Context, args []string, accept bool) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	g, open, err := t.pending(ctx)
	if err != nil {
		return err
	}
	who, group := tim.UserID(args[0]), tim.GroupID(t.here().ID)
	for _, p := range open {
		about := p.FromIdentifier
		if p.PendencyType != tim.PendencyJoinNeedApprovedByAdmin {
			about = p.ToIdentifier
		}
		if p.GroupID != group || about != who {
			continue
		}
		if err := g.HandleRequest(ctx, tim.GroupHandlePendencyParam{IsAccept: accept, HandleMsg: strings.Join(args[1:], " "), Pendency: p}); err != nil {
			return fmt.Errorf("decide on %s: %w", who, err)
		}
		done := "may not join"
		if accept {
			done = "may join"
		}
		t.note(t.call(who) + " " + done)
		return nil
	}
	return badInput("", "%s does not ask to join; /requests lists who does", who)
}

func (t *talk) slashLeave(ctx context.Context, _ []string) error {
	g, err := t.groups()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	err = g.QuitGroup(ctx, tim.GroupID(t.here().ID))
	switch {
	case tim.CodeOf(err) == tim.CodeSvrGroupSuperNotAllowQuit:
		return badInput("/transfer USER hands it over to a member, /dismiss ends it for everybody", "leave: %w", err)
	case err != nil:
		return fmt.Errorf("leave: %w", err)
	}
	t.note("you left the group")
	return errQuit
}

func (t *talk) slashTransfer(ctx context.Context, args []string) error {
	g, err := t.groups()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	to := tim.UserID(args[0])
	if err := g.ModifyGroup(ctx, tim.GroupModifyInfoParam{GroupID: tim.GroupID(t.here().ID), ModifyFlag: tim.ModifyGroupOwner, Owner: to}); err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	t.note(t.call(to) + " owns the group now")
	return nil
}

func (t *talk) slashDismiss(ctx context.Context, _ []string) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	if err := t.client.DeleteGroup(ctx, tim.GroupID(t.here().ID)); err != nil {
		return fmt.Errorf("dismiss: %w", err)
	}
	t.note("the group is no more")
	return errQuit
}
