package mapping_test

import (
	"fmt"
	"time"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

func ExampleFromMessage() {
	o := mapping.Observation{App: mapping.App{SDKAppID: 1400000000}, Account: "bridge"}
	facts, err := mapping.FromMessage(o, tim.Message{
		ConvType: tim.ConvC2C, ConvID: "alice", Sender: "alice", Seq: 7, Rand: 12345, ServerTime: 1795420800,
		Elems: []tim.Elem{tim.TextElem{Content: "Is the order on its way?"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, fact := range facts {
		fmt.Println(fact.Event.Type())
		fmt.Println(fact.Event.ID())
		fmt.Println(fact.Event.Subject())
		fmt.Println(string(fact.Event.Data()))
	}
	// Output:
	// io.timbridge.message.posted.v1
	// c2c/alice/bridge/7/12345/1795420800
	// c2c/alice/bridge
	// {"message_id":"c2c/alice/bridge/7/12345/1795420800","conversation":{"type":"c2c","users":["alice","bridge"]},"sender":"alice","sequence":7,"random":12345,"server_time":1795420800,"elements":[{"type":"text","text":"Is the order on its way?"}]}
}

func ExampleCommands_ToCommand() {
	e, err := mapping.NewCommand("https://shop.example/orders", "send-17", "bridge", mapping.SendData{
		Conversation: mapping.C2CConversation("alice"),
		Elements:     []mapping.Element{mapping.TextElement("Yes, it left this morning.")},
	}, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	commands := &mapping.Commands{Schemas: schemas.New()}
	cmd, err := commands.ToCommand(e)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cmd.Verb(), cmd.Account, cmd.Conversation, cmd.Send.Message.Elems[0].(tim.TextElem).Content)

	e.DataEncoded = []byte(`{"conversation":{"type":"c2c","user_id":"alice"},"elements":[{"type":"text"}]}`)
	_, err = commands.ToCommand(e)
	fmt.Println(err)
	// Output:
	// message.send bridge c2c/alice Yes, it left this morning.
	// schema_invalid at /elements/0: add what is missing: "text" (The text of a text element)
}

func ExampleOutcome_Event() {
	e, err := mapping.Outcome{
		Type: mapping.TypeSucceeded,
		Command: mapping.CommandRef{
			Source: "https://shop.example/orders", ID: "dismiss-17", Type: mapping.TypeCommandDismiss, Account: "bridge",
		},
		Subject:  mapping.GroupSubject("team"),
		Attempts: 1,
		Result:   &mapping.Result{GroupID: "team", Already: true},
	}.Event(mapping.App{SDKAppID: 1400000000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mapping.ShortName(e.Type()), e.Subject())
	fmt.Println(string(e.Data()))
	// Output:
	// command.succeeded group/team
	// {"command":{"source":"https://shop.example/orders","id":"dismiss-17","type":"io.timbridge.command.group.dismiss.v1","account":"bridge"},"attempts":1,"result":{"group_id":"team","already":true}}
}

func ExampleStamp() {
	e, err := mapping.Decode([]byte(`{"specversion":"1.0","id":"group/team/45","source":"tim://1400000000","type":"io.timbridge.message.posted.v1","datacontenttype":"application/json","data":{}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	mapping.Stamp(e, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", 42, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
	fmt.Println(e.Extensions()["timbridge"], e.Extensions()["sequence"], e.Extensions()["recordedtime"])
	// Output: 0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11 00000000000000000042 2026-11-23T08:00:00Z
}

func ExampleSubject() {
	fmt.Println(mapping.Subject(tim.C2C("alice"), "bob"))
	fmt.Println(mapping.Subject(tim.Group("@TGS#2/a b"), "bob"))
	// Output:
	// c2c/alice/bob
	// group/@TGS#2~2Fa~20b
}

// A command can carry a small file; whoever carries the command out puts it
// where the SDK can read it.
func ExampleMedia() {
	e, err := mapping.NewCommand("https://shop.example/orders", "send-18", "bridge", mapping.SendData{
		Conversation: mapping.C2CConversation("alice"),
		Elements:     []mapping.Element{mapping.TextElement("The label:"), mapping.FileElement("label.txt", []byte("17 / north"))},
	}, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	commands := &mapping.Commands{Schemas: schemas.New()}
	cmd, err := commands.ToCommand(e)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range cmd.Send.Media {
		fmt.Println(file.Field(), file.Name, len(file.Data))
		if err := file.SetFile(cmd.Send.Message.Elems, "/tmp/label.txt", int64(len(file.Data))); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(cmd.Send.Message.Elems[1].(tim.FileElem).FilePath)
	// Output:
	// /elements/1/data label.txt 10
	// /tmp/label.txt
}

func ExampleFromModified() {
	o := mapping.Observation{App: mapping.App{SDKAppID: 1400000000}, Account: "bridge"}
	fact, err := mapping.FromModified(o, tim.Message{
		ConvType: tim.ConvGroup, ConvID: "team", Sender: "alice", Seq: 45, ServerTime: 1795420800, Version: 2,
		Elems: []tim.Elem{tim.TextElem{Content: "At the west gate."}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fact.Event.ID())
	fmt.Println(string(fact.Event.Data()))
	// Output:
	// group/team/45/modified/2
	// {"message_id":"group/team/45","conversation":{"type":"group","group_id":"team"},"sender":"alice","sequence":45,"server_time":1795420800,"elements":[{"type":"text","text":"At the west gate."}],"version":2}
}
