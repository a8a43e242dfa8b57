package ingress

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// keepHashes is how long a message is remembered one by one. The service keeps
// history for seven days, so nothing older is told again.
const keepHashes = 8 * 24 * time.Hour

// seen is the projection of the journal that ingress decides by: what has been
// recorded, and how far each account has come. It depends on nothing but the
// entries it was given and their order. The appender alone changes it, under
// Ingress.mu.
type seen struct {
	max      int
	position uint64 // everything of ours through here is in it
	now      int64  // when the newest entry was journaled, in seconds

	hashes hashSet
	// forgotten is when the newest of the forgotten was said: whether something
	// said by then was seen cannot be told. 0 when nothing was forgotten.
	forgotten int64

	groups          map[tim.GroupID]*group
	groupsForgotten int64 // as forgotten, of groups

	talks map[hash]talk

	rooms map[room]int64 // when something was last recorded of each

	accounts map[tim.UserID]*accountSeen
	damages  []damage // rising by position
}

// talk is what is known of a one-to-one conversation: that it is known. Beside
// them lies how far something was read (see reader).
type talk struct {
	last int64 // the service's time of its newest message
	at   int64 // when that was journaled
}

// accountSeen is how far an account has come.
type accountSeen struct {
	floor, through int64 // see progress
	alive          int64 // likewise
	provisional    bool
	caught         uint64 // position of the last catch-up that ended well
}

// damage is a stretch that a repair of the journal gave up: what was said from
// then on is read back from history, whatever else is known.
type damage struct {
	position uint64 // of the entry that told it
	from     int64  // the time before it, in seconds; 0 when not known
}

// maxDamages bounds the damages remembered one by one.
const maxDamages = 16

func newSeen(maxSeen int) *seen {
	return &seen{
		max:      maxSeen,
		groups:   make(map[tim.GroupID]*group),
		talks:    make(map[hash]talk),
		rooms:    make(map[room]int64),
		accounts: make(map[tim.UserID]*accountSeen),
	}
}

// apply learns from the entry at position, journaled at that second.
func (s *seen) apply(position uint64, at int64, n *note) {
	if position <= s.position {
		return
	}
	s.position = position
	if n.what == noteNone {
		return
	}
	s.now = max(s.now, at)
	if n.known {
		s.hashes.add(n.hash, s.now, n.at, n.told)
	}
	if r := n.reader; r.far != 0 {
		s.talks[r.key] = talk{last: max(s.talks[r.key].last, r.far), at: s.now}
	}
	if n.posted {
		t := s.talks[n.talk]
		s.talks[n.talk] = talk{last: max(t.last, n.at), at: s.now}
	}
	s.applyRoom(n.room)
	switch n.what {
	case noteGroup:
		g := s.groups[n.group]
		if g == nil {
			g = &group{low: n.seq, high: n.seq, topTime: n.at}
			s.groups[n.group] = g
		} else {
			g.add(n.seq, n.at)
		}
		g.at = s.now
	case noteGap:
		if g := s.groups[n.group]; g != nil {
			g.tell(n.first, n.last)
		}
	case noteDismissed:
		if g := s.groups[n.group]; g != nil {
			g.ended = n.at
		}
	case noteProgress:
		s.applyProgress(position, n.progress)
	case noteDamaged:
		s.damages = append(s.damages, damage{position: position, from: n.from})
		if len(s.damages) > maxDamages {
			s.damages[1].from = min(s.damages[0].from, s.damages[1].from)
			s.damages = slices.Delete(s.damages, 0, 1)
		}
	}
	s.forget()
}

func (s *seen) applyProgress(position uint64, p progress) {
	a := s.accounts[p.Account]
	if a == nil {
		a = new(accountSeen)
		s.accounts[p.Account] = a
	}
	a.floor, a.through, a.provisional = p.Floor, p.Through, p.Provisional
	a.alive = max(a.alive, p.Alive)
	if p.CaughtUp {
		a.caught = position
	}
}

// forget keeps the projection within its bounds, the oldest first.
func (s *seen) forget() {
	for s.hashes.count > 0 {
		oldest := s.hashes.oldest()
		if s.hashes.count <= s.max && s.now-oldest.time() <= int64(keepHashes/time.Second) {
			break
		}
		s.forgotten = max(s.forgotten, int64(oldest.said))
		s.hashes.dropOldest()
	}
	if limit := s.maxGroups(); len(s.groups) > limit {
		ids := make([]tim.GroupID, 0, len(s.groups))
		for id := range s.groups {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b tim.GroupID) int {
			return cmp.Or(cmp.Compare(s.groups[a].at, s.groups[b].at), cmp.Compare(a, b))
		})
		for _, id := range ids[:len(ids)-limit*7/8] {
			s.groupsForgotten = max(s.groupsForgotten, s.groups[id].topTime)
			delete(s.groups, id)
		}
	}
	s.forgetRooms()
	if limit := s.maxGroups(); len(s.talks) > limit {
		keys := make([]hash, 0, len(s.talks))
		for k := range s.talks {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b hash) int {
			return cmp.Or(cmp.Compare(s.talks[a].at, s.talks[b].at), slices.Compare(a[:], b[:]))
		})
		for _, k := range keys[:len(keys)-limit*7/8] {
			delete(s.talks, k)
		}
	}
}

// maxGroups bounds the groups, and the one-to-one conversations, remembered.
func (s *seen) maxGroups() int { return max(8, s.max/4) }

// has says whether what the key names is recorded.
func (s *seen) has(k mapping.Key) bool {
	switch k.Kind {
	case mapping.KeyHash:
		return s.hashes.has(k.Hash)
	case mapping.KeyGroupSeq:
		return s.groups[k.Group].placeOf(k.Seq, k.Time) == placeSeen
	}
	return false
}

// told says whether what the key names is recorded, and was told by another
// account than its sender's: then all that the service told that account of
// the conversation before it is recorded too. What an account of the bridge
// sent is recorded by itself, and says nothing of what was told before it.
func (s *seen) told(k mapping.Key) bool {
	if k.Kind != mapping.KeyHash {
		return s.has(k)
	}
	m := s.hashes.find(k.Hash)
	return m != nil && m.told()
}

// margin is how much earlier than what the account was told last, in seconds of
// the service's time, a message may have been said that it was not told:
// messages of different conversations overtake each other by no more than that.
const margin = 60

// stopOf is the service's time before which everything the account was told is
// journaled; math.MaxInt64 for an account that never signed in.
func (s *seen) stopOf(user tim.UserID) int64 {
	a := s.accounts[user]
	if a == nil {
		return math.MaxInt64
	}
	stop := a.through - margin
	if from, recheck := s.recheckFrom(user); recheck {
		stop = min(stop, from-margin)
	}
	if !a.provisional {
		stop = max(stop, a.floor)
	}
	return stop
}

// doubtful says whether something said at that time, in a group or between two
// users, may have been recorded and forgotten since.
func (s *seen) doubtful(at int64, group bool) bool {
	if group {
		return at != 0 && at <= s.groupsForgotten
	}
	return at != 0 && at <= s.forgotten
}

// recheckFrom is the time from which on everything the account was told is to
// be read from history again, because a repair of the journal has lost some of it.
func (s *seen) recheckFrom(account tim.UserID) (from int64, recheck bool) {
	var caught uint64
	if a := s.accounts[account]; a != nil {
		caught = a.caught
	}
	for _, d := range s.damages {
		if d.position > caught {
			if !recheck || d.from < from {
				from = d.from
			}
			recheck = true
		}
	}
	return from, recheck
}
