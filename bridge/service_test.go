package bridge

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

const (
	testKey   = "the application's key, a long one"
	testToken = "the token of the sandbox, a long one"
)

// service is a sandbox of its own, on a port that stays when it is restarted.
type service struct {
	t        testing.TB
	dir      string
	address  string
	delivery sandbox.Delivery
	asked    []tim.UserID // before they come into a group
	// heartbeat is how long it says nothing at most; a third of the silence that
	// its clients take for its end.
	heartbeat time.Duration

	*sandbox.Sandbox
	handler *sandbox.Handler
	server  *http.Server
	served  chan error
}

// newService starts one, and has the configuration lead there.
func newService(t testing.TB, cfg *config.Config) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), address: freeAddress(t), delivery: sandbox.DeliveryAck, asked: []tim.UserID{testUser}, heartbeat: 200 * time.Millisecond}
	cfg.App.Driver.URL = "ws://" + s.address
	cfg.App.Driver.Key, cfg.App.Driver.Token = config.NewSecret(testKey), config.NewSecret(testToken)
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *service) start() {
	s.t.Helper()
	var err error
	s.Sandbox, err = sandbox.Open(s.dir, sandbox.Options{
		SDKAppID: config.Default().App.SDKAppID, Key: testKey, Delivery: s.delivery,
		Limits: sandbox.Limits{GroupMessages: -1, Sends: -1, Calls: -1}, AskInvitees: s.asked,
		Journal: journal.Options{Reserve: 1 << 20, HighWater: 1 << 20},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.handler, err = s.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: testToken, Heartbeat: s.heartbeat}})
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server, s.served = &http.Server{Handler: s.handler}, make(chan error, 1)
	go func() { s.served <- s.server.Serve(l) }()
}

func (s *service) stop() {
	s.t.Helper()
	if s.Sandbox == nil {
		return
	}
	err := errors.Join(s.handler.Close(), s.server.Close(), s.Sandbox.Close())
	<-s.served
	s.Sandbox = nil
	if err != nil {
		s.t.Error(err)
	}
}

// person signs somebody in at the service, in process.
func (s *service) person(user tim.UserID, platform tim.Platform) tim.Client {
	s.t.Helper()
	c, err := s.Open(s.t.Context(), tim.Config{
		SDKAppID: config.Default().App.SDKAppID, DeviceInfo: &tim.DeviceInfo{DevID: "test-" + string(user), Platform: platform},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Listen(func(r tim.Report) { r.Ack() }); err != nil {
		s.t.Fatal(err)
	}
	sig := tim.SignUserSig(config.Default().App.SDKAppID, testKey, user, time.Hour, time.Now())
	err = c.Login(s.t.Context(), user, sig)
	if tim.CodeOf(err) == tim.CodeLoginKickedOffByOther {
		err = c.Login(s.t.Context(), user, sig)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// say sends texts to the bridge's account, one after the other.
func say(t testing.TB, c tim.Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := c.Send(t.Context(), tim.C2C(testUser), tim.Message{Elems: []tim.Elem{tim.TextElem{Content: text}}})
		if err != nil {
			t.Fatal(err)
		}
	}
}
