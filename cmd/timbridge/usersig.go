package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/tim"
)

type usersigCmd struct {
	Sign   usersigSignCmd   `cmd:"" help:"Sign a UserSig for a user."`
	Verify usersigVerifyCmd `cmd:"" help:"Say whether a UserSig is good, and if not, why."`
}

// app is the application and its key, from the configuration or its variables.
type app struct {
	SDKAppID uint32 `name:"sdkappid" help:"The application. Default: that of the configuration."`
	KeyFile  string `name:"key-file" placeholder:"FILE" help:"File with its secret key. Default: the key of the configuration, or the one that the first run made."`
}

func (a app) resolve(e *env) (uint32, string, error) {
	cfg, _, err := e.load()
	if err != nil {
		return 0, "", err
	}
	id := a.SDKAppID
	if id == 0 {
		id = cfg.App.SDKAppID
	}
	if a.KeyFile != "" {
		b, err := os.ReadFile(a.KeyFile)
		if err != nil {
			return 0, "", badInput("", "%w", err)
		}
		return id, strings.TrimSpace(string(b)), nil
	}
	key, err := bridge.ReadKey(cfg)
	return id, key, noSecret(err)
}

type usersigSignCmd struct {
	User string        `arg:"" help:"The user id."`
	TTL  time.Duration `default:"24h" help:"How long it is good."`
	App  app           `embed:""`
}

// Help is an example.
func (usersigSignCmd) Help() string { return "Example:\n  timbridge usersig sign alice --ttl 1h" }

// Run signs.
func (c usersigSignCmd) Run(e *env) error {
	id, key, err := c.App.resolve(e)
	if err != nil {
		return err
	}
	if c.TTL < time.Second {
		return badInput("", "--ttl is %s; at least 1s", c.TTL)
	}
	sig := tim.SignUserSig(id, key, tim.UserID(c.User), c.TTL, time.Now())
	return e.print(map[string]any{"user": c.User, "sdkappid": id, "usersig": sig}, "%s\n", sig)
}

type usersigVerifyCmd struct {
	User string `arg:"" help:"The user id."`
	Sig  string `arg:"" optional:"" default:"-" help:"The UserSig; - reads it from standard input."`
	App  app    `embed:""`
}

// Help is an example.
func (usersigVerifyCmd) Help() string {
	return "Example:\n  timbridge usersig sign alice | timbridge usersig verify alice"
}

// Run verifies.
func (c usersigVerifyCmd) Run(e *env) error {
	id, key, err := c.App.resolve(e)
	if err != nil {
		return err
	}
	sig := c.Sig
	if sig == "-" {
		b, err := io.ReadAll(io.LimitReader(e.in, 64<<10))
		if err != nil {
			return err
		}
		sig = strings.TrimSpace(string(b))
	}
	claims, parseErr := tim.ParseUserSig(sig)
	out := map[string]any{"valid": true, "user": c.User, "sdkappid": id}
	if parseErr == nil {
		out["expires"] = claims.ExpiresAt().UTC()
	}
	if err := tim.VerifyUserSig(id, key, tim.UserID(c.User), sig, time.Now()); err != nil {
		var t *tim.Error
		if errors.As(err, &t) {
			return badInput("", "not valid: %s: %s", t.Code, t.Desc)
		}
		return badInput("", "not valid: %w", err)
	}
	return e.print(out, "valid until %s\n", claims.ExpiresAt().UTC().Format(time.RFC3339))
}
