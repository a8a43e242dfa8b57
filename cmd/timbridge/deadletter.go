package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/mapping"
)

type deadletterCmd struct {
	List    deadletterListCmd    `cmd:"" help:"List the dead letters."`
	Show    deadletterShowCmd    `cmd:"" help:"Print one: its outcome, and the command as it was."`
	Redrive deadletterRedriveCmd `cmd:"" help:"Publish the commands again, with new ids."`
}

type deadletterListCmd struct {
	From string `default:"start" placeholder:"START" help:"start, a time (2026-01-02T15:04:05Z), or how long ago (24h). Default: start."`
}

// Help is an example.
func (deadletterListCmd) Help() string { return "Example:\n  timbridge deadletter list --from 24h" }

// Run lists.
func (c deadletterListCmd) Run(ctx context.Context, e *env) error {
	from, err := parseStart(c.From, time.Now())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	n := 0
	err = e.deadletters(ctx, from, func(_ bus.Bus, ev *event.Event) (bool, error) {
		n++
		if e.JSON {
			return true, e.print(ev, "")
		}
		_, o, err := mapping.ParseDeadLetter(ev)
		if err != nil {
			_, err = fmt.Fprintf(w, "%s\t%s\t%s\n", ev.Time().Local().Format(time.DateTime), plain(ev.ID()), plain(err.Error()))
			return true, err
		}
		_, err = fmt.Fprintf(w, "%s\t%s\t%s\n", o.At.Local().Format(time.DateTime), plain(ev.ID()), outcomeLine(o))
		return true, err
	})
	if err != nil {
		return err
	}
	if n == 0 && !e.JSON {
		_, err := fmt.Fprintln(e.out, "no dead letters")
		return err
	}
	return w.Flush()
}

// deadletters hands every dead letter that is there to f, until f returns false.
func (e *env) deadletters(ctx context.Context, from bus.Start, f func(bus.Bus, *event.Event) (bool, error)) error {
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	b, err := e.openBus(ctx, cfg)
	if err != nil {
		return err
	}
	defer b.Close()
	defer e.progress("reading the dead letters")()
	dead, err := follow(ctx, cfg, b, bus.DeadLetters, from)
	if err != nil {
		return fmt.Errorf("follow the dead letters: %w", err)
	}
	defer dead.Close()
	for !dead.CaughtUp() {
		c, cancel := context.WithTimeout(ctx, time.Second)
		r, err := dead.Next(c)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		if r.Event == nil || r.Event.Type() != mapping.TypeDeadLettered {
			continue // somebody else's
		}
		if more, err := f(b, r.Event); err != nil || !more {
			return err
		}
	}
	return nil
}

// noDeadLetter says that there is none of that id.
func noDeadLetter(id string) error {
	return badInput("\"timbridge deadletter list\" lists them", "there is no dead letter %q", id)
}

type deadletterShowCmd struct {
	ID string `arg:"" help:"The dead letter's id, as listed."`
}

// Help is an example.
func (deadletterShowCmd) Help() string {
	return "Example:\n  timbridge deadletter show outcome/3f2a…/dead"
}

// Run prints one.
func (c deadletterShowCmd) Run(ctx context.Context, e *env) error {
	found := false
	err := e.deadletters(ctx, bus.Start{Beginning: true}, func(_ bus.Bus, ev *event.Event) (bool, error) {
		if ev.ID() != c.ID {
			return true, nil
		}
		found = true
		if e.JSON {
			return false, e.print(ev, "")
		}
		data, o, err := mapping.ParseDeadLetter(ev)
		if err != nil {
			return false, err
		}
		return false, printDeadLetter(e, data.Original, o)
	})
	if err == nil && !found {
		return noDeadLetter(c.ID)
	}
	return err
}

// printDeadLetter prints the outcome, and the command as it was on the bus.
func printDeadLetter(e *env, original mapping.Original, o mapping.Outcome) error {
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(e.out, outcomeLine(o))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", name, escape(fmt.Sprintf(format, args...)))
	}
	row("at", "%s", o.At.Local().Format(time.RFC3339))
	if o.Command.ID != "" {
		row("command", "%s from %s", o.Command.ID, o.Command.Source)
	}
	if o.Command.Account != "" {
		row("account", "%s", o.Command.Account)
	}
	row("read from", "%s at %s", placeText(o.Position.Target, o.Position.Offset), o.Position.Time.Local().Format(time.RFC3339))
	kept := ""
	if original.Truncated {
		kept = fmt.Sprintf(", of which the first %d are kept", len(original.Data))
	}
	row("original", "%d bytes%s, SHA-256 %s", original.Size, kept, original.SHA256)
	msg, err := bus.DecodeOriginal(original.Data)
	if err != nil {
		row("", "%q", original.Data)
		return w.Flush()
	}
	place := "subject"
	if strings.HasPrefix(o.Position.Target, msg.Place+"/") {
		place = "topic"
	}
	row(place, "%s", msg.Place)
	if msg.Key != nil {
		row("key", "%s", msg.Key)
	}
	for _, h := range msg.Headers {
		row(h.Name, "%s", h.Value)
	}
	row("data", "%s", msg.Value)
	return w.Flush()
}

type deadletterRedriveCmd struct {
	ID   []string `arg:"" optional:"" help:"Ids of the dead letters, as listed."`
	All  bool     `help:"All of them."`
	From string   `default:"start" placeholder:"START" help:"With --all: those since then, as of deadletter list."`
}

// Help is an example.
func (deadletterRedriveCmd) Help() string {
	return "A command that is sent again gets the id <id>~r<n>, without its old expiry; one that is still wrong comes back as a dead letter.\n\nExamples:\n  timbridge deadletter redrive outcome/3f2a…/dead\n  timbridge deadletter redrive --all --from 1h"
}

// Run publishes the commands again.
func (c deadletterRedriveCmd) Run(ctx context.Context, e *env) error {
	if c.All == (len(c.ID) > 0) {
		return badInput("\"timbridge deadletter list\" lists them", "which? give ids, or --all")
	}
	from, err := parseStart(c.From, time.Now())
	if err != nil {
		return err
	}
	if !c.All {
		from = bus.Start{Beginning: true}
	}
	wanted := map[string]bool{}
	for _, id := range c.ID {
		wanted[id] = true
	}
	sent, left := 0, 0
	err = e.deadletters(ctx, from, func(b bus.Bus, ev *event.Event) (bool, error) {
		if !c.All && !wanted[ev.ID()] {
			return true, nil
		}
		delete(wanted, ev.ID())
		more := c.All || len(wanted) > 0
		command, err := commandOf(b, ev)
		if err != nil {
			left++
			return more, e.print(map[string]string{"id": ev.ID(), "error": err.Error()}, "%s cannot be sent again: %s\n", plain(ev.ID()), plain(err.Error()))
		}
		command = egress.Redrive(command)
		if _, err := b.Publish(ctx, bus.Commands, command); err != nil {
			return false, fmt.Errorf("publish %s: %w", command.ID(), err)
		}
		sent++
		return more, e.print(map[string]string{"id": ev.ID(), "redriven": command.ID()}, "%s sent again as %s\n", plain(ev.ID()), plain(command.ID()))
	})
	if err != nil {
		return err
	}
	for _, id := range c.ID {
		if wanted[id] {
			return noDeadLetter(id)
		}
	}
	if left > 0 {
		return &reportedError{code: codeFailed}
	}
	if sent == 0 && !e.JSON {
		_, err := fmt.Fprintln(e.out, "no dead letters")
		return err
	}
	return nil
}

// commandOf is the command in a dead letter.
func commandOf(b bus.Bus, dead *event.Event) (*event.Event, error) {
	data, _, err := mapping.ParseDeadLetter(dead)
	if err != nil {
		return nil, err
	}
	if data.Original.Truncated {
		return nil, fmt.Errorf("only the first %d of its %d bytes are kept", len(data.Original.Data), data.Original.Size)
	}
	original, err := bus.DecodeOriginal(data.Original.Data)
	if err != nil {
		return nil, err
	}
	return b.Event(original)
}
