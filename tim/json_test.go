package tim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func TestRoundTripOfSamples(t *testing.T) {
	t.Run("received messages", func(t *testing.T) {
		for _, file := range []string{"received-text.json", "received-group-report.json"} {
			roundTrip[[]tim.Message](t, read(t, file))
		}
	})
	t.Run("params", func(t *testing.T) {
		roundTrip[tim.CreateGroupParam](t, read(t, "create-group-param.json"))
		roundTrip[tim.GroupInviteMemberParam](t, read(t, "group-invite-member.json"))
		roundTrip[tim.GroupDeleteMemberParam](t, read(t, "group-delete-member.json"))
		batch := roundTrip[tim.MsgBatchSendParam](t, read(t, "batch-send-param.json"))
		if len(batch.Identifiers) != 2 || batch.Msg.Elems[0].(tim.TextElem).Content != "this is batch send msg" {
			t.Errorf("read as %+v", batch)
		}
		modify := roundTrip[tim.GroupModifyInfoParam](t, read(t, "group-modify-name-notification.json"))
		if modify.ModifyFlag != tim.ModifyGroupName|tim.ModifyGroupNotification || modify.Notification != "first group notification" {
			t.Errorf("read as %+v", modify)
		}
	})
	var echoes map[string]struct {
		Params json.RawMessage `json:"json_params"`
	}
	if err := json.Unmarshal(read(t, "sdk-8.0-send-echo.json"), &echoes); err != nil {
		t.Fatal(err)
	}
	for name, echo := range echoes {
		if len(echo.Params) == 0 || echo.Params[0] != '{' {
			continue
		}
		t.Run(name, func(t *testing.T) {
			msg := roundTrip[tim.Message](t, echo.Params)
			if len(msg.Extra) > 0 {
				t.Errorf("the SDK's own message has keys we do not know: %v", msg.Extra)
			}
			for _, e := range msg.Elems {
				if _, unknown := e.(tim.UnknownElem); unknown {
					t.Errorf("the SDK's own element is unknown: %v", e)
				}
			}
		})
	}
}

func TestMessageJSON(t *testing.T) {
	high := tim.PriorityHigh
	tests := map[string]struct {
		in   string
		want tim.Message // compared by what it says, through JSON
		out  string      // "" means as in
	}{
		"text": {
			in:   `{"message_elem_array":[{"elem_type":0,"text_elem_content":"hi"}],"message_conv_id":"bob","message_conv_type":1}`,
			want: tim.Message{ConvID: "bob", ConvType: tim.ConvC2C, Elems: []tim.Elem{tim.TextElem{Content: "hi"}}},
		},
		"a priority of zero is high, none is the default": {
			in:   `{"message_elem_array":[],"message_priority":0}`,
			want: tim.Message{Priority: &high},
		},
		"zeros that were there come back": {
			in: `{"message_elem_array":[],"message_is_from_self":false,"message_seq":0,"message_custom_str":"","message_group_at_user_array":[]}`,
		},
		"unknown keys come back": {
			in: `{"message_elem_array":[],"a":{"b":[1,null]},"message_next":"x"}`,
			want: tim.Message{Extra: map[string]json.RawMessage{
				"a": json.RawMessage(`{"b":[1,null]}`), "message_next": json.RawMessage(`"x"`)}},
		},
		"a value of another type comes back, and the field is zero": {
			in: `{"message_elem_array":[],"message_conv_id":17,"message_seq":-5,"message_is_read":"yes","message_sender_profile":[]}`,
			want: tim.Message{Extra: map[string]json.RawMessage{
				"message_conv_id": json.RawMessage(`17`), "message_seq": json.RawMessage(`-5`),
				"message_is_read": json.RawMessage(`"yes"`), "message_sender_profile": json.RawMessage(`[]`)}},
		},
		"null comes back": {in: `{"message_elem_array":null,"message_conv_id":null}`},
		"numbers written as fractions": {
			in:   `{"message_elem_array":[],"message_server_time":1.7e9,"message_rand":2207687390.0}`,
			want: tim.Message{ServerTime: 1700000000, Rand: 2207687390},
			out:  `{"message_elem_array":[],"message_server_time":1700000000,"message_rand":2207687390}`,
		},
		"the largest number": {
			in:   `{"message_elem_array":[],"message_unique_id":18446744073709551615}`,
			want: tim.Message{UniqueID: 1<<64 - 1},
		},
		"a number too large is kept": {in: `{"message_elem_array":[],"message_unique_id":18446744073709551616}`},
		"of a key given twice the last counts": {
			in:   `{"message_elem_array":[],"message_seq":"x","message_seq":4,"message_rand":4,"message_rand":"x"}`,
			want: tim.Message{Seq: 4, Extra: map[string]json.RawMessage{"message_rand": json.RawMessage(`"x"`)}},
			out:  `{"message_elem_array":[],"message_rand":"x","message_seq":4}`,
		},
		"text of all kinds": {
			in:   `{"message_elem_array":[{"elem_type":0,"text_elem_content":"你好 \"\\\n\u0001 👋 \ud83d\udc4b </b> \u2028"}]}`,
			want: tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "你好 \"\\\n\u0001 👋 👋 </b> \u2028"}}},
		},
		"every element is decoded": {
			in: `{"message_elem_array":[{"elem_type":3,"custom_elem_data":"1"},{"elem_type":0,"text_elem_content":"2"},{"elem_type":99,"x":3}]}`,
			want: tim.Message{Elems: []tim.Elem{tim.CustomElem{Data: "1"}, tim.TextElem{Content: "2"},
				tim.UnknownElem{Type: 99, Raw: json.RawMessage(`{"elem_type":99,"x":3}`)}}},
		},
		"space is no matter": {
			in:   " {\n\t\"message_elem_array\" : [ ] , \"message_seq\" : 4 } ",
			want: tim.Message{Seq: 4},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			msg := roundTrip[tim.Message](t, []byte(tt.in))
			if tt.out == "" {
				tt.out = tt.in
			}
			if got := string(marshal(t, msg)); lost(decode(t, []byte(tt.out)), decode(t, []byte(got))) != "" || lost(decode(t, []byte(got)), decode(t, []byte(tt.out))) != "" {
				t.Errorf("came back as %s", got)
			}
			if reflect.DeepEqual(tt.want, tim.Message{}) {
				return
			}
			if !reflect.DeepEqual(msg, tt.want) && !bytes.Equal(marshal(t, msg), marshal(t, tt.want)) {
				t.Errorf("decoded as %+v, want %+v", msg, tt.want)
			}
		})
	}
}

func TestElemIsWhatItsKeysSay(t *testing.T) {
	tests := map[string]struct {
		in   string
		want tim.ElemType
		kind string
	}{
		"as it says":                      {`{"elem_type":1,"image_elem_orig_path":"a"}`, tim.ElemImage, "tim.ImageElem"},
		"documented with another type":    {`{"elem_type":9,"group_report_elem_report_type":6}`, tim.ElemGroupReport, "tim.GroupReportElem"},
		"a tip of an old number":          {`{"elem_type":6,"group_tips_elem_tip_type":1}`, tim.ElemGroupTips, "tim.GroupTipsElem"},
		"no type":                         {`{"text_elem_content":"x"}`, tim.ElemText, "tim.TextElem"},
		"a type as a string":              {`{"elem_type":"0","text_elem_content":"x"}`, tim.ElemText, "tim.TextElem"},
		"no keys":                         {`{"elem_type":3}`, tim.ElemCustom, "tim.CustomElem"},
		"nothing at all":                  {`{}`, tim.ElemInvalid, "tim.UnknownElem"},
		"a type of its own":               {`{"elem_type":10,"friend_change_elem_change_type":1}`, tim.ElemFriendChange, "tim.UnknownElem"},
		"keys of two types, one said":     {`{"elem_type":0,"text_elem_content":"x","custom_elem_data":"y"}`, tim.ElemText, "tim.TextElem"},
		"keys of two types, another said": {`{"elem_type":5,"text_elem_content":"x","custom_elem_data":"y"}`, tim.ElemGroupTips, "tim.UnknownElem"},
		"a type out of range":             {`{"elem_type":4294967296,"x_elem_y":1}`, tim.ElemInvalid, "tim.UnknownElem"},
		"a string":                        {`"x"`, tim.ElemInvalid, "tim.UnknownElem"},
		"null":                            {`null`, tim.ElemInvalid, "tim.UnknownElem"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := tim.UnmarshalElem([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%T", e); got != tt.kind || e.ElemType() != tt.want {
				t.Errorf("%s of type %v, want %s of type %v", got, e.ElemType(), tt.kind, tt.want)
			}
			if diff := lost(decode(t, []byte(tt.in)), decode(t, marshal(t, e))); diff != "" {
				t.Errorf("came back without %s: %s", diff, marshal(t, e))
			}
		})
	}
}

// A merger holds messages, which hold mergers; beyond a depth they are kept
// raw, and nothing is lost either.
func TestMergersInMergers(t *testing.T) {
	in := `{"message_elem_array":[]}`
	for range 300 {
		in = `{"message_elem_array":[{"elem_type":12,"merge_elem_title":"t","merge_elem_abstract_array":[],"merge_elem_compatible_text":"","merge_elem_message_array":[` + in + `]}]}`
	}
	msg := roundTrip[tim.Message](t, []byte(in))
	depth := 0
	for {
		m, ok := msg.Elems[0].(tim.MergerElem)
		if !ok || len(m.Messages) == 0 {
			break
		}
		msg, depth = m.Messages[0], depth+1
	}
	if depth < 10 {
		t.Errorf("only %d layers are decoded", depth)
	}
}

// The SDK's quick start gives a member's role as kTIMGroupMemberRoleFlag_Member.
func TestRoleFlagsAreRoles(t *testing.T) {
	for flag, want := range map[int]tim.GroupMemberRole{0: tim.RoleNone, 1: tim.RoleOwner, 2: tim.RoleAdmin, 4: tim.RoleMember, 200: tim.RoleMember, 300: tim.RoleAdmin, 400: tim.RoleOwner, 7: 7} {
		var m tim.GroupMemberInfo
		if err := json.Unmarshal(fmt.Appendf(nil, `{"group_member_info_identifier":"a","group_member_info_member_role":%d}`, flag), &m); err != nil {
			t.Fatal(err)
		}
		if m.MemberRole != want {
			t.Errorf("%d is read as %v, want %v", flag, m.MemberRole, want)
		}
	}
}

// The configuration that the SDK's quick start initialises with.
func TestConfigOfTheQuickStart(t *testing.T) {
	in := `{"sdk_config_log_file_path":"p","sdk_config_config_file_path":"p","sdk_config_account_type":"107","sdk_config_device_info":{"device_info_dev_id":"12345678","device_info_platform":1,"device_info_dev_type":""}}`
	c := roundTrip[tim.Config](t, []byte(in))
	if c.AccountType != "107" || c.DeviceInfo == nil || c.DeviceInfo.DevID != "12345678" || c.DeviceInfo.Platform != tim.PlatformWindows {
		t.Errorf("read as %+v", c)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, in := range []string{``, `{`, `[]`, `"x"`, `3`, `null x`, `{"message_elem_array":}`} {
		msg := tim.Message{ConvID: "old"}
		if err := msg.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%q is taken for a message", in)
		}
		if _, err := tim.UnmarshalElem([]byte(in)); err == nil && !json.Valid([]byte(in)) {
			t.Errorf("%q is taken for an element", in)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	tests := map[string]tim.Message{
		"no element":        {Elems: []tim.Elem{nil}},
		"raw is not JSON":   {Elems: []tim.Elem{tim.UnknownElem{Raw: json.RawMessage(`{`)}}},
		"raw breaks out":    {Elems: []tim.Elem{tim.UnknownElem{Raw: json.RawMessage(`{}],"message_sender":"root","x":[{}`)}}},
		"extra is not JSON": {Extra: map[string]json.RawMessage{"x": json.RawMessage(`1,"message_sender":"root"`)}},
	}
	for name, msg := range tests {
		t.Run(name, func(t *testing.T) {
			if out, err := json.Marshal(msg); err == nil {
				t.Errorf("marshalled as %s", out)
			}
		})
	}
}

// Elements may be given by pointer too.
func TestElementsByPointer(t *testing.T) {
	got := marshal(t, tim.Message{Elems: []tim.Elem{&tim.TextElem{Content: "x"}, &tim.UnknownElem{Type: 40}}})
	if want := `{"message_elem_array":[{"elem_type":0,"text_elem_content":"x"},{"elem_type":40}]}`; string(got) != want {
		t.Errorf("marshalled as %s", got)
	}
}

func TestUnknownElemKeepsWhatItIs(t *testing.T) {
	var e tim.UnknownElem
	if err := json.Unmarshal([]byte(` {"elem_type":40, "x":[1]} `), &e); err != nil || e.Type != 40 || string(e.Raw) != `{"elem_type":40, "x":[1]}` {
		t.Errorf("read as %v %s, %v", e.Type, e.Raw, err)
	}
	if err := e.UnmarshalJSON([]byte(`{"elem_type":`)); err == nil {
		t.Error("half an element is taken")
	}
}

func TestLocatorOfAMessage(t *testing.T) {
	msg := tim.Message{ConvID: "bob", ConvType: tim.ConvC2C, ServerTime: 1, Seq: 2, Rand: 3, UniqueID: 4, IsFromSelf: true, Status: tim.MsgRevoked}
	want := tim.MsgLocator{ConvID: "bob", ConvType: tim.ConvC2C, Time: 1, Seq: 2, Rand: 3, UniqueID: 4, IsSelf: true, IsRevoked: true}
	if got := msg.Locator(); !reflect.DeepEqual(got, want) || got.Conversation() != tim.C2C("bob") || msg.Conversation() != tim.C2C("bob") {
		t.Errorf("named by %+v", got)
	}
}

func TestUnmarshalReplacesEverything(t *testing.T) {
	msg := tim.Message{ConvID: "old", Seq: 4, Extra: map[string]json.RawMessage{"x": json.RawMessage(`1`)}}
	if err := json.Unmarshal([]byte(`{"message_elem_array":[]}`), &msg); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(msg, tim.Message{Elems: nil}) && string(marshal(t, msg)) != `{"message_elem_array":[]}` {
		t.Errorf("left over: %+v", msg)
	}
}

// roundTrip decodes, checks that nothing is lost when it is encoded, and that
// the second time nothing changes.
func roundTrip[T any](t *testing.T, in []byte) (v T) {
	t.Helper()
	roundTripOf(t, in, &v, new(T))
	return v
}

// roundTripOf does so with v and again, pointers to two zero values of one type.
func roundTripOf(t *testing.T, in []byte, v, again any) {
	t.Helper()
	if err := json.Unmarshal(in, v); err != nil {
		t.Fatalf("%v: %s", err, in)
	}
	out := marshal(t, v)
	if diff := lost(decode(t, in), decode(t, out)); diff != "" {
		t.Fatalf("%T lost %s\n in: %s\nout: %s", v, diff, in, out)
	}
	if err := json.Unmarshal(out, again); err != nil {
		t.Fatalf("what was written is not read: %v: %s", err, out)
	}
	if twice := marshal(t, again); !bytes.Equal(out, twice) {
		t.Fatalf("%T is not the same the second time\n1st: %s\n2nd: %s", v, out, twice)
	}
}

// lost names the first thing in a decoded value that is not in another.
func lost(in, out any) string {
	switch in := in.(type) {
	case map[string]any:
		m, ok := out.(map[string]any)
		if !ok {
			return fmt.Sprint(in)
		}
		for key, value := range in {
			got, there := m[key]
			if strings.HasSuffix(key, "_member_role") || key == "group_self_info_role" { // flags become roles
				continue
			}
			if diff := lost(value, got); diff != "" || !there {
				return key + ": " + diff
			}
		}
		return ""
	case []any:
		list, ok := out.([]any)
		if !ok || len(in) != len(list) {
			return fmt.Sprint(in)
		}
		for i := range in {
			if diff := lost(in[i], list[i]); diff != "" {
				return strconv.Itoa(i) + ": " + diff
			}
		}
		return ""
	case json.Number:
		n, ok := out.(json.Number)
		a, errA := in.Float64()
		b, errB := n.Float64()
		if ok && (in == n || errA == nil && errB == nil && a == b) {
			return ""
		}
		return in.String()
	}
	if !reflect.DeepEqual(in, out) {
		return fmt.Sprintf("%#v", in)
	}
	return ""
}

func decode(t *testing.T, data []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tsv(t *testing.T, file string) (lines [][]string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		lines = append(lines, strings.Split(line, "\t"))
	}
	return lines
}
