package egress

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// ledgerModel is the ledger as one would write it without minding the cost.
type ledgerModel struct {
	records       []record
	newest, floor int64
}

func (m *ledgerModel) find(k key) (uint64, bool) {
	for _, r := range m.records {
		if r.key == k {
			return r.content, true
		}
	}
	return 0, false
}

func (m *ledgerModel) add(r record, horizon time.Duration, most int) bool {
	if _, known := m.find(r.key); known {
		return false
	}
	m.records = append(m.records, r)
	m.newest = max(m.newest, r.time)
	m.floor = max(m.floor, m.newest-int64(horizon))
	for len(m.records) > 1 && (len(m.records) > most || m.records[0].time < m.floor) {
		if len(m.records) > most {
			m.floor = max(m.floor, m.records[0].time+1)
		}
		m.records = m.records[1:]
	}
	return true
}

func TestLedgerAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		horizon := time.Duration(rapid.IntRange(1, 500).Draw(t, "horizon"))
		most := rapid.IntRange(2, 6000).Draw(t, "max")
		l := newLedger(horizon, most)
		// Serials wrap around, and keys share their slots.
		l.first = rapid.SampledFrom([]uint32{0, taken - 20, taken - 3000}).Draw(t, "first")
		m := &ledgerModel{}
		draw := func() key {
			var k key
			k[0], k[1] = byte(rapid.IntRange(0, 3).Draw(t, "slot")), byte(rapid.IntRange(0, 3).Draw(t, "slot2"))
			k[8], k[9] = byte(rapid.IntRange(0, 255).Draw(t, "k")), byte(rapid.IntRange(0, 40).Draw(t, "k2"))
			return k
		}
		now := int64(1000)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now += int64(rapid.IntRange(-3, 6).Draw(t, "dt"))
			r := record{key: draw(), content: rapid.Uint64().Draw(t, "content"), time: now}
			if got, want := l.add(r), m.add(r, horizon, most); got != want {
				t.Fatalf("add: %v, want %v", got, want)
			}
		}
		if rapid.Bool().Draw(t, "saved") {
			l = reload(t, l, horizon, most)
		}
		if l.count != len(m.records) || l.floor != m.floor || l.newest != m.newest {
			t.Fatalf("count %d floor %d newest %d, want %d %d %d", l.count, l.floor, l.newest, len(m.records), m.floor, m.newest)
		}
		for i, want := range m.records {
			if got := *l.at((l.first + uint32(i)) &^ taken); got != want {
				t.Fatalf("record %d: %+v, want %+v", i, got, want)
			}
			if content, known := l.find(want.key); !known || content != want.content {
				t.Fatalf("find %v: %d %v", want.key, content, known)
			}
		}
		for range 20 {
			k := draw()
			_, got := l.find(k)
			if _, want := m.find(k); got != want {
				t.Fatalf("find %v: %v, want %v", k, got, want)
			}
		}
	})
}

func reload(t interface{ Fatalf(string, ...any) }, l *ledger, horizon time.Duration, most int) *ledger {
	d := &decoder{rest: l.view().append(nil)}
	again := newLedger(horizon, most)
	again.read(d)
	if d.err != nil || len(d.rest) > 0 {
		t.Fatalf("%v, %d bytes left", d.err, len(d.rest))
	}
	return again
}

func TestLedgerViewIsOfOneMoment(t *testing.T) {
	l := newLedger(time.Hour, 3*chunkRecords)
	add := func(from, to int) {
		for i := from; i < to; i++ {
			l.add(record{key: hashKey("k", string(rune(i))), time: int64(i)})
		}
	}
	for _, n := range []int{1, chunkRecords - 1, chunkRecords, chunkRecords + 1, 3 * chunkRecords, 4*chunkRecords + 17} {
		add(l.count+int(l.evicted), n)
		v := l.view()
		want := v.append(nil)
		if len(want) != v.size() {
			t.Fatalf("%d records: %d bytes, said %d", n, len(want), v.size())
		}
		before := l.count
		add(n, n+50)
		if !slices.Equal(v.append(nil), want) {
			t.Fatalf("%d records: the view changed with the ledger", n)
		}
		again := reload(t, l, time.Hour, 3*chunkRecords)
		if again.count != l.count || l.count < before {
			t.Fatalf("%d records, %d after a restart", l.count, again.count)
		}
	}
}

func TestLedgerHorizonLeft(t *testing.T) {
	l := newLedger(time.Hour, 2)
	if got := l.horizonLeft(); got != time.Hour {
		t.Fatalf("empty: %s", got)
	}
	base := time.Unix(1_700_000_000, 0)
	for i := range 3 {
		l.add(record{key: key{byte(i)}, time: base.Add(time.Duration(i) * time.Minute).UnixNano()})
	}
	if got := l.horizonLeft(); got > 2*time.Minute || got < time.Minute {
		t.Fatalf("with room for the last two minutes: %s", got)
	}
}

func BenchmarkLedgerAdd(b *testing.B) {
	l := newLedger(7*24*time.Hour, 4_000_000)
	keys := make([]key, 1<<20)
	for i := range keys {
		keys[i] = hashKey("k", string(rune(i)))
	}
	b.ResetTimer()
	for i := range b.N {
		k := keys[i&(1<<20-1)]
		k[15], k[14] = byte(i>>20), byte(i>>28)
		k[0] ^= byte(i >> 20)
		l.add(record{key: k, time: int64(i)})
	}
}

// What is forgotten for its age is forgotten in time; what had to make room is not.
func TestLedgerCountsWhatHadToMakeRoom(t *testing.T) {
	for name, c := range map[string]struct {
		max  int
		want uint64
	}{
		"of age":       {max: 100, want: 0},
		"for its room": {max: 4, want: 16},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(10*time.Nanosecond, c.max)
			for i := range 20 {
				l.add(record{key: hashKey("k", string(rune(i))), time: int64(i)})
			}
			if l.crowded != c.want || l.evicted == 0 {
				t.Errorf("%d of %d had to make room, not %d", l.crowded, l.evicted, c.want)
			}
		})
	}
}
