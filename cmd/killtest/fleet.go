package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// fleetAccounts are the accounts that so many shards share.
func fleetAccounts(shards int) []tim.UserID {
	var list []tim.UserID
	for i := range 3 * shards {
		list = append(list, tim.UserID(fmt.Sprintf("robot%d", i)))
	}
	return list
}

// unknownAccount is one that nobody has configured; some of them fall to each
// shard.
func unknownAccount(n int) tim.UserID { return tim.UserID(fmt.Sprintf("stranger%d", n)) }

// loseOne kills a shard and starts it again without its volume.
func (h *house) loseOne(ctx context.Context, rng *rand.Rand) error {
	if err := h.awaitReady(ctx, 30*time.Second); err != nil {
		return err
	}
	wait(ctx, 5*time.Second) // of load
	i := rng.IntN(h.shards)
	if err := h.bridges[i].kill(); err != nil {
		return err
	}
	h.lost = time.Now()
	if err := errors.Join(os.RemoveAll(h.bridgeDir(i)), h.bridges[i].start()); err != nil {
		return err
	}
	if err := h.awaitReady(ctx, 30*time.Second); err != nil {
		return fmt.Errorf("without its volume: %w", err)
	}
	fmt.Printf("%s lost its volume\n", h.bridgeName(i))
	wait(ctx, 5*time.Second) // of load
	return h.alive()
}
