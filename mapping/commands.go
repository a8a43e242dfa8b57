package mapping

import (
	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// Commands reads commands. Its methods may be called at once from several goroutines.
type Commands struct {
	// Schemas are what commands are checked against. It must be set.
	Schemas *schemas.Validator
	// Account acts for a command that does not say who is to; empty where
	// there is more than one account.
	Account tim.UserID
	// MaxData is the largest data of a command, in bytes; 0 means [DefaultMaxData].
	MaxData int
}

// DefaultMaxData is the largest data of a command unless it is configured: room
// for the largest message that the IM service takes, and for 64 KiB of media.
const DefaultMaxData = 1 << 20

// ToCommand reads a command, checks it against its schema, and turns it into
// what the SDK takes. A command that is not accepted gives a [*RejectError].
// Whether it has expired, and whether the account may do it, is not looked at here.
func (c *Commands) ToCommand(e *event.Event) (Command, error) {
	return c.toCommand(e)
}
