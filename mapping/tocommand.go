package mapping

import (
	"errors"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/tim"
)

func (c *Commands) toCommand(*event.Event) (Command, error) { return Command{}, errors.New("soon") }

func groupIDFor(string, string, bool) tim.GroupID { return "" }
