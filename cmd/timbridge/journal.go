package main

import (
	"context"
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

// journalDir is the journal's folder; it must be there.
func (e *env) journalDir(given string) (string, error) {
	dir := given
	if dir == "" {
		cfg, _, err := e.load()
		if err != nil {
			return "", err
		}
		dir = bridge.JournalDir(cfg)
	}
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return "", noJournal(dir)
	} else if err != nil {
		return "", &missingError{err: err, hint: "name a folder that can be read"}
	}
	return dir, nil
}

func noJournal(dir string) error {
	return &missingError{err: fmt.Errorf("there is no journal in %s", dir), hint: "run \"timbridge run\" once, or name the folder"}
}

type journalInspectCmd struct {
	Dir string `arg:"" optional:"" help:"Folder of the journal. Default: that of the configuration."`
}

// Help is an example.
func (journalInspectCmd) Help() string {
	return "It changes nothing, and the bridge may run meanwhile. Damage is exit code 1.\n\nExamples:\n  timbridge journal inspect\n  timbridge journal inspect data/journal --json"
}

// Run inspects.
func (c journalInspectCmd) Run(ctx context.Context, e *env) error {
	dir, err := e.journalDir(c.Dir)
	if err != nil {
		return err
	}
	read := e.progress("reading the journal")
	r, err := until(ctx, func() (journal.Report, error) { return journal.Inspect(dir, nil) })
	read()
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return noJournal(dir)
	case err != nil:
		return err
	}
	if e.JSON {
		err = e.print(inspectionOf(r), "")
	} else {
		given := ""
		if c.Dir != "" {
			given = " " + c.Dir
		}
		err = printInspection(e, r, given)
	}
	if err == nil && !r.OK() {
		return &reportedError{code: codeFailed}
	}
	return err
}

// inspection is a [journal.Report] for machines.
type inspection struct {
	OK        bool                `json:"ok"`
	Dir       string              `json:"dir"`
	Journal   string              `json:"journal"`
	First     uint64              `json:"first_position"`
	Last      uint64              `json:"last_position"`
	Entries   uint64              `json:"entries"`
	Bytes     int64               `json:"bytes"`
	Locked    bool                `json:"locked"`
	Segments  []inspectedSegment  `json:"segments"`
	Snapshots []inspectedSnapshot `json:"snapshots"`
	Damage    []inspectedDamage   `json:"damage"`
	Unsynced  int64               `json:"unsynced_bytes"`
	Leftovers []string            `json:"leftovers"`
	KeptAside []string            `json:"kept_aside"`
	Lost      []lostStretch       `json:"lost"`
}

type inspectedSegment struct {
	Name      string        `json:"name"`
	First     uint64        `json:"first_position"`
	Last      uint64        `json:"last_position"`
	Entries   uint64        `json:"entries"`
	Commits   uint64        `json:"commits"`
	Bytes     int64         `json:"bytes"`
	Sealed    bool          `json:"sealed"`
	FirstTime time.Time     `json:"first_time,omitzero"`
	LastTime  time.Time     `json:"last_time,omitzero"`
	Gaps      []lostStretch `json:"gaps,omitempty"`
	OK        bool          `json:"ok"`
}

type inspectedSnapshot struct {
	Name     string    `json:"name"`
	Position uint64    `json:"position"`
	Time     time.Time `json:"time,omitzero"`
	Bytes    int64     `json:"bytes"`
	Sections []string  `json:"sections"`
	Error    string    `json:"error,omitempty"`
}

type inspectedDamage struct {
	Segment string `json:"segment,omitempty"`
	Offset  int64  `json:"offset"`
	First   uint64 `json:"first_position,omitempty"`
	Last    uint64 `json:"last_position,omitempty"`
	Error   string `json:"error"`
}

type lostStretch struct {
	First   uint64    `json:"first_position"`
	Last    uint64    `json:"last_position"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Segment string    `json:"segment,omitempty"`
	KeptAs  string    `json:"kept_as,omitempty"`
	Reason  string    `json:"reason"`
}

func inspectionOf(r journal.Report) inspection {
	out := inspection{
		OK: r.OK(), Dir: r.Dir, Journal: r.ID, First: r.First, Last: r.Last, Entries: r.Entries, Bytes: r.Bytes, Locked: r.Locked,
		Segments: []inspectedSegment{}, Snapshots: []inspectedSnapshot{}, Damage: []inspectedDamage{}, Unsynced: r.Unsynced,
		Leftovers: append([]string{}, r.Leftovers...), KeptAside: append([]string{}, r.KeptAside...), Lost: stretches(r.Repairs),
	}
	for _, s := range r.Segments {
		out.Segments = append(out.Segments, inspectedSegment{
			Name: s.Name, First: s.First, Last: s.Last, Entries: s.Entries, Commits: s.Commits, Bytes: s.Bytes, Sealed: s.Sealed,
			FirstTime: s.FirstTime, LastTime: s.LastTime, Gaps: stretches(s.Gaps), OK: s.OK,
		})
	}
	for _, s := range r.Snapshots {
		view := inspectedSnapshot{Name: s.Name, Position: s.Position, Time: s.Time, Bytes: s.Bytes, Sections: append([]string{}, s.Sections...)}
		if s.Err != nil {
			view.Error = s.Err.Error()
		}
		out.Snapshots = append(out.Snapshots, view)
	}
	for _, d := range r.Damage {
		out.Damage = append(out.Damage, inspectedDamage{Segment: d.Segment, Offset: d.Offset, First: d.First, Last: d.Last, Error: d.Error()})
	}
	return out
}

func stretches(list []journal.Stretch) []lostStretch {
	out := []lostStretch{}
	for _, s := range list {
		out = append(out, lostStretch(s))
	}
	return out
}

func printInspection(e *env, r journal.Report, given string) error {
	fmt.Fprintf(e.out, "journal %s in %s\n%s, %d bytes\n", r.ID, r.Dir, entriesText(r), r.Bytes)
	if r.Locked {
		fmt.Fprintln(e.out, "a process has it open: the end may have moved meanwhile")
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, s := range r.Segments {
		state := "ok"
		if !s.OK {
			state = "damaged"
		}
		fmt.Fprintf(w, "segment\t%d to %d\t%d entries\t%s\t%s\t%s\n", s.First, s.Last, s.Entries, size(s.Bytes),
			period(s.FirstTime, s.LastTime), state)
	}
	for _, s := range r.Snapshots {
		state := "ok"
		if s.Err != nil {
			state = s.Err.Error()
		}
		fmt.Fprintf(w, "snapshot\tat %d\t%d sections\t%s\t%s\t%s\n", s.Position, len(s.Sections), size(s.Bytes), clock(s.Time), state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, d := range r.Damage {
		fmt.Fprintf(e.out, "damage: %v\n", d)
	}
	for _, s := range r.Repairs {
		fmt.Fprintf(e.out, "lost in an earlier repair: %s\n", stretchText(s))
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
	_, err := fmt.Fprintf(e.out, "next step: end the bridge and run %s; it keeps the damaged files aside\n", e.withConfig("\"timbridge journal repair"+given+"\""))
	return err
}

// entriesText says how many there are, and where.
func entriesText(r journal.Report) string {
	if r.Entries == 0 {
		return "no entries"
	}
	return fmt.Sprintf("%d entries, positions %d to %d", r.Entries, r.First, r.Last)
}

// stretchText says what was lost: which positions, when, and why.
func stretchText(s journal.Stretch) string {
	text := fmt.Sprintf("positions %d to %d", s.First, s.Last)
	if last, exact := s.Known(); !exact && last >= s.First {
		text = fmt.Sprintf("positions from %d on, at least to %d", s.First, last)
	} else if !exact {
		text = fmt.Sprintf("positions from %d on, how many nothing says", s.First)
	}
	switch {
	case !s.From.IsZero() && !s.To.IsZero():
		text += ", between " + clock(s.From) + " and " + clock(s.To)
	case !s.From.IsZero():
		text += ", after " + clock(s.From)
	case !s.To.IsZero():
		text += ", before " + clock(s.To)
	}
	return text + " (" + s.Reason + ")"
}

// period is from when to when; of one day, that is said once.
func period(from, to time.Time) string {
	end := clock(to)
	if from.Local().Format(time.DateOnly) == to.Local().Format(time.DateOnly) && !to.IsZero() {
		end = to.Local().Format(time.TimeOnly)
	}
	return clock(from) + " to " + end
}

// clock is a time for people; there may be none.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

type journalRepairCmd struct {
	Dir string `arg:"" optional:"" help:"Folder of the journal. Default: that of the configuration."`
}

// Help is an example.
func (journalRepairCmd) Help() string {
	return "The bridge must not run. It publishes bridge.journal_damaged with the bounds of what was lost when it next starts. A journal that is well is left alone.\n\nExample:\n  timbridge journal repair"
}

// repaired is a [journal.RepairReport] for machines.
type repaired struct {
	Lost      []lostStretch `json:"lost"`
	KeptAside []string      `json:"kept_aside"`
	Entries   uint64        `json:"entries"`
}

// Run repairs.
func (c journalRepairCmd) Run(ctx context.Context, e *env) error {
	dir, err := e.journalDir(c.Dir)
	if err != nil {
		return err
	}
	done := e.progress("repairing the journal")
	r, err := until(ctx, func() (journal.RepairReport, error) { return journal.Repair(dir, nil) }) // it may be ended anywhere, and repeated
	done()
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return noJournal(dir)
	case err != nil:
		return err
	}
	if e.JSON {
		return e.print(repaired{Lost: stretches(r.Damaged), KeptAside: append([]string{}, r.KeptAs...), Entries: r.Entries}, "")
	}
	if len(r.Damaged) == 0 && len(r.KeptAs) == 0 {
		_, err := fmt.Fprintf(e.out, "nothing to repair: %d entries can be read\n", r.Entries)
		return err
	}
	for _, s := range r.Damaged {
		fmt.Fprintf(e.out, "lost: %s\n", stretchText(s))
	}
	for _, k := range r.KeptAs {
		fmt.Fprintf(e.out, "kept aside: %s\n", k)
	}
	_, err = fmt.Fprintf(e.out, "%d entries can be read; the bridge can start again, and tells what was lost as bridge.journal_damaged\n", r.Entries)
	return err
}
