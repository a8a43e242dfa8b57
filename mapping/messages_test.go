package mapping_test

import (
	"encoding/json"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// messages has at least one message for each type of fact that messages bring,
// and for each way to say it.
var messages = []struct {
	name  string
	o     mapping.Observation
	m     tim.Message
	types []string // in short
	keys  []mapping.KeyKind
}{
	{
		name: "text between two users", m: c2cMessage(tim.TextElem{Content: "hi \"bob\"\n你好"}),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyHash},
	},
	{
		name: "text in a group",
		m: func() tim.Message {
			m := groupMessage(tim.TextElem{Content: "all"}, tim.CustomElem{Data: "{}", Desc: "d", Ext: "e", Sound: "s"})
			m.Priority, m.GroupAtUsers, m.CloudCustomStr = ptr(tim.PriorityHigh), []tim.UserID{"bob", tim.AtAll}, `{"k":1}`
			m.NeedReadReceipt, m.Version, m.MsgID = true, 2, "144115200000000001-1795420800-7"
			m.SenderProfile = &tim.UserProfile{NickName: "Alice", FaceURL: "https://example.com/a.png", FriendRemark: "my sister"}
			m.SenderGroupMemberInfo = &tim.GroupMemberInfo{NameCard: "Al"}
			m.Extra = map[string]json.RawMessage{"message_new": json.RawMessage(`{ "a" : 1 }`), "message_also": json.RawMessage(`2`)}
			return m
		}(),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyGroupSeq},
	},
	{
		name:  "late, caused by a command",
		o:     mapping.Observation{App: observed.App, Account: "bridge", Late: true, Cause: &mapping.Cause{ID: "send-17", CorrelationID: "order-17", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		m:     func() tim.Message { m := c2cMessage(tim.TextElem{}); m.Sender, m.IsFromSelf = "bridge", true; return m }(),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyHash},
	},
	{
		name: "for those online",
		m: func() tim.Message {
			m := groupMessage(tim.TextElem{Content: "now"})
			m.Seq, m.IsOnlineMsg = 0, true
			return m
		}(),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyHash},
	},
	{
		name: "every other element",
		m: groupMessage(
			tim.ImageElem{OrigURL: "https://example.com/i.png"}, tim.SoundElem{URL: "https://example.com/s", FileTime: 3},
			tim.FileElem{FileName: "a.pdf"}, tim.VideoElem{VideoType: "mp4"}, tim.FaceElem{Index: 5, Buf: "smile"},
			tim.LocationElem{Desc: "gate", Longitude: 116.397, Latitude: 39.908}, tim.MergerElem{Title: "talk"},
			tim.UnknownElem{Type: 42, Raw: json.RawMessage(`{"elem_type":42,"x":[1,2]}`)},
			tim.UnknownElem{Type: tim.ElemInvalid, Raw: json.RawMessage(`not JSON`)},
			tim.TextElem{Content: "t", Extra: map[string]json.RawMessage{"text_elem_new": json.RawMessage(`true`)}},
			tim.GroupReportElem{ReportType: tim.GroupReportCreate, GroupID: "team"},
		),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyGroupSeq},
	},
	{
		name: "media with all that is known of them",
		m:    groupMessage(everyMedia()...), types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyGroupSeq},
	},
	{
		name: "messages passed on",
		m: c2cMessage(tim.MergerElem{
			Title: "Talk of the morning", Abstracts: []string{"alice: hi", "bob: [Image]"}, CompatibleText: "a talk", LayersOverLimit: true,
			RelayJSONKey: "k",
			Messages: []tim.Message{
				{
					ConvType: tim.ConvGroup, ConvID: "team", Sender: "alice", Seq: 40, Rand: 1, ServerTime: at, MsgID: "m-40",
					SenderProfile: &tim.UserProfile{NickName: "Alice"}, SenderGroupMemberInfo: &tim.GroupMemberInfo{NameCard: "Al"},
					Elems: []tim.Elem{tim.TextElem{}, tim.CustomElem{}}, CloudCustomStr: "c",
					Extra: map[string]json.RawMessage{"message_new": json.RawMessage(`1`)},
				},
				{ConvType: tim.ConvC2C, Sender: "bob", Elems: append(everyMedia(), tim.MergerElem{Title: "deeper"},
					tim.GroupTipsElem{TipType: tim.GroupTipQuit, OpUser: "carol"}, tim.UnknownElem{Type: 42, Raw: json.RawMessage(`{"elem_type":42}`)})},
			},
		}),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyHash},
	},
	{
		name: "every option of a message",
		m: func() tim.Message {
			m := groupMessage(tim.TextElem{Content: "x"})
			m.TargetGroupMembers = []tim.UserID{"bob"}
			m.IsExcludedFromUnreadCount, m.ExcludedFromLastMessage, m.IsForwardMessage, m.IsBroadcastMessage = true, true, true, true
			m.OfflinePushConfig = everyPush()
			m.OfflinePushConfig.Extra = map[string]json.RawMessage{"offline_push_config_new": json.RawMessage(`1`)}
			return m
		}(),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyGroupSeq},
	},
	{
		name: "ids that need escapes",
		m: func() tim.Message {
			m := groupMessage(tim.TextElem{Content: "x"})
			m.ConvID = "@TGS#_a/b.c 群"
			return m
		}(),
		types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyGroupSeq},
	},
	{
		name: "revoked, out of history",
		m: func() tim.Message {
			m := groupMessage(tim.TextElem{Content: "oops"})
			m.Status, m.RevokerUserID, m.RevokeReason = tim.MsgRevoked, "alice", "typo"
			return m
		}(),
		types: []string{"message.posted", "message.revoked"}, keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyHash},
	},
	{name: "failed on the device", m: func() tim.Message { m := c2cMessage(tim.TextElem{Content: "x"}); m.Status = tim.MsgSendFail; return m }()},

	{
		name: "tip, invited", types: []string{"message.posted", "group.member_joined"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m:    tip(tim.GroupTipsElem{TipType: tim.GroupTipInvite, JoinType: tim.GroupJoinInvite, OpUser: "alice", Users: []tim.UserID{"bob", "carol"}, GroupName: "Team", MemberNum: 3}),
	},
	{
		name: "tip, joined by oneself", types: []string{"message.posted", "group.member_joined"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m:    tip(tim.GroupTipsElem{TipType: tim.GroupTipInvite, JoinType: tim.GroupJoinApply, OpUserInfo: &tim.UserProfile{Identifier: "dave"}}),
	},
	{
		name: "tip, left", types: []string{"message.posted", "group.member_left"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m:    tip(tim.GroupTipsElem{TipType: tim.GroupTipQuit, OpUser: "carol"}),
	},
	{
		name: "tip, kicked", types: []string{"message.posted", "group.member_kicked"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m:    tip(tim.GroupTipsElem{TipType: tim.GroupTipKick, OpGroupMemberInfo: &tim.GroupMemberInfo{Identifier: "alice"}, Users: []tim.UserID{"bob"}}),
	},
	{
		name: "tip, administrator", types: []string{"message.posted", "group.member_changed", "group.member_changed"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst, mapping.KeyWithFirst},
		m: groupMessage(
			tim.GroupTipsElem{TipType: tim.GroupTipSetAdmin, OpUser: "alice", Users: []tim.UserID{"bob"}},
			tim.GroupTipsElem{TipType: tim.GroupTipCancelAdmin, OpUser: "alice", Users: []tim.UserID{"carol"}}),
	},
	{
		name: "tip, muted", types: []string{"message.posted", "group.member_changed"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m: tip(tim.GroupTipsElem{TipType: tim.GroupTipMemberInfoChange, OpUser: "alice", MemberChangeInfo: []tim.GroupTipMemberChangeInfo{
			{Identifier: "bob", ShutupTime: 600}, {Identifier: "carol"},
		}}),
	},
	{
		name: "tip, information", types: []string{"message.posted", "group.info_changed"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m: tip(tim.GroupTipsElem{TipType: tim.GroupTipGroupInfoChange, OpUser: "alice", GroupChangeInfo: []tim.GroupTipGroupChangeInfo{
			{Flag: tim.GroupChangeName, Value: "The team"}, {Flag: tim.GroupChangeIntroduction, Value: ""},
			{Flag: tim.GroupChangeCustom, Key: "depot", Value: "north"}, {Flag: tim.GroupChangeShutupAll, BoolValue: true},
			{Flag: tim.GroupChangeGroupAddOpt, IntValue: 2}, {Flag: tim.GroupChangeDefaultPermissions, Uint64Value: 64},
			{Flag: 99, Value: "?"},
		}}),
	},
	{
		name: "tip, name cards", types: []string{"message.posted", "group.member_changed"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m: tip(tim.GroupTipsElem{TipType: tim.GroupTipMemberInfoChange, OpUser: "bob", ChangedGroupMemberInfo: []tim.GroupMemberInfo{
			{Identifier: "bob", NameCard: "Bob (gate)"}, {Identifier: "carol"}, {NameCard: "nobody"},
		}}),
	},
	{
		name: "tip, marks", types: []string{"message.posted", "group.member_changed"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m: tip(tim.GroupTipsElem{TipType: tim.GroupTipMemberMarkChange, OpUser: "alice", MemberMarkInfo: []tim.GroupTipMemberMarkChangeInfo{
			{EnableMark: true, MarkType: 1001, Users: []tim.UserID{"bob", "carol"}}, {MarkType: 1002, Users: []tim.UserID{"bob"}},
		}}),
	},
	{
		name: "tip, pinned", types: []string{"message.posted", "group.info_changed", "group.info_changed", "group.info_changed"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst, mapping.KeyWithFirst, mapping.KeyWithFirst},
		m: groupMessage(
			tim.GroupTipsElem{GroupID: "team", TipType: tim.GroupTipPinnedMessageAdded, OpUser: "alice", PinnedMessageList: json.RawMessage(`[{"message_elem_array":[],"message_seq":40}]`)},
			tim.GroupTipsElem{GroupID: "team", TipType: tim.GroupTipPinnedMessageDeleted, OpUser: "alice", PinnedMessageList: json.RawMessage(`[{"message_elem_array":[],"message_seq":40},{"message_elem_array":[],"message_seq":41}]`)},
			tim.GroupTipsElem{GroupID: "team", TipType: tim.GroupTipPinnedMessageDeleted, OpUser: "alice", PinnedMessageList: json.RawMessage(`{"what":"is this"}`)},
		),
	},
	{
		name: "tip, transferred", types: []string{"message.posted", "group.info_changed"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m: tip(tim.GroupTipsElem{TipType: tim.GroupTipGroupInfoChange, OpUser: "alice", GroupChangeInfo: []tim.GroupTipGroupChangeInfo{
			{Flag: tim.GroupChangeOwner, Value: "carol"},
		}}),
	},
	{
		name: "tip, not known", types: []string{"message.posted", "im.unrecognized"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst},
		m:    tip(tim.GroupTipsElem{TipType: 77, Users: []tim.UserID{"bob"}}),
	},
	{
		name: "tips that name nobody", types: []string{"message.posted", "im.unrecognized", "im.unrecognized", "im.unrecognized", "im.unrecognized"},
		keys: []mapping.KeyKind{mapping.KeyGroupSeq, mapping.KeyWithFirst, mapping.KeyWithFirst, mapping.KeyWithFirst, mapping.KeyWithFirst},
		m: groupMessage(tim.GroupTipsElem{TipType: tim.GroupTipKick}, tim.GroupTipsElem{TipType: tim.GroupTipSetAdmin},
			tim.GroupTipsElem{TipType: tim.GroupTipMemberInfoChange}, tim.GroupTipsElem{TipType: tim.GroupTipGroupInfoChange}),
	},

	{
		name: "report, created", types: []string{"group.created"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportCreate, GroupName: "Team", OpGroupMemberInfo: &tim.GroupMemberInfo{Identifier: "bridge"}}),
	},
	{
		name: "report, dismissed", types: []string{"group.dismissed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportDelete, GroupName: "Team", OpUser: "alice"}),
	},
	{
		name: "report, recycled", types: []string{"group.dismissed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportGroupRecycle}),
	},
	{
		name: "report, invited", types: []string{"group.member_joined"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportInvite, OpUser: "alice", UserData: "u", Msg: "come in"}),
	},
	{
		name: "report, accepted", types: []string{"group.member_joined", "group.request_handled"},
		keys: []mapping.KeyKind{mapping.KeyHash, mapping.KeyHash},
		m:    report(tim.GroupReportElem{ReportType: tim.GroupReportAddAccept, OpUser: "alice"}),
	},
	{
		name: "report, left", types: []string{"group.member_left"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportQuit}),
	},
	{
		name: "report, kicked", types: []string{"group.member_kicked"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportBeKicked, OpUser: "alice"}),
	},
	{
		name: "report, made administrator", types: []string{"group.member_changed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportGrantAdmin, OpUser: "alice"}),
	},
	{
		name: "report, administrator no more", types: []string{"group.member_changed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportCancelAdmin, OpUser: "alice"}),
	},
	{
		name: "report, muted", types: []string{"group.member_changed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportShutUpMember, OpUser: "alice", ShutUpTime: 60}),
	},
	{
		name: "report, request to join", types: []string{"group.join_requested"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportAddRequest, GroupName: "Team", OpUser: "dave", Msg: "let me in", UserData: "u"}),
	},
	{
		name: "report, a member asks for a user", types: []string{"group.join_requested"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportInviteReqToAdmin, OpUserInfo: &tim.UserProfile{Identifier: "bob"}}),
	},
	{
		name: "report, asked to join", types: []string{"group.invited"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportInviteReqToInvitee, OpUser: "alice"}),
	},
	{
		name: "report, refused", types: []string{"group.request_handled"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportAddRefuse, OpUser: "alice", Msg: "full"}),
	},
	{
		name: "report, invitation accepted", types: []string{"group.request_handled"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportInviteAccept, OpUser: "carol"}),
	},
	{
		name: "report, invitation refused", types: []string{"group.request_handled"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportInviteRefuse, OpUser: "carol"}),
	},
	{
		name: "report, banned", types: []string{"group.member_changed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportBannedFromGroup, OpUser: "alice", ShutUpTime: 60}),
	},
	{
		name: "report, banned no more", types: []string{"group.member_changed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportUnbannedFromGroup, OpUser: "alice"}),
	},
	{
		name: "report, receive option", types: []string{"group.member_changed"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportGroupMessageRecvOption, GroupMessageReceiveOption: tim.RecvNoNotify}),
	},
	{
		name: "report, a request of nobody", types: []string{"im.unrecognized"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportAddRequest}),
	},
	{name: "report, kicked, to the operator", m: report(tim.GroupReportElem{ReportType: tim.GroupReportBeKicked, OpUser: "bridge"})},
	{name: "report, invited, to the operator", m: report(tim.GroupReportElem{ReportType: tim.GroupReportInvite, OpUser: "bridge"})},
	{
		name: "report, a notice of the application's own", types: []string{"group.custom_notified"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportUserDefine, GroupName: "Team", OpUser: "administrator", UserData: "anything"}),
	},
	{
		name: "report, read elsewhere", types: []string{"im.unrecognized"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportGroupMessageRead}),
	},
	{
		name: "report, not known", types: []string{"im.unrecognized"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: 99, UserData: "anything"}),
	},
	{
		name: "system message that is no report", types: []string{"im.unrecognized", "im.unrecognized"},
		keys: []mapping.KeyKind{mapping.KeyHash, mapping.KeyHash},
		m: tim.Message{ConvType: tim.ConvSystem, Sender: tim.SystemUser, ServerTime: at, Elems: []tim.Elem{
			tim.TextElem{Content: "maintenance"}, tim.GroupReportElem{ReportType: tim.GroupReportCreate},
		}},
	},
	{
		name: "message of no conversation", types: []string{"im.unrecognized"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "where am I"}}},
	},
	{
		name: "message of no sender in a group", types: []string{"message.posted"}, keys: []mapping.KeyKind{mapping.KeyGroupSeq},
		m: func() tim.Message { m := groupMessage(); m.Sender = ""; return m }(),
	},
}
