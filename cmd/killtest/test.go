package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/wire"
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
	}
	nc, js, err := connect(ctx, h.busPort, h.busToken)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := h.awaitReady(ctx, 30*time.Second); err != nil {
		return err
	}
	fmt.Printf("ready after %s; %s, delivery %q, seed %d\n", time.Since(started).Round(time.Millisecond), s.trouble(), s.delivery, s.seed)

	o := &orders{js: js, rng: rand.New(rand.NewPCG(s.seed, 1))}
	if err := h.makeTalk(ctx, o); err != nil {
		return err
	}
	if err := h.startSender(); err != nil {
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
	e, err := h.settled(ctx, js, o)
	if err != nil {
		return err
	}
	if ready, why := h.ready(ctx); !ready {
		return fmt.Errorf("the bridge is not ready in the end: %s", why)
	}
	f, err := e.check()
	fmt.Printf("%d messages answered, %d commands taken (%d of them to revoke): %d succeeded, %d failed, %d in doubt; %d events; settled %s after the load; took %s\n",
		f.Said, f.Taken, f.Revoked, f.Succeeded, f.Failed, f.InDoubt, f.Events, time.Since(settling).Round(time.Millisecond), time.Since(started).Round(time.Second))
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
	case len(h.steps) > 0:
		return h.killAtSteps(ctx, rng)
	}
	return h.killAll(ctx, rng)
}

// makeTalk has the bridge create the group in which everybody talks.
func (h *house) makeTalk(ctx context.Context, o *orders) error {
	members := []map[string]string{}
	for _, p := range people {
		members = append(members, map[string]string{"user_id": string(p)})
	}
	err := o.publish(ctx, ordered{id: talkCommand, verb: "group.create", in: talkGroup()},
		map[string]any{"group_type": "public", "name": "talk", "members": members})
	if err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		outcomes, err := readStream(ctx, o.js, "tim-outcomes")
		if err != nil {
			return err
		}
		if len(outcomes) > 0 {
			if outcomes[0].typ != "io.timbridge.command.succeeded.v1" {
				return fmt.Errorf("the group cannot be created: %s", outcomes[0].data)
			}
			return nil
		}
		wait(ctx, 20*time.Millisecond)
	}
	return errors.New("the group was not created within 30 s")
}

// settled waits until everything that is still to come has come.
func (h *house) settled(ctx context.Context, js jetstream.JetStream, o *orders) (*evidence, error) {
	e := &evidence{delivery: h.delivery, said: h.said, taken: o.taken}
	deadline := time.Now().Add(h.settle)
	for {
		if err := e.read(ctx, js); err != nil {
			return nil, err
		}
		if e.complete() || time.Now().After(deadline) {
			break
		}
		wait(ctx, time.Second)
	}
	// Whatever would come twice, or too late, comes within a little while.
	wait(ctx, 3*time.Second)
	if err := e.read(ctx, js); err != nil {
		return nil, err
	}
	var err error
	e.history, err = h.readHistory(ctx)
	return e, err
}

// read reads what is on the bus.
func (e *evidence) read(ctx context.Context, js jetstream.JetStream) (err error) {
	if e.events, err = readStream(ctx, js, "tim-events"); err != nil {
		return err
	}
	if e.outcomes, err = readStream(ctx, js, "tim-outcomes"); err != nil {
		return err
	}
	e.deadLetters, err = readStream(ctx, js, "tim-deadletters")
	return err
}

// readHistory asks the IM service itself what was said, as each of the people.
func (h *house) readHistory(ctx context.Context) (map[tim.Conversation][]tim.Message, error) {
	driver := wire.NewDriver(wire.Options{URL: fmt.Sprintf("ws://127.0.0.1:%d", h.imPort), Token: h.imToken})
	out := map[tim.Conversation][]tim.Message{}
	for i, user := range people {
		s := &sender{driver: driver, key: h.key, sdkappid: appID}
		client, err := s.signIn(ctx, user)
		if err != nil {
			return nil, err
		}
		history, ok := client.(tim.History)
		if !ok {
			return nil, errors.New("the sandbox has no history")
		}
		all, err := readAll(ctx, history, tim.C2C(bridgeUser))
		if err == nil && i == 0 {
			out[tim.Group(talkGroup())], err = readAll(ctx, history, tim.Group(talkGroup()))
		}
		if err = errors.Join(err, client.Close()); err != nil {
			return nil, fmt.Errorf("history of %s: %w", user, err)
		}
		out[tim.C2C(user)] = all
	}
	return out, nil
}

func readAll(ctx context.Context, h tim.History, conv tim.Conversation) ([]tim.Message, error) {
	var all []tim.Message
	var before *tim.Message
	for {
		page, err := h.Messages(ctx, conv, tim.HistoryQuery{Before: before, Count: 100})
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < 100 {
			return all, nil
		}
		before = &page[len(page)-1]
	}
}
