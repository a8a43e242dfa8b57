package tim_test

import (
	"context"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// What the examples of the SDK's quick start share. They follow its order, in
// example_1_session_test.go, example_2_message_test.go and
// example_3_group_test.go, each against an IM service of its own.

const (
	appID     = 12345678
	secretKey = "the application's key, known to its server alone"
)

// imService is an IM service for one example.
type imService struct {
	*sandbox.Sandbox
	dir   string
	clock *movableClock
}

// startIM starts a service in a temporary directory.
func startIM() *imService {
	dir, err := os.MkdirTemp("", "im")
	check(err)
	clock := &movableClock{}
	opts := sandbox.Options{SDKAppID: appID, Key: secretKey, Now: clock.now}
	opts.Journal.Reserve, opts.Journal.HighWater = -1, -1 // an example needs no space kept free
	im, err := sandbox.Open(dir, opts)
	check(err)
	return &imService{im, dir, clock}
}

// stop ends the service and its clients.
func (im *imService) stop() {
	check(im.Close())
	check(os.RemoveAll(im.dir))
}

// userSig is what the application's server hands out to a user who is who they say.
func (im *imService) userSig(user tim.UserID) string {
	return tim.SignUserSig(appID, secretKey, user, time.Hour, im.clock.now())
}

// signIn opens a client and signs a user in, on a device without a name.
func (im *imService) signIn(user tim.UserID, handler tim.Handler) tim.Client {
	client, err := im.Open(context.Background(), tim.Config{SDKAppID: appID})
	check(err)
	if handler != nil {
		check(client.Listen(handler))
	}
	check(client.Login(context.Background(), user, im.userSig(user)))
	return client
}

// movableClock is the real clock, and moved on by an example.
type movableClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *movableClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *movableClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// check is for what cannot go wrong in an example.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// serveFiles has the service listen on this machine, which is where the URLs of
// files lead. It gives what ends that.
func (im *imService) serveFiles() (stop func()) {
	server := httptest.NewUnstartedServer(nil)
	h, err := im.Handler(sandbox.HandlerOptions{
		Wire: wire.HandlerOptions{Token: "for clients elsewhere"},
		URL:  "http://" + server.Listener.Addr().String(),
	})
	check(err)
	server.Config.Handler = h
	server.Start()
	return func() {
		server.Close()
		check(h.Close())
	}
}
