package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

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
	by   tim.UserID // the account that is to do it
	at   time.Time  // when it was given
	verb string
	text string      // of a send: the message's mark
	to   tim.UserID  // of a send to a person
	in   tim.GroupID // of a send to a group, or the group created or acted on
	what string      // of a revocation or modification: the message's id, as events name it
	sent string      // likewise: the message's mark
	said []string    // of a send or modification: what the message says then
	// files are the sums of the files in the message.
	files []string
	// typ is the type of the group created.
	typ string
	// fact is what the group's tip is to tell, as factsTold has it; report says
	// that the bridge is told by a report instead, which history does not hold.
	fact   string
	report bool
	// nick is what the account is to be called.
	nick string
	// hopeless: it cannot succeed.
	hopeless bool
}

// orders publishes commands as a stranger would: in structured JSON, each until
// the bus has acknowledged it.
type orders struct {
	bus stranger
	rng *rand.Rand
	// accounts are who is to carry commands out.
	accounts []tim.UserID
	all      bool      // all that a command can be, not only some
	at       *fileHost // where files are
	// unread gives the ids of messages that read receipts are wanted of, each once.
	unread func() []string
	// asks says whether the visitor asks to be let into the group in which
	// everybody talks, once each time.
	asks func() bool
	// entered is when the bridge was in a room, of those it entered.
	entered map[tim.GroupID]time.Time

	mu     sync.Mutex
	taken  []ordered
	number int

	// Read from the outcomes, after the last one looked at: groups that are
	// there, and sends that may be revoked.
	groups    []madeGroup
	revocable []ordered
}

type madeGroup struct {
	id   tim.GroupID
	by   tim.UserID
	typ  string
	next int // what happens to it next
}

// publish puts one command on the bus. It ends with an error only when ctx ends.
func (o *orders) publish(ctx context.Context, c ordered, data any) error {
	c.at = time.Now()
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": c.id, "source": commandSource, "type": "io.timbridge.command." + c.verb + ".v1",
		"time": time.Now().UTC().Format(time.RFC3339Nano), "datacontenttype": "application/json",
		"timaccount": c.by, "data": data,
	})
	if err != nil {
		return err
	}
	if err := o.bus.publish(ctx, c, body); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken = append(o.taken, c)
	return nil
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
	list := o.bus.news(ctx, 40)
	o.mu.Lock()
	defer o.mu.Unlock()
	given := map[string]ordered{}
	for _, c := range o.taken[max(0, len(o.taken)-2000):] {
		given[c.id] = c
	}
	for _, data := range list {
		var out outcome
		if json.Unmarshal(data, &out) != nil || out.Result == nil {
			continue
		}
		switch c := given[out.Command.ID]; {
		case c.verb == "group.create" && c.id != talkCommand:
			o.groups = append(o.groups, madeGroup{id: c.in, by: c.by, typ: c.typ})
		case c.verb == "message.send" && !isRoom(c.in) && c.typ == "" && len(o.revocable) < 100 && o.rng.IntN(4) == 0:
			o.revocable = append(o.revocable, ordered{by: c.by, what: out.Result.MessageID, sent: c.text, in: c.in, to: c.to})
		}
	}
}
