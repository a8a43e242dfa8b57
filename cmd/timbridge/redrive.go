package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/mapping"
)

type deadletterRedriveCmd struct {
	ID   []string `arg:"" optional:"" help:"Ids of the dead letters, as listed."`
	All  bool     `help:"All of them but those that were sent again already."`
	From string   `placeholder:"START" help:"With --all: those since then, as of deadletter list."`
}

// Help is an example.
func (deadletterRedriveCmd) Help() string {
	return "A command that is sent again gets the id <id>~r<n>, without its old expiry; one that is still wrong comes back as a dead letter of its own, which is the one to send again then. One letter is sent again once, so that two people do no harm.\n\nExamples:\n  timbridge deadletter redrive outcome/3f2a…/dead\n  timbridge deadletter redrive --all --from 1h"
}

// Run publishes the commands again. What is asked for is checked as a whole
// before the first is sent.
func (c deadletterRedriveCmd) Run(ctx context.Context, e *env) error {
	switch {
	case c.All == (len(c.ID) > 0):
		return badInput("\"timbridge deadletter list\" lists them", "which? give ids, or --all")
	case c.From != "" && !c.All:
		return badInput("leave --from out, or give --all instead of the ids", "--from goes with --all alone")
	}
	from := bus.Start{Beginning: true}
	if c.From != "" {
		var err error
		if from, err = parseStart(c.From, time.Now()); err != nil {
			return err
		}
	}
	cfg, b, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	defer e.progress("reading the dead letters")()
	// Only the letters that are there now are sent: what comes back meanwhile is not sent again.
	there, sent := map[string]bool{}, newRedriven()
	err = deadletters(ctx, cfg, b, from, func(ev *event.Event) (bool, error) {
		there[ev.ID()] = true
		if _, o, err := mapping.ParseDeadLetter(ev); err == nil {
			sent.letter(ev.ID(), o)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	wanted := there
	if !c.All {
		wanted = map[string]bool{}
		for _, id := range c.ID {
			if !there[id] {
				return noDeadLetter(id)
			}
			wanted[id] = true
		}
	}
	if len(wanted) == 0 {
		return e.noneSent("no dead letters")
	}
	if err := sent.outcomes(ctx, cfg, b); err != nil {
		return err
	}
	r := redriving{env: e, bus: b, sent: sent, all: c.All}
	err = deadletters(ctx, cfg, b, from, func(ev *event.Event) (bool, error) {
		if !wanted[ev.ID()] {
			return true, nil
		}
		delete(wanted, ev.ID())
		return len(wanted) > 0, r.letter(ctx, ev)
	})
	switch {
	case err != nil:
		return err
	case r.left > 0:
		return &reportedError{code: codeFailed}
	case r.published == 0:
		return e.noneSent("every dead letter was sent again before")
	}
	return nil
}

// noneSent says that nothing was sent, to people.
func (e *env) noneSent(why string) error {
	if e.JSON {
		return nil
	}
	_, err := fmt.Fprintln(e.out, why)
	return err
}

// redriving sends letter after letter again.
type redriving struct {
	*env
	bus  bus.Bus
	sent *redriven
	all  bool
	// published are the commands that were sent, left those that could not be.
	published, left int
}

// letter sends the command of one again, unless that was done before.
func (r *redriving) letter(ctx context.Context, ev *event.Event) error {
	command, err := commandOf(r.bus, ev)
	if err != nil {
		r.left++
		return r.print(map[string]string{"id": ev.ID(), "error": err.Error()}, "%s cannot be sent again: %s\n", plain(ev.ID()), plain(err.Error()))
	}
	if before, ok := r.sent.of(command.Source(), command.ID()); ok {
		if r.all {
			return nil
		}
		r.left++
		next := ""
		if before.letter != "" {
			next = "; to send it once more: timbridge deadletter redrive " + plain(before.letter)
		}
		return r.print(map[string]string{"id": ev.ID(), "error": "was sent again before", "redriven": before.id, "came_of_it": before.came, "letter": before.letter},
			"%s was sent again before as %s, which %s%s\n", plain(ev.ID()), plain(before.id), before.came, next)
	}
	command = egress.Redrive(command)
	if _, err := r.bus.Publish(ctx, bus.Commands, command); err != nil {
		return fmt.Errorf("publish %s: %w", command.ID(), err)
	}
	r.published++
	return r.print(map[string]string{"id": ev.ID(), "redriven": command.ID()}, "%s sent again as %s\n", plain(ev.ID()), plain(command.ID()))
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

// redriven knows which dead-lettered commands were sent again, and what came of that.
type redriven struct {
	came map[mapping.CommandRef]redriveOf // by source and id of what was sent again
	// earliest is the bus's time of the first command that has a letter: what was
	// sent again has its outcome after it.
	earliest time.Time
}

// redriveOf is a command that was sent again.
type redriveOf struct {
	id   string
	came string // in a word: "succeeded"
	// letter is its dead letter, where it has one.
	letter string
}

func newRedriven() *redriven { return &redriven{came: map[mapping.CommandRef]redriveOf{}} }

// letter takes a dead letter into account.
func (r *redriven) letter(id string, o mapping.Outcome) {
	if at := o.Position.Time; !at.IsZero() && (r.earliest.IsZero() || at.Before(r.earliest)) {
		r.earliest = at
	}
	r.outcome(o, id)
}

// outcome takes an outcome of what was sent again into account.
func (r *redriven) outcome(o mapping.Outcome, letter string) {
	if o.Command.ID == "" || !egress.IsRedriven(o.Command.ID) {
		return
	}
	at := mapping.CommandRef{Source: o.Command.Source, ID: o.Command.ID}
	if known, ok := r.came[at]; ok && known.letter != "" && letter == "" {
		return
	}
	r.came[at] = redriveOf{id: o.Command.ID, came: map[string]string{
		mapping.TypeSucceeded: "succeeded", mapping.TypeFailed: "failed", mapping.TypeRejected: "was rejected", mapping.TypeExpired: "expired",
	}[o.Type], letter: letter}
}

// clocks bounds how far the bus's times of two messages may be out of order.
const clocks = time.Minute

// outcomes takes those on the bus into account: what succeeded has no letter.
func (r *redriven) outcomes(ctx context.Context, cfg *config.Config, b bus.Bus) error {
	if r.earliest.IsZero() {
		return nil
	}
	return present(ctx, cfg, b, bus.Outcomes, bus.Start{Time: r.earliest.Add(-clocks)}, func(ev *event.Event) (bool, error) {
		if mapping.IsOutcome(ev.Type()) {
			if o, err := mapping.ParseOutcome(ev); err == nil {
				r.outcome(o, "")
			}
		}
		return true, nil
	})
}

// of says whether a command was sent again, and what came of it.
func (r *redriven) of(source, id string) (redriveOf, bool) {
	if id == "" {
		return redriveOf{}, false
	}
	a, ok := r.came[mapping.CommandRef{Source: source, ID: egress.RedrivenID(id)}]
	return a, ok
}
