package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/config"
)

// defaultConfig is read where no file is named and it is there.
const defaultConfig = "config.hcl"

// load reads the configuration. path is the file it came from, empty for none.
func (e *env) load() (cfg *config.Config, path string, err error) {
	path = e.Config
	if path == "" {
		if _, err := os.Stat(defaultConfig); errors.Is(err, fs.ErrNotExist) {
			return config.Default(), "", nil
		}
		path = defaultConfig
	}
	cfg, err = config.Load(path)
	var outside *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, path, badInput("write one with \"timbridge config init\"", "%w", err)
	case errors.As(err, &outside):
		return nil, path, badInput("name a file that can be read", "%w", err)
	}
	return cfg, path, err
}

// logger tells what the configuration wants told, on standard error.
func (e *env) logger(cfg *config.Config) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "timbridge", Level: hclog.LevelFromString(cfg.Log.Level), Output: e.errs,
		JSONFormat: cfg.Log.Format == "json" || e.JSON, IndependentLevels: true, TimeFormat: "2006-01-02T15:04:05.000Z07:00",
	})
}

// connectWait is how long a person's tool waits for the bus.
const connectWait = 5 * time.Second

// openBus connects to the bus of the configuration.
func (e *env) openBus(ctx context.Context, cfg *config.Config) (bus.Bus, error) {
	return e.openBusWithin(ctx, cfg, connectWait)
}

// openBusWithin is openBus with another wait.
func (e *env) openBusWithin(ctx context.Context, cfg *config.Config, wait time.Duration) (bus.Bus, error) {
	defer e.progress("waiting for the bus at " + bridge.BusAddress(cfg))()
	c, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	b, err := bridge.OpenBus(c, cfg, hclog.NewNullLogger())
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var auth *nats.AuthError
	if errors.As(err, &auth) && bridge.BusEmbedded(cfg) && !cfg.Bus.NATS.Token.IsSet() {
		return nil, &missingError{err: err, hint: fmt.Sprintf(
			"another bridge has %s, whose token is not the one in %s: start this in that bridge's folder, or set bus.listen to another address", cfg.Bus.NATS.Listen, cfg.DataDir)}
	}
	if err != nil {
		return nil, noSecret(err)
	}
	return b, nil
}

// print writes v as JSON in --json, else the text.
func (e *env) print(v any, format string, args ...any) error {
	if e.JSON {
		enc := json.NewEncoder(e.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	_, err := fmt.Fprintf(e.out, format, args...)
	return err
}
