package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// setting is one described field: what its tags say.
type setting struct {
	name     string
	kind     settingKind
	doc      string
	fallback string
	oneof    []string
	min, max string
	field    []int // where it is in its struct, as reflect counts
}

type settingKind int

const (
	attribute settingKind = iota
	label
	block
	blocks
	variant
)

// settings are those of a configuration struct, in the order of its fields; of
// its variants, those of the one that its label names.
func settings(v reflect.Value) []setting {
	var out []setting
	kind := ""
	for _, s := range fields(v.Type()) {
		field := v.FieldByIndex(s.field)
		switch {
		case s.kind == variant && s.name != kind:
		case s.kind == variant:
			for _, inner := range settings(field) {
				inner.field = append(slices.Clone(s.field), inner.field...)
				out = append(out, inner)
			}
		case s.kind == label:
			kind = field.String()
			fallthrough
		default:
			out = append(out, s)
		}
	}
	return out
}

// others are the kinds of a block beside the one that v is.
func others(v reflect.Value) []reflect.Value {
	var out []reflect.Value
	for _, s := range fields(v.Type()) {
		if s.kind != label || len(s.oneof) < 2 {
			continue
		}
		for _, kind := range s.oneof {
			if kind != v.FieldByIndex(s.field).String() {
				other := reflect.New(v.Type()).Elem()
				fill(other)
				other.FieldByIndex(s.field).SetString(kind)
				out = append(out, other)
			}
		}
	}
	return out
}

// fields reads the tags of a configuration struct.
func fields(t reflect.Type) []setting {
	var out []setting
	for i := range t.NumField() {
		f := t.Field(i)
		name, what, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		s := setting{
			name: name, doc: f.Tag.Get("doc"), fallback: f.Tag.Get("default"),
			min: f.Tag.Get("min"), max: f.Tag.Get("max"), field: []int{i},
		}
		if words := f.Tag.Get("oneof"); words != "" {
			s.oneof = strings.Split(words, ",")
		}
		switch {
		case what == "label":
			s.kind = label
		case what == "variant":
			s.kind = variant
		case what == "block" && f.Type.Kind() == reflect.Slice:
			s.kind = blocks
		case what == "block":
			s.kind = block
		}
		out = append(out, s)
	}
	return out
}

// set gives a field the value that a text stands for, within its bounds.
func (s setting) set(field reflect.Value, text string) error {
	if err := s.parse(field, text); err != nil {
		return err
	}
	if len(s.oneof) > 0 && text != "" && !contains(s.oneof, text) {
		return fmt.Errorf("%q is none of %s", text, quoted(s.oneof))
	}
	for _, bound := range []struct {
		text  string
		least bool
		word  string
	}{{s.min, true, "least"}, {s.max, false, "most"}} {
		if bound.text == "" {
			continue
		}
		limit := reflect.New(field.Type()).Elem()
		if err := s.parse(limit, bound.text); err != nil {
			return fmt.Errorf("bound of %s: %w", s.name, err)
		}
		if number(field) < number(limit) == bound.least && number(field) != number(limit) {
			return fmt.Errorf("%s is out of bounds: at %s %s", text, bound.word, bound.text)
		}
	}
	return nil
}

func (s setting) parse(field reflect.Value, text string) error {
	switch p := field.Addr().Interface().(type) {
	case *Secret:
		*p = NewSecret(text)
		return nil
	case *Duration:
		d, err := ParseDuration(text)
		*p = d
		return err
	case *Lifetime:
		l, err := ParseLifetime(text)
		*p = l
		return err
	case *Size:
		n, err := ParseSize(text)
		*p = n
		return err
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		field.SetBool(b)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || field.OverflowInt(n) {
			return fmt.Errorf("%q is not a whole number that fits", text)
		}
		field.SetInt(n)
	case reflect.Uint32:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number from 0 to 4294967295", text)
		}
		field.SetUint(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		field.SetFloat(n)
	default:
		return fmt.Errorf("setting %s has a type that nothing decodes", s.name)
	}
	return nil
}

func number(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	}
	return 0
}

// typeName is how the reference page calls the field's type.
func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Lifetime]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of strings"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "string"
	}
	return "number"
}

// value writes a field as HCL writes it.
func value(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Secret:
		return strconv.Quote(x.String())
	case fmt.Stringer:
		return strconv.Quote(x.String())
	case string:
		return strconv.Quote(x)
	case []string:
		var q []string
		for _, s := range x {
			q = append(q, strconv.Quote(s))
		}
		return "[" + strings.Join(q, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// fill gives every field of a struct its default.
func fill(v reflect.Value) {
	for _, s := range fields(v.Type()) {
		field := v.FieldByIndex(s.field)
		switch {
		case s.kind == block || s.kind == variant:
			fill(field)
		case s.fallback != "":
			if err := s.parse(field, s.fallback); err != nil {
				// A wrong default is a mistake in the source, found by the first test that runs.
				panic(fmt.Sprintf("config: default of %s: %v", s.name, err))
			}
		}
	}
}

func contains(words []string, w string) bool {
	for _, x := range words {
		if x == w {
			return true
		}
	}
	return false
}

func quoted(words []string) string {
	var q []string
	for _, w := range words {
		q = append(q, strconv.Quote(w))
	}
	return strings.Join(q, ", ")
}
