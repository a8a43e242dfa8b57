package schemas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/schemas"
)

// shape is what a consumer or a sender may have come to rely on at one place
// of the data.
type shape struct {
	Type     any      `json:"type,omitempty"`
	Required []string `json:"required,omitempty"`
	Closed   bool     `json:"closed,omitempty"`
	Enum     []any    `json:"enum,omitempty"`
	// Limits are minLength, maximum and their kind.
	Limits map[string]float64 `json:"limits,omitempty"`
	// Rules is everything else that decides, such as pattern, oneOf, if and then.
	Rules map[string]any `json:"rules,omitempty"`
	// Same is the definition that this place is of, where it lies inside itself.
	Same string `json:"same,omitempty"`
}

// shapes are the places of a type's data, by their path: "/elements/-/text".
type shapes map[string]shape

func shapesOf(t *testing.T, v *schemas.Validator, name string) shapes {
	t.Helper()
	defs := document(t, v, "defs")["$defs"].(map[string]any)
	out := make(shapes)
	inside := make(map[string]bool) // the references that lead here
	var visit func(at string, schema map[string]any)
	visit = func(at string, schema map[string]any) {
		s := shape{Limits: map[string]float64{}, Rules: map[string]any{}}
		var children []func()
		var entered []string
		var read func(schema map[string]any)
		read = func(schema map[string]any) {
			for key, value := range schema {
				switch key {
				case "$ref":
					ref := value.(string)
					if inside[ref] { // a merger has messages, which have elements: said once
						s.Same = ref
						continue
					}
					inside[ref] = true
					entered = append(entered, ref)
					read(defs[ref[strings.LastIndexByte(ref, '/')+1:]].(map[string]any))
				case "type":
					s.Type = value
				case "required":
					for _, r := range value.([]any) {
						s.Required = append(s.Required, r.(string))
					}
				case "additionalProperties":
					s.Closed = value == false
				case "enum":
					s.Enum = value.([]any)
				case "properties":
					for property, p := range value.(map[string]any) {
						children = append(children, func() { visit(at+"/"+property, p.(map[string]any)) })
					}
				case "items":
					children = append(children, func() { visit(at+"/-", value.(map[string]any)) })
				case "$schema", "$id", "title", "description", "examples":
				default:
					if n, ok := value.(float64); ok {
						s.Limits[key] = n
					} else {
						s.Rules[key] = value
					}
				}
			}
		}
		read(schema)
		slices.Sort(s.Required)
		out[at] = s
		for _, child := range children {
			child()
		}
		for _, ref := range entered {
			delete(inside, ref)
		}
	}
	visit("", document(t, v, name))
	return out
}

// broken says what of the old shapes the new ones do not keep. What we publish
// must go on having what it had; what we take must go on being taken.
func broken(old, now shapes, published bool) []string {
	var out []string
	say := func(at, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
	for _, at := range slices.Sorted(maps.Keys(old)) {
		was := old[at]
		is, ok := now[at]
		if !ok {
			say(at, "it is gone")
			continue
		}
		if !reflect.DeepEqual(was.Type, is.Type) {
			say(at, "its type was %v and is %v", was.Type, is.Type)
		}
		if was.Same != is.Same {
			say(at, "it was as %q and is as %q", was.Same, is.Same)
		}
		if !reflect.DeepEqual(was.Rules, is.Rules) && (published || !wider(was, is, fieldsAt(old, at), enumAt(old, at+"/type"))) {
			say(at, "its rules were %v and are %v", was.Rules, is.Rules)
		}
		for _, name := range was.Required {
			if published && !slices.Contains(is.Required, name) {
				say(at, "%q was always there and need not be", name)
			}
		}
		for _, name := range is.Required {
			if _, known := old[at+"/"+name]; !published && !slices.Contains(was.Required, name) {
				say(at, "%q has become required (known before: %v)", name, known)
			}
		}
		if published && is.Closed && !was.Closed {
			say(at, "it was open and is closed")
		}
		if !published && is.Closed && !was.Closed {
			say(at, "it took anything and does not")
		}
		switch {
		case was.Enum == nil && is.Enum != nil:
			say(at, "it took any value and takes only %v", is.Enum)
		case published:
			if was.Enum != nil && !reflect.DeepEqual(was.Enum, is.Enum) {
				say(at, "its values were %v and are %v", was.Enum, is.Enum)
			}
		default:
			for _, value := range was.Enum {
				if is.Enum != nil && !slices.Contains(is.Enum, value) {
					say(at, "it does not take %v", value)
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(is.Limits)) {
			limit, limited := was.Limits[key]
			narrower := is.Limits[key] > limit
			if strings.HasPrefix(key, "max") {
				narrower = is.Limits[key] < limit
			}
			if !published && (!limited || narrower) {
				say(at, "%s is %v and was %v", key, is.Limits[key], limit)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(was.Limits)) {
			if limit, limited := is.Limits[key]; published && (!limited || limit != was.Limits[key]) {
				say(at, "%s was %v and is %v", key, was.Limits[key], limit)
			}
		}
	}
	return out
}

// fieldsAt are the properties at a place.
func fieldsAt(s shapes, at string) map[string]bool {
	out := make(map[string]bool)
	for path := range s {
		if name, ok := strings.CutPrefix(path, at+"/"); ok && !strings.Contains(name, "/") {
			out[name] = true
		}
	}
	return out
}

// enumAt are the words that a place takes.
func enumAt(s shapes, at string) map[any]bool {
	out := make(map[any]bool)
	for _, value := range s[at].Enum {
		out[value] = true
	}
	return out
}

// wider says whether the rules of what we take refuse nothing that the old ones
// took. It understands conditions on "type", in a list or in a chain of else:
// one for a word that is new may ask for anything, one for a word that was known
// may ask for no more than before, and forbid only fields that were forbidden or
// did not exist.
func wider(was, is shape, fields map[string]bool, words map[any]bool) bool {
	old, rest, ok := conditions(was.Rules)
	now, others, understood := conditions(is.Rules)
	if !ok || !understood || !reflect.DeepEqual(rest, others) {
		return false
	}
	for word, then := range now {
		if !words[word] {
			continue
		}
		before, after := demands(old[word], fields), demands(then, fields)
		if after == nil || before == nil || !subset(after.required, before.required) || !subset(after.forbidden, before.forbidden) {
			return false
		}
	}
	return true
}

// conditions reads rules: what they ask of each word of "type", the rules that
// are of another kind, and whether all was understood.
func conditions(rules map[string]any) (map[any]map[string]any, map[string]any, bool) {
	out := make(map[any]map[string]any)
	rest := make(map[string]any)
	for key, value := range rules {
		if key != "allOf" && key != "if" && key != "then" && key != "else" {
			rest[key] = value
		}
	}
	list, _ := rules["allOf"].([]any)
	if rules["if"] != nil {
		list = append(slices.Clone(list), map[string]any{"if": rules["if"], "then": rules["then"], "else": rules["else"]})
	}
	for _, item := range list {
		for rule, ok := item.(map[string]any); rule != nil; rule, _ = rule["else"].(map[string]any) {
			condition, _ := rule["if"].(map[string]any)
			properties, _ := condition["properties"].(map[string]any)
			word, _ := properties["type"].(map[string]any)
			then, is := rule["then"].(map[string]any)
			if !ok || !is || len(properties) != 1 || len(word) != 1 {
				return nil, nil, false
			}
			several, _ := word["enum"].([]any)
			if one, ok := word["const"]; ok {
				several = []any{one}
			}
			for _, w := range several {
				if out[w] != nil {
					return nil, nil, false
				}
				out[w] = then
			}
		}
	}
	return out, rest, true
}

type demand struct{ required, forbidden map[string]bool }

// demands reads what a rule's "then" asks of fields that are known; nil when it
// asks for more than this understands.
func demands(then map[string]any, fields map[string]bool) *demand {
	d := &demand{required: map[string]bool{}, forbidden: map[string]bool{}}
	for key, value := range then {
		switch key {
		case "required":
			for _, name := range value.([]any) {
				d.required[name.(string)] = true
			}
		case "properties":
			for name, schema := range value.(map[string]any) {
				if schema != false {
					return nil
				}
				if fields[name] {
					d.forbidden[name] = true
				}
			}
		default:
			return nil
		}
	}
	return d
}

func subset(a, b map[string]bool) bool {
	for name := range a {
		if !b[name] {
			return false
		}
	}
	return true
}

// TestVersion1OnlyGrows compares every schema with the shapes in
// testdata/v1-shapes.json. -update writes what has been added, and refuses to
// write what would break somebody: that needs a new version of the type.
func TestVersion1OnlyGrows(t *testing.T) {
	v := schemas.New()
	now := make(map[string]shapes)
	published := make(map[string]bool)
	for _, s := range list(t, v) {
		now[s.Type] = shapesOf(t, v, s.Type)
		published[s.Type] = s.Stream != schemas.Commands
	}
	got, err := json.MarshalIndent(now, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	var normal map[string]shapes // both sides through JSON, so that they compare
	if err := json.Unmarshal(got, &normal); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/v1-shapes.json"
	want, err := os.ReadFile(file)
	if err == nil {
		var old map[string]shapes
		if err := json.Unmarshal(want, &old); err != nil {
			t.Fatal(err)
		}
		for _, typ := range slices.Sorted(maps.Keys(old)) {
			if normal[typ] == nil {
				t.Errorf("%s has no schema any more", typ)
				continue
			}
			for _, problem := range broken(old[typ], normal[typ], published[typ]) {
				t.Errorf("%s%s", typ, problem)
			}
		}
		if t.Failed() {
			t.Fatal("version 1 only grows: give the type a new version instead")
		}
	}
	if string(golden(t, file, append(got, '\n'))) != string(got)+"\n" {
		t.Error("the shapes have grown: run the test with -update")
	}
}

func when(word string, then map[string]any) map[string]any {
	return map[string]any{
		"if":   map[string]any{"properties": map[string]any{"type": map[string]any{"const": word}}, "required": []any{"type"}},
		"then": then,
	}
}

func TestBrokenFindsWhatBreaks(t *testing.T) {
	base := func() shapes {
		return shapes{
			"":      {Type: "object", Required: []string{"id"}},
			"/id":   {Type: "string", Limits: map[string]float64{"maxLength": 10}},
			"/kind": {Type: "string", Enum: []any{"a", "b"}},
			"/of": {Type: "object", Rules: map[string]any{"allOf": []any{
				when("a", map[string]any{"required": []any{"x"}, "properties": map[string]any{"y": false}}),
			}}},
			"/of/type": {Type: "string", Enum: []any{"a"}},
			"/of/x":    {Type: "string"},
			"/of/y":    {Type: "string"},
		}
	}
	rules := func(s shapes, rules ...any) {
		s["/of"] = shape{Type: "object", Rules: map[string]any{"allOf": rules}}
	}
	tests := []struct {
		name               string
		change             func(shapes)
		published, command bool // whether it breaks either
	}{
		{"nothing", func(shapes) {}, false, false},
		{"an optional property more", func(s shapes) { s["/new"] = shape{Type: "string"} }, false, false},
		{"a property less", func(s shapes) { delete(s, "/kind") }, true, true},
		{"another type", func(s shapes) { s["/id"] = shape{Type: "integer", Limits: s["/id"].Limits} }, true, true},
		{"required no more", func(s shapes) { s[""] = shape{Type: "object"} }, true, false},
		{"newly required", func(s shapes) { s[""] = shape{Type: "object", Required: []string{"id", "kind"}} }, false, true},
		{"closed", func(s shapes) { s[""] = shape{Type: "object", Required: []string{"id"}, Closed: true} }, true, true},
		{"a value more", func(s shapes) { s["/kind"] = shape{Type: "string", Enum: []any{"a", "b", "c"}} }, true, false},
		{"a value less", func(s shapes) { s["/kind"] = shape{Type: "string", Enum: []any{"a"}} }, true, true},
		{"any value", func(s shapes) { s["/kind"] = shape{Type: "string"} }, true, false},
		{"a narrower limit", func(s shapes) { s["/id"] = shape{Type: "string", Limits: map[string]float64{"maxLength": 5}} }, true, true},
		{"a wider limit", func(s shapes) { s["/id"] = shape{Type: "string", Limits: map[string]float64{"maxLength": 50}} }, true, false},
		{"a new limit", func(s shapes) {
			s["/kind"] = shape{Type: "string", Enum: []any{"a", "b"}, Limits: map[string]float64{"minLength": 1}}
		}, false, true},
		{"a new rule", func(s shapes) {
			s[""] = shape{Type: "object", Required: []string{"id"}, Rules: map[string]any{"oneOf": 1}}
		}, true, true},
		{"a rule for a new word", func(s shapes) {
			s["/of/type"] = shape{Type: "string", Enum: []any{"a", "b"}}
			s["/of/z"] = shape{Type: "string"}
			rules(s, when("a", map[string]any{"required": []any{"x"}, "properties": map[string]any{"y": false, "z": false}}),
				when("b", map[string]any{"required": []any{"z"}, "oneOf": 1}))
		}, true, false},
		{"a chain of rules", func(s shapes) {
			s["/of/type"] = shape{Type: "string", Enum: []any{"a", "b"}}
			chain := when("a", map[string]any{"properties": map[string]any{"y": false}})
			chain["else"] = when("b", map[string]any{"oneOf": 1})
			s["/of"] = shape{Type: "object", Rules: chain}
		}, true, false},
		{"a rule that forbids what was taken", func(s shapes) {
			rules(s, when("a", map[string]any{"properties": map[string]any{"x": false, "y": false}}))
		}, true, true},
		{"a rule that asks for more", func(s shapes) {
			rules(s, when("a", map[string]any{"required": []any{"x", "y"}, "properties": map[string]any{"y": false}}))
		}, true, true},
		{"a rule of another kind", func(s shapes) {
			rules(s, when("a", map[string]any{"required": []any{"x"}, "oneOf": 1}))
		}, true, true},
		{"a rule without a word", func(s shapes) {
			rules(s, map[string]any{"required": []any{"x"}})
		}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := base()
			tt.change(now)
			if got := broken(base(), now, true); (len(got) > 0) != tt.published {
				t.Errorf("published: %v", got)
			}
			if got := broken(base(), now, false); (len(got) > 0) != tt.command {
				t.Errorf("command: %v", got)
			}
		})
	}
}
