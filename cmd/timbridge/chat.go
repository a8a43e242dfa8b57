package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/tim"
)

type chatCmd struct {
	As      string `required:"" placeholder:"USER" help:"User to talk as."`
	To      string `xor:"whom" placeholder:"USER" help:"User to talk to."`
	Group   string `xor:"whom" placeholder:"GROUP" help:"Group to talk in."`
	History int    `default:"10" help:"Messages of the talk to show first."`
}

// Help is an example.
func (chatCmd) Help() string {
	return "Each line of standard input is a message; Ctrl-D ends. What comes in meanwhile is printed.\n\nExamples:\n  timbridge chat --as bob --to bridge\n  echo hello | timbridge chat --as bob --to bridge"
}

// chatWait bounds signing in, sending, and what is still to come after the last line.
const chatWait = 10 * time.Second

// Run talks.
func (c chatCmd) Run(ctx context.Context, e *env) (err error) {
	conv := tim.Conversation{}
	switch {
	case c.To != "":
		conv = tim.C2C(tim.UserID(c.To))
	case c.Group != "":
		conv = tim.Group(tim.GroupID(c.Group))
	default:
		return badInput("timbridge chat --as bob --to bridge", "with whom? give --to or --group")
	}
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	driver, key, err := bridge.OpenDriver(cfg, hclog.NewNullLogger())
	if err != nil {
		return noSecret(err)
	}
	open, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	client, err := driver.Open(open, tim.Config{SDKAppID: cfg.App.SDKAppID, DeviceInfo: &tim.DeviceInfo{Platform: tim.PlatformOther}})
	if err != nil {
		return &missingError{err: fmt.Errorf("reach the sandbox: %w", err), hint: "is \"timbridge run\" or \"timbridge sandbox\" running, with the same configuration?"}
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	t := &talk{env: e, me: tim.UserID(c.As), conv: conv, seen: map[string]bool{}, ended: make(chan error, 1)}
	if err := client.Listen(t.handle); err != nil {
		return err
	}
	sig := tim.SignUserSig(cfg.App.SDKAppID, key, t.me, 24*time.Hour, time.Now())
	err = client.Login(open, t.me, sig)
	if tim.CodeOf(err) == tim.CodeLoginKickedOffByOther {
		err = client.Login(open, t.me, sig)
	}
	if err != nil {
		return fmt.Errorf("sign in as %s: %w", t.me, err)
	}
	t.past(open, client, c.History)
	t.note("you are %s, talking to %s; a line is a message, Ctrl-D ends", t.me, conv.ID)
	err = t.talk(ctx, client)
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), chatWait)
	defer cancel()
	return errors.Join(err, client.Logout(out))
}

// talk is one conversation on a terminal.
type talk struct {
	*env
	me    tim.UserID
	conv  tim.Conversation
	ended chan error

	mu   sync.Mutex // guards the output and seen
	seen map[string]bool
}

// handle prints what is said in this conversation, once.
func (t *talk) handle(r tim.Report) {
	defer r.Ack()
	switch e := r.Event.(type) {
	case tim.MessagesReceived:
		for _, m := range e.Messages {
			if m.ConvType == t.conv.Type && m.ConvID == t.conv.ID {
				t.show(m)
			}
		}
	case tim.MessagesRevoked:
		t.note("a message was recalled")
	case tim.KickedOffline:
		t.end(errors.New("signed in elsewhere"))
	case tim.UserSigExpired:
		t.end(errors.New("the UserSig has expired"))
	case tim.ConnectionChanged:
		if e.Status != tim.NetworkConnected {
			t.note("the connection is lost; waiting for the sandbox")
		}
	}
}

func (t *talk) end(err error) {
	select {
	case t.ended <- err:
	default:
	}
}

// past shows the last messages of the talk.
func (t *talk) past(ctx context.Context, client tim.Client, count int) {
	h, ok := client.(tim.History)
	if !ok || count <= 0 {
		return
	}
	messages, err := h.Messages(ctx, t.conv, tim.HistoryQuery{Count: min(count, 100)})
	if err != nil {
		return // an unknown conversation has no past; a real fault shows when sending
	}
	for i := len(messages) - 1; i >= 0; i-- {
		t.show(messages[i])
	}
}

func (t *talk) show(m tim.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := fmt.Sprint(m.MsgID, "/", m.Seq, "/", m.Rand, "/", m.ServerTime)
	if t.seen[id] {
		return
	}
	t.seen[id] = true
	if t.JSON {
		if err := t.print(m, ""); err != nil {
			t.end(err)
		}
		return
	}
	for _, el := range m.Elems {
		fmt.Fprintf(t.out, "%s %s: %s\n", time.Unix(int64(m.ServerTime), 0).Format("15:04:05"), m.Sender, elementText(el))
	}
}

func elementText(el tim.Elem) string {
	switch el := el.(type) {
	case tim.TextElem:
		return el.Content
	case tim.CustomElem:
		return "[custom] " + el.Data
	case tim.GroupTipsElem:
		users := make([]string, len(el.Users))
		for i, u := range el.Users {
			users[i] = string(u)
		}
		return "[" + el.TipType.String() + "] " + strings.Join(users, ", ")
	}
	return "[" + el.ElemType().String() + "]"
}

// note tells the person something that nobody said.
func (t *talk) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.errs, "· "+format+"\n", args...)
}

// talk sends each line until there is none left.
func (t *talk) talk(ctx context.Context, client tim.Client) error {
	lines, failed := make(chan string), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Reading a terminal cannot be interrupted: the reader is left behind when
	// the talk ends for another reason, and the process ends right after.
	go func() {
		s := bufio.NewScanner(t.in)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
		failed <- s.Err()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-t.ended:
			return err
		case err := <-failed:
			if err == nil {
				t.linger(ctx)
			}
			return err
		case line := <-lines:
			if strings.TrimSpace(line) == "" {
				continue
			}
			if err := t.say(ctx, client, line); err != nil {
				t.note("not sent: %v", err)
				if !terminal(t.in) {
					return err
				}
			}
		}
	}
}

// linger lets what is on its way arrive, where the lines came from a pipe.
func (t *talk) linger(ctx context.Context) {
	if terminal(t.in) {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(300 * time.Millisecond):
	}
}

func terminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (t *talk) say(ctx context.Context, client tim.Client, line string) error {
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	m, err := client.Send(ctx, t.conv, tim.Message{Elems: []tim.Elem{tim.TextElem{Content: line}}})
	if err != nil {
		return err
	}
	t.mu.Lock()
	echo := t.JSON || !terminal(t.in)
	if !echo {
		t.seen[fmt.Sprint(m.MsgID, "/", m.Seq, "/", m.Rand, "/", m.ServerTime)] = true
	}
	t.mu.Unlock()
	if echo {
		t.show(m)
	}
	return nil
}
