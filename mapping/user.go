package mapping

import (
	"encoding/json"
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// statusData is the data of user.status_changed.
type statusData struct {
	UserID tim.UserID `json:"user_id"`
	// Status is "online", "offline", "signed_out" or "unknown".
	Status        string          `json:"status"`
	CustomStatus  string          `json:"custom_status,omitempty"`
	OnlineDevices []string        `json:"online_devices,omitempty"`
	Raw           json.RawMessage `json:"raw,omitempty"`
}

// profileData is the data of user.profile_changed.
type profileData struct {
	UserID        tim.UserID      `json:"user_id"`
	NickName      string          `json:"nick_name,omitempty"`
	Gender        string          `json:"gender,omitempty"`
	FaceURL       string          `json:"face_url,omitempty"`
	Signature     string          `json:"signature,omitempty"`
	AddPermission string          `json:"add_permission,omitempty"`
	Location      string          `json:"location,omitempty"`
	Language      uint64          `json:"language,omitempty"`
	Birthday      uint64          `json:"birthday,omitempty"`
	Level         uint64          `json:"level,omitempty"`
	Role          uint64          `json:"role,omitempty"`
	Custom        []CustomField   `json:"custom,omitempty"`
	Raw           json.RawMessage `json:"raw,omitempty"`
}

// CustomField is one field of those that an application defines for itself, of
// a group, a member or a profile.
type CustomField struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// FromStatus tells that a user came online, went, or changed their own words.
// The IM service gives it neither a time nor an identity: told by the same
// report it is the same, otherwise it needs an id, see [ErrNoIdentity].
func FromStatus(o Observation, s tim.UserStatus) (Fact, error) {
	d := statusData{
		UserID: s.Identifier, Status: s.StatusType.String(),
		CustomStatus: s.CustomStatus, OnlineDevices: s.OnlineDevices, Raw: rawOf(s.Extra),
	}
	if s.StatusType > tim.UserStatusSignedOut {
		d.Status = elementUnknown
	}
	return o.userFact(TypeUserStatusChanged, tim.StatusesChanged{}.Callback(), s.Identifier, d, s)
}

// FromProfile tells what a user says of themselves now. What depends on who
// looks (a friend's remark) is left out. It has an identity as a status has.
func FromProfile(o Observation, p tim.UserProfile) (Fact, error) {
	d := profileData{
		UserID: p.Identifier, NickName: p.NickName, FaceURL: p.FaceURL, Signature: p.SelfSignature,
		Location: p.Location, Language: p.Language, Birthday: p.Birthday, Level: p.Level, Role: p.Role, Raw: rawOf(p.Extra),
	}
	if p.Gender != tim.GenderUnknown {
		d.Gender = p.Gender.String()
	}
	if p.AddPermission != tim.AddPermissionUnknown {
		d.AddPermission = p.AddPermission.String()
	}
	for _, c := range p.CustomStrings {
		d.Custom = append(d.Custom, CustomField{Key: c.Key, Value: c.Value})
	}
	return o.userFact(TypeUserProfileChanged, tim.ProfilesChanged{}.Callback(), p.Identifier, d, p)
}

// userFact is a fact on a user, who need not be one of the bridge's accounts.
// reported is what the SDK said, for the case that it names nobody.
func (o Observation) userFact(eventType, callback string, user tim.UserID, data, reported any) (Fact, error) {
	body, err := marshal(data)
	if err != nil {
		return Fact{}, fmt.Errorf("%s of %s: %w", ShortName(eventType), user, err)
	}
	if user == "" {
		raw, err := json.Marshal(reported)
		if err != nil {
			return Fact{}, fmt.Errorf("%s: %w", ShortName(eventType), err)
		}
		return FromUnrecognized(o, callback, raw)
	}
	id, err := o.madeID(eventType, string(body))
	if err != nil {
		return Fact{}, fmt.Errorf("%s of %s: %w", ShortName(eventType), user, err)
	}
	fact := Fact{Event: o.fact(id, eventType, AccountSubject(user), unixTime(0), body)}
	if o.Number != 0 {
		fact.Key = hashKey(id, unixTime(0))
	}
	return fact, nil
}
