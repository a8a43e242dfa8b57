package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

const (
	commandSource = "killtest"
	talkCommand   = "talk"
)

// talkGroup is the group in which everybody talks; the bridge creates it when
// it is told to, under a name that follows from the command.
func talkGroup() tim.GroupID { return mapping.GroupIDFor(commandSource, talkCommand, false) }

// ordered is one command that the bus took.
type ordered struct {
	id   string
	verb string
	text string      // of a send
	to   tim.UserID  // of a send to a person
	in   tim.GroupID // of a send to a group, or the group created or acted on
}

// orders publishes commands as a stranger would: with the NATS client alone,
// in structured JSON, each until the server has acknowledged it.
type orders struct {
	js  jetstream.JetStream
	rng *rand.Rand

	mu     sync.Mutex
	taken  []ordered
	groups []madeGroup
	number int
}

type madeGroup struct {
	id   tim.GroupID
	at   time.Time
	next int // what happens to it next
}

func connect(ctx context.Context, port int, token string) (*nats.Conn, jetstream.JetStream, error) {
	for {
		nc, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port), nats.Token(token), nats.MaxReconnects(-1),
			nats.ReconnectWait(50*time.Millisecond), nats.Timeout(2*time.Second), nats.PingInterval(time.Second))
		if err == nil {
			js, err := jetstream.New(nc)
			return nc, js, err
		}
		if ctx.Err() != nil {
			return nil, nil, errors.Join(err, ctx.Err())
		}
		wait(ctx, 50*time.Millisecond)
	}
}

// publish puts one command on the bus. It ends with an error only when ctx ends.
func (o *orders) publish(ctx context.Context, c ordered, data any) error {
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": c.id, "source": commandSource, "type": "io.timbridge.command." + c.verb + ".v1",
		"time": time.Now().UTC().Format(time.RFC3339Nano), "datacontenttype": "application/json",
		"timaccount": bridgeUser, "data": data,
	})
	if err != nil {
		return err
	}
	msg := nats.NewMsg("tim.commands." + string(bridgeUser) + "." + c.verb)
	msg.Header.Set("content-type", "application/cloudevents+json")
	msg.Header.Set(nats.MsgIdHdr, commandSource+"/"+c.id)
	msg.Data = body
	for {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := o.js.PublishMsg(one, msg)
		cancel()
		if err == nil {
			o.mu.Lock()
			o.taken = append(o.taken, c)
			o.mu.Unlock()
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		wait(ctx, 50*time.Millisecond)
	}
}

// run publishes at a rate until stop is closed; a command under way is
// finished, so that none is in doubt between us and the bus.
func (o *orders) run(ctx context.Context, rate float64, stop <-chan struct{}) error {
	pace := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-pace.C:
		}
		c, data := o.next()
		if err := o.publish(ctx, c, data); err != nil {
			return err
		}
	}
}

// next thinks of a command.
func (o *orders) next() (ordered, any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.number++
	c := ordered{id: fmt.Sprintf("c%d", o.number)}
	conversation := func(kind, field, id string) map[string]string { return map[string]string{"type": kind, field: id} }
	send := func(conv map[string]string) any {
		c.verb, c.text = "message.send", "command "+c.id
		return map[string]any{"conversation": conv, "elements": []map[string]string{{"type": "text", "text": c.text}}}
	}
	switch n := o.rng.IntN(100); {
	case n < 65:
		c.to = people[o.rng.IntN(len(people))]
		return pair(&c, send(conversation("c2c", "user_id", string(c.to))))
	case n < 92:
		c.in = talkGroup()
		return pair(&c, send(conversation("group", "group_id", string(c.in))))
	case n < 96 || len(o.groups) == 0:
		c.verb, c.in = "group.create", mapping.GroupIDFor(commandSource, c.id, false)
		o.groups = append(o.groups, madeGroup{id: c.in, at: time.Now()})
		return pair(&c, map[string]any{"group_type": "private", "name": c.id, "members": []map[string]string{{"user_id": "bob"}}})
	default:
		g := &o.groups[o.rng.IntN(len(o.groups))]
		c.in = g.id
		g.next++
		switch g.next {
		case 1, 3:
			c.verb = "group.invite"
			return pair(&c, map[string]any{"group_id": g.id, "user_ids": []string{"carol"}})
		case 2:
			c.verb = "group.remove_member"
			return pair(&c, map[string]any{"group_id": g.id, "user_ids": []string{"carol"}})
		}
		c.verb = "group.remove_member"
		return pair(&c, map[string]any{"group_id": g.id, "user_ids": []string{"bob"}})
	}
}

// pair reads the command after its data was thought of, which fills it in.
func pair(c *ordered, data any) (ordered, any) { return *c, data }

// published is one message of a stream, as a stranger reads it.
type published struct {
	position uint64 // in the stream
	id, typ  string
	subject  string
	journal  string
	sequence string
	data     json.RawMessage
}

// readStream reads a whole stream.
func readStream(ctx context.Context, js jetstream.JetStream, name string) ([]published, error) {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	if info.State.Msgs == 0 {
		return nil, nil
	}
	consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	defer messages.Stop()
	var out []published
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		h := m.Headers()
		out = append(out, published{
			position: meta.Sequence.Stream, id: h.Get("ce-id"), typ: h.Get("ce-type"), subject: h.Get("ce-subject"),
			journal: h.Get("ce-timbridge"), sequence: h.Get("ce-sequence"), data: m.Data(),
		})
		if meta.Sequence.Stream >= info.State.LastSeq {
			return out, nil
		}
	}
}
