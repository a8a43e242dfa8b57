package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
)

type tailCmd struct {
	Type   []string `sep:"none" placeholder:"PATTERN" help:"Only types that match, whole or in short: --type 'message.*', of commands and outcomes also without their first word: --type message.send. May be given several times."`
	From   string   `default:"now" placeholder:"START" help:"start, now, a time (2026-01-02T15:04:05Z), or how long ago (10m). Default: now."`
	Stream string   `default:"events" enum:"events,commands,outcomes,deadletters" placeholder:"STREAM" help:"Stream to follow: events, commands, outcomes or deadletters. Default: events."`
	End    bool     `help:"End when everything that is there has been printed, instead of waiting for more."`
	Max    *int     `short:"n" placeholder:"N" help:"End after this many, 1 or more. Default: no end."`
}

// Help is an example.
func (tailCmd) Help() string {
	return "Ctrl-C ends. While the bus is away nothing can come: that it is, and that it is back, is said on standard error. In brackets after what happened in a group stands how the IM service told it: one occurrence may come several ways, each as an event. --json prints each event whole, as a CloudEvent.\n\nExamples:\n  timbridge tail\n  timbridge tail --type 'message.*' --from start --json\n  timbridge tail --stream outcomes --from 10m --end"
}

// Run follows.
func (c tailCmd) Run(ctx context.Context, e *env) error {
	from, err := parseStart(c.From, time.Now())
	if err != nil {
		return err
	}
	if c.Max != nil && *c.Max < 1 {
		return badInput("write how many: -n 10; without it there is no end", "-n is %d", *c.Max)
	}
	if err := c.checkTypes(e); err != nil {
		return err
	}
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	b, err := e.openBus(ctx, cfg)
	if err != nil {
		return err
	}
	defer b.Close()
	f, err := follow(ctx, cfg, b, bus.Stream(c.Stream), from)
	if err != nil {
		return fmt.Errorf("follow %s: %w", c.Stream, err)
	}
	defer f.Close()
	defer e.watch(ctx, b, bridge.BusAddress(cfg))()
	for n := 0; c.Max == nil || n < *c.Max; {
		if c.End && f.CaughtUp() {
			return nil
		}
		wait, cancel := ctx, context.CancelFunc(func() {})
		if c.End {
			wait, cancel = context.WithTimeout(ctx, time.Second)
		}
		r, err := f.Next(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case c.End && errors.Is(err, context.DeadlineExceeded):
			continue
		case err != nil:
			return err
		}
		printed, err := c.show(e, r)
		if err != nil {
			return err
		}
		if printed {
			n++
		}
	}
	return nil
}

// checkTypes refuses patterns that cannot be read, and says when one matches
// no type that this version knows: a slip of the pen looks like silence.
func (c tailCmd) checkTypes(e *env) error {
	known, err := schemas.New().List()
	if err != nil {
		return err
	}
	for _, p := range c.Type {
		if _, err := path.Match(p, ""); err != nil {
			return badInput("write a pattern like 'message.*'", "--type %q: %w", p, err)
		}
		matches := func(s schemas.Schema) bool { return matchesType(p, s.Type) }
		if !slices.ContainsFunc(known, matches) && !e.JSON {
			fmt.Fprintf(e.errs, "no type that is known here matches %q; \"timbridge schema list\" lists them\n", p)
		}
	}
	return nil
}

func (c tailCmd) show(e *env, r bus.Received) (printed bool, err error) {
	if r.Event == nil {
		if len(c.Type) > 0 {
			return false, nil
		}
		return true, e.print(map[string]any{"error": r.Err.Error(), "target": r.Target, "offset": r.Offset, "time": r.Time.UTC()},
			"%s  %s: %s\n", r.Time.Local().Format(time.TimeOnly), placeText(string(r.Target), r.Offset), plain(r.Err.Error()))
	}
	matches := func(p string) bool { return matchesType(p, r.Event.Type()) }
	if len(c.Type) > 0 && !slices.ContainsFunc(c.Type, matches) {
		return false, nil
	}
	return true, e.print(r.Event, "%s\n", eventLine(r.Event))
}

// matchesType says whether a type is one that a pattern means: the whole of it,
// its short name, or that of a command or outcome without the family's word.
func matchesType(pattern, eventType string) bool {
	for _, name := range []string{eventType, mapping.ShortName(eventType), mapping.Verb(eventType)} {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// watch tells on standard error that the bus went away, and that it is back; the
// function that it returns ends that.
func (e *env) watch(ctx context.Context, b bus.Bus, address string) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended, s := make(chan struct{}), &plainScreen{env: e}
	go func() {
		defer close(ended)
		watchBus(ctx, b, watchPause, func(away bool) {
			text := "the bus is back"
			if away {
				text = "the bus at " + address + " is away; waiting for it"
			}
			_ = s.note(text) // nobody is left to be told
		})
	}()
	return func() { cancel(); <-ended }
}

// parseStart reads --from.
func parseStart(text string, now time.Time) (bus.Start, error) {
	switch text {
	case "start":
		return bus.Start{Beginning: true}, nil
	case "now", "":
		return bus.Start{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return bus.Start{Time: t}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return bus.Start{Time: now.Add(-d)}, nil
	}
	return bus.Start{}, badInput("write start, now, 2026-01-02T15:04:05Z, or 10m", "--from %q is no start", text)
}
