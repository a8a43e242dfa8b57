package main

import (
	"context"
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
	SDKAppID uint32 `name:"sdkappid" placeholder:"ID" help:"The application, by its id: --sdkappid 1400000000. Default: that of the configuration."`
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
			return 0, "", badInput("name a file that can be read", "%w", err)
		}
		key := strings.TrimSpace(string(b))
		if key == "" {
			return 0, "", badInput("put the application's secret key into it", "%s holds no key", a.KeyFile)
		}
		return id, key, nil
	}
	key, err := bridge.ReadKey(cfg)
	return id, key, noSecret(err)
}

type usersigSignCmd struct {
	User string        `arg:"" help:"The user id."`
	TTL  time.Duration `default:"24h" placeholder:"DURATION" help:"How long it is good: --ttl 1h. Default: 24h."`
	App  app           `embed:""`
}

// Help is an example.
func (usersigSignCmd) Help() string { return "Example:\n  timbridge usersig sign alice --ttl 1h" }

// Run signs.
func (c usersigSignCmd) Run(e *env) error {
	switch {
	case c.User == "":
		return badInput("timbridge usersig sign alice", "for whom? the user id is empty")
	case c.TTL < time.Second:
		return badInput("write how long: --ttl 1h", "--ttl is %s; at least 1s", c.TTL)
	}
	id, key, err := c.App.resolve(e)
	if err != nil {
		return err
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
	return "One that is not good is exit code 2.\n\nExample:\n  timbridge usersig sign alice | timbridge usersig verify alice"
}

// verifiedSig is what was found out about a UserSig.
type verifiedSig struct {
	Valid    bool       `json:"valid"`
	User     string     `json:"user"`
	SDKAppID uint32     `json:"sdkappid"`
	Issued   *time.Time `json:"issued,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	// Code, Name and Reason are why it is not good.
	Code   tim.Code `json:"code,omitempty"`
	Name   string   `json:"name,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// Run verifies.
func (c usersigVerifyCmd) Run(ctx context.Context, e *env) error {
	id, key, err := c.App.resolve(e)
	if err != nil {
		return err
	}
	sig := c.Sig
	if sig == "-" {
		b, err := read(ctx, e.in)
		if err != nil {
			return err
		}
		sig = strings.TrimSpace(string(b))
	}
	v := verifiedSig{User: c.User, SDKAppID: id}
	if claims, err := tim.ParseUserSig(sig); err == nil {
		issued, expires := time.Unix(claims.Time, 0).UTC(), claims.ExpiresAt().UTC()
		v.Issued, v.Expires = &issued, &expires
	}
	err = tim.VerifyUserSig(id, key, tim.UserID(c.User), sig, time.Now())
	if err == nil {
		v.Valid = true
		return e.print(v, "good for %s until %s\n", c.User, v.Expires.Format(time.RFC3339))
	}
	v.Reason = err.Error()
	if t, ok := tim.AsError(err); ok {
		v.Code, v.Name, v.Reason = t.Code, t.Code.Name(), t.Desc
	}
	if err := e.print(v, "not good: %s (%d %s)\n", plain(v.Reason), v.Code, v.Name); err != nil {
		return err
	}
	return &reportedError{code: codeInput}
}
