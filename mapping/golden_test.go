package mapping_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/mapping"
	"github.com/timbridge/timbridge/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata; -update writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func indent(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sdkJSON is how the CloudEvents SDK writes an event.
func sdkJSON(t testing.TB, e *event.Event) string {
	t.Helper()
	var out bytes.Buffer
	if err := event.WriteJson(e, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// check holds an event to everything that every event of ours must be: valid
// to the SDK, its data by its schema, and the same after a trip through a
// journal body and through the SDK's own JSON. It returns the body.
func check(t *testing.T, v *schemas.Validator, e *event.Event) []byte {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Errorf("event %s is not valid: %v", e.ID(), err)
	}
	s, err := v.Lookup(e.Type())
	if err != nil {
		t.Fatal(err)
	}
	if e.DataSchema() != s.URI {
		t.Errorf("event %s: its dataschema is %s, the schema's is %s", e.ID(), e.DataSchema(), s.URI)
	}
	if err := v.Validate(e.Type(), e.Data()); err != nil {
		t.Errorf("event %s: %v\n%s", e.ID(), err, e.Data())
	}
	if e.Subject() == "" || e.Extensions()[mapping.ExtPartitionKey] != e.Subject() {
		t.Errorf("event %s: subject %q, partitionkey %v", e.ID(), e.Subject(), e.Extensions()[mapping.ExtPartitionKey])
	}
	body, err := mapping.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, body, []byte(sdkJSON(t, e)))
	own, err := mapping.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	var theirs event.Event
	if err := theirs.UnmarshalJSON(body); err != nil {
		t.Fatal(err)
	}
	sameEvent(t, e, own)
	sameEvent(t, e, &theirs)
	return body
}

func sameJSON(t *testing.T, a, b []byte) {
	t.Helper()
	decode := func(raw []byte) (v any) {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		return v
	}
	if diff := cmp.Diff(decode(a), decode(b)); diff != "" {
		t.Errorf("not the same JSON (-a +b):\n%s", diff)
	}
}

func sameEvent(t *testing.T, want, got *event.Event) {
	t.Helper()
	if diff := cmp.Diff(sdkJSON(t, want), sdkJSON(t, got)); diff != "" {
		t.Errorf("not the same event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Extensions(), got.Extensions()); diff != "" {
		t.Errorf("not the same extensions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Context, got.Context, cmp.AllowUnexported()); diff != "" {
		t.Errorf("not the same attributes (-want +got):\n%s", diff)
	}
	if !bytes.Equal(want.Data(), got.Data()) || want.DataBase64 != got.DataBase64 {
		t.Errorf("not the same data:\n%s\n%s", want.Data(), got.Data())
	}
}

func fileName(name string) string {
	return strings.NewReplacer(" ", "_", ",", "", "'", "").Replace(name) + ".json"
}
