package tim

import "encoding/json"

// UserStatus is whether a user is online, and what they say of themselves.
// Mirrors TIMUserStatus.
type UserStatus struct {
	Identifier UserID         `json:"user_status_identifier"`
	StatusType UserStatusType `json:"user_status_status_type"`
	// CustomStatus is the user's own words; they last until the user signs out.
	CustomStatus string `json:"user_status_custom_status,omitempty"`
	// OnlineDevices are the devices the user is signed in on, by the SDK's
	// names: "Windows", "iPhone", "Android", "Mac", "Web", …
	OnlineDevices []string `json:"user_status_online_devices,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
