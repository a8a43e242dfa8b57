package egress

// randoms gives every send its random: a walk through all 32-bit numbers in an
// order of the journal's own, so that no two sends of four billion have the
// same. The IM service takes a second message with a random it has seen within
// minutes for a repeat, and drops it without a word; numbers drawn by lot
// would meet that fate every few minutes under load.
type randoms struct {
	salt uint32
	next uint32 // step of the walk
}

// at is the number at a step. Each operation can be undone, so different steps
// give different numbers.
func (r *randoms) at(step uint32) uint32 {
	x := step*0x9e3779b9 ^ r.salt
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	x ^= x >> 16
	return x
}

// step is the step at which number x comes.
func (r *randoms) step(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x7ed1b41d // inverse of 0xc2b2ae35
	x ^= x>>13 ^ x>>26
	x *= 0xa5cb9243 // inverse of 0x85ebca6b
	x ^= x >> 16
	return (x ^ r.salt) * 0x144cbc89 // inverse of 0x9e3779b9
}

// draw gives the next number; never 0, which stands for none.
func (r *randoms) draw() uint32 {
	for {
		x := r.at(r.next)
		r.next++
		if x != 0 {
			return x
		}
	}
}

// used notes a number that the journal says was given out, so that the walk
// goes on behind it.
func (r *randoms) used(x uint32) {
	if after := r.step(x) + 1; int32(after-r.next) > 0 {
		r.next = after
	}
}
