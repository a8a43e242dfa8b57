package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// commandSource names this tool as the sender of commands.
const commandSource = "timbridge-cli"

// publishing are the flags of every subcommand that publishes a command.
type publishing struct {
	From    string        `placeholder:"ACCOUNT" help:"Account that is to act. May be left out where the bridge has only one."`
	ID      string        `name:"id" help:"The command's id. The same id with the same content is carried out once. Default: a new one."`
	Expires time.Duration `placeholder:"DURATION" help:"Not carried out after this long."`
	Wait    bool          `short:"w" help:"Wait for the outcome and print it."`
	Timeout time.Duration `default:"30s" help:"How long --wait waits."`
}

// publish publishes a command, and waits for its outcome where that is asked.
func (p publishing) publish(ctx context.Context, e *env, data mapping.CommandData) error {
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	id := p.ID
	if id == "" {
		u, err := uuid.NewV7()
		if err != nil {
			return err
		}
		id = u.String()
	}
	account := tim.UserID(p.From)
	if account == "" && len(cfg.App.Accounts) == 1 {
		account = tim.UserID(cfg.App.Accounts[0].ID)
	}
	now := time.Now()
	command, err := mapping.NewCommand(commandSource, id, account, data, now)
	if err != nil {
		return badInput("", "%w", err)
	}
	if p.Expires > 0 {
		command.SetExtension(mapping.ExtExpiryTime, now.Add(p.Expires).UTC())
	}
	b, err := e.openBus(ctx, cfg)
	if err != nil {
		return err
	}
	defer b.Close()
	if !p.Wait {
		at, err := b.Publish(ctx, bus.Commands, command)
		if err != nil {
			return fmt.Errorf("publish the command: %w", err)
		}
		return e.print(map[string]any{"published": id, "source": commandSource, "target": at.Target, "offset": at.Offset},
			"published %s as %s\n", mapping.ShortName(command.Type()), id)
	}
	return p.await(ctx, e, b, command)
}

// await publishes a command and prints its outcome.
func (p publishing) await(ctx context.Context, e *env, b bus.Bus, command *event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	// The outcomes are followed before the command is there, so that none is missed.
	outcomes, err := b.Follow(ctx, bus.Outcomes, bus.Start{})
	if err != nil {
		return fmt.Errorf("follow the outcomes: %w", err)
	}
	defer outcomes.Close()
	if _, err := b.Publish(ctx, bus.Commands, command); err != nil {
		return fmt.Errorf("publish the command: %w", err)
	}
	for {
		r, err := outcomes.Next(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return &missingError{
				err:  fmt.Errorf("no outcome of %s after %s; the command stays on the bus and is carried out when the bridge gets to it", command.ID(), p.Timeout),
				hint: "is the bridge running and ready? \"timbridge doctor\" says; --timeout waits longer",
			}
		}
		if err != nil {
			return err
		}
		if r.Event == nil || !mapping.IsOutcome(r.Event.Type()) {
			continue
		}
		o, err := mapping.ParseOutcome(r.Event)
		if err != nil || o.Command.Source != commandSource || o.Command.ID != command.ID() {
			continue
		}
		return e.printOutcome(r.Event, o)
	}
}

// printOutcome prints an outcome; one that is no success is the exit code 1.
func (e *env) printOutcome(ev *event.Event, o mapping.Outcome) error {
	if e.JSON {
		if err := e.print(ev, ""); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(e.out, outcomeLine(o)); err != nil {
		return err
	}
	if o.Type != mapping.TypeSucceeded {
		return &reportedError{code: codeFailed}
	}
	return nil
}

// outcomeLine is an outcome in one line for people.
func outcomeLine(o mapping.Outcome) string {
	line := []string{strings.TrimPrefix(mapping.ShortName(o.Type), "command.")}
	if o.Command.Type != "" {
		line = append(line, mapping.Verb(o.Command.Type))
	}
	if e := o.Error; e != nil {
		text := string(e.Code)
		if e.Number != 0 {
			text += fmt.Sprintf(" %d %s", e.Number, e.Name)
		}
		line = append(line, text+":", e.Text)
		if e.Field != "" {
			line = append(line, "(at "+e.Field+")")
		}
		return strings.Join(line, " ")
	}
	r := o.Result
	if r.GroupID != "" {
		line = append(line, "group "+string(r.GroupID))
	}
	if r.MessageID != "" {
		line = append(line, "message "+r.MessageID)
	}
	for _, m := range r.Members {
		line = append(line, fmt.Sprintf("%s: %s", m.UserID, m.Result))
	}
	if r.Already {
		line = append(line, "(it was so already)")
	}
	if o.Attempts > 1 {
		line = append(line, fmt.Sprintf("after %d attempts", o.Attempts))
	}
	return strings.Join(line, "  ")
}
