package egress

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

var (
	t0       = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)
	position = bus.Position{Target: "tim-commands", Offset: 42, Time: t0, Digest: "00ff"}
)

// bodies has one of each, and one with nothing in it.
func bodies() map[string]appender {
	return map[string]appender{
		"accepted": accepted{
			Key: commandKey("s", "1"), Content: 7, At: t0, Position: position, Doubt: true, Again: true,
			Account: "bot", Event: []byte(`{"id":"1"}`), Original: []byte("raw\x00"),
		},
		"accepted, empty": accepted{},
		"read":            read{Key: placeKey(position), Position: position, Public: 2},
		"read, empty":     read{},
		"birth":           birth{At: t0, Mark: []bus.Position{position, {Target: "t", Offset: 1}}},
		"birth, empty":    birth{},
		"repaired":        repaired{First: 3, Last: 9, At: t0, After: []bus.Position{position}, Finished: []key{{1}, {2}}},
		"started":         started{Key: commandKey("s", "1"), Attempt: 3, At: t0, Rand: 12345},
		"started, empty":  started{},
		"finished": finished{
			Key: commandKey("s", "1"), Public: 1, Claim: key{1},
			Sent: sent{Conversation: tim.C2C("bob"), Rand: 5, Cause: mapping.Cause{ID: "1", CorrelationID: "c", TraceParent: "t"}},
		},
		"lost":            lost{Position: position, Count: 7, At: t0, Public: 1},
		"finished, lost":  finished{Key: commandKey("s", "1"), Public: 2, Lost: true},
		"finished, empty": finished{},
	}
}

func TestBodiesComeBack(t *testing.T) {
	for name, want := range bodies() {
		t.Run(name, func(t *testing.T) {
			got, err := decodeBody(want.append(nil))
			if err != nil {
				t.Fatal(err)
			}
			opts := cmp.Options{cmp.AllowUnexported(accepted{}), cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })}
			if diff := cmp.Diff(want, got, opts); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestBodyOfALaterVersion(t *testing.T) {
	if v, err := decodeBody([]byte{bodyVersion, 'Z', 1, 2, 3}); v != nil || err != nil {
		t.Errorf("an unknown entry gives %v, %v; want it passed over", v, err)
	}
	if _, err := decodeBody([]byte{bodyVersion + 1, tagStarted}); err == nil {
		t.Error("a later version is read as if it were known")
	}
}

func TestBodiesCutShortAreErrors(t *testing.T) {
	for name, b := range bodies() {
		whole := b.append(nil)
		for n := range whole {
			if _, err := decodeBody(whole[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are taken for the whole", name, n, len(whole))
			}
		}
		if _, err := decodeBody(append(whole, 0)); err == nil {
			t.Errorf("%s: a byte too many is not noticed", name)
		}
	}
}

func FuzzDecodeBody(f *testing.F) {
	for _, b := range bodies() {
		f.Add(b.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeBody(b)
		if err != nil || v == nil {
			return
		}
		again, err := decodeBody(v.(appender).append(nil))
		if err != nil {
			t.Fatalf("%+v is not read back: %v", v, err)
		}
		if diff := cmp.Diff(v, again, cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })); diff != "" {
			t.Fatal(diff)
		}
	})
}

// small bounds are met quickly.
var small = bounds{horizon: time.Hour, ledger: 10, recent: 3, lost: 2, claims: 2}

func FuzzDecodeState(f *testing.F) {
	s := newState(small)
	f.Add(s.view().encode())
	for i, b := range []any{
		birth{At: t0, Mark: []bus.Position{position}},
		accepted{Key: key{1}, At: t0, Position: position, Account: "bot", Event: []byte("e")},
		started{Key: key{1}, Attempt: 1, At: t0, Rand: 77},
		accepted{Key: key{2}, At: t0, Position: position, Account: "bot"},
		started{Key: key{2}, Attempt: 1, At: t0, Rand: 78},
		finished{Key: key{2}, Public: 2, Lost: true, Claim: key{9}, Sent: sent{Conversation: tim.Group("g"), Rand: 78}},
	} {
		s.apply(uint64(i+1), b)
	}
	f.Add(s.view().encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b, small)
		if err != nil {
			return
		}
		once := s.view().encode()
		again, err := decodeState(once, small)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.view().encode(), once) {
			t.Fatal("a state changes when it is saved and loaded")
		}
	})
}
