package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/timbridge/timbridge/bus"
	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/journal"
	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// TestEveryTypeOverTheWholeBridge has everything that the schemas know come
// about by the real parts alone: the sandbox over its protocol, the journal on
// disk, the bus. What is on the bus at the end is compared with the list of all
// types, so that a type without a producer fails here.
func TestEveryTypeOverTheWholeBridge(t *testing.T) {
	cfg := newConfig(t)
	cfg.Bus.NATS.Events.MaxMessageBytes = 8 << 10
	cfg.Journal.SegmentBytes = 64 << 10
	w := everyCommand(t, cfg, "")
	w.messages(t)
	w.groups(t)
	w.refusals(t)
	w.account(t)
	w.repair(t, cfg)

	check := schemas.New()
	all, err := check.List()
	must(t, err)
	missing := map[string]bool{}
	for _, s := range all {
		missing[s.Type] = true
	}
	look := func(streams ...bus.Stream) {
		for _, stream := range streams {
			for _, e := range stored(t, w.c.bus, stream) {
				delete(missing, e.Type())
			}
		}
	}
	look(bus.Commands)
	w.removed(t, cfg)
	eventually(t, "every type", func() (bool, string) {
		look(bus.Events, bus.Outcomes, bus.DeadLetters)
		return len(missing) == 0, fmt.Sprintf("nothing has brought about %v", slices.Sorted(maps.Keys(missing)))
	})
	for _, stream := range []bus.Stream{bus.Events, bus.Outcomes, bus.DeadLetters} { // commands may be wrong
		for _, e := range stored(t, w.c.bus, stream) {
			if err := check.Validate(e.Type(), e.Data()); err != nil {
				t.Errorf("%s %s: %v", e.Type(), e.ID(), err)
			}
		}
	}
}

type data = map[string]any

// messages: one is recalled, one is too large for the bus, and a report is of
// a kind that only a later service knows.
func (w *whole) messages(t *testing.T) {
	toAlice := data{"type": "c2c", "user_id": "alice"}
	sent := w.c.done("message.send", data{"conversation": toAlice, "elements": []any{data{"type": "text", "text": "oops"}}})
	w.c.done("message.revoke", data{"message_id": sent.MessageID})
	awaitSome(t, w.c.bus, "message.revoked", sent.MessageID)

	say(t, w.alice, strings.Repeat("far more than the stream takes ", 300))
	awaitSome(t, w.c.bus, "bridge.event_refused", "message.posted")

	told, err := w.s.Faults().Tell(testUser, "TIMPollClosedCallback", json.RawMessage(`{"poll":17}`))
	if err != nil || told != 1 {
		t.Fatalf("told %d, %v", told, err)
	}
	awaitSome(t, w.c.bus, "im.unrecognized", "TIMPollClosedCallback")
}

// groups: members come by invitation, leave and are removed; the account is
// asked whether it comes, and asks to be let in.
func (w *whole) groups(t *testing.T) {
	dave := w.s.person("dave", tim.PlatformOther).(tim.Groups)
	w.s.person("erin", tim.PlatformOther)
	own := w.c.done("group.create", data{"group_type": "community", "name": "all of us"}).GroupID
	invited := w.c.done("group.invite", data{"group_id": own, "user_ids": []string{"dave", "erin"}})
	if len(invited.Members) != 2 || invited.Members[0].Result != "done" {
		t.Errorf("invited: %+v", invited.Members)
	}
	must(t, dave.QuitGroup(t.Context(), own))
	awaitSome(t, w.c.bus, "group.member_left", "dave")
	w.c.done("group.remove_member", data{"group_id": own, "user_ids": []string{"erin"}})
	awaitSome(t, w.c.bus, "group.member_kicked", "erin")
	w.c.done("group.dismiss", data{"group_id": own})
	awaitSome(t, w.c.bus, "group.dismissed", string(own))

	// The account is invited, and decides.
	groups := w.alice.(tim.Groups)
	for _, accept := range []bool{false, true} {
		made, err := w.alice.CreateGroup(t.Context(), tim.CreateGroupParam{GroupName: "ours", GroupType: tim.GroupCommunity})
		must(t, err)
		results, err := w.alice.InviteMembers(t.Context(), tim.GroupInviteMemberParam{
			GroupID: made.GroupID, Identifiers: []tim.UserID{testUser}, UserData: "come in",
		})
		if err != nil || len(results) != 1 || results[0].Result != tim.MemberInvited {
			t.Fatalf("invited: %v, %v", results, err)
		}
		awaitSome(t, w.c.bus, "group.invited", string(made.GroupID))
		w.c.done("group.handle_request", data{"group_id": made.GroupID, "user_id": "alice", "request": "invite", "accept": accept})
		page, err := groups.Members(t.Context(), tim.GroupGetMemberInfoListParam{GroupID: made.GroupID, Identifiers: []tim.UserID{testUser}})
		if in := len(page.Infos) == 1; err != nil || in != accept {
			t.Errorf("accepted %v, is in %v, %v", accept, in, err)
		}
	}

	// The account asks, and is let in.
	asks, err := w.alice.CreateGroup(t.Context(), tim.CreateGroupParam{GroupName: "by request", GroupType: tim.GroupPublic})
	must(t, err)
	if joined := w.c.done("group.join", data{"group_id": asks.GroupID, "message": "please"}); joined.Already {
		t.Errorf("joined: %+v", joined)
	}
	page, err := groups.Requests(t.Context(), tim.GroupPendencyOption{})
	must(t, err)
	i := slices.IndexFunc(page.Pendencies, func(p tim.GroupPendency) bool { return p.GroupID == asks.GroupID })
	if i < 0 {
		t.Fatalf("alice is shown %+v", page)
	}
	must(t, groups.HandleRequest(t.Context(), tim.GroupHandlePendencyParam{IsAccept: true, HandleMsg: "welcome", Pendency: page.Pendencies[i]}))
	awaitSome(t, w.c.bus, "group.request_handled", string(asks.GroupID))
	awaitSome(t, w.c.bus, "group.member_joined", string(asks.GroupID))
}

// refusals: a command that is wrong, one that comes too late, and one that the
// service refuses.
func (w *whole) refusals(t *testing.T) {
	wrong := w.c.order("message.send", data{"conversation": data{"type": "c2c", "user_id": "alice"}})
	e := event.New()
	e.SetID("late")
	e.SetSource("test")
	e.SetType(mapping.TypeCommandDismiss)
	e.SetExtension(mapping.ExtAccount, string(testUser))
	e.SetExtension(mapping.ExtExpiryTime, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	must(t, e.SetData("application/json", data{"group_id": w.open}))
	_, err := w.c.bus.Publish(t.Context(), bus.Commands, &e)
	must(t, err)
	refused := w.c.order("group.dismiss", data{"group_id": w.open})
	for id, want := range map[string]string{wrong: mapping.TypeRejected, "late": mapping.TypeExpired, refused: mapping.TypeFailed} {
		if o := w.c.outcome(id); o.Type != want {
			t.Errorf("%s: %s %+v", id, o.Type, o.Error)
		}
	}
	if e := w.c.outcome(refused).Error; e.Number != int32(tim.CodeSvrGroupPermissionDeny) {
		t.Errorf("to dismiss another's group: %+v", e)
	}
}

// account: it is in a room that keeps nothing, and its connection breaks; it is
// kicked; its UserSig ends.
func (w *whole) account(t *testing.T) {
	room := w.c.done("group.create", data{"group_type": "avchatroom", "name": "live"}).GroupID
	awaitSome(t, w.c.bus, "group.created", string(room))
	w.c.done("message.send", data{"conversation": data{"type": "group", "group_id": room}, "elements": []any{data{"type": "text", "text": "live and gone"}}})
	awaitSome(t, w.c.bus, "message.posted", "live and gone")
	for what, trouble := range map[string]func(){
		"account.connection_changed": func() { w.s.Faults().Disconnect(testUser, 0) },
		"account.kicked_offline":     func() { must(t, w.s.Faults().Kick(testUser)) },
		"account.usersig_expired":    func() { must(t, w.s.Faults().ExpireUserSig(testUser)) },
	} {
		w.r.awaitState(AccountConnected)
		w.c.done("status.set", data{"custom": what}) // it is signed in, and not about to be again
		trouble()
		eventually(t, what, func() (bool, string) { return len(ofType(stored(t, w.c.bus, bus.Events), what)) > 0, "" })
	}
	w.r.awaitState(AccountConnected)
	awaitSome(t, w.c.bus, "account.gap_detected", string(room))
}

// repair: the bridge signs out and ends, a part of its journal is damaged and
// given up; the next one says so.
func (w *whole) repair(t *testing.T, cfg *config.Config) {
	must(t, w.c.bus.Close())
	w.r.stop()
	segments, err := filepath.Glob(filepath.Join(JournalDir(cfg), "*.seg"))
	must(t, err)
	slices.Sort(segments)
	if len(segments) < 3 {
		t.Fatalf("only %d segments", len(segments))
	}
	spoil(t, segments[len(segments)-2], 30_000)
	for _, path := range snapshots(t, cfg) {
		must(t, os.Remove(path))
	}
	report, err := journal.Repair(JournalDir(cfg), nil)
	if err != nil || len(report.Damaged) != 1 {
		t.Fatalf("the repair reports %+v, %v", report, err)
	}
	w.again(t, cfg)
	for _, what := range []string{"account.signed_out", "bridge.journal_damaged"} {
		eventually(t, what, func() (bool, string) {
			all := stored(t, w.c.bus, bus.Events)
			return len(ofType(all, what)) > 0, fmt.Sprint(len(all), " events")
		})
	}
}

func (w *whole) again(t *testing.T, cfg *config.Config) {
	w.r = launch(t, cfg)
	w.r.awaitReady()
	w.c.bus = desk(t, cfg)
}

// removed: the bus removes a command while no bridge is there to read it.
func (w *whole) removed(t *testing.T, cfg *config.Config) {
	w.r.awaitPublished()
	must(t, w.c.bus.Close())
	w.r.stop()
	served, err := connect(t.Context(), cfg, true, testLogger(t), func(string) {})
	must(t, err)
	w.c.bus = served
	w.c.order("status.set", data{"custom": "never read"})
	token, err := ReadSecret(cfg.DataDir, tokenFile)
	must(t, err)
	nc, err := nats.Connect("nats://"+cfg.Bus.NATS.Listen, nats.Token(token))
	must(t, err)
	js, err := jetstream.New(nc)
	must(t, err)
	commands, err := js.Stream(t.Context(), "tim-commands")
	must(t, err)
	must(t, commands.Purge(t.Context()))
	nc.Close()
	must(t, served.Close())
	w.again(t, cfg)
	w.c.done("status.set", data{"custom": "read"}) // what is missing shows before it
}
