// Command keyword answers whoever writes a word: it reads message.posted events
// from NATS and publishes a message.send command for each that has the word in it.
//
// It may be killed at any moment and started again. It answers every message
// that was posted since its first start, once: the command's id is made from
// the event's, and timbridge carries out the same id once.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	server  = flag.String("nats", "nats://127.0.0.1:4222", "the NATS server")
	token   = flag.String("token", "data/bus.token", "file with its token; empty: none")
	stream  = flag.String("stream", "tim-events", "the stream of events")
	durable = flag.String("durable", "keyword", "name of the durable consumer")
	word    = flag.String("word", "help", "the word to answer")
	answer  = flag.String("answer", "Somebody will be with you shortly.", "the answer")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	var opts []nats.Option
	if *token != "" {
		secret, err := os.ReadFile(*token)
		if err != nil {
			return err
		}
		opts = append(opts, nats.Token(strings.TrimSpace(string(secret))))
	}
	nc, err := nats.Connect(*server, opts...)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	// Only what is posted from now on: nobody wants last year's answers.
	consumer, err := js.CreateOrUpdateConsumer(ctx, *stream, jetstream.ConsumerConfig{
		Durable: *durable, FilterSubject: "tim.events.message.posted.>",
		AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverNewPolicy,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	log.Printf("answering %q", *word)
	for {
		msg, err := messages.Next()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		if err := reply(ctx, js, msg); err != nil {
			return err
		}
		// Only now: if the program is killed before, the event comes again.
		if err := msg.Ack(); err != nil {
			return err
		}
	}
}

// posted is what the data of message.posted has for us.
type posted struct {
	Conversation json.RawMessage `json:"conversation"` // goes into the command as it is
	Sender       string          `json:"sender"`
	Elements     []element       `json:"elements"`
}

type element struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// reply publishes the command that answers a message, if it has the word.
func reply(ctx context.Context, js jetstream.JetStream, msg jetstream.Msg) error {
	var p posted
	if err := json.Unmarshal(msg.Data(), &p); err != nil {
		log.Printf("event %s: %v", attribute(msg, "id"), err) // it will not get better: left out
		return nil
	}
	account := attribute(msg, "timaccount")
	if p.Sender == account || !asks(p) {
		return nil // our own answer has the word too, perhaps
	}
	id := "keyword/" + attribute(msg, "id")
	data, err := json.Marshal(map[string]any{"conversation": p.Conversation, "elements": []element{{Type: "text", Text: *answer}}})
	if err != nil {
		return err
	}
	command := nats.NewMsg("tim.commands." + plain(account) + ".message.send")
	command.Data = data
	for name, value := range map[string]string{
		"ce-specversion":   "1.0",
		"ce-id":            id,
		"ce-source":        "keyword",
		"ce-type":          "io.timbridge.command.message.send.v1",
		"ce-timaccount":    account,
		"ce-correlationid": attribute(msg, "id"),
		"ce-expirytime":    time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339), // later it answers nothing any more
	} {
		command.Header.Set(name, url.PathEscape(value))
	}
	command.Header.Set("content-type", "application/json")
	if _, err := js.PublishMsg(ctx, command); err != nil {
		return fmt.Errorf("publish the answer: %w", err)
	}
	log.Printf("answered %s", p.Sender)
	return nil
}

func asks(p posted) bool {
	for _, e := range p.Elements {
		if e.Type == "text" && strings.Contains(strings.ToLower(e.Text), strings.ToLower(*word)) {
			return true
		}
	}
	return false
}

// attribute is an attribute of a CloudEvent in binary mode, which is how
// timbridge publishes unless bus.mode says otherwise.
func attribute(msg jetstream.Msg, name string) string {
	value := msg.Headers().Get("ce-" + name)
	if text, err := url.PathUnescape(value); err == nil {
		return text
	}
	return value
}

// plain is an account's id as a word of a subject.
func plain(id string) string {
	var b strings.Builder
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' || strings.IndexByte(`.*>/~%$"`, c) >= 0 {
			fmt.Fprintf(&b, "~%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
