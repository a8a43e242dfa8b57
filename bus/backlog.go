package bus

import "context"

// Backlog is what a bus may be able to tell besides: how far somebody is behind
// who reads the commands. It is found by type assertion.
type Backlog interface {
	// Unread counts the messages of the commands stream after the given
	// positions, one for each target that was read, and all there are of a
	// target that is not among them. It goes by the bus's own numbers: what it
	// removed in between, and marks of transactions, count too. Behind a
	// position that is past a target's end nothing is unread.
	Unread(ctx context.Context, after []Position) (uint64, error)
}
