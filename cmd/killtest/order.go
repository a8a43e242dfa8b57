package main

import (
	"fmt"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// guest is who is moved into the bridge's own groups and out again.
const guest tim.UserID = "frank"

// conversationData is a conversation as a command names it.
func conversationData(user tim.UserID, group tim.GroupID) map[string]string {
	if group != "" {
		return map[string]string{"type": "group", "group_id": string(group)}
	}
	return map[string]string{"type": "c2c", "user_id": string(user)}
}

// next thinks of a command.
func (o *orders) next() (ordered, any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.number++
	c := ordered{id: fmt.Sprintf("c%d", o.number), by: o.accounts[o.rng.IntN(len(o.accounts))]}
	someone := people[o.rng.IntN(len(people))]
	switch n := o.rng.IntN(100); {
	case n < 8 && len(o.accounts) > 1 && o.rng.IntN(4) == 0:
		c.by, c.to, c.hopeless = unknownAccount(o.rng.IntN(1000)), someone, true
		return o.send(c)
	case n < 5 && len(o.revocable) > 0:
		return o.revoke(c)
	case n < 6:
		c.in, c.hopeless = "no-such-group", true
		return o.send(c)
	case n < 7:
		c.verb, c.hopeless = "message.send", true
		return c, map[string]string{"nobody": "knows what this is"}
	case n < 20 && o.all:
		return o.nextOfAll(n-7, c, someone)
	case n < 65:
		c.to = someone
		return o.send(c)
	case n < 88:
		c.in = talkGroup()
		return o.send(c)
	case n < 92 || len(o.groups) == 0:
		return o.create(c)
	}
	return o.change(c)
}

// nextOfAll thinks of one of the rarer commands.
func (o *orders) nextOfAll(n int, c ordered, someone tim.UserID) (ordered, any) {
	switch {
	case n < 4 && len(o.revocable) > 0:
		return o.modify(c)
	case n < 5:
		c.verb, c.to = "message.mark_read", someone
		return c, map[string]any{"conversation": conversationData(someone, "")}
	case n < 6:
		c.verb, c.in = "message.mark_read", talkGroup()
		return c, map[string]any{"conversation": conversationData("", c.in)}
	case n < 8:
		if o.asks() {
			c.verb, c.in, c.fact = "group.handle_request", talkGroup(), factOf(talkGroup(), "member_joined "+string(visitor))
			return c, map[string]any{"group_id": c.in, "user_id": visitor, "accept": true}
		}
		if ids := o.unread(); len(ids) > 0 {
			c.verb = "message.send_read_receipt"
			return c, map[string]any{"message_ids": ids[:1]}
		}
	case n < 9:
		c.verb, c.nick = "profile.modify", "nick "+c.id
		return c, map[string]string{"nick_name": c.nick}
	case n < 10:
		c.verb = "status.set"
		return c, map[string]string{"custom": "at " + c.id}
	case n < 11:
		c.in = rooms[o.rng.IntN(len(rooms))]
		return o.send(c)
	}
	c.in = peoplesGroups[o.rng.IntN(len(peoplesGroups))]
	return o.send(c)
}

func (o *orders) send(c ordered) (ordered, any) {
	c.verb, c.text = "message.send", "command "+c.id
	pieces := thinkOf(o.rng, c.text, o.all)
	c.said, c.files = saidOf(pieces), sumsOf(pieces)
	host := o.at
	if o.rng.IntN(2) == 0 {
		host = nil
	}
	elements := []any{}
	for _, p := range pieces {
		elements = append(elements, p.data(host))
	}
	data := map[string]any{"conversation": conversationData(c.to, c.in), "elements": elements}
	if o.all && !isRoom(c.in) && o.rng.IntN(20) == 0 {
		data["need_read_receipt"] = true
	}
	return c, data
}

func (o *orders) revoke(c ordered) (ordered, any) {
	m := o.revocable[0]
	o.revocable = o.revocable[1:]
	m.id, m.verb = c.id, "message.revoke" // by its own sender
	return m, map[string]string{"message_id": m.what}
}

// modify has a message say something else; it is changed again later.
func (o *orders) modify(c ordered) (ordered, any) {
	m := o.revocable[0]
	m.id, m.verb = c.id, "message.modify"
	pieces := []piece{{kind: "text", text: m.sent + modifiedMark + m.id}, thinkOfMore(o.rng, m.sent, nil)}
	if pieces[1].kind == "merger" {
		pieces = pieces[:1] // a message cannot be changed to one
	}
	m.said = saidOf(pieces)
	elements := []any{}
	for _, p := range pieces {
		elements = append(elements, p.data(nil))
	}
	return m, map[string]any{"message_id": m.what, "elements": elements}
}

func (o *orders) create(c ordered) (ordered, any) {
	c.verb, c.typ = "group.create", "private"
	if o.all {
		types := []string{"private", "private", "public", "public", "chatroom", "community", "avchatroom"}
		c.typ = types[o.rng.IntN(len(types))]
	}
	c.in = mapping.GroupIDFor(commandSource, c.id, c.typ == "community")
	data := map[string]any{"group_type": c.typ, "name": c.id}
	if c.typ != "avchatroom" {
		data["members"] = []map[string]string{{"user_id": "bob"}}
	}
	if c.typ == "public" || c.typ == "chatroom" {
		data["approve_option"] = "any"
	}
	return c, data
}

// change is the next thing that happens to one of the groups; the last is
// that it is dismissed, left, or handed over.
func (o *orders) change(c ordered) (ordered, any) {
	i := o.rng.IntN(len(o.groups))
	g := &o.groups[i]
	c.by, c.in, c.typ = g.by, g.id, g.typ
	steps := map[string][]string{
		"private":    {"talk", "describe", "invite", "remove", "quit"},
		"public":     {"describe", "invite", "promote", "mute", "remove", "dismiss"},
		"chatroom":   {"describe", "invite", "promote", "mute", "remove", "dismiss"},
		"community":  {"describe", "invite", "promote", "mute", "remove", "transfer"},
		"avchatroom": {"describe", "dismiss"},
	}[g.typ]
	if !o.all {
		steps = []string{"talk", "invite", "remove"}
	}
	step := steps[g.next]
	if g.next++; g.next == len(steps) {
		o.groups[i] = o.groups[len(o.groups)-1]
		o.groups = o.groups[:len(o.groups)-1]
	}
	stored := c.typ != "chatroom" && c.typ != "avchatroom"
	tip := func(stored bool, what string) {
		if stored {
			c.fact = factOf(c.in, what)
		}
	}
	data := map[string]any{"group_id": c.in}
	switch step {
	case "talk": // a private group begins with it
		return o.send(c)
	case "describe":
		c.verb, data["notification"] = "group.modify", c.id
		tip(c.typ != "avchatroom", "info_changed notification="+c.id)
	case "invite":
		c.verb, data["user_ids"] = "group.invite", []tim.UserID{guest}
		tip(stored, "member_joined "+string(guest))
	case "promote":
		c.verb, data["user_id"], data["role"] = "group.modify_member", guest, "admin"
		tip(stored, "member_changed "+string(guest)+" admin")
	case "mute":
		c.verb, data["user_id"], data["muted_seconds"] = "group.modify_member", guest, 777
		tip(stored, "member_changed "+string(guest)+" muted 777")
	case "remove":
		c.verb, data["user_ids"] = "group.remove_member", []tim.UserID{guest}
		tip(stored, "member_kicked "+string(guest))
	case "transfer":
		c.verb, data["user_id"] = "group.transfer", "bob"
		tip(stored, "info_changed owner=bob")
	case "quit":
		c.verb, c.report = "group.quit", true
		tip(true, "member_left "+string(bridgeUser))
	case "dismiss":
		c.verb, c.report = "group.dismiss", true
		tip(true, "dismissed")
	}
	return c, data
}
