package egress

import "iter"

// fifo is a bounded map that forgets what was added first.
type fifo[K comparable, V any] struct {
	max   int
	byKey map[K]V
	order []K // oldest first
}

func newFIFO[K comparable, V any](max int) fifo[K, V] { return fifo[K, V]{max: max, byKey: map[K]V{}} }

func (f *fifo[K, V]) len() int { return len(f.order) }

func (f *fifo[K, V]) get(k K) (V, bool) {
	v, ok := f.byKey[k]
	return v, ok
}

// add puts a value in, unless the key is there.
func (f *fifo[K, V]) add(k K, v V) {
	if _, known := f.byKey[k]; known {
		return
	}
	f.byKey[k] = v
	f.order = append(f.order, k)
	if len(f.order) > f.max {
		delete(f.byKey, f.order[0])
		f.order = f.order[1:]
	}
}

// all gives keys and values, oldest first.
func (f *fifo[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range f.order {
			if !yield(k, f.byKey[k]) {
				return
			}
		}
	}
}
