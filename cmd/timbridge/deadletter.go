package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/mapping"
)

type deadletterCmd struct {
	List    deadletterListCmd    `cmd:"" help:"List them."`
	Show    deadletterShowCmd    `cmd:"" help:"Print one: its outcome, and the command as it was."`
	Redrive deadletterRedriveCmd `cmd:"" help:"Publish the commands again, with new ids."`
}

type deadletterListCmd struct {
	From string `default:"start" placeholder:"START" help:"start, a time (RFC 3339), or how long ago (24h)."`
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
			_, err = fmt.Fprintf(w, "%s\t%v\n", ev.ID(), err)
			return true, err
		}
		_, err = fmt.Fprintf(w, "%s\t%s\t%s\n", o.At.Local().Format(time.DateTime), ev.ID(), outcomeLine(o))
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
	follow, err := b.Follow(ctx, bus.DeadLetters, from)
	if err != nil {
		return fmt.Errorf("follow the dead letters: %w", err)
	}
	defer follow.Close()
	for !follow.CaughtUp() {
		c, cancel := context.WithTimeout(ctx, time.Second)
		r, err := follow.Next(c)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		if r.Event == nil {
			continue
		}
		if more, err := f(b, r.Event); err != nil || !more {
			return err
		}
	}
	return nil
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
		if _, err := fmt.Fprintf(e.out, "%s\n  at       %s\n  command  %s %s\n  account  %s\n  subject  %s\n  read at  %s/%d\n",
			outcomeLine(o), o.At.Local().Format(time.RFC3339), o.Command.Source, o.Command.ID, o.Command.Account, o.Command.Subject,
			o.Position.Target, o.Position.Offset); err != nil {
			return false, err
		}
		return false, printOriginal(e, data.Original)
	})
	if err == nil && !found {
		return badInput("\"timbridge deadletter list\" lists them", "there is no dead letter %q", c.ID)
	}
	return err
}

func printOriginal(e *env, o mapping.Original) error {
	note := ""
	if o.Truncated {
		note = fmt.Sprintf(", of which %d are kept", len(o.Data))
	}
	if _, err := fmt.Fprintf(e.out, "  original %d bytes%s, SHA-256 %s\n", o.Size, note, o.SHA256); err != nil {
		return err
	}
	msg, err := bus.DecodeOriginal(o.Data)
	if err != nil {
		_, err = fmt.Fprintf(e.out, "%q\n", o.Data)
		return err
	}
	for _, h := range msg.Headers {
		if _, err := fmt.Fprintf(e.out, "    %s: %s\n", h.Name, h.Value); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(e.out, "    %s\n", msg.Value)
	return err
}

type deadletterRedriveCmd struct {
	ID   []string `arg:"" optional:"" help:"Ids of the dead letters, as listed."`
	All  bool     `help:"All of them."`
	From string   `default:"start" placeholder:"START" help:"With --all: those since then."`
}

// Help is an example.
func (deadletterRedriveCmd) Help() string {
	return "A command that is sent again gets the id <id>~r<n>, without its old expiry; one that is still wrong comes back as a dead letter.\n\nExample:\n  timbridge deadletter redrive --all --from 1h"
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
		command, err := commandOf(b, ev)
		if err != nil {
			left++
			return true, e.print(map[string]string{"id": ev.ID(), "error": err.Error()}, "%s cannot be sent again: %v\n", ev.ID(), err)
		}
		command = egress.Redrive(command)
		if _, err := b.Publish(ctx, bus.Commands, command); err != nil {
			return false, fmt.Errorf("publish %s: %w", command.ID(), err)
		}
		sent++
		return true, e.print(map[string]string{"id": ev.ID(), "redriven": command.ID()}, "%s sent again as %s\n", ev.ID(), command.ID())
	})
	if err != nil {
		return err
	}
	for id := range wanted {
		return badInput("\"timbridge deadletter list\" lists them", "there is no dead letter %q", id)
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
