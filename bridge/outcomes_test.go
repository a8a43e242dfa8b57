package bridge

import (
	"slices"
	"testing"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// TestOutcomesSayWhatWasDone: a command that did nothing does not succeed as if
// it had, and one that found nothing to do says so.
func TestOutcomesSayWhatWasDone(t *testing.T) {
	cfg := newConfig(t)
	s := newService(t, cfg)
	alice := s.person("alice", tim.PlatformOther)
	s.person("carol", tim.PlatformOther)
	r := launch(t, cfg)
	r.awaitState(AccountConnected)
	c := &clerk{t: t, bus: desk(t, cfg)}
	toAlice := data{"type": "c2c", "user_id": "alice"}
	group := c.done("group.create", data{"group_type": "community", "name": "us", "members": []any{data{"user_id": "alice"}}}).GroupID
	users := func(ids ...string) data { return data{"group_id": group, "user_ids": ids} }
	members := func(r *mapping.Result) (out []string) {
		if r != nil {
			for _, m := range r.Members {
				out = append(out, string(m.UserID)+" "+m.Result)
			}
		}
		return out
	}

	for _, tt := range []struct {
		what, verb string
		data       data
		members    []string
		already    bool
	}{
		{"who is in", "group.invite", users("alice"), []string{"alice included"}, true},
		{"who is in, and who is not", "group.invite", users("alice", "carol"), []string{"alice included", "carol done"}, false},
		{"one of them, and oneself", "group.remove_member", users("carol", "bridge"), []string{"carol done", "bridge failed"}, false},
		{"who is not in", "group.remove_member", users("carol"), []string{"carol absent"}, true},
	} {
		got := c.done(tt.verb, tt.data)
		if !slices.Equal(members(&got), tt.members) || got.Already != tt.already {
			t.Errorf("%s: %s: %v, already %v", tt.verb, tt.what, members(&got), got.Already)
		}
	}
	for what, tt := range map[string]struct {
		verb    string
		data    data
		members []string
	}{
		"remove oneself":       {"group.remove_member", users("bridge"), []string{"bridge failed"}},
		"invite who cannot be": {"group.invite", users("@TIM#SYSTEM"), []string{"@TIM#SYSTEM failed"}},
	} {
		o := c.outcome(c.order(tt.verb, tt.data))
		if o.Type != mapping.TypeFailed || o.Error.Number != int32(tim.CodeNoSuccResult) || o.Error.Code != mapping.CodeIMError || !slices.Equal(members(o.Result), tt.members) {
			t.Errorf("%s: %s %+v %v", what, o.Type, o.Error, members(o.Result))
		}
	}

	for _, in := range []struct {
		add  tim.GroupAddOption
		want string
	}{{tim.GroupAddAuth, mapping.StatusRequested}, {tim.GroupAddAny, mapping.StatusJoined}} {
		made, err := alice.CreateGroup(t.Context(), tim.CreateGroupParam{GroupName: "theirs", GroupType: tim.GroupPublic, AddOption: &in.add})
		must(t, err)
		if got := c.done("group.join", data{"group_id": made.GroupID}); got.Status != in.want {
			t.Errorf("join with the option %v: %+v", in.add, got)
		}
		again := c.done("group.join", data{"group_id": made.GroupID})
		if again.Status != in.want || again.Already != (in.want == mapping.StatusJoined) {
			t.Errorf("once more: %+v", again)
		}
	}

	for _, to := range []data{toAlice, {"type": "group", "group_id": group}} {
		sent := c.done("message.send", data{"conversation": to, "elements": []any{data{"type": "text", "text": "oops"}}})
		if first := c.done("message.revoke", data{"message_id": sent.MessageID}); first.Already {
			t.Errorf("%v: revoked before it was: %+v", to, first)
		}
		if again := c.done("message.revoke", data{"message_id": sent.MessageID}); !again.Already {
			t.Errorf("%v: revoked twice: %+v", to, again)
		}
	}
	if dead := stored(t, c.bus, bus.DeadLetters); len(dead) != 2 {
		t.Errorf("%d dead letters", len(dead))
	}
}
