package sandbox

import (
	"strings"

	"github.com/timbridge/timbridge/tim"
)

// Limits of groups that the service documents.
const (
	maxGroupIDBytes      = 48
	maxNameBytes         = 30
	maxIntroductionBytes = 240
	maxNotificationBytes = 300
	maxFaceURLBytes      = 100
	maxNameCardBytes     = 50
	maxHelloBytes        = 1000 // said with a request, an invitation, a removal
	maxCreateMembers     = 100
	maxInvite            = 300
	maxRemove            = 100
	maxGroupsAsked       = 50
	maxMembersAsked      = 500
	memberPage           = 100
	maxMentions          = 30

	maxFieldKeyBytes    = 16
	maxGroupFields      = 10
	maxGroupFieldBytes  = 512
	maxMemberFields     = 5
	maxMemberFieldBytes = 64
)

// checkCreate checks what a group is to be as far as that needs nothing else.
func checkCreate(op string, p tim.CreateGroupParam) error {
	if p.GroupType >= groupTypes {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "there is no group type %v", p.GroupType)
	}
	if err := checkTexts(op, &p.GroupName, &p.Introduction, &p.Notification, &p.FaceURL); err != nil {
		return err
	}
	if err := checkGroupID(op, p.GroupID, p.GroupType); err != nil {
		return err
	}
	if n := len(p.Members); n > 0 && !ruleTable.createdWith.of(p.GroupType) {
		return refuse(op, tim.CodeSvrGroupPermissionDeny, "a %v group is created without members; they join it", p.GroupType)
	} else if n > maxCreateMembers {
		return refuse(op, tim.CodeSvrGroupAccountCountLimit, "%d members are given; a group is created with at most %d", n, maxCreateMembers)
	}
	if p.IsSupportTopic && p.GroupType != tim.GroupCommunity {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "a %v group has no topics; a Community can", p.GroupType)
	}
	for _, o := range []*tim.GroupAddOption{p.AddOption, p.ApproveOption} {
		if o != nil {
			if err := checkOption(op, *o); err != nil {
				return err
			}
		}
	}
	return checkFields(op, groupFields(p.CustomInfo), nil, maxGroupFields, maxGroupFieldBytes)
}

// checkTexts checks those texts of a group that are not nil.
func checkTexts(op string, name, introduction, notification, faceURL *string) error {
	if name != nil && *name == "" {
		return refuse(op, tim.CodeSDKGroupInvalidName, "a group needs a name")
	}
	for _, f := range []struct {
		what string
		text *string
		most int
		code tim.Code
	}{
		{"name", name, maxNameBytes, tim.CodeSDKGroupInvalidName},
		{"introduction", introduction, maxIntroductionBytes, tim.CodeSDKGroupInvalidIntroduction},
		{"notification", notification, maxNotificationBytes, tim.CodeSDKGroupInvalidNotification},
		{"face URL", faceURL, maxFaceURLBytes, tim.CodeSDKGroupInvalidFaceURL},
	} {
		if f.text != nil && len(*f.text) > f.most {
			return refuse(op, f.code, "the %s has %d bytes; it can have %d", f.what, len(*f.text), f.most)
		}
	}
	return nil
}

// checkGroupID checks an id that a group's creator chose; "" is none.
func checkGroupID(op string, id tim.GroupID, typ tim.GroupType) error {
	const reserved, community = "@TGS#", "@TGS#_"
	s := string(id)
	switch {
	case s == "":
		return nil
	case !printable(s, maxGroupIDBytes):
		return refuse(op, tim.CodeSDKGroupInvalidID, "%q is not a group id: 1 to %d bytes of printable ASCII", id, maxGroupIDBytes)
	case typ == tim.GroupCommunity && (!strings.HasPrefix(s, community) || len(s) == len(community)):
		return refuse(op, tim.CodeSDKGroupInvalidID, "%q is not a Community's id: that begins with %s", id, community)
	case typ != tim.GroupCommunity && strings.HasPrefix(s, reserved):
		return refuse(op, tim.CodeSDKGroupInvalidID, "%q is not a group id: %s is for the service's own", id, reserved)
	}
	return nil
}

func checkOption(op string, o tim.GroupAddOption) error {
	if o > tim.GroupAddAny {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "%v is not a way to come in", o)
	}
	return nil
}

// checkFields checks a change of custom fields: the keys, the lengths in bytes,
// and how many there are then beside those there are.
func checkFields(op string, changes, there []field, most, bytes int) error {
	for _, f := range changes {
		if f.key == "" || len(f.key) > maxFieldKeyBytes || strings.Trim(f.key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return refuse(op, tim.CodeSvrGroupInvalidParameters, "%q is not the key of a custom field: 1 to %d letters, digits and underscores", f.key, maxFieldKeyBytes)
		}
		if len(f.value) > bytes {
			return refuse(op, tim.CodeSvrGroupInvalidParameters, "the custom field %q has %d bytes; it can have %d", f.key, len(f.value), bytes)
		}
	}
	after := append([]field(nil), there...)
	if changedFields(&after, changes); len(after) > most {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "%d custom fields; there can be %d", len(after), most)
	}
	return nil
}

func groupFields(list []tim.GroupInfoCustomString) []field {
	var fields []field
	for _, x := range list {
		fields = append(fields, field{x.Key, x.Value})
	}
	return fields
}

func memberFields(list []tim.GroupMemberInfoCustomString) []field {
	var fields []field
	for _, x := range list {
		fields = append(fields, field{x.Key, x.Value})
	}
	return fields
}

func (s *Sandbox) checkMember(op string, user tim.UserID) error {
	if !validUser(user) {
		return refuse(op, tim.CodeSvrGroupInvalidID, "%q is not a user id: 1 to %d bytes of printable ASCII, and not the service's own", user, maxUserBytes)
	}
	if !s.exists(user) {
		return refuse(op, tim.CodeSvrGroupAccountNotFound, "the account %q does not exist", user)
	}
	return nil
}

// maySay checks whether a member may post a message in a group now.
func (s *Sandbox) maySay(op string, g *group, user tim.UserID, msg tim.Message, now int64) error {
	if n := len(msg.GroupAtUsers); n > maxMentions {
		return refuse(op, tim.CodeSvrGroupAtCountLimit, "%d users are mentioned; there can be %d", n, maxMentions)
	}
	switch until := g.muted[user]; {
	case until == muteForever || until > uint64(now/1e9):
		return refuse(op, tim.CodeSvrGroupShutupDeny, "%q was muted", user)
	case g.mutedAll && g.role(user) < tim.RoleAdmin && !s.admins[user]:
		return refuse(op, tim.CodeSvrGroupShutupDeny, "all members are muted")
	}
	return nil
}
