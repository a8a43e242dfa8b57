package ingress

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// Of some groups the service stores nothing: what is said there while an
// account is away is in no history, and the account's list of conversations
// does not have them. They are known by what was recorded of them: something
// without a sequence, and never anything with one. What was said there while
// the account was away is told as account.gap_detected.

// room is a group in which an account was told something that has no sequence.
type room struct {
	account tim.UserID
	group   tim.GroupID
}

// roomNote is what an event teaches of a room.
type roomNote struct {
	room room // zero: nothing
	left bool // the account is not in it any more
}

// The parts of the ids of what is stored nowhere: messages for those online,
// and tips that came by their callback.
const (
	onlineID = "/online/"
	tippedID = "/tipped/"
)

// roomNoteOf reads what an event teaches of a room.
func roomNoteOf(e *event.Event) (roomNote, error) {
	kind := e.Type()
	stored := !strings.Contains(e.ID(), onlineID) && !strings.Contains(e.ID(), tippedID)
	gone := kind == mapping.TypeGroupMemberLeft || kind == mapping.TypeGroupMemberKicked || kind == mapping.TypeGroupDismissed
	if stored && !gone || !strings.HasPrefix(e.Subject(), "group/") {
		return roomNote{}, nil
	}
	s, err := mapping.ParseSubject(e.Subject())
	if err != nil {
		return roomNote{}, fmt.Errorf("%s %s: %w", kind, e.ID(), err)
	}
	n := roomNote{room: room{accountOf(e), s.Group}}
	if !gone {
		return n, nil
	}
	var data struct {
		UserIDs []tim.UserID `json:"user_ids"`
	}
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		return roomNote{}, fmt.Errorf("%s %s: %w", kind, e.ID(), err)
	}
	n.left = kind == mapping.TypeGroupDismissed || slices.Contains(data.UserIDs, n.room.account)
	if stored && !n.left {
		return roomNote{}, nil
	}
	return n, nil
}

// applyRoom learns of a room.
func (s *seen) applyRoom(n roomNote) {
	switch {
	case n.room.group == "":
	case n.left:
		delete(s.rooms, n.room)
	default:
		s.rooms[n.room] = s.now
	}
}

// forgetRooms keeps the rooms within their bounds, the oldest first.
func (s *seen) forgetRooms() {
	limit := s.maxGroups()
	if len(s.rooms) <= limit {
		return
	}
	list := s.sortedRooms()
	slices.SortStableFunc(list, func(a, b room) int { return cmp.Compare(s.rooms[a], s.rooms[b]) })
	for _, r := range list[:len(list)-limit*7/8] {
		delete(s.rooms, r)
	}
}

func (s *seen) sortedRooms() []room {
	list := make([]room, 0, len(s.rooms))
	for r := range s.rooms {
		list = append(list, r)
	}
	slices.SortFunc(list, compareRooms)
	return list
}

func compareRooms(a, b room) int {
	return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.group, b.group))
}

// roomsOf are the groups of an account of which the service stores nothing. One
// in which nothing was told for as long as messages are remembered is none.
func (s *seen) roomsOf(account tim.UserID) []tim.GroupID {
	var out []tim.GroupID
	for _, r := range s.sortedRooms() {
		if r.account == account && s.groups[r.group] == nil && s.now-s.rooms[r] <= int64(keepHashes/time.Second) {
			out = append(out, r.group)
		}
	}
	return out
}

// tellRooms tells that what was said in rooms while the account was away is lost.
func (c *catchUp) tellRooms(a *appender) {
	s := a.in.seen
	if known := s.accounts[c.account.user]; known == nil || known.provisional {
		return
	}
	for _, group := range s.roomsOf(c.account.user) {
		a.gapFact(c.account.user, mapping.AccountGapDetected{
			Conversation: tim.Group(group), From: timeOf(s.stopOf(c.account.user)),
			To: timeOf(max(c.newest, a.in.deps.Now().Unix()) + 1), Reason: "what is said there is stored nowhere",
		})
	}
}
