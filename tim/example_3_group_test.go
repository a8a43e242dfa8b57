package tim_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/timbridge/timbridge/tim"
)

// A Private group (Work in newer documents) is among friends: one comes in by
// the invitation of a member, without being asked, and by no request.
func ExampleGroupType_private() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	owner, bob := im.signIn("alice", nil), im.signIn("bob", nil)

	group, err := owner.CreateGroup(ctx, tim.CreateGroupParam{GroupName: "friends", GroupType: tim.GroupPrivate})
	check(err)
	err = bob.(tim.Groups).JoinGroup(ctx, group.GroupID, "let me in")
	if e, ok := tim.AsError(err); ok {
		fmt.Println("by a request:", e.Code)
	}
	results, err := owner.InviteMembers(ctx, tim.GroupInviteMemberParam{GroupID: group.GroupID, Identifiers: []tim.UserID{"bob"}})
	check(err)
	for _, r := range results {
		fmt.Println("by an invitation:", r.Identifier, r.Result)
	}
	// Output:
	// by a request: 8508 ERR_SDK_GROUP_JOIN_PRIVATE_GROUP_DENY
	// by an invitation: bob done
}

// A Public group has an owner and administrators, who decide on requests to join.
func ExampleGroupType_public() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	asked, answered := make(chan tim.GroupReportElem), make(chan tim.GroupReportElem)
	owner, bob := im.signIn("alice", reportsTo(asked, tim.GroupReportAddRequest)), im.signIn("bob", reportsTo(answered, tim.GroupReportAddAccept))

	group, err := owner.CreateGroup(ctx, tim.CreateGroupParam{GroupName: "a club", GroupType: tim.GroupPublic})
	check(err)
	check(bob.(tim.Groups).JoinGroup(ctx, group.GroupID, "I like clubs"))
	report := <-asked
	fmt.Println(report.ReportType, "by", report.OpUser)

	requests, err := owner.(tim.Groups).Requests(ctx, tim.GroupPendencyOption{})
	check(err)
	for _, request := range requests.Pendencies {
		fmt.Println(request.FromIdentifier, "asks:", request.ApplyInviteMsg)
		check(owner.(tim.Groups).HandleRequest(ctx, tim.GroupHandlePendencyParam{
			Pendency: request, IsAccept: true, HandleMsg: "welcome",
		}))
	}
	report = <-answered
	fmt.Println(report.ReportType, "by", report.OpUser)
	// Output:
	// add_request by bob
	// bob asks: I like clubs
	// add_accept by alice
}

// In a ChatRoom (Meeting in newer documents) one comes and goes freely.
func ExampleGroupType_chatRoom() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	owner, bob := im.signIn("alice", nil), im.signIn("bob", nil)

	group, err := owner.CreateGroup(ctx, tim.CreateGroupParam{GroupName: "a room", GroupType: tim.GroupChatRoom})
	check(err)
	fmt.Println("joined:", bob.(tim.Groups).JoinGroup(ctx, group.GroupID, ""))
	_, err = bob.Send(ctx, tim.Group(group.GroupID), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "hi"}}})
	fmt.Println("sent:", err)
	fmt.Println("gone:", bob.(tim.Groups).QuitGroup(ctx, group.GroupID))
	// Output:
	// joined: <nil>
	// sent: <nil>
	// gone: <nil>
}

// An AVChatRoom goes with a live stream. It is like a ChatRoom without a limit
// of members, and keeps nothing: there is no history.
func ExampleGroupType_avChatRoom() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	owner := im.signIn("alice", nil)
	texts := make(chan string)
	viewer := im.signIn("bob", textsTo(texts))

	group, err := owner.CreateGroup(ctx, tim.CreateGroupParam{GroupName: "live", GroupType: tim.GroupAVChatRoom})
	check(err)
	check(viewer.(tim.Groups).JoinGroup(ctx, group.GroupID, ""))
	_, err = owner.Send(ctx, tim.Group(group.GroupID), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "welcome"}}})
	check(err)
	fmt.Println("bob sees:", <-texts)

	infos, err := owner.(tim.Groups).GroupsInfo(ctx, []tim.GroupID{group.GroupID})
	check(err)
	fmt.Println("at most:", infos[0].Info.MaxMemberNum)
	_, err = viewer.(tim.History).Messages(ctx, tim.Group(group.GroupID), tim.HistoryQuery{})
	if e, ok := tim.AsError(err); ok {
		fmt.Println("history:", e.Code)
	}
	// Output:
	// bob sees: welcome
	// at most: 0
	// history: 10044 ERR_SVR_GROUP_HISTORY_NOT_SUPPORTED
}

// A BChatRoom reaches its members who are online, and nobody later.
func ExampleGroupType_bChatRoom() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	owner := im.signIn("alice", nil)
	online, offline := make(chan string), make(chan string)
	bob, carol := im.signIn("bob", textsTo(online)), im.signIn("carol", nil)

	group, err := owner.CreateGroup(ctx, tim.CreateGroupParam{GroupName: "news", GroupType: tim.GroupBChatRoom})
	check(err)
	check(bob.(tim.Groups).JoinGroup(ctx, group.GroupID, ""))
	check(carol.(tim.Groups).JoinGroup(ctx, group.GroupID, ""))
	check(carol.Logout(ctx))
	_, err = owner.Send(ctx, tim.Group(group.GroupID), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "the news"}}})
	check(err)
	fmt.Println("bob sees:", <-online)

	im.signIn("carol", textsTo(offline))
	_, err = owner.Send(ctx, tim.C2C("carol"), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "did you hear?"}}})
	check(err)
	fmt.Println("carol sees:", <-offline)
	// Output:
	// bob sees: the news
	// carol sees: did you hear?
}

// A Community has up to a hundred thousand members and more. The id of one
// begins with "@TGS#_". Everybody may join, and members may invite.
func ExampleGroupType_community() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	owner, bob := im.signIn("alice", nil), im.signIn("bob", nil)

	group, err := owner.CreateGroup(ctx, tim.CreateGroupParam{
		GroupID: "@TGS#_gophers", GroupName: "gophers", GroupType: tim.GroupCommunity,
	})
	check(err)
	fmt.Println("joined:", bob.(tim.Groups).JoinGroup(ctx, group.GroupID, ""))
	results, err := bob.InviteMembers(ctx, tim.GroupInviteMemberParam{GroupID: group.GroupID, Identifiers: []tim.UserID{"carol"}})
	check(err)
	for _, r := range results {
		fmt.Println("invited:", r.Identifier, r.Result)
	}
	// Output:
	// joined: <nil>
	// invited: carol done
}

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

	infos, err := client.(tim.Groups).GroupsInfo(ctx, []tim.GroupID{result.GroupID})
	check(err)
	for _, r := range infos {
		fmt.Println(r.Info.GroupType, r.Info.GroupName, r.Info.OwnerIdentifier, r.Info.MemberNum, r.Info.AddOption)
	}
	// Output:
	// Windows-Group-01
	// public Windows-Group-Name Windows_001 2 any
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

// reportsTo hands on the group reports of one type.
func reportsTo(reports chan<- tim.GroupReportElem, want tim.GroupReportType) tim.Handler {
	return func(r tim.Report) {
		if e, ok := r.Event.(tim.MessagesReceived); ok {
			for _, msg := range e.Messages {
				for _, elem := range msg.Elems {
					if report, ok := elem.(tim.GroupReportElem); ok && report.ReportType == want {
						reports <- report
					}
				}
			}
		}
		r.Ack()
	}
}
