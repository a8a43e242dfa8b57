package ingress

import "github.com/timbridge/timbridge/tim"

// draft is the projection as it will be when the batch under way is on disk.
type draft struct {
	seen   *seen
	hashes map[hash]struct{}
	groups map[tim.GroupID]*group // those that the batch changes
}

func newDraft(s *seen) *draft {
	return &draft{seen: s, hashes: make(map[hash]struct{}), groups: make(map[tim.GroupID]*group)}
}

func (d *draft) reset(s *seen) {
	d.seen = s
	clear(d.hashes)
	clear(d.groups)
}

func (d *draft) hasHash(h hash) bool {
	if _, in := d.hashes[h]; in {
		return true
	}
	return d.seen.hashes.has(h)
}

// group is what will be known of a group, nil for nothing. It must not be changed.
func (d *draft) group(id tim.GroupID) *group {
	if g := d.groups[id]; g != nil {
		return g
	}
	return d.seen.groups[id]
}

// learn takes in what an entry of the batch will teach, as seen.apply will.
func (d *draft) learn(n *note) {
	if n.known {
		d.hashes[n.hash] = struct{}{}
	}
	switch n.what {
	case noteGroup:
		if g := d.own(n.group); g != nil {
			g.add(n.seq, n.at)
		} else {
			d.groups[n.group] = &group{low: n.seq, high: n.seq, topTime: n.at}
		}
	case noteGap:
		if g := d.own(n.group); g != nil {
			g.tell(n.first, n.last)
		}
	case noteDismissed:
		if g := d.own(n.group); g != nil {
			g.ended = n.at
		}
	}
}

// own is a group that the draft may change, nil when nothing is known of it.
func (d *draft) own(id tim.GroupID) *group {
	if g := d.groups[id]; g != nil {
		return g
	}
	g := d.seen.groups[id]
	if g == nil {
		return nil
	}
	g = g.clone()
	d.groups[id] = g
	return g
}
