package egress

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRandomsNeverRepeatAndGoOnAfterARestart(t *testing.T) {
	r := randoms{salt: 12345, next: 1<<32 - 500} // wraps around on the way
	seen := map[uint32]bool{}
	var issued []uint32
	for range 1000 {
		x := r.draw()
		if x == 0 || seen[x] {
			t.Fatalf("%d is 0 or came before", x)
		}
		seen[x] = true
		issued = append(issued, x)
	}
	again := randoms{salt: 12345, next: 1<<32 - 500}
	for i := len(issued) - 1; i >= 0; i-- { // in any order
		again.used(issued[i])
	}
	if again.next != r.next {
		t.Fatalf("after a restart at step %d, want %d", again.next, r.next)
	}
}

func TestRandomsStepIsTheInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := randoms{salt: rapid.Uint32().Draw(t, "salt")}
		n := rapid.Uint32().Draw(t, "step")
		if got := r.step(r.at(n)); got != n {
			t.Fatalf("step(at(%d)) = %d", n, got)
		}
	})
}
