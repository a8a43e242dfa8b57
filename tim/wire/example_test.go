package wire_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/wire"
)

// parrot is a service that says everything back.
type parrot struct{}

func (parrot) Open(context.Context, tim.Config) (tim.Client, error) { return &parrotClient{}, nil }

type parrotClient struct {
	tim.Client // what a parrot cannot do
	user       tim.UserID
	handler    tim.Handler
}

func (c *parrotClient) Listen(h tim.Handler) error { c.handler = h; return nil }

func (c *parrotClient) Login(_ context.Context, user tim.UserID, _ string) error {
	c.user = user
	return nil
}

func (c *parrotClient) Send(_ context.Context, conv tim.Conversation, msg tim.Message) (tim.Message, error) {
	msg.ConvType, msg.ConvID, msg.Seq = conv.Type, conv.ID, 1
	back := msg
	back.Sender = tim.UserID(conv.ID)
	c.handler(tim.Report{
		Account: c.user, Event: tim.MessagesReceived{Messages: []tim.Message{back}},
		Ack: func() {},
	})
	return msg, nil
}

func (c *parrotClient) Close() error { return nil }

func Example() {
	// One process holds the service …
	handler := wire.NewHandler(parrot{}, wire.HandlerOptions{Token: "secret"})
	server := httptest.NewServer(handler)
	defer server.Close()
	defer handler.Close()

	// … and another one uses it as if it were its own.
	driver := wire.NewDriver(wire.Options{
		URL:   "ws" + strings.TrimPrefix(server.URL, "http"),
		Token: "secret",
	})
	ctx := context.Background()
	client, err := driver.Open(ctx, tim.Config{SDKAppID: 1400000000})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	heard := make(chan string, 1)
	_ = client.Listen(func(r tim.Report) {
		defer r.Ack()
		if m, ok := r.Event.(tim.MessagesReceived); ok {
			heard <- fmt.Sprintf("%s: %s", m.Messages[0].Sender, m.Messages[0].Elems[0].(tim.TextElem).Content)
		}
	})
	if err := client.Login(ctx, "alice", "a UserSig"); err != nil {
		fmt.Println(err)
		return
	}
	sent, err := client.Send(ctx, tim.C2C("polly"), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "hello"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent to", sent.Conversation())
	fmt.Println(<-heard)
	// Output:
	// sent to c2c/polly
	// polly: hello
}
