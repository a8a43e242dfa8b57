package sandbox

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/tim"
)

// records is one of each kind.
func records() []record {
	dev := device{Platform: tim.PlatformIOS, ID: "dev"}
	group := groupKey("g")
	return append([]record{
		&createRecord{
			group: "g", typ: tim.GroupPrivate, name: "name", introduction: "intro", notification: "note", faceURL: "url",
			owner: "ann", most: 9, approve: tim.GroupAddAny, members: []newMember{{"ben", tim.RoleAdmin}, {"cid", tim.RoleMember}}, time: 1e18, seed: 42,
		},
		&loginRecord{user: "ben", device: dev, time: 1e18 + 1, kicked: []device{{Platform: tim.PlatformIOS, ID: "old"}}},
		&sendRecord{conv: group, sender: "ann", platform: tim.PlatformMac, time: 1e18 + 2, rand: 7, content: []byte(`{"message_elem_array":[{"elem_type":0,"text_elem_content":"hi"}]}`)},
		&sendRecord{conv: c2cKey("ben", "ann"), sender: "ben", time: 1e18 + 3, rand: 8, online: true, targets: []target{{"ann", 3}}, content: []byte(`{}`)},
		&sendRecord{conv: c2cKey("ben", "ann"), sender: "ben", time: 1e18 + 3, rand: 9, content: []byte(`{}`)},
		&revokeRecord{conv: group, seq: 2, by: "ann", time: 1e18 + 4, reason: "why"},
		&inviteRecord{group: "g", by: "ann", users: []tim.UserID{"dot", "eve"}, userData: "data", time: 1e18 + 5, seed: 43},
		&removeRecord{group: "g", by: "ann", users: []tim.UserID{"cid"}, reason: "why", time: 1e18 + 6, seed: 44},
		&ackRecord{user: "ben", platform: tim.PlatformIOS, runs: []run{{1, 2}, {4, 4}}},
		&logoutRecord{user: "ben", device: dev},
		&kickRecord{user: "ben", device: device{Any: true}},
		&kickRecord{user: "ben", device: device{Any: true}, clear: true},
		&expireRecord{user: "ben", before: 1e9},
		&dismissRecord{group: "g", by: "ann", time: 1e18 + 7, seed: 45},
	}, append(groupRecords(), talkRecords()...)...)
}

func TestRecordsAreReadAsWritten(t *testing.T) {
	ops := map[byte]bool{}
	for _, r := range records() {
		ops[r.op()] = true
		got, err := decodeRecord(encodeRecord(r))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%T: %+v, %v, want %+v", r, got, err, r)
		}
	}
	for kind := opSend; kind <= opMediaGone; kind++ {
		known := kind <= opAck && kind != opCreate || kind >= opGroupCreate && kind <= opGroupNotice || kind >= opModify
		if known && !ops[kind] {
			t.Errorf("the kind %d is not tested", kind)
		}
	}
}

func TestRecordsThatAreNotUnderstood(t *testing.T) {
	good := encodeRecord(records()[0])
	for name, b := range map[string][]byte{
		"empty":          nil,
		"a newer one":    append([]byte{recordVersion + 1}, good[1:]...),
		"unknown":        {recordVersion, 99},
		"cut short":      good[:len(good)-1],
		"with a rest":    append(bytes.Clone(good), 0),
		"a long list":    {recordVersion, opAck, 0, 0, 255, 255, 255, 255, 15},
		"a long string":  {recordVersion, opExpire, 255, 255, 3},
		"a bad platform": {recordVersion, opAck, 0, 99, 0},
		"a bad bool":     {recordVersion, opLogout, 0, 0, 0, 7},
	} {
		if r, err := decodeRecord(b); err == nil {
			t.Errorf("%s: is read as %+v", name, r)
		}
	}
}

// snapshotOf makes a snapshot of a state.
func snapshotOf(st *state, position uint64) journal.Snapshot {
	w := newSnapshotWriter(st)
	rest, groups, talk := w.state(), w.groups(), w.talk()
	return journal.Snapshot{Position: position, Sections: []journal.Section{
		{Name: sectionMessages, Body: w.messages()}, {Name: sectionState, Body: rest}, {Name: sectionGroups, Body: groups},
		{Name: sectionTalk, Body: talk},
	}}
}

// TestSnapshotAnywhere takes a snapshot after every record, and goes on from it.
func TestSnapshotAnywhere(t *testing.T) {
	list := records()
	limits := Limits{}.withDefaults()
	whole := newState(limits)
	for i, r := range list {
		whole.apply(uint64(i)+1, r)
	}
	for n := range list {
		st := newState(limits)
		for i, r := range list[:n] {
			st.apply(uint64(i)+1, r)
		}
		st, err := decodeSnapshot(snapshotOf(st, uint64(n)), limits)
		if err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		for i, r := range list[n:] {
			st.apply(uint64(n+i)+1, r)
		}
		if got, want := st.dump(), whole.dump(); got != want {
			t.Fatalf("after a snapshot at %d the state is\n%s\nwant\n%s", n, got, want)
		}
	}
}

// TestRecordsWithoutWhatWentBefore is about a journal that lost a stretch.
func TestRecordsWithoutWhatWentBefore(t *testing.T) {
	list := records()
	for skip := range list {
		for upTo := skip + 1; upTo <= len(list); upTo++ {
			st := newState(Limits{}.withDefaults())
			for i, r := range list {
				if i < skip || i >= upTo {
					st.apply(uint64(i)+1, r)
				}
			}
			if _, err := decodeSnapshot(snapshotOf(st, 1), st.limits); err != nil {
				t.Errorf("without %d to %d: %v", skip, upTo, err)
			}
		}
	}
}

// FuzzRecords reads any bytes as records, applies what can be read, and checks
// that a snapshot of that is the same.
func FuzzRecords(f *testing.F) {
	var all []byte
	for _, r := range records() {
		b := encodeRecord(r)
		f.Add(b)
		all = append(append(all, byte(len(b))), b...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, data []byte) {
		st := newState(Limits{HistoryMessages: 8, Reports: 8}.withDefaults())
		for n := uint64(1); len(data) > 0; n++ {
			size := min(int(data[0]), len(data)-1)
			b := data[1 : 1+size]
			data = data[1+size:]
			r, err := decodeRecord(b)
			if err != nil {
				continue
			}
			if again, err := decodeRecord(encodeRecord(r)); err != nil || !reflect.DeepEqual(again, r) {
				t.Fatalf("%+v is read back as %+v, %v", r, again, err)
			}
			st.apply(n, r)
		}
		back, err := decodeSnapshot(snapshotOf(st, 1), st.limits)
		if err != nil {
			t.Fatalf("the snapshot: %v", err)
		}
		if got, want := back.dump(), st.dump(); got != want {
			t.Fatalf("the snapshot gives\n%s\nwant\n%s", got, want)
		}
	})
}

// FuzzSnapshot reads any bytes as a snapshot.
func FuzzSnapshot(f *testing.F) {
	st := newState(Limits{}.withDefaults())
	for i, r := range records() {
		st.apply(uint64(i)+1, r)
		snap := snapshotOf(st, uint64(i)+1)
		f.Add(snap.Sections[0].Body, snap.Sections[1].Body, snap.Sections[2].Body, snap.Sections[3].Body)
	}
	f.Fuzz(func(t *testing.T, messages, rest, groups, talk []byte) {
		_, _ = decodeSnapshot(journal.Snapshot{Position: 1, Sections: []journal.Section{
			{Name: sectionMessages, Body: messages}, {Name: sectionState, Body: rest}, {Name: sectionGroups, Body: groups},
			{Name: sectionTalk, Body: talk},
		}}, Limits{}.withDefaults())
	})
}

// FuzzFaults reads any bytes as what the control endpoint takes.
func FuzzFaults(f *testing.F) {
	f.Add(`{"call":"send","account":"bob","do":"error","count":1,"code":20005,"effect":"not_done","delay":"1s"}`)
	f.Add(`[{"do":"drop_after"}]`)
	f.Add(`[null,{}]`)
	f.Fuzz(func(t *testing.T, body string) {
		faults, err := parseFaults(strings.NewReader(body))
		if err != nil {
			return
		}
		for _, fault := range faults {
			b, err := fault.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := parseFaults(bytes.NewReader(b))
			if err != nil || len(again) != 1 || again[0] != fault {
				t.Fatalf("%s is read back as %+v, %v", b, again, err)
			}
		}
	})
}
