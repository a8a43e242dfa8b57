package bus

import "fmt"

// Manage says what opening a bus does about its streams or topics.
type Manage string

// What opening may do.
const (
	// ManageCreate creates what is missing; what is different is an error.
	ManageCreate Manage = "create"
	// ManageUpdate creates what is missing and changes what is different, where
	// the bus can: partitions are only ever added.
	ManageUpdate Manage = "update"
	// ManageCheck creates nothing: what is missing or different is an error.
	ManageCheck Manage = "check"
)

// Check returns what is wrong with a value.
func (m Manage) Check() error {
	switch m {
	case ManageCreate, ManageUpdate, ManageCheck:
		return nil
	}
	return fmt.Errorf("manage is %q, not %q, %q or %q", m, ManageCreate, ManageUpdate, ManageCheck)
}
