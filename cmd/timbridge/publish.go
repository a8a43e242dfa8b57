package main

import (
	"bytes"
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
	From    string         `placeholder:"ACCOUNT" help:"Account that is to act. May be left out where the bridge has only one."`
	ID      string         `name:"id" placeholder:"ID" help:"The command's id. The same id with the same content is carried out once, however often it is published: --id order-17. Default: a new one."`
	Expires *time.Duration `placeholder:"DURATION" help:"Not carried out after this long: --expires 30s."`
	Wait    bool           `short:"w" help:"Wait for the outcome and print it; one that is no success is exit code 1."`
	Timeout time.Duration  `default:"30s" placeholder:"DURATION" help:"How long --wait waits. Default: 30s."`
}

// publish publishes a command, and waits for its outcome where that is asked.
func (p publishing) publish(ctx context.Context, e *env, data mapping.CommandData) error {
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	switch {
	case p.Expires != nil && *p.Expires <= 0:
		return badInput("write a time from now on: --expires 30s", "--expires is %s", *p.Expires)
	case p.Timeout <= 0:
		return badInput("write how long: --timeout 30s", "--timeout is %s", p.Timeout)
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
	if n := len(cfg.App.Accounts); account == "" && n > 1 {
		var ids []string
		for _, a := range cfg.App.Accounts {
			ids = append(ids, a.ID)
		}
		return badInput("say which one with --from: --from "+ids[0], "which account is to act? there are %d: %s", n, strings.Join(ids, ", "))
	}
	now := time.Now()
	command, err := mapping.NewCommand(commandSource, id, account, data, now)
	if err != nil {
		return badInput("", "%w", err)
	}
	if p.Expires != nil {
		command.SetExtension(mapping.ExtExpiryTime, now.Add(*p.Expires).UTC())
	}
	wait := connectWait
	if p.Wait {
		wait = min(wait, p.Timeout)
	}
	b, err := e.openBusWithin(ctx, cfg, wait)
	if err != nil {
		return err
	}
	defer b.Close()
	if !p.Wait {
		at, err := b.Publish(ctx, bus.Commands, command)
		if err != nil {
			return refusedCommand(err)
		}
		return e.print(map[string]any{"published": id, "source": commandSource, "type": command.Type(), "target": at.Target, "offset": at.Offset},
			"published %s as %s\n", mapping.Verb(command.Type()), id)
	}
	return p.await(ctx, e, b, command)
}

// refusedCommand says that the bus did not take a command.
func refusedCommand(err error) error {
	var refused *bus.RefusedError
	if errors.As(err, &refused) {
		return badInput("make it smaller; what is large is better sent as a link", "the bus does not take the command: %s", refused.Reason)
	}
	return fmt.Errorf("publish the command: %w", err)
}

// await publishes a command and prints its outcome.
func (p publishing) await(ctx context.Context, e *env, b bus.Bus, command *event.Event) error {
	defer e.progress("waiting for the outcome")()
	limited, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	// The outcomes are followed before the command is there, so that none is
	// missed; one with an id of the caller's may have its outcome already.
	outcomes, err := b.Follow(limited, bus.Outcomes, bus.Start{Beginning: p.ID != ""})
	late := func(err error) bool { return err != nil && limited.Err() != nil && ctx.Err() == nil }
	const longer = "give more time with --timeout"
	if late(err) {
		return &missingError{err: fmt.Errorf("the bus did not answer within %s; nothing was published", p.Timeout), hint: longer}
	}
	if err != nil {
		return fmt.Errorf("follow the outcomes: %w", err)
	}
	defer outcomes.Close()
	at, err := b.Publish(limited, bus.Commands, command)
	if late(err) {
		return &missingError{err: fmt.Errorf("the bus did not say within %s that it has %s; it may have it or not", p.Timeout, command.ID()),
			hint: longer + ", and the same id, so that it is carried out once: --id " + command.ID()}
	}
	if err != nil {
		return refusedCommand(err)
	}
	for {
		r, err := outcomes.Next(limited)
		if late(err) {
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
		if err != nil {
			continue
		}
		// What could not be read is known by its place alone.
		mine := o.Position.Offset == at.Offset && o.Position.Target == string(at.Target)
		if !mine && o.Command.Source == commandSource && o.Command.ID == command.ID() {
			if mine, err = isRepeat(limited, b, o, command); err != nil {
				return err
			}
		}
		if mine {
			return e.printOutcome(r.Event, o)
		}
	}
}

// isRepeat says whether an outcome answers the command although it is that of
// an earlier one: the same id with the same content is carried out once. With
// other content the command is rejected, and has an outcome of its own.
func isRepeat(ctx context.Context, b bus.Bus, o mapping.Outcome, command *event.Event) (bool, error) {
	if o.Type != mapping.TypeSucceeded && o.Type != mapping.TypeFailed {
		return false, nil
	}
	follow, err := b.Follow(ctx, bus.Commands, bus.Start{Time: o.Position.Time})
	if err != nil {
		return false, fmt.Errorf("look for the earlier command: %w", err)
	}
	defer follow.Close()
	for !follow.CaughtUp() {
		r, err := follow.Next(ctx)
		if err != nil {
			return false, err
		}
		if r.Offset != o.Position.Offset || string(r.Target) != o.Position.Target {
			continue
		}
		first := r.Event
		return first != nil && first.Type() == command.Type() && first.Subject() == command.Subject() &&
			first.Extensions()[mapping.ExtAccount] == command.Extensions()[mapping.ExtAccount] && bytes.Equal(first.Data(), command.Data()), nil
	}
	return true, nil // the bus holds the earlier one no longer; what came of the id is all there is to tell
}

// outcomeHint is what to do about a command that did not succeed.
func outcomeHint(o mapping.Outcome, dead string) string {
	if o.Error == nil {
		return fmt.Sprintf("\"timbridge deadletter show %s\" prints it as it was", dead)
	}
	switch {
	case o.Error.Retryable:
		return fmt.Sprintf("\"timbridge deadletter redrive %s\" sends it again", dead)
	case o.Error.Code == mapping.RejectAccountMissing:
		return "say which account is to act with --from"
	case o.Command.Type == mapping.TypeCommandInvite && tim.Code(o.Error.Number) == tim.CodeSvrGroupPermissionDeny:
		return fmt.Sprintf("let members invite with \"timbridge group modify GROUP --approve-option any\", then \"timbridge deadletter redrive %s\" sends it again", dead)
	}
	return fmt.Sprintf("\"timbridge deadletter show %s\" prints it as it was, to be mended and sent again", dead)
}

// printOutcome prints an outcome; one that is no success is the exit code 1.
func (e *env) printOutcome(ev *event.Event, o mapping.Outcome) error {
	if err := e.print(ev, "%s\n", outcomeLine(o)); err != nil {
		return err
	}
	if o.Type == mapping.TypeSucceeded {
		return nil
	}
	if !e.JSON {
		fmt.Fprintf(e.errs, "next step: %s\n", e.withConfig(outcomeHint(o, mapping.DeadLetterID(ev.ID()))))
	}
	return &reportedError{code: codeFailed}
}
