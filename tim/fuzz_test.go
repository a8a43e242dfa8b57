package tim_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Whatever JSON object comes, it is decoded, nothing in it is lost, and the
// second round trip changes nothing.
func FuzzMessage(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no samples", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var list []json.RawMessage
		if json.Unmarshal(data, &list) == nil {
			for _, m := range list {
				f.Add([]byte(m))
			}
		}
	}
	f.Add([]byte(`{"message_elem_array":[{"elem_type":12,"merge_elem_message_array":[{"message_elem_array":null}]},"x",null,{"elem_type":"1"}],"message_priority":0,"message_seq":1e3,"x":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if !unambiguous(in) {
			return
		}
		roundTrip[tim.Message](t, in)
	})
}

func FuzzElem(f *testing.F) {
	f.Add([]byte(`{"elem_type":5,"group_tips_elem_user_array":["a"],"group_tips_elem_group_change_info_array":[{"group_tips_group_change_info_flag":-1}]}`))
	f.Add([]byte(`{"elem_type":9,"group_report_elem_op_user_info":{"user_profile_custom_string_array":[{}]}}`))
	f.Add([]byte(`{"elem_type":7,"location_elem_latitude":22.54,"location_elem_longitude":1e308}`))
	f.Add([]byte(`[{"elem_type":0}]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := tim.UnmarshalElem(in)
		if err != nil {
			if json.Valid(in) {
				t.Fatalf("valid JSON is refused: %v", err)
			}
			return
		}
		if !unambiguous(in) && json.Valid(in) && in[0] == '{' {
			return
		}
		out := marshal(t, e)
		if diff := lost(decode(t, in), decode(t, out)); diff != "" {
			t.Fatalf("lost %s\n in: %s\nout: %s", diff, in, out)
		}
	})
}

func FuzzObjects(f *testing.F) {
	f.Add([]byte(`{"conv_id":"a","conv_last_msg":{"message_elem_array":[]},"conv_mark_array":[1],"conv_draft":{"draft_msg":{}}}`))
	f.Add([]byte(`{"create_group_param_group_member_array":[{"group_member_info_custom_info":{}}],"create_group_param_add_option":0}`))
	f.Add([]byte(`{"sdk_config_device_info":{"device_info_platform":1},"sdk_config_main_thread_id":-1}`))
	f.Add([]byte(`{"group_modify_info_param_modify_flag":2147484415,"group_modify_info_param_is_shutup_all":0,"group_modify_info_param_owner":""}`))
	f.Add([]byte(`{"group_modify_member_info_modify_flag":31,"group_modify_member_info_shutup_time":4294967295,"group_modify_member_info_member_role":2}`))
	f.Add([]byte(`{"group_detail_info_group_type":2,"group_detail_info_add_option":0,"group_detail_info_visible":true,"get_groups_info_result_info":null}`))
	f.Add([]byte(`{"group_pendency_form_identifier":"a","group_pendency_handled":-1,"group_handle_pendency_param_pendency":{"group_pendency_key":null}}`))
	f.Add([]byte(`{"group_get_member_info_list_result_info_array":[{"group_member_info_identifier":"a"}],"group_pendency_result_pendency_array":[{}]}`))
	f.Add([]byte(`{"msg_batch_send_param_msg":{"message_elem_array":[{"elem_type":0}]},"msg_batch_send_result_msg":[],"msg_receipt_read_count":3}`))
	f.Add([]byte(`{"user_profile_item_gender":0,"user_profile_item_birthday":null,"user_status_online_devices":["Web"]}`))
	f.Add([]byte(`{"message_locator_conv_id":true,"group_invite_member_result_result":1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if !unambiguous(in) {
			return
		}
		for _, value := range objects {
			typ := reflect.TypeOf(value)
			roundTripOf(t, in, reflect.New(typ).Interface(), reflect.New(typ).Interface())
		}
	})
}

func FuzzUserSig(f *testing.F) {
	f.Add(tim.SignUserSig(1400000000, "key", "alice", time.Hour, time.Unix(1700000000, 0)), "alice")
	f.Add("eJyqVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwhWZiflZpXlQqeKU7MSCgswUJStDEwMogMikVhRkFqUqWRmampoawUVLMnNBYuaoaosz05WslHzKHM1T9D3LzdODi-OKs8vCqpxcAvydnV2SSv2cy03cPcpDnA2SMgu0nUxslWq5AAEAAP--38Mx-A__", "xiaojun")
	f.Fuzz(func(t *testing.T, sig, user string) {
		now := time.Unix(1700000000, 0)
		_ = tim.VerifyUserSig(1400000000, "key", tim.UserID(user), sig, now)
		if c, err := tim.ParseUserSig(sig); err == nil {
			_ = c.ExpiresAt().Format(time.RFC3339)
		} else if e, ok := tim.AsError(err); !ok || e.Code == tim.CodeOK || e.Desc == "" {
			t.Fatalf("refused without a reason: %v", err)
		}
	})
}

// unambiguous says that in is a JSON object in which no key comes twice in an
// object: of two, only the last is kept, and a generic decoder may merge them.
func unambiguous(in []byte) bool {
	if !json.Valid(in) {
		return false
	}
	var v map[string]any
	if json.Unmarshal(in, &v) != nil || v == nil {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	return uniqueKeys(d)
}

// uniqueKeys reads one value and says whether the keys of every object in it differ.
func uniqueKeys(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return true
	}
	seen := map[any]bool{}
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil || seen[key] {
				return false
			}
			seen[key] = true
		}
		if !uniqueKeys(d) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}
