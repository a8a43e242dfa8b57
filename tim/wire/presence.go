package wire

import (
	"context"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

// maxSubscribed is how many users one subscription may name.
const maxSubscribed = 100

// SetStatus implements [tim.Presence].
func (t talk) SetStatus(ctx context.Context, custom string) error {
	err := tell(ctx, t.c, ops.setStatus, setStatusBody{Custom: custom})
	if err == nil {
		t.c.mu.Lock()
		t.c.words = custom
		t.c.mu.Unlock()
	}
	return err
}

// SubscribeStatus implements [tim.Presence].
func (t talk) SubscribeStatus(ctx context.Context, users []tim.UserID) error {
	err := tell(ctx, t.c, ops.subscribeStatus, users)
	if err == nil {
		t.c.mu.Lock()
		t.c.watched = append(without(t.c.watched, users), users...)
		t.c.mu.Unlock()
	}
	return err
}

// UnsubscribeStatus implements [tim.Presence].
func (t talk) UnsubscribeStatus(ctx context.Context, users []tim.UserID) error {
	err := tell(ctx, t.c, ops.unsubscribeStatus, users)
	if err == nil {
		t.c.mu.Lock()
		if len(users) == 0 {
			t.c.watched = nil
		} else {
			t.c.watched = without(t.c.watched, users)
		}
		t.c.mu.Unlock()
	}
	return err
}

// without is a new list of those that are not among the others.
func without(list, others []tim.UserID) []tim.UserID {
	return slices.DeleteFunc(slices.Clone(list), func(u tim.UserID) bool { return slices.Contains(others, u) })
}

// restorePresence subscribes again, and sets the account's words, where the
// server had lost the session: both end with it, and the owner knows nothing of
// that. What cannot be restored is logged: the account is signed in all the same.
func (c *client) restorePresence(ctx context.Context) {
	c.mu.Lock()
	watched, words := slices.Clone(c.watched), c.words
	c.mu.Unlock()
	for some := range slices.Chunk(watched, maxSubscribed) {
		if err := tell(ctx, c, ops.subscribeStatus, some); err != nil {
			c.log.Warn("statuses cannot be subscribed to again", "users", len(some), "error", err)
		}
	}
	if words == "" {
		return
	}
	if err := tell(ctx, c, ops.setStatus, setStatusBody{Custom: words}); err != nil {
		c.log.Warn("the account's status cannot be set again", "error", err)
	}
}
