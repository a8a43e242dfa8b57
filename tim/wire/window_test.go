package wire

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/tim"
)

// TestWindowAndReceiptsAgree runs the two ends of the acknowledgement against
// each other over connections that break and drop what is under way: every
// report is handed over once, in order; it is acknowledged at the driver once,
// only after its Ack, and in the end if it was.
func TestWindowAndReceiptsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 8
		w := newWindow(size, math.MaxInt)
		r := &receipts{max: size, notify: func() {}}
		acked := make(map[uint64]int) // at the driver
		var handed []*ticket
		said := make(map[uint64]bool)
		var down, up [][]byte // frames under way
		limit := func() int { return rapid.IntRange(1, 600).Draw(t, "limit") }
		takeDown := func() {
			for _, line := range lines(t, down) {
				one, err := r.arrived(line.n)
				if err != nil {
					t.Fatal(err)
				}
				if one == nil {
					t.Fatalf("report %d came again on one session", line.n)
				}
				if n := len(handed); n > 0 && handed[n-1].n+1 != one.n {
					t.Fatalf("%d after %d", one.n, handed[n-1].n)
				}
				handed = append(handed, one)
			}
			down = nil
		}
		takeUp := func() {
			for _, line := range lines(t, up) {
				for _, ack := range w.acknowledge(line.upto, line.also) {
					ack()
				}
			}
			up = nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"report": func(*rapid.T) {
				if !w.full() {
					n := w.last + 1
					w.push(&entry{event: []byte("{}"), ack: func() { acked[n]++ }})
				}
			},
			"write down": func(*rapid.T) { down = append(down, w.gather(nil, limit())) },
			"take down":  func(*rapid.T) { takeDown() },
			"ack": func(t *rapid.T) {
				if len(handed) > 0 {
					from := max(0, len(handed)-2*size)
					one := handed[rapid.IntRange(from, len(handed)-1).Draw(t, "which")]
					one.ack()
					said[one.n] = true
				}
			},
			"write up": func(*rapid.T) { up = append(up, r.gather(nil, limit())) },
			"take up":  func(*rapid.T) { takeUp() },
			"break": func(*rapid.T) {
				down, up = nil, nil
				w.rewind(r.last())
				r.again()
			},
			"": func(t *rapid.T) {
				for n, times := range acked {
					if times != 1 || !said[n] {
						t.Fatalf("report %d: acknowledged %d times, said: %v", n, times, said[n])
					}
				}
				if len(w.entries) > size || r.open > size || len(r.told) > 2*size {
					t.Fatalf("%d kept, %d open, %d told", len(w.entries), r.open, len(r.told))
				}
			},
		})
		// When the connection holds, everything gets through.
		down, up = nil, nil
		w.rewind(r.last())
		r.again()
		for range 10 * size {
			down = append(down, w.gather(nil, 600))
			takeDown()
			up = append(up, r.gather(nil, 600))
			takeUp()
		}
		if int(w.last) != len(handed) || len(acked) != len(said) {
			t.Fatalf("%d of %d handed over, %d of %d acknowledged", len(handed), w.last, len(acked), len(said))
		}
		if len(w.entries) != len(handed)-len(said) || w.bytes != 2*len(w.entries) {
			t.Fatalf("%d kept with %d bytes, %d handed over, %d acknowledged", len(w.entries), w.bytes, len(handed), len(said))
		}
	})
}

// lines parses frames that were written.
func lines(t *rapid.T, written [][]byte) []frame {
	var frames []frame
	for _, b := range written {
		for len(b) > 0 {
			end := 0
			for b[end] != '\n' {
				end++
			}
			f, err := parseFrame(b[:end])
			if err != nil {
				t.Fatalf("%s: %v", b[:end], err)
			}
			frames = append(frames, f)
			b = b[end+1:]
		}
	}
	return frames
}

func TestWindowBounds(t *testing.T) {
	w := newWindow(10, 100)
	for i := range 3 {
		if w.full() {
			t.Fatalf("full at %d", i)
		}
		w.push(&entry{event: make([]byte, 40)})
	}
	if !w.full() {
		t.Error("not full with 120 of 100 bytes")
	}
	if got := w.gather(nil, 150); len(got) == 0 || w.next == nil || w.next.n != 2 {
		t.Errorf("gathered %d bytes up to %+v", len(got), w.next)
	}
	w.acknowledge(0, []span{{2, math.MaxUint64}})
	if w.full() || len(w.entries) != 1 || w.next != nil || w.head != w.tail {
		t.Errorf("after a wide span: %+v", w)
	}
	w.clear()
	w.push(&entry{})
	if w.last != 4 || w.next.n != 4 {
		t.Errorf("after clear: %+v", w)
	}
}

func TestReceiptsRefuseTooMany(t *testing.T) {
	r := &receipts{max: 2, notify: func() {}}
	for n := uint64(1); n <= 2; n++ {
		if _, err := r.arrived(n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.arrived(3); !errors.Is(err, errFrame) {
		t.Errorf("got %v", err)
	}
	if one, err := r.arrived(2); one != nil || err != nil {
		t.Errorf("a second time: %v, %v", one, err)
	}
}

// TestInboxKeepsItsMemory: a stream that never runs dry does not grow the inbox.
func TestInboxKeepsItsMemory(t *testing.T) {
	b := newInbox()
	step := make(chan struct{})
	b.listen(func(tim.Report) { step <- struct{}{} })
	done := make(chan struct{})
	go func() { defer close(done); b.run() }()
	for range 100 {
		b.put(item{local: tim.KickedOffline{}})
	}
	for range 100000 {
		b.put(item{local: tim.KickedOffline{}})
		<-step
	}
	b.mu.Lock()
	size := cap(b.items)
	b.mu.Unlock()
	if size > 1000 {
		t.Errorf("grown to %d", size)
	}
	b.close()
	select {
	case <-step:
	case <-done:
	}
	<-done
}

func TestUndecodableEventGoesOn(t *testing.T) {
	u, ok := decodeEvent([]byte(`{"callback":`)).(tim.Unrecognized)
	if !ok || len(u.Raw) == 0 {
		t.Errorf("got %#v", u)
	}
}

func TestCloseReasonFits(t *testing.T) {
	long := fmt.Errorf("%0200d é", 1)
	if got := closeReason(long); len(got) > 123 {
		t.Errorf("%d bytes", len(got))
	}
	if got := closeReason(errors.New("short")); got != "short" {
		t.Errorf("got %q", got)
	}
}
