package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/bus/kafka"
	"github.com/timbridge/timbridge/bus/nats"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

type doctorCmd struct{}

// Help is an example.
func (doctorCmd) Help() string {
	return "Each check passes, warns or fails; what to do stands beside it. Warnings do not fail the command; a failure is exit code 3, a mistake in the configuration 2.\n\nExample:\n  timbridge doctor --json"
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
	// Mistakes are those of the configuration, each with its line.
	Mistakes []config.Mistake `json:"mistakes,omitempty"`
}

// doctor goes from check to check.
type doctor struct {
	*env
	cfg *config.Config
	// journal is what was found in it; running says that a bridge has it open.
	journal    journal.Report
	journalErr error
	running    bool

	failed, warned int
}

// Run checks, one after the other, and goes on after a failure.
func (doctorCmd) Run(ctx context.Context, e *env) error {
	d := &doctor{env: e}
	cfg, path, err := e.load()
	if err != nil {
		f := finding{Check: "configuration", Verdict: fail, Detail: blankLines.ReplaceAllString(err.Error(), "\n"), Next: "mend it, and run this again: everything else is checked with it"}
		var mistakes *config.Error
		if errors.As(err, &mistakes) {
			f.Mistakes = mistakes.Mistakes()
		}
		if err := d.tell(f); err != nil {
			return err
		}
		return &reportedError{code: codeInput}
	}
	if path == "" {
		path = "built-in defaults"
	}
	d.cfg = cfg
	if err := d.tell(finding{Check: "configuration", Verdict: pass, Detail: path}); err != nil {
		return err
	}
	for _, check := range []struct {
		what string
		run  func(context.Context) []finding
	}{
		{"checking the disk", d.disk}, {"reading the journal", d.readJournal}, {"checking the ports", d.ports},
		{"asking the bridge", d.bridge}, {"asking the IM service", d.im}, {"asking the bus", d.bus},
	} {
		done := e.progress(check.what)
		found, err := until(ctx, func() ([]finding, error) { return check.run(ctx), nil })
		done()
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := d.tell(f); err != nil {
				return err
			}
		}
	}
	return d.sum()
}

// blankLines are those between the mistakes of a configuration.
var blankLines = regexp.MustCompile(`\n\s*\n`)

// tell prints a finding.
func (d *doctor) tell(f finding) error {
	switch f.Verdict {
	case fail:
		d.failed++
	case warn:
		d.warned++
	}
	text := fmt.Sprintf("%-4s  %-14s  %s\n", f.Verdict, f.Check, strings.ReplaceAll(f.Detail, "\n", "\n                      "))
	if f.Next != "" {
		text += fmt.Sprintf("%22s%s\n", "next step: ", f.Next)
	}
	return d.print(f, "%s", text)
}

// sum says how it went altogether.
func (d *doctor) sum() error {
	var err error
	if !d.JSON {
		text := "all is well"
		if d.failed+d.warned > 0 {
			text = fmt.Sprintf("failed: %d, warnings: %d", d.failed, d.warned)
		}
		_, err = fmt.Fprintln(d.out, text)
	}
	if err == nil && d.failed > 0 {
		return &reportedError{code: codeMissing}
	}
	return err
}

func (d *doctor) disk(context.Context) []finding {
	dir := d.cfg.DataDir
	here := finding{Check: "data directory", Verdict: pass, Detail: dir, Setting: "data_dir"}
	d.journal, d.journalErr = journal.Inspect(bridge.JournalDir(d.cfg), nil)
	d.running = d.journalErr == nil && d.journal.Locked
	info, err := os.Stat(dir)
	if !d.running { // a bridge that runs shows that it can
		if denied := bridge.CheckAccess(dir); denied != nil {
			here.Verdict, here.Detail, here.Next = fail, denied.Error(), storageHint(denied)
			return []finding{here}
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		here.Detail += " is not there yet; the first run makes it"
	case err != nil:
		here.Verdict, here.Detail, here.Next = fail, err.Error(), storageHint(err)
		return []finding{here}
	case info.Mode().Perm()&0o077 != 0:
		here.Verdict, here.Next = warn, "chmod 700 "+dir
		here.Detail = fmt.Sprintf("%s has mode %o: others can read message texts", dir, info.Mode().Perm())
	}
	out := []finding{here, d.space(dir)}
	if err := bridge.CheckSecrets(d.cfg); err != nil {
		_, next := judge(err)
		out = append(out, finding{Check: "secrets", Verdict: fail, Detail: err.Error(), Setting: "data_dir", Next: next})
	}
	return out
}

// space says whether there is enough of it, on the volume that a folder is or will be on.
func (d *doctor) space(dir string) finding {
	high := d.cfg.Journal.HighWater
	f := finding{Check: "disk space", Setting: "journal.high_water"}
	free, err := journal.OS{}.Free(dir)
	for errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
		free, err = journal.OS{}.Free(dir)
	}
	switch {
	case err != nil:
		f.Verdict, f.Detail = warn, err.Error()
	case free < int64(high):
		f.Verdict, f.Next = fail, "make room on the volume, or set journal.high_water lower"
		f.Detail = fmt.Sprintf("%s free: below %s reports and commands stop", size(free), high)
	case free < 4*int64(high):
		f.Verdict, f.Next = warn, "make room on the volume before it runs out"
		f.Detail = fmt.Sprintf("%s free; below %s reports and commands stop", size(free), high)
	default:
		f.Verdict, f.Detail = pass, size(free)+" free"
	}
	return f
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

func (d *doctor) readJournal(context.Context) []finding {
	f := finding{Check: "journal", Verdict: pass}
	r, err := d.journal, d.journalErr
	switch {
	case errors.Is(err, journal.ErrNotFound):
		f.Detail = "there is none yet; the first run makes it"
		return []finding{f}
	case err != nil:
		_, next := judge(err)
		f.Verdict, f.Detail, f.Next = fail, err.Error(), next
		return []finding{f}
	}
	f.Detail = fmt.Sprintf("%d entries, %s", r.Entries, size(r.Bytes))
	if !r.OK() {
		f.Verdict, f.Detail = fail, f.Detail+", and it is damaged"
		f.Next = "\"timbridge journal inspect\" says where, \"timbridge journal repair\" goes on with the rest"
	}
	return []finding{f}
}

// ports says whether the addresses that the bridge will listen on are free,
// unless it listens there itself already.
func (d *doctor) ports(ctx context.Context) []finding {
	var out []finding
	check := func(setting, address string) {
		host, _, _ := net.SplitHostPort(address)
		if ip := net.ParseIP(host); host == "" || ip != nil && !ip.IsLoopback() {
			out = append(out, finding{Check: "port", Verdict: warn, Detail: address + " can be reached from other machines", Setting: setting,
				Next: "make sure that is meant, and that the network is a private one"})
		}
		if d.running {
			return
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			whose := ""
			if h, err := d.askReady(ctx); setting == "http.listen" && err == nil && h.Journal.ID != "" {
				whose = "; another bridge is there, with the journal " + h.Journal.ID
			}
			out = append(out, finding{Check: "port", Verdict: fail, Detail: fmt.Sprintf("%s (%s): %v%s", address, setting, err, whose), Setting: setting,
				Next: "end what listens there, or set " + setting + " to another address"})
			return
		}
		if err := l.Close(); err != nil {
			out = append(out, finding{Check: "port", Verdict: warn, Detail: err.Error(), Setting: setting})
			return
		}
		out = append(out, finding{Check: "port", Verdict: pass, Detail: fmt.Sprintf("%s is free (%s)", address, setting), Setting: setting})
	}
	if d.cfg.App.Driver.URL == "" {
		check("app.driver.listen", d.cfg.App.Driver.Listen)
	}
	if bridge.BusEmbedded(d.cfg) {
		check("bus.listen", d.cfg.Bus.NATS.Listen)
	}
	if d.cfg.HTTP.Listen != "off" {
		check("http.listen", d.cfg.HTTP.Listen)
	}
	return out
}

// doctorWait bounds each question to a service.
const doctorWait = 5 * time.Second

// bridge asks the bridge itself whether it is ready, where it runs.
func (d *doctor) bridge(ctx context.Context) []finding {
	f := finding{Check: "bridge", Verdict: pass, Setting: "http.listen"}
	switch {
	case !d.running:
		f.Verdict, f.Detail, f.Next = warn, "does not run now"+d.inside(), "timbridge run"
		return []finding{f}
	case d.cfg.HTTP.Listen == "off":
		f.Detail = "runs; http.listen is off, so it cannot be asked whether it is ready"
		return []finding{f}
	}
	h, err := d.askReady(ctx)
	switch {
	case err != nil:
		f.Verdict, f.Detail = fail, "runs, and does not answer: "+err.Error()
		f.Next = "is it another bridge's address? its log says more"
	case h.Journal.ID != "" && d.journal.ID != "" && h.Journal.ID != d.journal.ID:
		f.Verdict, f.Detail = fail, "runs, but "+d.cfg.HTTP.Listen+" is another bridge's, with the journal "+h.Journal.ID
		f.Next = "set http.listen to another address"
	case h.Ready:
		f.Detail = "runs and is ready"
	default:
		f.Verdict, f.Detail, f.Next = fail, "runs and is not ready: "+strings.Join(h.Reasons, "; "), "it goes on by itself when what is away is back"
		if h.Journal.Full {
			f.Next = "make room on the volume, or set journal.high_water lower; it goes on by itself then"
		}
	}
	return []finding{f}
}

// inside names what runs in the bridge's process, and so cannot be asked without it.
func (d *doctor) inside() string {
	var parts []string
	if d.cfg.App.Driver.URL == "" {
		parts = append(parts, "the IM service")
	}
	if bridge.BusEmbedded(d.cfg) {
		parts = append(parts, "the bus")
	}
	if len(parts) == 0 {
		return ""
	}
	return ", nor does what is inside it: " + strings.Join(parts, ", ")
}

func (d *doctor) askReady(ctx context.Context) (h bridge.Health, err error) {
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.cfg.HTTP.Listen+"/ready", nil)
	if err != nil {
		return h, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return h, err
	}
	defer res.Body.Close()
	return h, json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&h)
}

func (d *doctor) im(ctx context.Context) []finding {
	if d.cfg.App.Driver.URL == "" && !d.running {
		return nil // said of the bridge
	}
	driver, key, err := bridge.OpenDriver(d.cfg, hclog.NewNullLogger())
	if err != nil {
		return []finding{{Check: "IM service", Verdict: fail, Detail: err.Error(), Setting: "app.driver", Next: "start the bridge once, or set app.driver.token and key"}}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	client, err := driver.Open(ctx, tim.Config{SDKAppID: d.cfg.App.SDKAppID})
	if err != nil {
		return []finding{{Check: "IM service", Verdict: fail, Detail: err.Error(), Setting: "app.driver.url", Next: "is it running, and are address and token right?"}}
	}
	out := []finding{{Check: "IM service", Verdict: pass, Detail: "can be reached"}}
	if err := client.Close(); err != nil {
		out = append(out, finding{Check: "IM service", Verdict: warn, Detail: err.Error()})
	}
	for _, a := range d.cfg.App.Accounts {
		if a.UserSig.IsSet() {
			out = append(out, d.userSig(a, key))
		}
	}
	return out
}

// userSig says whether an account's own UserSig is good, and for how long.
func (d *doctor) userSig(a config.Account, key string) finding {
	f := finding{Check: "UserSig", Verdict: pass, Setting: "app.account." + a.ID + ".usersig"}
	claims, err := tim.ParseUserSig(a.UserSig.Reveal())
	if err == nil && key != "" {
		err = tim.VerifyUserSig(d.cfg.App.SDKAppID, key, tim.UserID(a.ID), a.UserSig.Reveal(), time.Now())
	}
	end := claims.ExpiresAt().UTC().Format(time.RFC3339)
	switch left := time.Until(claims.ExpiresAt()); {
	case err != nil:
		f.Verdict, f.Detail, f.Next = fail, a.ID+": "+err.Error(), "have a new one signed"
	case left < 0:
		f.Verdict, f.Detail, f.Next = fail, a.ID+": expired "+end, "have a new one signed"
	case left < 7*24*time.Hour:
		f.Verdict, f.Detail, f.Next = warn, a.ID+": expires "+end, "have a new one signed in time"
	default:
		f.Detail = a.ID + ": good until " + end
	}
	return f
}

func (d *doctor) bus(ctx context.Context) []finding {
	if bridge.BusEmbedded(d.cfg) && !d.running {
		return nil // said of the bridge
	}
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	looking := *d.cfg // a doctor changes nothing
	looking.Bus.NATS.Manage, looking.Bus.Kafka.Manage = string(bus.ManageCheck), string(bus.ManageCheck)
	b, err := bridge.OpenBus(ctx, &looking, hclog.NewNullLogger())
	if names, ok := onlyMissing(err); ok && d.creates() {
		return append(d.encryption(), finding{Check: "bus", Verdict: pass, Detail: "can be reached; the first run makes what is missing: " + strings.Join(names, ", "), Setting: "bus"})
	}
	if err != nil {
		_, next := judge(err)
		return append(d.encryption(), finding{Check: "bus", Verdict: fail, Detail: err.Error(), Setting: "bus", Next: next})
	}
	defer b.Close()
	f := finding{Check: "bus", Verdict: pass, Detail: "can be reached; everything on it is there and as configured", Setting: "bus"}
	if err := b.Check(ctx); err != nil {
		_, next := judge(err)
		f.Verdict, f.Detail, f.Next = fail, err.Error(), next
	}
	return append(append(d.encryption(), f), d.durability(ctx, b)...)
}

// creates says whether the bridge makes what is missing on the bus.
func (d *doctor) creates() bool {
	if d.cfg.Bus.Kind == "kafka" {
		return d.cfg.Bus.Kafka.Manage != string(bus.ManageCheck)
	}
	return d.cfg.Bus.NATS.Manage != string(bus.ManageCheck)
}

// onlyMissing says that all that is wrong with a bus is what the first run makes,
// and how that is called.
func onlyMissing(err error) (names []string, ok bool) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			more, ok := onlyMissing(e)
			if !ok {
				return nil, false
			}
			names = append(names, more...)
		}
		return names, true
	}
	var stream *nats.ConfigError
	var topic *kafka.ConfigError
	switch {
	case errors.As(err, &stream) && stream.Missing:
		return []string{stream.Stream}, true
	case errors.As(err, &topic) && topic.Missing:
		return []string{topic.Topic}, true
	}
	return nil, false
}

// durability says what is left of what the bus acknowledged when it loses its power.
func (d *doctor) durability(ctx context.Context, b bus.Bus) []finding {
	f := finding{Check: "durability", Verdict: pass, Detail: "the server inside the bridge syncs before it acknowledges", Setting: "bus"}
	switch b := b.(type) {
	case *nats.Bus:
		if bridge.BusEmbedded(d.cfg) {
			break
		}
		said := b.Durability(ctx)
		f.Detail = said.Detail
		if said.Sync != nats.SyncAlways {
			f.Verdict = warn
		}
	case *kafka.Bus:
		said := b.Durability(ctx)
		f.Detail, f.Next = said.Detail, said.Next
		if !said.Kept {
			f.Verdict = warn
		}
		return []finding{f, d.retention(ctx, b)}
	}
	return []finding{f}
}

// retention says how long Kafka keeps what is published and what is to be read.
func (d *doctor) retention(ctx context.Context, b *kafka.Bus) finding {
	f := finding{Check: "retention", Verdict: pass, Setting: "bus.events.retention"}
	var err error
	if f.Detail, err = b.Retention(ctx); err != nil {
		f.Verdict, f.Detail = warn, "cannot find out how long messages are kept: "+err.Error()
		f.Next = "look at the topics with kafka-configs --describe"
	}
	return f
}

// encryption says what others on the network can read of Kafka's connections.
func (d *doctor) encryption() []finding {
	k := &d.cfg.Bus.Kafka
	if d.cfg.Bus.Kind != "kafka" || k.TLS.Enabled {
		return nil
	}
	if k.SASL.Mechanism == "PLAIN" {
		return []finding{{Check: "encryption", Verdict: warn, Detail: "SASL PLAIN without TLS sends the password as it is", Setting: "bus.sasl.mechanism",
			Next: "set bus.tls { enabled = true }, or take SCRAM-SHA-512, which does not show it"}}
	}
	for _, address := range k.Brokers {
		if !onLoopback(address) {
			return []finding{{Check: "encryption", Verdict: warn, Detail: "messages go to " + address + " and back as plain text", Setting: "bus.tls.enabled",
				Next: "set bus.tls { enabled = true }, or make sure that the network is a private one"}}
		}
	}
	return nil
}

// onLoopback says that an address is this machine's own, by what is written.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
