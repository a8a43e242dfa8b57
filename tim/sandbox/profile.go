package sandbox

import (
	"bytes"
	"context"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// The limits of a profile, in bytes of UTF-8.
const (
	maxProfiles        = 100 // in one call
	maxProfileText     = 500
	maxProfileLocation = 16
	maxProfileKeys     = 20
	maxProfileKey      = 8
)

// Profiles reads users' profiles; see [tim.Profiles]. Who has said nothing has
// a profile with nothing but the id. A user that does not exist ends the call.
func (c *Client) Profiles(ctx context.Context, users []tim.UserID) ([]tim.UserProfile, error) {
	const op = "profiles"
	var list []tim.UserProfile
	err := c.do(ctx, op, CallProfiles, "", func() error {
		switch {
		case len(users) == 0:
			return refuse(op, tim.CodeSvrProfileAccountMiss, "")
		case len(users) > maxProfiles:
			return refuse(op, tim.CodeInvalidParameters, "%d users: at most %d", len(users), maxProfiles)
		}
		c.s.mu.Lock()
		_, err := c.online(op)
		if err == nil {
			list, err = c.s.profiles(op, users)
		}
		b := c.s.settled()
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (s *Sandbox) profiles(op string, users []tim.UserID) ([]tim.UserProfile, error) {
	list := make([]tim.UserProfile, 0, len(users))
	for _, user := range users {
		if !validUser(user) || !s.exists(user) {
			return nil, refuse(op, tim.CodeSvrProfileAccountNotFound, "the account %q does not exist", user)
		}
		list = append(list, s.st.profileOf(user))
	}
	return list, nil
}

// profileOf is what a user says of itself.
func (st *state) profileOf(user tim.UserID) tim.UserProfile {
	if a := st.accounts[user]; a != nil && a.profile != nil {
		p := *a.profile
		p.CustomStrings = slices.Clone(p.CustomStrings)
		return p
	}
	return tim.UserProfile{Identifier: user}
}

// ModifyProfile changes the account's own profile; see [tim.Profiles]. The
// account is told on all its platforms, and so is everybody who shares a
// conversation with it: one to one, or a group that is not an AVChatRoom.
func (c *Client) ModifyProfile(ctx context.Context, item tim.UserProfileItem) error {
	const op = "modify profile"
	return c.do(ctx, op, CallModifyProfile, "", func() error {
		if err := checkProfile(op, item); err != nil {
			return err
		}
		ss, err := c.begin(op)
		if err != nil {
			return err
		}
		b, err := c.modifyProfile(op, ss.account, item)
		c.s.mu.Unlock()
		if err != nil {
			return err
		}
		return b.wait(ctx, op)
	})
}

// modifyProfile does it under the lock. To say what is said already changes nothing.
func (c *Client) modifyProfile(op string, a *account, item tim.UserProfileItem) (*batch, error) {
	before := c.s.st.profileOf(a.id)
	after := changed(before, item)
	if n := len(after.CustomStrings); n > maxProfileKeys {
		return nil, refuse(op, tim.CodeSvrProfileSizeLimit, "%d custom fields: at most %d", n, maxProfileKeys)
	}
	old, err := before.MarshalJSON()
	if err != nil {
		return nil, &tim.Error{Op: op, Code: tim.CodeInvalidJSON, Effect: tim.EffectNotDone, Err: err}
	}
	content, err := after.MarshalJSON()
	if err != nil {
		return nil, &tim.Error{Op: op, Code: tim.CodeInvalidJSON, Effect: tim.EffectNotDone, Err: err}
	}
	if bytes.Equal(content, old) {
		return c.s.settled(), nil
	}
	_, b := c.s.write(&profileRecord{user: a.id, time: max(c.s.now(), c.s.st.lastTime), content: content})
	return b, nil
}

// checkProfile checks the limits of what is to be changed.
func checkProfile(op string, item tim.UserProfileItem) error {
	for _, one := range []struct {
		name string
		text *string
		most int
	}{
		{"nickname", item.NickName, maxProfileText}, {"face URL", item.FaceURL, maxProfileText},
		{"signature", item.SelfSignature, maxProfileText}, {"location", item.Location, maxProfileLocation},
	} {
		if one.text != nil && len(*one.text) > one.most {
			return refuse(op, tim.CodeSvrProfileSizeLimit, "the %s has %d bytes, it may have %d", one.name, len(*one.text), one.most)
		}
	}
	for _, f := range item.CustomStrings {
		if !customKey(f.Key) {
			return refuse(op, tim.CodeSvrProfileTagNotFound, "%q is no custom field: 1 to %d letters", f.Key, maxProfileKey)
		}
		if len(f.Value) > maxProfileText {
			return refuse(op, tim.CodeSvrProfileSizeLimit, "the custom field %q has %d bytes, it may have %d", f.Key, len(f.Value), maxProfileText)
		}
	}
	if item.Gender != nil && *item.Gender > tim.GenderFemale {
		return refuse(op, tim.CodeSvrProfileValueError, "gender %d", *item.Gender)
	}
	if item.AddPermission != nil && *item.AddPermission > tim.AddPermissionDenyAny {
		return refuse(op, tim.CodeSvrProfileValueError, "add permission %d", *item.AddPermission)
	}
	return nil
}

// customKey says whether a text can be the key of a custom field: letters, with
// or without the prefix that the service puts before it.
func customKey(key string) bool {
	const prefix = "Tag_Profile_Custom_"
	if len(key) > len(prefix) && key[:len(prefix)] == prefix {
		key = key[len(prefix):]
	}
	if len(key) == 0 || len(key) > maxProfileKey {
		return false
	}
	for i := range len(key) {
		if l := key[i] | 0x20; l < 'a' || l > 'z' {
			return false
		}
	}
	return true
}

// changed is a profile with what an item says.
func changed(p tim.UserProfile, item tim.UserProfileItem) tim.UserProfile {
	set(&p.NickName, item.NickName)
	set(&p.Gender, item.Gender)
	set(&p.FaceURL, item.FaceURL)
	set(&p.SelfSignature, item.SelfSignature)
	set(&p.AddPermission, item.AddPermission)
	set(&p.Location, item.Location)
	set(&p.Language, item.Language)
	set(&p.Birthday, item.Birthday)
	set(&p.Level, item.Level)
	set(&p.Role, item.Role)
	p.CustomStrings = slices.Clone(p.CustomStrings)
	for _, f := range item.CustomStrings {
		f = tim.UserProfileCustomString{Key: f.Key, Value: f.Value}
		i := slices.IndexFunc(p.CustomStrings, func(x tim.UserProfileCustomString) bool { return x.Key == f.Key })
		switch {
		case i < 0:
			p.CustomStrings = append(p.CustomStrings, f)
		default:
			p.CustomStrings[i] = f
		}
	}
	return p
}

// set takes a value where there is one.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (r *profileRecord) apply(st *state, position uint64) {
	st.clock(r.time)
	a := st.account(r.user)
	a.profile = decodeProfile(r.content)
	if a.profile == nil {
		return // written by this package and covered by the journal's checksum
	}
	st.tellEvent(a, position, tim.SelfProfileChanged{Profile: *a.profile})
	m := st.eventMessage(tim.ProfilesChanged{Profiles: []tim.UserProfile{*a.profile}})
	for _, other := range st.acquainted(a) {
		st.tell(other, position, reportEvent, m, other.platforms())
	}
}

func decodeProfile(content []byte) *tim.UserProfile {
	p := &tim.UserProfile{}
	if p.UnmarshalJSON(content) != nil {
		return nil
	}
	return p
}

// acquainted are those who share a conversation with an account, by their ids.
func (st *state) acquainted(a *account) []*account {
	found := map[*account]struct{}{}
	for c := range a.convs {
		if c.key.typ == tim.ConvC2C {
			found[st.account(tim.UserID(c.key.seenBy(a.id)))] = struct{}{}
			continue
		}
		g := st.groups[tim.GroupID(c.key.a)]
		if g == nil || g.typ == tim.GroupAVChatRoom || g.members.get(a.id) == nil || !g.active {
			continue
		}
		for _, m := range g.members.order {
			found[m.account] = struct{}{}
		}
	}
	delete(found, a)
	list := make([]*account, 0, len(found))
	for other := range found {
		list = append(list, other)
	}
	slices.SortFunc(list, func(x, y *account) int { return int(x.tiny) - int(y.tiny) })
	return list
}
