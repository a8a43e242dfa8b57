package bus_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/timbridge/timbridge/bus"
)

func TestOriginalRoundTrip(t *testing.T) {
	for name, o := range map[string]bus.Original{
		"nothing":         {},
		"a NATS message":  {Place: "tim.commands.bot.message.send", Headers: []bus.Header{{"ce-id", []byte("1")}, {"ce-source", []byte("/x")}}, Value: []byte(`{"a":"字"}`)},
		"a Kafka message": {Place: "tim.commands", Key: []byte("account/bot"), Headers: []bus.Header{{"b", []byte{}}, {"a", []byte{0xff, 0}}, {"b", []byte("2")}}, Value: []byte{1, 2, 0xfe}},
		"a tombstone":     {Place: "tim.commands", Key: []byte("k")},
		"empty, not nil":  {Place: "x", Key: []byte{}, Value: []byte{}},
		"odd text":        {Place: "x\x00y", Headers: []bus.Header{{"n\"\\", []byte("\r\n\t\u2028\x1f")}}, Value: []byte("</script>\u0080")},
		"a name of bytes": {Place: "\xff", Headers: []bus.Header{{"\xfe", []byte("x")}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := bus.EncodeOriginal(o)
			if !json.Valid(b) || !utf8.Valid(b) {
				t.Fatalf("not JSON: %q", b)
			}
			got, err := bus.DecodeOriginal(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, o) {
				t.Errorf("came back as %#v, was %#v", got, o)
			}
			if bus.Digest(&got) != bus.Digest(&o) {
				t.Error("another digest")
			}
		})
	}
}

func TestOriginalReadable(t *testing.T) {
	got := string(bus.EncodeOriginal(bus.Original{
		Place:   "tim.commands.bot.message.send",
		Headers: []bus.Header{{"ce-id", []byte("1")}, {"raw", []byte{0xff}}},
		Value:   []byte(`{"text":"你好"}`),
	}))
	const want = `{"place":"tim.commands.bot.message.send","headers":[{"name":"ce-id","value":"1"},{"name":"raw","value64":"/w=="}],"value":"{\"text\":\"你好\"}"}`
	if got != want {
		t.Errorf("encoded as\n%s, not\n%s", got, want)
	}
}

func TestDecodeOriginalRefuses(t *testing.T) {
	for _, in := range []string{"", "{", "[]", "{}{}", `{"value64":"?"}`, `{"unknown":1}`, `{"headers":{}}`} {
		if o, err := bus.DecodeOriginal([]byte(in)); err == nil {
			t.Errorf("%q was read as %+v", in, o)
		}
	}
}

func TestDigestTellsApart(t *testing.T) {
	base := bus.Original{Headers: []bus.Header{{"a", []byte("1")}, {"b", []byte("2")}}, Value: []byte("v")}
	other := map[string]bus.Original{
		"value":            {Headers: base.Headers, Value: []byte("w")},
		"no value":         {Headers: base.Headers},
		"empty value":      {Headers: base.Headers, Value: []byte{}},
		"key":              {Key: []byte("k"), Headers: base.Headers, Value: base.Value},
		"header value":     {Headers: []bus.Header{{"a", []byte("1")}, {"b", []byte("3")}}, Value: base.Value},
		"shifted":          {Headers: []bus.Header{{"a1", []byte("")}, {"b", []byte("2")}}, Value: base.Value},
		"order of a name":  {Headers: []bus.Header{{"a", []byte("1")}, {"a", []byte("2")}}, Value: base.Value},
		"order of a name2": {Headers: []bus.Header{{"a", []byte("2")}, {"a", []byte("1")}}, Value: base.Value},
	}
	seen := map[string]string{bus.Digest(&base): "base"}
	for name, o := range other {
		d := bus.Digest(&o)
		if before, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, before)
		}
		seen[d] = name
	}
	swapped := bus.Original{Place: "elsewhere", Headers: []bus.Header{base.Headers[1], base.Headers[0]}, Value: base.Value}
	if bus.Digest(&swapped) != bus.Digest(&base) {
		t.Error("the order of names and the place count, which a NATS client cannot give back")
	}
}

func FuzzOriginal(f *testing.F) {
	f.Add("place", []byte("key"), "name", []byte("value"), []byte("body"))
	f.Add("", []byte(nil), "\xff", []byte{0xff}, []byte("\x00"))
	f.Fuzz(func(t *testing.T, place string, key []byte, name string, header, value []byte) {
		o := bus.Original{Place: place, Key: key, Headers: []bus.Header{{name, append([]byte{}, header...)}}, Value: value}
		b := bus.EncodeOriginal(o)
		if !json.Valid(b) {
			t.Fatalf("not JSON: %q", b)
		}
		got, err := bus.DecodeOriginal(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, o) {
			t.Fatalf("came back as %#v, was %#v", got, o)
		}
	})
}

func FuzzDecodeOriginal(f *testing.F) {
	f.Add([]byte(`{"place":"p","key64":"/w==","headers":[{"name":"n","value":"v"}],"value":""}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		o, err := bus.DecodeOriginal(in)
		if err != nil {
			return
		}
		again, err := bus.DecodeOriginal(bus.EncodeOriginal(o))
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Fatalf("%q is %#v, and again %#v (%v)", in, o, again, err)
		}
		if !bytes.Equal(bus.EncodeOriginal(again), bus.EncodeOriginal(o)) {
			t.Fatal("encoded otherwise")
		}
	})
}
