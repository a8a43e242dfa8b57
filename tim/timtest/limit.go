package timtest

import (
	"strings"

	"github.com/timbridge/timbridge/tim"
)

var limitCases = []testCase{
	{"a message has 12 KB at most", 0, messageSize},
	{"a group's name, texts and id are bounded", 0, groupTexts},
	{"a user id has 32 bytes at most", 0, userIDs},
	{"what is said in no message", 0, oddMessages},
	{"topics are a Community's", 0, topicsOf},
}

func messageSize(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic, bob))} {
		large := strings.Repeat("x", 11<<10)
		alice.say(conv, large)
		bob.message("the large message", func(m tim.Message) bool { return m.ConvType == conv.Type && textOf(m) == large })
		_, err := alice.client.Send(s.ctx(), conv, textMessage(strings.Repeat("x", 12<<10+1)))
		s.refused("over 12 KB in "+conv.Type.String(), err, tim.CodeSDKMsgBodySizeLimit)
	}
}

func groupTexts(s *scene) {
	alice := s.signIn("alice")
	long := func(n int) string { return strings.Repeat("x", n) }
	id := tim.GroupID(s.prefix + long(47-len(s.prefix)))
	tests := []struct {
		name  string
		param tim.CreateGroupParam
		code  tim.Code // may: is taken
	}{
		{"everything at its bound", tim.CreateGroupParam{GroupName: long(30), GroupID: id, Introduction: long(240), Notification: long(300), FaceURL: long(100)}, may},
		{"bytes count, not characters", tim.CreateGroupParam{GroupName: strings.Repeat("组", 10)}, may},
		{"no name", tim.CreateGroupParam{}, tim.CodeSDKGroupInvalidName},
		{"a long name", tim.CreateGroupParam{GroupName: long(31)}, tim.CodeSDKGroupInvalidName},
		{"a long name in characters", tim.CreateGroupParam{GroupName: strings.Repeat("组", 11)}, tim.CodeSDKGroupInvalidName},
		{"a long introduction", tim.CreateGroupParam{GroupName: "x", Introduction: long(241)}, tim.CodeSDKGroupInvalidIntroduction},
		{"a long notification", tim.CreateGroupParam{GroupName: "x", Notification: long(301)}, tim.CodeSDKGroupInvalidNotification},
		{"a long face URL", tim.CreateGroupParam{GroupName: "x", FaceURL: long(101)}, tim.CodeSDKGroupInvalidFaceURL},
		{"a long id", tim.CreateGroupParam{GroupName: "x", GroupID: id + "xx"}, tim.CodeSDKGroupInvalidID},
		{"an id of the service's kind", tim.CreateGroupParam{GroupName: "x", GroupID: "@TGS#" + id[:8]}, tim.CodeSDKGroupInvalidID},
		{"an id that is not ASCII", tim.CreateGroupParam{GroupName: "x", GroupID: tim.GroupID(s.prefix) + "组"}, tim.CodeSDKGroupInvalidID},
		{"an id with a line break", tim.CreateGroupParam{GroupName: "x", GroupID: tim.GroupID(s.prefix) + "\n"}, tim.CodeSDKGroupInvalidID},
	}
	for _, tt := range tests {
		_, err := alice.client.CreateGroup(s.ctx(), tt.param)
		if tt.code != may {
			s.refused(tt.name, err, tt.code)
		} else if err != nil {
			s.Errorf("%s: %v", tt.name, err)
		}
	}
}

func userIDs(s *scene) {
	longest := tim.UserID(s.prefix + strings.Repeat("u", 32-len(s.prefix)))
	d := s.open("alice")
	d.user = longest
	d.login()
	d.logout()
	tooLong := longest + "u"
	s.refused("signing in with 33 bytes", d.client.Login(s.ctx(), tooLong, s.sig(tooLong)), tim.CodeSDKCommInvalidIdentifier)
	s.refused("signing in with none", d.client.Login(s.ctx(), "", s.sig("")), tim.CodeSDKCommInvalidIdentifier)
	// Nobody speaks as the service.
	s.refused("signing in as the service", d.client.Login(s.ctx(), tim.SystemUser, s.sig(tim.SystemUser)), tim.CodeSDKCommInvalidIdentifier)
	alice := s.signIn("alice")
	_, err := alice.client.Send(s.ctx(), tim.C2C(tooLong), textMessage("x"))
	s.refused("writing to 33 bytes", err, tim.CodeToUserInvalid)
}

func oddMessages(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	far := tim.MsgPriority(9)
	custom := tim.CustomElem{Data: "d"}
	for what, tt := range map[string]struct {
		msg  tim.Message
		code tim.Code
	}{
		"a priority that there is not": {tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "x"}}, Priority: &far}, tim.CodeInvalidParameters},
		"two custom elements":          {tim.Message{Elems: []tim.Elem{custom, tim.TextElem{Content: "x"}, custom}}, tim.CodeInvalidMsgElem},
	} {
		for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic))} {
			_, err := alice.client.Send(s.ctx(), conv, tt.msg)
			s.refused(what+" in "+conv.Type.String(), err, tt.code)
		}
	}
	all := textMessage("all of you")
	all.GroupAtUsers = []tim.UserID{tim.AtAll}
	_, err := alice.client.Send(s.ctx(), tim.Group(alice.create(tim.GroupAVChatRoom)), all)
	s.refused("all of an AVChatRoom are mentioned", err, bad)
	alice.send(tim.Group(alice.create(tim.GroupPublic)), all)
	// What travels beside the elements does not count with them.
	long := textMessage(strings.Repeat("x", 11<<10))
	long.CloudCustomStr = strings.Repeat("y", 11<<10)
	if sent := alice.send(tim.C2C(bob.user), long); sent.CloudCustomStr != long.CloudCustomStr {
		s.Errorf("the custom string has %d bytes", len(sent.CloudCustomStr))
	}
}

func topicsOf(s *scene) {
	alice := s.signIn("alice")
	for _, typ := range []tim.GroupType{
		tim.GroupPrivate, tim.GroupPublic, tim.GroupChatRoom, tim.GroupAVChatRoom, tim.GroupBChatRoom, tim.GroupCommunity,
	} {
		_, err := alice.client.CreateGroup(s.ctx(), tim.CreateGroupParam{GroupName: "x", GroupType: typ, IsSupportTopic: true})
		if typ != tim.GroupCommunity {
			s.refused("topics of a "+typ.String(), err, bad)
		} else if err != nil {
			s.Errorf("topics of a %v: %v", typ, err)
		}
	}
}
