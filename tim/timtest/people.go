package timtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/timbridge/timbridge/tim"
)

var peopleCases = []testCase{
	{"a profile is what its user says, and others are told", 0, profileChanges},
	{"a change leaves what it does not name", 0, profilePatch},
	{"who has said nothing has an empty profile", 0, profileOfNobody},
	{"a profile's texts are bounded", 0, profileLimits},
	{"who subscribed is told who comes and goes", 0, statusEvents},
	{"a user's own words are told and end with the session", 0, customStatus},
	{"subscriptions end when told to, and with the session", 0, unsubscribed},
	{"statuses are asked and subscribed for a bounded number", 0, statusLimits},
	{"one message to several users", 0, batchSend},
	{"to whom a batch cannot go is said for each", 0, batchResults},
	{"a batch has one to 500 receivers", 0, batchLimits},
	{"what a message carries arrives", 0, attributes},
	{"an online-only message is stored nowhere", 0, onlineOnly},
}

func str(s string) *string { return &s }

func (d *device) profile(user tim.UserID) tim.UserProfile {
	d.s.Helper()
	list, err := able[tim.Profiles](d).Profiles(d.s.ctx(), []tim.UserID{user})
	if err != nil || len(list) != 1 || list[0].Identifier != user {
		d.s.Fatalf("the profile of %s: %+v, %v", user, list, err)
	}
	return list[0]
}

func profileChanges(s *scene) {
	alice, bob, carol, dave := s.signIn("alice"), s.signIn("bob"), s.signIn("carol"), s.signIn("dave")
	can := able[tim.Profiles](alice)
	alice.say(tim.C2C(bob.user), "x")
	alice.say(tim.Group(alice.create(tim.GroupPublic, carol)), "x")
	female := tim.GenderFemale
	err := can.ModifyProfile(s.ctx(), tim.UserProfileItem{
		NickName: str("Alice 爱丽丝"), Gender: &female, SelfSignature: str("hi"),
		CustomStrings: []tim.UserProfileCustomString{{Key: "Team", Value: "red"}},
	})
	if err != nil {
		s.Fatal(err)
	}
	fits := func(p tim.UserProfile) bool {
		return p.Identifier == alice.user && p.NickName == "Alice 爱丽丝" && p.Gender == female && p.SelfSignature == "hi" &&
			len(p.CustomStrings) == 1 && p.CustomStrings[0].Value == "red"
	}
	if got := bob.profile(alice.user); !fits(got) {
		s.Errorf("bob reads %+v", got)
	}
	event(alice, "the own profile", func(e tim.SelfProfileChanged) bool { return fits(e.Profile) })
	for _, d := range []*device{bob, carol} {
		event(d, "the profile of alice", func(e tim.ProfilesChanged) bool { return len(e.Profiles) == 1 && fits(e.Profiles[0]) })
	}
	dave.fence()
	dave.mu.Lock()
	defer dave.mu.Unlock()
	for _, it := range dave.items {
		if _, ok := it.report.Event.(tim.ProfilesChanged); ok {
			s.Error("who shares no conversation was told")
		}
	}
}

func profilePatch(s *scene) {
	alice := s.signIn("alice")
	can := able[tim.Profiles](alice)
	for _, item := range []tim.UserProfileItem{
		{NickName: str("a"), Location: str("here")},
		{NickName: str("b"), CustomStrings: []tim.UserProfileCustomString{{Key: "k", Value: "1"}, {Key: "l", Value: "2"}}},
		{Location: str(""), CustomStrings: []tim.UserProfileCustomString{{Key: "k", Value: "3"}}},
	} {
		if err := can.ModifyProfile(s.ctx(), item); err != nil {
			s.Fatal(err)
		}
	}
	p := alice.profile(alice.user)
	if p.NickName != "b" || p.Location != "" || len(p.CustomStrings) != 2 || p.CustomStrings[0].Value != "3" {
		s.Errorf("the profile is %+v", p)
	}
}

func profileOfNobody(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Profiles](alice)
	if p := alice.profile(bob.user); p.NickName != "" || p.FaceURL != "" {
		s.Errorf("the profile is %+v", p)
	}
}

func profileLimits(s *scene) {
	alice := s.signIn("alice")
	can := able[tim.Profiles](alice)
	long, gender := strings.Repeat("x", 501), tim.GenderType(9)
	custom := func(key, value string) tim.UserProfileItem {
		return tim.UserProfileItem{CustomStrings: []tim.UserProfileCustomString{{Key: key, Value: value}}}
	}
	for _, one := range []struct {
		name string
		item tim.UserProfileItem
		code tim.Code
	}{
		{"a nickname of 501 bytes", tim.UserProfileItem{NickName: &long}, tim.CodeSvrProfileSizeLimit},
		{"a face URL of 501 bytes", tim.UserProfileItem{FaceURL: &long}, tim.CodeSvrProfileSizeLimit},
		{"a signature of 501 bytes", tim.UserProfileItem{SelfSignature: &long}, tim.CodeSvrProfileSizeLimit},
		{"a location of 17 bytes", tim.UserProfileItem{Location: str(long[:17])}, tim.CodeSvrProfileSizeLimit},
		{"a custom value of 501 bytes", custom("k", long), tim.CodeSvrProfileSizeLimit},
		{"a custom key that can be none", custom("no key!", "v"), tim.CodeSvrProfileTagNotFound},
		{"a gender that there is not", tim.UserProfileItem{Gender: &gender}, tim.CodeSvrProfileValueError},
	} {
		s.refused(one.name, can.ModifyProfile(s.ctx(), one.item), one.code)
	}
	_, err := can.Profiles(s.ctx(), nil)
	s.refused("no user", err, tim.CodeSvrProfileAccountMiss)
	_, err = can.Profiles(s.ctx(), slices.Repeat([]tim.UserID{alice.user}, 101))
	s.refused("101 users", err, tim.CodeInvalidParameters)
}

func (d *device) status(user tim.UserID) tim.UserStatus {
	d.s.Helper()
	list, err := able[tim.Presence](d).Statuses(d.s.ctx(), []tim.UserID{user})
	if err != nil || len(list) != 1 || list[0].Identifier != user {
		d.s.Fatalf("the status of %s: %+v, %v", user, list, err)
	}
	return list[0]
}

// statusOf waits to be told of a user's status.
func (d *device) statusOf(user tim.UserID, typ tim.UserStatusType, custom string) {
	d.s.Helper()
	event(d, fmt.Sprintf("that %s is %v with %q", user, typ, custom), func(e tim.StatusesChanged) bool {
		return slices.ContainsFunc(e.Statuses, func(u tim.UserStatus) bool {
			return u.Identifier == user && u.StatusType == typ && u.CustomStatus == custom
		})
	})
}

func (d *device) subscribe(users ...tim.UserID) {
	d.s.Helper()
	if err := able[tim.Presence](d).SubscribeStatus(d.s.ctx(), users); err != nil {
		d.s.Fatalf("%s subscribes: %v", d.user, err)
	}
}

func statusEvents(s *scene) {
	alice, bob := s.signIn("alice"), s.open("bob")
	able[tim.Presence](alice)
	alice.subscribe(bob.user)
	if got := alice.status(bob.user); got.StatusType != tim.UserStatusSignedOut {
		s.Errorf("who was never there is %v", got.StatusType)
	}
	bob.login()
	alice.statusOf(bob.user, tim.UserStatusOnline, "")
	if got := alice.status(bob.user); got.StatusType != tim.UserStatusOnline {
		s.Errorf("who is signed in is %v", got.StatusType)
	}
	bob.logout()
	alice.statusOf(bob.user, tim.UserStatusSignedOut, "")
	bob.login()
	alice.statusOf(bob.user, tim.UserStatusOnline, "")
	bob.close()
	alice.statusOf(bob.user, tim.UserStatusOffline, "")
	if got := alice.status(bob.user); got.StatusType != tim.UserStatusOffline {
		s.Errorf("who is gone is %v", got.StatusType)
	}
}

func customStatus(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Presence](bob)
	alice.subscribe(bob.user)
	for _, words := range []string{"at lunch", ""} {
		if err := can.SetStatus(s.ctx(), words); err != nil {
			s.Fatal(err)
		}
		alice.statusOf(bob.user, tim.UserStatusOnline, words)
		if got := alice.status(bob.user); got.CustomStatus != words {
			s.Errorf("the words are %q, want %q", got.CustomStatus, words)
		}
	}
	if err := can.SetStatus(s.ctx(), "back soon"); err != nil {
		s.Fatal(err)
	}
	bob.logout()
	bob.login()
	if got := alice.status(bob.user); got.CustomStatus != "" {
		s.Errorf("after signing in anew the words are %q", got.CustomStatus)
	}
}

func unsubscribed(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	can := able[tim.Presence](alice)
	say := func(d *device, words string) {
		s.Helper()
		if err := able[tim.Presence](d).SetStatus(s.ctx(), words); err != nil {
			s.Fatal(err)
		}
	}
	alice.subscribe(bob.user, carol.user)
	if err := can.UnsubscribeStatus(s.ctx(), []tim.UserID{bob.user}); err != nil {
		s.Fatal(err)
	}
	say(bob, "unheard")
	say(carol, "heard")
	alice.statusOf(carol.user, tim.UserStatusOnline, "heard")
	if err := can.UnsubscribeStatus(s.ctx(), nil); err != nil {
		s.Fatal(err)
	}
	say(carol, "unheard")
	alice.subscribe(bob.user)
	alice.logout()
	alice.login()
	say(bob, "unheard after all")
	alice.fence()
	alice.mu.Lock()
	defer alice.mu.Unlock()
	for _, it := range alice.items {
		if e, ok := it.report.Event.(tim.StatusesChanged); ok && strings.HasPrefix(e.Statuses[0].CustomStatus, "unheard") {
			s.Errorf("told %+v", e.Statuses)
		}
	}
}

func statusLimits(s *scene) {
	alice := s.signIn("alice")
	can := able[tim.Presence](alice)
	many := slices.Repeat([]tim.UserID{alice.user}, 501)
	_, err := can.Statuses(s.ctx(), many)
	s.refused("the statuses of 501", err, tim.CodeSvrMsgToAccountCountLimit)
	_, err = can.Statuses(s.ctx(), nil)
	s.refused("the statuses of nobody", err, tim.CodeInvalidParameters)
	s.refused("101 subscriptions at once", can.SubscribeStatus(s.ctx(), many[:101]), tim.CodeInvalidParameters)
	s.refused("no subscription", can.SubscribeStatus(s.ctx(), nil), tim.CodeInvalidParameters)
	if list, err := can.Statuses(s.ctx(), many[:500]); err != nil || len(list) != 500 {
		s.Errorf("the statuses of 500: %d, %v", len(list), err)
	}
}

func batchSend(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	can := able[tim.BatchSender](alice)
	results, err := can.BatchSend(s.ctx(), tim.MsgBatchSendParam{Identifiers: []tim.UserID{bob.user, carol.user}, Msg: textMessage("to all of you")})
	if err != nil || len(results) != 2 {
		s.Fatalf("%+v, %v", results, err)
	}
	for i, d := range []*device{bob, carol} {
		r := results[i]
		if r.Identifier != d.user || r.Code != tim.CodeOK || r.Msg == nil {
			s.Fatalf("the result of %s is %+v", d.user, r)
		}
		checkStored(s, *r.Msg)
		if r.Msg.Conversation() != tim.C2C(d.user) {
			s.Errorf("it is in %s", r.Msg.Conversation())
		}
		checkSame(s, *r.Msg, d.text(tim.C2C(alice.user), "to all of you"))
	}
}

func batchResults(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.BatchSender](alice)
	results, err := can.BatchSend(s.ctx(), tim.MsgBatchSendParam{
		Identifiers: []tim.UserID{"", bob.user, tim.UserID(strings.Repeat("x", 33))}, Msg: textMessage("some"),
	})
	if err != nil || len(results) != 3 || results[0].Code == tim.CodeOK || results[1].Code != tim.CodeOK || results[2].Code == tim.CodeOK {
		s.Fatalf("%+v, %v", results, err)
	}
	if results[0].Msg != nil || results[0].Desc == "" {
		s.Errorf("a refusal is %+v", results[0])
	}
	bob.text(tim.C2C(alice.user), "some")
}

func batchLimits(s *scene) {
	alice := s.signIn("alice")
	can := able[tim.BatchSender](alice)
	_, err := can.BatchSend(s.ctx(), tim.MsgBatchSendParam{Msg: textMessage("x")})
	s.refused("nobody", err, tim.CodeInvalidParameters)
	_, err = can.BatchSend(s.ctx(), tim.MsgBatchSendParam{Identifiers: slices.Repeat([]tim.UserID{"x"}, 501), Msg: textMessage("x")})
	s.refused("501", err, tim.CodeSvrMsgToAccountCountLimit)
	_, err = can.BatchSend(s.ctx(), tim.MsgBatchSendParam{Identifiers: []tim.UserID{"x"}})
	s.refused("nothing", err, tim.CodeInvalidMsgElem)
}

func attributes(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	high := tim.PriorityHigh
	msg := tim.Message{
		Elems: []tim.Elem{tim.TextElem{Content: "all of it"}}, Priority: &high, CloudCustomStr: `{"k":"v"}`,
		GroupAtUsers: []tim.UserID{bob.user}, IsForwardMessage: true, SupportMessageExtension: true,
		OfflinePushConfig: &tim.OfflinePushConfig{Desc: "d", Ext: "e"}, CustomInt: 7, CustomStr: "mine",
	}
	sent := alice.send(group, msg)
	if sent.CustomInt != 7 || sent.CustomStr != "mine" {
		s.Errorf("the sender's own are %d and %q", sent.CustomInt, sent.CustomStr)
	}
	got := bob.text(group, "all of it")
	if got.Priority == nil || *got.Priority != high || got.CloudCustomStr != msg.CloudCustomStr || len(got.GroupAtUsers) != 1 ||
		!got.IsForwardMessage || !got.SupportMessageExtension || got.OfflinePushConfig == nil || got.OfflinePushConfig.Ext != "e" {
		s.Errorf("the receiver sees %+v", got)
	}
	if got.CustomInt != 0 || got.CustomStr != "" {
		s.Errorf("what stays on the sender's device arrives: %d, %q", got.CustomInt, got.CustomStr)
	}
}

func onlineOnly(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), group} {
		seen := conv
		if conv.Type == tim.ConvC2C {
			seen = tim.C2C(alice.user)
		}
		before := alice.say(conv, "stored")
		msg := textMessage("now or never")
		msg.IsOnlineMsg = true
		alice.send(conv, msg)
		if got := bob.text(seen, "now or never"); !got.IsOnlineMsg {
			s.Error("the receiver does not see that it is for those online")
		}
		after := alice.say(conv, "stored too")
		if conv.Type == tim.ConvGroup && after.Seq != before.Seq+1 {
			s.Errorf("the sequence goes from %d to %d", before.Seq, after.Seq)
		}
		if got := textsOf(bob.read(seen, 10)); slices.Contains(got, "now or never") {
			s.Errorf("history has %q", got)
		}
	}
	bob.logout()
	msg := textMessage("missed")
	msg.IsOnlineMsg = true
	alice.send(tim.C2C(bob.user), msg)
	bob.login()
	bob.fence()
	if n := bob.count(func(m tim.Message) bool { return textOf(m) == "missed" }); n != 0 {
		s.Error("it came to somebody who was not online")
	}
}
