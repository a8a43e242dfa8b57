package mapping_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

func TestFromModified(t *testing.T) {
	v := schemas.New()
	group := groupMessage(tim.TextElem{Content: "The parcel is at the west gate."})
	group.Version, group.CloudCustomStr = 2, "c"
	c2c := c2cMessage(tim.FaceElem{Index: 3})
	c2c.Version = 1
	unversioned := groupMessage(tim.TextElem{Content: "a"})
	for _, tt := range []struct {
		name, wantType, wantID string
		m                      tim.Message
	}{
		{"in a group", "message.modified", "group/team/45/modified/2", group},
		{"between two users", "message.modified", "c2c/alice/bridge/7/3141592653/1795420800/modified/1", c2c},
		{"without a version", "message.modified", "", unversioned},
		{"of nothing", "im.unrecognized", "", tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "a"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := mapping.FromModified(observed, tt.m)
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
			if k := mapping.KeyOfModified(observed.Account, tt.m); tt.wantID != "" && k != f.Key || tt.wantID == "" && k != (mapping.Key{}) {
				t.Errorf("KeyOfModified gives %+v, the fact has %+v", k, f.Key)
			}
			golden(t, "facts/"+fileName("modified "+tt.name), indent(t, json.RawMessage(body)))
		})
	}
	t.Run("another change is another fact", func(t *testing.T) {
		a, err := mapping.FromModified(observed, unversioned)
		if err != nil {
			t.Fatal(err)
		}
		later := groupMessage(tim.TextElem{Content: "b"})
		b, err := mapping.FromModified(observed, later)
		if err != nil || a.Key == b.Key || a.Event.ID() == b.Event.ID() {
			t.Errorf("%s and %s, %v", a.Event.ID(), b.Event.ID(), err)
		}
	})
	t.Run("both sides tell one", func(t *testing.T) {
		own := c2c
		own.ConvID, own.Sender = "bridge", "alice"
		a, err := mapping.FromModified(mapping.Observation{App: observed.App, Account: "alice"}, own)
		if err != nil {
			t.Fatal(err)
		}
		b, err := mapping.FromModified(observed, c2c)
		if err != nil || a.Key != b.Key || string(a.Event.Data()) != string(b.Event.Data()) {
			t.Errorf("%s and %s, %v", a.Event.ID(), b.Event.ID(), err)
		}
	})
}

func TestFromReceipt(t *testing.T) {
	v := schemas.New()
	for _, tt := range []struct {
		name, wantType, wantID string
		r                      tim.MessageReceipt
	}{
		{"of a talk", "message.read", "c2c/alice/bridge/read/alice/1795420800",
			tim.MessageReceipt{ConvID: "alice", ConvType: tim.ConvC2C, TimeStamp: at, IsPeerRead: true}},
		{"of a message of a talk", "message.read", "c2c/alice/bridge/read/alice/1795420800/m-1",
			tim.MessageReceipt{ConvID: "alice", ConvType: tim.ConvC2C, MsgID: "m-1", TimeStamp: at, IsPeerRead: true,
				Extra: map[string]json.RawMessage{"msg_receipt_new": json.RawMessage(`1`)}}},
		{"of a message of a group", "message.read", "group/team/read/m-1/2-0",
			tim.MessageReceipt{ConvID: "team", ConvType: tim.ConvGroup, MsgID: "m-1", ReadCount: 2}},
		{"of a group", "im.unrecognized", "", tim.MessageReceipt{ConvID: "team", ConvType: tim.ConvGroup, TimeStamp: at}},
		{"of nothing", "im.unrecognized", "", tim.MessageReceipt{MsgID: "m-1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := mapping.FromReceipt(observed, tt.r)
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
			if got := mapping.KeyOfEvent(f.Event); got != f.Key || f.Key.Kind != mapping.KeyHash || f.Key.Time != int64(tt.r.TimeStamp) {
				t.Errorf("keys %+v and %+v", f.Key, got)
			}
			golden(t, "facts/"+fileName("read "+tt.name), indent(t, json.RawMessage(body)))
		})
	}
}

func TestFactsOfUsers(t *testing.T) {
	v := schemas.New()
	made, numbered := observed, observed
	made.ID, numbered.Number = "0190b5f3-0000-7000-8000-000000000001", 18
	extra := map[string]json.RawMessage{"new": json.RawMessage(`{"a": 1}`)}
	for _, tt := range []struct {
		name, wantType, wantSubject string
		from                        func(mapping.Observation) (mapping.Fact, error)
	}{
		{"status", "user.status_changed", "account/alice", func(o mapping.Observation) (mapping.Fact, error) {
			return mapping.FromStatus(o, tim.UserStatus{
				Identifier: "alice", StatusType: tim.UserStatusOnline, CustomStatus: "on tour", OnlineDevices: []string{"Android"}, Extra: extra,
			})
		}},
		{"status that is not known", "user.status_changed", "account/alice", func(o mapping.Observation) (mapping.Fact, error) {
			return mapping.FromStatus(o, tim.UserStatus{Identifier: "alice", StatusType: 9})
		}},
		{"status of nobody", "im.unrecognized", "account/bridge", func(o mapping.Observation) (mapping.Fact, error) {
			return mapping.FromStatus(o, tim.UserStatus{StatusType: tim.UserStatusOnline})
		}},
		{"profile", "user.profile_changed", "account/alice", func(o mapping.Observation) (mapping.Fact, error) {
			return mapping.FromProfile(o, tim.UserProfile{
				Identifier: "alice", NickName: "Alice", Gender: tim.GenderFemale, FaceURL: "https://example.com/a.png", FriendRemark: "my sister",
				SelfSignature: "s", AddPermission: tim.AddPermissionNeedConfirm, Location: "l", Language: 1, Birthday: 19990131, Level: 2, Role: 3,
				CustomStrings: []tim.UserProfileCustomString{{Key: "Tag_Profile_Custom_Depot", Value: "north"}}, Extra: extra,
			})
		}},
		{"profile of nothing", "user.profile_changed", "account/alice", func(o mapping.Observation) (mapping.Fact, error) {
			return mapping.FromProfile(o, tim.UserProfile{Identifier: "alice"})
		}},
		{"profile of nobody", "im.unrecognized", "account/bridge", func(o mapping.Observation) (mapping.Fact, error) {
			return mapping.FromProfile(o, tim.UserProfile{NickName: "Alice"})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := tt.from(numbered)
			if err != nil {
				t.Fatal(err)
			}
			body := check(t, v, f.Event)
			if got := mapping.ShortName(f.Event.Type()); got != tt.wantType || f.Event.Subject() != tt.wantSubject {
				t.Errorf("type %s, subject %s", got, f.Event.Subject())
			}
			if got := mapping.KeyOfEvent(f.Event); got != f.Key || f.Key.Kind != mapping.KeyHash {
				t.Errorf("keys %+v and %+v", f.Key, got)
			}
			again, err := tt.from(numbered)
			if err != nil || again.Event.ID() != f.Event.ID() || again.Key != f.Key {
				t.Errorf("delivered again it is %s, %v, before %s", again.Event.ID(), err, f.Event.ID())
			}
			golden(t, "facts/"+fileName("user "+tt.name), indent(t, json.RawMessage(body)))

			other, err := tt.from(made)
			if err != nil || other.Event.ID() != made.ID || other.Key.Kind != mapping.KeyNone || mapping.KeyOfEvent(other.Event) != other.Key {
				t.Errorf("%+v, %v", other, err)
			}
			if _, err := tt.from(observed); !errors.Is(err, mapping.ErrNoIdentity) {
				t.Error(err)
			}
		})
	}
}
