package sandbox

import (
	"context"
	"slices"

	"github.com/timbridge/timbridge/tim"
)

const (
	maxStatuses      = 500 // users in one call
	maxSubscribed    = 100 // likewise
	maxSubscriptions = 200 // of one session; the oldest go first
	maxCustomStatus  = 100 // bytes
)

// presence is what is known of whether an account is online. It ends with the
// process.
type presence struct {
	custom    string         // the account's own words, while it is signed in
	signedOut bool           // it left with a Logout
	told      tim.UserStatus // to those who have subscribed
}

// statusOf is an account's status now; a may be nil. The caller holds the lock.
func (s *Sandbox) statusOf(user tim.UserID, a *account) tim.UserStatus {
	status := tim.UserStatus{Identifier: user, StatusType: tim.UserStatusSignedOut}
	if a == nil {
		return status
	}
	for _, ss := range a.sessions {
		if !ss.away {
			status.StatusType, status.CustomStatus = tim.UserStatusOnline, a.presence.custom
			return status
		}
	}
	if a.known != 0 && !a.presence.signedOut {
		status.StatusType = tim.UserStatusOffline
	}
	return status
}

// presenceChanged tells those who have subscribed to an account's status when
// it is another than they were told. The caller holds the lock.
func (s *Sandbox) presenceChanged(a *account) {
	if len(a.sessions) == 0 {
		a.presence.custom = ""
	}
	now := s.statusOf(a.id, a)
	before := a.presence.told
	a.presence.told = now
	if before.StatusType == now.StatusType && before.CustomStatus == now.CustomStatus {
		return
	}
	for _, ss := range s.watchers[a.id] {
		if !ss.over {
			ss.tellStatus(now)
		}
	}
}

// tellStatus tells the session of a user's status, in place of an earlier one
// that has not been handed out: where a handler does not keep up, only the last
// one counts. The caller holds the lock.
func (ss *session) tellStatus(status tim.UserStatus) {
	ss.events = slices.DeleteFunc(ss.events, func(e tim.Event) bool {
		old, ok := e.(tim.StatusesChanged)
		return ok && old.Statuses[0].Identifier == status.Identifier
	})
	ss.tell(tim.StatusesChanged{Statuses: []tim.UserStatus{status}})
}

// Statuses asks for users' statuses; see [tim.Presence].
func (c *Client) Statuses(ctx context.Context, users []tim.UserID) ([]tim.UserStatus, error) {
	const op = "statuses"
	var list []tim.UserStatus
	err := c.do(ctx, op, CallStatuses, "", func() error {
		switch n := len(users); {
		case n == 0:
			return refuse(op, tim.CodeInvalidParameters, "no users are named")
		case n > maxStatuses:
			return refuse(op, tim.CodeSvrMsgToAccountCountLimit, "%d users: at most %d", n, maxStatuses)
		}
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		if _, err := c.online(op); err != nil {
			return err
		}
		list = make([]tim.UserStatus, 0, len(users))
		for _, user := range users {
			if !validUser(user) || !c.s.exists(user) {
				return refuse(op, tim.CodeSvrAccountNotFound, "the account %q does not exist", user)
			}
			list = append(list, c.s.statusOf(user, c.s.st.accounts[user]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// SetStatus sets the account's own words; see [tim.Presence]. They end when it
// is signed in nowhere any more.
func (c *Client) SetStatus(ctx context.Context, custom string) error {
	const op = "set status"
	return c.do(ctx, op, CallSetStatus, "", func() error {
		if len(custom) > maxCustomStatus {
			return refuse(op, tim.CodeInvalidParameters, "the status has %d bytes, it may have %d", len(custom), maxCustomStatus)
		}
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		ss, err := c.online(op)
		if err != nil {
			return err
		}
		ss.account.presence.custom = custom
		c.s.presenceChanged(ss.account)
		return nil
	})
}

// SubscribeStatus has this session told of users' statuses; see [tim.Presence].
// It ends with the session. Of more than 200 users the first ones go.
func (c *Client) SubscribeStatus(ctx context.Context, users []tim.UserID) error {
	const op = "subscribe status"
	return c.do(ctx, op, CallSubscribeStatus, "", func() error {
		if n := len(users); n == 0 || n > maxSubscribed {
			return refuse(op, tim.CodeInvalidParameters, "%d users: it takes 1 to %d", n, maxSubscribed)
		}
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		ss, err := c.online(op)
		if err != nil {
			return err
		}
		for _, user := range users {
			if !validUser(user) || !c.s.exists(user) {
				return refuse(op, tim.CodeSvrAccountNotFound, "the account %q does not exist", user)
			}
		}
		for _, user := range users {
			ss.watch(user)
		}
		return nil
	})
}

// UnsubscribeStatus ends that; see [tim.Presence].
func (c *Client) UnsubscribeStatus(ctx context.Context, users []tim.UserID) error {
	const op = "unsubscribe status"
	return c.do(ctx, op, CallUnsubscribeStatus, "", func() error {
		if n := len(users); n > maxSubscribed {
			return refuse(op, tim.CodeInvalidParameters, "%d users: at most %d", n, maxSubscribed)
		}
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		ss, err := c.online(op)
		if err != nil {
			return err
		}
		if len(users) == 0 {
			users = slices.Clone(ss.watched)
		}
		for _, user := range users {
			ss.unwatch(user)
		}
		return nil
	})
}

// watch subscribes the session to a user's status. The caller holds the lock.
func (ss *session) watch(user tim.UserID) {
	ss.unwatch(user)
	if len(ss.watched) == maxSubscriptions {
		ss.unwatch(ss.watched[0])
	}
	ss.watched = append(ss.watched, user)
	ss.s.watchers[user] = append(ss.s.watchers[user], ss)
}

func (ss *session) unwatch(user tim.UserID) {
	i := slices.Index(ss.watched, user)
	if i < 0 {
		return
	}
	ss.watched = slices.Delete(ss.watched, i, i+1)
	left := slices.DeleteFunc(ss.s.watchers[user], func(other *session) bool { return other == ss })
	if len(left) == 0 {
		delete(ss.s.watchers, user)
		return
	}
	ss.s.watchers[user] = left
}

// unwatchAll ends the session's subscriptions. The caller holds the lock.
func (ss *session) unwatchAll() {
	for len(ss.watched) > 0 {
		ss.unwatch(ss.watched[len(ss.watched)-1])
	}
}
