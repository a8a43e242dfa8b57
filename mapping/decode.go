package mapping

import (
	"fmt"

	"github.com/cloudevents/sdk-go/v2/event"
)

// Decode reads the body of a journal entry that [Encode] wrote, or any other
// event in structured JSON. The event shares no memory with b.
func Decode(b []byte) (*event.Event, error) {
	e := new(event.Event)
	if err := e.UnmarshalJSON(b); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return e, nil
}
