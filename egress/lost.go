package egress

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
)

// lost notes that the bus removed messages before they were read. It moves
// reading behind them by itself, so that they are told once, however often the
// process ends: without the entry they are found again where reading stood.
type lost struct {
	// Position is where reading goes on after: the last of them is there. It has
	// no digest, and the time of what was read before them.
	Position bus.Position
	Count    uint64 // as many as end at Position
	At       time.Time
	// Public is how many entries after this one tell of it.
	Public uint8
}

func (l lost) append(b []byte) []byte {
	b = append(b, bodyVersion, tagLost)
	b = appendPosition(b, l.Position)
	b = binary.LittleEndian.AppendUint64(b, l.Count)
	b = appendTime(b, l.At)
	return append(b, l.Public)
}

func (d *decoder) lost() lost {
	return lost{Position: d.position(), Count: d.fixed64(), At: d.time(), Public: d.byte()}
}

// resets says what reading could not do as asked, after what was read before
// is journaled. What the bus removed unread is journaled and published.
func (in *intake) resets(resets []bus.Reset) error {
	for _, r := range resets {
		if r.Lost == 0 || r.Lost > r.From {
			in.log.Warn("commands could not be read on where reading stood; those known already are dropped",
				"target", r.Target, "asked", r.Asked.Offset, "from", r.From, "time", r.To, "reason", r.Reason)
			in.count(func(s *Stats) { s.Resets++ })
			continue
		}
		if err := in.lose(r); err != nil {
			return err
		}
		in.log.Error("commands are lost: the bus removed them before they were read",
			"target", r.Target, "first", r.From-r.Lost+1, "last", r.From, "lost", r.Lost, "reason", r.Reason)
		in.count(func(s *Stats) { s.Resets++; s.Lost += r.Lost })
	}
	return nil
}

// lose journals one loss, with the event that tells of it, in one append.
func (in *intake) lose(r bus.Reset) error {
	now := time.Now()
	told, err := mapping.CommandsLost(in.deps.App, in.deps.Journal.ID(), mapping.LostCommands{
		Target: string(r.Target), First: r.From - r.Lost + 1, Last: r.From, After: r.Asked.Time, Reason: r.Reason,
	}, now)
	if err != nil {
		return fmt.Errorf("egress: %w", err)
	}
	encoded, err := mapping.Encode(told)
	if err != nil {
		return fmt.Errorf("egress: commands lost on %s: %w", r.Target, err)
	}
	b := newBatch()
	b.add(journal.KindAccepted, lost{
		Position: bus.Position{Target: r.Target, Offset: r.From, Time: r.Asked.Time}, Count: r.Lost, At: now, Public: 1,
	})
	b.addPublic(entry(journal.KindFact, encoded))
	if _, err := in.write(in.stop, false, b.entries, b.bodies); err != nil {
		return err
	}
	delete(in.passed, r.Target)
	in.mu.Lock()
	delete(in.mark.skipped, r.Target) // behind what is journaled now
	in.mu.Unlock()
	in.deps.Step("accepted")
	return nil
}
