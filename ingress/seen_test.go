package ingress

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

var update = flag.Bool("update", false, "write golden files anew")

func hashOf(n int) hash {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	sum := sha256.Sum256(b[:])
	return hash(sum[:16])
}

func TestHashSetAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s hashSet
		// Serial numbers wrap around somewhere in the run.
		s.first = rapid.SampledFrom([]uint32{0, 1<<31 - 5, 1<<31 - 3000}).Draw(t, "first")
		var model []int
		spread := rapid.SampledFrom([]int{50, 20000}).Draw(t, "spread")
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0, 1:
				from, n := rapid.IntRange(0, spread).Draw(t, "from"), rapid.IntRange(1, 3000).Draw(t, "n")
				for i := from; i < from+n; i++ {
					added := s.add(hashOf(i), int64(i), 5, i%3 == 0)
					if len(model) < 200 && added == slices.Contains(model, i) {
						t.Fatalf("add %d: %v", i, added)
					}
					if added {
						model = append(model, i)
					}
				}
			case 2:
				n := min(len(model), rapid.IntRange(1, 5000).Draw(t, "drop"))
				for range n {
					if got, want := s.oldest().hash, hashOf(model[0]); got != want {
						t.Fatalf("oldest %x, want %x", got, want)
					}
					s.dropOldest()
					model = model[1:]
				}
			}
			if s.count != len(model) {
				t.Fatalf("%d hashes, want %d", s.count, len(model))
			}
		}
		in := map[int]bool{}
		for _, i := range model {
			in[i] = true
			m := s.find(hashOf(i))
			if m == nil || m.told() != (i%3 == 0) || m.time() != int64(i&^1) {
				t.Fatalf("%d: %+v", i, m)
			}
		}
		for i := range 2000 {
			if !in[i] && s.has(hashOf(i)) {
				t.Fatalf("%d is in it", i)
			}
		}
	})
}

func TestGroupAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := uint64(rapid.IntRange(1, 30).Draw(t, "start"))
		g := &group{low: start, high: start}
		seen, told := map[uint64]bool{start: true}, map[uint64]bool{}
		low := start
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "tell") {
				first := uint64(rapid.IntRange(int(low), 60).Draw(t, "first"))
				last := first + uint64(rapid.IntRange(0, 5).Draw(t, "more"))
				g.tell(first, last)
				for i := first; i <= last; i++ {
					told[i] = true
				}
				continue
			}
			seq := uint64(rapid.IntRange(1, 60).Draw(t, "seq"))
			if seq < low {
				for i := seq + 1; i < low; i++ {
					told[i] = true
				}
				low = seq
			}
			g.add(seq, 0)
			seen[seq] = true
		}
		high := uint64(0)
		for i := range seen {
			high = max(high, i)
		}
		for i := range told {
			high = max(high, i)
		}
		if g.low != low || g.high != high {
			t.Fatalf("%+v: want %d to %d", g, low, high)
		}
		missing := high + 1
		for i := low; i <= high; i++ {
			want := placeGap
			if seen[i] {
				want = placeSeen
			} else if !told[i] {
				missing = min(missing, i)
			}
			if got := g.placeOf(i, 0); got != want {
				t.Fatalf("%d is at %d, want %d: %+v", i, got, want, g)
			}
		}
		if got, _ := g.missing(); got != missing {
			t.Fatalf("missing %d, want %d: %+v", got, missing, g)
		}
		if g.placeOf(high+1, 0) != placeNext || g.placeOf(high+2, 0) != placeAhead || low > 1 && g.placeOf(low-1, 0) != placeBelow {
			t.Fatalf("around %+v", g)
		}
		for i := range g.gaps {
			if g.gaps[i].first > g.gaps[i].last || i > 0 && g.gaps[i].first <= g.gaps[i-1].last {
				t.Fatalf("gaps %+v", g.gaps)
			}
		}
	})
}

func TestGroupBoundsItsGaps(t *testing.T) {
	g := &group{low: 1, high: 1}
	for i := uint64(3); i < 3000; i += 2 {
		g.add(i, 0)
	}
	if len(g.gaps) != maxGaps || g.placeOf(2, 0) != placeBelow || g.placeOf(2998, 0) != placeGap {
		t.Errorf("%d gaps from %d to %d", len(g.gaps), g.low, g.high)
	}
}

// noteOfMessage is what a one-to-one message teaches.
func noteOfMessage(i int, at int64) note {
	return note{what: noteHash, known: true, hash: hashOf(i), at: at, talk: hashOf(-1 - i%100), posted: true, told: true}
}

func TestSeenForgetsTheOldestAndSaysSo(t *testing.T) {
	const day = 24 * 3600
	s := newSeen(1000)
	pos := uint64(0)
	learn := func(n note, at int64) {
		pos++
		s.apply(pos, at, &n)
	}
	now := int64(1_800_000_000)
	for i := range 1000 {
		learn(noteOfMessage(i, now), now)
		now += 2
	}
	if s.forgotten != 0 || s.doubtful(now-5000, false) {
		t.Errorf("forgotten %d while there is room", s.forgotten)
	}
	for i := 1000; i < 1100; i++ {
		learn(noteOfMessage(i, now), now)
		now += 2
	}
	if s.hashes.count != 1000 || s.hashes.has(hashOf(99)) || !s.hashes.has(hashOf(100)) {
		t.Errorf("%d hashes", s.hashes.count)
	}
	if at := int64(1_800_000_000 + 99*2); !s.doubtful(at, false) || s.doubtful(at+2, false) || s.doubtful(0, false) {
		t.Errorf("forgotten is %d, want about %d", s.forgotten, at)
	}
	learn(noteOfMessage(5000, now), now+8*day-1200)
	if s.hashes.count < 500 || s.hashes.count > 700 {
		t.Errorf("%d hashes are left after 8 days less 20 minutes", s.hashes.count)
	}
	learn(noteOfMessage(5001, now), now+9*day)
	if s.hashes.count != 2 {
		t.Errorf("%d hashes are left after 9 days", s.hashes.count)
	}

	for i := range 1000 {
		learn(note{what: noteGroup, group: tim.GroupID(fmt.Sprint(i)), seq: 7, at: now}, now+10*day+int64(i))
	}
	if n := len(s.groups); n > 250 || n < 200 || s.groups["999"] == nil || s.groups["0"] != nil || s.groupsForgotten == 0 {
		t.Errorf("%d groups, forgotten %d", n, s.groupsForgotten)
	}
	for i := range 2000 {
		n := noteOfMessage(10000+i, now)
		n.talk = hashOf(1_000_000 + i)
		learn(n, now+11*day)
	}
	if n := len(s.talks); n > 250 || n < 200 {
		t.Errorf("%d talks", n)
	}
	again, err := decodeSeen(s.position, s.view().encode(), 1000)
	if err != nil || !bytes.Equal(again.view().encode(), s.view().encode()) {
		t.Errorf("a snapshot of it differs: %v", err)
	}
}

func TestDamageIsRemembered(t *testing.T) {
	s := newSeen(1000)
	for i := range 3 * maxDamages {
		s.apply(uint64(i+1), 1000, &note{what: noteDamaged, from: int64(500 - i)})
	}
	if from, recheck := s.recheckFrom("a"); !recheck || from != int64(500-3*maxDamages+1) {
		t.Errorf("from %d, %v", from, recheck)
	}
	s.apply(1000, 1000, &note{what: noteProgress, progress: progress{Account: "a", CaughtUp: true}})
	if from, recheck := s.recheckFrom("a"); recheck {
		t.Errorf("from %d after the catch-up", from)
	}
	if _, recheck := s.recheckFrom("b"); !recheck {
		t.Error("not for another account")
	}
}

func TestEveryFactTeachesTheSameFromTheJournal(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	in := New(Config{MaxEntryBytes: 2000}, Deps{App: testApp})
	acct := in.accountOf(bridge)
	o := mapping.Observation{App: testApp, Account: bridge, Number: 12}
	text := func(s string) []tim.Elem { return []tim.Elem{tim.TextElem{Content: s}} }
	long := string(bytes.Repeat([]byte("x"), 3000))
	report := func(r tim.Report) []*unit { return in.translate(acct, r).units }
	received := func(m tim.Message) []*unit {
		return report(tim.Report{Number: 3, Event: tim.MessagesReceived{Messages: []tim.Message{m}}})
	}
	gap, err := mapping.AccountFact(o, mapping.AccountGapDetected{Conversation: tim.Group("a/b c"), FirstSeq: 3, LastSeq: 9}, at)
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := mapping.JournalDamaged(testApp, "id", mapping.Damage{First: 3, Last: 9, From: at}, at)
	if err != nil {
		t.Fatal(err)
	}
	bridges := func(f mapping.Fact) []*unit {
		u := new(unit)
		if err := in.fill(u, []mapping.Fact{f}); err != nil {
			t.Fatal(err)
		}
		return []*unit{u}
	}
	c2c := tim.Message{ConvType: tim.ConvC2C, ConvID: "alice", Sender: "alice", Seq: 5, Rand: 6, ServerTime: 1_800_000_000, Elems: text("hi")}
	own := c2c
	own.Sender, own.IsFromSelf = bridge, true
	revoked := c2c
	revoked.Status = tim.MsgRevoked
	huge := c2c
	huge.Elems = text(long)
	inGroup := tim.Message{ConvType: tim.ConvGroup, ConvID: "a/b c", Sender: "alice", Seq: 5, ServerTime: 1_800_000_000, Elems: text("hi")}
	hugeGroup := inGroup
	hugeGroup.Elems = text(long)
	online := inGroup
	online.Seq, online.Rand, online.IsOnlineMsg = 0, 7, true
	tip := inGroup
	tip.Elems = []tim.Elem{tim.GroupTipsElem{TipType: tim.GroupTipInvite, GroupID: "a/b c", OpUser: "alice", Users: []tim.UserID{"x", "y"}}}
	dismissed := tim.Message{
		ConvType: tim.ConvSystem, Sender: tim.SystemUser, Seq: 2, Rand: 3, ServerTime: 1_800_000_000,
		Elems: []tim.Elem{tim.GroupReportElem{GroupID: "a/b c", ReportType: tim.GroupReportDelete}},
	}
	for name, units := range map[string][]*unit{
		"one-to-one":       received(c2c),
		"own":              received(own),
		"revoked":          received(revoked),
		"huge":             received(huge),
		"group":            received(inGroup),
		"huge in a group":  received(hugeGroup),
		"online":           received(online),
		"tip":              received(tip),
		"dismissed":        received(dismissed),
		"belongs nowhere":  received(tim.Message{Elems: text("hi")}),
		"revocation":       report(tim.Report{Event: tim.MessagesRevoked{Locators: []tim.MsgLocator{c2c.Locator(), inGroup.Locator(), {}}}}),
		"kicked":           report(tim.Report{Event: tim.KickedOffline{}}),
		"kicked, numbered": report(tim.Report{Number: 7, Event: tim.KickedOffline{}}),
		"expired":          report(tim.Report{Event: tim.UserSigExpired{}}),
		"connection":       report(tim.Report{Number: 8, Event: tim.ConnectionChanged{Status: tim.NetworkDisconnected, Code: 6200}}),
		"unrecognized":     report(tim.Report{Event: tim.Unrecognized{Name: "X", Raw: []byte(`{"a":1}`)}}),
		"numbered":         report(tim.Report{Number: 9, Event: tim.Unrecognized{Name: "X", Raw: []byte(`{"a":1}`)}}),
		"gap":              bridges(gap),
		"damaged":          bridges(damaged),
	} {
		t.Run(name, func(t *testing.T) {
			if len(units) == 0 {
				t.Fatal("no unit")
			}
			for _, u := range units {
				for _, f := range u.facts {
					got, err := noteOfEntry(entryOf(f))
					if err != nil {
						t.Fatal(err)
					}
					if got != f.note {
						t.Errorf("the journal teaches\n%+v, the report\n%+v\nof %s", got, f.note, f.body)
					}
				}
			}
		})
	}
}

func TestSnapshotFormat(t *testing.T) {
	s := newSeen(1000)
	for i := range 3 {
		n := noteOfMessage(i, 1_800_000_000)
		s.apply(uint64(i+1), 1_800_000_100, &n)
	}
	s.apply(10, 1_800_000_101, &note{what: noteGroup, group: "team", seq: 4, at: 1_800_000_050})
	s.apply(11, 1_800_000_101, &note{what: noteGroup, group: "team", seq: 9, at: 1_800_000_051})
	s.apply(12, 1_800_000_101, &note{what: noteGap, group: "team", first: 6, last: 7})
	s.apply(13, 1_800_000_101, &note{what: noteDismissed, group: "team", at: 1_800_000_052})
	s.apply(14, 1_800_000_101, &note{what: noteProgress, progress: progress{Account: "bridge", Floor: 1_700_000_000, Through: 1_800_000_000, CaughtUp: true}})
	s.apply(15, 1_800_000_101, &note{what: noteProgress, progress: progress{Account: "new", Floor: 1_700_000_000, Through: 1_700_000_000, Provisional: true}})
	s.apply(16, 1_800_000_101, &note{what: noteDamaged, from: 1_750_000_000})
	before := func(file string) { // what earlier versions have written of the same
		t.Helper()
		if old, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		} else if again, err := decodeSeen(16, old, 1000); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if !bytes.Equal(again.view().encode(), s.view().encode()) {
			t.Errorf("%s reads as something else", file)
		}
	}
	before("testdata/seen-v1.snapshot") // without rooms
	s.apply(17, 1_800_000_102, &note{what: noteHash, room: roomNote{room: room{"bridge", "show"}}})
	before("testdata/seen-v2.snapshot") // without how long accounts were alive
	s.apply(18, 1_800_000_102, &note{what: noteProgress, progress: progress{Account: "new", Floor: 1_700_000_000, Through: 1_700_000_000, Alive: 1_700_000_007}})
	got := s.view().encode()
	const file = "testdata/seen-v3.snapshot"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the format has changed: count snapshotVersion up")
	}
	again, err := decodeSeen(18, want, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.view().encode(), want) {
		t.Error("read and written again it differs")
	}
	if _, err := decodeSeen(16, append([]byte{99}, want[1:]...), 1000); err == nil {
		t.Error("another version was read")
	}
	for i := range want {
		if _, err := decodeSeen(16, want[:i], 1000); err == nil {
			t.Errorf("the first %d bytes of it were read", i)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	for _, file := range []string{"testdata/seen-v1.snapshot", "testdata/seen-v2.snapshot", "testdata/seen-v3.snapshot"} {
		if b, err := os.ReadFile(file); err == nil {
			f.Add(b)
		}
	}
	f.Add(newSeen(10).view().encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSeen(7, b, 1000)
		if err != nil {
			return
		}
		out := s.view().encode()
		again, err := decodeSeen(7, out, 1000)
		if err != nil {
			t.Fatalf("what was written of it cannot be read: %v", err)
		}
		if !bytes.Equal(again.view().encode(), out) {
			t.Fatal("read and written twice it differs")
		}
		// And it can be gone on with.
		for id, g := range s.groups {
			s.apply(8, 1_800_000_000, &note{what: noteGroup, group: id, seq: g.high, at: 5})
			break
		}
		n := noteOfMessage(1, 5)
		s.apply(9, 1_800_000_000, &n)
	})
}
