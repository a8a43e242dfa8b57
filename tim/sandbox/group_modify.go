package sandbox

import (
	"context"
	mathrand "math/rand/v2"

	"github.com/timbridge/timbridge/tim"
)

const (
	// profileFlags are the properties of a group that its type may let everybody change.
	profileFlags = tim.ModifyGroupName | tim.ModifyGroupNotification | tim.ModifyGroupIntroduction | tim.ModifyGroupFaceURL
	knownFlags   = profileFlags | tim.ModifyGroupAddOption | tim.ModifyGroupMaxMemberNum | tim.ModifyGroupVisible |
		tim.ModifyGroupSearchable | tim.ModifyGroupShutupAll | tim.ModifyGroupCustom | tim.ModifyGroupApproveOption |
		tim.ModifyGroupEnablePermissionGroup | tim.ModifyGroupDefaultPermissions | tim.ModifyGroupOwner
)

// ModifyGroup changes a group; see [tim.Groups]. Who may depends on the group's
// type and on what is to be changed.
func (c *Client) ModifyGroup(ctx context.Context, param tim.GroupModifyInfoParam) error {
	const op = "modify group"
	return c.change(ctx, op, CallModifyGroup, func(ss *session) (*batch, error) {
		s, user := c.s, ss.account.id
		g, err := s.group(op, param.GroupID)
		if err == nil {
			err = s.mayModify(op, g, user, param)
		}
		if err != nil {
			return nil, err
		}
		r := &infoRecord{
			group: g.id, by: user, flags: param.ModifyFlag, name: param.GroupName, notification: param.Notification,
			introduction: param.Introduction, faceURL: param.FaceURL, add: param.AddOption, approve: param.ApproveOption,
			mutedAll: param.IsShutupAll, owner: param.Owner, custom: groupFields(param.CustomInfo),
			settings: groupSettings{
				permissionGroup: param.EnablePermissionGroup, visible: param.Visible, searchable: param.Searchable,
				permissions: param.DefaultPermissions,
			},
			time: s.now(), seed: mathrand.Uint64(),
		}
		if param.ModifyFlag&tim.ModifyGroupMaxMemberNum != 0 {
			if r.most, err = s.bound(op, g.typ, param.MaxMemberCount); err != nil {
				return nil, err
			}
			if n := g.members.len(); r.most > 0 && n > r.most {
				return nil, refuse(op, tim.CodeSvrGroupInvalidParameters, "the group has %d members, more than %d", n, r.most)
			}
		}
		_, b := s.write(r)
		return b, nil
	})
}

// mayModify says whether a user may change what a group's ModifyFlag names, and
// whether it can become so.
func (s *Sandbox) mayModify(op string, g *group, user tim.UserID, p tim.GroupModifyInfoParam) error {
	flags := p.ModifyFlag
	switch {
	case flags == 0 || flags&^knownFlags != 0:
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "the flag %d names nothing that can be changed", flags)
	case flags&tim.ModifyGroupOwner != 0 && flags != tim.ModifyGroupOwner:
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "a new owner is set alone")
	case flags == tim.ModifyGroupOwner:
		return s.mayTransfer(op, g, user, p.Owner)
	}
	if flags&profileFlags != 0 {
		if err := s.may(op, g, user, ruleTable.edit, "change its information"); err != nil {
			return err
		}
	}
	if flags&tim.ModifyGroupShutupAll != 0 {
		if err := s.may(op, g, user, ruleTable.mute, "mute all"); err != nil {
			return err
		}
	}
	if flags&^(profileFlags|tim.ModifyGroupShutupAll) != 0 {
		if err := s.may(op, g, user, ruleTable.settings, "change its settings"); err != nil {
			return err
		}
	}
	return checkModify(op, g, p)
}

// checkModify checks the new values.
func checkModify(op string, g *group, p tim.GroupModifyInfoParam) error {
	changed := func(flag tim.GroupModifyInfoFlag, text *string) *string {
		if p.ModifyFlag&flag == 0 {
			return nil
		}
		return text
	}
	if err := checkTexts(op, changed(tim.ModifyGroupName, &p.GroupName), changed(tim.ModifyGroupIntroduction, &p.Introduction),
		changed(tim.ModifyGroupNotification, &p.Notification), changed(tim.ModifyGroupFaceURL, &p.FaceURL)); err != nil {
		return err
	}
	for _, o := range []struct {
		flag     tim.GroupModifyInfoFlag
		option   tim.GroupAddOption
		settable row[bool]
		what     string
	}{
		{tim.ModifyGroupAddOption, p.AddOption, ruleTable.setJoinOption, "join"},
		{tim.ModifyGroupApproveOption, p.ApproveOption, ruleTable.setApprove, "are invited"},
	} {
		if p.ModifyFlag&o.flag == 0 {
			continue
		}
		if !o.settable.of(g.typ) {
			return refuse(op, tim.CodeSvrGroupPermissionDeny, "how users %s cannot be set in a %v group", o.what, g.typ)
		}
		if err := checkOption(op, o.option); err != nil {
			return err
		}
	}
	if p.ModifyFlag&tim.ModifyGroupCustom != 0 {
		return checkFields(op, groupFields(p.CustomInfo), g.custom, maxGroupFields, maxGroupFieldBytes)
	}
	return nil
}

// mayTransfer says whether a user may make another member the owner.
func (s *Sandbox) mayTransfer(op string, g *group, user, to tim.UserID) error {
	if err := s.may(op, g, user, ruleTable.transfer, "hand it over"); err != nil {
		return err
	}
	if g.members.get(to) == nil {
		return refuse(op, tim.CodeSvrGroupInvalidParameters, "%q is not a member of the group", to)
	}
	return nil
}
