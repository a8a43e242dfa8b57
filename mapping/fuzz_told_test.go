package mapping_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// factsOf maps what a report brings besides messages and revocations.
func factsOf(o mapping.Observation, e tim.Event) ([]mapping.Fact, error) {
	var facts []mapping.Fact
	add := func(f mapping.Fact, err error) error {
		facts = append(facts, f)
		return err
	}
	var err error
	switch e := e.(type) {
	case tim.MessagesModified:
		for _, m := range e.Messages {
			if err = add(mapping.FromModified(o, m)); err != nil {
				return nil, err
			}
		}
	case tim.MessagesRead:
		for _, r := range e.Receipts {
			if err = add(mapping.FromReceipt(o, r)); err != nil {
				return nil, err
			}
		}
	case tim.GroupTipped:
		facts, err = mapping.FromGroupTip(o, e.Tip)
	case tim.StatusesChanged:
		for _, s := range e.Statuses {
			if err = add(mapping.FromStatus(o, s)); err != nil {
				return nil, err
			}
		}
	case tim.ProfilesChanged:
		for _, p := range e.Profiles {
			if err = add(mapping.FromProfile(o, p)); err != nil {
				return nil, err
			}
		}
	}
	return facts, err
}

// FuzzFromEvent holds what every report brings to what every fact must be.
func FuzzFromEvent(f *testing.F) {
	extra := map[string]json.RawMessage{"new": json.RawMessage(`{"a":[1]}`)}
	for _, tt := range messages {
		if raw, err := tim.MarshalEvent(tim.MessagesModified{Messages: []tim.Message{tt.m}}); err == nil {
			f.Add("bridge", uint64(18), raw)
		}
	}
	for _, e := range []tim.Event{
		tim.MessagesRead{Receipts: []tim.MessageReceipt{
			{ConvID: "alice", ConvType: tim.ConvC2C, TimeStamp: at, Extra: extra}, {ConvID: "team", ConvType: tim.ConvGroup, MsgID: "m", ReadCount: 1}, {},
		}},
		tim.GroupTipped{Tip: fullTip(tim.GroupTipInvite)},
		tim.GroupTipped{Tip: fullTip(tim.GroupTipPinnedMessageAdded)},
		tim.GroupTipped{Tip: fullTip(77)},
		tim.StatusesChanged{Statuses: []tim.UserStatus{{Identifier: "alice", StatusType: tim.UserStatusOnline, OnlineDevices: []string{"Web"}, Extra: extra}, {}}},
		tim.ProfilesChanged{Profiles: []tim.UserProfile{{Identifier: "alice", NickName: "A", CustomStrings: []tim.UserProfileCustomString{{Key: "k"}}}, {}}},
	} {
		raw, err := tim.MarshalEvent(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("bridge", uint64(18), raw)
	}
	v := schemas.New()
	f.Fuzz(func(t *testing.T, account string, number uint64, raw []byte) {
		e, err := tim.UnmarshalEvent(raw)
		if account == "" || !utf8.ValidString(account) || number == 0 || err != nil {
			return
		}
		o := mapping.Observation{App: observed.App, Account: tim.UserID(account), Number: number}
		facts, err := factsOf(o, e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := factsOf(o, e)
		if err != nil || len(again) != len(facts) {
			t.Fatal(err)
		}
		for i, fact := range facts {
			e := fact.Event
			if err := e.Validate(); err != nil {
				t.Fatalf("event %q: %v", e.ID(), err)
			}
			if fact.Key.Kind != mapping.KeyHash || mapping.KeyOfEvent(e) != fact.Key {
				t.Fatalf("event %q: KeyOfEvent gives %+v, the fact has %+v", e.ID(), mapping.KeyOfEvent(e), fact.Key)
			}
			if again[i].Event.ID() != e.ID() || again[i].Key != fact.Key {
				t.Fatalf("told again, %q is %q", e.ID(), again[i].Event.ID())
			}
			if err := v.Validate(e.Type(), e.Data()); err != nil && !beyond(raw) {
				t.Fatalf("event %q: %v\n%s", e.ID(), err, e.Data())
			}
			body, err := mapping.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			back, err := mapping.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			if sdkJSON(t, back) != sdkJSON(t, e) {
				t.Fatalf("not the same:\n%s\n%s", sdkJSON(t, e), sdkJSON(t, back))
			}
		}
	})
}

// beyond says whether JSON has what the service never has: names of nobody, and
// numbers that the schemas do not reach.
func beyond(raw []byte) bool {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return true
	}
	var strange func(any) bool
	strange = func(v any) bool {
		switch v := v.(type) {
		case string:
			return v == ""
		case float64:
			return v >= 1<<53 || v < 0
		case []any:
			for _, item := range v {
				if strange(item) {
					return true
				}
			}
		case map[string]any:
			for _, item := range v {
				if strange(item) {
					return true
				}
			}
		}
		return false
	}
	return strange(value)
}

// FuzzCopyElements holds the elements of every message to this: put into a
// command they are a command, or refused with a reason that says where.
func FuzzCopyElements(f *testing.F) {
	for _, tt := range messages {
		if raw, err := json.Marshal(tt.m); err == nil {
			f.Add(raw)
		}
	}
	c := &mapping.Commands{Schemas: schemas.New()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m tim.Message
		if json.Unmarshal(raw, &m) != nil {
			return
		}
		m.ConvType, m.ConvID, m.Sender, m.Status, m.Seq = tim.ConvGroup, "team", "alice", tim.MsgSendSucc, 7
		facts, err := mapping.FromMessage(observed, m)
		if err != nil {
			t.Fatal(err)
		}
		var data map[string]json.RawMessage
		if err := json.Unmarshal(facts[0].Event.Data(), &data); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]json.RawMessage{"conversation": data["conversation"], "elements": data["elements"]})
		if err != nil {
			t.Fatal(err)
		}
		cmd, err := c.ToCommand(commandEvent(t, mapping.TypeCommandSend, string(body)))
		if err != nil {
			if r, ok := mapping.AsReject(err); !ok || r.Message == "" || r.Field == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if len(cmd.Send.Message.Elems) != len(m.Elems) {
			t.Fatalf("%d elements became %d", len(m.Elems), len(cmd.Send.Message.Elems))
		}
		for i, elem := range cmd.Send.Message.Elems {
			if elem.ElemType() != m.Elems[i].ElemType() {
				t.Fatalf("element %d was %s and is %s", i, m.Elems[i].ElemType(), elem.ElemType())
			}
		}
		for _, file := range cmd.Send.Media {
			if err := file.SetFile(cmd.Send.Message.Elems, "f", 1); err != nil {
				t.Fatal(err)
			}
		}
	})
}
