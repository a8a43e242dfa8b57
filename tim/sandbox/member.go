package sandbox

import (
	"slices"
	"sort"

	"github.com/timbridge/timbridge/tim"
)

// member is someone in a group.
type member struct {
	id      tim.UserID
	account *account
	number  uint64 // rises in the order of coming in; where a listing goes on
	role    tim.GroupMemberRole
	joined  int64
	from    uint64 // the first message that the member sees

	flag     tim.ReceiveMessageOpt
	nameCard string
	custom   []field
}

// field is one custom field of a group or a member.
type field struct{ key, value string }

// roster are a group's members, in the order in which they came in.
type roster struct {
	byID   map[tim.UserID]*member
	order  []*member // by rising number
	number uint64    // the last one given
}

func (r *roster) get(user tim.UserID) *member { return r.byID[user] }

func (r *roster) len() int { return len(r.order) }

// add takes a member in, last in order. Who is in already is replaced.
func (r *roster) add(m *member) {
	r.remove(m.id)
	if r.byID == nil {
		r.byID = map[tim.UserID]*member{}
	}
	r.number++
	m.number = r.number
	r.byID[m.id] = m
	r.order = append(r.order, m)
}

// remove takes a member out; nil: nobody of that name was in.
func (r *roster) remove(user tim.UserID) *member {
	m := r.byID[user]
	if m == nil {
		return nil
	}
	delete(r.byID, user)
	i := r.after(m.number - 1)
	r.order = slices.Delete(r.order, i, i+1)
	return m
}

// after is the place in order of the first member with a larger number.
func (r *roster) after(number uint64) int {
	return sort.Search(len(r.order), func(i int) bool { return r.order[i].number > number })
}
