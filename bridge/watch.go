package bridge

import (
	"context"

	"github.com/timbridge/timbridge/tim"
)

// watchAtOnce is how many users one call may subscribe to.
const watchAtOnce = 100

// watchAnew has the service tell the account of the statuses of the users that
// it watches. A subscription ends with the session at the service, so that is
// done after each sign-in and each reconnect.
func (s *session) watchAnew(ctx context.Context) {
	s.unwatch()
	if len(s.watched) == 0 {
		return
	}
	presence, ok := s.client.(tim.Presence)
	if !ok {
		s.log.Warn("nobody's status is watched: the IM driver cannot tell of statuses (watch_status)")
		return
	}
	ctx, s.unwatch = context.WithCancel(ctx)
	s.watching.Go(func() { s.watch(ctx, presence) })
}

// watch subscribes, again and again for those users whom the service does not
// know yet or does not let be watched, until all are or ctx ends.
func (s *session) watch(ctx context.Context, presence tim.Presence) {
	users, wait := s.watched, s.waits.refusedMin
	for told := false; ; told = true {
		var err error
		if users, err = s.subscribe(ctx, presence, users); len(users) == 0 || ctx.Err() != nil {
			return
		}
		if !told {
			s.log.Warn("the statuses of some users cannot be watched; it is tried again", "users", len(users), "first", users[0], "error", err)
		}
		pause(ctx, jitter(wait))
		wait = min(2*wait, s.waits.refusedMax)
	}
}

// subscribe subscribes to users, and gives those for whom that did not go well.
func (s *session) subscribe(ctx context.Context, presence tim.Presence, users []tim.UserID) (left []tim.UserID, err error) {
	one := func(users []tim.UserID) error {
		ctx, cancel := context.WithTimeout(ctx, s.waits.login)
		defer cancel()
		return presence.SubscribeStatus(ctx, users)
	}
	for len(users) > 0 && ctx.Err() == nil {
		some := users[:min(watchAtOnce, len(users))]
		users = users[len(some):]
		failed := one(some)
		if failed == nil {
			continue
		}
		err = failed
		if e, ok := tim.AsError(failed); !ok || e.Effect != tim.EffectNotDone || e.Retryable() || len(some) == 1 {
			left = append(left, some...)
			continue
		}
		// One of them is refused: the others need not go without.
		for _, user := range some {
			if failed := one([]tim.UserID{user}); failed != nil {
				left, err = append(left, user), failed
			}
		}
	}
	return append(left, users...), err
}
