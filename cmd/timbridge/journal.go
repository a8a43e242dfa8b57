package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/journal"
)

type journalCmd struct {
	Inspect journalInspectCmd `cmd:"" help:"Say what is in the journal, and what is wrong with it."`
	Repair  journalRepairCmd  `cmd:"" help:"Put damaged parts aside and go on with every entry that can be read."`
}

// dir is the journal's folder; it must be there.
func (e *env) journalDir(given string) (string, error) {
	dir := given
	if dir == "" {
		cfg, _, err := e.load()
		if err != nil {
			return "", err
		}
		dir = bridge.JournalDir(cfg)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", &missingError{err: fmt.Errorf("there is no journal in %s", dir), hint: "run \"timbridge run\" once, or name the folder"}
	} else if err != nil {
		return "", err
	}
	return dir, nil
}

type journalInspectCmd struct {
	Dir string `arg:"" optional:"" help:"Folder of the journal. Default: that of the configuration."`
}

// Help is an example.
func (journalInspectCmd) Help() string { return "Example:\n  timbridge journal inspect" }

// Run inspects.
func (c journalInspectCmd) Run(e *env) error {
	dir, err := e.journalDir(c.Dir)
	if err != nil {
		return err
	}
	r, err := journal.Inspect(dir, nil)
	if err != nil {
		return err
	}
	if e.JSON {
		if err := e.print(r, ""); err != nil {
			return err
		}
	} else if err := printReport(e, r); err != nil {
		return err
	}
	if !r.OK() {
		return &reportedError{code: codeFailed}
	}
	return nil
}

func printReport(e *env, r journal.Report) error {
	fmt.Fprintf(e.out, "journal %s in %s\n%d entries, positions %d to %d, %d bytes\n", r.ID, r.Dir, r.Entries, r.First, r.Last, r.Bytes)
	if r.Locked {
		fmt.Fprintln(e.out, "a process has it open: the end may have moved meanwhile")
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, s := range r.Segments {
		state := "ok"
		if !s.OK {
			state = "damaged"
		}
		fmt.Fprintf(w, "segment\t%d to %d\t%d entries\t%d bytes\t%s to %s\t%s\n", s.First, s.Last, s.Entries, s.Bytes,
			s.FirstTime.Local().Format(time.DateTime), s.LastTime.Local().Format(time.DateTime), state)
	}
	for _, s := range r.Snapshots {
		state := "ok"
		if s.Err != nil {
			state = s.Err.Error()
		}
		fmt.Fprintf(w, "snapshot\t%d\t%d sections\t%d bytes\t%s\t%s\n", s.Position, len(s.Sections), s.Bytes, s.Time.Local().Format(time.DateTime), state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, d := range r.Damage {
		fmt.Fprintf(e.out, "damage: %v\n", d)
	}
	for _, s := range r.Repairs {
		fmt.Fprintf(e.out, "lost in an earlier repair: positions %d to %d (%s)\n", s.First, s.Last, s.Reason)
	}
	for _, k := range r.KeptAside {
		fmt.Fprintf(e.out, "kept aside: %s\n", k)
	}
	if r.Unsynced > 0 {
		fmt.Fprintf(e.out, "%d bytes at the end were never synced; the next start cuts them, nothing was promised of them\n", r.Unsynced)
	}
	if r.OK() {
		_, err := fmt.Fprintln(e.out, "all is well")
		return err
	}
	_, err := fmt.Fprintln(e.out, "next step: end the bridge and run \"timbridge journal repair\"; it keeps the damaged files aside")
	return err
}

type journalRepairCmd struct {
	Dir string `arg:"" optional:"" help:"Folder of the journal. Default: that of the configuration."`
}

// Help is an example.
func (journalRepairCmd) Help() string {
	return "The bridge must not run. It publishes bridge.journal_damaged with the bounds of what was lost when it next starts.\n\nExample:\n  timbridge journal repair"
}

// Run repairs.
func (c journalRepairCmd) Run(e *env) error {
	dir, err := e.journalDir(c.Dir)
	if err != nil {
		return err
	}
	r, err := journal.Repair(dir, nil)
	if err != nil {
		return err
	}
	if e.JSON {
		return e.print(r, "")
	}
	if len(r.Damaged) == 0 && len(r.KeptAs) == 0 {
		_, err := fmt.Fprintf(e.out, "nothing to repair: %d entries can be read\n", r.Entries)
		return err
	}
	for _, s := range r.Damaged {
		fmt.Fprintf(e.out, "lost: positions %d to %d, between %s and %s (%s)\n", s.First, s.Last,
			s.From.Local().Format(time.DateTime), s.To.Local().Format(time.DateTime), s.Reason)
	}
	for _, k := range r.KeptAs {
		fmt.Fprintf(e.out, "kept aside: %s\n", k)
	}
	_, err = fmt.Fprintf(e.out, "%d entries can be read; the bridge can start again, and tells what was lost as bridge.journal_damaged\n", r.Entries)
	return err
}
