// Command conversations rebuilds the current text of every conversation from
// the events on NATS: what was posted, with what was modified since, without
// what was recalled, and how far it was read.
//
// It reads through a durable consumer and keeps what it has built in a file, so
// that the next run reads only what is new. An event may come twice, and after
// a crash an older one may come after a newer one: see [conversation.apply].
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
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
	durable = flag.String("durable", "conversations", "name of the durable consumer")
	file    = flag.String("state", "conversations.json", "what was built so far")
	follow  = flag.Bool("follow", false, "go on, and print conversations as they change")
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
	talks, err := load(*file)
	if err != nil {
		return err
	}
	nc, err := connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, *stream, jetstream.ConsumerConfig{
		Durable: *durable, FilterSubject: "tim.events.message.>",
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: 10 * time.Second, DeliverPolicy: jetstream.DeliverAllPolicy,
	})
	if err != nil {
		return err
	}
	for read := 0; ; {
		changed, n, err := talks.next(ctx, consumer)
		if err != nil {
			return err
		}
		read += n
		if *follow {
			talks.print(os.Stdout, changed)
			continue
		}
		info, err := consumer.Info(ctx)
		if err != nil {
			return err
		}
		if info.NumPending == 0 && info.NumAckPending == 0 {
			log.Printf("%d events read", read)
			talks.print(os.Stdout, nil)
			return nil
		}
	}
}

func connect() (*nats.Conn, error) {
	var opts []nats.Option
	if *token != "" {
		secret, err := os.ReadFile(*token)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Token(strings.TrimSpace(string(secret))))
	}
	return nats.Connect(*server, opts...)
}

// next takes the events that are there, and acknowledges them once they are in
// the file. A pipeline writes rows instead, in one transaction; the order stays:
// store, then acknowledge.
func (t talks) next(ctx context.Context, consumer jetstream.Consumer) (changed map[string]bool, n int, err error) {
	batch, err := consumer.Fetch(500, jetstream.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return nil, 0, err
	}
	var done []jetstream.Msg
	changed = map[string]bool{}
	for msg := range batch.Messages() {
		done = append(done, msg)
		subject, kind := attribute(msg, "subject"), attribute(msg, "type")
		var e event
		if err := json.Unmarshal(msg.Data(), &e); err != nil {
			log.Printf("event %s: %v", attribute(msg, "id"), err) // it will not get better: left out
			continue
		}
		if t[subject] == nil {
			t[subject] = newConversation()
		}
		t[subject].apply(kind, e)
		changed[subject] = true
	}
	if err := batch.Error(); err != nil {
		return nil, 0, err
	}
	if len(done) == 0 {
		return nil, 0, ctx.Err()
	}
	if err := t.save(*file); err != nil {
		return nil, 0, err
	}
	for _, msg := range done {
		if err := msg.Ack(); err != nil {
			return nil, 0, err
		}
	}
	return changed, len(done), nil
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

func load(path string) (talks, error) {
	t := talks{}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// save replaces the file in one step.
func (t talks) save(path string) error {
	b, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
