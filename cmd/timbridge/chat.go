package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/tim"
)

type chatCmd struct {
	As      string `required:"" placeholder:"USER" help:"User to talk as. Whoever talks in the sandbox exists."`
	To      string `xor:"whom" placeholder:"USER" help:"User to talk to."`
	Group   string `xor:"whom" placeholder:"GROUP" help:"Group to talk in, by its id."`
	History int    `default:"20" placeholder:"N" help:"Messages of the talk to show first, 0 to 100; more where more are unread, all of those up to 100. Default: 20."`
}

// Help is an example.
func (chatCmd) Help() string {
	return "Each line is a message, one that begins with a slash a command: /file, /recall, /create, /invite, /members, /who; /help lists all. Ctrl-D ends. What was said before is shown first, in its order: the last 20 messages, or --history of them, and everything that is unread; of more than 100 the last 100, with how many unread ones are left, which /history shows. What comes in meanwhile is printed above the line that is typed. In a pipe every message is a line, without colours; with --json it is the SDK's JSON.\n\nExamples:\n  timbridge chat --as bob --to bridge\n  timbridge chat --as bob --group tb-n7up…\n  echo hello | timbridge chat --as bob --to bridge"
}

// defaultHistory and maxHistory bound what is shown of what was said before.
const (
	defaultHistory = 20
	maxHistory     = 100
)

// readWait bounds telling the service what was read, which nobody waits for.
const readWait = 2 * time.Second

// chatWait bounds signing in, sending, and what is still to come after the last line.
const chatWait = 10 * time.Second

// chatPlatform is where a chat signs in: not where the bridge does, whose own
// accounts would else be kicked offline by "chat --as bridge".
const chatPlatform = tim.PlatformSimulator

// Run talks.
func (c chatCmd) Run(ctx context.Context, e *env) (err error) {
	conv := tim.Conversation{}
	switch {
	case c.To != "" && !userID(c.To):
		return badInput("timbridge chat --as bob --to bridge", "%q is not a user id: 1 to 32 bytes of printable ASCII", c.To)
	case c.To != "":
		conv = tim.C2C(tim.UserID(c.To))
	case c.Group != "":
		conv = tim.Group(tim.GroupID(c.Group))
	default:
		return badInput("timbridge chat --as bob --to bridge", "with whom? give --to or --group")
	}
	if c.History < 0 || c.History > maxHistory {
		return badInput("once inside, /history shows more", "--history is %d; it can be 0 to %d", c.History, maxHistory)
	}
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	driver, key, err := bridge.OpenDriver(cfg, hclog.NewNullLogger())
	if err != nil {
		return noSecret(err)
	}
	t := newTalk(e, tim.UserID(c.As), e.newScreen())
	defer func() { err = errors.Join(err, t.screen.close()) }()
	t.conv = conv
	t.hold() // what waits for the user comes with signing in, and is shown in its place
	if err := t.signIn(ctx, driver, cfg, key); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.client.Close()) }()
	if err := t.screen.begin(); err != nil {
		return err
	}
	if err := t.enter(ctx, conv, c.History); err != nil {
		return err
	}
	err = t.loop(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), chatWait)
	defer cancel()
	if logout := t.client.Logout(last); err == nil {
		err = logout
	}
	return err
}

// userID says whether the service takes a user id.
func userID(id string) bool {
	return id != "" && len(id) <= 32 && strings.IndexFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// signIn connects to the sandbox and signs in. After it t.client is to be closed.
func (t *talk) signIn(ctx context.Context, driver tim.Driver, cfg *config.Config, key string) (err error) {
	defer t.progress("waiting for the sandbox")()
	ctx, cancel := context.WithTimeout(ctx, chatWait)
	defer cancel()
	client, err := driver.Open(ctx, tim.Config{SDKAppID: cfg.App.SDKAppID, DeviceInfo: &tim.DeviceInfo{Platform: chatPlatform}})
	if err != nil {
		return &missingError{err: fmt.Errorf("reach the sandbox: %w", err), hint: "is \"timbridge run\" or \"timbridge sandbox\" running, with the same configuration?"}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, client.Close())
		}
	}()
	if err := client.Listen(t.handle); err != nil {
		return err
	}
	sig := tim.SignUserSig(cfg.App.SDKAppID, key, t.me, 24*time.Hour, time.Now())
	err = client.Login(ctx, t.me, sig)
	if tim.CodeOf(err) == tim.CodeLoginKickedOffByOther {
		err = client.Login(ctx, t.me, sig)
	}
	switch {
	case err == nil:
		t.client = client
		return nil
	case tim.CodeOf(err) == tim.CodeSDKCommInvalidIdentifier:
		return badInput("timbridge chat --as bob --to bridge", "sign in as %s: %w", t.me, err)
	}
	return &missingError{err: fmt.Errorf("sign in as %s: %w", t.me, err), hint: "is this the configuration of the sandbox that runs there?"}
}
