package mapping_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// fullTip is a tip of any type with everything that any needs.
func fullTip(what tim.GroupTipType) tim.GroupTipsElem {
	return tim.GroupTipsElem{
		TipType: what, GroupID: "team", GroupName: "Team", OpUser: "alice", Time: at, Users: []tim.UserID{"bob"}, MemberNum: 3,
		GroupChangeInfo:   []tim.GroupTipGroupChangeInfo{{Flag: tim.GroupChangeName, Value: "n"}},
		MemberChangeInfo:  []tim.GroupTipMemberChangeInfo{{Identifier: "bob", ShutupTime: 60}},
		MemberMarkInfo:    []tim.GroupTipMemberMarkChangeInfo{{EnableMark: true, MarkType: 1001, Users: []tim.UserID{"bob"}}},
		PinnedMessageList: json.RawMessage(`[{"message_elem_array":[],"message_seq":40}]`),
	}
}

// TestEveryTip names the fact of every type of tip that the SDK has, whichever
// way it comes.
func TestEveryTip(t *testing.T) {
	v := schemas.New()
	for what, want := range []string{
		"im.unrecognized", "group.member_joined", "group.member_left", "group.member_kicked", "group.member_changed",
		"group.member_changed", "group.info_changed", "group.member_changed", "group.member_changed", "im.unrecognized",
		"group.info_changed", "group.info_changed", "im.unrecognized",
	} {
		t.Run(tim.GroupTipType(what).String(), func(t *testing.T) {
			elem := fullTip(tim.GroupTipType(what))
			facts, err := mapping.FromMessage(observed, groupMessage(elem))
			if err != nil || len(facts) != 2 || mapping.ShortName(facts[1].Event.Type()) != want {
				t.Fatalf("in a message it is %v, %v", facts, err)
			}
			called, err := mapping.FromGroupTip(observed, elem)
			if err != nil || len(called) != 1 || mapping.ShortName(called[0].Event.Type()) != want {
				t.Fatalf("by the callback it is %v, %v", called, err)
			}
			e := called[0].Event
			check(t, v, facts[1].Event)
			golden(t, "tips/"+tim.GroupTipType(what).String()+".json", indent(t, json.RawMessage(check(t, v, e))))
			if k := called[0].Key; k.Kind != mapping.KeyHash || k != mapping.KeyOfEvent(e) || k.Time != at || k == facts[1].Key {
				t.Errorf("key %+v, of the event %+v", k, mapping.KeyOfEvent(e))
			}
			if e.ID() == facts[1].Event.ID() {
				t.Error("the message and the callback give one id")
			}
		})
	}
}

// TestEveryReport names the first fact of every type of report that the SDK has.
func TestEveryReport(t *testing.T) {
	for what, want := range []string{
		"im.unrecognized", "group.join_requested", "group.member_joined", "group.request_handled", "group.member_kicked",
		"group.dismissed", "group.created", "group.member_joined", "group.member_left", "group.member_changed",
		"group.member_changed", "group.dismissed", "group.invited", "group.request_handled", "group.request_handled",
		"im.unrecognized", "group.custom_notified", "group.member_changed", "im.unrecognized", "im.unrecognized", "im.unrecognized",
		"group.member_changed", "group.member_changed", "group.member_changed", "group.join_requested", "im.unrecognized",
	} {
		facts, err := mapping.FromMessage(observed, report(tim.GroupReportElem{ReportType: tim.GroupReportType(what), OpUser: "alice"}))
		if err != nil || len(facts) == 0 || mapping.ShortName(facts[0].Event.Type()) != want {
			t.Errorf("%s: %v, %v; want %s", tim.GroupReportType(what), facts, err, want)
		}
	}
}

func TestATipIsOneFactWhoeverIsCalled(t *testing.T) {
	called := func(account tim.UserID, tip tim.GroupTipsElem) mapping.Fact {
		t.Helper()
		facts, err := mapping.FromGroupTip(mapping.Observation{App: observed.App, Account: account}, tip)
		if err != nil {
			t.Fatal(err)
		}
		return facts[0]
	}
	for _, what := range []tim.GroupTipType{tim.GroupTipInvite, tim.GroupTipMemberInfoChange, tim.GroupTipTopicInfoChange} {
		a := fullTip(what)
		b := fullTip(what)
		b.GroupName, b.OpUserInfo = "", &tim.UserProfile{Identifier: "alice", FriendRemark: "my sister"}
		if what != tim.GroupTipTopicInfoChange {
			b.MemberNum = 4
		} else {
			b.GroupName = a.GroupName
		}
		fa, fb := called("alice", a), called("bob", b)
		if fa.Key != fb.Key || fa.Event.ID() != fb.Event.ID() {
			t.Errorf("%s: %s and %s", what, fa.Event.ID(), fb.Event.ID())
		}
		c := fullTip(what)
		c.Time++
		d := fullTip(what)
		d.OpUser = "carol"
		for _, other := range []mapping.Fact{called("alice", c), called("alice", d)} {
			if other.Key == fa.Key || other.Event.ID() == fa.Event.ID() {
				t.Errorf("%s: another is taken for it: %s", what, other.Event.ID())
			}
		}
	}
}

func TestTipsWithoutAnIdentity(t *testing.T) {
	v := schemas.New()
	tip := fullTip(tim.GroupTipKick)
	tip.Time = 0
	if _, err := mapping.FromGroupTip(observed, tip); !errors.Is(err, mapping.ErrNoIdentity) {
		t.Error(err)
	}
	numbered, made := observed, observed
	numbered.Number, made.ID = 18, "0190b5f3-0000-7000-8000-000000000001"
	a, err := mapping.FromGroupTip(numbered, tip)
	if err != nil {
		t.Fatal(err)
	}
	check(t, v, a[0].Event)
	if a[0].Key.Kind != mapping.KeyHash || mapping.KeyOfEvent(a[0].Event) != a[0].Key {
		t.Errorf("key %+v", a[0].Key)
	}
	b, err := mapping.FromGroupTip(made, tip)
	if err != nil || b[0].Event.ID() != made.ID || b[0].Key.Kind != mapping.KeyNone || mapping.KeyOfEvent(b[0].Event) != b[0].Key {
		t.Errorf("%+v, %v", b, err)
	}
	nowhere := fullTip(tim.GroupTipKick)
	nowhere.GroupID = ""
	c, err := mapping.FromGroupTip(observed, nowhere)
	if err != nil || c[0].Event.Type() != mapping.TypeUnrecognized || c[0].Event.Subject() != "account/bridge" {
		t.Errorf("%+v, %v", c, err)
	}
	check(t, v, c[0].Event)
}
