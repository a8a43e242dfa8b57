package sandbox

import (
	"github.com/timbridge/timbridge/tim"
)

// group is a group as the service knows it; a dismissed one is kept for its
// former members' history and so that its sequences go on if the id is used again.
type group struct {
	id           tim.GroupID
	typ          tim.GroupType
	name         string
	introduction string
	notification string
	faceURL      string
	owner        tim.UserID
	created      int64
	most         int // members; 0: no bound
	approve      tim.GroupAddOption
	// active is false of a Private group whose owner has not said anything yet:
	// only the owner sees it, and what the others are to be told waits in held.
	active    bool
	dismissed bool
	reportSeq uint64 // of its last report; a count of its own
	conv      *conversation
	members   map[tim.UserID]*member
	// past are the stretches of messages that someone could see as a member
	// and is no member for any more.
	past map[tim.UserID][]span
	held []heldReport

	bucket bucket
}

// member is someone in a group.
type member struct {
	role   tim.GroupMemberRole
	joined int64
	from   uint64 // the first message that the member sees
}

// span is a stretch of messages, both ends included.
type span struct{ from, to uint64 }

// heldReport waits for a group to become active.
type heldReport struct {
	user tim.UserID
	msg  *message
}

// visible are the stretches that a user may read, oldest first.
func (g *group) visible(user tim.UserID) []span {
	if !g.active && user != g.owner {
		return nil
	}
	spans := g.past[user]
	if m := g.members[user]; m != nil {
		spans = append(spans[:len(spans):len(spans)], span{m.from, ^uint64(0)})
	}
	return spans
}

// leave ends a membership; the last message seen is the newest there is now.
// Who leaves before the group is active has never seen anything of it.
func (g *group) leave(user tim.UserID) {
	m := g.members[user]
	if m == nil {
		return // came in by an entry that was lost in a repair
	}
	delete(g.members, user)
	if m.from <= g.conv.seq && (g.active || user == g.owner) {
		if g.past == nil {
			g.past = map[tim.UserID][]span{}
		}
		g.past[user] = append(g.past[user], span{m.from, g.conv.seq})
	}
	kept := g.held[:0]
	for _, h := range g.held {
		if h.user != user {
			kept = append(kept, h)
		}
	}
	g.held = kept
}

// role is what a user is in the group; RoleNone of somebody who is not in it.
func (g *group) role(user tim.UserID) tim.GroupMemberRole {
	if m := g.members[user]; m != nil {
		return m.role
	}
	return tim.RoleNone
}

// info is a member as others see it.
func (g *group) info(user tim.UserID) tim.GroupMemberInfo {
	info := tim.GroupMemberInfo{Identifier: user, GroupID: g.id}
	if m := g.members[user]; m != nil {
		info.MemberRole, info.JoinTime = m.role, uint64(m.joined/1e9)
	}
	return info
}

func (g *group) infos(users []tim.UserID) []tim.GroupMemberInfo {
	out := make([]tim.GroupMemberInfo, 0, len(users))
	for _, u := range users {
		out = append(out, g.info(u))
	}
	return out
}
