package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// checkChanges: what was modified, recalled and read is told, each once; ids
// being there once each is looked at elsewhere. A service that forgets what it
// pushed may have told what happened while the bridge was dead to nobody.
func (e *evidence) checkChanges(f *figures, fault faultFunc) {
	last := map[string]deed{} // modifications
	receipts := map[string][]time.Time{}
	for _, d := range e.deeds {
		switch d.Kind {
		case deedModify:
			last[d.ID] = d
		case deedRevoke:
			e.told(f, d.ID+revokedSuffix, "the revocation of "+d.Mark, d.At, fault)
		case deedRead:
			e.told(f, d.ID, fmt.Sprintf("%s has read", d.By), d.At, fault)
		case deedReceipt:
			receipts[d.ID] = append(receipts[d.ID], d.At)
		}
	}
	for _, d := range last {
		e.told(f, fmt.Sprintf("%s%s%d", d.ID, modifiedInfix, d.Version), "the modification of "+d.Mark, d.At, fault)
	}
	for id, when := range receipts {
		f.Changed += len(when)
		f.Missing += max(0, len(when)-e.bus.read[id])
		if told := e.bus.read[id]; told > len(when) || told < e.certain(when) {
			fault("%d receipts were sent for message %s, and %d are on the bus", len(when), id, told)
		}
	}
}

// certain is how many of the things done at these times must have been told.
func (e *evidence) certain(when []time.Time) int {
	n := 0
	for _, at := range when {
		if !e.lost(at) {
			n++
		}
	}
	return n
}

// told makes sure that an event is there which reports alone tell of.
func (e *evidence) told(f *figures, id, what string, at time.Time, fault faultFunc) {
	f.Changed++
	if _, ok := e.bus.ids[id]; ok {
		return
	}
	if e.lost(at) {
		f.Missing++
		return
	}
	fault("%s, which was answered, is not on the bus (%s at %s)", what, id, at.UTC().Format(time.TimeOnly))
}

// toldAgain says whether a thing is told again when it is done again, after an
// answer that was lost: there is nothing that it could be known by.
func toldAgain(fact string) bool {
	return strings.Contains(fact, " muted ") || strings.Contains(fact, " join_requested ")
}

// checkTips: what happened in groups is told as often as it happened, where it
// is stored; and every tip that was posted tells what it means.
func (e *evidence) checkTips(f *figures, fault faultFunc) {
	tips, reports := map[string]int{}, map[string][]time.Time{}
	for _, d := range e.deeds {
		if d.Kind != deedTip {
			continue
		}
		if d.Report {
			reports[d.Fact] = append(reports[d.Fact], d.At)
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
		if n > want && !toldAgain(fact) || n < e.certain(reports[fact]) {
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
func (e *evidence) checkRebuilt(f *figures, fault faultFunc) {
	changed := map[string][]time.Time{}
	for _, d := range e.deeds {
		if d.Kind == deedModify || d.Kind == deedRevoke {
			changed[d.ID] = append(changed[d.ID], d.At)
		}
	}
	for _, c := range e.taken {
		if c.verb == "message.modify" || c.verb == "message.revoke" {
			changed[c.what] = append(changed[c.what], e.recorded(c.id))
		}
	}
	final := map[string]deed{}
	for _, d := range e.deeds {
		if d.Kind == deedPost && d.Group != liveRoom || d.Kind == deedModify {
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
		if slices.ContainsFunc(changed[id], e.lost) {
			f.Missing++
			continue
		}
		fault("%s (%q): a consumer makes of it %q, revoked %t, of %s; history says %q, revoked %t, of %s",
			id, want.mark, now.said, now.revoked, now.sender, want.said, want.revoked, want.sender)
	}
}
