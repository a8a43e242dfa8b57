package journal

import "time"

// Stretch is a range of positions that a repair had to give up.
type Stretch struct {
	First, Last uint64
	// From and To are the times of the entries next to it, zero where there is none.
	From, To time.Time
	Segment  string // file name
	KeptAs   string // file name of the damaged segment, kept aside; "" when it was missing
	Reason   string
}

// RepairReport is what Repair did.
type RepairReport struct {
	Damaged []Stretch // lost; empty when only indexes or snapshots were damaged
	KeptAs  []string  // the damaged files, kept aside under these names
	Entries uint64    // that can be read now
}

// Repair goes on with every entry that can be read: a damaged segment is kept
// aside under another name and written anew without what was lost. Positions do
// not shift and are not used again. The lost stretches are recorded, see
// [Journal.Repairs]. Ending it at any point and starting it again is safe; a
// journal that is well is left alone. fsys nil is the operating system's.
func Repair(dir string, fsys FS) (RepairReport, error) { return RepairReport{}, errUnwritten }
