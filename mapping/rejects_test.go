package mapping_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
)

func TestToCommandRejects(t *testing.T) {
	const send = mapping.TypeCommandSend
	const text = `{"conversation":{"type":"c2c","user_id":"bob"},"elements":[{"type":"text","text":"a"}]}`
	element := func(e string) string {
		return `{"conversation":{"type":"c2c","user_id":"bob"},"elements":[{"type":"text","text":"a"},` + e + `]}`
	}
	tests := []struct {
		name   string
		event  func(*testing.T) *event.Event
		code   mapping.RejectCode
		field  string
		saying string
	}{
		{"nothing", func(*testing.T) *event.Event { return nil }, mapping.RejectMalformed, "", "not a CloudEvent"},
		{"no attributes", func(*testing.T) *event.Event { return &event.Event{} }, mapping.RejectMalformed, "", "not a CloudEvent"},
		{"version 0.3", func(*testing.T) *event.Event { e := event.New("0.3"); return &e }, mapping.RejectMalformed, "specversion", "0.3"},
		{"no id", func(t *testing.T) *event.Event {
			e := commandEvent(t, send, text)
			e.SetID("")
			e.Context.(*event.EventContextV1).ID = ""
			return e
		}, mapping.RejectMalformed, "", "id"},
		{"id too long", func(t *testing.T) *event.Event {
			e := commandEvent(t, send, text)
			e.SetID(strings.Repeat("x", 1025))
			return e
		}, mapping.RejectTooLarge, "id", "1025"},
		{"event's type", func(t *testing.T) *event.Event { return commandEvent(t, mapping.TypeMessagePosted, text) }, mapping.RejectUnknownType, "type", send},
		{"short type", func(t *testing.T) *event.Event { return commandEvent(t, "command.message.send", text) }, mapping.RejectUnknownType, "type", send},
		{"later version", func(t *testing.T) *event.Event { return commandEvent(t, "io.timbridge.command.message.send.v2", text) }, mapping.RejectUnknownType, "type", "v2"},
		{"expiry", func(t *testing.T) *event.Event {
			e := commandEvent(t, send, text)
			e.SetExtension("expirytime", "soon")
			return e
		}, mapping.RejectMalformed, "expirytime", "RFC 3339"},
		{"no account", func(t *testing.T) *event.Event {
			e := commandEvent(t, send, text)
			e.SetExtension("timaccount", nil)
			return e
		}, mapping.RejectAccountMissing, "timaccount", "more than one"},
		{"not JSON by its type", func(t *testing.T) *event.Event {
			e := commandEvent(t, send, text)
			e.SetDataContentType("text/xml")
			return e
		}, mapping.RejectMalformed, "datacontenttype", "text/xml"},
		{"not JSON", func(t *testing.T) *event.Event { return commandEvent(t, send, `{"conversation":`) }, mapping.RejectMalformed, "data", "not JSON"},
		{"two values", func(t *testing.T) *event.Event { return commandEvent(t, send, text+text) }, mapping.RejectMalformed, "data", "more after"},
		{"no data", func(t *testing.T) *event.Event { return commandEvent(t, send, ``) }, mapping.RejectSchemaInvalid, "", "no data"},
		{"too large", func(t *testing.T) *event.Event { return commandEvent(t, send, `"`+strings.Repeat("x", 1<<20)+`"`) }, mapping.RejectTooLarge, "data", "1048576"},
		{"schema", func(t *testing.T) *event.Event { return commandEvent(t, send, element(`{"type":"text"}`)) }, mapping.RejectSchemaInvalid, "/elements/1", `"text"`},
		{"unknown field", func(t *testing.T) *event.Event { return commandEvent(t, send, `{"text":"a",`+text[1:]) }, mapping.RejectSchemaInvalid, "", `"text" is not known`},
		{"tips", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"group_tips","tip":"kick","raw":{}}`))
		}, mapping.RejectElementNotSendable, "/elements/1", "group_tips"},
		{"report", func(t *testing.T) *event.Event { return commandEvent(t, send, element(`{"type":"group_report"}`)) }, mapping.RejectElementNotSendable, "/elements/1", "group_report"},
		{"unknown element", func(t *testing.T) *event.Event { return commandEvent(t, send, element(`{"type":"unknown","raw":1}`)) }, mapping.RejectElementNotSendable, "/elements/1", "unknown"},
		{"merger by its key", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"merger","title":"talk","abstracts":["a"],"raw":{"merge_elem_relay_json_key":"k"}}`))
		}, mapping.RejectElementNotSendable, "/elements/1", "key"},
		{"merger of nothing", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"merger","title":"talk"}`))
		}, mapping.RejectSchemaInvalid, "/elements/1", `"messages"`},
		{"some of one user", func(t *testing.T) *event.Event {
			return commandEvent(t, send, `{"target_user_ids":["eve"],`+text[1:])
		}, mapping.RejectSchemaInvalid, "/target_user_ids", "leave it out"},
		{"image without a file", func(t *testing.T) *event.Event { return commandEvent(t, send, element(`{"type":"image"}`)) }, mapping.RejectSchemaInvalid, "/elements/1", "exactly one of: url; data"},
		{"image of two files", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"image","url":"https://a.example/i.png","data":"AAAA"}`))
		}, mapping.RejectSchemaInvalid, "/elements/1", "there are more"},
		{"file of the sender's disk", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"file","url":"file:///etc/passwd"}`))
		}, mapping.RejectSchemaInvalid, "/elements/1/url", "must match"},
		{"text with a url", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"text","text":"a","url":"https://a.example"}`))
		}, mapping.RejectSchemaInvalid, "/elements/1/url", "leave it out"},
		{"video without a snapshot", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"video","url":"https://a.example/v.mp4"}`))
		}, mapping.RejectSchemaInvalid, "/elements/1", "snapshot"},
		{"data that is not base64", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"sound","data":"not base64!"}`))
		}, mapping.RejectSchemaInvalid, "/elements/1/data", "base64"},
		{"data too large", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"file","data":"`+base64.StdEncoding.EncodeToString(make([]byte, 64<<10+1))+`"}`))
		}, mapping.RejectTooLarge, "/elements/1/data", "65536"},
		{"data far too large", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"file","data":"`+strings.Repeat("A", 100000)+`"}`))
		}, mapping.RejectTooLarge, "/elements/1/data", "65536"},
		{"snapshot too large", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"video","data":"AAAA","snapshot":{"data":"`+strings.Repeat("A", 100000)+`"}}`))
		}, mapping.RejectTooLarge, "/elements/1/snapshot/data", "65536"},
		{"place that is nowhere", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"location","longitude":"east","latitude":0}`))
		}, mapping.RejectSchemaInvalid, "/elements/1/longitude", "number"},
		{"tips in a merger", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"merger","messages":[{"elements":[{"type":"text","text":"a"}]},{"elements":[{"type":"group_tips"}]}]}`))
		}, mapping.RejectElementNotSendable, "/elements/1/messages/1/elements/0", "group_tips"},
		{"data in a merger", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"merger","messages":[{"elements":[{"type":"image","data":"AAAA"}]}]}`))
		}, mapping.RejectSchemaInvalid, "/elements/1/messages/0/elements/0", "url"},
		{"merger of nothing", func(t *testing.T) *event.Event {
			return commandEvent(t, send, element(`{"type":"merger","messages":[]}`))
		}, mapping.RejectSchemaInvalid, "/elements/1/messages", "at least 1"},
		{"a picture in a modified message", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModify, `{"message_id":"group/team/1","elements":[{"type":"image","url":"https://a.example/i.png"}]}`)
		}, mapping.RejectElementNotSendable, "/elements/0", "send another"},
		{"a new file in a modified message", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModify, `{"message_id":"group/team/1","elements":[{"type":"file","id":"f","name":"a","data":"AAAA"}]}`)
		}, mapping.RejectElementNotSendable, "/elements/0", "send another"},
		{"a message of those online to modify", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModify, `{"message_id":"group/team/online/alice/7/1795420800","elements":[{"type":"text","text":"a"}]}`)
		}, mapping.RejectSchemaInvalid, "/message_id", "stored nowhere"},
		{"read up to a message of those online", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandMarkRead, `{"message_id":"group/team/online/alice/7/1795420800"}`)
		}, mapping.RejectSchemaInvalid, "/message_id", "stored nowhere"},
		{"read by two names", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandMarkRead, `{"message_id":"group/team/1","conversation":{"type":"group","group_id":"team"}}`)
		}, mapping.RejectSchemaInvalid, "", "exactly one of: message_id; conversation"},
		{"others' talk as read", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandMarkRead, `{"conversation":{"type":"c2c","users":["alice","bob"]}}`)
		}, mapping.RejectSchemaInvalid, "/conversation/users", "takes no part"},
		{"receipts of two conversations", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandSendReadReceipt, `{"message_ids":["group/team/1","group/other/1"]}`)
		}, mapping.RejectSchemaInvalid, "/message_ids/1", "another conversation"},
		{"receipt of no message", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandSendReadReceipt, `{"message_ids":["group/team/1","17"]}`)
		}, mapping.RejectSchemaInvalid, "/message_ids/1", "not the id of a message"},
		{"nothing to modify", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModifyGroup, `{"group_id":"team"}`)
		}, mapping.RejectSchemaInvalid, "", "2"},
		{"nothing of a member", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModifyMember, `{"group_id":"team","user_id":"bob"}`)
		}, mapping.RejectSchemaInvalid, "", "3"},
		{"nothing of a profile", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModifyProfile, `{}`)
		}, mapping.RejectSchemaInvalid, "", "1"},
		{"another's receive option", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModifyMember, `{"group_id":"team","user_id":"bob","receive_option":"none"}`)
		}, mapping.RejectSchemaInvalid, "/receive_option", "bridge"},
		{"owner as a role", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandModifyMember, `{"group_id":"team","user_id":"bob","role":"owner"}`)
		}, mapping.RejectSchemaInvalid, "/role", "owner"},
		{"another's invitation", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandHandleRequest, `{"group_id":"team","user_id":"bob","request":"invite","invitee_id":"carol","accept":true}`)
		}, mapping.RejectSchemaInvalid, "/invitee_id", "bridge"},
		{"an invited user of a request to join", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandHandleRequest, `{"group_id":"team","user_id":"bob","invitee_id":"carol","accept":true}`)
		}, mapping.RejectSchemaInvalid, "/invitee_id", "leave it out"},
		{"topics of no community", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandCreateGroup, `{"group_type":"public","name":"n","support_topics":true}`)
		}, mapping.RejectSchemaInvalid, "/support_topics", "community"},
		{"a member twice", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandCreateGroup, `{"group_type":"public","name":"n","members":[{"user_id":"a"},{"user_id":"a","role":"admin"}]}`)
		}, mapping.RejectSchemaInvalid, "/members/1/user_id", "twice"},
		{"no such element", func(t *testing.T) *event.Event { return commandEvent(t, send, element(`{"type":"hologram"}`)) }, mapping.RejectSchemaInvalid, "/elements/1/type", "hologram"},
		{"others' talk", func(t *testing.T) *event.Event {
			return commandEvent(t, send, `{"conversation":{"type":"c2c","users":["alice","bob"]},"elements":[{"type":"text","text":"a"}]}`)
		}, mapping.RejectSchemaInvalid, "/conversation/users", "takes no part"},
		{"others' message", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandRevoke, `{"message_id":"c2c/alice/bob/1/2/3"}`)
		}, mapping.RejectSchemaInvalid, "/message_id", "takes no part"},
		{"no message", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandRevoke, `{"message_id":"0190b5f3"}`)
		}, mapping.RejectSchemaInvalid, "/message_id", "not the id of a message"},
		{"stored nowhere", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandRevoke, `{"message_id":"group/team/online/alice/7/1795420800"}`)
		}, mapping.RejectSchemaInvalid, "/message_id", "stored nowhere"},
		{"number too large", func(t *testing.T) *event.Event {
			return commandEvent(t, mapping.TypeCommandRevoke, `{"conversation":{"type":"group","group_id":"g"},"sequence":1e300}`)
		}, mapping.RejectSchemaInvalid, "/sequence", ""},
	}
	c := &mapping.Commands{Schemas: schemas.New()}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd, err := c.ToCommand(tt.event(t))
			r, ok := mapping.AsReject(err)
			if !ok {
				t.Fatalf("%+v, %v", cmd, err)
			}
			if r.Code != tt.code || r.Field != tt.field || !strings.Contains(r.Message, tt.saying) {
				t.Errorf("%q at %q: %s", r.Code, r.Field, r.Message)
			}
			if got := mapping.ErrorOf(err); got.Code != r.Code || got.Field != r.Field || got.Text != r.Message || got.Retryable {
				t.Errorf("as an outcome: %+v", got)
			}
			if tt.code == mapping.RejectSchemaInvalid && (cmd.Source == "" || cmd.ID != "c-1" || cmd.Account != "bridge") {
				t.Errorf("the outcome lacks the command's names: %+v", cmd.Ref())
			}
		})
	}
}
