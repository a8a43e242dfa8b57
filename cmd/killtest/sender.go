package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
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

// visitor comes into groups, says something, and goes.
const visitor tim.UserID = "erin"

// sender is the program that talks in chat: it prints a line for each deed
// that it got an answer for, until its standard input ends.
type sender struct {
	driver   *wire.Driver
	key      string
	sdkappid uint32
	group    tim.GroupID
	rate     float64
	accounts []tim.UserID // of the bridge, to talk with
	all      bool         // all that there is to do in chat, not only text

	dir string // for the files that are sent

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
	f.Func("account", "", func(id string) error { s.accounts = append(s.accounts, tim.UserID(id)); return nil })
	f.Float64Var(&s.rate, "rate", 100, "")
	f.BoolVar(&s.all, "all", false, "")
	f.StringVar(&s.dir, "files", "", "")
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
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	var crowd []*person
	for i, user := range people {
		crowd = append(crowd, newPerson(&s, user, i))
	}
	if s.all {
		crowd = append(crowd, newPerson(&s, visitor, len(people)))
	}
	for _, step := range []func(*person, context.Context) error{(*person).signIn, (*person).makeGroups, (*person).enterRooms, (*person).live} {
		if err := together(crowd, func(p *person) error { return step(p, ctx) }); err != nil {
			return err
		}
	}
	var errs []error
	for _, p := range crowd {
		errs = append(errs, p.client.Close())
	}
	return errors.Join(errs...)
}

// together has everybody do something side by side.
func together(crowd []*person, do func(*person) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(crowd))
	for i, p := range crowd {
		wg.Go(func() { errs[i] = do(p) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// tell prints a deed.
func (s *sender) tell(d deed) error {
	d.At = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Encode(d)
}

// lineWriter flushes after each write: what was answered must be known even if
// the sender is the next to die.
type lineWriter struct{ w *bufio.Writer }

func (l lineWriter) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	return n, errors.Join(err, l.w.Flush())
}

// signIn tries until the service lets the user in.
func (s *sender) signIn(ctx context.Context, user tim.UserID, listen tim.Handler) (tim.Client, error) {
	for {
		client, err := s.driver.Open(ctx, tim.Config{SDKAppID: s.sdkappid, DeviceInfo: &tim.DeviceInfo{DevID: "sender-" + string(user)}})
		if err == nil {
			err = client.Listen(listen)
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

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
