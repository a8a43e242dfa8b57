package tim

import "encoding/json"

// UserID names a user (userid, identifier). It is at most 32 bytes.
type UserID string

// GroupID names a group. One given by the service begins with "@TGS#".
type GroupID string

// MessageID names a message for the clients of the service. What identifies a
// message everywhere is its conversation with sequence, random and time.
type MessageID string

// SystemUser is the sender of what the service itself tells: group reports.
const SystemUser UserID = "@TIM#SYSTEM"

// AtAll in [Message.GroupAtUsers] mentions everybody in the group.
const AtAll UserID = "__kImSDK_MesssageAtALL__"

// Message is a message: a list of elements, with where it belongs and what the
// service says of it. Mirrors Message; field names are those of the C
// constants (kTIMMsgIsFormSelf is IsFromSelf). Its JSON is the SDK's: zero
// fields are left out, save those that were decoded from zero values, and
// nothing that was decoded is lost.
type Message struct {
	Elems []Elem `json:"message_elem_array"`
	// ConvID and ConvType are the conversation; a send sets them itself.
	ConvID   string   `json:"message_conv_id,omitempty"`
	ConvType ConvType `json:"message_conv_type,omitempty"`
	Sender   UserID   `json:"message_sender,omitempty"`
	// Priority says which messages of a group go first when it takes no more;
	// nil is the service's default, PriorityNormal; PriorityHigh is 0.
	Priority *MsgPriority `json:"message_priority,omitempty"`
	// ClientTime and ServerTime are seconds since 1970.
	ClientTime uint64 `json:"message_client_time,omitempty"`
	ServerTime uint64 `json:"message_server_time,omitempty"`
	// IsFromSelf is true in the eyes of the account that sent the message.
	IsFromSelf bool `json:"message_is_from_self,omitempty"`
	// Platform is the kind of device that it was sent from.
	Platform Platform `json:"message_platform,omitempty"`
	// IsRead says that the account that has the message has read it.
	IsRead bool `json:"message_is_read,omitempty"`
	// IsOnlineMsg is a message for those online now, stored nowhere: it has no
	// sequence in a group, no history, no offline push and no unread count.
	IsOnlineMsg bool `json:"message_is_online_msg,omitempty"`
	// IsPeerRead says of a one-to-one message that the peer has read the talk
	// up to it, ReceiptPeerRead that the peer sent a read receipt for it.
	IsPeerRead      bool `json:"message_is_peer_read,omitempty"`
	ReceiptPeerRead bool `json:"message_receipt_peer_read,omitempty"`
	// NeedReadReceipt asks those who read the message for [Reader].SendReadReceipts.
	NeedReadReceipt bool `json:"message_need_read_receipt,omitempty"`
	// SupportMessageExtension lets keys and values be put beside the message.
	SupportMessageExtension bool `json:"message_support_message_extension,omitempty"`
	// IsBroadcastMessage is a message to all groups of live streams.
	IsBroadcastMessage bool `json:"message_is_broadcast_message,omitempty"`
	// HasSentReceipt says that the account has sent its read receipt.
	HasSentReceipt bool `json:"message_has_sent_receipt,omitempty"`
	// GroupReceiptReadCount and GroupReceiptUnreadCount are how many members
	// have sent a read receipt, and have not; -1 where that is not known.
	GroupReceiptReadCount   int64 `json:"message_group_receipt_read_count,omitempty"`
	GroupReceiptUnreadCount int64 `json:"message_group_receipt_unread_count,omitempty"`
	// Version counts the changes of what the message says, from 0.
	Version uint64    `json:"message_version,omitempty"`
	Status  MsgStatus `json:"message_status,omitempty"`
	// UniqueID and MsgID name the message for the clients of the service.
	UniqueID uint64    `json:"message_unique_id,omitempty"`
	MsgID    MessageID `json:"message_msg_id,omitempty"`
	// Rand is the random number that de-duplicates a send (32 bits).
	Rand uint64 `json:"message_rand,omitempty"`
	// Seq counts the stored messages of a group from 1, tips included; in a
	// one-to-one talk it orders messages of the same second.
	Seq uint64 `json:"message_seq,omitempty"`
	// CustomInt and CustomStr stay on the device, with its own copy of the
	// message; CloudCustomStr travels and is stored with the message, and is
	// changed by [Modifier].ModifyMessage. The 12 KB that a message may have are
	// those of its elements, without it.
	CustomInt      uint64 `json:"message_custom_int,omitempty"`
	CustomStr      string `json:"message_custom_str,omitempty"`
	CloudCustomStr string `json:"message_cloud_custom_str,omitempty"`
	// IsExcludedFromUnreadCount does not count as unread where it arrives.
	IsExcludedFromUnreadCount bool `json:"message_is_excluded_from_unread_count,omitempty"`
	// GroupAtUsers are the members mentioned, at most 30, in the order of the
	// text; [AtAll] mentions everybody.
	GroupAtUsers []UserID `json:"message_group_at_user_array,omitempty"`
	// IsForwardMessage says that what is sent was received before.
	IsForwardMessage bool `json:"message_is_forward_message,omitempty"`
	// SenderProfile and SenderGroupMemberInfo are what is known of the sender.
	SenderProfile         *UserProfile     `json:"message_sender_profile,omitempty"`
	SenderGroupMemberInfo *GroupMemberInfo `json:"message_sender_group_member_info,omitempty"`
	// ExcludedFromLastMessage does not become a conversation's last message.
	ExcludedFromLastMessage bool `json:"message_excluded_from_last_message,omitempty"`
	// ExcludedFromContentModeration is not looked at by moderation, which else
	// follows CustomModerationConfigurationID; its findings are HasRiskContent
	// and RiskTypeIdentified.
	ExcludedFromContentModeration   bool   `json:"message_excluded_from_content_moderation,omitempty"`
	CustomModerationConfigurationID string `json:"message_custom_moderation_configuration_id,omitempty"`
	HasRiskContent                  bool   `json:"message_has_risk_content,omitempty"`
	RiskTypeIdentified              uint64 `json:"message_risk_type_identified,omitempty"`
	// TargetGroupMembers are the only members of the group who get the
	// message, at most 50; empty means all.
	TargetGroupMembers []UserID `json:"message_target_group_member_array,omitempty"`
	// OfflinePushConfig nil pushes to offline devices as the elements say.
	OfflinePushConfig *OfflinePushConfig `json:"message_offline_push_config,omitempty"`
	// RevokerUserID and what follows say who recalled the message, and why.
	RevokerUserID   UserID `json:"message_revoker_user_id,omitempty"`
	RevokerNickName string `json:"message_revoker_nick_name,omitempty"`
	RevokerFaceURL  string `json:"message_revoker_face_url,omitempty"`
	RevokeReason    string `json:"message_revoke_reason,omitempty"`
	// PinnerUserID and what follows say who pinned the message to its group.
	PinnerUserID       UserID `json:"message_pinner_user_id,omitempty"`
	PinnerNickName     string `json:"message_pinner_nick_name,omitempty"`
	PinnerFriendRemark string `json:"message_pinner_friend_remark,omitempty"`
	PinnerNameCard     string `json:"message_pinner_name_card,omitempty"`
	PinnerFaceURL      string `json:"message_pinner_face_url,omitempty"`

	// Extra holds the keys this package does not know, and known keys whose
	// value is of another type than documented (those are written again as
	// long as the field is zero).
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64                     // known keys that were present with a zero value
}

// Conversation is the conversation the message belongs to, in the eyes of the
// account that has it: of a one-to-one message, the other user.
func (m Message) Conversation() Conversation {
	return Conversation{Type: m.ConvType, ID: m.ConvID}
}

// Locator names the message, for [Client].Revoke.
func (m Message) Locator() MsgLocator {
	return MsgLocator{
		ConvID: m.ConvID, ConvType: m.ConvType, IsRevoked: m.Status == MsgRevoked,
		Time: m.ServerTime, Seq: m.Seq, IsSelf: m.IsFromSelf, Rand: m.Rand, UniqueID: m.UniqueID,
	}
}

// MsgLocator names a message. In a group Seq alone does; in a one-to-one talk
// Time, Seq and Rand together. Mirrors MsgLocator.
type MsgLocator struct {
	ConvID    string   `json:"message_locator_conv_id,omitempty"`
	ConvType  ConvType `json:"message_locator_conv_type,omitempty"`
	IsRevoked bool     `json:"message_locator_is_revoked"`
	Time      uint64   `json:"message_locator_time"` // the message's ServerTime
	Seq       uint64   `json:"message_locator_seq"`
	IsSelf    bool     `json:"message_locator_is_self"`
	Rand      uint64   `json:"message_locator_rand"`
	UniqueID  uint64   `json:"message_locator_unique_id"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// Conversation is the conversation of the message named; zero where the
// locator does not say.
func (l MsgLocator) Conversation() Conversation {
	return Conversation{Type: l.ConvType, ID: l.ConvID}
}

// UserProfile is what is known of a user. Mirrors UserProfile.
type UserProfile struct {
	Identifier    UserID                    `json:"user_profile_identifier,omitempty"`
	NickName      string                    `json:"user_profile_nick_name,omitempty"` // at most 500 bytes
	Gender        GenderType                `json:"user_profile_gender,omitempty"`
	FaceURL       string                    `json:"user_profile_face_url,omitempty"`
	FriendRemark  string                    `json:"user_profile_friend_remark,omitempty"` // what the account calls the user
	SelfSignature string                    `json:"user_profile_self_signature,omitempty"`
	AddPermission ProfileAddPermission      `json:"user_profile_add_permission,omitempty"`
	Location      string                    `json:"user_profile_location,omitempty"`
	Language      uint64                    `json:"user_profile_language,omitempty"`
	Birthday      uint64                    `json:"user_profile_birthday,omitempty"` // as a number of digits, 19990131
	Level         uint64                    `json:"user_profile_level,omitempty"`
	Role          uint64                    `json:"user_profile_role,omitempty"`
	CustomStrings []UserProfileCustomString `json:"user_profile_custom_string_array,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// UserProfileCustomString is one custom field of a profile. Mirrors UserProfileCustomStringInfo.
type UserProfileCustomString struct {
	Key   string `json:"user_profile_custom_string_info_key"`   // "Tag_Profile_Custom_" and at most 8 letters
	Value string `json:"user_profile_custom_string_info_value"` // at most 500 bytes

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// OfflinePushConfig says how a message is shown on devices that are offline.
// Mirrors OfflinePushConfig.
type OfflinePushConfig struct {
	// Desc is the text shown instead of the elements' own, Ext is handed to
	// the application as it is; together they should stay below 3 KB.
	Desc string `json:"offline_push_config_desc,omitempty"`
	Ext  string `json:"offline_push_config_ext,omitempty"`
	// Flag OfflinePushNoPush pushes nothing.
	Flag    OfflinePushFlag           `json:"offline_push_config_flag,omitempty"`
	IOS     *IOSOfflinePushConfig     `json:"offline_push_config_ios_config,omitempty"`
	Android *AndroidOfflinePushConfig `json:"offline_push_config_android_config,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// IOSOfflinePushConfig is the part of it for Apple's devices. Mirrors IOSOfflinePushConfig.
type IOSOfflinePushConfig struct {
	Title       string             `json:"ios_offline_push_config_title,omitempty"`
	Sound       string             `json:"ios_offline_push_config_sound,omitempty"`
	IgnoreBadge bool               `json:"ios_offline_push_config_ignore_badge,omitempty"` // true: not counted on the icon
	PushType    IOSOfflinePushType `json:"ios_offline_push_config_push_type,omitempty"`
	Image       string             `json:"ios_offline_push_config_image,omitempty"` // a URL

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}

// AndroidOfflinePushConfig is the part of it for Android devices. Mirrors AndroidOfflinePushConfig.
type AndroidOfflinePushConfig struct {
	Title              string                       `json:"android_offline_push_config_title,omitempty"`
	Sound              string                       `json:"android_offline_push_config_sound,omitempty"`
	NotifyMode         AndroidOfflinePushNotifyMode `json:"android_offline_push_config_notify_mode,omitempty"`
	VIVOClassification uint64                       `json:"android_offline_push_config_vivo_classification,omitempty"` // 0 for operations, 1 for the system's
	VIVOCategory       string                       `json:"android_offline_push_config_vivo_category,omitempty"`
	OPPOChannelID      string                       `json:"android_offline_push_config_oppo_channel_id,omitempty"`
	XiaoMiChannelID    string                       `json:"android_offline_push_config_xiaomi_channel_id,omitempty"`
	FCMChannelID       string                       `json:"android_offline_push_config_fcm_channel_id,omitempty"`
	HuaWeiCategory     string                       `json:"android_offline_push_config_huawei_category,omitempty"`
	HuaWeiImage        string                       `json:"android_offline_push_config_huawei_image,omitempty"`
	HonorImage         string                       `json:"android_offline_push_config_honor_image,omitempty"`
	FCMImage           string                       `json:"android_offline_push_config_fcm_image,omitempty"`

	// Extra is as in [Message].
	Extra map[string]json.RawMessage `json:"-"`
	zeros uint64
}
