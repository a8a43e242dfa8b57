package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/timbridge/timbridge/bridge"
)

type runCmd struct{}

// Help is an example.
func (runCmd) Help() string {
	return "Everything is kept in the data directory (data/ unless the configuration says otherwise). Ctrl-C drains and ends.\n\nExample:\n  timbridge run -config config.hcl"
}

// Run runs the bridge.
func (runCmd) Run(ctx context.Context, e *env) error {
	started := time.Now()
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	step, err := killAt(os.Getenv("TIMBRIDGE_KILL_AT"))
	if err != nil {
		return badInput("", "%w", err)
	}
	b, err := bridge.Open(ctx, cfg, bridge.Options{Logger: e.logger(cfg), Step: step})
	if err != nil {
		return err
	}
	if err := e.announce(b.Info()); err != nil {
		return err
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
	return err
}

func (e *env) announce(i bridge.Info) error {
	if e.JSON {
		return json.NewEncoder(e.out).Encode(map[string]any{"starting": i, "version": readVersion()})
	}
	where := map[bool]string{true: "inside this process, ", false: ""}
	_, err := fmt.Fprintf(e.out, `timbridge %s, journal %s in %s
  chat  sandbox %s%s, application %d, account %s
  bus   NATS %s%s
`, readVersion().Version, i.Journal, i.DataDir, where[i.IMEmbedded], i.IM, i.SDKAppID, strings.Join(i.Accounts, ", "), where[i.BusEmbedded], i.Bus)
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
	for {
		select {
		case <-ctx.Done():
			return
		case <-slow.C:
			if !e.JSON {
				fmt.Fprintf(e.out, "not ready yet: %s\n", strings.Join(b.Health().Reasons, "; "))
			}
			slow.Reset(30 * time.Second)
		case <-tick.C:
			if !b.Health().Ready {
				continue
			}
			took := time.Since(started).Round(time.Millisecond)
			if e.JSON {
				if err := json.NewEncoder(e.out).Encode(map[string]any{"ready": true, "after_ms": took.Milliseconds()}); err != nil {
					fmt.Fprintf(e.errs, "timbridge: %v\n", err)
				}
				return
			}
			fmt.Fprintf(e.out, `ready after %s; in another terminal:
  timbridge send --to bob --text hi --wait    publish a command, and see what comes of it
  timbridge chat --as bob --to %s         talk as bob
  timbridge tail                              follow what happens
`, took, firstOr(b.Info().Accounts, "bridge"))
			return
		}
	}
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
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				os.Exit(137)
			}
			select {}
		}
	}, nil
}
