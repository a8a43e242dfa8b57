package tim

import "encoding/json"

// UserStatus is whether a user is online, and what they say of themselves.
// Mirrors TIMUserStatus.
type UserStatus struct {
	Identifier    UserID         `json:"user_status_identifier"`
	StatusType    UserStatusType `json:"user_status_status_type,omitempty"`
	CustomStatus  string         `json:"user_status_custom_status,omitempty"`
	OnlineDevices []string       `json:"user_status_online_devices,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
