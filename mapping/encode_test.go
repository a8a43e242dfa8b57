package mapping_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/tim"
)

// likeSDK compares events: no extensions are as good as an empty map of them.
var likeSDK = []cmp.Option{cmpopts.EquateEmpty(), cmp.AllowUnexported(url.Userinfo{})}

// anyEvent draws events of every shape, most of which none of ours has.
func anyEvent(t *rapid.T) *event.Event {
	e := event.New()
	text := rapid.StringN(1, 20, 60)
	e.SetID(text.Draw(t, "id"))
	e.SetType(text.Draw(t, "type"))
	e.SetSource(rapid.SampledFrom([]string{
		"tim://1400000000", "cli", "/a/b", "https://example.com/x?y=1#z", "urn:uuid:1", "https://u@h:80/p%20q", "tim://x/", "a://b/../c",
	}).Draw(t, "source"))
	if rapid.Bool().Draw(t, "has subject") {
		e.SetSubject(text.Draw(t, "subject"))
	}
	if rapid.Bool().Draw(t, "has schema") {
		e.SetDataSchema(rapid.SampledFrom([]string{"https://timbridge.io/schemas/x.v1.json", "urn:a:b", "https://example.com/?a=b"}).Draw(t, "schema"))
	}
	if rapid.Bool().Draw(t, "has time") {
		e.SetTime(time.Unix(rapid.Int64Range(-1<<33, 1<<37).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")))
	}
	for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[a-z0-9]{1,12}`), rapid.ID).Draw(t, "extensions") {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			e.SetExtension(name, rapid.Int32().Draw(t, name))
		case 1:
			e.SetExtension(name, rapid.Bool().Draw(t, name))
		case 2:
			e.SetExtension(name, time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, name), 0))
		default:
			e.SetExtension(name, rapid.String().Draw(t, name))
		}
	}
	switch rapid.IntRange(0, 4).Draw(t, "data") {
	case 0: // none
	case 1:
		e.SetDataContentType("text/plain")
		e.DataEncoded = []byte(rapid.String().Draw(t, "text"))
	case 2:
		e.DataEncoded = rapid.SliceOf(rapid.Byte()).Draw(t, "binary")
		e.DataBase64 = true
	default:
		data, err := json.Marshal(map[string]any{"a": rapid.String().Draw(t, "value"), "b": []int{1, 2}})
		if err != nil {
			t.Fatal(err)
		}
		e.DataEncoded = data
		if rapid.Bool().Draw(t, "says JSON") {
			e.SetDataContentType("application/json")
		}
	}
	return &e
}

// TestEncodeIsWhatTheSDKWrites: the same JSON value for every event that is
// valid, and Decode reads back what the SDK reads.
func TestEncodeIsWhatTheSDKWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := anyEvent(rt)
		if e.Validate() != nil {
			rt.Skip("not an event")
		}
		body, err := mapping.Encode(e)
		if err != nil {
			rt.Fatal(err)
		}
		sdk, err := e.MarshalJSON()
		if err != nil {
			rt.Fatal(err)
		}
		var ours, theirs any
		if err := json.Unmarshal(body, &ours); err != nil {
			rt.Fatalf("%v: %s", err, body)
		}
		if err := json.Unmarshal(sdk, &theirs); err != nil {
			rt.Skip("the SDK writes what is no JSON")
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			rt.Fatalf("(-SDK +ours):\n%s", diff)
		}
		var read event.Event
		sdkErr := read.UnmarshalJSON(body)
		got, err := mapping.Decode(body)
		if (err == nil) != (sdkErr == nil) {
			rt.Fatalf("the SDK says %v, Decode %v", sdkErr, err)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(&read, got, likeSDK...); diff != "" {
			rt.Fatalf("decoded (-SDK +ours):\n%s", diff)
		}
	})
}

func TestEncodeRefusesOtherVersions(t *testing.T) {
	old := event.New("0.3")
	if _, err := mapping.Encode(&old); !errors.Is(err, mapping.ErrNotCloudEvent10) {
		t.Error(err)
	}
	if _, err := mapping.Encode(&event.Event{}); !errors.Is(err, mapping.ErrNotCloudEvent10) {
		t.Error(err)
	}
}

// decodeSeeds are bodies of our own shape, and near misses of it.
func decodeSeeds(t testing.TB) []string {
	facts, err := mapping.FromMessage(observed, groupMessage(tim.TextElem{Content: "a \"b\" \\ 你"}))
	if err != nil {
		t.Fatal(err)
	}
	body, err := mapping.Encode(facts[0].Event)
	if err != nil {
		t.Fatal(err)
	}
	const start = `{"specversion":"1.0","id":"1","source":"tim://1","type":"t","datacontenttype":"application/json",`
	return []string{
		string(body),
		start + `"data":{}}`,
		start + `"data":[1]}`,
		start + `"data":"x"}`,
		start + `"data": {}}`,
		start + `"data":{} }`,
		start + `"data":{}} `,
		start + `"data":{}}}`,
		start + `"data":{]}`,
		start + `"data":{},"late":"x"}`,
		start + `"data":}`,
		start + `"data":`,
		start + `"id":"2","data":{}}`,
		start + `"ext":1,"data":{}}`,
		start + `"ext":"a","ext":"b","data":{}}`,
		start + `"Ext":"a","data":{}}`,
		start + `"ext":"\u0061","data":{}}`,
		start + `"data_base64":"e30=","data":{}}`,
		start + `"subject":"","data":{}}`,
		start + `"subject":"s","time":"2026-11-23T08:00:00Z","dataschema":"https://timbridge.io/schemas/a.json","data":{"a":1}}`,
		start + `"time":"2026-11-23T08:00:00+08:00","data":{}}`,
		start + `"time":"","data":{}}`,
		start + `"time":"yesterday","data":{}}`,
		start + "\"ext\":\"\xff\",\"data\":{}}",
		`{"specversion":"1.0","id":"1","source":"%zz","type":"t","datacontenttype":"application/json","data":{}}`,
		`{"specversion":"1.0","id":"1","source":"a b","type":"t","datacontenttype":"application/json","data":{}}`,
		`{"specversion":"1.0","id":"1","source":"1a://b","type":"t","datacontenttype":"application/json","data":{}}`,
		`{"specversion":"1.0","id":"1","source":"://b","type":"t","datacontenttype":"application/json","data":{}}`,
		`{"specversion":"1.0","id":"1","type":"t","datacontenttype":"application/json","data":{}}`,
		`{"specversion":"1.0","data":{}}`,
		`{"specversion":"1.0",`,
		`{"specversion":"0.3","id":"1","source":"a","type":"t"}`,
		`{}`, ``, `null`, `[]`, `{"specversion":"1.0"}`,
	}
}

func TestDecodeAgreesWithTheSDK(t *testing.T) {
	for _, seed := range decodeSeeds(t) {
		agree(t, []byte(seed))
	}
}

// agree holds Decode to the SDK's reading. Where the body is no JSON at all,
// the SDK may read it all the same; Decode then need not.
func agree(t *testing.T, body []byte) {
	t.Helper()
	var theirs event.Event
	sdkErr := theirs.UnmarshalJSON(body)
	got, err := mapping.Decode(body)
	if (err == nil) != (sdkErr == nil) {
		t.Fatalf("%q: the SDK says %v, Decode %v", body, sdkErr, err)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(&theirs, got, likeSDK...); diff != "" {
		t.Fatalf("%q (-SDK +ours):\n%s", body, diff)
	}
	if len(body) > 0 {
		before := sdkJSON(t, got)
		for i := range body {
			body[i] = 'x'
		}
		if sdkJSON(t, got) != before {
			t.Fatal("the event shares memory with its body")
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range decodeSeeds(f) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { agree(t, body) })
}

func TestStamp(t *testing.T) {
	e := one(t, observed, c2cMessage()).Event
	if _, _, ok := mapping.StampOf(e); ok {
		t.Error("it is stamped before it is recorded")
	}
	mapping.Stamp(e, "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", 18446744073709551615, time.Date(2026, 11, 23, 16, 0, 0, 1, time.FixedZone("", 8*3600)))
	want := map[string]any{
		"timaccount": "bridge", "partitionkey": "c2c/alice/bridge",
		"timbridge": "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11", "sequence": "18446744073709551615",
		"recordedtime": "2026-11-23T08:00:00.000000001Z",
	}
	if diff := cmp.Diff(want, e.Extensions()); diff != "" {
		t.Error(diff)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	journal, position, ok := mapping.StampOf(e)
	if !ok || journal != "0190b5f2-7a3c-7cc1-9a53-2f1d6f0c8e11" || position != 18446744073709551615 {
		t.Errorf("%s %d %v", journal, position, ok)
	}
	if mapping.FormatSequence(42) != "00000000000000000042" || mapping.FormatSequence(9) > mapping.FormatSequence(10) {
		t.Error("sequences do not sort as text")
	}
	bare := event.New()
	mapping.Stamp(&bare, "j", 1, time.Unix(0, 0))
	if _, position, ok := mapping.StampOf(&bare); !ok || position != 1 {
		t.Error("an event without extensions cannot be stamped")
	}
}
