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
	most         int                // members; 0: no bound
	add          tim.GroupAddOption // how users come in by their own request
	approve      tim.GroupAddOption // and by invitation
	settings     groupSettings
	custom       []field
	infoSeq      uint64 // how often its information changed
	infoTime     int64
	// active is false of a Private group whose owner has not said anything yet:
	// only the owner sees it, and what the others are to be told waits in held.
	active    bool
	dismissed bool
	reportSeq uint64 // of its last report; a count of its own
	conv      *conversation
	first     uint64 // its first message; those before are of a dismissed group of that name
	members   roster
	// past are the stretches of messages that someone could see as a member
	// and is no member for any more.
	past map[tim.UserID][]span
	held []heldReport
	// mutedAll is that nobody but the owner and admins may say anything, and
	// muted until when single users may not: Unix seconds, muteForever without
	// an end. Who leaves and comes back is still muted.
	mutedAll bool
	muted    map[tim.UserID]uint64
	// requests are those to be decided on and those decided, by rising number.
	requests      []*request
	requestNumber uint64

	bucket bucket
}

// groupSettings are kept for those who ask, and change nothing here.
type groupSettings struct {
	topics, permissionGroup          bool
	visible, searchable, permissions uint64
}

// span is a stretch of messages, both ends included.
type span struct{ from, to uint64 }

// heldReport waits for a group to become active.
type heldReport struct {
	user tim.UserID
	msg  *message
}

// sees says whether the group is there for a user: of a group that is not
// active yet only the owner knows.
func (g *group) sees(user tim.UserID) bool { return g.active || user == g.owner }

// visible are the stretches that a user may read, oldest first.
func (g *group) visible(user tim.UserID) []span {
	if !g.sees(user) {
		return nil
	}
	spans := g.past[user]
	if m := g.members.get(user); m != nil {
		spans = append(spans[:len(spans):len(spans)], span{m.from, ^uint64(0)})
	}
	return spans
}

// leave ends a membership; the last message seen is the newest there is now.
// Who leaves before the group is active has never seen anything of it.
func (g *group) leave(user tim.UserID) {
	m := g.members.remove(user)
	if m == nil {
		return // came in by an entry that was lost in a repair
	}
	delete(m.account.groups, g)
	if m.from <= g.conv.seq && g.sees(user) {
		if g.past == nil {
			g.past = map[tim.UserID][]span{}
		}
		past := g.past[user]
		if n := len(past); n > 0 && past[n-1].from >= m.from { // saw that before
			past = past[:n-1]
		}
		g.past[user] = append(past, span{m.from, g.conv.seq})
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
	if m := g.members.get(user); m != nil {
		return m.role
	}
	return tim.RoleNone
}

// info is a member as others see it.
func (g *group) info(user tim.UserID) tim.GroupMemberInfo {
	info := tim.GroupMemberInfo{Identifier: user, GroupID: g.id}
	if m := g.members.get(user); m != nil {
		info.MemberRole, info.JoinTime, info.NameCard = m.role, uint64(m.joined/1e9), m.nameCard
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

// muteForever is a mute that does not end by itself.
const muteForever = 1<<32 - 1

// mute keeps a user from saying anything until a second; 0 ends that.
func (g *group) mute(user tim.UserID, until uint64) {
	if until == 0 {
		delete(g.muted, user)
		return
	}
	if g.muted == nil {
		g.muted = map[tim.UserID]uint64{}
	}
	g.muted[user] = until
}
