package sandbox_test

import (
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/timtest"
)

// TestSuite runs the contract's suite against the sandbox in this process and
// over the network, in both modes of delivery.
func TestSuite(t *testing.T) {
	for _, mode := range modes {
		for _, over := range []string{"process", "wire"} {
			t.Run(over+"/"+string(mode), func(t *testing.T) {
				h := harness(t, mode, over, sandbox.Limits{GroupMessages: -1})
				h.Limited = func(t testing.TB, l timtest.Limits) timtest.Harness {
					return harness(t, mode, over, sandbox.Limits{
						GroupMessages: l.GroupMessages, GroupMembers: l.GroupMembers, CommunityMembers: l.CommunityMembers,
						JoinedGroups: l.JoinedGroups, Groups: l.Groups, AVChatRooms: l.AVChatRooms, Calls: l.Calls,
					}, l.AskInvitees...)
				}
				timtest.Run(t, h)
			})
		}
	}
}

// harness is a sandbox of its own, to be tested in this process or over the network.
func harness(t testing.TB, mode sandbox.Delivery, over string, limits sandbox.Limits, asked ...tim.UserID) timtest.Harness {
	c := &offsetClock{}
	w := open(t, options(delivery(mode), c.option, func(o *sandbox.Options) { o.Limits, o.AskInvitees = limits, asked }))
	h := timtest.Harness{
		Driver: w.Sandbox, SDKAppID: appID, Delivery: timtest.Delivery(mode), Admin: sandbox.DefaultAdmin,
		UserSig: func(user tim.UserID, ttl time.Duration) string {
			return tim.SignUserSig(appID, key, user, ttl, c.now())
		},
		Kick: func(user tim.UserID) {
			if err := w.Faults().Kick(user); err != nil {
				t.Errorf("kick: %v", err)
			}
		},
		ExpireUserSig: func(user tim.UserID) {
			if err := w.Faults().ExpireUserSig(user); err != nil {
				t.Errorf("expire: %v", err)
			}
		},
		Advance:    func(d time.Duration) { c.move(d); w.Tick() },
		Disconnect: func(user tim.UserID) { w.Faults().Disconnect(user, 200*time.Millisecond) },
	}
	if over == "wire" {
		h.Driver = serve(t, w)
	}
	return h
}
