package mapping_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

func commandEvent(t testing.TB, eventType, data string) *event.Event {
	t.Helper()
	e := event.New()
	e.SetID("c-1")
	e.SetSource("https://shop.example/orders")
	e.SetType(eventType)
	e.SetExtension(mapping.ExtAccount, "bridge")
	e.SetDataContentType("application/json")
	e.DataEncoded = []byte(data)
	return &e
}

func TestToCommandOfEveryExample(t *testing.T) {
	v := schemas.New()
	c := &mapping.Commands{Schemas: v}
	all, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Stream != schemas.Commands {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			raw, err := v.Example(s.Type)
			if err != nil {
				t.Fatal(err)
			}
			e, err := mapping.Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			cmd, err := c.ToCommand(e)
			if err != nil {
				t.Fatal(err)
			}
			set := payloadsOf(cmd)
			if len(set) != 1 || cmd.Content == [32]byte{} {
				t.Errorf("payloads %v", set)
			}
			golden(t, "commands/"+s.Name+".json", indent(t, map[string]any{
				"Verb": cmd.Verb(), "Lane": cmd.OutcomeSubject(), "Ref": cmd.Ref(), "Conversation": cmd.Conversation,
				"Expiry": cmd.Expiry, "Content": hex.EncodeToString(cmd.Content[:]), "Payload": set,
			}))
		})
	}
}

// payloadsOf are the pointers of a command that are set.
func payloadsOf(cmd mapping.Command) map[string]any {
	out := make(map[string]any)
	v := reflect.ValueOf(cmd)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
			out[v.Type().Field(i).Name] = f.Interface()
		}
	}
	return out
}

func TestToCommand(t *testing.T) {
	c := &mapping.Commands{Schemas: schemas.New()}
	read := func(t *testing.T, eventType, data string) mapping.Command {
		t.Helper()
		cmd, err := c.ToCommand(commandEvent(t, eventType, data))
		if err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	t.Run("conversation and elements of an event can be sent", func(t *testing.T) {
		facts, err := mapping.FromMessage(observed, c2cMessage(
			tim.TextElem{Content: "a", Extra: map[string]json.RawMessage{"new": json.RawMessage(`1`)}}, tim.CustomElem{Data: "b"}))
		if err != nil {
			t.Fatal(err)
		}
		var data struct{ Conversation, Elements json.RawMessage }
		if err := json.Unmarshal(facts[0].Event.Data(), &data); err != nil {
			t.Fatal(err)
		}
		copied, err := json.Marshal(map[string]any{"conversation": data.Conversation, "elements": data.Elements})
		if err != nil {
			t.Fatal(err)
		}
		cmd := read(t, mapping.TypeCommandSend, string(copied))
		if cmd.Conversation != tim.C2C("alice") || cmd.Send.Conversation != cmd.Conversation {
			t.Errorf("conversation %v", cmd.Conversation)
		}
		want := []tim.Elem{tim.TextElem{Content: "a"}, tim.CustomElem{Data: "b"}}
		if diff := cmp.Diff(want, cmd.Send.Message.Elems, cmp.Comparer(func(a, b tim.TextElem) bool { return a.Content == b.Content }), cmp.Comparer(func(a, b tim.CustomElem) bool { return a.Data == b.Data })); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("every option of a message", func(t *testing.T) {
		cmd := read(t, mapping.TypeCommandSend, `{"conversation":{"type":"group","group_id":"team"},"elements":[{"type":"custom","data":"d","desc":"e","ext":"x","sound":"s"}],
			"cloud_custom_data":"c","priority":"high","at_user_ids":["bob"],"online_only":true,"need_read_receipt":true}`)
		m := cmd.Send.Message
		if cmd.Conversation != tim.Group("team") || *m.Priority != tim.PriorityHigh || m.CloudCustomStr != "c" || m.GroupAtUsers[0] != "bob" || !m.IsOnlineMsg || !m.NeedReadReceipt {
			t.Errorf("%+v", m)
		}
		if e := m.Elems[0].(tim.CustomElem); e.Data != "d" || e.Desc != "e" || e.Ext != "x" || e.Sound != "s" {
			t.Errorf("%+v", e)
		}
	})
	t.Run("revoke by conversation and numbers, written as floats", func(t *testing.T) {
		cmd := read(t, mapping.TypeCommandRevoke, `{"conversation":{"type":"c2c","users":["alice","bridge"]},"sequence":7.0,"random":3141592653,"server_time":1.7954208e9}`)
		want := tim.MsgLocator{ConvID: "alice", ConvType: tim.ConvC2C, Seq: 7, Rand: 3141592653, Time: at, IsSelf: true}
		if diff := cmp.Diff(want, cmd.Revoke.Message, cmp.AllowUnexported(tim.MsgLocator{})); diff != "" {
			t.Error(diff)
		}
		if cmd.Revoke.MessageID != "c2c/alice/bridge/7/3141592653/1795420800" {
			t.Error(cmd.Revoke.MessageID)
		}
	})
	t.Run("revoke in a group", func(t *testing.T) {
		cmd := read(t, mapping.TypeCommandRevoke, `{"message_id":"group/team/45"}`)
		if cmd.Conversation != tim.Group("team") || cmd.Revoke.Message.Seq != 45 {
			t.Errorf("%+v", cmd.Revoke)
		}
	})
	t.Run("a group is named by its command", func(t *testing.T) {
		cmd := read(t, mapping.TypeCommandCreateGroup, `{"group_type":"private","name":"n","members":[{"user_id":"bob"},{"user_id":"eve","role":"admin"}],"add_option":"any","max_members":20}`)
		p := cmd.CreateGroup.Param
		if p.GroupID != mapping.GroupIDFor(cmd.Source, cmd.ID, false) || p.GroupType != tim.GroupPrivate || *p.AddOption != tim.GroupAddAny || p.MaxMemberCount != 20 {
			t.Errorf("%+v", p)
		}
		if p.Members[0].MemberRole != tim.RoleMember || p.Members[1].MemberRole != tim.RoleAdmin {
			t.Errorf("%+v", p.Members)
		}
		if cmd.Conversation != (tim.Conversation{}) || cmd.OutcomeSubject() != "account/bridge" {
			t.Errorf("conversation %v", cmd.Conversation)
		}
	})
	t.Run("the only account need not be named", func(t *testing.T) {
		e := commandEvent(t, mapping.TypeCommandDismiss, `{"group_id":"team"}`)
		e.SetExtension(mapping.ExtAccount, nil)
		only := &mapping.Commands{Schemas: c.Schemas, Account: "bridge"}
		cmd, err := only.ToCommand(e)
		if err != nil || cmd.Account != "bridge" {
			t.Errorf("%+v, %v", cmd, err)
		}
	})
	t.Run("times, correlation, trace", func(t *testing.T) {
		e := commandEvent(t, mapping.TypeCommandDismiss, `{"group_id":"team"}`)
		e.SetTime(time.Unix(at, 0))
		e.SetExtension(mapping.ExtExpiryTime, time.Unix(at+60, 0))
		e.SetExtension(mapping.ExtCorrelationID, "o")
		e.SetExtension(mapping.ExtTraceParent, "t")
		cmd, err := c.ToCommand(e)
		if err != nil {
			t.Fatal(err)
		}
		if !cmd.Expiry.Equal(time.Unix(at+60, 0)) || !cmd.Time.Equal(time.Unix(at, 0)) || cmd.CorrelationID != "o" || cmd.TraceParent != "t" {
			t.Errorf("%+v", cmd)
		}
		if diff := cmp.Diff(&mapping.Cause{ID: "c-1", CorrelationID: "o", TraceParent: "t"}, cmd.Cause()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestContentIsAJSONValue(t *testing.T) {
	c := &mapping.Commands{Schemas: schemas.New()}
	content := func(t *testing.T, change func(*event.Event), data string) [32]byte {
		t.Helper()
		e := commandEvent(t, mapping.TypeCommandRevoke, data)
		if change != nil {
			change(e)
		}
		cmd, err := c.ToCommand(e)
		if err != nil {
			t.Fatal(err)
		}
		return cmd.Content
	}
	const data = `{"conversation":{"type":"c2c","user_id":"bob"},"sequence":7,"random":100,"server_time":5}`
	base := content(t, nil, data)
	same := map[string]string{
		"order and space": `{ "random":100, "server_time":5, "sequence":7, "conversation":{"user_id":"bob","type":"c2c"} }`,
		"numbers":         `{"conversation":{"type":"c2c","user_id":"bob"},"sequence":7.0,"random":1e2,"server_time":0.5e1}`,
		"escapes":         `{"conversation":{"type":"c2c","user_id":"\u0062ob"},"sequence":7,"random":100,"server_time":5}`,
	}
	for name, text := range same {
		if content(t, nil, text) != base {
			t.Errorf("%s makes another content", name)
		}
	}
	other := map[string][32]byte{
		"data":    content(t, nil, strings.Replace(data, "100", "101", 1)),
		"account": content(t, func(e *event.Event) { e.SetExtension(mapping.ExtAccount, "other") }, data),
		"subject": content(t, func(e *event.Event) { e.SetSubject("s") }, data),
	}
	for name, got := range other {
		if got == base {
			t.Errorf("another %s makes the same content", name)
		}
	}
	for name, change := range map[string]func(*event.Event){
		"id":      func(e *event.Event) { e.SetID("other") },
		"time":    func(e *event.Event) { e.SetTime(time.Unix(at, 0)) },
		"tracing": func(e *event.Event) { e.SetExtension(mapping.ExtTraceParent, "x") },
	} {
		if content(t, change, data) != base {
			t.Errorf("another %s makes another content", name)
		}
	}
}

func TestNewCommand(t *testing.T) {
	c := &mapping.Commands{Schemas: schemas.New()}
	for _, tt := range []struct {
		data mapping.CommandData
		verb string
	}{
		{mapping.SendData{Conversation: mapping.C2CConversation("bob"), Elements: []mapping.Element{mapping.TextElement("hi")}}, "message.send"},
		{mapping.SendData{Conversation: mapping.GroupConversation("team"), Elements: []mapping.Element{{Type: "custom", Data: "x"}}, Priority: "low"}, "message.send"},
		{mapping.RevokeData{MessageID: "group/team/1"}, "message.revoke"},
		{mapping.RevokeData{Conversation: ptr(mapping.GroupConversation("team")), Sequence: 1}, "message.revoke"},
		{mapping.CreateGroupData{GroupType: "public", Name: "n", Members: []mapping.GroupMemberData{{UserID: "bob"}}}, "group.create"},
		{mapping.InviteData{GroupID: "team", UserIDs: []tim.UserID{"bob"}}, "group.invite"},
		{mapping.RemoveMemberData{GroupID: "team", UserIDs: []tim.UserID{"bob"}, Reason: "r"}, "group.remove_member"},
		{mapping.DismissData{GroupID: "team"}, "group.dismiss"},
		{mapping.ModifyData{MessageID: "group/team/1", Elements: []mapping.Element{mapping.TextElement("")}}, "message.modify"},
		{mapping.MarkReadData{Conversation: ptr(mapping.C2CConversation("bob"))}, "message.mark_read"},
		{mapping.ReadReceiptData{MessageIDs: []string{"group/team/1"}}, "message.send_read_receipt"},
		{mapping.ModifyGroupData{GroupID: "team", Introduction: ptr("")}, "group.modify"},
		{mapping.TransferGroupData{GroupID: "team", UserID: "bob"}, "group.transfer"},
		{mapping.ModifyMemberData{GroupID: "team", UserID: "bob", MutedSeconds: ptr(uint32(0))}, "group.modify_member"},
		{mapping.JoinData{GroupID: "team"}, "group.join"},
		{mapping.QuitData{GroupID: "team"}, "group.quit"},
		{mapping.HandleRequestData{GroupID: "team", UserID: "bob"}, "group.handle_request"},
		{mapping.ModifyProfileData{Level: ptr(uint64(3))}, "profile.modify"},
		{mapping.SetStatusData{}, "status.set"},
	} {
		e, err := mapping.NewCommand("cli", "c-1", "bridge", tt.data, time.Unix(at, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
		cmd, err := c.ToCommand(e)
		if err != nil || cmd.Verb() != tt.verb || cmd.Account != "bridge" || cmd.Source != "cli" {
			t.Errorf("%s: %+v, %v", tt.verb, cmd, err)
		}
		body, err := mapping.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := mapping.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		sameEvent(t, e, back)
	}
	if _, err := mapping.NewCommand("", "c-1", "", mapping.DismissData{GroupID: "team"}, time.Unix(at, 0)); err == nil {
		t.Error("a command needs a source")
	}
}

func TestGroupIDFor(t *testing.T) {
	id := mapping.GroupIDFor("https://shop.example/orders", "create-17", false)
	if got := mapping.GroupIDFor("https://shop.example/orders", "create-17", false); got != id {
		t.Errorf("%s and %s", id, got)
	}
	if other := mapping.GroupIDFor("https://shop.example/orderscreate", "-17", false); other == id {
		t.Error("source and id run together")
	}
	community := mapping.GroupIDFor("https://shop.example/orders", "create-17", true)
	if community != "@TGS#_"+id || len(community) > 48 || !strings.HasPrefix(string(id), "tb-") || len(id) != 35 {
		t.Errorf("%s, %s", id, community)
	}
	if id != "tb-2vcqhqfixtwqyexako5klwljbxyuind3" {
		t.Errorf("the id has changed to %s: a command carried out again would create a second group", id)
	}
}

func TestRejectErrorReads(t *testing.T) {
	err := error(&mapping.RejectError{Code: mapping.RejectTooLarge, Message: "it is", Field: "data"})
	if err.Error() != "too_large at data: it is" {
		t.Error(err)
	}
	if _, ok := mapping.AsReject(errors.New("x")); ok {
		t.Error("any error is a RejectError")
	}
}
