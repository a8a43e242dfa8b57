// Command killtest proves timbridge's promises under kill -9.
//
// It runs a sender, the IM sandbox, the bus (a NATS server, or with -bus kafka
// an Apache Kafka) and the bridge as processes of their own, the bridge being the built binary, under load in both
// directions: people talk in chat, and commands are published on the bus.
// People send every element there is, files among them, to the bridge and in
// groups of every type; they modify and recall what they said, tell that they
// have read, move members in and out, give them roles and mute them; commands
// do the same. The program kills one of the processes again and again, at
// random moments or at the named steps of the ways of data, starts it again
// each time, and in the end compares what everybody was promised with what is
// there:
//
//   - every message whose sender got its answer is on the bus exactly once; in
//     a group in the order of its sequence, between two users each sender's in
//     the order sent;
//   - every modification, revocation, read mark and happening in a group that
//     was answered is there, after its message; with -delivery push one may be
//     missing that no history shows, within the bounds of an
//     account.gap_detected that covers its kind;
//   - what is said where nothing is stored is there, or lies within the bounds
//     of an account.gap_detected, of which there is none for anything else;
//   - what a consumer makes of the bus, message by message, is what the
//     service's history says;
//   - each URL on the bus gives the bytes that were sent;
//   - every command that the bus took has exactly one outcome, and at most one
//     effect in chat, exactly one if it succeeded; one dead letter if it did not.
//
// With -shards it is several bridges that share some accounts, and each of them
// is held to all of that for its own accounts and for all that these are told;
// and together to the rest: each account is signed in by one, each command has
// one outcome, also one for an account that none of them has. One that loses
// its volume, too, goes on with no command carried out twice.
//
// Other troubles than kills, under the same load and with the same comparison:
// the bus or the IM service is away for a while, or the bridge's volume is full
// for a while. Then nobody restarts the bridge, and its readiness has to tell
// the truth: not ready, with the reason, while the trouble lasts, and ready
// within 10 s after.
//
// Usage:
//
//	go run ./cmd/killtest -kills 100 -delivery push
//	go run ./cmd/killtest -victim bridge,nats -kills 20
//	go run ./cmd/killtest -bus kafka -victim bus -kills 20
//	go run ./cmd/killtest -shards 3 -kills 20 -lose-volume
//	go run ./cmd/killtest -mix text -kills 20
//	go run ./cmd/killtest -steps all -each 10
//	go run ./cmd/killtest -outage bus -for 60s -how stop
//	go run ./cmd/killtest -fill apart
//	go run ./cmd/killtest -fill embedded
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
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
	bus      string // the kind
	delivery string
	mix      string
	rate     float64
	seed     uint64
	settle   time.Duration
	keep     bool
	fetch    bool // only what -bus kafka needs

	// The trouble: kills of the victims, or the bridge's own end at steps, or
	// an outage, or a full volume.
	victims []string
	kills   int
	steps   []string
	each    int
	outage  string
	how     string
	crash   bool
	fill    string
	lasts   time.Duration

	shards     int
	loseVolume bool // of one of them
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
	do := test
	if s.fetch {
		do = func(ctx context.Context, _ settings) error { return fetchKafka(ctx) }
	}
	if err := do(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "killtest: FAILED:", err)
		var lacks *lacksError
		if errors.As(err, &lacks) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}

// lacksError says that the environment lacks what a test needs.
type lacksError struct{ err error }

func (e *lacksError) Error() string { return "this cannot be tested here: " + e.err.Error() }
func (e *lacksError) Unwrap() error { return e.err }

func parse(args []string) (settings, error) {
	var s settings
	var names, victims string
	f := flag.NewFlagSet("killtest", flag.ContinueOnError)
	f.StringVar(&s.dir, "dir", "", "folder for everything; default a temporary one, removed when all is well")
	f.StringVar(&s.binary, "timbridge", "", "the timbridge binary; default: built")
	f.StringVar(&s.server, "nats-server", "", "the nats-server binary; default: built from the module's own dependency")
	f.StringVar(&s.delivery, "delivery", "ack", "the sandbox's way of reporting: ack or push")
	f.StringVar(&s.bus, "bus", "nats", "the bus: nats or kafka, an Apache Kafka that Maven fetches once; needs Java")
	f.StringVar(&victims, "victim", "bridge", "who is killed: bridge, sandbox, bus (or nats, or kafka), or several separated by commas")
	f.IntVar(&s.kills, "kills", 10, "how often, at random moments")
	f.StringVar(&names, "steps", "", "named steps at which the bridge ends itself, separated by commas, or all; then -kills is not used")
	f.IntVar(&s.each, "each", 1, "how often at each step")
	f.StringVar(&s.outage, "outage", "", "who is away for a while instead: bus or im")
	f.StringVar(&s.how, "how", "stop", "how: stop (SIGSTOP, then SIGCONT) or kill (SIGKILL, started later)")
	f.BoolVar(&s.crash, "crash", false, "the bridge is killed too, in the middle of the outage")
	f.StringVar(&s.fill, "fill", "", "the bridge's volume, a small tmpfs, is full for a while instead, three times: apart (NATS elsewhere), embedded (NATS in the bridge, on that volume) or inside (the sandbox too); needs root")
	f.DurationVar(&s.lasts, "for", 0, "how long an outage lasts (default 60s), or the volume is full (15s)")
	f.IntVar(&s.shards, "shards", 1, "how many bridges share the accounts, each with a volume of its own; one of them is killed each time, and the mix is text")
	f.BoolVar(&s.loseVolume, "lose-volume", false, "with -shards: after the kills one of them is killed once more, and its data directory is gone")
	f.StringVar(&s.mix, "mix", "all", "what is done in chat and by commands: all that there is, or text: messages of text, and a few commands")
	f.Float64Var(&s.rate, "rate", 200, "messages a second, and commands a second")
	f.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "seed of everything random")
	f.DurationVar(&s.settle, "settle", 2*time.Minute, "how long to wait for what is missing, after the last thing that came")
	f.BoolVar(&s.fetch, "fetch", false, "only fetch what -bus kafka needs; ends with code 3 where that cannot be had")
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
	s.victims = strings.Split(victims, ",")
	if s.lasts == 0 {
		if s.lasts = time.Minute; s.fill != "" {
			s.lasts = 15 * time.Second
		}
	}
	choices := []struct {
		flag, value string
		of          []string
	}{
		{"delivery", s.delivery, []string{"ack", "push"}},
		{"bus", s.bus, []string{"nats", "kafka"}},
		{"mix", s.mix, []string{"all", "text"}},
		{"outage", s.outage, []string{"", "bus", "im"}},
		{"how", s.how, []string{"stop", "kill"}},
		{"fill", s.fill, []string{"", "apart", "embedded", "inside"}},
	}
	for _, v := range s.victims {
		choices = append(choices, struct {
			flag, value string
			of          []string
		}{"victim", v, []string{"bridge", "sandbox", "bus", s.bus}})
	}
	for _, c := range choices {
		if !slices.Contains(c.of, c.value) {
			return s, fmt.Errorf("-%s is %q; it can be %s", c.flag, c.value, strings.TrimPrefix(strings.Join(c.of, " or "), " or "))
		}
	}
	if s.outage != "" && s.fill != "" {
		return s, errors.New("-outage and -fill are two tests")
	}
	if err := s.checkShards(); err != nil {
		return s, err
	}
	if s.bus == "kafka" && s.fill != "" && s.fill != "apart" {
		return s, fmt.Errorf("-fill is %q; a Kafka is never part of the bridge", s.fill)
	}
	return s, nil
}

func (s *settings) checkShards() error {
	switch {
	case s.shards < 1:
		return fmt.Errorf("-shards is %d; one is the least", s.shards)
	case s.shards == 1 && s.loseVolume:
		return errors.New("-lose-volume goes with -shards")
	case s.shards > 1 && (s.outage != "" || s.fill != "" || len(s.steps) > 0):
		return errors.New("-shards goes with kills at random moments")
	case s.shards > 1 && s.delivery != "ack":
		return errors.New("-shards goes with -delivery ack")
	case s.shards > 1:
		s.mix = "text"
	}
	return nil
}

// all says whether everything is mixed.
func (s *settings) all() bool { return s.mix == "all" }

// trouble says in words what a run does.
func (s *settings) trouble() string {
	switch {
	case s.outage != "":
		return fmt.Sprintf("%s away for %s (%s)", s.outage, s.lasts, s.how)
	case s.fill == "inside":
		return fmt.Sprintf("volume full for %s, NATS and the sandbox embedded on it", s.lasts)
	case s.fill == "embedded":
		return fmt.Sprintf("volume full for %s, NATS embedded on it", s.lasts)
	case s.fill != "":
		return fmt.Sprintf("volume full for %s, the bus elsewhere", s.lasts)
	case len(s.steps) > 0:
		return fmt.Sprintf("bridge killed %d times at each of %s", s.each, strings.Join(s.steps, ", "))
	}
	text := fmt.Sprintf("%s killed %d times", strings.Join(s.victims, " or "), s.kills)
	if s.shards > 1 {
		text = fmt.Sprintf("one of %d shards: %s", s.shards, text)
	}
	if s.loseVolume {
		text += ", then one loses its volume"
	}
	return text
}
