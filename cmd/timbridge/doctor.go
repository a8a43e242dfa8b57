package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

type doctorCmd struct{}

// Help is an example.
func (doctorCmd) Help() string {
	return "Each check passes, warns or fails; what to do stands beside it. Warnings do not fail the command.\n\nExample:\n  timbridge doctor --json"
}

// verdict is what a check found.
type verdict string

const (
	pass verdict = "pass"
	warn verdict = "warn"
	fail verdict = "fail"
)

// finding is the result of one check.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Setting string  `json:"setting,omitempty"`
	Next    string  `json:"next,omitempty"`
}

// Run checks, one after the other, and goes on after a failure.
func (doctorCmd) Run(ctx context.Context, e *env) error {
	cfg, path, err := e.load()
	if err != nil {
		if printErr := e.finding(finding{Check: "configuration", Verdict: fail, Detail: err.Error(), Next: "mend the configuration; everything else is checked with it"}); printErr != nil {
			return printErr
		}
		return &reportedError{code: codeInput}
	}
	if path == "" {
		path = "built-in defaults"
	}
	failed := false
	report := func(f finding) error {
		failed = failed || f.Verdict == fail
		return e.finding(f)
	}
	if err := report(finding{Check: "configuration", Verdict: pass, Detail: path}); err != nil {
		return err
	}
	for _, check := range []func(context.Context, *config.Config) []finding{
		checkDisk, checkJournal, checkPorts, checkIM, checkBus,
	} {
		for _, f := range check(ctx, cfg) {
			if err := report(f); err != nil {
				return err
			}
		}
	}
	if failed {
		return &reportedError{code: codeMissing}
	}
	return nil
}

func (e *env) finding(f finding) error {
	text := fmt.Sprintf("%-5s %-14s %s\n", f.Verdict, f.Check, f.Detail)
	if f.Next != "" {
		text += fmt.Sprintf("%21s%s\n", "next: ", f.Next)
	}
	return e.print(f, "%s", text)
}

func checkDisk(_ context.Context, cfg *config.Config) []finding {
	out := []finding{}
	info, err := os.Stat(cfg.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return append(out, finding{Check: "data directory", Verdict: pass, Detail: cfg.DataDir + " is not there yet; the first run makes it", Setting: "data_dir"})
	case err != nil:
		return append(out, finding{Check: "data directory", Verdict: fail, Detail: err.Error(), Setting: "data_dir", Next: "give the bridge's user access, or set another folder"})
	case info.Mode().Perm()&0o077 != 0:
		out = append(out, finding{Check: "data directory", Verdict: warn, Detail: fmt.Sprintf("%s has mode %o: others can read message texts", cfg.DataDir, info.Mode().Perm()), Setting: "data_dir", Next: "chmod 700 " + cfg.DataDir})
	default:
		out = append(out, finding{Check: "data directory", Verdict: pass, Detail: cfg.DataDir, Setting: "data_dir"})
	}
	free, err := journal.OS{}.Free(cfg.DataDir)
	switch {
	case err != nil:
		out = append(out, finding{Check: "disk space", Verdict: warn, Detail: err.Error()})
	case free < int64(cfg.Journal.HighWater):
		out = append(out, finding{Check: "disk space", Verdict: fail, Detail: fmt.Sprintf("%s free, and below %s reports and commands stop", mib(free), cfg.Journal.HighWater), Setting: "journal.high_water", Next: "free space on the volume"})
	case free < 4*int64(cfg.Journal.HighWater):
		out = append(out, finding{Check: "disk space", Verdict: warn, Detail: mib(free) + " free", Setting: "journal.high_water", Next: "make room before it runs out"})
	default:
		out = append(out, finding{Check: "disk space", Verdict: pass, Detail: mib(free) + " free"})
	}
	return out
}

func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

func checkJournal(_ context.Context, cfg *config.Config) []finding {
	dir := bridge.JournalDir(cfg)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return []finding{{Check: "journal", Verdict: pass, Detail: "there is none yet"}}
	}
	r, err := journal.Inspect(dir, nil)
	if err != nil {
		return []finding{{Check: "journal", Verdict: fail, Detail: err.Error(), Next: "timbridge journal inspect"}}
	}
	if !r.OK() {
		return []finding{{Check: "journal", Verdict: fail, Detail: fmt.Sprintf("%d damaged places", len(r.Damage)), Next: "timbridge journal inspect, then timbridge journal repair"}}
	}
	return []finding{{Check: "journal", Verdict: pass, Detail: fmt.Sprintf("%d entries in %d segments, %s", r.Entries, len(r.Segments), mib(r.Bytes))}}
}

// checkPorts says whether the addresses that the bridge will listen on are
// free, or taken by the bridge itself.
func checkPorts(ctx context.Context, cfg *config.Config) []finding {
	var out []finding
	running := running(cfg)
	check := func(setting, address string) {
		host, _, _ := net.SplitHostPort(address)
		if ip := net.ParseIP(host); host == "" || ip != nil && !ip.IsLoopback() {
			out = append(out, finding{Check: "port", Verdict: warn, Detail: address + " can be reached from other machines", Setting: setting, Next: "make sure that is meant, and that the network is a private one"})
		}
		if running {
			return
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			out = append(out, finding{Check: "port", Verdict: fail, Detail: err.Error(), Setting: setting, Next: "end what listens there, or set another address"})
			return
		}
		if err := l.Close(); err != nil {
			out = append(out, finding{Check: "port", Verdict: warn, Detail: err.Error(), Setting: setting})
			return
		}
		out = append(out, finding{Check: "port", Verdict: pass, Detail: address + " is free", Setting: setting})
	}
	if cfg.App.Driver.URL == "" {
		check("app.driver.listen", cfg.App.Driver.Listen)
	}
	if cfg.Bus.URL == "" {
		check("bus.listen", cfg.Bus.Listen)
	}
	if cfg.HTTP.Listen != "off" {
		check("http.listen", cfg.HTTP.Listen)
	}
	return out
}

// running says whether a bridge has this data directory open.
func running(cfg *config.Config) bool {
	r, err := journal.Inspect(bridge.JournalDir(cfg), nil)
	return err == nil && r.Locked
}

// doctorWait bounds each question to a service.
const doctorWait = 5 * time.Second

func checkIM(ctx context.Context, cfg *config.Config) []finding {
	if cfg.App.Driver.URL == "" && !running(cfg) {
		return []finding{{Check: "IM service", Verdict: pass, Detail: "runs inside the bridge, which is not running now"}}
	}
	driver, key, err := bridge.OpenDriver(cfg, hclog.NewNullLogger())
	if err != nil {
		return []finding{{Check: "IM service", Verdict: fail, Detail: err.Error(), Setting: "app.driver"}}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	client, err := driver.Open(ctx, tim.Config{SDKAppID: cfg.App.SDKAppID})
	if err != nil {
		return []finding{{Check: "IM service", Verdict: fail, Detail: err.Error(), Setting: "app.driver.url", Next: "is the IM service running, and are address and token right?"}}
	}
	out := []finding{{Check: "IM service", Verdict: pass, Detail: "can be reached"}}
	if err := client.Close(); err != nil {
		out = append(out, finding{Check: "IM service", Verdict: warn, Detail: err.Error()})
	}
	for _, a := range cfg.App.Accounts {
		if !a.UserSig.IsSet() {
			continue
		}
		out = append(out, checkUserSig(cfg, a, key))
	}
	return out
}

func checkUserSig(cfg *config.Config, a config.Account, key string) finding {
	f := finding{Check: "UserSig", Setting: "app.account." + a.ID + ".usersig"}
	claims, err := tim.ParseUserSig(a.UserSig.Reveal())
	if err == nil && key != "" {
		err = tim.VerifyUserSig(cfg.App.SDKAppID, key, tim.UserID(a.ID), a.UserSig.Reveal(), time.Now())
	}
	left := time.Until(claims.ExpiresAt())
	switch {
	case err != nil:
		f.Verdict, f.Detail, f.Next = fail, a.ID+": "+err.Error(), "have a new one signed"
	case left < 0:
		f.Verdict, f.Detail, f.Next = fail, a.ID+": expired "+claims.ExpiresAt().UTC().Format(time.RFC3339), "have a new one signed"
	case left < 7*24*time.Hour:
		f.Verdict, f.Detail, f.Next = warn, a.ID+": expires "+claims.ExpiresAt().UTC().Format(time.RFC3339), "have a new one signed in time"
	default:
		f.Verdict, f.Detail = pass, a.ID+": good until "+claims.ExpiresAt().UTC().Format(time.RFC3339)
	}
	return f
}

func checkBus(ctx context.Context, cfg *config.Config) []finding {
	if cfg.Bus.URL == "" && !running(cfg) {
		return []finding{{Check: "bus", Verdict: pass, Detail: "runs inside the bridge, which is not running now; it syncs before it acknowledges"}}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	b, err := bridge.OpenBus(ctx, cfg, hclog.NewNullLogger())
	if err != nil {
		_, next := judge(err)
		return []finding{{Check: "bus", Verdict: fail, Detail: err.Error(), Setting: "bus", Next: next}}
	}
	defer b.Close()
	out := []finding{}
	if err := b.Check(ctx); err != nil {
		out = append(out, finding{Check: "bus", Verdict: fail, Detail: err.Error(), Setting: "bus"})
	} else {
		out = append(out, finding{Check: "bus", Verdict: pass, Detail: "can be reached; every stream is there and as configured"})
	}
	if n, ok := b.(*nats.Bus); ok {
		d := n.Durability(ctx)
		f := finding{Check: "durability", Detail: d.Detail, Verdict: pass, Setting: "bus"}
		if d.Sync != nats.SyncAlways {
			f.Verdict = warn
			if !strings.Contains(d.Detail, "sync") {
				f.Next = "set sync_interval: always in the server's configuration"
			}
		}
		out = append(out, f)
	}
	return out
}
