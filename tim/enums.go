package tim

import (
	"strconv"
	"strings"
)

// The enumerations of messages, conversations, users and devices, with the SDK's values. Each String is a
// lower-case word for people; a value that is not known prints as its number.

// ConvType says what a conversation is with.
// Mirrors TIMConvType.
type ConvType uint32

// The values of ConvType.
const (
	ConvInvalid ConvType = 0 // kTIMConv_Invalid
	ConvC2C     ConvType = 1 // kTIMConv_C2C
	ConvGroup   ConvType = 2 // kTIMConv_Group
	ConvSystem  ConvType = 3 // kTIMConv_System
)

// String gives the value as a word.
func (v ConvType) String() string {
	return word(int64(v), 0, "ConvType", "invalid c2c group system")
}

// ReceiveMessageOpt says how a user wants to be told of messages.
// Mirrors TIMReceiveMessageOpt.
type ReceiveMessageOpt uint32

// The values of ReceiveMessageOpt.
const (
	RecvAll              ReceiveMessageOpt = 0 // kTIMRecvMsgOpt_Receive
	RecvNone             ReceiveMessageOpt = 1 // kTIMRecvMsgOpt_Not_Receive
	RecvNoNotify         ReceiveMessageOpt = 2 // kTIMRecvMsgOpt_Not_Notify
	RecvNoNotifyExceptAt ReceiveMessageOpt = 3 // kTIMRecvMsgOpt_Not_Notify_Except_At
)

// String gives the value as a word.
func (v ReceiveMessageOpt) String() string {
	return word(int64(v), 0, "ReceiveMessageOpt", "all none no_notify no_notify_except_at")
}

// NetworkStatus is the state of the connection to the service.
// Mirrors TIMNetworkStatus.
type NetworkStatus uint32

// The values of NetworkStatus.
const (
	NetworkConnected     NetworkStatus = 0 // kTIMConnected
	NetworkDisconnected  NetworkStatus = 1 // kTIMDisconnected
	NetworkConnecting    NetworkStatus = 2 // kTIMConnecting
	NetworkConnectFailed NetworkStatus = 3 // kTIMConnectFailed
)

// String gives the value as a word.
func (v NetworkStatus) String() string {
	return word(int64(v), 0, "NetworkStatus", "connected disconnected connecting connect_failed")
}

// GenderType is a gender as users state it.
// Mirrors TIMGenderType.
type GenderType uint32

// The values of GenderType.
const (
	GenderUnknown GenderType = 0 // kTIMGenderType_Unknown
	GenderMale    GenderType = 1 // kTIMGenderType_Male
	GenderFemale  GenderType = 2 // kTIMGenderType_Female
)

// String gives the value as a word.
func (v GenderType) String() string {
	return word(int64(v), 0, "GenderType", "unknown male female")
}

// ProfileAddPermission says who may add a user as a friend.
// Mirrors TIMProfileAddPermission.
type ProfileAddPermission uint32

// The values of ProfileAddPermission.
const (
	AddPermissionUnknown     ProfileAddPermission = 0 // kTIMProfileAddPermission_Unknown
	AddPermissionAllowAny    ProfileAddPermission = 1 // kTIMProfileAddPermission_AllowAny
	AddPermissionNeedConfirm ProfileAddPermission = 2 // kTIMProfileAddPermission_NeedConfirm
	AddPermissionDenyAny     ProfileAddPermission = 3 // kTIMProfileAddPermission_DenyAny
)

// String gives the value as a word.
func (v ProfileAddPermission) String() string {
	return word(int64(v), 0, "ProfileAddPermission", "unknown allow_any need_confirm deny_any")
}

// MsgStatus is what has become of a message.
// Mirrors TIMMsgStatus.
type MsgStatus uint32

// The values of MsgStatus.
const (
	MsgSending       MsgStatus = 1 // kTIMMsg_Sending
	MsgSendSucc      MsgStatus = 2 // kTIMMsg_SendSucc
	MsgSendFail      MsgStatus = 3 // kTIMMsg_SendFail
	MsgDeleted       MsgStatus = 4 // kTIMMsg_Deleted
	MsgLocalImported MsgStatus = 5 // kTIMMsg_LocalImported
	MsgRevoked       MsgStatus = 6 // kTIMMsg_Revoked
	MsgCancel        MsgStatus = 7 // kTIMMsg_Cancel
)

// String gives the value as a word.
func (v MsgStatus) String() string {
	return word(int64(v), 1, "MsgStatus", "sending sent failed deleted local_imported revoked canceled")
}

// MsgPriority is how urgent a group message is where messages are dropped.
// Mirrors TIMMsgPriority.
type MsgPriority uint32

// The values of MsgPriority.
const (
	PriorityHigh   MsgPriority = 0 // kTIMMsgPriority_High
	PriorityNormal MsgPriority = 1 // kTIMMsgPriority_Normal
	PriorityLow    MsgPriority = 2 // kTIMMsgPriority_Low
	PriorityLowest MsgPriority = 3 // kTIMMsgPriority_Lowest
)

// String gives the value as a word.
func (v MsgPriority) String() string {
	return word(int64(v), 0, "MsgPriority", "high normal low lowest")
}

// Platform is the kind of device an account is signed in on. An account has one session on each.
// Mirrors TIMPlatform.
type Platform uint32

// The values of Platform.
const (
	PlatformOther     Platform = 0 // kTIMPlatform_Other
	PlatformWindows   Platform = 1 // kTIMPlatform_Windows
	PlatformAndroid   Platform = 2 // kTIMPlatform_Android
	PlatformIOS       Platform = 3 // kTIMPlatform_IOS
	PlatformMac       Platform = 4 // kTIMPlatform_Mac
	PlatformSimulator Platform = 5 // kTIMPlatform_Simulator
)

// String gives the value as a word.
func (v Platform) String() string {
	return word(int64(v), 0, "Platform", "other windows android ios mac simulator")
}

// ElemType is the type of a message element.
// Mirrors TIMElemType.
type ElemType int32

// The values of ElemType.
const (
	ElemText          ElemType = 0  // kTIMElem_Text
	ElemImage         ElemType = 1  // kTIMElem_Image
	ElemSound         ElemType = 2  // kTIMElem_Sound
	ElemCustom        ElemType = 3  // kTIMElem_Custom
	ElemFile          ElemType = 4  // kTIMElem_File
	ElemGroupTips     ElemType = 5  // kTIMElem_GroupTips
	ElemFace          ElemType = 6  // kTIMElem_Face
	ElemLocation      ElemType = 7  // kTIMElem_Location
	ElemGroupReport   ElemType = 8  // kTIMElem_GroupReport
	ElemVideo         ElemType = 9  // kTIMElem_Video
	ElemFriendChange  ElemType = 10 // kTIMElem_FriendChange
	ElemProfileChange ElemType = 11 // kTIMElem_ProfileChange
	ElemMerge         ElemType = 12 // kTIMElem_Merge
	ElemInvalid       ElemType = -1 // kTIMElem_Invalid
)

// String gives the value as a word.
func (v ElemType) String() string {
	switch v {
	case ElemText:
		return "text"
	case ElemImage:
		return "image"
	case ElemSound:
		return "sound"
	case ElemCustom:
		return "custom"
	case ElemFile:
		return "file"
	case ElemGroupTips:
		return "group_tips"
	case ElemFace:
		return "face"
	case ElemLocation:
		return "location"
	case ElemGroupReport:
		return "group_report"
	case ElemVideo:
		return "video"
	case ElemFriendChange:
		return "friend_change"
	case ElemProfileChange:
		return "profile_change"
	case ElemMerge:
		return "merge"
	case ElemInvalid:
		return "invalid"
	}
	return word(int64(v), 0, "ElemType", "")
}

// ImageLevel is the quality an image is sent with.
// Mirrors TIMImageLevel.
type ImageLevel uint32

// The values of ImageLevel.
const (
	ImageOriginal    ImageLevel = 0 // kTIMImageLevel_Orig
	ImageCompression ImageLevel = 1 // kTIMImageLevel_Compression
	ImageHD          ImageLevel = 2 // kTIMImageLevel_HD
)

// String gives the value as a word.
func (v ImageLevel) String() string {
	return word(int64(v), 0, "ImageLevel", "original compression hd")
}

// ConvMark is a mark on a conversation; several are added up.
// Mirrors TIMConversationMarkType.
type ConvMark uint64

// The values of ConvMark.
const (
	MarkStar   ConvMark = 1 // kTIMConversationMarkTypeStar
	MarkUnread ConvMark = 2 // kTIMConversationMarkTypeUnread
	MarkFold   ConvMark = 4 // kTIMConversationMarkTypeFold
	MarkHide   ConvMark = 8 // kTIMConversationMarkTypeHide
)

// String gives the value as a word.
func (v ConvMark) String() string {
	switch v {
	case MarkStar:
		return "star"
	case MarkUnread:
		return "unread"
	case MarkFold:
		return "fold"
	case MarkHide:
		return "hide"
	}
	return word(int64(v), 0, "ConvMark", "")
}

// OfflinePushFlag says whether a message is pushed to devices that are offline.
// Mirrors TIMOfflinePushFlag.
type OfflinePushFlag uint32

// The values of OfflinePushFlag.
const (
	OfflinePushDefault OfflinePushFlag = 0 // kTIMOfflinePushFlag_Default
	OfflinePushNoPush  OfflinePushFlag = 1 // kTIMOfflinePushFlag_NoPush
)

// String gives the value as a word.
func (v OfflinePushFlag) String() string {
	return word(int64(v), 0, "OfflinePushFlag", "default no_push")
}

// IOSOfflinePushType is the channel of a push to an Apple device.
// Mirrors TIMIOSOfflinePushType.
type IOSOfflinePushType uint32

// The values of IOSOfflinePushType.
const (
	IOSPushAPNS IOSOfflinePushType = 0 // TIMIOSOfflinePushType_APNS
	IOSPushVOIP IOSOfflinePushType = 1 // TIMIOSOfflinePushType_VOIP
)

// String gives the value as a word.
func (v IOSOfflinePushType) String() string {
	return word(int64(v), 0, "IOSOfflinePushType", "apns voip")
}

// AndroidOfflinePushNotifyMode says what opening a pushed notice does.
// Mirrors TIMAndroidOfflinePushNotifyMode.
type AndroidOfflinePushNotifyMode uint32

// The values of AndroidOfflinePushNotifyMode.
const (
	AndroidNotifyNormal AndroidOfflinePushNotifyMode = 0 // kTIMAndroidOfflinePushNotifyMode_Normal
	AndroidNotifyCustom AndroidOfflinePushNotifyMode = 1 // kTIMAndroidOfflinePushNotifyMode_Custom
)

// String gives the value as a word.
func (v AndroidOfflinePushNotifyMode) String() string {
	return word(int64(v), 0, "AndroidOfflinePushNotifyMode", "normal custom")
}

// word picks the word of a value from a list that starts at first.
func word(v, first int64, kind, words string) string {
	if list := strings.Fields(words); v >= first && v-first < int64(len(list)) {
		return list[v-first]
	}
	return kind + "(" + strconv.FormatInt(v, 10) + ")"
}
