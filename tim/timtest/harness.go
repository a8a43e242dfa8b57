// Package timtest is the contract of [tim.Client] as a test suite. Every
// driver passes it.
package timtest

import (
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// Delivery is what becomes of a report that was handed over and not acknowledged.
type Delivery string

// The deliveries.
const (
	// Ack keeps a report until it is acknowledged and hands it over again after
	// the next sign-in.
	Ack Delivery = "ack"
	// Push forgets a report once it is handed over, as Tencent does.
	Push Delivery = "push"
)

// Harness is a service to test a driver against. The suite uses users and
// groups of its own making, so the service may be used before and after.
type Harness struct {
	// Driver opens clients.
	Driver tim.Driver
	// SDKAppID is the application's id.
	SDKAppID uint32
	// UserSig makes a good UserSig; one with a ttl below 0 has expired already.
	UserSig func(user tim.UserID, ttl time.Duration) string
	// Delivery says how reports are delivered.
	Delivery Delivery
	// Patience is how long to wait for what must happen; 0 means 10 s.
	Patience time.Duration

	// The hooks below are nil where the driver cannot do it; the tests that
	// need one are skipped then, and say so.

	// Kick signs the user out of all devices, as an administrator does.
	Kick func(user tim.UserID)
	// ExpireUserSig makes the UserSig that the user is signed in with expire now.
	ExpireUserSig func(user tim.UserID)
	// Advance moves the service's clock on.
	Advance func(d time.Duration)
	// Disconnect cuts the user's connections, without a word to either side.
	// The client makes a new one by itself.
	Disconnect func(user tim.UserID)
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
}
