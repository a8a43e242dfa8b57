package tim_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// Creating a Public group with its first member, and all that it can be created with.
func ExampleClient_createGroup() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	client := im.signIn("Windows_001", nil)

	result, err := client.CreateGroup(ctx, tim.CreateGroupParam{
		GroupID:   "Windows-Group-01",
		GroupType: tim.GroupPublic,
		GroupName: "Windows-Group-Name",
		Members: []tim.GroupMemberInfo{
			{Identifier: "Windows_002", MemberRole: tim.RoleMember},
		},
		Notification:   "group notification",
		Introduction:   "group introduction",
		FaceURL:        "group face url",
		MaxMemberCount: 2000,
		AddOption:      new(tim.GroupAddAny),
	})
	if err != nil {
		fmt.Println("not created:", err)
		return
	}
	fmt.Println(result.GroupID)

	// Output:
	// Windows-Group-01
}

// The SDK's own JSON is understood, also where its quick start gives a member's
// role as a role flag (4).
func ExampleCreateGroupParam() {
	var param tim.CreateGroupParam
	err := json.Unmarshal([]byte(`{
		"create_group_param_group_id": "Windows-Group-01",
		"create_group_param_group_type": 0,
		"create_group_param_group_name": "Windows-Group-Name",
		"create_group_param_group_member_array": [
			{"group_member_info_identifier": "Windows_002", "group_member_info_member_role": 4}
		],
		"create_group_param_add_option": 2
	}`), &param)
	check(err)
	fmt.Println(param.GroupType, param.Members[0].Identifier, param.Members[0].MemberRole, *param.AddOption)
	// Output:
	// public Windows_002 member any
}

// A message to a group is one to the group's conversation. Here a member is
// mentioned, and the newest message of the group is read back.
func ExampleClient_groupMessage() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	owner := im.signIn("Windows_001", nil)
	texts := make(chan string)
	member := im.signIn("Windows_002", textsTo(texts))

	_, err := owner.CreateGroup(ctx, tim.CreateGroupParam{
		GroupID: "Windows-Group-01", GroupName: "Windows-Group-Name", GroupType: tim.GroupPublic,
		Members: []tim.GroupMemberInfo{{Identifier: "Windows_002"}},
	})
	check(err)
	conv := tim.Group("Windows-Group-01")
	sent, err := owner.Send(ctx, conv, tim.Message{
		Elems:        []tim.Elem{tim.TextElem{Content: "hello @Windows_002"}},
		GroupAtUsers: []tim.UserID{"Windows_002"},
		Priority:     new(tim.PriorityHigh),
	})
	check(err)
	fmt.Println("received:", <-texts)

	said, err := member.(tim.History).Messages(ctx, conv, tim.HistoryQuery{Count: 1})
	check(err)
	for _, msg := range said {
		fmt.Println(msg.Sender, msg.Seq == sent.Seq, msg.GroupAtUsers, msg.Elems[0].ElemType())
	}
	// Output:
	// received: hello @Windows_002
	// Windows_001 true [Windows_002] text
}

// textsTo hands on the texts that are received.
func textsTo(texts chan<- string) tim.Handler {
	return func(r tim.Report) {
		if e, ok := r.Event.(tim.MessagesReceived); ok {
			for _, msg := range e.Messages {
				for _, elem := range msg.Elems {
					if text, ok := elem.(tim.TextElem); ok {
						texts <- text.Content
					}
				}
			}
		}
		r.Ack()
	}
}
