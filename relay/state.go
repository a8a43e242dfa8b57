package relay

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/timbridge/timbridge/bus"
)

// state is the projection of the plan entries: where publishing stands. It
// changes only by apply, live as on replay.
type state struct {
	// position is that of the last plan entry; applied is the journal position
	// through which every plan is in the state.
	position, applied uint64
	// done is each target's last part of all plans before the current one:
	// a plan is written only when the one before it is stored.
	done map[bus.Target]placed
	// current is the last plan; until the next is written it may have been
	// sent in part, or not at all.
	current *planBody
}

// placed is a part and the position of the plan entry that holds it.
type placed struct {
	Position uint64   `json:"position"`
	Part     partBody `json:"part"`
}

func newState() state { return state{done: map[bus.Target]placed{}} }

// apply takes one plan entry. That it was written says that the plan before it
// is stored, unless it amends that one.
func (s *state) apply(position uint64, next planBody) {
	if position <= s.applied {
		return
	}
	s.applied = position
	if s.current != nil && !next.Amends {
		for _, p := range s.current.Parts {
			s.done[p.Target] = placed{Position: s.position, Part: p}
		}
	}
	for _, t := range next.Gone {
		delete(s.done, t)
	}
	for _, p := range next.Carried {
		s.done[p.Target] = placed{Position: position, Part: p}
	}
	s.current, s.position = &next, position
}

// snapshot is the saved form of state.
type snapshot struct {
	Position uint64                `json:"position"`
	Done     map[bus.Target]placed `json:"done"`
	Current  *planBody             `json:"current,omitempty"`
}

func (s *state) save() ([]byte, error) {
	return json.Marshal(snapshot{Position: s.position, Done: s.done, Current: s.current})
}

func loadState(position uint64, body []byte) (state, error) {
	var snap snapshot
	if err := json.Unmarshal(body, &snap); err != nil {
		return state{}, fmt.Errorf("relay snapshot: %w", err)
	}
	var parts []partBody
	for _, d := range snap.Done {
		parts = append(parts, d.Part)
	}
	if snap.Current != nil {
		parts = append(append(parts, snap.Current.Parts...), snap.Current.Carried...)
	}
	for _, p := range parts {
		if err := p.check(); err != nil {
			return state{}, fmt.Errorf("relay snapshot: %w", err)
		}
	}
	st := newState()
	st.position, st.applied, st.current = snap.Position, position, snap.Current
	maps.Copy(st.done, snap.Done)
	return st, nil
}
