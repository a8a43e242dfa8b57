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
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the whole command line. A subcommand's fields are its flags.
type cli struct {
	Config string `short:"c" type:"path" placeholder:"FILE" help:"Configuration file. Default: config.hcl in this folder, and without one the built-in defaults."`
	JSON   bool   `name:"json" help:"Print JSON, one document a line, for machines; errors too, on standard error."`

	Run        runCmd        `cmd:"" help:"Run the bridge. With the defaults it starts an IM sandbox and a NATS server inside the process."`
	Sandbox    sandboxCmd    `cmd:"" help:"Run the IM sandbox alone."`
	Chat       chatCmd       `cmd:"" help:"Talk in the sandbox from a terminal."`
	Send       sendCmd       `cmd:"" help:"Publish a command that sends a message."`
	Group      groupCmd      `cmd:"" help:"Publish commands about groups."`
	Message    messageCmd    `cmd:"" help:"Publish commands about messages: recall, change, read."`
	Profile    profileCmd    `cmd:"" help:"Publish a command that changes what others see of an account."`
	Status     statusCmd     `cmd:"" help:"Publish a command that sets an account's words for its status."`
	Tail       tailCmd       `cmd:"" help:"Follow the events on the bus."`
	DeadLetter deadletterCmd `cmd:"" name:"deadletter" help:"Look at commands that were given up, and send them again."`
	Journal    journalCmd    `cmd:"" help:"Look into the journal, and repair it."`
	Doctor     doctorCmd     `cmd:"" help:"Check configuration, disk, bus and IM service, and say what to do."`
	Health     healthCmd     `cmd:"" help:"Say whether the bridge, or the sandbox, that runs here is ready: for health checks."`
	Usersig    usersigCmd    `cmd:"" help:"Sign and verify UserSigs."`
	Schema     schemaCmd     `cmd:"" help:"List, show and use the JSON Schemas of events and commands."`
	ConfigCmd  configCmd     `cmd:"" name:"config" help:"Check, show and write the configuration."`
	Version    versionCmd    `cmd:"" help:"Say which version this is."`
}

const description = `timbridge joins Tencent Cloud IM and an event bus: what happens in chat becomes CloudEvents on NATS or Kafka, and commands published there are carried out in chat.

Exit codes: 0 done, 1 failed, 2 the input is wrong, 3 the environment is missing something.`

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is the program; its result is the exit code.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := interruptible()
	defer stop()

	var c cli
	e := &env{cli: &c, name: args[0], in: in, out: out, errs: errs}
	parser, err := kong.New(&c,
		kong.Name("timbridge"), kong.Description(description),
		kong.Writers(out, errs), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintf(errs, "timbridge: %v\n", err)
		return codeFailed
	}
	args = longFlags(asked(args[1:]), flagNames(parser.Model.Node))
	code := codeDone
	func() {
		defer func() {
			if x, ok := recover().(exit); ok {
				code = int(x)
			} else if r := recover(); r != nil {
				panic(r)
			}
		}()
		k, err := parser.Parse(args)
		if err != nil {
			// What was read of the flags may end before --json.
			asJSON := c.JSON || slices.Contains(args, "--json")
			code = e.complain(asJSON, &inputError{err: usageError(err), hint: usageHint(err)})
			return
		}
		switch err := k.Run(e); {
		case err == nil:
		case ctx.Err() != nil && errors.Is(err, context.Canceled):
			code = e.complain(c.JSON, errInterrupted)
		default:
			code = e.complain(c.JSON, err)
		}
	}()
	return code
}

var errInterrupted = errors.New("interrupted")

// interruptible gives a context that the first Ctrl-C or SIGTERM ends; the
// second one ends the process at once, with the code that shells expect.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		select {
		case s := <-signals:
			code := 128
			if n, ok := s.(syscall.Signal); ok {
				code += int(n)
			}
			os.Exit(code)
		case <-done:
		}
	}()
	return ctx, func() { signal.Stop(signals); close(done); cancel() }
}

// exit is how kong ends the program after printing help.
type exit int

// env is what a subcommand works with.
type env struct {
	*cli
	name      string // as which the program was called
	in        io.Reader
	out, errs io.Writer
}

// usageError says what kong says without the empty word that stands for a flag
// left out.
func usageError(err error) error {
	if text := strings.ReplaceAll(err.Error(), `,""`, ""); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// usageHint names the help of the subcommand that was being read.
func usageHint(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if n := p.Context.Selected(); n != nil {
			return fmt.Sprintf("%q shows the flags and an example", n.FullPath()+" --help")
		}
	}
	return `"timbridge --help" lists the subcommands`
}

// asked lets people ask for help and for the version as other programs have it:
// help, help send, --version.
func asked(args []string) []string {
	for i, a := range args {
		switch {
		case a == "--json" || a == "-json":
			continue
		case a == "help":
			return append(slices.Delete(slices.Clone(args), i, i+1), "--help")
		case a == "--version" || a == "-version":
			return append(slices.Clone(args[:i]), append([]string{"version"}, args[i+1:]...)...)
		}
		break
	}
	return args
}

// flagNames are the long names of all flags.
func flagNames(n *kong.Node) []string {
	var names []string
	for _, f := range n.Flags {
		names = append(names, f.Name)
	}
	for _, child := range n.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}

// longFlags lets long flags be written with one dash, as Go programs do.
func longFlags(args, names []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "="); len(name) > 1 && a[0] == '-' && slices.Contains(names, name) {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}
