package tim_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/timbridge/timbridge/tim"
)

// What only some drivers can do is found by type assertion.
func ExampleModifier() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	modified := make(chan tim.Message)
	im.signIn("bob", func(r tim.Report) {
		if e, ok := r.Event.(tim.MessagesModified); ok {
			for _, msg := range e.Messages {
				modified <- msg
			}
		}
		r.Ack()
	})
	alice := im.signIn("alice", nil)
	msg, err := alice.Send(ctx, tim.C2C("bob"), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "at fife"}}})
	check(err)

	modifier, ok := alice.(tim.Modifier)
	if !ok {
		fmt.Println("this driver cannot")
		return
	}
	msg.Elems = []tim.Elem{tim.TextElem{Content: "at five"}}
	_, err = modifier.ModifyMessage(ctx, msg)
	check(err)
	msg = <-modified
	fmt.Println(msg.Elems[0].(tim.TextElem).Content)
	// Output:
	// at five
}

// The sender asks for receipts with a message, the readers give them, and the
// sender is told how many have.
func ExampleReader() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	receipts := make(chan tim.MessageReceipt)
	alice := im.signIn("alice", func(r tim.Report) {
		if e, ok := r.Event.(tim.MessagesRead); ok {
			for _, receipt := range e.Receipts {
				receipts <- receipt
			}
		}
		r.Ack()
	})
	bob := im.signIn("bob", nil)
	group, err := alice.CreateGroup(ctx, tim.CreateGroupParam{
		GroupName: "friends", GroupType: tim.GroupPublic,
		Members: []tim.GroupMemberInfo{{Identifier: "bob"}, {Identifier: "carol"}},
	})
	check(err)
	conv := tim.Group(group.GroupID)
	_, err = alice.Send(ctx, conv, tim.Message{
		Elems: []tim.Elem{tim.TextElem{Content: "read this"}}, NeedReadReceipt: true,
	})
	check(err)

	said, err := bob.(tim.History).Messages(ctx, conv, tim.HistoryQuery{Count: 1})
	check(err)
	check(bob.(tim.Reader).SendReadReceipts(ctx, said))
	receipt := <-receipts
	fmt.Println("read by", receipt.ReadCount, "and not by", receipt.UnreadCount)

	check(bob.(tim.Reader).MarkRead(ctx, conv, nil)) // nothing is unread
	list, err := bob.(tim.History).Conversations(ctx)
	check(err)
	for _, info := range list {
		fmt.Println(info.ShowName, info.UnreadNum)
	}
	// Output:
	// read by 1 and not by 1
	// friends 0
}

// One message goes to several users, each in a talk of their own.
func ExampleBatchSender() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	alice := im.signIn("alice", nil)

	results, err := alice.(tim.BatchSender).BatchSend(ctx, tim.MsgBatchSendParam{
		Identifiers: []tim.UserID{"bob", "carol"},
		Msg:         tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "this is batch send msg"}}},
	})
	check(err)
	for _, r := range results {
		fmt.Println(r.Identifier, r.Code)
	}
	// Output:
	// bob 0 ERR_SUCC
	// carol 0 ERR_SUCC
}

// What is nil in a UserProfileItem stays as it is.
func ExampleProfiles() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	alice, bob := im.signIn("alice", nil), im.signIn("bob", nil)

	check(alice.(tim.Profiles).ModifyProfile(ctx, tim.UserProfileItem{
		NickName: new("Alice"), Gender: new(tim.GenderFemale),
	}))
	check(alice.(tim.Profiles).ModifyProfile(ctx, tim.UserProfileItem{SelfSignature: new("hello")}))
	profiles, err := bob.(tim.Profiles).Profiles(ctx, []tim.UserID{"alice"})
	check(err)
	for _, p := range profiles {
		fmt.Println(p.Identifier, p.NickName, p.Gender, p.SelfSignature)
	}
	// Output:
	// alice Alice female hello
}

// Who is online is told of those whose status the account has subscribed to.
func ExamplePresence() {
	im := startIM()
	defer im.stop()
	ctx := context.Background()
	statuses := make(chan tim.UserStatus)
	alice := im.signIn("alice", func(r tim.Report) {
		if e, ok := r.Event.(tim.StatusesChanged); ok {
			for _, s := range e.Statuses {
				statuses <- s
			}
		}
		r.Ack()
	})
	check(alice.(tim.Presence).SubscribeStatus(ctx, []tim.UserID{"bob"}))

	bob := im.signIn("bob", nil)
	status := <-statuses
	fmt.Println(status.Identifier, status.StatusType)
	check(bob.(tim.Presence).SetStatus(ctx, "at lunch"))
	status = <-statuses
	fmt.Println(status.Identifier, status.StatusType, status.CustomStatus)
	check(bob.Logout(ctx))
	status = <-statuses
	fmt.Println(status.Identifier, status.StatusType)
	// Output:
	// bob online
	// bob online at lunch
	// bob signed_out
}

// A file is uploaded when the message is sent, and the sender is told how far
// that is.
func ExampleUploadProgress() {
	im := startIM()
	defer im.stop()
	path := filepath.Join(im.dir, "notes.txt")
	check(os.WriteFile(path, []byte("read me"), 0o600))

	done := make(chan struct{})
	alice := im.signIn("alice", func(r tim.Report) {
		if e, ok := r.Event.(tim.UploadProgress); ok && e.Done == e.Total {
			fmt.Println("element", e.Index, "has all its", e.Total, "bytes")
			close(done)
		}
		r.Ack()
	})
	sent, err := alice.Send(context.Background(), tim.C2C("bob"), tim.Message{Elems: []tim.Elem{
		tim.FileElem{FilePath: path},
	}})
	check(err)
	<-done
	file := sent.Elems[0].(tim.FileElem)
	fmt.Println(file.FileName, file.FileSize, file.FilePath == "", file.URL != "")
	// Output:
	// element 0 has all its 7 bytes
	// notes.txt 7 true true
}
