package main

import (
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
)

// Every type has an example, and a line that is not its raw data.
func TestEveryEventHasALine(t *testing.T) {
	v := schemas.New()
	list, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	// What commands ask for is best seen as it is.
	raw := func(name string) bool {
		return (strings.HasPrefix(name, "command.") && strings.Count(name, ".") == 2) && name != "command.message.send"
	}
	want := map[string]string{
		"message.posted":          "c2c/alice/bridge  alice: ",
		"message.modified":        "message.modified        group/team  alice (changed): The parcel",
		"message.read":            "alice has read up to ",
		"group.join_requested":    "dave asks to join: I drive the north tour.",
		"group.invited":           "alice invites bridge",
		"group.custom_notified":   "administrator: {\"tour\"",
		"group.request_handled":   "alice refused bridge: We are full.",
		"user.status_changed":     "alice is online: on tour",
		"user.profile_changed":    "alice is Alice: On time, or before.",
		"message.revoked":         "recalled c2c/alice/bridge/7/3141592653/1795420800",
		"group.created":           `bridge made "Team"`,
		"group.member_joined":     "bob, carol, invited by bridge",
		"group.member_left":       "group/team  carol",
		"group.member_kicked":     "bob, removed by bridge",
		"group.member_changed":    "bob admin",
		"group.info_changed":      `bridge changed name "The team"`,
		"group.dismissed":         "dismissed bridge",
		"account.signed_out":      "the bridge is stopping",
		"account.gap_detected":    "nothing can be read back from 2026-11-20T08:00:00Z to 2026-11-23T07:59:00Z: ",
		"bridge.journal_damaged":  "lost positions 1200 to 1280",
		"bridge.commands_lost":    "18 removed from tim.commands/3 before they were read: the topic removed 18 messages",
		"bridge.event_refused":    "the stream takes messages up to",
		"command.succeeded":       "message c2c/",
		"command.failed":          "im_error ",
		"command.rejected":        "schema_invalid at ",
		"command.expired":         "at expirytime: ",
		"command.dead_lettered":   "im_error 20016 ",
		"command.message.send":    "to ",
		"im.unrecognized":         "TIMGroupCounterChangedCallback",
		"account.kicked_offline":  "account.kicked_offline",
		"account.usersig_expired": "account.usersig_expired",
	}
	for _, s := range list {
		t.Run(s.Name, func(t *testing.T) {
			b, err := v.Example(s.Name)
			if err != nil {
				t.Fatal(err)
			}
			ev := event.New()
			if err := ev.UnmarshalJSON(b); err != nil {
				t.Fatal(err)
			}
			line := eventLine(&ev)
			if strings.Contains(line, "  {") != raw(s.Name) || !strings.Contains(line, s.Name) || !strings.Contains(line, want[s.Name]) {
				t.Errorf("line: %s", line)
			}
		})
	}
}

func TestOutcomeThatWasSoAlready(t *testing.T) {
	for _, c := range []struct {
		name   string
		result mapping.Result
		want   string
	}{
		{"a group", mapping.Result{GroupID: "g", Already: true}, "group g (it was so already)"},
		{"a message", mapping.Result{MessageID: "m", Already: true}, "message m (it was so already)"},
		{"neither", mapping.Result{Already: true}, "(it was so already)"},
		{"done now", mapping.Result{GroupID: "g"}, "group g"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := outcomeText(mapping.Outcome{Result: &c.result}); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
