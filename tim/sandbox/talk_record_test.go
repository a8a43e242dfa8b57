package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// talkRecords has one of each kind in talk_record.go and media.go, each with
// something to do.
func talkRecords() []record {
	talk := c2cKey("ben", "ann")
	file := func(id mediaID, digit string, size int64) mediaFile {
		return mediaFile{id: id, sum: strings.Repeat(digit, 64), name: "n.png", owner: "ben", size: size, time: 2e18, width: 4, height: 5}
	}
	return []record{
		&sendRecord{
			conv: talk, sender: "ben", time: 2e18, rand: 10, flags: flagReceipt | flagMedia,
			content: []byte(`{"message_elem_array":[{"elem_type":4,"file_elem_file_id":"F"}]}`),
		},
		&sendRecord{conv: talk, sender: "ann", time: 2e18 + 1, rand: 11, flags: flagAt, content: []byte(`{"message_elem_array":[]}`)},
		&receiptsRecord{user: "ann", conv: talk, seqs: []uint64{2}, time: 2e18 + 2, until: 2e9},
		&modifyRecord{conv: talk, seq: 2, time: 2e18 + 3, flags: flagMedia, content: []byte(`{"message_elem_array":[{"elem_type":4,"file_elem_file_id":"G"}]}`)},
		&readRecord{user: "ann", conv: talk, seq: 2, time: 2e18 + 4, until: 2e9},
		&eraseRecord{user: "ben", conv: talk, seqs: []uint64{3}, upTo: 1, time: 2e18 + 5},
		&eraseRecord{user: "ann", conv: talk, upTo: 3, unlist: true, time: 2e18 + 6},
		&profileRecord{user: "ben", time: 2e18 + 7, content: []byte(`{"user_profile_identifier":"ben","user_profile_nick_name":"Ben"}`)},
		&mediaRecord{file("F", "a", 7)},
		&mediaRecord{file("G", "a", 7)},
		&mediaRecord{file("H", "b", 8)},
		&renditionsRecord{"G", picture{formatPNG, 4, 5}, file("T", "c", 2), file("G", "a", 7)},
		&mediaGoneRecord{ids: []mediaID{"H", "F"}},
	}
}

// dumpTalk writes what talkRecords change.
func (st *state) dumpTalk() string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(st.accounts)) {
		a := st.accounts[id]
		var places []string
		for c, p := range a.places {
			places = append(places, fmt.Sprint(c.key, p.read, p.cleared, slices.Sorted(maps.Keys(p.erased))))
		}
		slices.Sort(places)
		fmt.Fprintf(&b, "places of %s %v\n", id, places)
		if a.profile != nil {
			fmt.Fprintf(&b, "profile of %s %s\n", id, a.profile.NickName)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(st.files)) {
		m := st.files[id]
		fmt.Fprintf(&b, "file %+v %+v %+v", m.mediaFile, m.thumb, m.large)
		if m.pic != nil {
			fmt.Fprintf(&b, " %+v", *m.pic)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "files have %d bytes, contents %v\n", st.library.bytes, st.refs)
	return b.String()
}

// dumpChanges writes what came to a message after it was sent.
func (m *message) dumpChanges() string {
	if m.receipt == nil {
		return fmt.Sprint(" v", m.version)
	}
	readers := slices.Sorted(maps.Keys(m.receipt.readers))
	return fmt.Sprint(" v", m.version, " read by ", readers, " of ", m.receipt.of)
}
