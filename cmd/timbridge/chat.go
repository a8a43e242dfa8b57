package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/tim"
)

type chatCmd struct {
	As      string `required:"" placeholder:"USER" help:"User to talk as. Whoever talks in the sandbox exists."`
	To      string `xor:"whom" placeholder:"USER" help:"User to talk to."`
	Group   string `xor:"whom" placeholder:"GROUP" help:"Group to talk in, by its id."`
	History int    `default:"10" placeholder:"N" help:"Messages of the talk to show first, at most 100. Default: 10."`
}

// Help is an example.
func (chatCmd) Help() string {
	return "Each line of standard input is a message; Ctrl-D ends. What comes in meanwhile is printed.\n\nExamples:\n  timbridge chat --as bob --to bridge\n  timbridge chat --as bob --group tb-n7up…\n  echo hello | timbridge chat --as bob --to bridge"
}

// chatWait bounds signing in, sending, and what is still to come after the last line.
const chatWait = 10 * time.Second

// chatPlatform is where a chat signs in: not where the bridge does, whose own
// accounts would else be kicked offline by "chat --as bridge".
const chatPlatform = tim.PlatformSimulator

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
	if c.History < 0 || c.History > 100 {
		return badInput("", "--history is %d; it can be 0 to 100", c.History)
	}
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	driver, key, err := bridge.OpenDriver(cfg, hclog.NewNullLogger())
	if err != nil {
		return noSecret(err)
	}
	t := &talk{env: e, me: tim.UserID(c.As), conv: conv, seen: map[string]bool{}, ended: make(chan error, 1)}
	client, err := t.signIn(ctx, driver, cfg, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := t.past(ctx, client, c.History); err != nil {
		return err
	}
	t.note("you are %s, talking to %s; a line is a message, Ctrl-D ends", t.me, conv.ID)
	err = t.talk(ctx, client)
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), chatWait)
	defer cancel()
	if logout := client.Logout(out); err == nil {
		err = logout
	}
	return err
}

// signIn connects to the sandbox and signs in. Close the client.
func (t *talk) signIn(ctx context.Context, driver tim.Driver, cfg *config.Config, key string) (_ tim.Client, err error) {
	defer t.progress("waiting for the sandbox")()
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	client, err := driver.Open(ctx, tim.Config{SDKAppID: cfg.App.SDKAppID, DeviceInfo: &tim.DeviceInfo{Platform: chatPlatform}})
	if err != nil {
		return nil, &missingError{err: fmt.Errorf("reach the sandbox: %w", err), hint: "is \"timbridge run\" or \"timbridge sandbox\" running, with the same configuration?"}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, client.Close())
		}
	}()
	if err := client.Listen(t.handle); err != nil {
		return nil, err
	}
	sig := tim.SignUserSig(cfg.App.SDKAppID, key, t.me, 24*time.Hour, time.Now())
	err = client.Login(ctx, t.me, sig)
	if tim.CodeOf(err) == tim.CodeLoginKickedOffByOther {
		err = client.Login(ctx, t.me, sig)
	}
	switch {
	case err == nil:
		return client, nil
	case tim.CodeOf(err) == tim.CodeSDKCommInvalidIdentifier:
		return nil, badInput("", "sign in as %s: %w", t.me, err)
	}
	return nil, &missingError{err: fmt.Errorf("sign in as %s: %w", t.me, err), hint: "is this the configuration of the sandbox that runs there?"}
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

// past shows the last messages of the talk, and finds out whether there can be
// one at all.
func (t *talk) past(ctx context.Context, client tim.Client, count int) error {
	h, ok := client.(tim.History)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	messages, err := h.Messages(ctx, t.conv, tim.HistoryQuery{Count: max(count, 1)})
	switch code := tim.CodeOf(err); {
	case code == tim.CodeSvrGroupNotFound:
		return badInput("\"timbridge group create\" makes one and prints its id", "%w", err)
	case code == tim.CodeSvrGroupPermissionDeny:
		return badInput(fmt.Sprintf("timbridge group invite %s --member %s", t.conv.ID, t.me), "%s is not in the group %s: %w", t.me, t.conv.ID, err)
	case err != nil:
		return fmt.Errorf("read what was said before: %w", err)
	}
	for i := min(len(messages), count) - 1; i >= 0; i-- {
		t.show(messages[i])
	}
	return nil
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
		who := string(m.Sender) + ":"
		if _, ok := el.(tim.GroupTipsElem); ok {
			who = "·" // nobody said it
		}
		t.line(m.ServerTime, who, elementText(el))
	}
}

// line prints one thing that was said; its further lines stand below its first.
func (t *talk) line(at uint64, who, text string) {
	head := fmt.Sprintf("%s %s ", time.Unix(int64(at), 0).Format(time.TimeOnly), plain(who))
	for line := range strings.Lines(strings.TrimRight(text, "\r\n")) {
		fmt.Fprintf(t.out, "%s%s\n", head, escape(strings.TrimRight(line, "\r\n")))
		head = strings.Repeat(" ", utf8.RuneCountInString(head))
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
		return tipText(el, strings.Join(users, ", "))
	}
	return "[" + el.ElemType().String() + "]"
}

// tipText is what a tip of a group says of some users.
func tipText(tip tim.GroupTipsElem, users string) string {
	switch tip.TipType {
	case tim.GroupTipInvite:
		if tip.OpUser != "" {
			return users + " joined, invited by " + string(tip.OpUser)
		}
		return users + " joined"
	case tim.GroupTipQuit:
		return string(tip.OpUser) + " left"
	case tim.GroupTipKick:
		return users + " was removed by " + string(tip.OpUser)
	}
	return strings.TrimSpace(tip.TipType.String() + " " + users)
}

// note tells the person something that nobody said.
func (t *talk) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if !t.JSON {
		fmt.Fprintf(t.errs, "· %s\n", escape(text))
		return
	}
	if err := json.NewEncoder(t.errs).Encode(map[string]string{"note": text}); err != nil {
		t.end(err)
	}
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
			switch err := t.say(ctx, client, line); {
			case err == nil:
			case ctx.Err() != nil:
				return nil
			case !terminal(t.in):
				return err
			default:
				t.note("not sent: %v", err)
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
