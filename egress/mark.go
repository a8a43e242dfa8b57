package egress

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/timbridge/timbridge/bus"
)

const markTimeout = 5 * time.Second

// mark follows what is finished, for the mark on the bus.
type mark struct {
	// barrier is the journal position of the last outcome of an earlier process:
	// what is held back for it is not known one by one.
	barrier uint64
	held    []held // finished, and perhaps not stored on the bus
	// skipped is where reading stands where that is not journaled: behind
	// commands of other shards and repeats.
	skipped map[bus.Target]bus.Position
	set     map[bus.Target]uint64 // offsets as last set
}

// held is a command whose outcome lies at a journal position.
type held struct {
	outcome uint64
	target  bus.Target
	offset  uint64
}

func (m *mark) hold(outcome uint64, p bus.Position) {
	m.held = append(m.held, held{outcome, p.Target, p.Offset})
}

// finishedMark gives the positions below which, and at which, every command is
// finished and its outcome stored on the bus, for each target where anything
// is. e.mu is held.
func (e *Egress) finishedMark() []bus.Position {
	m := &e.mark
	if e.deps.Published != nil {
		published := e.deps.Published()
		if published < m.barrier {
			return nil
		}
		n := 0
		for n < len(m.held) && m.held[n].outcome <= published {
			n++
		}
		m.held = m.held[n:]
	} else {
		m.held = nil
	}
	lowest := map[bus.Target]uint64{} // of what is not finished
	lower := func(t bus.Target, offset uint64) {
		if have, ok := lowest[t]; !ok || offset < have {
			lowest[t] = offset
		}
	}
	for _, o := range e.state.open {
		lower(o.position.Target, o.position.Offset)
	}
	for _, h := range m.held {
		lower(h.target, h.offset)
	}
	at := maps.Clone(e.state.read)
	maps.Copy(at, m.skipped)
	var out []bus.Position
	for t, p := range at {
		if offset, ok := lowest[t]; ok && offset <= p.Offset {
			if offset == 0 {
				continue
			}
			p = bus.Position{Target: t, Offset: offset - 1}
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b bus.Position) int { return cmp.Compare(a.Target, b.Target) })
	return out
}

// Reading gives where reading commands stands: the position of the last one
// that was decided on, for each target that was read.
func (e *Egress) Reading() []bus.Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := maps.Clone(e.state.read)
	maps.Copy(at, e.mark.skipped)
	return slices.SortedFunc(maps.Values(at), func(a, b bus.Position) int { return cmp.Compare(a.Target, b.Target) })
}

// keepMark sets the mark again and again.
func (e *Egress) keepMark() {
	tick := time.NewTicker(e.cfg.MarkInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-e.stop.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(e.stop, markTimeout)
		err := e.FlushMark(ctx)
		cancel()
		if err != nil && !failing && e.stop.Err() == nil {
			e.log.Warn("the mark is not set; it is tried again", "error", err)
		}
		failing = err != nil
	}
}

// FlushMark stores on the bus below which positions everything is finished and
// its outcome stored, unless that has not changed. Run does so regularly and
// once at its end; a bridge that publishes the last outcomes after Run's end
// calls it once more.
func (e *Egress) FlushMark(ctx context.Context) error {
	e.mu.Lock()
	positions := e.finishedMark()
	changed := false
	for _, p := range positions {
		have, ok := e.mark.set[p.Target]
		changed = changed || !ok || have != p.Offset
	}
	e.mu.Unlock()
	if !changed {
		return nil
	}
	if err := e.deps.Commands.SetMark(ctx, positions); err != nil {
		return fmt.Errorf("egress: set the mark: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mark.set == nil {
		e.mark.set = map[bus.Target]uint64{}
	}
	for _, p := range positions {
		e.mark.set[p.Target] = p.Offset
	}
	e.stats.Mark = positions
	return nil
}
