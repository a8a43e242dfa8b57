package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

type healthCmd struct {
	What string `arg:"" optional:"" default:"bridge" enum:"bridge,sandbox" help:"What to ask: bridge or sandbox. Default: bridge."`
}

// Help is an example.
func (healthCmd) Help() string {
	return "For health checks of containers, which have nothing else to ask with: exit code 0 when it is ready, 1 when it runs and is not, 3 when it does not answer. The bridge is asked at http.listen, the sandbox at app.driver.listen (or url) with its token.\n\nExamples:\n  timbridge health\n  timbridge health sandbox --config sandbox.hcl"
}

// Run asks.
func (c healthCmd) Run(ctx context.Context, e *env) error {
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	if c.What == "sandbox" {
		driver, _, err := bridge.OpenDriver(cfg, hclog.NewNullLogger())
		if err != nil {
			return noSecret(err)
		}
		return e.healthOfSandbox(ctx, driver, tim.Config{SDKAppID: cfg.App.SDKAppID})
	}
	if cfg.HTTP.Listen == "off" {
		return badInput("set http.listen to an address", "http.listen is off, so the bridge cannot be asked whether it is ready")
	}
	h, err := (&doctor{env: e, cfg: cfg}).askReady(ctx)
	switch {
	case err != nil:
		return &missingError{err: fmt.Errorf("ask the bridge: %w", err), hint: "is \"timbridge run\" running, with the same configuration?"}
	}
	if other, err := otherBridge(cfg, h); err != nil {
		return err
	} else if other {
		return &missingError{err: fmt.Errorf("another bridge has %s: its journal is %s, not that in %s", cfg.HTTP.Listen, h.Journal.ID, bridge.JournalDir(cfg)),
			hint: "ask in that bridge's folder, with its configuration, or set http.listen to another address"}
	}
	if !h.Ready {
		if err := e.print(h, "not ready: %s\n", strings.Join(h.Reasons, "; ")); err != nil {
			return err
		}
		return &reportedError{code: codeFailed}
	}
	return e.print(h, "ready\n")
}

// otherBridge says that what answered has another journal than the one of the
// configuration. Where that has none, as on another machine, nobody can tell.
func otherBridge(cfg *config.Config, h bridge.Health) (bool, error) {
	id, err := journal.ReadID(bridge.JournalDir(cfg), nil)
	if errors.Is(err, journal.ErrNotFound) || h.Journal.ID == "" {
		return false, nil
	}
	return err == nil && id != h.Journal.ID, err
}

// healthOfSandbox says whether the sandbox lets a client in.
func (e *env) healthOfSandbox(ctx context.Context, driver tim.Driver, cfg tim.Config) (err error) {
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	client, err := driver.Open(ctx, cfg)
	if err != nil {
		return &missingError{err: fmt.Errorf("ask the sandbox: %w", err), hint: "is \"timbridge sandbox\" or \"timbridge run\" running, with the same configuration?"}
	}
	return errors.Join(e.print(map[string]bool{"ready": true}, "ready\n"), client.Close())
}
