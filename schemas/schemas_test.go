package schemas_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

func list(t *testing.T, v *schemas.Validator) []schemas.Schema {
	t.Helper()
	all, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func document(t *testing.T, v *schemas.Validator, name string) map[string]any {
	t.Helper()
	raw, err := v.Show(name)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc
}

func TestEveryTypeHasASchemaAndAnExampleThatFits(t *testing.T) {
	v := schemas.New()
	all := list(t, v)
	if len(all) != 49 {
		t.Errorf("there are %d types", len(all))
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			if s.Title == "" || s.Description == "" {
				t.Errorf("it has no title or no description: %+v", s)
			}
			if got := document(t, v, s.Type)["$id"]; got != s.URI {
				t.Errorf("$id is %v, the dataschema is %s", got, s.URI)
			}
			raw, err := v.Example(s.Name)
			if err != nil {
				t.Fatal(err)
			}
			var e event.Event
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatalf("the example is no CloudEvent: %v", err)
			}
			if err := e.Validate(); err != nil {
				t.Errorf("the example is not valid: %v", err)
			}
			if e.Type() != s.Type || e.DataSchema() != s.URI {
				t.Errorf("the example is of type %s with schema %s", e.Type(), e.DataSchema())
			}
			if err := v.Validate(s.Type, e.Data()); err != nil {
				t.Errorf("the example does not fit: %v", err)
			}
			if s.Stream != schemas.Commands && e.Extensions()["sequence"] == nil {
				t.Error("the example lacks what the journal adds")
			}
		})
	}
}

// walk calls fn for each schema in a schema that has properties, a type or a reference.
func walk(at string, node any, fn func(at string, schema map[string]any)) {
	switch n := node.(type) {
	case map[string]any:
		fn(at, n)
		for key, value := range n {
			if key != "examples" && key != "enum" && key != "const" {
				walk(at+"/"+key, value, fn)
			}
		}
	case []any:
		for _, value := range n {
			walk(at+"/-", value, fn)
		}
	}
}

func TestEveryPropertyIsDescribed(t *testing.T) {
	v := schemas.New()
	defs := document(t, v, "defs")["$defs"].(map[string]any)
	described := func(p map[string]any) bool {
		if ref, ok := p["$ref"].(string); ok {
			name := ref[strings.LastIndexByte(ref, '/')+1:]
			def, ok := defs[name].(map[string]any)
			return ok && def["title"] != "" && def["description"] != "" && def["title"] != nil && def["description"] != nil
		}
		return p["title"] != nil && p["description"] != nil
	}
	check := func(name string) {
		walk(name, document(t, v, name), func(at string, schema map[string]any) {
			properties, _ := schema["properties"].(map[string]any)
			if strings.Contains(at, "/if") || strings.Contains(at, "/then") {
				return // a condition narrows properties that are described elsewhere
			}
			for property, p := range properties {
				if object, ok := p.(map[string]any); ok && !described(object) {
					t.Errorf("%s: %s has no title or no description", at, property)
				}
			}
		})
	}
	check("defs")
	for _, s := range list(t, v) {
		check(s.Type)
	}
}

func TestCommandsRefuseAndEventsIgnoreWhatIsNotKnown(t *testing.T) {
	v := schemas.New()
	for _, s := range list(t, v) {
		raw, err := v.Example(s.Type)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Data map[string]any }
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		e.Data["something_new"] = 1
		data, err := json.Marshal(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		err = v.Validate(s.Type, data)
		if refused := err != nil; refused != (s.Stream == schemas.Commands) {
			t.Errorf("%s with an unknown field: %v", s.Name, err)
		}
	}
}

func TestErrorsSayWhereWhatAndWhatToDo(t *testing.T) {
	tests := []struct {
		name, typ, data string
		pointers        []string
		want            []string
	}{
		{"no data", "command.message.send", ``, []string{""}, []string{"give a JSON object"}},
		{"no JSON", "command.message.send", "{\n\"a\":}", []string{""}, []string{"not JSON", "line 2"}},
		{"not an object", "command.group.dismiss", `[]`, []string{""}, []string{"type array", "must be of type object"}},
		{"missing", "command.message.send", `{"conversation":{"type":"c2c","user_id":"bob"}}`, []string{""},
			[]string{`"elements"`, "What the message is made of"}},
		{"missing in an element", "command.message.send",
			`{"conversation":{"type":"c2c","user_id":"bob"},"elements":[{"type":"text"}]}`, []string{"/elements/0"},
			[]string{`"text" (The text of a text element)`}},
		{"unknown", "command.message.send",
			`{"conversation":{"type":"c2c","user_id":"bob"},"elements":[{"type":"text","text":"a"}],"text":"b"}`, []string{""},
			[]string{`"text" is not known here`, "cloud_custom_data"}},
		{"not one of", "command.group.create", `{"group_type":"secret","name":"n"}`, []string{"/group_type"},
			[]string{`"secret" is not one of "private", "public"`}},
		{"both forms", "command.message.send",
			`{"conversation":{"type":"c2c","user_id":"bob","users":["a","bob"]},"elements":[{"type":"text","text":"a"}]}`,
			[]string{"/conversation"}, []string{"exactly one of: user_id; users"}},
		{"no form", "command.message.revoke", `{}`, []string{""}, []string{"exactly one of: message_id; conversation and sequence"}},
		{"not here", "command.message.send",
			`{"conversation":{"type":"group","group_id":"g","user_id":"bob"},"elements":[{"type":"text","text":"a"}]}`,
			[]string{"/conversation/user_id"}, []string{"may not be here"}},
		{"several", "command.group.invite", `{"group_id":5,"user_ids":["bob","bob"]}`, []string{"/group_id", "/user_ids"},
			[]string{"type number", "are the same"}},
		{"too long", "command.group.create", `{"group_type":"public","name":"` + strings.Repeat("n", 31) + `"}`,
			[]string{"/name"}, []string{"at most 30"}},
		{"pattern", "command.group.dismiss", `{"group_id":"群"}`, []string{"/group_id"}, []string{"printable ASCII"}},
		{"too few", "command.message.send", `{"conversation":{"type":"c2c","user_id":"bob"},"elements":[]}`,
			[]string{"/elements"}, []string{"at least 1"}},
		{"empty", "command.group.dismiss", `{"group_id":""}`, []string{"/group_id"}, []string{"too short"}},
	}
	v := schemas.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := v.Validate(tt.typ, []byte(tt.data))
			var e *schemas.Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %v", err)
			}
			var pointers []string
			for _, p := range e.Problems {
				pointers = append(pointers, p.Pointer)
			}
			if diff := cmp.Diff(tt.pointers, slices.Compact(pointers)); diff != "" {
				t.Errorf("pointers (-want +got):\n%s\n%v", diff, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	data := `{"group_id":"g","user_ids":[1,2,3,4,5,6,7]}`
	err := schemas.New().Validate("command.group.invite", []byte(data))
	if err == nil || !strings.HasSuffix(err.Error(), "and 2 more") {
		t.Error(err)
	}
}

func TestUnknownType(t *testing.T) {
	v := schemas.New()
	for _, name := range []string{"", "message", "io.timbridge.message.posted.v2", "../message.posted"} {
		if _, err := v.Show(name); !errors.Is(err, schemas.ErrUnknownType) {
			t.Errorf("show %q: %v", name, err)
		}
		if _, err := v.Example(name); !errors.Is(err, schemas.ErrUnknownType) {
			t.Errorf("example of %q: %v", name, err)
		}
		if err := v.Validate(name, []byte(`{}`)); !errors.Is(err, schemas.ErrUnknownType) {
			t.Errorf("validate %q: %v", name, err)
		}
	}
}

func TestValidateAtOnce(t *testing.T) {
	v := schemas.New()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			all, err := v.List()
			if err != nil {
				t.Error(err)
				return
			}
			for _, s := range all {
				if err := v.Validate(s.Type, []byte(`null`)); err == nil {
					t.Errorf("%s takes null", s.Name)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzValidate(f *testing.F) {
	v := schemas.New()
	all, err := v.List()
	if err != nil {
		f.Fatal(err)
	}
	for i, s := range all {
		raw, err := v.Example(s.Type)
		if err != nil {
			f.Fatal(err)
		}
		var e struct{ Data json.RawMessage }
		if err := json.Unmarshal(raw, &e); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), []byte(e.Data))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		err := v.Validate(all[int(which)%len(all)].Type, data)
		var e *schemas.Error
		if err != nil && (!errors.As(err, &e) || len(e.Problems) == 0 || e.Error() == "") {
			t.Errorf("%T: %v", err, err)
		}
	})
}

func BenchmarkValidateSend(b *testing.B) {
	v := schemas.New()
	data := []byte(`{"conversation":{"type":"c2c","user_id":"bob"},"elements":[{"type":"text","text":"hello"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Validate("io.timbridge.command.message.send.v1", data); err != nil {
			b.Fatal(err)
		}
	}
}

func golden(t *testing.T, file string, got []byte) []byte {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	return want
}
