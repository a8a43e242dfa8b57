package docs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The permissions of guarantees.md let each user do what stands there, and
// nothing else.
func TestPermissionsOfTheExample(t *testing.T) {
	page, err := os.ReadFile("guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```nats\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("guarantees.md has no block of NATS configuration")
	}
	for _, user := range []string{"BRIDGE", "ORDERS", "PIPELINE"} {
		t.Setenv(user+"_PASSWORD", "secret-of-"+strings.ToLower(user))
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "nats.conf")
	text := "listen: \"127.0.0.1:-1\"\njetstream { store_dir: \"" + dir + "\" }\n" + string(block[1])
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	connect := func(user string) (*nats.Conn, jetstream.JetStream) {
		nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "secret-of-"+user), nats.CustomInboxPrefix("_INBOX_"+user),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		return nc, js
	}
	_, bridge := connect("bridge")
	for name, subject := range map[string]string{"tim-events": "tim.events.>", "tim-commands": "tim.commands.>", "tim-outcomes": "tim.outcomes.>"} {
		if _, err := bridge.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(f func(context.Context) error) error {
		c, cancel := context.WithTimeout(ctx, 300*time.Millisecond) // the server says nothing to who may not
		defer cancel()
		return f(c)
	}
	publish := func(js jetstream.JetStream, subject string) error {
		return ask(func(c context.Context) error { _, err := js.Publish(c, subject, []byte("{}")); return err })
	}
	allowed := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	forbidden := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s is possible", what)
		}
	}

	nc, orders := connect("orders")
	outcomes, err := nc.SubscribeSync("tim.outcomes.shop.>")
	allowed("orders listens to its outcomes", errors.Join(err, nc.Flush()))
	allowed("orders sends a command", publish(orders, "tim.commands.shop.message.send"))
	forbidden("orders dismissing groups", publish(orders, "tim.commands.shop.group.dismiss"))
	forbidden("orders acting as another", publish(orders, "tim.commands.bank.message.send"))
	forbidden("orders making events up", publish(orders, "tim.events.message.posted.x"))
	allowed("the bridge publishes an outcome", publish(bridge, "tim.outcomes.shop.succeeded"))
	_, err = outcomes.NextMsg(5 * time.Second)
	allowed("orders hears its outcome", err)
	forbidden("orders looking at the events", ask(func(c context.Context) error { _, err := orders.Stream(c, "tim-events"); return err }))
	forbidden("orders deleting the commands", ask(func(c context.Context) error { return orders.DeleteStream(c, "tim-commands") }))

	_, pipeline := connect("pipeline")
	allowed("the bridge publishes an event", publish(bridge, "tim.events.message.posted.c2c.bob.bridge"))
	c, err := pipeline.CreateOrUpdateConsumer(ctx, "tim-events", jetstream.ConsumerConfig{Durable: "pipeline", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatalf("pipeline makes a consumer: %v", err)
	}
	m, err := c.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		t.Fatalf("pipeline reads an event: %v", err)
	}
	allowed("pipeline acknowledges", m.DoubleAck(ctx))
	forbidden("pipeline sending a command", publish(pipeline, "tim.commands.shop.message.send"))
	forbidden("pipeline reading commands", ask(func(c context.Context) error {
		_, err := pipeline.CreateOrUpdateConsumer(c, "tim-commands", jetstream.ConsumerConfig{Durable: "x"})
		return err
	}))
	forbidden("pipeline deleting the events", ask(func(c context.Context) error { return pipeline.DeleteStream(c, "tim-events") }))
}
