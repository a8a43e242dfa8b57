package tim

import "encoding/json"

// UserProfileItem is what a user changes of their own profile; what is nil
// stays as it is. Mirrors UserProfileItem.
type UserProfileItem struct {
	NickName      *string               `json:"user_profile_item_nick_name,omitempty"` // at most 500 bytes
	Gender        *GenderType           `json:"user_profile_item_gender,omitempty"`
	FaceURL       *string               `json:"user_profile_item_face_url,omitempty"`       // at most 500 bytes
	SelfSignature *string               `json:"user_profile_item_self_signature,omitempty"` // at most 500 bytes
	AddPermission *ProfileAddPermission `json:"user_profile_item_add_permission,omitempty"`
	Location      *string               `json:"user_profile_item_location,omitempty"` // at most 16 bytes
	Language      *uint64               `json:"user_profile_item_language,omitempty"`
	Birthday      *uint64               `json:"user_profile_item_birthday,omitempty"` // as a number of digits, 19990131
	Level         *uint64               `json:"user_profile_item_level,omitempty"`
	Role          *uint64               `json:"user_profile_item_role,omitempty"`
	// CustomStrings are the fields to set: at most 20, with a key of at most 8
	// letters after "Tag_Profile_Custom_" and a value of at most 500 bytes.
	CustomStrings []UserProfileCustomString `json:"user_profile_item_custom_string_array,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
