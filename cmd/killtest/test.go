package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
)

// test is one whole run.
func test(ctx context.Context, s settings) (err error) {
	made := s.dir == ""
	if made {
		if s.dir, err = os.MkdirTemp("", "timbridge-killtest-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	started := time.Now()
	h, err := newHouse(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, h.close())
		switch {
		case err != nil:
			err = fmt.Errorf("%w\nseed %d; logs and data are in %s", err, s.seed, s.dir)
		case !s.keep:
			if err = h.volume.close(); err == nil && made {
				err = os.RemoveAll(s.dir)
			}
		}
	}()
	for _, p := range h.others() {
		if err := p.start(); err != nil {
			return err
		}
		if p == h.broker {
			if err := h.awaitBroker(ctx); err != nil {
				return err
			}
		}
	}
	bus, err := h.connect(ctx)
	if err != nil {
		return err
	}
	defer bus.close()
	if err := h.awaitReady(ctx, 30*time.Second); err != nil {
		return err
	}
	fmt.Printf("ready after %s; %s, delivery %q, seed %d\n", time.Since(started).Round(time.Millisecond), s.trouble(), s.delivery, s.seed)

	o := &orders{bus: bus, accounts: h.accounts(), rng: rand.New(rand.NewPCG(s.seed, 1)), all: s.all(), at: h.files, unread: h.unreadOne, asks: h.asks, entered: map[tim.GroupID]time.Time{}}
	if err := h.makeTalk(ctx, o); err != nil {
		return err
	}
	if err := h.startSender(); err != nil {
		return err
	}
	if err := h.enterRooms(ctx, o); err != nil {
		return err
	}
	loading, abandon := context.WithCancel(ctx)
	defer abandon()
	stop, commanding := make(chan struct{}), make(chan error, 1)
	go func() { commanding <- o.run(loading, s.rate, stop) }()

	if err := h.trouble(ctx, rand.New(rand.NewPCG(s.seed, 2))); err != nil {
		abandon()
		<-commanding
		return err
	}
	close(stop)
	if err := errors.Join(<-commanding, h.stopSender(100*time.Second)); err != nil {
		return err
	}
	settling := time.Now()
	e, err := h.settled(ctx, o)
	if err != nil {
		return err
	}
	if ready, why := h.ready(ctx); !ready {
		return fmt.Errorf("the bridge is not ready in the end: %s", why)
	}
	check := e.check
	if s.shards > 1 {
		check = e.checkFleet
	}
	f, err := check()
	fmt.Printf("%d messages answered, %d changes of them, %d tips, %d commands taken (%d of them to revoke): %d succeeded, %d failed, %d in doubt; %d events; %d downloads; settled %s after the load; took %s\n",
		f.Said, f.Changed, f.Tips, f.Taken, f.Revoked, f.Succeeded, f.Failed, f.InDoubt, f.Events, f.Files, time.Since(settling).Round(time.Millisecond), time.Since(started).Round(time.Second))
	if s.shards == 1 && f.Missing > 0 || f.Unheard > 0 || f.Gaps > 0 {
		fmt.Printf("while the bridge was away: %d messages of those stored nowhere, and %d changes and reports that no history holds, all within the bounds of %d gaps\n", f.Unheard, f.Missing, f.Gaps)
	}
	if s.shards > 1 {
		fmt.Printf("%d shards; %d commands of unknown accounts", s.shards, f.Unknown)
		if s.loseVolume {
			fmt.Printf("; of the shard that lost its volume: %d commands have a second outcome, %d events went with it", f.Again, f.Missing)
		}
		fmt.Println()
	}
	verbs := []string{}
	for _, verb := range slices.Sorted(maps.Keys(f.Verbs)) {
		verbs = append(verbs, fmt.Sprintf("%s %d", verb, f.Verbs[verb]))
	}
	fmt.Printf("commands: %s\n", strings.Join(verbs, ", "))
	for _, why := range slices.Sorted(maps.Keys(f.Why)) {
		fmt.Printf("  %d failed with %.100s\n", f.Why[why], why)
	}
	if err == nil {
		fmt.Println("every promise held")
	}
	return err
}

// trouble is what the run is about.
func (h *house) trouble(ctx context.Context, rng *rand.Rand) error {
	switch {
	case h.outage != "":
		return h.endure(ctx)
	case h.fill != "":
		return h.fillUp(ctx)
	}
	kill := h.killAll
	if len(h.steps) > 0 {
		kill = h.killAtSteps
	}
	if err := kill(ctx, rng); err != nil {
		return err
	}
	return h.peace(ctx, lastPeace)
}

// makeTalk has the bridge create the group in which everybody talks.
func (h *house) makeTalk(ctx context.Context, o *orders) error {
	members := []map[string]string{}
	for _, p := range people {
		members = append(members, map[string]string{"user_id": string(p)})
	}
	for _, account := range o.accounts[1:] {
		members = append(members, map[string]string{"user_id": string(account)})
	}
	err := o.publish(ctx, ordered{id: talkCommand, by: o.accounts[0], verb: "group.create", in: talkGroup()},
		map[string]any{"group_type": "public", "name": "talk", "members": members})
	if err != nil {
		return err
	}
	return o.awaitSuccess(ctx, talkCommand)
}

// enterRooms has the bridge come into the rooms, where it can be told only what
// is said while it is there.
func (h *house) enterRooms(ctx context.Context, o *orders) error {
	if !h.all() {
		return nil
	}
	if err := h.awaitPeople(ctx, 30*time.Second); err != nil {
		return err
	}
	for _, room := range rooms {
		command := "enter " + string(room)
		if err := o.publish(ctx, ordered{id: command, by: bridgeUser, verb: "group.join", in: room}, map[string]any{"group_id": room}); err != nil {
			return err
		}
		if err := o.awaitSuccess(ctx, command); err != nil {
			return err
		}
		o.entered[room] = time.Now()
	}
	return nil
}

// awaitSuccess waits until a command has succeeded.
func (o *orders) awaitSuccess(ctx context.Context, command string) error {
	const limit = 30 * time.Second
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); wait(ctx, 20*time.Millisecond) {
		list, err := o.bus.read(ctx, "outcomes")
		if err != nil {
			return err
		}
		came, err := readOutcomes(list)
		if err != nil {
			return err
		}
		for _, out := range came[command] {
			if !out.succeeded() {
				return fmt.Errorf("command %q did not succeed: %s", command, out.data)
			}
			return nil
		}
	}
	return fmt.Errorf("command %q has no outcome after %s", command, limit)
}

// settleTimes -settle is the longest that what goes on coming is waited for.
const settleTimes = 10

// settled waits until everything that is still to come has come.
func (h *house) settled(ctx context.Context, o *orders) (*evidence, error) {
	e := &evidence{delivery: h.delivery, accounts: h.accounts(), shards: h.shards, renewal: h.lost, deeds: h.deeds, taken: o.taken, entered: o.entered}
	// A slow machine may have much left to do: that it does it is what counts.
	began, last, have := time.Now(), time.Now(), 0
	for {
		if err := e.read(ctx, o.bus); err != nil {
			return nil, err
		}
		if n := len(e.events) + len(e.outcomes) + len(e.deadLetters); n > have {
			last, have = time.Now(), n
		}
		if e.complete() {
			break
		}
		if time.Since(last) > h.settle || time.Since(began) > settleTimes*h.settle {
			fmt.Printf("not everything has come %s after the load, and nothing for %s\n", time.Since(began).Round(time.Second), time.Since(last).Round(time.Second))
			break
		}
		wait(ctx, time.Second)
	}
	// Whatever would come twice, or too late, comes within a little while.
	wait(ctx, 3*time.Second)
	if err := e.read(ctx, o.bus); err != nil {
		return nil, err
	}
	if err := h.ask(ctx, e); err != nil {
		return nil, err
	}
	return e, e.download(ctx)
}

// read reads what is on the bus.
func (e *evidence) read(ctx context.Context, bus stranger) (err error) {
	if e.events, err = bus.read(ctx, "events"); err != nil {
		return err
	}
	if e.outcomes, err = bus.read(ctx, "outcomes"); err != nil {
		return err
	}
	if e.deadLetters, err = bus.read(ctx, "deadletters"); err != nil {
		return err
	}
	return e.index()
}

// index makes of the streams what they say.
func (e *evidence) index() (err error) {
	e.bus = readBus(e.events)
	e.came, err = readOutcomes(e.outcomes)
	return err
}
