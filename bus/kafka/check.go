package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/timbridge/timbridge/bus"
)

// Check asks the cluster for every topic, now. A topic that is missing or not
// as configured, or a partition without a leader, is a [*bus.TargetError].
func (b *Bus) Check(ctx context.Context) error {
	if b.ctx.Err() != nil {
		return bus.ErrClosed
	}
	for i := range b.routes {
		name := b.routes[i].Name
		if err := b.learn(ctx, name); err != nil {
			if refused := refusal(bus.Target(name), err); refused != nil {
				return refused
			}
			return fmt.Errorf("check: %w", err)
		}
		if t := b.known(name); t != nil {
			for p := range t.partitions {
				if t.partitions[p].leader < 0 {
					return &bus.TargetError{Target: targetOf(name, p), Err: errNoLeader}
				}
			}
		}
	}
	err := b.ensure(ctx, bus.ManageCheck)
	var ce *ConfigError
	if errors.As(err, &ce) {
		return &bus.TargetError{Target: bus.Target(ce.Topic), Err: err}
	}
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}
