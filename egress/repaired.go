package egress

import (
	"context"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
)

// Repaired tells which stretches of the journal a repair has given up
// ([journal.Journal.Repairs]), after the projection was brought up to date and
// before Run. Reading then starts again where it stood before the stretch, and
// commands whose fate lies in it are in doubt. That is journaled, so that the
// repairs can be cleared afterwards; telling it again does nothing.
func (e *Egress) Repaired(ctx context.Context, lost []journal.Stretch) error {
	for _, s := range lost {
		e.mu.Lock()
		known := s.Last <= e.state.repaired
		e.mu.Unlock()
		// What lies before the journal's first entry was deleted, after its
		// commands were finished: only the ledger's memory of them is lost.
		if known || s.Last < e.deps.Journal.First() {
			continue
		}
		f, err := e.fateOf(s)
		if err != nil {
			return fmt.Errorf("egress: look at what a repair lost: %w", err)
		}
		var entries []journal.Entry
		var bodies []body
		for _, a := range f.again {
			bodies = append(bodies, body{len(entries), a})
			entries = append(entries, entry(journal.KindAccepted, a.append(nil)))
		}
		h := repaired{First: s.First, Last: s.Last, At: time.Now(), After: f.after, Finished: f.finished}
		bodies = append(bodies, body{len(entries), h})
		entries = append(entries, entry(journal.KindAccepted, h.append(nil)))
		first, err := e.deps.Journal.AppendReserved(ctx, entries)
		if err != nil {
			return fmt.Errorf("egress: note what a repair lost: %w", err)
		}
		e.mu.Lock()
		for _, b := range bodies {
			e.state.apply(first+uint64(b.index), b.value)
		}
		e.applied = max(e.applied, first+uint64(len(entries))-1)
		e.mu.Unlock()
		e.log.Warn("a stretch of the journal is lost: its commands are read again and looked for in history",
			"first", s.First, "last", s.Last, "again", len(f.again))
	}
	return nil
}

// fate is what the rest of a journal tells of the commands of a lost stretch.
type fate struct {
	after    []bus.Position // where each target was read to before it
	finished []key          // accepted in it, and finished after it
	again    []accepted     // accepted before it, finished, and their outcome lost in it
}

func (e *Egress) fateOf(s journal.Stretch) (fate, error) {
	var published uint64
	if e.deps.Published != nil {
		published = e.deps.Published()
	}
	read := map[bus.Target]bus.Position{}
	lost := map[key]bool{} // finished, and their outcome lost
	var f fate
	err := e.deps.Journal.Scan(0, func(entry journal.Entry) error {
		if entry.Kind != journal.KindAccepted && entry.Kind != journal.KindStarted {
			return nil
		}
		v, err := decodeBody(entry.Body)
		if err != nil {
			return err
		}
		if b, ok := v.(finished); ok {
			e.mu.Lock()
			_, known := e.state.ledger.find(b.Key)
			e.mu.Unlock()
			last := entry.Position + uint64(b.Public)
			switch {
			case entry.Position < s.First && last >= s.First && last > published:
				lost[b.Key] = true
			case entry.Position >= s.First && !known:
				f.finished = append(f.finished, b.Key)
			}
		}
		if entry.Position < s.First {
			for _, p := range readTo(v) {
				read[p.Target] = p
			}
		}
		return nil
	})
	if err != nil {
		return f, err
	}
	e.mu.Lock()
	f.after = e.state.positions()
	e.mu.Unlock()
	for i, p := range f.after {
		if before, ok := read[p.Target]; ok {
			f.after[i] = before
		} else {
			// No message has this digest, so that reading goes by the time.
			f.after[i].Time, f.after[i].Digest = s.From.Add(-time.Hour), "lost"
		}
	}
	if len(lost) == 0 {
		return f, nil
	}
	err = e.deps.Journal.Scan(0, func(entry journal.Entry) error {
		if entry.Kind != journal.KindAccepted || entry.Position >= s.First {
			return nil
		}
		v, err := decodeBody(entry.Body)
		if err != nil {
			return err
		}
		if a, ok := v.(accepted); ok && lost[a.Key] {
			a.Doubt, a.Again = true, true
			f.again = append(f.again, a)
		}
		return nil
	})
	return f, err
}

// readTo is where an entry says that reading stands.
func readTo(v any) []bus.Position {
	switch b := v.(type) {
	case accepted:
		return []bus.Position{b.Position}
	case read:
		return []bus.Position{b.Position}
	case lost:
		return []bus.Position{b.Position}
	case birth:
		return b.Mark
	case repaired:
		return b.After
	}
	return nil
}
