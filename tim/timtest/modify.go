package timtest

import (
	"bytes"
	"strings"
	"sync"

	"github.com/timbridge/timbridge/tim"
)

var modifyCases = []testCase{
	{"a changed message is told to everybody, and is in history", 0, modified},
	{"each change counts the version up", 0, modifyVersions},
	{"a message that another has changed is not changed blindly", 0, modifyConflict},
	{"the same change again changes nothing", 0, modifyAgain},
	{"of several at once one wins", 0, modifyRace},
	{"a message that is not there cannot be changed", 0, modifyNothing},
	{"a recalled message cannot be changed", 0, modifyRevoked},
	{"a change is bound like a message", 0, modifyLimits},
	{"a change keeps files, and can have elements of every kind", 0, modifyElements},
}

// change is a message named by its conversation and sequence, with a new text.
func change(m tim.Message, text string) tim.Message {
	return tim.Message{ConvType: m.ConvType, ConvID: m.ConvID, Seq: m.Seq, Elems: []tim.Elem{tim.TextElem{Content: text}}}
}

func (d *device) modify(msg tim.Message) tim.Message {
	d.s.Helper()
	now, err := able[tim.Modifier](d).ModifyMessage(d.s.ctx(), msg)
	if err != nil {
		d.s.Fatalf("%s changes %s/%d: %v", d.user, msg.Conversation(), msg.Seq, err)
	}
	return now
}

// modified waits to be told of a message with a text.
func (d *device) modified(text string) tim.Message {
	d.s.Helper()
	e := event(d, "the change to "+text, func(e tim.MessagesModified) bool {
		return len(e.Messages) == 1 && textOf(e.Messages[0]) == text
	})
	return e.Messages[0]
}

func modified(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	able[tim.Modifier](alice)
	for _, conv := range []tim.Conversation{tim.C2C(bob.user), tim.Group(alice.create(tim.GroupPublic, bob, carol))} {
		text := "changed in " + conv.Type.String()
		sent := alice.send(conv, tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "first"}}, CloudCustomStr: "c1"})
		msg := change(sent, text)
		msg.CloudCustomStr = "c2"
		now := alice.modify(msg)
		checkSame(s, sent, now)
		if textOf(now) != text || now.Version != sent.Version+1 || now.CloudCustomStr != "c2" || !now.IsFromSelf {
			s.Errorf("it is now %q, version %d, %q", textOf(now), now.Version, now.CloudCustomStr)
		}
		told := []*device{alice, bob}
		if conv.Type == tim.ConvGroup {
			told = append(told, carol)
		}
		for _, d := range told {
			got := d.modified(text)
			checkSame(s, sent, got)
			if got.Version != now.Version || got.CloudCustomStr != "c2" || got.IsFromSelf != (d == alice) {
				s.Errorf("%s is told version %d, %q, from self %v", d.user, got.Version, got.CloudCustomStr, got.IsFromSelf)
			}
		}
		seen := conv
		if conv.Type == tim.ConvC2C {
			seen = tim.C2C(alice.user)
		}
		list := bob.read(seen, 100)
		if last := list[len(list)-1]; textOf(last) != text || last.Version != now.Version {
			s.Errorf("history has %+v", list)
		}
	}
}

func modifyVersions(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Modifier](alice)
	m := alice.say(tim.C2C(bob.user), "0")
	for i, text := range []string{"1", "2", "3"} {
		before := m.Version
		m.Elems = []tim.Elem{tim.TextElem{Content: text}}
		m = alice.modify(m)
		if m.Version != before+1 {
			s.Errorf("change %d has version %d after %d", i+1, m.Version, before)
		}
	}
}

func modifyConflict(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Modifier](alice)
	sent := alice.say(tim.Group(alice.create(tim.GroupPublic, bob)), "first")
	read := bob.text(sent.Conversation(), "first")
	alice.modify(sent2(sent, "second"))
	_, err := able[tim.Modifier](bob).ModifyMessage(s.ctx(), sent2(read, "third"))
	s.refused("a change of what another has changed", err, tim.CodeSDKMsgModifyConflict)
	now := bob.modified("second")
	if got, err := can.ModifyMessage(s.ctx(), sent2(now, "third")); err != nil || textOf(got) != "third" {
		s.Errorf("with the version of now: %q, %v", textOf(got), err)
	}
	bob.modify(change(sent, "fourth")) // named, and not read: no version is compared
}

// sent2 is a message as it was read, with another text.
func sent2(m tim.Message, text string) tim.Message {
	m.Elems = []tim.Elem{tim.TextElem{Content: text}}
	return m
}

func modifyAgain(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	able[tim.Modifier](alice)
	sent := alice.say(tim.C2C(bob.user), "first")
	first := alice.modify(change(sent, "second"))
	again := alice.modify(change(sent, "second"))
	stale := alice.modify(sent2(sent, "second"))
	if again.Version != first.Version || stale.Version != first.Version {
		s.Errorf("the versions are %d, %d and %d", first.Version, again.Version, stale.Version)
	}
	bob.modified("second")
	bob.fence()
	bob.mu.Lock()
	defer bob.mu.Unlock()
	for _, it := range bob.items {
		if _, ok := it.report.Event.(tim.MessagesModified); ok && !it.taken {
			s.Error("the same change was told twice")
		}
	}
}

func modifyRace(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Modifier](alice)
	sent := alice.say(tim.C2C(bob.user), "0")
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for _, text := range strings.Fields("a b c d e") {
		wg.Go(func() {
			_, err := can.ModifyMessage(s.ctx(), sent2(sent, text))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if code := tim.CodeOf(err); code != tim.CodeSDKMsgModifyConflict && code != tim.CodeSvrMsgModifyVersionConflict && code != tim.CodeSvrMsgModifyConcurrent {
				s.Errorf("a change that lost: %v", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		s.Errorf("%d of 5 changes of one version went through", won)
	}
}

func modifyNothing(s *scene) {
	alice, bob, carol := s.signIn("alice"), s.signIn("bob"), s.signIn("carol")
	can := able[tim.Modifier](alice)
	group := tim.Group(alice.create(tim.GroupPublic, bob))
	sent := alice.say(group, "x")
	missing := change(sent, "y")
	missing.Seq = sent.Seq + 1000
	_, err := can.ModifyMessage(s.ctx(), missing)
	s.refused("a sequence that is not there", err, tim.CodeSvrGroupRevokeMsgNotFound)
	_, err = can.ModifyMessage(s.ctx(), change(tim.Message{ConvType: tim.ConvC2C, ConvID: string(carol.user), Seq: 1}, "y"))
	s.refused("a talk without messages", err, tim.CodeSvrMsgNotFound)
	_, err = able[tim.Modifier](carol).ModifyMessage(s.ctx(), change(sent, "y"))
	s.refused("somebody who is not in the group", err, tim.CodeSvrGroupPermissionDeny)
}

func modifyRevoked(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Modifier](alice)
	sent := alice.say(tim.C2C(bob.user), "x")
	if err := alice.client.Revoke(s.ctx(), sent.Conversation(), sent.Locator()); err != nil {
		s.Fatal(err)
	}
	_, err := can.ModifyMessage(s.ctx(), change(sent, "y"))
	s.refused("a change of a recalled message", err, tim.CodeSvrMsgAlreadyRevoked)
}

func modifyLimits(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Modifier](alice)
	sent := alice.say(tim.C2C(bob.user), "x")
	_, err := can.ModifyMessage(s.ctx(), change(sent, strings.Repeat("x", 13<<10)))
	s.refused("a change that is too long", err, tim.CodeSDKMsgBodySizeLimit)
	empty := change(sent, "")
	empty.Elems = nil
	_, err = can.ModifyMessage(s.ctx(), empty)
	s.refused("a change to nothing", err, tim.CodeInvalidMsgElem)
}

// modifyElements replaces a text with one of each that a person sends, and the
// file with it stays the one that it was.
func modifyElements(s *scene) {
	alice, bob := s.signIn("alice"), s.signIn("bob")
	can := able[tim.Modifier](alice)
	able[tim.Uploader](alice)
	content := noise(3000)
	sent, _ := deliver(s, alice, bob, tim.TextElem{Content: "before"}, tim.FileElem{FilePath: s.write("a.bin", content), FileName: "a.bin"})
	msg := sent
	msg.Elems = []tim.Elem{
		tim.TextElem{Content: "after"}, sent.Elems[1], tim.CustomElem{Data: "d", Ext: "e"}, tim.FaceElem{Index: 3, Buf: "f"},
		tim.LocationElem{Desc: "here", Longitude: 1.5, Latitude: -2.5},
		tim.MergerElem{Title: "both", Messages: []tim.Message{{Sender: bob.user, Elems: []tim.Elem{tim.TextElem{Content: "said"}}}}},
	}
	now, err := can.ModifyMessage(s.ctx(), msg)
	if err != nil {
		s.Fatal(err)
	}
	got := event(bob, "the change to after", func(e tim.MessagesModified) bool {
		return len(e.Messages) == 1 && len(e.Messages[0].Elems) > 0 && e.Messages[0].MsgID == sent.MsgID
	}).Messages[0]
	if diff := differ(now.Elems, got.Elems); diff != "" || len(got.Elems) != len(msg.Elems) {
		s.Fatalf("the receiver sees %d elements, %s", len(got.Elems), diff)
	}
	file, ok := got.Elems[1].(tim.FileElem)
	if !ok || file.FileName != "a.bin" || !bytes.Equal(s.download(file.URL), content) {
		s.Errorf("the file is now %+v", got.Elems[1])
	}
}
