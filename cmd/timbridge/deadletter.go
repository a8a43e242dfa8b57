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
	"github.com/timbridge/timbridge/config"
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
	if e.JSON {
		return e.deadletters(ctx, from, func(ev *event.Event) (bool, error) { return true, e.print(ev, "") })
	}
	cfg, b, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	type row struct {
		at          time.Time
		id, what    string
		source, cid string
	}
	var rows []row
	sent := newRedriven()
	defer e.progress("reading the dead letters")()
	err = deadletters(ctx, cfg, b, from, func(ev *event.Event) (bool, error) {
		r := row{at: ev.Time(), id: ev.ID()}
		if _, o, err := mapping.ParseDeadLetter(ev); err != nil {
			r.what = plain(err.Error())
		} else {
			r.at, r.what, r.source, r.cid = o.At, outcomeLine(o), o.Command.Source, o.Command.ID
			sent.letter(ev.ID(), o)
		}
		rows = append(rows, r)
		return true, nil
	})
	if err == nil {
		err = sent.outcomes(ctx, cfg, b)
	}
	if err != nil {
		return err
	}
	w, cols := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0), e.columns()
	for _, r := range rows {
		note := ""
		if again, ok := sent.of(r.source, r.cid); ok {
			note = fmt.Sprintf("  (sent again as %s, which %s)", plain(again.id), again.came)
		}
		if _, err := fmt.Fprint(w, letterText(cols, r.at, plain(r.id), r.what+note)); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(e.out, "no dead letters")
		return err
	}
	return w.Flush()
}

// letterText is a dead letter in the list: a row of a table, or, on a terminal of
// so many columns, the id with what it says below it.
func letterText(cols int, at time.Time, id, what string) string {
	when := at.Local().Format(time.DateTime)
	if cols == 0 {
		return when + "\t" + id + "\t" + what + "\n"
	}
	return when + "  " + id + "\n" + wrapped("  "+what, cols, 2) + "\n"
}

// connect reads the configuration and connects to its bus.
func (e *env) connect(ctx context.Context) (*config.Config, bus.Bus, error) {
	cfg, _, err := e.load()
	if err != nil {
		return nil, nil, err
	}
	b, err := e.openBus(ctx, cfg)
	return cfg, b, err
}

// deadletters hands every dead letter that is there to f, until f returns false.
func (e *env) deadletters(ctx context.Context, from bus.Start, f func(*event.Event) (bool, error)) error {
	cfg, b, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	defer e.progress("reading the dead letters")()
	return deadletters(ctx, cfg, b, from, f)
}

func deadletters(ctx context.Context, cfg *config.Config, b bus.Bus, from bus.Start, f func(*event.Event) (bool, error)) error {
	return present(ctx, cfg, b, bus.DeadLetters, from, func(ev *event.Event) (bool, error) {
		if ev.Type() != mapping.TypeDeadLettered {
			return true, nil // somebody else's
		}
		return f(ev)
	})
}

// present hands every event that is in a stream to f, until f returns false.
func present(ctx context.Context, cfg *config.Config, b bus.Bus, stream bus.Stream, from bus.Start, f func(*event.Event) (bool, error)) error {
	events, err := follow(ctx, cfg, b, stream, from)
	if err != nil {
		return fmt.Errorf("follow the %s: %w", stream, err)
	}
	defer events.Close()
	for !events.CaughtUp() {
		c, cancel := context.WithTimeout(ctx, time.Second)
		r, err := events.Next(c)
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
		if more, err := f(r.Event); err != nil || !more {
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
	err := e.deadletters(ctx, bus.Start{Beginning: true}, func(ev *event.Event) (bool, error) {
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
