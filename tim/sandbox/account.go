package sandbox

import (
	"sort"

	"github.com/timbridge/timbridge/tim"
)

// Reports wait per account and platform: each platform that the account was
// ever signed in on has its own bit. anyPlatform stands for the first one to
// sign in, where there was none yet.
const (
	maxPlatform = 14
	anyPlatform = 1 << 15
)

func bit(p tim.Platform) uint16 { return 1 << p }

// account is a user as the service knows it.
type account struct {
	id     tim.UserID
	tiny   uint64
	number uint64   // of its last report
	known  uint16   // platforms it was ever signed in on
	inbox  []report // by rising number; those at the front are still wanted
	dead   int      // how many in the inbox nobody waits for any more
	convs  map[*conversation]struct{}
	// devices are those signed in and not signed out again, with whom the
	// service may have lost touch; kicked are those that were kicked in that
	// state and have not been told.
	devices []device
	kicked  []device
	// sigFloor is the second before which every UserSig was issued that is no
	// longer taken.
	sigFloor int64

	groups map[*group]struct{} // it is in now
	// invited are groups that it was asked to come into; what came of that they
	// say. Not part of what is kept: the groups have it.
	invited map[*group]struct{}
	// places say how far the account is in its conversations, where it has said so.
	places  map[*conversation]*place
	profile *tim.UserProfile // nil: nothing was set

	sessions map[tim.Platform]*session // online now; not part of what is kept
	presence presence                  // likewise
	buckets  map[Call]*bucket
}

// device is where an account is signed in.
type device struct {
	Platform tim.Platform `json:"p"`
	ID       string       `json:"id,omitempty"`
	// Any stands for whatever device comes next.
	Any bool `json:"any,omitempty"`
}

// maxDevices bounds how many devices of one account are remembered.
const maxDevices = 32

// report is one thing that an account is to be told.
type report struct {
	number   uint64
	position uint64 // in the journal; it is told only when that is on disk
	time     int64
	pending  uint16 // platforms that have not acknowledged it
	kind     reportKind
	msg      *message
}

type reportKind uint8

const (
	reportMessage reportKind = iota
	reportRevoked
	reportModified
	// reportEvent is any other event, whose JSON is the message's content; see
	// [state.tellEvent].
	reportEvent
	lastReportKind = reportEvent
)

// eventFor is what is handed out to an account.
func (r report) eventFor(s *Sandbox, user tim.UserID) tim.Event {
	switch r.kind {
	case reportRevoked:
		return tim.MessagesRevoked{Locators: []tim.MsgLocator{r.msg.locatorFor(user)}}
	case reportModified:
		return tim.MessagesModified{Messages: []tim.Message{s.seen(r.msg, user)}}
	case reportEvent:
		// It was written by this package and is covered by the journal's checksum.
		e, _ := tim.UnmarshalEvent(r.msg.content)
		return e
	}
	return tim.MessagesReceived{Messages: []tim.Message{s.seen(r.msg, user)}}
}

// enter notes that the account is in a group.
func (a *account) enter(g *group) {
	if a.groups == nil {
		a.groups = map[*group]struct{}{}
	}
	a.groups[g] = struct{}{}
}

// platforms are those that something told to the account is for.
func (a *account) platforms() uint16 {
	if a.known == 0 {
		return anyPlatform
	}
	return a.known
}

// tell numbers a report and keeps it for the platforms that are to have it.
func (a *account) tell(r report, to uint16) {
	if to == 0 {
		return
	}
	a.number++
	r.number, r.pending = a.number, to
	a.inbox = append(a.inbox, r)
}

// index is the place of the first report with at least that number.
func (a *account) index(number uint64) int {
	return sort.Search(len(a.inbox), func(i int) bool { return a.inbox[i].number >= number })
}

// ack forgets a report on one platform and says whether it was still wanted.
func (a *account) ack(p tim.Platform, number uint64) bool {
	i := a.index(number)
	if i == len(a.inbox) || a.inbox[i].number != number || a.inbox[i].pending&bit(p) == 0 {
		return false
	}
	a.drop(i, bit(p))
	a.tidy()
	return true
}

// drop takes platforms off a report; tidy must follow.
func (a *account) drop(i int, platforms uint16) {
	r := &a.inbox[i]
	if r.pending == 0 || r.pending&platforms == 0 {
		return
	}
	if r.pending &^= platforms; r.pending == 0 {
		r.msg = nil
		a.dead++
	}
}

// tidy removes what nobody waits for.
func (a *account) tidy() {
	for len(a.inbox) > 0 && a.inbox[0].pending == 0 {
		a.inbox[0] = report{}
		a.inbox = a.inbox[1:]
		a.dead--
	}
	if len(a.inbox) == 0 {
		a.inbox = nil
	}
	if a.dead < 64 || a.dead*2 < len(a.inbox) {
		return
	}
	kept := make([]report, 0, (len(a.inbox)-a.dead)*5/4)
	for _, r := range a.inbox {
		if r.pending != 0 {
			kept = append(kept, r)
		}
	}
	a.inbox, a.dead = kept, 0
}

// next is the first report after a number that waits for a platform and is on
// disk up to position durable.
func (a *account) next(p tim.Platform, after, durable uint64) (report, bool) {
	for i := a.index(after + 1); i < len(a.inbox); i++ {
		r := a.inbox[i]
		if r.position > durable {
			break
		}
		if r.pending&bit(p) != 0 {
			return r, true
		}
	}
	return report{}, false
}

// signIn makes a platform known, drops what was for those online only, and
// hands over what waited for the first platform to come.
func (a *account) signIn(p tim.Platform) {
	first := a.known == 0
	a.known |= bit(p)
	for i := range a.inbox {
		r := &a.inbox[i]
		switch {
		case r.pending == 0:
		case first && r.pending&anyPlatform != 0:
			r.pending = r.pending&^anyPlatform | bit(p)
		case r.msg.is(flagOnline):
			a.drop(i, bit(p))
		}
	}
	a.tidy()
}

// trim drops reports that are too many or too old; 0 is no bound.
func (a *account) trim(most int, oldest int64) (dropped int) {
	for i := 0; i < len(a.inbox); i++ {
		if (most == 0 || len(a.inbox)-a.dead <= most) && a.inbox[i].time >= oldest {
			break
		}
		if a.inbox[i].pending != 0 {
			dropped++
			a.drop(i, a.inbox[i].pending)
		}
	}
	if dropped > 0 {
		a.tidy()
	}
	return dropped
}

// addDevice remembers a device once; the oldest goes when there are too many.
func addDevice(list []device, d device) []device {
	list = removeDevice(list, d)
	if len(list) == maxDevices {
		list = list[1:]
	}
	return append(list, d)
}

func removeDevice(list []device, d device) []device {
	out := list[:0:0]
	for _, x := range list {
		if x != d {
			out = append(out, x)
		}
	}
	return out
}

func hasDevice(list []device, d device) bool {
	for _, x := range list {
		if x == d {
			return true
		}
	}
	return false
}

// bucket is the account's limit of calls of one kind.
func (a *account) bucket(call Call) *bucket {
	b := a.buckets[call]
	if b == nil {
		b = &bucket{}
		if a.buckets == nil {
			a.buckets = map[Call]*bucket{}
		}
		a.buckets[call] = b
	}
	return b
}
