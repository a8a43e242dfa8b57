package tim

import "encoding/json"

// The methods that make each object of the SDK an object of the codec. Every
// UnmarshalJSON sets the whole value; it fails on what is no JSON object, and
// on nothing else.

func (o *Message) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o Message) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *Message) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *MsgLocator) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o MsgLocator) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *MsgLocator) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *UserProfile) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o UserProfile) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *UserProfile) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *UserProfileCustomString) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o UserProfileCustomString) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *UserProfileCustomString) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *OfflinePushConfig) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o OfflinePushConfig) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *OfflinePushConfig) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *IOSOfflinePushConfig) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o IOSOfflinePushConfig) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *IOSOfflinePushConfig) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *AndroidOfflinePushConfig) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o AndroidOfflinePushConfig) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *AndroidOfflinePushConfig) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *TextElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o TextElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *TextElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *CustomElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o CustomElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *CustomElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *ImageElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o ImageElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *ImageElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *SoundElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o SoundElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *SoundElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *FileElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o FileElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *FileElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *VideoElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o VideoElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *VideoElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *LocationElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o LocationElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *LocationElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *FaceElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o FaceElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *FaceElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *MergerElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o MergerElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *MergerElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupTipsElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupTipsElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupTipsElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupTipGroupChangeInfo) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupTipGroupChangeInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupTipGroupChangeInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupTipMemberChangeInfo) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupTipMemberChangeInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupTipMemberChangeInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupTipMemberMarkChangeInfo) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupTipMemberMarkChangeInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupTipMemberMarkChangeInfo) UnmarshalJSON(data []byte) error {
	return unmarshalObject(data, o)
}

func (o *GroupReportElem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupReportElem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupReportElem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *ConvInfo) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o ConvInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *ConvInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *Draft) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o Draft) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *Draft) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupAtInfo) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupAtInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupAtInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *CreateGroupParam) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o CreateGroupParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *CreateGroupParam) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *CreateGroupResult) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o CreateGroupResult) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *CreateGroupResult) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupInfoCustomString) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupInfoCustomString) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupInfoCustomString) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupMemberInfo) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupMemberInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupMemberInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupMemberInfoCustomString) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupMemberInfoCustomString) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupMemberInfoCustomString) UnmarshalJSON(data []byte) error {
	return unmarshalObject(data, o)
}

func (o *GroupInviteMemberParam) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupInviteMemberParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupInviteMemberParam) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupInviteMemberResult) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupInviteMemberResult) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupInviteMemberResult) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupDeleteMemberParam) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupDeleteMemberParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupDeleteMemberParam) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupDeleteMemberResult) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupDeleteMemberResult) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupDeleteMemberResult) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *Config) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o Config) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *Config) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *DeviceInfo) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o DeviceInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *DeviceInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *UserProfileItem) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o UserProfileItem) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *UserProfileItem) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *UserStatus) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o UserStatus) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *UserStatus) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *MessageReceipt) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o MessageReceipt) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *MessageReceipt) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *MsgBatchSendParam) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o MsgBatchSendParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *MsgBatchSendParam) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *MsgBatchSendResult) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o MsgBatchSendResult) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *MsgBatchSendResult) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupDetailInfo) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupDetailInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupDetailInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupBaseInfo) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupBaseInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupBaseInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupSelfInfo) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupSelfInfo) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupSelfInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GetGroupInfoResult) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GetGroupInfoResult) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GetGroupInfoResult) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupModifyInfoParam) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupModifyInfoParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupModifyInfoParam) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupModifyMemberInfoParam) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupModifyMemberInfoParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupModifyMemberInfoParam) UnmarshalJSON(data []byte) error {
	return unmarshalObject(data, o)
}

func (o *GroupGetMemberInfoListParam) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupGetMemberInfoListParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupGetMemberInfoListParam) UnmarshalJSON(data []byte) error {
	return unmarshalObject(data, o)
}

func (o *GroupGetMemberInfoListResult) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupGetMemberInfoListResult) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupGetMemberInfoListResult) UnmarshalJSON(data []byte) error {
	return unmarshalObject(data, o)
}

func (o *GroupMemberGetInfoOption) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupMemberGetInfoOption) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupMemberGetInfoOption) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupPendency) rest() (*map[string]json.RawMessage, *uint64) { return &o.Extra, &o.zeros }

// MarshalJSON writes the SDK's JSON.
func (o GroupPendency) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupPendency) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupPendencyOption) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupPendencyOption) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupPendencyOption) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupPendencyResult) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupPendencyResult) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupPendencyResult) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }

func (o *GroupHandlePendencyParam) rest() (*map[string]json.RawMessage, *uint64) {
	return &o.Extra, &o.zeros
}

// MarshalJSON writes the SDK's JSON.
func (o GroupHandlePendencyParam) MarshalJSON() ([]byte, error) { return marshalObject(&o) }

// UnmarshalJSON reads the SDK's JSON.
func (o *GroupHandlePendencyParam) UnmarshalJSON(data []byte) error { return unmarshalObject(data, o) }
