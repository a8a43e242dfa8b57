package nats

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/bus"
)

func testEvent(typ, subject, account string) *event.Event {
	e := event.New()
	e.SetID("1")
	e.SetSource("/x")
	e.SetType(typ)
	if subject != "" {
		e.SetSubject(subject)
	}
	if account != "" {
		e.SetExtension(accountName, account)
	}
	return &e
}

// placing is a bus that only places messages.
func placing(t testing.TB, cfg Config) *Bus {
	t.Helper()
	cfg.URL = "nats://localhost"
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &Bus{cfg: cfg, routes: routes(&cfg)}
}

func TestPlace(t *testing.T) {
	b := placing(t, Config{Routes: []Route{
		{Types: "message.*", StreamConfig: StreamConfig{Name: "talk", Subject: "acme.talk"}},
		{Types: "group.member_*", StreamConfig: StreamConfig{Name: "members", Subject: "acme.members"}},
	}})
	for _, c := range []struct {
		stream          bus.Stream
		e               *event.Event
		target, subject string
	}{
		{bus.Events, testEvent("io.timbridge.account.signed_in.v1", "account/alice", "alice"), "tim-events", "tim.events.account.signed_in.account.alice"},
		{bus.Events, testEvent("io.timbridge.message.posted.v1", "c2c/alice/bob", "alice"), "talk", "acme.talk.message.posted.c2c.alice.bob"},
		{bus.Events, testEvent("io.timbridge.group.member_left.v2", "group/g1", "alice"), "members", "acme.members.group.member_left.group.g1"},
		{bus.Events, testEvent("io.timbridge.group.created.v1", "group/~40TGS~23_", "alice"), "tim-events", "tim.events.group.created.group.~40TGS~23_"},
		{bus.Events, testEvent("io.timbridge.im.unrecognized.v1", "", ""), "tim-events", "tim.events.im.unrecognized.~"},
		{bus.Events, testEvent("com.example.thing", "a b/*/>/é.", ""), "tim-events", "tim.events.com.example.thing.a~20b.~2A.~3E.~C3~A9~2E"},
		{bus.Commands, testEvent("io.timbridge.command.message.send.v1", "", "bot"), "tim-commands", "tim.commands.bot.message.send"},
		{bus.Commands, testEvent("io.timbridge.command.message.send.v1", "", ""), "tim-commands", "tim.commands.~.message.send"},
		{bus.Commands, testEvent("io.timbridge.command.group.remove_member.v1", "", "a.b/c~$ü"), "tim-commands", "tim.commands.a~2Eb~2Fc~7E~24~C3~BC.group.remove_member"},
		{bus.Outcomes, testEvent("io.timbridge.command.succeeded.v1", "x", "bot"), "tim-outcomes", "tim.outcomes.bot.succeeded"},
		{bus.DeadLetters, testEvent("io.timbridge.command.dead_lettered.v1", "x", "bot"), "tim-deadletters", "tim.deadletters.bot"},
	} {
		r, subject, err := b.place(c.stream, c.e)
		if err != nil || r.Name != c.target || subject != c.subject {
			t.Errorf("%s of %s lies on %v %q (%v), not %s %q", c.e.Type(), c.e.Subject(), r, subject, err, c.target, c.subject)
		}
		if !validSubject(subject) {
			t.Errorf("%q is no subject", subject)
		}
	}
	if _, _, err := b.place("nowhere", testEvent("t", "", "")); err == nil {
		t.Error("a stream that is none has a place")
	}
}

// TestCheckPlace: the subject is what the server's permissions see, so it must
// not say less than the event asks for.
func TestCheckPlace(t *testing.T) {
	const send = "io.timbridge.command.message.send.v1"
	for _, c := range []struct {
		name, place, typ, account string
		allowed                   bool
		becomes                   string
	}{
		{"its own", "tim.commands.bot.message.send", send, "bot", true, "bot"},
		{"account by subject", "tim.commands.bot.message.send", send, "", true, "bot"},
		{"escaped account by subject", "tim.commands.a~2Eb.message.send", send, "", true, "a.b"},
		{"no account at all", "tim.commands.~.message.send", send, "", true, ""},
		{"another's account", "tim.commands.bot.message.send", send, "alice", false, ""},
		{"an account where none is allowed", "tim.commands.~.message.send", send, "alice", false, ""},
		{"another verb", "tim.commands.bot.message.send", "io.timbridge.command.group.dismiss.v1", "bot", false, ""},
		{"less than a verb", "tim.commands.bot", send, "bot", false, ""},
		{"more than a verb", "tim.commands.bot.message.send.x", send, "bot", false, ""},
		{"elsewhere", "other.bot.message.send", send, "bot", false, ""},
		{"a broken escape", "tim.commands.a~2.message.send", send, "", false, ""},
		{"lower-case escape of another spelling", "tim.commands.a~2eb.message.send", send, "a.b", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := testEvent(c.typ, "", c.account)
			err := placing(t, Config{}).checkPlace(c.place, e)
			if c.allowed != (err == nil) {
				t.Fatalf("checkPlace: %v", err)
			}
			if err != nil && !errors.Is(err, bus.ErrNotAllowed) {
				t.Errorf("error of another kind: %v", err)
			}
			if err == nil && account(e) != c.becomes {
				t.Errorf("the account is %q, not %q", account(e), c.becomes)
			}
			if err := placing(t, Config{LooseSubjects: true}).checkPlace(c.place, e); err != nil {
				t.Errorf("loose subjects: %v", err)
			}
		})
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{"", "bot", "a.b", "~", "~2E", "ü*>$\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		var b strings.Builder
		writeToken(&b, id, true)
		if !validSubject(b.String()) || strings.Contains(b.String(), ".") {
			t.Fatalf("%q becomes %q", id, b.String())
		}
		if back, ok := unescape(b.String()); id != "" && (!ok || back != id) {
			t.Fatalf("%q comes back as %q", id, back)
		}
		unescape(id)
	})
}
