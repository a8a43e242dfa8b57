// Command timbridge joins Tencent Cloud IM and an event bus. "timbridge run"
// is the bridge; the other subcommands are the tools of the people around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the whole command line. A subcommand's fields are its flags.
type cli struct {
	Config string `short:"c" type:"path" placeholder:"FILE" help:"Configuration file. Default: config.hcl in this folder, and without one the built-in defaults."`
	JSON   bool   `name:"json" help:"Print JSON, one document a line, for machines."`

	Run        runCmd        `cmd:"" help:"Run the bridge. With the defaults it starts an IM sandbox and a NATS server inside the process."`
	Sandbox    sandboxCmd    `cmd:"" help:"Run the IM sandbox alone."`
	Chat       chatCmd       `cmd:"" help:"Talk in the sandbox from a terminal."`
	Send       sendCmd       `cmd:"" help:"Publish a command that sends a message."`
	Group      groupCmd      `cmd:"" help:"Publish commands about groups."`
	Tail       tailCmd       `cmd:"" help:"Follow the events on the bus."`
	DeadLetter deadletterCmd `cmd:"" name:"deadletter" help:"Look at commands that were given up, and send them again."`
	Journal    journalCmd    `cmd:"" help:"Look into the journal, and repair it."`
	Doctor     doctorCmd     `cmd:"" help:"Check configuration, disk, bus and IM service, and say what to do."`
	Usersig    usersigCmd    `cmd:"" help:"Sign and verify UserSigs."`
	Schema     schemaCmd     `cmd:"" help:"List, show and use the JSON Schemas of events and commands."`
	ConfigCmd  configCmd     `cmd:"" name:"config" help:"Check, show and write the configuration."`
	Version    versionCmd    `cmd:"" help:"Say which version this is."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program; its result is the exit code.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	var c cli
	parser, err := kong.New(&c,
		kong.Name("timbridge"),
		kong.Description("timbridge joins Tencent Cloud IM and an event bus: what happens in chat becomes CloudEvents on NATS or Kafka, and commands published there are carried out in chat."),
		kong.Writers(out, errs), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintf(errs, "timbridge: %v\n", err)
		return codeFailed
	}
	code := codeDone
	func() {
		defer func() {
			if e, ok := recover().(exit); ok {
				code = int(e)
			} else if r := recover(); r != nil {
				panic(r)
			}
		}()
		k, err := parser.Parse(longFlags(args))
		if err != nil {
			code = complain(errs, c.JSON, &inputError{err: err, hint: "run \"timbridge --help\", or the subcommand with --help"})
			return
		}
		err = k.Run(&env{cli: &c, in: in, out: out, errs: errs})
		if err != nil && !errors.Is(err, context.Canceled) {
			code = complain(errs, c.JSON, err)
		}
	}()
	return code
}

// exit is how kong ends the program after printing help.
type exit int

// env is what a subcommand works with.
type env struct {
	*cli
	in        io.Reader
	out, errs io.Writer
}

// longFlags lets long flags be written with one dash, as Go programs do.
func longFlags(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 2 && a[0] == '-' && a[1] != '-' && (a[1] < '0' || a[1] > '9') && !strings.HasPrefix(a, "-c=") {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}
