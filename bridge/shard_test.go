package bridge

import (
	"fmt"
	"slices"
	"testing"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/egress"
	"github.com/timbridge/timbridge/tim"
)

// TestShards: each account is signed in by exactly one of the shards, and its
// commands are taken there.
func TestShards(t *testing.T) {
	t.Run("on NATS", func(t *testing.T) { shards(t, newConfig(t)) })
	t.Run("on Kafka", func(t *testing.T) { shards(t, newKafkaConfig(t, newKafka(t))) })
}

func shards(t *testing.T, base *config.Config) {
	s := newService(t, base)
	base.App.Accounts = nil
	var users []tim.UserID
	for i := range 6 {
		user := fmt.Sprintf("robot%d", i)
		base.App.Accounts = append(base.App.Accounts, config.Account{ID: user})
		users = append(users, tim.UserID(user))
	}
	// One NATS server for both: that of the first.
	const shards = 2
	var signedIn []tim.UserID
	var first *config.Config
	for i := range shards {
		cfg := *base
		cfg.DataDir = t.TempDir()
		cfg.Shard = config.Shard{Index: i, Count: shards}
		if first == nil {
			first = &cfg
		} else if cfg.Bus.Kind == "nats" {
			token, err := ReadSecret(first.DataDir, tokenFile)
			must(t, err)
			cfg.Bus.NATS.URL, cfg.Bus.NATS.Token = "nats://"+first.Bus.NATS.Listen, config.NewSecret(token)
		}
		r := launch(t, &cfg)
		r.awaitReady()
		if _, ok := r.accounts.Default(); ok {
			t.Error("there is a default among several accounts")
		}
		for _, user := range r.accounts.Users() {
			signedIn = append(signedIn, user)
			if a := r.accounts.Account(user); a.State != egress.StateConnected {
				t.Errorf("shard %d: %s is %s", i, user, a.State)
			}
		}
		if a := r.accounts.Account("nobody"); a.State != egress.StateUnknown {
			t.Errorf("an account that is none is %s", a.State)
		}
	}
	slices.Sort(signedIn)
	if !slices.Equal(signedIn, users) {
		t.Errorf("signed in are %v", signedIn)
	}
	if n := s.Stats().Sessions; n != len(users) {
		t.Errorf("the service has %d sessions", n)
	}
}
