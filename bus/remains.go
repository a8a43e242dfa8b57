package bus

// Remains finds what is lost of a target that does not have its last part where
// it was stored. It is given what is there of ours, from the target's end
// backwards. Messages were sent in the order of the journal, so that what is
// missing lies after the last one that is not above the part's; what is above
// that was sent before the loss was noticed, and lies behind it.
type Remains struct {
	// Part is the part that was looked for, and Incarnation the target's now.
	// One made anew is searched whole: all that it has came after the loss.
	Part        *Part
	Incarnation string

	last          *Part
	after, before uint64
	found         bool
}

// Back takes our next message, from the target's end backwards, and where the
// target ended before it. It reports whether those before it matter.
func (r *Remains) Back(sequence, end uint64) (more bool) {
	if r.last == nil {
		r.last = &Part{Target: r.Part.Target, Sequences: []uint64{sequence}, End: end, Incarnation: r.Incarnation}
	}
	if final := r.Part.Sequences[len(r.Part.Sequences)-1]; r.Incarnation == r.Part.Incarnation && sequence <= final {
		r.after, r.found = sequence, sequence == final
		return false
	}
	r.before = sequence
	return true
}

// After is our last message that is not above the part's; 0 is none.
func (r *Remains) After() uint64 { return r.after }

// Last is the place of our last message on the target, nil without one.
func (r *Remains) Last() *Part { return r.last }

// Losses is what is lost; none where the part is there after all. Where nothing
// of it is left, floor is the last message that counts as stored nevertheless.
func (r *Remains) Losses(floor uint64) []Loss {
	if r.found {
		return nil
	}
	lost := Loss{Target: r.Part.Target, After: max(r.after, floor), Last: r.last, Anew: r.Incarnation != r.Part.Incarnation}
	if r.before == 0 {
		return []Loss{lost}
	}
	rest := lost
	lost.Until, rest.After = r.before-1, r.last.Sequences[0]
	if lost.After >= lost.Until {
		return []Loss{rest}
	}
	return []Loss{lost, rest}
}
