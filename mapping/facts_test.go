package mapping_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

const at = 1795420800 // 2026-11-23T08:00:00Z

var observed = mapping.Observation{App: mapping.App{SDKAppID: 1400000000}, Account: "bridge"}

func groupMessage(elems ...tim.Elem) tim.Message {
	return tim.Message{
		ConvType: tim.ConvGroup, ConvID: "team", Sender: "alice", Seq: 45, Rand: 7, ServerTime: at, Elems: elems,
	}
}

func c2cMessage(elems ...tim.Elem) tim.Message {
	return tim.Message{
		ConvType: tim.ConvC2C, ConvID: "alice", Sender: "alice", Seq: 7, Rand: 3141592653,
		ServerTime: at, ClientTime: at - 1, Elems: elems,
	}
}

func tip(e tim.GroupTipsElem) tim.Message {
	e.GroupID = "team"
	m := groupMessage(e)
	m.Sender = tim.SystemUser
	return m
}

func report(e tim.GroupReportElem) tim.Message {
	e.GroupID = "team"
	return tim.Message{
		ConvType: tim.ConvSystem, Sender: tim.SystemUser, Seq: 3, Rand: 2207687390, ServerTime: at, Elems: []tim.Elem{e},
	}
}

func ptr[T any](v T) *T { return &v }

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
		name: "report, not known", types: []string{"im.unrecognized"}, keys: []mapping.KeyKind{mapping.KeyHash},
		m: report(tim.GroupReportElem{ReportType: tim.GroupReportUserDefine, UserData: "anything"}),
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

func TestFromMessage(t *testing.T) {
	v := schemas.New()
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.o
			if o.Account == "" {
				o = observed
			}
			facts, err := mapping.FromMessage(o, tt.m)
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			var keys []mapping.KeyKind
			var bodies []json.RawMessage
			ids := map[string]bool{}
			for _, f := range facts {
				types = append(types, mapping.ShortName(f.Event.Type()))
				keys = append(keys, f.Key.Kind)
				bodies = append(bodies, check(t, v, f.Event))
				if ids[f.Event.ID()] {
					t.Errorf("two facts have the id %s", f.Event.ID())
				}
				ids[f.Event.ID()] = true
				want := f.Key
				if want.Kind == mapping.KeyWithFirst {
					want = mapping.Key{}
				}
				if got := mapping.KeyOfEvent(f.Event); got != want {
					t.Errorf("%s: the event's key is %+v, the fact's %+v", f.Event.ID(), got, want)
				}
			}
			if diff := cmp.Diff(tt.types, types); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.keys, keys); diff != "" {
				t.Errorf("kinds of keys (-want +got):\n%s", diff)
			}
			if len(facts) == 0 {
				return
			}
			if got := mapping.KeyOf(o.Account, tt.m); got != facts[0].Key {
				t.Errorf("KeyOf gives %+v, the first fact has %+v", got, facts[0].Key)
			}
			golden(t, "facts/"+fileName(tt.name), indent(t, bodies))
		})
	}
}

func TestOneMessageIsOneEventWhoeverReportsIt(t *testing.T) {
	fromAlice := tim.Message{ConvType: tim.ConvC2C, ConvID: "bob", Sender: "alice", IsFromSelf: true, Seq: 1, Rand: 2, ServerTime: at}
	fromBob := fromAlice
	fromBob.ConvID, fromBob.IsFromSelf = "alice", false
	byThird := fromAlice // told by way of an account that takes no part
	byThird.IsFromSelf = false
	a := one(t, mapping.Observation{App: observed.App, Account: "alice"}, fromAlice)
	b := one(t, mapping.Observation{App: observed.App, Account: "bob"}, fromBob)
	c := one(t, mapping.Observation{App: observed.App, Account: "administrator"}, byThird)
	if a.Key != b.Key || a.Key != c.Key || a.Event.ID() != b.Event.ID() || a.Event.ID() != c.Event.ID() {
		t.Errorf("%s %s %s", a.Event.ID(), b.Event.ID(), c.Event.ID())
	}
	if a.Event.Subject() != "c2c/alice/bob" || b.Event.Subject() != "c2c/alice/bob" {
		t.Errorf("subjects %s %s", a.Event.Subject(), b.Event.Subject())
	}
	if string(a.Event.Data()) != string(b.Event.Data()) {
		t.Errorf("data\n%s\n%s", a.Event.Data(), b.Event.Data())
	}
}

func TestReportsOfOneOccurrence(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report tim.GroupReportType
		same   bool
	}{
		{"a dismissed group is one fact for all its members", tim.GroupReportDelete, true},
		{"a request is one fact for all who may decide", tim.GroupReportAddRequest, true},
		{"each member kicked is a fact", tim.GroupReportBeKicked, false},
		{"what is not known may concern each", 99, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := report(tim.GroupReportElem{ReportType: tt.report, OpUser: "dave"})
			a := one(t, mapping.Observation{App: observed.App, Account: "alice"}, m)
			b := one(t, mapping.Observation{App: observed.App, Account: "bob"}, m)
			if (a.Key == b.Key) != tt.same || (a.Event.ID() == b.Event.ID()) != tt.same {
				t.Errorf("ids %s and %s", a.Event.ID(), b.Event.ID())
			}
		})
	}
}

func one(t *testing.T, o mapping.Observation, m tim.Message) mapping.Fact {
	t.Helper()
	facts, err := mapping.FromMessage(o, m)
	if err != nil || len(facts) != 1 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	return facts[0]
}

func TestFromRevoked(t *testing.T) {
	v := schemas.New()
	for _, tt := range []struct {
		name, wantType, wantID string
		l                      tim.MsgLocator
	}{
		{"in a group", "message.revoked", "group/team/45/revoked", tim.MsgLocator{ConvType: tim.ConvGroup, ConvID: "team", Seq: 45}},
		{"between two users", "message.revoked", "c2c/alice/bridge/7/9/1795420800/revoked", tim.MsgLocator{ConvType: tim.ConvC2C, ConvID: "alice", Seq: 7, Rand: 9, Time: at}},
		{"of nothing", "im.unrecognized", "", tim.MsgLocator{Seq: 45}},
		{"of nothing in a group", "im.unrecognized", "", tim.MsgLocator{ConvType: tim.ConvGroup, ConvID: "team", Rand: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := mapping.FromRevoked(observed, tt.l)
			if err != nil {
				t.Fatal(err)
			}
			body := check(t, v, f.Event)
			if got := mapping.ShortName(f.Event.Type()); got != tt.wantType {
				t.Errorf("type %s", got)
			}
			if tt.wantID != "" && f.Event.ID() != tt.wantID {
				t.Errorf("id %s, want %s", f.Event.ID(), tt.wantID)
			}
			if got := mapping.KeyOfEvent(f.Event); got != f.Key || f.Key.Kind != mapping.KeyHash {
				t.Errorf("keys %+v and %+v", f.Key, got)
			}
			if !f.Event.Time().IsZero() {
				t.Errorf("it has a time: %v", f.Event.Time())
			}
			golden(t, "facts/"+fileName("revoked "+tt.name), indent(t, json.RawMessage(body)))
		})
	}
	t.Run("live and out of history are one", func(t *testing.T) {
		m := groupMessage()
		m.Status = tim.MsgRevoked
		facts, err := mapping.FromMessage(observed, m)
		if err != nil {
			t.Fatal(err)
		}
		live, err := mapping.FromRevoked(observed, m.Locator())
		if err != nil {
			t.Fatal(err)
		}
		if facts[1].Key != live.Key || facts[1].Event.ID() != live.Event.ID() {
			t.Errorf("%s and %s", facts[1].Event.ID(), live.Event.ID())
		}
	})
}

func TestAccountFact(t *testing.T) {
	v := schemas.New()
	o := observed
	o.ID = "0190b5f3-0000-7000-8000-000000000001"
	when := time.Date(2026, 11, 23, 16, 0, 1, 5e8, time.FixedZone("", 8*3600))
	for _, tt := range []struct {
		name string
		what mapping.AccountEvent
		kind mapping.KeyKind
	}{
		{"signed in", mapping.AccountSignedIn{First: true}, mapping.KeyNone},
		{"signed out", mapping.AccountSignedOut{Reason: "the bridge is stopping"}, mapping.KeyNone},
		{"kicked", mapping.AccountKickedOffline{}, mapping.KeyNone},
		{"expired", mapping.AccountUserSigExpired{}, mapping.KeyNone},
		{"connected", mapping.AccountConnectionChanged{Status: tim.NetworkConnected}, mapping.KeyNone},
		{"disconnected", mapping.AccountConnectionChanged{Status: tim.NetworkDisconnected, Code: 9508, Desc: "no network"}, mapping.KeyNone},
		{"gap somewhere", mapping.AccountGapDetected{From: when.Add(-time.Hour), To: when, Reason: "past retention"}, mapping.KeyHash},
		{"gap in a group", mapping.AccountGapDetected{Conversation: tim.Group("team"), FirstSeq: 3, LastSeq: 9}, mapping.KeyHash},
		{"gap in a talk", mapping.AccountGapDetected{Conversation: tim.C2C("alice"), To: when}, mapping.KeyHash},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := mapping.AccountFact(o, tt.what, when)
			if err != nil {
				t.Fatal(err)
			}
			body := check(t, v, f.Event)
			if f.Key.Kind != tt.kind || mapping.KeyOfEvent(f.Event) != f.Key {
				t.Errorf("keys %+v and %+v", f.Key, mapping.KeyOfEvent(f.Event))
			}
			golden(t, "facts/"+fileName("account "+tt.name), indent(t, json.RawMessage(body)))
		})
	}
}

func TestWhatHasNoIdentity(t *testing.T) {
	v := schemas.New()
	raw := []byte(`{"group_id": "team"}`)
	numbered, made := observed, observed
	numbered.Number, made.ID = 18, "0190b5f3-0000-7000-8000-000000000001"

	a, err := mapping.FromUnrecognized(numbered, "TIMGroupCounterChangedCallback", raw)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts/unrecognized.json", indent(t, json.RawMessage(check(t, v, a.Event))))
	again, err := mapping.FromUnrecognized(numbered, "TIMGroupCounterChangedCallback", raw)
	if err != nil || again.Event.ID() != a.Event.ID() || again.Key != a.Key || a.Key.Kind != mapping.KeyHash {
		t.Errorf("delivered again it is %s, %v, before %s", again.Event.ID(), err, a.Event.ID())
	}
	other, err := mapping.FromUnrecognized(numbered, "TIMGroupCounterChangedCallback", []byte(`{}`))
	if err != nil || other.Key == a.Key {
		t.Errorf("another report with the same number, of another life of the service, is taken for it: %v", err)
	}
	b, err := mapping.FromUnrecognized(made, "X", []byte("no JSON"))
	if err != nil || b.Event.ID() != made.ID || b.Key.Kind != mapping.KeyNone || mapping.KeyOfEvent(b.Event) != b.Key {
		t.Errorf("%+v, %v", b, err)
	}
	check(t, v, b.Event)
	if _, err := mapping.FromUnrecognized(observed, "X", raw); !errors.Is(err, mapping.ErrNoIdentity) {
		t.Error(err)
	}
	if _, err := mapping.AccountFact(observed, mapping.AccountKickedOffline{}, time.Now()); !errors.Is(err, mapping.ErrNoIdentity) {
		t.Error(err)
	}
	kicked, err := mapping.AccountFact(numbered, mapping.AccountKickedOffline{}, time.Now())
	if err != nil || kicked.Key.Kind != mapping.KeyNone {
		t.Errorf("%+v, %v", kicked, err)
	}
}

func TestEventRefused(t *testing.T) {
	v := schemas.New()
	e := one(t, observed, groupMessage(tim.TextElem{Content: "far too long"})).Event
	mapping.Stamp(e, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", 42, time.Date(2026, 11, 23, 8, 0, 1, 0, time.UTC))
	before := sdkJSON(t, e)
	refused, err := mapping.EventRefused(e, "the stream takes 1048576 bytes", 2<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts/refused.json", indent(t, json.RawMessage(check(t, v, refused))))
	if refused.ID() != e.ID()+"/refused" || refused.Subject() != e.Subject() {
		t.Errorf("id %s, subject %s", refused.ID(), refused.Subject())
	}
	if diff := cmp.Diff(e.Extensions(), refused.Extensions()); diff != "" {
		t.Errorf("extensions:\n%s", diff)
	}
	mapping.Stamp(refused, "another", 1, time.Time{})
	if sdkJSON(t, e) != before {
		t.Error("the refused event was changed")
	}
}

func TestJournalDamaged(t *testing.T) {
	f, err := mapping.JournalDamaged(observed.App, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11",
		mapping.Damage{First: 1200, Last: 1280, From: time.Unix(at, 0), KeptAs: "a.seg.damaged"}, time.Unix(at, 0))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts/damaged.json", indent(t, json.RawMessage(check(t, schemas.New(), f.Event))))
	if mapping.KeyOfEvent(f.Event) != f.Key {
		t.Error("the keys differ")
	}
}

func TestTimesThatNoCalendarHas(t *testing.T) {
	m := c2cMessage()
	m.ServerTime = 1 << 62
	f := one(t, observed, m)
	if !f.Event.Time().IsZero() || f.Event.Validate() != nil {
		t.Errorf("time %v, %v", f.Event.Time(), f.Event.Validate())
	}
}
