package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// Two accounts talk in a sandbox of this process.
func Example() {
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	im, err := sandbox.Open(dir, sandbox.Options{SDKAppID: 1400000000, Key: "a secret key"})
	if err != nil {
		panic(err)
	}
	defer im.Close()

	ctx := context.Background()
	signIn := func(user tim.UserID, handler tim.Handler) tim.Client {
		client, err := im.Open(ctx, tim.Config{SDKAppID: 1400000000})
		if err != nil {
			panic(err)
		}
		if err := client.Listen(handler); err != nil {
			panic(err)
		}
		sig := tim.SignUserSig(1400000000, "a secret key", user, time.Hour, time.Now())
		if err := client.Login(ctx, user, sig); err != nil {
			panic(err)
		}
		return client
	}
	said := make(chan string)
	signIn("bob", func(r tim.Report) {
		if e, ok := r.Event.(tim.MessagesReceived); ok {
			text := e.Messages[0].Elems[0].(tim.TextElem)
			said <- fmt.Sprintf("%s says %q", e.Messages[0].Sender, text.Content)
		}
		r.Ack()
	})
	alice := signIn("alice", func(tim.Report) {})
	msg := tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "hi"}}}
	if _, err := alice.Send(ctx, tim.C2C("bob"), msg); err != nil {
		panic(err)
	}
	fmt.Println(<-said)
	// Output: alice says "hi"
}

// A sandbox is served on loopback, with a control endpoint for faults.
func ExampleSandbox_Handler() {
	im, err := sandbox.Open("sandbox-data", sandbox.Options{SDKAppID: 1400000000, Key: "a secret key"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer im.Close()
	h, err := im.Handler(sandbox.HandlerOptions{
		Wire:         wire.HandlerOptions{Token: "for clients"},
		ControlToken: "for tests",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	server := &http.Server{Addr: "127.0.0.1:8780", Handler: h, ReadHeaderTimeout: 10 * time.Second}
	fmt.Println(server.ListenAndServe())
}

// The answer of the next send is lost. Sent again with the same random, the
// message is the one that was posted.
func ExampleFaults_Add() {
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	im, err := sandbox.Open(dir, sandbox.Options{SDKAppID: 1400000000, Key: "a secret key"})
	if err != nil {
		panic(err)
	}
	defer im.Close()
	ctx := context.Background()
	alice, err := im.Open(ctx, tim.Config{SDKAppID: 1400000000})
	if err != nil {
		panic(err)
	}
	sig := tim.SignUserSig(1400000000, "a secret key", "alice", time.Hour, time.Now())
	if err := alice.Login(ctx, "alice", sig); err != nil {
		panic(err)
	}

	if err := im.Faults().Add(sandbox.Fault{Call: sandbox.CallSend, Do: sandbox.DropAfter}); err != nil {
		panic(err)
	}
	msg := tim.Message{Rand: 4711, Elems: []tim.Elem{tim.TextElem{Content: "hi"}}}
	_, err = alice.Send(ctx, tim.C2C("bob"), msg)
	e, _ := tim.AsError(err)
	fmt.Println(e.Code, e.Effect)
	sent, err := alice.Send(ctx, tim.C2C("bob"), msg)
	fmt.Println(sent.Seq, err)
	// Output:
	// 6012 ERR_REQUEST_TIME_OUT unknown
	// 1 <nil>
}

// Somebody asks to join a group; its owner agrees.
func ExampleClient_HandleRequest() {
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	im, err := sandbox.Open(dir, sandbox.Options{SDKAppID: 1400000000, Key: "a secret key"})
	if err != nil {
		panic(err)
	}
	defer im.Close()

	ctx := context.Background()
	signIn := func(user tim.UserID) (tim.Client, tim.Groups) {
		client, err := im.Open(ctx, tim.Config{SDKAppID: 1400000000})
		if err != nil {
			panic(err)
		}
		sig := tim.SignUserSig(1400000000, "a secret key", user, time.Hour, time.Now())
		if err := client.Login(ctx, user, sig); err != nil {
			panic(err)
		}
		return client, client.(tim.Groups)
	}
	alice, owner := signIn("alice")
	_, guest := signIn("bob")
	group, err := alice.CreateGroup(ctx, tim.CreateGroupParam{GroupName: "depot", GroupID: "depot", GroupType: tim.GroupPublic})
	if err != nil {
		panic(err)
	}
	if err := guest.JoinGroup(ctx, group.GroupID, "I drive van 7"); err != nil {
		panic(err)
	}
	page, err := owner.Requests(ctx, tim.GroupPendencyOption{})
	if err != nil {
		panic(err)
	}
	for _, request := range page.Pendencies {
		fmt.Printf("%s asks: %s\n", request.FromIdentifier, request.ApplyInviteMsg)
		if err := owner.HandleRequest(ctx, tim.GroupHandlePendencyParam{IsAccept: true, Pendency: request}); err != nil {
			panic(err)
		}
	}
	list, err := owner.Members(ctx, tim.GroupGetMemberInfoListParam{GroupID: group.GroupID})
	if err != nil {
		panic(err)
	}
	for _, m := range list.Infos {
		fmt.Println(m.Identifier, "is", m.MemberRole)
	}
	// Output:
	// bob asks: I drive van 7
	// alice is owner
	// bob is member
}
