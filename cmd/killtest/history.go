package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/wire"
)

// ask asks the IM service itself what was said, as each of the people, and what
// the bridge's account is called.
func (h *house) ask(ctx context.Context, e *evidence) error {
	e.history, e.inChat = map[string]spoken{}, map[string]int{}
	driver := wire.NewDriver(wire.Options{URL: fmt.Sprintf("ws://127.0.0.1:%d", h.imPort), Token: h.imToken})
	s := &sender{driver: driver, key: h.key, sdkappid: appID}
	for _, user := range people {
		client, err := s.signIn(ctx, user, func(r tim.Report) { r.Ack() })
		if err != nil {
			return err
		}
		for _, conv := range e.conversationsOf(user) {
			if err = e.remember(ctx, client, user, conv); err != nil {
				break
			}
		}
		if p, ok := client.(tim.Profiles); ok && err == nil {
			var found []tim.UserProfile
			if found, err = p.Profiles(ctx, []tim.UserID{bridgeUser}); err == nil && len(found) == 1 {
				e.nick = found[0].NickName
			}
		}
		if err = errors.Join(err, client.Close()); err != nil {
			return fmt.Errorf("history of %s: %w", user, err)
		}
	}
	return nil
}

// conversationsOf are the conversations that are read as that person: its talk
// with the bridge, and of all groups each as one who was in it from the start.
func (e *evidence) conversationsOf(user tim.UserID) []tim.Conversation {
	var out []tim.Conversation
	for _, account := range e.accounts {
		out = append(out, tim.C2C(account))
	}
	switch user {
	case people[0]:
		out = append(out, tim.Group(talkGroup()))
		made := map[tim.GroupID]bool{}
		for _, d := range e.deeds {
			if d.Kind == deedPost && d.Group != "" && !isRoom(d.Group) && d.Group != talkGroup() && !made[d.Group] {
				made[d.Group] = true
				out = append(out, tim.Group(d.Group))
			}
		}
	case people[1]:
		begun := map[tim.GroupID]bool{} // a private group begins with its owner's first message
		for _, c := range e.taken {
			begun[c.in] = begun[c.in] || c.verb == "message.send"
		}
		for _, c := range e.taken {
			if (c.typ != "private" || begun[c.in]) && c.verb == "group.create" && c.id != talkCommand && c.typ != "avchatroom" && len(e.came[c.id]) > 0 && e.came[c.id][0].succeeded() {
				out = append(out, tim.Group(c.in))
			}
		}
	}
	return out
}

// bridgeLeft is the tip about the bridge, which it does not get itself.
var bridgeLeft = saidTips("quit", bridgeUser, []tim.UserID{bridgeUser}, nil)

// remember reads all that the service holds of a conversation.
func (e *evidence) remember(ctx context.Context, client tim.Client, user tim.UserID, conv tim.Conversation) error {
	history, ok := client.(tim.History)
	if !ok {
		return errors.New("the sandbox has no history")
	}
	var before *tim.Message
	for {
		page, err := history.Messages(ctx, conv, tim.HistoryQuery{Before: before, Count: 100})
		if err != nil {
			return fmt.Errorf("%v: %w", conv, err)
		}
		for _, m := range page {
			s := spokenOf(user, m)
			if slices.Equal(s.said, []string{bridgeLeft}) {
				continue // said to who stayed
			}
			e.history[s.id] = s
			e.inChat[s.mark]++
		}
		if len(page) < 100 {
			return nil
		}
		before = &page[len(page)-1]
	}
}
