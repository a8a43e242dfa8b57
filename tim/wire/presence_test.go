package wire

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// TestPresenceIsRestored: a server that was started anew is told again whose
// statuses are wanted, and what the account says of itself.
func TestPresenceIsRestored(t *testing.T) {
	r, far, _ := newWholeRig(t, HandlerOptions{})
	var got collector
	c := signedIn(t, r, &got)
	ctx := within(t, 20*time.Second)
	p := c.(tim.Presence)
	for _, err := range []error{
		p.SubscribeStatus(ctx, []tim.UserID{"bob", "cid"}), p.SubscribeStatus(ctx, []tim.UserID{"bob", "dot"}),
		p.UnsubscribeStatus(ctx, []tim.UserID{"cid"}), p.SetStatus(ctx, "at lunch"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	far.take()
	r.down()
	r.up()
	var said []string
	eventually(t, "the subscriptions are made again", func() bool {
		said = append(said, far.take()...)
		return len(said) >= 2
	})
	if want := []string{`SubscribeStatus ["bob","dot"]`, `SetStatus "at lunch"`}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}

	if err := c.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Login(ctx, "alice", "sig"); err != nil {
		t.Fatal(err)
	}
	r.down()
	r.up()
	eventually(t, "signed in again", func() bool { return r.far.signedIn() == 1 && r.handler.Stats().Sessions == 1 })
	eventually(t, "the client is of use", func() bool {
		_, err := p.Statuses(ctx, []tim.UserID{"bob"})
		return err == nil
	})
	if said := strings.Join(far.take(), "\n"); strings.Contains(said, "Sub") || strings.Contains(said, "Set") {
		t.Errorf("after a Logout said %s", said)
	}
}
