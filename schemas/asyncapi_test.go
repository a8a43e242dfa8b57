package schemas_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/schemas"
)

// TestAsyncAPI builds the AsyncAPI document from the catalogue and compares it
// with asyncapi.json; -update writes that.
func TestAsyncAPI(t *testing.T) {
	v := schemas.New()
	messages := map[string]any{}
	payloads := map[string]any{}
	inChannel := map[schemas.Stream]map[string]any{}
	for _, s := range list(t, v) {
		raw, err := v.Example(s.Type)
		if err != nil {
			t.Fatal(err)
		}
		doc := document(t, v, s.Type)
		delete(doc, "$schema")
		delete(doc, "$id")
		payloads[s.Name] = local(doc)
		messages[s.Name] = map[string]any{
			"name": s.Type, "title": s.Title, "summary": s.Description,
			"contentType": "application/json",
			"traits":      []any{ref("components/messageTraits/" + trait(s.Stream))},
			"payload":     ref("components/schemas/" + s.Name),
			"examples":    []any{asExample(t, raw)},
		}
		if inChannel[s.Stream] == nil {
			inChannel[s.Stream] = map[string]any{}
		}
		inChannel[s.Stream][s.Name] = ref("components/messages/" + s.Name)
	}
	for name, def := range document(t, v, "defs")["$defs"].(map[string]any) {
		payloads[name] = local(def)
	}
	channels, operations := map[string]any{}, map[string]any{}
	for _, c := range []struct {
		stream                       schemas.Stream
		title, description, op, verb string
		words                        []string // of the NATS subject, after the stream's
	}{
		{schemas.Events, "Events", "What happened in chat, and to the bridge.", "publishEvents", "send", []string{"family", "what", "subject"}},
		{schemas.Commands, "Commands", "What is to be done in chat.", "receiveCommands", "receive", []string{"account", "family", "verb"}},
		{schemas.Outcomes, "Outcomes", "What came of each command.", "publishOutcomes", "send", []string{"account", "outcome"}},
		{schemas.DeadLetters, "Dead letters", "Commands that were not carried out, as they were.", "publishDeadLetters", "send", []string{"account"}},
	} {
		topic := "tim." + string(c.stream)
		for _, bus := range []string{"nats", "kafka"} {
			channel := map[string]any{
				"address": topic, "title": c.title, "messages": inChannel[c.stream],
				"servers": []any{ref("servers/" + bus)},
			}
			if bus == "kafka" {
				channel["description"] = c.description + " One topic; its messages have the subject as their key. In binary mode the attributes are headers named ce_<name>, where this document has ce-<name>."
				channel["bindings"] = map[string]any{"kafka": map[string]any{"topic": topic}}
			} else {
				channel["description"] = c.description + " One stream, tim-" + string(c.stream) + "; each message lies on a subject of its own."
				parameters := map[string]any{}
				for _, word := range c.words {
					channel["address"] = channel["address"].(string) + ".{" + word + "}"
					parameters[word] = map[string]any{"description": natsWords[word]}
				}
				channel["parameters"] = parameters
			}
			name := string(c.stream) + "-" + bus
			channels[name] = channel
			operations[c.op+"-"+bus] = map[string]any{
				"action": c.verb, "title": c.title, "channel": ref("channels/" + name),
			}
		}
	}
	got := encode(t, map[string]any{
		"asyncapi": "3.0.0",
		"info": map[string]any{
			"title": "timbridge", "version": "1.0.0",
			"description": "Chat of Tencent Cloud IM as CloudEvents 1.0 on an event bus, and commands for it. Attributes are headers in binary mode (NATS: ce-<name>, Kafka: ce_<name>); the payload is the event's data.",
		},
		"defaultContentType": "application/json",
		"servers": map[string]any{
			"nats":  map[string]any{"host": "127.0.0.1:4222", "protocol": "nats", "description": "NATS with JetStream, here the server inside the bridge. Streams and the beginnings of their subjects can be renamed, and events routed to streams of their own."},
			"kafka": map[string]any{"host": "127.0.0.1:9092", "protocol": "kafka", "description": "Apache Kafka. Topics can be renamed, and events routed to topics of their own."},
		},
		"channels":   channels,
		"operations": operations,
		"components": map[string]any{
			"messages": messages, "schemas": payloads,
			"messageTraits": map[string]any{
				"published": map[string]any{"headers": headers(true)},
				"command":   map[string]any{"headers": headers(false)},
			},
		},
	})
	if !bytes.Equal(golden(t, "asyncapi.json", got), got) {
		t.Error("asyncapi.json is not what the catalogue gives: run the test with -update")
	}
	if !*update && !bytes.Equal(schemas.AsyncAPI(), got) {
		t.Error("another document is embedded")
	}
}

// natsWords say what stands in a subject on NATS.
var natsWords = map[string]string{
	"family":  "The first part of the type: of io.timbridge.message.posted.v1 \"message\".",
	"what":    "The second part of the type: of io.timbridge.message.posted.v1 \"posted\".",
	"verb":    "The last part of the type: of io.timbridge.command.message.send.v1 \"send\".",
	"subject": "The event's subject with a dot for each slash, so two words or three: c2c.<user>.<user>, group.<group id>, account.<user> or bridge.<journal>.",
	"account": "The account that is to act, or was to; \"~\" where none is named. Escaped like a subject.",
	"outcome": "What came of it: succeeded, failed, rejected or expired.",
}

func trait(s schemas.Stream) string {
	if s == schemas.Commands {
		return "command"
	}
	return "published"
}

func ref(path string) map[string]any { return map[string]any{"$ref": "#/" + path} }

// local turns references to the shared definitions into references inside the document.
func local(node any) any {
	switch n := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(n))
		for key, value := range n {
			if r, ok := value.(string); ok && key == "$ref" {
				out[key] = "#/components/schemas/" + r[strings.LastIndexByte(r, '/')+1:]
				continue
			}
			out[key] = local(value)
		}
		return out
	case []any:
		out := make([]any, len(n))
		for i, value := range n {
			out[i] = local(value)
		}
		return out
	}
	return node
}

// asExample splits an example into headers and payload.
func asExample(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	headers := map[string]any{}
	for name, value := range e {
		switch name {
		case "data":
		case "datacontenttype":
			headers["content-type"] = value
		default:
			headers["ce-"+name] = value
		}
	}
	return map[string]any{"headers": headers, "payload": e["data"]}
}

func headers(published bool) map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	at := func(description string) map[string]any {
		return map[string]any{"type": "string", "format": "date-time", "description": description}
	}
	properties := map[string]any{
		"ce-specversion":   map[string]any{"type": "string", "const": "1.0", "description": "The version of CloudEvents."},
		"ce-id":            text("Names the event within its source. Deterministic: what is reported twice has one id."),
		"ce-source":        text("Whose event it is: tim://<sdkappid> of what the bridge publishes, the sender's URI of a command."),
		"ce-type":          text("io.timbridge.<family>.<what>.v1"),
		"ce-subject":       text("c2c/<user>/<user>, group/<group id> or account/<user>; ids with ~HH escapes."),
		"ce-time":          at("When it happened, by the IM service's clock where it says so."),
		"ce-dataschema":    text("The schema of the data."),
		"ce-partitionkey":  text("The key on Kafka: the subject."),
		"ce-timaccount":    text("The bridged account: who reported it first, or who is to act."),
		"ce-correlationid": text("Handed through from a command to what comes of it."),
		"ce-traceparent":   text("The W3C trace context, handed through."),
	}
	required := []string{"ce-id", "ce-source", "ce-specversion", "ce-type"}
	if published {
		properties["ce-timbridge"] = text("The UUID of the journal it was published from.")
		properties["ce-sequence"] = text("The position in that journal: 20 digits, rising with gaps.")
		properties["ce-recordedtime"] = at("When it was journaled.")
		properties["ce-causationid"] = text("The id of the command that brought it about.")
		required = append(required, "ce-timbridge", "ce-sequence", "ce-recordedtime")
	} else {
		properties["ce-expirytime"] = at("The command is not carried out after it.")
	}
	return map[string]any{"type": "object", "required": required, "properties": properties}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
