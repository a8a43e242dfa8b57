package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2/maybe"

	"github.com/timbridge/timbridge/config"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say whether the configuration is right, and where not."`
	Show  configShowCmd  `cmd:"" help:"Print what holds, defaults filled in, secrets hidden."`
	Init  configInitCmd  `cmd:"" help:"Write a configuration file in which every setting stands at its default."`
}

type configCheckCmd struct{}

// Help is an example.
func (configCheckCmd) Help() string { return "Example:\n  timbridge config check --config my.hcl" }

// Run checks.
func (configCheckCmd) Run(e *env) error {
	_, path, err := e.load()
	if err != nil {
		return err
	}
	if path == "" {
		path = "the built-in defaults"
	}
	return e.print(map[string]any{"ok": true, "config": path}, "%s: all is well\n", path)
}

type configShowCmd struct{}

// Help is an example.
func (configShowCmd) Help() string {
	return "Examples:\n  timbridge config show\n  timbridge config show --json | jq .bus.listen"
}

// Run prints the configuration.
func (configShowCmd) Run(e *env) error {
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	return e.print(config.Values(cfg), "%s", config.Show(cfg))
}

type configInitCmd struct {
	File  string `arg:"" optional:"" default:"config.hcl" help:"File to write; - is standard output. Default: config.hcl."`
	Force bool   `help:"Write over a file that is there."`
}

// Help is an example.
func (configInitCmd) Help() string { return "Example:\n  timbridge config init my.hcl" }

// Run writes the file.
func (c configInitCmd) Run(e *env) error {
	if c.File == "-" {
		_, err := fmt.Fprint(e.out, config.Example())
		return err
	}
	if _, err := os.Stat(c.File); err == nil && !c.Force {
		return badInput("give --force to write over it", "%s is there already", c.File)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return badInput("name a file that can be written", "%w", err)
	}
	if err := maybe.WriteFile(c.File, []byte(config.Example()), 0o644); err != nil {
		return badInput("name a file that can be written", "%w", err)
	}
	return e.print(map[string]string{"written": c.File}, "%s written\n", c.File)
}
