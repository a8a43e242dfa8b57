package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/timbridge/timbridge/bus"
)

// Check asks the cluster for every topic, now, and for what we may do there. A
// topic that is missing or not as configured, a partition without a leader, with
// too few replicas in sync, or that its reader cannot read, and a right that is
// missing is a [*bus.TargetError]; a right wraps an [*AccessError].
func (b *Bus) Check(ctx context.Context) error {
	if b.ctx.Err() != nil {
		return bus.ErrClosed
	}
	for _, name := range b.topicNames() {
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
	if err == nil {
		err = b.mayUse(ctx)
	}
	if err != nil {
		var access *AccessError
		if errors.As(err, &access) {
			return &bus.TargetError{Target: bus.Target(access.of), Err: err}
		}
		return fmt.Errorf("check: %w", err)
	}
	for _, name := range b.topicNames() {
		if t := b.known(name); t != nil {
			if err := t.thin(); err != nil {
				return err
			}
		}
	}
	return b.readers.unread()
}

// thin says that partitions have fewer replicas in sync than they need to take
// anything; nil when none has.
func (t *topic) thin() error {
	var first error
	n := 0
	for i, p := range t.partitions {
		need := min(t.minInSync, p.replicas) // more than there are is not asked for, since Kafka 4
		if p.inSync >= need {
			continue
		}
		if n++; first == nil {
			first = &bus.TargetError{Target: targetOf(t.name, i), Err: fmt.Errorf(
				"%w: %d of %d, %s is %d; bring the missing brokers back", errThin, p.inSync, p.replicas, configMinInSync, t.minInSync)}
		}
	}
	if n > 1 {
		first = fmt.Errorf("%w (and %d more partitions)", first, n-1)
	}
	return first
}
