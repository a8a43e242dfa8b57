package mapping_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

var (
	sent = mapping.CommandRef{
		Source: "https://shop.example/orders", ID: "send-17", Type: mapping.TypeCommandSend, Account: "bridge", Subject: "order/17",
	}
	place = mapping.BusPosition{
		Target: "tim-commands", Offset: 12, Time: time.Date(2026, 11, 23, 8, 0, 0, 1e8, time.UTC),
		Digest: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
	}
	decided = time.Date(2026, 11, 23, 8, 0, 1, 0, time.UTC)
)

var outcomes = []struct {
	name string
	o    mapping.Outcome
}{
	{"sent", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, Subject: "c2c/alice/bridge", Position: place, At: decided, Attempts: 2,
		CorrelationID: "order-17", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Result: &mapping.Result{MessageID: "c2c/alice/bridge/7/9/1795420800", MsgID: "1-1795420800-9", Sequence: 7, Random: 9, ServerTime: at, Settled: true}}},
	{"invited", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, At: decided, Attempts: 1,
		Result: &mapping.Result{GroupID: "team", Members: mapping.MemberResults([]tim.GroupInviteMemberResult{
			{Identifier: "bob", Result: tim.MemberDone}, {Identifier: "eve", Result: tim.MemberIncluded}, {Identifier: "dan", Result: tim.MemberInvited},
		})}}},
	{"removed", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, At: decided, Attempts: 1,
		Result: &mapping.Result{GroupID: "team", Members: mapping.RemovedResults([]tim.GroupDeleteMemberResult{{Identifier: "bob"}})}}},
	{"dismissed already", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, At: decided, Attempts: 1, Result: &mapping.Result{GroupID: "team", Already: true}}},
	{"failed", mapping.Outcome{Type: mapping.TypeFailed, Command: sent, Subject: "group/team", At: decided, Attempts: 3,
		Error: mapping.ErrorOf(fmt.Errorf("send: %w", tim.NewError("send", 10017, "")))}},
	{"rejected", mapping.Outcome{Type: mapping.TypeRejected, Command: sent, Position: place, At: decided,
		Error: mapping.ErrorOf(&mapping.RejectError{Code: mapping.RejectSchemaInvalid, Message: "add \"text\"", Field: "/elements/0"})}},
	{"rejected, no CloudEvent", mapping.Outcome{Type: mapping.TypeRejected, Position: place, At: decided,
		Error: mapping.ErrorOf(&mapping.RejectError{Code: mapping.RejectMalformed, Message: "this is not a CloudEvent"})}},
	{"expired", mapping.Outcome{Type: mapping.TypeExpired, Command: sent, Position: place, At: decided,
		Error: &mapping.OutcomeError{Code: mapping.CodeExpired, Text: "its expirytime was an hour ago", Retryable: true, Field: "expirytime"}}},
	{"modified", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, Subject: "group/team", At: decided, Attempts: 1,
		Result: &mapping.Result{MessageID: "group/team/45", Sequence: 45, ServerTime: at, Version: 2}}},
	{"read receipts sent", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, Subject: "group/team", At: decided, Attempts: 1,
		Result: &mapping.Result{MessageIDs: []string{"group/team/45", "group/team/46"}}}},
	{"group modified", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, Subject: "group/team", At: decided, Attempts: 1,
		Result: &mapping.Result{GroupID: "team", Group: mapping.GroupInfoOf(tim.GroupDetailInfo{
			GroupID: "team", GroupType: tim.GroupChatRoom, GroupName: "Team", Notification: "n", Introduction: "i", FaceURL: "f",
			OwnerIdentifier: "alice", MemberNum: 3, MaxMemberNum: 200, AddOption: tim.GroupAddAuth, ApproveOption: tim.GroupAddUnknown,
			IsShutupAll: true, CreateTime: at, CustomInfo: []tim.GroupInfoCustomString{{Key: "depot", Value: "north"}},
		})}}},
}

func TestOutcome(t *testing.T) {
	v := schemas.New()
	for _, tt := range outcomes {
		t.Run(tt.name, func(t *testing.T) {
			e, err := tt.o.Event(observed.App)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "outcomes/"+fileName(tt.name), indent(t, json.RawMessage(check(t, v, e))))
			got, err := mapping.ParseOutcome(e)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.o
			if want.Subject == "" {
				want.Subject = e.Subject()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
			if mapping.KeyOfEvent(e) != (mapping.Key{}) {
				t.Error("an outcome has no key")
			}
		})
	}
}

func TestOutcomeIDs(t *testing.T) {
	id := func(o mapping.Outcome) string {
		e, err := o.Event(observed.App)
		if err != nil {
			t.Fatal(err)
		}
		return e.ID()
	}
	ok := mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, Result: &mapping.Result{}}
	failed := mapping.Outcome{Type: mapping.TypeFailed, Command: sent, Error: &mapping.OutcomeError{Code: mapping.CodeInDoubt}, Position: place}
	rejected := mapping.Outcome{Type: mapping.TypeRejected, Command: sent, Error: &mapping.OutcomeError{}, Position: place}
	again := rejected
	again.Position.Digest = "another message in the same place"
	if id(ok) != id(failed) || id(ok) != mapping.OutcomeID(sent.Source, sent.ID) {
		t.Error("an accepted command has one outcome, with one id")
	}
	if id(rejected) == id(ok) || id(rejected) == id(again) {
		t.Error("a rejected command's outcome is known by its place on the bus")
	}
}

func TestOutcomeThatMakesNoSense(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    mapping.Outcome
	}{
		{"type", mapping.Outcome{Type: mapping.TypeMessagePosted}},
		{"success without result", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent}},
		{"success with error", mapping.Outcome{Type: mapping.TypeSucceeded, Command: sent, Result: &mapping.Result{}, Error: &mapping.OutcomeError{}}},
		{"failure without error", mapping.Outcome{Type: mapping.TypeFailed, Command: sent}},
		{"rejected without position", mapping.Outcome{Type: mapping.TypeRejected, Command: sent, Error: &mapping.OutcomeError{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if e, err := tt.o.Event(observed.App); err == nil {
				t.Errorf("%v", e)
			}
		})
	}
}

func TestErrorOf(t *testing.T) {
	im := mapping.ErrorOf(&tim.Error{Op: "send", Code: 10023, Desc: "too fast"})
	if im.Code != mapping.CodeIMError || im.Number != 10023 || im.Text != "too fast" || !im.Retryable || im.Name == "" {
		t.Errorf("%+v", im)
	}
	if other := mapping.ErrorOf(errors.New("strange")); other.Text != "strange" || other.Code != mapping.CodeIMError {
		t.Errorf("%+v", other)
	}
	if bare := mapping.ErrorOf(&tim.Error{Op: "send", Err: errors.New("connection lost")}); bare.Text == "" {
		t.Errorf("%+v", bare)
	}
}

func TestDeadLetter(t *testing.T) {
	v := schemas.New()
	failed, err := outcomes[4].o.Event(observed.App)
	if err != nil {
		t.Fatal(err)
	}
	mapping.Stamp(failed, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", 42, decided)
	before := sdkJSON(t, failed)
	for _, tt := range []struct {
		name     string
		original []byte
		kept     int
	}{
		{"small", []byte("\x00a message\xff"), 11},
		{"empty", nil, 0},
		{"at the limit", bytes.Repeat([]byte("x"), mapping.MaxOriginal), mapping.MaxOriginal},
		{"over the limit", bytes.Repeat([]byte("x"), mapping.MaxOriginal+1), mapping.KeptOriginal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := mapping.DeadLetter(failed, tt.original)
			if err != nil {
				t.Fatal(err)
			}
			body := check(t, v, e)
			if tt.name == "small" {
				golden(t, "outcomes/dead_letter.json", indent(t, json.RawMessage(body)))
			}
			if e.ID() != failed.ID()+"/dead" || e.Subject() != failed.Subject() || !e.Time().Equal(failed.Time()) {
				t.Errorf("%s %s %v", e.ID(), e.Subject(), e.Time())
			}
			if _, _, stamped := mapping.StampOf(e); stamped {
				t.Error("it has its outcome's sequence")
			}
			data, outcome, err := mapping.ParseDeadLetter(e)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(outcomes[4].o, outcome); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			o := data.Original
			if o.Size != int64(len(tt.original)) || len(o.Data) != tt.kept || o.Truncated != (tt.kept < len(tt.original)) || !bytes.HasPrefix(tt.original, o.Data) {
				t.Errorf("size %d, kept %d, truncated %v", o.Size, len(o.Data), o.Truncated)
			}
		})
	}
	if sdkJSON(t, failed) != before {
		t.Error("the outcome was changed")
	}
	succeeded, err := outcomes[0].o.Event(observed.App)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mapping.DeadLetter(succeeded, nil); err == nil {
		t.Error("what succeeded is not dead-lettered")
	}
}

func TestParseRefusesOtherEvents(t *testing.T) {
	posted := one(t, observed, c2cMessage()).Event
	if _, err := mapping.ParseOutcome(posted); err == nil {
		t.Error("a message is no outcome")
	}
	if _, _, err := mapping.ParseDeadLetter(posted); err == nil {
		t.Error("a message is no dead letter")
	}
}
