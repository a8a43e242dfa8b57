package sandbox

import "github.com/timbridge/timbridge/tim"

// who is the least that someone has to be to do something in a group. An app
// administrator may do whatever anybody may.
type who uint8

const (
	nobody    who = iota // nor an app administrator
	appAdmins            // nobody else
	theOwner
	theAdmins // and the owner
	members
	everybody // also who is not in the group
)

// telling is what becomes of a tip.
type telling uint8

const (
	notTold   telling = iota
	toldOnly          // those online get [tim.GroupTipped], and that is all
	andStored         // that, and it is a message of the group, with a sequence
)

// size says which of the limits bounds how many are in a group.
type size uint8

const (
	ordinarySize  size = iota // Limits.GroupMembers
	communitySize             // Limits.CommunityMembers
	anySize                   // none
)

// row is one rule: a cell for each type of group, in the table's order.
type row[T any] [6]T

// of is the rule of one type.
func (r row[T]) of(typ tim.GroupType) T {
	switch typ {
	case tim.GroupPrivate:
		return r[0]
	case tim.GroupPublic:
		return r[1]
	case tim.GroupChatRoom:
		return r[2]
	case tim.GroupAVChatRoom:
		return r[3]
	case tim.GroupCommunity:
		return r[4]
	}
	return r[5] // BChatRoom; there is no other
}

// groupTypes is how many types of groups there are.
const groupTypes = tim.GroupCommunity + 1

// groupRules are the rules of all types, beside one another as the service
// documents them.
type groupRules struct {
	edit           row[who]  // change name, introduction, notification and face
	settings       row[who]  // change the rest
	dismiss        row[who]  //
	join           row[who]  // come in by their own request
	joinOption     row[opt]  // how, unless told otherwise
	setJoinOption  row[bool] // it can be told otherwise
	invite         row[who]  // bring others in
	approve        row[opt]  // how, unless told otherwise
	setApprove     row[bool] // it can be told otherwise
	ownerQuits     row[bool] //
	kick           row[who]  // those of a lower role
	mute           row[who]  // those of a lower role, and all
	setAdmin       row[who]  // and so whether there are any
	transfer       row[who]  // hand the group to another member
	list           row[who]  // see who is in it
	recall         row[who]  // take back messages: their own, and those of lower roles
	capacity       row[size] //
	unread         row[bool] // what has not been read is counted
	history        row[bool] // messages are stored, and have a sequence
	before         row[bool] // who comes in sees what was said before
	push           row[bool] // those offline are told by push, unless a member says otherwise
	createdWith    row[bool] // members are named at its creation
	sleeps         row[bool] // it begins with its owner's first message
	tipMembers     row[tell] // came, left, were removed
	tipProfile     row[tell] // name, introduction, notification, face, owner, custom fields
	tipRoles       row[tell] // admins set and unset, members muted
	tipSettings    row[tell] // all muted, options
	kickRefusal    row[code] // where nobody may, and the same for the next three
	joinRefusal    row[code] //
	recallRefusal  row[code] //
	historyRefusal row[code] //
}

// Short names, so that the table's columns stand under one another.
type (
	opt  = tim.GroupAddOption
	tell = telling
	code = tim.Code
)

// ruleTable has one column for each type:
//
//	Wrk  Private, called Work in newer documents
//	Pub  Public
//	Mtg  ChatRoom, called Meeting in newer documents
//	AVC  AVChatRoom
//	Com  Community
//	BCh  BChatRoom, of which little more is documented than that it reaches
//	     those online and has no invitations; for the rest it is like AVChatRoom
//
// Where the documents of 2023 and 2025 differ it is those of 2025.
var ruleTable = newRuleTable()

func newRuleTable() *groupRules {
	const (
		yes, nay           = true, false
		non, app, own, adm = nobody, appAdmins, theOwner, theAdmins
		mem, all           = members, everybody
		bar, ask, let      = tim.GroupAddForbid, tim.GroupAddAuth, tim.GroupAddAny
		std, big, inf      = ordinarySize, communitySize, anySize
		off, now, log      = notTold, toldOnly, andStored
		c04                = tim.CodeSvrGroupInvalidParameters
		c07                = tim.CodeSvrGroupPermissionDeny
		c33                = tim.CodeSvrGroupNotAllowRevokeMsg
		c44                = tim.CodeSvrGroupHistoryNotSupported
		s08                = tim.CodeSDKGroupJoinPrivateGroupDeny
	)
	return &groupRules{
		//                       Wrk  Pub  Mtg  AVC  Com  BCh
		edit:           row[who]{mem, adm, own, own, adm, own},
		settings:       row[who]{own, adm, own, own, adm, own},
		dismiss:        row[who]{app, own, own, own, own, own},
		join:           row[who]{non, all, all, all, all, all},
		joinOption:     row[opt]{bar, ask, let, let, let, let},
		setJoinOption:  row[bool]{nay, yes, yes, yes, nay, yes},
		invite:         row[who]{mem, mem, mem, non, mem, non},
		approve:        row[opt]{let, bar, bar, bar, let, bar},
		setApprove:     row[bool]{nay, yes, yes, nay, yes, nay},
		ownerQuits:     row[bool]{yes, nay, nay, nay, nay, nay},
		kick:           row[who]{own, adm, adm, non, adm, non},
		mute:           row[who]{non, adm, adm, own, adm, own},
		setAdmin:       row[who]{non, own, own, own, own, non},
		transfer:       row[who]{own, own, own, non, own, non},
		list:           row[who]{mem, mem, mem, non, mem, non},
		recall:         row[who]{mem, mem, mem, non, mem, non},
		capacity:       row[size]{std, std, std, inf, big, inf},
		unread:         row[bool]{yes, yes, nay, nay, yes, nay},
		history:        row[bool]{yes, yes, yes, nay, yes, nay},
		before:         row[bool]{nay, nay, yes, nay, nay, nay},
		push:           row[bool]{yes, yes, nay, nay, yes, nay},
		createdWith:    row[bool]{yes, yes, yes, nay, yes, nay},
		sleeps:         row[bool]{yes, nay, nay, nay, nay, nay},
		tipMembers:     row[tell]{log, log, off, now, log, now},
		tipProfile:     row[tell]{log, log, log, now, log, now},
		tipRoles:       row[tell]{log, log, off, off, log, off},
		tipSettings:    row[tell]{off, off, off, off, off, off},
		kickRefusal:    row[code]{c07, c07, c07, c04, c07, c04},
		joinRefusal:    row[code]{s08, c07, c07, c07, c07, c07},
		recallRefusal:  row[code]{c07, c07, c07, c33, c07, c33},
		historyRefusal: row[code]{c07, c07, c07, c44, c07, c44},
	}
}

// may says whether a user may do something in a group: what is done is told to
// who may not.
func (s *Sandbox) may(op string, g *group, user tim.UserID, rule row[who], what string) error {
	least := rule.of(g.typ)
	switch {
	case least == nobody:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "in a %v group nobody may %s", g.typ, what)
	case s.admins[user] || least == everybody:
		return nil
	case g.members.get(user) == nil:
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "%q is not a member of the group", user)
	case !g.sees(user):
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "a Private group begins with its owner's first message")
	case g.role(user) < least.role():
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "%q may not %s in this %v group", user, what, g.typ)
	}
	return nil
}

// notIn is the refusal of what nobody may in groups of a type, where it has a
// code of its own; nil where somebody may.
func notIn(op string, g *group, rule row[who], refusal row[tim.Code], what string) error {
	if rule.of(g.typ) != nobody {
		return nil
	}
	return refuse(op, refusal.of(g.typ), "in a %v group %s", g.typ, what)
}

// role is the lowest role that is enough.
func (w who) role() tim.GroupMemberRole {
	switch w {
	case everybody:
		return tim.RoleNone
	case members:
		return tim.RoleMember
	case theAdmins:
		return tim.RoleAdmin
	case theOwner:
		return tim.RoleOwner
	}
	return tim.RoleOwner + 1
}

// rank is a user's role for what it may do to others: an app administrator
// stands above all.
func (s *Sandbox) rank(g *group, user tim.UserID) tim.GroupMemberRole {
	if s.admins[user] {
		return tim.RoleOwner + 1
	}
	return g.role(user)
}

// capacity is how many a group of a type can have; 0: no bound.
func (s *Sandbox) capacity(typ tim.GroupType) int {
	switch ruleTable.capacity.of(typ) {
	case ordinarySize:
		return s.opts.Limits.GroupMembers
	case communitySize:
		return s.opts.Limits.CommunityMembers
	}
	return 0
}
