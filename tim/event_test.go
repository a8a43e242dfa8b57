package tim_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

func TestEventRoundTrip(t *testing.T) {
	tests := map[string]struct {
		event tim.Event
		json  string
	}{
		"messages": {
			tim.MessagesReceived{Messages: []tim.Message{{Elems: []tim.Elem{tim.TextElem{Content: "hi"}}, Seq: 7}}},
			`{"callback":"TIMRecvNewMsgCallback","args":{"json_msg_array":[{"message_elem_array":[{"elem_type":0,"text_elem_content":"hi"}],"message_seq":7}]}}`,
		},
		"revoked": {
			tim.MessagesRevoked{Locators: []tim.MsgLocator{{ConvID: "bob", ConvType: tim.ConvC2C, IsRevoked: true, Time: 1, Seq: 2, IsSelf: true, Rand: 3, UniqueID: 4}}},
			`{"callback":"TIMMsgRevokeCallback","args":{"json_msg_revoke_info_array":[{"message_locator_conv_id":"bob","message_locator_conv_type":1,"message_locator_is_revoked":true,"message_locator_time":1,"message_locator_seq":2,"message_locator_is_self":true,"message_locator_rand":3,"message_locator_unique_id":4}]}}`,
		},
		"kicked":  {tim.KickedOffline{}, `{"callback":"TIMKickedOfflineCallback","args":{}}`},
		"expired": {tim.UserSigExpired{}, `{"callback":"TIMUserSigExpiredCallback","args":{}}`},
		"connection": {
			tim.ConnectionChanged{Status: tim.NetworkDisconnected, Code: tim.CodeSDKNetDisconnect, Desc: "a \"b\""},
			`{"callback":"TIMNetworkStatusListenerCallback","args":{"status":1,"code":9508,"desc":"a \"b\""}}`,
		},
		"modified": {
			tim.MessagesModified{Messages: []tim.Message{{Elems: []tim.Elem{tim.TextElem{Content: "hi!"}}, Seq: 7, Version: 2}}},
			`{"callback":"TIMMsgUpdateCallback","args":{"json_msg_array":[{"message_elem_array":[{"elem_type":0,"text_elem_content":"hi!"}],"message_version":2,"message_seq":7}]}}`,
		},
		"a talk was read": {
			tim.MessagesRead{Receipts: []tim.MessageReceipt{{ConvID: "bob", ConvType: tim.ConvC2C, TimeStamp: 1, IsPeerRead: true}}},
			`{"callback":"TIMMsgReadedReceiptCallback","args":{"json_msg_read_receipt_array":[{"msg_receipt_conv_id":"bob","msg_receipt_conv_type":1,"msg_receipt_time_stamp":1,"msg_receipt_is_peer_read":true,"msg_receipt_read_count":0,"msg_receipt_unread_count":0}]}}`,
		},
		"a group's tip": {
			tim.GroupTipped{Tip: tim.GroupTipsElem{TipType: tim.GroupTipKick, OpUser: "alice", GroupID: "g", Users: []tim.UserID{"bob"}, MemberNum: 2}},
			`{"callback":"TIMGroupTipsEventCallback","args":{"json_group_tip":{"elem_type":5,"group_tips_elem_tip_type":3,"group_tips_elem_op_user":"alice","group_tips_elem_group_id":"g","group_tips_elem_user_array":["bob"],"group_tips_elem_member_num":2}}}`,
		},
		"statuses": {
			tim.StatusesChanged{Statuses: []tim.UserStatus{{Identifier: "bob", StatusType: tim.UserStatusOnline, CustomStatus: "busy", OnlineDevices: []string{"Web"}}, {Identifier: "carol"}}},
			`{"callback":"TIMUserStatusChangedCallback","args":{"json_user_status_array":[{"user_status_identifier":"bob","user_status_status_type":1,"user_status_custom_status":"busy","user_status_online_devices":["Web"]},{"user_status_identifier":"carol","user_status_status_type":0}]}}`,
		},
		"profiles": {
			tim.ProfilesChanged{Profiles: []tim.UserProfile{{Identifier: "bob", NickName: "Bob"}}},
			`{"callback":"TIMUserInfoChangedCallback","args":{"json_user_info_array":[{"user_profile_identifier":"bob","user_profile_nick_name":"Bob"}]}}`,
		},
		"the own profile": {
			tim.SelfProfileChanged{Profile: tim.UserProfile{Identifier: "alice", Gender: tim.GenderFemale}},
			`{"callback":"TIMSelfInfoUpdatedCallback","args":{"json_user_profile":{"user_profile_identifier":"alice","user_profile_gender":2}}}`,
		},
		"an upload": {
			tim.UploadProgress{Message: tim.Message{Elems: []tim.Elem{tim.FileElem{FilePath: "/a", FileName: "a", FileSize: 9}}}, Done: 4, Total: 9},
			`{"callback":"TIMMsgElemUploadProgressCallback","args":{"json_msg":{"message_elem_array":[{"elem_type":4,"file_elem_file_path":"/a","file_elem_file_name":"a","file_elem_file_size":9}]},"index":0,"cur_size":4,"total_size":9}}`,
		},
		"a callback not known": {
			tim.Unrecognized{Name: "TIMConvEventCallback", Raw: json.RawMessage(`{"conv_event":1}`)},
			`{"callback":"TIMConvEventCallback","args":{"conv_event":1}}`,
		},
		"no envelope": {tim.Unrecognized{Raw: json.RawMessage(`{"a":1}`)}, `{"a":1}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := tim.MarshalEvent(tt.event)
			if err != nil || string(out) != tt.json {
				t.Fatalf("written as %s, %v", out, err)
			}
			got, err := tim.UnmarshalEvent(out)
			if err != nil || !reflect.DeepEqual(got, tt.event) || got.Callback() != tt.event.Callback() {
				t.Errorf("read as %#v, %v", got, err)
			}
		})
	}
}

// What is not understood is kept whole, and never an error.
func TestEventsNotUnderstood(t *testing.T) {
	tests := map[string]struct{ in, name, raw string }{
		"messages that are none":     {`{"callback":"TIMRecvNewMsgCallback","args":{"json_msg_array":["x"]}}`, "TIMRecvNewMsgCallback", `{"json_msg_array":["x"]}`},
		"no messages":                {`{"callback":"TIMRecvNewMsgCallback","args":{}}`, "TIMRecvNewMsgCallback", `{}`},
		"args of another kind":       {`{"callback":"TIMKickedOfflineCallback","args":[]}`, "TIMKickedOfflineCallback", `[]`},
		"a status that is none":      {`{"callback":"TIMNetworkStatusListenerCallback","args":{"status":"up","code":0,"desc":""}}`, "TIMNetworkStatusListenerCallback", `{"status":"up","code":0,"desc":""}`},
		"a tip that is none":         {`{"callback":"TIMGroupTipsEventCallback","args":{"json_group_tip":[]}}`, "TIMGroupTipsEventCallback", `{"json_group_tip":[]}`},
		"no profile":                 {`{"callback":"TIMSelfInfoUpdatedCallback","args":{}}`, "TIMSelfInfoUpdatedCallback", `{}`},
		"statuses that are one":      {`{"callback":"TIMUserStatusChangedCallback","args":{"json_user_status_array":{}}}`, "TIMUserStatusChangedCallback", `{"json_user_status_array":{}}`},
		"profiles that are null":     {`{"callback":"TIMUserInfoChangedCallback","args":{"json_user_info_array":null}}`, "TIMUserInfoChangedCallback", `{"json_user_info_array":null}`},
		"receipts that are numbers":  {`{"callback":"TIMMsgReadedReceiptCallback","args":{"json_msg_read_receipt_array":[1]}}`, "TIMMsgReadedReceiptCallback", `{"json_msg_read_receipt_array":[1]}`},
		"a modified one, not a list": {`{"callback":"TIMMsgUpdateCallback","args":{"json_msg_array":{}}}`, "TIMMsgUpdateCallback", `{"json_msg_array":{}}`},
		"an upload without its end":  {`{"callback":"TIMMsgElemUploadProgressCallback","args":{"json_msg":{},"index":0,"cur_size":1}}`, "TIMMsgElemUploadProgressCallback", `{"json_msg":{},"index":0,"cur_size":1}`},
		"no args":                    {`{"callback":"TIMKickedOfflineCallback"}`, "", `{"callback":"TIMKickedOfflineCallback"}`},
		"more than an envelope has":  {`{"callback":"x","args":{},"more":1}`, "", `{"callback":"x","args":{},"more":1}`},
		"a number":                   {` 3 `, "", `3`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := tim.UnmarshalEvent([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if u, ok := e.(tim.Unrecognized); !ok || u.Name != tt.name || string(u.Raw) != tt.raw {
				t.Fatalf("read as %#v", e)
			}
			out, err := tim.MarshalEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			again, err := tim.UnmarshalEvent(out)
			if err != nil || !reflect.DeepEqual(again, e) {
				t.Errorf("the second time %#v, %v", again, err)
			}
		})
	}
}

func TestEventErrors(t *testing.T) {
	for _, in := range []string{``, `{`, `{"callback":}`} {
		if e, err := tim.UnmarshalEvent([]byte(in)); err == nil {
			t.Errorf("%q is read as %v", in, e)
		}
	}
	for _, e := range []tim.Event{nil, tim.Unrecognized{Name: "x"}, tim.Unrecognized{Raw: json.RawMessage(`}`)}, &tim.KickedOffline{}} {
		if out, err := tim.MarshalEvent(e); err == nil {
			t.Errorf("%#v is written as %s", e, out)
		}
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"callback":"TIMRecvNewMsgCallback","args":{"json_msg_array":[{"message_elem_array":[{"elem_type":0}]}]}}`))
	f.Add([]byte(`{"callback":"TIMMsgRevokeCallback","args":{"json_msg_revoke_info_array":[{"message_locator_seq":2}]}}`))
	f.Add([]byte(`{"callback":"TIMNetworkStatusListenerCallback","args":{"status":1,"code":9508,"desc":"x"}}`))
	f.Add([]byte(`{"callback":"TIMMsgUpdateCallback","args":{"json_msg_array":[{"message_elem_array":null,"message_version":1}]}}`))
	f.Add([]byte(`{"callback":"TIMMsgReadedReceiptCallback","args":{"json_msg_read_receipt_array":[{"msg_receipt_conv_type":2,"msg_receipt_read_count":0}]}}`))
	f.Add([]byte(`{"callback":"TIMGroupTipsEventCallback","args":{"json_group_tip":{"elem_type":6,"group_tips_elem_tip_type":1,"group_tips_elem_user_array":[]}}}`))
	f.Add([]byte(`{"callback":"TIMUserStatusChangedCallback","args":{"json_user_status_array":[{"user_status_status_type":-1}]}}`))
	f.Add([]byte(`{"callback":"TIMUserInfoChangedCallback","args":{"json_user_info_array":[{"user_profile_gender":null}]}}`))
	f.Add([]byte(`{"callback":"TIMSelfInfoUpdatedCallback","args":{"json_user_profile":{"user_profile_identifier":7}}}`))
	f.Add([]byte(`{"callback":"TIMMsgElemUploadProgressCallback","args":{"json_msg":{},"index":1,"cur_size":2,"total_size":4294967296}}`))
	f.Add([]byte(`{"callback":"x","args":null}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := tim.UnmarshalEvent(in)
		if err != nil {
			if json.Valid(in) {
				t.Fatalf("valid JSON is refused: %v", err)
			}
			return
		}
		out, err := tim.MarshalEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := tim.UnmarshalEvent(out)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := tim.MarshalEvent(again)
		if err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("not the same the second time: %v\n%s\n%s", err, out, twice)
		}
	})
}
