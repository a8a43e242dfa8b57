package bridge

import (
	"os"
	"runtime"
)

// syncing is how many goroutines wait for the disk at once: the journal's, the
// sandbox's, and those of the embedded NATS server's streams.
const syncing = 4

// UseProcessors lets Go's scheduler run as many threads of Go code as there
// are processors and, besides, one for each goroutine that waits for a sync of
// the disk. Such a wait blocks its thread without the scheduler knowing that
// nothing is computed there: with two processors two syncs would stand
// everything still (docs/decisions/0007). It is for the start of a process,
// respects a GOMAXPROCS in the environment, and returns a function that puts
// the number back.
func UseProcessors() (restore func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + syncing)
	return func() { runtime.GOMAXPROCS(before) }
}
