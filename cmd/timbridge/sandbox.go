package main

import (
	"context"
	"errors"

	"github.com/timbridge/timbridge/bridge"
)

type sandboxCmd struct {
	Control bool `help:"Open the endpoint that takes faults (lost answers, delays, errors, kicks), with the sandbox's token. For tests."`
}

// Help is an example.
func (sandboxCmd) Help() string {
	return "It listens at app.driver.listen and keeps everything in <data_dir>/sandbox. A bridge elsewhere reaches it by app.driver.url, token and key.\n\nExample:\n  timbridge sandbox --config sandbox.hcl"
}

// Run serves the sandbox until it is told to end.
func (c sandboxCmd) Run(ctx context.Context, e *env) error {
	defer bridge.UseProcessors()()
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	opened := e.progress("opening the sandbox's journal")
	s, err := bridge.StartSandbox(ctx, cfg, bridge.SandboxOptions{Control: c.Control, Logger: e.logger(cfg).Named("sandbox")})
	opened()
	if err != nil {
		return err
	}
	err = e.print(map[string]any{"sandbox": s.URL(), "sdkappid": cfg.App.SDKAppID, "delivery": cfg.App.Driver.Delivery},
		"sandbox of application %d at %s, delivery %q, kept in %s\n", cfg.App.SDKAppID, s.URL(), cfg.App.Driver.Delivery, cfg.DataDir)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	select {
	case <-ctx.Done():
	case <-s.Failed():
		err = s.Err()
	}
	return errors.Join(err, s.Close())
}
