package egress

import (
	"regexp"
	"strconv"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/mapping"
)

// redriven is the end of the id of a command that was sent again.
var redriven = regexp.MustCompile(`^(.*)~r([0-9]{1,9})$`)

// Redrive gives the command that stands for a dead-lettered one when it is
// sent again: the same but for its id, which becomes that of [RedrivenID], and
// its expiry, which it loses. command is not changed.
func Redrive(command *event.Event) *event.Event {
	again := command.Clone()
	again.SetID(RedrivenID(command.ID()))
	again.SetExtension(mapping.ExtExpiryTime, nil)
	return &again
}

// RedrivenID is the id that a command gets when it is sent again: <id>~r1, and
// of that one <id>~r2, and so on. It is the same for whoever sends it, so that
// two people who do it at once have it carried out once.
func RedrivenID(id string) string {
	n := 1
	if m := redriven.FindStringSubmatch(id); m != nil {
		if last, err := strconv.Atoi(m[2]); err == nil {
			id, n = m[1], last+1
		}
	}
	return id + "~r" + strconv.Itoa(n)
}

// IsRedriven says whether an id is one that [RedrivenID] gives.
func IsRedriven(id string) bool { return redriven.MatchString(id) }
