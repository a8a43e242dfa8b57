package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/schemas"
)

type schemaCmd struct {
	List     schemaListCmd     `cmd:"" help:"List the types of events, commands and outcomes."`
	Show     schemaShowCmd     `cmd:"" help:"Print a type's JSON Schema, or an example of it."`
	Validate schemaValidateCmd `cmd:"" help:"Check data, or whole events, against their schemas."`
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
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, s := range list {
		if e.JSON {
			err = e.print(s, "")
		} else {
			_, err = fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Stream, s.Title)
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

type schemaShowCmd struct {
	Type    string `arg:"" help:"The type, whole or in short: message.posted, of a command also without its first word: message.send. \"defs\" shows what the schemas share."`
	Example bool   `help:"Print an example of the event instead of the schema of its data."`
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
	b, err := read(typeNamed(v, c.Type))
	if err != nil {
		return unknownType(err)
	}
	return e.print(json.RawMessage(b), "%s\n", bytes.TrimSpace(b))
}

// typeNamed is a type as schemas know it, by any name that tail takes too.
func typeNamed(v *schemas.Validator, name string) string {
	const command = "command."
	if _, err := v.Lookup(name); err == nil {
		return name
	}
	if _, err := v.Lookup(command + name); err == nil {
		return command + name
	}
	return name
}

type schemaValidateCmd struct {
	Type   string `arg:"" optional:"" help:"The type, whole or in short. Not with --events, which say it themselves."`
	File   string `arg:"" optional:"" default:"-" help:"File with the data as JSON; - is standard input."`
	Events bool   `help:"The input is whole CloudEvents in JSON, any number of them; each is checked against the schema of its own type."`
}

// Help is an example.
func (schemaValidateCmd) Help() string {
	return "What does not fit is exit code 2.\n\nExamples:\n  echo '{\"group_id\":\"team\"}' | timbridge schema validate command.group.dismiss\n  timbridge tail --from start --end --json | timbridge schema validate --events"
}

// Run checks.
func (c schemaValidateCmd) Run(ctx context.Context, e *env) error {
	if c.Events && c.Type != "" && c.File == "-" {
		c.Type, c.File = "", c.Type
	}
	if c.Events == (c.Type != "") {
		return badInput("timbridge schema validate command.group.dismiss", "give a type, or --events")
	}
	in := e.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return badInput("name a file that can be read", "%w", err)
		}
		defer f.Close()
		in = f
	}
	v := schemas.New()
	if c.Events {
		n, err := until(ctx, func() (int, error) { return validateEvents(v, in) })
		if err != nil {
			return err
		}
		return e.print(map[string]any{"valid": true, "events": n}, "valid: %d events\n", n)
	}
	data, err := read(ctx, in)
	if err != nil {
		return err
	}
	if err := v.Validate(typeNamed(v, c.Type), data); err != nil {
		var whole struct {
			SpecVersion string `json:"specversion"`
		}
		if json.Unmarshal(data, &whole) == nil && whole.SpecVersion != "" {
			return invalid(err, "this is a whole event, not the data of one: \"timbridge schema validate --events\" takes it")
		}
		return invalid(err, "\"timbridge schema show "+c.Type+" --example\" prints one that fits")
	}
	return e.print(map[string]any{"valid": true, "type": c.Type}, "valid\n")
}

// validateEvents checks one event after the other and stops at the first that
// is none, or does not fit.
func validateEvents(v *schemas.Validator, in io.Reader) (n int, err error) {
	for dec := json.NewDecoder(in); ; n++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) && n > 0 {
			return n, nil
		} else if errors.Is(err, io.EOF) {
			return n, badInput("\"timbridge tail --from start --end --json\" prints events in this form", "the input has no events")
		} else if err != nil {
			return n, badInput("\"timbridge tail --json\" prints events in this form, as JSON", "after %d events: %w", n, err)
		}
		ev := event.New()
		if err := ev.UnmarshalJSON(raw); err != nil {
			return n, badInput("\"timbridge tail --json\" prints events in this form", "event %d is no CloudEvent: %s", n+1, plain(err.Error()))
		}
		if err := ev.Validate(); err != nil {
			return n, badInput("\"timbridge tail --json\" prints events in this form", "event %d%s is no CloudEvent: %s", n+1, named(ev.ID()), plain(err.Error()))
		}
		if err := v.Validate(ev.Type(), ev.Data()); err != nil {
			return n, invalid(fmt.Errorf("event %d%s: %w", n+1, named(ev.ID()), err), "")
		}
	}
}

// named is the id of an event, where it has one.
func named(id string) string {
	if id == "" {
		return ""
	}
	return " (" + id + ")"
}

// invalid is data that does not fit, or whose type is not known.
func invalid(err error, hint string) error {
	if errors.Is(err, schemas.ErrUnknownType) {
		return unknownType(err)
	}
	return &inputError{err: err, hint: hint}
}

func unknownType(err error) error {
	if errors.Is(err, schemas.ErrUnknownType) {
		return badInput("\"timbridge schema list\" lists them", "%w", err)
	}
	return err
}
