package ingress_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/timbridge/timbridge/ingress"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
)

const (
	app = 1400000000
	key = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
)

// What alice says to the bridge's account ends up in the journal as a CloudEvent.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "ingress")
	check(err)
	defer os.RemoveAll(dir)
	service, err := sandbox.Open(dir+"/im", sandbox.Options{SDKAppID: app, Key: key})
	check(err)
	defer service.Close()
	j, err := journal.Open(dir+"/journal", journal.Options{})
	check(err)
	defer j.Close()

	in := ingress.New(ingress.Config{}, ingress.Deps{Journal: j, App: mapping.App{SDKAppID: app}})
	check(j.Scan(1, in.Apply)) // what is known from before
	ran := make(chan error, 1)
	go func() { ran <- in.Run(ctx) }()

	account, err := service.Open(ctx, tim.Config{SDKAppID: app})
	check(err)
	check(account.Listen(in.Handler("bridge")))
	check(in.Announce(ctx, "bridge"))
	check(account.Login(ctx, "bridge", tim.SignUserSig(app, key, "bridge", time.Hour, time.Now())))
	check(in.CatchUp(ctx, "bridge", account, time.Time{}))

	alice, err := service.Open(ctx, tim.Config{SDKAppID: app})
	check(err)
	check(alice.Login(ctx, "alice", tim.SignUserSig(app, key, "alice", time.Hour, time.Now())))
	_, err = alice.Send(ctx, tim.C2C("bridge"), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: "hi"}}})
	check(err)

	r := j.Read(1)
	defer r.Close()
	for told := false; !told; {
		entries, err := r.Next(ctx, 100, 1<<20)
		check(err)
		for _, e := range entries {
			if e.Kind == journal.KindFact {
				event, err := mapping.Decode(e.Body)
				check(err)
				fmt.Println(event.Type(), event.Subject())
				told = true
			}
		}
	}
	check(account.Close())
	check(alice.Close())
	cancel()
	check(<-ran)
	// Output: io.timbridge.message.posted.v1 c2c/alice/bridge
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
