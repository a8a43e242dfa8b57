package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/timbridge/timbridge/bridge"
)

type runCmd struct{}

// Help is an example.
func (runCmd) Help() string {
	return "Everything is kept in the data directory (data/ unless the configuration says otherwise). Ctrl-C drains and ends; a second one ends at once, which loses nothing either.\n\nExamples:\n  timbridge run\n  timbridge run --config my.hcl"
}

// Run runs the bridge.
func (runCmd) Run(ctx context.Context, e *env) error {
	started := time.Now()
	defer bridge.UseProcessors()()
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	step, err := killAt(os.Getenv("TIMBRIDGE_KILL_AT"))
	if err != nil {
		return badInput("", "%w", err)
	}
	opened := e.progress("opening the journal")
	b, err := bridge.Open(ctx, cfg, bridge.Options{Logger: e.logger(cfg), Step: step})
	opened()
	if err != nil {
		var path *fs.PathError
		if cfg.App.Driver.URL != "" && errors.Is(err, fs.ErrNotExist) && errors.As(err, &path) && path.Op == "open" {
			return &missingError{err: err, hint: "set app.driver.token and app.driver.key to those of the IM service at app.driver.url"}
		}
		return err
	}
	if err := e.announce(b.Info()); err != nil {
		return err
	}
	if !e.JSON {
		defer context.AfterFunc(ctx, func() { fmt.Fprintln(e.errs, "draining; Ctrl-C again ends at once") })()
	}
	watch, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		e.tellReady(watch, b, started)
	}()
	err = b.Run(ctx)
	stop()
	<-told
	if err != nil {
		return err
	}
	return e.farewell(b)
}

// announce says what was started, and where.
func (e *env) announce(i bridge.Info) error {
	if e.JSON {
		return e.print(map[string]any{"starting": i, "version": readVersion()}, "")
	}
	where := map[bool]string{true: "inside this process, ", false: ""}
	_, err := fmt.Fprintf(e.out, `timbridge %s, journal %s in %s
  chat  sandbox %s%s, application %d, account %s
  bus   %s %s%s
`, readVersion().Version, i.Journal, i.DataDir, where[i.IMEmbedded], i.IM, i.SDKAppID, strings.Join(i.Accounts, ", "), i.BusKind, where[i.BusEmbedded], i.Bus)
	if err == nil && i.HTTP != "" {
		_, err = fmt.Fprintf(e.out, "  http  %s/ready, /live, /metrics\n", i.HTTP)
	}
	return err
}

// tellReady says when the bridge is ready for the first time, and what to try.
func (e *env) tellReady(ctx context.Context, b *bridge.Bridge, started time.Time) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	slow := time.NewTimer(5 * time.Second)
	defer slow.Stop()
	for ready := false; !ready; {
		select {
		case <-ctx.Done():
			return
		case <-slow.C:
			reasons := b.Health().Reasons
			e.tell(e.print(map[string]any{"ready": false, "reasons": reasons}, "not ready yet: %s\n", strings.Join(reasons, "; ")))
			slow.Reset(30 * time.Second)
		case <-tick.C:
			ready = b.Health().Ready
		}
	}
	took, me := time.Since(started).Round(time.Millisecond), e.invocation()
	var try strings.Builder
	w := tabwriter.NewWriter(&try, 0, 0, 4, ' ', 0)
	from := ""
	if list := b.Info().Accounts; len(list) > 1 {
		from = " --from " + list[0]
	}
	fmt.Fprintf(w, "  %s send%s --to bob --text hi --wait\tpublish a command, and see what comes of it\n", me, from)
	fmt.Fprintf(w, "  %s chat --as bob --to %s\ttalk as bob\n", me, firstOr(b.Info().Accounts, "bridge"))
	fmt.Fprintf(w, "  %s tail\tfollow what happens\n", me)
	e.tell(w.Flush())
	e.tell(e.print(map[string]any{"ready": true, "after_ms": took.Milliseconds()},
		"ready after %s; in another terminal, in this folder:\n%sCtrl-C drains and ends\n", took, &try))
}

// tell notes that something could not be told; that is no reason to end.
func (e *env) tell(err error) {
	if err != nil {
		fmt.Fprintf(e.errs, "timbridge: %v\n", err)
	}
}

// farewell says what is left for the next start.
func (e *env) farewell(b *bridge.Bridge) error {
	h := b.Health()
	left := ""
	if h.Bus.Lag > 0 {
		left = fmt.Sprintf("; %d journal entries are published when it starts again", h.Bus.Lag)
	}
	return e.print(map[string]any{"ended": true, "lag": h.Bus.Lag}, "ended; everything is kept in %s%s\n", b.Info().DataDir, left)
}

// configured are the subcommands that need the configuration they are advised with.
var configured = regexp.MustCompile(`"timbridge (journal|doctor|deadletter|run|sandbox|health|send|group)\b`)

// withConfig puts a configuration that was named into advice to run something.
func (e *env) withConfig(advice string) string {
	if e.Config == "" {
		return advice
	}
	return configured.ReplaceAllStringFunc(advice, func(found string) string {
		return `"timbridge` + strings.TrimPrefix(e.invocation(), e.name) + strings.TrimPrefix(found, `"timbridge`)
	})
}

// invocation is how this program was called, for whoever is told to call it again.
func (e *env) invocation() string {
	name := e.name
	if strings.Contains(filepath.ToSlash(name), "/go-build") {
		name = "go run ./cmd/timbridge"
	}
	if e.Config == "" {
		return name
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, e.Config); err == nil && !strings.HasPrefix(rel, "..") {
			return name + " -c " + rel
		}
	}
	return name + " -c " + e.Config
}

func firstOr(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return list[0]
}

// killAt reads "<step>" or "<step>:<n>": the process ends itself with SIGKILL
// when it comes to that step for the n-th time. The kill test uses it; a step
// is one of bridge's named steps.
func killAt(text string) (func(string), error) {
	if text == "" {
		return nil, nil
	}
	name, count, _ := strings.Cut(text, ":")
	n := int64(1)
	if count != "" {
		var err error
		if n, err = strconv.ParseInt(count, 10, 64); err != nil || n < 1 {
			return nil, fmt.Errorf("TIMBRIDGE_KILL_AT is %q; write a step, or a step, a colon and a number from 1", text)
		}
	}
	var seen atomic.Int64
	return func(step string) {
		if step == name && seen.Add(1) == n {
			if self, err := os.FindProcess(os.Getpid()); err != nil || self.Kill() != nil {
				os.Exit(137)
			}
			select {}
		}
	}, nil
}
