package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/timbridge/timbridge/schemas"
)

type schemaCmd struct {
	List     schemaListCmd     `cmd:"" help:"List the types."`
	Show     schemaShowCmd     `cmd:"" help:"Print a type's JSON Schema, or an example of its data."`
	Validate schemaValidateCmd `cmd:"" help:"Check data against a type's schema."`
}

type schemaListCmd struct{}

// Help is an example.
func (schemaListCmd) Help() string { return "Example:\n  timbridge schema list" }

// Run lists.
func (schemaListCmd) Run(e *env) error {
	list, err := schemas.New().List()
	if err != nil {
		return err
	}
	if e.JSON {
		return e.print(list, "")
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Stream, s.Title)
	}
	return w.Flush()
}

type schemaShowCmd struct {
	Type    string `arg:"" help:"The type, whole or in short: \"message.posted\"."`
	Example bool   `help:"Print an example of the data instead of the schema."`
}

// Help is an example.
func (schemaShowCmd) Help() string {
	return "Example:\n  timbridge schema show command.message.send --example"
}

// Run prints.
func (c schemaShowCmd) Run(e *env) error {
	v := schemas.New()
	read := v.Show
	if c.Example {
		read = v.Example
	}
	b, err := read(c.Type)
	if err != nil {
		return unknownType(err)
	}
	_, err = fmt.Fprintf(e.out, "%s\n", b)
	return err
}

type schemaValidateCmd struct {
	Type string `arg:"" help:"The type, whole or in short."`
	File string `arg:"" optional:"" default:"-" help:"File with the data as JSON; - is standard input."`
}

// maxInput bounds what is read from a file or from standard input.
const maxInput = 16 << 20

// Help is an example.
func (schemaValidateCmd) Help() string {
	return "Example:\n  echo '{\"group_id\":\"team\"}' | timbridge schema validate command.group.dismiss"
}

// Run checks.
func (c schemaValidateCmd) Run(e *env) error {
	in := e.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return badInput("", "%w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return err
	}
	if len(data) > maxInput {
		return badInput("", "the data has more than %d bytes", maxInput)
	}
	if err := schemas.New().Validate(c.Type, data); err != nil {
		return unknownType(&inputError{err: err})
	}
	return e.print(map[string]any{"valid": true, "type": c.Type}, "valid\n")
}

func unknownType(err error) error {
	if errors.Is(err, schemas.ErrUnknownType) {
		return badInput("\"timbridge schema list\" lists them", "%w", err)
	}
	return err
}
