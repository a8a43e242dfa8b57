package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// checkChanges: what was modified, recalled and read is told, each once; ids
// being there once each is looked at elsewhere. Of a service that forgets what it
// pushed, only what history does not show may be missing, within the bounds of a
// gap: history shows what was recalled, how a message was last modified, by how many
// it was read, and how far the talk with the bridge was.
func (e *evidence) checkChanges(f *figures, fault faultFunc) {
	last := map[string]deed{} // modifications
	read := map[tim.UserID]deed{}
	receipts := map[string][]deed{}
	for _, d := range e.deeds {
		switch d.Kind {
		case deedModify:
			if before, ok := last[d.ID]; ok {
				e.told(f, before.version(), "a modification of "+d.Mark, "message.modified", before, fault)
			}
			last[d.ID] = d
		case deedRevoke:
			e.told(f, d.ID+revokedSuffix, "the revocation of "+d.Mark, "", d, fault)
		case deedRead:
			e.told(f, d.ID, fmt.Sprintf("%s has read", d.By), "message.read", d, fault)
			read[d.By] = d
		case deedReceipt:
			receipts[d.ID] = append(receipts[d.ID], d)
		}
	}
	for _, d := range last {
		e.told(f, d.version(), "the modification of "+d.Mark, "", d, fault)
	}
	for who, d := range read {
		if until := e.bus.until[who]; until < d.Time {
			fault("%s has read up to %d, and on the bus up to %d", who, d.Time, until)
		}
	}
	for id, list := range receipts {
		f.Changed += len(list)
		f.Missing += max(0, len(list)-e.bus.read[id])
		if told := e.bus.read[id]; told > len(list) || told < e.certain(list, "message.read") {
			fault("%d receipts were sent for message %s, and %d are on the bus", len(list), id, told)
		}
		if n := e.bus.readers[id]; n != len(list) {
			fault("%d have read message %s, and on the bus %d", len(list), id, n)
		}
	}
}

// version is the id of a modification.
func (d deed) version() string { return fmt.Sprintf("%s%s%d", d.ID, modifiedInfix, d.Version) }

// certain is how many of these deeds must have been told.
func (e *evidence) certain(list []deed, kind string) int {
	n := 0
	for _, d := range list {
		if !e.lost(bridgeUser, kind, d.Began, d.At) {
			n++
		}
	}
	return n
}

// told makes sure that an event is there which tells of a deed. Where history
// does not show it, it is of a kind that a gap may admit to be missing.
func (e *evidence) told(f *figures, id, what, kind string, d deed, fault faultFunc) {
	f.Changed++
	if _, ok := e.bus.ids[id]; ok {
		return
	}
	if kind != "" && e.lost(bridgeUser, kind, d.Began, d.At) {
		f.Missing++
		return
	}
	fault("%s, which was answered, is not on the bus (%s at %s)", what, id, d.At.UTC().Format(time.TimeOnly))
}

// kindOf is the kind of the events that tell a fact of a group.
func kindOf(fact string) string {
	_, what, _ := strings.Cut(fact, " ")
	what, _, _ = strings.Cut(what, " ")
	return "group." + what
}

// toldAgain says whether a thing is told again when it is done again, after an
// answer that was lost: there is nothing that it could be known by.
func toldAgain(fact string) bool {
	return strings.Contains(fact, " muted ") || strings.Contains(fact, " join_requested ")
}

// checkTips: what happened in groups is told as often as it happened, where it
// is stored; and every tip that was posted tells what it means.
func (e *evidence) checkTips(f *figures, fault faultFunc) {
	tips, reports := map[string]int{}, map[string][]deed{}
	for _, d := range e.deeds {
		if d.Kind != deedTip {
			continue
		}
		if d.Report {
			reports[d.Fact] = append(reports[d.Fact], d)
		} else {
			tips[d.Fact]++
			f.Tips++
		}
	}
	for _, fact := range slices.Sorted(maps.Keys(tips)) {
		if n, want := e.bus.tips[fact], tips[fact]; n < want || n > want && !toldAgain(fact) {
			fault("%q happened %d times, and is told %d times by tips", fact, want, n)
		}
	}
	for _, fact := range slices.Sorted(maps.Keys(reports)) {
		n, want := e.bus.reports[fact], len(reports[fact])
		f.Missing += max(0, want-n)
		if n > want && !toldAgain(fact) || n < e.certain(reports[fact], kindOf(fact)) {
			fault("%q happened %d times, and is told %d times by reports", fact, want, n)
		}
	}
	for _, p := range e.bus.posts {
		for _, el := range p.Elements {
			if el.Type == "group_tips" && e.bus.tipped[p.id] == 0 {
				fault("the tip %s (%s) means nothing on the bus", p.id, el.said())
			}
		}
	}
}

// checkRebuilt: what a consumer makes of the bus is what the service's history
// says in the end.
func (e *evidence) checkRebuilt(fault faultFunc) {
	final := map[string]deed{}
	for _, d := range e.deeds {
		if d.Kind == deedPost && !isRoom(d.Group) || d.Kind == deedModify {
			final[d.ID] = d
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.history)) {
		want := e.history[id]
		now := e.bus.now[id]
		if now == nil {
			fault("history has %s (%q), and the bus has not", id, want.mark)
			continue
		}
		if d, ok := final[id]; ok && !want.revoked && !slices.Equal(d.Said, want.said) {
			fault("%s says in history %q, and its sender was told %q", id, want.said, d.Said)
		}
		if now.revoked == want.revoked && now.sender == want.sender && (want.revoked || slices.Equal(now.said, want.said)) {
			continue
		}
		fault("%s (%q): a consumer makes of it %q, revoked %t, of %s; history says %q, revoked %t, of %s",
			id, want.mark, now.said, now.revoked, now.sender, want.said, want.revoked, want.sender)
	}
}
