package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
)

type tailCmd struct {
	Type   []string `placeholder:"PATTERN" help:"Only types that match, in short: 'message.*'. May be given several times."`
	From   string   `default:"now" placeholder:"START" help:"start, now, a time (RFC 3339), or how long ago (10m)."`
	Stream string   `default:"events" enum:"events,commands,outcomes,deadletters" help:"Stream to follow: events, commands, outcomes or deadletters."`
	End    bool     `help:"End when everything that is there has been printed."`
	Max    int      `short:"n" placeholder:"N" help:"End after this many."`
}

// Help is an example.
func (tailCmd) Help() string {
	return "Example:\n  timbridge tail --type 'message.*' --from start --json"
}

// Run follows.
func (c tailCmd) Run(ctx context.Context, e *env) error {
	from, err := parseStart(c.From, time.Now())
	if err != nil {
		return err
	}
	for _, p := range c.Type {
		if _, err := path.Match(p, ""); err != nil {
			return badInput("write a pattern like 'message.*'", "--type %q: %w", p, err)
		}
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
	f, err := b.Follow(ctx, bus.Stream(c.Stream), from)
	if err != nil {
		return fmt.Errorf("follow %s: %w", c.Stream, err)
	}
	defer f.Close()
	for n := 0; c.Max == 0 || n < c.Max; {
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

func (c tailCmd) show(e *env, r bus.Received) (printed bool, err error) {
	if r.Event == nil {
		if len(c.Type) > 0 {
			return false, nil
		}
		return true, e.print(map[string]any{"error": r.Err.Error(), "target": r.Target, "offset": r.Offset},
			"%s/%d  %v\n", r.Target, r.Offset, r.Err)
	}
	name := mapping.ShortName(r.Event.Type())
	match := len(c.Type) == 0
	for _, p := range c.Type {
		ok, _ := path.Match(p, name)
		match = match || ok
	}
	if !match {
		return false, nil
	}
	return true, e.print(r.Event, "%s\n", eventLine(name, r.Event))
}

// eventLine is an event in one line for people.
func eventLine(name string, ev *event.Event) string {
	text := strings.Join(strings.Fields(string(ev.Data())), " ")
	if mapping.IsOutcome(ev.Type()) {
		if o, err := mapping.ParseOutcome(ev); err == nil {
			text = outcomeLine(o)
		}
	} else if s, ok := messageText(ev); ok {
		text = s
	}
	if len(text) > 300 {
		text = text[:297] + "…"
	}
	return fmt.Sprintf("%s  %-24s %s  %s", ev.Time().Local().Format("15:04:05"), name, ev.Subject(), text)
}

// messageText is who said what, of a message.posted.
func messageText(ev *event.Event) (string, bool) {
	if ev.Type() != mapping.TypeMessagePosted {
		return "", false
	}
	var m struct {
		Sender   string `json:"sender"`
		Elements []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		} `json:"elements"`
	}
	if err := ev.DataAs(&m); err != nil {
		return "", false
	}
	var parts []string
	for _, el := range m.Elements {
		if el.Type == "text" {
			parts = append(parts, el.Text)
		} else {
			parts = append(parts, "["+el.Type+"]")
		}
	}
	return m.Sender + ": " + strings.Join(strings.Fields(strings.Join(parts, " ")), " "), true
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
