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
// sent again: the same but for its id, which becomes <id>~r1, ~r2 and so on,
// and its expiry, which it loses. command is not changed.
func Redrive(command *event.Event) *event.Event {
	again := command.Clone()
	id, n := command.ID(), 1
	if m := redriven.FindStringSubmatch(id); m != nil {
		if last, err := strconv.Atoi(m[2]); err == nil {
			id, n = m[1], last+1
		}
	}
	again.SetID(id + "~r" + strconv.Itoa(n))
	again.SetExtension(mapping.ExtExpiryTime, nil)
	return &again
}
