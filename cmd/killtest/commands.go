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
	what string      // of a revocation: the message's id, as events name it
	sent string      // of a revocation: the message's text
	// hopeless: it cannot succeed.
	hopeless bool
}

// orders publishes commands as a stranger would: with the NATS client alone,
// in structured JSON, each until the server has acknowledged it.
type orders struct {
	js  jetstream.JetStream
	rng *rand.Rand

	mu     sync.Mutex
	taken  []ordered
	number int

	// Read from the outcomes, after the last one looked at: groups that are
	// there, and sends that may be revoked.
	groups    []madeGroup
	revocable []ordered
	looked    uint64
}

type madeGroup struct {
	id   tim.GroupID
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
		if o.number%20 == 0 {
			o.learn(ctx)
		}
		c, data := o.next()
		if err := o.publish(ctx, c, data); err != nil {
			return err
		}
	}
}

// learn reads a few outcomes, for messages to revoke and for groups to change:
// a group's commands are in order, but its creation is not among them. What
// cannot be read now is read later.
func (o *orders) learn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	stream, err := o.js.Stream(ctx, "tim-outcomes")
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	given := map[string]ordered{}
	for _, c := range o.taken[max(0, len(o.taken)-2000):] {
		given[c.id] = c
	}
	for range 40 {
		m, err := stream.GetMsg(ctx, o.looked+1)
		if err != nil {
			return
		}
		o.looked = m.Sequence
		var out outcome
		if json.Unmarshal(m.Data, &out) != nil || out.Result == nil {
			continue
		}
		switch c := given[out.Command.ID]; {
		case c.verb == "group.create" && c.id != talkCommand:
			o.groups = append(o.groups, madeGroup{id: c.in})
		case c.verb == "message.send" && len(o.revocable) < 100 && o.rng.IntN(4) == 0:
			o.revocable = append(o.revocable, ordered{verb: "message.revoke", what: out.Result.MessageID, sent: c.text})
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
	case n < 5 && len(o.revocable) > 0:
		id := c.id
		c, o.revocable = o.revocable[0], o.revocable[1:]
		c.id = id
		return pair(&c, map[string]string{"message_id": c.what})
	case n < 6:
		c.in, c.hopeless = "no-such-group", true
		return pair(&c, send(conversation("group", "group_id", string(c.in))))
	case n < 7:
		c.verb, c.hopeless = "message.send", true
		return pair(&c, map[string]string{"nobody": "knows what this is"})
	case n < 65:
		c.to = people[o.rng.IntN(len(people))]
		return pair(&c, send(conversation("c2c", "user_id", string(c.to))))
	case n < 92:
		c.in = talkGroup()
		return pair(&c, send(conversation("group", "group_id", string(c.in))))
	case n < 96 || len(o.groups) == 0:
		c.verb, c.in = "group.create", mapping.GroupIDFor(commandSource, c.id, false)
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
		*g = o.groups[len(o.groups)-1]
		o.groups = o.groups[:len(o.groups)-1]
		c.verb = "group.remove_member"
		return pair(&c, map[string]any{"group_id": c.in, "user_ids": []string{"bob"}})
	}
}

// pair reads the command after its data was thought of, which fills it in.
func pair(c *ordered, data any) (ordered, any) { return *c, data }
