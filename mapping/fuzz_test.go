package mapping_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// FuzzFromMessage holds every message, in the SDK's JSON, to what every fact
// must be: valid to the SDK, by its schema, the same through a journal body,
// with ids and keys that agree.
func FuzzFromMessage(f *testing.F) {
	for _, tt := range messages {
		raw, err := json.Marshal(tt.m)
		if err != nil {
			continue // an element that is no JSON
		}
		f.Add("bridge", raw)
	}
	v := schemas.New()
	f.Fuzz(func(t *testing.T, account string, raw []byte) {
		var m tim.Message
		if account == "" || !utf8.ValidString(account) || json.Unmarshal(raw, &m) != nil {
			return
		}
		o := mapping.Observation{App: observed.App, Account: tim.UserID(account)}
		facts, err := mapping.FromMessage(o, m)
		if err != nil {
			t.Fatal(err)
		}
		for i, fact := range facts {
			e := fact.Event
			if err := e.Validate(); err != nil {
				t.Fatalf("event %q: %v", e.ID(), err)
			}
			if !json.Valid(e.Data()) {
				t.Fatalf("data is no JSON: %s", e.Data())
			}
			if m.Seq < 1<<53 && m.Rand < 1<<53 && m.ServerTime < 1<<53 { // the schemas' limits
				if err := v.Validate(e.Type(), e.Data()); err != nil && !emptyName(m) {
					t.Fatalf("event %q: %v\n%s", e.ID(), err, e.Data())
				}
			}
			body, err := mapping.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			back, err := mapping.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			if sdkJSON(t, back) != sdkJSON(t, e) {
				t.Fatalf("not the same:\n%s\n%s", sdkJSON(t, e), sdkJSON(t, back))
			}
			if i == 0 && mapping.KeyOf(o.Account, m) != fact.Key {
				t.Fatalf("KeyOf gives %+v, the fact has %+v", mapping.KeyOf(o.Account, m), fact.Key)
			}
			if k := mapping.KeyOfEvent(back); fact.Key.Kind != mapping.KeyWithFirst && k != fact.Key {
				t.Fatalf("KeyOfEvent gives %+v, the fact has %+v", k, fact.Key)
			}
		}
	})
}

// emptyName says whether a message names nobody somewhere, which the service never does.
func emptyName(m tim.Message) bool {
	for _, u := range m.GroupAtUsers {
		if u == "" {
			return true
		}
	}
	for _, elem := range m.Elems {
		if e, ok := elem.(tim.GroupTipsElem); ok {
			for _, u := range e.Users {
				if u == "" {
					return true
				}
			}
		}
	}
	return false
}

// FuzzToCommand holds every data of every command to this: it is a command
// whose content is the same when it is read again, or a RejectError.
func FuzzToCommand(f *testing.F) {
	v := schemas.New()
	all, err := v.List()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all {
		if s.Stream != schemas.Commands {
			continue
		}
		raw, err := v.Example(s.Type)
		if err != nil {
			f.Fatal(err)
		}
		e, err := mapping.Decode(raw)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.Type, "bridge", "2026-11-23T08:00:00Z", e.Data())
	}
	f.Add(mapping.TypeCommandSend, "a", "", []byte(`{"elements":[{"type":"group_tips"}]}`))
	c := &mapping.Commands{Schemas: v}
	f.Fuzz(func(t *testing.T, eventType, account, expiry string, data []byte) {
		e := event.New()
		e.SetID("1")
		e.SetSource("fuzz")
		e.SetType(eventType)
		if account != "" {
			e.SetExtension(mapping.ExtAccount, account)
		}
		if expiry != "" {
			e.SetExtension(mapping.ExtExpiryTime, expiry)
		}
		e.DataEncoded = data
		cmd, err := c.ToCommand(&e)
		if err != nil {
			if r, ok := mapping.AsReject(err); !ok || r.Code == "" || r.Message == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		again, err := c.ToCommand(&e)
		if err != nil || again.Content != cmd.Content {
			t.Fatalf("read again: %v", err)
		}
		if cmd.OutcomeSubject() == "" {
			t.Fatal("no subject")
		}
	})
}

// TestRecordedPayloads maps what the real SDK produced and documents.
func TestRecordedPayloads(t *testing.T) {
	v := schemas.New()
	for _, file := range []string{"received-text.json", "received-group-report.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "payloads", file))
		if err != nil {
			t.Fatal(err)
		}
		var list []tim.Message
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		var bodies []json.RawMessage
		for _, m := range list {
			facts, err := mapping.FromMessage(mapping.Observation{App: observed.App, Account: "user1"}, m)
			if err != nil {
				t.Fatal(err)
			}
			for _, fact := range facts {
				bodies = append(bodies, check(t, v, fact.Event))
			}
		}
		golden(t, "payloads/facts-"+file, indent(t, bodies))
	}
}
