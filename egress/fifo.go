package egress

import "iter"

// fifo is a bounded map that keeps what came latest in the journal, in
// whatever order it is told.
type fifo[K comparable, V any] struct {
	max   int
	byKey map[K]V
	order []placed[K] // rising positions
}

type placed[K comparable] struct {
	position uint64
	key      K
}

func newFIFO[K comparable, V any](max int) fifo[K, V] { return fifo[K, V]{max: max, byKey: map[K]V{}} }

func (f *fifo[K, V]) len() int { return len(f.order) }

func (f *fifo[K, V]) get(k K) (V, bool) {
	v, ok := f.byKey[k]
	return v, ok
}

// add puts in what an entry at that position says, unless the key is there.
func (f *fifo[K, V]) add(position uint64, k K, v V) {
	if _, known := f.byKey[k]; known {
		return
	}
	f.byKey[k] = v
	f.order = append(f.order, placed[K]{position, k})
	for i := len(f.order) - 1; i > 0 && f.order[i-1].position > position; i-- {
		f.order[i-1], f.order[i] = f.order[i], f.order[i-1]
	}
	if len(f.order) > f.max {
		delete(f.byKey, f.order[0].key)
		f.order = f.order[1:]
	}
}

// all gives positions, keys and values, lowest position first.
func (f *fifo[K, V]) all() iter.Seq2[placed[K], V] {
	return func(yield func(placed[K], V) bool) {
		for _, p := range f.order {
			if !yield(p, f.byKey[p.key]) {
				return
			}
		}
	}
}
