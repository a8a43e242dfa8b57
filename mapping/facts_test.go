package mapping_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

const at = 1795420800 // 2026-11-23T08:00:00Z

var observed = mapping.Observation{App: mapping.App{SDKAppID: 1400000000}, Account: "bridge"}

func groupMessage(elems ...tim.Elem) tim.Message {
	return tim.Message{
		ConvType: tim.ConvGroup, ConvID: "team", Sender: "alice", Seq: 45, Rand: 7, ServerTime: at, Elems: elems,
	}
}

func c2cMessage(elems ...tim.Elem) tim.Message {
	return tim.Message{
		ConvType: tim.ConvC2C, ConvID: "alice", Sender: "alice", Seq: 7, Rand: 3141592653,
		ServerTime: at, ClientTime: at - 1, Elems: elems,
	}
}

func tip(e tim.GroupTipsElem) tim.Message {
	e.GroupID = "team"
	m := groupMessage(e)
	m.Sender = tim.SystemUser
	return m
}

func report(e tim.GroupReportElem) tim.Message {
	e.GroupID = "team"
	return tim.Message{
		ConvType: tim.ConvSystem, Sender: tim.SystemUser, Seq: 3, Rand: 2207687390, ServerTime: at, Elems: []tim.Elem{e},
	}
}

func ptr[T any](v T) *T { return &v }

func TestFromMessage(t *testing.T) {
	v := schemas.New()
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.o
			if o.Account == "" {
				o = observed
			}
			facts, err := mapping.FromMessage(o, tt.m)
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			var keys []mapping.KeyKind
			var bodies []json.RawMessage
			ids := map[string]bool{}
			for _, f := range facts {
				types = append(types, mapping.ShortName(f.Event.Type()))
				keys = append(keys, f.Key.Kind)
				bodies = append(bodies, check(t, v, f.Event))
				if ids[f.Event.ID()] {
					t.Errorf("two facts have the id %s", f.Event.ID())
				}
				ids[f.Event.ID()] = true
				want := f.Key
				if want.Kind == mapping.KeyWithFirst {
					want = mapping.Key{}
				}
				if got := mapping.KeyOfEvent(f.Event); got != want {
					t.Errorf("%s: the event's key is %+v, the fact's %+v", f.Event.ID(), got, want)
				}
			}
			if diff := cmp.Diff(tt.types, types); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.keys, keys); diff != "" {
				t.Errorf("kinds of keys (-want +got):\n%s", diff)
			}
			if len(facts) == 0 {
				return
			}
			if got := mapping.KeyOf(o.Account, tt.m); got != facts[0].Key {
				t.Errorf("KeyOf gives %+v, the first fact has %+v", got, facts[0].Key)
			}
			golden(t, "facts/"+fileName(tt.name), indent(t, bodies))
		})
	}
}

func TestOneMessageIsOneEventWhoeverReportsIt(t *testing.T) {
	fromAlice := tim.Message{ConvType: tim.ConvC2C, ConvID: "bob", Sender: "alice", IsFromSelf: true, Seq: 1, Rand: 2, ServerTime: at}
	fromBob := fromAlice
	fromBob.ConvID, fromBob.IsFromSelf = "alice", false
	byThird := fromAlice // told by way of an account that takes no part
	byThird.IsFromSelf = false
	a := one(t, mapping.Observation{App: observed.App, Account: "alice"}, fromAlice)
	b := one(t, mapping.Observation{App: observed.App, Account: "bob"}, fromBob)
	c := one(t, mapping.Observation{App: observed.App, Account: "administrator"}, byThird)
	if a.Key != b.Key || a.Key != c.Key || a.Event.ID() != b.Event.ID() || a.Event.ID() != c.Event.ID() {
		t.Errorf("%s %s %s", a.Event.ID(), b.Event.ID(), c.Event.ID())
	}
	if a.Event.Subject() != "c2c/alice/bob" || b.Event.Subject() != "c2c/alice/bob" {
		t.Errorf("subjects %s %s", a.Event.Subject(), b.Event.Subject())
	}
	if string(a.Event.Data()) != string(b.Event.Data()) {
		t.Errorf("data\n%s\n%s", a.Event.Data(), b.Event.Data())
	}
}

func TestReportsOfOneOccurrence(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report tim.GroupReportType
		same   bool
	}{
		{"a dismissed group is one fact for all its members", tim.GroupReportDelete, true},
		{"a request is one fact for all who may decide", tim.GroupReportAddRequest, true},
		{"each member kicked is a fact", tim.GroupReportBeKicked, false},
		{"what is not known may concern each", 99, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := report(tim.GroupReportElem{ReportType: tt.report, OpUser: "dave"})
			a := one(t, mapping.Observation{App: observed.App, Account: "alice"}, m)
			b := one(t, mapping.Observation{App: observed.App, Account: "bob"}, m)
			if (a.Key == b.Key) != tt.same || (a.Event.ID() == b.Event.ID()) != tt.same {
				t.Errorf("ids %s and %s", a.Event.ID(), b.Event.ID())
			}
		})
	}
}

func one(t *testing.T, o mapping.Observation, m tim.Message) mapping.Fact {
	t.Helper()
	facts, err := mapping.FromMessage(o, m)
	if err != nil || len(facts) != 1 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	return facts[0]
}

func TestFromRevoked(t *testing.T) {
	v := schemas.New()
	for _, tt := range []struct {
		name, wantType, wantID string
		l                      tim.MsgLocator
	}{
		{"in a group", "message.revoked", "group/team/45/revoked", tim.MsgLocator{ConvType: tim.ConvGroup, ConvID: "team", Seq: 45}},
		{"between two users", "message.revoked", "c2c/alice/bridge/7/9/1795420800/revoked", tim.MsgLocator{ConvType: tim.ConvC2C, ConvID: "alice", Seq: 7, Rand: 9, Time: at}},
		{"of nothing", "im.unrecognized", "", tim.MsgLocator{Seq: 45}},
		{"of nothing in a group", "im.unrecognized", "", tim.MsgLocator{ConvType: tim.ConvGroup, ConvID: "team", Rand: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := mapping.FromRevoked(observed, tt.l)
			if err != nil {
				t.Fatal(err)
			}
			body := check(t, v, f.Event)
			if got := mapping.ShortName(f.Event.Type()); got != tt.wantType {
				t.Errorf("type %s", got)
			}
			if tt.wantID != "" && f.Event.ID() != tt.wantID {
				t.Errorf("id %s, want %s", f.Event.ID(), tt.wantID)
			}
			if got := mapping.KeyOfEvent(f.Event); got != f.Key || f.Key.Kind != mapping.KeyHash {
				t.Errorf("keys %+v and %+v", f.Key, got)
			}
			if !f.Event.Time().IsZero() {
				t.Errorf("it has a time: %v", f.Event.Time())
			}
			golden(t, "facts/"+fileName("revoked "+tt.name), indent(t, json.RawMessage(body)))
		})
	}
	t.Run("live and out of history are one", func(t *testing.T) {
		m := groupMessage()
		m.Status = tim.MsgRevoked
		facts, err := mapping.FromMessage(observed, m)
		if err != nil {
			t.Fatal(err)
		}
		live, err := mapping.FromRevoked(observed, m.Locator())
		if err != nil {
			t.Fatal(err)
		}
		if facts[1].Key != live.Key || facts[1].Event.ID() != live.Event.ID() {
			t.Errorf("%s and %s", facts[1].Event.ID(), live.Event.ID())
		}
	})
}

func TestAccountFact(t *testing.T) {
	v := schemas.New()
	o := observed
	o.ID = "0190b5f3-0000-7000-8000-000000000001"
	when := time.Date(2026, 11, 23, 16, 0, 1, 5e8, time.FixedZone("", 8*3600))
	for _, tt := range []struct {
		name string
		what mapping.AccountEvent
		kind mapping.KeyKind
	}{
		{"signed in", mapping.AccountSignedIn{First: true}, mapping.KeyNone},
		{"signed out", mapping.AccountSignedOut{Reason: "the bridge is stopping"}, mapping.KeyNone},
		{"kicked", mapping.AccountKickedOffline{}, mapping.KeyNone},
		{"expired", mapping.AccountUserSigExpired{}, mapping.KeyNone},
		{"connected", mapping.AccountConnectionChanged{Status: tim.NetworkConnected}, mapping.KeyNone},
		{"disconnected", mapping.AccountConnectionChanged{Status: tim.NetworkDisconnected, Code: 9508, Desc: "no network"}, mapping.KeyNone},
		{"gap somewhere", mapping.AccountGapDetected{From: when.Add(-time.Hour), To: when, Reason: "past retention"}, mapping.KeyHash},
		{"gap in a group", mapping.AccountGapDetected{Conversation: tim.Group("team"), FirstSeq: 3, LastSeq: 9}, mapping.KeyHash},
		{"gap in a talk", mapping.AccountGapDetected{Conversation: tim.C2C("alice"), To: when}, mapping.KeyHash},
		{"gap of an absence", mapping.AccountGapDetected{
			From: when.Add(-time.Hour), To: when, Covers: []string{mapping.TypeMessageRevoked, mapping.TypeUserStatusChanged},
			ChangesReadFrom: when.Add(-2 * time.Hour), Reason: "the service forgets",
		}, mapping.KeyHash},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := mapping.AccountFact(o, tt.what, when)
			if err != nil {
				t.Fatal(err)
			}
			body := check(t, v, f.Event)
			if f.Key.Kind != tt.kind || mapping.KeyOfEvent(f.Event) != f.Key {
				t.Errorf("keys %+v and %+v", f.Key, mapping.KeyOfEvent(f.Event))
			}
			golden(t, "facts/"+fileName("account "+tt.name), indent(t, json.RawMessage(body)))
		})
	}
}

func TestWhatHasNoIdentity(t *testing.T) {
	v := schemas.New()
	raw := []byte(`{"group_id": "team"}`)
	numbered, made := observed, observed
	numbered.Number, made.ID = 18, "0190b5f3-0000-7000-8000-000000000001"

	a, err := mapping.FromUnrecognized(numbered, "TIMGroupCounterChangedCallback", raw)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts/unrecognized.json", indent(t, json.RawMessage(check(t, v, a.Event))))
	again, err := mapping.FromUnrecognized(numbered, "TIMGroupCounterChangedCallback", raw)
	if err != nil || again.Event.ID() != a.Event.ID() || again.Key != a.Key || a.Key.Kind != mapping.KeyHash {
		t.Errorf("delivered again it is %s, %v, before %s", again.Event.ID(), err, a.Event.ID())
	}
	other, err := mapping.FromUnrecognized(numbered, "TIMGroupCounterChangedCallback", []byte(`{}`))
	if err != nil || other.Key == a.Key {
		t.Errorf("another report with the same number, of another life of the service, is taken for it: %v", err)
	}
	b, err := mapping.FromUnrecognized(made, "X", []byte("no JSON"))
	if err != nil || b.Event.ID() != made.ID || b.Key.Kind != mapping.KeyNone || mapping.KeyOfEvent(b.Event) != b.Key {
		t.Errorf("%+v, %v", b, err)
	}
	check(t, v, b.Event)
	if _, err := mapping.FromUnrecognized(observed, "X", raw); !errors.Is(err, mapping.ErrNoIdentity) {
		t.Error(err)
	}
	if _, err := mapping.AccountFact(observed, mapping.AccountKickedOffline{}, time.Now()); !errors.Is(err, mapping.ErrNoIdentity) {
		t.Error(err)
	}
	kicked, err := mapping.AccountFact(numbered, mapping.AccountKickedOffline{}, time.Now())
	if err != nil || kicked.Key.Kind != mapping.KeyNone {
		t.Errorf("%+v, %v", kicked, err)
	}
}

func TestEventRefused(t *testing.T) {
	v := schemas.New()
	e := one(t, observed, groupMessage(tim.TextElem{Content: "far too long"})).Event
	mapping.Stamp(e, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", 42, time.Date(2026, 11, 23, 8, 0, 1, 0, time.UTC))
	before := sdkJSON(t, e)
	refused, err := mapping.EventRefused(e, "the stream takes 1048576 bytes", 2<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts/refused.json", indent(t, json.RawMessage(check(t, v, refused))))
	if refused.ID() != e.ID()+"/refused" || refused.Subject() != e.Subject() {
		t.Errorf("id %s, subject %s", refused.ID(), refused.Subject())
	}
	if diff := cmp.Diff(e.Extensions(), refused.Extensions()); diff != "" {
		t.Errorf("extensions:\n%s", diff)
	}
	mapping.Stamp(refused, "another", 1, time.Time{})
	if sdkJSON(t, e) != before {
		t.Error("the refused event was changed")
	}
}

func TestJournalDamaged(t *testing.T) {
	f, err := mapping.JournalDamaged(observed.App, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11",
		mapping.Damage{First: 1200, Last: 1280, From: time.Unix(at, 0), KeptAs: "a.seg.damaged"}, time.Unix(at, 0))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts/damaged.json", indent(t, json.RawMessage(check(t, schemas.New(), f.Event))))
	if mapping.KeyOfEvent(f.Event) != f.Key {
		t.Error("the keys differ")
	}
}

func TestCommandsLost(t *testing.T) {
	e, err := mapping.CommandsLost(observed.App, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", mapping.LostCommands{
		Target: "tim.commands/3", First: 43, Last: 60, After: time.Unix(at, 0), Reason: "the topic removed 18 messages",
	}, time.Unix(at, 0))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts/lost.json", indent(t, json.RawMessage(check(t, schemas.New(), e))))
	if k := mapping.KeyOfEvent(e); k.Kind != mapping.KeyNone {
		t.Errorf("it has the key %+v: it is told by who reads commands, once, and is nothing that ingress sees again", k)
	}
}

func TestTimesThatNoCalendarHas(t *testing.T) {
	m := c2cMessage()
	m.ServerTime = 1 << 62
	f := one(t, observed, m)
	if !f.Event.Time().IsZero() || f.Event.Validate() != nil {
		t.Errorf("time %v, %v", f.Event.Time(), f.Event.Validate())
	}
}
