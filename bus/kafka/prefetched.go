package kafka

import (
	"context"

	"golang.org/x/sync/semaphore"
)

const (
	// prefetchItems and prefetchBytes bound what waits for its reader.
	prefetchItems = 128
	prefetchBytes = 8 << 20
)

// prefetched is what the readers of several partitions have read and nobody has
// taken yet.
type prefetched struct {
	items chan item
	room  *semaphore.Weighted
	// turns is held by the one partition that unpacks what needs much memory for
	// it. It may wait with it for whoever takes the items, as all others then do.
	turns *semaphore.Weighted
}

func newPrefetched() *prefetched {
	return &prefetched{items: make(chan item, prefetchItems), room: semaphore.NewWeighted(prefetchBytes), turns: semaphore.NewWeighted(1)}
}

// put hands an item on, when there is room for it. Its reader has counted it as
// waiting.
func (p *prefetched) put(ctx context.Context, it item) error {
	if err := p.room.Acquire(ctx, it.weight()); err != nil {
		it.r.waiting.Add(-1)
		return context.Cause(ctx)
	}
	select {
	case p.items <- it:
		return nil
	case <-ctx.Done():
		p.took(&it)
		return context.Cause(ctx)
	}
}

// took frees the room of an item.
func (p *prefetched) took(it *item) {
	it.r.waiting.Add(-1)
	p.room.Release(it.weight())
}

// turn waits until no other partition unpacks what needs much memory.
func (p *prefetched) turn(ctx context.Context) (done func(), err error) {
	if err := p.turns.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	return func() { p.turns.Release(1) }, nil
}

// weight is about what an item takes; no item waits for more room than there is.
func (it *item) weight() int64 {
	const itself, header = 512, 64
	return min(int64(itself+it.size()+header*len(it.headers)), prefetchBytes)
}
