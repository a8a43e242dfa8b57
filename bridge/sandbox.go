package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// SandboxServer is a sandbox with its listener. The bridge has one inside
// where no other IM service is configured; "timbridge sandbox" is one alone.
type SandboxServer struct {
	sandbox  *sandbox.Sandbox
	handler  *sandbox.Handler
	server   *http.Server
	listener net.Listener
	done     chan error
}

// SandboxOptions are what a sandbox is given besides its configuration.
type SandboxOptions struct {
	// Control opens the endpoint that takes faults, with the sandbox's token.
	Control bool
	Logger  hclog.Logger
}

// StartSandbox opens the sandbox that is kept in the data directory and serves
// it at driver.listen. Secrets that are missing are made.
func StartSandbox(ctx context.Context, cfg *config.Config, opts SandboxOptions) (_ *SandboxServer, err error) {
	d := cfg.App.Driver
	key, err := appKey(cfg, ReadOrMakeSecret)
	if err != nil {
		return nil, err
	}
	token, err := wireToken(cfg, ReadOrMakeSecret)
	if err != nil {
		return nil, err
	}
	s := &SandboxServer{done: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.listener, err = listen(ctx, "app.driver.listen", d.Listen); err != nil {
		return nil, err
	}
	limits := sandbox.Limits{
		HistoryMessages: orNoLimit(d.HistoryMessages), HistoryBytes: orNoLimit(int64(d.HistoryBytes)), HistoryTime: orNoLimit(d.HistoryTime.Std()),
		MediaBytes: int64(d.MediaMaxBytes), MediaTotalBytes: int64(d.MediaTotalBytes), MediaTime: d.MediaTime.Std(),
		Groups: d.MaxGroups, AVChatRooms: d.MaxAVChatRooms, JoinedGroups: d.MaxJoinedGroups, Calls: d.MaxCallsPerSecond,
	}
	var asked []tim.UserID
	for _, user := range d.AskInvitees {
		asked = append(asked, tim.UserID(user))
	}
	if !d.RateLimits {
		limits.GroupMessages, limits.Sends, limits.Calls = -1, -1, -1
	}
	s.sandbox, err = sandbox.Open(filepath.Join(cfg.DataDir, "sandbox"), sandbox.Options{
		SDKAppID: cfg.App.SDKAppID, Key: key, Delivery: sandbox.Delivery(d.Delivery), Limits: limits, Logger: opts.Logger,
		AskInvitees: asked, Journal: journal.Options{HighWater: int64(cfg.Journal.HighWater)},
	})
	if err != nil {
		return nil, fmt.Errorf("open the sandbox: %w", err)
	}
	h := sandbox.HandlerOptions{URL: d.PublicURL, Wire: wire.HandlerOptions{
		Token: token, Heartbeat: d.Heartbeat.Std(), MaxUploadBytes: int64(d.MediaMaxBytes),
	}}
	if opts.Control {
		h.ControlToken = token
	}
	if s.handler, err = s.sandbox.Handler(h); err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: s.handler, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	if opts.Logger != nil {
		s.server.ErrorLog = opts.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
	}
	go func() { s.done <- s.server.Serve(s.listener) }()
	return s, nil
}

// orNoLimit says "no limit" as the sandbox does: 0 is its default.
func orNoLimit[T int | int64 | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// URL is where clients reach it.
func (s *SandboxServer) URL() string { return "ws://" + s.listener.Addr().String() }

// Failed is closed when the sandbox can store nothing any more; Err says why.
func (s *SandboxServer) Failed() <-chan struct{} { return s.sandbox.Failed() }

// Err is why it failed, nil while it has not.
func (s *SandboxServer) Err() error { return s.sandbox.Err() }

// Close ends all connections and closes the sandbox.
func (s *SandboxServer) Close() error {
	var errs []error
	if s.handler != nil {
		errs = append(errs, s.handler.Close())
	}
	switch {
	case s.server != nil:
		errs = append(errs, s.server.Close())
		if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	case s.listener != nil:
		errs = append(errs, s.listener.Close())
	}
	if s.sandbox != nil {
		errs = append(errs, s.sandbox.Close())
	}
	return errors.Join(errs...)
}

// openDriver makes the driver, and the sandbox where it is inside. key is what
// UserSigs are signed with, empty where the accounts bring theirs.
func (b *Bridge) openDriver(ctx context.Context) (driver tim.Driver, key string, err error) {
	log := b.logger("accounts", b.cfg.Log.Levels.Accounts)
	url := b.cfg.App.Driver.URL
	if b.info.IM, b.info.IMEmbedded = withoutSecrets(url), url == ""; b.info.IMEmbedded {
		b.sandbox, err = StartSandbox(ctx, b.cfg, SandboxOptions{Logger: b.logger("sandbox", b.cfg.Log.Levels.Sandbox)})
		if err != nil {
			return nil, "", err
		}
		url = b.sandbox.URL()
		b.info.IM = url
	}
	driver, key, err = openSandboxDriver(b.cfg, url, log)
	return driver, key, err
}

// OpenDriver connects to the sandbox that a configuration names, as a person's
// tool: it never runs one, and finds the secrets in the data directory.
func OpenDriver(cfg *config.Config, log hclog.Logger) (driver tim.Driver, key string, err error) {
	url := cfg.App.Driver.URL
	if url == "" {
		url = "ws://" + cfg.App.Driver.Listen
	}
	return openSandboxDriver(cfg, url, log)
}

func openSandboxDriver(cfg *config.Config, url string, log hclog.Logger) (*wire.Driver, string, error) {
	token, err := wireToken(cfg, ReadSecret)
	if err != nil {
		return nil, "", err
	}
	key, err := appKey(cfg, ReadSecret)
	if err != nil {
		for _, a := range cfg.App.Accounts {
			if !a.UserSig.IsSet() {
				return nil, "", err
			}
		}
	}
	return wire.NewDriver(wire.Options{
		URL: url, Token: token, Heartbeat: cfg.App.Driver.Heartbeat.Std(), Logger: log,
	}), key, nil
}

// ReadKey is the application's secret key, from the configuration or as the
// first run made it.
func ReadKey(cfg *config.Config) (string, error) { return appKey(cfg, ReadSecret) }

func appKey(cfg *config.Config, read func(dir, name string) (string, error)) (string, error) {
	if k := cfg.App.Driver.Key; k.IsSet() {
		return k.Reveal(), nil
	}
	key, err := read(cfg.DataDir, keyFile)
	if err != nil {
		return "", fmt.Errorf("the application's key: %w", err)
	}
	return key, nil
}

func wireToken(cfg *config.Config, read func(dir, name string) (string, error)) (string, error) {
	if t := cfg.App.Driver.Token; t.IsSet() {
		return t.Reveal(), nil
	}
	token, err := read(cfg.DataDir, imTokenFile)
	if err != nil {
		return "", fmt.Errorf("the sandbox's token: %w", err)
	}
	return token, nil
}
