package mapping

import "github.com/timbridge/timbridge/tim"

func (c *Command) readModifyProfile(d ModifyProfileData) error {
	item := tim.UserProfileItem{
		NickName: d.NickName, FaceURL: d.FaceURL, SelfSignature: d.Signature, Location: d.Location,
		Language: d.Language, Birthday: d.Birthday, Level: d.Level, Role: d.Role,
	}
	for _, g := range []tim.GenderType{tim.GenderUnknown, tim.GenderMale, tim.GenderFemale} {
		if g.String() == d.Gender {
			item.Gender = &g
		}
	}
	for _, p := range []tim.ProfileAddPermission{
		tim.AddPermissionAllowAny, tim.AddPermissionNeedConfirm, tim.AddPermissionDenyAny,
	} {
		if p.String() == d.AddPermission {
			item.AddPermission = &p
		}
	}
	for _, f := range d.Custom {
		item.CustomStrings = append(item.CustomStrings, tim.UserProfileCustomString{Key: f.Key, Value: f.Value})
	}
	c.ModifyProfile = &ModifyProfile{Item: item}
	return nil
}

func (c *Command) readSetStatus(d SetStatusData) error {
	c.SetStatus = &SetStatus{Custom: d.Custom}
	return nil
}
