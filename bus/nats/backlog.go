package nats

import (
	"context"
	"fmt"

	"github.com/timbridge/timbridge/bus"
)

// Unread counts the commands after a position, as [bus.Bus] says.
func (b *Bus) Unread(ctx context.Context, after []bus.Position) (uint64, error) {
	info, err := b.info(ctx, b.cfg.Commands.Name)
	if err != nil {
		return 0, fmt.Errorf("count the unread commands: %w", err)
	}
	from := info.State.FirstSeq - min(1, info.State.FirstSeq)
	for _, p := range after {
		if string(p.Target) == b.cfg.Commands.Name {
			from = max(from, p.Offset)
		}
	}
	return info.State.LastSeq - min(from, info.State.LastSeq), nil
}
