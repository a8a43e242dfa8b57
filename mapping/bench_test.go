package mapping_test

import (
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

// benchMessage is a message as the SDK reports one, with the text of a short
// order note in two languages.
func benchMessage() tim.Message {
	return tim.Message{
		ConvType: tim.ConvGroup, ConvID: "@TGS#2J4SZEAEL", Sender: "rider_0042",
		Seq: 123456, Rand: 3141592653, ServerTime: 1795420800, ClientTime: 1795420799,
		MsgID: "144115200000000001-1795420800-3141592653", Status: tim.MsgSendSucc, IsRead: true,
		Elems: []tim.Elem{tim.TextElem{Content: "订单 A-20261123-0042 已经送到东门,请签收。 The parcel is at the east gate; call 555-0142 when you are down."}},
	}
}

var benchObservation = mapping.Observation{
	App: mapping.App{SDKAppID: 1400000000}, Account: "bridge",
	Cause: &mapping.Cause{ID: "send-17", CorrelationID: "order-17"},
}

func BenchmarkFromMessageEncode(b *testing.B) {
	m := benchMessage()
	b.ReportAllocs()
	for b.Loop() {
		facts, err := mapping.FromMessage(benchObservation, m)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := mapping.Encode(facts[0].Event); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromMessageEncodeC2C(b *testing.B) {
	m := benchMessage()
	m.ConvType, m.ConvID = tim.ConvC2C, "rider_0042"
	b.ReportAllocs()
	for b.Loop() {
		facts, err := mapping.FromMessage(benchObservation, m)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := mapping.Encode(facts[0].Event); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeyOf(b *testing.B) {
	m := benchMessage()
	m.ConvType, m.ConvID = tim.ConvC2C, "rider_0042"
	b.ReportAllocs()
	for b.Loop() {
		mapping.KeyOf("bridge", m)
	}
}

func benchBody(b *testing.B) []byte {
	b.Helper()
	facts, err := mapping.FromMessage(benchObservation, benchMessage())
	if err != nil {
		b.Fatal(err)
	}
	body, err := mapping.Encode(facts[0].Event)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func BenchmarkDecode(b *testing.B) {
	body := benchBody(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mapping.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeStampKey(b *testing.B) {
	body := benchBody(b)
	recorded := time.Date(2026, 11, 23, 8, 0, 0, 250e6, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		e, err := mapping.Decode(body)
		if err != nil {
			b.Fatal(err)
		}
		mapping.KeyOfEvent(e)
		mapping.Stamp(e, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", 42, recorded)
	}
}

// BenchmarkSDK does with the SDK what Encode and Decode do, to compare.
func BenchmarkSDK(b *testing.B) {
	body := benchBody(b)
	e, err := mapping.Decode(body)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out event.Event
			if err := out.UnmarshalJSON(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e, err := mapping.Decode(benchBody(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mapping.Encode(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToCommand(b *testing.B) {
	c := &mapping.Commands{Schemas: schemas.New()}
	e := commandEvent(b, mapping.TypeCommandSend,
		`{"conversation":{"type":"c2c","user_id":"alice"},"elements":[{"type":"text","text":"Yes, it left this morning."}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.ToCommand(e); err != nil {
			b.Fatal(err)
		}
	}
}
