package ingress

import "slices"

// group is what is known of a group by its sequence. Everything from low to
// high is journaled, save what lies in gaps; of what is below low nothing is
// known.
type group struct {
	low, high uint64
	gaps      []gap // rising, apart from each other, between low and high
	topTime   int64 // the service's time of the message at high, in seconds
	at        int64 // when the newest was journaled, in seconds: the oldest groups are forgotten first
	ended     int64 // the service's time at which the group was dismissed, 0 while it was not
}

// gap is a stretch of sequences that are not journaled.
type gap struct {
	first, last uint64
	told        bool // account.gap_detected was journaled for it: history does not have it
}

// maxGaps bounds the gaps of one group. Beyond it the oldest goes, and what is
// below it counts as unknown.
const maxGaps = 256

// place is where a sequence lies in what is known of a group.
type place uint8

const (
	placeStart place = iota // nothing is known of the group: it starts here
	placeNext               // it follows the highest one
	placeAhead              // something before it is missing
	placeGap                // it fills a gap
	placeBelow              // it is older than everything known of the group
	placeSeen               // it is journaled
)

// placeOf places a message. A group that was dismissed and made again counts
// from 1 again: what is newer than the end of the old one starts a new one.
func (g *group) placeOf(seq uint64, at int64) place {
	switch {
	case g == nil || g.reborn(seq, at):
		return placeStart
	case seq == g.high+1:
		return placeNext
	case seq > g.high:
		return placeAhead
	case seq < g.low:
		return placeBelow
	}
	if i, in := g.find(seq); in {
		_ = i
		return placeGap
	}
	return placeSeen
}

func (g *group) reborn(seq uint64, at int64) bool {
	return g.ended != 0 && seq <= g.high && at >= g.ended && at > g.topTime
}

// find returns the first gap that ends at seq or later, and whether seq lies in it.
func (g *group) find(seq uint64) (int, bool) {
	i, _ := slices.BinarySearchFunc(g.gaps, seq, func(x gap, seq uint64) int {
		if x.last < seq {
			return -1
		}
		return 1
	})
	return i, i < len(g.gaps) && g.gaps[i].first <= seq
}

// add learns that the message with seq is journaled. g must be known.
func (g *group) add(seq uint64, at int64) {
	switch g.placeOf(seq, at) {
	case placeStart:
		*g = group{low: seq, high: seq, topTime: at, at: g.at}
	case placeNext:
		g.high, g.topTime = seq, at
	case placeAhead:
		g.gaps = append(g.gaps, gap{first: g.high + 1, last: seq - 1})
		g.high, g.topTime = seq, at
	case placeBelow:
		if seq+1 < g.low {
			// What lies between was said before the group was known: nobody misses it.
			g.gaps = slices.Insert(g.gaps, 0, gap{first: seq + 1, last: g.low - 1, told: true})
		}
		g.low = seq
	case placeGap:
		i, _ := g.find(seq)
		x := g.gaps[i]
		switch {
		case x.first == x.last:
			g.gaps = slices.Delete(g.gaps, i, i+1)
		case seq == x.first:
			g.gaps[i].first++
		case seq == x.last:
			g.gaps[i].last--
		default:
			g.gaps[i].last = seq - 1
			g.gaps = slices.Insert(g.gaps, i+1, gap{first: seq + 1, last: x.last, told: x.told})
		}
	}
	if len(g.gaps) > maxGaps {
		g.low = g.gaps[0].last + 1
		g.gaps = slices.Delete(g.gaps, 0, 1)
	}
}

// tell learns that first to last was told as a gap. g must be known.
func (g *group) tell(first, last uint64) {
	if last < first {
		return
	}
	var out []gap
	for _, x := range g.gaps {
		if x.told || x.last < first || last < x.first {
			out = append(out, x)
			continue
		}
		if x.first < first {
			out = append(out, gap{first: x.first, last: first - 1})
		}
		out = append(out, gap{first: max(first, x.first), last: min(last, x.last), told: true})
		if last < x.last {
			out = append(out, gap{first: last + 1, last: x.last})
		}
	}
	g.gaps = out
	if last > g.high {
		if first > g.high+1 {
			g.gaps = append(g.gaps, gap{first: g.high + 1, last: first - 1})
			g.high = first - 1
		}
		g.gaps = append(g.gaps, gap{first: g.high + 1, last: last, told: true})
		g.high = last
	}
	for len(g.gaps) > maxGaps {
		g.low = g.gaps[0].last + 1
		g.gaps = slices.Delete(g.gaps, 0, 1)
	}
}

// missing returns the lowest sequence that was never told to be unreadable and
// is not journaled, and true if it lies below high.
func (g *group) missing() (uint64, bool) {
	for _, x := range g.gaps {
		if !x.told {
			return x.first, true
		}
	}
	return g.high + 1, false
}

func (g *group) clone() *group {
	c := *g
	c.gaps = slices.Clone(g.gaps)
	return &c
}
