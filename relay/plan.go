package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/timbridge/timbridge/bus"
)

// A plan entry's body is the relay's own, JSON, written before anything of it
// is sent. Sequences are kept as runs since a round's are mostly neighbours.
type planBody struct {
	// Amends says that this plan takes the place of the one before it, which
	// is not stored: while it was sent, a message was refused, or a target
	// turned out to have lost its tail.
	Amends bool `json:"amends,omitempty"`
	// Through is the journal position that is covered once the plan is sent:
	// every public entry at or below it is on the bus, or named by Refill.
	Through uint64     `json:"through"`
	Parts   []partBody `json:"parts,omitempty"`
	// Refused are the messages of the parts that the bus will never take, and
	// in whose place bridge.event_refused is sent.
	Refused []refusal `json:"refused,omitempty"`
	// Refill says what is still owed to targets that lost their tail. It is
	// the whole list each time; empty means that nothing is owed.
	Refill []refill `json:"refill,omitempty"`
	// Gone are targets whose last parts are forgotten: they are no more, or
	// have lost them.
	Gone []bus.Target `json:"gone,omitempty"`
	// Carried are last parts of targets, restated: those that have had nothing
	// for long, so that their old plan entries need not be kept, and those that
	// lost messages, to what they have now.
	Carried []partBody `json:"carried,omitempty"`
}

type partBody struct {
	Target       bus.Target `json:"target"`
	Runs         []run      `json:"runs"`
	End          uint64     `json:"end"`
	EndTime      time.Time  `json:"endtime,omitzero"`
	Incarnation  string     `json:"incarnation,omitempty"`
	ProducerID   int64      `json:"producerid,omitempty"`
	Epoch        int16      `json:"epoch,omitempty"`
	BaseSequence int32      `json:"basesequence,omitempty"`
}

// run is a first sequence and the number of sequences from it on.
type run [2]uint64

// refusal is a message that the bus refuses for itself.
type refusal struct {
	Sequence uint64 `json:"sequence"`
	Reason   string `json:"reason"`
	Size     int64  `json:"size,omitempty"`
	Limit    int64  `json:"limit,omitempty"`
}

// refill is what is owed to one target: its messages in (After, Until].
type refill struct {
	Target bus.Target `json:"target"`
	After  uint64     `json:"after"`
	Until  uint64     `json:"until"`
}

func partOf(p bus.Part) partBody {
	b := partBody{
		Target: p.Target, End: p.End, EndTime: p.EndTime, Incarnation: p.Incarnation,
		ProducerID: p.ProducerID, Epoch: p.Epoch, BaseSequence: p.BaseSequence,
	}
	for _, s := range p.Sequences {
		if n := len(b.Runs); n > 0 && b.Runs[n-1][0]+b.Runs[n-1][1] == s {
			b.Runs[n-1][1]++
			continue
		}
		b.Runs = append(b.Runs, run{s, 1})
	}
	return b
}

func (b partBody) part() bus.Part {
	p := bus.Part{
		Target: b.Target, End: b.End, EndTime: b.EndTime, Incarnation: b.Incarnation,
		ProducerID: b.ProducerID, Epoch: b.Epoch, BaseSequence: b.BaseSequence,
	}
	for _, r := range b.Runs {
		for s := r[0]; s < r[0]+r[1]; s++ {
			p.Sequences = append(p.Sequences, s)
		}
	}
	return p
}

// last is the highest sequence of the part; a part is never empty.
func (b partBody) last() uint64 {
	r := b.Runs[len(b.Runs)-1]
	return r[0] + r[1] - 1
}

// maxPartSequences bounds what a damaged body could make us allocate; a round
// is far smaller.
const maxPartSequences = 1 << 20

var errPlanBody = errors.New("malformed plan")

func decodePlan(body []byte) (planBody, error) {
	var p planBody
	if err := json.Unmarshal(body, &p); err != nil {
		return planBody{}, fmt.Errorf("%w: %v", errPlanBody, err)
	}
	for _, list := range [][]partBody{p.Parts, p.Carried} {
		for _, part := range list {
			if err := part.check(); err != nil {
				return planBody{}, err
			}
		}
	}
	return p, nil
}

func (b partBody) check() error {
	if b.Target == "" || len(b.Runs) == 0 {
		return fmt.Errorf("%w: part without target or sequences", errPlanBody)
	}
	var total, next uint64
	for _, r := range b.Runs {
		if r[1] == 0 || r[1] > maxPartSequences || r[0] < next || r[0]+r[1] < r[0] {
			return fmt.Errorf("%w: target %s: run %v", errPlanBody, b.Target, r)
		}
		next = r[0] + r[1]
		if total += r[1]; total > maxPartSequences {
			return fmt.Errorf("%w: target %s: more than %d messages", errPlanBody, b.Target, maxPartSequences)
		}
	}
	return nil
}
