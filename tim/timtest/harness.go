// Package timtest is the contract of [tim.Client] as a test suite. Every
// driver passes it.
package timtest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Delivery is what becomes of a report that was handed over and not acknowledged.
type Delivery string

// The deliveries.
const (
	// Ack keeps a report until it is acknowledged, and hands it over again
	// after the next sign-in. What was acknowledged before Logout was called
	// is not handed over again.
	Ack Delivery = "ack"
	// Push forgets a report once it is handed over, as Tencent does.
	Push Delivery = "push"
)

// Harness is a service to test a driver against. The suite uses users and
// groups of its own making, so the service may be used before and after; it
// runs one test at a time.
type Harness struct {
	// Driver opens clients.
	Driver tim.Driver
	// SDKAppID is the application's id.
	SDKAppID uint32
	// UserSig makes a good UserSig, by the service's clock; one with a ttl
	// below 0 has expired already.
	UserSig func(user tim.UserID, ttl time.Duration) string
	// Delivery says how reports are delivered.
	Delivery Delivery
	// Patience is how long to wait for what must happen; 0 means 10 s.
	Patience time.Duration

	// The hooks below are nil where the service cannot do it; the tests that
	// need one are skipped then, and say so.

	// Kick signs the user out of all devices, as an administrator does.
	Kick func(user tim.UserID)
	// ExpireUserSig makes the UserSig that the user is signed in with expire now.
	ExpireUserSig func(user tim.UserID)
	// Advance moves the service's clock on. The suite moves it by less than an
	// hour in all.
	Advance func(d time.Duration)
	// Disconnect cuts the user's connections, without a word to either side.
	// The client makes a new one by itself.
	Disconnect func(user tim.UserID)

	// Admin is an app administrator, who can sign in like any user; "" where
	// there is none.
	Admin tim.UserID
	// Limited makes a service of its own with those limits, which ends with the
	// test. Only its Driver, SDKAppID, UserSig, Advance and Admin are used.
	Limited func(t testing.TB, limits Limits) Harness
}

// Limits are those that a service can be made with, 0 for its default.
type Limits struct {
	GroupMessages    int // a second in one group
	GroupMembers     int // in a group
	CommunityMembers int // in a Community
	JoinedGroups     int // that one user is in
	Groups           int // in all
	AVChatRooms      int // among them
	Calls            int // of one kind a second by one user
	// AskInvitees are users that decide themselves whether they are brought into
	// a group.
	AskInvitees []tim.UserID
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Driver == nil || h.SDKAppID == 0 || h.UserSig == nil || (h.Delivery != Ack && h.Delivery != Push) {
		t.Fatal("the harness needs a driver, an sdkappid, UserSigs and a delivery")
	}
	if h.Patience == 0 {
		h.Patience = 10 * time.Second
	}
	run := fmt.Sprintf("%04x", rand.N(1<<16)) // other runs may have used the service
	n := 0
	for _, area := range []struct {
		name  string
		cases []testCase
	}{
		{"session", sessionCases}, {"delivery", deliveryCases}, {"message", messageCases},
		{"group", groupCases}, {"revoke", revokeCases}, {"history", historyCases}, {"limit", limitCases},
		{"media", mediaCases}, {"modify", modifyCases}, {"read", readCases}, {"erase", eraseCases}, {"people", peopleCases},
		{"rule", ruleCases}, {"tip", tipCases}, {"request", requestCases}, {"member", memberCases}, {"group limit", groupLimitCases},
	} {
		t.Run(area.name, func(t *testing.T) {
			for _, c := range area.cases {
				n++
				prefix := fmt.Sprintf("t%s%02d-", run, n)
				t.Run(c.name, func(t *testing.T) {
					s := &scene{T: t, h: h, prefix: prefix}
					s.need(c.needs)
					c.run(s)
				})
			}
		})
	}
}

// testCase is one promise of the contract.
type testCase struct {
	name  string
	needs needs
	run   func(*scene)
}

// needs is what a test cannot do without.
type needs uint16

const (
	needKick needs = 1 << iota
	needExpire
	needAdvance
	needDisconnect
	needAck
	needPush
	needAdmin
	needLimited
)

// need skips the test where the harness lacks something.
func (s *scene) need(n needs) {
	for _, x := range []struct {
		need needs
		has  bool
		why  string
	}{
		{needKick, s.h.Kick != nil, "this service has no way to kick a user"},
		{needExpire, s.h.ExpireUserSig != nil, "this service has no way to let a UserSig expire"},
		{needAdvance, s.h.Advance != nil, "this service's clock cannot be moved"},
		{needDisconnect, s.h.Disconnect != nil, "this service has no way to cut a connection"},
		{needAck, s.h.Delivery == Ack, "this service does not wait for acknowledgements"},
		{needPush, s.h.Delivery == Push, "this service waits for acknowledgements"},
		{needAdmin, s.h.Admin != "", "this service has no app administrator"},
		{needLimited, s.h.Limited != nil, "this service's limits cannot be set"},
	} {
		if n&x.need != 0 && !x.has {
			s.Skip(x.why)
		}
	}
}
