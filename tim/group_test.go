package tim_test

import (
	"encoding/json"
	"testing"

	"github.com/timbridge/timbridge/tim"
)

// What ModifyFlag names is in the JSON although it is zero, since the service
// takes what is missing for a mistake; what it does not name is not.
func TestWhatIsToBeChangedIsWritten(t *testing.T) {
	tests := map[string]struct {
		param any
		want  string
	}{
		"nothing": {
			tim.GroupModifyInfoParam{GroupID: "g"},
			`{"group_modify_info_param_group_id":"g","group_modify_info_param_modify_flag":0}`,
		},
		"no longer muted": {
			tim.GroupModifyInfoParam{GroupID: "g", ModifyFlag: tim.ModifyGroupShutupAll},
			`{"group_modify_info_param_group_id":"g","group_modify_info_param_modify_flag":256,"group_modify_info_param_is_shutup_all":false}`,
		},
		"nobody may join, and nothing is said": {
			tim.GroupModifyInfoParam{GroupID: "g", ModifyFlag: tim.ModifyGroupAddOption | tim.ModifyGroupNotification},
			`{"group_modify_info_param_group_id":"g","group_modify_info_param_modify_flag":18,"group_modify_info_param_notification":"","group_modify_info_param_add_option":0}`,
		},
		"a flag that has no field": {
			tim.GroupModifyInfoParam{GroupID: "g", ModifyFlag: tim.ModifyGroupCustomString},
			`{"group_modify_info_param_group_id":"g","group_modify_info_param_modify_flag":2048}`,
		},
		"everything": {
			tim.GroupModifyInfoParam{GroupID: "g", ModifyFlag: 1<<32 - 1},
			`{"group_modify_info_param_group_id":"g","group_modify_info_param_modify_flag":4294967295,` +
				`"group_modify_info_param_group_name":"","group_modify_info_param_notification":"","group_modify_info_param_introduction":"",` +
				`"group_modify_info_param_face_url":"","group_modify_info_param_add_option":0,"group_modify_info_param_approve_option":0,` +
				`"group_modify_info_param_max_member_num":0,"group_modify_info_param_visible":0,"group_modify_info_param_searchable":0,` +
				`"group_modify_info_param_is_shutup_all":false,"group_modify_info_param_owner":"","group_modify_info_param_custom_info":[],` +
				`"group_modify_info_param_enable_permission_group":false,"group_modify_info_param_default_permissions":0}`,
		},
		"a member, by pointer": {
			&tim.GroupModifyMemberInfoParam{GroupID: "g", Identifier: "bob", ModifyFlag: tim.ModifyMemberShutupTime | tim.ModifyMemberNameCard | tim.ModifyMemberMsgFlag},
			`{"group_modify_member_info_group_id":"g","group_modify_member_info_identifier":"bob","group_modify_member_info_modify_flag":13,` +
				`"group_modify_member_info_msg_flag":0,"group_modify_member_info_shutup_time":0,"group_modify_member_info_name_card":""}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(marshal(t, tt.param)); got != tt.want {
				t.Errorf("written as %s", got)
			}
		})
	}
}

// A key that came with a value of another type is not written over.
func TestWhatIsToBeChangedKeepsWhatItIs(t *testing.T) {
	in := `{"group_modify_info_param_group_id":"g","group_modify_info_param_modify_flag":256,"group_modify_info_param_is_shutup_all":"yes"}`
	var p tim.GroupModifyInfoParam
	if err := json.Unmarshal([]byte(in), &p); err != nil {
		t.Fatal(err)
	}
	if out := string(marshal(t, p)); out != in {
		t.Errorf("came back as %s", out)
	}
}

func TestConversationOfAReceipt(t *testing.T) {
	r := tim.MessageReceipt{ConvID: "g", ConvType: tim.ConvGroup}
	if r.Conversation() != tim.Group("g") {
		t.Errorf("it is about %v", r.Conversation())
	}
}
