package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// person is one who talks. What a person does, it does one thing after the
// other, each until it is answered.
type person struct {
	s      *sender
	user   tim.UserID
	index  int
	rng    *rand.Rand
	client tim.Client
	dir    string

	numbers map[string]int // of messages, by conversation
	changed int            // modifications
	recent  []own          // messages that can still be changed
	owned   []*ownGroup
	visits  int
	asked   bool      // to be let in where everybody talks
	readTo  uint64    // the sequence of the talk with the bridge
	began   time.Time // what it is at

	mu     sync.Mutex
	newest tim.Message            // of the bridge's in the talk with it
	wanted []tim.Message          // receipts of these are wanted
	heard  map[tim.MessageID]bool // likewise, and before
}

// own is a message of the person's own.
type own struct {
	stored tim.Message
	deed   deed
}

func newPerson(s *sender, user tim.UserID, index int) *person {
	return &person{
		s: s, user: user, index: index, rng: rand.New(rand.NewPCG(uint64(index), 7)), numbers: map[string]int{}, heard: map[tim.MessageID]bool{},
		dir: filepath.Join(s.dir, string(user)),
	}
}

func (p *person) signIn(ctx context.Context) (err error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	p.client, err = p.s.signIn(ctx, p.user, p.hear)
	return err
}

// hear notes what the bridge says, to tell it later that it was read.
func (p *person) hear(r tim.Report) {
	if e, ok := r.Event.(tim.MessagesReceived); ok {
		p.mu.Lock()
		for _, m := range e.Messages {
			if m.Sender != bridgeUser {
				continue
			}
			if m.ConvType == tim.ConvC2C && m.Seq > p.newest.Seq {
				p.newest = m
			}
			if m.NeedReadReceipt && !p.heard[m.MsgID] { // a report may come twice
				p.heard[m.MsgID] = true
				p.wanted = append(p.wanted, m)
			}
		}
		p.mu.Unlock()
	}
	r.Ack()
}

// live does one thing after the other until ctx ends.
func (p *person) live(ctx context.Context) error {
	pace := time.NewTicker(time.Duration(float64(time.Second) * float64(len(people)) / p.s.rate))
	defer pace.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
		var err error
		switch {
		case p.user == visitor:
			if n%10 == 0 {
				err = p.visit()
			}
		case p.s.all:
			err = p.act()
		default:
			err = p.say([]tim.GroupID{"", p.s.group}[p.rng.IntN(2)], p.s.accounts[p.rng.IntN(len(p.s.accounts))])
		}
		if err != nil {
			return err
		}
	}
}

// act does one of the things there are to do.
func (p *person) act() error {
	switch n := p.rng.IntN(100); {
	case n < 6:
		return p.modify()
	case n < 9:
		return p.revoke()
	case n < 12:
		return p.read()
	case n < 15:
		return p.sendReceipt()
	case n < 22:
		return p.administer()
	case n < 60:
		return p.post("")
	case n < 78:
		return p.post(p.s.group)
	case n < 83:
		return p.post(rooms[p.rng.IntN(len(rooms))])
	}
	return p.post(peoplesGroups[p.rng.IntN(len(peoplesGroups))])
}

func (p *person) conversation(group tim.GroupID) tim.Conversation {
	if group == "" {
		return tim.C2C(bridgeUser)
	}
	return tim.Group(group)
}

// post says something that was not said before, in a group or to the bridge.
func (p *person) post(group tim.GroupID) error { return p.say(group, bridgeUser) }

// say says something that was not said before, in a group or, without one, to
// one of the bridge's accounts.
func (p *person) say(group tim.GroupID, account tim.UserID) error {
	conv, where := tim.C2C(account), string(account)
	if group != "" {
		conv, where, account = tim.Group(group), string(group), ""
	}
	p.numbers[where]++
	number := p.numbers[where]
	d := deed{Kind: deedPost, By: p.user, Group: group, To: account, Number: number, Mark: fmt.Sprintf("%s to %s %d", p.user, where, number)}
	pieces := thinkOf(p.rng, d.Mark, p.s.all)
	if p.s.all && p.rng.IntN(15) == 0 {
		pieces = append(pieces, piece{kind: "unknown", text: "unknown of " + d.Mark})
	}
	d.Said, d.Files = saidOf(pieces), sumsOf(pieces)
	d.Wants = p.s.all && !isRoom(group) && p.rng.IntN(30) == 0
	msg := tim.Message{Rand: p.rng.Uint64()&0xffffffff | 1, NeedReadReceipt: d.Wants}
	for _, piece := range pieces {
		elem, err := piece.elem(p.dir)
		if err != nil {
			return err
		}
		msg.Elems = append(msg.Elems, elem)
	}
	var stored tim.Message
	err := p.insist("send "+d.Mark, func(ctx context.Context) (err error) {
		stored, err = p.client.Send(ctx, conv, msg)
		return err
	})
	if err != nil {
		return err
	}
	if len(d.Files) > 0 {
		if err := p.removeFiles(); err != nil {
			return err
		}
	}
	d.ID, d.Time = mapping.MessageID(p.user, stored), stored.ServerTime
	if !isRoom(group) {
		if p.recent = append(p.recent, own{stored, d}); len(p.recent) > 30 {
			p.recent = p.recent[1:]
		}
	}
	return p.tell(d)
}

// tell prints what the person did.
func (p *person) tell(d deed) error {
	d.Began = p.began
	return p.s.tell(d)
}

func (p *person) removeFiles() error {
	files, err := os.ReadDir(p.dir)
	for _, f := range files {
		if err == nil {
			err = os.Remove(filepath.Join(p.dir, f.Name()))
		}
	}
	return err
}

// insist repeats a call until it is answered, or refused with a code that says
// it was done before: an earlier attempt's answer was lost. A send is known
// again by its random. It does not stop half way when the test ends: what is in
// doubt would be neither promised nor not.
func (p *person) insist(what string, call func(context.Context) error, done ...tim.Code) error {
	p.began = time.Now()
	deadline := p.began.Add(90 * time.Second) // the service remembers a random for 120 s
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := call(ctx)
		cancel()
		if err == nil {
			return nil
		}
		code := tim.CodeOf(err)
		for _, c := range done {
			if c == code {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s got no answer to %q: %w", p.user, what, err)
		}
		if code == tim.CodeSDKNotLoggedIn {
			if err := p.s.login(context.Background(), p.client, p.user); err != nil {
				fmt.Fprintln(os.Stderr, p.user, "signs in again:", err)
			}
		}
		wait(context.Background(), 50*time.Millisecond)
	}
}
