package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/timbridge/timbridge/bus"
)

// What is no broker is recognised by what it says, with and without TLS.
func TestForeignServers(t *testing.T) {
	certs := newCertificates(t)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{certs.server}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	nats, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(func() { nats.Shutdown(); nats.WaitForShutdown() })
	if !nats.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	greeter := listen(t, func(nc net.Conn) {
		_, _ = io.WriteString(nc, "220 mail\r\n") // who connects may be gone
		_, _ = io.Copy(io.Discard, nc)
	})
	address := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	ca := &bus.TLS{CAFile: certs.ca}
	tryWays(t, []wayIn{
		{"a web server", address(web), nil, nil, new(*ProtocolError), []string{"it answers in HTTP", "use the port of a Kafka broker"}},
		{"a web server, SASL", address(web), nil, &SASLConfig{"PLAIN", "alice", "alice-pw"}, new(*ProtocolError), []string{"it answers in HTTP"}},
		{"a web server, over TLS", address(secure), ca, nil, new(*ProtocolError), []string{"it answers in HTTP"}},
		{"a web server without the TLS that we speak", address(web), ca, nil, new(*ProtocolError), []string{"use the port of a Kafka broker"}},
		{"a web server that speaks TLS", address(secure), nil, nil, new(*ProtocolError), []string{"it speaks TLS", "it expects TLS"}},
		{"a NATS server", nats.Addr().String(), nil, nil, new(*ProtocolError), []string{"NATS server", `of the kind "nats"`}},
		{"something else", greeter, nil, nil, new(*ProtocolError), []string{`begins with "220 "`}},
		{"a listener of TLS", listen(t, func(nc net.Conn) {
			_ = tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{certs.server}}).Handshake() // fails, and says so
		}), nil, nil, new(*ProtocolError), []string{"it speaks TLS", "it expects TLS: configure it"}},
	})
}

// listen serves connections, each as it is told.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var wg sync.WaitGroup
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
				serve(nc)
				_ = nc.Close() // it was served
			})
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = l.Close() // which ends the loop
		<-done
		wg.Wait()
	})
	return l.Addr().String()
}

// Every beginning of an answer that brokers give is taken for one.
func TestGreeting(t *testing.T) {
	for text, ok := range map[string]bool{
		"\x00\x00\x00\x04\x00\x00\x00\x01": true,
		"\x00\x00\x00\x04":                 true,
		"\x0f\xff\xff\xff":                 true,
		"\x00\x00\x00\x03":                 false,
		"\x10\x00\x00\x01":                 false,
		"HTTP/1.1 400":                     false,
	} {
		whole, split := greeting{}, greeting{}
		err := whole.hear([]byte(text))
		var bytewise error
		for i := range len(text) {
			bytewise = errors.Join(bytewise, split.hear([]byte(text[i:i+1])))
		}
		if (err == nil) != ok || (bytewise == nil) != ok {
			t.Errorf("%q: %v, byte by byte %v", text, err, bytewise)
		}
	}
}

// What stands before a broker takes connections and ends them before the broker
// is up. Whoever can wait does so, and is told; whoever cannot is told at once.
func TestFrontBeforeItsBroker(t *testing.T) {
	f := newFake(t)
	var up atomic.Bool
	ended := listen(t, func(nc net.Conn) { _, _ = nc.Read(make([]byte, 1<<10)) }) // and ends it
	cfg := testConfig(t, f.addr())
	cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !up.Load() {
			addr = ended
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var protocol *ProtocolError
	if _, err := Open(ctx, cfg); !errors.As(err, &protocol) {
		t.Fatalf("who cannot wait is told %v", err)
	}
	told := make(chan error, 10)
	cfg.Waiting = func(err error) {
		up.Store(true)
		told <- err
	}
	b, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if err := <-told; !errors.As(err, &protocol) || !strings.Contains(err.Error(), f.addr()) {
		t.Errorf("who waits is told %v", err)
	}
}

// So it is with topics that somebody else is to make.
func TestTopicsThatOthersMake(t *testing.T) {
	f := newFake(t)
	cfg := testConfig(t, f.addr())
	cfg.Manage = bus.ManageCheck
	cfg.Waiting = func(err error) {
		if topic := (*ConfigError)(nil); errors.As(err, &topic) && topic.Missing {
			for stream, name := range DefaultTopics() {
				create(t, f.addr(), name, stream == bus.Commands)
			}
		}
	}
	mustOpen(t, cfg)
	cfg.Waiting = func(err error) { t.Errorf("it waits for %v", err) }
	cfg.Partitions = 5
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if topic := (*ConfigError)(nil); !errors.As(opened(ctx, cfg), &topic) || topic.Missing {
		t.Error("what is different is waited for")
	}
}

func opened(ctx context.Context, cfg Config) error {
	b, err := Open(ctx, cfg)
	if err == nil {
		err = b.Close()
	}
	return err
}
