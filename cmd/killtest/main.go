// Command killtest proves timbridge's promises under kill -9.
//
// It runs a sender, the IM sandbox, a NATS server and the bridge as processes
// of their own, the bridge being the built binary, under load in both
// directions: people talk in chat, and commands are published on the bus. It
// kills one of them again and again, at random moments or at the named steps
// of the ways of data, starts it again each time, and in the end compares what
// everybody was promised with what is there:
//
//   - every message whose sender got its answer is on the bus exactly once; in
//     a group in the order of its sequence, between two users each sender's in
//     the order sent;
//   - every command that the bus took has exactly one outcome, and at most one
//     effect in chat, exactly one if it succeeded.
//
// Usage:
//
//	go run ./cmd/killtest -kills 100 -delivery push
//	go run ./cmd/killtest -victim nats -kills 20
//	go run ./cmd/killtest -steps all -each 10
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// steps are the named steps at which the bridge can be told to end itself.
var steps = []string{
	"report_in", "journaled", "accepted", "started", "call_returned", "outcome",
	"planned", "half_sent", "sent", "snapshot", "segment_deleted",
}

// settings are the flags.
type settings struct {
	dir      string
	binary   string
	server   string
	delivery string
	victim   string
	kills    int
	steps    []string
	each     int
	rate     float64
	seed     uint64
	settle   time.Duration
	keep     bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "sender" {
		if err := runSender(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "killtest sender:", err)
			os.Exit(1)
		}
		return
	}
	s, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "killtest:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := test(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "killtest: FAILED:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	var names string
	f := flag.NewFlagSet("killtest", flag.ContinueOnError)
	f.StringVar(&s.dir, "dir", "", "folder for everything; default a temporary one, removed when all is well")
	f.StringVar(&s.binary, "timbridge", "", "the timbridge binary; default: built")
	f.StringVar(&s.server, "nats-server", "", "the nats-server binary; default: built from the module's own dependency")
	f.StringVar(&s.delivery, "delivery", "ack", "the sandbox's way of reporting: ack or push")
	f.StringVar(&s.victim, "victim", "bridge", "who is killed: bridge, sandbox or nats")
	f.IntVar(&s.kills, "kills", 10, "how often, at random moments")
	f.StringVar(&names, "steps", "", "named steps at which the bridge ends itself, separated by commas, or all; then -kills is not used")
	f.IntVar(&s.each, "each", 1, "how often at each step")
	f.Float64Var(&s.rate, "rate", 200, "messages a second, and commands a second")
	f.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "seed of everything random")
	f.DurationVar(&s.settle, "settle", 2*time.Minute, "how long everything may take to arrive after the last kill")
	f.BoolVar(&s.keep, "keep", false, "keep the folder")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case names == "all":
		s.steps = steps
	case names != "":
		s.steps = strings.Split(names, ",")
	}
	if s.delivery != "ack" && s.delivery != "push" {
		return s, fmt.Errorf("-delivery is %q; it can be ack or push", s.delivery)
	}
	switch s.victim {
	case "bridge", "sandbox", "nats":
	default:
		return s, fmt.Errorf("-victim is %q; it can be bridge, sandbox or nats", s.victim)
	}
	return s, nil
}
