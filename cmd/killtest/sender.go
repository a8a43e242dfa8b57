package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/wire"
)

// people are who talk in chat. The bridge's account is in every conversation.
var people = []tim.UserID{"alice", "bob", "carol"}

// bridgeUser is the account that the bridge signs in.
const bridgeUser tim.UserID = "bridge"

// said is one answered send, as the sender tells it.
type said struct {
	Sender tim.UserID `json:"sender"`
	// Group is set for a message to the group, else it went to the bridge.
	Group bool   `json:"group,omitempty"`
	Text  string `json:"text"`
	// Number counts the sender's messages in the conversation.
	Number int    `json:"number"`
	Seq    uint64 `json:"seq"`
}

// sender is the program that talks in chat: it prints a line for each message
// whose answer it got, until its standard input ends.
type sender struct {
	driver   *wire.Driver
	key      string
	sdkappid uint32
	group    tim.GroupID
	rate     float64

	mu  sync.Mutex
	out *json.Encoder
}

func runSender(args []string) error {
	var s sender
	var url, token string
	f := flag.NewFlagSet("sender", flag.ContinueOnError)
	f.StringVar(&url, "url", "", "")
	f.StringVar(&token, "token", "", "")
	f.StringVar(&s.key, "key", "", "")
	f.Func("group", "", func(id string) error { s.group = tim.GroupID(id); return nil })
	f.Float64Var(&s.rate, "rate", 100, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	s.sdkappid = appID
	s.driver = wire.NewDriver(wire.Options{URL: url, Token: token, Heartbeat: time.Second})
	w := bufio.NewWriter(os.Stdout)
	s.out = json.NewEncoder(lineWriter{w})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err == nil {
			cancel()
		}
	}()
	var wg sync.WaitGroup
	errs := make(chan error, len(people))
	for i, user := range people {
		wg.Go(func() { errs <- s.talk(ctx, user, i) })
	}
	wg.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

// lineWriter flushes after each write: what was answered must be known even if
// the sender is the next to die.
type lineWriter struct{ w *bufio.Writer }

func (l lineWriter) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	return n, errors.Join(err, l.w.Flush())
}

// talk sends as one person, one message after the other, alternating between
// the bridge and the group, each until it is answered.
func (s *sender) talk(ctx context.Context, user tim.UserID, index int) error {
	rng := rand.New(rand.NewPCG(uint64(index), 7))
	client, err := s.signIn(ctx, user)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // the process ends
	pace := time.NewTicker(time.Duration(float64(time.Second) * float64(len(people)) / s.rate))
	defer pace.Stop()
	numbers := map[bool]int{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
		group := rng.IntN(2) == 0
		numbers[group]++
		m := said{Sender: user, Group: group, Number: numbers[group], Text: fmt.Sprintf("%s %t %d", user, group, numbers[group])}
		stored, err := s.sendUntilAnswered(client, user, m, rng.Uint64()&0xffffffff|1)
		if err != nil {
			return err
		}
		m.Seq = stored.Seq
		s.mu.Lock()
		err = s.out.Encode(m)
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// signIn tries until the service lets the person in.
func (s *sender) signIn(ctx context.Context, user tim.UserID) (tim.Client, error) {
	for {
		client, err := s.driver.Open(ctx, tim.Config{SDKAppID: s.sdkappid, DeviceInfo: &tim.DeviceInfo{DevID: "sender-" + string(user)}})
		if err == nil {
			err = client.Listen(func(r tim.Report) { r.Ack() })
			if err == nil {
				err = s.login(ctx, client, user)
			}
			if err == nil {
				return client, nil
			}
			if closeErr := client.Close(); closeErr != nil {
				return nil, errors.Join(err, closeErr)
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		wait(ctx, 100*time.Millisecond)
	}
}

func (s *sender) login(ctx context.Context, client tim.Client, user tim.UserID) error {
	c, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return client.Login(c, user, tim.SignUserSig(s.sdkappid, s.key, user, 24*time.Hour, time.Now()))
}

// sendUntilAnswered repeats a send with its random, which the service knows
// again, until there is an answer. It does not stop half way when the test
// ends: a message in doubt would be neither promised nor not.
func (s *sender) sendUntilAnswered(client tim.Client, user tim.UserID, m said, random uint64) (tim.Message, error) {
	conv := tim.C2C(bridgeUser)
	if m.Group {
		conv = tim.Group(s.group)
	}
	deadline := time.Now().Add(90 * time.Second) // the service remembers a random for 120 s
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		stored, err := client.Send(ctx, conv, tim.Message{Rand: random, Elems: []tim.Elem{tim.TextElem{Content: m.Text}}})
		cancel()
		if err == nil {
			return stored, nil
		}
		if time.Now().After(deadline) {
			return tim.Message{}, fmt.Errorf("%s got no answer for %q: %w", user, m.Text, err)
		}
		if code := tim.CodeOf(err); code == tim.CodeSDKNotLoggedIn {
			if err := s.login(context.Background(), client, user); err != nil {
				fmt.Fprintln(os.Stderr, user, "signs in again:", err)
			}
		}
		wait(context.Background(), 50*time.Millisecond)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
